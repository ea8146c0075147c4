/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#define SECTOR 512u

/* Offsets in the setup block, and in boot_params, which mirrors it from 0x1f1. */
#define BP_RSDP 0x070
#define BP_E820_COUNT 0x1e8
#define HDR_START 0x1f1
#define HDR_SETUP_SECTS 0x1f1
#define HDR_SYSSIZE 0x1f4
#define HDR_VID_MODE 0x1fa
#define HDR_BOOT_FLAG 0x1fe
#define HDR_JUMP_SIZE 0x201
#define HDR_MAGIC 0x202
#define HDR_VERSION 0x206
#define HDR_LOADER 0x210
#define HDR_LOADFLAGS 0x211
#define HDR_RAMDISK_IMAGE 0x218
#define HDR_RAMDISK_SIZE 0x21c
#define HDR_HEAP_END 0x224
#define HDR_EXT_LOADER 0x226
#define HDR_CMDLINE_PTR 0x228
#define HDR_INITRD_MAX 0x22c
#define HDR_ALIGNMENT 0x230
#define HDR_RELOCATABLE 0x234
#define HDR_XLOADFLAGS 0x236
#define HDR_CMDLINE_SIZE 0x238
#define HDR_SETUP_DATA 0x250
#define HDR_PREF_ADDRESS 0x258
#define HDR_INIT_SIZE 0x260
#define HDR_END_MIN 0x264
#define HDR_END_MAX 0x290
#define BP_E820 0x2d0

#define BOOT_FLAG 0xaa55
#define MAGIC 0x53726448u /* "HdrS" */
#define VERSION_MIN 0x020c
#define LOADED_HIGH 0x01
#define CAN_USE_HEAP 0x80
#define KERNEL_64 0x01
#define LOADER_UNREGISTERED 0xff
#define VID_MODE_NORMAL 0xffff
#define LOW_LIMIT 0x100000ull

_Static_assert(BP_E820 + MEMMAP_MAX * MEMMAP_ENTRY_SIZE <= BOOT_PARAMS_SIZE, "e820 must fit");

static int check_identity(const uint8_t *s, uint32_t size, const char **ret_why)
{
	if (size < SETUP_SIZE_MIN)
		return fw_why(ret_why, -EBADMSG, "the kernel is too short for a bzImage");
	if (size > SETUP_SIZE_MAX)
		return fw_why(ret_why, -E2BIG, "the setup block of the kernel is over 32 KiB");
	if (get_u16le(s + HDR_BOOT_FLAG) != BOOT_FLAG || get_u32le(s + HDR_MAGIC) != MAGIC)
		return fw_why(ret_why, -EBADMSG, "the kernel is not a bzImage");
	if (get_u16le(s + HDR_VERSION) < VERSION_MIN)
		return fw_why(ret_why, -EOPNOTSUPP, "the kernel's boot protocol is before 2.12");
	uint32_t sectors = s[HDR_SETUP_SECTS] ? s[HDR_SETUP_SECTS] : 4;
	if ((sectors + 1) * SECTOR != size)
		return fw_why(ret_why, -EBADMSG, "the kernel's setup size is not what it says");
	return 0;
}

static int check_placement(
	struct setup_info *info, const uint8_t *s, uint32_t kernel_size, const char **ret_why)
{
	uint64_t protected_size = (uint64_t)get_u32le(s + HDR_SYSSIZE) * 16;
	uint32_t alignment = get_u32le(s + HDR_ALIGNMENT), init_size = get_u32le(s + HDR_INIT_SIZE);
	if (kernel_size > KERNEL_SIZE_MAX)
		return fw_why(ret_why, -E2BIG, "the kernel is over 256 MiB");
	if (protected_size > kernel_size || kernel_size < KERNEL_ENTRY64 + 16)
		return fw_why(ret_why, -EBADMSG, "the kernel is shorter than its header says");
	if (alignment < 4096 || (alignment & (alignment - 1)))
		return fw_why(ret_why, -EBADMSG, "the kernel's alignment is not a power of two");
	info->load_address = get_u64le(s + HDR_PREF_ADDRESS);
	if (info->load_address < LOW_LIMIT || info->load_address >= 1ull << 32 ||
		info->load_address & (alignment - 1))
		return fw_why(ret_why, -EBADMSG, "the kernel's preferred address cannot be used");
	info->run_size = init_size > kernel_size ? init_size : kernel_size;
	info->initrd_end_max = (uint64_t)get_u32le(s + HDR_INITRD_MAX) + 1;
	info->cmdline_max = MIN(get_u32le(s + HDR_CMDLINE_SIZE), CMDLINE_MAX);
	return 0;
}

