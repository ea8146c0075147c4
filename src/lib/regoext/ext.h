/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the built-ins of this folder share. */
#include "base/buf.h"
#include "rego/rego.h"

typedef const struct rego_value *val;

/* The last step of a built-in: NULL is a value that did not fit the memory budget. */
static inline int ext_return(val *ret, val v)
{
	*ret = v;
	return v ? 0 : REGO_ERR_MEMORY;
}
static inline val ext_str(struct rego_call *call, const char *s)
{
	return rego_make_string(rego_call_eval(call), slice_str(s));
}
static inline val ext_buf(struct rego_call *call, const struct buf *b)
{
	return buf_error(b) ? NULL : rego_make_string(rego_call_eval(call), buf_slice(b));
}
static inline bool ext_is(val v, enum rego_type type)
{
	return v && rego_type(v) == type;
}
/* Whether @v is an integer as Go's parser reads one: digits only, not 1e9. */
bool ext_int(val v, int64_t *ret);
/* Whether a member is a string; the text in @ret then. */
bool ext_member(val object, const char *name, struct slice *ret);

/*
 * An object under construction. Names that are not literals must outlive it. More pairs than fit
 * make it fail, as running out of memory does.
 */
#define EXT_PAIRS 64
struct ext_object {
	struct rego_eval *e;
	size_t count;
	bool failed;
	val pair[2 * EXT_PAIRS];
};
void ext_put(struct ext_object *o, const char *name, val v);
void ext_put_str(struct ext_object *o, const char *name, struct slice v);
void ext_put_int(struct ext_object *o, const char *name, int64_t v);
val ext_object(struct ext_object *o);

/* A growing array of values; release with ext_list_done(). */
struct ext_list {
	val *item;
	size_t count, capacity;
	bool failed;
};
void ext_push(struct ext_list *l, val v);
val ext_array(struct ext_list *l, struct rego_eval *e);
void ext_list_done(struct ext_list *l);

/* JSON as Go writes it into other documents: '<', '>' and '&' are escaped. */
void ext_json(struct buf *out, val v);
/* Base64 in one of the forms OPA takes; *ret_bad is where it is not. */
must_check int ext_b64url(struct buf *out, struct slice in, size_t *ret_bad);

extern const struct rego_builtin ext_hash_list[], ext_jwt_list[], ext_x509_list[],
	ext_private_list[], ext_aws_list[], ext_yaml_list[];
extern const size_t ext_hash_count, ext_jwt_count, ext_x509_count, ext_private_count, ext_aws_count,
	ext_yaml_count;
