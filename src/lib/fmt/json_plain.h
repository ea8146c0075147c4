/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * JSON as programs write it, read at the speed of evidence: behind json_parse(), which is what
 * everybody but its tests calls.
 */
#include <jansson.h>

#include "base/slice.h"

/**
 * json_plain() - read @in if it is plain: at most JSON_DEPTH_MAX deep, integers of at most 18
 * digits, no \u, no escapes in names
 *
 * What it reads is what json_loadb() with JSON_REJECT_DUPLICATES | JSON_DECODE_ANY makes of the
 * same bytes, members in the same order. It refuses nothing by itself: it has no errors.
 *
 * Integers 0 to 255 are shared between all values and never freed; they must not be changed with
 * json_integer_set().
 *
 * Return: new reference; NULL for all else, be it valid JSON or not, and when memory ran out.
 */
json_t *json_plain(struct slice in);
