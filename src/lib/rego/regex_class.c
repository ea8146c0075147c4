/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of code points. */
#include "rego/regex.h"
#include "rego/text.h"

#define MAX_RUNE 0x10ffffu

void re_ranges_add(struct mem *m, struct re_ranges *r, uint32_t from, uint32_t to)
{
	if (r->count == r->capacity) {
		uint32_t capacity = r->capacity ? r->capacity * 2 : 8;
		uint32_t *range = mem_array(m, capacity, 2 * sizeof(uint32_t));
		if (r->count)
			memcpy(range, r->range, r->count * 2 * sizeof(uint32_t));
		r->range = range;
		r->capacity = capacity;
	}
	r->range[2 * r->count] = from;
	r->range[2 * r->count + 1] = to;
	r->count++;
}

static int by_start(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return x[0] < y[0] ? -1 : x[0] > y[0];
}

void re_ranges_finish(struct re_ranges *r)
{
	if (r->count == 0)
		return;
	qsort(r->range, r->count, 2 * sizeof(uint32_t), by_start);
	uint32_t kept = 0;
	for (uint32_t i = 1; i < r->count; i++) {
		uint32_t from = r->range[2 * i], to = r->range[2 * i + 1];
		if (from <= r->range[2 * kept + 1] || from == r->range[2 * kept + 1] + 1) {
			r->range[2 * kept + 1] = MAX(r->range[2 * kept + 1], to);
		} else {
			kept++;
			r->range[2 * kept] = from;
			r->range[2 * kept + 1] = to;
		}
	}
	r->count = kept + 1;
}

void re_ranges_negate(struct mem *m, struct re_ranges *r)
{
	struct re_ranges n = {0};
	re_ranges_finish(r);
	uint32_t next = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->range[2 * i] > next)
			re_ranges_add(m, &n, next, r->range[2 * i] - 1);
		next = r->range[2 * i + 1] + 1;
	}
	if (next <= MAX_RUNE)
		re_ranges_add(m, &n, next, MAX_RUNE);
	*r = n;
}

struct fold {
	struct mem *m;
	struct re_ranges *to;
	const struct re_ranges *in; /* sorted */
};

static bool has(const struct re_ranges *r, uint32_t code)
{
	uint32_t low = 0, high = r->count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (code > r->range[2 * mid + 1])
			low = mid + 1;
		else if (code < r->range[2 * mid])
			high = mid;
		else
			return true;
	}
	return false;
}

static void fold_pair(void *cookie, uint32_t a, uint32_t b)
{
	struct fold *f = cookie;
	/* The Turkish i without and with a dot fold to nothing. */
	if (a == 0x130 || a == 0x131)
		return;
	if (has(f->in, a))
		re_ranges_add(f->m, f->to, b, b);
	if (has(f->in, b))
		re_ranges_add(f->m, f->to, a, a);
}

/*
 * Adds the other cases of every letter. There are up to three others, as with the two small sigmas,
 * and each pass over the pairs of upper and lower case finds their neighbours.
 */
void re_ranges_fold(struct mem *m, struct re_ranges *r)
{
	for (int pass = 0; pass < 2; pass++) {
		re_ranges_finish(r);
		struct re_ranges before = {.count = 0}, more = {.count = 0};
		for (uint32_t i = 0; i < r->count; i++)
			re_ranges_add(m, &before, r->range[2 * i], r->range[2 * i + 1]);
		struct fold f = {m, &more, &before};
		strings_case_pairs(fold_pair, &f);
		for (uint32_t i = 0; i < more.count; i++)
			re_ranges_add(m, r, more.range[2 * i], more.range[2 * i + 1]);
	}
	re_ranges_finish(r);
}

struct named {
	const char *name;
	uint32_t range[10];
};

static bool add_named(struct mem *m, struct re_ranges *r, const uint32_t *range)
{
	for (size_t i = 0; range[i + 1] != 0; i += 2)
		re_ranges_add(m, r, range[i], range[i + 1]);
	return true;
}

