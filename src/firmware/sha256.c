/* SPDX-License-Identifier: Apache-2.0 */
#include "hash.h"

static const uint32_t g_k[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
	0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
	0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
	0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585,
	0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
	0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t ror(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

/*
 * One round; the caller rotates the names instead of the values. The majority of a, b, c is
 * b ^ ((a ^ b) & (b ^ c)), and a ^ b is the b ^ c of the next round.
 */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                        \
	do {                                                                                    \
		uint32_t t_ = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + \
			      g_k[i] + w[i];                                                    \
		uint32_t ab_ = a ^ b;                                                           \
		d += t_;                                                                        \
		h = t_ + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + (b ^ (ab_ & bc));              \
		bc = ab_;                                                                       \
	} while (0)

/*
 * Loops of eight rounds, not of 64: an emulator makes some twenty bytes of each instruction, and
 * the whole must stay in the first-level cache of its host.
 */
static inline __attribute__((__always_inline__)) void blocks(
	uint32_t state[8], const uint8_t *data, size_t count)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	for (; count > 0; count--, data += 64) {
		uint32_t w[64];
		for (unsigned i = 0; i < 16; i++)
			w[i] = get_u32be(data + 4 * i);
		uint32_t x = w[14], y = w[15];
#pragma GCC unroll 2
		for (unsigned i = 16; i < 64; i += 2) {
			x = w[i] = w[i - 16] + w[i - 7] + (ror(x, 17) ^ ror(x, 19) ^ x >> 10) +
				   (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3);
			y = w[i + 1] = w[i - 15] + w[i - 6] + (ror(y, 17) ^ ror(y, 19) ^ y >> 10) +
				       (ror(w[i - 14], 7) ^ ror(w[i - 14], 18) ^ w[i - 14] >> 3);
		}
		uint32_t bc = b ^ c;
		for (unsigned i = 0; i < 64; i += 8) {
			ROUND(a, b, c, d, e, f, g, h, i);
			ROUND(h, a, b, c, d, e, f, g, i + 1);
			ROUND(g, h, a, b, c, d, e, f, i + 2);
			ROUND(f, g, h, a, b, c, d, e, i + 3);
			ROUND(e, f, g, h, a, b, c, d, i + 4);
			ROUND(d, e, f, g, h, a, b, c, i + 5);
			ROUND(c, d, e, f, g, h, a, b, i + 6);
			ROUND(b, c, d, e, f, g, h, a, i + 7);
		}
		a = state[0] += a;
		b = state[1] += b;
		c = state[2] += c;
		d = state[3] += d;
		e = state[4] += e;
		f = state[5] += f;
		g = state[6] += g;
		h = state[7] += h;
	}
}

void sha256_blocks_plain(uint32_t state[8], const uint8_t *data, size_t count)
{
	blocks(state, data, count);
}

__attribute__((__target__("bmi,bmi2"))) void sha256_blocks_bmi2(
	uint32_t state[8], const uint8_t *data, size_t count)
{
	blocks(state, data, count);
}

static void (*g_blocks)(uint32_t state[8], const uint8_t *data, size_t count);

void sha256_use(enum sha256_code code)
{
	g_blocks = code == SHA256_NI	 ? sha256_blocks_ni
		   : code == SHA256_BMI2 ? sha256_blocks_bmi2
					 : sha256_blocks_plain;
}

void sha256_init(struct fw_sha256 *h)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	if (!g_blocks)
		sha256_use(sha256_pick());
	memcpy(h->state, start, sizeof(start));
	h->size = 0;
}

void sha256_update(struct fw_sha256 *h, const void *data, size_t size)
{
	const uint8_t *p = data;
	size_t used = h->size % 64;
	h->size += size;
	if (used > 0) {
		size_t part = MIN(size, 64 - used);
		memcpy(h->block + used, p, part);
		p += part;
		size -= part;
		if (used + part < 64)
			return;
		g_blocks(h->state, h->block, 1);
	}
	g_blocks(h->state, p, size / 64);
	memcpy(h->block, p + size / 64 * 64, size % 64);
}

void sha256_final(struct fw_sha256 *h, uint8_t ret[SHA256_SIZE])
{
	static const uint8_t padding[64] = {0x80};
	uint8_t bits[8];
	put_u64be(bits, h->size * 8);
	sha256_update(h, padding, 64 - (h->size + 8) % 64);
	sha256_update(h, bits, sizeof(bits));
	for (size_t i = 0; i < 8; i++)
		put_u32be(ret + 4 * i, h->state[i]);
}
