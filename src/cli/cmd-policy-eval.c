/* SPDX-License-Identifier: Apache-2.0 */
/* husk policy eval: one query, printed as opa prints it. */
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cmd-policy.h"

static const struct rego_value *expressions(const struct rego_value *row)
{
	return rego_member(row, "expressions");
}

static const struct rego_value *expr_value(const struct rego_value *row, size_t i)
{
	return rego_member(rego_item(expressions(row), i), "value");
}

/* --- one result after the other --- */

static void put_values(struct buf *out, const struct rego_value *rows)
{
	for (size_t i = 0; i < rego_count(rows); i++) {
		size_t n = rego_count(expressions(rego_item(rows, i)));
		buf_put_str(out, "[");
		for (size_t k = 0; k < n; k++) {
			buf_put_str(out, k ? ",\n  " : "\n  ");
			policy_json(out, expr_value(rego_item(rows, i), k), 2);
		}
		buf_put_str(out, "\n]\n");
	}
}

static void put_bindings(struct buf *out, const struct rego_value *rows)
{
	for (size_t i = 0; i < rego_count(rows); i++) {
		const struct rego_value *b = rego_member(rego_item(rows, i), "bindings");
		if (b)
			policy_json(out, b, 0);
		else
			buf_put_str(out, "{}");
		buf_put_u8(out, '\n');
	}
}

static void put_raw(struct buf *out, const struct rego_value *rows)
{
	for (size_t i = 0; i < rego_count(rows); i++) {
		size_t n = rego_count(expressions(rego_item(rows, i)));
		for (size_t k = 0; k < n; k++) {
			const struct rego_value *v = expr_value(rego_item(rows, i), k);
			buf_put_str(out, k ? " " : "");
			if (rego_type(v) == REGO_STRING)
				buf_put_slice(out, rego_text(v));
			else
				rego_json(out, v);
		}
		buf_put_u8(out, '\n');
	}
}

/* --- a table --- */

#define COLUMNS_MAX 32
#define CELL_MAX 80

struct table {
	size_t columns;
	struct slice title[COLUMNS_MAX];
	bool is_binding[COLUMNS_MAX];
	size_t expr[COLUMNS_MAX]; /* number of the expression */
	size_t width[COLUMNS_MAX];
};

static void cell(struct buf *out, const struct table *t, size_t c, const struct rego_value *row)
{
	char name[128];
	const struct rego_value *v = NULL;
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(t->title[c]));
	if (t->is_binding[c])
		v = rego_member(rego_member(row, "bindings"), name);
	else
		v = expr_value(row, t->expr[c]);
	buf_clear(out);
	if (v)
		rego_json(out, v);
	if (out->size > CELL_MAX) {
		struct buf cut = buf_init(0);
		buf_put_slice(&cut, slice_cut(buf_slice(out), 0, CELL_MAX));
		buf_put_str(&cut, "...");
		buf_done(out);
		*out = cut;
	}
}

/* Characters, not bytes. */
static size_t shown(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.size; i++)
		n += (s.data[i] & 0xc0) != 0x80;
	return n;
}

static void make_table(struct table *t, const struct rego_value *rows, struct buf *scratch)
{
	const struct rego_value *first = rego_item(rows, 0), *b = rego_member(first, "bindings");
	size_t n = rego_count(expressions(first));
	for (size_t i = 0; i < n && t->columns < COLUMNS_MAX; i++) {
		if (rego_type(expr_value(first, i)) == REGO_BOOL)
			continue;
		t->expr[t->columns] = i;
		t->title[t->columns++] =
			rego_text(rego_member(rego_item(expressions(first), i), "text"));
	}
	for (size_t i = 0; b && i < rego_count(b) && t->columns < COLUMNS_MAX; i++) {
		t->is_binding[t->columns] = true;
		t->title[t->columns++] = rego_text(rego_key(b, i));
	}
	for (size_t c = 0; c < t->columns; c++) {
		t->width[c] = shown(t->title[c]);
		for (size_t i = 0; i < rego_count(rows); i++) {
			cell(scratch, t, c, rego_item(rows, i));
			t->width[c] = MAX(t->width[c], shown(buf_slice(scratch)));
		}
	}
}

static void put_rule(struct buf *out, const struct table *t, const char *const mark[3])
{
	for (size_t c = 0; c < t->columns; c++) {
		buf_put_str(out, c ? mark[1] : mark[0]);
		for (size_t i = 0; i < t->width[c] + 2; i++)
			buf_put_str(out, "─");
	}
	buf_printf(out, "%s\n", mark[2]);
}

static void put_cell(struct buf *out, struct slice text, size_t width)
{
	buf_put_str(out, "│ ");
	buf_put_slice(out, text);
	buf_printf(out, "%*s", (int)(width - shown(text) + 1), "");
}

