/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of Nebula's certificates, of both versions. */
#include <stdlib.h>

#include "base/enc.h"
#include "base/str.h"
#include "fmt/der.h"
#include "fmt/nebula.h"

#define PEM_LINE 48 /* bytes, 64 characters */
#define DETAILS_MAX ((size_t)48 << 10)

/* Spec: cert/cert_v2.asn1 of nebula 1.10, AUTOMATIC TAGS. */
enum {
	TAG_DETAILS = 0xA0,
	TAG_CURVE = 0x81,
	TAG_PUBLIC_KEY,
	TAG_SIGNATURE,
	TAG_NAME = 0x80,
	TAG_NETWORKS = 0xA1,
	TAG_UNSAFE_NETWORKS,
	TAG_GROUPS,
	TAG_IS_CA = 0x84,
	TAG_NOT_BEFORE,
	TAG_NOT_AFTER,
	TAG_ISSUER,
	TAG_UTF8 = 0x0C,
};

static struct slice public_key_of(const struct nebula_details *d)
{
	return slice_of(
		d->public_key, d->curve == NEBULA_P256 ? NEBULA_POINT_SIZE : NEBULA_KEY_SIZE);
}

/* --- what nodes take --- */

static bool is_zero(const struct nebula_net *net)
{
	static const uint8_t zero[sizeof(net->address)];

	return memcmp(net->address, zero, sizeof(zero)) == 0;
}

static bool has_family(const struct nebula_details *d, bool v6)
{
	for (size_t i = 0; i < d->ip_count; i++) {
		if (d->ips[i].v6 == v6)
			return true;
	}
	return false;
}

/* IPv4 first, as nodes compare them. */
static int compare(const void *x, const void *y)
{
	const struct nebula_net *a = x, *b = y;
	int r = a->v6 - b->v6;

	if (r == 0)
		r = memcmp(a->address, b->address, sizeof(a->address));
	return r ? r : a->prefix - b->prefix;
}

/* Version 2 has them in order, each once. */
static int sort(const struct nebula_net *nets, size_t count, struct nebula_net *ret)
{
	memcpy(ret, nets, count * sizeof(*ret));
	qsort(ret, count, sizeof(*ret), compare);
	for (size_t i = 1; i < count; i++) {
		if (compare(&ret[i - 1], &ret[i]) == 0)
			return -EINVAL;
	}
	return 0;
}

static int check_v1(const struct nebula_details *d, struct err *reterr)
{
	if (!d->is_ca && d->ip_count != 1)
		return err_set(reterr, -EINVAL, "ip must be one address");
	for (size_t i = 0; i < d->subnet_count; i++) {
		if (d->subnets[i].v6)
			return err_set(reterr, -EINVAL, "version 1 has IPv4 subnets only");
	}
	return has_family(d, true) ? err_set(reterr, -EINVAL, "version 1 has IPv4 addresses only")
				   : 0;
}

static int check_v2(const struct nebula_details *d, struct err *reterr)
{
	struct nebula_net sorted[NEBULA_NETS_MAX];

	if (!d->is_ca && d->ip_count == 0)
		return err_set(reterr, -EINVAL, "ip must be an address, or several");
	for (size_t i = 0; !d->is_ca && i < d->subnet_count; i++) {
		if (!has_family(d, d->subnets[i].v6))
			return err_set(reterr, -EINVAL, "%s subnets need an %s address",
				d->subnets[i].v6 ? "IPv6" : "IPv4",
				d->subnets[i].v6 ? "IPv6" : "IPv4");
	}
	if (sort(d->ips, d->ip_count, sorted) < 0 || sort(d->subnets, d->subnet_count, sorted) < 0)
		return err_set(reterr, -EINVAL, "a network is there twice");
	return 0;
}

int nebula_check(const struct nebula_details *d, struct err *reterr)
{
	if (d->name.size == 0 || d->name.size > NEBULA_NAME_MAX || !utf8_valid(d->name))
		return err_set(
			reterr, -EINVAL, "a name has 1 to %d bytes of UTF-8", NEBULA_NAME_MAX);
	if (d->not_before < 0 || d->not_after < d->not_before)
		return err_set(reterr, -EINVAL, "the certificate would end before it begins");
	for (size_t i = 0; i < d->ip_count; i++) {
		if (is_zero(&d->ips[i]))
			return err_set(reterr, -EINVAL, "nodes do not take the address 0%s",
				d->is_ca ? ": name none for all" : "");
	}
	return d->version == 2	 ? check_v2(d, reterr)
	       : d->version == 1 ? check_v1(d, reterr)
				 : err_set(reterr, -EINVAL, "the version must be 1 or 2");
}

/* --- version 1: protocol buffers --- */

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

static uint32_t address_v4(const struct nebula_net *net)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | net->address[i];
	return v;
}

/* Addresses and masks in turn, packed. */
static void put_nets(struct buf *out, unsigned field, const struct nebula_net *nets, size_t count)
{
	cleanup_with(buf_done) struct buf packed = buf_init(0);

	for (size_t i = 0; i < count; i++) {
		put_varint(&packed, address_v4(&nets[i]));
		put_varint(&packed, nets[i].prefix ? UINT32_MAX << (32 - nets[i].prefix) : 0);
	}
	if (count)
		put_bytes(out, field, buf_slice(&packed));
}

