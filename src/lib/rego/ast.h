/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Source trees. All live in the compiler's struct mem and point into the copied source text. */
#include "rego/value.h"

struct program_module;

struct loc {
	uint32_t row; /* from 1 */
	uint32_t col; /* from 1, in bytes */
	uint32_t offset;
	uint32_t end; /* offset after the last byte */
};

enum node_kind {
	NODE_CONST,
	NODE_VAR,	  /* name; "" is the wildcard _ */
	NODE_REF,	  /* item[0][item[1]][item[2]]... */
	NODE_CALL,	  /* name(item...), operators are calls of OPA's names for them */
	NODE_ARRAY,	  /* item... */
	NODE_SET,	  /* item... */
	NODE_OBJECT,	  /* key, value, key, value... */
	NODE_ARRAY_COMP,  /* [item[0] | body] */
	NODE_SET_COMP,	  /* {item[0] | body} */
	NODE_OBJECT_COMP, /* {item[0]: item[1] | body} */
	NODE_TEMPLATE,	  /* $"...": strings and expressions in turn */
};

struct node {
	enum node_kind kind;
	uint32_t count;
	struct loc loc;
	struct slice name;
	rv value;
	struct node **item;
	struct body *body;
	bool paren;	     /* written in parentheses */
	struct node *callee; /* NODE_CALL: the reference it was written as; NULL for operators */
};

enum lit_kind {
	LIT_EXPR,
	LIT_SOME,  /* some decl... */
	LIT_EVERY, /* every [key,] value in domain { body } */
};

struct with {
	struct loc loc;
	struct node *target;
	struct node *value;
};

struct literal {
	enum lit_kind kind;
	bool negated;
	struct loc loc;
	struct node *expr;  /* LIT_EXPR; for `some x in xs` the membership call */
	struct node **decl; /* LIT_SOME: declared variables or patterns */
	uint32_t decl_count;
	struct node *key; /* LIT_EVERY, may be NULL */
	struct node *val;
	struct node *domain;
	struct body *body;
	struct with *with;
	uint32_t with_count;
};

struct body {
	struct literal **lit;
	uint32_t count;
	uint32_t end; /* offset after the token that closes it */
};

struct rule {
	struct rule *next; /* in the module, in order of the source */
	struct rule *orelse;
	struct module *module;
	struct loc loc;
	uint32_t head_end; /* offset after the head with its value */
	struct node *head; /* NODE_VAR or NODE_REF: name and path */
	struct node **arg;
	uint32_t arg_count;
	uint32_t args_end; /* offset after the closing parenthesis */
	bool is_function;
	bool is_default;
	bool is_contains; /* key holds the element */
	bool has_if;
	bool is_assign; /* the value was given with := */
	struct node *key;
	struct node *value; /* NULL: true */
	struct body *body;  /* NULL: true */
};

struct import {
	struct import *next;
	struct loc loc;
	struct node *path;  /* NODE_REF or NODE_VAR beginning with data or input */
	struct slice alias; /* the name it is known by; empty for directives */
	bool renamed;	    /* with "as" */
	bool directive;	    /* future.keywords or rego.v1: no name */
	bool used;
};

struct comment {
	struct slice text; /* from '#' on, without the blanks at its end */
	uint32_t row, col;
};

struct comments {
	struct comment *item;
	uint32_t count, capacity;
};

struct module {
	struct module *next;
	const char *file;
	struct slice source;
	struct node *package; /* NODE_REF: data, then strings */
	struct import *imports;
	struct rule *rules;
	struct rule **rules_end;
	bool kw_in, kw_every, kw_if, kw_contains; /* active keywords */
	bool v1;				  /* `if` and `contains` are compulsory */
	bool lenient;
	struct loc package_loc;
	struct comments *comments;     /* NULL unless they were wanted */
	struct program_module *frozen; /* its name and text in the program */
};

/* lex.c */
enum token {
	TOK_EOF,
	TOK_IDENT,
	TOK_STRING,   /* .value */
	TOK_NUMBER,   /* .value */
	TOK_TEMPLATE, /* the lexer stands after the opening quote */
	TOK_DOT,
	TOK_COMMA,
	TOK_COLON,
	TOK_SEMICOLON,
	TOK_LBRACE,
	TOK_RBRACE,
	TOK_LBRACKET,
	TOK_RBRACKET,
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_ASSIGN,
	TOK_UNIFY,
	TOK_EQ,
	TOK_NE,
	TOK_LT,
	TOK_LE,
	TOK_GT,
	TOK_GE,
	TOK_PLUS,
	TOK_MINUS,
	TOK_MUL,
	TOK_DIV,
	TOK_REM,
	TOK_AND,
	TOK_OR,
};

struct lexer {
	struct mem *m;
	struct comments *comments; /* where to keep comments; NULL: nowhere */
	const char *file;
	struct slice source;
	uint32_t at, row, line_start;
	uint32_t last_end; /* offset after the token before the current one */
	/* The current token. */
	enum token tok;
	struct loc loc;
	struct slice text;
	rv value;
	bool space_before; /* blank, comment or newline */
	bool newline_before;
	bool template_raw; /* TOK_TEMPLATE: in backquotes */
};

void lex_next(struct lexer *l);
/* The next piece of a template string: text up to '{' or the end quote; true when '{' follows. */
bool lex_template_text(struct lexer *l, bool raw, rv *ret_text);
noreturn_fn void lex_fail(struct lexer *l, struct loc loc, int error, const char *code,
	const char *fmt, ...) format_printf(5, 6);
/* Likewise for a later pass. */
noreturn_fn void source_fail(struct mem *m, const char *file, struct loc loc, int error,
	const char *code, const char *fmt, ...) format_printf(6, 7);

/* parse.c */
struct module *parse_module(struct mem *m, const char *file, struct slice source,
	enum rego_dialect dialect, unsigned max_depth);
/* Likewise, with all comments. */
struct module *parse_commented(struct mem *m, const char *file, struct slice source,
	enum rego_dialect dialect, unsigned max_depth);
/* A query is a body outside of any module. */
struct body *parse_query(struct mem *m, const char *file, struct slice source, unsigned max_depth);
