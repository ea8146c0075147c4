/* SPDX-License-Identifier: Apache-2.0 */
/* json.filter, json.remove, json.patch. */
#include "rego/text.h"

static rv not_a_path(struct call *c, rv v)
{
	return call_operand_error(c, 2,
		"must be one of {set, array} containing string paths or array of path "
		"segments but got %s",
		value_type_name(v));
}

/* The keys of a path given as "a/b/c" or as an array; NULL after reporting. "" has none. */
static rv path_of(struct call *c, rv v)
{
	if (v->type == REGO_ARRAY)
		return v;
	if (v->type != REGO_STRING)
		return not_a_path(c, v);
	if (v->count == 0)
		return &value_empty_array;
	struct slice s = value_slice(v);
	struct list l = {0};
	while (s.size && s.data[0] == '/')
		s = slice_cut(s, 1, s.size);
	for (size_t from = 0; from <= s.size;) {
		int64_t at = strings_find(s, SLICE_LIT("/"), from);
		size_t end = at < 0 ? s.size : (size_t)at;
		struct slice part = slice_cut(s, from, end - from);
		char *text = mem_alloc(c->m, part.size + 1);
		size_t n = 0;
		/* JSON pointer escapes: ~1 is '/', ~0 is '~'. */
		for (size_t k = 0; k < part.size; k++) {
			bool escape = part.data[k] == '~' && k + 1 < part.size &&
				      (part.data[k + 1] == '0' || part.data[k + 1] == '1');
			text[n++] = !escape		    ? (char)part.data[k]
				    : part.data[++k] == '1' ? '/'
							    : '~';
		}
		list_push(c->m, &l, value_string(c->m, slice_of(text, n)));
		from = end + 1;
	}
	return value_array(c->m, l.item, l.count);
}

static rv paths_of(struct call *c, const rv *arg)
{
	struct list l = {0};
	if (!arg_is(c, arg, 1, REGO_OBJECT))
		return NULL;
	if (arg[1]->type != REGO_ARRAY && arg[1]->type != REGO_SET)
		return call_type_error(c, 2, "one of {set, array}", arg[1]);
	for (uint32_t i = 0; i < arg[1]->count; i++) {
		rv p = path_of(c, arg[1]->item[i]);
		if (!p)
			return NULL;
		list_push(c->m, &l, p);
	}
	return value_array(c->m, l.item, l.count);
}

/* Elements of arrays are named by the digits of their index, never by a number. */
static bool same_key(rv part, rv key, bool array)
{
	char text[24];
	if (!array)
		return value_eq(part, key);
	return part->type == REGO_STRING && slice_eq(value_slice(part), num_text(key, text));
}

struct select {
	struct call *c;
	rv paths;
	bool keep;
};

/*
 * Paths that still match at this depth are marked in @live; bounded by the depth of values. A path
 * that leads into a scalar leaves it as it is.
 */
static rv choose(struct select *s, rv v, uint32_t depth, const bool *live)
{
	struct mem *m = s->c->m;
	uint32_t n = s->paths->count;
	bool any = depth == 0;
	for (uint32_t i = 0; i < n; i++) {
		if (live[i] && s->paths->item[i]->count == depth)
			return s->keep ? v : NULL;
		any |= live[i];
	}
	if (!any)
		return s->keep ? NULL : v;
	if (!value_is_collection(v))
		return v;
	struct list out = {0};
	bool *next = mem_array(m, n + 1, sizeof(bool));
	for (uint32_t i = 0; i < v->count; i++) {
		rv key = v->type == REGO_OBJECT ? v->pair[i].key
			 : v->type == REGO_SET	? v->item[i]
						: value_int(m, i);
		for (uint32_t k = 0; k < n; k++)
			next[k] = live[k] && same_key(s->paths->item[k]->item[depth], key,
						     v->type == REGO_ARRAY);
		call_charge(s->c, 1 + n / 8);
		rv e = choose(
			s, v->type == REGO_OBJECT ? v->pair[i].val : v->item[i], depth + 1, next);
		if (!e)
			continue;
		if (v->type == REGO_OBJECT)
			list_push(m, &out, key);
		list_push(m, &out, e);
	}
	if (v->type == REGO_OBJECT)
		return value_object(m, (const struct pair *)(const void *)out.item, out.count / 2);
	return v->type == REGO_SET ? value_set(m, out.item, out.count)
				   : value_array(m, out.item, out.count);
}

static rv selected(struct call *c, const rv *arg, bool keep)
{
	rv paths = paths_of(c, arg);
	if (!paths)
		return NULL;
	struct select s = {c, paths, keep};
	bool *live = mem_array(c->m, paths->count + 1, sizeof(bool));
	/* The empty path means nothing, not the whole. */
	for (uint32_t i = 0; i < paths->count; i++)
		live[i] = paths->item[i]->count > 0;
	return choose(&s, arg[0], 0, live);
}

static rv filter(struct call *c, const rv *arg, uint32_t count)
{
	return selected(c, arg, true);
}

static rv json_remove(struct call *c, const rv *arg, uint32_t count)
{
	return selected(c, arg, false);
}

