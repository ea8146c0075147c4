/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs plugin: an admin's request to any plugin of the key broker. */
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_admin.h"

#define BODY_MAX ((size_t)64 << 20)

static int show(const struct cli *cli, const struct buf *answer)
{
	struct err e = {0};
	int r;

	if (cli_opt(cli, "out")) {
		r = file_write_atomic(cli_opt(cli, "out"), buf_slice(answer), 0600, &e);
		return r < 0 ? cli_fail(cli, r, &e, NULL) : CLI_OK;
	}
	if (answer->size > 0 && isatty(STDOUT_FILENO)) {
		cli_put_text(stdout, buf_str(answer));
		putchar('\n');
	} else {
		fwrite(answer->data, 1, answer->size, stdout);
	}
	return CLI_OK;
}

static int run_plugin(struct cli *cli)
{
	static const char *const methods[][2] = {
		{"get", "GET"}, {"post", "POST"}, {"put", "PUT"}, {"delete", "DELETE"}};
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup_with(buf_done) struct buf body = buf_init_secret(BODY_MAX);
	cleanup_with(buf_done) struct buf answer = buf_init_secret(BODY_MAX);
	const char *action = cli_arg(cli, 0), *path = cli_arg(cli, 1);
	struct err e = {0};
	size_t i = 0;
	int code;

	while (i < ARRAY_COUNT(methods) && !streq(methods[i][0], action))
		i++;
	if (i == ARRAY_COUNT(methods))
		return kbs_usage(cli, "the action must be get, post, put or delete");
	if (cli_opt(cli, "file") && kbs_read_option_file(cli, &body, &code) < 0)
		return code;
	if (kbs_connect(cli, &a, &code) < 0)
		return code;
	int r = kbs_admin_call(a, methods[i][1], path,
		cli_opt(cli, "file") ? "application/octet-stream" : NULL, buf_slice(&body), &answer,
		&e);
	if (r < 0)
		return cli_fail(cli, r, &e, "%s %s", action, path);
	return show(cli, &answer);
}

static const struct cli_option g_plugin[] = {
	KBS_OPTIONS,
	{"file", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .help = "send this along"},
	{"out", .arg = "FILE", .complete = CLI_COMPLETE_FILE, .help = "write the answer here"},
	{NULL},
};

const struct cli_command cmds_kbs_plugin[] = {
	{.group = "kbs",
		.name = "plugin",
		.summary = "Ask a plugin of the key broker, as an admin",
		.args = "get PATH | post PATH | put PATH | delete PATH",
		.args_min = 2,
		.args_max = 2,
		.details =
			"PATH is PLUGIN/REST, percent-encoded as in a URL; the answer is printed as "
			"it comes. What guests read is encrypted to them: see husk kbs get.",
		.examples = "echo '{\"vm_name\": \"web1\"}' >vm.json\nhusk kbs plugin post "
			    "provisioner/provision --file vm.json",
		.options = g_plugin,
		.run = run_plugin},
	{NULL},
};
