/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker and a guest on a simulated machine of IBM Z: the challenge holds an attestation
 * request, which the machine answers; release of a resource to the image that is known. The same with
 * husk-as, asked by a relying party over gRPC and REST, and by a broker whose attestation service it is.
 *
 * usage: kbs-se HUSK-KBS HUSK-AS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "net/grpc_client.h"
#include "support/kbs_steps.h"
#include "support/se_sim.h"
#include "support/se_sim_pki.h"
#include "trustee/proto/proto.h"

#define SECRET "a secret for a guest on Z"

static const char *g_program, *g_as_program;
static struct kbs_server g_server, g_as;
static struct se_sim *g_sim;
static struct se_sim_pki g_pki;
static struct kbs_guest g_guest;
static char g_collateral[] = "/tmp/husk-collateral-XXXXXX", g_rsa[] = "/tmp/husk-se-key-XXXXXX";

/* A boot header with the simulated image's tags. */
static void put_header(struct buf *out)
{
	struct se_tags t = se_sim_tags(g_sim);

	buf_put_str(out, "IBMSecEx");
	buf_put_u32be(out, 0x100);
	buf_put_u32be(out, 640);
	buf_put_zero(out, 208);
	buf_put_slice(out, t.pld);
	buf_put_slice(out, t.ald);
	buf_put_slice(out, t.tld);
	buf_put_zero(out, 624 - 416);
	buf_put_slice(out, t.tag);
}

static int write_files(void)
{
	cleanup_with(buf_done) struct buf header = buf_init(0), pem = buf_init_secret(0);
	cleanup(json_decref) json_t *items = json_object();
	cleanup_fd int key = mkstemp(g_rsa);

	put_header(&header);
	if (json_set_b64(items, "ibm/se/header", buf_slice(&header), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/hkds", buf_slice(&g_pki.documents), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/chain", buf_slice(&g_pki.chain), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/crls", buf_slice(&g_pki.crls), B64_STD) < 0 ||
		pkey_to_pem_private(se_sim_wrapping_key(g_sim), &pem) < 0)
		return -1;
	if (key < 0 || kbs_file(g_collateral, json_pack("{s:O}", "items", items)) < 0)
		return -1;
	return fd_write_full(key, pem.data, pem.size);
}

static json_t *as_config(const char *root)
{
	return json_pack("{s:{s:s, s:s, s:s}}", "husk", "collateral", g_collateral, "se_key", g_rsa,
		"insecure_ibm_root", root);
}

static int start(void **state)
{
	cleanup(json_decref) json_t *config = NULL;
	char root[65], append[512];

	g_sim = se_sim_new();
	if (!g_sim || se_sim_pki(se_sim_host_key(g_sim), clock_unix_s(), &g_pki) < 0 ||
		write_files() < 0 || kbs_guest_new(&g_guest, KEY_P256) < 0)
		return -1;
	hex_str(digest_slice(&g_pki.root), root, sizeof(root));
	snprintf(append, sizeof(append),
		"auth_rate = 0\ncollateral = \"%s\"\nse_key = \"%s\"\ninsecure_ibm_root = "
		"\"%s\"\n",
		g_collateral, g_rsa, root);
	config = as_config(root);
	if (kbs_server_start_as(&g_as, g_as_program, config) < 0)
		return -1;
	return kbs_server_start(&g_server, g_program, append);
}

static int stop(void **state)
{
	int code = kbs_server_stop(&g_server), as_code = g_as.pid > 0 ? kbs_server_stop(&g_as) : 0;
	kbs_server_remove(&g_server);
	kbs_server_remove(&g_as);
	unlink(g_collateral);
	unlink(g_rsa);
	se_sim_free(g_sim);
	se_sim_pki_done(&g_pki);
	kbs_guest_done(&g_guest);
	return code ? code : as_code;
}

static void refer_tag(const struct kbs_server *s)
{
	char hex[33];

	kbs_admin_references(s,
		json_pack("{s:[s]}", "se_tag", hex_str(se_sim_tags(g_sim).tag, hex, sizeof(hex))));
}

/* Report data as guests of 0.4.0 make it for Secure Execution. */
static void bind_sha512(const json_t *runtime, uint8_t ret[64])
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct digest d = {0};

	assert_int_equal(jcs_write(runtime, &text), 0);
	assert_int_equal(hash_once(HASH_SHA512, buf_slice(&text), &d), 0);
	assert_int_equal(d.size, 64);
	memcpy(ret, d.bytes, 64);
}

