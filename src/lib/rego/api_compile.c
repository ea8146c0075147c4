/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's public face. Everything that may run out of memory runs under mem_guard(). */
#include "base/buf.h"
#include "base/str.h"
#include "rego/annotate.h"
#include "rego/lint.h"

#define DEFAULT_MEMORY ((size_t)256 << 20)
#define DEFAULT_DEPTH 256

struct rego_compiler *rego_compiler_new(const struct rego_compile_options *options)
{
	struct rego_compiler *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	if (options)
		c->options = *options;
	if (!c->options.max_memory)
		c->options.max_memory = DEFAULT_MEMORY;
	if (!c->options.max_depth)
		c->options.max_depth = DEFAULT_DEPTH;
	c->mem.arena = arena_new(c->options.max_memory);
	c->work.arena = arena_new(c->options.max_memory);
	c->pmem.arena = arena_new(c->options.max_memory);
	c->work.parent = c->pmem.parent = &c->mem;
	c->program = c->pmem.arena ? arena_new_of(c->pmem.arena, struct rego_program) : NULL;
	if (!c->mem.arena || !c->work.arena || !c->program) {
		rego_compiler_free(c);
		return NULL;
	}
	c->program->arena = c->pmem.arena;
	c->mem.diags = c->work.diags = &c->diags;
	c->modules_end = &c->modules;
	c->queries_end = &c->queries;
	c->groups_end = &c->groups;
	return c;
}

void rego_compiler_free(struct rego_compiler *c)
{
	if (!c)
		return;
	rego_program_free(c->yaml);
	arena_free(c->mem.arena);
	arena_free(c->work.arena);
	arena_free(c->pmem.arena);
	free(c);
}

struct add_builtin {
	struct rego_compiler *c;
	const char *name;
	unsigned arity;
	rego_builtin_fn fn;
};

static void add_builtin(void *arg)
{
	struct add_builtin *a = arg;
	struct host_builtin *h = mem_new(&a->c->pmem, struct host_builtin);
	h->builtin.name = mem_text(&a->c->pmem, slice_str(a->name));
	h->builtin.arity = (uint8_t)a->arity;
	h->builtin.host = a->fn;
	h->next = a->c->host;
	a->c->host = h;
}

int rego_compiler_builtin(
	struct rego_compiler *c, const char *name, unsigned arity, rego_builtin_fn fn)
{
	if (arity > 16 || !fn)
		return -EINVAL;
	struct add_builtin a = {c, name, arity, fn};
	return mem_guard(&c->mem, add_builtin, &a, NULL);
}

bool compile_guard(struct rego_compiler *c, void (*fn)(void *), void *arg)
{
	struct err e = {0};
	int r = mem_guard(&c->mem, fn, arg, &e);
	if (r == 0)
		return true;
	if (r == REGO_ERR_COMPILE || r == REGO_ERR_SYNTAX)
		return false;
	if (c->mem.reterr)
		*c->mem.reterr = e;
	mem_escape(&c->mem, r);
}

size_t rego_compiler_diagnostics(const struct rego_compiler *c, const struct rego_diagnostic **ret)
{
	*ret = c->diags.item;
	return c->diags.count;
}

int rego_compiler_builtins(struct rego_compiler *c, const struct rego_builtin *list, size_t count)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = rego_compiler_builtin(c, list[i].name, list[i].arity, list[i].fn);
	return r;
}

struct add_source {
	struct rego_compiler *c;
	const char *file;
	struct slice source;
	const struct rego_query_options *query;
};

static void add_module(void *arg)
{
	struct add_source *a = arg;
	struct rego_compiler *c = a->c;
	const char *file = mem_text(&c->mem, slice_str(a->file));
	struct slice source = slice_of(mem_text(&c->mem, a->source), a->source.size);
	struct module *m =
		parse_module(&c->mem, file, source, c->options.dialect, c->options.max_depth);
	*c->modules_end = m;
	c->modules_end = &m->next;
}

static int check_utf8(
	struct rego_compiler *c, struct slice source, const char *file, struct err *reterr)
{
	if (utf8_valid(source))
		return 0;
	diag_add(&c->mem, arena_strdup(c->mem.arena, file), (struct loc){1, 1, 0, 0},
		"rego_parse_error", "not UTF-8 text");
	return err_at(reterr, REGO_ERR_SYNTAX, 0, "rego_parse_error", "%s: not UTF-8 text", file);
}

int rego_compiler_module(
	struct rego_compiler *c, const char *file, struct slice source, struct err *reterr)
{
	struct add_source a = {.c = c, .file = file, .source = source};
	int r = check_utf8(c, source, file, reterr);
	if (r < 0)
		return r;
	return mem_guard(&c->mem, add_module, &a, reterr);
}

/* Package and imports of a query, as the start of a module. */
static struct module *query_module(struct rego_compiler *c, const struct rego_query_options *o)
{
	struct buf text = buf_init(0);
	buf_printf(&text, "package %s\n", o->package ? o->package : "query");
	for (size_t i = 0; i < o->import_count; i++)
		buf_printf(&text, "import %s\n", o->imports[i]);
	const char *copy = arena_strdup(c->mem.arena, buf_str(&text));
	struct slice source = slice_of(copy, text.size);
	buf_done(&text);
	if (!copy)
		mem_fail(&c->mem, REGO_ERR_MEMORY, "memory", "the memory budget is spent");
	return parse_module(&c->mem, "query", source, REGO_DIALECT_ANY, c->options.max_depth);
}

