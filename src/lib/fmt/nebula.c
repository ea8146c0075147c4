/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/nebula.h"

#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"

#define PEM_LINE 48 /* bytes, 64 characters */
#define SECONDS_MAX ((int64_t)100 * 366 * 86400)

/* --- what people write --- */

/* Cuts the first element off a list that commas separate, without blanks around it. */
static struct slice next_element(struct slice *rest)
{
	const uint8_t *end = rest->size ? memchr(rest->data, ',', rest->size) : NULL;
	size_t n = end ? (size_t)(end - rest->data) : rest->size;
	struct slice s = slice_cut(*rest, 0, n);

	*rest = slice_cut(*rest, end ? n + 1 : n, rest->size);
	while (s.size && s.data[0] == ' ')
		s = slice_cut(s, 1, s.size);
	while (s.size && s.data[s.size - 1] == ' ')
		s = slice_cut(s, 0, s.size - 1);
	return s;
}

static uint32_t mask_of(uint8_t prefix)
{
	return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

/* Decimal, without leading zeros: they mean octal to some. */
static int read_number(struct slice *rest, char end, uint32_t max, uint32_t *ret)
{
	const uint8_t *at = rest->size ? memchr(rest->data, end, rest->size) : NULL;
	size_t n = end == '\0' ? rest->size : at ? (size_t)(at - rest->data) : 0;
	struct slice digits = slice_cut(*rest, 0, n);

	if (n == 0 || (n > 1 && digits.data[0] == '0') || parse_u32(digits, 0, max, ret) < 0)
		return -EINVAL;
	*rest = slice_cut(*rest, end == '\0' ? n : n + 1, rest->size);
	return 0;
}

static int read_net(struct slice text, struct nebula_net *ret)
{
	uint32_t address = 0, v = 0;
	struct slice rest = text;

	for (int i = 0; i < 4; i++) {
		if (read_number(&rest, i < 3 ? '.' : '/', 255, &v) < 0)
			return -EINVAL;
		address = address << 8 | v;
	}
	if (read_number(&rest, '\0', 32, &v) < 0)
		return -EINVAL;
	*ret = (struct nebula_net){address, (uint8_t)v};
	return 0;
}

int nebula_nets_parse(struct slice text, bool masked, struct nebula_net *ret, size_t *ret_count,
	struct err *reterr)
{
	*ret_count = 0;
	while (text.size) {
		struct slice s = next_element(&text);
		struct nebula_net net;

		if (s.size == 0)
			continue;
		if (*ret_count == NEBULA_NETS_MAX)
			return err_set(reterr, -E2BIG, "more than %d networks", NEBULA_NETS_MAX);
		if (read_net(s, &net) < 0)
			return err_set(reterr, -EINVAL,
				"%.*s is no IPv4 address with the size of its network",
				(int)MIN(s.size, (size_t)32), (const char *)s.data);
		if (masked)
			net.address &= mask_of(net.prefix);
		ret[(*ret_count)++] = net;
	}
	return 0;
}

int nebula_groups_parse(struct slice text, struct slice *ret, size_t *ret_count, struct err *reterr)
{
	*ret_count = 0;
	while (text.size) {
		struct slice s = next_element(&text);

		if (s.size == 0)
			continue;
		if (*ret_count == NEBULA_GROUPS_MAX)
			return err_set(reterr, -E2BIG, "more than %d groups", NEBULA_GROUPS_MAX);
		if (s.size > NEBULA_NAME_MAX || !utf8_valid(s))
			return err_set(reterr, -EINVAL, "a group's name is too long or not UTF-8");
		ret[(*ret_count)++] = s;
	}
	return 0;
}

int nebula_duration_parse(struct slice text, int64_t *ret, struct err *reterr)
{
	int64_t total = 0;
	bool good = text.size > 0;

	while (good && text.size) {
		size_t n = 0;
		uint32_t v = 0;
		int64_t unit;

		while (n < text.size && text.data[n] >= '0' && text.data[n] <= '9')
			n++;
		good = n > 0 && n < text.size &&
		       parse_u32(slice_cut(text, 0, n), 0, UINT32_MAX, &v) == 0;
		unit = !good		     ? 0
		       : text.data[n] == 'h' ? 3600
		       : text.data[n] == 'm' ? 60
		       : text.data[n] == 's' ? 1
					     : 0;
		total += unit * v;
		good = good && unit && total <= SECONDS_MAX;
		text = slice_cut(text, MIN(n + 1, text.size), text.size);
	}
	if (!good || total == 0)
		return err_set(reterr, -EINVAL,
			"a duration is hours, minutes and seconds: 8h, 1h30m, 90s");
	*ret = total;
	return 0;
}

/* --- what a CA allows --- */

static bool net_within(const struct nebula_net *net, const struct nebula_net *of, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (net->prefix >= of[i].prefix &&
			((net->address ^ of[i].address) & mask_of(of[i].prefix)) == 0)
			return true;
	}
	return count == 0;
}

