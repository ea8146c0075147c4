/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's public face. Everything that may run out of memory runs under mem_guard(). */
#include "base/str.h"
#include "rego/compile.h"

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
	c->pmem.arena = arena_new(c->options.max_memory);
	c->program = c->pmem.arena ? arena_new_of(c->pmem.arena, struct rego_program) : NULL;
	if (!c->mem.arena || !c->program) {
		rego_compiler_free(c);
		return NULL;
	}
	c->program->arena = c->pmem.arena;
	c->modules_end = &c->modules;
	c->queries_end = &c->queries;
	c->groups_end = &c->groups;
	return c;
}

void rego_compiler_free(struct rego_compiler *c)
{
	if (!c)
		return;
	arena_free(c->mem.arena);
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
	return mem_guard(&c->pmem, add_builtin, &a, NULL);
}

struct add_source {
	struct rego_compiler *c;
	const char *file;
	struct slice source;
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

static int check_utf8(struct slice source, const char *file, struct err *reterr)
{
	if (utf8_valid(source))
		return 0;
	return err_at(reterr, REGO_ERR_SYNTAX, 0, "rego_parse_error", "%s: not UTF-8 text", file);
}

int rego_compiler_module(
	struct rego_compiler *c, const char *file, struct slice source, struct err *reterr)
{
	struct add_source a = {c, file, source};
	int r = check_utf8(source, file, reterr);
	if (r < 0)
		return r;
	return mem_guard(&c->mem, add_module, &a, reterr);
}

static void add_query(void *arg)
{
	struct add_source *a = arg;
	struct rego_compiler *c = a->c;
	struct cquery *q = mem_new(&c->mem, struct cquery);
	q->source = slice_of(mem_text(&c->mem, a->source), a->source.size);
	q->body = parse_query(&c->mem, "query", q->source, c->options.max_depth);
	*c->queries_end = q;
	c->queries_end = &q->next;
	c->query_count++;
}

int rego_compiler_query(
	struct rego_compiler *c, struct slice query, unsigned *ret_id, struct err *reterr)
{
	struct add_source a = {c, "query", query};
	int r = check_utf8(query, "query", reterr);
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
	c->pmem.escape = c->mem.escape;
	c->pmem.reterr = c->mem.reterr;
	c->root = mem_new(&c->mem, struct cnode);
	c->root->id = c->node_count++;
	compile_tree(c);
	compile_groups(c);
	compile_queries(c);
	check_recursion(c);
	freeze_builtins(c);
}

int rego_compiler_finish(struct rego_compiler *c, struct rego_program **ret, struct err *reterr)
{
	if (c->finished)
		return -EINVAL;
	c->finished = true;
	int r = mem_guard(&c->mem, compile_all, c, reterr);
	if (r == 0)
		r = c->pmem.error;
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

void rego_program_free(struct rego_program *p)
{
	if (p)
		arena_free(p->arena);
}

size_t rego_program_size(const struct rego_program *p)
{
	return arena_used(p->arena);
}
