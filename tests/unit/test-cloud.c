/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cloud vendors' secret stores: names, URLs, opening. Credentials: test-cloud-credentials.c; what
 * services answer: test-cloud-answers.c; requests and signatures: tests/integration/kbs-cloud.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "pkcs12-files.h"

#define NOW 1800000000

static void expect_text(const char *what, const struct err *e, const char *text)
{
	if (!strstr(e->text, text))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, e->text, text);
}

/* --- names --- */

static void test_names(void **state)
{
	static const struct {
		enum cloud_vendor vendor;
		enum cloud_naming naming;
		const char *prefix, *path;
		int want;
		const char *name; /* or what the error says */
	} rows[] = {
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "repo/type/tag", 0, "tag"},
		{CLOUD_AWS, CLOUD_NAME_TAG, "husk/", "repo/type/a.b-C_1", 0, "husk/a.b-C_1"},
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "tenants/type/tag", 0, "tag"},
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "tenants/x/a/b/c", -EACCES, "naming"},
		{CLOUD_AWS, CLOUD_NAME_PATH, NULL, "tenants/x/a/b/c", 0, "tenants/x/a/b/c"},
		{CLOUD_ALIYUN, CLOUD_NAME_PATH, "p-", "a/b/c.d", 0, "p-a/b/c.d"},
		{CLOUD_GCP, CLOUD_NAME_TAG, NULL, "a/b/c_D-1", 0, "c_D-1"},
		{CLOUD_GCP, CLOUD_NAME_TAG, NULL, "a/b/c.pem", -EINVAL, "c.pem"},
		{CLOUD_GCP, CLOUD_NAME_PATH, NULL, "a/b_c/d.E-", 0, "a_sb_uc_sd_dE-"},
		{CLOUD_GCP, CLOUD_NAME_PATH, "husk_", "a/b/c", 0, "husk_a_sb_sc"},
		{CLOUD_AZURE, CLOUD_NAME_TAG, NULL, "a/b/Key-1", 0, "Key-1"},
		{CLOUD_AZURE, CLOUD_NAME_TAG, NULL, "a/b/c_d", -EINVAL, "c_d"},
		{CLOUD_AZURE, CLOUD_NAME_PATH, NULL, "a/B_-/c.d", 0, "a-s-cb-u-m-sc-dd"},
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "a/b/", -EINVAL, "1 to 512"},
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "a/b/arn:aws:x", -EINVAL, "arn:aws"},
		{CLOUD_AWS, CLOUD_NAME_TAG, NULL, "a/b/c\"", -EINVAL, "c\""},
		{CLOUD_GCP, CLOUD_NAME_TAG, NULL, "a/b/c?x", -EINVAL, "c?x"},
		{CLOUD_ALIYUN, CLOUD_NAME_TAG, NULL,
			"a/b/1234567890123456789012345678901234567890123456789012345678901234", 0,
			"1234567890123456789012345678901234567890123456789012345678901234"},
		{CLOUD_ALIYUN, CLOUD_NAME_TAG, NULL,
			"a/b/12345678901234567890123456789012345678901234567890123456789012345",
			-EINVAL, "64"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char name[CLOUD_NAME_MAX + 1] = "";
		struct err e = {0};
		int r = cloud_name(
			rows[i].vendor, rows[i].naming, rows[i].prefix, rows[i].path, name, &e);

		if (r != rows[i].want || (r == 0 && !streq(name, rows[i].name)))
			fail_msg("%s: %d %s", rows[i].path, r, name);
		if (r < 0)
			expect_text(rows[i].path, &e, rows[i].name);
	}
}

static int no_case(const void *a, const void *b)
{
	return strcasecmp(a, b);
}

static int by_case(const void *a, const void *b)
{
	return memcmp(a, b, 24);
}