static bool group_among(struct slice group, const struct slice *of, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_eq(group, of[i]))
			return true;
	}
	return count == 0;
}

int nebula_allowed(
	const struct nebula_details *ca, const struct nebula_details *d, struct err *reterr)
{
	if (d->not_before < ca->not_before || d->not_after > ca->not_after)
		return err_set(reterr, -EACCES, "the certificate would outlive its CA's");
	for (size_t i = 0; i < d->ip_count; i++) {
		if (!net_within(&d->ips[i], ca->ips, ca->ip_count))
			return err_set(reterr, -EACCES, "the CA has no such addresses");
	}
	for (size_t i = 0; i < d->subnet_count; i++) {
		if (!net_within(&d->subnets[i], ca->subnets, ca->subnet_count))
			return err_set(reterr, -EACCES, "the CA has no such subnets");
	}
	for (size_t i = 0; i < d->group_count; i++) {
		if (!group_among(d->groups[i], ca->groups, ca->group_count))
			return err_set(reterr, -EACCES, "the CA has no such group");
	}
	return 0;
}

/* --- protocol buffers --- */

static void put_varint(struct buf *out, uint64_t v)
{
	for (; v > 127; v >>= 7)
		buf_put_u8(out, (uint8_t)(v | 128));
	buf_put_u8(out, (uint8_t)v);
}

static void put_bytes(struct buf *out, unsigned field, struct slice s)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, s.size);
	buf_put_slice(out, s);
}

/* What is 0 is left out: the receiver encodes again before it verifies. */
static void put_number(struct buf *out, unsigned field, uint64_t v)
{
	if (v == 0)
		return;
	put_varint(out, field << 3);
	put_varint(out, v);
}

/* Addresses and masks in turn, packed. */
static void put_nets(struct buf *out, unsigned field, const struct nebula_net *nets, size_t count)
{
	cleanup_with(buf_done) struct buf packed = buf_init(0);

	for (size_t i = 0; i < count; i++) {
		put_varint(&packed, nets[i].address);
		put_varint(&packed, mask_of(nets[i].prefix));
	}
	if (count)
		put_bytes(out, field, buf_slice(&packed));
}

int nebula_put_details(struct buf *out, const struct nebula_details *d)
{
	if (d->name.size == 0 || d->name.size > NEBULA_NAME_MAX || !utf8_valid(d->name) ||
		d->not_before < 0 || d->not_after < d->not_before)
		return -EINVAL;
	put_bytes(out, 1, d->name);
	put_nets(out, 2, d->ips, d->ip_count);
	put_nets(out, 3, d->subnets, d->subnet_count);
	for (size_t i = 0; i < d->group_count; i++)
		put_bytes(out, 4, d->groups[i]);
	put_number(out, 5, (uint64_t)d->not_before);
	put_number(out, 6, (uint64_t)d->not_after);
	put_bytes(out, 7, slice_of(d->public_key, sizeof(d->public_key)));
	put_number(out, 8, d->is_ca);
	if (!d->is_ca)
		put_bytes(out, 9, slice_of(d->issuer, sizeof(d->issuer)));
	return buf_error(out);
}

void nebula_put_certificate(
	struct buf *out, struct slice details, const uint8_t signature[NEBULA_SIGNATURE_SIZE])
{
	put_bytes(out, 1, details);
	put_bytes(out, 2, slice_of(signature, NEBULA_SIGNATURE_SIZE));
}

void nebula_put_pem(struct buf *out, const char *kind, struct slice bytes)
{
	buf_printf(out, "-----BEGIN %s-----\n", kind);
	for (size_t at = 0; at < bytes.size; at += PEM_LINE) {
		b64_encode(out, slice_cut(bytes, at, PEM_LINE), B64_STD);
		buf_put_u8(out, '\n');
	}
	buf_printf(out, "-----END %s-----\n", kind);
}
