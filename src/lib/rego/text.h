/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Text helpers shared by the string built-ins. */
#include "rego/builtin.h"

#define QUOTED_MAX 200
/* Appends @s in double quotes, escaped as Go's strconv.Quote does it. */
void print_quoted(struct buf *out, struct slice s);
/* Likewise with everything beyond ASCII escaped; and one character in single quotes. */
void print_quoted_ascii(struct buf *out, struct slice s);
void print_quoted_rune(struct buf *out, uint32_t code, bool ascii);
/* The first QUOTED_MAX bytes of @s likewise, for a message; lives in @m, NUL-terminated. */
const char *text_quoted(struct mem *m, struct slice s);
/* Whether Go shows a code point as it is. */
bool text_printable(uint32_t code);
/* What Go's decoder says of a text that is not JSON, "" when it has no complaint; lives in @m. */
const char *json_error_text(struct mem *m, struct slice text);
/* Byte offset of @what in @s at or after @from; -1 when absent. */
int64_t strings_find(struct slice s, struct slice what, size_t from);
/* Bytes of the code point at @at; 1 for a malformed byte. */
size_t strings_step(struct slice s, size_t at);
/* Simple case mapping of one code point. */
uint32_t strings_lower(uint32_t code);
uint32_t strings_upper(uint32_t code);
/* Each character that has another case, with it; some come more than once. */
void strings_case_pairs(void (*fn)(void *cookie, uint32_t a, uint32_t b), void *cookie);
rv builtin_sprintf(struct call *c, const rv *arg, uint32_t count);
