/* SPDX-License-Identifier: Apache-2.0 */
/* The formatter: layouts as opa fmt makes them, comments, and that nothing changes its meaning. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "rego/rego.h"
#include "vectors.h"

static int format(const char *source, bool v0, bool to_v1, struct buf *out, struct err *e)
{
	struct rego_format_options o = {
		.dialect = v0 ? REGO_DIALECT_V0 : REGO_DIALECT_V1, .to_v1 = to_v1};
	return rego_format("t.rego", slice_str(source), &o, out, e);
}

/* @want follows "package t\n\n", and formatting it again changes nothing. */
static void check(const char *source, const char *want, bool v0, bool to_v1)
{
	cleanup_with(buf_done) struct buf in = {0}, out = {0}, again = {0}, all = {0};
	struct err e = {0};
	buf_printf(&in, "package t\n%s", source);
	buf_printf(&all, "package t\n\n%s", want);
	int r = format(buf_str(&in), v0, to_v1, &out, &e);
	if (r < 0)
		fail_msg("%s: %s", source, err_text(&e, r));
	assert_string_equal(buf_str(&out), buf_str(&all));
	assert_int_equal(format(buf_str(&out), v0, to_v1, &again, &e), 0);
	assert_string_equal(buf_str(&again), buf_str(&out));
}

