/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explanations: for each definition that was tried, which statement was the last one reached, and
 * the values that its last failure saw.
 */
#include "base/buf.h"
#include "rego/eval.h"

#define MAX_TRACES 4096 /* later definitions are not recorded */
#define TEXT_MAX 300	/* bytes of one value in a message */

struct seen {
	uint32_t tries;
	uint32_t pc;
	rv left, right;
	char error[256]; /* of a built-in */
};

struct trace {
	struct trace *next;
	const struct def *def;
	unsigned depth;
	uint32_t reached;
	bool ended;
	bool is_default;
	rv result;
	struct seen *seen; /* per statement */
	uint8_t *cover;	   /* marks of the definition; NULL: off */
};

struct explain {
	struct trace *first, **end;
	uint32_t count;
};

struct explain *explain_new(struct rego_eval *ev)
{
	struct explain *x = mem_new(&ev->mem, struct explain);
	x->end = &x->first;
	return x;
}

struct trace *explain_enter(struct rego_eval *ev, const struct def *def)
{
	struct explain *x = ev->explain;
	bool record = ev->explaining && x->count < MAX_TRACES;
	uint8_t *cover = ev->cover && def->group ? ev->cover + def->cover : NULL;
	if (!record && !cover)
		return NULL;
	struct trace *t = mem_new(&ev->mem, struct trace);
	t->def = def;
	t->cover = cover;
	if (!record)
		return t;
	t->depth = ev->depth ? ev->depth - 1 : 0;
	t->seen = mem_array(&ev->mem, def->block.expr_count + 1, sizeof(*t->seen));
	*x->end = t;
	x->end = &t->next;
	x->count++;
	ev->last_error[0] = '\0';
	return t;
}

void explain_leave(struct rego_eval *ev, struct trace *t, rv result)
{
	t->result = result;
	t->ended = true;
	if (t->cover && result)
		t->cover[0] = 1;
}

void explain_default(struct rego_eval *ev, const struct def *def, rv value)
{
	for (struct trace *t = ev->explain->first; t; t = t->next)
		if (t->def == def)
			t->is_default = true;
}

void explain_pass(struct frame *f, uint32_t pc)
{
	uint32_t e = f->block->expr_of[pc];
	if (f->block->expr_count == 0)
		return;
	if (e > f->trace->reached)
		f->trace->reached = e;
	if (f->trace->cover)
		f->trace->cover[1 + e] = 1;
}

void explain_fail(struct rego_eval *ev, struct frame *f, uint32_t pc, rv left, rv right)
{
	if (f->block->expr_count == 0 || !f->trace->seen)
		return;
	struct seen *s = &f->trace->seen[f->block->expr_of[pc]];
	s->tries++;
	s->pc = pc;
	s->left = left;
	s->right = right;
	snprintf(s->error, sizeof(s->error), "%s", ev->last_error);
	ev->last_error[0] = '\0';
}

/* --- output --- */

static void put_value(struct buf *out, rv v)
{
	struct buf text = buf_init(1 << 20);
	rego_print(&text, v->type == REGO_NODE ? &value_null : v);
	if (buf_error(&text) == 0 && text.size <= TEXT_MAX) {
		buf_put_slice(out, buf_slice(&text));
	} else {
		buf_put_slice(out, slice_cut(buf_slice(&text), 0, TEXT_MAX));
		buf_put_str(out, "...");
	}
	buf_done(&text);
}

static void put_input_path(struct rego_eval *ev, struct buf *out, const struct insn *in)
{
	buf_put_str(out, in->op == OP_INPUT ? "input" : "data");
	for (uint32_t i = 0; i < in->n; i++) {
		rv key = ev->p->constant[~ev->p->list[in->c + (int32_t)i]];
		buf_put_u8(out, key->type == REGO_STRING ? '.' : '[');
		if (key->type == REGO_STRING)
			buf_put_slice(out, value_slice(key));
		else
			rego_print(out, key);
		if (key->type != REGO_STRING)
			buf_put_u8(out, ']');
	}
}

static void put_reason(
	struct rego_eval *ev, struct buf *out, const struct trace *t, const struct seen *s)
{
	const struct insn *in = &t->def->block.code[s->pc];
	static const char *const relation[] = {
		[OP_EQ] = " is not equal to ",
		[OP_NE] = " is equal to ",
		[OP_LT] = " is not less than ",
		[OP_LE] = " is greater than ",
		[OP_GT] = " is not greater than ",
		[OP_GE] = " is less than ",
		[OP_IN] = " is not in ",
	};
	switch ((enum opcode)in->op) {
	case OP_EQ:
	case OP_NE:
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
	case OP_IN:
		put_value(out, s->left);
		buf_put_str(out, relation[in->op]);
		put_value(out, s->right);
		break;
	case OP_GET:
		buf_put_str(out, "no member ");
		put_value(out, s->right);
		buf_put_str(out, " in ");
		put_value(out, s->left);
		break;
	case OP_INPUT:
	case OP_BASE:
		put_input_path(ev, out, in);
		buf_put_str(out, " is undefined");
		break;
	case OP_RULE:
		buf_printf(out, "%s is undefined", ev->p->group[in->b]->path);
		break;
	case OP_FUNCTION:
		buf_printf(out, "%s has no value for these arguments", ev->p->group[in->b]->path);
		break;
	case OP_BUILTIN:
		if (s->error[0])
			buf_put_str(out, s->error);
		else
			buf_printf(out, "%s is undefined for these arguments",
				ev->p->builtin[in->b]->name);
		break;
	case OP_NOT:
		buf_put_str(out, "the negated expression holds");
		break;
	case OP_EVERY:
		buf_put_str(out, "not every element holds");
		break;
	case OP_TRUE:
		buf_put_str(out, "the value is false");
		break;
	default:
		buf_put_str(out, "the value does not match the pattern");
	}
}

