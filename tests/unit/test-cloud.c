/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cloud vendors' secret stores: names, tokens, credentials. What services answer: test-cloud-answers.c;
 * requests and signatures: tests/integration/kbs-cloud.py.
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

/* --- tokens --- */

static void test_tokens(void **state)
{
	static const struct {
		int status;
		const char *body;
		int want;
		const char *token; /* or what the error says */
		int64_t refresh;
	} rows[] = {
		{200, "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3599}", 0,
			"t", NOW + 3539},
		{200, "{\"access_token\":\"t\",\"expires_in\":\"86399\"}", 0, "t", NOW + 86339},
		{200, "{\"access_token\":\"t\",\"expires_in\":10}", 0, "t", NOW + 5},
		{200, "{\"access_token\":\"t\",\"expires_in\":1000000000000}", 0, "t", NOW + 86340},
		{200, "{\"access_token\":\"t\",\"expires_in\":0}", -EBADMSG, "expires_in", 0},
		{200, "{\"access_token\":\"t\",\"expires_in\":-1}", -EBADMSG, "expires_in", 0},
		{200, "{\"access_token\":\"t\",\"expires_in\":\"1s\"}", -EBADMSG, "expires_in", 0},
		{200, "{\"access_token\":\"t\"}", -EBADMSG, "expires_in", 0},
		{200, "{\"access_token\":\"\",\"expires_in\":1}", -EBADMSG, "printable", 0},
		{200, "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":1}", -EBADMSG, "printable",
			0},
		{200, "{\"access_token\":1,\"expires_in\":1}", -EBADMSG, "access_token", 0},
		{200, "{\"expires_in\":1}", -EBADMSG, "access_token", 0},
		{200, "{\"access_token\":\"t\",\"token_type\":\"mac\",\"expires_in\":1}", -EBADMSG,
			"bearer", 0},
		{200, "<html>", -EBADMSG, "not JSON", 0},
		{200, "", -EBADMSG, "not JSON", 0},
		{400, "{\"error\":\"invalid_grant\",\"error_description\":\"bad key\"}", -EACCES,
			"bad key", 0},
		{400, "{\"error\":\"invalid_client\"}", -EACCES, "invalid_client", 0},
		{401, "{\"error\":{\"message\":\"who are you\"}}", -EACCES, "who are you", 0},
		{404, "", -EACCES, "404", 0},
		{307, "", -EBADMSG, "redirect", 0},
		{429, "", -EAGAIN, "429", 0},
		{503, "{\"error\":\"temporarily_unavailable\"}", -EAGAIN, "temporarily", 0},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct cloud_token t = {0};
		struct err e = {0};
		int r = oauth_read("X", rows[i].status, slice_str(rows[i].body), NOW, &t, &e);

		if (r != rows[i].want || t.refresh_s != rows[i].refresh)
			fail_msg("%s: %d %lld", rows[i].body, r, (long long)t.refresh_s);
		if (r == 0)
			assert_string_equal(buf_str(&t.value), rows[i].token);
		else
			expect_text(rows[i].body, &e, rows[i].token);
		assert_false(cloud_token_fresh(&t, rows[i].refresh));
		assert_int_equal(cloud_token_fresh(&t, rows[i].refresh - 1), r == 0);
		cloud_token_done(&t);
	}
}

/* A refused renewal leaves the old token as it is. */
static void test_token_kept(void **state)
{
	struct cloud_token t = {0};

	assert_int_equal(
		oauth_read("X", 200, SLICE_LIT("{\"access_token\":\"a\",\"expires_in\":100}"), NOW,
			&t, NULL),
		0);
	assert_int_equal(oauth_read("X", 503, SLICE_EMPTY, NOW, &t, NULL), -EAGAIN);
	assert_string_equal(buf_str(&t.value), "a");
	assert_int_equal(
		oauth_read("X", 200, SLICE_LIT("{\"access_token\":\"b\",\"expires_in\":100}"), NOW,
			&t, NULL),
		0);
	assert_string_equal(buf_str(&t.value), "b");
	cloud_token_done(&t);
}

