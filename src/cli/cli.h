/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The frame of the `husk` command line. Commands are rows of tables; parsing, --help, the man pages
 * and the bash completion are all made from the same rows, so they cannot disagree.
 *
 * To add commands: write src/cli/cmd-NAME.c with a table `const struct cli_command cmds_NAME[]`
 * that ends with an empty row, declare it in commands.h, and name it in commands.c.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

/* Exit codes of every command; `husk run` adds the codes of docker run (see its man page). */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILURE = 1, /* the work failed: I/O, network, malformed input */
	CLI_USAGE = 2,	 /* the command line is wrong */
	CLI_REFUSED = 3, /* a policy, signature or attestation said no */
};

/* What bash completes for an option's value or an argument. */
enum cli_complete { CLI_COMPLETE_NONE, CLI_COMPLETE_FILE, CLI_COMPLETE_DIR };

/**
 * struct cli_option - one option of a command
 * @name: long name without dashes; NULL ends the table
 * @letter: one-letter form, 0 for none; shadows a global letter
 * @arg: name of its value in help ("FILE"); NULL makes it a flag
 * @help: one sentence, no trailing dot
 * @choices: allowed values separated by '|', or NULL; checked by the parser
 * @complete: for the completion
 * @many: may be given more than once (see cli_opt_at())
 * @required: the parser insists
 * @refused: when not NULL the option exists only to be refused, with this reason
 */
struct cli_option {
	const char *name;
	char letter;
	const char *arg;
	const char *help;
	const char *choices;
	enum cli_complete complete;
	bool many;
	bool required;
	const char *refused;
};

struct cli;

/**
 * struct cli_command - one command
 * @group: first word of a two-word command ("image"), NULL for a one-word one
 * @name: last word ("build"); NULL ends the table
 * @summary: one line, no trailing dot
 * @args: arguments as shown in the synopsis ("REGISTRY/IMAGE"), NULL for none
 * @rest: what follows "--" in the synopsis ("COMMAND..."); NULL refuses "--" with words after it
 * @args_min, @args_max: how many arguments (without those after "--")
 * @details: paragraphs for help and man page, separated by an empty line; may be NULL
 * @exits: "CODE text" lines that replace the common exit codes; may be NULL
 * @examples: lines "COMMAND" shown as they are; may be NULL
 * @options: ends with an empty row; may be NULL
 * @complete: completion of the arguments
 * @hidden: not listed
 * @run: does the work. Return: exit code (enum cli_exit or the command's own)
 */
struct cli_command {
	const char *group;
	const char *name;
	const char *summary;
	const char *args;
	const char *rest;
	unsigned args_min, args_max;
	const char *details;
	const char *exits;
	const char *examples;
	const struct cli_option *options;
	enum cli_complete complete;
	bool hidden;
	int (*run)(struct cli *cli);
};

struct cli_group {
	const char *name; /* NULL ends the table */
	const char *summary;
};

/* The tables (commands.c). */
extern const struct cli_command *const cli_tables[];
extern const struct cli_group cli_groups[];
extern const struct cli_option cli_globals[];

#define CLI_ARGS_UNLIMITED 1000u

/**
 * struct cli - a parsed command line; read it through the calls below
 * @json: print machine-readable output on stdout
 * @quiet: no progress, no notes
 * @verbose: log at debug level
 */
struct cli {
	const struct cli_command *command;
	bool json;
	bool quiet;
	bool verbose;
	struct cli_value {
		const struct cli_option *option;
		const char *value; /* NULL for a flag */
	} * values;
	size_t value_count;
	const char **args;
	size_t arg_count;
	const char **rest;
	size_t rest_count;
};

/**
 * cli_parse() - parse a command line
 * @argv: argc strings, argv[0] is the program; borrowed by @ret
 * @ret: filled on success; release with cli_done()
 * @ret_help: set to the command ("" for the program, "image", "image build") when --help was asked
 *
 * Return: 0, -ECANCELED (help asked), -EINVAL (usage; @reterr says what, with a suggestion),
 * -ENOMEM.
 */
must_check int cli_parse(
	int argc, char **argv, struct cli *ret, const char **ret_help, struct err *reterr);
void cli_done(struct cli *cli);

/** cli_flag() - was the flag given? @name must be in the table of the command or a global */
bool cli_flag(const struct cli *cli, const char *name);
/** cli_opt() - value of an option, the last one when repeated; NULL when absent */
const char *cli_opt(const struct cli *cli, const char *name);
/** cli_opt_or() - likewise with a default */
const char *cli_opt_or(const struct cli *cli, const char *name, const char *fallback);
/** cli_opt_at() - value number @i of a repeated option; NULL past the end */
const char *cli_opt_at(const struct cli *cli, const char *name, size_t i);
/** cli_arg() - argument number @i; NULL past the end */
const char *cli_arg(const struct cli *cli, size_t i);

/**
 * cli_fail() - report a failure on stderr and give the exit code for it
 * @r: negative errno; -EACCES and -EKEYREJECTED give CLI_REFUSED, -EINVAL gives CLI_USAGE
 * @e: may be NULL
 * @fmt: what was being done, e.g. "cannot push %s"; NULL for nothing
 *
 * With --json the report is one JSON object {"error":{"what","reason","field","code"}} on stderr.
 */
int cli_fail(const struct cli *cli, int r, const struct err *e, const char *fmt, ...)
	format_printf(4, 5);
/** cli_note() - one line on stderr for a person; silent with --quiet or --json */
void cli_note(const struct cli *cli, const char *fmt, ...) format_printf(2, 3);
/** cli_print_json() - print a document on stdout, indented. Return: CLI_OK or CLI_FAILURE. */
int cli_print_json(json_t *doc);
/** cli_put_text() - print untrusted text with control characters escaped */
void cli_put_text(FILE *out, const char *text);

/* Help, man page, completion (help.c, man.c, completion.c). */
const struct cli_command *cli_find(const char *group, const char *name);
/** cli_command_path() - "image build" in @dst. Return: @dst. */
const char *cli_command_path(const struct cli_command *c, char *dst, size_t size);
void cli_print_help(FILE *out, const char *path);
void cli_print_man(FILE *out, const char *path);
void cli_print_completion(FILE *out);
/** cli_suggest() - name of @candidates (NULL-terminated) closest to @word, NULL when none is near
 */
const char *cli_suggest(const char *word, const char *const *candidates);
