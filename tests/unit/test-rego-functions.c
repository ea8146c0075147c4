/* SPDX-License-Identifier: Apache-2.0 */
/* Small families of the engine: uuid, units, uri, globs, JSON texts, base64. */
#include "rego-table.h"

/* clang-format off: one row a line */
/* UUIDs of all forms and versions */
static const struct rego_row random_rows[] = {
	{"uuid.parse(\"urn:uuid:000003e8-48b9-21ee-b200-325096b39f47\")",
		"{\"clocksequence\":12800,\"domain\":\"Person\",\"id\":1000,\"macvariables\":\"local:unicast\",\"nodeid\":\"32-50-96-b3-9f-47\",\"time\":1693566990121469600,\"variant\":\"RFC4122\",\"version\":2}",
		NULL},
	{"uuid.parse(\"{6ba7b810-9dad-11d1-80b4-00c04fd430c8}\")",
		"{\"clocksequence\":180,\"macvariables\":\"global:unicast\",\"nodeid\":\"00-c0-4f-d4-30-c8\",\"time\":886630433151182400,\"variant\":\"RFC4122\",\"version\":1}",
		NULL},
	{"uuid.parse(\"6bea8ef2d3d33cd184e09bab06a52ece\")",
		"{\"variant\":\"RFC4122\",\"version\":3}", NULL},
	{"uuid.parse(\"6ba7b810-9dad-61d1-c0b4-00c04fd430c8\")",
		"{\"variant\":\"Microsoft\",\"version\":6}", NULL},
	{"count(uuid.rfc4122(\"k\"))", "36", NULL},
	{"rand.intn(\"k\", 0)", "0", NULL},
	{"rand.intn(\"k\", 1)", "0", NULL},
};

/* layouts of JSON, parts of strings, what base64 may be */
static const struct rego_row text_rows[] = {
	{"json.marshal(\"<a>&b\")", "\"\\\"\\\\u003ca\\\\u003e\\\\u0026b\\\"\"", NULL},
	{"json.marshal_with_options({\"a\":[1,{}],\"b\":[]},{\"pretty\":true})",
		"\"{\\n\\t\\\"a\\\": [\\n\\t\\t1,\\n\\t\\t{}\\n\\t],\\n\\t\\\"b\\\": []\\n}\"",
		NULL},
	{"json.marshal_with_options({\"a\":[1,{}],\"b\":[]},{\"indent\":\" \",\"prefix\":\"> \"})",
		"\"> {\\n>  \\\"a\\\": [\\n>   1,\\n>   {}\\n>  ],\\n>  \\\"b\\\": []\\n> }\"",
		NULL},
	{"json.marshal_with_options([1],{\"pretty\":false,\"indent\":\" \"})", "\"[1]\"", NULL},
	{"json.marshal_with_options([1],{\"nope\":1})", NULL,
		"operand 2 object contained unknown key \"nope\""},
	{"json.marshal_with_options({\"a\":\"x\\\"y:{[,\"},{\"pretty\":true})",
		"\"{\\n\\t\\\"a\\\": \\\"x\\\\\\\"y:{[,\\\"\\n}\"", NULL},
	{"strings.split_n(\"a.b.c.d\", \".\", 2)", "[\"a\",\"b\"]", NULL},
	{"strings.split_n(\"a.b.c.d\", \".\", -2)", "[\"c\",\"d\"]", NULL},
	{"strings.split_n(\"a.b.c.d\", \".\", 0)", "[]", NULL},
	{"strings.split_n(\"a.b.c.d\", \".\", 10)", "[\"a\",\"b\",\"c\",\"d\"]", NULL},
	{"strings.split_n(\"abc\", \"\", 2)", "[\"a\",\"b\"]", NULL},
	{"strings.split_n(\"abc\", \"\", -1)", "[\"c\"]", NULL},
	{"strings.split_n(\"\", \".\", 3)", "[\"\"]", NULL},
	{"base64.decode(\"YR==\")", "\"a\"", NULL},
	{"base64.decode(\"YQ\")", NULL, "illegal base64 data at input byte 0"},
	{"base64.decode(\"Y*==\")", NULL, "illegal base64 data at input byte 1"},
	{"base64.decode(\"YW\\nJj\")", "\"abc\"", NULL},
	{"base64.decode(\"YWJj=\")", NULL, "illegal base64 data at input byte 4"},
	{"base64url.decode(\"YQ\")", "\"a\"", NULL},
	{"base64url.decode(\"Y\")", NULL, "illegal base64url string: Y"},
	{"base64url.decode(\"YQ==\")", "\"a\"", NULL},
	{"base64.is_valid(\"YQ\")", "false", NULL},
	{"trace(\"note\")", "true", NULL},
	{"net.lookup_ip_addr(\"10.0.0.0\")", "[\"10.0.0.0\"]", NULL},
	{"net.lookup_ip_addr(\"::1\")", "[\"::1\"]", NULL},
};

/* patterns that meet, that do not, and that are malformed */
static const struct rego_row globs_rows[] = {
	{"regex.globs_match(\"a.a.[0-9]+z\", \".b.b2359825792*594823z\")", "true", NULL},
	{"regex.globs_match(\"[a-z]+\", \"[0-9]*\")", "false", NULL},
	{"regex.globs_match(\"\", \"\")", "true", NULL},
	{"regex.globs_match(\"a+\", \"\")", "false", NULL},
	{"regex.globs_match(\"[a-\", \"a\")", NULL,
		"input:[a-, pos:3, range character '-' must be followed by a Unicode character: the input provided is invalid"},
	{"regex.globs_match(\"a]\", \"a\")", NULL,
		"input:a], pos:2, set-close ']' with no preceding '[': the input provided is invalid"},
	{"regex.globs_match(\"[-a]\", \"a\")", NULL,
		"input:[-a], pos:2, range character '-' must be preceded by a Unicode character: the input provided is invalid"},
	{"regex.globs_match(\".*\303\251\", \"[\303\240-\303\274]+\")", "true", NULL},
};

