/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator's public face. */
#include <stdarg.h>

#include "rego/eval.h"

#define DEFAULT_STEPS 50000000
#define DEFAULT_MEMORY ((size_t)256 << 20)
#define DEFAULT_DEPTH 512
#define JSON_DEPTH 512

static void spend(void *cookie, uint64_t steps)
{
	struct rego_eval *e = cookie;
	eval_spend(e, (uint32_t)MIN(steps, (uint64_t)UINT32_MAX));
}

struct rego_eval *rego_eval_new(
	const struct rego_program *p, const struct rego_eval_options *options)
{
	struct rego_eval *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	if (options)
		e->options = *options;
	if (!e->options.max_steps)
		e->options.max_steps = DEFAULT_STEPS;
	if (!e->options.max_memory)
		e->options.max_memory = DEFAULT_MEMORY;
	if (!e->options.max_depth)
		e->options.max_depth = DEFAULT_DEPTH;
	e->p = p;
	e->mem.arena = arena_new(e->options.max_memory);
	if (!e->mem.arena) {
		free(e);
		return NULL;
	}
	e->mem.cookie = e;
	rego_eval_reset(e);
	return e;
}

void rego_eval_free(struct rego_eval *e)
{
	if (!e)
		return;
	regex_cache_free(e->regexes);
	arena_free(e->mem.arena);
	free(e);
}

static void drop_results(struct rego_eval *e)
{
	e->base.cache = NULL;
	e->base.memo = NULL;
}

static void forget(struct rego_eval *e)
{
	e->ctx = &e->base;
	drop_results(e);
	e->base.overrides = NULL;
	e->base.mocks = NULL;
	e->stack_top = e->stack_end = NULL;
	e->spare_top = e->spare_end = NULL;
	e->explain = NULL;
}

void rego_eval_reset(struct rego_eval *e)
{
	mem_reset(&e->mem);
	forget(e);
	e->base.input = NULL;
	e->base.data = &value_empty_object;
	regex_cache_reset(e->regexes);
	e->zones = NULL;
	e->explaining = false;
	e->cover = NULL;
	e->last_error[0] = '\0';
}

void rego_eval_set_now(struct rego_eval *e, int64_t now_ns)
{
	e->options.now_ns = now_ns;
}

void rego_eval_explain(struct rego_eval *e, bool on)
{
	e->explaining = on;
	drop_results(e);
}

void rego_eval_cover(struct rego_eval *e, struct rego_coverage *c)
{
	e->cover = c ? coverage_marks(c) : NULL;
	drop_results(e);
}

struct parse_arg {
	struct rego_eval *e;
	struct slice json;
	rv value;
	int result;
	struct err *reterr;
};

static void parse_json(void *arg)
{
	struct parse_arg *a = arg;
	a->result = rego_json_parse(&a->e->mem, a->json, JSON_DEPTH, &a->value, a->reterr);
}

int rego_make_json(
	struct rego_eval *e, struct slice json, const struct rego_value **ret, struct err *reterr)
{
	struct parse_arg a = {.e = e, .json = json, .reterr = reterr};
	int r = mem_guard(&e->mem, parse_json, &a, reterr);
	if (r == 0)
		r = a.result;
	if (r == 0)
		*ret = a.value;
	return r;
}

void rego_eval_input(struct rego_eval *e, const struct rego_value *input)
{
	e->base.input = input;
	drop_results(e);
}

int rego_eval_data(struct rego_eval *e, const struct rego_value *data)
{
	if (!data || data->type != REGO_OBJECT)
		return -EINVAL;
	e->base.data = data;
	drop_results(e);
	return 0;
}

int rego_eval_input_json(struct rego_eval *e, struct slice json, struct err *reterr)
{
	const struct rego_value *v = NULL;
	int r = rego_make_json(e, json, &v, reterr);
	if (r < 0)
		return r;
	rego_eval_input(e, v);
	return 0;
}

int rego_eval_data_json(struct rego_eval *e, struct slice json, struct err *reterr)
{
	const struct rego_value *v = NULL;
	int r = rego_make_json(e, json, &v, reterr);
	if (r < 0)
		return r;
	if (rego_eval_data(e, v) < 0)
		return err_set(reterr, -EBADMSG, "the base document must be an object");
	return 0;
}

/* --- evaluation --- */

struct path_arg {
	struct rego_eval *e;
	const char *path;
	rv value;
	bool missing;
	bool bad;
};

