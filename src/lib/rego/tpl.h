/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Templates of Go's text/template, as strings.render_template runs them: on decoded JSON, whose
 * numbers are json.Number, a kind of string.
 */
#include "base/buf.h"
#include "rego/builtin.h"

enum tpl_kind {
	TPL_MISSING, /* Go's invalid reflect.Value: an absent key */
	TPL_NIL,     /* an interface that holds nil: JSON's null within a collection */
	TPL_JSON,    /* boolean, string, number (a json.Number), array, object */
	TPL_INT,     /* a number of the template's own */
	TPL_FLOAT,
};

struct tpl_value {
	enum tpl_kind kind;
	rv v;
};

enum tpl_token_kind {
	TPL_T_ERROR,
	TPL_T_EOF,
	TPL_T_TEXT,
	TPL_T_LEFT,
	TPL_T_RIGHT,
	TPL_T_SPACE,
	TPL_T_WORD,
	TPL_T_FIELD,
	TPL_T_VARIABLE,
	TPL_T_DOT,
	TPL_T_NUMBER,
	TPL_T_CHAR,
	TPL_T_STRING,
	TPL_T_RAW,
	TPL_T_PIPE,
	TPL_T_DECLARE,
	TPL_T_ASSIGN,
	TPL_T_COMMA,
	TPL_T_OPEN,
	TPL_T_CLOSE,
};

struct tpl_token {
	enum tpl_token_kind kind;
	uint32_t line;
	struct slice text;
};

enum tpl_arg_kind {
	TPL_A_DOT,
	TPL_A_FIELD,
	TPL_A_VARIABLE,
	TPL_A_FUNCTION,
	TPL_A_PIPE,
	TPL_A_NIL,
	TPL_A_VALUE,
};

struct tpl_field {
	struct slice name;
	struct tpl_field *next;
};

struct tpl_arg {
	enum tpl_arg_kind kind;
	struct slice name;
	struct tpl_value value;
	struct tpl_pipe *pipe;
	struct tpl_field *fields;
	const struct tpl_function *function;
	struct tpl_arg *next;
};

struct tpl_command {
	uint32_t line, count;
	struct tpl_arg *args;
	struct tpl_command *next;
};

struct tpl_pipe {
	struct slice decl[2];
	uint32_t decls;
	bool assign;
	struct tpl_command *commands;
};

enum tpl_node_kind {
	TPL_N_TEXT,
	TPL_N_ACTION,
	TPL_N_IF,
	TPL_N_WITH,
	TPL_N_RANGE,
	TPL_N_BREAK,
	TPL_N_CONTINUE,
	TPL_N_TEMPLATE,
};

struct tpl_node {
	enum tpl_node_kind kind;
	uint32_t line;
	struct slice text; /* of TEXT; the name of TEMPLATE */
	struct tpl_pipe *pipe;
	struct tpl_node *list, *other, *next;
};

struct tpl_define {
	struct slice name;
	struct tpl_node *root;
	struct tpl_define *next;
};

struct tpl_variable {
	struct slice name;
	struct tpl_value value;
	struct tpl_variable *next;
};

/* Parsing and running one template. Memory is the call's. */
struct tpl {
	struct call *c;
	struct slice source;
	struct tpl_token *tokens;
	size_t count, capacity, at;
	uint32_t line;
	unsigned depth, ranges;
	bool failed;
	struct tpl_variable *vars; /* innermost first */
	struct tpl_define *defines;
	struct buf *out;
	enum { TPL_GO_ON, TPL_BREAK, TPL_CONTINUE } jump;
};

#define TPL_MAX_DEPTH 200

/* Reports once; later errors are dropped. */
void tpl_error(struct tpl *t, const char *fmt, ...) format_printf(2, 3);
void tpl_lex(struct tpl *t);
struct tpl_node *tpl_parse(struct tpl *t);
/* A number of the template, or a failure. */
struct tpl_value tpl_number(struct tpl *t, const struct tpl_token *tok);
/* The text of a quoted token. */
struct slice tpl_unquote(struct tpl *t, const struct tpl_token *tok);
void tpl_run(struct tpl *t, struct tpl_node *root, struct tpl_value dot);

struct tpl_function {
	const char *name;
	uint32_t min, max;
	struct tpl_value (*fn)(struct tpl *t, const struct tpl_value *arg, uint32_t count);
};
const struct tpl_function *tpl_function_find(struct slice name);
bool tpl_is_and(const struct tpl_function *f);
bool tpl_is_or(const struct tpl_function *f);
bool tpl_truth(struct tpl_value v);
/* Go's %v of a value. */
void tpl_print(struct tpl *t, struct buf *out, struct tpl_value v);
/* A value found in a collection. */
struct tpl_value tpl_element(rv v);
static inline struct tpl_value tpl_string(struct tpl *t, struct slice s)
{
	return (struct tpl_value){TPL_JSON, value_string(t->c->m, s)};
}
static inline struct tpl_value tpl_bool(bool b)
{
	return (struct tpl_value){TPL_JSON, value_bool(b)};
}
static inline struct tpl_value tpl_int(struct tpl *t, int64_t i)
{
	return (struct tpl_value){TPL_INT, value_int(t->c->m, i)};
}
static inline bool tpl_is(struct tpl_value v, enum rego_type type)
{
	return v.kind == TPL_JSON && v.v->type == type;
}