/* references of all shapes, and what is none */
static const struct rego_row uri_rows[] = {
	{"uri.parse(\"https://user:pw@Example.com:8080/a%20b/c?x=1&y#fr%20ag\")",
		"{\"fragment\":\"fr ag\",\"hostname\":\"Example.com\",\"path\":\"/a b/c\",\"port\":\"8080\",\"raw_path\":\"/a b/c\",\"raw_query\":\"x=1&y\",\"scheme\":\"https\"}",
		NULL},
	{"uri.parse(\"mailto:a@b\")", "{\"scheme\":\"mailto\"}", NULL},
	{"uri.parse(\"/rel/path?q\")",
		"{\"path\":\"/rel/path\",\"raw_path\":\"/rel/path\",\"raw_query\":\"q\"}", NULL},
	{"uri.parse(\"//host/path\")",
		"{\"hostname\":\"host\",\"path\":\"/path\",\"raw_path\":\"/path\"}", NULL},
	{"uri.parse(\"http://[::1]:80/\")",
		"{\"hostname\":\"::1\",\"path\":\"/\",\"port\":\"80\",\"raw_path\":\"/\",\"scheme\":\"http\"}",
		NULL},
	{"uri.parse(\"http://[fe80::1%25en0]/\")",
		"{\"hostname\":\"fe80::1%en0\",\"path\":\"/\",\"raw_path\":\"/\",\"scheme\":\"http\"}",
		NULL},
	{"uri.parse(\"http://a b/\")", NULL,
		"parse \"http://a b/\": invalid character \" \" in host name"},
	{"uri.parse(\"http://a:b/\")", NULL,
		"parse \"http://a:b/\": invalid port \":b\" after host"},
	{"uri.parse(\":x\")", NULL, "parse \":x\": missing protocol scheme"},
	{"uri.parse(\"1:2\")", NULL,
		"parse \"1:2\": first path segment in URL cannot contain colon"},
	{"uri.parse(\"%zz\")", NULL, "parse \"%zz\": invalid URL escape \"%zz\""},
	{"uri.parse(\"http://x/%zz\")", NULL, "parse \"http://x/%zz\": invalid URL escape \"%zz\""},
	{"uri.parse(\"http://[::1/\")", NULL, "parse \"http://[::1/\": missing ']' in host"},
	{"uri.parse(\"a%2Fb\")", "{\"path\":\"a/b\",\"raw_path\":\"a%2Fb\"}", NULL},
	{"uri.parse(\"\")", "{}", NULL},
	{"uri.parse(\"*\")", "{\"path\":\"*\",\"raw_path\":\"*\"}", NULL},
	{"uri.parse(\"?a=b\")", "{\"raw_query\":\"a=b\"}", NULL},
	{"uri.is_valid(\"\")", "false", NULL},
	{"uri.is_valid(\"http://%41:8080/\")", "false", NULL},
	{"uri.is_valid(\"http://%41:8080/x\")", "false", NULL},
	{"uri.is_valid(\"http://us\\\\er@h/\")", "false", NULL},
};

/* exact amounts */
static const struct rego_row units_rows[] = {
	{"units.parse(\"0.0005K\")", "0.5000000000", NULL},
	{"units.parse(\"1m\")", "0.0010000000", NULL},
	{"units.parse(\"1.5Ki\")", "1536", NULL},
	{"units.parse(\"1/2\")", NULL, "units.parse: unit /2 not recognized"},
	{"units.parse(\"-0.1k\")", "-100", NULL},
	{"units.parse(\"1e3\")", "1000", NULL},
	{"units.parse(\"1e-3\")", "0.0010000000", NULL},
	{"units.parse(\"0.12345678901234K\")", "123.4567890123", NULL},
	{"units.parse(\"100mi\")", "104857600", NULL},
	{"units.parse(\"\\\"10\\\"G\")", "10000000000", NULL},
	{"units.parse(\"1 K\")", NULL, "units.parse: spaces not allowed in resource strings"},
	{"units.parse(\"K\")", NULL, "units.parse: no amount provided"},
	{"units.parse(\"1X\")", NULL, "units.parse: unit X not recognized"},
	{"units.parse(\"1.2.3K\")", NULL, "units.parse: could not parse amount to a number"},
	{"units.parse_bytes(\"1.5KiB\")", "1536", NULL},
};

/* clang-format on */

static void test_random(void **state)
{
	check_rows(random_rows, ARRAY_COUNT(random_rows), NULL);
}

static void test_text(void **state)
{
	check_rows(text_rows, ARRAY_COUNT(text_rows), NULL);
}

static void test_globs(void **state)
{
	check_rows(globs_rows, ARRAY_COUNT(globs_rows), NULL);
}

static void test_uri(void **state)
{
	check_rows(uri_rows, ARRAY_COUNT(uri_rows), NULL);
}

static void test_units(void **state)
{
	check_rows(units_rows, ARRAY_COUNT(units_rows), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
