/* SPDX-License-Identifier: Apache-2.0 */
/* Imports that nothing uses. */
#include "base/str.h"
#include "rego/diag.h"
#include "rego/lint.h"

void lint_import_text(char *dst, size_t size, const struct import *imp)
{
	const struct node *p = imp->path;
	size_t n = (size_t)snprintf(dst, size, "import %.*s",
		SLICE_ARG(p->kind == NODE_VAR ? p->name : p->item[0]->name));
	for (uint32_t i = 1; p->kind == NODE_REF && i < p->count && n < size; i++)
		n += (size_t)snprintf(
			dst + n, size - n, ".%.*s", SLICE_ARG(value_slice(p->item[i]->value)));
	if (imp->renamed && n < size)
		snprintf(dst + n, size - n, " as %.*s", SLICE_ARG(imp->alias));
}

/* `import data`: the name is there without it, so that its use does not tell. */
static bool is_root(const struct import *i)
{
	return i->path->kind == NODE_VAR && !i->renamed;
}

void lint_unused_imports(struct rego_compiler *c)
{
	char text[512];
	for (struct module *m = c->modules; m; m = m->next)
		for (const struct import *i = m->imports; i; i = i->next) {
			if (i->used || i->directive || is_root(i))
				continue;
			lint_import_text(text, sizeof(text), i);
			diag_addf(&c->mem, m->file, i->loc, diag_soft, "%s unused", text);
		}
}
