/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and functions: all definitions of a group, else chains, defaults, the cache. */
#include <stdarg.h>

#include "rego/eval.h"

#define SEGMENT 1024

rv *eval_push(struct rego_eval *ev, uint32_t slots)
{
	if (!ev->stack_top || slots > (size_t)(ev->stack_end - ev->stack_top)) {
		if (ev->spare_top && slots <= (size_t)(ev->spare_end - ev->spare_top)) {
			ev->stack_top = ev->spare_top;
			ev->stack_end = ev->spare_end;
			ev->spare_top = ev->spare_end = NULL;
		} else {
			uint32_t size = MAX(slots, (uint32_t)SEGMENT);
			ev->stack_top = mem_array(&ev->mem, size, sizeof(rv));
			ev->stack_end = ev->stack_top + size;
		}
	}
	rv *p = ev->stack_top;
	ev->stack_top += slots;
	return p;
}

static void eval_enter(struct rego_eval *ev)
{
	if (++ev->depth > ev->options.max_depth)
		mem_fail(&ev->mem, REGO_ERR_DEPTH, "depth",
			"rules and functions are nested more than %u levels deep",
			ev->options.max_depth);
}

/* One definition and its else chain. */
static rv run_def(struct rego_eval *ev, const struct def *def, const rv *arg, uint32_t count)
{
	for (; def; def = def->orelse) {
		struct stack_mark mark = eval_mark(ev);
		struct frame f = {.def = def, .block = &def->block};
		f.slot = eval_push(ev, def->block.slots);
		if (count)
			memcpy(f.slot, arg, count * sizeof(rv));
		if (ev->explain)
			f.trace = explain_enter(ev, def);
		eval_run(ev, &f, 0);
		if (f.trace)
			explain_leave(ev, f.trace, f.result);
		eval_pop(ev, mark, f.slot);
		if (f.result)
			return f.result;
	}
	return NULL;
}

static noreturn_fn void conflict(struct rego_eval *ev, const struct def *def)
{
	const struct group *g = def->group;
	bool fn = g->kind == GROUP_FUNCTION;
	mem_fail(&ev->mem, REGO_ERR_CONFLICT, "eval_conflict_error",
		"%s:%u: eval_conflict_error: %s must not produce multiple outputs%s: %s",
		def->module->file, def->row, fn ? "functions" : "complete rules",
		fn ? " for same inputs" : "", g->path);
}

static rv run_defs(struct rego_eval *ev, const struct group *g, const rv *arg, uint32_t count)
{
	rv result = NULL;
	struct candidates c = eval_choose(ev, g, arg);
	for (uint32_t i = 0; i < c.count; i++) {
		const struct def *def = candidate(g, &c, i);
		rv v = run_def(ev, def, arg, count);
		if (!v)
			continue;
		if (result && !value_eq(result, v))
			conflict(ev, def);
		result = v;
		if (g->same_constant)
			break;
	}
	if (!result && g->fallback) {
		result = run_def(ev, g->fallback, arg, count);
		if (ev->explain)
			explain_default(ev, g->fallback, result);
	}
	return result;
}

rv eval_rule(struct rego_eval *ev, const struct group *g)
{
	rv v;
	if (ev->ctx->overrides && eval_overridden(ev, g->node, &v))
		return v;
	struct cache_entry *e = &ev->ctx->cache[g->id];
	switch (e->state) {
	case CACHE_VALUE:
		return e->value;
	case CACHE_UNDEFINED:
		return NULL;
	case CACHE_BUSY:
		mem_fail(&ev->mem, REGO_ERR_DEPTH, "rego_recursion_error", "rule %s is recursive",
			g->path);
	case CACHE_EMPTY:
	default:
		break;
	}
	e->state = CACHE_BUSY;
	eval_enter(ev);
	if (g->kind == GROUP_PARTIAL)
		v = eval_partial(ev, g);
	else
		v = run_defs(ev, g, NULL, 0);
	ev->depth--;
	e->state = v ? CACHE_VALUE : CACHE_UNDEFINED;
	e->value = v;
	return v;
}

/* Scalars by value; collections, whose comparison may be long, are the same when shared. */
static bool same_arg(rv a, rv b)
{
	return a == b || (a->type < REGO_ARRAY && value_eq(a, b));
}

static uint64_t hash_arg(rv v)
{
	if (v->type >= REGO_ARRAY)
		return (uint64_t)(uintptr_t)v >> 3;
	if (v->type == REGO_NUMBER && v->sub != NUM_INT)
		return 0; /* 1.0 is 1 */
	return v->prefix ^ v->count;
}

