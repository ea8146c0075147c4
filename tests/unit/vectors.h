/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Finding the shared test vectors: HUSK_VECTORS, else ../shared/vectors beside the source tree.
 * Missing vectors are a skip, but a failure where CI is set.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "fmt/json.h"

static inline const char *vectors_dir(void)
{
	const char *dir = getenv("HUSK_VECTORS");
	if (!dir || !*dir)
		dir = HUSK_VECTORS_DEFAULT;
	if (access(dir, R_OK) == 0)
		return dir;
	if (getenv("CI"))
		fail_msg("the test vectors are missing: %s", dir);
	print_message("skipped: no test vectors at %s (set HUSK_VECTORS)\n", dir);
	skip();
	return NULL;
}

static inline void vectors_read(
	const char *kind, const char *name, const char *file, struct buf *out)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s/%s/%s", vectors_dir(), kind, name, file);
	assert_int_equal(file_read(path, (size_t)64 << 20, out, NULL), 0);
}

static inline json_t *vectors_json(const char *kind, const char *name, const char *file)
{
	cleanup_with(buf_done) struct buf text = buf_init((size_t)64 << 20);
	json_t *j = NULL;
	vectors_read(kind, name, file, &text);
	assert_int_equal(json_parse(buf_slice(&text), (size_t)64 << 20, &j, NULL), 0);
	return j;
}
