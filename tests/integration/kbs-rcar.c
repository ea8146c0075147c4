/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker over TLS: the handshake with sample evidence, release of a resource, and everything
 * that must be refused, each with its explanation. With a TPM: kbs-tpm.c.
 *
 * usage: kbs-rcar HUSK-KBS
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "support/kbs_steps.h"
#include "trustee/as/as.h"

#define INIT_DATA "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"note.txt\" = \"hello\"\n"
#define SECRET "a secret of the owner"

static const char *g_program;
static struct kbs_server g_server;
static struct kbs_guest g_guest;

static void set_up_key(enum key_type type)
{
	kbs_guest_done(&g_guest);
	assert_int_equal(kbs_guest_new(&g_guest, type), 0);
}

static int start_server(void **state)
{
	set_up_key(KEY_P256);
	return kbs_server_start(&g_server, g_program, "auth_rate = 0\n");
}

static int stop_server(void **state)
{
	int code = kbs_server_stop(&g_server);

	kbs_server_remove(&g_server);
	kbs_guest_done(&g_guest);
	return code;
}

static void attest_with(struct kbs_client *c, char *message)
{
	assert_non_null(message);
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)), 0);
	free(message);
}

static void attest_sample(struct kbs_client *c)
{
	char nonce[64];

	assert_int_equal(kbs_client_auth(c, "sample", nonce), 0);
	kbs_guest_send(&g_guest, c, nonce, kbs_sample_evidence(nonce, g_guest.tee_key, ""), NULL);
}

static void assert_released(struct kbs_client *c)
{
	assert_int_equal(kbs_guest_read(&g_guest, c, SECRET), 200);
}

/* --- the table of bad requests ------------------------------------------------------------ */

static void test_bad_requests(void **state)
{
	static const struct {
		const char *method, *path, *body;
		int status;
		const char *says;
	} rows[] = {
		{"GET", "/", "", 404, "InvalidRequestPath"},
		{"GET", "/kbs/v0/nothing/x", "", 404, "Plugin nothing not found"},
		{"GET", "/kbs/v0/auth", "", 404, "PluginNotFound"},
		{"PATCH", "/kbs/v0/auth", "", 405, "MethodNotAllowed"},
		{"POST", "/metrics", "", 405, "MethodNotAllowed"},
		{"POST", "/kbs/v0/auth", "", 401, "AttestationError"},
		{"POST", "/kbs/v0/auth", "{", 401, "RCAR handshake Auth failed"},
		{"POST", "/kbs/v0/auth", "[]", 401, "AttestationError"},
		{"POST", "/kbs/v0/auth", "{\"version\":\"0.4.0\",\"tee\":\"tpm\"}", 401,
			"extra-params"},
		{"POST", "/kbs/v0/auth",
			"{\"version\":\"0.5.0\",\"tee\":\"tpm\",\"extra-params\":{}}", 401,
			"KBS Client Protocol Version Mismatch: expect =0.4.0 while the request is "
			"0.5.0"},
		{"POST", "/kbs/v0/auth",
			"{\"version\":\"0.4.0\",\"tee\":\"abacus\",\"extra-params\":{}}", 401,
			"unknown tee"},
		{"POST", "/kbs/v0/attest", "{}", 401, "RCAR handshake Attest failed"},
		{"GET", "/kbs/v0/resource/default/key/1", "", 401, "Attestation Token not found"},
		{"POST", "/kbs/v0/resource/default/key/1", "x", 401, "AdminAuthAccess"},
		{"DELETE", "/kbs/v0/resource/default/key/1", "", 401, "AdminAuthAccess"},
		{"POST", "/kbs/v0/resource-policy", "{}", 401, "AdminAuthAccess"},
		{"GET", "/kbs/v0/resource-policy", "", 401, "AdminAuthAccess"},
		{"POST", "/kbs/v0/attestation-policy", "{}", 401, "AdminAuthAccess"},
		{"POST", "/kbs/v0/reference-value", "{}", 401, "AdminAuthAccess"},
		{"GET", "/kbs/v0/reference-value/x", "", 401, "AdminAuthAccess"},
		{"GET", "/kbs/v0/admin/verdicts", "", 401, "AdminAuthAccess"},
		{"GET", "/kbs/v0/admin/audit", "", 401, "AdminAuthAccess"},
	};
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int r = kbs_client_request(
			&c, rows[i].method, rows[i].path, slice_str(rows[i].body));

		if (r < 0 || c.status != rows[i].status ||
			!strstr(buf_str(&c.answer), rows[i].says))
			fail_msg("%s %s %s: %d, %d %s", rows[i].method, rows[i].path, rows[i].body,
				r, c.status, buf_str(&c.answer));
	}
	kbs_client_done(&c);
}

