/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction loop. */
#include "rego/eval.h"
#include "rego/ast.h"

static enum run run_scan(struct rego_eval *ev, struct frame *f, const struct insn *in, uint32_t pc)
{
	rv src = operand(ev, f, in->b);
	if (src->type == REGO_NODE) {
		rv keys = eval_node_keys(ev, src);
		for (uint32_t i = 0; i < keys->count; i++) {
			rv val = eval_node_get(ev, src, keys->item[i]);
			if (!val)
				continue;
			if (in->a != NONE)
				f->slot[in->a] = keys->item[i];
			if (in->c != NONE)
				f->slot[in->c] = val;
			if (eval_run(ev, f, pc + 1) == RUN_STOP)
				return RUN_STOP;
		}
		return RUN_NEXT;
	}
	if (!value_is_collection(src))
		return RUN_NEXT;
	for (uint32_t i = 0; i < src->count; i++) {
		rv key, val;
		if (src->type == REGO_OBJECT) {
			key = src->pair[i].key;
			val = src->pair[i].val;
		} else {
			val = src->item[i];
			key = src->type == REGO_SET || in->a == NONE
				      ? val
				      : value_int(&ev->mem, (int64_t)i);
		}
		if (in->a != NONE)
			f->slot[in->a] = key;
		if (in->c != NONE)
			f->slot[in->c] = val;
		if (eval_run(ev, f, pc + 1) == RUN_STOP)
			return RUN_STOP;
	}
	return RUN_NEXT;
}

static bool run_every(struct rego_eval *ev, struct frame *f, const struct insn *in, uint32_t pc)
{
	rv src = operand(ev, f, in->b);
	if (!value_is_collection(src))
		return false;
	for (uint32_t i = 0; i < src->count; i++) {
		bool object = src->type == REGO_OBJECT;
		f->slot[in->n] = object ? src->pair[i].val : src->item[i];
		if (in->a != NONE)
			f->slot[in->a] = object			 ? src->pair[i].key
					 : src->type == REGO_SET ? src->item[i]
								 : value_int(&ev->mem, (int64_t)i);
		if (eval_run(ev, f, pc + 1) != RUN_STOP)
			return false;
	}
	return true;
}

static rv run_comprehension(
	struct rego_eval *ev, struct frame *f, const struct insn *in, uint32_t pc)
{
	struct acc acc = {0}, *outer = f->acc;
	f->acc = &acc;
	eval_run(ev, f, pc + 1);
	f->acc = outer;
	struct list *l = &acc.list;
	if (in->n == NODE_ARRAY_COMP)
		return value_array(&ev->mem, l->item, l->count);
	if (in->n == NODE_SET_COMP)
		return value_set(&ev->mem, l->item, l->count);
	rv v = value_object_unique(
		&ev->mem, (const struct pair *)(const void *)l->item, l->count / 2);
	if (!v)
		mem_fail(&ev->mem, REGO_ERR_CONFLICT, "eval_conflict_error",
			"object keys must be unique");
	return v;
}

static bool is_member(rv v, rv in)
{
	if (in->type == REGO_SET)
		return value_find_item(in, v) >= 0;
	if (in->type == REGO_ARRAY) {
		for (uint32_t i = 0; i < in->count; i++)
			if (value_eq(in->item[i], v))
				return true;
	} else if (in->type == REGO_OBJECT) {
		for (uint32_t i = 0; i < in->count; i++)
			if (value_eq(in->pair[i].val, v))
				return true;
	}
	return false;
}

/* What one step compares. */
#define VALUES_PER_STEP 16
#define BYTES_PER_STEP 16

static bool run_test(struct rego_eval *ev, struct frame *f, const struct insn *in)
{
	rv x = operand(ev, f, in->b), y = operand(ev, f, in->c);
	uint64_t work = y->type == REGO_STRING ? y->count / BYTES_PER_STEP : value_weight(y);
	if (work >= VALUES_PER_STEP)
		eval_spend(ev, (uint32_t)(work / VALUES_PER_STEP));
	switch (in->op) {
	case OP_EQ:
		return value_eq(x, y);
	case OP_NE:
		return !value_eq(x, y);
	case OP_LT:
		return value_compare(x, y) < 0;
	case OP_LE:
		return value_compare(x, y) <= 0;
	case OP_GT:
		return value_compare(x, y) > 0;
	case OP_GE:
		return value_compare(x, y) >= 0;
	default:
		return is_member(x, y);
	}
}

