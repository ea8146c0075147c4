/* SPDX-License-Identifier: Apache-2.0 */
/* Which commands exist. The order is the order of `husk --help`. */
#include "cli/commands.h"

const struct cli_command *const cli_tables[] = {
	cmds_run,
	cmds_image,
	cmds_key,
	cmds_initdata,
	cmds_measure,
	cmds_measure_snp,
	cmds_tpm,
	cmds_kbs,
	cmds_kbs_attest,
	cmds_kbs_audit,
	cmds_kbs_house,
	cmds_kbs_plugin,
	cmds_kbs_move,
	cmds_policy,
	cmds_verify,
	cmds_collateral,
	cmds_version,
	NULL,
};

/* Every first word of a two-word command. */
const struct cli_group cli_groups[] = {
	{"image", "Container images: build, encrypt, sign, push"},
	{"key", "Keys for signing and encryption"},
	{"initdata", "Initdata: the owner's configuration of a guest"},
	{"tpm", "Software TPMs of guests"},
	{"kbs", "A key broker: resources, policies, reference values, verdicts"},
	{"policy", "Rego policies: evaluate, check, test, format, explain"},
	{"collateral", "What vendors publish about hardware: fetch, list, carry"},
	{NULL, NULL},
};

const struct cli_option cli_globals[] = {
	{"json", .help = "print results as JSON on stdout, failures as JSON on stderr"},
	{"quiet", 'q', .help = "no progress and no notes"},
	{"verbose", 'v', .help = "log what is being done"},
	{"help", 'h', .help = "show help and stop"},
	{NULL},
};