static void put_table(struct buf *out, const struct rego_value *rows)
{
	struct table t = {0};
	cleanup_with(buf_done) struct buf scratch = {0};
	make_table(&t, rows, &scratch);
	put_rule(out, &t, (const char *const[]){"┌", "┬", "┐"});
	for (size_t c = 0; c < t.columns; c++)
		put_cell(out, t.title[c], t.width[c]);
	buf_put_str(out, "│\n");
	put_rule(out, &t, (const char *const[]){"├", "┼", "┤"});
	for (size_t i = 0; i < rego_count(rows); i++) {
		for (size_t c = 0; c < t.columns; c++) {
			cell(&scratch, &t, c, rego_item(rows, i));
			put_cell(out, buf_slice(&scratch), t.width[c]);
		}
		buf_put_str(out, "│\n");
	}
	put_rule(out, &t, (const char *const[]){"└", "┴", "┘"});
}

static void put_pretty(struct buf *out, const struct rego_value *rows)
{
	const struct rego_value *first = rego_item(rows, 0);
	bool all_bool = first != NULL;
	if (!first) {
		buf_put_str(out, "undefined\n");
		return;
	}
	for (size_t i = 0; i < rego_count(expressions(first)); i++)
		all_bool = all_bool && rego_type(expr_value(first, i)) == REGO_BOOL;
	if (rego_count(rows) == 1 && !rego_member(first, "bindings") &&
		(rego_count(expressions(first)) == 1 || all_bool)) {
		policy_json(out, expr_value(first, 0), 0);
		buf_put_u8(out, '\n');
		return;
	}
	put_table(out, rows);
}

/* --- the command --- */

struct outcome {
	const char *format;
	int r;
	struct err *e;
	const struct rego_value *rows;
	struct rego_coverage *coverage;
};

static void put_metrics(struct buf *out, const struct policy_session *s, bool json)
{
	if (json)
		buf_printf(out,
			"\"metrics\": {\n    \"timer_rego_query_compile_ns\": %llu,\n    "
			"\"timer_rego_query_eval_ns\": %llu,\n    \"timer_rego_query_parse_ns\": %llu",
			(unsigned long long)s->compile_ns, (unsigned long long)s->eval_ns,
			(unsigned long long)s->parse_ns);
	else
		buf_printf(out, "parse %llu ns, compile %llu ns, evaluate %llu ns",
			(unsigned long long)s->parse_ns, (unsigned long long)s->compile_ns,
			(unsigned long long)s->eval_ns);
	if (s->eval)
		buf_printf(out,
			json ? ",\n    \"counter_steps\": %llu,\n    \"counter_memory_bytes\": %zu"
			     : ", %llu steps, %zu bytes",
			(unsigned long long)rego_eval_steps(s->eval), rego_eval_memory(s->eval));
	buf_put_str(out, json ? "\n  }" : "\n");
}

/* Members of the document, each begun by this. */
static void member(struct buf *out, bool *first)
{
	buf_put_str(out, *first ? "\n  " : ",\n  ");
	*first = false;
}

static void put_json(struct buf *out, struct policy_session *s, const struct outcome *o)
{
	bool first = true;
	buf_put_u8(out, '{');
	if (o->r < 0) {
		member(out, &first);
		policy_errors_json(out, s, o->r, o->e);
	} else if (rego_count(o->rows) > 0) {
		member(out, &first);
		buf_put_str(out, "\"result\": ");
		if (streq(o->format, "discard"))
			buf_put_str(out, "\"discarded\"");
		else
			policy_rows_json(out, o->rows);
	}
	if (cli_flag(s->cli, "metrics")) {
		member(out, &first);
		put_metrics(out, s, true);
	}
	if (o->r == 0 && cli_flag(s->cli, "explain")) {
		const struct rego_value *x = rego_explanation(s->eval);
		member(out, &first);
		buf_put_str(out, "\"explanation\": ");
		if (x)
			policy_json(out, x, 2);
		else
			buf_put_str(out, "[]");
	}
	if (o->coverage) {
		member(out, &first);
		buf_put_str(out, "\"coverage\": ");
		policy_coverage_json(out, o->coverage, 2);
	}
	buf_put_str(out, first ? "}\n" : "\n}\n");
}

/*
 * opa writes the members of an expression as value, text, location: sorted keys would give another
 * order.
 */
