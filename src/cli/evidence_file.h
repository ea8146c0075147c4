/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <jansson.h>

#include "base/err.h"

/**
 * evidence_file_read() - a file of evidence, as husk verify takes it
 * @tee: its kind; NULL: told from its members
 * @ret: new document, as it travels in an attestation message
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM, errno of the file system.
 */
must_check int evidence_file_read(
	const char *file, const char *tee, json_t **ret, const char **ret_tee, struct err *reterr);
