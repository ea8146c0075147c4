/* SPDX-License-Identifier: Apache-2.0 */
/* net.cidr_*: address ranges, all as 128-bit numbers; no name is ever looked up. */
#include "rego/builtin.h"

typedef unsigned __int128 u128;

struct cidr {
	u128 addr, last;
	u128 given;    /* the address with its bits behind the prefix */
	unsigned bits; /* of the prefix */
	bool v6;
};

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_v4(struct slice s, uint32_t *ret)
{
	uint32_t v = 0;
	size_t at = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t part = 0;
		size_t start = at;
		while (at < s.size && s.data[at] >= '0' && s.data[at] <= '9' && at - start < 3)
			part = part * 10 + (s.data[at++] - '0');
		if (at == start || part > 255 || (at - start > 1 && s.data[start] == '0'))
			return false;
		v = v << 8 | part;
		if (i < 3 && (at >= s.size || s.data[at++] != '.'))
			return false;
	}
	*ret = v;
	return at == s.size;
}

static bool parse_v6(struct slice s, u128 *ret)
{
	uint16_t part[8] = {0};
	int count = 0, gap = -1;
	size_t at = 0;
	if (s.size >= 2 && s.data[0] == ':' && s.data[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < s.size) {
		size_t start = at;
		uint32_t v = 0, v4;
		while (at < s.size && hex(s.data[at]) >= 0 && at - start < 5)
			v = v << 4 | (uint32_t)hex(s.data[at++]);
		if (at < s.size && s.data[at] == '.' && count <= 6 &&
			parse_v4(slice_cut(s, start, s.size), &v4)) {
			part[count++] = (uint16_t)(v4 >> 16);
			part[count++] = (uint16_t)v4;
			break;
		}
		if (at == start || at - start > 4 || count == 8)
			return false;
		part[count++] = (uint16_t)v;
		if (at == s.size)
			break;
		if (s.data[at++] != ':')
			return false;
		if (at < s.size && s.data[at] == ':') {
			if (gap >= 0)
				return false;
			gap = count;
			at++;
		} else if (at == s.size) {
			return false;
		}
	}
	if (gap < 0 ? count != 8 : count > 7)
		return false;
	u128 v = 0;
	for (int i = 0; i < 8; i++) {
		int from = gap < 0 || i < gap ? i : i >= 8 - (count - gap) ? i - (8 - count) : -1;
		v = v << 16 | (from < 0 ? 0 : part[from]);
	}
	*ret = v;
	return true;
}

#define MAPPED ((u128)0xffff << 32) /* ::ffff:0:0/96, which stands for IPv4 */

/* An address or network within ::ffff:0:0/96 is the one of IPv4 that it stands for. */
static void unmap(struct cidr *a)
{
	if (!a->v6 || a->bits < 96 || a->addr >> 32 != MAPPED >> 32)
		return;
	a->v6 = false;
	a->bits -= 96;
	a->addr &= UINT32_MAX;
	a->last &= UINT32_MAX;
	a->given &= UINT32_MAX;
}

static bool parse_ip(struct slice s, struct cidr *ret)
{
	uint32_t v4;
	u128 v6;
	if (parse_v4(s, &v4)) {
		*ret = (struct cidr){.addr = v4, .last = v4, .bits = 32};
		return true;
	}
	if (!parse_v6(s, &v6))
		return false;
	*ret = (struct cidr){.addr = v6, .last = v6, .bits = 128, .v6 = true};
	return true;
}

static bool parse_cidr(struct slice s, struct cidr *ret)
{
	size_t slash = 0;
	while (slash < s.size && s.data[slash] != '/')
		slash++;
	if (slash == s.size || !parse_ip(slice_cut(s, 0, slash), ret))
		return false;
	unsigned bits = 0, width = ret->v6 ? 128 : 32;
	if (s.size == slash + 1)
		return false;
	for (size_t i = slash + 1; i < s.size && bits <= width; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		bits = bits * 10 + (s.data[i] - '0' + 0u);
	}
	if (bits > width)
		return false;
	u128 host = width == bits ? 0 : (((u128)1 << (width - bits - 1)) - 1) * 2 + 1;
	ret->bits = bits;
	ret->addr &= ~host;
	ret->last = ret->addr | host;
	ret->given = ret->addr;
	unmap(ret);
	return true;
}

static bool parse_any(struct slice s, struct cidr *ret)
{
	if (parse_cidr(s, ret))
		return true;
	if (!parse_ip(s, ret))
		return false;
	unmap(ret);
	return true;
}

static rv bad(struct call *c, rv v)
{
	return call_fail(c, "invalid CIDR address: %.100s", v->text);
}

static rv bad_address(struct call *c, rv v)
{
	return call_fail(
		c, "not a valid textual representation of an IP address or CIDR: %.100s", v->text);
}

/* OPA calls either operand the first one in this error. */
static bool address_text(struct call *c, rv v)
{
	return arg_is(c, &v, 1, REGO_STRING);
}

/* Each operand is read before the next one is looked at. */
static bool network_arg(struct call *c, const rv *arg, unsigned pos, struct cidr *ret)
{
	if (!address_text(c, arg[pos - 1]))
		return false;
	if (parse_cidr(value_slice(arg[pos - 1]), ret))
		return true;
	bad(c, arg[pos - 1]);
	return false;
}

static bool inside(const struct cidr *a, const struct cidr *b)
{
	return a->v6 == b->v6 && a->addr <= b->addr && b->last <= a->last;
}

static rv contains(struct call *c, const rv *arg, uint32_t count)
{
	struct cidr a, b;
	if (!network_arg(c, arg, 1, &a) || !address_text(c, arg[1]))
		return NULL;
	if (!parse_any(value_slice(arg[1]), &b))
		return bad_address(c, arg[1]);
	return value_bool(inside(&a, &b));
}

static rv intersects(struct call *c, const rv *arg, uint32_t count)
{
	struct cidr a, b;
	if (!network_arg(c, arg, 1, &a) || !network_arg(c, arg, 2, &b))
		return NULL;
	return value_bool(a.v6 == b.v6 && a.addr <= b.last && b.addr <= a.last);
}

static rv is_valid(struct call *c, const rv *arg, uint32_t count)
{
	struct cidr a;
	return value_bool(arg[0]->type == REGO_STRING && parse_cidr(value_slice(arg[0]), &a));
}

/* As Go prints addresses: RFC 5952. */
static size_t put_ip(char *out, size_t size, const struct cidr *a)
{
	if (!a->v6)
		return (size_t)snprintf(out, size, "%u.%u.%u.%u", (unsigned)(a->addr >> 24) & 255,
			(unsigned)(a->addr >> 16) & 255, (unsigned)(a->addr >> 8) & 255,
			(unsigned)a->addr & 255);
	int best = -1, best_size = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;
		while (i + n < 8 && (uint16_t)(a->addr >> (112 - 16 * (i + n))) == 0)
			n++;
		if (n > best_size) {
			best = i;
			best_size = n;
		}
	}
	size_t n = 0;
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			n += (size_t)snprintf(out + n, size - n, "::");
			i += best_size - 1;
			continue;
		}
		n += (size_t)snprintf(out + n, size - n, "%s%x",
			i && i != best + best_size ? ":" : "",
			(unsigned)(uint16_t)(a->addr >> (112 - 16 * i)));
	}
	return n;
}

