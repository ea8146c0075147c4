/* SPDX-License-Identifier: Apache-2.0 */
/* --help from the command tables. */
#include "base/buf.h"
#include "base/str.h"
#include "cli/cli.h"

#define WIDTH 88u

/* Print @text, wrapped; the cursor already stands at column @column, later lines start at @indent.
 */
static void wrap(FILE *out, const char *text, size_t column, size_t indent)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " \n");
		bool first = column == indent;
		if (!first && column + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", (int)n, p);
		column += n + !first;
		p += n;
		if (*p == '\n') {
			fprintf(out, "\n%*s", p[1] && p[1] != '\n' ? (int)indent : 0, "");
			column = indent;
		}
		p += *p != '\0';
	}
	fputc('\n', out);
}

static void print_option(FILE *out, const struct cli_option *o)
{
	char left[80];
	int n = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", o->letter ? '-' : ' ',
		o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name, o->arg ? " " : "",
		o->arg ? o->arg : "");
	fputs(left, out);
	size_t column = (size_t)n;
	if (column > 28)
		fprintf(out, "\n%*s", 30, "");
	else
		fprintf(out, "%*s", (int)(30 - column), "");
	cleanup_with(buf_done) struct buf b = {0};
	if (o->refused)
		buf_printf(&b, "refused: %s", o->refused);
	else
		buf_put_str(&b, o->help);
	if (o->choices)
		buf_printf(&b, " (%s)", o->choices);
	if (o->many)
		buf_put_str(&b, "; may be repeated");
	if (o->required)
		buf_put_str(&b, "; required");
	wrap(out, buf_str(&b), 30, 30);
}

static void print_row(FILE *out, const char *name, const char *summary)
{
	fprintf(out, "  %-22s", name);
	wrap(out, summary, 24, 24);
}

static bool has_commands(const char *group)
{
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++)
			if (!c->hidden && streq_null(c->group, group))
				return true;
	return false;
}

static void print_commands(FILE *out, const char *group)
{
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++)
			if (!c->hidden && streq_null(c->group, group))
				print_row(out, c->name, c->summary);
}

static void print_globals(FILE *out)
{
	fputs("\nOptions of every command:\n", out);
	for (const struct cli_option *o = cli_globals; o->name; o++)
		print_option(out, o);
}

static void print_program(FILE *out)
{
	fputs("usage: husk COMMAND [OPTION...] [ARGUMENT...]\n\n"
	      "Run containers in pod VMs that prove what they are, and release keys only to "
	      "those.\n\n"
	      "Commands:\n",
		out);
	print_commands(out, NULL);
	for (const struct cli_group *g = cli_groups; g->name; g++)
		print_row(out, g->name, g->summary);
	print_globals(out);
	fputs("\n'husk COMMAND --help' explains one command. Exit codes: 0 done, 1 failed, 2 wrong "
	      "usage,\n"
	      "3 refused by a policy, signature or attestation.\n",
		out);
}

static void print_group(FILE *out, const struct cli_group *g)
{
	fprintf(out, "usage: husk %s COMMAND [OPTION...]\n\n%s.\n\nCommands:\n", g->name,
		g->summary);
	print_commands(out, g->name);
	print_globals(out);
}

static void print_command(FILE *out, const struct cli_command *c)
{
	char path[64];
	fprintf(out, "usage: husk %s [OPTION...]%s%s%s%s%s\n\n%s.\n",
		cli_command_path(c, path, sizeof(path)), c->args ? " " : "", c->args ? c->args : "",
		c->rest ? " [-- " : "", c->rest ? c->rest : "", c->rest ? "]" : "", c->summary);
	if (c->details) {
		fputc('\n', out);
		wrap(out, c->details, 0, 0);
	}
	if (!c->group && has_commands(c->name)) {
		fputs("\nCommands:\n", out);
		print_commands(out, c->name);
	}
	if (c->options) {
		fputs("\nOptions:\n", out);
		for (const struct cli_option *o = c->options; o->name; o++)
			print_option(out, o);
	}
	print_globals(out);
	if (c->exits)
		fprintf(out, "\nExit codes:\n%s\n", c->exits);
	if (c->examples)
		fprintf(out, "\nExamples:\n%s\n", c->examples);
}

void cli_print_help(FILE *out, const char *path)
{
	char group[64];
	size_t n = strcspn(path, " ");
	snprintf(group, sizeof(group), "%.*s", (int)MIN(n, sizeof(group) - 1), path);
	const struct cli_command *c =
		path[n] == ' ' ? cli_find(group, path + n + 1) : cli_find(NULL, path);
	if (c) {
		print_command(out, c);
		return;
	}
	for (const struct cli_group *g = cli_groups; g->name; g++)
		if (streq(g->name, path)) {
			print_group(out, g);
			return;
		}
	print_program(out);
}
