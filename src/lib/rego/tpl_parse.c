/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: from tokens to nodes. */
#include "rego/tpl.h"

static struct tpl_token *peek(struct tpl *t)
{
	struct tpl_token *tok = &t->tokens[MIN(t->at, t->count - 1)];
	t->line = tok->line;
	return tok;
}

static struct tpl_token *next(struct tpl *t)
{
	struct tpl_token *tok = peek(t);
	t->at++;
	return tok;
}

static struct tpl_token *peek_word(struct tpl *t)
{
	while (peek(t)->kind == TPL_T_SPACE)
		t->at++;
	return peek(t);
}

static struct tpl_token *next_word(struct tpl *t)
{
	peek_word(t);
	return next(t);
}

static void unexpected(struct tpl *t, const struct tpl_token *tok, const char *where)
{
	if (tok->kind == TPL_T_ERROR)
		tpl_error(t, "%.*s", (int)tok->text.size, (const char *)tok->text.data);
	else if (tok->kind == TPL_T_EOF)
		tpl_error(t, "unexpected EOF");
	else
		tpl_error(t, "unexpected \"%.*s\" in %s", (int)MIN(tok->text.size, (size_t)40),
			(const char *)tok->text.data, where);
}

static void expect(struct tpl *t, enum tpl_token_kind kind, const char *where)
{
	struct tpl_token *tok = next_word(t);
	if (tok->kind != kind)
		unexpected(t, tok, where);
}

static bool is(const struct tpl_token *tok, const char *name)
{
	return tok->kind == TPL_T_WORD && slice_eq_str(tok->text, name);
}

static void declare(struct tpl *t, struct slice name)
{
	struct tpl_variable *v = mem_new(t->c->m, struct tpl_variable);
	v->name = name;
	v->next = t->vars;
	t->vars = v;
}

static bool declared(const struct tpl *t, struct slice name)
{
	for (const struct tpl_variable *v = t->vars; v; v = v->next)
		if (slice_eq(v->name, name))
			return true;
	return false;
}

static struct tpl_pipe *pipeline(
	struct tpl *t, const char *context, enum tpl_token_kind end, bool range);

static bool term_word(struct tpl *t, const struct tpl_token *tok, struct tpl_arg *a)
{
	if (is(tok, "nil")) {
		a->kind = TPL_A_NIL;
		return true;
	}
	if (is(tok, "true") || is(tok, "false")) {
		a->kind = TPL_A_VALUE;
		a->value = tpl_bool(is(tok, "true"));
		return true;
	}
	static const char *const keywords[] = {
		"block", "define", "else", "end", "if", "range", "template", "with"};
	for (size_t i = 0; i < ARRAY_COUNT(keywords); i++)
		if (is(tok, keywords[i]))
			return false;
	a->kind = TPL_A_FUNCTION;
	a->function = tpl_function_find(tok->text);
	if (!a->function)
		tpl_error(t, "function \"%.*s\" not defined", (int)MIN(tok->text.size, (size_t)80),
			(const char *)tok->text.data);
	return true;
}

static void push_field(struct tpl *t, struct tpl_arg *a, struct slice name)
{
	struct tpl_field **end = &a->fields;
	while (*end)
		end = &(*end)->next;
	*end = mem_new(t->c->m, struct tpl_field);
	(*end)->name = name;
}

static bool term(struct tpl *t, struct tpl_arg *a)
{
	struct tpl_token *tok = peek_word(t);
	a->name = tok->text;
	switch (tok->kind) {
	case TPL_T_WORD:
		if (!term_word(t, tok, a))
			return false;
		break;
	case TPL_T_DOT:
		a->kind = TPL_A_DOT;
		break;
	case TPL_T_FIELD:
		a->kind = TPL_A_FIELD;
		push_field(t, a, tok->text);
		break;
	case TPL_T_VARIABLE:
		a->kind = TPL_A_VARIABLE;
		if (!declared(t, tok->text))
			tpl_error(t, "undefined variable \"%.*s\"",
				(int)MIN(tok->text.size, (size_t)80), (const char *)tok->text.data);
		break;
	case TPL_T_NUMBER:
	case TPL_T_CHAR:
		a->kind = TPL_A_VALUE;
		a->value = tpl_number(t, tok);
		break;
	case TPL_T_STRING:
	case TPL_T_RAW:
		a->kind = TPL_A_VALUE;
		a->value = tpl_string(t, tpl_unquote(t, tok));
		break;
	case TPL_T_OPEN:
		t->at++;
		a->kind = TPL_A_PIPE;
		a->pipe = pipeline(t, "parenthesized pipeline", TPL_T_CLOSE, false);
		return true;
	default:
		return false;
	}
	t->at++;
	return true;
}

