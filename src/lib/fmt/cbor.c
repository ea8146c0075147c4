/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cbor.h"

#include "base/rd.h"
#include "base/str.h"

static int take_argument(struct rd *rd, unsigned info, uint64_t *ret)
{
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	int r;

	if (info < 24) {
		*ret = info;
		return 0;
	}
	switch (info) {
	case 24:
		r = rd_u8(rd, &u8);
		*ret = u8;
		return r == 0 && u8 < 24 ? -EBADMSG : r;
	case 25:
		r = rd_u16be(rd, &u16);
		*ret = u16;
		return r == 0 && u16 <= UINT8_MAX ? -EBADMSG : r;
	case 26:
		r = rd_u32be(rd, &u32);
		*ret = u32;
		return r == 0 && u32 <= UINT16_MAX ? -EBADMSG : r;
	case 27:
		r = rd_u64be(rd, ret);
		return r == 0 && *ret <= UINT32_MAX ? -EBADMSG : r;
	default:
		return -EBADMSG; /* reserved, or an indefinite length */
	}
}

/* Floats are carried as their bits: no profile here uses one. */
static int take_simple(struct rd *rd, unsigned info, uint64_t *ret)
{
	uint8_t u8 = 0;

	*ret = info;
	if (info < 24)
		return 0;
	if (info == 24) {
		int r = rd_u8(rd, &u8);
		*ret = u8;
		return r == 0 && u8 < 32 ? -EBADMSG : r;
	}
	return info <= 27 ? rd_skip(rd, (size_t)1 << (info - 24)) : -EBADMSG;
}

/* One head, with the bytes of a string. What is inside of containers follows in @rd. */
static int take_head(struct rd *rd, struct cbor *ret)
{
	uint8_t first = 0;
	size_t start = rd_pos(rd);

	int r = rd_u8(rd, &first);
	if (r < 0)
		return r;
	struct cbor c = {.kind = (enum cbor_kind)(first >> 5)};
	unsigned info = first & 31;
	r = c.kind == CBOR_SIMPLE ? take_simple(rd, info, &c.number)
				  : take_argument(rd, info, &c.number);
	if (r == 0 && (c.kind == CBOR_BYTES || c.kind == CBOR_TEXT))
		r = c.number > rd_left(rd) ? -ENODATA : rd_slice(rd, (size_t)c.number, &c.bytes);
	if (r == 0 && c.kind == CBOR_TEXT && !utf8_valid(c.bytes))
		r = -EBADMSG;
	if (r < 0)
		return r;
	c.raw = slice_cut(rd->in, start, rd_pos(rd) - start);
	*ret = c;
	return 0;
}

/* How many items are directly inside; each has at least one byte. */
static int children(const struct cbor *c, const struct rd *rd, uint64_t *ret)
{
	*ret = 0;
	if (c->kind == CBOR_ARRAY)
		*ret = c->number;
	else if (c->kind == CBOR_MAP)
		*ret = c->number > CBOR_PAIRS_MAX ? UINT64_MAX : 2 * c->number;
	else if (c->kind == CBOR_TAG)
		*ret = 1;
	if (c->kind == CBOR_MAP && c->number > CBOR_PAIRS_MAX)
		return -EBADMSG;
	return *ret > rd_left(rd) ? -ENODATA : 0;
}

struct level {
	uint64_t left; /* items still to come */
	size_t start;  /* of what is inside */
	bool map;
};

static int unique_keys(struct slice inside);

/*
 * Past one whole item. @deep: it comes from outside and is checked; else it was checked before, and
 * only its end is sought.
 */
static int take_item(struct rd *rd, bool deep, struct cbor *ret)
{
	struct level levels[CBOR_DEPTH_MAX];
	size_t depth = 0, start = rd_pos(rd), inside = 0;
	struct cbor c, first = {0};

	do {
		uint64_t count = 0;
		int r = take_head(rd, &c);
		if (r == 0)
			r = children(&c, rd, &count);
		if (r < 0)
			return r;
		if (first.raw.size == 0) {
			first = c;
			inside = rd_pos(rd);
		}
		if (depth > 0)
			levels[depth - 1].left--;
		if (count > 0) {
			if (depth == CBOR_DEPTH_MAX)
				return -EBADMSG;
			levels[depth++] = (struct level){count, rd_pos(rd), c.kind == CBOR_MAP};
		}
		while (depth > 0 && levels[depth - 1].left == 0) {
			const struct level *l = &levels[--depth];
			if (deep && l->map)
				r = unique_keys(slice_cut(rd->in, l->start, rd_pos(rd) - l->start));
			if (r < 0)
				return r;
		}
	} while (depth > 0);
	if (first.kind >= CBOR_ARRAY && first.kind <= CBOR_TAG)
		first.bytes = slice_cut(rd->in, inside, rd_pos(rd) - inside);
	first.raw = slice_cut(rd->in, start, rd_pos(rd) - start);
	*ret = first;
	return 0;
}

