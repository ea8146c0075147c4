/* SPDX-License-Identifier: Apache-2.0 */
/* The command line frame: parsing, suggestions, and what is made from the tables. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/cli.h"

static int parse(struct cli *cli, struct err *e, const char **help, const char *const *words)
{
	char *argv[16] = {(char *)(uintptr_t) "husk"};
	int argc = 1;
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return cli_parse(argc, argv, cli, help, e);
}
#define PARSE(cli, e, help, ...) parse(cli, e, help, (const char *const[]){__VA_ARGS__, NULL})

static void test_parse(void **state)
{
	struct cli cli = {0};
	struct err e = {0};
	const char *help = NULL;
	assert_int_equal(PARSE(&cli, &e, &help, "version", "--json", "-qv"), 0);
	assert_string_equal(cli.command->name, "version");
	assert_true(cli.json && cli.quiet && cli.verbose);
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &e, &help, "man", "--write=/x", "run"), 0);
	assert_string_equal(cli_opt(&cli, "write"), "/x");
	assert_string_equal(cli_opt_or(&cli, "write", "y"), "/x");
	assert_string_equal(cli_arg(&cli, 0), "run");
	assert_null(cli_arg(&cli, 1));
	assert_false(cli_flag(&cli, "list"));
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &e, &help, "man", "--write", "/y"), 0);
	assert_string_equal(cli_opt(&cli, "write"), "/y");
	cli_done(&cli);
}

static void test_help_wins(void **state)
{
	struct cli cli = {0};
	const char *help = NULL;
	assert_int_equal(PARSE(&cli, NULL, &help, "version", "--help", "a", "b"), -ECANCELED);
	assert_string_equal(help, "version");
	assert_int_equal(PARSE(&cli, NULL, &help, "-h"), -ECANCELED);
	assert_string_equal(help, "");
}

static void test_usage_errors(void **state)
{
	static const struct {
		const char *words[4];
		const char *text; /* must be part of the message */
	} rows[] = {
		{{"verison"}, "did you mean 'version'"},
		{{"xyzzy"}, "there is no command 'xyzzy'"},
		{{"version", "--jsn"}, "did you mean '--json'"},
		{{"version", "--zzzzzzzzz"}, "unknown option '--zzzzzzzzz'"},
		{{"version", "-x"}, "unknown option '-x'"},
		{{"version", "word"}, "one argument too many"},
		{{"version", "--json=1"}, "--json takes no value"},
		{{"version", "--", "word"}, "takes nothing after --"},
		{{"man", "--write"}, "--write needs a value (DIR)"},
		{{"man", "--write=a", "--write=b"}, "more than once"},
		{{NULL}, "no command given"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct cli cli = {0};
		struct err e = {0};
		const char *help = NULL;
		assert_int_equal(parse(&cli, &e, &help, rows[i].words), -EINVAL);
		if (!strstr(e.text, rows[i].text))
			fail_msg("row %zu: %s", i, e.text);
		assert_null(cli.values);
	}
}

static void test_suggest(void **state)
{
	static const char *const words[] = {"build", "push", "pull", NULL};
	assert_string_equal(cli_suggest("biuld", words), "build");
	assert_string_equal(cli_suggest("pul", words), "pull");
	assert_null(cli_suggest("frobnicate", words));
	assert_null(cli_suggest("xx", words));
}

/* What the tables promise: every command can run, has a summary, and no option is doubled. */
static void test_tables(void **state)
{
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++) {
			assert_non_null(c->run);
			assert_non_null(c->summary);
			assert_false(str_ends(c->summary, "."));
			assert_true(c->args_max >= c->args_min);
			assert_true(c->args_max == 0 || c->args);
			assert_ptr_equal(cli_find(c->group, c->name), c);
			for (const struct cli_option *o = c->options; o && o->name; o++) {
				assert_true(o->help || o->refused);
				for (const struct cli_option *p = o + 1; p->name; p++) {
					assert_false(streq(o->name, p->name));
					assert_false(o->letter && o->letter == p->letter);
				}
			}
			bool known = !c->group || cli_find(NULL, c->group);
			for (const struct cli_group *g = cli_groups; g->name; g++)
				known = known || streq(g->name, c->group ? c->group : "");
			assert_true(known);
		}
}

static void test_put_text(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	cli_put_text(out, "a\x1b[2Jb\xff\xc3\xa9\n");
	fclose(out);
	assert_string_equal(text, "a\\x1b[2Jb\\xff\xc3\xa9\\x0a");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_help_wins),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_put_text),
	};
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
