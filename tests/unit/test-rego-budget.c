/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile policies and inputs: each ends with the error of its budget, or with a harmless answer, in
 * bounded memory and time. Every case runs in a process of its own whose address space and processor
 * time the kernel limits, so that an allocation beside the budget fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "rego/rego.h"

#ifdef __SANITIZE_ADDRESS__
/* Its memmem() looks at all of the text in each call, which makes a linear search quadratic. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "intercept_memmem=0";
}
#endif

#define ADDRESS_SPACE ((rlim_t)256 << 20)
#ifdef __SANITIZE_ADDRESS__
/* Each access costs many times as much: smaller budgets, and more time, say the same. */
#define CPU_SECONDS 120
#define MEMORY ((size_t)16 << 20)
#else
#define CPU_SECONDS 20
#define MEMORY ((size_t)32 << 20)
#endif
#define STEPS 2000000

/* What a case may end with. */
enum {
	FINE = 1,	/* a value, or undefined */
	STEP = 2,	/* REGO_ERR_STEPS */
	MEM = 4,	/* REGO_ERR_MEMORY */
	DEEP = 8,	/* REGO_ERR_DEPTH */
	TIME = 16,	/* REGO_ERR_TIME */
	BAD_INPUT = 32, /* the input is refused with REGO_ERR_DEPTH or REGO_ERR_MEMORY */
	NO_COMPILE = 64,
};

struct hostile {
	const char *name;
	const char *source; /* the rules; '@' stands for the made part */
	const char *repeat; /* what is made: this, @count times, '#' standing for the number */
	unsigned count;
	const char *input; /* likewise with '@' */
	int want;
};

