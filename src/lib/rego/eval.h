/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The state of one evaluation. See program.h for how blocks run. */
#include "rego/builtin.h"
#include "rego/program.h"

enum cache_state {
	CACHE_EMPTY,
	CACHE_BUSY,
	CACHE_UNDEFINED,
	CACHE_VALUE,
};

struct cache_entry {
	enum cache_state state;
	rv value;
};

/* A document below `data` that `with` has replaced. */
struct override {
	struct override *next;
	const struct tree_node *node;
	rv value;
};

/* A function or built-in that `with` has replaced. */
struct mock {
	struct mock *next;
	bool is_builtin;
	int32_t id;
	rv value;
	const struct group *group;
	const struct builtin *builtin;
};

/* A call of a function and what it gave. A later call may take the place. */
#define MEMO_SIZE 256
#define MEMO_ARGS 4
struct memo {
	const struct group *group; /* NULL: empty */
	rv arg[MEMO_ARGS];
	rv result; /* NULL: undefined */
};

/* What `with` changes; each change makes a new one with an empty cache. */
struct context {
	struct context *outer;
	rv input; /* NULL: undefined */
	rv data;
	struct cache_entry *cache;
	struct memo *memo; /* MEMO_SIZE of them, or NULL */
	struct override *overrides;
	struct mock *mocks;
};

struct acc {
	struct list list;
};

struct frame {
	rv *slot;
	const struct def *def;
	const struct block *block;
	struct acc *acc; /* of the innermost comprehension, or the partial rule */
	rv result;
	struct trace *trace;
};

struct explain;

struct rego_eval {
	struct mem mem;
	const struct rego_program *p;
	struct rego_eval_options options;
	struct context base;
	struct context *ctx;
	/* Slots of frames: a stack of segments that never move. */
	rv *stack_top, *stack_end;
	rv *spare_top, *spare_end; /* a segment to use when the current one is full */
	unsigned depth;
	int32_t fuel; /* instructions until the next look at the budgets */
	uint64_t steps_left;
	uint64_t deadline_ms;
	uint64_t steps_used;
	int host_error; /* what a built-in of the embedder returned */
	uint64_t random;
	struct explain *explain; /* NULL: off */
	uint8_t *cover;		 /* marks of a coverage; NULL: off */
	struct regex_cache *regexes;
	struct zone_cache *zones;
	bool explaining;
	bool running;
	const struct def *at_def; /* where the last built-in was called */
	uint32_t at_row;
	char last_error[256]; /* of a built-in, for explanations */
};

enum run {
	RUN_NEXT, /* no more solutions here */
	RUN_STOP, /* enough was found */
};

enum run eval_run(struct rego_eval *ev, struct frame *f, uint32_t pc);
/* All definitions of a group; NULL when undefined. */
rv eval_rule(struct rego_eval *ev, const struct group *g);
rv eval_function(struct rego_eval *ev, const struct group *g, const rv *arg, uint32_t count);
rv eval_builtin(struct rego_eval *ev, const struct builtin *b, const rv *arg, uint32_t count);
/* Room for the slots of a frame; take the mark before, give back with eval_pop(). */
rv *eval_push(struct rego_eval *ev, uint32_t slots);
struct stack_mark {
	rv *top, *end;
};
static inline struct stack_mark eval_mark(const struct rego_eval *ev)
{
	return (struct stack_mark){ev->stack_top, ev->stack_end};
}
static inline void eval_pop(struct rego_eval *ev, struct stack_mark mark, rv *slot)
{
	if (ev->stack_end != mark.end) {
		ev->spare_top = slot;
		ev->spare_end = ev->stack_end;
	}
	ev->stack_top = mark.top;
	ev->stack_end = mark.end;
}
/* Spend steps and look at the clock. */
void eval_charge(struct rego_eval *ev, uint64_t steps);
/* Likewise for work done in one instruction; cheap while there is fuel. */
static inline void eval_spend(struct rego_eval *ev, uint32_t steps)
{
	if (steps <= (uint32_t)MAX(ev->fuel, 0))
		ev->fuel -= (int32_t)steps;
	else
		eval_charge(ev, steps);
}

/* eval_index.c: numbers of the definitions that can hold, ascending */
struct candidates {
	const uint32_t *def;
	uint32_t count;
};
struct candidates eval_candidates(struct rego_eval *ev, const struct rule_index *x, const rv *arg);
/* What to run of a group. Explanations show every definition. */
static inline struct candidates eval_choose(
	struct rego_eval *ev, const struct group *g, const rv *arg)
{
	if (g->index && !ev->explain)
		return eval_candidates(ev, g->index, arg);
	return (struct candidates){NULL, g->def_count};
}
static inline const struct def *candidate(
	const struct group *g, const struct candidates *c, uint32_t i)
{
	return g->def[c->def ? c->def[i] : i];
}

/* eval_node.c */
rv eval_node(struct rego_eval *ev, const struct tree_node *n);
rv eval_force(struct rego_eval *ev, rv v);
rv eval_node_get(struct rego_eval *ev, rv node, rv key);
/* Keys of a node: of rules below it and of the base document. */
rv eval_node_keys(struct rego_eval *ev, rv node);
rv eval_partial(struct rego_eval *ev, const struct group *g);
/* Whether `with` replaces the document at @n; *ret NULL when it is undefined then. */
bool eval_overridden(struct rego_eval *ev, const struct tree_node *n, rv *ret);

/* regex_cache.c: NULL and a static message for a pattern that is no expression */
struct regex *regex_cached(struct rego_eval *ev, rv pattern, const char **ret_error);
/* For struct re_meter; the cookie is the evaluator. */
void regex_charge(void *cookie, uint64_t work);
void regex_cache_reset(struct regex_cache *k);
void regex_cache_free(struct regex_cache *k);

/* eval_with.c */
struct context *eval_with(struct rego_eval *ev, struct frame *f, const struct insn *in);

/* explain.c */
struct explain *explain_new(struct rego_eval *ev);
struct trace *explain_enter(struct rego_eval *ev, const struct def *def);
void explain_leave(struct rego_eval *ev, struct trace *t, rv result);
void explain_fail(struct rego_eval *ev, struct frame *f, uint32_t pc, rv left, rv right);
void explain_pass(struct frame *f, uint32_t pc);
/* coverage.c */
uint8_t *coverage_marks(struct rego_coverage *c);
void explain_default(struct rego_eval *ev, const struct def *def, rv value);

static inline rv operand(const struct rego_eval *ev, const struct frame *f, int32_t o)
{
	return o >= 0 ? f->slot[o] : ev->p->constant[~o];
}
