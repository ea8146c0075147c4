/* SPDX-License-Identifier: Apache-2.0 */
/*
 * husk's side of the policy engine benchmark (run.sh): one case, one line of JSON.
 *
 *   compile_us  modules from text to program
 *   eval_us     one evaluation; input and data are values already, results of the last one forgotten
 *   json_us     the same, from the text of the input on
 *
 * Times are processor time of the process, the best of ROUNDS rounds of at least MS milliseconds;
 * the programs for the peers count in the same way.
 *
 * usage: rego-bench-husk CASE-FOLDER [MS]
 */
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "rego/rego.h"

#define FILE_MAX ((size_t)64 << 20)
#define ROUNDS 5

struct bench {
	const char *folder;
	struct rego_program *empty, *program;
	struct rego_eval *holder; /* owns the documents */
	struct rego_eval *eval;
	const struct rego_value *meta, *input, *data;
	struct buf input_text;
	char path[256];
	uint64_t round_ns;
};

/* Calls of the allocator, counted by the wrappers that the linker puts in. */
static uint64_t g_allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	g_allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	g_allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	g_allocations++;
	return __real_realloc(p, size);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int query_reference_value(struct rego_call *call, const struct rego_value *const *args,
	size_t count, const struct rego_value **ret)
{
	const struct bench *b = rego_call_cookie(call);
	cleanup_with(buf_done) struct buf name = {0};
	buf_put_slice(&name, rego_text(args[0]));
	*ret = rego_member(rego_member(b->meta, "reference"), buf_str(&name));
	if (!*ret)
		*ret = rego_make_null();
	return 0;
}

static int read_file(const struct bench *b, const char *name, struct buf *out, struct err *e)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", b->folder, name);
	return file_read(path, FILE_MAX, out, e);
}

static int read_value(struct bench *b, const char *name, struct buf *text,
	const struct rego_value **ret, struct err *e)
{
	int r = read_file(b, name, text, e);
	return r < 0 ? r : rego_make_json(b->holder, buf_slice(text), ret, e);
}

static int load(struct bench *b, struct err *e)
{
	cleanup_with(buf_done) struct buf meta = {0}, data = {0};
	struct rego_eval_options o = {.max_memory = SIZE_MAX / 4};
	int r = rego_compile("empty.rego", SLICE_LIT("package empty"), &b->empty, e);
	if (r < 0)
		return r;
	b->holder = rego_eval_new(b->empty, &o);
	if (!b->holder)
		return -ENOMEM;
	r = read_value(b, "case.json", &meta, &b->meta, e);
	if (r == 0)
		r = read_value(b, "input.json", &b->input_text, &b->input, e);
	if (r == 0)
		r = read_value(b, "data.json", &data, &b->data, e);
	snprintf(b->path, sizeof(b->path), "%.*s",
		SLICE_ARG(rego_text(rego_member(b->meta, "path"))));
	return r;
}

static int compile(
	struct bench *b, const struct buf *module, struct rego_program **ret, struct err *e)
{
	const struct rego_value *names = rego_member(b->meta, "modules");
	struct rego_compile_options o = {.dialect = rego_is_true(rego_member(b->meta, "v0"))
							    ? REGO_DIALECT_V0
							    : REGO_DIALECT_ANY};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
	if (!c)
		return -ENOMEM;
	int r = rego_compiler_builtin(c, "query_reference_value", 1, query_reference_value);
	for (size_t i = 0; r == 0 && i < rego_count(names); i++) {
		char name[128];
		snprintf(name, sizeof(name), "%.*s", SLICE_ARG(rego_text(rego_item(names, i))));
		r = rego_compiler_module(c, name, buf_slice(&module[i]), e);
	}
	return r < 0 ? r : rego_compiler_finish(c, ret, e);
}

static int compile_time(struct bench *b, double *ret_us, struct err *e)
{
	struct buf module[64] = {0};
	const struct rego_value *names = rego_member(b->meta, "modules");
	uint64_t best = UINT64_MAX;
	int r = rego_count(names) > ARRAY_COUNT(module) ? -E2BIG : 0;
	for (size_t i = 0; r == 0 && i < rego_count(names); i++) {
		char name[128];
		snprintf(name, sizeof(name), "%.*s", SLICE_ARG(rego_text(rego_item(names, i))));
		r = read_file(b, name, &module[i], e);
	}
	for (int round = 0; r == 0 && round < ROUNDS; round++) {
		uint64_t start = cpu_ns(), count = 0;
		do {
			rego_program_free(b->program);
			b->program = NULL;
			r = compile(b, module, &b->program, e);
			count++;
		} while (r == 0 && cpu_ns() - start < b->round_ns);
		best = MIN(best, (cpu_ns() - start) / count);
	}
	*ret_us = (double)best / 1000;
	for (size_t i = 0; i < ARRAY_COUNT(module); i++)
		buf_done(&module[i]);
	return r;
}

