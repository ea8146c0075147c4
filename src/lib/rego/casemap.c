/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simple case mapping by ranges. Covers the scripts whose upper and lower case letters lie at a
 * fixed distance or alternate; other characters map to themselves.
 */
#include "rego/text.h"

struct range {
	uint32_t from, to; /* upper case letters */
	int32_t distance;  /* to the lower case; 0: upper and lower alternate, upper first */
};

static const struct range ranges[] = {
	{0x41, 0x5a, 32},
	{0xc0, 0xd6, 32},
	{0xd8, 0xde, 32},
	{0x100, 0x12f, 0},
	{0x132, 0x137, 0},
	{0x14a, 0x177, 0},
	{0x178, 0x178, -121},
	{0x1cd, 0x1cd, 1},
	{0x1de, 0x1ef, 0},
	{0x1f8, 0x21f, 0},
	{0x222, 0x233, 0},
	{0x370, 0x373, 0},
	{0x386, 0x386, 38},
	{0x388, 0x38a, 37},
	{0x38c, 0x38c, 64},
	{0x38e, 0x38f, 63},
	{0x391, 0x3a1, 32},
	{0x3a3, 0x3ab, 32},
	{0x3d8, 0x3ef, 0},
	{0x400, 0x40f, 80},
	{0x410, 0x42f, 32},
	{0x460, 0x481, 0},
	{0x48a, 0x4bf, 0},
	{0x4d0, 0x52f, 0},
	{0x531, 0x556, 48},
	{0x10a0, 0x10c5, 7264},
	{0x1e00, 0x1e95, 0},
	{0x1ea0, 0x1eff, 0},
	{0x24b6, 0x24cf, 26},
	{0x2c00, 0x2c2f, 48},
	{0x2c80, 0x2ce3, 0},
	{0xa640, 0xa66d, 0},
	{0xa680, 0xa69b, 0},
	{0xff21, 0xff3a, 32},
	{0x10400, 0x10427, 40},
};

/* These alternate with the lower case on even numbers. */
static const struct range odd_ranges[] = {
	{0x139, 0x148, 0},
	{0x179, 0x17e, 0},
	{0x1cd, 0x1dc, 0},
	{0x4c1, 0x4ce, 0},
};

uint32_t strings_lower(uint32_t code)
{
	if (code < 0x80)
		return code >= 'A' && code <= 'Z' ? code + 32 : code;
	for (size_t i = 0; i < ARRAY_COUNT(odd_ranges); i++)
		if (code >= odd_ranges[i].from && code <= odd_ranges[i].to)
			return code & 1 ? code + 1 : code;
	for (size_t i = 0; i < ARRAY_COUNT(ranges); i++)
		if (code >= ranges[i].from && code <= ranges[i].to)
			return ranges[i].distance ? (uint32_t)((int32_t)code + ranges[i].distance)
						  : code | 1;
	if (code == 0x1e9e)
		return 0xdf;
	return code;
}

uint32_t strings_upper(uint32_t code)
{
	if (code < 0x80)
		return code >= 'a' && code <= 'z' ? code - 32 : code;
	if (code == 0xb5)
		return 0x39c;
	if (code == 0x3c2)
		return 0x3a3;
	for (size_t i = 0; i < ARRAY_COUNT(odd_ranges); i++)
		if (code >= odd_ranges[i].from && code <= odd_ranges[i].to)
			return code & 1 ? code : code - 1;
	for (size_t i = 0; i < ARRAY_COUNT(ranges); i++) {
		const struct range *r = &ranges[i];
		if (r->distance == 0 && code >= r->from && code <= r->to)
			return code & ~(uint32_t)1;
		uint32_t up = (uint32_t)((int32_t)code - r->distance);
		if (r->distance != 0 && up >= r->from && up <= r->to)
			return up;
	}
	return code;
}
