/* SPDX-License-Identifier: Apache-2.0 */
/* json.filter, json.remove, json.patch. */
#include "rego/text.h"

/* A path given as "a/b/c" or as an array of keys; NULL after reporting. */
static rv path_of(struct call *c, rv v, rv operand)
{
	if (v->type == REGO_ARRAY)
		return v;
	if (v->type != REGO_STRING)
		return call_operand_error(c, 2,
			"must be one of {set, array} containing string paths or array of path "
			"segments but got %s",
			value_type_name(v));
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
		for (size_t i = 0; i < part.size; i++) {
			bool escape = part.data[i] == '~' && i + 1 < part.size &&
				      (part.data[i + 1] == '0' || part.data[i + 1] == '1');
			text[n++] = !escape		    ? (char)part.data[i]
				    : part.data[++i] == '1' ? '/'
							    : '~';
		}
		list_push(c->m, &l, value_string(c->m, slice_of(text, n)));
		from = end + 1;
	}
	(void)operand;
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
		rv p = path_of(c, arg[1]->item[i], arg[1]);
		if (!p)
			return NULL;
		list_push(c->m, &l, p);
	}
	return value_array(c->m, l.item, l.count);
}

/* Whether a key of a path names element @i of an array: a number, or digits. */
static bool same_key(rv part, rv key)
{
	if (value_eq(part, key))
		return true;
	char text[24];
	if (part->type != REGO_STRING || key->type != REGO_NUMBER || key->sub != NUM_INT)
		return false;
	return slice_eq(value_slice(part), num_text(key, text));
}

struct select {
	struct call *c;
	rv paths;
	bool keep;
};

/* Paths that still match at this depth are marked in @live; bounded by the depth of values. */
static rv choose(struct select *s, rv v, uint32_t depth, const bool *live)
{
	struct mem *m = s->c->m;
	uint32_t n = s->paths->count;
	bool any = false;
	for (uint32_t i = 0; i < n; i++) {
		if (!live[i])
			continue;
		if (s->paths->item[i]->count == depth)
			return s->keep ? v : NULL;
		any = true;
	}
	if (!any)
		return s->keep ? NULL : v;
	if (!value_is_collection(v))
		return s->keep ? NULL : v;
	struct list out = {0};
	bool *next = mem_array(m, n + 1, sizeof(bool));
	for (uint32_t i = 0; i < v->count; i++) {
		rv key = v->type == REGO_OBJECT ? v->pair[i].key
			 : v->type == REGO_SET	? v->item[i]
						: value_int(m, i);
		for (uint32_t k = 0; k < n; k++)
			next[k] = live[k] && same_key(s->paths->item[k]->item[depth], key);
		call_charge(s->c, 1 + n / 8);
		rv e = choose(
			s, v->type == REGO_OBJECT ? v->pair[i].val : v->item[i], depth + 1, next);
		if (!e)
			continue;
		if (v->type == REGO_OBJECT)
			list_push(m, &out, key);
		list_push(m, &out, e);
	}
	if (s->keep && out.count == 0 && depth > 0)
		return NULL;
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
	for (uint32_t i = 0; i < paths->count; i++)
		live[i] = paths->item[i]->count > 0 || keep;
	rv v = choose(&s, arg[0], 0, live);
	return v ? v : &value_empty_object;
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
	const char *error;
};

static rv at_path(rv v, rv path)
{
	for (uint32_t i = 0; v && i < path->count; i++) {
		rv key = path->item[i];
		int64_t n;
		rv next = value_get(v, key);
		if (!next && v->type == REGO_ARRAY && key->type == REGO_STRING && key->count > 0 &&
			key->count < 10 && !(key->text[0] == '0' && key->count > 1)) {
			n = 0;
			for (uint32_t k = 0; k < key->count && n >= 0; k++)
				n = key->text[k] >= '0' && key->text[k] <= '9'
					    ? n * 10 + (key->text[k] - '0')
					    : -1;
			next = n >= 0 && n < v->count ? v->item[n] : NULL;
		}
		v = next;
	}
	return v;
}

/* Index into an array; "-" is its end. -1 when the key is none. */
static int64_t index_of(rv key, uint32_t count)
{
	int64_t n;
	if (key->type == REGO_NUMBER)
		return rego_int(key, &n) == 0 && n >= 0 && n <= count ? n : -1;
	if (key->type != REGO_STRING || key->count == 0 || key->count > 9)
		return -1;
	if (value_str_is(key, "-"))
		return count;
	n = 0;
	for (uint32_t i = 0; i < key->count; i++) {
		if (key->text[i] < '0' || key->text[i] > '9' ||
			(key->count > 1 && key->text[0] == '0'))
			return -1;
		n = n * 10 + (key->text[i] - '0');
	}
	return n <= count ? n : -1;
}

enum edit {
	EDIT_ADD,
	EDIT_REPLACE,
	EDIT_REMOVE,
};

static rv edit(struct patch *p, rv v, rv path, uint32_t depth, enum edit how, rv value);

