/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the keywords of JSON Schema share while a document is matched. */
#include "rego/schema.h"

struct schema_result {
	struct list errors;
	int64_t score;
};

struct schema_place {
	const struct schema_place *parent; /* NULL: the root */
	struct slice name;
};

/* An error of @type at @p, as OPA shows it. */
void schema_add(struct schema *s, struct schema_result *r, const struct schema_place *p,
	const char *type, const char *fmt, ...) format_printf(5, 6);
void schema_merge(struct schema *s, struct schema_result *r, const struct schema_result *other);
/* @v against @schema, into @r; schema_sub(): into a result of its own. */
void schema_validate(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
struct schema_result schema_sub(struct schema *s, rv schema, rv v, const struct schema_place *p);

static inline bool schema_fits(const struct schema_result *r)
{
	return r->errors.count == 0;
}

/* schema_keyword.c: the keywords for values of one type */
void schema_numbers(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
void schema_strings(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
void schema_arrays(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
void schema_objects(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
void schema_properties(
	struct schema *s, rv schema, rv v, struct schema_result *r, const struct schema_place *p);
