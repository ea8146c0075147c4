/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text helpers shared by the string built-ins. */
#include "rego/builtin.h"

/* Byte offset of @what in @s at or after @from; -1 when absent. */
int64_t strings_find(struct slice s, struct slice what, size_t from);
/* Bytes of the code point at @at; 1 for a malformed byte. */
size_t strings_step(struct slice s, size_t at);
/* Simple case mapping of one code point: ASCII, Latin, Greek, Cyrillic, Armenian. */
uint32_t strings_lower(uint32_t code);
uint32_t strings_upper(uint32_t code);
rv builtin_sprintf(struct call *c, const rv *arg, uint32_t count);
