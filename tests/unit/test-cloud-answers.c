/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of cloud vendors' secret stores, written after their API references, and what we write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "cloud/internal.h"

static void expect_text(const char *what, const struct err *e, const char *text)
{
	if (!strstr(e->text, text))
		fail_msg("%s: \"%s\" does not say \"%s\"", what, e->text, text);
}

typedef int (*read_fn)(int status, struct slice body, const char *name, struct buf *value,
	int64_t *ret_version, struct err *reterr);

static int read_aws(int status, struct slice body, const char *name, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	return aws_read_value(status, body, name, value, reterr);
}

static int read_azure(int status, struct slice body, const char *name, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	return azure_read_value(status, body, name, value, reterr);
}

struct answer {
	int status;
	const char *body;
	int want;
	const char *value; /* or what the error says */
	int64_t version;
};

static void check_answers(read_fn read, const struct answer *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf value = buf_init_secret(0);
		int64_t version = 0;
		struct err e = {0};
		int r = read(rows[i].status, slice_str(rows[i].body), "tag", &value, &version, &e);

		if (r != rows[i].want || (r == 0 && version != rows[i].version))
			fail_msg("%s: %d (%s)", rows[i].body, r, e.text);
		if (r == 0)
			assert_string_equal(buf_str(&value), rows[i].value);
		else
			expect_text(rows[i].body, &e, rows[i].value);
	}
	/* Whatever is cut off, there is no value. */
	for (size_t i = 0; i < count; i++) {
		for (size_t n = 0; rows[i].want == 0 && n < strlen(rows[i].body); n++) {
			cleanup_with(buf_done) struct buf value = buf_init_secret(0);
			int64_t version;

			assert_int_equal(
				read(200, slice_of(rows[i].body, n), "tag", &value, &version, NULL),
				-EBADMSG);
		}
	}
}

#define AWS_ERROR(type) "{\"__type\":\"" type "\",\"message\":\"why\"}"

static const struct answer g_aws[] = {
	{200,
		"{\"ARN\":\"arn:aws:secretsmanager:us-west-2:123456789012:secret:tag-a1b2c3\","
		"\"CreatedDate\":1.523477145713E9,\"Name\":\"tag\",\"SecretString\":\"text \\u00e4\","
		"\"VersionId\":\"EXAMPLE1-90ab-cdef-fedc-ba987SECRET1\","
		"\"VersionStages\":[\"AWSCURRENT\"]}",
		0, "text \xc3\xa4", 0},
	{200, "{\"Name\":\"tag\",\"SecretBinary\":\"aGk=\"}", 0, "hi", 0},
	{200, "{\"SecretBinary\":\"aGk=\",\"SecretString\":\"no\"}", 0, "hi", 0},
	{200, "{\"SecretString\":\"\"}", 0, "", 0},
	{200, "{\"Name\":\"other\",\"SecretString\":\"x\"}", -EBADMSG, "other", 0},
	{200, "{\"Name\":\"tag\"}", -EBADMSG, "SecretString", 0},
	{200, "{\"SecretBinary\":\"a?\"}", -EBADMSG, "SecretBinary", 0},
	{200, "{\"SecretBinary\":7}", -EBADMSG, "SecretString", 0},
	{200, "{\"SecretString\":7}", -EBADMSG, "SecretString", 0},
	{200, "{\"SecretString\":\"a\",\"SecretString\":\"b\"}", -EBADMSG, "not JSON", 0},
	{200, "[]", -EBADMSG, "not an object", 0},
	{200, "<html>", -EBADMSG, "not JSON", 0},
	{204, "", -EAGAIN, "502", 0},
	{400, AWS_ERROR("ResourceNotFoundException"), -ENOENT, "ResourceNotFoundException: why", 0},
	{400, AWS_ERROR("com.amazonaws.secretsmanager#ResourceNotFoundException:http://x"), -ENOENT,
		"why", 0},
	{400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"big M\"}", -EACCES, "big M", 0},
	{400, AWS_ERROR("ExpiredTokenException"), -EACCES, "Expired", 0},
	{400, AWS_ERROR("ThrottlingException"), -EAGAIN, "Throttling", 0},
	{400, AWS_ERROR("ResourceExistsException"), -ESTALE, "Exists", 0},
	{400, AWS_ERROR("InvalidRequestException"), -EBADMSG, "why", 0},
	{400, "{\"__type\":7}", -EBADMSG, "400", 0},
	{403, "<html>", -EACCES, "403", 0},
	{404, "not here", -EBADMSG, "404", 0}, /* a proxy's, not the service's */
	{500, AWS_ERROR("InternalServiceError"), -EAGAIN, "why", 0},
	{503, "", -EAGAIN, "503", 0},
	{302, "", -EBADMSG, "redirect", 0},
};

