/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TOML 1.0 (toml.io/en/v1.0.0) into JSON values: tables become objects, arrays arrays, dates their
 * text. Strict: duplicate keys, redefined tables, control characters and malformed UTF-8 are
 * refused.
 */
#include <jansson.h>

#include "base/buf.h"

#define TOML_SIZE_MAX ((size_t)4 << 20)
#define TOML_DEPTH_MAX 32
#define TOML_KEY_PARTS_MAX 16
#define TOML_TABLES_MAX 4096

/**
 * toml_parse() - parse one document
 * Return: 0 with a new reference (an object); -EBADMSG with line and column in the text and the
 * byte in
 * @reterr->offset; -E2BIG (size, depth); -ENOMEM.
 * Limits: integers are 64-bit, floats are doubles.
 */
must_check int toml_parse(struct slice in, json_t **ret, struct err *reterr);
