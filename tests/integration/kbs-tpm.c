/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real broker and a guest with a real TPM: a resource for the TPM and the registers that are known,
 * and why not for others.
 *
 * usage: kbs-tpm HUSK-KBS RESOURCE-VTPM.REGO
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "support/kbs_steps.h"
#include "support/swtpm.h"

#define AK_HANDLE 0x81010002u
#define INIT_DATA "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"note.txt\" = \"hello\"\n"
#define SECRET "a secret of the owner"

static const char *g_program, *g_vtpm_policy;
static struct kbs_server g_server;
static struct kbs_guest g_guest;

static int start_server(void **state)
{
	int r = kbs_guest_new(&g_guest, KEY_P256);

	return r < 0 ? r : kbs_server_start(&g_server, g_program, "auth_rate = 0\n");
}

static int stop_server(void **state)
{
	int code = kbs_server_stop(&g_server);

	kbs_server_remove(&g_server);
	kbs_guest_done(&g_guest);
	return code;
}

static void assert_released(struct kbs_client *c)
{
	assert_int_equal(kbs_guest_read(&g_guest, c, SECRET), 200);
}

static void attest_tpm(struct kbs_client *c, struct swtpm *t, const char *init_data)
{
	uint8_t report[48];
	char nonce[64];
	char *text = NULL;
	struct err e = {0};

	assert_int_equal(kbs_client_auth(c, "tpm", nonce), 0);
	assert_int_equal(kbs_binding(nonce, g_guest.tee_key, "", report), 0);
	if (swtpm_evidence(t, AK_HANDLE, slice_of(report, sizeof(report)), &text, &e) < 0)
		fail_msg("%s", e.text);
	kbs_guest_send(&g_guest, c, nonce, json_loads(text, 0, NULL), init_data);
	free(text);
}

static void extend(struct swtpm *t, unsigned pcr, struct slice in)
{
	struct tpm_digest d = {.alg = TPM_ALG_SHA256};
	struct digest hash;
	struct err e = {0};

	assert_int_equal(hash_once(HASH_SHA256, in, &hash), 0);
	memcpy(d.bytes, hash.bytes, 32);
	if (tpm_pcr_extend(&t->tpm, pcr, &d, 1, &e) < 0)
		fail_msg("%s", e.text);
}

static const json_t *finding_about(const json_t *record, const char *reference)
{
	size_t i;
	const json_t *f;

	json_array_foreach (json_object_get(record, "findings"), i, f) {
		if (streq_null(json_string_value(json_object_get(f, "reference_value")), reference))
			return f;
	}
	return NULL;
}

static json_t *last_verdict(void)
{
	json_t *list = kbs_admin_get(&g_server, "/kbs/v0/admin/verdicts?limit=1");
	char path[96];

	snprintf(path, sizeof(path), "/kbs/v0/admin/why/%s",
		json_string_value(json_object_get(json_array_get(list, 0), "id")));
	json_decref(list);
	return kbs_admin_get(&g_server, path);
}

static void test_tpm(void **state)
{
	cleanup_with(buf_done) struct buf policy = buf_init(0);
	struct swtpm t;
	struct kbs_client c;
	struct err e = {0};
	json_t *record;
	const json_t *finding;
	int r = swtpm_start(&t);

	if (r == -ENOENT && !getenv("CI"))
		skip();
	assert_int_equal(r, 0);
	if (tpm_create_ak(&t.tpm, AK_HANDLE, &e) < 0)
		fail_msg("%s", e.text);
	extend(&t, 0, SLICE_LIT("firmware"));
	extend(&t, 8, SLICE_LIT(INIT_DATA));
	extend(&t, 9, SLICE_LIT("kernel"));
	kbs_admin_secret(&g_server, SECRET);
	assert_int_equal(file_read(g_vtpm_policy, (size_t)1 << 20, &policy, NULL), 0);
	kbs_admin_policy(&g_server, NULL, buf_slice(&policy), 200);
	assert_int_equal(kbs_server_client(&g_server, false, &c), 0);

	/* Nothing is registered: authentic, but of an unknown key. */
	attest_tpm(&c, &t, INIT_DATA);
	kbs_assert_status(&c, "contraindicated");
	assert_int_equal(
		kbs_client_request(&c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	kbs_assert_error(&c, 401, "PolicyDeny");

	kbs_admin_tpm(&g_server, &t, AK_HANDLE);
	attest_tpm(&c, &t, INIT_DATA);
	kbs_assert_status(&c, "warning"); /* a TPM is never hardware-backed */
	assert_released(&c);

	/* Initdata that was not measured. */
	attest_tpm(&c, &t,
		"version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"note.txt\" = \"hallo\"\n");
	kbs_assert_error(&c, 401, "AttestationError");
	kbs_assert_why(&g_server, &c, "evidence", "");

	/* Another kernel: the verdict names the register, both values and what to do. */
	extend(&t, 9, SLICE_LIT("evil"));
	attest_tpm(&c, &t, INIT_DATA);
	kbs_assert_status(&c, "warning");
	record = last_verdict();
	finding = finding_about(record, "tpm_pcr09");
	if (!finding)
		fail_msg("%s", json_dumps(record, JSON_INDENT(1)));
	assert_string_equal(
		json_string_value(json_object_get(finding, "reference_state")), "present");
	assert_int_equal(strlen(json_string_value(json_object_get(finding, "actual"))), 64);
	assert_int_equal(strlen(json_string_value(json_object_get(finding, "nearest"))), 64);
	assert_non_null(strstr(json_string_value(json_object_get(finding, "fix")), "tpm_pcr09"));
	json_decref(record);
	assert_int_equal(
		kbs_client_request(&c, "GET", "/kbs/v0/resource/default/key/1", SLICE_EMPTY), 0);
	kbs_assert_error(&c, 401, "PolicyDeny");
	kbs_client_done(&c);
	swtpm_stop(&t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tpm),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: kbs-tpm HUSK-KBS RESOURCE-VTPM.REGO\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	g_program = argv[1];
	g_vtpm_policy = argv[2];
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