static struct tpl_arg *operand(struct tpl *t)
{
	struct tpl_arg *a = mem_new(t->c->m, struct tpl_arg);
	if (!term(t, a) || t->failed)
		return NULL;
	while (peek(t)->kind == TPL_T_FIELD) {
		if (a->kind == TPL_A_DOT || a->kind == TPL_A_VALUE || a->kind == TPL_A_NIL) {
			tpl_error(t, "unexpected . after term");
			return NULL;
		}
		push_field(t, a, next(t)->text);
	}
	return a;
}

static struct tpl_command *command(struct tpl *t)
{
	struct tpl_command *cmd = mem_new(t->c->m, struct tpl_command);
	struct tpl_arg **end = &cmd->args;
	peek_word(t);
	cmd->line = t->line;
	while (!t->failed) {
		*end = operand(t);
		if (*end) {
			end = &(*end)->next;
			cmd->count++;
		}
		if (t->failed)
			break;
		struct tpl_token *tok = next(t);
		if (tok->kind == TPL_T_SPACE)
			continue;
		if (tok->kind == TPL_T_RIGHT || tok->kind == TPL_T_CLOSE)
			t->at--;
		else if (tok->kind != TPL_T_PIPE)
			unexpected(t, tok, "operand");
		break;
	}
	if (!cmd->count)
		tpl_error(t, "empty command");
	return cmd;
}

/* "$x :=", "$i, $x :=" or "$x =" at the start of a pipeline. */
static void declarations(struct tpl *t, struct tpl_pipe *p, bool range)
{
	while (peek_word(t)->kind == TPL_T_VARIABLE && !t->failed) {
		size_t back = t->at;
		struct slice name = next(t)->text;
		enum tpl_token_kind kind = peek_word(t)->kind;
		if (kind != TPL_T_DECLARE && kind != TPL_T_ASSIGN &&
			!(kind == TPL_T_COMMA && range && p->decls < 2)) {
			if (kind == TPL_T_COMMA && p->decls)
				tpl_error(t, "too many declarations in %s",
					range ? "range" : "pipeline");
			t->at = back;
			return;
		}
		t->at++;
		if (p->decls == 2) {
			tpl_error(t, "too many declarations in range");
			return;
		}
		p->decl[p->decls++] = name;
		p->assign = kind == TPL_T_ASSIGN;
		if (p->assign && !declared(t, name))
			tpl_error(t, "undefined variable \"%.*s\"", (int)MIN(name.size, (size_t)80),
				(const char *)name.data);
		if (kind != TPL_T_COMMA)
			break;
		kind = peek_word(t)->kind;
		if (kind != TPL_T_VARIABLE && kind != TPL_T_RIGHT && kind != TPL_T_CLOSE)
			tpl_error(t, "range can only initialize variables");
	}
	for (uint32_t i = 0; !p->assign && i < p->decls; i++)
		declare(t, p->decl[i]);
}

static void check_pipe(struct tpl *t, const struct tpl_pipe *p, const char *context)
{
	unsigned stage = 1;
	if (!p->commands)
		tpl_error(t, "missing value for %s", context);
	for (const struct tpl_command *c = p->commands; c && !t->failed; c = c->next, stage++) {
		enum tpl_arg_kind kind = c->args->kind;
		if (stage > 1 && (kind == TPL_A_VALUE || kind == TPL_A_DOT || kind == TPL_A_NIL))
			tpl_error(t, "non executable command in pipeline stage %u", stage);
	}
}

