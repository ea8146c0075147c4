/* SPDX-License-Identifier: Apache-2.0 */
/* Text formats: strict JSON, canonical JSON (RFC 8785) and TOML 1.0. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "fmt/toml.h"

static void test_json(void **state)
{
	static const char *const bad[] = {"", "{", "{\"a\":1,\"a\":2}", "[1,]",
		"{\"a\":\"\\u0000\"}", "1 2", "nul", "\"\xFF\"", "{\"a\":01}"};
	json_t *j = NULL;
	struct err e = {0};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(json_parse(slice_str(bad[i]), 0, &j, &e), -EBADMSG);
	char deep[200];
	memset(deep, '[', sizeof(deep));
	assert_int_equal(json_parse(slice_of(deep, sizeof(deep)), 0, &j, &e), -E2BIG);
	assert_int_equal(json_parse(SLICE_LIT("[1]"), 2, &j, &e), -E2BIG);

	cleanup(json_decref) json_t *o = NULL;
	assert_int_equal(
		json_parse(SLICE_LIT("{\"s\":\"x\",\"n\":7,\"b\":true,\"z\":null,\"h\":\"0aff\"}"),
			0, &o, &e),
		0);
	const char *s;
	int64_t n;
	bool b;
	assert_int_equal(json_get_str(o, "s", &s, &e), 0);
	assert_int_equal(json_get_str(o, "n", &s, &e), -EBADMSG);
	assert_string_equal(e.field, "n");
	assert_int_equal(json_get_str(o, "missing", &s, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "missing"));
	assert_int_equal(json_get_int(o, "n", 0, 7, &n, &e), 0);
	assert_int_equal(json_get_int(o, "n", 0, 6, &n, &e), -EBADMSG);
	assert_int_equal(json_get_bool(o, "b", &b, &e), 0);
	assert_int_equal(json_opt_str(o, "z", &s, &e), 0);
	assert_null(s);
	assert_int_equal(json_opt_str(o, "n", &s, &e), -EBADMSG);
	cleanup_with(buf_done) struct buf bytes = buf_init(0);
	assert_int_equal(json_get_hex(o, "h", &bytes, &e), 0);
	assert_int_equal(bytes.size, 2);
	assert_int_equal(json_get_hex(o, "s", &bytes, &e), -EBADMSG);
}

static void check_jcs(const char *in, const char *want)
{
	cleanup(json_decref) json_t *j = NULL;
	cleanup_with(buf_done) struct buf out = buf_init(0);
	assert_int_equal(json_parse(slice_str(in), 0, &j, NULL), 0);
	assert_int_equal(jcs_write(j, &out), 0);
	assert_string_equal(buf_str(&out), want);
}

static void test_jcs(void **state)
{
	/* RFC 8785 section 3.2.2 and 3.2.3 */
	check_jcs("{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
		  "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
		  "\"literals\":[null,true,false]}",
		"{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-"
		"27],"
		"\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
	check_jcs(
		"{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,"
		"\"\\u00f6\":7}",
		"{\"\\r\":2,\"1\":4,\"\xC2\x80\":6,\"\xC3\xB6\":7,\"\xE2\x82\xAC\":1,"
		"\"\xF0\x9F\x98\x80\":5,\"\xEF\xAC\xB3\":3}");
	check_jcs("[-0.0,9007199254740993,1e21,1e20,1.2345678901234568e20,5e-324,1.5]",
		"[0,9007199254740992,1e+21,100000000000000000000,123456789012345680000,5e-324,1."
		"5]");

	/* The known answer of the KBS protocol's binding hash. */
	cleanup(json_decref) json_t *j = NULL;
	cleanup_with(buf_done) struct buf out = buf_init(0);
	struct digest d;
	assert_int_equal(
		json_parse(SLICE_LIT("{\"c\":{\"d\":\"e\"},\"b\":1,\"a\":\"test\"}"), 0, &j, NULL),
		0);
	assert_int_equal(jcs_write(j, &out), 0);
	assert_int_equal(hash_once(HASH_SHA384, buf_slice(&out), &d), 0);
	char text[2 * HASH_SIZE_MAX + 1];
	for (size_t i = 0; i < d.size; i++)
		snprintf(text + 2 * i, 3, "%02x", d.bytes[i]);
	assert_string_equal(text,
		"e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c8"
		"13ca941da78870c3");
}

static void check_toml(const char *in, const char *want)
{
	cleanup(json_decref) json_t *j = NULL;
	cleanup_with(buf_done) struct buf out = buf_init(0);
	struct err e = {0};
	int r = toml_parse(slice_str(in), &j, &e);
	if (r < 0)
		print_error("%s\n", e.text);
	assert_int_equal(r, 0);
	assert_int_equal(jcs_write(j, &out), 0);
	assert_string_equal(buf_str(&out), want);
	/* Every truncation parses or is refused; none may read past its end. */
	for (size_t n = 0; n < strlen(in); n++) {
		char *copy = malloc(n ? n : 1);
		json_t *cut = NULL;
		memcpy(copy, in, n);
		if (toml_parse(slice_of(copy, n), &cut, NULL) == 0)
			json_decref(cut);
		free(copy);
	}
}

