/* SPDX-License-Identifier: Apache-2.0 */
/* husk: the one tool a person types. */
#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct err e = {0};
	const char *help = NULL;
	int r = fd_fill_stdio();
	if (r < 0)
		return CLI_FAILURE;
	/* A reader that goes away is an error of write(2), not a death. */
	signal(SIGPIPE, SIG_IGN);
	r = cli_parse(argc, argv, &cli, &help, &e);
	if (r == -ECANCELED) {
		cli_print_help(stdout, help);
		return CLI_OK;
	}
	if (r < 0)
		return cli_fail(NULL, r, &e, NULL);
	log_setup("husk", cli.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, cli.json, 2);
	int code = cli.command->run(&cli);
	cli_done(&cli);
	if (fflush(stdout) != 0 && code == CLI_OK) {
		fputs("husk: cannot write to standard output\n", stderr);
		return CLI_FAILURE;
	}
	return code;
}