static const struct hostile g_cases[] = {
	/* nesting */
	{"deep source", "r := @", "[", 100000, NULL, NO_COMPILE},
	{"deep parentheses", "r := @", "(", 100000, NULL, NO_COMPILE},
	{"deep comprehensions", "r := @", "[x | x := ", 100000, NULL, NO_COMPILE},
	{"deep objects", "r := @", "{\"a\": ", 100000, NULL, NO_COMPILE},
	{"deep every", "r if { @", "every x in [1] { ", 100000, NULL, NO_COMPILE},
	{"deep templates", "r := @", "$\"{", 100000, NULL, NO_COMPILE},
	{"long sum", "r := 1@", "+ 1", 100000, NULL, FINE | NO_COMPILE},
	{"long reference", "r := input@", ".a", 50000, NULL, FINE | NO_COMPILE},
	{"long else", "r := 1 if { false }@", " else := # if { false }", 150000, NULL,
		FINE | NO_COMPILE},
	{"deep input", "r := input", "[", 1000000, "@", BAD_INPUT},
	{"deep input objects", "r := input", "{\"a\":", 1000000, "@", BAD_INPUT},
	{"deep text", "r := json.unmarshal(input)", "[", 1000000, "\"@\"", FINE | DEEP},
	{"deep document", "@\nr := v0", "v# := [w#]\nw# := v1#\n", 1, NULL, FINE | NO_COMPILE},
	{"chain of functions", "@\nf5000(x) := x\nr := f0(1)", "f#(x) := f^(x)\n", 5000, NULL,
		DEEP},
	{"chain of rules", "@\nv5000 := 1\nr := v0", "v# := v^\n", 5000, NULL, DEEP},
	{"deep value", "@\nv400 := 1\nr := v0", "v# := [[[[v^]]]]\n", 400, NULL, DEEP},
	{"walk deep", "@\nv400 := 1\nr := count([p | walk(v0, [p, _])])", "v# := [v^]\n", 400, NULL,
		FINE},
	/* numbers */
	{"huge exponent", "r := input + 1", NULL, 0, "1e1000000000", MEM},
	{"huge exponent compared", "r if input > 1e999999999", NULL, 0, "1e1000000000", FINE},
	{"huge exponent floor", "r := floor(input)", NULL, 0, "1e1000000000", MEM},
	{"huge exponent round", "r := round(input)", NULL, 0, "-1e-1000000000", FINE | MEM},
	{"huge exponent rem", "r := input % 7", NULL, 0, "1e1000000000", FINE | MEM},
	{"huge exponent product", "r := product([input, input])", NULL, 0, "1e1000000000", MEM},
	{"huge exponent text", "r := format_int(input, 10)", NULL, 0, "1e1000000000", FINE | MEM},
	{"huge exponent %d", "r := sprintf(\"%d %v %s\", [input, input, input])", NULL, 0,
		"1e1000000000", FINE | MEM},
	{"huge exponent %f", "r := sprintf(\"%f\", [input])", NULL, 0, "1e1000000000", FINE | MEM},
	{"huge exponent read", "r := to_number(input) * 2", NULL, 0, "\"1e1000000000\"",
		FINE | MEM},
	{"huge exponent index", "r := [1, 2][input]", NULL, 0, "1e1000000000", FINE},
	{"huge exponent in exponent", "r := input * 2", "9", 100000, "1e@", FINE | MEM},
	{"ten million digits", "r := input", "1234567890", 1000000, "@", FINE | BAD_INPUT | MEM},
	{"ten million digits squared", "r := input * input", "1234567890", 1000000, "@",
		MEM | STEP | BAD_INPUT},
	{"long digits squared", "r := input * input", "1234567890", 3000, "@", FINE | MEM | STEP},
	{"long fraction", "r := input / 3", "1234567890", 100000, "0.@", FINE | MEM | STEP},
	{"squares", "@\nv64 := 3\nr := v0", "v# := v^ * v^\n", 64, NULL, MEM | STEP},
	{"many products", "r := [z | some x in numbers.range(1, 100000); z := input * input]",
		"1234567890", 3000, "@", MEM | STEP},
	{"many quotients", "r := [z | some x in numbers.range(1, 100000); z := input % 1@1]",
		"1234567890", 1500, "1@2@", MEM | STEP},
	{"shift left", "r := bits.lsh(1, input)", NULL, 0, "1000000000", FINE | MEM},
	{"shift left absurdly", "r := bits.lsh(1, input)", NULL, 0, "1e18", FINE | MEM},
	{"shifts", "r := [z | some x in numbers.range(1, 1000000); z := bits.lsh(1, 200000)]", NULL,
		0, NULL, MEM | STEP},
	{"units", "r := units.parse_bytes(input)", NULL, 0, "\"1e1000000000Ei\"", FINE | MEM},
	{"units digits", "r := units.parse(input)", "9", 1000000, "\"@Ki\"", FINE | MEM | STEP},
	/* loops */
	{"product of loops",
		"r := [1 | some a in x; some b in x; some c in x; some d in x; some e in x; a == 1000]\n"
		"x := numbers.range(1, 100)",
		NULL, 0, NULL, STEP},
	{"product that is kept",
		"r := [[a, b, c, d] | some a in x; some b in x; some c in x;\n"
		"some d in x]\nx := numbers.range(1, 100)",
		NULL, 0, NULL, MEM},
	{"set that is kept",
		"r := {[a, b, c] | some a in x; some b in x; some c in x}\n"
		"x := numbers.range(1, 1000)",
		NULL, 0, NULL, MEM | STEP},
	{"nested every",
		"r if { every a in x { every b in x { every c in x { every d in x {\n"
		"a + b + c + d > 0 } } } } }\nx := numbers.range(1, 100)",
		NULL, 0, NULL, STEP | MEM},
	{"nested not",
		"r if { not q }\nq if { some a in x; some b in x; some c in x; some d in x;\n"
		"a + b + c == d * 1000 }\nx := numbers.range(1, 100)",
		NULL, 0, NULL, STEP | MEM},
	{"functions that call twice", "@\nf60(x) := x\nr := f0(1)", "f#(x) := f^(x + 1) + f^(x)\n",
		60, NULL, FINE | STEP},
	{"functions that call the same twice", "@\nf400(x) := x\nr := f0(1)",
		"f#(x) := f^(x) + f^(x)\n", 400, NULL, FINE},
	{"with in a loop",
		"r := [z | some a in x; z := q with input as a]\nq := input + 1\n"
		"x := numbers.range(1, 1000000)",
		NULL, 0, NULL, STEP | MEM},
	/* values that share their parts */
	{"doubled arrays", "@\nv64 := [1]\nr := v0", "v# := [v^, v^]\n", 64, NULL, MEM},
	{"doubled arrays compared",
		"@\nv24 := [1]\nw24 := [1]\nr if { some x in numbers.range(1, 1000);"
		"v0 == w0; x < 0 }",
		"v# := [v^, v^]\nw# := [w^, w^]\n", 24, NULL, STEP},
	{"doubled arrays as text", "@\nv24 := \"0123456789\"\nr := json.marshal(v0)",
		"v# := [v^, v^]\n", 24, NULL, MEM},
	{"doubled arrays walked", "@\nv24 := [1]\nr := count([1 | walk(v0, _)])",
		"v# := [v^, v^]\n", 24, NULL, MEM | STEP},
	{"doubled by concat", "@\nv40 := [1]\nr := v0", "v# := array.concat(v^, v^)\n", 40, NULL,
		MEM},
	{"doubled by flatten", "@\nv40 := [1]\nr := v0", "v# := array.flatten([v^, v^])\n", 40,
		NULL, MEM},
	{"doubled strings", "@\nv40 := \"a\"\nr := v0", "v# := concat(\"\", [v^, v^])\n", 40, NULL,
		MEM},
	{"doubled sprintf", "@\nv40 := \"a\"\nr := v0", "v# := sprintf(\"%s%s\", [v^, v^])\n", 40,
		NULL, MEM},
	{"doubled templates", "@\nv40 := \"a\"\nr := v0", "v# := $\"{v^}{v^}\"\n", 40, NULL, MEM},
	{"doubled by replace", "@\nv40 := \"aa\"\nr := v0", "v# := replace(v^, \"a\", \"aa\")\n",
		40, NULL, MEM},
	{"doubled by empty replace", "@\nv40 := \"aa\"\nr := v0",
		"v# := replace(v^, \"\", \"aa\")\n", 40, NULL, MEM},
	{"doubled by pattern", "@\nv40 := \"aa\"\nr := v0",
		"v# := regex.replace(v^, \"a\", \"aa\")\n", 40, NULL, MEM | STEP},
	{"doubled by replace_n", "@\nv40 := \"aa\"\nr := v0",
		"v# := strings.replace_n({\"a\": \"aa\"}, v^)\n", 40, NULL, MEM},
	{"doubled by encoding", "@\nv100 := \"aa\"\nr := v0", "v# := base64.encode(v^)\n", 100,
		NULL, MEM},
	{"doubled by hex", "@\nv100 := \"aa\"\nr := v0", "v# := hex.encode(v^)\n", 100, NULL, MEM},
	{"doubled by urlquery", "@\nv100 := \"%%\"\nr := v0", "v# := urlquery.encode(v^)\n", 100,
		NULL, MEM | FINE},
	{"doubled by json", "@\nv100 := \"\\\"\"\nr := v0", "v# := json.marshal(v^)\n", 100, NULL,
		MEM},
	{"doubled by patch", "@\nv40 := {}\nr := v0",
		"v# := json.patch({\"a\": v^}, [{\"op\": \"copy\", \"from\": \"/a\", \"path\": \"/b\"}])\n",
		40, NULL, MEM | STEP},
	{"union_n", "r := object.union_n([x | some i in numbers.range(1, 100000); x := {i: 1}])",
		NULL, 0, NULL, MEM | STEP},
	{"unions", "@\nv300 := {}\nr := v0", "v# := object.union(v^, {\"k#\": v^})\n", 300, NULL,
		MEM | STEP | DEEP | FINE},
	/* patterns */
	{"stars of stars", "r := regex.match(`^(a*)*(a*)*(a*)*b$`, input)", "a", 1000000, "\"@\"",
		STEP | FINE},
	{"many dots", "r := regex.match(`.*.*.*.*.*.*.*.*x$`, input)", "a", 1000000, "\"@\"",
		STEP | FINE},
	{"optional and not", "r := regex.match(input, \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")", "a?",
		10000, "\"@a@\"", FINE | STEP},
	{"counted repetition", "r := regex.match(`((((a{100}){100}){100}){100}){100}`, input)", "a",
		1000, "\"@\"", FINE},
	{"counted classes", "r := regex.match(`(\\\\pL{1000}|\\\\w{1000}){3}`, input)", "a", 100000,
		"\"@\"", FINE | STEP},
	{"deep groups", "r := regex.is_valid(input)", "(", 1000000, "\"@\"", FINE | MEM},
	{"many groups", "r := regex.find_all_string_submatch_n(input, \"aaaa\", -1)", "(a)?", 5000,
		"\"@\"", FINE | MEM | STEP},
	{"many alternatives", "r := regex.match(input, \"b\")", "a|", 1000000, "\"@\"",
		FINE | MEM | STEP},
	{"many matches", "r := regex.find_n(\"a\", input, -1)", "a", 3000000, "\"@\"", MEM | STEP},
	{"many patterns",
		"r := [1 | some i in numbers.range(1, 1000000);\n"
		"regex.match(sprintf(\"(a%d|b){50}\", [i]), \"a\")]",
		NULL, 0, NULL, STEP | MEM},
	{"glob of braces", "r := glob.match(input, [], \"b\")", "{a,b}", 100000, "\"@\"",
		FINE | MEM | STEP},
	{"glob of stars", "r := glob.match(\"*a*a*a*a*a*a*a*b\", [], input)", "a", 1000000, "\"@\"",
		FINE | STEP},
	/* built-ins */
	{"wide %d", "r := sprintf(\"%1000000000d\", [1])", NULL, 0, NULL, FINE | MEM},
	{"precise %f", "r := sprintf(\"%.1000000000f\", [1])", NULL, 0, NULL, FINE | MEM},
	{"wide %s", "r := sprintf(\"%-99999999s|%099999999x\", [\"a\", 1])", NULL, 0, NULL,
		FINE | MEM},
	{"huge concat", "r := concat(input.s, [\"a\" | some x in numbers.range(1, 10000)])", NULL,
		0, "{\"s\": \"a\"}", FINE | MEM},
	{"wide concat", "r := concat(input, [\"\" | some x in numbers.range(1, 10000)])", "a",
		100000, "\"@\"", MEM},
	{"long range", "r := count(numbers.range(1, 1000000000))", NULL, 0, NULL, MEM | STEP},
	{"absurd range", "r := count(numbers.range(-1e30, 1e30))", NULL, 0, NULL,
		FINE | MEM | STEP},
	{"stepped range", "r := count(numbers.range_step(1, 1000000000, 2))", NULL, 0, NULL,
		MEM | STEP},
	{"all addresses", "r := count(net.cidr_expand(\"0.0.0.0/0\"))", NULL, 0, NULL, MEM | STEP},
	{"all addresses of six", "r := count(net.cidr_expand(\"::/0\"))", NULL, 0, NULL,
		MEM | STEP},
	{"merged addresses",
		"r := count(net.cidr_merge([x | some i in numbers.range(1, 100000);\n"
		"x := sprintf(\"10.%d.%d.0/24\", [(i / 256) % 256, i % 256])]))",
		NULL, 0, NULL, FINE | STEP | MEM},
	{"all matches of addresses",
		"x := [sprintf(\"10.0.%d.%d/32\", [a, b]) | some a in\n"
		"numbers.range(0, 200); some b in numbers.range(0, 200)]\n"
		"r := count(net.cidr_contains_matches(x, x))",
		NULL, 0, NULL, STEP | MEM},
	{"paths of a graph",
		"g[x] := numbers.range(0, 30) if some x in numbers.range(0, 30)\n"
		"r := count(graph.reachable_paths(g, {0}))",
		NULL, 0, NULL, STEP | MEM | DEEP},
	{"long path of a graph",
		"g[x] := [x + 1] if some x in numbers.range(0, 20000)\n"
		"r := count(graph.reachable_paths(g, {0}))",
		NULL, 0, NULL, FINE | STEP | MEM | DEEP},
	{"patches",
		"r := json.patch(input, [{\"op\": \"add\", \"path\": \"/0\", \"value\": i} |\n"
		"some i in numbers.range(1, 100000)])",
		NULL, 0, "[]", MEM | STEP},
	{"all places", "r := indexof_n(input, \"a\")", "a", 3000000, "\"@\"", MEM | STEP},
	{"quadratic search",
		"r := [1 | some x in numbers.range(1, 100000); contains(input, input)]", "a",
		1000000, "\"@\"", STEP | MEM},
	{"needle in hay", "r := contains(input.h, concat(\"\", [input.n, \"b\"]))", "a", 500000,
		"{\"h\": \"@@\", \"n\": \"@\"}", FINE | STEP},
	{"all prefixes",
		"x := [sprintf(\"%d\", [i]) | some i in numbers.range(1, 20000)]\n"
		"r := strings.any_prefix_match(x, [\"x\"]) \n",
		NULL, 0, NULL, FINE | STEP | MEM},
	{"many prefixes",
		"x := [concat(\"\", [input, sprintf(\"%d\", [i])]) | some i in\n"
		"numbers.range(1, 3000)]\ny := [concat(\"\", [z, \"!\"]) | some z in x]\n"
		"r := strings.any_prefix_match(x, y)",
		"a", 500, "\"@\"", FINE | STEP | MEM},
	{"split", "r := split(input, \"\")", "a", 4000000, "\"@\"", MEM},
	{"replace_n of many",
		"r := strings.replace_n({x: \"b\" | some i in numbers.range(1, 5000);\n"
		"x := sprintf(\"%s%d\", [\"aaaaaaaaaaaa\", i])}, input)",
		"a", 1000000, "\"@\"", FINE | STEP | MEM},
	{"sorted", "r := sort([x | some i in numbers.range(1, 200000); x := (i * 7919) % 200003])",
		NULL, 0, NULL, FINE | STEP | MEM},
	{"semver", "r := semver.compare(input, input)", "1.", 1000000, "\"@1\"", FINE},
	{"any of arrays",
		"r := [1 | some i in numbers.range(1, 100000); -1 in x]\n"
		"x := numbers.range(1, 100000)",
		NULL, 0, NULL, STEP},
};

