/* SPDX-License-Identifier: Apache-2.0 */
/* The four functions that the compiler may call by itself. Bulk data moves by DMA, not by these. */
#include "fw.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
	void *d = dst;
	size_t words = size / 8, rest = size % 8;
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words)::"memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(rest)::"memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
	uint8_t *d = dst;
	const uint8_t *s = src;
	if ((uintptr_t)d - (uintptr_t)s >= size)
		return memcpy(dst, src, size);
	while (size-- > 0) {
		d[size] = s[size];
		__asm__ volatile("" ::: "memory"); /* or the loop becomes a call to memmove */
	}
	return dst;
}

void *memset(void *dst, int value, size_t size)
{
	void *d = dst;
	uint64_t pattern = 0x0101010101010101ull * (uint8_t)value;
	size_t words = size / 8, rest = size % 8;
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}
