/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: package, imports, rules. */
#include "base/str.h"
#include "rego/diag.h"
#include "rego/parse.h"

static struct node *data_ref(struct parse *p, struct loc loc)
{
	struct node *head = parse_new(p, NODE_VAR, loc), *n = parse_new(p, NODE_REF, loc);
	struct nodes l = {0};
	head->name = SLICE_LIT("data");
	nodes_push(p->m, &l, head);
	parse_finish(p, n, &l);
	return n;
}

static bool is_path(const struct node *n)
{
	if (n->kind == NODE_VAR)
		return true;
	if (n->kind != NODE_REF || n->item[0]->kind != NODE_VAR)
		return false;
	for (uint32_t i = 1; i < n->count; i++)
		if (n->item[i]->kind != NODE_CONST || n->item[i]->value->type != REGO_STRING)
			return false;
	return true;
}

static void parse_package(struct parse *p)
{
	if (!parse_is_word(p, "package"))
		lex_fail(&p->lex, p->lex.loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"package expected");
	struct loc loc = p->lex.loc;
	p->module->package_loc = loc;
	lex_next(&p->lex);
	if (!parse_is(p, TOK_IDENT))
		parse_fail(p, NULL);
	struct node *name = parse_primary(p);
	if (!is_path(name))
		lex_fail(&p->lex, name->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"a package name must consist of names and strings");
	struct node *ref = data_ref(p, loc);
	struct nodes l = {ref->item, ref->count, ref->count};
	if (name->kind == NODE_VAR) {
		nodes_push(p->m, &l, parse_const(p, value_string(p->m, name->name), name->loc));
	} else {
		nodes_push(p->m, &l,
			parse_const(p, value_string(p->m, name->item[0]->name), name->loc));
		for (uint32_t i = 1; i < name->count; i++)
			nodes_push(p->m, &l, name->item[i]);
	}
	parse_finish(p, ref, &l);
	p->module->package = ref;
}

static bool ref_is(const struct node *n, const char *first, const char *second)
{
	return n->kind == NODE_REF && n->count >= 2 && slice_eq_str(n->item[0]->name, first) &&
	       value_str_is(n->item[1]->value, second);
}

static void import_keywords(struct parse *p, const struct node *path)
{
	struct module *m = p->module;
	bool all = path->count == 2;
	rv which = all ? NULL : path->item[2]->value;
	if (all || value_str_is(which, "in"))
		m->kw_in = true;
	if (all || value_str_is(which, "every"))
		m->kw_every = m->kw_in = true;
	if (all || value_str_is(which, "if"))
		m->kw_if = true;
	if (all || value_str_is(which, "contains"))
		m->kw_contains = true;
	if (which && !value_str_is(which, "in") && !value_str_is(which, "every") &&
		!value_str_is(which, "if") && !value_str_is(which, "contains"))
		lex_fail(&p->lex, path->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"unexpected keyword, must be one of [contains every if in]");
}

static void parse_import(struct parse *p, struct import ***tail)
{
	struct import *imp = mem_new(p->m, struct import);
	imp->loc = p->lex.loc;
	lex_next(&p->lex);
	if (!parse_is(p, TOK_IDENT))
		parse_fail(p, "expected path");
	struct node *path = parse_primary(p);
	if (!is_path(path))
		lex_fail(&p->lex, path->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"an import must be a path of names and strings");
	imp->path = path;
	**tail = imp;
	*tail = &imp->next;
	if (ref_is(path, "future", "keywords")) {
		import_keywords(p, path);
		imp->directive = true;
		return;
	}
	if (ref_is(path, "rego", "v1")) {
		struct module *m = p->module;
		m->kw_in = m->kw_every = m->kw_if = m->kw_contains = true;
		if (!m->lenient)
			m->v1 = true;
		imp->directive = true;
		return;
	}
	struct slice root = path->kind == NODE_VAR ? path->name : path->item[0]->name;
	if (!slice_eq_str(root, "data") && !slice_eq_str(root, "input"))
		lex_fail(&p->lex, path->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"unexpected import path, must begin with one of: {data, future, input, rego}, "
			"got: %.*s",
			(int)MIN(root.size, (size_t)60), (const char *)root.data);
	imp->alias = path->kind == NODE_VAR ? path->name
					    : value_slice(path->item[path->count - 1]->value);
	if (parse_is_word(p, "as")) {
		lex_next(&p->lex);
		if (!parse_is(p, TOK_IDENT))
			parse_fail(p, "expected var");
		imp->alias = p->lex.text;
		imp->renamed = true;
		lex_next(&p->lex);
	}
}

