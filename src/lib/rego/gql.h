/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * GraphQL documents (October 2021 edition and later) for the graphql.* built-ins.
 *
 * A parsed document is a value from the start: objects with the members that OPA shows, plus
 * "Position" with line and column for messages, which gql_prune() takes out. Checking works on these
 * values, so that a document may come from a policy as an object too.
 */
#include "rego/builtin.h"

/* Names in messages, cut. */
#define ARG(s) (int)MIN((s).size, (size_t)120), (s).data

struct gql_error {
	bool set, located;
	uint32_t line, col;
	char text[400];
};

/* NULL with @e set when the text is malformed. */
rv gql_parse_query(struct call *c, struct slice text, struct gql_error *e);
rv gql_parse_schema(struct call *c, struct slice text, struct gql_error *e);
/* Without positions, nulls and empty collections. */
rv gql_prune(struct call *c, rv v);

/* Members of a node; absent ones read as empty. */
struct slice gql_str(rv node, const char *name);
rv gql_list(rv node, const char *name);
rv gql_get(rv node, const char *name);
bool gql_true(rv node, const char *name);
/* Element of a list by its "Name"; NULL when there is none. */
rv gql_by_name(rv list, struct slice name);
void gql_locate(rv node, uint32_t *line, uint32_t *col);
/* The text of a type, "[Int!]!", and of a value; in the arena. */
struct slice gql_type_text(struct call *c, rv type);
struct slice gql_value_text(struct call *c, rv value);
/* The named type inside lists. */
struct slice gql_type_name(rv type);

enum gql_value {
	GQL_VARIABLE,
	GQL_INT,
	GQL_FLOAT,
	GQL_STRING,
	GQL_BLOCK,
	GQL_BOOLEAN,
	GQL_NULL,
	GQL_ENUM,
	GQL_LIST,
	GQL_OBJECT,
};
enum gql_value gql_value_kind(rv value);

/* --- schemas that have been checked --- */

struct gql_type {
	struct gql_type *next; /* in order of names once complete */
	struct slice name, kind;
	rv def; /* for the position */
	struct list directives, interfaces, fields, types, enums;
	struct gql_type **possible;
	uint32_t possible_count, possible_capacity;
	bool built_in;
	uint8_t visit; /* while looking for cycles */
};

struct gql_directive {
	struct gql_directive *next;
	struct slice name;
	rv def;
	struct list directives;
};

struct gql_schema {
	struct call *c;
	struct gql_type *types;
	struct gql_directive *directives;
	struct gql_type *query, *mutation, *subscription;
	struct gql_type **type_table; /* hashed by name */
	uint32_t type_slots, type_count;
	rv bad_root; /* where a root that is no object is named */
};

/* NULL with @e set when the schema is not valid. */
struct gql_schema *gql_check_schema(struct call *c, rv document, struct gql_error *e);
struct gql_type *gql_type(struct gql_schema *s, struct slice name);
struct gql_directive *gql_directive(struct gql_schema *s, struct slice name);
/* Errors of checking a query, one per line: what the reference prints. Empty when it is valid. */
rv gql_check_query(
	struct call *c, struct gql_schema *s, rv document, uint32_t *ret_line, uint32_t *ret_col);
void gql_fail(struct gql_error *e, rv node, const char *fmt, ...) format_printf(3, 4);

static inline bool gql_is(const struct gql_type *t, const char *kind)
{
	return slice_eq_str(t->kind, kind);
}
bool gql_is_leaf(const struct gql_type *t);
bool gql_is_composite(const struct gql_type *t);
bool gql_is_input(const struct gql_type *t);
rv gql_list_by_name(const struct list *l, struct slice name);

/* --- the lexer and what both parsers share --- */

enum gql_token {
	GT_INVALID,
	GT_EOF,
	GT_BANG,
	GT_DOLLAR,
	GT_AMP,
	GT_PAREN_L,
	GT_PAREN_R,
	GT_SPREAD,
	GT_COLON,
	GT_EQUALS,
	GT_AT,
	GT_BRACKET_L,
	GT_BRACKET_R,
	GT_BRACE_L,
	GT_BRACE_R,
	GT_PIPE,
	GT_NAME,
	GT_INT,
	GT_FLOAT,
	GT_STRING,
	GT_BLOCK,
	GT_COMMENT,
};

struct gql_tok {
	enum gql_token kind;
	struct slice value;
	uint32_t line, col;
};

struct gql {
	struct call *c;
	struct gql_error *e;
	struct slice s;
	size_t at;		     /* bytes */
	uint32_t runes, line, start; /* code points so far, and at the start of the line */
	bool peeked;
	struct gql_tok tok, prev;
	struct gql_error bad; /* of the token that was peeked */
	rv comment;	      /* the group in front of it, NULL without */
	unsigned depth;
};

struct gql_tok gql_read(struct gql *g);
struct gql_tok gql_peek(struct gql *g);
struct gql_tok gql_next(struct gql *g);
void gql_fail_at(struct gql *g, struct gql_tok t, const char *fmt, ...) format_printf(3, 4);
void gql_unexpected(struct gql *g, struct gql_tok t);
bool gql_skip(struct gql *g, enum gql_token kind);
struct gql_tok gql_expect(struct gql *g, enum gql_token kind);
void gql_expect_word(struct gql *g, const char *word);
bool gql_word(struct gql *g, const char *word);
struct slice gql_name(struct gql *g);
const char *gql_kind_name(enum gql_token kind);
bool gql_enter(struct gql *g);

/* A node under construction; values that are NULL or empty lists are left out. */
struct gql_node {
	struct gql *g;
	struct list l;
};
struct gql_node gql_node(struct gql *g);
/* Likewise with the position, and the comments in front as member @comment unless it is NULL. */
struct gql_node gql_begin(struct gql *g, const char *comment);
void gql_put(struct gql_node *n, const char *name, rv v);
void gql_put_str(struct gql_node *n, const char *name, struct slice v);
void gql_put_list(struct gql_node *n, const char *name, const struct list *l);
rv gql_done(struct gql_node *n);
/* Zero or more, or one or more, between two tokens. Return: comments before the closing one. */
typedef rv (*gql_part)(struct gql *g);
rv gql_some(
	struct gql *g, enum gql_token open, enum gql_token close, gql_part part, struct list *l);

void gql_put_arguments(struct gql_node *n, bool constant);
rv gql_parse_directives(struct gql *g, bool constant);
rv gql_parse_type(struct gql *g);
rv gql_parse_value(struct gql *g, bool constant);
/* A string before a definition: its text, and the comments before it. */
struct gql_description {
	struct slice text;
	rv comment;
	bool present;
	struct gql_tok tok;
};
struct gql_description gql_parse_description(struct gql *g);
