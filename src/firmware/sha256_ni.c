/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 with the SHA extensions. The only code of the firmware that touches vector registers. */
#include <cpuid.h>
#include <immintrin.h>

#include "hash.h"

#define SHA_CODE __attribute__((__target__("sha,sse4.1,ssse3")))

static const uint32_t g_k[64] __attribute__((aligned(16))) = {0x428a2f98, 0x71374491, 0xb5c0fbcf,
	0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
	0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1,
	0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351,
	0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb,
	0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
	0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814,
	0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Four rounds: each instruction does two, and swaps the roles of the two halves of the state. */
#define ROUNDS4(i, words)                                                                   \
	do {                                                                                \
		__m128i t_ = _mm_add_epi32(                                                 \
			words, _mm_load_si128((const __m128i *)(const void *)(g_k + (i)))); \
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, t_);                               \
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(t_, 0x0e));      \
	} while (0)
/* The next four words of the schedule, in place of the oldest four. */
#define SCHEDULE(w0, w1, w2, w3)    \
	(w0 = _mm_sha256msg2_epu32( \
		 _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4)), w3))

SHA_CODE static __m128i load_words(const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), swap);
}

SHA_CODE void sha256_blocks_ni(uint32_t state[8], const uint8_t *data, size_t count)
{
	/* The instructions want {A,B,E,F} and {C,D,G,H}, highest word first. */
	__m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
	__m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
	for (; count > 0; count--, data += 64) {
		__m128i old_abef = abef, old_cdgh = cdgh;
		__m128i w0 = load_words(data), w1 = load_words(data + 16);
		__m128i w2 = load_words(data + 32), w3 = load_words(data + 48);
		ROUNDS4(0, w0);
		ROUNDS4(4, w1);
		ROUNDS4(8, w2);
		ROUNDS4(12, w3);
		for (unsigned i = 16; i < 64; i += 16) {
			ROUNDS4(i, SCHEDULE(w0, w1, w2, w3));
			ROUNDS4(i + 4, SCHEDULE(w1, w2, w3, w0));
			ROUNDS4(i + 8, SCHEDULE(w2, w3, w0, w1));
			ROUNDS4(i + 12, SCHEDULE(w3, w0, w1, w2));
		}
		abef = _mm_add_epi32(abef, old_abef);
		cdgh = _mm_add_epi32(cdgh, old_cdgh);
	}
	state[0] = (uint32_t)_mm_extract_epi32(abef, 3);
	state[1] = (uint32_t)_mm_extract_epi32(abef, 2);
	state[4] = (uint32_t)_mm_extract_epi32(abef, 1);
	state[5] = (uint32_t)_mm_extract_epi32(abef, 0);
	state[2] = (uint32_t)_mm_extract_epi32(cdgh, 3);
	state[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
	state[6] = (uint32_t)_mm_extract_epi32(cdgh, 1);
	state[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

enum sha256_code sha256_pick(void)
{
	uint32_t a, b, c, d, c1;
	if (!__get_cpuid(1, &a, &b, &c1, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return SHA256_PLAIN;
	if (b & bit_SHA && c1 & bit_SSSE3 && c1 & bit_SSE4_1)
		return SHA256_NI;
	return b & bit_BMI && b & bit_BMI2 ? SHA256_BMI2 : SHA256_PLAIN;
}
