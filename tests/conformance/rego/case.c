/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "regoext/regoext.h"
#include "runner.h"

#define FILE_MAX ((size_t)16 << 20)
#define NOW_NS 1700000000000000000

int case_parse(struct test_case *t, struct slice line, struct err *reterr)
{
	int r = rego_compile("empty.rego", SLICE_LIT("package empty"), &t->empty, reterr);
	if (r < 0)
		return r;
	t->holder = rego_eval_new(t->empty, NULL);
	if (!t->holder)
		return -ENOMEM;
	r = rego_make_json(t->holder, line, &t->json, reterr);
	if (r < 0)
		return r;
	struct slice note = rego_text(rego_member(t->json, "note"));
	snprintf(t->note, sizeof(t->note), "%.*s", SLICE_ARG(note));
	return 0;
}

void case_done(struct test_case *t)
{
	rego_eval_free(t->holder);
	rego_program_free(t->empty);
}

void state_done(struct state *s)
{
	rego_eval_free(s->holder);
	rego_program_free(s->program);
	*s = (struct state){0};
}

static const char *text_of(const struct rego_value *json, const char *name, char *dst, size_t size)
{
	snprintf(dst, size, "%.*s", SLICE_ARG(rego_text(rego_member(json, name))));
	return dst;
}

static struct slice json_text(struct buf *b, const struct rego_value *v)
{
	rego_json(b, v);
	return buf_slice(b);
}

/* The reference values of an attestation policy are in the case. */
static int query_reference_value(struct rego_call *call, const struct rego_value *const *args,
	size_t count, const struct rego_value **ret)
{
	const struct rego_value *reference = rego_call_cookie(call);
	cleanup_with(buf_done) struct buf name = {0};
	buf_put_slice(&name, rego_text(args[0]));
	*ret = reference ? rego_member(reference, buf_str(&name)) : NULL;
	if (!*ret)
		*ret = rego_make_null();
	return 0;
}

/* A helper of OPA's suite. Time does not pass within an evaluation, so there is nothing to wait for. */
static int test_sleep(struct rego_call *call, const struct rego_value *const *args, size_t count,
	const struct rego_value **ret)
{
	*ret = rego_make_null();
	return 0;
}

static int read_module(const char *folder, const char *sub, const char *name, struct buf *out)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s%s", folder, sub, name);
	return file_read(path, FILE_MAX, out, NULL);
}

/* Modules are texts, or names of files beside the case. */
static int add_module(struct test_case *t, struct rego_compiler *c, struct slice text, size_t index,
	struct err *e)
{
	char name[200];
	snprintf(name, sizeof(name), "test-%zu.rego", index);
	bool is_file = text.size < sizeof(name) && !memchr(text.data, '\n', text.size) &&
		       text.size > 5 && slice_eq_str(slice_cut(text, text.size - 5, 5), ".rego");
	if (!is_file)
		return rego_compiler_module(c, name, text, e);
	cleanup_with(buf_done) struct buf source = {0};
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(text));
	int r = read_module(t->folder, "", name, &source);
	return r < 0 ? err_set(e, r, "cannot read %s", name)
		     : rego_compiler_module(c, name, buf_slice(&source), e);
}

struct rego_program *policy_program(struct test_case *t, const char *name,
	enum rego_dialect dialect, char *why, size_t why_size)
{
	struct state *s = t->state;
	char key[4096];
	snprintf(key, sizeof(key), "%s/%s", t->folder, name);
	if (s->program && streq(key, s->policy))
		return s->program;
	cleanup_with(buf_done) struct buf source = {0};
	struct err e = {0};
	if (read_module(t->folder, "", name, &source) < 0 &&
		read_module(t->folder, "policies/", name, &source) < 0) {
		snprintf(why, why_size, "cannot read %s", name);
		return NULL;
	}
	struct rego_compile_options o = {.dialect = dialect};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
	struct rego_program *p = NULL;
	int r = rego_compiler_builtin(c, "query_reference_value", 1, query_reference_value);
	if (r == 0)
		r = rego_compiler_module(c, name, buf_slice(&source), &e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, &e);
	if (r < 0) {
		snprintf(why, why_size, "%s", err_text(&e, r));
		return NULL;
	}
	rego_program_free(s->program);
	s->program = p;
	snprintf(s->policy, sizeof(s->policy), "%s", key);
	return p;
}

static int set_documents(struct test_case *t, struct rego_eval *e, struct err *err)
{
	const struct rego_value *input = rego_member(t->json, "input");
	const struct rego_value *data = rego_member(t->json, "data");
	if (input)
		rego_eval_input(e, input);
	return data ? rego_eval_data(e, data) : 0;
}