static rv ip_value(struct call *c, const struct cidr *a, bool prefix)
{
	char text[64];
	size_t n = put_ip(text, sizeof(text), a);
	if (prefix)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "/%u", a->bits);
	return value_string(c->m, slice_of(text, n));
}

static rv expand(struct call *c, const rv *arg, uint32_t count)
{
	struct cidr a;
	struct list l = {0};
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	if (!parse_cidr(value_slice(arg[0]), &a))
		return bad(c, arg[0]);
	for (u128 at = a.addr;; at++) {
		struct cidr one = {.addr = at, .last = at, .v6 = a.v6};
		list_push(c->m, &l, ip_value(c, &one, false));
		call_charge(c, 4);
		if (at == a.last)
			break;
	}
	return value_set(c->m, l.item, l.count);
}

/* --- cidr_contains_matches --- */

/* Element @i of an operand: what identifies it, and its text. */
static bool element(
	struct call *c, const rv *arg, unsigned pos, uint32_t i, rv *ret_id, rv *ret_text)
{
	rv v = arg[pos - 1], e;
	if (v->type == REGO_STRING) {
		*ret_id = *ret_text = v;
		return true;
	}
	e = v->type == REGO_OBJECT ? v->pair[i].val : v->item[i];
	*ret_id = v->type == REGO_OBJECT  ? v->pair[i].key
		  : v->type == REGO_ARRAY ? value_int(c->m, i)
					  : e;
	bool first = e->type == REGO_ARRAY && e->count > 0;
	*ret_text = first ? e->item[0] : e;
	if (first || e->type == REGO_STRING)
		return true;
	call_fail(c, "operand %u: element must be string or non-empty array", pos);
	return false;
}

/* As in OPA, what is neither text nor a collection has none. */
static uint32_t elements(rv v)
{
	return v->type == REGO_STRING ? 1 : value_is_collection(v) ? v->count : 0;
}

