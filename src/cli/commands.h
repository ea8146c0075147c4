/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command tables of this folder, one line each. */
#include "cli/cli.h"

extern const struct cli_command cmds_collateral[];
extern const struct cli_command cmds_image[];
extern const struct cli_command cmds_initdata[];
extern const struct cli_command cmds_kbs[];
extern const struct cli_command cmds_kbs_attest[];
extern const struct cli_command cmds_kbs_audit[];
extern const struct cli_command cmds_kbs_house[];
extern const struct cli_command cmds_kbs_plugin[];
extern const struct cli_command cmds_kbs_move[];
extern const struct cli_command cmds_key[];
extern const struct cli_command cmds_measure[];
extern const struct cli_command cmds_measure_snp[];
extern const struct cli_command cmds_policy[];
extern const struct cli_command cmds_run[];
extern const struct cli_command cmds_tpm[];
extern const struct cli_command cmds_verify[];
extern const struct cli_command cmds_version[];
