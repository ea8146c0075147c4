/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * JSON Canonicalization Scheme (RFC 8785): members sorted by UTF-16 code units, no white space,
 * ECMAScript numbers. The binding hash of the KBS protocol is taken over this form.
 */
#include <jansson.h>

#include "base/buf.h"

/** jcs_write() - append canonical text of @j. Return: 0, -E2BIG (deeper than 64), -ENOMEM,
 * -EBADMSG. */
must_check int jcs_write(const json_t *j, struct buf *out);