int setup_parse(struct setup_info *ret, const uint8_t *setup, uint32_t size, uint32_t kernel_size,
	const char **ret_why)
{
	memset(ret, 0, sizeof(*ret));
	int r = check_identity(setup, size, ret_why);
	if (r < 0)
		return r;
	if (!(setup[HDR_LOADFLAGS] & LOADED_HIGH) || !setup[HDR_RELOCATABLE] ||
		!(setup[HDR_XLOADFLAGS] & KERNEL_64))
		return fw_why(
			ret_why, -EOPNOTSUPP, "the kernel is not a relocatable 64-bit bzImage");
	ret->header_end = HDR_MAGIC + setup[HDR_JUMP_SIZE];
	if (ret->header_end < HDR_END_MIN || ret->header_end > HDR_END_MAX)
		return fw_why(ret_why, -EBADMSG, "the kernel's header has an impossible size");
	return check_placement(ret, setup, kernel_size, ret_why);
}

void setup_normalise(uint8_t *setup, uint32_t size)
{
	if (size < SETUP_SIZE_MIN)
		return;
	put_u16le(setup + HDR_VID_MODE, 0);
	setup[HDR_LOADER] = 0;
	setup[HDR_LOADFLAGS] &= (uint8_t)~CAN_USE_HEAP;
	put_u32le(setup + HDR_RAMDISK_IMAGE, 0);
	put_u32le(setup + HDR_RAMDISK_SIZE, 0);
	put_u16le(setup + HDR_HEAP_END, 0);
	put_u16le(setup + HDR_EXT_LOADER, 0);
	put_u32le(setup + HDR_CMDLINE_PTR, 0);
	put_u64le(setup + HDR_SETUP_DATA, 0);
}

void setup_boot_params(uint8_t *ret, const uint8_t *setup, const struct setup_info *info,
	const struct boot_layout *layout, const struct memmap *map)
{
	memset(ret, 0, BOOT_PARAMS_SIZE);
	memcpy(ret + HDR_START, setup + HDR_START, info->header_end - HDR_START);
	put_u64le(ret + BP_RSDP, layout->rsdp);
	put_u16le(ret + HDR_VID_MODE, VID_MODE_NORMAL);
	ret[HDR_LOADER] = LOADER_UNREGISTERED;
	ret[HDR_LOADFLAGS] = LOADED_HIGH;
	put_u32le(ret + HDR_RAMDISK_IMAGE, (uint32_t)layout->initrd);
	put_u32le(ret + HDR_RAMDISK_SIZE, layout->initrd_size);
	put_u32le(ret + HDR_CMDLINE_PTR, layout->cmdline);
	ret[BP_E820_COUNT] = (uint8_t)memmap_write(map, ret + BP_E820);
}

int setup_place_initrd(const struct setup_info *info, const struct memmap *map, uint32_t size,
	uint64_t *ret_address, const char **ret_why)
{
	uint64_t kernel_end = info->load_address + info->run_size;
	uint64_t end = MIN(map->low_top, info->initrd_end_max);
	if (size > end || ((end - size) & ~0xfffull) < kernel_end)
		return fw_why(ret_why, -ENOMEM, "kernel and initrd do not fit the guest's memory");
	uint64_t start = (end - size) & ~0xfffull;
	if (size > 0 && !memmap_is_ram(map, start, start + size))
		return fw_why(ret_why, -ENOMEM, "there is no memory where the initrd must lie");
	*ret_address = start;
	return 0;
}

int setup_cmdline_size(const uint8_t *cmdline, uint32_t size, const char **ret_why)
{
	uint32_t used = 0;
	while (used < size && cmdline[used])
		used++;
	if (used == size)
		return fw_why(ret_why, -EBADMSG, "the command line has no end");
	for (uint32_t i = used; i < size; i++)
		if (cmdline[i])
			return fw_why(ret_why, -EBADMSG, "the command line has a NUL inside");
	return (int)used;
}