static json_t *runtime_data(const char *nonce, bool primary)
{
	return primary ? json_pack("{s:s, s:s, s:O}", "additional-evidence", "", "nonce", nonce,
				 "tee-pubkey", g_guest.tee_key)
		       : json_pack("{s:s, s:O}", "nonce", nonce, "tee-pubkey", g_guest.tee_key);
}

/* What the guest of @challenge sends as evidence, bound to @runtime. */
static json_t *answer_challenge(const char *challenge, const json_t *runtime)
{
	cleanup(json_decref) json_t *request = NULL;
	uint8_t user[64];

	assert_int_equal(json_parse(slice_str(challenge), 0, &request, NULL), 0);
	bind_sha512(runtime, user);
	return se_sim_answer(g_sim, request, slice_of(user, sizeof(user)));
}

static int auth(struct kbs_client *c, const char *hashes)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"version\":\"0.4.0\",\"tee\":\"se\",\"extra-params\":%s}",
		hashes);
	c->cookie[0] = '\0';
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/auth", slice_str(body)), 0);
	return c->status;
}

static json_t *get_challenge(struct kbs_client *c)
{
	json_t *answer;

	if (auth(c, "{\"supported-hash-algorithms\":[\"sha256\",\"sha384\",\"sha512\"]}") != 200)
		fail_msg("%d %s", c->status, buf_str(&c->answer));
	answer = kbs_client_json(c);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(answer, "extra-params"), "selected-hash-algorithm")),
		"sha512");
	return answer;
}

static void attest(struct kbs_client *c)
{
	cleanup(json_decref) json_t *answer = get_challenge(c), *runtime = NULL;
	const char *nonce = json_string_value(json_object_get(answer, "nonce"));

	assert_non_null(nonce);
	runtime = runtime_data(nonce, true);
	kbs_guest_send(&g_guest, c, nonce, answer_challenge(nonce, runtime), NULL);
}

static int read_resource(struct kbs_client *c)
{
	return kbs_guest_read(&g_guest, c, SECRET);
}

/* The secret opens to the image that is known, and to no other. */
static void check_release(const struct kbs_server *s)
{
	struct kbs_client c;

	kbs_admin_secret(s, SECRET);
	assert_int_equal(kbs_server_client(s, false, &c), 0);
	/* Authentic, but an unknown image. */
	attest(&c);
	if (c.status != 200)
		fail_msg("%d %s", c.status, buf_str(&c.answer));
	assert_int_equal(read_resource(&c), 401);
	refer_tag(s);
	attest(&c);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 200);
	kbs_client_done(&c);
}

static void test_se(void **state)
{
	check_release(&g_server);
}

/* As the protocol has it: SHA-512, or nothing. Without a list there is nothing to choose from. */
static void test_hash(void **state)
{
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	assert_int_equal(auth(&c, "{\"supported-hash-algorithms\":[\"sha256\",\"sha384\"]}"), 401);
	assert_non_null(strstr(buf_str(&c.answer), "lacks the hash"));
	assert_int_equal(auth(&c, "{\"supported-hash-algorithms\":[]}"), 401);
	assert_int_equal(auth(&c, "\"\""), 200);
	cleanup(json_decref) json_t *answer = kbs_client_json(&c);
	assert_string_equal(json_string_value(json_object_get(answer, "extra-params")), "");
	kbs_client_done(&c);
}

/* A guest cannot bring a challenge of its own choice as the session's nonce. */
static void test_foreign_nonce(void **state)
{
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	cleanup(json_decref) json_t *first = get_challenge(&c), *second = get_challenge(&c);
	const char *old = json_string_value(json_object_get(first, "nonce"));
	cleanup(json_decref) json_t *runtime = runtime_data(old, true);
	assert_string_not_equal(old, json_string_value(json_object_get(second, "nonce")));
	kbs_guest_send(&g_guest, &c, old, answer_challenge(old, runtime), NULL);
	assert_int_equal(c.status, 401);
	kbs_client_done(&c);
}

