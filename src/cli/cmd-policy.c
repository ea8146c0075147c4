/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of `husk policy`, and the small commands: check and explain. */
#include "cli/cmd-policy.h"

#include "base/str.h"
#include "cli/commands.h"

int policy_print(const struct buf *out, bool to_stderr)
{
	int r = buf_error(out);
	if (r < 0) {
		fprintf(stderr, "husk: the output is too large\n");
		return r;
	}
	FILE *f = to_stderr ? stderr : stdout;
	fwrite(out->data ? (const char *)out->data : "", 1, out->size, f);
	return fflush(f) == 0 ? 0 : -errno;
}

const char *policy_format(const struct cli *cli, const char *fallback)
{
	return cli_opt_or(cli, "format", cli->json ? "json" : fallback);
}

int policy_fail(const struct policy_session *s, bool json, int r, const struct err *e, int code)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	if (json) {
		buf_put_str(&out, "{\n  ");
		policy_errors_json(&out, s, r, e);
		buf_put_str(&out, "\n}\n");
	} else {
		policy_errors_text(&out, s, r, e);
	}
	return policy_print(&out, true) < 0 ? POLICY_ERROR : code;
}

static int cmd_policy_check(struct cli *cli)
{
	cleanup_with(policy_session_done) struct policy_session s = {.cli = cli};
	struct err e = {0};
	bool bundle = cli_flag(cli, "bundle");
	int r = 0;
	for (size_t i = 0; r == 0 && cli_arg(cli, i); i++)
		r = policy_load(
			&s.files, cli_arg(cli, i), bundle ? POLICY_BUNDLE : POLICY_MODULES, &e);
	if (r == 0)
		r = policy_session_compile(&s, NULL, &e);
	if (r == 0)
		return POLICY_OK;
	return policy_fail(&s, streq(policy_format(cli, "pretty"), "json"), r, &e, POLICY_FAILED);
}

static int explain(struct policy_session *s, struct err *e, const struct rego_value **ret_rows,
	const struct rego_value **ret)
{
	int r = policy_session_load(s, false, e);
	if (r == 0)
		r = policy_session_compile(s, cli_arg(s->cli, 0), e);
	if (r == 0)
		r = policy_session_eval(s, e);
	if (r < 0)
		return r;
	rego_eval_explain(s->eval, true);
	r = rego_eval_query(s->eval, s->query, ret_rows, e);
	if (r < 0)
		return r;
	*ret = rego_explanation(s->eval);
	return *ret ? 0 : err_set(e, REGO_ERR_MEMORY, "no memory for the explanation");
}

static void put_slice(struct buf *out, const struct rego_value *v, const char *name)
{
	buf_put_slice(out, rego_text(rego_member(v, name)));
}

/* One statement: what held, what failed and why. */
static void put_statement(
	struct buf *out, const struct rego_value *rule, const struct rego_value *x, int indent)
{
	struct slice result = rego_text(rego_member(x, "result"));
	struct slice text = rego_text(rego_member(x, "text"));
	const void *end = text.size ? memchr(text.data, '\n', text.size) : NULL;
	if (end)
		text = slice_cut(text, 0, (size_t)((const uint8_t *)end - text.data));
	bool failed = slice_eq_str(result, "failed");
	buf_printf(out, "%*s%s ", indent, "",
		failed				      ? "FAIL"
		: slice_eq_str(result, "not reached") ? "    "
						      : "ok  ");
	put_slice(out, rule, "file");
	buf_put_u8(out, ':');
	rego_json(out, rego_member(x, "line"));
	buf_put_str(out, "  ");
	buf_put_slice(out, text);
	buf_put_u8(out, '\n');
	if (failed && rego_member(x, "reason")) {
		buf_printf(out, "%*s     because ", indent, "");
		put_slice(out, x, "reason");
		buf_put_u8(out, '\n');
	}
}

static void put_rule(struct buf *out, const struct rego_value *rule)
{
	int64_t depth = 0;
	const struct rego_value *value = rego_member(rule, "value");
	const struct rego_value *list = rego_member(rule, "expressions");
	if (!rego_member(rule, "rule") || rego_int(rego_member(rule, "depth"), &depth) < 0)
		return;
	int indent = 2 * (int)MIN(depth, (int64_t)30);
	buf_printf(out, "%*s", indent, "");
	put_slice(out, rule, "rule");
	buf_put_str(out, value ? " = " : " is ");
	if (value)
		rego_print(out, value);
	else
		put_slice(out, rule, "result");
	buf_put_str(out, "   (");
	put_slice(out, rule, "file");
	buf_put_u8(out, ':');
	rego_json(out, rego_member(rule, "line"));
	if (slice_eq_str(rego_text(rego_member(rule, "result")), "default"))
		buf_put_str(out, ", default");
	buf_put_str(out, ")\n");
	for (size_t i = 0; i < rego_count(list); i++)
		put_statement(out, rule, rego_item(list, i), indent + 2);
}

