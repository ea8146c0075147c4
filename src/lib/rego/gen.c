/* SPDX-License-Identifier: Apache-2.0 */
/* Growing arrays of instructions, constants and operand lists. */
#include <stdarg.h>

#include "rego/compile.h"

noreturn_fn void unit_fail(struct unit *u, struct loc loc, const char *code, const char *fmt, ...)
{
	char text[DIAG_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	source_fail(u->m, u->file, loc, REGO_ERR_COMPILE, code, "%s", text);
}

void unit_report(struct unit *u, struct loc loc, const char *code, const char *fmt, ...)
{
	char text[DIAG_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(u->m, u->file, loc, code, text);
}

static void *grown(struct mem *m, const void *old, uint32_t count, uint32_t capacity, size_t size)
{
	void *p = mem_array(m, capacity, size);
	if (count)
		memcpy(p, old, count * size);
	return p;
}

static uint32_t hash_value(rv v)
{
	uint32_t h = 2166136261u ^ v->type;
	if (v->type == REGO_STRING || (v->type == REGO_NUMBER && v->sub == NUM_DEC)) {
		for (uint32_t i = 0; i < v->count; i++)
			h = (h ^ (uint8_t)v->text[i]) * 16777619u;
		return h;
	}
	if (v->type == REGO_NUMBER)
		return h ^ (uint32_t)((uint64_t)v->i * 0x9e3779b97f4a7c15u >> 32);
	return h ^ v->count * 31u;
}

/* Only scalars are shared: 1 and 1.0 are equal, but print differently. */
static bool same_constant(rv a, rv b)
{
	if (a->type != b->type || a->sub != b->sub || a->count != b->count)
		return false;
	if (a->type == REGO_STRING || (a->type == REGO_NUMBER && a->sub == NUM_DEC))
		return slice_eq(value_slice(a), value_slice(b));
	return a->type <= REGO_NUMBER && a->i == b->i;
}

static void grow_hash(struct rego_compiler *c)
{
	uint32_t size = c->constant_hash_size ? c->constant_hash_size * 2 : 256;
	uint32_t *table = mem_array(&c->mem, size, sizeof(*table));
	for (uint32_t i = 0; i < c->constant_count; i++) {
		uint32_t at = hash_value(c->constant[i]) & (size - 1);
		while (table[at])
			at = (at + 1) & (size - 1);
		table[at] = i + 1;
	}
	c->constant_hash = table;
	c->constant_hash_size = size;
}

int32_t gen_const(struct rego_compiler *c, rv v)
{
	if (c->constant_count * 2 >= c->constant_hash_size)
		grow_hash(c);
	uint32_t mask = c->constant_hash_size - 1, at = hash_value(v) & mask;
	for (; c->constant_hash[at]; at = (at + 1) & mask)
		if (same_constant(c->constant[c->constant_hash[at] - 1], v))
			return ~(int32_t)(c->constant_hash[at] - 1);
	if (c->constant_count == c->constant_capacity) {
		uint32_t capacity = c->constant_capacity ? c->constant_capacity * 2 : 64;
		c->constant = grown(&c->mem, c->constant, c->constant_count, capacity, sizeof(rv));
		c->constant_capacity = capacity;
	}
	c->constant[c->constant_count] = value_clone(&c->pmem, v);
	c->constant_hash[at] = ++c->constant_count;
	return ~(int32_t)(c->constant_count - 1);
}

uint32_t gen_emit(struct unit *u, enum opcode op, uint32_t n, int32_t a, int32_t b, int32_t cc)
{
	if (n > UINT16_MAX)
		unit_fail(u, (struct loc){0}, "rego_compile_error", "an expression is too large");
	if (u->code_count == u->code_capacity) {
		uint32_t capacity = u->code_capacity ? u->code_capacity * 2 : 32;
		u->code = grown(u->m, u->code, u->code_count, capacity, sizeof(*u->code));
		u->expr_of = grown(u->m, u->expr_of, u->code_count, capacity, sizeof(*u->expr_of));
		u->code_capacity = capacity;
	}
	u->expr_of[u->code_count] = (uint16_t)u->cur_expr;
	u->code[u->code_count] =
		(struct insn){.op = (uint8_t)op, .n = (uint16_t)n, .a = a, .b = b, .c = cc};
	return u->code_count++;
}

int32_t gen_slot(struct unit *u)
{
	if (u->slots >= UINT16_MAX)
		unit_fail(
			u, (struct loc){0}, "rego_compile_error", "a rule has too many variables");
	return (int32_t)u->slots++;
}

int32_t gen_list(struct rego_compiler *c, const int32_t *items, uint32_t count)
{
	if (c->list_count + count > c->list_capacity) {
		uint32_t capacity = MAX(c->list_capacity * 2, c->list_count + count + 64);
		c->list = grown(&c->mem, c->list, c->list_count, capacity, sizeof(*c->list));
		c->list_capacity = capacity;
	}
	if (count)
		memcpy(c->list + c->list_count, items, count * sizeof(*items));
	c->list_count += count;
	return (int32_t)(c->list_count - count);
}

void gen_depends(struct unit *u, const struct cgroup *g)
{
	struct cgroup *from = u->group;
	if (!from)
		return;
	uint32_t id = g->group->id;
	if (from->dep_count && from->dep[from->dep_count - 1] == id)
		return;
	if (from->dep_count == from->dep_capacity) {
		uint32_t capacity = from->dep_capacity ? from->dep_capacity * 2 : 8;
		from->dep =
			grown(&u->c->mem, from->dep, from->dep_count, capacity, sizeof(*from->dep));
		from->dep_capacity = capacity;
	}
	from->dep[from->dep_count++] = id;
}
