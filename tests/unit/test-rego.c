/* SPDX-License-Identifier: Apache-2.0 */
/* The public interface of the policy engine: outcomes, budgets, built-ins, explanations. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/rego.h"

static struct rego_program *compile(const char *source)
{
	struct rego_program *p = NULL;
	struct err e = {0};
	int r = rego_compile("t.rego", slice_str(source), &p, &e);
	if (r < 0)
		fail_msg("%s", err_text(&e, r));
	return p;
}

static void check(const char *source, const char *input, const char *path, enum rego_outcome want,
	const char *want_json)
{
	cleanup(rego_program_free) struct rego_program *p = compile(source);
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	const struct rego_value *v;
	enum rego_outcome outcome;
	struct err e = {0};
	if (input)
		assert_int_equal(rego_eval_input_json(ev, slice_str(input), &e), 0);
	assert_int_equal(rego_eval_path(ev, path, &outcome, &v, &e), 0);
	assert_int_equal(outcome, want);
	if (want != REGO_VALUE) {
		assert_null(v);
		return;
	}
	cleanup_with(buf_done) struct buf text = {0};
	rego_json(&text, v);
	assert_string_equal(buf_str(&text), want_json);
}

static void test_outcomes(void **state)
{
	const char *src = "package policy\nallow if input.x == 1\nflag := false\n";
	check(src, "{\"x\":1}", "data.policy.allow", REGO_VALUE, "true");
	check(src, "{\"x\":2}", "data.policy.allow", REGO_UNDEFINED, NULL);
	check(src, "{\"x\":2}", "policy.flag", REGO_VALUE, "false");
	check(src, "{\"x\":2}", "data.policy.none", REGO_RULE_MISSING, NULL);
	check(src, NULL, "data.other", REGO_RULE_MISSING, NULL);
	check(src, NULL, "data.policy", REGO_VALUE, "{\"flag\":false}");
}

static void test_dialects(void **state)
{
	check("package p\nimport rego.v1\nq contains x if some x in [3, 1, 2]\n", NULL, "data.p.q",
		REGO_VALUE, "[1,2,3]");
	check("package p\ndefault allow = false\nallow { input.a; not input.b }\n", "{\"a\":1}",
		"data.p.allow", REGO_VALUE, "true");
	check("package p\nq[x] { x := [1, 2][_] }\nr[k] = v { v := {\"a\": 1}[k] }\n", NULL,
		"data.p", REGO_VALUE, "{\"q\":[1,2],\"r\":{\"a\":1}}");
	struct rego_compile_options o = {.dialect = REGO_DIALECT_V1};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
	struct err e = {0};
	assert_int_equal(
		rego_compiler_module(c, "a.rego", SLICE_LIT("package p\n\nallow { true }\n"), &e),
		REGO_ERR_SYNTAX);
	assert_string_equal(e.field, "rego_parse_error");
	assert_int_equal(strncmp(e.text, "a.rego:3:1: ", 12), 0);
}

static void expect_compile_error(const char *source, int code, const char *field, const char *where)
{
	struct rego_program *p = NULL;
	struct err e = {0};
	assert_int_equal(rego_compile("t.rego", slice_str(source), &p, &e), code);
	assert_string_equal(e.field, field);
	if (strncmp(e.text, where, strlen(where)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", e.text, where);
}

static void test_compile_errors(void **state)
{
	expect_compile_error("package p\nq if {\n\tx > 1\n}\n", REGO_ERR_COMPILE,
		"rego_unsafe_var_error", "t.rego:3:2: var x is unsafe");
	expect_compile_error("package p\nq if not r[_]\nr := [1]", REGO_ERR_COMPILE,
		"rego_unsafe_var_error", "t.rego:2:6: var _ is unsafe");
	expect_compile_error("package p\na if b\nb if a\n", REGO_ERR_COMPILE,
		"rego_recursion_error",
		"t.rego:2:1: rule data.p.a is recursive: data.p.a -> data.p.b -> data.p.a");
	expect_compile_error("package p\nq if nope(1)\n", REGO_ERR_COMPILE, "rego_type_error",
		"t.rego:2:6: undefined function nope");
	expect_compile_error(
		"package p\nq := [1, 2\n", REGO_ERR_SYNTAX, "rego_parse_error", "t.rego:3:1: ");
	expect_compile_error("package p\nq := 1\nq contains 2", REGO_ERR_COMPILE, "rego_type_error",
		"t.rego:2:1: conflicting rules data.p.q found");
}

static int eval_error(const char *source, const struct rego_eval_options *o, struct err *e)
{
	cleanup(rego_program_free) struct rego_program *p = compile(source);
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, o);
	const struct rego_value *v;
	enum rego_outcome outcome;
	return rego_eval_path(ev, "data.p.q", &outcome, &v, e);
}

static uint64_t fake_clock(void *cookie)
{
	static uint64_t now;
	return now += 10;
}

static void test_budgets(void **state)
{
	const char *loop = "package p\nn := numbers.range(1, 3000)\n"
			   "q := count([1 | some a in n; some b in n; some c in n; a + b == c])";
	struct rego_eval_options o = {.max_steps = 100000};
	struct err e = {0};
	assert_int_equal(eval_error(loop, &o, &e), REGO_ERR_STEPS);
	o = (struct rego_eval_options){.max_memory = 1 << 20};
	assert_int_equal(eval_error("package p\nq := [[a, b] | a := numbers.range(1, 1000)[_]; "
				    "b := numbers.range(1, 1000)[_]]",
				 &o, &e),
		REGO_ERR_MEMORY);
	o = (struct rego_eval_options){.max_time_ms = 100, .clock_ms = fake_clock};
	assert_int_equal(eval_error(loop, &o, &e), REGO_ERR_TIME);
	o = (struct rego_eval_options){.max_depth = 3};
	assert_int_equal(
		eval_error(
			"package p\nq := a\na := b\nb := c\nc := d\nd := 1 if input.x\n", &o, &e),
		REGO_ERR_DEPTH);
	o = (struct rego_eval_options){0};
	assert_int_equal(
		eval_error("package p\nq := x if some x in [1, 2]", &o, &e), REGO_ERR_CONFLICT);
	assert_string_equal(e.field, "eval_conflict_error");
	assert_int_equal(eval_error("package p\nq := 1 / 0", &o, &e), 0);
	o.strict_errors = true;
	assert_int_equal(eval_error("package p\nq := 1 / 0", &o, &e), REGO_ERR_BUILTIN);
	assert_string_equal(e.text, "t.rego:2: eval_builtin_error: div: divide by zero");
}

static int reference(struct rego_call *call, const struct rego_value *const *args, size_t count,
	const struct rego_value **ret)
{
	const char *json = rego_call_cookie(call);
	if (!slice_eq_str(rego_text(args[0]), "tpm_pcr09"))
		return 0;
	return rego_make_json(rego_call_eval(call), slice_str(json), ret, NULL);
}

static const char tpm_policy[] = "package policy\n"
				 "default executables := 33\n"
				 "executables := 3 if {\n"
				 "\tinput.tpm.pcr09 in query_reference_value(\"tpm_pcr09\")\n"
				 "}\n"
				 "allow if executables == 3\n";

static void test_explain(void **state)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	struct err e = {0};
	assert_int_equal(rego_compiler_builtin(c, "query_reference_value", 1, reference), 0);
	assert_int_equal(rego_compiler_module(c, "policy.rego", slice_str(tpm_policy), &e), 0);
	assert_int_equal(rego_compiler_finish(c, &p, &e), 0);
	char values[] = "[\"aa\", \"bb\"]";
	struct rego_eval_options o = {.cookie = values};
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, &o);
	rego_eval_explain(ev, true);
	const struct rego_value *v;
	enum rego_outcome outcome;
	assert_int_equal(
		rego_eval_input_json(ev, SLICE_LIT("{\"tpm\":{\"pcr09\":\"cc\"}}"), &e), 0);
	assert_int_equal(rego_eval_path(ev, "data.policy.allow", &outcome, &v, &e), 0);
	assert_int_equal(outcome, REGO_UNDEFINED);
	cleanup_with(buf_done) struct buf text = {0};
	rego_explain_text(ev, &text);
	assert_string_equal(buf_str(&text),
		"policy.rego:6: data.policy.allow: executables == 3: 33 is not equal to 3\n"
		"policy.rego:4: data.policy.executables: input.tpm.pcr09 in "
		"query_reference_value(\"tpm_pcr09\"): \"cc\" is not in [\"aa\", \"bb\"]\n");
	const struct rego_value *x = rego_explanation(ev);
	assert_int_equal(rego_count(x), 3);
	assert_true(slice_eq_str(
		rego_text(rego_member(rego_item(x, 1), "rule")), "data.policy.executables"));
	assert_true(slice_eq_str(rego_text(rego_member(rego_item(x, 2), "result")), "default"));
	const struct rego_value *expr = rego_item(rego_member(rego_item(x, 1), "expressions"), 0);
	assert_true(slice_eq_str(rego_text(rego_member(expr, "left")), "cc"));
	assert_int_equal(rego_count(rego_member(expr, "right")), 2);
}

static void test_json(void **state)
{
	static const struct {
		const char *text, *want;
	} good[] = {
		{"{\"b\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"b\":3}"},
		{" [1.0, 1e3, -0, 123456789012345678901234567890] ",
			"[1.0,1e3,-0,123456789012345678901234567890]"},
		{"\"\\u00e9\\ud83d\\ude00\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\""},
		{"\"\\u0001\\n\"", "\"\\u0001\\n\""},
	};
	static const char *const bad[] = {"", "{", "[1,]", "{\"a\"}", "01", "1.", "\"\\x\"", "nul",
		"[1] 2", "\"a", "{\"a\":1,}", "\"\t\"", "+1", "'a'"};
	cleanup(rego_program_free) struct rego_program *p = compile("package p");
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	const struct rego_value *v;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cleanup_with(buf_done) struct buf out = {0};
		assert_int_equal(rego_make_json(ev, slice_str(good[i].text), &v, NULL), 0);
		rego_json(&out, v);
		assert_string_equal(buf_str(&out), good[i].want);
		/* Every truncation is refused, or is a shorter number. */
		for (size_t n = 0; n < strlen(good[i].text); n++)
			(void)!rego_make_json(ev, slice_of(good[i].text, n), &v, NULL);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(rego_make_json(ev, slice_str(bad[i]), &v, NULL), -EBADMSG);
	cleanup_with(buf_done) struct buf deep = {0};
	for (int i = 0; i < 100000; i++)
		buf_put_u8(&deep, '[');
	assert_int_equal(rego_make_json(ev, buf_slice(&deep), &v, NULL), REGO_ERR_DEPTH);
}

static void test_reuse(void **state)
{
	cleanup(rego_program_free) struct rego_program *p =
		compile("package p\nq := input.n + data.k\n");
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	for (int i = 0; i < 100; i++) {
		char input[32];
		const struct rego_value *v;
		enum rego_outcome outcome;
		int64_t n = 0;
		snprintf(input, sizeof(input), "{\"n\":%d}", i);
		rego_eval_reset(ev);
		assert_int_equal(rego_eval_data_json(ev, SLICE_LIT("{\"k\":1000}"), NULL), 0);
		assert_int_equal(rego_eval_input_json(ev, slice_str(input), NULL), 0);
		assert_int_equal(rego_eval_path(ev, "data.p.q", &outcome, &v, NULL), 0);
		assert_int_equal(rego_int(v, &n), 0);
		assert_int_equal(n, i + 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_compile_errors),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_reuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