static rv run_path(struct rego_eval *ev, rv v, const struct insn *in)
{
	for (uint32_t i = 0; v && i < in->n; i++) {
		rv key = ev->p->constant[~ev->p->list[in->c + (int32_t)i]];
		rv next = value_get(v, key);
		/* OPA's store knows only string keys. */
		if (!next && in->op == OP_BASE && key->type == REGO_NUMBER &&
			v->type == REGO_OBJECT)
			next = value_get(v, value_to_json(&ev->mem, key));
		v = next;
	}
	return v;
}

static rv *push_operands(struct rego_eval *ev, const struct frame *f, const struct insn *in)
{
	const int32_t *list = ev->p->list + in->c;
	rv *item = eval_push(ev, in->n);
	for (uint32_t i = 0; i < in->n; i++)
		item[i] = operand(ev, f, list[i]);
	return item;
}

static rv run_collection(struct rego_eval *ev, struct frame *f, const struct insn *in)
{
	struct stack_mark mark = eval_mark(ev);
	rv v, *item = push_operands(ev, f, in);
	if (in->op == OP_ARRAY)
		v = value_array(&ev->mem, item, in->n);
	else if (in->op == OP_SET)
		v = value_set(&ev->mem, item, in->n);
	else /* the last of equal keys wins */
		v = value_object(&ev->mem, (const struct pair *)(const void *)item, in->n / 2);
	eval_pop(ev, mark, item);
	return v;
}

static const struct mock *find_mock(const struct rego_eval *ev, bool is_builtin, int32_t id)
{
	for (const struct mock *m = ev->ctx->mocks; m; m = m->next)
		if (m->is_builtin == is_builtin && m->id == id)
			return m;
	return NULL;
}

static rv call_mock(struct rego_eval *ev, const struct mock *m, const rv *arg, uint32_t count)
{
	if (m->value)
		return m->value;
	/* A replacement sees the originals of all functions. */
	struct context *ctx = ev->ctx, inner = *ctx;
	inner.mocks = NULL;
	inner.memo = NULL;
	inner.cache = mem_array(&ev->mem, ev->p->group_count + 1, sizeof(*inner.cache));
	ev->ctx = &inner;
	rv v = m->group
		       ? (m->group->kind == GROUP_FUNCTION ? eval_function(ev, m->group, arg, count)
							   : eval_rule(ev, m->group))
		       : eval_builtin(ev, m->builtin, arg, count);
	ev->ctx = ctx;
	return v;
}

static rv call_with(struct rego_eval *ev, struct frame *f, const struct insn *in, const rv *arg)
{
	if (ev->ctx->mocks) {
		const struct mock *m = find_mock(ev, in->op == OP_BUILTIN, in->b);
		if (m)
			return call_mock(ev, m, arg, in->n);
	}
	if (in->op == OP_FUNCTION)
		return eval_function(ev, ev->p->group[in->b], arg, in->n);
	ev->at_def = f->def;
	ev->at_row = f->block->expr_count
			     ? f->block->expr[f->block->expr_of[in - f->block->code]].row
			     : f->def->row;
	return eval_builtin(ev, ev->p->builtin[in->b], arg, in->n);
}

static rv run_call(struct rego_eval *ev, struct frame *f, const struct insn *in)
{
	struct stack_mark mark = eval_mark(ev);
	rv *arg = push_operands(ev, f, in);
	rv v = call_with(ev, f, in, arg);
	eval_pop(ev, mark, arg);
	return v;
}

static enum run run_return(struct rego_eval *ev, struct frame *f, const struct insn *in)
{
	rv v = operand(ev, f, in->b);
	if (f->result && !value_eq(f->result, v)) {
		const struct group *g = f->def->group;
		mem_fail(&ev->mem, REGO_ERR_CONFLICT, "eval_conflict_error",
			"%s:%u: eval_conflict_error: %s must not produce multiple outputs%s: %s",
			f->def->module->file, f->def->row,
			g && g->kind == GROUP_FUNCTION ? "functions" : "complete rules",
			g && g->kind == GROUP_FUNCTION ? " for same inputs" : "",
			g ? g->path : "query");
	}
	f->result = v;
	return in->n ? RUN_STOP : RUN_NEXT;
}

void eval_charge(struct rego_eval *ev, uint64_t steps)
{
	if (steps > ev->steps_left)
		mem_fail(&ev->mem, REGO_ERR_STEPS, "steps",
			"the evaluation exceeds its budget of %llu steps",
			(unsigned long long)ev->options.max_steps);
	ev->steps_left -= steps;
	ev->steps_used += steps;
	if (ev->deadline_ms && ev->options.clock_ms(ev->options.cookie) >= ev->deadline_ms)
		mem_fail(&ev->mem, REGO_ERR_TIME, "time", "the evaluation exceeds %u ms",
			ev->options.max_time_ms);
}

#define FUEL 4096

