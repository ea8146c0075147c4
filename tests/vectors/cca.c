/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of Arm CCA and, in packs, of PSA; each claim is compared. */
#include "evidence/cca.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "cbor_json.h"
#include "crypto/cose.h"
#include "fmt/json.h"
#include "mutate.h"

struct cca_case {
	struct buf token, key, nonce;
	struct evidence_request request;
	struct evidence_result result;
};

static void cca_case_done(struct cca_case *c)
{
	buf_done(&c->token);
	buf_done(&c->key);
	buf_done(&c->nonce);
	evidence_result_done(&c->result);
}

/* One platform is known, whatever it calls itself. */
static int any_platform(void *ctx, const char *key, struct slice *ret)
{
	struct cca_case *c = ctx;
	if (!str_starts(key, "arm/cca/"))
		return -ENOENT;
	*ret = buf_slice(&c->key);
	return 0;
}

/* "parse" has no check of its own: which one notices depends on where it breaks. */
static const struct vector_check g_checks[] = {{"parse", ""},
	{"platform_signature", "platform signature"}, {"realm_signature", "realm signature"},
	{"platform_challenge_binds_rak", "realm key binding"}, {"realm_challenge", "report data"}};

static int compare_alg(struct vector *v, const json_t *fields, const char *name, int64_t alg)
{
	const char *want = json_string_value(json_object_get(fields, name));
	const char *got = cose_alg_name(alg);
	return !want || (got && streq(want, got)) ? 0 : vector_fail(v, "%s is another one", name);
}

static int compare_payload(
	struct vector *v, const json_t *want, const char *name, struct slice token)
{
	struct cose c;
	struct err e = {0};

	if (!want)
		return 0;
	if (cose_parse(token, &c, &e) < 0)
		return vector_fail(v, "%s: %s", name, e.text);
	return cbor_json_compare(v, want, name, c.payload);
}

static int compare_fields(struct vector *v, const struct cca *t)
{
	const json_t *f = json_object_get(v->expected, "fields");
	const json_t *formats = json_object_get(f, "content_formats");
	const char *form = json_string_value(json_object_get(f, "realm_public_key_form"));
	bool raw = t->realm.public_key.size > 0 && t->realm.public_key.data[0] == 4;

	if (vector_int(v, f, "outer_tag", (int64_t)t->collection.tag) < 0 ||
		compare_payload(v, json_object_get(f, "platform"), "platform",
			t->collection.platform) < 0 ||
		compare_payload(v, json_object_get(f, "realm"), "realm", t->collection.realm) < 0 ||
		compare_alg(v, f, "platform_alg", t->platform_alg) < 0 ||
		compare_alg(v, f, "realm_alg", t->realm_alg) < 0)
		return -1;
	if (json_object_get(f, "cmw") &&
		json_is_true(json_object_get(f, "cmw")) != (t->collection.tag == CCA_TAG_CMW))
		return vector_fail(v, "cmw is wrong");
	for (size_t i = 0; i < json_array_size(formats) && i < 2; i++) {
		if ((uint64_t)json_integer_value(json_array_get(formats, i)) !=
			t->collection.content_formats[i])
			return vector_fail(v, "content format %zu is another one", i);
	}
	return !form || streq(form, raw ? "raw EC point" : "COSE_Key")
		       ? 0
		       : vector_fail(v, "the realm's key is of another form");
}

static int judge(struct vector *v, struct cca_case *c, int r)
{
	if ((r == 0) != vector_is_valid(v))
		return vector_fail(
			v, r == 0 ? "was accepted" : "was refused: %s", c->result.reason);
	return r == 0 ? 0 : vector_refusal(v, g_checks, ARRAY_COUNT(g_checks), c->result.reason);
}

struct cca_mutant {
	struct cca_case *c;
	bool platform;
};

static bool cca_accepted(void *ctx)
{
	const struct cca_mutant *m = ctx;
	cleanup_with(evidence_result_done) struct evidence_result result = {.checks = json_array()};
	struct slice token = buf_slice(&m->c->token);
	struct cca t = {0};

	if (m->platform)
		return cca_verify_platform(&m->c->request, token, &result, &t) == 0;
	return cca_verify(&m->c->request, token, &result, &t) == 0 &&
	       (m->c->nonce.size == 0 || check_bindings(&m->c->request, t.realm.challenge, "",
						 t.realm.personalization, &result) == 0);
}

static int mutate_token(struct vector *v, struct cca_case *c, bool platform)
{
	struct cca_mutant ctx = {c, platform};
	const struct mutation m = {.part = "token",
		.bytes = c->token.data,
		.size = c->token.size,
		.accepted = cca_accepted,
		.ctx = &ctx};

	return mutate_bytes(v, &m);
}

static int run_platform(struct vector *v, struct cca_case *c)
{
	const json_t *f = json_object_get(v->expected, "fields");
	struct cca t = {0};

	int r = cca_verify_platform(&c->request, buf_slice(&c->token), &c->result, &t);
	if (judge(v, c, r) < 0 || r != 0)
		return v->why[0] ? -1 : 0;
	if (compare_payload(v, json_object_get(f, "claims"), "claims", buf_slice(&c->token)) < 0)
		return -1;
	return v->mutate ? mutate_token(v, c, true) : 0;
}