/* The statement that stopped the definition; NULL when it held or has no statements. */
static const struct seen *culprit(const struct trace *t, uint32_t *ret_expr)
{
	if (t->result || t->def->block.expr_count == 0)
		return NULL;
	*ret_expr = t->reached;
	return &t->seen[t->reached];
}

static struct slice first_line(struct slice text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\n')
			return slice_cut(text, 0, i);
	return text;
}

static struct slice expr_text(const struct trace *t, uint32_t e)
{
	const struct expr_info *x = &t->def->block.expr[e];
	return slice_cut(t->def->module->source, x->offset, x->size);
}

static struct slice def_text(const struct trace *t)
{
	struct slice s = slice_cut(t->def->module->source, t->def->offset,
		t->def->end > t->def->offset ? t->def->end - t->def->offset : 0);
	return first_line(s);
}

void rego_explain_text(struct rego_eval *e, struct buf *out)
{
	for (const struct trace *t = e->explain ? e->explain->first : NULL; t; t = t->next) {
		uint32_t x;
		const struct seen *s = culprit(t, &x);
		if (!s || !t->def->group)
			continue;
		struct slice text = expr_text(t, x);
		buf_printf(out, "%s:%u: %s: ", t->def->module->file, t->def->block.expr[x].row,
			t->def->group->path);
		buf_put_slice(out, text.size > TEXT_MAX ? slice_cut(text, 0, TEXT_MAX) : text);
		buf_put_str(out, ": ");
		if (s->tries)
			put_reason(e, out, t, s);
		else
			buf_put_str(out, "has no solution");
		if (s->tries > 1)
			buf_printf(out, " (last of %u tries)", s->tries);
		buf_put_u8(out, '\n');
	}
}

struct fields {
	struct pair pair[12];
	uint32_t count;
};

static void put_field(struct mem *m, struct fields *f, const char *name, rv value)
{
	if (value)
		f->pair[f->count++] = (struct pair){value_cstr(m, name), value};
}

static rv reason_value(struct rego_eval *e, const struct trace *t, const struct seen *s)
{
	struct buf text = buf_init(1 << 20);
	put_reason(e, &text, t, s);
	char *copy = buf_error(&text) ? NULL : arena_copy(e->mem.arena, buf_slice(&text));
	size_t size = text.size;
	buf_done(&text);
	return copy ? value_string(&e->mem, slice_of(copy, size)) : NULL;
}

static rv expr_value(struct rego_eval *e, const struct trace *t, uint32_t i)
{
	struct mem *m = &e->mem;
	struct fields f = {0};
	const struct seen *s = &t->seen[i];
	bool failed = !t->result && i == t->reached;
	put_field(m, &f, "line", value_int(m, t->def->block.expr[i].row));
	put_field(m, &f, "text", value_string(m, expr_text(t, i)));
	put_field(m, &f, "result",
		value_cstr(m, failed		? "failed"
			      : i <= t->reached ? "true"
						: "not reached"));
	if (s->tries) {
		put_field(m, &f, "tries", value_int(m, s->tries));
		put_field(m, &f, "left", eval_force(e, s->left));
		put_field(m, &f, "right", eval_force(e, s->right));
		put_field(m, &f, "reason", reason_value(e, t, s));
	}
	return value_object(m, f.pair, f.count);
}

static rv trace_value(struct rego_eval *e, const struct trace *t)
{
	struct mem *m = &e->mem;
	struct fields f = {0};
	const struct def *d = t->def;
	const char *result = !t->ended			 ? "error"
			     : t->is_default		 ? "default"
			     : !t->result		 ? "undefined"
			     : t->result == &value_false ? "false"
							 : "value";
	put_field(m, &f, "rule", d->group ? value_cstr(m, d->group->path) : NULL);
	put_field(m, &f, "file", value_cstr(m, d->module->file));
	put_field(m, &f, "line", value_int(m, d->row));
	put_field(m, &f, "depth", value_int(m, t->depth));
	put_field(m, &f, "result", value_cstr(m, result));
	put_field(m, &f, "value", t->result);
	put_field(m, &f, "text", value_string(m, def_text(t)));
	rv *item = mem_array(m, d->block.expr_count + 1, sizeof(rv));
	for (uint32_t i = 0; i < d->block.expr_count; i++)
		item[i] = expr_value(e, t, i);
	put_field(m, &f, "expressions", value_array(m, item, d->block.expr_count));
	return value_object(m, f.pair, f.count);
}

struct explain_arg {
	struct rego_eval *e;
	rv value;
};

static void make_explanation(void *arg)
{
	struct explain_arg *a = arg;
	struct list l = {0};
	for (const struct trace *t = a->e->explain->first; t; t = t->next)
		list_push(&a->e->mem, &l, trace_value(a->e, t));
	a->value = value_array(&a->e->mem, l.item, l.count);
}

const struct rego_value *rego_explanation(struct rego_eval *e)
{
	struct explain_arg a = {.e = e};
	if (!e->explain || !e->explaining || mem_guard(&e->mem, make_explanation, &a, NULL) < 0)
		return NULL;
	return a.value;
}