static int cmd_policy_explain(struct cli *cli)
{
	cleanup_with(policy_session_done) struct policy_session s = {.cli = cli, .print = stderr};
	cleanup_with(buf_done) struct buf out = buf_init((size_t)1 << 30);
	struct err e = {0};
	const struct rego_value *rows = NULL, *x = NULL;
	bool json = streq(policy_format(cli, "pretty"), "json");
	int r = explain(&s, &e, &rows, &x);
	if (r < 0)
		return policy_fail(&s, json, r, &e, POLICY_ERROR);
	if (json) {
		buf_put_str(&out, "{\n  \"result\": ");
		policy_rows_json(&out, rows);
		buf_put_str(&out, ",\n  \"explanation\": ");
		policy_json(&out, x, 2);
		buf_put_str(&out, "\n}\n");
	} else {
		if (rego_count(rows) == 0)
			buf_put_str(&out, "undefined\n");
		for (size_t i = 0; i < rego_count(rows); i++) {
			const struct rego_value *list =
				rego_member(rego_item(rows, i), "expressions");
			for (size_t k = 0; k < rego_count(list); k++) {
				put_slice(&out, rego_item(list, k), "text");
				buf_put_str(&out, " = ");
				rego_print(&out, rego_member(rego_item(list, k), "value"));
				buf_put_u8(&out, '\n');
			}
		}
		buf_put_u8(&out, '\n');
		for (size_t i = 0; i < rego_count(x); i++)
			put_rule(&out, rego_item(x, i));
	}
	return policy_print(&out, false) < 0 ? POLICY_ERROR : POLICY_OK;
}

/* --- tables --- */

static const struct cli_option g_eval[] = {
	POLICY_OPT_SOURCES,
	POLICY_OPT_QUERY,
	{"stdin", .help = "read the query from standard input"},
	{"format", 'f', "FORMAT", .help = "how to print the results",
		.choices = "json|pretty|raw|values|bindings|discard"},
	{"fail", .help = "exit with 1 when the result is undefined"},
	{"fail-defined", .help = "exit with 1 when the result is defined"},
	{"coverage", .help = "report which lines of the modules were evaluated"},
	{"explain", .help = "report which rules and expressions decided, with the values seen"},
	{"metrics", .help = "report times, steps and memory"},
	POLICY_OPT_DIALECT,
	{NULL},
};

static const struct cli_option g_check[] = {
	{"bundle", 'b', .help = "the paths are bundles"},
	{"format", 'f', "FORMAT", .help = "how to print errors", .choices = "pretty|json"},
	POLICY_OPT_DIALECT,
	{NULL},
};

static const struct cli_option g_test[] = {
	{"bundle", 'b', "PATH", .help = "load a bundle: a folder or an archive",
		.complete = CLI_COMPLETE_FILE, .many = true},
	{"data", 'd', "FILE", .help = "load a module, a document, or a folder of them",
		.complete = CLI_COMPLETE_FILE, .many = true},
	{"ignore", .arg = "PATTERN", .help = "leave out files and folders of this name",
		.many = true},
	{"run", 'r', "REGEX", .help = "run only tests whose full name matches"},
	{"format", 'f', "FORMAT", .help = "how to print the results", .choices = "pretty|json"},
	{"coverage", 'c', .help = "print a coverage report instead of results"},
	{"threshold", .arg = "PERCENT", .help = "fail when less is covered; implies --coverage"},
	{"count", .arg = "N", .help = "run each test so many times"},
	{"timeout", .arg = "TIME", .help = "refuse tests that run longer (default 5s)"},
	{"exit-zero-on-skipped", 'z', .help = "tests to do (todo_) are no failure"},
	{"fail-on-empty", .help = "fail when there is no test to run"},
	{"max-steps", .arg = "N", .help = "refuse to run more instructions"},
	{"max-memory", .arg = "SIZE", .help = "refuse to take more memory (default 4G)"},
	{"strict-builtin-errors", .help = "the first error of a built-in ends the test"},
	{"input", .arg = "FILE", .help = "an input document for all tests",
		.complete = CLI_COMPLETE_FILE},
	{"stdin-input", .help = "read that document from standard input"},
	{"package", .arg = "PACKAGE", .help = "run only tests of this package"},
	{"import", .arg = "PATH", .refused = "tests are rules; their modules have the imports"},
	POLICY_OPT_DIALECT,
	{NULL},
};

static const struct cli_option g_fmt[] = {
	{"write", 'w', .help = "write the result back to the file"},
	{"list", 'l', .help = "list files that would change, and nothing else"},
	{"diff", 'd', .help = "print what would change"},
	{"fail", .help = "exit with 1 when a file is not formatted"},
	{"check-result", .help = "refuse a result that means something else (always on)"},
	{"rego-v1", .help = "turn v0 modules into ones that are v0 and v1"},
	{"v0-compatible", .help = "the modules are Rego v0"},
	{"v1-compatible", .help = "the modules are Rego v1; the default"},
	{"drop-v0-imports", .help = "leave out imports that v1 does not need"},
	{NULL},
};