/* --- json.patch: RFC 6902, also into sets, where the key is the element --- */

struct patch {
	struct call *c;
	rv path;
	rv value; /* NULL to remove */
};

static rv no_such_path(struct call *c, rv key, rv v)
{
	static const char *const in[] = {
		[REGO_ARRAY] = "array", [REGO_OBJECT] = "object", [REGO_SET] = "set"};
	bool bare = v->type == REGO_SET && key->type == REGO_STRING;
	rv k = bare ? key : value_to_rego(c->m, key), t = value_to_rego(c->m, v);
	return call_fail(c, "path %.*s does not exist in %s term %.*s", (int)MIN(k->count, 100u),
		k->text, in[v->type], (int)MIN(t->count, 200u), t->text);
}

/* @key: what was looked for in it; NULL when it was to be changed. */
static rv no_collection(struct call *c, rv key, rv v)
{
	static const char *const type[] = {[REGO_NULL] = "Null",
		[REGO_BOOL] = "Boolean",
		[REGO_NUMBER] = "Number",
		[REGO_STRING] = "String"};
	rv t = value_to_rego(c->m, v), k = key ? value_to_rego(c->m, key) : t;
	return call_fail(c, "expected composite type%s%.*s, found value: %.*s (type: ast.%s)",
		key ? " for path " : "", key ? (int)MIN(k->count, 100u) : 0, k->text,
		(int)MIN(t->count, 200u), t->text, type[v->type]);
}

/* Index into an array; "-" is its end. INT64_MIN after reporting. */
static int64_t index_of(struct call *c, rv key, uint32_t count)
{
	int64_t n = 0;
	const char *why = "invalid type for indexing";
	if (key->type == REGO_NUMBER) {
		if (num_is_plain_integer(key) && num_to_i64(key, &n))
			return n;
		why = "invalid number type for indexing";
	} else if (key->type == REGO_STRING) {
		struct slice s = value_slice(key);
		bool neg = s.size > 1 && s.data[0] == '-';
		if (value_str_is(key, "-"))
			return count;
		why = s.size > 1 && s.data[0] == '0' ? "leading zeros are not allowed in JSON paths"
						     : NULL;
		for (size_t i = neg; i < s.size && n < INT64_MAX / 20; i++) {
			if (s.data[i] < '0' || s.data[i] > '9')
				why = "invalid string for indexing";
			n = n * 10 + (s.data[i] - '0');
		}
		if (s.size > 0 && !why)
			return neg ? -n : n;
		why = why ? why : "invalid string for indexing";
	}
	call_fail(c, "%s", why);
	return INT64_MIN;
}

/* What is at @path; NULL after reporting. */
static rv at_path(struct call *c, rv v, rv path)
{
	for (uint32_t i = 0; v && i < path->count; i++) {
		rv key = path->item[i];
		if (!value_is_collection(v))
			return no_collection(c, key, v);
		rv next = NULL;
		if (v->type == REGO_ARRAY) {
			int64_t n = index_of(c, key, v->count);
			if (n == INT64_MIN)
				return NULL;
			next = n >= 0 && n < v->count ? v->item[n] : NULL;
			key = value_int(c->m, n);
		} else {
			next = value_get(v, key);
		}
		if (!next)
			return no_such_path(c, key, v);
		v = next;
	}
	return v;
}

static rv edit(struct patch *p, rv v, uint32_t depth);

static rv edit_array(struct patch *p, rv v, uint32_t depth)
{
	struct mem *m = p->c->m;
	bool last = depth + 1 == p->path->count, insert = last && p->value;
	int64_t at = index_of(p->c, p->path->item[depth], v->count);
	if (at == INT64_MIN)
		return NULL;
	if (at < 0 || (insert ? at > v->count : at >= v->count)) {
		if (!last)
			return no_such_path(p->c, value_int(m, at), v);
		return call_fail(
			p->c, "index for array %s out of bounds", insert ? "insertion" : "delete");
	}
	rv *item = mem_array(m, (size_t)v->count + 2, sizeof(rv));
	uint32_t n = 0;
	for (uint32_t i = 0; i <= v->count; i++) {
		if (i == at && insert)
			item[n++] = p->value;
		if (i == v->count)
			break;
		if (i != at || insert) {
			item[n++] = v->item[i];
		} else if (!last) {
			item[n] = edit(p, v->item[i], depth + 1);
			if (!item[n++])
				return NULL;
		}
	}
	return value_array(m, item, n);
}

