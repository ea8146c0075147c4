/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/json.h"

#include "base/enc.h"
#include "fmt/json_plain.h"

#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

/* jansson recurses per level and allows 2048 of them, so depth is checked on the text first. */
static int check_depth(struct slice in, struct err *reterr)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < in.size; i++) {
		uint8_t c = in.data[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return err_at(reterr, -E2BIG, i, NULL,
					"JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int json_parse(struct slice in, size_t max, json_t **ret, struct err *reterr)
{
	json_error_t e;

	if (in.size > (max ? max : JSON_SIZE_DEFAULT))
		return err_set(reterr, -E2BIG, "JSON of %zu bytes is larger than %zu", in.size,
			max ? max : JSON_SIZE_DEFAULT);
	json_t *j = json_plain(in);
	if (j) {
		*ret = j;
		return 0;
	}
	int r = check_depth(in, reterr);
	if (r < 0)
		return r;
	if (in.size == 0)
		return err_set(reterr, -EBADMSG, "JSON is empty");
	j = json_loadb((const char *)in.data, in.size, LOAD_FLAGS, &e);
	if (!j)
		return err_at(reterr, -EBADMSG, e.position < 0 ? 0 : (size_t)e.position, NULL,
			"bad JSON at line %d column %d: %s", e.line, e.column, e.text);
	*ret = j;
	return 0;
}

json_t *json_parse_own(struct slice in)
{
	json_t *j = json_plain(in);

	return j ? j : json_loadb((const char *)in.data, in.size, LOAD_FLAGS, NULL);
}

static int member(const json_t *o, const char *name, json_t **ret, struct err *reterr)
{
	if (!json_is_object(o))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"\"%s\" wanted from something that "
			"is not a JSON object",
			name);
	json_t *v = json_object_get(o, name);
	if (!v)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "member \"%s\" is missing", name);
	*ret = v;
	return 0;
}

static int wrong_type(const char *name, const char *want, struct err *reterr)
{
	return err_at(
		reterr, -EBADMSG, ERR_NO_OFFSET, name, "member \"%s\" must be %s", name, want);
}

int json_get_str(const json_t *o, const char *name, const char **ret, struct err *reterr)
{
	json_t *v = NULL;
	int r = member(o, name, &v, reterr);
	if (r < 0)
		return r;
	if (!json_is_string(v))
		return wrong_type(name, "a string", reterr);
	*ret = json_string_value(v);
	return 0;
}

int json_byte(const json_t *v, uint8_t *ret)
{
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
	if (n < 0 || n > UINT8_MAX)
		return -EBADMSG;
	*ret = (uint8_t)n;
	return 0;
}

int json_get_bytes(
	const json_t *o, const char *name, size_t max, struct buf *out, struct err *reterr)
{
	json_t *array = NULL;
	int r = json_get_array(o, name, max, &array, reterr);
	if (r < 0)
		return r;
	size_t size = json_array_size(array);
	uint8_t *to = buf_reserve(out, size);
	for (size_t i = 0; to && i < size; i++) {
		if (json_byte(json_array_get(array, i), to + i) < 0)
			return err_at(reterr, -EBADMSG, i, name,
				"member \"%s\" is not an array of bytes", name);
	}
	if (to)
		buf_commit(out, size);
	return buf_error(out);
}

int json_opt_str(const json_t *o, const char *name, const char **ret, struct err *reterr)
{
	json_t *v = json_object_get(o, name);
	if (v && !json_is_null(v) && !json_is_string(v))
		return wrong_type(name, "a string", reterr);
	*ret = json_string_value(v);
	return 0;
}

int json_get_int(const json_t *o, const char *name, int64_t min, int64_t max, int64_t *ret,
	struct err *reterr)
{
	json_t *v = NULL;
	int r = member(o, name, &v, reterr);
	if (r < 0)
		return r;
	if (!json_is_integer(v))
		return wrong_type(name, "an integer", reterr);
	int64_t n = (int64_t)json_integer_value(v);
	if (n < min || n > max)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"member \"%s\" is %lld, outside %lld to %lld", name, (long long)n,
			(long long)min, (long long)max);
	*ret = n;
	return 0;
}

