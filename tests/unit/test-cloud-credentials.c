/* SPDX-License-Identifier: Apache-2.0 */
/* Cloud vendors' credentials: tokens and what is signed for them, files, keys. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_token_kept),
		cmocka_unit_test(test_assertions),
		cmocka_unit_test(test_ini),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_assumed),
		cmocka_unit_test(test_gcp_key),
		cmocka_unit_test(test_aliyun_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