void policy_rows_json(struct buf *out, const struct rego_value *rows)
{
	buf_put_u8(out, '[');
	for (size_t i = 0; i < rego_count(rows); i++) {
		const struct rego_value *row = rego_item(rows, i), *list = expressions(row);
		const struct rego_value *b = rego_member(row, "bindings");
		buf_put_str(out, i ? ",\n    {\n      \"expressions\": ["
				   : "\n    {\n      \"expressions\": [");
		for (size_t k = 0; k < rego_count(list); k++) {
			const struct rego_value *x = rego_item(list, k);
			const struct rego_value *place = rego_member(x, "location");
			buf_put_str(out, k ? ",\n        {\n          \"value\": "
					   : "\n        {\n          \"value\": ");
			policy_json(out, rego_member(x, "value"), 10);
			buf_put_str(out, ",\n          \"text\": ");
			rego_json(out, rego_member(x, "text"));
			buf_put_str(out, ",\n          \"location\": {\n            \"row\": ");
			rego_json(out, rego_member(place, "row"));
			buf_put_str(out, ",\n            \"col\": ");
			rego_json(out, rego_member(place, "col"));
			buf_put_str(out, "\n          }\n        }");
		}
		buf_put_str(out, "\n      ]");
		if (b) {
			buf_put_str(out, ",\n      \"bindings\": ");
			policy_json(out, b, 6);
		}
		buf_put_str(out, "\n    }");
	}
	buf_put_str(out, "\n  ]");
}

static void put_extras(struct policy_session *s, const struct outcome *o, struct buf *out)
{
	if (cli_flag(s->cli, "explain"))
		rego_explain_text(s->eval, out);
	if (cli_flag(s->cli, "metrics"))
		put_metrics(out, s, false);
	if (o->coverage)
		buf_printf(out, "coverage: %.6g%%\n", rego_coverage_percent(o->coverage));
}

static int print_outcome(struct policy_session *s, const struct outcome *o)
{
	cleanup_with(buf_done) struct buf out = buf_init((size_t)1 << 30);
	bool json = streq(o->format, "json") || streq(o->format, "discard");
	if (json) {
		put_json(&out, s, o);
	} else if (o->r < 0) {
		policy_errors_text(&out, s, o->r, o->e);
	} else {
		if (streq(o->format, "values"))
			put_values(&out, o->rows);
		else if (streq(o->format, "bindings"))
			put_bindings(&out, o->rows);
		else if (streq(o->format, "raw"))
			put_raw(&out, o->rows);
		else
			put_pretty(&out, o->rows);
		if (streq(o->format, "pretty"))
			put_extras(s, o, &out);
	}
	return policy_print(&out, !json && o->r < 0);
}

static int read_query(struct cli *cli, struct buf *out, struct err *e)
{
	bool std = cli_flag(cli, "stdin");
	if (std == (cli_arg(cli, 0) != NULL))
		return err_set(e, -EINVAL, "give a query or --stdin, and not both");
	if (std && cli_flag(cli, "stdin-input"))
		return err_set(e, -EINVAL, "--stdin and --stdin-input exclude each other");
	if (cli_flag(cli, "fail") && cli_flag(cli, "fail-defined"))
		return err_set(e, -EINVAL, "--fail and --fail-defined exclude each other");
	buf_put_str(out, std ? "" : cli_arg(cli, 0));
	return std ? fd_read_all(STDIN_FILENO, out) : buf_error(out);
}

static int evaluate(struct policy_session *s, struct outcome *o)
{
	int r = policy_session_eval(s, o->e);
	if (r < 0)
		return r;
	if (cli_flag(s->cli, "coverage")) {
		o->coverage = rego_coverage_new(s->program);
		if (!o->coverage)
			return -ENOMEM;
		rego_eval_cover(s->eval, o->coverage);
	}
	rego_eval_explain(s->eval, cli_flag(s->cli, "explain"));
	uint64_t start = policy_now_ns();
	r = rego_eval_query(s->eval, s->query, &o->rows, o->e);
	s->eval_ns = policy_now_ns() - start;
	return r;
}

int cmd_policy_eval(struct cli *cli)
{
	cleanup_with(policy_session_done) struct policy_session s = {.cli = cli, .print = stderr};
	cleanup_with(buf_done) struct buf query = buf_init(POLICY_FILE_MAX);
	struct err e = {0};
	struct outcome o = {
		.format = cli_opt_or(cli, "format", "json"),
		.e = &e,
	};
	o.r = read_query(cli, &query, &e);
	if (o.r == -EINVAL)
		return cli_fail(cli, o.r, &e, NULL);
	if (o.r == 0)
		o.r = policy_session_load(&s, false, &e);
	if (o.r == 0)
		o.r = policy_session_compile(&s, buf_str(&query), &e);
	if (o.r == 0)
		o.r = evaluate(&s, &o);
	int shown_ok = print_outcome(&s, &o);
	rego_coverage_free(o.coverage);
	if (o.r < 0 || shown_ok < 0)
		return POLICY_ERROR;
	bool defined = rego_count(o.rows) > 0;
	return (cli_flag(cli, "fail") && !defined) || (cli_flag(cli, "fail-defined") && defined)
		       ? POLICY_FAILED
		       : POLICY_OK;
}