/* A decision of one rule: want_value. */
static enum outcome run_rule(struct test_case *t, char *why, size_t size)
{
	char policy[256], rule[256];
	enum rego_outcome outcome;
	const struct rego_value *got = NULL, *want = rego_member(t->json, "want_value");
	struct err e = {0};
	bool v0 = rego_is_true(rego_member(t->json, "rego_v0"));
	struct rego_program *p =
		policy_program(t, text_of(t->json, "policy", policy, sizeof(policy)),
			v0 ? REGO_DIALECT_V0 : REGO_DIALECT_ANY, why, size);
	if (!p)
		return CASE_FAILED;
	const struct rego_value *reference = rego_member(t->json, "reference");
	union {
		const void *in;
		void *out;
	} cookie = {.in = reference};
	struct rego_eval_options o = {.cookie = cookie.out, .now_ns = NOW_NS};
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, &o);
	int r = set_documents(t, ev, &e);
	if (r == 0)
		r = rego_eval_path(
			ev, text_of(t->json, "rule", rule, sizeof(rule)), &outcome, &got, &e);
	if (r < 0) {
		snprintf(why, size, "%s", err_text(&e, r));
		return CASE_FAILED;
	}
	bool want_undefined = !want || rego_type(want) == REGO_NULL;
	if (outcome != REGO_VALUE ? want_undefined : want && rego_compare(got, want) == 0)
		return CASE_PASSED;
	cleanup_with(buf_done) struct buf a = {0}, b = {0};
	if (got)
		rego_json(&a, got);
	if (want)
		rego_json(&b, want);
	snprintf(why, size, "got %.600s, want %.600s", buf_str(&a), buf_str(&b));
	return CASE_FAILED;
}

/* --- OPA's suite --- */

static int compile_case(struct test_case *t, bool *ret_query, unsigned *ret_id,
	struct rego_program **ret, struct err *e)
{
	const struct rego_value *modules = rego_member(t->json, "modules");
	bool v0 = rego_is_true(rego_member(t->json, "rego_v0"));
	struct rego_compile_options o = {.dialect = v0 ? REGO_DIALECT_V0 : REGO_DIALECT_V1};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(&o);
	if (!c)
		return -ENOMEM;
	cleanup_with(buf_done) struct buf query = {0};
	buf_put_slice(&query, rego_text(rego_member(t->json, "query")));
	if (v0 && !strchr(buf_str(&query), '='))
		buf_put_str(&query, " = x");
	int r = regoext_register(c);
	if (r == 0)
		r = rego_compiler_builtin(c, "test.sleep", 1, test_sleep);
	for (size_t i = 0; r == 0 && i < rego_count(modules); i++)
		r = add_module(t, c, rego_text(rego_item(modules, i)), i, e);
	if (r == 0)
		r = rego_compiler_query(c, buf_slice(&query), ret_id, e);
	return r < 0 ? r : rego_compiler_finish(c, ret, e);
}

/* An input that JSON cannot express is a term of the language. */
static int input_term(struct test_case *t, struct rego_program **ret_program,
	struct rego_eval **ret_eval, const struct rego_value **ret, struct err *e)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup_with(buf_done) struct buf query = {0};
	unsigned id;
	buf_put_str(&query, "x = ");
	buf_put_slice(&query, rego_text(rego_member(t->json, "input_term")));
	int r = rego_compiler_query(c, buf_slice(&query), &id, e);
	if (r == 0)
		r = rego_compiler_finish(c, ret_program, e);
	if (r < 0)
		return r;
	const struct rego_value *rows;
	*ret_eval = rego_eval_new(*ret_program, NULL);
	r = rego_eval_query(*ret_eval, id, &rows, e);
	if (r == 0)
		*ret = rego_member(rego_item(rows, 0), "x");
	return r;
}

/* Through JSON, so that sets are arrays and keys are strings; arrays sorted where asked for. */
static const struct rego_value *normal(struct rego_eval *e, const struct rego_value *v, bool sorted)
{
	size_t n = rego_count(v);
	if (!sorted || n == 0)
		return v;
	const struct rego_value **item = calloc(2 * n, sizeof(*item));
	const struct rego_value *r;
	for (size_t i = 0; i < n; i++) {
		if (rego_type(v) == REGO_OBJECT) {
			item[2 * i] = rego_key(v, i);
			item[2 * i + 1] = normal(e, rego_item(v, i), true);
		} else {
			item[i] = normal(e, rego_item(v, i), true);
			for (size_t k = i; k > 0 && rego_compare(item[k - 1], item[k]) > 0; k--) {
				const struct rego_value *t = item[k];
				item[k] = item[k - 1];
				item[k - 1] = t;
			}
		}
	}
	r = rego_type(v) == REGO_OBJECT ? rego_make_object(e, item, n)
					: rego_make_array(e, item, n);
	free(item);
	return r;
}

