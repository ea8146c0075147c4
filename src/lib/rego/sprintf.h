/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the parts of sprintf share: a verb with its flags, and where it writes. */
#include "base/buf.h"
#include "rego/text.h"

struct spec {
	bool minus, plus, sharp, space, zero;
	bool plus_v, sharp_v; /* the flags + and # of the verb v, which mean something else there */
	bool has_width, has_precision;
	int width, precision;
};

#define FIELD_MAX 4096	   /* widest field */
#define NUMBER_MAX 1000000 /* Go takes no larger width, precision or index */

struct format {
	struct call *c;
	struct buf *out;
	struct slice s;
	size_t at;
	rv args;
	uint32_t used;	/* the next argument */
	bool reordered; /* an index was given: arguments left over are no mistake */
	bool good_index;
	struct spec f;
};

/* Numbers that Go would hold as float64: those with a fraction or an exponent. */
bool sprintf_is_float(rv v);
/* Integers beyond 64 bits are formatted by a type of their own. */
bool sprintf_is_big(rv v);
/* Appends @s in a field of the width that was asked for. */
void sprintf_pad(struct buf *out, const struct spec *f, struct slice s);
/* A number under a verb; false when the verb is none for it. */
bool sprintf_number(struct format *o, const struct spec *f, char verb, rv v);
