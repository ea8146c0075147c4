/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler says of wrong modules, in OPA's words and places; and metadata. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/rego.h"

enum { V0 = 1, STRICT = 2 };

/* All errors of a module, "ROW:COLUMN: CODE: MESSAGE" one a line, codes without "rego_". */
static void errors_of(const char *source, int how, struct buf *out)
{
	struct rego_compile_options o = {
		.dialect = how & V0 ? REGO_DIALECT_V0 : REGO_DIALECT_V1, .strict = how & STRICT};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	const struct rego_diagnostic *d;
	struct err e = {0};
	int r = rego_compiler_module(c, "t", slice_str(source), &e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, &e);
	size_t n = rego_compiler_diagnostics(c, &d);
	/* Diagnostics and the result agree, and the first one is what the error says. */
	assert_true((r < 0) == (n > 0));
	if (n > 0)
		assert_string_equal(e.field, d[0].code);
	for (size_t i = 0; i < n; i++)
		buf_printf(
			out, "%u:%u: %s: %s\n", d[i].row, d[i].column, d[i].code + 5, d[i].message);
}

struct row {
	const char *source; /* after "package t\n" */
	const char *want;
	int how;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf source = {0}, got = {0};
		buf_printf(&source, "package t\n%s", rows[i].source);
		errors_of(buf_str(&source), rows[i].how, &got);
		if (!streq(buf_str(&got), rows[i].want))
			fail_msg("%s\ngives\n%swant\n%s", rows[i].source, buf_str(&got),
				rows[i].want);
	}
}

