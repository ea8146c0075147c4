/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command line of QEMU for one pod VM. */
#include "host/vmm/vmm.h"

/* No option of QEMU's own devices: only what a pod VM needs, each named. */
#define QEMU_ARGS_MAX 64u

struct qemu_args {
	const char *argv[QEMU_ARGS_MAX + 1]; /* NULL-terminated; into the config or @text */
	size_t count;
	char text[8][160];
	size_t text_count;
};

/**
 * qemu_args_make() - build the command line
 * @link_fd, @tpm_fd: sockets that QEMU inherits under these numbers
 * @ret: borrows the strings of @config
 *
 * Console and QEMU's own messages go to its standard output and error.
 */
void qemu_args_make(
	const struct vmm_config *config, bool kvm, int link_fd, int tpm_fd, struct qemu_args *ret);
