/* SPDX-License-Identifier: Apache-2.0 */
/* Memory map, setup header, boot_params: the hand-over to Linux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "crypto/hash.h"
#include "evidence/measure.h"
#include "firmware/hash.h"
#include "firmware/setup.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define SETUP_SIZE 1024u
#define KERNEL_SIZE (1u << 20)

static struct memmap g_map;
static uint8_t g_setup[SETUP_SIZE];
static uint8_t g_e820[(MEMMAP_MAX + 8) * MEMMAP_ENTRY_SIZE];
static size_t g_e820_size;
static const char *g_why;

static void range(uint64_t start, uint64_t size, uint32_t type)
{
	uint8_t *p = g_e820 + g_e820_size;
	put_u64le(p, start);
	put_u64le(p + 8, size);
	put_u32le(p + 16, type);
	g_e820_size += MEMMAP_ENTRY_SIZE;
}

static int parse_map(void)
{
	int r = memmap_parse(&g_map, g_e820, g_e820_size, &g_why);
	g_e820_size = 0;
	return r;
}

/* What QEMU's q35 gives with 16 GiB. */
static void big_map(void)
{
	g_e820_size = 0;
	range(0, 2 * GIB, MEMMAP_RAM);
	range(4 * GIB, 14 * GIB, MEMMAP_RAM);
	range(0xfd00000000ull, 12 * GIB, MEMMAP_RESERVED);
	assert_int_equal(parse_map(), 0);
}

/* Sorted, no overlap, nothing empty: holds after every operation. */
static void check_sane(void)
{
	for (size_t i = 0; i < g_map.count; i++) {
		assert_true(g_map.ranges[i].start < g_map.ranges[i].end);
		assert_true(i == 0 || g_map.ranges[i - 1].end <= g_map.ranges[i].start);
	}
}

static void test_map(void **state)
{
	uint64_t at = 0;
	big_map();
	assert_int_equal(g_map.count, 3);
	assert_int_equal(g_map.low_top, 2 * GIB);
	assert_int_equal(memmap_reserve(&g_map, 0x9fc00, MIB, &g_why), 0);
	check_sane();
	assert_int_equal(g_map.count, 5);
	assert_false(memmap_is_ram(&g_map, 0x9fbff, 0x9fc01));
	assert_true(memmap_is_ram(&g_map, MIB, 2 * GIB));
	assert_false(memmap_is_ram(&g_map, MIB, 2 * GIB + 1));
	assert_false(memmap_is_ram(&g_map, 2 * MIB, 2 * MIB));
	assert_false(memmap_is_ram(&g_map, 2 * MIB, MIB));
	assert_int_equal(memmap_take_top(&g_map, 5000, 8192, MIB, &at, &g_why), 0);
	assert_int_equal(at, 2 * GIB - 8192);
	assert_int_equal(g_map.low_top, at);
	check_sane();
	/* One that swallows several ranges at once. */
	assert_int_equal(memmap_reserve(&g_map, MIB / 2, 5 * GIB, &g_why), 0);
	check_sane();
	assert_true(memmap_is_ram(&g_map, 5 * GIB, 18 * GIB));
	assert_int_equal(memmap_reserve(&g_map, 5, 5, &g_why), -EINVAL);
}

static void test_map_refusals(void **state)
{
	uint64_t at = 0;
	assert_int_equal(memmap_parse(&g_map, g_e820, 0, &g_why), -EBADMSG);
	assert_int_equal(memmap_parse(&g_map, g_e820, 19, &g_why), -EBADMSG);
	range(0, 2 * GIB, MEMMAP_RAM);
	range(2 * GIB - 1, GIB, MEMMAP_RAM); /* overlaps from above */
	assert_int_equal(parse_map(), -EBADMSG);
	range(GIB, GIB, MEMMAP_RAM);
	range(0, GIB + 1, MEMMAP_RAM); /* overlaps from below */
	assert_int_equal(parse_map(), -EBADMSG);
	range(0, 0, MEMMAP_RAM);
	assert_int_equal(parse_map(), -EBADMSG);
	range(0, GIB, MEMMAP_RAM);
	range(4 * GIB, UINT64_MAX - GIB, MEMMAP_RAM); /* wraps */
	assert_int_equal(parse_map(), -EBADMSG);
	range(0, MEMMAP_LOW_RAM_MIN - 1, MEMMAP_RAM);
	assert_int_equal(parse_map(), -EBADMSG);
	range(MIB, GIB, MEMMAP_RAM); /* nothing at 0 */
	assert_int_equal(parse_map(), -EBADMSG);
	range(0, GIB, MEMMAP_RAM);
	range(0, GIB, MEMMAP_RESERVED); /* reserved wins */
	assert_int_equal(parse_map(), -EBADMSG);
	for (uint64_t i = 0; i < MEMMAP_MAX + 1; i++)
		range(i * GIB, GIB / 2, MEMMAP_RAM);
	assert_int_equal(parse_map(), -E2BIG);
	big_map();
	assert_int_equal(memmap_take_top(&g_map, 2 * GIB, 4096, MIB, &at, &g_why), -ENOMEM);
	assert_int_equal(memmap_take_top(&g_map, 3 * GIB, 4096, MIB, &at, &g_why), -ENOMEM);
	assert_int_equal(memmap_take_top(&g_map, 0, 4096, MIB, &at, &g_why), -ENOMEM);
}

