/* SPDX-License-Identifier: Apache-2.0 */
/* Man pages (roff, man macros) from the command tables. */
#include "base/str.h"
#include "cli/cli.h"

/* Text as roff: escapes, and no line may start as a request. */
static void put(FILE *out, const char *text)
{
	bool start = true;
	for (const char *p = text; *p; p++) {
		if (start && (*p == '.' || *p == '\''))
			fputs("\\&", out);
		start = *p == '\n';
		if (*p == '\\')
			fputs("\\e", out);
		else if (*p == '-')
			fputs("\\-", out);
		else if (*p == '\n' && p[1] == '\n')
			continue;
		else if (*p == '\n' && p > text && p[-1] == '\n')
			fputs("\n.PP\n", out);
		else
			fputc(*p, out);
	}
}

/* A line may break behind each '|': a long list has no other place. */
static void put_choices(FILE *out, const char *choices)
{
	char one[64];

	for (size_t n; *choices; choices += n) {
		n = strcspn(choices, "|");
		snprintf(one, sizeof(one), "%.*s", (int)n, choices);
		put(out, one);
		if (choices[n] == '|') {
			fputs("|\\:", out);
			n++;
		}
	}
}

static void put_option(FILE *out, const struct cli_option *o)
{
	fputs(".TP\n", out);
	if (o->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", out);
	put(out, o->name);
	fputs("\\fR", out);
	if (o->arg) {
		fputs(" \\fI", out);
		put(out, o->arg);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	if (o->refused)
		fputs("Refused: ", out);
	put(out, o->refused ? o->refused : o->help);
	if (o->choices) {
		fputs(" (", out);
		put_choices(out, o->choices);
		fputc(')', out);
	}
	if (o->many)
		fputs("; may be repeated", out);
	if (o->required)
		fputs("; required", out);
	fputs(".\n", out);
}

static void put_options(FILE *out, const char *title, const struct cli_option *o)
{
	fprintf(out, ".SH %s\n", title);
	for (; o->name; o++)
		put_option(out, o);
}

static void put_lines(FILE *out, const char *title, const char *text)
{
	fprintf(out, ".SH %s\n.nf\n", title);
	put(out, text);
	fputs("\n.fi\n", out);
}

static void put_head(FILE *out, const char *page, const char *summary)
{
	fprintf(out, ".TH \"");
	for (const char *p = page; *p; p++)
		fputc(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p, out);
	fprintf(out,
		"\" \"1\" \"\" \"husk " HUSK_VERSION "\" \"User Commands\"\n.ad l\n.SH NAME\n");
	put(out, page);
	fputs(" \\- ", out);
	put(out, summary);
	fputc('\n', out);
}

static const char exits[] = "0  done\n"
			    "1  failed: I/O, network, malformed input\n"
			    "2  wrong usage\n"
			    "3  refused by a policy, signature or attestation";

static void put_command(FILE *out, const struct cli_command *c)
{
	char path[64], page[72];
	cli_command_path(c, path, sizeof(path));
	snprintf(page, sizeof(page), "husk-%s%s%s", c->group ? c->group : "", c->group ? "-" : "",
		c->name);
	put_head(out, page, c->summary);
	fputs(".SH SYNOPSIS\n\\fBhusk ", out);
	put(out, path);
	fputs("\\fR [\\fIOPTION\\fR...]", out);
	if (c->args) {
		fputs(" \\fI", out);
		put(out, c->args);
		fputs("\\fR", out);
	}
	if (c->rest) {
		fputs(" [\\-\\- \\fI", out);
		put(out, c->rest);
		fputs("\\fR]", out);
	}
	fputs("\n.SH DESCRIPTION\n", out);
	put(out, c->details ? c->details : c->summary);
	fputs(c->details ? "\n" : ".\n", out);
	if (c->options)
		put_options(out, "OPTIONS", c->options);
	put_options(out, "COMMON OPTIONS", cli_globals);
	put_lines(out, "EXIT STATUS", c->exits ? c->exits : exits);
	if (c->examples)
		put_lines(out, "EXAMPLES", c->examples);
	fputs(".SH SEE ALSO\n.BR husk (1)\n", out);
}

static void put_program(FILE *out)
{
	put_head(out, "husk", "run containers in pod VMs that prove what they are");
	fputs(".SH SYNOPSIS\n\\fBhusk\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] "
	      "[\\fIARGUMENT\\fR...]\n"
	      ".SH DESCRIPTION\nHusk runs unmodified containers inside virtual machines whose "
	      "firmware,\n"
	      "kernel, initrd, command line and configuration are measured, and releases keys only "
	      "to\n"
	      "guests that prove what they are.\n.SH COMMANDS\n",
		out);
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++) {
			char path[64];
			if (c->hidden)
				continue;
			cli_command_path(c, path, sizeof(path));
			fputs(".TP\n\\fBhusk ", out);
			put(out, path);
			fputs("\\fR\n", out);
			put(out, c->summary);
			fputs(".\n", out);
		}
	put_options(out, "COMMON OPTIONS", cli_globals);
	put_lines(out, "EXIT STATUS", exits);
}

void cli_print_man(FILE *out, const char *path)
{
	char group[64];
	size_t n = strcspn(path, " ");
	snprintf(group, sizeof(group), "%.*s", (int)MIN(n, sizeof(group) - 1), path);
	const struct cli_command *c =
		path[n] == ' ' ? cli_find(group, path + n + 1) : cli_find(NULL, path);
	if (c)
		put_command(out, c);
	else
		put_program(out);
}