/* --- husk-as --- */

/* One call over a connection of its own. @ret_text: the answer, or why there is none. */
static int call_as(const char *method, struct slice message, struct buf *reply, struct err *e)
{
	struct event_base *base = event_base_new();
	struct grpc_client *client = NULL;
	char url[64], path[128];
	int r;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", g_as.port);
	snprintf(path, sizeof(path), PROTO_AS "%s", method);
	const struct grpc_client_options o = {.url = url};
	assert_int_equal(grpc_client_new(base, &o, &client, e), 0);
	r = grpc_client_wait(client, path, message, 20000, reply, e);
	grpc_client_free(client);
	event_base_free(base);
	return r;
}

static void challenge_of_as(struct buf *text)
{
	cleanup_with(buf_done) struct buf message = buf_init(0), reply = buf_init(0);
	struct err e = {0};

	proto_put_challenge_request(&message, "se", "{}");
	if (call_as("GetAttestationChallenge", buf_slice(&message), &reply, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(proto_read_challenge_answer(buf_slice(&reply), text, NULL), 0);
}

/* AttestationEvaluate's request; @evidence is consumed. */
static json_t *evaluation(json_t *evidence, const json_t *runtime, const char *hash)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), encoded = buf_init(0);

	assert_int_equal(json_write(evidence, &text), 0);
	json_decref(evidence);
	b64_encode(&encoded, buf_slice(&text), B64_URL);
	return json_pack("{s:[{s:s, s:s, s:{s:O}, s:s}], s:[]}", "verification_requests", "tee",
		"se", "evidence", buf_str(&encoded), "runtime_data", "structured", runtime,
		"runtime_data_hash_algorithm", hash, "policy_ids");
}

static int evaluate(const json_t *request, struct err *e)
{
	cleanup_with(buf_done) struct buf message = buf_init(0), reply = buf_init(0);
	cleanup_with(buf_done) struct buf token = buf_init(0);

	assert_int_equal(proto_put_evaluate(&message, request, NULL), 0);
	int r = call_as("AttestationEvaluate", buf_slice(&message), &reply, e);
	if (r == 0)
		r = proto_read_token(buf_slice(&reply), &token, e);
	if (r == 0)
		assert_int_equal(strncmp(buf_str(&token), "eyJ", 3), 0);
	return r;
}

static void test_as_grpc(void **state)
{
	cleanup_with(buf_done) struct buf first = buf_init(0), second = buf_init(0);
	cleanup(json_decref) json_t *runtime = NULL, *other = NULL, *good = NULL, *bad = NULL;
	struct err e = {0};

	challenge_of_as(&first);
	challenge_of_as(&second);
	assert_string_not_equal(buf_str(&first), buf_str(&second));
	runtime = runtime_data(buf_str(&first), false);
	other = runtime_data(buf_str(&second), false);
	good = evaluation(answer_challenge(buf_str(&first), runtime), runtime, "sha512");
	if (evaluate(good, &e) < 0)
		fail_msg("%s", e.text);
	/* Evidence of one challenge, runtime data of another; and another hash. */
	bad = evaluation(answer_challenge(buf_str(&first), runtime), other, "sha512");
	assert_true(evaluate(bad, &e) < 0);
	assert_non_null(strstr(e.text, "ABORTED"));
	json_decref(bad);
	bad = evaluation(answer_challenge(buf_str(&first), runtime), runtime, "sha384");
	assert_true(evaluate(bad, &e) < 0);
	/* A measurement that is not this machine's. */
	json_t *evidence = answer_challenge(buf_str(&first), runtime);
	const char *measurement = json_string_value(json_object_get(evidence, "measurement"));
	char *broken = strdup(measurement);
	broken[0] = broken[0] == 'A' ? 'B' : 'A';
	json_object_set_new(evidence, "measurement", json_string(broken));
	free(broken);
	json_decref(bad);
	bad = evaluation(evidence, runtime, "sha512");
	assert_true(evaluate(bad, &e) < 0);
	assert_non_null(strstr(e.text, "measurement"));
}

