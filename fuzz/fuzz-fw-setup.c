/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's reader of the memory map and of a bzImage's setup header. Caller:
 * src/firmware/main.c; attacker: the host. Input: u32 kernel size, u32 initrd size, u8 count of
 * 20-byte e820 entries, the entries, then the setup block. What is accepted must keep kernel and
 * initrd in RAM and apart.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct memmap *m)
{
	for (size_t i = 0; i < m->count; i++)
		assert(m->ranges[i].start < m->ranges[i].end &&
			(i == 0 || m->ranges[i - 1].end <= m->ranges[i].start));
	assert(m->low_top <= 1ull << 32);
}

static void check_boot(const uint8_t *setup, uint32_t size, const struct setup_info *info,
	const struct memmap *map, uint32_t initrd_size)
{
	static uint8_t params[BOOT_PARAMS_SIZE];
	struct boot_layout layout = {0};
	const char *why = NULL;
	uint64_t end = info->load_address + info->run_size;
	uint8_t *copy = malloc(size);
	if (!copy)
		return;
	memcpy(copy, setup, size);
	setup_normalise(copy, size);
	if (memmap_is_ram(map, info->load_address, end) &&
		setup_place_initrd(info, map, initrd_size, &layout.initrd, &why) == 0) {
		assert(layout.initrd >= end && layout.initrd + initrd_size <= map->low_top);
		assert(initrd_size == 0 ||
			memmap_is_ram(map, layout.initrd, layout.initrd + initrd_size));
	}
	setup_boot_params(params, copy, info, &layout, map);
	assert(get_u64le(params + 0x250) == 0 && params[0x1ef] == 0);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memmap map;
	struct setup_info info;
	const char *why = NULL;
	uint64_t at;
	if (size < 9)
		return 0;
	uint32_t kernel_size = get_u32le(data), initrd_size = get_u32le(data + 4);
	size_t e820_size = data[8] * (size_t)MEMMAP_ENTRY_SIZE;
	if (e820_size > size - 9)
		return 0;
	const uint8_t *setup = data + 9 + e820_size;
	size_t setup_size = size - 9 - e820_size;
	if (memmap_parse(&map, data + 9, e820_size, &why) < 0) {
		assert(why);
		return 0;
	}
	check_map(&map);
	if (memmap_take_top(&map, 65536, 4096, 0x100000, &at, &why) == 0)
		check_map(&map);
	if (setup_size > UINT32_MAX ||
		setup_parse(&info, setup, (uint32_t)setup_size, kernel_size, &why) < 0)
		return 0;
	assert(info.header_end <= 0x290 && info.load_address < 1ull << 32);
	check_boot(setup, (uint32_t)setup_size, &info, &map, initrd_size);
	return 0;
}