static void add_query(void *arg)
{
	struct add_source *a = arg;
	struct rego_compiler *c = a->c;
	struct cquery *q = mem_new(&c->mem, struct cquery);
	q->source = slice_of(mem_text(&c->mem, a->source), a->source.size);
	q->rows = a->query != NULL;
	if (a->query && (a->query->package || a->query->import_count > 0))
		q->module = query_module(c, a->query);
	q->body = parse_query(&c->mem, "query", q->source, c->options.max_depth);
	*c->queries_end = q;
	c->queries_end = &q->next;
	c->query_count++;
}

int rego_compiler_query(
	struct rego_compiler *c, struct slice query, unsigned *ret_id, struct err *reterr)
{
	return rego_compiler_rows(c, query, NULL, ret_id, reterr);
}

int rego_compiler_rows(struct rego_compiler *c, struct slice query,
	const struct rego_query_options *options, unsigned *ret_id, struct err *reterr)
{
	struct add_source a = {.c = c, .file = "query", .source = query, .query = options};
	int r = check_utf8(c, query, "query", reterr);
	if (r == 0)
		r = mem_guard(&c->mem, add_query, &a, reterr);
	if (r == 0)
		*ret_id = c->query_count - 1;
	return r;
}

static void freeze_builtins(struct rego_compiler *c)
{
	struct rego_program *p = c->program;
	const struct builtin **list =
		mem_array(&c->pmem, c->builtin_count + 1, sizeof(struct builtin *));
	for (uint32_t i = 0; i < c->builtin_count; i++)
		list[i] = c->builtin[i];
	p->builtin = list;
	p->builtin_count = c->builtin_count;
	rv *constant = mem_array(&c->pmem, c->constant_count + 1, sizeof(rv));
	if (c->constant_count)
		memcpy(constant, c->constant, c->constant_count * sizeof(rv));
	p->constant = constant;
	int32_t *list32 = mem_array(&c->pmem, c->list_count + 1, sizeof(int32_t));
	if (c->list_count)
		memcpy(list32, c->list, c->list_count * sizeof(int32_t));
	p->list = list32;
}

static void compile_all(void *arg)
{
	struct rego_compiler *c = arg;
	c->root = mem_new(&c->mem, struct cnode);
	c->root->id = c->node_count++;
	compile_tree(c);
	lint_modules(c);
	annotate_modules(c);
	compile_groups(c);
	compile_queries(c);
	if (c->options.strict)
		lint_unused_imports(c);
	if (c->diags.count == 0)
		check_recursion(c);
	freeze_builtins(c);
}

/* What the caller is told is the first error by stage and place. */
static int report(struct rego_compiler *c, struct err *reterr)
{
	diag_finish(&c->diags);
	const struct rego_diagnostic *d = c->diags.item;
	int r = streq(d->code, "rego_parse_error") ? REGO_ERR_SYNTAX : REGO_ERR_COMPILE;
	return err_at(reterr, r, d->offset, d->code, "%s:%u:%u: %.*s", d->file, d->row, d->column,
		ERR_TEXT_SIZE - 128, d->message);
}

int rego_compiler_finish(struct rego_compiler *c, struct rego_program **ret, struct err *reterr)
{
	if (c->finished)
		return -EINVAL;
	c->finished = true;
	int r = mem_guard(&c->mem, compile_all, c, reterr);
	if ((r == 0 || r == REGO_ERR_COMPILE || r == REGO_ERR_SYNTAX) && c->diags.count > 0)
		return report(c, reterr);
	if (r < 0)
		return r;
	*ret = c->program;
	c->pmem.arena = NULL; /* now the program's */
	return 0;
}

int rego_compile(
	const char *file, struct slice source, struct rego_program **ret, struct err *reterr)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	if (!c)
		return -ENOMEM;
	int r = rego_compiler_module(c, file, source, reterr);
	return r < 0 ? r : rego_compiler_finish(c, ret, reterr);
}

size_t rego_program_rules(const struct rego_program *p)
{
	return p->group_count;
}

bool rego_program_rule(const struct rego_program *p, size_t index, struct rego_rule_info *ret)
{
	if (index >= p->group_count)
		return false;
	const struct group *g = p->group[index];
	const struct def *d = g->def_count ? g->def[0] : g->fallback;
	*ret = (struct rego_rule_info){.path = g->path,
		.package = d->module->package,
		.file = d->module->file,
		.row = d->row,
		.column = d->col,
		.is_function = g->kind == GROUP_FUNCTION,
		.is_object = g->kind == GROUP_PARTIAL && !d->leaf_is_set};
	return true;
}

void rego_program_free(struct rego_program *p)
{
	if (p)
		arena_free(p->arena);
}

size_t rego_program_size(const struct rego_program *p)
{
	return arena_used(p->arena);
}