static const struct cli_option g_explain[] = {
	POLICY_OPT_SOURCES,
	POLICY_OPT_QUERY,
	{"format", 'f', "FORMAT", .help = "how to print", .choices = "pretty|json"},
	POLICY_OPT_DIALECT,
	{NULL},
};

static const struct cli_option g_bench[] = {
	POLICY_OPT_SOURCES,
	POLICY_OPT_QUERY,
	{"format", 'f', "FORMAT", .help = "how to print", .choices = "pretty|json|gobench"},
	{"count", .arg = "N", .help = "how many measurements"},
	{"benchtime", .arg = "TIME", .help = "how long each measurement takes (default 1s)"},
	{"fail", .help = "exit with 1 when the result is undefined"},
	POLICY_OPT_DIALECT,
	{NULL},
};

#define EXITS_EVAL                                                          \
	"0  done\n"                                                         \
	"1  the result is undefined (--fail) or defined (--fail-defined)\n" \
	"2  an error: of the command line, a file, a module or the evaluation"

const struct cli_command cmds_policy[] = {
	{"policy", "eval", .summary = "evaluate a Rego query", .args = "[QUERY]", .args_max = 1,
		.options = g_eval, .run = cmd_policy_eval, .exits = EXITS_EVAL,
		.details =
			"Evaluates a query over the modules and documents given, and prints the "
			"results in the shapes of `opa eval`. A folder given with --data is read "
			"whole; documents lie below `data` under the names of their folders. A "
			"single document stands at the root of `data`, or below a path with "
			"`--data a.b:FILE`.\n"
			"\n"
			"print() writes to standard error.",
		.examples =
			"husk policy eval -d policy.rego -i input.json data.policy.allow\n"
			"husk policy eval -f raw 'concat(\"-\", [\"a\", \"b\"])'\n"
			"husk policy eval --fail -d policies/ -i request.json data.agent.allow"},
	{"policy", "check", .summary = "parse and compile modules", .args = "PATH...",
		.args_min = 1, .args_max = CLI_ARGS_UNLIMITED, .options = g_check,
		.run = cmd_policy_check, .complete = CLI_COMPLETE_FILE,
		.exits = "0  the modules compile\n1  they do not, or a file cannot be read\n"
			 "2  wrong usage",
		.details = "Reports errors with file, line, column and OPA's error codes. "
			   "With --strict also what OPA's strict mode refuses.",
		.examples = "husk policy check --strict policies/"},
	{"policy", "test", .summary = "run the tests of policies", .args = "PATH...",
		.args_max = CLI_ARGS_UNLIMITED, .options = g_test, .run = cmd_policy_test,
		.complete = CLI_COMPLETE_FILE,
		.exits = "0  all tests pass\n1  a file, a module or the coverage threshold fails\n"
			 "2  a test fails or has an error, or wrong usage",
		.details = "Runs all rules whose names begin with test_: one that is undefined or "
			   "false fails. Rules that begin with todo_test_ are listed as skipped. "
			   "For a failure the expression that decided is shown with the values it "
			   "saw; with --verbose also what passes.",
		.examples = "husk policy test policies/\nhusk policy test -r 'allow' -v policies/\n"
			    "husk policy test --coverage --threshold 90 policies/"},
	{"policy", "fmt", .summary = "format modules", .args = "[PATH...]",
		.args_max = CLI_ARGS_UNLIMITED, .options = g_fmt, .run = cmd_policy_fmt,
		.complete = CLI_COMPLETE_FILE,
		.exits = "0  done\n1  a module is not formatted (--fail)\n2  a module cannot be "
			 "parsed or read, or wrong usage",
		.details = "Prints modules in the canonical layout of `opa fmt`; without a path, "
			   "standard input. Comments stay where they are.",
		.examples = "husk policy fmt -w policies/\nhusk policy fmt -l --fail policies/"},
	{"policy", "explain", .summary = "show which rules decided, and why", .args = "QUERY",
		.args_min = 1, .args_max = 1, .options = g_explain, .run = cmd_policy_explain,
		.exits =
			"0  done, whatever the decision\n2  an error: of the command line, a file, "
			"a module or the evaluation",
		.details = "Evaluates a query and shows each rule that was tried with its value, "
			   "and each expression of it: those that held, the one that failed with "
			   "the values it saw, and those that were not reached.",
		.examples = "husk policy explain -d policy.rego -i input.json data.policy.allow"},
	{"policy", "bench", .summary = "measure the evaluation of a query", .args = "QUERY",
		.args_min = 1, .args_max = 1, .options = g_bench, .run = cmd_policy_bench,
		.exits = EXITS_EVAL,
		.details =
			"Evaluates a query again and again, each time with a fresh evaluator "
			"state and the same documents, and prints the time, the instructions and "
			"the memory of one evaluation.",
		.examples = "husk policy bench -d policy.rego -i input.json data.policy.allow"},
	{NULL},
};
