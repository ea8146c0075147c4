/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker and a guest on a simulated machine of IBM Z: the challenge holds an attestation
 * request, which the machine answers; release of a resource to the image that is known.
 *
 * usage: kbs-se HUSK-KBS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "support/kbs_client.h"
#include "support/se_sim.h"
#include "support/se_sim_pki.h"

#define SECRET "a secret for a guest on Z"

static const char *g_program;
static struct kbs_server g_server;
static struct se_sim *g_sim;
static struct se_sim_pki g_pki;
static struct pkey *g_key;
static json_t *g_tee_key;
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
	cleanup_with(buf_done) struct buf header = buf_init(0), text = buf_init(0),
					  pem = buf_init_secret(0);
	cleanup(json_decref) json_t *items = json_object();
	cleanup_fd int file = mkstemp(g_collateral), key = mkstemp(g_rsa);

	put_header(&header);
	if (json_set_b64(items, "ibm/se/header", buf_slice(&header), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/hkds", buf_slice(&g_pki.documents), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/chain", buf_slice(&g_pki.chain), B64_STD) < 0 ||
		json_set_b64(items, "ibm/se/crls", buf_slice(&g_pki.crls), B64_STD) < 0 ||
		pkey_to_pem_private(se_sim_wrapping_key(g_sim), &pem) < 0)
		return -1;
	cleanup(json_decref) json_t *doc = json_pack("{s:O}", "items", items);
	if (file < 0 || key < 0 || json_write(doc, &text) < 0 ||
		fd_write_full(file, text.data, text.size) < 0)
		return -1;
	return fd_write_full(key, pem.data, pem.size);
}

static int start(void **state)
{
	char root[65], append[512];

	g_sim = se_sim_new();
	if (!g_sim || se_sim_pki(se_sim_host_key(g_sim), clock_unix_s(), &g_pki) < 0 ||
		write_files() < 0 || pkey_generate(KEY_P256, 0, &g_key) < 0)
		return -1;
	g_tee_key = kbs_tee_key(g_key);
	hex_str(digest_slice(&g_pki.root), root, sizeof(root));
	snprintf(append, sizeof(append),
		"auth_rate = 0\ncollateral = \"%s\"\nse_key = \"%s\"\ninsecure_ibm_root = "
		"\"%s\"\n",
		g_collateral, g_rsa, root);
	return kbs_server_start(&g_server, g_program, append);
}

static int stop(void **state)
{
	int code = kbs_server_stop(&g_server);
	kbs_server_remove(&g_server);
	unlink(g_collateral);
	unlink(g_rsa);
	se_sim_free(g_sim);
	se_sim_pki_done(&g_pki);
	pkey_free(g_key);
	json_decref(g_tee_key);
	return code;
}

static void admin_post(const char *path, const char *body)
{
	struct kbs_client c;
	assert_int_equal(kbs_server_client(&g_server, true, &c), 0);
	assert_int_equal(kbs_client_request(&c, "POST", path, slice_str(body)), 0);
	if (c.status != 200)
		fail_msg("%s: %d %s", path, c.status, buf_str(&c.answer));
	kbs_client_done(&c);
}

static void refer_tag(void)
{
	cleanup_with(buf_done) struct buf body = buf_init(0), text = buf_init(0);
	char hex[33];

	buf_printf(
		&text, "{\"se_tag\":[\"%s\"]}", hex_str(se_sim_tags(g_sim).tag, hex, sizeof(hex)));
	buf_put_str(&body, "{\"version\":\"0.1.0\",\"type\":\"sample\",\"payload\":\"");
	b64_encode(&body, buf_slice(&text), B64_STD);
	buf_put_str(&body, "\"}");
	admin_post("/kbs/v0/reference-value", buf_str(&body));
}

static json_t *get_challenge(struct kbs_client *c)
{
	static const char body[] = "{\"version\":\"0.4.0\",\"tee\":\"se\",\"extra-params\":"
				   "{\"supported-hash-algorithms\":[\"sha256\",\"sha384\"]}}";

	c->cookie[0] = '\0';
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/auth", slice_str(body)), 0);
	if (c->status != 200)
		fail_msg("%d %s", c->status, buf_str(&c->answer));
	return kbs_client_json(c);
}

static void attest(struct kbs_client *c)
{
	cleanup(json_decref) json_t *answer = get_challenge(c), *challenge = NULL;
	const char *nonce = json_string_value(json_object_get(answer, "nonce"));
	uint8_t user[64] = {0};

	assert_non_null(nonce);
	assert_int_equal(json_parse(slice_str(nonce), 0, &challenge, NULL), 0);
	assert_int_equal(kbs_binding(nonce, g_tee_key, "", user), 0);
	char *message = kbs_attestation(nonce, g_tee_key,
		se_sim_answer(g_sim, challenge, slice_of(user, sizeof(user))), NULL);
	assert_non_null(message);
	assert_int_equal(kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)), 0);
	free(message);
}

static int read_resource(struct kbs_client *c)
{
	assert_int_equal(
		kbs_client_request(c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	return c->status;
}

static void test_se(void **state)
{
	struct kbs_client c;

	admin_post("/kbs/v0/resource/default/key/1", SECRET);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	/* Authentic, but an unknown image. */
	attest(&c);
	if (c.status != 200)
		fail_msg("%d %s", c.status, buf_str(&c.answer));
	assert_int_equal(read_resource(&c), 401);
	refer_tag();
	attest(&c);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 200);
	kbs_client_done(&c);
}

/* A guest cannot bring a challenge of its own choice as the session's nonce. */
static void test_foreign_nonce(void **state)
{
	struct kbs_client c;
	uint8_t user[64] = {0};

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	cleanup(json_decref) json_t *first = get_challenge(&c), *second = get_challenge(&c);
	cleanup(json_decref) json_t *challenge = NULL;
	const char *old = json_string_value(json_object_get(first, "nonce"));
	assert_string_not_equal(old, json_string_value(json_object_get(second, "nonce")));
	assert_int_equal(json_parse(slice_str(old), 0, &challenge, NULL), 0);
	assert_int_equal(kbs_binding(old, g_tee_key, "", user), 0);
	char *message = kbs_attestation(old, g_tee_key,
		se_sim_answer(g_sim, challenge, slice_of(user, sizeof(user))), NULL);
	assert_int_equal(kbs_client_request(&c, "POST", "/kbs/v0/attest", slice_str(message)), 0);
	free(message);
	assert_int_equal(c.status, 401);
	kbs_client_done(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_se),
		cmocka_unit_test(test_foreign_nonce),
	};
	if (argc != 2) {
		fprintf(stderr, "usage: kbs-se HUSK-KBS\n");
		return 2;
	}
	g_program = argv[1];
	return cmocka_run_group_tests(tests, start, stop);
}
