/* SPDX-License-Identifier: Apache-2.0 */
/* husk policy bench: what one evaluation of a query costs. */
#include "base/parse.h"
#include "base/str.h"
#include "cli/cmd-policy.h"

struct bench {
	struct policy_session session;
	uint64_t count;
	unsigned time_ms;
	uint64_t runs;
	double ns;
	uint64_t steps;
	size_t bytes;
	bool defined;
};

static int options(struct bench *b, struct err *e)
{
	const char *text = cli_opt(b->session.cli, "count");
	b->count = 1;
	b->time_ms = 1000;
	if (text && parse_u64(slice_str(text), 1, 1000, &b->count) < 0)
		return err_set(e, -EINVAL, "--count must be between 1 and 1000, not '%s'", text);
	text = cli_opt(b->session.cli, "benchtime");
	if (text && policy_duration(text, &b->time_ms) < 0)
		return err_set(
			e, -EINVAL, "--benchtime must be a time such as 500ms, not '%s'", text);
	return 0;
}

/* Setting the input again drops results kept from the evaluation before. */
static int run_once(
	struct bench *b, const struct rego_value *input, uint64_t *ret_ns, struct err *e)
{
	const struct rego_value *rows;
	size_t before = rego_eval_memory(b->session.eval);
	rego_eval_input(b->session.eval, input);
	uint64_t start = policy_now_ns();
	int r = rego_eval_query(b->session.eval, b->session.query, &rows, e);
	*ret_ns = policy_now_ns() - start;
	if (r < 0)
		return r;
	b->steps = rego_eval_steps(b->session.eval);
	b->bytes = rego_eval_memory(b->session.eval) - before;
	b->defined = rego_count(rows) > 0;
	return 0;
}

/* Memory of an evaluator grows until it is reset: then documents are parsed anew. */
#define RUNS_PER_STATE 2000

static int fresh(struct bench *b, struct err *e)
{
	rego_eval_free(b->session.eval);
	b->session.eval = NULL;
	return policy_session_eval(&b->session, e);
}

static int measure(struct bench *b, struct err *e)
{
	uint64_t total = 0, limit = (uint64_t)b->time_ms * 1000000, ns;
	b->runs = 0;
	int r = 0;
	while (r == 0 && (total < limit || b->runs == 0)) {
		if (b->runs % RUNS_PER_STATE == 0 && b->runs > 0)
			r = fresh(b, e);
		if (r == 0)
			r = run_once(b, b->session.input, &ns, e);
		total += r == 0 ? ns : 0;
		b->runs++;
	}
	b->ns = (double)total / (double)b->runs;
	return r;
}

static void put_result(struct buf *out, const struct bench *b, const char *format)
{
	const struct policy_session *s = &b->session;
	if (streq(format, "json"))
		buf_printf(out,
			"{\n  \"N\": %llu,\n  \"ns_per_op\": %.6g,\n  \"steps_per_op\": %llu,\n  "
			"\"bytes_per_op\": %zu,\n  \"parse_ns\": %llu,\n  \"compile_ns\": %llu,\n  "
			"\"program_bytes\": %zu\n}",
			(unsigned long long)b->runs, b->ns, (unsigned long long)b->steps, b->bytes,
			(unsigned long long)s->parse_ns, (unsigned long long)s->compile_ns,
			rego_program_size(s->program));
	else if (streq(format, "gobench"))
		buf_printf(out, "BenchmarkHuskPolicy\t%llu\t%.0f ns/op\t%zu B/op\n",
			(unsigned long long)b->runs, b->ns, b->bytes);
	else
		buf_printf(out,
			"samples       %llu\nns/op         %.1f\nsteps/op      %llu\n"
			"B/op          %zu\nparse ns      %llu\ncompile ns    %llu\n"
			"program bytes %zu\n",
			(unsigned long long)b->runs, b->ns, (unsigned long long)b->steps, b->bytes,
			(unsigned long long)s->parse_ns, (unsigned long long)s->compile_ns,
			rego_program_size(s->program));
}

static int run(struct bench *b, struct buf *out, const char *format, struct err *e)
{
	struct policy_session *s = &b->session;
	bool json = streq(format, "json"), list = json && b->count > 1;
	int r = policy_session_load(s, false, e);
	if (r == 0)
		r = policy_session_compile(s, cli_arg(s->cli, 0), e);
	if (r == 0)
		r = policy_session_eval(s, e);
	buf_put_str(out, list ? "[" : "");
	for (uint64_t i = 0; r == 0 && i < b->count; i++) {
		buf_put_str(out, list && i ? "," : !json && i ? "\n" : "");
		r = measure(b, e);
		if (r == 0)
			put_result(out, b, format);
	}
	buf_put_str(out, list ? "]\n" : json ? "\n" : "");
	return r;
}

int cmd_policy_bench(struct cli *cli)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	cleanup_with(policy_session_done) struct policy_session session = {.cli = cli};
	struct bench b = {.session = {.cli = cli}};
	const char *format = policy_format(cli, "pretty");
	struct err e = {0};
	int r = options(&b, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, NULL);
	r = run(&b, &out, format, &e);
	session = b.session;
	if (r < 0)
		return policy_fail(&session, streq(format, "json"), r, &e, POLICY_ERROR);
	if (policy_print(&out, false) < 0)
		return POLICY_ERROR;
	return cli_flag(cli, "fail") && !b.defined ? POLICY_FAILED : POLICY_OK;
}
