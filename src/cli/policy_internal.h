/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What loading of folders (policy.c) and of archives (policy_archive.c) share. */
#include "cli/policy.h"

/** policy_new_file() - an empty file; @path and @prefix are copied. Return: 0, -E2BIG, -ENOMEM. */
must_check int policy_new_file(struct policy_files *f, const char *path, const char *prefix,
	struct policy_file **ret, struct err *reterr);
/** policy_wanted() - whether a file of this name is read in @kind */
bool policy_wanted(const char *name, enum policy_kind kind);
/** policy_ignored() - whether the caller's patterns leave it out */
bool policy_ignored(const struct policy_files *f, const char *name);
/**
 * policy_check_roots() - a bundle's manifest against its documents
 * @first: of the bundle's files in @f; @name of the bundle, for messages
 * Return: 0, -EBADMSG (no manifest, or a document that its roots do not allow).
 */
must_check int policy_check_roots(const struct policy_files *f, size_t first, const char *name,
	struct slice manifest, struct err *reterr);
/**
 * policy_load_archive() - a bundle as a tar file, or as one within gzip
 * Return: 0; -EBADMSG, -ENODATA (damaged, or with something that is no file); -E2BIG (more than
 * POLICY_FILES_MAX files, POLICY_FILE_MAX for one, 1 GiB for all); -ENOMEM; errno of reading.
 */
must_check int policy_load_archive(struct policy_files *f, const char *path, struct err *reterr);
