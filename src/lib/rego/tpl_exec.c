/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: running them. */
#include "rego/tpl.h"

static struct tpl_value eval_pipe(struct tpl *t, struct tpl_value dot, struct tpl_pipe *p);
static void walk(struct tpl *t, struct tpl_node *n, struct tpl_value dot);

struct tpl_value tpl_element(rv v)
{
	return (struct tpl_value){v->type == REGO_NULL ? TPL_NIL : TPL_JSON, v};
}

static bool enter(struct tpl *t)
{
	call_charge(t->c, 1);
	if (t->depth++ < TPL_MAX_DEPTH * 5)
		return !t->failed;
	tpl_error(t, "exceeded maximum template depth (%d)", TPL_MAX_DEPTH * 5);
	return false;
}

static void push(struct tpl *t, struct slice name, struct tpl_value v)
{
	struct tpl_variable *x = mem_new(t->c->m, struct tpl_variable);
	*x = (struct tpl_variable){name, v, t->vars};
	t->vars = x;
}

static struct tpl_variable *variable(struct tpl *t, struct slice name)
{
	for (struct tpl_variable *v = t->vars; v; v = v->next)
		if (slice_eq(v->name, name))
			return v;
	tpl_error(t, "undefined variable: %.*s", (int)MIN(name.size, (size_t)80),
		(const char *)name.data);
	return NULL;
}

static void set(struct tpl *t, struct slice name, struct tpl_value v)
{
	struct tpl_variable *x = variable(t, name);
	if (x)
		x->value = v;
}

static const char *type_name(struct tpl_value v)
{
	if (v.kind == TPL_INT)
		return "int";
	if (v.kind == TPL_FLOAT)
		return "float64";
	if (v.kind != TPL_JSON)
		return "interface {}";
	switch (v.v->type) {
	case REGO_BOOL:
		return "bool";
	case REGO_NUMBER:
		return "json.Number";
	case REGO_STRING:
		return "string";
	case REGO_ARRAY:
		return "[]interface {}";
	default:
		return "map[string]interface {}";
	}
}

static struct tpl_value field(struct tpl *t, struct tpl_value v, struct slice name)
{
	static const struct tpl_value missing = {TPL_MISSING, NULL};
	if (v.kind == TPL_MISSING)
		return missing;
	if (v.kind == TPL_NIL) {
		tpl_error(t, "nil pointer evaluating interface {}.%.*s",
			(int)MIN(name.size, (size_t)80), (const char *)name.data);
		return missing;
	}
	if (!tpl_is(v, REGO_OBJECT)) {
		tpl_error(t, "can't evaluate field %.*s in type %s",
			(int)MIN(name.size, (size_t)80), (const char *)name.data, type_name(v));
		return missing;
	}
	rv found = value_get_str(v.v, name);
	return found ? tpl_element(found) : missing;
}

static struct tpl_value fields(struct tpl *t, struct tpl_value v, const struct tpl_field *f)
{
	for (; f && !t->failed; f = f->next)
		v = field(t, v, f->name);
	return v;
}

static struct tpl_value call(struct tpl *t, struct tpl_value dot, const struct tpl_arg *first,
	bool with_args, const struct tpl_value *final);

/* An operand; of a function: called without arguments. */
static struct tpl_value eval_arg(struct tpl *t, struct tpl_value dot, const struct tpl_arg *a)
{
	struct tpl_variable *x;
	struct tpl_value v = {TPL_MISSING, NULL};
	switch (a->kind) {
	case TPL_A_DOT:
	case TPL_A_FIELD:
		v = dot;
		break;
	case TPL_A_VARIABLE:
		x = variable(t, a->name);
		if (x)
			v = x->value;
		break;
	case TPL_A_FUNCTION:
		v = call(t, dot, a, false, NULL);
		break;
	case TPL_A_PIPE:
		v = eval_pipe(t, dot, a->pipe);
		break;
	case TPL_A_NIL:
		break;
	case TPL_A_VALUE:
		v = a->value;
		break;
	}
	return fields(t, v, a->fields);
}

