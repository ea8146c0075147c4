/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/as/explain.h"

#include "base/buf.h"
#include "base/str.h"
#include "evidence/evidence.h"
#include "trustee/as/internal.h"

#define EDIT_MAX 256 /* longer strings are compared by common prefix only */
#define SHOWN_MAX 16 /* expected values listed */

static size_t hamming(const char *a, const char *b, size_t n)
{
	size_t d = 0;

	for (size_t i = 0; i < n; i++)
		d += a[i] != b[i];
	return d;
}

/* Edit distance in one row; both at most EDIT_MAX characters. */
static size_t edit_distance(const char *a, size_t an, const char *b, size_t bn)
{
	size_t row[EDIT_MAX + 1];

	for (size_t j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 1; i <= an; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= bn; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, replace);
		}
	}
	return row[bn];
}

static size_t distance(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	size_t common = 0;

	if (an == bn)
		return hamming(a, b, an);
	if (an <= EDIT_MAX && bn <= EDIT_MAX)
		return edit_distance(a, an, b, bn);
	while (common < an && common < bn && a[common] == b[common])
		common++;
	return MAX(an, bn) - common;
}

/*
 * The member of @candidates that differs least from @actual
 * @candidates: array of strings, or one string
 * @ret_distance: number of differing characters (same length), else edit distance
 *
 * Return: borrowed string of @candidates, NULL when there is none to compare with.
 */
static const char *explain_nearest(
	const char *actual, const json_t *candidates, size_t *ret_distance)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;
	size_t i;
	const json_t *item;

	if (json_is_string(candidates)) {
		*ret_distance = distance(actual, json_string_value(candidates));
		return json_string_value(candidates);
	}
	json_array_foreach (candidates, i, item) {
		const char *s = json_string_value(item);
		size_t d = s ? distance(actual, s) : SIZE_MAX;

		if (d < best_distance) {
			best = s;
			best_distance = d;
		}
	}
	*ret_distance = best_distance;
	return best;
}

/* The literal name in `query_reference_value("NAME")` of an expression's text. */
static bool reference_name(const char *text, char *dst, size_t size)
{
	static const char call[] = "query_reference_value(\"";
	const char *at = strstr(text, call);
	size_t n;

	if (!at)
		return false;
	at += strlen(call);
	n = strcspn(at, "\"");
	return n > 0 && at[n] == '"' && str_copy_slice(dst, size, slice_of(at, n)) == 0;
}

static void shorten_list(json_t *list)
{
	while (json_array_size(list) > SHOWN_MAX)
		json_array_remove(list, json_array_size(list) - 1);
}

static void set_text(json_t *finding, const char *name, const struct buf *text)
{
	if (buf_error(text) == 0)
		json_object_set_new(finding, name, json_string(buf_str(text)));
}

static const char *text_of(const json_t *v, char *dst, size_t size)
{
	cleanup(free_ptr) char *dump = NULL;

	if (json_is_string(v))
		return json_string_value(v);
	dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(dst, size, "%s", dump ? dump : "?");
	return dst;
}

static void add_reference(json_t *finding, const char *name, const json_t *actual,
	const struct rvps_snapshot *references, int64_t now)
{
	cleanup_with(buf_done) struct buf fix = buf_init(8192);
	char shown[256];
	bool expired;
	size_t d = 0;
	const json_t *expected = rvps_query(references, name, now, &expired);
	const char *value = actual ? text_of(actual, shown, sizeof(shown)) : NULL;
	const char *nearest = NULL;

	json_object_set_new(finding, "reference_value", json_string(name));
	json_object_set_new(finding, "reference_state",
		json_string(expected  ? "present"
			    : expired ? "expired"
				      : "absent"));
	if (expected) {
		json_t *copy = json_copy((json_t *)(uintptr_t)expected);

		shorten_list(copy);
		json_object_set_new(finding, "expected", copy);
		if (value)
			nearest = explain_nearest(value, expected, &d);
	}
	if (nearest) {
		json_object_set_new(finding, "nearest", json_string(nearest));
		json_object_set_new(finding, "distance", json_integer((json_int_t)d));
	}
	if (!expected)
		buf_printf(&fix, "no reference value \"%s\" counts now: it %s. ", name,
			expired ? "has expired" : "was never registered");
	if (value)
		buf_printf(&fix,
			"If %s is what you meant to run, register it, together with the values to "
			"keep: husk kbs reference set %s %s",
			value, name, value);
	else
		buf_printf(&fix, "Register it: husk kbs reference set %s VALUE", name);
	set_text(finding, "fix", &fix);
}

static json_t *member_json(const struct rego_value *object, const char *name)
{
	const struct rego_value *v = rego_member(object, name);

	return v ? as_to_json(v) : NULL;
}

static void set_member(
	json_t *finding, const char *to, const struct rego_value *object, const char *from)
{
	json_t *v = member_json(object, from);

	if (v)
		json_object_set_new(finding, to, v);
}

/*
 * An expression as one line: without comments, blanks in a row as one. What stands in quotes stays.
 */
static void one_line(const char *text, struct buf *out)
{
	bool quoted = false, blank = false;

	for (const char *p = text; *p; p++) {
		if (!quoted && *p == '#')
			p += strcspn(p, "\n") - 1;
		else if (!quoted && strchr(" \t\n\r", *p))
			blank = out->size > 0;
		else {
			if (blank)
				buf_put_u8(out, ' ');
			blank = false;
			quoted ^= *p == '"' && (!quoted || p[-1] != '\\');
			buf_put_u8(out, (uint8_t)*p);
		}
	}
}

