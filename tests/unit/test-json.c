/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of plain JSON beside jansson, which decides what is JSON: what the one accepts, the
 * other accepts, with the same value; and what only jansson understands is refused or read as ever.
 */
#include "vectors.h"

#include "fmt/json_plain.h"

static json_t *judge(struct slice in)
{
	return json_loadb(
		(const char *)in.data, in.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

/* The text keeps the order of members, which json_equal() does not look at. */
static void assert_same(const json_t *a, const json_t *b)
{
	char *x = json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT),
	     *y = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT);

	assert_non_null(x);
	assert_non_null(y);
	assert_string_equal(x, y);
	assert_true(json_equal(a, b));
	free(x);
	free(y);
}

/* Whether @in was plain. A copy of the exact size lets ASan see a read past the end. */
static bool check(struct slice in)
{
	uint8_t *copy = malloc(in.size ? in.size : 1);
	assert_non_null(copy);
	memcpy(copy, in.size ? in.data : copy, in.size);
	in = slice_of(copy, in.size);

	cleanup(json_decref) json_t *plain = json_plain(in), *want = judge(in), *got = NULL;
	if (plain) {
		assert_non_null(want);
		assert_same(plain, want);
	}
	assert_int_equal(json_parse(in, 0, &got, NULL), want ? 0 : -EBADMSG);
	if (want)
		assert_same(got, want);
	free(copy);
	return plain;
}

static void test_plain(void **state)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"7",
		"255",
		"256",
		"-1",
		"999999999999999999",
		"-999999999999999999",
		"true",
		"false",
		" \t\r\n null \n",
		"\"\"",
		"\"a b\x7F\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \\n\"",
		"[]",
		"[ ]",
		"{}",
		"{ }",
		"[1,2 , 3\n,\t4]",
		"[[],{},[[0]],\"x\",null]",
		"{\"\":0}",
		"{\"b\":1, \"a\" : [true,false] ,\"\xC3\xA9\":{\"b\":\"\"}}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		if (!check(slice_str(texts[i])))
			fail_msg("not plain: %s", texts[i]);
	}
}

