/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker and guests of a simulated AMD: collateral from a file, the default policies,
 * release of a resource to an SNP guest that is known, refusals with their explanation.
 *
 * usage: kbs-snp HUSK-KBS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "support/snp_sim.h"
#include "support/kbs_steps.h"

#define SECRET "a secret for an encrypted guest"

static const char *g_program;
static struct kbs_server g_server;
static struct snp_sim *g_sim;
static struct kbs_guest g_guest;
static char g_collateral[] = "/tmp/husk-collateral-XXXXXX";

static int start(void **state)
{
	char root[65], append[512];

	g_sim = snp_sim_new(&(struct snp_sim_options){.now = clock_unix_s()});
	if (!g_sim || kbs_file(g_collateral, snp_sim_publish_text(g_sim)) < 0 ||
		kbs_guest_new(&g_guest, KEY_P256) < 0)
		return -1;
	hex_str(digest_slice(snp_sim_root(g_sim)), root, sizeof(root));
	snprintf(append, sizeof(append),
		"auth_rate = 0\ncollateral = \"%s\"\ninsecure_amd_root = \"%s\"\n", g_collateral,
		root);
	return kbs_server_start(&g_server, g_program, append);
}

static int stop(void **state)
{
	int code = kbs_server_stop(&g_server);
	kbs_server_remove(&g_server);
	unlink(g_collateral);
	snp_sim_free(g_sim);
	kbs_guest_done(&g_guest);
	return code;
}

static void attest(struct kbs_client *c, const char *tee, struct snp_sim_report *r, bool stale)
{
	char nonce[64];
	uint8_t binding[48];

	kbs_guest_begin(&g_guest, c, tee, nonce, binding);
	if (stale)
		binding[0] ^= 1;
	r->report_data = slice_of(binding, sizeof(binding));
	kbs_guest_send(&g_guest, c, nonce, snp_sim_evidence(g_sim, r), NULL);
}

static int read_resource(struct kbs_client *c)
{
	return kbs_guest_read(&g_guest, c, SECRET);
}

static json_t *references(const uint8_t measurement[48])
{
	char hex[97];

	return json_pack("{s:[s], s:[i], s:[i], s:[i], s:[i]}", "snp_launch_measurement",
		hex_str(slice_of(measurement, 48), hex, sizeof(hex)), "snp_bootloader", 4,
		"snp_microcode", 219, "snp_snp_svn", 24, "snp_tee_svn", 0);
}

static void test_snp(void **state)
{
	static const uint8_t measurement[48] = "launch digest of a test guest";
	struct snp_sim_report r = {
		.policy = 0x30000, .measurement = slice_of(measurement, sizeof(measurement))};
	struct kbs_client c;

	kbs_admin_secret(&g_server, SECRET);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	/* Authentic, but unknown: a token that opens nothing. */
	attest(&c, "snp", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 401);
	kbs_admin_references(&g_server, references(measurement));
	attest(&c, "snp", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 200);
	/* In debug mode; with a migration agent. */
	r.policy = 0xB0000;
	attest(&c, "snp", &r, false);
	assert_int_equal(c.status, 200);
	assert_int_equal(read_resource(&c), 401);
	r.policy = 0x70000;
	attest(&c, "snp", &r, false);
	assert_int_equal(read_resource(&c), 401);
	r.policy = 0x30000;
	/* For another session; of another TCB; from below VMPL 0. */
	attest(&c, "snp", &r, true);
	assert_int_equal(c.status, 401);
	r.tcb_offset = 1;
	attest(&c, "snp", &r, false);
	assert_int_equal(c.status, 401);
	r.tcb_offset = 0;
	r.vmpl = 2;
	attest(&c, "snp", &r, false);
	assert_int_equal(c.status, 401);
	kbs_client_done(&c);
}

/* Chips that the broker never saw, one after the other, over one connection. */
static void test_fleet(void **state)
{
	static const uint8_t measurement[48] = "launch digest of a test guest";
	struct kbs_client c;

	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);
	for (int i = 0; i < 20; i++) {
		struct snp_sim_report r = {.policy = 0x30000,
			.version = i % 2 ? 5 : 2,
			.measurement = slice_of(measurement, sizeof(measurement))};
		assert_int_equal(snp_sim_new_chip(g_sim), 0);
		attest(&c, "snp", &r, false);
		assert_int_equal(c.status, 200);
		assert_int_equal(read_resource(&c), 200);
	}
	kbs_client_done(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snp),
		cmocka_unit_test(test_fleet),
	};
	if (argc != 2) {
		fprintf(stderr, "usage: kbs-snp HUSK-KBS\n");
		return 2;
	}
	g_program = argv[1];
	return cmocka_run_group_tests(tests, start, stop);
}