/* and, or: arguments are looked at one by one. */
static struct tpl_value shortcut(struct tpl *t, struct tpl_value dot, const struct tpl_arg *a,
	bool stop_at, const struct tpl_value *final)
{
	struct tpl_value v = {TPL_MISSING, NULL};
	for (; a && !t->failed; a = a->next) {
		v = eval_arg(t, dot, a);
		if (tpl_truth(v) == stop_at)
			return v;
	}
	return final ? *final : v;
}

static struct tpl_value call(struct tpl *t, struct tpl_value dot, const struct tpl_arg *first,
	bool with_args, const struct tpl_value *final)
{
	const struct tpl_function *f = first->function;
	const struct tpl_arg *a = with_args ? first->next : NULL;
	struct tpl_value none = {TPL_MISSING, NULL};
	uint32_t count = final ? 1 : 0;
	for (const struct tpl_arg *i = a; i; i = i->next)
		count++;
	if (count < f->min || count > f->max) {
		tpl_error(t, "wrong number of args for %s: want %s%u got %u", f->name,
			f->max == UINT32_MAX ? "at least " : "", f->min, count);
		return none;
	}
	if (tpl_is_and(f) || tpl_is_or(f))
		return shortcut(t, dot, a, tpl_is_or(f), final);
	struct tpl_value *arg = mem_array(t->c->m, count ? count : 1, sizeof(*arg));
	uint32_t n = 0;
	for (; a && !t->failed; a = a->next)
		arg[n++] = eval_arg(t, dot, a);
	if (final)
		arg[n++] = *final;
	return t->failed ? none : f->fn(t, arg, n);
}

static struct tpl_value eval_command(struct tpl *t, struct tpl_value dot,
	const struct tpl_command *cmd, const struct tpl_value *final)
{
	const struct tpl_arg *first = cmd->args;
	t->line = cmd->line;
	if (first->kind == TPL_A_FUNCTION && !first->fields)
		return call(t, dot, first, true, final);
	if (first->kind == TPL_A_NIL)
		tpl_error(t, "nil is not a command");
	else if (cmd->count > 1 || final)
		tpl_error(t, "can't give argument to non-function %.*s",
			(int)MIN(first->name.size, (size_t)80), (const char *)first->name.data);
	if (t->failed)
		return (struct tpl_value){TPL_MISSING, NULL};
	return eval_arg(t, dot, first);
}

static struct tpl_value eval_pipe(struct tpl *t, struct tpl_value dot, struct tpl_pipe *p)
{
	struct tpl_value v = {TPL_MISSING, NULL};
	if (!p || !enter(t))
		return v;
	for (const struct tpl_command *cmd = p->commands; cmd && !t->failed; cmd = cmd->next) {
		struct tpl_value before = v;
		v = eval_command(t, dot, cmd, cmd == p->commands ? NULL : &before);
		if (v.kind == TPL_NIL)
			v = (struct tpl_value){TPL_MISSING, NULL};
	}
	for (uint32_t i = 0; i < p->decls && !t->failed; i++) {
		if (p->assign)
			set(t, p->decl[i], v);
		else
			push(t, p->decl[i], v);
	}
	t->depth--;
	return v;
}

/* One turn of a range; false to stop. */
static bool turn(struct tpl *t, const struct tpl_node *n, const struct tpl_value *index,
	struct tpl_value elem)
{
	struct tpl_pipe *p = n->pipe;
	struct tpl_variable *mark = t->vars;
	struct tpl_variable *last = p->decls && !p->assign ? mark : NULL;
	if (p->decls && p->assign) {
		set(t, p->decl[0], p->decls > 1 ? *index : elem);
		if (p->decls > 1)
			set(t, p->decl[1], elem);
	} else if (last) {
		last->value = elem;
		if (p->decls > 1 && last->next)
			last->next->value = *index;
	}
	walk(t, n->list, elem);
	t->vars = mark;
	bool stop = t->jump == TPL_BREAK;
	t->jump = TPL_GO_ON;
	return !stop && !t->failed;
}