/* JSON, but jansson's to read. */
static void test_left_to_jansson(void **state)
{
	static const char *const texts[] = {
		"1000000000000000000",
		"9223372036854775807",
		"-9223372036854775808",
		"1.5",
		"[1.0]",
		"1e3",
		"[0E1]",
		"\"\\u0041\"",
		"[\"\\ud83d\\ude00\"]",
		"{\"\\n\":1}",
		"{\"a\\\"\":1}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		cleanup(json_decref) json_t *j = NULL;
		if (check(slice_str(texts[i])))
			fail_msg("plain after all: %s", texts[i]);
		assert_int_equal(json_parse(slice_str(texts[i]), 0, &j, NULL), 0);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *message;
	} cases[] = {
		{" ", 1, "unexpected token near end of file"},
		{"[1,2", 4, "']' expected"},
		{"[1,]", 4, "unexpected token"},
		{"[,1]", 2, "unexpected token"},
		{"[1 2]", 4, "']' expected"},
		{"[1}", 3, "']' expected"},
		{"{\"a\":1]", 7, "'}' expected"},
		{"{\"a\" 1}", 6, "':' expected"},
		{"{\"a\":}", 6, "unexpected token"},
		{"{\"a\":1,}", 8, "string or '}' expected"},
		{"{a:1}", 2, "string or '}' expected"},
		{"{1:1}", 2, "string or '}' expected"},
		{"{\"a\":1,\"b\":2,\"a\":3}", 16, "duplicate object key"},
		{"1 2", 3, "end of file expected"},
		{"[] ]", 4, "end of file expected"},
		{"truex", 5, "invalid token"},
		{"[nul]", 4, "invalid token"},
		{"True", 4, "invalid token"},
		{"01", 1, "invalid token"},
		{"-01", 2, "invalid token"},
		{"-", 1, "invalid token"},
		{"+1", 1, "invalid token"},
		{"[1.]", 3, "invalid token"},
		{".5", 1, "invalid token"},
		{"1e", 2, "invalid token"},
		{"0x10", 2, "end of file expected"},
		{"9223372036854775808", 19, "too big integer"},
		{"-9223372036854775809", 20, "too big negative integer"},
		{"\"a", 2, "premature end of input"},
		{"\"a\\", 3, "invalid escape"},
		{"\"a\\\"", 4, "premature end of input"},
		{"\"\\x\"", 3, "invalid escape"},
		{"\"\\u12\"", 6, "invalid escape"},
		{"\"\\u0000\"", 8, "\\u0000 is not allowed"},
		{"\"\\ud800\"", 8, "invalid Unicode '\\uD800'"},
		{"{\"\\u0000\":1}", 9, "NUL byte in object key"},
		{"\"\n\"", 1, "unexpected newline"},
		{"\"\x1F\"", 1, "control character 0x1f"},
		{"\"\\\x1F\"", 3, "invalid escape"},
		{"\"\xFF\"", 1, "unable to decode byte 0xff"},
		{"\"\xC0\x80\"", 1, "unable to decode byte 0xc0"},
		{"\"\xED\xA0\x80\"", 1, "unable to decode byte 0xed"},
		{"\"\xE2\x82\"", 1, "unable to decode byte 0xe2"},
		{"\"\\\xC3\xA9\"", 3, "invalid escape"},
		{"{\"\xFF\":1}", 2, "unable to decode byte 0xff"},
		{"\xEF\xBB\xBF[]", 3, "invalid token"},
		{"'a'", 1, "invalid token"},
		{"[1]/**/", 4, "end of file expected"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct err e = {0};
		json_t *j = NULL;
		struct slice in = slice_str(cases[i].text);
		assert_false(check(in));
		assert_int_equal(json_parse(in, 0, &j, &e), -EBADMSG);
		if (!strstr(e.text, cases[i].message) || e.offset != cases[i].offset)
			fail_msg("%s: at %zu: %s", cases[i].text, e.offset, e.text);
	}
	/* A NUL is no end of the text. */
	assert_false(check(SLICE_LIT("1\0")));
	assert_false(check(SLICE_LIT("[1\0]")));
	assert_false(check(SLICE_LIT("[\"a\0b\"]")));
	assert_false(check(SLICE_LIT("[]\0[]")));
	assert_false(check(SLICE_EMPTY));
}

static void test_depth(void **state)
{
	uint8_t text[2 * (JSON_DEPTH_MAX + 1)];
	struct err e = {0};

	for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		cleanup(json_decref) json_t *j = NULL, *plain = NULL;
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		plain = json_plain(slice_of(text, 2 * depth));
		int r = json_parse(slice_of(text, 2 * depth), 0, &j, &e);
		assert_int_equal(r, depth <= JSON_DEPTH_MAX ? 0 : -E2BIG);
		assert_int_equal(plain != NULL, depth <= JSON_DEPTH_MAX);
	}
	assert_int_equal(e.offset, JSON_DEPTH_MAX);
	/* Breadth is no depth, and too much depth is told before a mistake ahead of it. */
	assert_true(check(SLICE_LIT("[[],[],{\"a\":[[],[]]},[]]")));
	text[0] = 'x';
	memset(text + 1, '[', sizeof(text) - 1);
	json_t *j = NULL;
	assert_int_equal(json_parse(slice_of(text, sizeof(text)), 0, &j, &e), -E2BIG);
}

/* Every byte of a text with all that is plain, and some that is not, changed to every other. */
static void test_mutants(void **state)
{
	static const char *const texts[] = {
		"{\"b\":[0,255, -1],\"a\":{\"x\":null,\"y\":[true,false]},\"s\":\"q\\n\xC3\xA9\"}",
		"[1.5,\"\\u00e9\",{\"k\\t\":12}]",
	};
	size_t plain = 0;

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		uint8_t text[128];
		size_t size = strlen(texts[i]);
		assert_true(size <= sizeof(text));
		memcpy(text, texts[i], size);
		for (size_t at = 0; at < size; at++) {
			for (unsigned v = 0; v < 256; v++) {
				text[at] = (uint8_t)v;
				plain += check(slice_of(text, size));
			}
			text[at] = (uint8_t)texts[i][at];
		}
	}
	assert_true(plain > 500);
}

