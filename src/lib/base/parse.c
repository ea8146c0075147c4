/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

static int digits(struct slice s, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.size == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		unsigned d;
		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10U;
		else if (c >= 'A' && c <= 'F')
			d = c - 'A' + 10U;
		else
			return -EINVAL;
		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
			__builtin_add_overflow(v, (uint64_t)d, &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int parse_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = digits(s, 10, &v);
	if (r < 0)
		return r;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_u32(struct slice s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r = parse_u64(s, min, max, &v);
	if (r < 0)
		return r;
	*ret = (uint32_t)v;
	return 0;
}

int parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = s.size > 0 && s.data[0] == '-';
	uint64_t v;
	int r = digits(negative ? slice_cut(s, 1, s.size) : s, 10, &v);
	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -ERANGE;
	int64_t n = negative ? (int64_t)(0 - v) : (int64_t)v;
	if (n < min || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

int parse_hex64(struct slice s, uint64_t *ret)
{
	if (slice_starts(s, SLICE_LIT("0x")) || slice_starts(s, SLICE_LIT("0X")))
		s = slice_cut(s, 2, s.size);
	if (s.size > 16)
		return -ERANGE;
	return digits(s, 16, ret);
}

int parse_octal(struct slice s, uint64_t *ret)
{
	return digits(s, 8, ret);
}

int parse_size(struct slice s, uint64_t min, uint64_t max, uint64_t *ret)
{
	static const char units[] = "KMGT";
	size_t n = 0;
	while (n < s.size && s.data[n] >= '0' && s.data[n] <= '9')
		n++;
	uint64_t v;
	int r = digits(slice_cut(s, 0, n), 10, &v);
	if (r < 0)
		return r;
	struct slice suffix = slice_cut(s, n, s.size);
	if (suffix.size > 0) {
		char c = (char)(suffix.data[0] & ~0x20);
		const char *u = memchr(units, c, 4);
		struct slice rest = slice_cut(suffix, 1, suffix.size);
		if (!u)
			return -EINVAL;
		if (rest.size > 0 && !slice_eq_str(rest, "iB") && !slice_eq_str(rest, "i") &&
			!slice_eq_str(rest, "B"))
			return -EINVAL;
		unsigned shift = 10U * ((unsigned)(u - units) + 1);
		if (v > UINT64_MAX >> shift)
			return -ERANGE;
		v <<= shift;
	}
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int parse_bool(struct slice s, bool *ret)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};
	for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
		if (slice_eq_str(s, yes[i])) {
			*ret = true;
			return 0;
		}
		if (slice_eq_str(s, no[i])) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}
