/* SPDX-License-Identifier: Apache-2.0 */
/* husk version, husk completion, husk man: what the program says about itself. */
#include <limits.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/commands.h"

static int run_version(struct cli *cli)
{
	if (!cli->json) {
		puts("husk " HUSK_VERSION);
		return CLI_OK;
	}
	json_t *doc = json_pack("{s:s,s:s}", "name", "husk", "version", HUSK_VERSION);
	int r = cli_print_json(doc);
	json_decref(doc);
	return r;
}

static int run_completion(struct cli *cli)
{
	cli_print_completion(stdout);
	return CLI_OK;
}

static int list_pages(void)
{
	puts("husk");
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name; c++) {
			char path[64];
			if (!c->hidden)
				puts(cli_command_path(c, path, sizeof(path)));
		}
	return CLI_OK;
}

/* One file a command: husk.1, husk-image-build.1, ... */
static int write_page(const struct cli *cli, const char *dir, const char *path)
{
	char *text = NULL, file[PATH_MAX];
	size_t size = 0;
	struct err e = {0};
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return cli_fail(cli, -ENOMEM, NULL, NULL);
	cli_print_man(out, path);
	int r = fclose(out) == 0 ? 0 : -ENOMEM;
	snprintf(file, sizeof(file), "%s/husk%s%s.1", dir, path[0] ? "-" : "", path);
	char *blank = r == 0 ? strchr(file + strlen(dir), ' ') : NULL;
	if (blank)
		*blank = '-';
	if (r == 0)
		r = file_write_atomic(file, slice_of(text, size), 0644, &e);
	free(text);
	return r < 0 ? cli_fail(cli, r, &e, "cannot write the man pages") : CLI_OK;
}

static int write_pages(const struct cli *cli, const char *dir)
{
	char path[64];
	int code = path_make_dirs(dir, 0755);
	if (code < 0)
		return cli_fail(cli, code, NULL, "cannot make %s", dir);
	code = write_page(cli, dir, "");
	for (size_t t = 0; cli_tables[t]; t++)
		for (const struct cli_command *c = cli_tables[t]; c->name && !code; c++)
			if (!c->hidden)
				code = write_page(
					cli, dir, cli_command_path(c, path, sizeof(path)));
	return code;
}

static int run_man(struct cli *cli)
{
	char path[128];
	if (cli_opt(cli, "write"))
		return write_pages(cli, cli_opt(cli, "write"));
	if (cli_flag(cli, "list"))
		return list_pages();
	const char *first = cli_arg(cli, 0), *second = cli_arg(cli, 1);
	bool whole = !first || streq(first, "husk");
	if (!whole && !(second ? cli_find(first, second) : cli_find(NULL, first)))
		return cli_fail(cli, -ENOENT, NULL, "there is no page for '%.40s%s%.40s'", first,
			second ? " " : "", second ? second : "");
	snprintf(path, sizeof(path), "%s%s%s", whole ? "" : first, second ? " " : "",
		second ? second : "");
	cli_print_man(stdout, path);
	return CLI_OK;
}

const struct cli_command cmds_version[] = {
	{.name = "version", .summary = "Print the version", .run = run_version},
	{.name = "completion",
		.summary = "Print the bash completion",
		.details = "Load it with: source <(husk completion)",
		.run = run_completion},
	{.name = "man",
		.summary = "Print a man page in roff",
		.args = "[COMMAND...]",
		.args_max = 2,
		.details = "Without a command it prints husk(1). View a page with: husk man run | "
			   "man -l -",
		.options =
			(const struct cli_option[]){
				{"list", .help = "list the pages, one command per line"},
				{"write", .arg = "DIR", .help = "write all pages into a folder",
					.complete = CLI_COMPLETE_DIR},
				{NULL}},
		.run = run_man},
	{NULL},
};
