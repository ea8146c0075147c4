/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files that a guest boots from, for the commands that boot or measure one. */
#include <limits.h>

#include "cli/cli.h"

#define GUEST_FILES_OPTIONS                                                                    \
	{"guest", .arg = "DIR",                                                                \
		.help = "folder with husk-fw.bin, vmlinuz and initrd.cpio (default: what was " \
			"installed)",                                                          \
		.complete = CLI_COMPLETE_DIR},                                                 \
		{"firmware", .arg = "FILE", .help = "firmware instead of husk-fw.bin",         \
			.complete = CLI_COMPLETE_FILE},                                        \
		{"kernel", .arg = "FILE", .help = "kernel (bzImage) instead of vmlinuz",       \
			.complete = CLI_COMPLETE_FILE},                                        \
		{"initrd", .arg = "FILE", .help = "initrd instead of initrd.cpio",             \
			.complete = CLI_COMPLETE_FILE},                                        \
	{                                                                                      \
		"append", .arg = "TEXT",                                                       \
			  .help = "kernel command line, to the byte, instead of husk's"        \
	}

struct guest_files {
	char firmware[PATH_MAX], kernel[PATH_MAX], initrd[PATH_MAX];
	const char *append;
};

/**
 * guest_files_get() - the paths from the options of the command
 *
 * Return: 0, -ENOENT (a file cannot be read; @reterr names it and the option that sets it).
 */
must_check int guest_files_get(const struct cli *cli, struct guest_files *ret, struct err *reterr);