static struct tpl_pipe *pipeline(
	struct tpl *t, const char *context, enum tpl_token_kind end, bool range)
{
	struct tpl_pipe *p = mem_new(t->c->m, struct tpl_pipe);
	struct tpl_command **last = &p->commands;
	if (++t->depth > TPL_MAX_DEPTH)
		tpl_error(t, "max expression depth exceeded");
	if (!t->failed)
		declarations(t, p, range);
	while (!t->failed) {
		struct tpl_token *tok = peek_word(t);
		if (tok->kind == end) {
			t->at++;
			check_pipe(t, p, context);
			break;
		}
		if (tok->kind < TPL_T_WORD || tok->kind == TPL_T_PIPE ||
			tok->kind == TPL_T_DECLARE || tok->kind == TPL_T_ASSIGN ||
			tok->kind == TPL_T_COMMA || tok->kind == TPL_T_CLOSE) {
			unexpected(t, tok, context);
			break;
		}
		*last = command(t);
		last = &(*last)->next;
	}
	t->depth--;
	return p;
}

enum stop { STOP_EOF, STOP_END, STOP_ELSE };
static struct tpl_node *items(struct tpl *t, bool top, enum stop *ret);

static struct tpl_node *new_node(struct tpl *t, enum tpl_node_kind kind)
{
	struct tpl_node *n = mem_new(t->c->m, struct tpl_node);
	n->kind = kind;
	n->line = t->line;
	return n;
}

static struct tpl_node *control(struct tpl *t, enum tpl_node_kind kind, const char *context)
{
	struct tpl_node *n = new_node(t, kind);
	struct tpl_variable *mark = t->vars;
	enum stop stop = STOP_EOF;
	if (++t->depth > TPL_MAX_DEPTH)
		tpl_error(t, "too deeply nested");
	n->pipe = pipeline(t, context, TPL_T_RIGHT, kind == TPL_N_RANGE);
	t->ranges += kind == TPL_N_RANGE;
	if (!t->failed)
		n->list = items(t, false, &stop);
	t->ranges -= kind == TPL_N_RANGE;
	if (!t->failed && stop == STOP_ELSE) {
		struct tpl_token *tok = peek_word(t);
		/* "{{else if}}" has no end of its own. */
		if ((kind == TPL_N_IF && is(tok, "if")) ||
			(kind == TPL_N_WITH && is(tok, "with"))) {
			t->at++;
			n->other = control(t, kind, context);
		} else {
			expect(t, TPL_T_RIGHT, "else");
			if (!t->failed)
				n->other = items(t, false, &stop);
			if (!t->failed && stop != STOP_END)
				tpl_error(t, "expected end; found {{else}}");
		}
	}
	t->depth--;
	t->vars = mark;
	return n;
}

static struct slice template_name(struct tpl *t, const char *context)
{
	struct tpl_token *tok = next_word(t);
	if (tok->kind == TPL_T_STRING || tok->kind == TPL_T_RAW)
		return tpl_unquote(t, tok);
	unexpected(t, tok, context);
	return (struct slice){0};
}

static bool is_blank(const struct tpl_node *n)
{
	for (; n; n = n->next) {
		if (n->kind != TPL_N_TEXT)
			return false;
		for (size_t i = 0; i < n->text.size; i++)
			if (!memchr(" \t\r\n\v\f", n->text.data[i], 6))
				return false;
	}
	return true;
}

static void add_define(struct tpl *t, struct slice name, struct tpl_node *root)
{
	struct tpl_define *d = t->defines;
	while (d && !slice_eq(d->name, name))
		d = d->next;
	if (d && !is_blank(d->root)) {
		if (!is_blank(root))
			tpl_error(t, "multiple definition of template \"%.*s\"",
				(int)MIN(name.size, (size_t)80), (const char *)name.data);
		return;
	}
	if (!d) {
		d = mem_new(t->c->m, struct tpl_define);
		d->name = name;
		d->next = t->defines;
		t->defines = d;
	}
	d->root = root;
}

