/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the options of `husk run` to the VM's configuration. */
#include "base/buf.h"
#include "cli/guest_files.h"
#include "host/vmm/vmm.h"

struct run_config {
	struct vmm_config vmm;
	struct hostlink_run run; /* borrows the command line; only the arrays are owned */
	struct guest_files files;
	struct buf initdata;
	char tap[32];
	bool interactive, terminal;
};

/** run_config_get() - Return: 0, -EINVAL, -ENOENT, -E2BIG, -ENOMEM; release with run_config_done()
 */
must_check int run_config_get(const struct cli *cli, struct run_config *ret, struct err *reterr);
void run_config_done(struct run_config *c);