static bool range_count(struct tpl *t, const struct tpl_node *n, struct tpl_value v)
{
	int64_t count = 0;
	if (n->pipe->decls > 1)
		tpl_error(t, "can't use a number to iterate over more than one variable");
	if (t->failed || !num_to_i64(v.v, &count) || count <= 0)
		return false;
	for (int64_t i = 0; i < count; i++) {
		call_charge(t->c, 1);
		if (!turn(t, n, NULL, tpl_int(t, i)))
			break;
	}
	return true;
}

static void walk_range(struct tpl *t, struct tpl_node *n, struct tpl_value dot)
{
	struct tpl_variable *mark = t->vars;
	struct tpl_value v = eval_pipe(t, dot, n->pipe), index;
	bool run = false;
	if (t->failed)
		return;
	if (v.kind == TPL_INT)
		run = range_count(t, n, v);
	else if (tpl_is(v, REGO_ARRAY) || tpl_is(v, REGO_OBJECT)) {
		bool object = v.v->type == REGO_OBJECT;
		run = v.v->count > 0;
		for (uint32_t i = 0; i < v.v->count; i++) {
			call_charge(t->c, 1);
			index = object ? (struct tpl_value){TPL_JSON, v.v->pair[i].key}
				       : tpl_int(t, i);
			if (!turn(t, n, &index,
				    tpl_element(object ? v.v->pair[i].val : v.v->item[i])))
				break;
		}
	} else if (v.kind == TPL_JSON || v.kind == TPL_FLOAT)
		tpl_error(t, "range can't iterate over a value of type %s", type_name(v));
	if (!run && !t->failed)
		walk(t, n->other, dot);
	t->vars = mark;
}

static void walk_branch(struct tpl *t, struct tpl_node *n, struct tpl_value dot)
{
	struct tpl_variable *mark = t->vars;
	struct tpl_value v = eval_pipe(t, dot, n->pipe);
	if (!t->failed && tpl_truth(v))
		walk(t, n->list, n->kind == TPL_N_WITH ? v : dot);
	else if (!t->failed)
		walk(t, n->other, dot);
	t->vars = mark;
}

static void walk_template(struct tpl *t, struct tpl_node *n, struct tpl_value dot)
{
	const struct tpl_define *d = t->defines;
	while (d && !slice_eq(d->name, n->text))
		d = d->next;
	if (!d) {
		tpl_error(t, "template \"%.*s\" not defined", (int)MIN(n->text.size, (size_t)80),
			(const char *)n->text.data);
		return;
	}
	struct tpl_value v = eval_pipe(t, dot, n->pipe);
	struct tpl_variable *vars = t->vars;
	t->vars = NULL;
	push(t, slice_str("$"), v);
	walk(t, d->root, v);
	t->vars = vars;
}

static void walk_one(struct tpl *t, struct tpl_node *n, struct tpl_value dot)
{
	struct tpl_value v;
	t->line = n->line;
	switch (n->kind) {
	case TPL_N_TEXT:
		buf_put_slice(t->out, n->text);
		break;
	case TPL_N_ACTION:
		v = eval_pipe(t, dot, n->pipe);
		if (!t->failed && !n->pipe->decls)
			tpl_print(t, t->out, v);
		break;
	case TPL_N_IF:
	case TPL_N_WITH:
		walk_branch(t, n, dot);
		break;
	case TPL_N_RANGE:
		walk_range(t, n, dot);
		break;
	case TPL_N_BREAK:
		t->jump = TPL_BREAK;
		break;
	case TPL_N_CONTINUE:
		t->jump = TPL_CONTINUE;
		break;
	case TPL_N_TEMPLATE:
		walk_template(t, n, dot);
		break;
	}
}

static void walk(struct tpl *t, struct tpl_node *n, struct tpl_value dot)
{
	if (!enter(t))
		return;
	for (; n && !t->failed && t->jump == TPL_GO_ON && !buf_error(t->out); n = n->next) {
		call_charge(t->c, 1);
		walk_one(t, n, dot);
	}
	t->depth--;
}

void tpl_run(struct tpl *t, struct tpl_node *root, struct tpl_value dot)
{
	t->depth = 0;
	t->vars = NULL;
	push(t, slice_str("$"), dot);
	walk(t, root, dot);
}
