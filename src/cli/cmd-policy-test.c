/* SPDX-License-Identifier: Apache-2.0 */
/* husk policy test: rules that begin with test_. */
#include <regex.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/cmd-policy.h"

struct test {
	struct rego_rule_info rule;
	size_t index;
	const char *name; /* path after the package */
	enum { TEST_PASS, TEST_FAIL, TEST_SKIP, TEST_ERROR } verdict;
	uint64_t duration_ns;
	struct buf output; /* of print() */
	struct buf why;	   /* of a failure */
	struct policy_cases cases;
	size_t failed_cases;
	char error[ERR_TEXT_SIZE];
};

struct tests {
	struct policy_session session;
	struct rego_coverage *coverage;
	struct test *item;
	size_t count;
	size_t tally[4];
	const char *format;
	bool cover;
	double threshold;
	uint64_t repeat;
	FILE *print;
};

static void tests_done(struct tests *t)
{
	for (size_t i = 0; i < t->count; i++) {
		buf_done(&t->item[i].output);
		buf_done(&t->item[i].why);
		policy_cases_done(&t->item[i].cases);
	}
	free(t->item);
	rego_coverage_free(t->coverage);
	policy_session_done(&t->session);
}

static const char *local_name(const struct rego_rule_info *r)
{
	size_t n = strlen(r->package);
	return str_starts(r->path, r->package) && r->path[n] == '.' ? r->path + n + 1 : r->path;
}

static bool wanted(const struct cli *cli, const regex_t *run, const struct rego_rule_info *r)
{
	const char *package = cli_opt(cli, "package"), *name = local_name(r);
	if (r->is_function || !(str_starts(name, "test_") || str_starts(name, "todo_test_")))
		return false;
	if (package && !streq(r->package, package) &&
		!(str_starts(r->package, "data.") && streq(r->package + 5, package)))
		return false;
	return !run || regexec(run, r->path, 0, NULL, 0) == 0;
}