/* One value has one encoding, since longer ones are refused: keys are compared as bytes. */
static int unique_keys(struct slice inside)
{
	struct slice keys[CBOR_PAIRS_MAX];
	struct rd rd = rd_init(inside);
	size_t count = 0;
	struct cbor key, value;

	while (!rd_end(&rd)) {
		int r = take_item(&rd, false, &key);
		if (r == 0)
			r = take_item(&rd, false, &value);
		if (r < 0 || count == CBOR_PAIRS_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < count; i++) {
			if (slice_eq(keys[i], key.raw))
				return -EBADMSG;
		}
		keys[count++] = key.raw;
	}
	return 0;
}

int cbor_parse(struct slice in, struct cbor *ret, struct err *reterr)
{
	struct rd rd = rd_init(in);
	struct cbor c;

	int r = take_item(&rd, true, &c);
	if (r == -ENODATA)
		return err_at(reterr, r, rd_pos(&rd), NULL, "CBOR ends within an item");
	if (r == 0 && !rd_end(&rd))
		return err_at(
			reterr, -EBADMSG, rd_pos(&rd), NULL, "bytes follow after the CBOR item");
	if (r < 0)
		return err_at(reterr, r, rd_pos(&rd), NULL,
			"CBOR is malformed, nested too deeply, or not in its one plain form "
			"(near byte %zu)",
			rd_pos(&rd));
	*ret = c;
	return 0;
}

int cbor_next(struct slice *rest, struct cbor *ret)
{
	struct rd rd = rd_init(*rest);

	if (rest->size == 0)
		return -ENODATA;
	int r = take_item(&rd, false, ret);
	if (r == 0)
		*rest = rd_rest(&rd);
	return r;
}

int cbor_int(const struct cbor *c, int64_t *ret)
{
	if (c->kind > CBOR_NEGINT || c->number > INT64_MAX)
		return -EBADMSG;
	*ret = c->kind == CBOR_UINT ? (int64_t)c->number : -1 - (int64_t)c->number;
	return 0;
}

int cbor_find(const struct cbor *map, int64_t key, struct cbor *ret)
{
	struct slice rest = map->bytes;
	struct cbor name, value;
	int64_t number;

	if (map->kind != CBOR_MAP)
		return -ENOENT;
	while (cbor_next(&rest, &name) == 0 && cbor_next(&rest, &value) == 0) {
		if (cbor_int(&name, &number) == 0 && number == key) {
			*ret = value;
			return 0;
		}
	}
	return -ENOENT;
}

void cbor_put_head(struct buf *out, enum cbor_kind kind, uint64_t number)
{
	unsigned major = (unsigned)kind << 5;

	if (number < 24) {
		buf_put_u8(out, (uint8_t)(major | number));
	} else if (number <= UINT8_MAX) {
		buf_put_u8(out, (uint8_t)(major | 24));
		buf_put_u8(out, (uint8_t)number);
	} else if (number <= UINT16_MAX) {
		buf_put_u8(out, (uint8_t)(major | 25));
		buf_put_u16be(out, (uint16_t)number);
	} else if (number <= UINT32_MAX) {
		buf_put_u8(out, (uint8_t)(major | 26));
		buf_put_u32be(out, (uint32_t)number);
	} else {
		buf_put_u8(out, (uint8_t)(major | 27));
		buf_put_u64be(out, number);
	}
}

void cbor_put_int(struct buf *out, int64_t value)
{
	if (value < 0)
		cbor_put_head(out, CBOR_NEGINT, (uint64_t)(-1 - value));
	else
		cbor_put_head(out, CBOR_UINT, (uint64_t)value);
}

void cbor_put_bytes(struct buf *out, struct slice bytes)
{
	cbor_put_head(out, CBOR_BYTES, bytes.size);
	buf_put_slice(out, bytes);
}

void cbor_put_text(struct buf *out, const char *text)
{
	cbor_put_head(out, CBOR_TEXT, strlen(text));
	buf_put_str(out, text);
}
