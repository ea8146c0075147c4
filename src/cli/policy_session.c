/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_session.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "regoext/regoext.h"

#define DEFAULT_STEPS 1000000000000u
#define DEFAULT_MEMORY ((size_t)4 << 30)
#define ERRORS_MAX 10 /* as many as OPA shows */

uint64_t policy_now_ns(void)
{
	struct timespec t = {0};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void policy_session_done(struct policy_session *s)
{
	rego_eval_free(s->eval);
	rego_program_free(s->program);
	rego_compiler_free(s->compiler);
	policy_files_done(&s->files);
	buf_done(&s->input_text);
}

static int load_option(
	struct policy_session *s, const char *name, enum policy_kind kind, struct err *e)
{
	const char *path;
	int r = 0;
	for (size_t i = 0; r == 0 && (path = cli_opt_at(s->cli, name, i)); i++)
		r = policy_load(&s->files, path, kind, e);
	return r;
}

int policy_session_load(struct policy_session *s, bool args_are_data, struct err *e)
{
	const char *text;
	size_t n = 0;
	for (size_t i = 0; (text = cli_opt_at(s->cli, "ignore", i)); i++) {
		if (n + 1 >= ARRAY_COUNT(s->ignore))
			return err_set(e, -E2BIG, "more than %zu times --ignore", n);
		s->ignore[n++] = text;
	}
	s->files.ignore = s->ignore;
	int r = load_option(s, "data", POLICY_DATA, e);
	if (r == 0)
		r = load_option(s, "bundle", POLICY_BUNDLE, e);
	for (size_t i = 0; r == 0 && args_are_data && (text = cli_arg(s->cli, i)); i++)
		r = policy_load(&s->files, text, POLICY_DATA, e);
	return r;
}

static int add_query(struct policy_session *s, const char *query, struct err *e)
{
	const char *imports[64], *text;
	struct rego_query_options o = {.package = cli_opt(s->cli, "package"), .imports = imports};
	for (size_t i = 0; (text = cli_opt_at(s->cli, "import", i)); i++) {
		if (i >= ARRAY_COUNT(imports))
			return err_set(e, -E2BIG, "more than %zu times --import", i);
		imports[o.import_count++] = text;
	}
	return rego_compiler_rows(s->compiler, slice_str(query), &o, &s->query, e);
}

/*
 * What attestation policies ask the attestation service for: here data.reference_values says it. A
 * value that is not there is null, as in the service.
 */
static int query_reference_value(struct rego_call *call, const struct rego_value *const *args,
	size_t count, const struct rego_value **ret)
{
	const struct policy_session *s = rego_call_cookie(call);
	cleanup_with(buf_done) struct buf name = buf_init(0);

	if (rego_type(args[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", args[0]);
	buf_put_slice(&name, rego_text(args[0]));
	const struct rego_value *values = s->data ? rego_member(s->data, "reference_values") : NULL;
	*ret = values ? rego_member(values, buf_str(&name)) : NULL;
	if (!*ret)
		*ret = rego_make_null();
	return buf_error(&name);
}

/* Called by the rules of tests, see rego_compile_options. */
static int test_case(struct rego_call *call, const struct rego_value *const *args, size_t count,
	const struct rego_value **ret)
{
	const struct policy_session *s = rego_call_cookie(call);
	*ret = rego_make_bool(true);
	return s->cases ? policy_cases_note(s->cases, args[0]) : 0;
}

int policy_session_compile(struct policy_session *s, const char *query, struct err *e)
{
	if (cli_flag(s->cli, "v0-compatible") && cli_flag(s->cli, "v1-compatible"))
		return err_set(
			e, -EINVAL, "--v0-compatible and --v1-compatible exclude each other");
	struct rego_compile_options o = {
		.dialect = cli_flag(s->cli, "v0-compatible") ? REGO_DIALECT_V0 : REGO_DIALECT_V1,
		.strict = cli_flag(s->cli, "strict"),
		.max_memory = DEFAULT_MEMORY,
		.test_cases = s->test_cases,
	};
	uint64_t start = policy_now_ns();
	s->compiler = rego_compiler_new(&o);
	if (!s->compiler)
		return -ENOMEM;
	int r = regoext_register(s->compiler);
	if (r == 0)
		r = rego_compiler_builtin(
			s->compiler, "query_reference_value", 1, query_reference_value);
	if (r == 0 && s->test_cases)
		r = rego_compiler_builtin(s->compiler, "internal.test_case", 1, test_case);
	if (r == 0)
		r = policy_add_modules(&s->files, s->compiler, e);
	if (r == 0 && query)
		r = add_query(s, query, e);
	uint64_t parsed = policy_now_ns();
	s->parse_ns = parsed - start;
	if (r == 0)
		r = rego_compiler_finish(s->compiler, &s->program, e);
	s->compile_ns = policy_now_ns() - parsed;
	return r;
}

int policy_duration(const char *text, unsigned *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}};
	double total = 0;
	const char *p = text;
	while (*p) {
		char *end = NULL;
		double v = *p >= '0' && *p <= '9' ? strtod(p, &end) : -1;
		size_t i = 0, n = end ? strspn(end, "nusmh") : 0;
		while (i < ARRAY_COUNT(units) && !(end && v >= 0 && n == strlen(units[i].unit) &&
							 str_starts(end, units[i].unit)))
			i++;
		if (i == ARRAY_COUNT(units))
			return -EINVAL;
		total += v * units[i].ms;
		p = end + n;
	}
	if (p == text || total > 4e9)
		return -EINVAL;
	*ret_ms = total < 1 ? 1 : (unsigned)total;
	return 0;
}

static uint64_t mono_ms(void *cookie)
{
	(void)cookie;
	return clock_mono_ms();
}

static void print_line(void *cookie, struct slice line)
{
	struct policy_session *s = cookie;
	if (s->print)
		fprintf(s->print, "%.*s\n", (int)MIN(line.size, (size_t)INT32_MAX),
			(const char *)line.data);
}

static int budgets(const struct policy_session *s, struct rego_eval_options *o, struct err *e)
{
	const struct cli *cli = s->cli;
	const char *text = cli_opt(cli, "timeout");
	uint64_t v = 0;
	o->max_time_ms = s->default_timeout_ms;
	if (text && policy_duration(text, &o->max_time_ms) < 0)
		return err_set(
			e, -EINVAL, "--timeout must be a time such as 500ms or 5s, not '%s'", text);
	text = cli_opt(cli, "max-steps");
	if (text && parse_u64(slice_str(text), 1, UINT64_MAX / 2, &o->max_steps) < 0)
		return err_set(
			e, -EINVAL, "--max-steps must be a number from 1 on, not '%s'", text);
	text = cli_opt(cli, "max-memory");
	if (text && parse_size(slice_str(text), 1 << 20, SIZE_MAX / 2, &v) < 0)
		return err_set(
			e, -EINVAL, "--max-memory must be a size from 1M on, not '%s'", text);
	o->max_memory = text ? (size_t)v : DEFAULT_MEMORY;
	return 0;
}

static int read_input(struct policy_session *s, struct err *e)
{
	const char *path = cli_opt(s->cli, "input");
	bool std = cli_flag(s->cli, "stdin-input");
	int r = 0;
	if (path && std)
		return err_set(e, -EINVAL, "--input and --stdin-input exclude each other");
	if (!path && !std)
		return 0;
	/* Kept for further evaluators: standard input can be read only once. */
	if (!s->input_text.data) {
		s->input_text.max = POLICY_FILE_MAX;
		r = std ? fd_read_all(STDIN_FILENO, &s->input_text)
			: file_read(path, POLICY_FILE_MAX, &s->input_text, e);
	}
	if (r == 0)
		r = policy_parse(s->eval, buf_slice(&s->input_text),
			path && (str_ends(path, ".yaml") || str_ends(path, ".yml")), &s->input, e);
	if (r < 0)
		return err_wrap(e, r, "%s", std ? "standard input" : path);
	rego_eval_input(s->eval, s->input);
	return 0;
}

int policy_session_eval(struct policy_session *s, struct err *e)
{
	struct timespec now = {0};
	struct rego_eval_options o = {.max_steps = DEFAULT_STEPS,
		.max_depth = 4096,
		.clock_ms = mono_ms,
		.strict_errors = cli_flag(s->cli, "strict-builtin-errors"),
		.cookie = s,
		.print = print_line,
		.time_zone = regoext_time_zone};
	clock_gettime(CLOCK_REALTIME, &now);
	o.now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (getrandom(&o.seed, sizeof(o.seed), 0) != sizeof(o.seed))
		return err_set(e, -errno, "no random numbers");
	int r = budgets(s, &o, e);
	if (r < 0)
		return r;
	s->eval = rego_eval_new(s->program, &o);
	if (!s->eval)
		return -ENOMEM;
	r = policy_documents(&s->files, s->eval, &s->data, e);
	return r < 0 ? r : read_input(s, e);
}

/* --- errors --- */

/* What an evaluation failed with: "FILE:ROW: CODE: MESSAGE", or a message alone. */
static void eval_error(struct buf *out, const struct err *e, int r)
{
	const char *text = err_text(e, r), *message = text;
	char mark[80];
	unsigned row = 0;
	size_t file = 0;
	snprintf(mark, sizeof(mark), ": %s: ", e->field);
	const char *at = e->field[0] ? strstr(text, mark) : NULL;
	if (at) {
		message = at + strlen(mark);
		const char *colon = at;
		while (colon > text && colon[-1] != ':')
			colon--;
		uint64_t v;
		if (colon > text &&
			parse_u64(slice_of(colon, (size_t)(at - colon)), 1, UINT32_MAX, &v) == 0) {
			row = (unsigned)v;
			file = (size_t)(colon - text) - 1;
		}
	}
	buf_put_str(out, "    {\n      \"message\": ");
	policy_put_string(out, message);
	if (e->field[0]) {
		buf_put_str(out, ",\n      \"code\": ");
		policy_put_string(out, e->field);
	}
	if (row) {
		char name[512];
		snprintf(name, sizeof(name), "%.*s", (int)file, text);
		buf_put_str(out, ",\n      \"location\": {\n        \"file\": ");
		policy_put_string(out, name);
		buf_printf(out, ",\n        \"row\": %u,\n        \"col\": 1\n      }", row);
	}
	buf_put_str(out, "\n    }");
}

static size_t diagnostics(const struct policy_session *s, const struct rego_diagnostic **ret)
{
	size_t n = s->compiler && !s->program ? rego_compiler_diagnostics(s->compiler, ret) : 0;
	return MIN(n, (size_t)ERRORS_MAX);
}

/* The query has no file, as with opa. */
static const char *shown_file(const struct rego_diagnostic *d)
{
	return streq(d->file, "query") ? "" : d->file;
}

void policy_errors_json(struct buf *out, const struct policy_session *s, int r, const struct err *e)
{
	const struct rego_diagnostic *d = NULL;
	size_t n = diagnostics(s, &d);
	buf_put_str(out, "\"errors\": [\n");
	for (size_t i = 0; i < n; i++) {
		buf_put_str(out, "    {\n      \"message\": ");
		policy_put_string(out, d[i].message);
		buf_printf(out,
			",\n      \"code\": \"%s\",\n      \"location\": {\n        \"file\": ",
			d[i].code);
		policy_put_string(out, shown_file(&d[i]));
		buf_printf(out, ",\n        \"row\": %u,\n        \"col\": %u\n      }\n    }%s",
			d[i].row, d[i].column, i + 1 < n ? ",\n" : "");
	}
	if (n == 0)
		eval_error(out, e, r);
	buf_put_str(out, "\n  ]");
}

void policy_errors_text(struct buf *out, const struct policy_session *s, int r, const struct err *e)
{
	const struct rego_diagnostic *d = NULL;
	size_t n = diagnostics(s, &d);
	if (n > 1)
		buf_printf(out, "%zu errors occurred:\n", n);
	else
		buf_put_str(out, "1 error occurred: ");
	for (size_t i = 0; i < n; i++) {
		const char *file = shown_file(&d[i]);
		buf_printf(out, "%s%s%u:%u: %s: %s\n", file, *file ? ":" : "", d[i].row,
			d[i].column, d[i].code, d[i].message);
	}
	if (n == 0)
		buf_printf(out, "%s\n", err_text(e, r));
}