static int evaluate(struct bench *b, bool from_text, const struct rego_value **ret, struct err *e)
{
	enum rego_outcome outcome;
	int r = 0;
	rego_eval_reset(b->eval);
	if (from_text)
		r = rego_eval_input_json(b->eval, buf_slice(&b->input_text), e);
	else
		rego_eval_input(b->eval, b->input);
	if (r == 0)
		r = rego_eval_data(b->eval, b->data);
	return r < 0 ? r : rego_eval_path(b->eval, b->path, &outcome, ret, e);
}

static int eval_time(struct bench *b, bool from_text, double *ret_us, struct err *e)
{
	const struct rego_value *v;
	uint64_t batch = 1;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = cpu_ns(), count = 0, took = 0;
		while (took < b->round_ns) {
			for (uint64_t i = 0; i < batch; i++, count++) {
				int r = evaluate(b, from_text, &v, e);
				if (r < 0)
					return r;
			}
			took = cpu_ns() - start;
			if (took < b->round_ns / 64)
				batch *= 2;
		}
		double us = (double)took / (double)count / 1000;
		if (round == 0 || us < *ret_us)
			*ret_us = us;
	}
	return 0;
}

static long peak_kib(void)
{
	cleanup_with(buf_done) struct buf status = {0};
	if (file_read("/proc/self/status", 1 << 16, &status, NULL) < 0)
		return 0;
	const char *p = strstr(buf_str(&status), "VmHWM:");
	return p ? strtol(p + 6, NULL, 10) : 0;
}

static int run(struct bench *b, struct err *e)
{
	double compile_us = 0, eval_us = 0, json_us = 0;
	const struct rego_value *v = NULL;
	int r = load(b, e);
	if (r == 0)
		r = compile_time(b, &compile_us, e);
	if (r < 0)
		return r;
	struct rego_eval_options o = {.cookie = b, .max_steps = UINT64_MAX};
	b->eval = rego_eval_new(b->program, &o);
	if (!b->eval)
		return -ENOMEM;
	r = eval_time(b, false, &eval_us, e);
	if (r == 0)
		r = eval_time(b, true, &json_us, e);
	uint64_t before = g_allocations;
	if (r == 0)
		r = evaluate(b, false, &v, e);
	if (r < 0)
		return r;
	uint64_t allocations = g_allocations - before;
	cleanup_with(buf_done) struct buf out = {0};
	buf_printf(&out,
		"{\"engine\":\"husk\",\"compile_us\":%.2f,\"eval_us\":%.3f,\"json_us\":%.3f,"
		"\"peak_kib\":%ld,\"allocations\":%llu,\"arena_bytes\":%zu,\"steps\":%llu,"
		"\"program_bytes\":%zu,\"value\":",
		compile_us, eval_us, json_us, peak_kib(), (unsigned long long)allocations,
		rego_eval_memory(b->eval), (unsigned long long)rego_eval_steps(b->eval),
		rego_program_size(b->program));
	if (v)
		rego_json(&out, v);
	else
		buf_put_str(&out, "null");
	buf_put_str(&out, "}");
	puts(buf_str(&out));
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t ms = 100;
	struct bench b = {.folder = argc > 1 ? argv[1] : "."};
	struct err e = {0};
	if (argc < 2 || (argc > 2 && parse_u32(slice_str(argv[2]), 1, 60000, &ms) < 0)) {
		fputs("usage: rego-bench-husk CASE-FOLDER [MS]\n", stderr);
		return 2;
	}
	b.round_ns = (uint64_t)ms * 1000000;
	int r = run(&b, &e);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", b.folder, err_text(&e, r));
	rego_eval_free(b.eval);
	rego_eval_free(b.holder);
	rego_program_free(b.program);
	rego_program_free(b.empty);
	buf_done(&b.input_text);
	return r < 0;
}