/* @format with each '#' replaced by @number, each '^' by the number after it. */
static void put_numbered(struct buf *out, const char *format, unsigned number)
{
	for (const char *c = format; *c; c++) {
		if (*c == '#' || *c == '^')
			buf_printf(out, "%u", number + (*c == '^'));
		else
			buf_put_u8(out, (uint8_t)*c);
	}
}

static void put_made(struct buf *out, const char *format, const struct hostile *h)
{
	for (const char *c = format; *c; c++) {
		if (*c != '@') {
			buf_put_u8(out, (uint8_t)*c);
			continue;
		}
		for (unsigned i = 0; i < h->count; i++)
			put_numbered(out, h->repeat, i);
	}
}

static uint64_t ticks(void *cookie)
{
	uint64_t *calls = cookie;
	return ++*calls;
}

static int outcome_of(int r)
{
	switch (r) {
	case 0:
		return FINE;
	case REGO_ERR_STEPS:
		return STEP;
	case REGO_ERR_MEMORY:
		return MEM;
	case REGO_ERR_DEPTH:
		return DEEP;
	case REGO_ERR_TIME:
		return TIME;
	default:
		return 0;
	}
}

static int run(const struct hostile *h, const struct rego_eval_options *o, struct err *e)
{
	cleanup_with(buf_done) struct buf source = buf_init(0), input = buf_init(0);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	enum rego_outcome outcome;
	const struct rego_value *v;
	buf_put_str(&source, "package p\n\nimport rego.v1\n\n");
	put_made(&source, h->source, h);
	int r = rego_compile("hostile.rego", buf_slice(&source), &p, e);
	if (r < 0)
		return NO_COMPILE;
	put_made(&input, h->input ? h->input : "null", h);
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, o);
	if (!ev)
		return 0;
	r = rego_eval_input_json(ev, buf_slice(&input), e);
	if (r == REGO_ERR_DEPTH || r == REGO_ERR_MEMORY)
		return BAD_INPUT;
	if (r == 0)
		r = rego_eval_path(ev, "data.p.r", &outcome, &v, e);
	return outcome_of(r);
}

