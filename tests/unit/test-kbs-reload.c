/* SPDX-License-Identifier: Apache-2.0 */
/* What a running broker can take over from another configuration. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/kbs/config.h"

#define HTTP(more) "[http_server]\ninsecure_http = true\n" more
#define HUSK(more) "[husk]\nstore = \"s\"\n" more
#define SIGNER "[attestation_service.attestation_token_broker.signer]\nkey_path = \"k\"\n"

static int compare(const char *now, const char *next, struct err *e)
{
	struct kbs_config a = {0}, b = {0};
	int r;

	assert_int_equal(kbs_config_parse(slice_str(now), &a, e), 0);
	assert_int_equal(kbs_config_parse(slice_str(next), &b, e), 0);
	r = kbs_config_may_reload(&a, &b, e);
	kbs_config_done(&a);
	kbs_config_done(&b);
	return r;
}

static void test_live(void **state)
{
	static const char *const rows[] = {
		HTTP("") HUSK("auth_rate = 1\nlog_level = \"debug\"\nse_key = \"k\"\n"),
		HTTP("") HUSK("collateral = \"c\"\nverdict_keep = 64\nprotocol_min = \"0.4.0\"\n"),
		HTTP("") HUSK("rvps_trusted_keys = [\"a\"]\nrvps_require_signed = true\n"),
		HTTP("") HUSK("[admin]\nauthorization_mode = \"InsecureAllowAll\"\n"),
		HTTP("") HUSK("[attestation_token]\ntrusted_jwk_sets = [\"s\"]\n"),
		HTTP("") HUSK("[attestation_service]\npolicy_ids = [\"p\"]\n"),
		HTTP("") HUSK(SIGNER "[collateral]\nrefresh_days = 1\n"),
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err e = {0};
		int r = compare(HTTP("") HUSK(""), rows[i], &e);

		if (r < 0)
			fail_msg("row %zu: %s", i, err_text(&e, r));
	}
	assert_int_equal(compare(HTTP("") HUSK(""), HTTP("") HUSK(""), NULL), 0);
}

/* Each is refused in both directions: a key that comes, and one that goes. */
static void test_frozen(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{HTTP("sockets = [\"[::1]:1\"]\n") HUSK(""), "[http_server] sockets takes"},
		{HTTP("payload_request_size = 3\n") HUSK(""), "payload_request_size"},
		{HTTP("tls_min_version = \"1.3\"\n") HUSK(""), "tls_min_version"},
		{HTTP("") HUSK("verifiers = 2\n"), "[husk] verifiers takes"},
		{HTTP("") HUSK("memory_max_mib = 99\n"), "memory_max_mib"},
		{HTTP("") HUSK("connections_max = 99\n"), "connections_max"},
		{HTTP("") HUSK("sessions_pending_max = 99\n"), "sessions_pending_max"},
		{HTTP("") HUSK("remote_ca = \"r\"\n"), "remote_ca"},
		{HTTP("") HUSK("insecure_intel_root = \"r\"\n"), "insecure_intel_root"},
		{HTTP("") HUSK("insecure_no_sandbox = true\n"), "insecure_no_sandbox"},
		{HTTP("") HUSK("[attestation_service]\ntype = \"coco_as_grpc\"\n"),
			"[attestation_service] type"},
		{HTTP("") HUSK("[attestation_service]\ntimeout = 6\n"), "timeout"},
		{HTTP("") HUSK("[attestation_service.rvps_config]\ntype = \"GrpcRemote\"\n"),
			"rvps_config"},
		{HTTP("") HUSK("[collateral]\nfetch = true\n"), "[collateral] fetch"},
		{HTTP("") HUSK("[[plugins]]\nname = \"resource\"\n"), "[[plugins]] takes"},
		{HTTP("") HUSK("[storage_backend]\nstorage_type = \"Sqlite\"\n"),
			"[storage_backend] storage_type"},
		{"session_storage_type = \"Memory\"\n" HTTP("") HUSK(""),
			"session_storage_type takes"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		for (int back = 0; back < 2; back++) {
			struct err e = {0};
			int r = back ? compare(rows[i].text, HTTP("") HUSK(""), &e)
				     : compare(HTTP("") HUSK(""), rows[i].text, &e);

			assert_int_equal(r, -EINVAL);
			if (!strstr(err_text(&e, r), rows[i].says))
				fail_msg("row %zu: %s", i, err_text(&e, r));
		}
	}
	assert_int_equal(
		compare(HTTP("") HUSK(""), HTTP("") "[husk]\nstore = \"t\"\n", NULL), -EINVAL);
}

/* These may be other files, but not come or go. */
static void test_presence(void **state)
{
	static const char tls[] = "[http_server]\ncertificate = \"c\"\nprivate_key = \"k\"\n",
			  other[] = "[http_server]\ncertificate = \"d\"\nprivate_key = \"l\"\n";
	char a[512], b[512];
	struct err e = {0};

	snprintf(a, sizeof(a), "%s%s", tls, HUSK("client_ca = \"x\"\n" SIGNER));
	snprintf(b, sizeof(b), "%s%s", other, HUSK("client_ca = \"y\"\n" SIGNER));
	assert_int_equal(compare(a, b, NULL), 0);
	snprintf(b, sizeof(b), "%s%s", tls, HUSK(SIGNER));
	assert_int_equal(compare(a, b, &e), -EINVAL);
	assert_non_null(strstr(err_text(&e, 0), "client_ca"));
	assert_int_equal(compare(b, a, NULL), -EINVAL);
	/* A key may come, but not go. */
	snprintf(a, sizeof(a), "%s%s", tls, HUSK(""));
	assert_int_equal(compare(a, b, NULL), 0);
	assert_int_equal(compare(b, a, &e), -EINVAL);
	assert_non_null(strstr(err_text(&e, 0), "key_path"));
	/* TLS itself. */
	assert_int_equal(compare(a, HTTP("") HUSK(""), NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_presence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
