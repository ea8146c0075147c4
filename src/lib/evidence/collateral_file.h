/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Collateral from a file or a folder. Not for processes that parse evidence: they have no files. */
#include "evidence/collateral.h"

#define COLLATERAL_DEPTH_MAX 8

/**
 * collateral_store_read() - add what is at @path
 *
 * A file is a document for collateral_store_load(). In a folder an item is a regular file; its path
 * below the folder is its key, without the suffix .der, .pem, .crl or .json. Files below vcek/ are
 * certificates of AMD's chips; their keys come from what they say.
 * Return: 0; -EBADMSG (a document, name or certificate is malformed, or something is no file),
 * -E2BIG, -ENOMEM, errno of the file system; @reterr names the path.
 */
must_check int collateral_store_read(
	struct collateral_store *s, const char *path, struct err *reterr);