static void limit(int what, rlim_t value)
{
	const struct rlimit l = {value, value};
	if (setrlimit(what, &l) < 0)
		_exit(0);
}

static bool child(const struct hostile *h, const struct rego_eval_options *o)
{
	struct err e = {0};
#ifndef __SANITIZE_ADDRESS__
	limit(RLIMIT_AS, ADDRESS_SPACE);
#endif
	limit(RLIMIT_CPU, CPU_SECONDS);
	int got = run(h, o, &e);
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	if (getenv("HUSK_TEST_TIMES"))
		fprintf(stderr, "%6ld ms %7ld KiB %s\n",
			used.ru_utime.tv_sec * 1000 + used.ru_utime.tv_usec / 1000, used.ru_maxrss,
			h->name);
	if (!(got & h->want))
		fprintf(stderr, "%s: ended with %d, wanted %d: %s\n", h->name, got, h->want,
			e.text);
	return got & h->want;
}

static bool isolated(const struct hostile *h, const struct rego_eval_options *o)
{
	int status = 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(child(h, o) ? 0 : 1);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: killed by signal %d\n", h->name, WTERMSIG(status));
	return status == 0;
}

static void test_hostile(void **state)
{
	const struct rego_eval_options o = {.max_memory = MEMORY, .max_steps = STEPS};
	unsigned failed = 0;
	for (size_t i = 0; i < ARRAY_COUNT(g_cases); i++)
		failed += !isolated(&g_cases[i], &o);
	assert_int_equal(failed, 0);
}

/* The same with the clock as the only limit: it runs out at the tenth look. */
static void test_time(void **state)
{
	static const char *const long_ones[] = {"product of loops", "stars of stars", "many dots",
		"many products", "doubled arrays compared", "any of arrays", "quadratic search",
		"many patterns", "nested every"};
	unsigned failed = 0;
	for (size_t i = 0; i < ARRAY_COUNT(g_cases); i++)
		for (size_t k = 0; k < ARRAY_COUNT(long_ones); k++) {
			if (!streq(g_cases[i].name, long_ones[k]))
				continue;
			uint64_t calls = 0;
			const struct rego_eval_options o = {.max_memory = MEMORY,
				.max_steps = UINT64_MAX,
				.max_time_ms = 10,
				.clock_ms = ticks,
				.cookie = &calls};
			struct hostile h = g_cases[i];
			h.want = TIME;
			failed += !isolated(&h, &o);
		}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