static struct rule *new_rule(struct parse *p, struct loc loc)
{
	struct rule *r = mem_new(p->m, struct rule);
	r->module = p->module;
	r->loc = loc;
	return r;
}

/* An error after which parsing goes on; the first one is raised in the end. */
static void later(struct parse *p, struct loc loc, const char *text)
{
	diag_add(p->m, p->lex.file, loc, "rego_parse_error", text);
	if (!p->pending)
		p->pending = mem_text(p->m, slice_str(text));
	if (p->pending_loc.row == 0)
		p->pending_loc = loc;
}

/* What v1 demands: `if` before bodies, `contains` for sets, a value or a body. */
static void check_dialect(struct parse *p, const struct rule *r, bool set)
{
	if (!p->module->v1 || r->is_default)
		return;
	if (!r->body && !r->value && !r->is_contains && !r->is_function && !set)
		later(p, r->loc, "rule must have value assignment and/or body declaration");
	if (r->body && !r->has_if)
		later(p, r->loc,
			r->is_function ? "`if` keyword is required before function body"
				       : "`if` keyword is required before rule body");
	if (set)
		later(p, r->loc, "`contains` keyword is required for partial set rules");
}

static bool accept_if(struct parse *p)
{
	if (!p->module->kw_if || !parse_is_keyword(p, "if"))
		return false;
	lex_next(&p->lex);
	return true;
}

struct trial {
	struct parse *p;
	struct body *body;
};

static void single_literal(void *arg)
{
	struct trial *t = arg;
	struct body *b = mem_new(t->p->m, struct body);
	b->lit = mem_new(t->p->m, struct literal *);
	b->lit[0] = parse_literal(t->p);
	b->count = 1;
	t->body = b;
}

static void braced_body(void *arg)
{
	struct trial *t = arg;
	lex_next(&t->p->lex);
	t->body = parse_body(t->p, TOK_RBRACE);
	parse_expect(t->p, TOK_RBRACE, "\"}\"");
}

/*
 * After `if`, a brace may also open an object or a comprehension: a single statement is tried first,
 * then a body. A set is never false, so that what could be one is a body. Bodies of rules do not
 * nest, so that nothing is parsed more than twice.
 */
static struct body *try_braced_body(struct parse *p)
{
	struct parse before = *p;
	struct trial t = {.p = p};
	uint32_t errors = p->m->diags ? p->m->diags->count : 0;
	int r = mem_guard(p->m, single_literal, &t, NULL);
	if (r == 0) {
		const struct literal *l = t.body->lit[0];
		if (l->kind != LIT_EXPR || l->negated || l->expr->kind != NODE_SET ||
			l->expr->paren)
			return t.body;
	} else if (r != REGO_ERR_SYNTAX) {
		mem_escape(p->m, r);
	}
	if (p->m->diags)
		p->m->diags->count = errors;
	*p = before;
	braced_body(&t);
	return t.body;
}

/* `if` was seen, or the token is '{'. */
static struct body *parse_rule_body(struct parse *p, bool after_if)
{
	if (after_if && parse_is(p, TOK_LBRACE))
		return try_braced_body(p);
	if (parse_accept(p, TOK_LBRACE)) {
		struct body *b = parse_body(p, TOK_RBRACE);
		parse_expect(p, TOK_RBRACE, "\"}\"");
		return b;
	}
	struct trial t = {.p = p};
	single_literal(&t);
	return t.body;
}

static void parse_else(struct parse *p, struct rule *first)
{
	struct rule *last = first;
	while (parse_is_keyword(p, "else")) {
		struct rule *r = new_rule(p, p->lex.loc);
		lex_next(&p->lex);
		r->head = first->head;
		r->arg = first->arg;
		r->arg_count = first->arg_count;
		r->args_end = first->args_end;
		r->is_function = first->is_function;
		r->is_assign = parse_is(p, TOK_ASSIGN);
		if (parse_accept(p, TOK_ASSIGN) || parse_accept(p, TOK_UNIFY))
			r->value = parse_value(p);
		r->head_end = p->lex.last_end;
		r->has_if = accept_if(p);
		if (r->has_if || parse_is(p, TOK_LBRACE))
			r->body = parse_rule_body(p, false);
		else if (!r->value)
			parse_fail(p, "expected else value term or rule body");
		check_dialect(p, r, false);
		r->loc.end = p->lex.last_end;
		last->orelse = r;
		last = r;
	}
}