static void begin(struct rego_eval *e)
{
	e->mem.spend = spend;
	e->ctx = &e->base;
	e->depth = 0;
	e->fuel = 0;
	e->steps_left = e->options.max_steps;
	e->steps_used = 0;
	e->random = e->options.seed;
	e->base.overrides = NULL;
	e->base.mocks = NULL;
	e->stack_top = e->stack_end = NULL;
	e->spare_top = e->spare_end = NULL;
	e->last_error[0] = '\0';
	e->explain = e->explaining || e->cover ? explain_new(e) : NULL;
	e->deadline_ms = e->options.max_time_ms && e->options.clock_ms
				 ? e->options.clock_ms(e->options.cookie) + e->options.max_time_ms
				 : 0;
	/* Results are kept between calls as long as the documents stay. */
	if (!e->base.cache || e->explain)
		e->base.cache = mem_array(&e->mem, e->p->group_count + 1, sizeof(*e->base.cache));
}

static void end(struct rego_eval *e)
{
	e->ctx = &e->base;
	e->mem.spend = NULL;
}

static void eval_path(void *arg)
{
	struct path_arg *a = arg;
	struct rego_eval *e = a->e;
	begin(e);
	const char *s = a->path;
	if (strncmp(s, "data.", 5) == 0)
		s += 5;
	else if (__builtin_strcmp(s, "data") == 0)
		s = "";
	rv v = eval_node(e, e->p->root);
	bool known = true; /* the path so far leads to a rule or document */
	while (*s) {
		size_t n = strcspn(s, ".");
		if (n == 0) {
			a->bad = true;
			return;
		}
		rv key = value_string(&e->mem, slice_of(s, n));
		bool at_node = v && v->type == REGO_NODE;
		known = known && at_node && tree_child(v->node, key);
		if (v)
			v = at_node ? eval_node_get(e, v, key) : value_get(v, key);
		if (v)
			known = true;
		s += n + (s[n] == '.');
	}
	a->value = eval_force(e, v);
	a->missing = !a->value && !known;
}

int rego_eval_path(struct rego_eval *e, const char *path, enum rego_outcome *ret_outcome,
	const struct rego_value **ret, struct err *reterr)
{
	struct path_arg a = {.e = e, .path = path};
	int r = mem_guard(&e->mem, eval_path, &a, reterr);
	end(e);
	if (r < 0) {
		drop_results(e);
		return r;
	}
	if (a.bad)
		return err_set(reterr, -EINVAL, "'%s' is no path of a document", path);
	*ret_outcome = a.value ? REGO_VALUE : a.missing ? REGO_RULE_MISSING : REGO_UNDEFINED;
	*ret = a.value;
	return 0;
}

struct rule_arg {
	struct rego_eval *e;
	const struct group *group;
	rv value;
};

static void eval_group(void *arg)
{
	struct rule_arg *a = arg;
	begin(a->e);
	a->value = eval_force(a->e, eval_rule(a->e, a->group));
}

int rego_eval_rule(struct rego_eval *e, size_t index, enum rego_outcome *ret_outcome,
	const struct rego_value **ret, struct err *reterr)
{
	if (index >= e->p->group_count || e->p->group[index]->kind == GROUP_FUNCTION)
		return err_set(
			reterr, -EINVAL, "the program has no rule %zu without arguments", index);
	struct rule_arg a = {.e = e, .group = e->p->group[index]};
	int r = mem_guard(&e->mem, eval_group, &a, reterr);
	end(e);
	if (r < 0) {
		drop_results(e);
		return r;
	}
	*ret_outcome = a.value ? REGO_VALUE : REGO_UNDEFINED;
	*ret = a.value;
	return 0;
}

struct query_arg {
	struct rego_eval *e;
	const struct query *q;
	rv value;
};

static void eval_query(void *arg)
{
	struct query_arg *a = arg;
	begin(a->e);
	struct frame f = {.def = a->q->def, .block = &a->q->def->block};
	f.slot = eval_push(a->e, f.block->slots);
	eval_run(a->e, &f, 0);
	a->value = f.result;
}

int rego_eval_query(
	struct rego_eval *e, unsigned id, const struct rego_value **ret, struct err *reterr)
{
	if (id >= e->p->query_count)
		return err_set(reterr, -EINVAL, "the program has no query %u", id);
	struct query_arg a = {.e = e, .q = &e->p->query[id]};
	int r = mem_guard(&e->mem, eval_query, &a, reterr);
	end(e);
	if (r < 0) {
		drop_results(e);
		return r;
	}
	*ret = a.value ? a.value : &value_empty_array;
	return 0;
}