static void check_claims(const struct jws *j, const struct oauth_assertion *a)
{
	cleanup(json_decref) json_t *claims = NULL;
	const char *text = NULL;
	int64_t iat = 0, exp = 0;

	assert_int_equal(json_parse(buf_slice(&j->payload), 0, &claims, NULL), 0);
	assert_int_equal(json_get_str(claims, "iss", &text, NULL), 0);
	assert_string_equal(text, a->issuer);
	assert_int_equal(json_get_str(claims, "aud", &text, NULL), 0);
	assert_string_equal(text, a->audience);
	assert_true(streq_null(json_string_value(json_object_get(claims, "sub")), a->subject));
	assert_true(streq_null(json_string_value(json_object_get(claims, "scope")), a->scope));
	assert_true(streq_null(json_string_value(json_object_get(claims, "jti")), a->jti));
	assert_int_equal(!json_object_get(claims, "nbf"), !a->jti);
	assert_int_equal(json_get_int(claims, "iat", NOW, NOW, &iat, NULL), 0);
	assert_int_equal(json_get_int(claims, "exp", NOW + 600, NOW + 600, &exp, NULL), 0);
}

static void test_assertions(void **state)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	assert_int_equal(pkey_generate(KEY_RSA, 2048, &key), 0);
	const struct oauth_assertion rows[] = {
		{key, SIG_RS256, "kid", "k1", "me@x", NULL, "https://a/token", "scope", NULL, NOW,
			600},
		{key, SIG_PS256, "x5t#S256", "print", "app", "app", "https://b/token", NULL, "j1",
			NOW, 600},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf out = {0};
		struct jws j;
		const char *text = NULL;

		assert_int_equal(oauth_sign(&rows[i], &out), 0);
		assert_int_equal(jws_parse(buf_slice(&out), &j, NULL), 0);
		assert_int_equal(jws_check(&j, key, rows[i].alg, NULL), 0);
		assert_int_equal(json_get_str(j.header, rows[i].header_name, &text, NULL), 0);
		assert_string_equal(text, rows[i].header_value);
		assert_int_equal(json_get_str(j.header, "typ", &text, NULL), 0);
		assert_string_equal(text, "JWT");
		check_claims(&j, &rows[i]);
		jws_done(&j);
	}
}

/* --- AWS: credentials --- */

static void test_ini(void **state)
{
	static const char text[] = "# a comment\n"
				   "[default]\n"
				   "aws_access_key_id=A1\r\n"
				   "aws_secret_access_key =  s=1/+ \n"
				   "; region = no\n"
				   "[ other ]\n"
				   "aws_access_key_id = first\n"
				   "aws_access_key_id = last\n"
				   "s3 =\n"
				   "  region = nested\n"
				   "[profile x] # trailing\n"
				   "region = eu-central-1";
	static const struct {
		const char *section, *key, *want;
	} rows[] = {
		{"default", "aws_access_key_id", "A1"},
		{"default", "aws_secret_access_key", "s=1/+"},
		{"default", "region", NULL},
		{"other", "aws_access_key_id", "last"},
		{"other", "region", NULL},
		{"other", "s3", NULL}, /* empty is absent */
		{"profile x", "region", "eu-central-1"},
		{"x", "region", NULL},
		{"Default", "aws_access_key_id", NULL},
		{"default", "AWS_ACCESS_KEY_ID", NULL},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf out = buf_init_secret(0);
		int r = aws_ini_get(slice_str(text), rows[i].section, rows[i].key, &out);

		if (r != (rows[i].want ? 0 : -ENOENT))
			fail_msg("[%s] %s: %d", rows[i].section, rows[i].key, r);
		if (r == 0)
			assert_string_equal(buf_str(&out), rows[i].want);
	}
	for (size_t n = 0; n <= strlen(text); n++) {
		cleanup_with(buf_done) struct buf out = buf_init_secret(0);

		(void)!aws_ini_get(slice_of(text, n), "other", "aws_access_key_id", &out);
	}
	cleanup_with(buf_done) struct buf out = {0};
	assert_int_equal(aws_ini_get(SLICE_LIT("[a]\nb=\0"), "a", "b", &out), -EBADMSG);
	assert_int_equal(aws_ini_get(SLICE_LIT("[]\n[\nb=c"), "", "b", &out), -ENOENT);
}

