/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of AWS, against what AWS publishes: the Signature Version 4 test suite (cases named in
 * the table) and the worked examples of the IAM user guide (ListUsers) and of the S3 API reference
 * (GET object, PUT object, list objects). And PKCS#12 files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/pkcs12.h"
#include "crypto/sigv4.h"
#include "pkcs12-files.h"

#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define S3_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SUITE_TIME 1440938160 /* 2015-08-30T12:36:00Z */
#define S3_TIME 1369353600    /* 2013-05-24T00:00:00Z */
#define HEADERS_MAX 8

struct row {
	const char *name, *method, *path, *query;
	const char *headers; /* "name:value\n", in any order */
	const char *body, *service, *want;
};

static const struct row g_rows[] = {
	{"get-vanilla", "GET", "/", "", "", "", "service",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-query-order-key-case", "GET", "/", "Param1=value1&Param2=value2", "", "",
		"service", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"post-vanilla", "POST", "/", "", "", "", "service",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-x-www-form-urlencoded", "POST", "/", "",
		"content-type:application/x-www-form-urlencoded\n", "Param1=value1", "service",
		"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{"get-vanilla-with-session-token", "GET", "/", "",
		"x-amz-security-token:"
		"6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267\n",
		"", "service", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"ListUsers", "GET", "/", "Action=ListUsers&Version=2010-05-08",
		"content-type:application/x-www-form-urlencoded; charset=utf-8\n", "", "iam",
		"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	{"GET object", "GET", "/test.txt", "", "range:bytes=0-9\nx-amz-content-sha256:HASH\n", "",
		"s3", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"PUT object", "PUT", "/test%24file.text", "",
		"x-amz-storage-class:REDUCED_REDUNDANCY\ndate:Fri, 24 May 2013 00:00:00 GMT\n"
		"x-amz-content-sha256:HASH\n",
		"Welcome to Amazon S3.", "s3",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
	{"list objects", "GET", "/", "max-keys=2&prefix=J", "x-amz-content-sha256:HASH\n", "", "s3",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

struct request {
	struct sigv4 s;
	struct sigv4_header headers[HEADERS_MAX];
	char stamp[SIGV4_STAMP_SIZE], hash[SIGV4_HASH_SIZE];
};

static void make(const struct row *row, struct request *q)
{
	bool s3 = streq(row->service, "s3");
	const char *host = s3				? "examplebucket.s3.amazonaws.com"
			   : streq(row->service, "iam") ? "iam.amazonaws.com"
							: "example.amazonaws.com";
	size_t n = 0;

	assert_int_equal(sigv4_hash(slice_str(row->body), q->hash), 0);
	sigv4_stamp(s3 ? S3_TIME : SUITE_TIME, q->stamp);
	q->headers[n++] = (struct sigv4_header){SLICE_LIT("x-amz-date"), slice_str(q->stamp)};
	q->headers[n++] = (struct sigv4_header){SLICE_LIT("host"), slice_str(host)};
	for (const char *at = row->headers; *at; at = strchr(at, '\n') + 1) {
		const char *colon = strchr(at, ':');
		struct slice value = slice_of(colon + 1, (size_t)(strchr(at, '\n') - colon - 1));

		q->headers[n++] = (struct sigv4_header){slice_of(at, (size_t)(colon - at)),
			slice_eq_str(value, "HASH") ? slice_str(q->hash) : value};
	}
	sigv4_sort(q->headers, n);
	q->s = (struct sigv4){.access = slice_str(s3 ? "AKIAIOSFODNN7EXAMPLE" : "AKIDEXAMPLE"),
		.secret = slice_str(s3 ? S3_SECRET : SUITE_SECRET),
		.region = SLICE_LIT("us-east-1"),
		.service = slice_str(row->service),
		.stamp = q->stamp,
		.method = slice_str(row->method),
		.path = slice_str(row->path),
		.query = slice_str(row->query),
		.headers = q->headers,
		.header_count = n,
		.payload_hash = slice_str(q->hash)};
}

static void test_published(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
		cleanup_with(buf_done) struct buf out = {0};
		struct request q;

		make(&g_rows[i], &q);
		assert_int_equal(sigv4_authorization(&q.s, &out), 0);
		if (!str_ends(buf_str(&out), g_rows[i].want))
			fail_msg("%s: %s", g_rows[i].name, buf_str(&out));
	}
}

static void test_form(void **state)
{
	cleanup_with(buf_done) struct buf out = {0};
	struct request q;
	char stamp[SIGV4_STAMP_SIZE];

	make(&g_rows[6], &q);
	assert_int_equal(sigv4_authorization(&q.s, &out), 0);
	assert_string_equal(buf_str(&out),
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
		"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	q.s.stamp = "";
	assert_int_equal(sigv4_authorization(&q.s, &out), -EINVAL);
	assert_string_equal(sigv4_stamp(-1, stamp), "19691231T235959Z");
	assert_string_equal(sigv4_stamp(253402300800, stamp), ""); /* the year 10000 */
}

/* Whatever is changed changes the signature. */
static void test_everything_is_signed(void **state)
{
	for (size_t i = 0; i < 9; i++) {
		cleanup_with(buf_done) struct buf out = {0};
		struct request q;

		make(&g_rows[3], &q);
		struct slice *const parts[] = {&q.s.secret, &q.s.region, &q.s.service, &q.s.method,
			&q.s.path, &q.s.query, &q.headers[1].value, &q.headers[1].name,
			&q.s.payload_hash};
		*parts[i] = SLICE_LIT("x");
		assert_int_equal(sigv4_authorization(&q.s, &out), 0);
		assert_false(str_ends(buf_str(&out), g_rows[3].want));
	}
}

static int key_of(const char *base64, size_t cut, const char *password, struct err *reterr)
{
	cleanup_with(buf_done) struct buf der = buf_init_secret(0), spki = {0}, want = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	int r;

	assert_int_equal(b64_decode(&der, slice_str(base64), B64_STD), 0);
	assert_int_equal(b64_decode(&want, SLICE_LIT(P12_SPKI), B64_STD), 0);
	r = pkcs12_key(slice_cut(buf_slice(&der), 0, cut), password, &key, reterr);
	if (r == 0) {
		assert_true(pkey_is_private(key));
		assert_int_equal(pkey_to_spki(key, &spki), 0);
		assert_true(slice_eq(buf_slice(&spki), buf_slice(&want)));
	} else
		assert_null(key);
	return r;
}

static void test_pkcs12(void **state)
{
	struct err e = {0};

	assert_int_equal(key_of(P12_LEGACY, SIZE_MAX, "swordfish", &e), 0);
	assert_int_equal(key_of(P12_MODERN, SIZE_MAX, "swordfish", &e), 0);
	assert_int_equal(key_of(P12_LEGACY, SIZE_MAX, "swordfisH", &e), -EKEYREJECTED);
	assert_int_equal(key_of(P12_MODERN, SIZE_MAX, "", &e), -EKEYREJECTED);
	assert_int_equal(key_of(P12_NOKEY, SIZE_MAX, "swordfish", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "no private key"));
	assert_int_equal(key_of(P12_NOMAC, SIZE_MAX, "swordfish", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "MAC"));
}

static void test_pkcs12_malformed(void **state)
{
	cleanup_with(buf_done) struct buf der = buf_init_secret(0), big = buf_init(0);
	struct pkey *key = NULL;
	struct err e = {0};

	assert_int_equal(b64_decode(&der, SLICE_LIT(P12_LEGACY), B64_STD), 0);
	for (size_t i = 0; i < der.size; i++)
		assert_int_equal(
			pkcs12_key(slice_cut(buf_slice(&der), 0, i), "swordfish", &key, &e),
			-EBADMSG);
	/* A changed byte: never the key of another file. The MAC covers the safes. */
	for (size_t i = 30; i + 100 < der.size; i += 37) {
		der.data[i] ^= 0x40;
		assert_true(pkcs12_key(buf_slice(&der), "swordfish", &key, &e) < 0);
		der.data[i] ^= 0x40;
	}
	buf_put_u8(&der, 0);
	assert_int_equal(pkcs12_key(buf_slice(&der), "swordfish", &key, &e), -EBADMSG);
	buf_put_zero(&big, PKCS12_SIZE_MAX + 1);
	assert_int_equal(pkcs12_key(buf_slice(&big), "swordfish", &key, &e), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_everything_is_signed),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_pkcs12_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