#define GCP(name, payload) "{\"name\":\"projects/7/secrets/" name "\",\"payload\":" payload "}"

static const struct answer g_gcp[] = {
	{200, GCP("tag/versions/5", "{\"data\":\"MTIzNDU2Nzg5\",\"dataCrc32c\":\"3808858755\"}"), 0,
		"123456789", 5},
	{200, GCP("tag/versions/1", "{\"data\":\"aGk=\"}"), 0, "hi", 1},
	{200, GCP("tag/versions/5", "{\"data\":\"MTIzNDU2Nzg5\",\"dataCrc32c\":3808858755}"), 0,
		"123456789", 5},
	{200, GCP("tag/versions/5", "{\"data\":\"MTIzNDU2Nzg5\",\"dataCrc32c\":\"3808858754\"}"),
		-EBADMSG, "checksum", 0},
	{200, GCP("tag/versions/5", "{\"data\":\"aGk=\",\"dataCrc32c\":\"x\"}"), -EBADMSG,
		"checksum", 0},
	{200, GCP("tag/versions/5", "{\"data\":\"aGk=\",\"dataCrc32c\":\"\"}"), -EBADMSG,
		"checksum", 0},
	{200, GCP("tag/versions/5", "{\"data\":\"aGk=\",\"dataCrc32c\":-1}"), -EBADMSG, "checksum",
		0},
	{200, GCP("tag/versions/5", "{\"data\":\"?\"}"), -EBADMSG, "data", 0},
	{200, GCP("tag/versions/5", "{}"), -EBADMSG, "data", 0},
	{200, GCP("tag/versions/5", "[]"), -EBADMSG, "payload", 0},
	{200, GCP("tag/versions/latest", "{\"data\":\"aGk=\"}"), -EBADMSG, "number", 0},
	{200, GCP("tag/versions/0", "{\"data\":\"aGk=\"}"), -EBADMSG, "number", 0},
	{200, GCP("tag", "{\"data\":\"aGk=\"}"), -EBADMSG, "answers with", 0},
	{200, GCP("other/versions/5", "{\"data\":\"aGk=\"}"), -EBADMSG, "other", 0},
	{200, "{\"payload\":{\"data\":\"aGk=\"}}", -EBADMSG, "name", 0},
	{200, "", -EBADMSG, "not JSON", 0},
	{404, "{\"error\":{\"code\":404,\"message\":\"not found\",\"status\":\"NOT_FOUND\"}}",
		-ENOENT, "not found", 0},
	{403, "{\"error\":{\"message\":\"no permission\"}}", -EACCES, "no permission", 0},
	{400, "{\"error\":{\"message\":\"is in DESTROYED state\"}}", -EBADMSG, "DESTROYED", 0},
	{409, "{\"error\":{\"message\":\"exists\"}}", -ESTALE, "exists", 0},
	{429, "{\"error\":\"x\"}", -EAGAIN, "429", 0},
	{500, "", -EAGAIN, "500", 0},
};

#define AZURE(more) "{\"id\":\"https://v.vault.azure.net/secrets/tag/0123\"," more "}"

static const struct answer g_azure[] = {
	{200, AZURE("\"value\":\"text\",\"attributes\":{\"enabled\":true}"), 0, "text", 0},
	{200, "{\"id\":\"https://v.vault.azure.net/secrets/TAG/0\",\"value\":\"x\"}", 0, "x", 0},
	{200, AZURE("\"value\":\"aGk=\",\"tags\":{\"file-encoding\":\"base64\"}"), 0, "hi", 0},
	{200, AZURE("\"value\":\"6869\",\"tags\":{\"file-encoding\":\"hex\"}"), 0, "hi", 0},
	{200, AZURE("\"value\":\"aGk=\",\"tags\":{\"file-encoding\":\"utf-8\"}"), 0, "aGk=", 0},
	{200, AZURE("\"value\":\"\""), 0, "", 0},
	{200, AZURE("\"value\":\"?\",\"tags\":{\"file-encoding\":\"base64\"}"), -EBADMSG, "base64",
		0},
	{200, AZURE("\"value\":7"), -EBADMSG, "value", 0},
	{200, AZURE("\"x\":7"), -EBADMSG, "value", 0},
	{200, "{\"id\":\"https://v/secrets/tag2/0\",\"value\":\"x\"}", -EBADMSG, "tag2", 0},
	{200, "{\"id\":\"https://v/keys/tag/0\",\"value\":\"x\"}", -EBADMSG, "keys", 0},
	{200, "{\"value\":\"x\"}", -EBADMSG, "id", 0},
	{200, "{", -EBADMSG, "not JSON", 0},
	{404, "{\"error\":{\"code\":\"SecretNotFound\",\"message\":\"was not found\"}}", -ENOENT,
		"was not found", 0},
	{401, "{\"error\":{\"message\":\"AKV10000\"}}", -EACCES, "AKV10000", 0},
	{403, "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no policy\"}}", -EACCES,
		"no policy", 0},
	{409, "{\"error\":{\"message\":\"deleted but recoverable\"}}", -EBADMSG, "recoverable", 0},
	{429, "", -EAGAIN, "429", 0},
	{503, "<html>", -EAGAIN, "503", 0},
};

