/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What collecting a schema and the rules for its definitions share. */
#include "base/buf.h"
#include "rego/gql.h"

struct gql_check {
	struct call *c;
	struct gql_schema *s;
	struct gql_error *e;
};

/* gql_rules.c; each sets ->e when a rule is broken */
void gql_check_type(struct gql_check *k, struct gql_type *t);
void gql_check_directive(struct gql_check *k, struct gql_directive *d);
/* The directives on @node; @self: the one being defined, which may not use itself. */
void gql_check_directives(struct gql_check *k, rv node, const char *location, struct slice self);
/* Input objects may not need themselves; @depth is 0 from outside. */
void gql_check_cycle(struct gql_check *k, struct gql_type *t, unsigned depth);