int json_get_bool(const json_t *o, const char *name, bool *ret, struct err *reterr)
{
	json_t *v = NULL;
	int r = member(o, name, &v, reterr);
	if (r < 0)
		return r;
	if (!json_is_boolean(v))
		return wrong_type(name, "true or false", reterr);
	*ret = json_is_true(v);
	return 0;
}

int json_get_object(const json_t *o, const char *name, json_t **ret, struct err *reterr)
{
	json_t *v = NULL;
	int r = member(o, name, &v, reterr);
	if (r < 0)
		return r;
	if (!json_is_object(v))
		return wrong_type(name, "an object", reterr);
	*ret = v;
	return 0;
}

int json_get_array(
	const json_t *o, const char *name, size_t max_count, json_t **ret, struct err *reterr)
{
	json_t *v = NULL;
	int r = member(o, name, &v, reterr);
	if (r < 0)
		return r;
	if (!json_is_array(v))
		return wrong_type(name, "an array", reterr);
	if (json_array_size(v) > max_count)
		return err_at(reterr, -E2BIG, ERR_NO_OFFSET, name,
			"member \"%s\" has %zu elements, more than %zu", name, json_array_size(v),
			max_count);
	*ret = v;
	return 0;
}

int json_get_b64(const json_t *o, const char *name, struct buf *out, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);
	if (r < 0)
		return r;
	r = b64_decode_any(out, slice_str(text));
	return r < 0 ? err_at(reterr, r, ERR_NO_OFFSET, name, "member \"%s\" is not base64", name)
		     : 0;
}

int json_get_hex(const json_t *o, const char *name, struct buf *out, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);
	if (r < 0)
		return r;
	r = hex_decode(out, slice_str(text));
	return r < 0 ? err_at(reterr, r, ERR_NO_OFFSET, name, "member \"%s\" is not hex", name) : 0;
}

int json_set_take(json_t *o, const char *name, json_t *value)
{
	return json_object_set_new(o, name, value) == 0 ? 0 : -ENOMEM;
}

int json_set_str(json_t *o, const char *name, const char *value)
{
	return json_set_take(o, name, json_string(value));
}

int json_set_slice(json_t *o, const char *name, struct slice value)
{
	return json_set_take(
		o, name, json_stringn(value.data ? (const char *)value.data : "", value.size));
}

int json_set_hex(json_t *o, const char *name, struct slice value)
{
	char small[2 * 96 + 1];
	cleanup_with(buf_done) struct buf text = buf_init(0);

	/* Hex needs no check for UTF-8, and what evidence is made of needs no allocation. */
	if (value.size <= (sizeof(small) - 1) / 2) {
		hex_str(value, small, sizeof(small));
		return json_set_take(o, name, json_stringn_nocheck(small, 2 * value.size));
	}
	hex_encode(&text, value);
	return buf_error(&text) < 0
		       ? buf_error(&text)
		       : json_set_take(o, name, json_stringn_nocheck(buf_str(&text), text.size));
}

int json_set_b64(json_t *o, const char *name, struct slice value, int b64_variant)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	b64_encode(&text, value, (enum b64_variant)b64_variant);
	return buf_error(&text) < 0 ? buf_error(&text) : json_set_str(o, name, buf_str(&text));
}

int json_set_int(json_t *o, const char *name, int64_t value)
{
	return json_set_take(o, name, json_integer((json_int_t)value));
}

int json_set_bool(json_t *o, const char *name, bool value)
{
	return json_set_take(o, name, json_boolean(value));
}

static int append(const char *data, size_t size, void *cookie)
{
	struct buf *out = cookie;
	buf_put(out, data, size);
	return buf_error(out) < 0 ? -1 : 0;
}

int json_write(const json_t *j, struct buf *out)
{
	int r = json_dump_callback(j, append, out, JSON_COMPACT | JSON_ENCODE_ANY);
	return buf_error(out) < 0 ? buf_error(out) : r < 0 ? -ENOMEM : 0;
}

int json_write_pretty(const json_t *j, struct buf *out)
{
	int r = json_dump_callback(j, append, out, JSON_INDENT(2) | JSON_ENCODE_ANY);
	return buf_error(out) < 0 ? buf_error(out) : r < 0 ? -ENOMEM : 0;
}
