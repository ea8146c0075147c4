/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * JSON Schema, drafts 4, 6 and 7 and their mixture, for json.match_schema and json.verify_schema.
 * References stay within the document. Schemas and documents are values; nothing is compiled.
 */
#include "rego/builtin.h"

#define SCHEMA_DEPTH_MAX 256

enum schema_draft { SCHEMA_DRAFT4 = 4, SCHEMA_DRAFT6 = 6, SCHEMA_DRAFT7 = 7, SCHEMA_HYBRID = 100 };

struct schema {
	struct call *c;
	rv root;
	enum schema_draft draft;
	char why[400];	  /* why the schema is none; "" while it is one */
	struct list seen; /* references that have been followed */
	unsigned depth;
};

/* Whether @schema is one; the reason in ->why otherwise. */
bool schema_check(struct schema *s);
/* The part that "$ref" names; NULL with ->why when there is none. */
rv schema_resolve(struct schema *s, struct slice ref);
bool schema_fail(struct schema *s, const char *fmt, ...) format_printf(2, 3);

/* The errors of @document as OPA shows them: an array that is empty when it fits. NULL: ->why. */
rv schema_match(struct schema *s, rv document);

/* schema_format.c: whether a string has a format; unknown formats fit */
bool schema_format_ok(struct call *c, struct slice format, rv v);
struct regex;
/* builtin_regex.c: a compiled expression of this evaluation, NULL when it is none */
struct regex *call_regex(struct call *c, rv pattern);
bool call_regex_match(struct call *c, struct regex *re, struct slice text);

static inline rv schema_get(rv node, const char *name)
{
	return node->type == REGO_OBJECT ? value_get_str(node, slice_str(name)) : NULL;
}
static inline bool schema_is(rv node)
{
	return node->type == REGO_OBJECT || node->type == REGO_BOOL;
}
