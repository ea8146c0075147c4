/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/str.h"
#include "rego/diag.h"

#define DIAGS_MAX 1000

const char diag_soft[] = "rego_compile_error", diag_soft_type[] = "rego_type_error",
	   diag_late_type[] = "rego_type_error";

static bool grow(struct mem *m, struct diags *d)
{
	if (d->count < d->capacity)
		return true;
	uint32_t capacity = d->capacity ? d->capacity * 2 : 8;
	struct rego_diagnostic *more = arena_alloc(m->arena, capacity * sizeof(*more));
	if (!more || capacity > DIAGS_MAX)
		return false;
	if (d->count)
		memcpy(more, d->item, d->count * sizeof(*more));
	d->item = more;
	d->capacity = capacity;
	return true;
}

void diag_add(struct mem *m, const char *file, struct loc loc, const char *code, const char *text)
{
	m = mem_root(m);
	struct diags *d = m->diags;
	if (!d || !grow(m, d))
		return;
	const char *copy = arena_strdup(m->arena, text);
	if (!copy)
		return;
	for (uint32_t i = 0; i < d->count; i++)
		if (d->item[i].row == loc.row && d->item[i].column == loc.col &&
			streq(d->item[i].file, file) && streq(d->item[i].message, copy))
			return;
	d->item[d->count++] = (struct rego_diagnostic){.code = code,
		.file = file,
		.message = copy,
		.row = loc.row,
		.column = loc.col,
		.offset = loc.offset};
}

void diag_addf(
	struct mem *m, const char *file, struct loc loc, const char *code, const char *fmt, ...)
{
	char text[DIAG_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(m, file, loc, code, text);
}

static int stage(const struct rego_diagnostic *d)
{
	static const char *const order[] = {"rego_parse_error", "rego_compile_error",
		"rego_type_error", "rego_unsafe_var_error", "rego_recursion_error"};
	int i = 0;
	if (d->code == diag_soft || d->code == diag_soft_type)
		return 50;
	if (d->code == diag_late_type)
		return 10;
	while (i < (int)ARRAY_COUNT(order) && !streq(d->code, order[i]))
		i++;
	return i;
}

static int by_place(const void *x, const void *y)
{
	const struct rego_diagnostic *a = x, *b = y;
	int order = __builtin_strcmp(a->file, b->file);
	if (order)
		return order;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return __builtin_strcmp(a->message, b->message);
}

void diag_finish(struct diags *d)
{
	int first = 100;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < d->count; i++)
		first = MIN(first, stage(&d->item[i]));
	for (uint32_t i = 0; i < d->count; i++)
		if (stage(&d->item[i]) == first || stage(&d->item[i]) == 50)
			d->item[kept++] = d->item[i];
	d->count = kept;
	if (kept > 1)
		qsort(d->item, kept, sizeof(*d->item), by_place);
}
