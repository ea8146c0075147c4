/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The physical memory map: QEMU's etc/e820 in, Linux's e820 table out. Pure code.
 *
 * The map is the host's word. What is checked is that the firmware never places anything outside
 * what the map calls RAM, or twice in one place.
 */
#include "fw.h"

#define MEMMAP_MAX 64
#define MEMMAP_ENTRY_SIZE 20 /* u64 address, u64 size, u32 type, in etc/e820 and in boot_params */
#define MEMMAP_RAM 1u
#define MEMMAP_RESERVED 2u
#define MEMMAP_LOW_RAM_MIN 0x4000000ull /* 64 MiB: below this no kernel of today boots */
#define MEMMAP_PHYSICAL_END (1ull << 52)

struct memmap_range {
	uint64_t start;
	uint64_t end; /* exclusive, > start */
	uint32_t type;
};

/**
 * struct memmap - ranges sorted by address that do not overlap
 * @low_top: end of the RAM range that starts at 0; it moves down as memory is taken from it
 */
struct memmap {
	struct memmap_range ranges[MEMMAP_MAX];
	size_t count;
	uint64_t low_top;
};

/**
 * memmap_parse() - read etc/e820
 *
 * Return: 0, -EBADMSG (size, wrap, overlapping RAM, no RAM at 0 or too little), -E2BIG (over
 * MEMMAP_MAX ranges).
 */
must_check int memmap_parse(
	struct memmap *m, const uint8_t *e820, size_t size, const char **ret_why);
/**
 * memmap_reserve() - make [start, end) reserved, whatever it was
 * Return: 0, -EINVAL (end not above start), -E2BIG.
 */
must_check int memmap_reserve(struct memmap *m, uint64_t start, uint64_t end, const char **ret_why);
/**
 * memmap_take_top() - reserve @size bytes at the top of low RAM
 * @align: power of two, at least 4096
 * Return: 0, -ENOMEM (would leave less than @floor bytes), -E2BIG.
 */
must_check int memmap_take_top(struct memmap *m, uint64_t size, uint64_t align, uint64_t floor,
	uint64_t *ret_start, const char **ret_why);
/** memmap_is_ram() - all of [start, end) is RAM in one range */
bool memmap_is_ram(const struct memmap *m, uint64_t start, uint64_t end);
/** memmap_write() - as boot_params entries; @dst has room for MEMMAP_MAX. Return: the count. */
size_t memmap_write(const struct memmap *m, uint8_t *dst);
