/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "cli/cli.h"

/** key_run_provider() - `husk key provider`: a request on standard input, the answer on output */
int key_run_provider(struct cli *cli);
