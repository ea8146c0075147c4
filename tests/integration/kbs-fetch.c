/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker that has no collateral and a vendor on loopback: what a guest's evidence needs is
 * fetched once, kept over a restart, and a vendor that fails is left alone.
 *
 * usage: kbs-fetch HUSK-KBS
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "support/dcap_sim.h"
#include "support/kbs_steps.h"
#include "support/vendor_sim.h"

#define GUESTS 8

static const char *g_program;
static struct dcap_sim *g_sim;
static struct kbs_guest g_guest;

static int set_up(void **state)
{
	g_sim = dcap_sim_new(&(struct dcap_sim_options){.now = clock_unix_s()});
	return g_sim && kbs_guest_new(&g_guest, KEY_P256) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	dcap_sim_free(g_sim);
	kbs_guest_done(&g_guest);
	return 0;
}

static void start_broker(struct kbs_server *s, const struct vendor_sim *vendor)
{
	char root[65], append[512], url[64];

	hex_str(digest_slice(dcap_sim_root(g_sim)), root, sizeof(root));
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", vendor->port);
	snprintf(append, sizeof(append),
		"auth_rate = 0\ninsecure_intel_root = \"%s\"\nverifiers = 2\n[collateral]\n"
		"fetch = true\nintel_pcs_url = \"%s\"\nintel_root_crl_url = \"%s/root-crl\"\n",
		root, url, url);
	assert_int_equal(kbs_server_start(s, g_program, append), 0);
}

/* Return: the status of the answer to evidence of a TDX guest. */
static int attest(const struct kbs_server *s)
{
	struct dcap_sim_report r = {.version = 4, .body_type = 2, .module_version = 1};
	struct kbs_client c;
	uint8_t binding[48];
	char nonce[64];

	assert_int_equal(kbs_server_client(s, false, &c), 0);
	kbs_guest_begin(&g_guest, &c, "tdx", nonce, binding);
	r.report_data = slice_of(binding, sizeof(binding));
	kbs_guest_send(&g_guest, &c, nonce, dcap_sim_evidence(g_sim, &r), NULL);
	int status = c.status;
	kbs_client_done(&c);
	return status;
}

static void publish(struct vendor_sim *vendor)
{
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();

	assert_int_equal(dcap_sim_publish(g_sim, s), 0);
	assert_int_equal(vendor_sim_publish(vendor, s), 0);
}

/* What an admin sees: each item with its kind and date, none of the content. */
static void check_list(const struct kbs_server *s)
{
	cleanup(json_decref) json_t *list = kbs_admin_get(s, "/kbs/v0/admin/collateral");

	assert_int_equal(json_array_size(list), 6); /* with two issuer chains */
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		assert_string_equal(json_string_value(json_object_get(row, "state")), "good");
		assert_non_null(json_object_get(row, "until"));
		assert_null(json_object_get(row, "item"));
	}
}

/* Guests that come at once share one request for each item; then nothing is asked any more. */
static void test_once(void **state)
{
	struct vendor_sim vendor = {0};
	struct kbs_server s = {0};
	pid_t guests[GUESTS];
	int status;

	publish(&vendor);
	start_broker(&s, &vendor);
	for (int i = 0; i < GUESTS; i++) {
		guests[i] = fork();
		if (guests[i] == 0)
			_exit(attest(&s) == 200 ? 0 : 1);
	}
	for (int i = 0; i < GUESTS; i++) {
		assert_int_equal(waitpid(guests[i], &status, 0), guests[i]);
		assert_int_equal(status, 0);
	}
	/* TCB Info, QE identity, two revocation lists. */
	assert_int_equal(*vendor.requests, 4);
	assert_int_equal(dcap_sim_new_platform(g_sim), 0);
	assert_int_equal(attest(&s), 200);
	assert_int_equal(*vendor.requests, 4);
	check_list(&s);
	/* Killed after what a tick makes durable, started again while the vendor is away. */
	sleep(2);
	kbs_server_kill(&s);
	vendor_sim_stop(&vendor);
	assert_int_equal(kbs_server_start(&s, g_program, NULL), 0);
	assert_int_equal(attest(&s), 200);
	assert_int_equal(kbs_server_stop(&s), 0);
	kbs_server_remove(&s);
}

/* What the vendor does not have is a refusal that names it, and is not asked for again at once. */
static void test_absent(void **state)
{
	static const struct vendor_page nothing[] = {{NULL}};
	struct vendor_sim vendor = {0};
	struct kbs_server s = {0};

	assert_int_equal(vendor_sim_start(&vendor, nothing), 0);
	start_broker(&s, &vendor);
	assert_int_equal(attest(&s), 401);
	unsigned asked = *vendor.requests;
	assert_true(asked >= 1 && asked <= 4);
	assert_int_equal(attest(&s), 401);
	assert_int_equal(*vendor.requests, asked);
	cleanup(json_decref) json_t *list = kbs_admin_get(&s, "/kbs/v0/admin/verdicts");
	const char *id = json_string_value(json_object_get(json_array_get(list, 0), "id"));
	char path[128];
	assert_non_null(id);
	snprintf(path, sizeof(path), "/kbs/v0/admin/why/%s", id);
	cleanup(json_decref) json_t *why = kbs_admin_get(&s, path);
	const char *reason = json_string_value(json_object_get(why, "reason"));
	if (!reason || !strstr(reason, "among the collateral"))
		fail_msg("reason is: %s", reason);
	assert_int_equal(kbs_server_stop(&s), 0);
	kbs_server_remove(&s);
	vendor_sim_stop(&vendor);
}

/* A vendor that is busy is left alone, whatever the item. */
static void test_busy(void **state)
{
	cleanup(collateral_store_free) struct collateral_store *store = collateral_store_new();
	struct vendor_sim vendor = {0};
	struct kbs_server s = {0};

	assert_int_equal(dcap_sim_publish(g_sim, store), 0);
	static const struct vendor_page busy[] = {
		{"/root-crl", "429 Too Many Requests\r\nRetry-After: 600", {NULL, 0}}, {NULL}};
	assert_int_equal(vendor_sim_start(&vendor, busy), 0);
	start_broker(&s, &vendor);
	assert_int_equal(attest(&s), 401);
	unsigned asked = *vendor.requests;
	for (int i = 0; i < 5; i++)
		assert_int_equal(attest(&s), 401);
	assert_true(*vendor.requests <= asked + 1);
	assert_int_equal(kbs_server_stop(&s), 0);
	kbs_server_remove(&s);
	vendor_sim_stop(&vendor);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_busy),
	};
	if (argc != 2) {
		fprintf(stderr, "usage: kbs-fetch HUSK-KBS\n");
		return 2;
	}
	g_program = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