#define KEYS "\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s/+\",\"Token\":\"t==\","
#define END "\"Expiration\":\"2027-01-15T08:00:00Z\""

static void test_credentials(void **state)
{
	static const struct {
		const char *body;
		int want;
		const char *text;
	} rows[] = {
		{"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\"," KEYS END "}", 0, NULL},
		{"{\"RoleArn\":\"arn\"," KEYS END "}", 0, NULL},
		{"{\"Code\":\"AssumeRoleUnauthorizedAccess\"," KEYS END "}", -EBADMSG,
			"AssumeRoleUnauthorizedAccess"},
		{"{\"Code\":7," KEYS END "}", -EBADMSG, "Code"},
		{"{" KEYS "\"Expiration\":\"tomorrow\"}", -EBADMSG, "Expiration"},
		{"{" KEYS "\"Expiration\":0}", -EBADMSG, "Expiration"},
		{"{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"," END "}",
			-EBADMSG, "access key"},
		{"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\",\"Token\":\"t\"," END "}",
			-EBADMSG, "length"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\\n\",\"Token\":\"t\"," END "}",
			-EBADMSG, "secret access key"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"a\\r\\nb\"," END "}",
			-EBADMSG, "session token"},
		{"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"," END "}", -EBADMSG, "Token"},
		{"not JSON", -EBADMSG, "metadata service"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct aws_credentials c = {0};
		struct err e = {0};
		int r = aws_read_credentials(slice_str(rows[i].body), &c, &e);

		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].body, r);
		if (r == 0) {
			assert_string_equal(buf_str(&c.access), "ASIAX");
			assert_string_equal(buf_str(&c.secret), "s/+");
			assert_string_equal(buf_str(&c.token), "t==");
			assert_int_equal(c.expires_s, NOW);
			for (size_t n = 0; n < strlen(rows[i].body); n++)
				assert_int_equal(
					aws_read_credentials(slice_of(rows[i].body, n), &c, NULL),
					-EBADMSG);
		} else
			expect_text(rows[i].body, &e, rows[i].text);
		aws_credentials_done(&c);
	}
}

static void test_assumed(void **state)
{
	static const char good[] =
		"{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":{"
		"\"Credentials\":{\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s\","
		"\"SessionToken\":\"t\",\"Expiration\":1.8E9}}}}";
	struct aws_credentials c = {0};
	struct err e = {0};

	assert_int_equal(aws_read_assumed(200, slice_str(good), &c, NULL), 0);
	assert_int_equal(c.expires_s, NOW);
	for (size_t n = 0; n < strlen(good); n++)
		assert_int_equal(aws_read_assumed(200, slice_of(good, n), &c, NULL), -EBADMSG);
	assert_string_equal(buf_str(&c.token), "t"); /* what there was stays */
	assert_int_equal(
		aws_read_assumed(400, SLICE_LIT("{\"Error\":{\"Message\":\"bad token\"}}"), &c, &e),
		-EACCES);
	expect_text("400", &e, "bad token");
	assert_int_equal(aws_read_assumed(403, SLICE_EMPTY, &c, NULL), -EACCES);
	assert_int_equal(aws_read_assumed(500, SLICE_EMPTY, &c, NULL), -EAGAIN);
	assert_int_equal(aws_read_assumed(200, SLICE_LIT("{}"), &c, NULL), -EBADMSG);
	aws_credentials_done(&c);
}

/* --- Google: the key --- */

static char *key_json(const char *type, const char *url, const struct pkey *key)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(0);
	json_t *o;
	char *text;

	assert_int_equal(pkey_to_pem_private(key, &pem), 0);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "client_email", "a@b",
		"private_key", buf_str(&pem), "private_key_id", "k1", "token_uri", url);
	text = json_dumps(o, 0);
	json_decref(o);
	return text;
}

