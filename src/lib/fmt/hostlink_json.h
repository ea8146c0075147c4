/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by hostlink_msg.c and hostlink_run.c only: strict reading of flat JSON objects. */
#include <jansson.h>

#include "fmt/hostlink.h"
#include "fmt/json.h"

/* Parse an object that has no members but @members. Return: as the _parse() calls. */
must_check int hostlink_json_load(struct slice in, const char *const *members, size_t count,
	json_t **ret, struct err *reterr);
must_check int hostlink_json_members(
	json_t *obj, const char *const *members, size_t count, struct err *reterr);
/* An absent optional number gives 0. */
must_check int hostlink_json_u64(json_t *obj, const char *name, bool required, uint64_t max,
	uint64_t *ret, struct err *reterr);
/* Required text without control characters. */
must_check int hostlink_json_text(
	json_t *obj, const char *name, char *dst, size_t dst_size, struct err *reterr);
/* Append @doc (consumed, may be NULL for ENOMEM) as a frame. */
void hostlink_json_put(struct buf *out, enum hostlink_type type, json_t *doc);