static void test_bad_attestations(void **state)
{
	static const struct {
		const char *body, *stage, *says;
	} rows[] = {
		{"", "message", ""},
		{"{", "message", ""},
		{"{\"runtime-data\":{}}", "message", "nonce"},
		{"{\"runtime-data\":{\"nonce\":5,\"tee-pubkey\":{}}}", "message", "nonce"},
		{"{\"runtime-data\":{\"nonce\":\"x\"}}", "message", "tee-pubkey"},
		{"{\"runtime-data\":{\"nonce\":\"x\",\"tee-pubkey\":{}}}", "message",
			"tee-evidence"},
		{"{\"runtime-data\":{\"nonce\":\"x\",\"tee-pubkey\":{}},\"tee-evidence\":{}}",
			"message", "primary_evidence"},
		{"{\"runtime-data\":{\"nonce\":\"x\",\"tee-pubkey\":{}},\"tee-evidence\":"
		 "{\"primary_evidence\":1,\"additional_evidence\":2}}",
			"message", "additional_evidence"},
		{"{\"runtime-data\":{\"nonce\":\"x\",\"tee-pubkey\":{}},\"tee-evidence\":"
		 "{\"primary_evidence\":{},\"additional_evidence\":\"\"}}",
			"nonce", "not this session's"},
	};
	struct kbs_client c;
	char nonce[64];

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf body = buf_init(0);
		const char *x = strstr(rows[i].body, "\"x\"");

		assert_int_equal(kbs_client_auth(&c, "sample", nonce), 0);
		/* What comes behind the nonce is looked at only when that is right. */
		if (x && streq(rows[i].stage, "message"))
			buf_printf(&body, "%.*s\"%s\"%s", (int)(x - rows[i].body), rows[i].body,
				nonce, x + 3);
		else
			buf_put_str(&body, rows[i].body);
		assert_int_equal(
			kbs_client_request(&c, "POST", "/kbs/v0/attest", buf_slice(&body)), 0);
		kbs_assert_error(&c, 401, "AttestationError");
		kbs_assert_why(&g_server, &c, rows[i].stage, rows[i].says);
	}
	kbs_client_done(&c);
}

static void test_oversized_body(void **state)
{
	struct kbs_client c;
	size_t size = (size_t)3 << 20;
	char *big = calloc(1, size);

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	/* The server may answer and close before it has read everything. */
	if (kbs_client_request(&c, "POST", "/kbs/v0/auth", slice_of(big, size)) == 0)
		assert_int_equal(c.status, 413);
	free(big);
	/* It is alive. */
	kbs_client_close(&c);
	assert_int_equal(kbs_client_request(&c, "GET", "/healthz", SLICE_EMPTY), 0);
	assert_int_equal(c.status, 200);
	kbs_client_done(&c);
}

/* --- the handshake ------------------------------------------------------------------------ */

/* Rules for other TEEs did not hold either, but are no help. */
static void check_only_of_sample(const char *id)
{
	char path[96];
	snprintf(path, sizeof(path), "/kbs/v0/admin/why/%.32s", id ? id : "");
	cleanup(json_decref) json_t *record = kbs_admin_get(&g_server, path);
	const json_t *findings = json_object_get(record, "findings");

	assert_int_equal(json_array_size(findings), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(findings, 0), "reason")),
		"no rule of the policy is about evidence of the TEE sample");
}