static void test_layout(void **state)
{
	static const struct {
		const char *source, *want;
	} rows[] = {
		/* Operators and brackets. */
		{"x:=1+2*3", "x := 1 + (2 * 3)\n"},
		{"x := (1+2)*3", "x := (1 + 2) * 3\n"},
		{"x := plus(1, 2)", "x := 1 + 2\n"},
		{"x := [(a|b)]", "x := [(a | b)]\n"},
		{"x := {1 | true}", "x := {1 | true}\n"},
		{"p if { (1 in [1]) == true }", "p if (1 in [1]) == true\n"},
		{"p if { (input.a | {1}) == {1}\n true }",
			"p if {\n\t(input.a | {1}) == {1}\n\ttrue\n}\n"},
		/* References. */
		{"x := input[\"a\"][\"b c\"].d[_][i]", "x := input.a[\"b c\"].d[_][i]\n"},
		{"x := input[\"if\"]", "x := input[\"if\"]\n"},
		{"x := input.if", "x := input.if\n"},
		{"a[\"b\"] := 1", "a[\"b\"] := 1\n"},
		{"a.b.c := 1", "a.b.c := 1\n"},
		/* Rules that share a row, the first with a head of several. */
		{"f(\nx) if { x }y := 1 if { true }", "f(\n\tx,\n) if x\n\ny := 1\n"},
		/* A definition over two rows that takes one. */
		{"p := {1 ==\n2} else := 3", "p := {1 == 2}\n\nelse := 3\n"},
		/* Comments where nothing can be moved: neither lost nor doubled. */
		{"p if {\n\tx == #a\n\t#b\n\t1 #c\n\ty\n}",
			"p if {\n\tx == #a\n\t#b\n\t1 #c\n\ty\n}\n"},
		{"x #a\n\t:=\n\t#b\n\ty if {\n\tz\n\ttrue\n}",
			"x #a\n\t:=\n\t#b\n\ty if {\n\tz\n\ttrue\n}\n"},
		/* Collections keep their rows. */
		{"x := [1,\n2,3]", "x := [\n\t1,\n\t2, 3,\n]\n"},
		{"x := [\n1,2]", "x := [\n\t1, 2,\n]\n"},
		{"x := {\"a\":1,\n\"b\":{\"c\":2,}}",
			"x := {\n\t\"a\": 1,\n\t\"b\": {\"c\": 2},\n}\n"},
		{"x := set( )", "x := set()\n"},
		{"x := count(\n[1])", "x := count([1])\n"},
		{"x := concat(\"/\",\n[\"a\"])", "x := concat(\n\t\"/\",\n\t[\"a\"],\n)\n"},
		{"x := [ y | some y in [1]; y > 0 ]", "x := [y | some y in [1]; y > 0]\n"},
		{"x := [y |\ny := 1]", "x := [y |\n\ty := 1\n]\n"},
		{"x := {k: v | some k, v in input}", "x := {k: v | some k, v in input}\n"},
		/* Rules. */
		{"p if { true }", "p := true\n"},
		{"p if {\n x\n}", "p if {\n\tx\n}\n"},
		{"p if { x }", "p if x\n"},
		{"p if { {1, 2} }", "p if {\n\t{1, 2}\n}\n"},
		{"p := 1 if x\nq := 2 if y", "p := 1 if x\nq := 2 if y\n"},
		{"p := 1 if x\n\nq := 2 if y", "p := 1 if x\n\nq := 2 if y\n"},
		{"default p=1", "default p := 1\n"},
		{"p contains x if {x:=1}", "p contains x if x := 1\n"},
		{"f(x,y) := z if { z:=x }", "f(x, y) := z if z := x\n"},
		{"f() := 1", "f := 1\n"},
		{"p if { x } else := 2 if { y }", "p if x\n\nelse := 2 if y\n"},
		{"p if {\nx\n} else if {\ny\n} else := 3",
			"p if {\n\tx\n} else if {\n\ty\n} else := 3\n"},
		{"p if { x\n} else := 3", "p if x\n\nelse := 3\n"},
		{"p if {\nx\n} {\ny\n}", "p if {\n\tx\n}\n\np if {\n\ty\n}\n"},
		/* Statements. */
		{"p if { some x,y\nx=1\n\n\ny=2 }", "p if {\n\tsome x, y\n\tx = 1\n\n\ty = 2\n}\n"},
		{"p if { every k,v in x { k; v } }", "p if every k, v in x { k; v}\n"},
		{"p if { every v in x { v } }", "p if every v in x { v }\n"},
		{"p if { not  x with input as {} }", "p if not x with input as {}\n"},
		{"p if { x with input as 1\nwith data.a as 2 }",
			"p if x with input as 1\n\twith data.a as 2\n"},
		{"p if { a\n b; c }", "p if {\n\ta\n\tb\n\tc\n}\n"},
		/* Texts and numbers stay as they are. */
		{"x := \"\\u0041\"", "x := \"\\u0041\"\n"},
		{"x := `a\nb`", "x := `a\nb`\n"},
		{"x := 1e3", "x := 1e3\n"},
		{"x := -1", "x := -1\n"},
		{"x := $\"a {1+1} b\"", "x := $\"a {1 + 1} b\"\n"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		check(rows[i].source, rows[i].want, false, false);
}

static void test_imports(void **state)
{
	check("import data.b\nimport data.a as z # zed\nimport input.x\n\nimport data.c\np := 1",
		"import data.a as z # zed\nimport data.b\nimport input.x\n\nimport data.c\n\np := 1\n",
		false, false);
	/* rego.v1 makes the others superfluous. */
	check("import rego.v1\nimport future.keywords.in\np := 1", "import rego.v1\n\np := 1\n",
		false, false);
}

static void test_comments(void **state)
{
	static const struct {
		const char *source, *want;
	} rows[] = {
		{"# one\n\n\n# two\np := 1 # three\n# four",
			"# one\n\n# two\np := 1 # three\n\n# four\n"},
		{"p if { # a\n# b\nx # c\n# d\n} # e",
			"p if { # a\n\t# b\n\tx # c\n\t# d\n} # e\n"},
		{"x := [ # a\n1, # b\n2\n# c\n]", "x := [ # a\n1, # b\n2\n# c\n]\n"},
		{"x := [\n1, # b\n2, # c\n]", "x := [\n\t1, # b\n\t2, # c\n]\n"},
		{"p if {\nx\n}\n# other\nelse := 1", "p if {\n\tx\n}\n\n# other\nelse := 1\n"},
		{"# METADATA\n# title: a\np := 1", "# METADATA\n# title: a\np := 1\n"},
		{"p if {\n\tx == [1,\n\t# in between\n\t2]\n}",
			"p if {\n\tx == [\n\t\t1,\n\t\t# in between\n\t\t2,\n\t]\n}\n"},
		{"p\n# before the value\n:= 7", "p\n# before the value\n:= 7\n"},
		{"p := 1   #  blanks   ", "p := 1 #  blanks\n"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		check(rows[i].source, rows[i].want, false, false);
}

static void test_v0(void **state)
{
	check("p[x] { x=1 }", "p[x] {\n\tx = 1\n}\n", true, false);
	check("p.q { true }", "p[\"q\"]\n", true, false);
	check("p { x } { y }", "p {\n\tx\n}\n\np {\n\ty\n}\n", true, false);
	check("p = 1 { x }", "p = 1 {\n\tx\n}\n", true, false);
}

static void test_to_v1(void **state)
{
	cleanup_with(buf_done) struct buf out = {0};
	struct err e = {0};
	assert_int_equal(format("package t\nimport future.keywords.in\np[x] { x = 1 }\nq { x }\n"
				"r = 2\nf(x) { x }",
				 false, true, &out, &e),
		0);
	assert_string_equal(buf_str(&out), "package t\n\nimport rego.v1\n\n"
					   "p contains x if x = 1\nq if x\nr := 2\nf(x) if x\n");
}

static void test_refused(void **state)
{
	cleanup_with(buf_done) struct buf out = {0};
	struct err e = {0};
	assert_int_equal(format("package t\np if {", false, false, &out, &e), REGO_ERR_SYNTAX);
	assert_non_null(strstr(e.text, "t.rego:2:6: "));
	assert_int_equal(format("package t\np { x }", false, false, &out, &e), REGO_ERR_SYNTAX);
	assert_int_equal(format("package t\n\xff", false, false, &out, &e), REGO_ERR_SYNTAX);
	assert_int_equal(out.size, 0);
}

/* Policies of the ecosystem: formatted once and twice the same, and every cut is refused or not. */
static void test_policies(void **state)
{
	static const char *const files[] = {"rego/kata/web.rego",
		"rego/trustee/policies/ear_cpu.rego", "rego/aci/framework.rego"};
	char path[4096];
	if (!vectors_dir())
		skip();
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		cleanup_with(buf_done) struct buf text = {0}, once = {0}, twice = {0};
		snprintf(path, sizeof(path), "%s/%s", vectors_dir(), files[i]);
		assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
		struct err e = {0};
		if (format(buf_str(&text), i != 1, false, &once, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(format(buf_str(&once), i != 1, false, &twice, &e), 0);
		assert_string_equal(buf_str(&once), buf_str(&twice));
		for (size_t n = 0; n < text.size; n += 97) {
			cleanup_with(buf_done) struct buf part = {0};
			(void)!rego_format("cut.rego", slice_of(text.data, n), NULL, &part, NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_imports),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_v0),
		cmocka_unit_test(test_to_v1),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_policies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