static bool same_rows(struct test_case *t, const struct rego_value *got,
	const struct rego_value *want, bool sorted)
{
	cleanup_with(buf_done) struct buf text = {0};
	const struct rego_value *parsed;
	if (rego_make_json(t->holder, json_text(&text, got), &parsed, NULL) < 0)
		return false;
	size_t n = rego_count(parsed), matched = 0;
	/* Rows are a set. */
	for (size_t i = 0; i < n; i++) {
		bool found = false;
		const struct rego_value *a = normal(t->holder, rego_item(parsed, i), sorted);
		for (size_t k = 0; k < rego_count(want) && !found; k++)
			found = rego_compare(a, normal(t->holder, rego_item(want, k), sorted)) == 0;
		matched += found;
	}
	return matched == n && (n > 0) == (rego_count(want) > 0) && n >= rego_count(want);
}

static enum outcome judge_error(
	struct test_case *t, int r, const struct err *e, char *why, size_t size)
{
	const struct rego_value *code = rego_member(t->json, "want_error_code");
	const struct rego_value *text = rego_member(t->json, "want_error");
	if (!code && !text) {
		snprintf(why, size, "%s", err_text(e, r));
		return CASE_FAILED;
	}
	bool code_ok = !code || slice_eq_str(rego_text(code), e->field);
	char part[1024];
	snprintf(part, sizeof(part), "%.*s", SLICE_ARG(text ? rego_text(text) : SLICE_EMPTY));
	if (code_ok && (!text || strstr(err_text(e, r), part)))
		return CASE_PASSED;
	snprintf(why, size, "got the error %s \"%s\", want %.*s \"%s\"", e->field, err_text(e, r),
		SLICE_ARG(code ? rego_text(code) : SLICE_EMPTY), part);
	return CASE_FAILED;
}

static enum outcome judge_rows(
	struct test_case *t, const struct rego_value *rows, char *why, size_t size)
{
	const struct rego_value *want = rego_member(t->json, "want_result");
	bool sorted = rego_is_true(rego_member(t->json, "sort_bindings"));
	cleanup_with(buf_done) struct buf a = {0}, b = {0};
	if (want && same_rows(t, rows, want, sorted))
		return CASE_PASSED;
	rego_json(&a, rows);
	if (want)
		rego_json(&b, want);
	else
		buf_printf(&b, "the error %.*s %.*s",
			SLICE_ARG(rego_text(rego_member(t->json, "want_error_code"))),
			SLICE_ARG(rego_text(rego_member(t->json, "want_error"))));
	snprintf(why, size, "got %.900s, want %.900s", buf_str(&a), buf_str(&b));
	return CASE_FAILED;
}

static enum outcome run_query(struct test_case *t, char *why, size_t size)
{
	cleanup(rego_program_free) struct rego_program *p = NULL, *term = NULL;
	cleanup(rego_eval_free) struct rego_eval *ev = NULL, *term_eval = NULL;
	const struct rego_value *rows, *input = NULL;
	struct err e = {0};
	unsigned id;
	int r = compile_case(t, NULL, &id, &p, &e);
	if (r < 0)
		return judge_error(t, r, &e, why, size);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct rego_eval_options o = {.now_ns = now.tv_sec * 1000000000LL + now.tv_nsec,
		.time_zone = regoext_time_zone,
		.strict_errors = rego_is_true(rego_member(t->json, "strict_error"))};
	ev = rego_eval_new(p, &o);
	r = set_documents(t, ev, &e);
	if (r == 0 && rego_member(t->json, "input_term")) {
		r = input_term(t, &term, &term_eval, &input, &e);
		if (r == 0)
			rego_eval_input(ev, input);
	}
	if (r == 0)
		r = rego_eval_query(ev, id, &rows, &e);
	return r < 0 ? judge_error(t, r, &e, why, size) : judge_rows(t, rows, why, size);
}

enum outcome case_run(struct test_case *t, char *why, size_t why_size)
{
	if (rego_member(t->json, "rule"))
		return run_rule(t, why, why_size);
	if (rego_member(t->json, "query"))
		return run_query(t, why, why_size);
	if (rego_member(t->json, "kind"))
		return genpolicy_run(t, why, why_size);
	snprintf(why, why_size, "a case of unknown shape");
	return CASE_FAILED;
}