bool re_perl_class(struct mem *m, struct re_ranges *r, uint8_t c)
{
	static const uint32_t digit[] = {'0', '9', 0, 0},
			      space[] = {'\t', '\n', '\f', '\r', ' ', ' ', 0, 0};
	static const uint32_t word[] = {'0', '9', 'A', 'Z', '_', '_', 'a', 'z', 0, 0};
	const uint32_t *range;
	switch (c | 0x20) {
	case 'd':
		range = digit;
		break;
	case 's':
		range = space;
		break;
	case 'w':
		range = word;
		break;
	default:
		return false;
	}
	struct re_ranges own = {0};
	add_named(m, &own, range);
	if (!(c & 0x20))
		re_ranges_negate(m, &own);
	for (uint32_t i = 0; i < own.count; i++)
		re_ranges_add(m, r, own.range[2 * i], own.range[2 * i + 1]);
	return true;
}

bool re_posix_class(struct mem *m, struct re_ranges *r, struct slice name)
{
	static const struct named table[] = {
		{"alnum", {'0', '9', 'A', 'Z', 'a', 'z'}},
		{"alpha", {'A', 'Z', 'a', 'z'}},
		{"ascii", {0, 0x7f}},
		{"blank", {'\t', '\t', ' ', ' '}},
		{"cntrl", {0, 0x1f, 0x7f, 0x7f}},
		{"digit", {'0', '9'}},
		{"graph", {'!', '~'}},
		{"lower", {'a', 'z'}},
		{"print", {' ', '~'}},
		{"punct", {'!', '/', ':', '@', '[', '`', '{', '~'}},
		{"space", {'\t', '\r', ' ', ' '}},
		{"upper", {'A', 'Z'}},
		{"word", {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}},
		{"xdigit", {'0', '9', 'A', 'F', 'a', 'f'}},
	};
	bool negate = name.size > 0 && name.data[0] == '^';
	if (negate)
		name = slice_cut(name, 1, name.size);
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		if (!slice_eq_str(name, table[i].name))
			continue;
		struct re_ranges own = {0};
		add_named(m, &own, table[i].range);
		if (negate)
			re_ranges_negate(m, &own);
		for (uint32_t k = 0; k < own.count; k++)
			re_ranges_add(m, r, own.range[2 * k], own.range[2 * k + 1]);
		return true;
	}
	return false;
}

/* What has another case and is neither an upper nor a lower case letter: titles, marks, numerals. */
static bool other_case(uint32_t c)
{
	return c == 0x345 || (c >= 0x2160 && c <= 0x217f) || (c >= 0x24b6 && c <= 0x24e9) ||
	       (c >= 0x1f88 && c <= 0x1faf && c % 16 >= 8) || c == 0x1fbc || c == 0x1fcc ||
	       c == 0x1ffc || (strings_lower(c) != c && strings_upper(c) != c);
}

static void add_case(struct mem *m, struct re_ranges *r, bool upper)
{
	for (uint32_t c = 0x41; c < 0x2ce4; c++) {
		if (other_case(c))
			continue;
		uint32_t other = upper ? strings_lower(c) : strings_upper(c);
		if (other != c)
			re_ranges_add(m, r, c, c);
	}
	if (!upper)
		re_ranges_add(m, r, 0xdf, 0xdf);
}