static void test_gcp_key(void **state)
{
	cleanup(pkey_free) struct pkey *rsa = NULL, *ec = NULL;
	struct gcp_key k = {0};
	struct err e = {0};
	char *good, *text;

	assert_int_equal(pkey_generate(KEY_RSA, 2048, &rsa), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &ec), 0);
	good = key_json("service_account", "https://oauth2.googleapis.com/token", rsa);
	assert_int_equal(gcp_key_read(slice_str(good), &k, NULL), 0);
	assert_string_equal(k.email, "a@b");
	assert_true(pkey_equal(k.key, rsa));
	gcp_key_done(&k);
	for (size_t n = 0; n < strlen(good); n++)
		assert_int_equal(gcp_key_read(slice_of(good, n), &k, NULL), -EBADMSG);
	free(good);
	text = key_json("authorized_user", "https://x/", rsa);
	assert_int_equal(gcp_key_read(slice_str(text), &k, &e), -EOPNOTSUPP);
	expect_text("type", &e, "authorized_user");
	free(text);
	text = key_json("service_account", "http://x.example/", rsa);
	assert_int_equal(gcp_key_read(slice_str(text), &k, &e), -EBADMSG);
	expect_text("url", &e, "token_uri");
	free(text);
	text = key_json("service_account", "https://x/", ec);
	assert_int_equal(gcp_key_read(slice_str(text), &k, &e), -EBADMSG);
	expect_text("key", &e, "RSA");
	free(text);
	assert_null(k.key);
}

/* --- Alibaba Cloud --- */

static void test_aliyun_key(void **state)
{
	static const struct {
		const char *json, *password;
		int want;
		const char *text;
	} rows[] = {
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"" P12_LEGACY "\"}", "swordfish", 0,
			""},
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"" P12_MODERN "\"}", "swordfish \n", 0,
			""},
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"" P12_LEGACY "\"}",
			"{\"ClientKeyPassword\":\"swordfish\"}", 0, ""},
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"" P12_LEGACY "\"}", "wrong",
			-EKEYREJECTED, "password"},
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"" P12_LEGACY "\"}", "{\"x\":1}",
			-EBADMSG, "ClientKeyPassword"},
		{"{\"KeyId\":\"a b\",\"PrivateKeyData\":\"" P12_LEGACY "\"}", "swordfish", -EBADMSG,
			"KeyId"},
		{"{\"PrivateKeyData\":\"" P12_LEGACY "\"}", "swordfish", -EBADMSG, "KeyId"},
		{"{\"KeyId\":\"KAAP.1\",\"PrivateKeyData\":\"AAAA\"}", "swordfish", -EBADMSG,
			"PKCS#12"},
		{"{\"KeyId\":\"KAAP.1\"}", "swordfish", -EBADMSG, "PrivateKeyData"},
		{"KeyId", "swordfish", -EBADMSG, "client_key"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct aliyun_key k = {0};
		struct err e = {0};
		int r = aliyun_key_read(slice_str(rows[i].json), rows[i].password, &k, &e);

		if (r != rows[i].want)
			fail_msg("%zu: %d (%s)", i, r, e.text);
		if (r == 0)
			assert_string_equal(k.id, "KAAP.1");
		else
			expect_text("key", &e, rows[i].text);
		aliyun_key_done(&k);
	}
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
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_token_kept),
		cmocka_unit_test(test_assertions),
		cmocka_unit_test(test_ini),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_assumed),
		cmocka_unit_test(test_gcp_key),
		cmocka_unit_test(test_aliyun_key),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_refused_before_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
