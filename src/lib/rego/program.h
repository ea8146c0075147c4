/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A compiled program.
 *
 * Theory of operation
 *
 * Each rule definition becomes one linear block of instructions over a frame of slots. Which
 * variable is bound at which point is known when compiling, so there is no unification at run time,
 * only moves, tests and loops. The instructions after a SCAN are its loop body, up to the terminator
 * of the block (RETURN, PUT, EMIT, DONE): an instruction that fails simply returns to the innermost
 * SCAN, which goes on with the next element. That is Rego's backtracking, and it needs C stack only
 * per nested loop of the source.
 *
 * Documents below `data` form a tree. A node holds a group when rules are defined there: all
 * definitions of one rule. References are resolved to groups when compiling; only references with a
 * variable above the first rule walk the tree at run time.
 */
#include "rego/value.h"

enum opcode {
	OP_FAIL,
	OP_MOVE,  /* a = b */
	OP_INPUT, /* a = input, then n keys from list c */
	OP_BASE,  /* a = base document, then n keys from list c */
	OP_GET,	  /* a = b[c] */
	OP_SCAN,  /* for key a, value c in b; NONE where not wanted */
	OP_EQ,	  /* test b == c, likewise below */
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_IN,	      /* test b in c */
	OP_TRUE,      /* test: b is not false */
	OP_IS_ARRAY,  /* test: b is an array of c elements */
	OP_IS_OBJECT, /* test: b is an object of c pairs */
	OP_ARRAY,     /* a = [n operands from list c] */
	OP_SET,
	OP_OBJECT,   /* n operands: keys and values in turn */
	OP_BUILTIN,  /* a = builtin b(n operands from list c) */
	OP_FUNCTION, /* a = group b(n operands from list c) */
	OP_RULE,     /* a = group b */
	OP_NODE,     /* a = tree node b, not yet a value */
	OP_FORCE,    /* a = the value of b, which may be a node */
	OP_NOT,	     /* the block up to c must have no solution */
	OP_COMP,     /* a = comprehension of kind n over the block up to c */
	OP_EVERY,    /* key a, value n in b: each must solve the block up to c */
	OP_QUIET,    /* where nothing prints: a = true and on at c */
	OP_WITH,     /* n replacements from list c, until OP_WITH_END */
	OP_WITH_END,
	OP_DONE,   /* end of NOT and EVERY: a solution */
	OP_EMIT,   /* end of COMP: element b, or key b and value c */
	OP_RETURN, /* end of a rule: value b; n: it cannot have another value */
	OP_PUT,	   /* end of a partial rule: n operands from list c: path and leaf */
};

#define NONE INT32_MIN

/* Operands: slots from 0, constants below 0 as ~index. */
struct insn {
	uint8_t op;
	uint8_t flag;
	uint16_t n;
	int32_t a, b, c;
};

enum with_kind {
	WITH_INPUT, /* path from list */
	WITH_DATA,
	WITH_BUILTIN, /* id replaced by group (value < 0) or value */
	WITH_FUNCTION,
};

/* What one statement is, for explanations. */
struct expr_info {
	uint32_t row, col;
	uint32_t offset, size; /* text in the module's source */
};

struct block {
	struct insn *code;
	uint16_t *expr_of; /* statement of each instruction */
	struct expr_info *expr;
	uint32_t count;
	uint32_t expr_count;
	uint32_t slots;
};

struct program_module {
	const char *file;
	const char *package; /* "data.a.b" */
	struct slice source;
};

struct group;

/* One definition: head and body. */
struct def {
	const struct group *group;
	const struct def *orelse;
	const struct program_module *module;
	struct block block;
	uint32_t row, col, offset, end;
	uint32_t head_end;   /* offset after the head */
	uint32_t cover;	     /* place in coverage marks: the head, then each statement */
	uint16_t path_count; /* partial rules: keys before the leaf */
	bool leaf_is_set;
	rv const_value; /* the value when it does not depend on the body */
};

enum group_kind {
	GROUP_COMPLETE,
	GROUP_FUNCTION,
	GROUP_PARTIAL,
};

struct rule_index; /* index.h */

struct group {
	enum group_kind kind;
	uint32_t id;
	uint32_t arity;
	const char *path; /* "data.a.b" */
	const struct tree_node *node;
	const struct def *const *def;
	uint32_t def_count;
	const struct def *fallback; /* default rule */
	bool memo;		    /* a function whose results are worth keeping */
	bool same_constant;	    /* all definitions have one and the same constant value */
	bool plain_set;		    /* partial: nothing but elements */
	bool plain_object;	    /* partial: nothing but one key and a value */
	bool has_set;		    /* partial: some definition puts elements right into the set */
	bool has_children;
	const struct rule_index *index; /* NULL: all definitions have to be tried */
};

struct tree_node {
	rv key;
	const struct tree_node *parent;
	const struct tree_node *const *child; /* sorted by key */
	uint32_t child_count;
	uint32_t id;
	const struct group *group;
};

struct call; /* builtin.h */
typedef rv (*builtin_fn)(struct call *c, const rv *arg, uint32_t count);

struct builtin {
	const char *name;
	uint8_t arity;
	uint8_t variadic; /* print only */
	bool relation;	  /* returns all its results as an array */
	bool nondeterministic;
	builtin_fn fn;
	rego_builtin_fn host;
};

struct query {
	const struct def *def;
};

struct rego_program {
	struct arena *arena;
	const rv *constant;
	const int32_t *list; /* operand lists */
	const struct group *const *group;
	const struct tree_node *root;
	const struct tree_node *const *node;
	const struct builtin *const *builtin; /* those that are called */
	const struct query *query;
	uint32_t group_count, node_count, builtin_count, query_count;
	uint32_t cover_count; /* marks that a coverage of this program needs */
};

/* Child of @node under @key, NULL when there is none. */
const struct tree_node *tree_child(const struct tree_node *node, rv key);