/* Every path of a few characters that matter: no two share a name, whatever the case. */
static void test_names_never_meet(void **state)
{
	static const char letters[] = "aBsdumc_-./";
	static char names[11 * 11 * 11 * 11][24];
	size_t n = ARRAY_COUNT(letters) - 1, count = 0;

	for (int vendor = CLOUD_GCP; vendor <= CLOUD_AZURE; vendor++) {
		count = 0;
		for (size_t i = 0; i < n * n * n * n; i++) {
			char path[5] = {letters[i % n], letters[i / n % n], letters[i / n / n % n],
				letters[i / n / n / n], 0};
			char name[CLOUD_NAME_MAX + 1];

			assert_int_equal(cloud_name((enum cloud_vendor)vendor, CLOUD_NAME_PATH,
						 NULL, path, name, NULL),
				0);
			memset(names[count], 0, sizeof(names[0]));
			assert_int_equal(str_copy(names[count++], sizeof(names[0]), name), 0);
		}
		qsort(names, count, sizeof(names[0]), vendor == CLOUD_AZURE ? no_case : by_case);
		for (size_t i = 1; i < count; i++) {
			int same = vendor == CLOUD_AZURE ? no_case(names[i - 1], names[i])
							 : by_case(names[i - 1], names[i]);

			if (same == 0)
				fail_msg("two paths are called %s", names[i]);
		}
	}
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		bool want;
	} rows[] = {
		{"https://x.example", true},
		{"https://x.example:8443/", true},
		{"http://127.0.0.1:8080", true},
		{"http://localhost", true},
		{"http://[::1]:1/", true},
		{"http://x.example", false}, /* credentials in the clear */
		{"http://localhost.example", false},
		{"https://x.example/?a=b", false},
		{"https://x.example/#a", false},
		{"https://u@x.example/", false},
		{"ftp://x.example", false},
		{"x.example", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (cloud_url_valid(rows[i].url) != rows[i].want)
			fail_msg("%s: not %d", rows[i].url, rows[i].want);
	}
}

static void test_crc32c(void **state)
{
	uint8_t block[32] = {0};

	/* RFC 3720, B.4 */
	assert_int_equal(cloud_crc32c(slice_of(block, 32)), 0x8A9136AA);
	memset(block, 0xFF, 32);
	assert_int_equal(cloud_crc32c(slice_of(block, 32)), 0x62A8AB43);
	for (uint8_t i = 0; i < 32; i++)
		block[i] = i;
	assert_int_equal(cloud_crc32c(slice_of(block, 32)), 0x46DD794E);
	assert_int_equal(cloud_crc32c(SLICE_LIT("123456789")), 0xE3069283);
	assert_int_equal(cloud_crc32c(SLICE_EMPTY), 0);
}

/* --- opening --- */

static void test_open(void **state)
{
	const struct cloud_options o = {.total_timeout_ms = 1000};
	struct cloud_store *s = NULL;
	struct err e = {0};

	assert_int_equal(aws_store_new(&(struct aws_settings){.endpoint_url = "http://x.example"},
				 &o, &s, &e),
		-EINVAL);
	assert_int_equal(
		aws_store_new(&(struct aws_settings){.access_key_id = "A"}, &o, &s, &e), -EINVAL);
	expect_text("aws", &e, "together");
	assert_int_equal(
		gcp_store_new(&(struct gcp_settings){.project_id = "../x"}, &o, &s, &e), -EINVAL);
	assert_int_equal(
		azure_store_new(&(struct azure_settings){.vault_url = "http://x.vault.azure.net"},
			&o, &s, &e),
		-EINVAL);
	assert_int_equal(azure_store_new(&(struct azure_settings){.vault_url = "https://x",
						 .client_secret = "s"},
				 &o, &s, &e),
		-EINVAL);
	expect_text("azure", &e, "tenant_id");
	assert_int_equal(aliyun_store_new(&(struct aliyun_settings){.kms_instance_id = "kst-1",
						  .client_key = "{}",
						  .password = "x"},
				 &o, &s, &e),
		-EINVAL);
	expect_text("aliyun", &e, "CA certificate");
	assert_null(s);
}

/* Not asked for what cannot be: no name, no version, no condition. */
static void test_refused_before_asking(void **state)
{
	const struct cloud_options o = {.total_timeout_ms = 1000};
	const struct aws_settings set = {.region = "r-1",
		.endpoint_url = "http://127.0.0.1:1",
		.access_key_id = "A",
		.secret_access_key = "s"};
	cleanup(cloud_store_free) struct cloud_store *s = NULL;
	cleanup_with(buf_done) struct buf value = buf_init_secret(0);
	struct err e = {0};
	int64_t version;

	assert_int_equal(aws_store_new(&set, &o, &s, &e), 0);
	assert_int_equal(cloud_store_get(s, "tenants/x/a/b/c", 0, &value, &version, &e), -EACCES);
	assert_int_equal(cloud_store_get(s, "a/b/c", 3, &value, &version, &e), -EINVAL);
	expect_text("version", &e, "not numbers");
	assert_int_equal(cloud_store_put(s, "a/b/c", SLICE_LIT("x"), 7, &version, &e), -ESTALE);
	assert_int_equal(cloud_store_get(s, "a/b/c", 0, &value, &version, &e), -EHOSTUNREACH);
	assert_int_equal(value.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_never_meet),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_refused_before_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