/* Coarse tables: the blocks of the scripts, and the categories by ASCII and blocks of letters. */
bool re_unicode_class(struct mem *m, struct re_ranges *r, struct slice name)
{
	static const struct {
		const char *name;
		uint32_t range[28];
	} table[] = {
		{"Any", {1, MAX_RUNE}},
		{"L", {0x41, 0x5a, 0x61, 0x7a, 0xaa, 0xaa, 0xb5, 0xb5, 0xba, 0xba, 0xc0, 0xd6, 0xd8,
			      0xf6, 0xf8, 0x2c1, 0x370, 0x373, 0x376, 0x377, 0x386, 0x386, 0x388,
			      0x481, 0x48a, 0x559}},
		{"N", {'0', '9', 0xb2, 0xb3, 0xb9, 0xb9, 0xbc, 0xbe, 0x660, 0x669, 0x6f0, 0x6f9,
			      0x966, 0x96f, 0x2070, 0x2079, 0x2150, 0x218b, 0x2460, 0x249b, 0xff10,
			      0xff19}},
		{"Nd", {'0', '9', 0x660, 0x669, 0x6f0, 0x6f9, 0x966, 0x96f, 0x9e6, 0x9ef, 0xff10,
			       0xff19}},
		{"P", {'!', '#', '%', '*', ',', '/', ':', ';', '?', '@', '[', ']', '_', '_', '{',
			      '{', '}', '}', 0xa1, 0xa1, 0xab, 0xab, 0xbb, 0xbb, 0x2010, 0x2027}},
		{"S", {'$', '$', '+', '+', '<', '>', '^', '^', '`', '`', '|', '|', '~', '~', 0xa2,
			      0xa9, 0xac, 0xac, 0xae, 0xb1, 0xb4, 0xb4, 0x20a0, 0x20c0, 0x2190,
			      0x23ff}},
		{"Z", {' ', ' ', 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f,
			      0x202f, 0x205f, 0x205f, 0x3000, 0x3000}},
		{"Zs", {' ', ' ', 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x202f, 0x202f,
			       0x205f, 0x205f, 0x3000, 0x3000}},
		{"C", {1, 0x1f, 0x7f, 0x9f, 0xad, 0xad, 0x200b, 0x200f, 0x202a, 0x202e}},
		{"Cc", {1, 0x1f, 0x7f, 0x9f}},
		{"Latin", {0x41, 0x5a, 0x61, 0x7a, 0xaa, 0xaa, 0xba, 0xba, 0xc0, 0xd6, 0xd8, 0xf6,
				  0xf8, 0x2b8, 0x1e00, 0x1eff, 0xff21, 0xff3a, 0xff41, 0xff5a}},
		{"Greek", {0x370, 0x373, 0x375, 0x377, 0x37a, 0x37d, 0x37f, 0x37f, 0x384, 0x384,
				  0x386, 0x386, 0x388, 0x3e1, 0x3f0, 0x3ff, 0x1f00, 0x1ffe}},
		{"Cyrillic", {0x400, 0x484, 0x487, 0x52f, 0x1c80, 0x1c88, 0x2de0, 0x2dff, 0xa640,
				     0xa69f}},
		{"Han", {0x2e80, 0x2fd5, 0x3005, 0x3005, 0x3007, 0x3007, 0x3021, 0x3029, 0x3400,
				0x4dbf, 0x4e00, 0x9fff, 0xf900, 0xfad9, 0x20000, 0x323af}},
		{"Hiragana", {0x3041, 0x3096, 0x309d, 0x309f}},
		{"Katakana", {0x30a1, 0x30fa, 0x30fd, 0x30ff, 0x31f0, 0x31ff, 0xff66, 0xff9d}},
		{"Arabic", {0x600, 0x604, 0x606, 0x6ff, 0x750, 0x77f}},
		{"Hebrew", {0x591, 0x5f4}},
		{"Hangul", {0x1100, 0x11ff, 0x3131, 0x318e, 0xac00, 0xd7a3}},
		{"Thai", {0xe01, 0xe3a, 0xe40, 0xe5b}},
	};
	if (slice_eq_str(name, "Lu") || slice_eq_str(name, "Ll")) {
		add_case(m, r, name.data[1] == 'u');
		return true;
	}
	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (slice_eq_str(name, table[i].name)) {
			add_named(m, r, table[i].range);
			if (slice_eq_str(name, "L")) {
				static const uint32_t more[] = {0x5d0, 0x5ea, 0x620, 0x64a, 0x671,
					0x6d3, 0x904, 0x939, 0xe01, 0xe30, 0x10a0, 0x10fa, 0x1100,
					0x1248, 0x1e00, 0x1ffc, 0x3041, 0x3096, 0x30a1, 0x30fa,
					0x3400, 0x4dbf, 0x4e00, 0x9fff, 0xac00, 0xd7a3, 0xff21,
					0xff3a, 0xff41, 0xff5a, 0x20000, 0x323af, 0, 0};
				add_named(m, r, more);
			}
			return true;
		}
	return false;
}

bool re_in_class(const struct re_class *c, uint32_t code)
{
	uint32_t low = 0, high = c->count;
	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (code < c->range[2 * mid])
			high = mid;
		else if (code > c->range[2 * mid + 1])
			low = mid + 1;
		else
			return true;
	}
	return false;
}