static void test_aws_answers(void **state)
{
	check_answers(read_aws, g_aws, ARRAY_COUNT(g_aws));
}

static void test_gcp_answers(void **state)
{
	check_answers(gcp_read_value, g_gcp, ARRAY_COUNT(g_gcp));
}

static void test_azure_answers(void **state)
{
	check_answers(read_azure, g_azure, ARRAY_COUNT(g_azure));
}

static void test_written(void **state)
{
	int64_t version = 0;

	assert_int_equal(aws_read_done(200, SLICE_LIT("{}"), NULL), 0);
	assert_int_equal(aws_read_done(200, SLICE_EMPTY, NULL), -EBADMSG);
	assert_int_equal(azure_read_done(200, SLICE_LIT("{}"), NULL), 0);
	assert_int_equal(azure_read_done(403, SLICE_EMPTY, NULL), -EACCES);
	assert_int_equal(gcp_read_added(200, SLICE_LIT("{}"), NULL, NULL, NULL), 0);
	assert_int_equal(gcp_read_added(200, SLICE_LIT("{}"), "tag", &version, NULL), -EBADMSG);
	assert_int_equal(
		gcp_read_added(200, SLICE_LIT("{\"name\":\"projects/7/secrets/tag/versions/9\"}"),
			"tag", &version, NULL),
		0);
	assert_int_equal(version, 9);
}

static void test_azure_writes(void **state)
{
	cleanup_with(buf_done) struct buf text = {0}, bytes = {0};

	assert_int_equal(azure_write_value(SLICE_LIT("a\"b\xc3\xa4"), &text), 0);
	assert_string_equal(buf_str(&text),
		"{\"value\":\"a\\\"b\xc3\xa4\",\"tags\":{\"file-encoding\":\"utf-8\"}}");
	assert_int_equal(azure_write_value(SLICE_LIT("\x00\xff"), &bytes), 0);
	assert_string_equal(
		buf_str(&bytes), "{\"value\":\"AP8=\",\"tags\":{\"file-encoding\":\"base64\"}}");
	assert_string_equal(
		azure_audience("https://x.vault.azure.net/"), "https://vault.azure.net");
	assert_string_equal(azure_audience("https://x.vault.azure.cn"), "https://vault.azure.cn");
	assert_string_equal(
		azure_audience("https://x.vault.azure.cn.evil.example"), "https://vault.azure.net");
}

/* --- Alibaba Cloud --- */

/* SecretName "tag", SecretType, SecretData "text", a repeated field, a number, a fixed64. */
#define ALIYUN_GOOD                   \
	"\x0a\x03tag\x12\x07"         \
	"Generic\x1a\x04text\x2a\x0a" \
	"ACSCurrent\x2a\x01x\x70\x96\x01\x79\x00\x00\x00\x00\x00\x00\x00\x00\x7d\x00\x00\x00\x00"

static int read_aliyun(int status, struct slice body, struct buf *value, struct err *reterr)
{
	return aliyun_read_value(status, body, "tag", value, reterr);
}