static void add_rule(struct parse *p, struct rule *r)
{
	*p->module->rules_end = r;
	p->module->rules_end = &r->next;
}

static void parse_head(struct parse *p, struct rule *r)
{
	struct node *head = parse_ref_head(p);
	if (head->kind == NODE_CALL) {
		/* `f()` is a rule without arguments. */
		r->is_function = head->count > 0;
		r->arg = head->item;
		r->arg_count = head->count;
		r->args_end = head->loc.end;
		head = head->callee;
	}
	/* Whoever takes a head apart later counts on the name. */
	const struct node *name = head->kind == NODE_REF ? head->item[0] : head;
	if (name->kind != NODE_VAR)
		lex_fail(&p->lex, head->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"a rule head must be a name with a path");
	r->head = head;
	if (p->module->kw_contains && parse_is_keyword(p, "contains")) {
		lex_next(&p->lex);
		r->is_contains = true;
		r->key = parse_value(p);
	} else if (parse_is(p, TOK_ASSIGN) || parse_is(p, TOK_UNIFY)) {
		r->is_assign = parse_is(p, TOK_ASSIGN);
		lex_next(&p->lex);
		r->value = parse_value(p);
	}
}

/* `p[x] { ... }` without a value is a set: so it was in v0. */
static bool old_partial_set(struct parse *p, struct rule *r)
{
	struct node *h = r->head;
	if (r->has_if || r->value || r->is_contains || r->is_function || h->kind != NODE_REF ||
		h->count != 2)
		return false;
	r->is_contains = true;
	r->key = h->item[1];
	r->head = h->item[0];
	return true;
}

static void parse_more_bodies(struct parse *p, struct rule *first)
{
	while (parse_is(p, TOK_LBRACE)) {
		struct rule *r = new_rule(p, p->lex.loc);
		*r = *first;
		r->next = r->orelse = NULL;
		r->loc = p->lex.loc;
		r->body = parse_rule_body(p, false);
		r->loc.end = p->lex.last_end;
		check_dialect(p, r, false);
		add_rule(p, r);
	}
}

/* What of @n depends on an evaluation; a comprehension may. NULL: nothing. */
static const char *not_constant(const struct node *n)
{
	const char *what = NULL;
	switch (n->kind) {
	case NODE_CALL:
		return "call";
	case NODE_REF:
		return "ref";
	case NODE_VAR:
		return slice_eq_str(n->name, "input") || slice_eq_str(n->name, "data") ? "ref"
										       : "var";
	case NODE_ARRAY:
	case NODE_SET:
	case NODE_OBJECT:
		for (uint32_t i = 0; i < n->count && !what; i++)
			what = not_constant(n->item[i]);
		return what;
	default:
		return NULL;
	}
}

static void check_default(struct parse *p, const struct rule *r)
{
	static const char *const kinds[] = {
		[NODE_ARRAY] = "array", [NODE_OBJECT] = "object", [NODE_SET] = "set"};
	const char *what = not_constant(r->value);
	if (what)
		lex_fail(&p->lex, r->loc, REGO_ERR_SYNTAX, "rego_parse_error",
			"illegal default rule (value cannot contain %s)", what);
	for (uint32_t i = 0; i < r->arg_count; i++) {
		const struct node *a = r->arg[i];
		if (a->kind != NODE_VAR)
			lex_fail(&p->lex, r->loc, REGO_ERR_SYNTAX, "rego_parse_error",
				"illegal default rule (arguments cannot contain %s)",
				a->kind == NODE_CONST ? value_type_name(a->value)
				: a->kind < ARRAY_COUNT(kinds) && kinds[a->kind] ? kinds[a->kind]
										 : "call");
		for (uint32_t k = 0; k < i && a->name.size; k++)
			if (slice_eq(a->name, r->arg[k]->name))
				lex_fail(&p->lex, r->loc, REGO_ERR_SYNTAX, "rego_parse_error",
					"illegal default rule (arguments cannot be repeated %.*s)",
					SLICE_ARG(a->name));
	}
}