uint64_t rego_eval_steps(const struct rego_eval *e)
{
	return e->steps_used - (e->fuel > 0 ? (uint64_t)e->fuel : 0);
}

size_t rego_eval_memory(const struct rego_eval *e)
{
	return arena_used(e->mem.arena);
}

/* --- making values --- */

const struct rego_value *rego_make_null(void)
{
	return &value_null;
}

const struct rego_value *rego_make_bool(bool v)
{
	return value_bool(v);
}

struct make_arg {
	struct mem *m;
	struct slice text;
	int64_t number;
	const rv *item;
	size_t count;
	rv value;
};

static void make_int(void *arg)
{
	struct make_arg *a = arg;
	a->value = value_int(a->m, a->number);
}

static void make_string(void *arg)
{
	struct make_arg *a = arg;
	a->value = value_string(a->m, a->text);
}

/* A part that could not be made makes the whole fail: callers check once, at the end. */
static bool has_null(const rv *item, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!item[i])
			return true;
	return false;
}

static void make_array(void *arg)
{
	struct make_arg *a = arg;
	a->value = has_null(a->item, a->count) ? NULL : value_array(a->m, a->item, a->count);
}

static void make_object(void *arg)
{
	struct make_arg *a = arg;
	a->value =
		has_null(a->item, 2 * a->count)
			? NULL
			: value_object(a->m, (const struct pair *)(const void *)a->item, a->count);
}

static void make_set(void *arg)
{
	struct make_arg *a = arg;
	a->value = has_null(a->item, a->count) ? NULL : value_set(a->m, a->item, a->count);
}

static void make_number(void *arg)
{
	struct make_arg *a = arg;
	a->value = num_text_ok(a->text) ? num_from_text(a->m, a->text) : NULL;
}

static const struct rego_value *make(struct rego_eval *e, void (*fn)(void *), struct make_arg a)
{
	a.m = &e->mem;
	return mem_guard(&e->mem, fn, &a, NULL) < 0 ? NULL : a.value;
}

const struct rego_value *rego_make_int(struct rego_eval *e, int64_t v)
{
	return make(e, make_int, (struct make_arg){.number = v});
}

const struct rego_value *rego_make_string(struct rego_eval *e, struct slice s)
{
	return make(e, make_string, (struct make_arg){.text = s});
}

const struct rego_value *rego_make_array(
	struct rego_eval *e, const struct rego_value *const *items, size_t count)
{
	return make(e, make_array, (struct make_arg){.item = items, .count = count});
}

const struct rego_value *rego_make_object(
	struct rego_eval *e, const struct rego_value *const *pairs, size_t count)
{
	return make(e, make_object, (struct make_arg){.item = pairs, .count = count});
}

const struct rego_value *rego_make_set(
	struct rego_eval *e, const struct rego_value *const *items, size_t count)
{
	return make(e, make_set, (struct make_arg){.item = items, .count = count});
}

const struct rego_value *rego_make_number(struct rego_eval *e, struct slice text)
{
	return make(e, make_number, (struct make_arg){.text = text});
}

struct rego_eval *rego_call_eval(struct rego_call *call)
{
	return call->ev;
}

void *rego_call_cookie(struct rego_call *call)
{
	return call->ev->options.cookie;
}

int64_t rego_call_now_ns(const struct rego_call *call)
{
	return call->ev->options.now_ns;
}

/* The place in the source is in front when the error ends the evaluation, as for our own ones. */
static int fail(struct rego_call *call, const char *code, const char *text)
{
	struct rego_eval *e = call->ev;
	snprintf(e->last_error, sizeof(e->last_error), "%s: %s", call->b->name, text);
	if (!e->options.strict_errors)
		return 0;
	call->failed = true;
	if (e->mem.reterr)
		err_at(e->mem.reterr, REGO_ERR_BUILTIN, ERR_NO_OFFSET, code, "%s:%u: %s: %s: %s",
			e->at_def->module->file, e->at_row, code, call->b->name, text);
	return REGO_ERR_BUILTIN;
}

int rego_call_fail(struct rego_call *call, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE - 64];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail(call, "eval_builtin_error", text);
}

int rego_call_operand_error(struct rego_call *call, unsigned pos, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE - 64];
	va_list ap;
	va_start(ap, fmt);
	int n = snprintf(text, sizeof(text), "operand %u ", pos);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	return fail(call, "eval_type_error", text);
}

int rego_call_type_error(
	struct rego_call *call, unsigned pos, const char *want, const struct rego_value *got)
{
	return rego_call_operand_error(
		call, pos, "must be %s but got %s", want, value_type_name(got));
}
