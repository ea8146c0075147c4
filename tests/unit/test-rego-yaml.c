/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.*: YAML 1.2 core schema as go-yaml v3 reads and writes it. */
#include "rego-table.h"

/* clang-format off: one row a line */
/* scalars, anchors, merge keys, documents; and what is no YAML */
static const struct rego_row unmarshal_rows[] = {
	{"yaml.unmarshal(\"a: yes\\nb: 1_000\\nc: 0x1F\\nd: 0o17\\ne: 017\\nf: ~\\ng: 1.5e3\\nh: .inf\")",
		NULL, "json: unsupported value: +Inf"},
	{"yaml.unmarshal(\"a: yes\\nb: 1_000\\nc: 0x1F\\nd: 0o17\\ne: 017\\nf: ~\\ng: 1.5e3\")",
		"{\"a\":\"yes\",\"b\":1000,\"c\":31,\"d\":15,\"e\":15,\"f\":null,\"g\":1500}",
		NULL},
	{"yaml.unmarshal(\"a: 2001-01-01\\nb: 2001-01-01T10:00:00Z\\nc: 12:30:45\\nd: !!str 12\\ne: !!binary aGVsbG8=\\nf: 0b11\\ng: +12\\nh: 1e3\\ni: on\\nj: n\\nk: 'yes'\\nl: No\")",
		"{\"a\":\"2001-01-01\",\"b\":\"2001-01-01T10:00:00Z\",\"c\":\"12:30:45\",\"d\":\"12\",\"e\":\"hello\",\"f\":3,\"g\":12,\"h\":1000,\"i\":\"on\",\"j\":\"n\",\"k\":\"yes\",\"l\":\"No\"}",
		NULL},
	{"yaml.unmarshal(\"a: &x {b: 1}\\nc: *x\\nd: {<<: *x, e: 2}\")",
		"{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":{\"b\":1,\"e\":2}}", NULL},
	{"yaml.unmarshal(\"a: 1\\na: 2\")", "{\"a\":2}", NULL},
	{"yaml.unmarshal(\"- 1\\n- [a, b]\\n- |\\n  text\\n  more\\n- >\\n  folded\\n  text\")",
		"[1,[\"a\",\"b\"],\"text\\nmore\\n\",\"folded text\"]", NULL},
	{"yaml.unmarshal(\"a: 1\\n---\\nb: 2\")", "{\"a\":1}", NULL},
	{"yaml.unmarshal(\"\")", "null", NULL},
	{"yaml.unmarshal(\"# c\")", "null", NULL},
	{"yaml.unmarshal(\"{\")", NULL, "yaml: line 1: did not find expected node content"},
	{"yaml.unmarshal(\"a: b: c\")", NULL,
		"yaml: mapping values are not allowed in this context"},
	{"yaml.unmarshal(\"a: !foo bar\")", "{\"a\":\"bar\"}", NULL},
	{"yaml.unmarshal(\"a: 12345678901234567890\\nb: 123456789012345678901234567890\\nc: 0.1\\nd: 1e400\\ne: -0\\nf: 1.0\\ng: 1e21\\nh: 100000000000000000000000\")",
		"{\"a\":12345678901234567890,\"b\":1.2345678901234568e+29,\"c\":0.1,\"d\":\"1e400\",\"e\":0,\"f\":1,\"g\":1e+21,\"h\":1e+23}",
		NULL},
	{"yaml.is_valid(\"a: [\")", "false", NULL},
	{"yaml.is_valid(\"\")", "true", NULL},
	{"yaml.unmarshal(\"a: .nan\")", NULL, "json: unsupported value: NaN"},
	{"yaml.unmarshal(\"a: 1__0\\nb: 1_0.5\\nc: 0x_1\\nd: _1\\ne: 0.1_2\\nf: 1:2\\ng: 190:20:30\\nh: +.5\\ni: .5\\nj: 5.\\nk: 0o8\\nl: 089\\nm: -0x1F\\nn: -0b1\\no: 0B1\\np: 0XF\\nq: NULL\\nr: Null\\ns: True\\nt: TRUE\\nu: tRUE\\nv: y\\nw: Y\\nx: off\\ny: 0\")",
		"{\"a\":10,\"b\":10.5,\"c\":1,\"d\":\"_1\",\"e\":0.12,\"f\":\"1:2\",\"g\":\"190:20:30\",\"h\":0.5,\"i\":0.5,\"j\":5,\"k\":\"0o8\",\"l\":89,\"m\":-31,\"n\":-1,\"o\":1,\"p\":15,\"q\":null,\"r\":null,\"s\":true,\"t\":true,\"u\":\"tRUE\",\"v\":\"y\",\"w\":\"Y\",\"x\":\"off\",\"y\":0}",
		NULL},
};

/* quoting, block scalars, natural order of keys, long keys */
static const struct rego_row marshal_rows[] = {
	{"yaml.marshal({\"b\":[1,2,{\"a\":null}],\"a\":\"yes\",\"c\":\"x: y\",\"d\":\"multi\\nline\",\"e\":\"\",\"f\":1.50,\"g\":true,\"h\":{},\"i\":[],\"j\":\"123\",\"k\":\"null\",\"l\":\" lead\",\"m\":\"trail \",\"n\":\"\303\251\",\"o\":\"\\u0001\",\"p\":\"2001-01-01\",\"q\":\"a#b\",\"r\":\"a #b\",\"s\":\"- x\",\"t\":\"~\",\"u\":\"0x1\",\"v\":\"1e3\",\"w\":\"=\",\"x\":\"<<\",\"y\":\"@a\",\"z\":\"%a\"})",
		"\"a: \\\"yes\\\"\\nb:\\n  - 1\\n  - 2\\n  - a: null\\nc: 'x: y'\\nd: |-\\n  multi\\n  line\\ne: \\\"\\\"\\nf: 1.5\\ng: true\\nh: {}\\ni: []\\nj: \\\"123\\\"\\nk: \\\"null\\\"\\nl: ' lead'\\nm: 'trail '\\n\\\"n\\\": \303\251\\no: \\\"\\\\x01\\\"\\np: \\\"2001-01-01\\\"\\nq: a#b\\nr: 'a #b'\\ns: '- x'\\nt: \\\"~\\\"\\nu: \\\"0x1\\\"\\nv: \\\"1e3\\\"\\nw: =\\nx: \\\"<<\\\"\\n\\\"y\\\": '@a'\\nz: '%a'\\n\"",
		NULL},
	{"yaml.marshal({1,2,3})", "\"- 1\\n- 2\\n- 3\\n\"", NULL},
	{"yaml.marshal(\"foo\")", "\"foo\\n\"", NULL},
	{"yaml.marshal({\"a\":1e100, \"b\":12345678901234567890123, \"c\":0.1, \"d\": 1e6, \"e\": 10000000, \"f\": -5})",
		"\"a: 1e+100\\nb: 1.2345678901234568e+22\\nc: 0.1\\nd: 1e+06\\ne: 10000000\\nf: -5\\n\"",
		NULL},
	{"yaml.marshal({\"t\":\"line1\\nline2\\n\",\"u\":\"x\\n\\n\",\"v\":\"\\nlead\",\"w\":\"tab\\there\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaa\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"})",
		"\"? aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaa\\n: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\\nt: |\\n  line1\\n  line2\\nu: |+\\n  x\\n\\nv: |2-\\n\\n  lead\\nw: \\\"tab\\\\there\\\"\\n\"",
		NULL},
	{"yaml.marshal([[1,[2]],[{\"a\":[{\"b\":1,\"c\":2}]}]])",
		"\"- - 1\\n  - - 2\\n- - a:\\n      - b: 1\\n        c: 2\\n\"", NULL},
	{"yaml.marshal(\"a\\nb\")", "\"|-\\n  a\\n  b\\n\"", NULL},
	{"yaml.marshal([\"a\\nb\", {\"k\":\"a\\n b\\n\"}, \"\", [], {}])",
		"\"- |-\\n  a\\n  b\\n- k: |\\n    a\\n     b\\n- \\\"\\\"\\n- []\\n- {}\\n\"",
		NULL},
	{"yaml.marshal({\"a\\nb\": 1, \"a10\":1, \"a2\":2, \"A\":1, \"_\":1, \"\303\251\":2, \"1\":2, \"10\":3, \"9\":1})",
		"\"_: 1\\n\\\"1\\\": 2\\n\\\"9\\\": 1\\n\\\"10\\\": 3\\nA: 1\\n? |-\\n  a\\n  b\\n: 1\\na2: 2\\na10: 1\\n\303\251: 2\\n\"",
		NULL},
	{"yaml.marshal({\"k\":{\"a\":[]}, \"l\":[{}], \"m\": {\"z\":{\"y\":\"x\"}}})",
		"\"k:\\n  a: []\\nl:\\n  - {}\\nm:\\n  z:\\n    \\\"y\\\": x\\n\"", NULL},
	{"yaml.marshal(null)", "\"null\\n\"", NULL},
	{"yaml.marshal({1:2, null: 3})", "\"\\\"1\\\": 2\\n\\\"null\\\": 3\\n\"", NULL},
	{"yaml.marshal(\"\\u007f\")", NULL, "yaml: control characters are not allowed"},
	{"yaml.marshal({\"a\":\"1:30\",\"b\":\"190:20:30.15\",\"c\":\"1_000\",\"d\":\"0.5\",\"e\":\"2001-01-01T00:00:00Z\",\"f\":\"2001-1-1\",\"g\":\"2001-01-01 10:00:00\",\"h\":\"99-1-1\",\"i\":\"...\",\"j\":\"---\",\"k\":\"a: \",\"l\":\":a\",\"m\":\"?\",\"n\":\"? a\",\"o\":\"a?b\",\"p\":\".inf\",\"q\":\"\303\251\\u0000\"})",
		"\"a: \\\"1:30\\\"\\nb: \\\"190:20:30.15\\\"\\nc: \\\"1_000\\\"\\nd: \\\"0.5\\\"\\ne: \\\"2001-01-01T00:00:00Z\\\"\\nf: \\\"2001-1-1\\\"\\ng: \\\"2001-01-01 10:00:00\\\"\\nh: 99-1-1\\ni: '...'\\nj: '---'\\nk: 'a: '\\nl: :a\\nm: '?'\\n\\\"n\\\": '? a'\\no: a?b\\np: \\\".inf\\\"\\nq: \\\"\303\251\\\\0\\\"\\n\"",
		NULL},
};

/* clang-format on */

static void test_unmarshal(void **state)
{
	check_rows(unmarshal_rows, ARRAY_COUNT(unmarshal_rows), NULL);
}

static void test_marshal(void **state)
{
	check_rows(marshal_rows, ARRAY_COUNT(marshal_rows), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmarshal),
		cmocka_unit_test(test_marshal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