static void parse_rule(struct parse *p)
{
	struct rule *r = new_rule(p, p->lex.loc);
	if (parse_is_keyword(p, "default")) {
		lex_next(&p->lex);
		r->is_default = true;
	}
	parse_head(p, r);
	r->head_end = p->lex.last_end;
	if (r->is_default) {
		if (!r->value)
			r->value = parse_const(p, &value_true, p->lex.loc);
		check_default(p, r);
		r->loc.end = p->lex.last_end;
		add_rule(p, r);
		return;
	}
	r->has_if = accept_if(p);
	bool has_body = r->has_if || parse_is(p, TOK_LBRACE);
	if (has_body)
		r->body = parse_rule_body(p, r->has_if);
	check_dialect(p, r, old_partial_set(p, r));
	r->loc.end = p->lex.last_end;
	add_rule(p, r);
	parse_else(p, r);
	if (has_body && !r->orelse)
		parse_more_bodies(p, r);
}

static void set_dialect(struct module *m, enum rego_dialect dialect)
{
	m->v1 = dialect == REGO_DIALECT_V1;
	m->lenient = dialect == REGO_DIALECT_ANY;
	m->kw_in = m->kw_every = m->kw_if = m->kw_contains = dialect != REGO_DIALECT_V0;
}

static void start(struct parse *p, struct mem *m, const char *file, struct slice source,
	unsigned max_depth, struct comments *comments)
{
	if (source.size > UINT32_MAX / 4)
		mem_fail(m, REGO_ERR_MEMORY, "rego_parse_error", "%s: the source is too large",
			file);
	p->m = m;
	p->max_depth = max_depth;
	p->lex = (struct lexer){
		.m = m, .comments = comments, .file = file, .source = source, .row = 1};
	if (source.size >= 3 && memcmp(source.data, "\xef\xbb\xbf", 3) == 0)
		p->lex.at = p->lex.line_start = 3;
	lex_next(&p->lex);
}

static struct module *parse_whole(struct mem *m, const char *file, struct slice source,
	enum rego_dialect dialect, unsigned max_depth, struct comments *comments)
{
	struct parse p = {.module = mem_new(m, struct module)};
	p.module->comments = comments;
	p.module->file = file;
	p.module->source = source;
	p.module->rules_end = &p.module->rules;
	set_dialect(p.module, dialect);
	start(&p, m, file, source, max_depth, comments);
	parse_package(&p);
	struct import **tail = &p.module->imports;
	for (;;) {
		while (parse_accept(&p, TOK_SEMICOLON))
			;
		if (!parse_is_keyword(&p, "import"))
			break;
		parse_import(&p, &tail);
	}
	while (!parse_is(&p, TOK_EOF)) {
		if (parse_accept(&p, TOK_SEMICOLON))
			continue;
		if (parse_is_keyword(&p, "import"))
			parse_import(&p, &tail);
		else
			parse_rule(&p);
	}
	if (p.pending)
		source_fail(m, file, p.pending_loc, REGO_ERR_SYNTAX, "rego_parse_error", "%s",
			p.pending);
	return p.module;
}

struct module *parse_module(struct mem *m, const char *file, struct slice source,
	enum rego_dialect dialect, unsigned max_depth)
{
	/* Comments matter only where there may be metadata. */
	bool metadata = memmem(source.data, source.size, "METADATA", 8) != NULL;
	return parse_whole(
		m, file, source, dialect, max_depth, metadata ? mem_new(m, struct comments) : NULL);
}

struct module *parse_commented(struct mem *m, const char *file, struct slice source,
	enum rego_dialect dialect, unsigned max_depth)
{
	return parse_whole(m, file, source, dialect, max_depth, mem_new(m, struct comments));
}

struct body *parse_query(struct mem *m, const char *file, struct slice source, unsigned max_depth)
{
	struct module keywords = {0};
	struct parse p = {.module = &keywords};
	set_dialect(&keywords, REGO_DIALECT_ANY);
	start(&p, m, file, source, max_depth, NULL);
	return parse_body(&p, TOK_EOF);
}