static void test_aliyun_answers(void **state)
{
	static const struct {
		int status;
		struct slice body;
		int want;
		const char *value;
	} rows[] = {
		{200, SLICE_LIT(ALIYUN_GOOD), 0, "text"},
		{200, SLICE_LIT("\x1a\x01x\x1a\x01y"), 0, "y"}, /* the last one counts */
		{200, SLICE_LIT("\x0a\x03tag"), -EBADMSG, "no SecretData"},
		{200, SLICE_LIT("\x0a\x03tag\x1a\x00"), -EBADMSG, "no SecretData"},
		{200, SLICE_LIT(""), -EBADMSG, "no SecretData"},
		{200, SLICE_LIT("\x0a\x03tax\x1a\x01x"), -EBADMSG, "tax"},
		{200, SLICE_LIT("\x18\x01"), -EBADMSG, "malformed"},	     /* a number for text */
		{200, SLICE_LIT("\x1a\x02\xc3\x28"), -EBADMSG, "malformed"}, /* not UTF-8 */
		{200, SLICE_LIT("\x1a\x7fx"), -EBADMSG, "malformed"},	     /* longer than it is */
		{200, SLICE_LIT("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), -EBADMSG,
			"malformed"},
		{200, SLICE_LIT("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02x"), -EBADMSG,
			"malformed"}, /* more than 64 bits */
		{200, SLICE_LIT("\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01x"), -EBADMSG,
			"malformed"},
		{200, SLICE_LIT("\x1b\x1c"), -EBADMSG, "malformed"}, /* a group */
		{200, SLICE_LIT("\x02\x00"), -EBADMSG, "malformed"}, /* field 0 */
		{200, SLICE_LIT("<html>"), -EBADMSG, "malformed"},
		{404,
			SLICE_LIT("\x08\x94\x03\x12\x1a"
				  "Forbidden.ResourceNotFound\x1a\x03why"),
			-ENOENT, "why"},
		{400, SLICE_LIT("\x12\x13Throttling.User.xxx"), -EAGAIN, "busy"},
		{403,
			SLICE_LIT("\x12\x09"
				  "Forbidden\x1a\x03why"),
			-EACCES, "Forbidden: why"},
		{403, SLICE_LIT("<html>"), -EACCES, "403"},
		{400, SLICE_LIT("\x12\x10InvalidParameter"), -EBADMSG, "InvalidParameter"},
		{503, SLICE_LIT(""), -EAGAIN, "503"},
		{204, SLICE_LIT(""), -EAGAIN, "502"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf value = buf_init_secret(0);
		struct err e = {0};
		int r = read_aliyun(rows[i].status, rows[i].body, &value, &e);

		if (r != rows[i].want)
			fail_msg("%zu: %d (%s)", i, r, e.text);
		if (r == 0)
			assert_string_equal(buf_str(&value), rows[i].value);
		else
			expect_text("aliyun", &e, rows[i].value);
	}
	/* Cut anywhere, it is refused or whole. */
	for (size_t n = 0; n < sizeof(ALIYUN_GOOD) - 1; n++) {
		cleanup_with(buf_done) struct buf value = buf_init_secret(0);

		if (read_aliyun(200, slice_of(ALIYUN_GOOD, n), &value, NULL) == 0)
			assert_string_equal(buf_str(&value), "text");
		else
			assert_int_equal(value.size, 0);
	}
}

static void test_aliyun_requests(void **state)
{
	cleanup_with(buf_done) struct buf request = {0}, text = {0}, large = {0};
	char name[301] = "", date[ALIYUN_DATE_SIZE];

	aliyun_write_get("tag", &request);
	assert_true(slice_eq(buf_slice(&request), SLICE_LIT("\x0a\x03tag\x20\x01")));
	memset(name, 'n', 300);
	aliyun_write_get(name, &large);
	assert_true(slice_starts(buf_slice(&large), SLICE_LIT("\x0a\xac\x02nnn")));
	assert_int_equal(large.size, 305);
	assert_string_equal(aliyun_date(0, date), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(aliyun_date(1440938160, date), "Sun, 30 Aug 2015 12:36:00 GMT");
	assert_string_equal(aliyun_date(253402300800, date), "");
	aliyun_string_to_sign("KAAP.1", "GetSecretValue", "DATE", "HASH", &text);
	assert_string_equal(buf_str(&text),
		"POST\nHASH\napplication/x-protobuf\nDATE\nx-kms-acccesskeyid:KAAP.1\n"
		"x-kms-apiname:GetSecretValue\nx-kms-apiversion:dkms-gcs-0.2\n"
		"x-kms-signaturemethod:RSA_PKCS1_SHA_256\n/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws_answers),
		cmocka_unit_test(test_gcp_answers),
		cmocka_unit_test(test_azure_answers),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_azure_writes),
		cmocka_unit_test(test_aliyun_answers),
		cmocka_unit_test(test_aliyun_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