/* Whether @path, "input.NAME" or below, is of another TEE's claims than @tee's. */
static bool is_of_other_tee(struct slice path, const char *tee)
{
	static const char input[] = "input.";
	const struct evidence_tee *room;

	if (!slice_starts(path, slice_str(input)))
		return false;
	path = slice_cut(path, strlen(input), path.size);
	size_t n = 0;
	while (n < path.size && !strchr(". [", path.data[n]))
		n++;
	struct slice name = slice_cut(path, 0, n);
	if (slice_eq_str(name, tee))
		return false;
	for (size_t i = 0; (room = evidence_at(i)) != NULL; i++) {
		if (slice_eq_str(name, room->name))
			return true;
	}
	return false;
}

#define FOREIGN_MAX 64

/* Rules that could not hold because they are about another TEE. */
struct foreign {
	const char *tee; /* NULL: nothing is foreign */
	struct slice rules[FOREIGN_MAX];
	size_t count;
};

static struct slice text_member(const struct rego_value *object, const char *name)
{
	const struct rego_value *v = rego_member(object, name);

	return v && rego_type(v) == REGO_STRING ? rego_text(v) : SLICE_EMPTY;
}

static bool is_foreign_rule(const struct foreign *f, struct slice name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (slice_eq(f->rules[i], name))
			return true;
	}
	return false;
}

/* A failed expression: it reads claims of another TEE, or a rule that does. */
static bool is_foreign(const struct foreign *f, const struct rego_value *expr)
{
	static const char undefined[] = " is undefined";
	struct slice reason = text_member(expr, "reason");

	if (!f->tee)
		return false;
	if (is_of_other_tee(text_member(expr, "text"), f->tee) || is_of_other_tee(reason, f->tee))
		return true;
	if (reason.size <= strlen(undefined))
		return false;
	return is_foreign_rule(f, slice_cut(reason, 0, reason.size - strlen(undefined)));
}

static bool member_is(const struct rego_value *object, const char *name, const char *text)
{
	const struct rego_value *v = rego_member(object, name);

	return v && rego_type(v) == REGO_STRING && slice_eq_str(rego_text(v), text);
}

/* Whether every definition of the rule at @index failed for being foreign. */
static bool all_foreign(
	const struct foreign *f, const struct rego_value *explanation, struct slice name)
{
	bool any = false;

	for (size_t i = 0; i < rego_count(explanation); i++) {
		const struct rego_value *rule = rego_item(explanation, i);
		const struct rego_value *expressions = rego_member(rule, "expressions");
		bool failed_foreign = false;

		if (!slice_eq(text_member(rule, "rule"), name))
			continue;
		for (size_t j = 0; expressions && j < rego_count(expressions); j++) {
			const struct rego_value *expr = rego_item(expressions, j);
			failed_foreign |=
				member_is(expr, "result", "failed") && is_foreign(f, expr);
		}
		if (!failed_foreign)
			return false;
		any = true;
	}
	return any;
}

/* Rules read rules: go on until nothing is added. */
static void find_foreign(struct foreign *f, const struct rego_value *explanation)
{
	size_t before;

	do {
		before = f->count;
		for (size_t i = 0; i < rego_count(explanation) && f->count < FOREIGN_MAX; i++) {
			struct slice name = text_member(rego_item(explanation, i), "rule");
			if (!is_foreign_rule(f, name) && all_foreign(f, explanation, name))
				f->rules[f->count++] = name;
		}
	} while (f->count != before && f->count < FOREIGN_MAX);
}

static json_t *finding_of(const struct rego_value *rule, const struct rego_value *expr,
	const struct rvps_snapshot *references, int64_t now)
{
	cleanup_with(buf_done) struct buf line = buf_init(0);
	char name[256];
	json_t *finding;
	json_t *text = member_json(expr, "text");
	json_t *left = member_json(expr, "left");

	if (!json_is_string(text)) {
		json_decref(text);
		json_decref(left);
		return NULL;
	}
	finding = json_object();
	set_member(finding, "rule", rule, "rule");
	set_member(finding, "file", rule, "file");
	set_member(finding, "line", expr, "line");
	one_line(json_string_value(text), &line);
	set_text(finding, "expression", &line);
	set_member(finding, "reason", expr, "reason");
	set_member(finding, "expected", expr, "right");
	if (left)
		json_object_set(finding, "actual", left);
	if (reference_name(json_string_value(text), name, sizeof(name)))
		add_reference(finding, name, left, references, now);
	json_decref(text);
	json_decref(left);
	return finding;
}

json_t *explain_findings(const struct rego_value *explanation, const char *tee,
	const struct rvps_snapshot *references, int64_t now)
{
	json_t *findings = json_array();
	struct foreign foreign = {.tee = tee};

	if (explanation)
		find_foreign(&foreign, explanation);
	for (size_t i = 0; explanation && i < rego_count(explanation); i++) {
		const struct rego_value *rule = rego_item(explanation, i);
		const struct rego_value *expressions = rego_member(rule, "expressions");

		for (size_t j = 0; expressions && j < rego_count(expressions); j++) {
			const struct rego_value *expr = rego_item(expressions, j);
			json_t *finding;

			if (!member_is(expr, "result", "failed") || is_foreign(&foreign, expr))
				continue;
			finding = finding_of(rule, expr, references, now);
			if (finding)
				json_array_append_new(findings, finding);
			if (json_array_size(findings) >= EXPLAIN_FINDINGS_MAX)
				return findings;
		}
	}
	return findings;
}
