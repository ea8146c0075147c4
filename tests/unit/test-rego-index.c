/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index over definitions: evaluation with it gives what evaluation without it gives (explaining
 * runs every definition), and costs the same however many definitions there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/rego.h"

static uint64_t g_random = 1;

static uint32_t below(uint32_t n)
{
	g_random ^= g_random << 13;
	g_random ^= g_random >> 7;
	g_random ^= g_random << 17;
	return (uint32_t)(g_random >> 33) % n;
}

/* Scalars that collide: numbers in several spellings, strings of one beginning. */
static const char *const g_values[] = {"0", "1", "1.0", "10e-1", "2", "-7", "\"a\"", "\"b\"",
	"\"prefix-of-many-1\"", "\"prefix-of-many-2\"", "\"\"", "true", "false", "null",
	"9223372036854775807", "9223372036854775808", "[1]", "{\"k\": 1}"};
static const char *const g_paths[] = {
	"input.a", "input.b", "input.c.d", "input[\"e\"]", "input.list[0]", "input"};

static const char *any_value(void)
{
	return g_values[below(ARRAY_COUNT(g_values))];
}

static void put_guard(struct buf *b)
{
	const char *path = g_paths[below(below(4) ? 3 : ARRAY_COUNT(g_paths))];
	switch (below(8)) {
	case 0:
		buf_printf(b, "\t%s == %s\n", any_value(), path);
		break;
	case 1:
		buf_printf(b, "\t%s = %s\n", path, any_value());
		break;
	case 2:
		buf_printf(b, "\t%s in [%s, %s]\n", path, any_value(), any_value());
		break;
	case 3:
		buf_printf(b, "\t%s in {%s, %s}\n", path, any_value(), any_value());
		break;
	case 4:
		buf_printf(b, "\tnot %s == %s\n", path, any_value());
		break;
	default:
		buf_printf(b, "\t%s == %s\n", path, any_value());
	}
}

static void put_rules(struct buf *b, uint32_t count)
{
	buf_put_str(b, "package p\n\nimport rego.v1\n\n");
	for (uint32_t i = 0; i < count; i++) {
		switch (below(5)) {
		case 0:
			buf_put_str(b, "allow if {\n");
			break;
		case 1:
			buf_printf(b, "one := %u if {\n", below(30) ? 1 : 2);
			break;
		case 2:
			buf_printf(b, "set contains %u if {\n", below(50));
			break;
		case 3:
			buf_printf(b, "object.k%u.x := %u if {\n", i, below(9));
			break;
		default:
			buf_printf(b, "f(x, %s) := 1 if {\n", below(2) ? any_value() : "_");
			buf_printf(b, "\tx == %s\n", any_value());
		}
		for (uint32_t k = below(3) + 1; k > 0; k--)
			put_guard(b);
		buf_put_str(b, below(6) ? "}\n\n" : "} else := false if {\n\tinput.a == 1\n}\n\n");
	}
	buf_put_str(b, "calls := [v | some x in input.list; some y in input.list; v := f(x, y)]\n"
		       "allow if false\nset contains 99 if false\none := 1 if false\n"
		       "f(x, y) := 1 if false\nobject.z.x := 1 if false\n");
}

static void put_input(struct buf *b)
{
	const char *v[8];
	for (size_t i = 0; i < ARRAY_COUNT(v); i++)
		v[i] = any_value();
	if (below(20) == 0) {
		buf_put_str(b, v[0]);
		return;
	}
	buf_printf(b, "{\"a\": %s, ", v[0]);
	if (below(3))
		buf_printf(b, "\"b\": %s, ", v[1]);
	buf_printf(b, "\"c\": {\"d\": %s}, \"e\": %s, \"list\": [%s, %s, %s]}", v[2], v[3], v[4],
		v[5], v[6]);
}

/* The result of a path as text, or the error. */
static void evaluate(
	struct rego_program *p, struct slice input, const char *path, bool all, struct buf *out)
{
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	const struct rego_value *v = NULL;
	enum rego_outcome outcome = 0;
	struct err e = {0};
	assert_int_equal(rego_eval_input_json(ev, input, &e), 0);
	rego_eval_explain(ev, all);
	int r = rego_eval_path(ev, path, &outcome, &v, &e);
	buf_printf(out, "%d %d %s ", r, (int)outcome, r < 0 ? e.text : "");
	if (r == 0 && v)
		rego_json(out, v);
}