static rv contains_matches(struct call *c, const rv *arg, uint32_t count)
{
	struct list l = {0};
	uint32_t n = elements(arg[0]), k = elements(arg[1]);
	for (uint32_t i = 0; i < n; i++) {
		rv id[2], text[2];
		if (!element(c, arg, 1, i, &id[0], &text[0]))
			return NULL;
		for (uint32_t j = 0; j < k; j++) {
			struct cidr a, b;
			call_charge(c, 4);
			if (!element(c, arg, 2, j, &id[1], &text[1]))
				return NULL;
			if (!network_arg(c, text, 1, &a) || !address_text(c, text[1]))
				return NULL;
			if (!parse_any(value_slice(text[1]), &b))
				return bad_address(c, text[1]);
			if (inside(&a, &b))
				list_push(c->m, &l, value_array(c->m, id, 2));
		}
	}
	return value_set(c->m, l.item, l.count);
}

/* --- cidr_merge --- */

/* All addresses in one space: that of IPv4 is within the other. */
static void map(struct cidr *a)
{
	if (a->v6)
		return;
	a->v6 = true;
	a->bits += 96;
	a->addr |= MAPPED;
	a->last |= MAPPED;
	a->given |= MAPPED;
}

static int by_address(const void *x, const void *y)
{
	const struct cidr *a = x, *b = y;
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

/* The range [from, to] as the fewest prefixes. */
static void put_range(struct call *c, struct list *l, u128 from, u128 to)
{
	for (;;) {
		unsigned bits = 128;
		u128 last = from;
		while (bits > 0) {
			u128 size = (u128)1 << (128 - bits);
			if ((from & size) || from + (size * 2 - 1) > to ||
				from + (size * 2 - 1) < from)
				break;
			bits--;
			last = from + (size * 2 - 1);
		}
		struct cidr one = {.addr = from, .last = last, .bits = bits, .v6 = true};
		unmap(&one);
		list_push(c->m, l, ip_value(c, &one, true));
		if (last >= to)
			return;
		from = last + 1;
	}
}

/* An IPv4 address without prefix stands for its class, as in OPA. */
static bool merge_element(struct call *c, rv v, struct cidr *ret)
{
	if (v->type != REGO_STRING) {
		call_fail(c, "element must be string");
		return false;
	}
	if (parse_cidr(value_slice(v), ret))
		return true;
	if (!parse_any(value_slice(v), ret)) {
		bad(c, v);
		return false;
	}
	if (ret->v6) {
		call_fail(c, "IPv6 invalid: needs prefix length");
		return false;
	}
	unsigned first = (unsigned)(ret->addr >> 24);
	ret->bits = first < 128 ? 8 : first < 192 ? 16 : 24;
	u128 host = ((u128)1 << (32 - ret->bits)) - 1;
	ret->given = ret->addr;
	ret->addr &= ~host;
	ret->last = ret->addr | host;
	return true;
}

static rv merge(struct call *c, const rv *arg, uint32_t count)
{
	rv v = arg[0];
	struct list l = {0};
	if (v->type != REGO_ARRAY && v->type != REGO_SET)
		return call_fail(c, "operand must be an array");
	struct cidr *range = mem_array(c->m, v->count + 1, sizeof(*range) + 16);
	range = (struct cidr *)(((uintptr_t)range + 15) & ~(uintptr_t)15);
	for (uint32_t i = 0; i < v->count; i++)
		if (merge_element(c, v->item[i], &range[i]))
			map(&range[i]);
		else
			return NULL;
	qsort(range, v->count, sizeof(*range), by_address);
	for (uint32_t i = 0, k; i < v->count; i = k) {
		u128 last = range[i].last;
		for (k = i + 1; k < v->count; k++) {
			if (range[k].addr > last && range[k].addr - 1 != last)
				break;
			last = range[k].last > last ? range[k].last : last;
		}
		if (k > i + 1) {
			put_range(c, &l, range[i].addr, last);
			continue;
		}
		/* What is merged with nothing is given back as it came. */
		range[i].addr = range[i].given;
		unmap(&range[i]);
		list_push(c->m, &l, ip_value(c, &range[i], true));
	}
	return value_set(c->m, l.item, l.count);
}

static const struct builtin items[] = {
	{.name = "net.cidr_contains", .arity = 2, .fn = contains},
	{.name = "net.cidr_overlap", .arity = 2, .fn = contains},
	{.name = "net.cidr_intersects", .arity = 2, .fn = intersects},
	{.name = "net.cidr_is_valid", .arity = 1, .fn = is_valid},
	{.name = "net.cidr_expand", .arity = 1, .fn = expand},
	{.name = "net.cidr_contains_matches", .arity = 2, .fn = contains_matches},
	{.name = "net.cidr_merge", .arity = 1, .fn = merge},
};
const struct builtin_table builtin_net_table = {items, ARRAY_COUNT(items)};