static void refuel(struct rego_eval *ev)
{
	eval_charge(ev, FUEL);
	ev->fuel = FUEL;
}

#define FAIL(left, right)                                         \
	do {                                                      \
		if (f->trace)                                     \
			explain_fail(ev, f, pc, (left), (right)); \
		return RUN_NEXT;                                  \
	} while (0)

enum run eval_run(struct rego_eval *ev, struct frame *f, uint32_t pc)
{
	const struct insn *code = f->block->code;
	rv *slot = f->slot;
	for (;; pc++) {
		const struct insn *in = &code[pc];
		rv v;
		if (--ev->fuel < 0)
			refuel(ev);
		if (f->trace)
			explain_pass(f, pc);
		switch ((enum opcode)in->op) {
		case OP_MOVE:
			slot[in->a] = operand(ev, f, in->b);
			continue;
		case OP_INPUT:
			v = run_path(ev, ev->ctx->input, in);
			break;
		case OP_BASE:
			v = run_path(ev, ev->ctx->data, in);
			break;
		case OP_GET:
			v = operand(ev, f, in->b);
			v = v->type == REGO_NODE ? eval_node_get(ev, v, operand(ev, f, in->c))
						 : value_get(v, operand(ev, f, in->c));
			if (!v)
				FAIL(operand(ev, f, in->b), operand(ev, f, in->c));
			break;
		case OP_SCAN:
			return run_scan(ev, f, in, pc);
		case OP_EQ:
		case OP_NE:
		case OP_LT:
		case OP_LE:
		case OP_GT:
		case OP_GE:
		case OP_IN:
			if (!run_test(ev, f, in))
				FAIL(operand(ev, f, in->b), operand(ev, f, in->c));
			continue;
		case OP_TRUE:
			if (operand(ev, f, in->b) == &value_false)
				FAIL(NULL, NULL);
			continue;
		case OP_IS_ARRAY:
			v = operand(ev, f, in->b);
			if (v->type != REGO_ARRAY || v->count != (uint32_t)in->c)
				FAIL(v, NULL);
			continue;
		case OP_IS_OBJECT:
			v = operand(ev, f, in->b);
			if (v->type != REGO_OBJECT || v->count != (uint32_t)in->c)
				FAIL(v, NULL);
			continue;
		case OP_ARRAY:
		case OP_SET:
		case OP_OBJECT:
			slot[in->a] = run_collection(ev, f, in);
			continue;
		case OP_BUILTIN:
		case OP_FUNCTION:
			v = run_call(ev, f, in);
			break;
		case OP_RULE:
			v = eval_rule(ev, ev->p->group[in->b]);
			break;
		case OP_NODE:
			v = eval_node(ev, ev->p->node[in->b]);
			break;
		case OP_FORCE:
			v = eval_force(ev, operand(ev, f, in->b));
			break;
		case OP_NOT:
			if (eval_run(ev, f, pc + 1) == RUN_STOP)
				FAIL(NULL, NULL);
			pc = (uint32_t)in->c - 1;
			continue;
		case OP_COMP:
			slot[in->a] = run_comprehension(ev, f, in, pc);
			pc = (uint32_t)in->c - 1;
			continue;
		case OP_EVERY:
			if (!run_every(ev, f, in, pc))
				FAIL(NULL, NULL);
			pc = (uint32_t)in->c - 1;
			continue;
		case OP_QUIET:
			if (ev->options.print)
				continue;
			slot[in->a] = &value_true;
			pc = (uint32_t)in->c - 1;
			continue;
		case OP_WITH: {
			struct context *outer = ev->ctx;
			ev->ctx = eval_with(ev, f, in);
			enum run r = eval_run(ev, f, pc + 1);
			ev->ctx = outer;
			return r;
		}
		case OP_WITH_END: {
			struct context *inner = ev->ctx;
			ev->ctx = inner->outer;
			enum run r = eval_run(ev, f, pc + 1);
			ev->ctx = inner;
			return r;
		}
		case OP_DONE:
			return RUN_STOP;
		case OP_EMIT:
			list_push(&ev->mem, &f->acc->list, operand(ev, f, in->b));
			if (in->c != NONE)
				list_push(&ev->mem, &f->acc->list, operand(ev, f, in->c));
			return RUN_NEXT;
		case OP_RETURN:
			return run_return(ev, f, in);
		case OP_PUT:
			for (uint32_t i = 0; i < in->n; i++)
				list_push(&ev->mem, &f->acc->list,
					operand(ev, f, ev->p->list[in->c + (int32_t)i]));
			return RUN_NEXT;
		case OP_FAIL:
		default:
			FAIL(NULL, NULL);
		}
		if (!v)
			FAIL(NULL, NULL);
		slot[in->a] = v;
	}
}
