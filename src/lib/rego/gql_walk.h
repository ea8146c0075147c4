/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the rules for queries share. */
#include "base/buf.h"
#include "rego/gql.h"

#define GQL_DEPTH_MAX 400
#define GQL_ERRORS_MAX 100

struct gql_walk {
	struct call *c;
	struct gql_schema *s;
	rv operations, fragments;
	rv operation, variables; /* the current ones; NULL in fragments */
	bool *variable_used;
	bool *seen, *used; /* by fragment: in this operation, in any */
	uint8_t *cycle;
	bool in_fragments;
	rv typename_def;
	unsigned depth;
	struct list errors;
	uint32_t line, col; /* of the first error */
};

/* What a value should be. */
struct gql_expected {
	rv type;
	struct gql_type *def;
	bool has_default;
};

void gql_add(struct gql_walk *w, rv node, const char *fmt, ...) format_printf(3, 4);
/* The type that @type names; NULL when there is none. */
struct gql_type *gql_type_of(struct gql_walk *w, rv type);
void gql_walk_directives(struct gql_walk *w, rv node, const char *location);
void gql_walk_selections(struct gql_walk *w, struct gql_type *parent, rv set);
int64_t gql_fragment(const struct gql_walk *w, struct slice name);
rv gql_field_def(struct gql_walk *w, struct gql_type *parent, rv field);

/* gql_operation.c */
void gql_walk_operation(struct gql_walk *w, uint32_t index);

/* gql_value.c */
void gql_walk_value(struct gql_walk *w, rv value, const struct gql_expected *x);

/* gql_overlap.c: fields of one name must be the same thing */
void gql_check_overlap(struct gql_walk *w, struct gql_type *parent, rv set);

/* gql_suggest.c: " Did you mean "a", "b", or "c"?" or nothing; in the arena */
struct slice gql_similar(struct gql_walk *w, const char *prefix, struct slice typed,
	const struct list *nodes, bool quoted);
struct slice gql_or_list(
	struct gql_walk *w, const char *prefix, const struct list *nodes, bool quoted);
