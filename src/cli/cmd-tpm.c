/* SPDX-License-Identifier: Apache-2.0 */
/* husk tpm: software TPMs of guests, for the reference value that trusts their keys. */
#include <unistd.h>

#include "base/enc.h"
#include "cli/commands.h"
#include "fmt/json.h"
#include "host/vmm/swtpm.h"

static int run_tpm(struct cli *cli, bool create)
{
	char dir[256];
	cleanup_with(buf_done) struct buf spki = buf_init(4096);
	cleanup_with(buf_done) struct buf text = buf_init(8192);
	struct err e = {0};
	if (!create && access(cli_arg(cli, 0), F_OK) != 0) {
		int error = -errno;
		err_set(&e, error, "there is no folder %s; make one with husk tpm create",
			cli_arg(cli, 0));
		return cli_fail(cli, error, &e, "cannot show the TPM");
	}
	int r = swtpm_state_dir(cli_arg(cli, 0), dir, sizeof(dir), &e);
	if (r == 0)
		r = swtpm_provision(cli_opt_or(cli, "swtpm", "swtpm"), dir,
			create && cli_flag(cli, "replace"), &spki, &e);
	if (r == 0) {
		b64_encode(&text, buf_slice(&spki), B64_STD);
		r = buf_error(&text);
	}
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot %s the TPM", create ? "create" : "show");
	if (!cli->json) {
		printf("%s\n", buf_str(&text));
		return CLI_OK;
	}
	cleanup(json_decref) json_t *doc =
		json_pack("{s:s, s:s}", "state", dir, "ak", buf_str(&text));
	return doc ? cli_print_json(doc) : CLI_FAILURE;
}

static int run_create(struct cli *cli)
{
	return run_tpm(cli, true);
}

static int run_show(struct cli *cli)
{
	return run_tpm(cli, false);
}

#define SWTPM_OPTION                                                                               \
	{                                                                                          \
		"swtpm", .arg = "FILE", .help = "the swtpm program", .complete = CLI_COMPLETE_FILE \
	}

static const struct cli_option g_create[] = {
	{"replace", .help = "make a new key even when there is one"},
	SWTPM_OPTION,
	{NULL},
};
static const struct cli_option g_show[] = {SWTPM_OPTION, {NULL}};

const struct cli_command cmds_tpm[] = {
	{"tpm", "create", .summary = "make a software TPM with an attestation key", .args = "DIR",
		.args_min = 1, .args_max = 1, .options = g_create, .run = run_create,
		.complete = CLI_COMPLETE_DIR,
		.details =
			"Makes DIR (mode 0700) with the state of a TPM and prints the public "
			"part of its attestation key: base64 of the DER SubjectPublicKeyInfo, "
			"as `husk measure --trusted-ak` takes it. A key that exists is kept.\n"
			"\n"
			"A software TPM is as trustworthy as the host that runs it. It stands in "
			"for the vTPM of a cloud provider, and for tests.",
		.examples = "husk tpm create /var/lib/husk/tpm"},
	{"tpm", "show", .summary = "print the attestation key of a software TPM", .args = "DIR",
		.args_min = 1, .args_max = 1, .options = g_show, .run = run_show,
		.complete = CLI_COMPLETE_DIR, .examples = "husk tpm show /var/lib/husk/tpm"},
	{NULL},
};
