/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* `husk-kbs restore`: a backup into the store of a configuration, which must be empty. */
#include "trustee/kbs/config.h"

/**
 * restore_run() - decrypt @file with the private key in @key_file and fill the store, wholly or not at
 * all Return: 0, -EKEYREJECTED (another key, or the file was changed), -EEXIST (the store is not
 * empty), and other errno.
 */
must_check int restore_run(
	const struct kbs_config *c, const char *file, const char *key_file, struct err *reterr);