static void put_details_v1(struct buf *out, const struct nebula_details *d)
{
	put_bytes(out, 1, d->name);
	put_nets(out, 2, d->ips, d->ip_count);
	put_nets(out, 3, d->subnets, d->subnet_count);
	for (size_t i = 0; i < d->group_count; i++)
		put_bytes(out, 4, d->groups[i]);
	put_number(out, 5, (uint64_t)d->not_before);
	put_number(out, 6, (uint64_t)d->not_after);
	put_bytes(out, 7, public_key_of(d));
	put_number(out, 8, d->is_ca);
	if (!d->is_ca)
		put_bytes(out, 9, slice_of(d->issuer, sizeof(d->issuer)));
	put_number(out, 100, d->curve);
}

/* --- version 2: DER --- */

static void put_der_nets(struct buf *out, uint8_t tag, const struct nebula_net *nets, size_t count)
{
	cleanup_with(buf_done) struct buf list = buf_init(DETAILS_MAX);
	struct nebula_net sorted[NEBULA_NETS_MAX];

	(void)!sort(nets, count, sorted);
	for (size_t i = 0; i < count; i++) {
		uint8_t bytes[17];
		size_t n = sorted[i].v6 ? 16 : 4;

		memcpy(bytes, sorted[i].address, n);
		bytes[n] = sorted[i].prefix;
		der_put(&list, DER_OCTET_STRING, slice_of(bytes, n + 1));
	}
	if (count)
		der_put(out, tag, buf_slice(&list));
}

/* An INTEGER under another tag: the fewest bytes that leave the sign bit clear. */
static void put_der_time(struct buf *out, uint8_t tag, int64_t v)
{
	uint8_t bytes[9] = {0};
	size_t first = 1;

	for (int i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
	while (first < 8 && bytes[first] == 0)
		first++;
	if (bytes[first] & 0x80)
		first--;
	der_put(out, tag, slice_of(bytes + first, sizeof(bytes) - first));
}

static void put_details_v2(struct buf *out, const struct nebula_details *d)
{
	cleanup_with(buf_done) struct buf details = buf_init(DETAILS_MAX);
	cleanup_with(buf_done) struct buf groups = buf_init(DETAILS_MAX);
	static const uint8_t yes = 0xFF;

	der_put(&details, TAG_NAME, d->name);
	put_der_nets(&details, TAG_NETWORKS, d->ips, d->ip_count);
	put_der_nets(&details, TAG_UNSAFE_NETWORKS, d->subnets, d->subnet_count);
	for (size_t i = 0; i < d->group_count; i++)
		der_put(&groups, TAG_UTF8, d->groups[i]);
	if (d->group_count)
		der_put(&details, TAG_GROUPS, buf_slice(&groups));
	if (d->is_ca)
		der_put(&details, TAG_IS_CA, slice_of(&yes, 1));
	put_der_time(&details, TAG_NOT_BEFORE, d->not_before);
	put_der_time(&details, TAG_NOT_AFTER, d->not_after);
	if (!d->is_ca)
		der_put(&details, TAG_ISSUER, slice_of(d->issuer, sizeof(d->issuer)));
	der_put(out, TAG_DETAILS, buf_slice(&details));
}

/* --- both --- */

int nebula_put_signed(struct buf *out, const struct nebula_details *d)
{
	int r = nebula_check(d, NULL);

	if (r < 0)
		return r;
	if (d->version == 1) {
		put_details_v1(out, d);
	} else {
		put_details_v2(out, d);
		buf_put_u8(out, (uint8_t)d->curve);
		buf_put_slice(out, public_key_of(d));
	}
	return buf_error(out);
}

int nebula_put_certificate(struct buf *out, const struct nebula_details *d, struct slice signature)
{
	cleanup_with(buf_done) struct buf inner = buf_init(DETAILS_MAX);
	uint8_t curve = (uint8_t)d->curve;
	int r = nebula_check(d, NULL);

	if (r < 0)
		return r;
	if (d->version == 1) {
		put_details_v1(&inner, d);
		put_bytes(out, 1, buf_slice(&inner));
		put_bytes(out, 2, signature);
	} else {
		put_details_v2(&inner, d);
		if (curve)
			der_put(&inner, TAG_CURVE, slice_of(&curve, 1));
		der_put(&inner, TAG_PUBLIC_KEY, public_key_of(d));
		der_put(&inner, TAG_SIGNATURE, signature);
		der_put(out, DER_SEQUENCE, buf_slice(&inner));
	}
	return buf_error(&inner) < 0 ? buf_error(&inner) : buf_error(out);
}

int nebula_put_identity(struct buf *out, const struct nebula_details *d, struct slice signature)
{
	int r;

	if (d->version == 1)
		return nebula_put_certificate(out, d, signature);
	r = nebula_put_signed(out, d);
	if (r < 0)
		return r;
	buf_put_slice(out, signature);
	return buf_error(out);
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
