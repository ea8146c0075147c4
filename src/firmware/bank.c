/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1, SHA-384 and SHA-512 for the other PCR banks: short inputs, so small beats fast. */
#include "hash.h"

static inline uint32_t rol32(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}
static inline uint64_t ror64(uint64_t v, unsigned n)
{
	return v >> n | v << (64 - n);
}
static uint64_t get_u64be(const uint8_t *p)
{
	return (uint64_t)get_u32be(p) << 32 | get_u32be(p + 4);
}

/*
 * Feeds @data with the padding of FIPS 180-4 section 5.1 (0x80, zeroes, bit count at the end) to
 * @block, @block_size bytes at a time.
 */
static void each_block(const uint8_t *data, size_t size, size_t block_size, void *state,
	void (*block)(void *state, const uint8_t *p))
{
	uint8_t last[128];
	size_t count_size = block_size / 8, at = 0;
	for (; size - at >= block_size; at += block_size)
		block(state, data + at);
	memset(last, 0, sizeof(last));
	memcpy(last, data + at, size - at);
	last[size - at] = 0x80;
	if (size - at >= block_size - count_size) {
		block(state, last);
		memset(last, 0, sizeof(last));
	}
	put_u64be(last + block_size - 8, (uint64_t)size * 8);
	block(state, last);
}

static void sha1_block(void *context, const uint8_t *p)
{
	uint32_t *s = context, w[80];
	uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4];
	for (size_t i = 0; i < 16; i++)
		w[i] = get_u32be(p + 4 * i);
	for (size_t i = 16; i < 80; i++)
		w[i] = rol32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (size_t i = 0; i < 80; i++) {
		uint32_t f, k;
		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		uint32_t t = rol32(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rol32(b, 30);
		b = a;
		a = t;
	}
	s[0] += a;
	s[1] += b;
	s[2] += c;
	s[3] += d;
	s[4] += e;
}

void sha1_once(const void *data, size_t size, uint8_t ret[SHA1_SIZE])
{
	uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	each_block(data, size, 64, state, sha1_block);
	for (size_t i = 0; i < 5; i++)
		put_u32be(ret + 4 * i, state[i]);
}

static const uint64_t g_k512[80] = {
	0x428a2f98d728ae22,
	0x7137449123ef65cd,
	0xb5c0fbcfec4d3b2f,
	0xe9b5dba58189dbbc,
	0x3956c25bf348b538,
	0x59f111f1b605d019,
	0x923f82a4af194f9b,
	0xab1c5ed5da6d8118,
	0xd807aa98a3030242,
	0x12835b0145706fbe,
	0x243185be4ee4b28c,
	0x550c7dc3d5ffb4e2,
	0x72be5d74f27b896f,
	0x80deb1fe3b1696b1,
	0x9bdc06a725c71235,
	0xc19bf174cf692694,
	0xe49b69c19ef14ad2,
	0xefbe4786384f25e3,
	0x0fc19dc68b8cd5b5,
	0x240ca1cc77ac9c65,
	0x2de92c6f592b0275,
	0x4a7484aa6ea6e483,
	0x5cb0a9dcbd41fbd4,
	0x76f988da831153b5,
	0x983e5152ee66dfab,
	0xa831c66d2db43210,
	0xb00327c898fb213f,
	0xbf597fc7beef0ee4,
	0xc6e00bf33da88fc2,
	0xd5a79147930aa725,
	0x06ca6351e003826f,
	0x142929670a0e6e70,
	0x27b70a8546d22ffc,
	0x2e1b21385c26c926,
	0x4d2c6dfc5ac42aed,
	0x53380d139d95b3df,
	0x650a73548baf63de,
	0x766a0abb3c77b2a8,
	0x81c2c92e47edaee6,
	0x92722c851482353b,
	0xa2bfe8a14cf10364,
	0xa81a664bbc423001,
	0xc24b8b70d0f89791,
	0xc76c51a30654be30,
	0xd192e819d6ef5218,
	0xd69906245565a910,
	0xf40e35855771202a,
	0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8,
	0x1e376c085141ab53,
	0x2748774cdf8eeb99,
	0x34b0bcb5e19b48a8,
	0x391c0cb3c5c95a63,
	0x4ed8aa4ae3418acb,
	0x5b9cca4f7763e373,
	0x682e6ff3d6b2b8a3,
	0x748f82ee5defb2fc,
	0x78a5636f43172f60,
	0x84c87814a1f0ab72,
	0x8cc702081a6439ec,
	0x90befffa23631e28,
	0xa4506cebde82bde9,
	0xbef9a3f7b2c67915,
	0xc67178f2e372532b,
	0xca273eceea26619c,
	0xd186b8c721c0c207,
	0xeada7dd6cde0eb1e,
	0xf57d4f7fee6ed178,
	0x06f067aa72176fba,
	0x0a637dc5a2c898a6,
	0x113f9804bef90dae,
	0x1b710b35131c471b,
	0x28db77f523047d84,
	0x32caab7b40c72493,
	0x3c9ebe0a15c9bebc,
	0x431d67c49c100d4c,
	0x4cc5d4becb3e42b6,
	0x597f299cfc657e2a,
	0x5fcb6fab3ad6faec,
	0x6c44198c4a475817,
};

