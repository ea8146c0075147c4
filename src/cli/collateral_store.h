/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The folder of collateral that `husk collateral` works on. */
#include "cli/cli.h"
#include "evidence/collateral.h"

/** collateral_folder_read() - all items of @folder; an absent one is empty. Return: as
 * collateral_store_read(); -ENOTDIR. */
must_check int collateral_folder_read(
	const char *folder, struct collateral_store **ret, struct err *reterr);

/** collateral_within() - --within ("7d", "12h", "90m") in seconds; 7 days when absent */
must_check int collateral_within(const struct cli *cli, int64_t *ret, struct err *reterr);

/* In cmd-collateral-fetch.c */
extern const struct cli_option collateral_fetch_options[];
int collateral_run_fetch(struct cli *cli);