static void test_toml_values(void **state)
{
	check_toml("", "{}");
	check_toml("a = 1 # note\r\n\"b c\" = 'x\\y'\nd.e.f = true\nd.e.g = -7\n",
		"{\"a\":1,\"b c\":\"x\\\\y\",\"d\":{\"e\":{\"f\":true,\"g\":-7}}}");
	check_toml("i = [1_000, 0xFF, 0o17, 0b11, +5]\nf = [1.5, 1e3, -2.5E-1]\n",
		"{\"f\":[1.5,1000,-0.25],\"i\":[1000,255,15,3,5]}");
	check_toml("s = \"a\\tb\\u00e9\\U0001F600\\\"\"\nm = \"\"\"\nfirst\n  second \\\n   "
		   "joined\"\"\"\nl = '''\n"
		   "raw \\n ''quote'''''\n",
		"{\"l\":\"raw \\\\n ''quote''\",\"m\":\"first\\n  second joined\","
		"\"s\":\"a\\tb\xC3\xA9\xF0\x9F\x98\x80\\\"\"}");
	check_toml("d = [1979-05-27T07:32:00Z, 1979-05-27 07:32:00, 1979-05-27, 07:32:00.5]",
		"{\"d\":[\"1979-05-27T07:32:00Z\",\"1979-05-27 "
		"07:32:00\",\"1979-05-27\",\"07:32:00.5\"]}");
	check_toml("[a.b]\nx = 1\n[a]\ny = 2\n[[t.u]]\nn = 1\n[t.u.sub]\nz = 3\n[[t.u]]\nn = 2\n",
		"{\"a\":{\"b\":{\"x\":1},\"y\":2},\"t\":{\"u\":[{\"n\":1,\"sub\":{\"z\":3}},{\"n\":"
		"2}]}}");
	check_toml("p = { x = 1, y.z = \"q\" }\nq = [ # c\n 1,\n 2, # d\n]\ne = {}\n",
		"{\"e\":{},\"p\":{\"x\":1,\"y\":{\"z\":\"q\"}},\"q\":[1,2]}");
	check_toml("version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"aa.toml\" = "
		   "'''\n[token_configs.kbs]\nurl = "
		   "\"http://x\"\n'''\n",
		"{\"algorithm\":\"sha256\",\"data\":{\"aa.toml\":\"[token_configs.kbs]\\nurl = "
		"\\\"http://x\\\"\\n\"},\"version\":\"0.1.0\"}");
}

static void test_toml_refusals(void **state)
{
	static const char *const bad[] = {
		"a",
		"a =",
		"= 1",
		"a = 1 b = 2",
		"a = 1\na = 2",
		"a.b = 1\na = 2",
		"a = 1\na.b = 2",
		"[a]\n[a]",
		"[a]\nb = 1\n[a.b]",
		"a = {b = 1}\n[a.c]",
		"a = [1]\n[[a]]",
		"[a]\n[[a]]",
		"[[a]]\n[a]",
		"[a.b]\nc = 1\n[a]\nb.d = 2",
		"a = \"x",
		"a = 'x\ny'",
		"a = \"\\q\"",
		"a = \"\\ud800\"",
		"a = \"\"\"x",
		"a = 01",
		"a = 1__0",
		"a = _1",
		"a = 1_",
		"a = 0x",
		"a = 1.",
		"a = .5",
		"a = 1e",
		"a = inf",
		"a = nan",
		"a = +0x1",
		"a = 9223372036854775808",
		"a = tru",
		"a = 2024-13-01",
		"a = 25:00:00",
		"a = [1 2]",
		"a = [1",
		"a = {x = 1",
		"a = {x = 1,}",
		"a = {x = 1\n}",
		"[a",
		"[a]]",
		"[]",
		"[[a]",
		"[a.]",
		"a. = 1",
		"\"\"\"a\"\"\" = 1",
		"a = \"\x01\"",
		"# \x01",
		"a = \"\xFF\"",
		"a = \"\\u0000\"",
		"a = 0x1_",
		"a = 1\r",
		"a = {}\na.b = 1",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		json_t *j = NULL;
		struct err e = {0};
		int r = toml_parse(slice_str(bad[i]), &j, &e);
		if (r != -EBADMSG)
			print_error("case %zu accepted or misjudged: %s\n", i, bad[i]);
		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(e.text, "line "));
	}
	char deep[200] = "a = ";
	memset(deep + 4, '[', 100);
	json_t *j = NULL;
	assert_int_equal(toml_parse(slice_of(deep, 104), &j, NULL), -E2BIG);
	struct err e = {0};
	assert_int_equal(toml_parse(SLICE_LIT("ok = 1\n  bad = @\n"), &j, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "line 2 column 9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_jcs),
		cmocka_unit_test(test_toml_values),
		cmocka_unit_test(test_toml_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