static int parse_token(struct vector *v)
{
	cleanup_with(buf_done) struct buf token = buf_init(0);
	const json_t *f = json_object_get(v->expected, "fields");
	struct cca_collection parts;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "token"), &token) < 0)
		return -1;
	if (cca_collection_parse(buf_slice(&token), &parts, &e) < 0)
		return vector_fail(v, "%s", e.text);
	if (compare_payload(v, json_object_get(f, "platform"), "platform", parts.platform) < 0)
		return -1;
	return compare_payload(v, json_object_get(f, "realm"), "realm", parts.realm);
}

static int run_token(struct vector *v, struct cca_case *c)
{
	struct cca t = {0};

	int r = cca_verify(&c->request, buf_slice(&c->token), &c->result, &t);
	if (r == 0 && c->nonce.size > 0)
		r = check_bindings(
			&c->request, t.realm.challenge, "", t.realm.personalization, &c->result);
	if (judge(v, c, r) < 0)
		return -1;
	if (r != 0 || compare_fields(v, &t) < 0)
		return v->why[0] ? -1 : 0;
	return v->mutate ? mutate_token(v, c, false) : 0;
}

static int psa_item(struct vector *v, const json_t *item, struct slice in)
{
	const json_t *claims = json_object_get(item, "claims");
	const char *pem = json_string_value(json_object_get(item, "key_pem"));
	cleanup(pkey_free) struct pkey *key = NULL;
	const json_t *good = json_object_get(item, "signature_ok_with_key");
	struct cose c = {0};
	struct err e = {0};

	int r = cose_parse(in, &c, &e);
	if (r == 0 && claims && cbor_json_compare(v, claims, "claims", c.payload) < 0)
		return -1;
	if (r == 0)
		r = pkey_from_pem(slice_str(pem), &key, &e);
	if (r == 0)
		r = cose_verify(&c, 0, key, SLICE_EMPTY, &e);
	return !json_is_boolean(good) || json_is_true(good) == (r == 0)
		       ? 0
		       : vector_fail(v, r == 0 ? "the signature was accepted" : "%s", e.text);
}

static int map_item(struct vector *v, const json_t *item, struct slice in)
{
	struct cca_platform p;
	struct cca_realm t;
	struct cbor map, found;
	struct err e = {0};

	if (cbor_parse(in, &map, &e) < 0)
		return vector_fail(v, "%s", e.text);
	/* Only realms have a personalization value or an initial measurement. */
	bool realm = cbor_find(&map, 44235, &found) == 0 || cbor_find(&map, 44238, &found) == 0;
	/* Claims maps of the source lack what its tokens always have: the key is added by tests. */
	int r = realm ? cca_realm_parse(in, &t, &e) : cca_platform_parse(in, &p, &e);
	if (json_is_true(json_object_get(item, "accept")) != (r == 0))
		return vector_fail(v, r == 0 ? "was accepted" : "%s", e.text);
	return cbor_json_compare(v, json_object_get(item, "claims"), "claims", in);
}

static int run_pack(struct vector *v)
{
	cleanup(json_decref) json_t *items = vector_pack(v);
	const json_t *item;
	size_t i;

	if (!items)
		return -1;
	json_array_foreach (items, i, item) {
		cleanup_with(buf_done) struct buf in = buf_init(0);
		const char *kind = json_string_value(json_object_get(item, "kind"));
		if (json_get_hex(item, "hex", &in, NULL) < 0 || !kind)
			return vector_fail(v, "item %zu has no bytes", i);
		int r = streq(kind, "cca-claims-map") ? map_item(v, item, buf_slice(&in))
			: streq(kind, "psa-token")    ? psa_item(v, item, buf_slice(&in))
						      : vector_fail(v, "kind %.40s", kind);
		if (r < 0)
			return vector_item(v, item);
	}
	return 0;
}

int vector_cca(struct vector *v)
{
	cleanup_with(cca_case_done) struct cca_case c = {.token = buf_init(0)};
	const char *nonce = vector_str(v, "expected_nonce");
	const char *platform = vector_file(v, "platform_token");
	const struct collateral_provider provider = {any_platform, &c};

	if (vector_file(v, "cases"))
		return run_pack(v);
	if (vector_is_parse_only(v) && !platform)
		return parse_token(v);
	c.result.checks = json_array();
	c.request = (struct evidence_request){.now = clock_unix_s(),
		.collateral = &provider,
		.insecure_skip_report_data = !nonce};
	if (vector_read(v, vector_file(v, "cpak_pub"), &c.key) < 0 ||
		vector_read(v, platform ? platform : vector_file(v, "token"), &c.token) < 0)
		return -1;
	if (nonce && hex_decode(&c.nonce, slice_str(nonce)) < 0)
		return vector_fail(v, "expected_nonce is not hex");
	c.request.report_data = buf_slice(&c.nonce);
	return platform ? run_platform(v, &c) : run_token(v, &c);
}
