/* SPDX-License-Identifier: Apache-2.0 */
#include "evlog.h"

#define SHA1_ZERO_SIZE 20
#define SPEC_ID_FIXED_SIZE 28

static int room(const struct evlog *l, uint32_t size)
{
	return size > EVLOG_SIZE_MAX - l->size ? -E2BIG : 0;
}

static void put(struct evlog *l, const void *data, uint32_t size)
{
	memcpy(l->bytes + l->size, data, size);
	l->size += size;
}

static void put16(struct evlog *l, uint16_t v)
{
	put_u16le(l->bytes + l->size, v);
	l->size += 2;
}

static void put32(struct evlog *l, uint32_t v)
{
	put_u32le(l->bytes + l->size, v);
	l->size += 4;
}

int evlog_start(struct evlog *l, const struct evlog_banks *banks)
{
	static const uint8_t zero[SHA1_ZERO_SIZE];
	l->size = 0;
	if (banks->count == 0 || banks->count > EVLOG_BANK_MAX)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < banks->count; i++)
		if (bank_digest_size(banks->alg[i]) == 0)
			return -EOPNOTSUPP;
	l->banks = *banks;
	/* The first event has the old form, with a SHA-1 digest of zeroes. */
	put32(l, 0);
	put32(l, EV_NO_ACTION);
	put(l, zero, sizeof(zero));
	put32(l, (uint32_t)(SPEC_ID_FIXED_SIZE + 4 * banks->count + 1));
	put(l, "Spec ID Event03", 16);
	put32(l, 0); /* platformClass: client */
	/* specVersionMinor 0, Major 2, errata 0, uintnSize 2: 64-bit */
	put(l, "\0\2\0\2", 4);
	put32(l, (uint32_t)banks->count);
	for (size_t i = 0; i < banks->count; i++) {
		put16(l, banks->alg[i]);
		put16(l, (uint16_t)bank_digest_size(banks->alg[i]));
	}
	put(l, zero, 1); /* vendorInfoSize */
	return 0;
}

int evlog_add(struct evlog *l, uint32_t pcr, uint32_t type, const struct evlog_digests *digests,
	const void *event, uint32_t event_size)
{
	uint32_t fixed = 16;
	for (size_t i = 0; i < l->banks.count; i++)
		fixed += 2 + (uint32_t)bank_digest_size(l->banks.alg[i]);
	if (event_size > EVLOG_SIZE_MAX || room(l, fixed + event_size))
		return -E2BIG;
	put32(l, pcr);
	put32(l, type);
	put32(l, (uint32_t)l->banks.count);
	for (size_t i = 0; i < l->banks.count; i++) {
		put16(l, l->banks.alg[i]);
		put(l, digests->value[i], (uint32_t)bank_digest_size(l->banks.alg[i]));
	}
	put32(l, event_size);
	put(l, event, event_size);
	return 0;
}

void evlog_digest_data(
	const struct evlog_banks *banks, const void *data, size_t size, struct evlog_digests *ret)
{
	for (size_t i = 0; i < banks->count; i++)
		bank_hash(banks->alg[i], data, size, ret->value[i]);
}

void evlog_digest_sha256(const struct evlog_banks *banks, const uint8_t sha256[SHA256_SIZE],
	struct evlog_digests *ret)
{
	evlog_digest_data(banks, sha256, SHA256_SIZE, ret);
	for (size_t i = 0; i < banks->count; i++)
		if (banks->alg[i] == ALG_SHA256)
			memcpy(ret->value[i], sha256, SHA256_SIZE);
}