static void test_default_policy_denies_sample(void **state)
{
	struct kbs_client c;
	json_t *record;

	kbs_admin_post(&g_server, "/kbs/v0/resource/default/key/1", SECRET, 200);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	attest_sample(&c);
	kbs_assert_status(&c, "contraindicated");
	assert_int_equal(
		kbs_client_request(&c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	kbs_assert_error(&c, 401, "Access denied by policy");
	record = kbs_why(&g_server, &c);
	assert_string_equal(json_string_value(json_object_get(record, "kind")), "resource");
	assert_string_equal(
		json_string_value(json_object_get(record, "resource")), "default/key/1");
	assert_string_equal(
		json_string_value(json_object_get(record, "ear.status")), "contraindicated");
	assert_true(json_array_size(json_object_get(record, "findings")) > 0);
	check_only_of_sample(json_string_value(json_object_get(record, "attestation")));
	json_decref(record);
	kbs_client_done(&c);
}

static void test_replay(void **state)
{
	struct kbs_client c, other;
	char nonce[64], second[64];
	char *message, *copy, *forged;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	assert_int_equal(kbs_server_client(&g_server, false, &other), 0);
	assert_int_equal(kbs_client_auth(&c, "sample", nonce), 0);
	message = kbs_attestation(
		nonce, g_guest.tee_key, kbs_sample_evidence(nonce, g_guest.tee_key, ""), NULL);
	copy = strdup(message);
	attest_with(&c, message);
	assert_int_equal(c.status, 200);
	/* Somebody else's session has another nonce. */
	assert_int_equal(kbs_client_auth(&other, "sample", second), 0);
	attest_with(&other, strdup(copy));
	kbs_assert_error(&other, 401, "AttestationError");
	kbs_assert_why(&g_server, &other, "nonce", "replayed");
	/* That session's nonce is used up, even for a right answer. */
	kbs_guest_send(
		&g_guest, &other, second, kbs_sample_evidence(second, g_guest.tee_key, ""), NULL);
	kbs_assert_error(&other, 401, "AttestationError");
	kbs_assert_why(&g_server, &other, "session", "used already");
	/* A repeated request of the same session gets its answer again; a different one does not. */
	attest_with(&c, copy);
	assert_int_equal(c.status, 200);
	forged = kbs_attestation(nonce, g_guest.tee_key, json_object(), NULL);
	attest_with(&c, forged);
	kbs_assert_error(&c, 401, "AttestationError");
	kbs_assert_why(&g_server, &c, "session", "used already");
	/* An unknown session. */
	(void)!str_copy(
		c.cookie, sizeof(c.cookie), "kbs-session-id=00000000000000000000000000000000");
	attest_with(&c, strdup("{}"));
	kbs_assert_error(&c, 401, "AttestationError");
	kbs_assert_why(&g_server, &c, "session", "unknown");
	kbs_client_done(&c);
	kbs_client_done(&other);
}

static void test_evidence_is_bound(void **state)
{
	cleanup(pkey_free) struct pkey *other_key = NULL;
	struct kbs_client c;
	json_t *other;
	char nonce[64];

	assert_int_equal(pkey_generate(KEY_P256, 0, &other_key), 0);
	other = kbs_tee_key(other_key);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	/* Evidence made for another key. */
	assert_int_equal(kbs_client_auth(&c, "sample", nonce), 0);
	kbs_guest_send(&g_guest, &c, nonce, kbs_sample_evidence(nonce, other, ""), NULL);
	kbs_assert_error(&c, 401, "AttestationError");
	kbs_assert_why(&g_server, &c, "evidence", "");
	/* Evidence of another TEE than the handshake named. */
	assert_int_equal(kbs_client_auth(&c, "tpm", nonce), 0);
	kbs_guest_send(&g_guest, &c, nonce, kbs_sample_evidence(nonce, g_guest.tee_key, ""), NULL);
	kbs_assert_error(&c, 401, "AttestationError");
	/* A TEE that cannot be verified here. */
	assert_int_equal(kbs_client_auth(&c, "sev", nonce), 0);
	kbs_guest_send(&g_guest, &c, nonce, json_object(), NULL);
	kbs_assert_error(&c, 401, "AttestationError");
	kbs_assert_why(&g_server, &c, "evidence", "cannot verify");
	json_decref(other);
	kbs_client_done(&c);
}

static void test_policies_are_checked(void **state)
{
	kbs_admin_policy(&g_server, NULL, SLICE_LIT("package policy\nallow = tr ue\n"), 401);
	kbs_admin_policy(&g_server, NULL, SLICE_LIT("package other\nallow = true\n"), 401);
	kbs_admin_policy(&g_server, NULL, SLICE_EMPTY, 401);
	kbs_admin_policy(
		&g_server, "default_cpu", SLICE_LIT("package policy\nallow = true\n"), 401);
	kbs_admin_policy(
		&g_server, "../escape", SLICE_LIT("package policy\ntrust_claims = {}\n"), 401);
	kbs_admin_post(&g_server, "/kbs/v0/resource-policy", "{\"policy\":\"%%\"}", 401);
	kbs_admin_post(&g_server, "/kbs/v0/resource-policy", "{}", 401);
	kbs_admin_post(&g_server, "/kbs/v0/reference-value", "{}", 401);
	kbs_admin_post(&g_server, "/kbs/v0/resource/only/two", "x", 401);
}

static void test_sample_when_switched_on(void **state)
{
	cleanup_with(buf_done) struct buf policy = buf_init(0);
	static const enum key_type types[] = {KEY_P256, KEY_P521, KEY_RSA};
	struct kbs_client c;

	buf_put_slice(&policy, as_default_policy("default_cpu"));
	buf_put_slice(&policy, as_default_policy("insecure_sample"));
	kbs_admin_policy(&g_server, "default_cpu", buf_slice(&policy), 200);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	attest_sample(&c);
	kbs_assert_status(&c, "contraindicated"); /* no reference value yet */
	kbs_admin_reference(&g_server,
		"{\"launch_digest\":[\"abcde\"],\"svn\":[\"1\"],\"major_version\":1,"
		"\"minimum_minor_version\":1}");
	attest_sample(&c);
	kbs_assert_status(&c, "affirming");
	/* The default resource policy still refuses it. */
	assert_int_equal(
		kbs_client_request(&c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	kbs_assert_error(&c, 401, "PolicyDeny");
	kbs_admin_policy(&g_server, NULL, SLICE_LIT("package policy\nallow = true\n"), 200);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		set_up_key(types[i]);
		attest_sample(&c);
		assert_released(&c);
	}
	set_up_key(KEY_P256);
	assert_int_equal(
		kbs_client_request(&c, "GET", "/kbs/v0/resource/default/key/absent", SLICE_EMPTY),
		0);
	kbs_assert_error(&c, 401, "Plugin internal error");
	kbs_client_done(&c);
}

static void test_bearer_token(void **state)
{
	struct kbs_client c, bearer;
	json_t *answer;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	assert_int_equal(kbs_server_client(&g_server, false, &bearer), 0);
	attest_sample(&c);
	answer = kbs_client_json(&c);
	bearer.bearer = strdup(json_string_value(json_object_get(answer, "token")));
	json_decref(answer);
	assert_released(&bearer);
	/* One bit of the signature. */
	bearer.bearer[strlen(bearer.bearer) - 10] ^= 1;
	assert_int_equal(
		kbs_client_request(&bearer, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY),
		0);
	kbs_assert_error(&bearer, 401, "Token Verifier error");
	/* The admin's token is not an attestation token. */
	free(bearer.bearer);
	bearer.bearer = strdup(g_server.admin_token);
	assert_int_equal(
		kbs_client_request(&bearer, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY),
		0);
	kbs_assert_error(&bearer, 401, "Token Verifier error");
	kbs_client_done(&c);
	kbs_client_done(&bearer);
}

static void test_other_endpoints(void **state)
{
	struct kbs_client c;
	json_t *list;

	list = kbs_admin_get(&g_server, "/kbs/v0/admin/resources");
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	list = kbs_admin_get(&g_server, "/kbs/v0/admin/policies/resource-policy?version=1");
	assert_non_null(strstr(json_string_value(json_object_get(list, "policy")), "affirmed"));
	json_decref(list);
	list = kbs_admin_get(&g_server, "/kbs/v0/resource-policy");
	assert_string_equal(json_string_value(json_array_get(list, 0)), "resource-policy");
	json_decref(list);
	json_decref(kbs_admin_get(&g_server, "/kbs/v0/admin/audit"));
	json_decref(kbs_admin_get(&g_server, "/kbs/v0/admin/reference-values"));
	json_decref(kbs_admin_get(&g_server, "/.well-known/jwks.json"));
	assert_int_equal(kbs_server_client(&g_server, true, &c), 0);
	assert_int_equal(kbs_client_request(&c, "GET", "/metrics", SLICE_EMPTY), 0);
	assert_int_equal(c.status, 200);
	assert_non_null(strstr(buf_str(&c.answer), "kbs_attestation_successes_total{tee_type="));
	assert_non_null(strstr(buf_str(&c.answer), "kbs_http_requests_total"));
	assert_int_equal(
		kbs_client_request(&c, "DELETE", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	assert_int_equal(c.status, 200);
	assert_int_equal(kbs_client_request(&c, "GET", "/kbs/v0/admin/why/0000", SLICE_EMPTY), 0);
	assert_int_equal(c.status, 404);
	kbs_client_done(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bad_attestations),
		cmocka_unit_test(test_oversized_body),
		cmocka_unit_test(test_default_policy_denies_sample),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_evidence_is_bound),
		cmocka_unit_test(test_policies_are_checked),
		cmocka_unit_test(test_sample_when_switched_on),
		cmocka_unit_test(test_bearer_token),
		cmocka_unit_test(test_other_endpoints),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: kbs-rcar HUSK-KBS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	g_program = argv[1];
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
