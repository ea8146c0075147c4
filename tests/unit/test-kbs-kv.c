/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of Vault's key-value engine, and paths in it. Requests: tests/integration/kbs-vault.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/kbs/kv.h"

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		bool want;
	} rows[] = {
		{"secret", true},
		{"a/b/c", true},
		{"A-b_9/.x/x..y", true},
		{"", false},
		{"/a", false},
		{"a/", false},
		{"a//b", false},
		{"a/../b", false}, /* leaves the mount */
		{".", false},
		{"a b", false},
		{"a?b", false}, /* a query */
		{"a#b", false},
		{"a%2e", false},
		{"a\\b", false},
		{"a\nb", false},
		{"\xc3\xa4", false},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (kv_path_valid(rows[i].path) != rows[i].want)
			fail_msg("\"%s\": not %d", rows[i].path, rows[i].want);
	}
}

#define V2(data) "{\"data\":{\"data\":" data ",\"metadata\":{\"version\":7}}}"

static void test_answers(void **state)
{
	static const struct {
		unsigned engine;
		int status;
		const char *body;
		int want;
		const char *value; /* or what the error says */
		int64_t version;
	} rows[] = {
		{1, 200, "{\"data\":{\"data\":\"text\"},\"lease_duration\":1}", 0, "text", 0},
		{1, 200, "{\"data\":{\"data\":[104,105]}}", 0, "hi", 0},
		{1, 200, "{\"data\":{\"data\":[]}}", 0, "", 0},
		{1, 200, "{\"data\":{\"data\":{\"a\":1}}}", 0, "{\"a\":1}", 0},
		{2, 200, V2("{\"data\":\"text\"}"), 0, "text", 7},
		{2, 200, V2("{\"data\":[0,255]}"), 0, NULL, 7},
		/* The other version of the engine: never half an answer. */
		{2, 200, "{\"data\":{\"data\":\"text\"}}", -EBADMSG, "data", 0},
		{1, 200, "{\"data\":{\"key\":\"text\"}}", -EBADMSG, "no member \"data\"", 0},
		{2, 200, V2("null"), -EBADMSG, "data", 0},
		{2, 200, "{\"data\":{\"data\":{\"data\":\"x\"},\"metadata\":{\"version\":0}}}",
			-EBADMSG, "version", 0},
		{1, 200, "{\"data\":{\"data\":[256]}}", -EBADMSG, "", 0},
		{1, 200, "{\"data\":{\"data\":[-1]}}", -EBADMSG, "", 0},
		{1, 200, "{\"data\":{\"data\":[1,\"2\"]}}", -EBADMSG, "", 0},
		{1, 200, "{\"data\":[]}", -EBADMSG, "data", 0},
		{1, 200, "{}", -EBADMSG, "data", 0},
		{1, 200, "<html>", -EBADMSG, "not JSON", 0},
		{1, 200, "", -EBADMSG, "not JSON", 0},
		{1, 201, "{\"data\":{\"data\":\"x\"}}", -EBADMSG, "201", 0},
		{1, 204, "{\"data\":{\"data\":\"x\"}}", -EBADMSG, "204", 0},
		{2, 204, "", -EBADMSG, "204", 0},
		{1, 404, "{\"errors\":[]}", -ENOENT, "no such secret", 0},
		{2, 404, V2("null"), -ENOENT, "no such secret", 0},
		{1, 403, "{\"errors\":[\"permission denied\"]}", -EACCES, "permission denied", 0},
		{1, 403, "<html>", -EACCES, "no reason given", 0},
		{1, 403, "{\"errors\":\"x\"}", -EACCES, "no reason given", 0},
		{1, 503, "{\"errors\":[\"Vault is sealed\"]}", -EAGAIN, "sealed", 0},
		{1, 429, "", -EAGAIN, "429", 0},
		{1, 400, "{\"errors\":[\"check-and-set parameter did not match\"]}", -ESTALE,
			"check-and-set", 0},
		{1, 400, "{\"errors\":[\"other\"]}", -EBADMSG, "other", 0},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf value = buf_init_secret(0);
		struct err e = {0};
		int64_t version = -1;
		int r = kv_read(rows[i].status, slice_str(rows[i].body), rows[i].engine, &value,
			&version, &e);

		if (r != rows[i].want)
			fail_msg("row %zu: %d %s", i, r, e.text);
		if (r < 0 && !strstr(err_text(&e, r), rows[i].value))
			fail_msg("row %zu: \"%s\" lacks %s", i, e.text, rows[i].value);
		if (r == 0 && rows[i].value && !streq(buf_str(&value), rows[i].value))
			fail_msg("row %zu: %s", i, buf_str(&value));
		if (r == 0)
			assert_int_equal(version, rows[i].version);
	}
}

static void test_truncations(void **state)
{
	static const char text[] = V2("{\"data\":[1,2,3]}");

	for (size_t n = 0; n < strlen(text); n++) {
		cleanup_with(buf_done) struct buf value = buf_init_secret(0);
		int64_t version;

		assert_int_equal(
			kv_read(200, slice_of((const uint8_t *)text, n), 2, &value, &version, NULL),
			-EBADMSG);
		assert_int_equal(value.size, 0);
	}
}

static void test_written(void **state)
{
	int64_t version = -1;

	assert_int_equal(kv_read_written(204, SLICE_EMPTY, 1, &version, NULL), 0);
	assert_int_equal(version, 0);
	assert_int_equal(
		kv_read_written(200, slice_str("{\"data\":{\"version\":3}}"), 2, &version, NULL),
		0);
	assert_int_equal(version, 3);
	assert_int_equal(
		kv_read_written(200, slice_str("{\"data\":{}}"), 2, &version, NULL), -EBADMSG);
	assert_int_equal(kv_read_written(403, SLICE_EMPTY, 2, &version, NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
