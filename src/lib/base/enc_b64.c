/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 32 characters at a time on processors with AVX2.
 *
 * The high half of a character says which row of the ASCII table it is in; within a row the
 * characters of the alphabet are one run, and their values differ from them by a constant. Only
 * one character does not fit ('/' shares its row with '+', '_' its row with the capitals): it is
 * compared for.
 */
#include "base/enc_b64.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))
#define STEP_GROUPS 8

struct alphabet {
	int8_t shift[16];	    /* value - character, by row */
	int8_t first[16], last[16]; /* the run: low halves; 16 and -1 for rows without one */
	char odd;
	int8_t odd_shift; /* what @odd needs beside that of its row */
};

static const struct alphabet g_alphabets[2] = {
	{{0, 0, 62 - '+', 4, -65, -65, -71, -71},
		{16, 16, 0xB, 0, 1, 0, 1, 0, 16, 16, 16, 16, 16, 16, 16, 16},
		{-1, -1, 0xB, 9, 15, 10, 15, 10, -1, -1, -1, -1, -1, -1, -1, -1}, '/',
		63 - '/' - (62 - '+')},
	{{0, 0, 62 - '-', 4, -65, -65, -71, -71},
		{16, 16, 0xD, 0, 1, 0, 1, 0, 16, 16, 16, 16, 16, 16, 16, 16},
		{-1, -1, 0xD, 9, 15, 10, 15, 10, -1, -1, -1, -1, -1, -1, -1, -1}, '_',
		63 - '_' + 65},
};

WIDE static __m256i both_lanes(const int8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

/* Values of 32 characters; *@bad collects a bit of each byte that is no character. */
WIDE static __m256i values_of(__m256i in, const struct alphabet *a, __m256i *bad)
{
	const __m256i half = _mm256_set1_epi8(15);
	__m256i row = _mm256_and_si256(_mm256_srli_epi32(in, 4), half);
	__m256i at = _mm256_and_si256(in, half);
	__m256i odd = _mm256_cmpeq_epi8(in, _mm256_set1_epi8(a->odd));
	__m256i outside = _mm256_or_si256(
		_mm256_cmpgt_epi8(_mm256_shuffle_epi8(both_lanes(a->first), row), at),
		_mm256_cmpgt_epi8(at, _mm256_shuffle_epi8(both_lanes(a->last), row)));

	*bad = _mm256_or_si256(*bad, _mm256_andnot_si256(odd, outside));
	__m256i shift = _mm256_shuffle_epi8(both_lanes(a->shift), row);
	shift = _mm256_add_epi8(shift, _mm256_and_si256(odd, _mm256_set1_epi8(a->odd_shift)));
	return _mm256_add_epi8(in, shift);
}

WIDE static size_t decode(
	const uint8_t *in, size_t groups, uint8_t *out, const struct alphabet *a, bool *ret_bad)
{
	/* Bytes of a group are the low three of its word, the highest first. */
	const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1,
		-1, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	__m256i bad = _mm256_setzero_si256();
	size_t done = 0;

	/* A lane is stored as 16 bytes of which 12 count: two more groups have room for the rest. */
	for (; groups - done >= STEP_GROUPS + 2; done += STEP_GROUPS) {
		__m256i v = values_of(_mm256_loadu_si256((const void *)(in + 4 * done)), a, &bad);
		v = _mm256_maddubs_epi16(v, _mm256_set1_epi32(0x01400140));
		v = _mm256_madd_epi16(v, _mm256_set1_epi32(0x00011000));
		v = _mm256_shuffle_epi8(v, order);
		_mm_storeu_si128((void *)(out + 3 * done), _mm256_castsi256_si128(v));
		_mm_storeu_si128((void *)(out + 3 * done + 12), _mm256_extracti128_si256(v, 1));
	}
	*ret_bad = _mm256_movemask_epi8(bad) != 0;
	return done;
}

size_t b64_groups_wide(const uint8_t *in, size_t groups, uint8_t *out, bool url, bool *ret_bad)
{
	*ret_bad = false;
	return groups > STEP_GROUPS + 2 && __builtin_cpu_supports("avx2")
		       ? decode(in, groups, out, &g_alphabets[url], ret_bad)
		       : 0;
}

#else

size_t b64_groups_wide(const uint8_t *in, size_t groups, uint8_t *out, bool url, bool *ret_bad)
{
	*ret_bad = false;
	return 0;
}

#endif