static rv edit_keyed(struct patch *p, rv v, uint32_t depth)
{
	struct mem *m = p->c->m;
	bool last = depth + 1 == p->path->count, set = v->type == REGO_SET;
	rv key = p->path->item[depth], old = value_get(v, key);
	if (!old && last && !p->value) {
		rv k = value_to_rego(m, key);
		return call_fail(p->c, "cannot delete child key %.*s that does not exist",
			(int)MIN(k->count, 200u), k->text);
	}
	if (!old && !last)
		return no_such_path(p->c, key, v);
	if (set && last && p->value && !value_eq(key, p->value)) {
		rv k = value_to_rego(m, key), t = value_to_rego(m, p->value);
		return call_fail(p->c, "set key %.*s does not equal value to be inserted %.*s",
			(int)MIN(k->count, 100u), k->text, (int)MIN(t->count, 100u), t->text);
	}
	rv new = last ? p->value : edit(p, old, depth + 1);
	if (!new && !last)
		return NULL;
	struct list l = {0};
	for (uint32_t i = 0; i < v->count; i++) {
		rv k = set ? v->item[i] : v->pair[i].key;
		if (value_eq(k, key))
			continue;
		list_push(m, &l, k);
		if (!set)
			list_push(m, &l, v->pair[i].val);
	}
	if (new) {
		list_push(m, &l, set ? new : key);
		if (!set)
			list_push(m, &l, new);
	}
	return set ? value_set(m, l.item, l.count)
		   : value_object(m, (const struct pair *)(const void *)l.item, l.count / 2);
}

/* @v with the value put in or taken out below @depth of the path; NULL after reporting. */
static rv edit(struct patch *p, rv v, uint32_t depth)
{
	bool last = depth + 1 == p->path->count;
	call_charge(p->c, 1);
	if (v->type == REGO_ARRAY)
		return edit_array(p, v, depth);
	return value_is_collection(v) ? edit_keyed(p, v, depth)
				      : no_collection(p->c, last ? NULL : p->path->item[depth], v);
}

/* A removed whole is gone: *doc is NULL, and only a new whole can take its place. */
static bool apply(struct call *c, rv *doc, rv path, rv value)
{
	if (path->count == 0) {
		*doc = value;
		return true;
	}
	if (!*doc) {
		call_fail(c, "deleted node encountered during %s operation",
			value ? "insert" : "delete");
		return false;
	}
	*doc = edit(&(struct patch){c, path, value}, *doc, 0);
	return *doc != NULL;
}

static rv attribute(struct call *c, rv op, const char *name)
{
	rv v = value_get_str(op, slice_str(name));
	return v ? v : call_fail(c, "missing required attribute '%s'", name);
}

static bool patch_move(struct call *c, rv *doc, rv op, rv path, bool keep)
{
	rv from = attribute(c, op, "from");
	if (from)
		from = path_of(c, from);
	rv have = from && *doc ? at_path(c, *doc, from) : NULL;
	if (!have)
		return false;
	return (keep || apply(c, doc, from, NULL)) && apply(c, doc, path, have);
}

static bool patch_test(struct call *c, rv doc, rv op, rv path)
{
	rv have = doc ? at_path(c, doc, path) : NULL;
	rv value = have ? attribute(c, op, "value") : NULL;
	if (!value)
		return false;
	if (value_eq(have, value))
		return true;
	rv a = value_to_rego(c->m, value), b = value_to_rego(c->m, have);
	call_fail(c, "value from EditTree != patch value.\n\nExpected: %.*s\n\nFound: %.*s",
		(int)MIN(a->count, 150u), a->text, (int)MIN(b->count, 150u), b->text);
	return false;
}

/* One operation; false after reporting that it does not apply. */
static bool patch_one(struct call *c, rv *doc, rv op)
{
	rv where = attribute(c, op, "path"), kind = where ? attribute(c, op, "op") : NULL, value;
	if (!kind)
		return false;
	if (kind->type != REGO_STRING) {
		call_fail(
			c, "attribute 'op' must be a string but found: %s", value_type_name(kind));
		return false;
	}
	rv path = path_of(c, where);
	if (!path)
		return false;
	if (value_str_is(kind, "add"))
		return (value = attribute(c, op, "value")) && apply(c, doc, path, value);
	if (value_str_is(kind, "remove"))
		return apply(c, doc, path, NULL);
	if (value_str_is(kind, "replace"))
		return apply(c, doc, path, NULL) && (value = attribute(c, op, "value")) &&
		       apply(c, doc, path, value);
	if (value_str_is(kind, "copy") || value_str_is(kind, "move"))
		return patch_move(c, doc, op, path, value_str_is(kind, "copy"));
	if (value_str_is(kind, "test"))
		return patch_test(c, *doc, op, path);
	call_fail(c, "unrecognized op: '%.*s'", (int)MIN(kind->count, 100u), kind->text);
	return false;
}

static rv patch(struct call *c, const rv *arg, uint32_t count)
{
	rv doc = arg[0];
	if (!arg_is(c, arg, 2, REGO_ARRAY))
		return NULL;
	for (uint32_t i = 0; i < arg[1]->count; i++) {
		if (arg[1]->item[i]->type != REGO_OBJECT)
			return call_fail(c, "must be an array of JSON-Patch objects, but at least "
					    "one element is not an object");
		if (!patch_one(c, &doc, arg[1]->item[i]))
			return NULL;
	}
	return doc;
}

static const struct builtin items[] = {
	{.name = "json.filter", .arity = 2, .fn = filter},
	{.name = "json.remove", .arity = 2, .fn = json_remove},
	{.name = "json.patch", .arity = 2, .fn = patch},
};
const struct builtin_table builtin_json_table = {items, ARRAY_COUNT(items)};