static void test_golden(void **state)
{
	static const struct {
		const char *kind, *name, *file;
	} golden[] = {
		{"snp", "genoa-v3-trustee-evidence-json", "evidence.json"},
		{"snp", "genoa-v3-trustee-evidence-json", "expected.json"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(golden); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		vectors_read(golden[i].kind, golden[i].name, golden[i].file, &text);
		assert_true(check(buf_slice(&text)));
		for (size_t size = 0; size < text.size; size++)
			check(slice_of(text.data, size));
	}
}

/* One object for each byte, which outlives all who let go of it. */
static void test_shared_integers(void **state)
{
	json_t *first = json_plain(SLICE_LIT("[0,255,256]")),
	       *second = json_plain(SLICE_LIT("[255,0,256]"));
	assert_non_null(first);
	assert_non_null(second);
	json_t *shared = json_array_get(first, 1);
	assert_ptr_equal(shared, json_array_get(second, 0));
	assert_ptr_equal(json_array_get(first, 0), json_array_get(second, 1));
	assert_ptr_not_equal(json_array_get(first, 2), json_array_get(second, 2));
	json_decref(first);
	json_decref(second);
	for (size_t i = 0; i < 3; i++)
		json_decref(shared);
	assert_int_equal(json_integer_value(shared), 255);
	cleanup(json_decref) json_t *copy = json_deep_copy(shared);
	assert_ptr_not_equal(copy, shared);
}

static size_t g_left; /* allocations that succeed */

static void *scarce(size_t size)
{
	if (g_left == 0)
		return NULL;
	g_left--;
	return malloc(size);
}

static void test_no_memory(void **state)
{
	const struct slice text = SLICE_LIT("{\"a\":[300,77,\"x\\n\"],\"b\":{}}");
	json_t *j = NULL;
	size_t n = 0;

	json_set_alloc_funcs(scarce, free);
	for (; !j && n < 100; n++) {
		g_left = n;
		j = json_plain(text);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(n > 5);
	cleanup(json_decref) json_t *want = judge(text);
	assert_same(j, want);
	json_decref(j);
}

static void test_get_bytes(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{"{\"b\":[0,1,255]}", 0},
		{"{\"b\":[]}", 0},
		{"{\"b\":[0,1,256]}", -EBADMSG},
		{"{\"b\":[0,-1]}", -EBADMSG},
		{"{\"b\":[1.0]}", -EBADMSG},
		{"{\"b\":[\"1\"]}", -EBADMSG},
		{"{\"b\":[null]}", -EBADMSG},
		{"{\"b\":\"abc\"}", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"b\":[0,1,2,3,4]}", -E2BIG},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(json_decref) json_t *j = NULL;
		cleanup_with(buf_done) struct buf out = buf_init(5);
		buf_put_u8(&out, 9);
		assert_int_equal(json_parse(slice_str(cases[i].text), 0, &j, NULL), 0);
		assert_int_equal(json_get_bytes(j, "b", 4, &out, NULL), cases[i].want);
		if (i == 0)
			assert_true(slice_eq(buf_slice(&out), SLICE_LIT("\x09\x00\x01\xFF")));
		else
			assert_int_equal(out.size, 1);
	}
	/* The buffer's own limit counts, too. */
	cleanup(json_decref) json_t *j = json_plain(SLICE_LIT("{\"b\":[1,2]}"));
	cleanup_with(buf_done) struct buf small = buf_init(1);
	assert_int_equal(json_get_bytes(j, "b", 4, &small, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory), /* before integers are remembered */
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_left_to_jansson),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_mutants),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_shared_integers),
		cmocka_unit_test(test_get_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