/* RAM beyond 4 GiB in one range with low RAM: what is taken stays below 4 GiB. */
static void test_map_one_range(void **state)
{
	range(0, 8 * GIB, MEMMAP_RAM);
	assert_int_equal(parse_map(), 0);
	assert_int_equal(g_map.low_top, 4 * GIB);
}

static int good_setup(void **state)
{
	memset(g_setup, 0, sizeof(g_setup));
	g_setup[0x1f1] = 1;
	put_u32le(g_setup + 0x1f4, KERNEL_SIZE / 16);
	put_u16le(g_setup + 0x1fe, 0xaa55);
	g_setup[0x201] = 0x6a;
	put_u32le(g_setup + 0x202, 0x53726448);
	put_u16le(g_setup + 0x206, 0x020f);
	g_setup[0x211] = 1;
	put_u32le(g_setup + 0x22c, 0x7fffffff);
	put_u32le(g_setup + 0x230, 0x200000);
	g_setup[0x234] = 1;
	g_setup[0x236] = 0x3f;
	put_u32le(g_setup + 0x238, 2047);
	put_u64le(g_setup + 0x258, 0x1000000);
	put_u32le(g_setup + 0x260, 0x2000000);
	return 0;
}

static int parse(struct setup_info *info)
{
	return setup_parse(info, g_setup, SETUP_SIZE, KERNEL_SIZE, &g_why);
}

static void test_setup(void **state)
{
	struct setup_info info;
	assert_int_equal(parse(&info), 0);
	assert_int_equal(info.load_address, 0x1000000);
	assert_int_equal(info.run_size, 0x2000000);
	assert_int_equal(info.initrd_end_max, 0x80000000);
	assert_int_equal(info.cmdline_max, 2047);
	assert_int_equal(info.header_end, 0x26c);
}

static void test_setup_refusals(void **state)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
		int code;
		const char *what;
	} cases[] = {
		{0x1fe, 2, 0x55aa, -EBADMSG, "boot flag"},
		{0x202, 4, 0x48647253, -EBADMSG, "magic"},
		{0x206, 2, 0x020b, -EOPNOTSUPP, "version before 2.12"},
		{0x1f1, 1, 0, -EBADMSG, "zero sectors mean four"},
		{0x1f1, 1, 2, -EBADMSG, "more sectors than there are"},
		{0x211, 1, 0, -EOPNOTSUPP, "not loaded high"},
		{0x234, 1, 0, -EOPNOTSUPP, "not relocatable"},
		{0x236, 1, 0x3e, -EOPNOTSUPP, "no 64-bit entry"},
		{0x201, 1, 0x61, -EBADMSG, "header ends before init_size"},
		{0x201, 1, 0x8f, -EBADMSG, "header ends behind its room in boot_params"},
		{0x1f4, 4, KERNEL_SIZE / 16 + 1, -EBADMSG, "syssize over the file"},
		{0x1f4, 4, 0xffffffff, -EBADMSG, "syssize near 64 GiB"},
		{0x230, 4, 0, -EBADMSG, "no alignment"},
		{0x230, 4, 0x300000, -EBADMSG, "alignment is no power of two"},
		{0x230, 4, 2048, -EBADMSG, "alignment below a page"},
		{0x258, 8, 0, -EBADMSG, "address 0"},
		{0x258, 8, 0x1000001, -EBADMSG, "address not aligned"},
		{0x258, 8, 1ull << 32, -EBADMSG, "address at 4 GiB"},
		{0x258, 8, 0xffffffffffe00000ull, -EBADMSG, "address near the end"},
	};
	struct setup_info info;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		good_setup(NULL);
		for (size_t k = 0; k < cases[i].size; k++)
			g_setup[cases[i].offset + k] = (uint8_t)(cases[i].value >> (8 * k));
		if (parse(&info) != cases[i].code)
			fail_msg("%s: not refused as it should be", cases[i].what);
	}
	good_setup(NULL);
	assert_int_equal(setup_parse(&info, g_setup, 1023, KERNEL_SIZE, &g_why), -EBADMSG);
	assert_int_equal(setup_parse(&info, g_setup, 32769, KERNEL_SIZE, &g_why), -E2BIG);
	assert_int_equal(
		setup_parse(&info, g_setup, SETUP_SIZE, KERNEL_SIZE_MAX + 1, &g_why), -E2BIG);
}

