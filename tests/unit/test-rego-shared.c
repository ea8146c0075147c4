/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One program, many evaluators: everything that a compiled program consists of is made read-only, so
 * that a write during evaluation kills the test, and evaluators take turns and run in processes that
 * share it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/rego.h"

/* While g_fence is set, calloc() takes memory from here and free() gives none back. */
#define FENCE_SIZE ((size_t)64 << 20)
static uint8_t *g_area;
static size_t g_area_used;
static bool g_fence;

void *__real_calloc(size_t count, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *p);

void *__wrap_calloc(size_t count, size_t size)
{
	if (!g_fence)
		return __real_calloc(count, size);
	size_t need = (count * size + 15) & ~(size_t)15;
	assert_true(need <= FENCE_SIZE - g_area_used);
	void *p = g_area + g_area_used;
	g_area_used += need;
	return p;
}

void __wrap_free(void *p)
{
	uintptr_t at = (uintptr_t)p, area = (uintptr_t)g_area;
	if (at < area || at >= area + FENCE_SIZE)
		__real_free(p);
}

static const char g_source[] =
	"package p\n\nimport rego.v1\n\n"
	"default allow := false\n"
	"allow if { input.user in {\"a\", \"b\"}; not denied }\n"
	"denied if regex.match(`^x[0-9]+$`, input.name)\n"
	"denied if glob.match(\"*.bad\", [\".\"], input.name)\n"
	"level := 1 if input.n < 10 else := 2 if input.n < 100 else := 3\n"
	"names contains sprintf(\"%s-%d\", [x, i]) if some i, x in input.list\n"
	"sizes[x] := count(x) if some x in input.list\n"
	"tree.a[x].b := i if some i, x in input.list\n"
	"f(x, 0) := x\nf(x, y) := x * y + 0.5 if y > 0\nf(x, \"s\") := \"s\"\n"
	"r1 if input.k == 1\nr1 if input.k == 2\nr1 if input.k == 3\nr1 if input.k == \"z\"\n"
	"r1 if input.k == null\n"
	"calls := [v | some x in [0, 1, 2, \"s\"]; v := f(input.n, x)]\n"
	"mocked := x if { x := f(1, 1) with f as 7 with input as {} }\n"
	"deep := [p | walk(input, [p, _])]\n"
	"every_one if { every x in input.list { count(x) > 0 } }\n"
	"patched := json.patch(input, [{\"op\": \"add\", \"path\": \"/list/-\", \"value\": 1}])\n"
	"big := input.n * 100000000000000000000000000000\n"
	"dynamic := {k: v | some k in [\"u\", \"v\"]; v := data.q[k]}\n"
	"text := $\"{input.n} is {level}\"\n"
	"from_data := data.base.x\n"
	"all_of := {\"c\": ({1, 2, 3} | {3, 4}), \"d\": [2][_]} if { print(\"seen\", input.n) }\n"
	"x if { some i; input.list[i] == \"bb\"; i > 0 }\n";

static const char g_other[] = "package q\n\nu := input.n + 1\nv contains input.user\n";

static struct rego_program *compile_fenced(unsigned *ret_query)
{
	struct rego_program *p = NULL;
	struct err e = {0};
	g_area = mmap(NULL, FENCE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g_area != MAP_FAILED);
	g_area_used = 0;
	g_fence = true;
	struct rego_compiler *c = rego_compiler_new(NULL);
	int r = rego_compiler_module(c, "p.rego", slice_str(g_source), &e);
	if (r == 0)
		r = rego_compiler_module(c, "q.rego", slice_str(g_other), &e);
	if (r == 0)
		r = rego_compiler_query(c, SLICE_LIT("x := data.p.sizes[k]"), ret_query, &e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, &e);
	rego_compiler_free(c);
	g_fence = false;
	if (r < 0)
		fail_msg("%s", err_text(&e, r));
	assert_true(g_area_used > rego_program_size(p));
	assert_int_equal(mprotect(g_area, FENCE_SIZE, PROT_READ), 0);
	return p;
}

static void drop(void *cookie, struct slice line)
{
}

/* The whole package and the query, as text. */
static void evaluate(struct rego_eval *ev, unsigned query, unsigned n, struct buf *out)
{
	cleanup_with(buf_done) struct buf input = {0};
	const struct rego_value *v = NULL;
	enum rego_outcome outcome;
	struct err e = {0};
	buf_printf(&input,
		"{\"user\": \"%c\", \"name\": \"x%u\", \"n\": %u, \"k\": %u, "
		"\"list\": [\"a\", \"bb\", \"a%u\"]}",
		n % 2 ? 'a' : 'z', n, n * 7, n % 5, n);
	rego_eval_reset(ev);
	rego_eval_explain(ev, n % 3 == 0);
	assert_int_equal(rego_eval_input_json(ev, buf_slice(&input), &e), 0);
	assert_int_equal(rego_eval_data_json(ev, SLICE_LIT("{\"base\": {\"x\": [1]}}"), &e), 0);
	int r = rego_eval_path(ev, "data.p", &outcome, &v, &e);
	if (r < 0)
		fail_msg("%s", err_text(&e, r));
	rego_json(out, v);
	assert_int_equal(rego_eval_query(ev, query, &v, &e), 0);
	rego_json(out, v);
	cleanup_with(buf_done) struct buf text = {0};
	rego_explain_text(ev, &text);
}

static void test_shared(void **state)
{
	unsigned query = 0;
	struct rego_program *p = compile_fenced(&query);
	struct rego_eval_options o = {.print = drop};
	struct rego_eval *ev[3] = {
		rego_eval_new(p, NULL), rego_eval_new(p, &o), rego_eval_new(p, NULL)};
	for (unsigned n = 0; n < 60; n++) {
		cleanup_with(buf_done) struct buf first = {0};
		evaluate(ev[0], query, n, &first);
		assert_non_null(strstr(buf_str(&first), "\"calls\":["));
		for (size_t i = 1; i < ARRAY_COUNT(ev); i++) {
			cleanup_with(buf_done) struct buf other = {0};
			evaluate(ev[i], query, n, &other);
			assert_string_equal(buf_str(&first), buf_str(&other));
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(ev); i++)
		rego_eval_free(ev[i]);
}

static void test_processes(void **state)
{
	unsigned query = 0;
	struct rego_program *p = compile_fenced(&query);
	cleanup_with(buf_done) struct buf want = {0};
	struct rego_eval *ev = rego_eval_new(p, NULL);
	for (unsigned n = 0; n < 20; n++)
		evaluate(ev, query, n, &want);
	pid_t pid[4];
	for (size_t i = 0; i < ARRAY_COUNT(pid); i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0) {
			cleanup_with(buf_done) struct buf got = {0};
			struct rego_eval *own = rego_eval_new(p, NULL);
			for (unsigned n = 0; n < 20; n++)
				evaluate(own, query, n, &got);
			_exit(!streq(buf_str(&got), buf_str(&want)));
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(pid); i++) {
		int status = -1;
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	rego_eval_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
