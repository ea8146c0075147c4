/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_cases.h"

#include <stdlib.h>

#include "base/str.h"
#include "cli/policy.h"

#define KEYS_MAX 32u /* of one case; deeper ones are judged as a whole */

void policy_cases_done(struct policy_cases *c)
{
	free(c->item);
	*c = (struct policy_cases){0};
}

int policy_cases_note(struct policy_cases *c, const struct rego_value *path)
{
	if (!path)
		return -ENOMEM;
	if (c->count == c->capacity) {
		size_t capacity = c->capacity ? c->capacity * 2 : 16;
		struct policy_case *more = realloc(c->item, capacity * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->item = more;
		c->capacity = capacity;
	}
	c->item[c->count++] = (struct policy_case){path, false};
	return 0;
}

static bool has_cases(const struct rego_value *v)
{
	return v && rego_type(v) == REGO_OBJECT && rego_count(v) > 0;
}

/* @key holds the keys down to @v. */
static int note_leaves(struct policy_cases *c, struct rego_eval *e, const struct rego_value *v,
	const struct rego_value **key, size_t depth)
{
	if (!has_cases(v) || depth == KEYS_MAX)
		return depth ? policy_cases_note(c, rego_make_array(e, key, depth)) : 0;
	int r = 0;
	for (size_t i = 0; r == 0 && i < rego_count(v); i++) {
		key[depth] = rego_key(v, i);
		r = note_leaves(c, e, rego_item(v, i), key, depth + 1);
	}
	return r;
}

static const struct rego_value *at(const struct rego_value *v, const struct rego_value *path)
{
	for (size_t i = 0; v && i < rego_count(path); i++) {
		const struct rego_value *below = NULL;
		for (size_t k = 0; rego_type(v) == REGO_OBJECT && k < rego_count(v); k++)
			if (rego_compare(rego_key(v, k), rego_item(path, i)) == 0)
				below = rego_item(v, k);
		v = below;
	}
	return v;
}

static int by_path(const void *a, const void *b)
{
	const struct policy_case *x = a, *y = b;
	return rego_compare(x->path, y->path);
}

int policy_cases_judge(
	struct policy_cases *c, struct rego_eval *e, const struct rego_value *v, size_t *ret_failed)
{
	const struct rego_value *key[KEYS_MAX + 1];
	*ret_failed = 0;
	int r = note_leaves(c, e, v, key, 0);
	if (r < 0)
		return r;
	if (c->count > 1)
		qsort(c->item, c->count, sizeof(*c->item), by_path);
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++) {
		if (n > 0 && by_path(&c->item[n - 1], &c->item[i]) == 0)
			continue;
		const struct rego_value *leaf = at(v, c->item[i].path);
		/* What is below a value is judged by its own path. */
		if (has_cases(leaf) && rego_count(c->item[i].path) < KEYS_MAX)
			continue;
		c->item[i].failed = !rego_is_true(leaf) &&
				    !(leaf && rego_type(leaf) == REGO_OBJECT && !has_cases(leaf));
		*ret_failed += c->item[i].failed;
		c->item[n++] = c->item[i];
	}
	c->count = n;
	return 0;
}

static bool same_start(const struct policy_case *a, const struct policy_case *b, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if (rego_count(a->path) < depth ||
			rego_compare(rego_item(a->path, i), rego_item(b->path, i)) != 0)
			return false;
	return true;
}

/* From case @i on, those that share its first @depth keys; whether one of them failed. */
static size_t family(const struct policy_cases *c, size_t i, size_t depth, bool *ret_failed)
{
	size_t n = 0;
	*ret_failed = false;
	for (; i + n < c->count && same_start(&c->item[i + n], &c->item[i], depth); n++)
		*ret_failed |= c->item[i + n].failed;
	return n;
}

static void put_key(struct buf *out, const struct rego_value *key)
{
	if (rego_type(key) == REGO_STRING)
		buf_put_slice(out, rego_text(key));
	else
		rego_json(out, key);
}

void policy_cases_text(struct buf *out, const struct policy_cases *c, bool all)
{
	bool failed;
	for (size_t i = 0; i < c->count; i++) {
		const struct rego_value *path = c->item[i].path;
		for (size_t d = 0; d < rego_count(path); d++) {
			bool told = i > 0 && same_start(&c->item[i - 1], &c->item[i], d + 1);
			(void)family(c, i, d + 1, &failed);
			if (told || (!failed && !all))
				continue;
			buf_printf(out, "%*s", (int)(2 * (d + 1)), "");
			put_key(out, rego_item(path, d));
			buf_put_str(out, failed ? ": FAIL\n" : ": PASS\n");
		}
	}
}

static void put_name(struct buf *out, const struct rego_value *key)
{
	cleanup_with(buf_done) struct buf name = buf_init(0);
	put_key(&name, key);
	policy_put_string(out, buf_str(&name));
}

/* The @count cases from @from on, by their key @depth. */
static void put_json(
	struct buf *out, const struct policy_cases *c, size_t from, size_t count, size_t depth)
{
	bool failed;
	buf_put_str(out, "{");
	for (size_t i = from; i < from + count;) {
		size_t n = family(c, i, depth + 1, &failed);
		const struct rego_value *key = rego_item(c->item[i].path, depth);
		buf_put_str(out, i > from ? ", " : "");
		put_name(out, key);
		buf_put_str(out, ": {\"name\": ");
		put_name(out, key);
		if (failed)
			buf_put_str(out, ", \"fail\": true");
		if (rego_count(c->item[i].path) > depth + 1) {
			buf_put_str(out, ", \"sub_results\": ");
			put_json(out, c, i, n, depth + 1);
		}
		buf_put_str(out, "}");
		i += n ? n : 1;
	}
	buf_put_str(out, "}");
}

void policy_cases_json(struct buf *out, const struct policy_cases *c)
{
	put_json(out, c, 0, c->count, 0);
}