static void test_syntax(void **state)
{
	static const struct row rows[] = {
		{"a.k().p", "2:1: parse_error: a rule head must be a name with a path\n", V0},
		{"a.k().p A", "2:1: parse_error: a rule head must be a name with a path\n", V0},
		{"p := [1 2]",
			"2:9: parse_error: unexpected number token: expected \",\" or \"]\"\n", 0},
		{"p := {1 2}", "2:9: parse_error: unexpected number token: non-terminated set\n",
			0},
		{"p := {1: 2 3}",
			"2:12: parse_error: unexpected number token: non-terminated object\n", 0},
		{"p := (1 2)", "2:9: parse_error: non-terminated expression\n", 0},
		{"p := 1 +", "2:8: parse_error: unexpected eof token\n", 0},
		{"p := input.", "2:11: parse_error: unexpected eof token: expected ident\n", 0},
		{"p if { a b }",
			"2:10: parse_error: unexpected identifier token: expected \\n or ; or }\n",
			0},
		{"p := 1 := 2", "2:8: parse_error: unexpected assign token\n", 0},
		{"p := \"abc", "2:6: parse_error: non-terminated string\n", 0},
		{"p := \"\\q\"", "2:6: parse_error: illegal escape sequence\n", 0},
		/* v1: everything that is missing, for all rules. */
		{"p { true }\nq[1] { true }\nf(x) { x }\nr",
			"2:1: parse_error: `if` keyword is required before rule body\n"
			"3:1: parse_error: `if` keyword is required before rule body\n"
			"3:1: parse_error: `contains` keyword is required for partial set rules\n"
			"4:1: parse_error: `if` keyword is required before function body\n"
			"5:1: parse_error: rule must have value assignment and/or body declaration\n",
			0},
		{"p { true }\nq[1] { true }\nr", "", V0},
		/* The head of a comprehension is one term. */
		{"p := [x + 1 | x := 1]",
			"2:17: parse_error: unexpected assign token: expected \",\" or \"]\"\n", 0},
		{"p := [(x + 1) | x := 1]", "", 0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

/* What looks wrong and is not; and its neighbours that are. */
static void test_accepted(void **state)
{
	static const struct row rows[] = {
		{"p := x if { x := 1, 2 in [1] }", "", 0},
		{"p := 0, \"a\" in [\"a\"]", "", 0},
		{"p contains 0, \"a\" in [\"a\"]", "", 0},
		{"p[0, \"a\" in [\"a\"]] := 1", "", 0},
		{"p := -x if x := 1\nq := - 1\nr := -.5", "", 0},
		{"p := -(1)", "2:7: parse_error: unexpected ( token: expected number\n", 0},
		{"p := -.x", "2:8: parse_error: unexpected identifier token: expected number\n", 0},
		{"p := {\"a\": 1, \"a\": 2}", "", 0},
		{"default p", "", 0},
		{"default p := [1, {\"a\": {2}}]\ndefault q := [x | x := 1]", "", 0},
		{"default p := 1 + 1",
			"2:1: parse_error: illegal default rule (value cannot contain call)\n", 0},
		{"default p := [input.x]",
			"2:1: parse_error: illegal default rule (value cannot contain ref)\n", 0},
		{"default p(x) := x",
			"2:1: parse_error: illegal default rule (value cannot contain var)\n", 0},
		{"default p([x]) := 1",
			"2:1: parse_error: illegal default rule (arguments cannot contain array)\n",
			0},
		{"default p(x, x) := 1",
			"2:1: parse_error: illegal default rule (arguments cannot be repeated x)\n",
			0},
		/* A reference with a variable reaches the rules that its values name. */
		{"p := data.t[x] if x := \"q\"\nq := 1", "", 0},
		{"p := data.t[x] if x = \"q\"\nq := 1", "", 0},
		{"p := data.t[x].y if some x in [\"q\", 1]\nq := 1", "", 0},
		{"p := data.t[x] if some _, x in {\"p\": \"q\"}\nq := 1", "", 0},
		{"p := data.t[x] if some x in [\"q\", \"p\"]\nq := 1",
			"2:1: recursion_error: rule data.t.p is recursive: data.t.p -> data.t.p\n",
			0},
		{"p := data.t[x] if x := input.y\nq := 1",
			"2:1: recursion_error: rule data.t.p is recursive: data.t.p -> data.t.p\n",
			0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

/* References into what the source shows: refused in strict mode. */
static void test_members(void **state)
{
	static const struct row rows[] = {
		{"q := {\"a\": {\"b\": input.x}}\np := [q.a.b, q.a.b.c, q[input.y]]", "", STRICT},
		{"q := {\"a\": 1}\np := q.b", "3:6: type_error: undefined ref: data.t.q.b\n",
			STRICT},
		{"q := {\"a\": 1}\np := q.b", "", 0},
		{"p := data.t.q.a.c\nq := {\"a\": {\"b\": 1}}",
			"2:6: type_error: undefined ref: data.t.q.a.c\n", STRICT},
		{"q := [1]\np := [q[0], q[1]]", "3:13: type_error: undefined ref: data.t.q[1]\n",
			STRICT},
		{"q := [1]\np := q.x", "3:6: type_error: undefined ref: data.t.q.x\n", STRICT},
		{"q := [x | x := 1]\np := [q[0], q.x]",
			"3:13: type_error: undefined ref: data.t.q.x\n", STRICT},
		{"q if true\np := q.x", "3:6: type_error: undefined ref: data.t.q.x\n", STRICT},
		{"q := {\"a\": 1} if input.x\nq := {\"b\": 1} if input.y\np := [q.a, q.b, q.c]",
			"4:17: type_error: undefined ref: data.t.q.c\n", STRICT},
		{"default q := {}\nq := {\"a\": 1} if input.x\np := [q.a, q.c]",
			"4:12: type_error: undefined ref: data.t.q.c\n", STRICT},
		{"q[x] := 1 if x := \"a\"\np := [q.a, q.b, q.a.b]",
			"3:17: type_error: undefined ref: data.t.q.a.b\n", STRICT},
		{"q.x := 1\np := [q.x, q.x.y]", "3:12: type_error: undefined ref: data.t.q.x.y\n",
			STRICT},
		{"f(x, x) := true\np := f(1, 1)", "", STRICT},
		{"import data\nimport input\np := [data.t.q, input.x]\nq := 1", "", STRICT},
		{"q contains \"x\"\np if q[\"y\"]", "", STRICT},
		{"q := input\np := q.a.b", "", STRICT},
		{"f(x) := {\"a\": x}\np := f(1).b", "", STRICT},
		{"p if {\n\tx := {\"a\": [1]}\n\tx.a[0]\n\tx.b\n}",
			"5:2: type_error: undefined ref: x.b\n", STRICT},
		{"p := [1, 2, 3][\"1\"]", "2:6: type_error: undefined ref: [1, 2, 3][\"1\"]\n",
			STRICT},
		{"p := {\"a\": input.x}[y] if y := \"b\"", "", STRICT},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

static void test_names(void **state)
{
	static const struct row rows[] = {
		{"p if { x := 1; x := 2 }", "2:16: compile_error: var x assigned above\n", 0},
		{"p if { x == 1; x := 2 }", "2:16: compile_error: var x referenced above\n", 0},
		{"p if { some x; some x; x = 1 }", "2:16: compile_error: var x declared above\n",
			0},
		{"f(x) if { x := 1 }", "2:11: compile_error: arg x redeclared\n", 0},
		{"p if { some x; true }", "2:8: compile_error: declared var x unused\n", 0},
		/* The variables of an else have a scope of their own, with or without arguments. */
		{"p if { input.a } else if { some x; true }",
			"2:28: compile_error: declared var x unused\n", 0},
		{"p if { some x in x }", "2:8: compile_error: var x assigned before\n", 0},
		{"p if { not x := 1 }",
			"2:8: compile_error: cannot assign vars inside negated expression\n", 0},
		{"p if { 1 := 2 }", "2:8: compile_error: cannot assign to number\n", 0},
		{"p if { count := 1; count([1]) == count }",
			"2:20: compile_error: called function count shadowed\n", 0},
		{"p := [x | x := 1] if { x := 2; x > 1 }", "", 0},
		{"input := 1",
			"2:1: compile_error: rules must not shadow input (use a different rule "
			"name)\n",
			0},
		{"p if { data := 1; data == 1 }",
			"2:8: compile_error: variables must not shadow data (use a different variable "
			"name)\n",
			0},
		{"p { input := 1; input == 1 }", "", V0},
		{"import data.a\nimport input.a\np := a",
			"3:1: compile_error: import must not shadow import data.a\n", 0},
		{"p if any([true])",
			"2:6: type_error: deprecated built-in function calls in expression: any\n",
			0},
		{"p { any([true]) }", "", V0},
		{"p if print(x)", "2:12: compile_error: var x is undeclared\n", 0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

static void test_strict(void **state)
{
	static const struct row rows[] = {
		{"p if { x := 1 }", "2:8: compile_error: assigned var x unused\n", STRICT},
		{"p if { x := 1 }", "", 0},
		{"p := x if { x := 1 }", "", STRICT},
		{"p if { x := 1; [y | y := x] }", "", STRICT},
		{"f(x, y) := x if true",
			"2:1: compile_error: unused argument y. (hint: use _ (wildcard variable) "
			"instead)\n",
			STRICT},
		{"f(x, _) := x if true", "", STRICT},
		{"import data.a\nimport data.b as c\np := a",
			"3:1: compile_error: import data.b as c unused\n", STRICT},
		{"p { any([true]) }",
			"2:5: type_error: deprecated built-in function calls in expression: any\n",
			STRICT | V0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

static void test_program(void **state)
{
	static const struct row rows[] = {
		/* Every variable of every statement, at the statement. */
		{"p if { x = y }\nq if { z > 1; w }",
			"2:8: unsafe_var_error: var x is unsafe\n"
			"2:8: unsafe_var_error: var y is unsafe\n"
			"3:8: unsafe_var_error: var z is unsafe\n"
			"3:15: unsafe_var_error: var w is unsafe\n",
			0},
		{"p contains a if true", "2:12: unsafe_var_error: var a is unsafe\n", 0},
		{"p[a] := b if true",
			"2:3: unsafe_var_error: var a is unsafe\n"
			"2:9: unsafe_var_error: var b is unsafe\n",
			0},
		{"p if nothing(1)", "2:6: type_error: undefined function nothing\n", 0},
		{"p := 1\np contains 2", "2:1: type_error: conflicting rules data.t.p found\n", 0},
		{"default p := 1\ndefault p := 2",
			"1:1: type_error: multiple default rules data.t.p found at t:2, t:3\n", 0},
		{"p := 1\np.q := 2",
			"2:1: type_error: rule data.t.p conflicts with:\n  rule data.t.p.q at t:3\n",
			0},
		{"p[x] := 1 if x := \"a\"\np.q := 2", "", 0},
		{"p if q\nq if p",
			"2:1: recursion_error: rule data.t.p is recursive: data.t.p -> data.t.q -> "
			"data.t.p\n"
			"3:1: recursion_error: rule data.t.q is recursive: data.t.q -> data.t.p -> "
			"data.t.q\n",
			0},
		{"p if { x := \"a\"; true with input[x] as 1 }", "", 0},
		{"p if true with foo.bar as 1",
			"2:16: type_error: with keyword target must reference existing input, data, or "
			"a function\n",
			0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

static void test_types(void **state)
{
	static const struct row rows[] = {
		{"p := count(1)", "2:6: type_error: count: invalid argument(s)\n", 0},
		{"p := 1 + \"a\"", "2:6: type_error: plus: invalid argument(s)\n", 0},
		{"p if { x := \"a\"; x - 1 > 0 }", "2:18: type_error: minus: invalid argument(s)\n",
			0},
		{"p := upper(q)\nq := 1", "2:6: type_error: upper: invalid argument(s)\n", 0},
		{"p := upper(q)\nq := 1 if input.x\nq := \"a\" if input.y", "", 0},
		{"p := upper(q)\nq := input.x", "", 0},
		{"p := upper(q)\nq contains 1", "2:6: type_error: upper: invalid argument(s)\n", 0},
		{"p := upper(count([1]))", "2:6: type_error: upper: invalid argument(s)\n", 0},
		{"p if 1 = \"a\"", "2:6: type_error: match error\n", 0},
		{"p if 1 == \"a\"", "", 0},
		{"p := count(1, 2, 3)", "2:6: type_error: count: arity mismatch\n", 0},
		{"f(x) := x\np := f(1, 2, 3)", "3:6: type_error: data.t.f: arity mismatch\n", 0},
		/* What is unsafe is reported first. */
		{"p if { count(1) > x }", "2:8: unsafe_var_error: var x is unsafe\n", 0},
	};
	check_rows(rows, ARRAY_COUNT(rows));
}

/* JSON is YAML enough to see what becomes of metadata. */
static int json_as_yaml(struct rego_call *call, const struct rego_value *const *args, size_t count,
	const struct rego_value **ret)
{
	struct err e = {0};
	if (rego_make_json(rego_call_eval(call), rego_text(args[0]), ret, &e) < 0)
		return rego_call_fail(call, "%s", e.text);
	return 0;
}

static int metadata(const char *source, struct buf *out, struct err *e)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	int r = rego_compiler_builtin(c, "yaml.unmarshal", 1, json_as_yaml);
	if (r == 0)
		r = rego_compiler_module(c, "m.rego", slice_str(source), e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, e);
	if (r < 0)
		return r;
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	enum rego_outcome outcome;
	const struct rego_value *v = NULL;
	r = rego_eval_path(ev, "data.a.b.r", &outcome, &v, e);
	if (r == 0 && v)
		rego_json(out, v);
	return r;
}

static void test_metadata(void **state)
{
	cleanup_with(buf_done) struct buf out = {0};
	struct err e = {0};
	assert_int_equal(
		metadata("# METADATA\n# {\"scope\": \"subpackages\", \"title\": \"all\"}\n"
			 "package a.b\n\n"
			 "# METADATA\n# {\"title\": \"one\",\n"
			 "# \"authors\": [\"A B <a@b>\", \"C\"],\n"
			 "# \"related_resources\": [\"http://x\"], \"custom\": {\"k\": 1}}\n"
			 "r := [rego.metadata.rule(), rego.metadata.chain()]\n",
			&out, &e),
		0);
	const char *rule = "{\"authors\":[{\"email\":\"a@b\",\"name\":\"A B\"},{\"name\":\"C\"}],"
			   "\"custom\":{\"k\":1},\"related_resources\":[{\"ref\":\"http://x\"}],"
			   "\"scope\":\"rule\",\"title\":\"one\"}";
	cleanup_with(buf_done) struct buf want = {0};
	buf_printf(&want,
		"[%s,[{\"annotations\":%s,\"path\":[\"a\",\"b\",\"r\"]},"
		"{\"annotations\":{\"scope\":\"subpackages\",\"title\":\"all\"},"
		"\"path\":[\"a\",\"b\"]}]]",
		rule, rule);
	assert_string_equal(buf_str(&out), buf_str(&want));
	buf_clear(&out);
	assert_int_equal(metadata("package a.b\nr := [rego.metadata.rule(), rego.metadata.chain()]",
				 &out, &e),
		0);
	assert_string_equal(buf_str(&out), "[{},[{\"path\":[\"a\",\"b\",\"r\"]}]]");
}

static void test_bad_metadata(void **state)
{
	static const char *const rows[][2] = {
		{"# {\"scope\": \"package\"}",
			"m.rego:2:1: annotation scope 'package' must be applied to package (have rule)"},
		{"# {\"scope\": \"x\"}", "m.rego:2:1: invalid annotation scope"},
		{"# {\"title\": [1]}", "m.rego:2:1: annotation field 'title' must be a string"},
		{"# {\"authors\": 1}", "m.rego:2:1: annotation field 'authors' must be a list"},
		{"# []", "m.rego:2:1: METADATA must be a mapping"},
		{"# null", "m.rego:2:1: expected METADATA block, found whitespace"},
		{"# {", "m.rego:2:1: "},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf source = {0}, out = {0};
		struct err e = {0};
		buf_printf(&source, "package a.b\n# METADATA\n%s\nr := 1\n", rows[i][0]);
		assert_int_equal(metadata(buf_str(&source), &out, &e), REGO_ERR_SYNTAX);
		if (!str_starts(e.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_bad_metadata),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
