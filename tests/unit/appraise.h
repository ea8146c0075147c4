/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An attestation service with the default policy, asked with whole messages: collateral and reference
 * values go in, the appraisal is checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/key.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "trustee/as/as.h"

#define NONCE "bm9uY2Ugb2YgdGhpcyBzZXNzaW9u"

/* @key: the guest's; @init_data: what it brings along, or NULL; @now: the time of the verdict */
struct appraiser {
	struct as *as;
	json_t *key, *references;
	const char *init_data;
	int64_t now;
};

/* @collateral is consumed. */
static inline struct appraiser appraiser_new(json_t *collateral, int64_t now)
{
	struct appraiser a = {.as = as_new(), .references = json_array(), .now = now};
	cleanup(pkey_free) struct pkey *key = NULL;

	assert_int_equal(
		as_set_policy(a.as, "default_cpu", as_default_policy("default_cpu"), NULL), 0);
	assert_non_null(collateral);
	assert_int_equal(as_set_collateral(a.as, collateral, NULL), 0);
	json_decref(collateral);
	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	a.key = pkey_to_jwk(key);
	assert_non_null(a.key);
	return a;
}

static inline void appraiser_done(struct appraiser *a)
{
	as_free(a->as);
	json_decref(a->key);
	json_decref(a->references);
}

/* @value is consumed. */
static inline void refer(struct appraiser *a, const char *name, json_t *value)
{
	json_t *record = json_pack("{s:s, s:s, s:s, s:o}", "version", "0.1.0", "name", name,
		"expiration", "2030-01-01T00:00:00Z", "value", value);
	assert_int_equal(json_array_append_new(a->references, record), 0);
}

/* What evidence must be bound to. */
static inline struct digest binding(const struct appraiser *a, enum hash_alg alg)
{
	cleanup(json_decref) json_t *runtime = json_pack(
		"{s:s, s:s, s:O}", "additional-evidence", "", "nonce", NONCE, "tee-pubkey", a->key);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct digest d;

	assert_int_equal(jcs_write(runtime, &text), 0);
	assert_int_equal(hash_once(alg, buf_slice(&text), &d), 0);
	return d;
}

/* The outcome of as_attest() with this primary evidence. */
static inline json_t *attest_as(struct appraiser *a, const char *tee, json_t *evidence)
{
	json_t *init = a->init_data
			       ? json_pack("{s:s, s:s}", "format", "toml", "body", a->init_data)
			       : json_null();
	cleanup(json_decref) json_t *message = json_pack("{s:o, s:{s:s, s:O}, s:{s:O, s:s}}",
		"init-data", init, "runtime-data", "nonce", NONCE, "tee-pubkey", a->key,
		"tee-evidence", "primary_evidence", evidence, "additional_evidence", "");
	cleanup_with(buf_done) struct buf body = buf_init(0), kept = buf_init(0);
	json_t *outcome = NULL;
	struct digest d;

	assert_non_null(message);
	assert_int_equal(json_write(message, &body), 0);
	assert_int_equal(as_set_references(a->as, a->references), 0);
	/* Of the long nonces of Secure Execution sessions keep the digest. */
	assert_int_equal(hash_once(HASH_SHA256, slice_str(NONCE), &d), 0);
	b64_encode(&kept, digest_slice(&d), B64_STD);
	const struct as_request request = {.tee = tee,
		.nonce = streq(tee, "se") ? buf_str(&kept) : NONCE,
		.body = buf_slice(&body),
		.now = a->now};
	assert_int_equal(as_attest(a->as, &request, &outcome, NULL), 0);
	return outcome;
}

static inline void check_vector(
	const json_t *outcome, const char *status, int executables, int hardware, int configuration)
{
	const json_t *vector = json_object_get(outcome, "vector");
	int e = (int)json_integer_value(json_object_get(vector, "executables")),
	    h = (int)json_integer_value(json_object_get(vector, "hardware")),
	    c = (int)json_integer_value(json_object_get(vector, "configuration"));

	if (!json_is_true(json_object_get(outcome, "accepted")))
		fail_msg("refused: %s", json_string_value(json_object_get(outcome, "reason")));
	if (e != executables || h != hardware || c != configuration)
		fail_msg("vector: executables %d, hardware %d, configuration %d", e, h, c);
	assert_string_equal(json_string_value(json_object_get(outcome, "status")), status);
}

static inline void check_refusal(const json_t *outcome, const char *reason)
{
	const char *why = json_string_value(json_object_get(outcome, "reason"));

	assert_true(json_is_false(json_object_get(outcome, "accepted")));
	if (!why || !strstr(why, reason))
		fail_msg("%s", why);
}
