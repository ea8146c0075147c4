/* SPDX-License-Identifier: Apache-2.0 */
/* Reading GraphQL nodes. Objects from a policy may lack members or have others than ours. */
#include <stdarg.h>

#include "base/buf.h"
#include "rego/gql.h"

rv gql_get(rv node, const char *name)
{
	rv v = node ? value_get_str(node, slice_str(name)) : NULL;
	return v && v->type != REGO_NULL ? v : NULL;
}

struct slice gql_str(rv node, const char *name)
{
	rv v = gql_get(node, name);
	return v && v->type == REGO_STRING ? value_slice(v) : SLICE_EMPTY;
}

rv gql_list(rv node, const char *name)
{
	rv v = gql_get(node, name);
	return v && v->type == REGO_ARRAY ? v : &value_empty_array;
}

bool gql_true(rv node, const char *name)
{
	return rego_is_true(gql_get(node, name));
}

rv gql_by_name(rv list, struct slice name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (slice_eq(gql_str(list->item[i], "Name"), name))
			return list->item[i];
	return NULL;
}

rv gql_list_by_name(const struct list *l, struct slice name)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (slice_eq(gql_str(l->item[i], "Name"), name))
			return l->item[i];
	return NULL;
}

void gql_locate(rv node, uint32_t *line, uint32_t *col)
{
	int64_t packed = 0;
	rv v = gql_get(node, "Position");
	if (v && rego_int(v, &packed) < 0)
		packed = 0;
	*line = (uint32_t)((uint64_t)packed >> 32);
	*col = (uint32_t)packed;
}

void gql_fail(struct gql_error *e, rv node, const char *fmt, ...)
{
	va_list ap;
	if (e->set)
		return;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	e->set = true;
	gql_locate(node, &e->line, &e->col);
	e->located = e->line > 0;
}

enum gql_value gql_value_kind(rv value)
{
	int64_t kind;
	rv v = gql_get(value, "Kind");
	return v && rego_int(v, &kind) == 0 && kind >= GQL_VARIABLE && kind <= GQL_OBJECT
		       ? (enum gql_value)kind
		       : GQL_NULL;
}

static bool irrelevant(rv v)
{
	return v->type == REGO_NULL || (value_is_collection(v) && v->count == 0);
}

rv gql_prune(struct call *c, rv v)
{
	struct list l = {0};
	if (v->type == REGO_ARRAY) {
		for (uint32_t i = 0; i < v->count; i++) {
			rv item = gql_prune(c, v->item[i]);
			if (!irrelevant(item))
				list_push(c->m, &l, item);
		}
		return value_array(c->m, l.item, l.count);
	}
	if (v->type != REGO_OBJECT)
		return v;
	for (uint32_t i = 0; i < v->count; i++) {
		if (value_str_is(v->pair[i].key, "Position"))
			continue;
		rv item = gql_prune(c, v->pair[i].val);
		if (irrelevant(item))
			continue;
		list_push(c->m, &l, v->pair[i].key);
		list_push(c->m, &l, item);
	}
	return value_object(c->m, (const struct pair *)(const void *)l.item, l.count / 2);
}

struct slice gql_type_name(rv type)
{
	for (rv elem; type && (elem = gql_get(type, "Elem"));)
		type = elem;
	return gql_str(type, "NamedType");
}

static struct slice in_arena(struct call *c, struct buf *b)
{
	char *copy = buf_error(b) ? NULL : arena_copy(c->m->arena, buf_slice(b));
	size_t size = b->size;
	buf_done(b);
	if (!copy)
		mem_escape(c->m, REGO_ERR_MEMORY);
	return slice_of(copy, size);
}

static void put_type(struct buf *b, rv type)
{
	rv elem = gql_get(type, "Elem");
	if (elem) {
		buf_put_u8(b, '[');
		put_type(b, elem);
		buf_put_u8(b, ']');
	} else {
		buf_put_slice(b, gql_str(type, "NamedType"));
	}
	if (gql_true(type, "NonNull"))
		buf_put_u8(b, '!');
}

struct slice gql_type_text(struct call *c, rv type)
{
	struct buf b = buf_init(mem_room(c->m));
	put_type(&b, type);
	return in_arena(c, &b);
}

static void put_value(struct buf *b, rv value)
{
	enum gql_value kind = gql_value_kind(value);
	rv children = gql_list(value, "Children");
	if (kind == GQL_VARIABLE)
		buf_put_u8(b, '$');
	if (kind == GQL_STRING || kind == GQL_BLOCK) {
		print_json_string(b, gql_str(value, "Raw"));
	} else if (kind < GQL_LIST) {
		buf_put_slice(b, gql_str(value, "Raw"));
	} else {
		buf_put_u8(b, kind == GQL_LIST ? '[' : '{');
		for (uint32_t i = 0; i < children->count; i++) {
			if (i)
				buf_put_u8(b, ',');
			if (kind == GQL_OBJECT) {
				buf_put_slice(b, gql_str(children->item[i], "Name"));
				buf_put_u8(b, ':');
			}
			put_value(b, gql_get(children->item[i], "Value"));
		}
		buf_put_u8(b, kind == GQL_LIST ? ']' : '}');
	}
}

struct slice gql_value_text(struct call *c, rv value)
{
	struct buf b = buf_init(mem_room(c->m));
	put_value(&b, value);
	return in_arena(c, &b);
}
