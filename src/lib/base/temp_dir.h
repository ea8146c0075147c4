/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A private temporary folder that goes when its owner does, also when that one is killed: a small
 * process of its own waits for the owner's end and removes what is left.
 */
#include <sys/types.h>

#include "base/err.h"

#define TEMP_DIR_PATH_MAX 256u

struct temp_dir {
	char path[TEMP_DIR_PATH_MAX]; /* absolute; empty: there is none */
	pid_t keeper;		      /* 0: none */
	int alive_fd;		      /* its closing tells the keeper that the owner is gone */
};

/**
 * temp_dir_make() - make a folder of mode 0700 in TMPDIR, or in /tmp when that is not set or not absolute
 * @prefix: first part of its name
 * @forbidden: characters that the path must not have, or NULL; a TMPDIR with one is passed over
 * Return: 0 or negative errno; then *ret is zeroed.
 */
must_check int temp_dir_make(
	struct temp_dir *ret, const char *prefix, const char *forbidden, struct err *reterr);

/** temp_dir_done() - remove it with all that is in it; accepts a zeroed one. Return: 0 or negative errno. */
int temp_dir_done(struct temp_dir *t);
