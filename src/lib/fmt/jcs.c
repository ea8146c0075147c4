/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/jcs.h"

#include <inttypes.h>
#include <math.h>

#include "base/str.h"

#define DEPTH_MAX 64

static int write_value(const json_t *j, struct buf *out, int depth);

static int write_string(struct slice s, struct buf *out)
{
	if (!utf8_valid(s))
		return -EBADMSG;
	buf_put_u8(out, '"');
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		static const char short_form[] = "\bb\ff\nn\rr\tt\"\"\\\\";
		const char *found = NULL;
		for (size_t k = 0; k + 1 < sizeof(short_form); k += 2) {
			if ((uint8_t)short_form[k] == c)
				found = &short_form[k];
		}
		if (found)
			buf_printf(out, "\\%c", found[1]);
		else if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_put_u8(out, c);
	}
	buf_put_u8(out, '"');
	return buf_error(out);
}

/* ECMAScript Number::toString: the shortest digits that read back to the same double. */
static int write_real(double v, struct buf *out)
{
	char text[40];
	int precision = 1;

	if (!isfinite(v))
		return -EBADMSG;
	if (v == 0) {
		buf_put_u8(out, '0');
		return buf_error(out);
	}
	if (v < 0) {
		buf_put_u8(out, '-');
		v = -v;
	}
	for (; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision - 1, v);
		if (strtod(text, NULL) == v)
			break;
	}
	const char *e = strchr(text, 'e');
	char digits[24] = {0};
	size_t count = 0;
	for (const char *p = text; p < e && count < sizeof(digits) - 1; p++) {
		if (*p != '.')
			digits[count++] = *p;
	}
	while (count > 1 && digits[count - 1] == '0')
		count--;
	int point = (int)strtol(e + 1, NULL, 10) + 1; /* digits before the decimal point */
	int n = (int)count;
	if (point >= n && point <= 21) {
		buf_put(out, digits, count);
		for (int i = n; i < point; i++)
			buf_put_u8(out, '0');
	} else if (point > 0 && point <= 21) {
		buf_put(out, digits, (size_t)point);
		buf_put_u8(out, '.');
		buf_put(out, digits + point, (size_t)(n - point));
	} else if (point > -6 && point <= 0) {
		buf_put_str(out, "0.");
		for (int i = point; i < 0; i++)
			buf_put_u8(out, '0');
		buf_put(out, digits, count);
	} else {
		buf_put_u8(out, (uint8_t)digits[0]);
		if (n > 1) {
			buf_put_u8(out, '.');
			buf_put(out, digits + 1, count - 1);
		}
		buf_printf(out, "e%c%d", point - 1 < 0 ? '-' : '+', abs(point - 1));
	}
	return buf_error(out);
}

/* Order of UTF-16 code units: differs from byte order only where a supplementary character meets
 * U+E000..U+FFFF, because surrogates sort below those. */
static int compare_keys(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	while (*x && *x == *y)
		x++, y++;
	/* Step back to the start of the character in which they differ. */
	while (((uint8_t)*x & 0xC0) == 0x80 && ((uint8_t)*y & 0xC0) == 0x80)
		x--, y--;
	uint8_t p = (uint8_t)*x, q = (uint8_t)*y;
	bool p_sup = p >= 0xF0, q_sup = q >= 0xF0;
	if (p_sup != q_sup && (p_sup ? q : p) >= 0xEE)
		return p_sup ? -1 : 1;
	return __builtin_strcmp(x, y);
}

static int write_object(const json_t *j, struct buf *out, int depth)
{
	size_t count = json_object_size(j), n = 0;
	const char *key;
	json_t *value;
	int r = 0;

	const char **keys = calloc(count ? count : 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	/* jansson's iteration macro wants a non-const object but does not change it. */
	union {
		const json_t *c;
		json_t *m;
	} object = {j};
	json_object_foreach (object.m, key, value) {
		if (n < count)
			keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	buf_put_u8(out, '{');
	for (size_t i = 0; i < n && r == 0; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		r = write_string(slice_str(keys[i]), out);
		buf_put_u8(out, ':');
		if (r == 0)
			r = write_value(json_object_get(j, keys[i]), out, depth + 1);
	}
	buf_put_u8(out, '}');
	free(keys);
	return r < 0 ? r : buf_error(out);
}

static int write_array(const json_t *j, struct buf *out, int depth)
{
	int r = 0;
	buf_put_u8(out, '[');
	for (size_t i = 0; i < json_array_size(j) && r == 0; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		r = write_value(json_array_get(j, i), out, depth + 1);
	}
	buf_put_u8(out, ']');
	return r < 0 ? r : buf_error(out);
}

/* Recursion is bounded by DEPTH_MAX. */
static int write_value(const json_t *j, struct buf *out, int depth)
{
	if (depth > DEPTH_MAX)
		return -E2BIG;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return write_object(j, out, depth);
	case JSON_ARRAY:
		return write_array(j, out, depth);
	case JSON_STRING:
		return write_string(slice_of(json_string_value(j), json_string_length(j)), out);
	case JSON_INTEGER: {
		/* Integers past 2^53 are doubles to every JCS peer. */
		json_int_t v = json_integer_value(j);
		if (v > -(1LL << 53) && v < 1LL << 53) {
			buf_printf(out, "%" JSON_INTEGER_FORMAT, v);
			return buf_error(out);
		}
		return write_real((double)v, out);
	}
	case JSON_REAL:
		return write_real(json_real_value(j), out);
	case JSON_TRUE:
		buf_put_str(out, "true");
		break;
	case JSON_FALSE:
		buf_put_str(out, "false");
		break;
	case JSON_NULL:
		buf_put_str(out, "null");
		break;
	}
	return buf_error(out);
}

int jcs_write(const json_t *j, struct buf *out)
{
	return j ? write_value(j, out, 0) : -EBADMSG;
}
