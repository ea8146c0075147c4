/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uuid.rfc4122, uuid.parse, rand.intn. The same arguments give the same answer within an evaluation:
 * it is a function of them and of the embedder's seed.
 */
#include "base/enc.h"
#include "rego/eval.h"

/* splitmix64: every bit of the state decides about every bit of the answer. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t start(struct call *c, rv key, uint64_t salt)
{
	uint64_t state = c->ev->options.seed;
	rv text = value_to_rego(c->m, key);
	for (uint32_t i = 0; i < text->count; i++) {
		state ^= (uint8_t)text->text[i];
		next(&state);
	}
	state ^= salt;
	next(&state);
	return state;
}

static rv rand_intn(struct call *c, const rv *arg, uint32_t count)
{
	int64_t n;
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_int(c, arg, 2, &n))
		return NULL;
	uint64_t limit = n < 0 ? -(uint64_t)n : (uint64_t)n;
	if (limit == 0)
		return value_int(c->m, 0);
	uint64_t state = start(c, arg[0], limit), v;
	/* Draws that would favour small numbers are taken again. */
	do
		v = next(&state);
	while (v >= UINT64_MAX - UINT64_MAX % limit);
	return value_int(c->m, (int64_t)(v % limit));
}

static void put_groups(char *dst, const uint8_t id[16])
{
	static const uint8_t size[] = {4, 2, 2, 2, 6};
	for (size_t i = 0, at = 0; i < ARRAY_COUNT(size); at += size[i++]) {
		hex_str(slice_of(id + at, size[i]), dst, 13);
		dst += 2 * (size_t)size[i];
		if (i < 4)
			*dst++ = '-';
	}
}

static rv uuid_rfc4122(struct call *c, const rv *arg, uint32_t count)
{
	uint8_t id[16];
	char text[64];
	uint64_t state = start(c, arg[0], 0);
	for (size_t i = 0; i < 2; i++) {
		uint64_t v = next(&state);
		memcpy(id + 8 * i, &v, 8);
	}
	id[6] = (id[6] & 0x0f) | 0x40;
	id[8] = (id[8] & 0x3f) | 0x80;
	put_groups(text, id);
	return value_string(c->m, slice_of(text, 36));
}

/* --- uuid.parse --- */

static bool read_hex(struct slice s, size_t *at, uint8_t *dst, size_t size)
{
	bool ok = *at + 2 * size <= s.size &&
		  hex_decode_fixed(dst, size, slice_cut(s, *at, 2 * size)) == 0;
	*at += 2 * size;
	return ok;
}

/* With dashes, in braces, as a URN, or 32 digits. */
static bool read_uuid(struct slice s, uint8_t id[16])
{
	static const uint8_t size[] = {4, 2, 2, 2, 6};
	size_t at = 0, to = 0;
	if (s.size == 32)
		return read_hex(s, &at, id, 16);
	if (s.size == 45 && strncasecmp((const char *)s.data, "urn:uuid:", 9) == 0)
		at = 9;
	else if (s.size == 38 && s.data[0] == '{' && s.data[37] == '}')
		at = 1;
	else if (s.size != 36)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(size); to += size[i++]) {
		if (i > 0 && s.data[at++] != '-')
			return false;
		if (!read_hex(s, &at, id + to, size[i]))
			return false;
	}
	return true;
}

static uint64_t be(const uint8_t *p, size_t size)
{
	uint64_t v = 0;
	for (size_t i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

static void put(struct call *c, struct list *l, const char *name, rv v)
{
	list_push(c->m, l, value_cstr(c->m, name));
	list_push(c->m, l, v);
}

static const char *variant(uint8_t v)
{
	return (v & 0xc0) == 0x80   ? "RFC4122"
	       : (v & 0xe0) == 0xc0 ? "Microsoft"
	       : (v & 0xe0) == 0xe0 ? "Future"
				    : "Reserved";
}

/* What versions 1 and 2 say about time and place. */
static void put_origin(struct call *c, struct list *l, const uint8_t id[16])
{
	/* 100 ns since 1582-10-15. */
	int64_t ticks = (int64_t)(be(id, 4) | be(id + 4, 2) << 32 | (be(id + 6, 2) & 0xfff) << 48);
	int64_t since_1970 = ticks - 0x01b21dd213814000;
	char node[24];
	snprintf(node, sizeof(node), "%02x-%02x-%02x-%02x-%02x-%02x", id[10], id[11], id[12],
		id[13], id[14], id[15]);
	put(c, l, "time", value_int(c->m, (int64_t)((uint64_t)since_1970 * 100)));
	put(c, l, "nodeid", value_cstr(c->m, node));
	put(c, l, "macvariables",
		value_cstr(c->m, (id[10] & 3) == 3 ? "local:multicast"
				 : id[10] & 1	   ? "global:multicast"
				 : id[10] & 2	   ? "local:unicast"
						   : "global:unicast"));
	put(c, l, "clocksequence", value_int(c->m, (int64_t)(be(id + 8, 2) & 0x3fff)));
}

static void put_domain(struct call *c, struct list *l, const uint8_t id[16])
{
	static const char *const names[] = {"Person", "Group", "Org"};
	char other[16];
	snprintf(other, sizeof(other), "Domain%u", id[9]);
	put(c, l, "id", value_int(c->m, (int64_t)be(id, 4)));
	put(c, l, "domain", value_cstr(c->m, id[9] < 3 ? names[id[9]] : other));
}

static rv uuid_parse(struct call *c, const rv *arg, uint32_t count)
{
	uint8_t id[16];
	struct list l = {0};
	if (!arg_is(c, arg, 1, REGO_STRING) || !read_uuid(value_slice(arg[0]), id))
		return NULL;
	unsigned version = id[6] >> 4;
	put(c, &l, "version", value_int(c->m, version));
	put(c, &l, "variant", value_cstr(c->m, variant(id[8])));
	if (version == 1 || version == 2)
		put_origin(c, &l, id);
	if (version == 2)
		put_domain(c, &l, id);
	return value_object(c->m, (const struct pair *)(const void *)l.item, l.count / 2);
}

static const struct builtin items[] = {
	{.name = "rand.intn", .arity = 2, .nondeterministic = true, .fn = rand_intn},
	{.name = "uuid.rfc4122", .arity = 1, .nondeterministic = true, .fn = uuid_rfc4122},
	{.name = "uuid.parse", .arity = 1, .fn = uuid_parse},
};
const struct builtin_table builtin_random_table = {items, ARRAY_COUNT(items)};
