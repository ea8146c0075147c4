/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "ext.h"
#include "regoext/regoext.h"

#define ZONE_SIZE_MAX ((size_t)64 << 10)
#define ZONE_FOLDER "/usr/share/zoneinfo/"

int regoext_register(struct rego_compiler *c)
{
	int r = rego_compiler_builtins(c, ext_hash_list, ext_hash_count);
	if (r == 0)
		r = rego_compiler_builtins(c, ext_jwt_list, ext_jwt_count);
	if (r == 0)
		r = rego_compiler_builtins(c, ext_x509_list, ext_x509_count);
	if (r == 0)
		r = rego_compiler_builtins(c, ext_private_list, ext_private_count);
	if (r == 0)
		r = rego_compiler_builtins(c, ext_aws_list, ext_aws_count);
	if (r == 0)
		r = rego_compiler_builtins(c, ext_yaml_list, ext_yaml_count);
	return r;
}

/* Names of zones are letters, digits and "+-_" in parts between slashes: none leads upwards. */
static bool zone_name_ok(const char *name)
{
	size_t size = strlen(name);
	if (size == 0 || size > 64 || name[0] == '/' || name[size - 1] == '/')
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = name[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		if (c == '/' ? name[i - 1] == '/'
			     : !letter && !(c >= '0' && c <= '9') && !strchr("+-_", c))
			return false;
	}
	return true;
}

int regoext_time_zone(void *cookie, const char *name, struct buf *out)
{
	char path[128];
	if (!zone_name_ok(name))
		return -ENOENT;
	snprintf(path, sizeof(path), ZONE_FOLDER "%s", name);
	return file_read(path, ZONE_SIZE_MAX, out, NULL);
}

bool ext_int(val v, int64_t *ret)
{
	return ext_is(v, REGO_NUMBER) && rego_text(v).size == 0 && rego_int(v, ret) == 0;
}

bool ext_member(val object, const char *name, struct slice *ret)
{
	val v = rego_member(object, name);
	if (!ext_is(v, REGO_STRING))
		return false;
	*ret = rego_text(v);
	return true;
}

void ext_put(struct ext_object *o, const char *name, val v)
{
	val key = rego_make_string(o->e, slice_str(name));
	if (!key || !v || o->count == EXT_PAIRS) {
		o->failed = true;
		return;
	}
	o->pair[2 * o->count] = key;
	o->pair[2 * o->count++ + 1] = v;
}

void ext_put_str(struct ext_object *o, const char *name, struct slice v)
{
	ext_put(o, name, rego_make_string(o->e, v));
}

void ext_put_int(struct ext_object *o, const char *name, int64_t v)
{
	ext_put(o, name, rego_make_int(o->e, v));
}

val ext_object(struct ext_object *o)
{
	return o->failed ? NULL : rego_make_object(o->e, o->pair, o->count);
}

void ext_push(struct ext_list *l, val v)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 16;
		val *item = reallocarray((void *)l->item, capacity, sizeof(*item));
		if (!item) {
			l->failed = true;
			return;
		}
		l->item = item;
		l->capacity = capacity;
	}
	l->item[l->count++] = v;
}

val ext_array(struct ext_list *l, struct rego_eval *e)
{
	return l->failed ? NULL : rego_make_array(e, l->item, l->count);
}

void ext_list_done(struct ext_list *l)
{
	free((void *)l->item);
	*l = (struct ext_list){0};
}

void ext_json(struct buf *out, val v)
{
	cleanup_with(buf_done) struct buf plain = {0};
	rego_json(&plain, v);
	for (size_t i = 0; i < plain.size; i++) {
		uint8_t c = plain.data[i];
		if (c == '<' || c == '>' || c == '&')
			buf_printf(out, "\\u%04x", c);
		else
			buf_put_u8(out, c);
	}
	if (buf_error(&plain))
		out->error = buf_error(&plain);
}

int ext_b64url(struct buf *out, struct slice in, size_t *ret_bad)
{
	bool padded = in.size > 0 && in.data[in.size - 1] == '=';
	return b64_decode_lenient(out, in, padded ? B64_URL_PADDED : B64_URL, ret_bad);
}