/* The body of {{define}} and {{block}}: variables of its own, "$" only. */
static void body(struct tpl *t, struct slice name, const char *context)
{
	struct tpl_variable *vars = t->vars;
	unsigned ranges = t->ranges;
	enum stop stop = STOP_EOF;
	struct tpl_node *root = NULL;
	t->vars = NULL;
	t->ranges = 0;
	declare(t, slice_str("$"));
	if (!t->failed && ++t->depth > TPL_MAX_DEPTH)
		tpl_error(t, "too deeply nested");
	if (!t->failed)
		root = items(t, false, &stop);
	if (!t->failed && stop != STOP_END)
		tpl_error(t, "unexpected {{else}} in %s", context);
	if (!t->failed)
		add_define(t, name, root);
	t->depth--;
	t->vars = vars;
	t->ranges = ranges;
}

static struct tpl_node *named(struct tpl *t, bool block)
{
	struct tpl_node *n = new_node(t, TPL_N_TEMPLATE);
	const char *context = block ? "block clause" : "template clause";
	n->text = template_name(t, context);
	if (t->failed)
		return n;
	if (block || peek_word(t)->kind != TPL_T_RIGHT)
		n->pipe = pipeline(t, context, TPL_T_RIGHT, false);
	else
		t->at++;
	if (block && !t->failed)
		body(t, n->text, context);
	return n;
}

static struct tpl_node *jump(struct tpl *t, enum tpl_node_kind kind, const char *name)
{
	struct tpl_node *n = new_node(t, kind);
	if (peek_word(t)->kind != TPL_T_RIGHT)
		unexpected(t, peek(t), name);
	else if (!t->ranges)
		tpl_error(t, "{{%s}} outside {{range}}", name);
	t->at++;
	return n;
}

/* After "{{". NULL for what leaves no node, and for an end: then *stop says which. */
static struct tpl_node *action(struct tpl *t, bool top, enum stop *stop)
{
	struct tpl_token *tok = next_word(t);
	if (is(tok, "if"))
		return control(t, TPL_N_IF, "if");
	if (is(tok, "with"))
		return control(t, TPL_N_WITH, "with");
	if (is(tok, "range"))
		return control(t, TPL_N_RANGE, "range");
	if (is(tok, "break"))
		return jump(t, TPL_N_BREAK, "break");
	if (is(tok, "continue"))
		return jump(t, TPL_N_CONTINUE, "continue");
	if (is(tok, "template") || is(tok, "block"))
		return named(t, is(tok, "block"));
	if (is(tok, "define") && top) {
		struct slice name = template_name(t, "define clause");
		if (!t->failed)
			expect(t, TPL_T_RIGHT, "define clause");
		if (!t->failed)
			body(t, name, "define clause");
		return NULL;
	}
	if (is(tok, "end") || is(tok, "else")) {
		*stop = is(tok, "end") ? STOP_END : STOP_ELSE;
		if (top)
			tpl_error(t, "unexpected {{%s}}", *stop == STOP_END ? "end" : "else");
		else if (*stop == STOP_END)
			expect(t, TPL_T_RIGHT, "end");
		return NULL;
	}
	t->at--;
	struct tpl_node *n = new_node(t, TPL_N_ACTION);
	n->pipe = pipeline(t, "command", TPL_T_RIGHT, false);
	return n;
}

static struct tpl_node *items(struct tpl *t, bool top, enum stop *ret)
{
	struct tpl_node *first = NULL, **end = &first;
	*ret = STOP_EOF;
	while (!t->failed) {
		struct tpl_token *tok = next(t);
		if (tok->kind == TPL_T_TEXT) {
			*end = new_node(t, TPL_N_TEXT);
			(*end)->text = tok->text;
		} else if (tok->kind == TPL_T_LEFT) {
			*end = action(t, top, ret);
			if (*ret != STOP_EOF)
				break;
		} else {
			if (!top || tok->kind != TPL_T_EOF)
				unexpected(t, tok, "input");
			break;
		}
		if (*end)
			end = &(*end)->next;
	}
	return first;
}

struct tpl_node *tpl_parse(struct tpl *t)
{
	enum stop stop;
	tpl_lex(t);
	declare(t, slice_str("$"));
	struct tpl_node *root = items(t, true, &stop);
	/* The template itself has a name too. */
	if (!t->failed)
		add_define(t, slice_str("template"), root);
	t->vars = NULL;
	return root;
}