static int find_tests(struct tests *t, struct err *e)
{
	const char *pattern = cli_opt(t->session.cli, "run");
	regex_t run;
	size_t n = rego_program_rules(t->session.program);
	if (pattern && regcomp(&run, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set(e, -EINVAL, "--run '%s' is no regular expression", pattern);
	t->item = calloc(n + 1, sizeof(*t->item));
	for (size_t i = 0; t->item && i < n; i++) {
		struct rego_rule_info r;
		if (!rego_program_rule(t->session.program, i, &r) ||
			!wanted(t->session.cli, pattern ? &run : NULL, &r))
			continue;
		t->item[t->count++] = (struct test){.rule = r, .index = i, .name = local_name(&r)};
	}
	if (pattern)
		regfree(&run);
	return t->item ? 0 : -ENOMEM;
}

/* The part of the explanation that belongs to the rule which failed, and to what it needed. */
static void explain_failure(struct tests *t, struct test *x)
{
	rego_explain_text(t->session.eval, &x->why);
}

static void run_once(struct tests *t, struct test *x, bool explain)
{
	struct err e = {0};
	enum rego_outcome outcome = REGO_UNDEFINED;
	const struct rego_value *v = NULL;
	struct rego_eval *ev = t->session.eval;
	rego_eval_explain(ev, explain);
	rego_eval_cover(ev, explain ? NULL : t->coverage);
	policy_cases_done(&x->cases);
	t->session.cases = &x->cases;
	uint64_t start = policy_now_ns();
	int r = rego_eval_rule(ev, x->index, &outcome, &v, &e);
	x->duration_ns = policy_now_ns() - start;
	t->session.cases = NULL;
	if (r < 0) {
		x->verdict = TEST_ERROR;
		snprintf(x->error, sizeof(x->error), "%s", err_text(&e, r));
		return;
	}
	x->verdict = outcome == REGO_VALUE && rego_is_true(v) ? TEST_PASS : TEST_FAIL;
	if (!x->rule.is_object)
		return;
	/* The rule holds when all of its cases do; that there is none is no reason to fail. */
	r = policy_cases_judge(&x->cases, ev, v, &x->failed_cases);
	x->verdict = r < 0 ? TEST_ERROR : x->failed_cases ? TEST_FAIL : TEST_PASS;
	if (r < 0)
		snprintf(x->error, sizeof(x->error), "%s", strerror(-r));
}

static int run_test(struct tests *t, struct test *x)
{
	if (x->name && str_starts(x->name, "todo_")) {
		x->verdict = TEST_SKIP;
		return 0;
	}
	char *text = NULL;
	size_t size = 0;
	FILE *print = open_memstream(&text, &size);
	if (!print)
		return -ENOMEM;
	for (uint64_t i = 0; i < t->repeat && x->verdict == TEST_PASS; i++) {
		t->session.print = i == 0 ? print : NULL;
		run_once(t, x, false);
	}
	t->session.print = NULL;
	if (x->verdict == TEST_FAIL) {
		uint64_t duration = x->duration_ns;
		run_once(t, x, true);
		explain_failure(t, x);
		x->verdict = TEST_FAIL;
		x->duration_ns = duration;
	}
	rego_eval_explain(t->session.eval, false);
	int r = fclose(print) == 0 ? 0 : -ENOMEM;
	if (r == 0)
		buf_put(&x->output, text, size);
	free(text);
	return r;
}

/* As Go prints a duration. */
static void put_duration(struct buf *out, uint64_t ns)
{
	if (ns >= 1000000000)
		buf_printf(out, "%.6gs", (double)ns / 1e9);
	else if (ns >= 1000000)
		buf_printf(out, "%.7gms", (double)ns / 1e6);
	else if (ns >= 1000)
		buf_printf(out, "%.6gµs", (double)ns / 1e3);
	else
		buf_printf(out, "%lluns", (unsigned long long)ns);
}

static void put_indented(struct buf *out, struct slice text, const char *indent)
{
	bool start = true;
	for (size_t i = 0; i < text.size; i++) {
		if (start)
			buf_put_str(out, indent);
		buf_put_u8(out, text.data[i]);
		start = text.data[i] == '\n';
	}
	if (!start)
		buf_put_u8(out, '\n');
}

static void put_verdict(struct buf *out, const struct test *x)
{
	static const char *const words[] = {"PASS", "FAIL", "SKIPPED", "ERROR"};
	buf_printf(out, "%s.%s: %s", x->rule.package, x->name, words[x->verdict]);
	if (x->verdict != TEST_SKIP) {
		buf_put_str(out, " (");
		put_duration(out, x->duration_ns);
		buf_put_u8(out, ')');
	}
	buf_put_u8(out, '\n');
}

#define RULER "--------------------------------------------------------------------------------\n"

static void put_failures(struct buf *out, const struct tests *t)
{
	buf_put_str(out, RULER "FAILURES\n" RULER);
	for (size_t i = 0; i < t->count; i++) {
		if (t->item[i].verdict != TEST_FAIL)
			continue;
		put_verdict(out, &t->item[i]);
		buf_put_u8(out, '\n');
		put_indented(out, buf_slice(&t->item[i].why), "  ");
		buf_put_u8(out, '\n');
	}
}

static void put_pretty(struct buf *out, const struct tests *t)
{
	static const char *const words[] = {"PASS", "FAIL", "SKIPPED", "ERROR"};
	const char *file = NULL;
	bool dirty = false;
	for (size_t i = 0; i < t->count; i++) {
		const struct test *x = &t->item[i];
		if (x->verdict == TEST_PASS && !t->session.cli->verbose)
			continue;
		if (!file || !streq(file, x->rule.file)) {
			buf_printf(out, "%s%s:\n", file ? "\n" : "", x->rule.file);
			file = x->rule.file;
		}
		dirty = true;
		put_verdict(out, x);
		policy_cases_text(out, &x->cases, t->session.cli->verbose);
		if (x->output.size > 0) {
			buf_put_u8(out, '\n');
			put_indented(out, buf_slice(&x->output), "  ");
			buf_put_u8(out, '\n');
		}
		if (x->error[0])
			buf_printf(out, "  %s\n", x->error);
	}
	if (t->tally[TEST_FAIL] && !t->cover)
		put_failures(out, t);
	if (dirty)
		buf_put_str(out, RULER);
	size_t all = 0;
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		all += t->tally[i];
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (t->tally[i])
			buf_printf(out, "%s: %zu/%zu\n", words[i], t->tally[i], all);
}

static void put_json_test(struct buf *out, const struct test *x)
{
	buf_put_str(out, "  {\n    \"location\": {\n      \"file\": ");
	policy_put_string(out, x->rule.file);
	buf_printf(out,
		",\n      \"row\": %u,\n      \"col\": %u\n    },\n    \"package\": ", x->rule.row,
		x->rule.column);
	policy_put_string(out, x->rule.package);
	buf_put_str(out, ",\n    \"name\": ");
	policy_put_string(out, x->name);
	if (x->verdict == TEST_FAIL) {
		buf_put_str(out, ",\n    \"fail\": true,\n    \"explanation\": ");
		policy_put_string(out, buf_str(&x->why));
	}
	if (x->verdict == TEST_SKIP)
		buf_put_str(out, ",\n    \"skip\": true");
	if (x->verdict == TEST_ERROR) {
		buf_put_str(out, ",\n    \"error\": {\n      \"message\": ");
		policy_put_string(out, x->error);
		buf_put_str(out, "\n    }");
	}
	if (x->cases.count > 0) {
		buf_put_str(out, ",\n    \"sub_results\": ");
		policy_cases_json(out, &x->cases);
	}
	buf_printf(out, ",\n    \"duration\": %llu", (unsigned long long)x->duration_ns);
	if (x->output.size > 0) {
		buf_put_str(out, ",\n    \"output\": ");
		policy_put_string(out, buf_str(&x->output));
	}
	buf_put_str(out, "\n  }");
}

static void put_json(struct buf *out, const struct tests *t)
{
	buf_put_str(out, "[");
	for (size_t i = 0; i < t->count; i++) {
		buf_put_str(out, i ? ",\n" : "\n");
		put_json_test(out, &t->item[i]);
	}
	buf_put_str(out, t->count ? "\n]\n" : "]\n");
}

void policy_coverage_json(struct buf *out, const struct rego_coverage *c, unsigned indent)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	const struct rego_value *v;
	rego_coverage_json(c, &text);
	if (rego_compile("empty", SLICE_LIT("package empty"), &p, NULL) < 0)
		return;
	cleanup(rego_eval_free) struct rego_eval *e = rego_eval_new(p, NULL);
	if (e && rego_make_json(e, buf_slice(&text), &v, NULL) == 0)
		policy_json(out, v, indent);
}

static int options(struct tests *t, struct err *e)
{
	struct cli *cli = t->session.cli;
	const char *text = cli_opt(cli, "threshold");
	char *end = NULL;
	t->format = policy_format(cli, "pretty");
	t->cover = cli_flag(cli, "coverage") || text;
	t->repeat = 1;
	t->threshold = text ? strtod(text, &end) : 0;
	if (text && (end == text || *end || t->threshold < 0 || t->threshold > 100))
		return err_set(e, -EINVAL, "--threshold must be between 0 and 100, not '%s'", text);
	text = cli_opt(cli, "count");
	if (text && parse_u64(slice_str(text), 1, 1000000, &t->repeat) < 0)
		return err_set(e, -EINVAL, "--count must be between 1 and 1000000, not '%s'", text);
	if (!cli_arg(cli, 0) && !cli_opt(cli, "bundle") && !cli_opt(cli, "data"))
		return err_set(e, -EINVAL, "specify at least one file");
	return 0;
}

static int prepare(struct tests *t, struct err *e)
{
	int r = policy_session_load(&t->session, true, e);
	if (r == 0)
		r = policy_session_compile(&t->session, NULL, e);
	if (r == 0)
		r = policy_session_eval(&t->session, e);
	if (r == 0)
		r = find_tests(t, e);
	if (r == 0 && t->cover) {
		t->coverage = rego_coverage_new(t->session.program);
		r = t->coverage ? 0 : -ENOMEM;
	}
	return r;
}

static int finish(struct tests *t)
{
	cleanup_with(buf_done) struct buf out = buf_init((size_t)1 << 30);
	bool failed = t->tally[TEST_FAIL] || t->tally[TEST_ERROR];
	bool skipped = t->tally[TEST_SKIP] && !cli_flag(t->session.cli, "exit-zero-on-skipped");
	if (t->cover && !failed) {
		double percent = rego_coverage_percent(t->coverage);
		if (percent < t->threshold) {
			fprintf(stderr,
				"Code coverage threshold not met: got %.2f instead of %.2f\n",
				percent, t->threshold);
			return POLICY_ERROR;
		}
		policy_coverage_json(&out, t->coverage, 0);
		buf_put_u8(&out, '\n');
	} else if (streq(t->format, "json")) {
		put_json(&out, t);
	} else {
		put_pretty(&out, t);
	}
	if (policy_print(&out, false) < 0)
		return POLICY_ERROR;
	if (failed || skipped || (t->count == 0 && cli_flag(t->session.cli, "fail-on-empty")))
		return POLICY_ERROR;
	return POLICY_OK;
}

/* Each case counts, instead of the test that they are of. */
static void count_test(struct tests *t, const struct test *x)
{
	if (x->cases.count == 0 || x->verdict == TEST_ERROR) {
		t->tally[x->verdict]++;
		return;
	}
	t->tally[TEST_FAIL] += x->failed_cases;
	t->tally[TEST_PASS] += x->cases.count - x->failed_cases;
}

int cmd_policy_test(struct cli *cli)
{
	cleanup_with(tests_done) struct tests t = {
		.session = {.cli = cli, .default_timeout_ms = 5000, .test_cases = true}};
	struct err e = {0};
	int r = options(&t, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, NULL);
	r = prepare(&t, &e);
	for (size_t i = 0; r == 0 && i < t.count; i++) {
		r = run_test(&t, &t.item[i]);
		count_test(&t, &t.item[i]);
	}
	if (r < 0)
		return policy_fail(&t.session, streq(t.format, "json"), r, &e, POLICY_FAILED);
	return finish(&t);
}