static rv edit_array(struct patch *p, rv v, rv path, uint32_t depth, enum edit how, rv value)
{
	struct mem *m = p->c->m;
	bool last = depth + 1 == path->count;
	int64_t at = index_of(path->item[depth], v->count);
	bool insert = last && how == EDIT_ADD;
	if (at < 0 || (!insert && at >= v->count))
		return NULL;
	rv *item = mem_array(m, (size_t)v->count + 2, sizeof(rv));
	uint32_t n = 0;
	for (uint32_t i = 0; i <= v->count; i++) {
		if (i == at && insert)
			item[n++] = value;
		if (i == v->count)
			break;
		if (i != at || insert) {
			item[n++] = v->item[i];
		} else if (!last) {
			item[n] = edit(p, v->item[i], path, depth + 1, how, value);
			if (!item[n++])
				return NULL;
		} else if (how == EDIT_REPLACE) {
			item[n++] = value;
		}
	}
	return value_array(m, item, n);
}

static rv edit_keyed(struct patch *p, rv v, rv path, uint32_t depth, enum edit how, rv value)
{
	struct mem *m = p->c->m;
	bool last = depth + 1 == path->count, set = v->type == REGO_SET;
	rv key = path->item[depth], old = value_get(v, key);
	if (!old && !(last && how == EDIT_ADD))
		return NULL;
	if (set && last && how == EDIT_ADD && !value_eq(key, value))
		return NULL;
	struct list l = {0};
	rv new = last ? value : edit(p, old, path, depth + 1, how, value);
	if (!new && !(last && how == EDIT_REMOVE))
		return NULL;
	bool removed = last && how == EDIT_REMOVE;
	for (uint32_t i = 0; i < v->count; i++) {
		rv k = set ? v->item[i] : v->pair[i].key;
		if (value_eq(k, key))
			continue;
		list_push(m, &l, k);
		if (!set)
			list_push(m, &l, v->pair[i].val);
	}
	if (!removed) {
		list_push(m, &l, set ? new : key);
		if (!set)
			list_push(m, &l, new);
	}
	return set ? value_set(m, l.item, l.count)
		   : value_object(m, (const struct pair *)(const void *)l.item, l.count / 2);
}

static rv edit(struct patch *p, rv v, rv path, uint32_t depth, enum edit how, rv value)
{
	call_charge(p->c, 1);
	if (depth == path->count)
		return how == EDIT_REMOVE ? NULL : value;
	if (v->type == REGO_ARRAY)
		return edit_array(p, v, path, depth, how, value);
	return value_is_collection(v) ? edit_keyed(p, v, path, depth, how, value) : NULL;
}

static rv patch_path(struct call *c, rv op, const char *name)
{
	rv v = value_get_str(op, slice_str(name));
	if (!v)
		return NULL;
	if (v->type == REGO_STRING && v->count == 0)
		return &value_empty_array;
	if (v->type == REGO_STRING || v->type == REGO_ARRAY)
		return path_of(c, v, v);
	return NULL;
}

/* One operation; NULL: it does not apply. */
static rv patch_one(struct patch *p, rv doc, rv op)
{
	rv kind = value_get_str(op, SLICE_LIT("op"));
	rv path = patch_path(p->c, op, "path"), value = value_get_str(op, SLICE_LIT("value"));
	if (!kind || !path)
		return NULL;
	if (value_str_is(kind, "remove"))
		return edit(p, doc, path, 0, EDIT_REMOVE, NULL);
	if (value_str_is(kind, "add") && value)
		return edit(p, doc, path, 0, EDIT_ADD, value);
	if (value_str_is(kind, "replace") && value)
		return edit(p, doc, path, 0, EDIT_REPLACE, value);
	if (value_str_is(kind, "test") && value) {
		rv have = at_path(doc, path);
		return have && value_eq(have, value) ? doc : NULL;
	}
	rv from = patch_path(p->c, op, "from");
	rv have = from ? at_path(doc, from) : NULL;
	if (!have)
		return NULL;
	if (value_str_is(kind, "copy"))
		return edit(p, doc, path, 0, EDIT_ADD, have);
	if (!value_str_is(kind, "move"))
		return NULL;
	doc = edit(p, doc, from, 0, EDIT_REMOVE, NULL);
	return doc ? edit(p, doc, path, 0, EDIT_ADD, have) : NULL;
}

static rv patch(struct call *c, const rv *arg, uint32_t count)
{
	struct patch p = {.c = c};
	rv doc = arg[0];
	if (!arg_is(c, arg, 2, REGO_ARRAY))
		return NULL;
	for (uint32_t i = 0; i < arg[1]->count; i++) {
		if (arg[1]->item[i]->type != REGO_OBJECT)
			return call_operand_error(c, 2,
				"must be array of JSON-Patch objects but got %s",
				value_type_name(arg[1]->item[i]));
		doc = patch_one(&p, doc, arg[1]->item[i]);
		if (!doc)
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