static void test_same_result(void **state)
{
	static const char *const paths[] = {"allow", "one", "set", "object", "calls"};
	unsigned values = 0;
	for (unsigned round = 0; round < 300; round++) {
		cleanup_with(buf_done) struct buf source = {0};
		cleanup(rego_program_free) struct rego_program *p = NULL;
		struct err e = {0};
		put_rules(&source, 5 + below(60));
		if (rego_compile("t.rego", buf_slice(&source), &p, &e) < 0)
			continue; /* a rule that is always a conflict of types */
		for (unsigned i = 0; i < 20; i++) {
			cleanup_with(buf_done) struct buf input = {0};
			put_input(&input);
			for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
				char path[32];
				cleanup_with(buf_done) struct buf with = {0}, without = {0};
				snprintf(path, sizeof(path), "data.p.%s", paths[k]);
				evaluate(p, buf_slice(&input), path, false, &with);
				evaluate(p, buf_slice(&input), path, true, &without);
				if (!streq(buf_str(&with), buf_str(&without)))
					fail_msg("%s of\n%s\nwith input %s:\n%s\nall: %s", path,
						buf_str(&source), buf_str(&input), buf_str(&with),
						buf_str(&without));
				values += strchr(buf_str(&with), '1') != NULL;
			}
		}
	}
	assert_true(values > 1000); /* the rules do hold now and then */
}

/* Evaluates data.p.r over @count definitions, made of @format with its number for each '#'. */
static uint64_t steps(const char *format, unsigned count, const char *input, const char *want)
{
	cleanup_with(buf_done) struct buf source = {0}, got = {0};
	cleanup(rego_program_free) struct rego_program *p = NULL;
	struct err e = {0};
	buf_put_str(&source, "package p\n\nimport rego.v1\n\n");
	if (str_starts(format, "f("))
		buf_put_str(&source, "r := f(input, 1)\n");
	for (unsigned i = 0; i < count; i++)
		for (const char *c = format; *c; c++) {
			if (*c == '#')
				buf_printf(&source, "%u", i);
			else
				buf_printf(&source, "%c", *c);
		}
	assert_int_equal(rego_compile("t.rego", buf_slice(&source), &p, &e), 0);
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	const struct rego_value *v = NULL;
	enum rego_outcome outcome;
	assert_int_equal(rego_eval_input_json(ev, slice_str(input), &e), 0);
	assert_int_equal(rego_eval_path(ev, "data.p.r", &outcome, &v, &e), 0);
	assert_non_null(v);
	rego_json(&got, v);
	assert_string_equal(buf_str(&got), want);
	return rego_eval_steps(ev);
}

static void test_cost(void **state)
{
	static const struct {
		const char *what, *format, *input, *want;
	} cases[] = {
		{"one key", "r := # if input.x == \"value-#\"\n", "{\"x\": \"value-7\"}", "7"},
		{"two keys", "r := # if {\n\tinput.m == \"GET\"\n\tinput.a.b == #\n}\n",
			"{\"m\": \"GET\", \"a\": {\"b\": 7.0}}", "7"},
		{"in", "r := # if input.x in {\"a#\", \"b#\"}\n", "{\"x\": \"b7\"}", "7"},
		{"set", "r contains # if input.x == #\n", "{\"x\": 7}", "[7]"},
		{"object", "r[k] := # if {\n\tinput.x == #\n\tk := \"k\"\n}\n", "{\"x\": 7}",
			"{\"k\":7}"},
		{"argument", "f(x, _) := # if x.y == #\n", "{\"y\": 7}", "7"},
		{"head", "f(#, _) := #\n", "7", "7"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t few = steps(cases[i].format, 10, cases[i].input, cases[i].want);
		uint64_t many = steps(cases[i].format, 10000, cases[i].input, cases[i].want);
		if (many >= 3 * few)
			fail_msg("%s: %llu steps with 10 rules, %llu with 10,000", cases[i].what,
				(unsigned long long)few, (unsigned long long)many);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_result),
		cmocka_unit_test(test_cost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
