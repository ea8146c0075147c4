/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What an unquoted YAML scalar means: the YAML 1.2 core schema with the extensions of go-yaml v3. */
#include "base/buf.h"

enum scalar_kind {
	SCALAR_STR,
	SCALAR_NULL,
	SCALAR_TRUE,
	SCALAR_FALSE,
	SCALAR_INT,
	SCALAR_FLOAT,
	SCALAR_INF, /* infinities and NaN, which JSON cannot hold */
	SCALAR_TIME,
	SCALAR_MERGE,
};

struct scalar {
	enum scalar_kind kind;
	bool negative;
	uint64_t magnitude; /* of an integer */
	double number;	    /* of a float */
};

/** yaml_resolve() - classify @text */
struct scalar yaml_resolve(struct slice text);
/** yaml_needs_quotes() - it reads back as something else than the string it is, here or in YAML 1.1 */
bool yaml_needs_quotes(struct slice text);
/** go_float() - as Go's strconv.FormatFloat(d, 'g', -1, 64), or as encoding/json when @json */
void go_float(struct buf *out, double d, bool json);
/** go_float32() - as strconv.FormatFloat(d, 'g', -1, 32) */
void go_float32(struct buf *out, float d);
