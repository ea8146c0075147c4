/* SPDX-License-Identifier: Apache-2.0 */
/* rego.parse_module. */
#include "base/str.h"
#include "rego/builtin.h"
#include "rego/module_tree.h"

#define MAX_DEPTH 256

struct job {
	struct mem *m;
	const char *file;
	struct slice source;
	rv tree;
};

static void run(void *arg)
{
	struct job *j = arg;
	/* The parser points into the text for as long as the tree lives. */
	struct slice copy = slice_of(mem_text(j->m, j->source), j->source.size);
	struct module *m = parse_commented(j->m, j->file, copy, REGO_DIALECT_V1, MAX_DEPTH);
	j->tree = module_tree(j->m, m);
}

/* @text: "FILE:ROW:COLUMN: WHAT" */
static rv syntax_error(struct call *c, const char *file, const char *text)
{
	size_t size = strlen(file);
	const char *row = strlen(text) > size ? text + size + 1 : "";
	const char *what = strstr(row, ": ");
	return call_fail(c, "1 error occurred: %.*s:%.*s: rego_parse_error: %s",
		(int)MIN(size, (size_t)100), file, (int)strspn(row, "0123456789"), row,
		what ? what + 2 : text);
}

static rv parse(struct call *c, const rv *arg, uint32_t count)
{
	struct err e = {0};
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_is(c, arg, 2, REGO_STRING))
		return NULL;
	struct job j = {.m = c->m, .file = arg[0]->text, .source = value_slice(arg[1])};
	call_charge(c, 1 + arg[1]->count / 8);
	int r = mem_guard(c->m, run, &j, &e);
	if (r == REGO_ERR_SYNTAX)
		return syntax_error(c, j.file, e.text);
	if (r)
		mem_escape(c->m, r);
	return j.tree;
}

static const struct builtin items[] = {
	{.name = "rego.parse_module", .arity = 2, .fn = parse},
};
const struct builtin_table builtin_module_table = {items, ARRAY_COUNT(items)};
