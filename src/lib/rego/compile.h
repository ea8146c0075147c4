/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From source trees to a program, in steps: the rule tree (compile_tree.c), names to variables and
 * paths (resolve.c), order of statements by what they need bound (ready.c), instructions (gen_*.c),
 * then checks over the whole (check.c).
 */
#include "rego/ast.h"
#include "rego/builtin.h"
#include "rego/diag.h"
#include "rego/program.h"

/* Resolved trees have two more kinds of nodes. */
#define NODE_LOCAL ((enum node_kind)100) /* .var */
#define NODE_ROOT ((enum node_kind)101)	 /* .root: input or data */

struct closure {
	struct closure *parent;
};

struct var {
	struct var *next; /* in its scope */
	struct slice name;
	struct closure *closure;
	struct loc loc;
	int32_t slot;
	bool bound;
	bool tentative;
	bool declared; /* by := or some */
	bool used;
	bool is_arg;
	uint8_t types;		  /* it may have, a bit for each enum rego_type; 0: any */
	const struct node *shape; /* what := gives it; NULL: not known */
	rv known;		  /* the constant it is bound to; NULL: not known */
	rv known_in;		  /* likewise the constant collection whose elements it takes */
};

struct scope {
	struct scope *parent;
	struct var *vars;
	struct closure *closure;
};

/* A resolved term; shares the layout of struct node and adds to it. */
struct term {
	enum node_kind kind;
	uint32_t count;
	struct loc loc;
	rv value;
	struct term **item;
	struct var *var;
	struct closure *closure; /* comprehensions */
	struct stmts *body;
	bool is_input; /* NODE_ROOT */
	/* Calls: one of these. */
	const struct builtin *builtin;
	struct cgroup *group;
	int32_t builtin_id;
	struct slice name;
};

struct stmt_with {
	enum with_kind kind;
	struct term *path; /* WITH_INPUT, WITH_DATA: reference */
	int32_t id;	   /* of the replaced builtin or group */
	struct term *value;
	struct cgroup *group;	       /* replacing function, NULL: value */
	const struct builtin *builtin; /* replacing built-in */
	int32_t builtin_id;
};

struct stmt {
	enum lit_kind kind;
	bool negated;
	bool some_in;
	struct loc loc;
	struct term *expr;
	struct term *key, *val, *domain;
	struct closure *home;	 /* where the statement stands */
	struct closure *closure; /* LIT_EVERY: of its body */
	struct stmts *body;
	struct stmt_with *with;
	uint32_t with_count;
	bool done;
	bool capture;	 /* keep the value of the expression instead of asking for it to hold */
	int32_t operand; /* where, or NONE */
};

struct stmts {
	struct stmt **item;
	uint32_t count;
};

/* Growing tree of the compiler; frozen into struct tree_node at the end. */
struct cnode {
	rv key;
	struct cnode *parent;
	struct cnode **child; /* sorted by key */
	uint32_t child_count, child_capacity;
	uint32_t id;
	bool named; /* a rule of its package begins with this name */
	struct cgroup *group;
	struct tree_node *frozen;
};

struct cdef {
	struct cdef *next;
	struct rule *rule;
	struct cgroup *group;
	struct node **path; /* head keys after the place of the group */
	uint32_t path_count;
	struct def *def;
	struct guard *guards;
};

struct cgroup {
	struct cgroup *next;
	struct group *group;
	struct cnode *node;
	struct cdef *defs, **defs_end;
	struct cdef *fallback;
	uint32_t def_count;
	uint8_t types; /* of its value, a bit for each; 0: not known yet */
	/* Dependencies, for the recursion check. */
	uint32_t *dep;
	uint32_t dep_count, dep_capacity;
	struct loc loc;
	const char *file;
};

struct cquery {
	struct cquery *next;
	struct body *body;
	struct module *module; /* package and imports to resolve names in; NULL: none */
	struct slice source;
	bool rows; /* solutions with the values of the expressions */
};

struct rego_compiler {
	struct mem mem;	 /* trees */
	struct mem work; /* of the definition being compiled; emptied after each */
	struct diags diags;
	struct mem pmem; /* the program */
	struct rego_compile_options options;
	struct rego_program *program;
	struct module *modules, **modules_end;
	struct cquery *queries, **queries_end;
	struct host_builtin *host;
	struct cnode *root;
	struct cgroup *groups, **groups_end;
	uint32_t group_count, node_count, query_count;
	/* Constant pool with a hash table of indexes + 1. */
	rv *constant;
	uint32_t constant_count, constant_capacity;
	uint32_t *constant_hash;
	uint32_t constant_hash_size;
	int32_t *list;
	uint32_t list_count, list_capacity;
	const struct builtin **builtin;
	uint32_t builtin_count, builtin_capacity;
	struct annotation *annotations, **annotations_end;
	struct rego_program *yaml; /* that reads their text */
	bool finished;
};