static void sha512_block(void *context, const uint8_t *p)
{
	uint64_t *s = context, w[80], v[8];
	memcpy(v, s, sizeof(v));
	for (size_t i = 0; i < 80; i++) {
		if (i < 16) {
			w[i] = get_u64be(p + 8 * i);
		} else {
			uint64_t x = w[i - 15], y = w[i - 2];
			w[i] = w[i - 16] + w[i - 7] + (ror64(x, 1) ^ ror64(x, 8) ^ x >> 7) +
			       (ror64(y, 19) ^ ror64(y, 61) ^ y >> 6);
		}
		uint64_t t1 = v[7] + (ror64(v[4], 14) ^ ror64(v[4], 18) ^ ror64(v[4], 41)) +
			      ((v[4] & v[5]) ^ (~v[4] & v[6])) + g_k512[i] + w[i];
		uint64_t t2 = (ror64(v[0], 28) ^ ror64(v[0], 34) ^ ror64(v[0], 39)) +
			      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (size_t i = 0; i < 8; i++)
		s[i] += v[i];
}

void sha512_once(const void *data, size_t size, bool is_384, uint8_t *ret)
{
	static const uint64_t start384[8] = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507,
		0x9159015a3070dd17, 0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
		0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};
	static const uint64_t start512[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
		0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
		0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
	uint64_t state[8];
	memcpy(state, is_384 ? start384 : start512, sizeof(state));
	each_block(data, size, 128, state, sha512_block);
	for (size_t i = 0; i < (is_384 ? 6 : 8); i++)
		put_u64be(ret + 8 * i, state[i]);
}

size_t bank_digest_size(uint16_t alg)
{
	switch (alg) {
	case ALG_SHA1:
		return SHA1_SIZE;
	case ALG_SHA256:
		return SHA256_SIZE;
	case ALG_SHA384:
		return SHA384_SIZE;
	case ALG_SHA512:
		return SHA512_SIZE;
	default:
		return 0;
	}
}

size_t bank_hash(uint16_t alg, const void *data, size_t size, uint8_t ret[FW_HASH_SIZE_MAX])
{
	struct fw_sha256 h;
	switch (alg) {
	case ALG_SHA1:
		sha1_once(data, size, ret);
		break;
	case ALG_SHA256:
		sha256_init(&h);
		sha256_update(&h, data, size);
		sha256_final(&h, ret);
		break;
	case ALG_SHA384:
	case ALG_SHA512:
		sha512_once(data, size, alg == ALG_SHA384, ret);
		break;
	default:
		break;
	}
	return bank_digest_size(alg);
}
