/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker and guests of a simulated Intel: collateral from a file, the default policies,
 * release of a resource to a TDX guest that is known, refusals with their explanation.
 *
 * usage: kbs-dcap HUSK-KBS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "support/dcap_sim.h"
#include "support/kbs_steps.h"

#define SECRET "a secret for a trust domain"

static const char *g_program;
static struct kbs_server g_server;
static struct dcap_sim *g_sim;
static struct kbs_guest g_guest;
static char g_collateral[] = "/tmp/husk-collateral-XXXXXX";

static int start(void **state)
{
	char root[65], append[512];

	g_sim = dcap_sim_new(&(struct dcap_sim_options){.now = clock_unix_s()});
	if (!g_sim || kbs_file(g_collateral, dcap_sim_publish_text(g_sim)) < 0 ||
		kbs_guest_new(&g_guest, KEY_P256) < 0)
		return -1;
	hex_str(digest_slice(dcap_sim_root(g_sim)), root, sizeof(root));
	snprintf(append, sizeof(append),
		"auth_rate = 0\ncollateral = \"%s\"\ninsecure_intel_root = \"%s\"\n", g_collateral,
		root);
	return kbs_server_start(&g_server, g_program, append);
}

static int stop(void **state)
{
	int code = kbs_server_stop(&g_server);
	kbs_server_remove(&g_server);
	unlink(g_collateral);
	dcap_sim_free(g_sim);
	kbs_guest_done(&g_guest);
	return code;
}

static void attest(struct kbs_client *c, const char *tee, struct dcap_sim_report *r, bool stale)
{
	char nonce[64];
	uint8_t binding[48];

	kbs_guest_begin(&g_guest, c, tee, nonce, binding);
	if (stale)
		binding[0] ^= 1;
	r->report_data = slice_of(binding, sizeof(binding));
	kbs_guest_send(&g_guest, c, nonce, dcap_sim_evidence(g_sim, r), NULL);
}

static int read_resource(struct kbs_client *c)
{
	return kbs_guest_read(&g_guest, c, SECRET);
}

static json_t *td_references(void)
{
	uint8_t td[48] = {0}, zero[48] = {0};
	char mr_td[97], rtmr[97];

	memcpy(td, "measurement of a test domain", 28);
	return json_pack("{s:[s], s:[s], s:[s], s:[s]}", "mr_td",
		hex_str(slice_of(td, 48), mr_td, sizeof(mr_td)), "rtmr_1",
		hex_str(slice_of(zero, 48), rtmr, sizeof(rtmr)), "rtmr_2", rtmr, "xfam",
		"e702060000000000");
}

static void test_tdx(void **state)
{
	struct dcap_sim_report r = {.version = 4, .body_type = 2, .module_version = 1};
	struct kbs_client c;

	kbs_admin_secret(&g_server, SECRET);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	/* Authentic, but unknown: a token that opens nothing. */
	attest(&c, "tdx", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 401);
	kbs_admin_references(&g_server, td_references());
	attest(&c, "tdx", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 200);
	/* In debug mode. */
	r.debug = true;
	attest(&c, "tdx", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 401);
	r.debug = false;
	/* For another session; as evidence of the other TEE. */
	attest(&c, "tdx", &r, true);
	assert_int_equal(c.status, 401);
	attest(&c, "sgx", &r, false);
	assert_int_equal(c.status, 401);
	kbs_client_done(&c);
}

static void test_sgx(void **state)
{
	struct dcap_sim_report r = {.version = 3, .body_type = 1};
	uint8_t enclave[33] = "enclave measurement of a test ..";
	char hex[65];
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	attest(&c, "sgx", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 401);
	kbs_admin_references(&g_server, json_pack("{s:[s], s:[s]}", "sgx_mr_enclave",
						hex_str(slice_of(enclave, 32), hex, sizeof(hex)),
						"sgx_xfrm", "0000000000000000"));
	attest(&c, "sgx", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 200);
	kbs_client_done(&c);
}

/* Platforms that the broker never saw, one after the other, over one connection. */
static void test_fleet(void **state)
{
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	for (int i = 0; i < 20; i++) {
		struct dcap_sim_report r = {.version = 5, .body_type = 3, .module_version = 1};
		assert_int_equal(dcap_sim_new_platform(g_sim), 0);
		attest(&c, "tdx", &r, false);
		assert_int_equal(c.status, 200);
		assert_int_equal(read_resource(&c), 200);
	}
	kbs_client_done(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tdx),
		cmocka_unit_test(test_sgx),
		cmocka_unit_test(test_fleet),
	};
	if (argc != 2) {
		fprintf(stderr, "usage: kbs-dcap HUSK-KBS\n");
		return 2;
	}
	g_program = argv[1];
	return cmocka_run_group_tests(tests, start, stop);
}