struct host_builtin {
	struct host_builtin *next;
	struct builtin builtin;
};

/* What is being compiled: one definition or query. */
struct unit {
	struct rego_compiler *c;
	struct mem *m;
	struct module *module;	 /* NULL for queries */
	const struct rule *rule; /* at the head of its else chain; NULL for queries */
	struct cnode *package;
	const char *file;
	struct slice source;
	struct cgroup *group;
	struct scope *scope;
	struct insn *code;
	uint16_t *expr_of;
	uint32_t code_count, code_capacity;
	struct expr_info *expr;
	uint32_t expr_count, expr_capacity;
	uint32_t cur_expr;
	uint32_t slots;
	struct scope *top; /* of a query: its variables are the result */
	/* Of a test with cases: what names the case, until the call is made in @case_body. */
	struct term **case_key;
	uint32_t case_count;
	const struct stmts *case_body;
};

/* Runs fn(arg); an error of the source is kept as a diagnostic, any other one is passed on. */
bool compile_guard(struct rego_compiler *c, void (*fn)(void *), void *arg);
/* Keep an error and go on. */
void unit_report(struct unit *u, struct loc loc, const char *code, const char *fmt, ...)
	format_printf(4, 5);
noreturn_fn void unit_fail(struct unit *u, struct loc loc, const char *code, const char *fmt, ...)
	format_printf(4, 5);

/* compile_tree.c */
void compile_tree(struct rego_compiler *c);
struct cnode *cnode_child(const struct cnode *n, rv key);
/* "data.a.b" */
const char *node_path(struct rego_compiler *c, const struct cnode *n);
/* The node a module's package stands for. */
struct cnode *cnode_package(struct rego_compiler *c, const struct module *m);

/* resolve.c */
struct stmts *resolve_body(struct unit *u, const struct body *b);
struct term *resolve_term(struct unit *u, const struct node *n);
struct scope *scope_push(struct unit *u, struct closure *closure);
struct var *scope_declare(struct unit *u, struct slice name, struct loc loc);
/* Declare all variables of a pattern. */
void scope_declare_pattern(struct unit *u, const struct node *n);
struct term *term_const(struct unit *u, rv v, struct loc loc);

/* resolve_call.c */
void resolve_call(struct unit *u, const struct node *n, struct term *t);
void resolve_with(struct unit *u, const struct with *w, struct stmt_with *out);
struct cgroup *group_at_path(struct unit *u, const struct term *ref);
/* A built-in of the embedder, or else of the engine; NULL when there is none. */
const struct builtin *find_builtin(struct unit *u, struct slice name);
int32_t builtin_use(struct rego_compiler *c, const struct builtin *b);

/* types.c */
uint8_t term_types(struct unit *u, const struct term *t);
/* Complain of arguments that a built-in never takes. */
/* types_ref.c: a reference whose head was written as @head, in strict mode */
void check_ref(struct unit *u, const struct term *t, const struct node *head);
void check_call_types(struct unit *u, const struct term *t);

/* ready.c */
bool term_ready(const struct term *t);
bool pattern_ready(const struct term *t);
bool stmt_ready(const struct stmt *s);
/* A variable that is not bound, to name it in a message; NULL when all are. */
struct var *stmt_unsafe(const struct stmt *s);
struct var *term_unsafe(const struct term *t);

/* gen.c */
int32_t gen_const(struct rego_compiler *c, rv v);
uint32_t gen_emit(struct unit *u, enum opcode op, uint32_t n, int32_t a, int32_t b, int32_t cc);
int32_t gen_slot(struct unit *u);
int32_t gen_list(struct rego_compiler *c, const int32_t *items, uint32_t count);
void gen_depends(struct unit *u, const struct cgroup *g);
/* gen_term.c: returns the operand; dst NONE: anywhere. */
int32_t gen_term(struct unit *u, struct term *t, int32_t dst);
/* gen_unify.c */
void gen_unify(struct unit *u, struct term *a, struct term *b, struct loc loc);
bool unify_ready(const struct term *a, const struct term *b);
void gen_match(struct unit *u, struct term *pattern, int32_t value);
/* gen_stmt.c */
void gen_body(struct unit *u, struct stmts *b);
/* compile_rule.c */
void compile_groups(struct rego_compiler *c);
void compile_queries(struct rego_compiler *c);
/* check.c */
void check_recursion(struct rego_compiler *c);
/* compile_index.c: guards in the head (constant arguments) and the body of a definition */
void index_argument(struct unit *u, struct cdef *d, uint32_t arg, const struct term *t);
void index_body(struct unit *u, struct cdef *d, const struct stmts *b, uint32_t args);
void compile_index(struct rego_compiler *c, struct cgroup *g);