static struct memo *memo_of(
	struct rego_eval *ev, const struct group *g, const rv *arg, uint32_t count)
{
	uint64_t h = g->id;
	for (uint32_t i = 0; i < count; i++)
		h = (h ^ hash_arg(arg[i])) * 0x9e3779b97f4a7c15u;
	if (!ev->ctx->memo)
		ev->ctx->memo = mem_array(&ev->mem, MEMO_SIZE, sizeof(struct memo));
	return &ev->ctx->memo[h >> 32 & (MEMO_SIZE - 1)];
}

static bool memo_hit(const struct memo *m, const struct group *g, const rv *arg, uint32_t count)
{
	if (m->group != g)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!same_arg(m->arg[i], arg[i]))
			return false;
	return true;
}

rv eval_function(struct rego_eval *ev, const struct group *g, const rv *arg, uint32_t count)
{
	/* Who prints or explains wants to see every call. */
	bool memo = g->memo && count <= MEMO_ARGS && !ev->explain && !ev->options.print;
	struct memo *m = memo ? memo_of(ev, g, arg, count) : NULL;
	if (m && memo_hit(m, g, arg, count))
		return m->result;
	eval_enter(ev);
	rv v = run_defs(ev, g, arg, count);
	ev->depth--;
	if (m) {
		m->group = g;
		memcpy(m->arg, arg, count * sizeof(rv));
		m->result = v;
	}
	return v;
}

static rv call_host(struct rego_eval *ev, const struct builtin *b, const rv *arg, uint32_t count)
{
	struct rego_call call = {.ev = ev, .b = b};
	rv v = NULL;
	int r = b->host(&call, arg, count, &v);
	if (r < 0 && call.failed)
		mem_escape(&ev->mem, r); /* it has reported itself */
	if (r < 0)
		mem_fail(&ev->mem, r, "host", "%s failed: %s", b->name, strerror(-r));
	return v;
}

rv eval_builtin(struct rego_eval *ev, const struct builtin *b, const rv *arg, uint32_t count)
{
	if (b->host)
		return call_host(ev, b, arg, count);
	struct call c = {.m = &ev->mem, .ev = ev, .b = b};
	/* What a built-in costs follows from the size of what it gets and gives. */
	uint64_t size = 0;
	for (uint32_t i = 0; i < count; i++)
		size += arg[i]->type >= REGO_ARRAY ? value_weight(arg[i]) : arg[i]->count;
	mem_spend(&ev->mem, size);
	rv v = b->fn(&c, arg, count);
	if (v)
		mem_spend(&ev->mem, v->type >= REGO_ARRAY ? value_weight(v) : v->count);
	/* cppcheck-suppress returnDanglingLifetime; the value lives in the arena */
	return v;
}

static void note(struct call *c, const char *code, const char *text)
{
	if (c->ev->options.strict_errors)
		mem_fail(c->m, REGO_ERR_BUILTIN, code, "%s:%u: %s: %s: %s",
			c->ev->at_def->module->file, c->ev->at_row, code, c->b->name, text);
	snprintf(c->ev->last_error, sizeof(c->ev->last_error), "%s: %s", c->b->name, text);
}

rv call_fail(struct call *c, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE - 64];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note(c, "eval_builtin_error", text);
	return NULL;
}

rv call_operand_error(struct call *c, unsigned pos, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE - 64];
	va_list ap;
	int n = pos == NO_OPERAND ? 0 : snprintf(text, sizeof(text), "operand %u ", pos);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	note(c, "eval_type_error", text);
	return NULL;
}

rv call_type_error(struct call *c, unsigned pos, const char *want, rv got)
{
	return call_operand_error(c, pos, "must be %s but got %s", want, value_type_name(got));
}

void call_charge(struct call *c, uint64_t steps)
{
	eval_charge(c->ev, steps);
}

bool arg_is(struct call *c, const rv *arg, unsigned pos, enum rego_type type)
{
	if (arg[pos - 1]->type == type)
		return true;
	call_type_error(c, pos, value_type_of(type), arg[pos - 1]);
	return false;
}

bool arg_int(struct call *c, const rv *arg, unsigned pos, int64_t *ret)
{
	if (!arg_is(c, arg, pos, REGO_NUMBER))
		return false;
	if (!num_to_index(arg[pos - 1], ret)) {
		call_operand_error(c, pos, "must be integer number but got floating-point number");
		return false;
	}
	return true;
}