static void test_boot_params(void **state)
{
	static uint8_t params[BOOT_PARAMS_SIZE];
	struct setup_info info;
	struct boot_layout layout = {0x1ffe0000, 0x1f000000, 1234, 0x20000};
	big_map();
	g_setup[0x210] = 0xb0;		  /* what QEMU leaves there must not come through */
	put_u64le(g_setup + 0x250, 0x66); /* above all not its setup_data */
	assert_int_equal(parse(&info), 0);
	setup_normalise(g_setup, SETUP_SIZE);
	setup_boot_params(params, g_setup, &info, &layout, &g_map);
	assert_int_equal(get_u64le(params + 0x70), layout.rsdp);
	assert_int_equal(params[0x1e8], 3);
	assert_int_equal(params[0x1ef], 0); /* the sentinel: or Linux distrusts the rest */
	assert_int_equal(params[0x210], 0xff);
	assert_int_equal(get_u32le(params + 0x218), layout.initrd);
	assert_int_equal(get_u32le(params + 0x21c), 1234);
	assert_int_equal(get_u32le(params + 0x228), 0x20000);
	assert_int_equal(get_u64le(params + 0x250), 0);
	assert_int_equal(get_u32le(params + 0x260), 0x2000000);
	assert_int_equal(get_u32le(params + 0x26c), 0); /* behind the header */
	assert_int_equal(get_u64le(params + 0x2d0 + 20), 4 * GIB);
	assert_int_equal(get_u64le(params + 0x2d0 + 28), 14 * GIB);
	assert_int_equal(get_u32le(params + 0x2d0 + 36), MEMMAP_RAM);
}

static void test_initrd(void **state)
{
	struct setup_info info;
	uint64_t at = 0;
	range(0, 128 * MIB, MEMMAP_RAM);
	assert_int_equal(parse_map(), 0);
	assert_int_equal(parse(&info), 0);
	/* The kernel ends at 48 MiB. */
	assert_int_equal(setup_place_initrd(&info, &g_map, 5, &at, &g_why), 0);
	assert_int_equal(at, 128 * MIB - 4096);
	assert_int_equal(setup_place_initrd(&info, &g_map, 80 * MIB, &at, &g_why), 0);
	assert_int_equal(at, 48 * MIB);
	assert_int_equal(setup_place_initrd(&info, &g_map, 80 * MIB + 1, &at, &g_why), -ENOMEM);
	assert_int_equal(setup_place_initrd(&info, &g_map, 0xffffffff, &at, &g_why), -ENOMEM);
	info.initrd_end_max = 100 * MIB; /* the kernel's own limit */
	assert_int_equal(setup_place_initrd(&info, &g_map, 4096, &at, &g_why), 0);
	assert_int_equal(at, 100 * MIB - 4096);
	info.initrd_end_max = 128 * MIB;
	assert_int_equal(memmap_reserve(&g_map, 100 * MIB, 101 * MIB, &g_why), 0);
	assert_int_equal(setup_place_initrd(&info, &g_map, 60 * MIB, &at, &g_why), -ENOMEM);
}

static void test_cmdline(void **state)
{
	const uint8_t *p = (const uint8_t *)"quiet\0\0\0x";
	assert_int_equal(setup_cmdline_size(p, 6, &g_why), 5);
	assert_int_equal(setup_cmdline_size(p, 8, &g_why), 5); /* padding */
	assert_int_equal(setup_cmdline_size(p, 9, &g_why), -EBADMSG);
	assert_int_equal(setup_cmdline_size(p, 5, &g_why), -EBADMSG);
	assert_int_equal(setup_cmdline_size(p + 5, 1, &g_why), 0);
}

/* Firmware and measurement library agree on every byte of a header, whatever a loader wrote. */
static void test_canonical(void **state)
{
	static uint8_t file[SETUP_SIZE + 4096];
	uint8_t setup[SETUP_SIZE], expected[32], got[32];
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = i < SETUP_SIZE ? g_setup[i] : (uint8_t)i;
	assert_int_equal(measure_kernel(slice_of(file, sizeof(file)), expected, NULL), 0);
	for (size_t i = 0x1f1; i < 0x290; i++) {
		struct fw_sha256 h;
		memcpy(setup, file, sizeof(setup));
		setup[i] ^= 0xff;
		file[i] ^= 0xff;
		int r = measure_kernel(slice_of(file, sizeof(file)), expected, NULL);
		file[i] ^= 0xff;
		if (r < 0)
			continue;
		setup_normalise(setup, sizeof(setup));
		sha256_init(&h);
		sha256_update(&h, setup, sizeof(setup));
		sha256_update(&h, file + SETUP_SIZE, sizeof(file) - SETUP_SIZE);
		sha256_final(&h, got);
		assert_memory_equal(got, expected, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_refusals),
		cmocka_unit_test(test_map_one_range),
		cmocka_unit_test_setup(test_setup, good_setup),
		cmocka_unit_test_setup(test_setup_refusals, good_setup),
		cmocka_unit_test_setup(test_boot_params, good_setup),
		cmocka_unit_test_setup(test_initrd, good_setup),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test_setup(test_canonical, good_setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