static void test_as_rest(void **state)
{
	static const char ask[] = "{\"tee\":\"se\",\"tee_params\":\"{}\"}";
	cleanup(json_decref) json_t *runtime = NULL, *request = NULL;
	cleanup_with(buf_done) struct buf body = buf_init(0);
	struct kbs_client c;

	assert_int_equal(kbs_client_init(&c, g_as.rest_port, NULL), 0);
	assert_int_equal(kbs_client_request(&c, "POST", "/challenge", slice_str(ask)), 0);
	assert_int_equal(c.status, 200);
	cleanup(free_ptr) char *challenge = strdup(buf_str(&c.answer));
	runtime = runtime_data(challenge, false);
	request = evaluation(answer_challenge(challenge, runtime), runtime, "sha512");
	assert_int_equal(json_write(request, &body), 0);
	assert_int_equal(kbs_client_request(&c, "POST", "/attestation", buf_slice(&body)), 0);
	if (c.status != 200)
		fail_msg("%s", buf_str(&c.answer));
	kbs_client_done(&c);
}

/* The broker of @s is to ask husk-as, and to believe its tokens. */
static void use_remote(const struct kbs_server *s)
{
	static const char builtin[] = "type = \"coco_as_builtin\"";
	cleanup_with(buf_done) struct buf text = buf_init(0), out = buf_init(0);
	cleanup_fd int config = -1, keys = -1;
	struct kbs_client c;
	char path[128], set[128];
	const char *at;

	snprintf(set, sizeof(set), "%s/keys.json", s->dir);
	assert_int_equal(kbs_client_init(&c, g_as.rest_port, NULL), 0);
	assert_int_equal(kbs_client_request(&c, "GET", "/.well-known/jwks.json", SLICE_EMPTY), 0);
	keys = creat(set, 0600);
	assert_int_equal(fd_write_full(keys, c.answer.data, c.answer.size), 0);
	kbs_client_done(&c);
	snprintf(path, sizeof(path), "%s/husk-kbs.toml", s->dir);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	at = strstr(buf_str(&text), builtin);
	assert_non_null(at);
	buf_put(&out, text.data, (size_t)(at - buf_str(&text)));
	buf_printf(&out, "type = \"coco_as_grpc\"\nas_addr = \"http://127.0.0.1:%u\"", g_as.port);
	buf_put_str(&out, at + sizeof(builtin) - 1);
	buf_printf(&out, "[attestation_token]\ntrusted_jwk_sets = [\"%s\"]\n", set);
	config = creat(path, 0600);
	assert_int_equal(fd_write_full(config, out.data, out.size), 0);
}

/* A broker whose attestation service is husk-as: the challenge comes from there. */
static void test_remote(void **state)
{
	struct kbs_server server = {0};
	struct kbs_client c;

	assert_int_equal(kbs_server_start(&server, g_program, "auth_rate = 0\n"), 0);
	assert_int_equal(kbs_server_stop(&server), 0);
	use_remote(&server);
	assert_int_equal(kbs_server_start(&server, g_program, NULL), 0);
	check_release(&server);
	/* Without its service there is no challenge, and the reason is in the log. */
	assert_int_equal(kbs_server_stop(&g_as), 0);
	assert_int_equal(kbs_server_client(&server, false, &c), 0);
	assert_int_equal(auth(&c, "\"\""), 401);
	assert_non_null(strstr(buf_str(&c.answer), "makes no challenge"));
	kbs_client_done(&c);
	assert_int_equal(kbs_server_stop(&server), 0);
	kbs_server_remove(&server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_se), cmocka_unit_test(test_hash),
		cmocka_unit_test(test_foreign_nonce), cmocka_unit_test(test_as_grpc),
		cmocka_unit_test(test_as_rest),
		cmocka_unit_test(test_remote), /* the last one: it stops husk-as */
	};
	if (argc != 3) {
		fprintf(stderr, "usage: kbs-se HUSK-KBS HUSK-AS\n");
		return 2;
	}
	g_program = argv[1];
	g_as_program = argv[2];
	return cmocka_run_group_tests(tests, start, stop);
}
