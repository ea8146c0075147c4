/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement of a guest from its files: against independent computation, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "evidence/measure.h"

#define KERNEL_SIZE 4096
#define SETUP_END 0x400

static uint8_t g_firmware[MEASURE_FIRMWARE_SIZE];
static uint8_t g_kernel[KERNEL_SIZE];

static const uint8_t g_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea,
	0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t g_husk[16] = {0x1e, 0x3a, 0xc6, 0xb5, 0x0c, 0x3f, 0x2d, 0x4c, 0x9a, 0x53, 0x68,
	0x75, 0x73, 0x6b, 0x66, 0x77};

/* Table, from its end: footer (50 bytes in all), version entry "husk-fw 0.1.0\0". */
static int set_up(void **state)
{
	uint8_t *end = g_firmware + sizeof(g_firmware) - 0x20;
	memset(g_firmware, 0xff, sizeof(g_firmware));
	memcpy(end - 16, g_footer, 16);
	memcpy(end - 18, "\x32\0", 2);
	memcpy(end - 34, g_husk, 16);
	memcpy(end - 36, "\x20\0", 2);
	memcpy(end - 50, "husk-fw 0.1.0", 14);
	memset(g_kernel, 0x5a, sizeof(g_kernel));
	g_kernel[0x1f1] = 1;
	memcpy(g_kernel + 0x1fe, "\x55\xaa", 2);
	memcpy(g_kernel + 0x202, "HdrS", 4);
	return 0;
}

static struct measure_input input(void)
{
	return (struct measure_input){slice_of(g_firmware, sizeof(g_firmware)),
		slice_of(g_kernel, sizeof(g_kernel)), SLICE_LIT("initrd bytes"),
		SLICE_LIT("console=hvc0 quiet"), SLICE_LIT("version = \"0.1.0\"\n")};
}

static void extend(uint8_t pcr[32], struct slice digest)
{
	struct digest d;
	assert_int_equal(hash_extend(HASH_SHA256, slice_of(pcr, 32), digest, &d), 0);
	memcpy(pcr, d.bytes, 32);
}

static void extend_data(uint8_t pcr[32], struct slice data)
{
	struct digest d;
	assert_int_equal(hash_once(HASH_SHA256, data, &d), 0);
	extend(pcr, digest_slice(&d));
}

static void test_registers(void **state)
{
	struct measure_input in = input();
	struct measurement m;
	uint8_t pcr0[32] = {0}, pcr8[32] = {0}, pcr9[32] = {0}, kernel[32];
	assert_int_equal(measure_guest(&in, &m, NULL), 0);
	extend_data(pcr0, slice_of("husk-fw 0.1.0", 14));
	extend_data(pcr0, in.firmware);
	extend_data(pcr0, slice_of("\0\0\0\0", 4));
	assert_memory_equal(m.pcr0, pcr0, 32);
	extend_data(pcr8, slice_of("console=hvc0 quiet", 19));
	assert_memory_equal(m.pcr8_boot, pcr8, 32);
	extend_data(pcr8, in.initdata);
	assert_memory_equal(m.pcr8, pcr8, 32);
	assert_int_equal(measure_kernel(in.kernel, kernel, NULL), 0);
	extend(pcr9, slice_of(kernel, 32));
	extend_data(pcr9, in.initrd);
	assert_memory_equal(m.pcr9, pcr9, 32);
	assert_int_equal(m.event_count, 7);
}

static void test_optional_inputs(void **state)
{
	struct measure_input in = input();
	struct measurement m;
	in.initrd = in.initdata = in.cmdline = SLICE_EMPTY;
	assert_int_equal(measure_guest(&in, &m, NULL), 0);
	assert_int_equal(m.event_count, 5);
	assert_memory_equal(m.pcr8, m.pcr8_boot, 32);
	uint8_t pcr8[32] = {0};
	extend_data(pcr8, slice_of("", 1)); /* the empty command line is its NUL */
	assert_memory_equal(m.pcr8, pcr8, 32);
}

/* Every byte of the kernel counts, except those that a boot loader may write. */
static void test_kernel_fields(void **state)
{
	static const struct {
		size_t from, to;
	} free_ranges[] = {
		{0x1fa, 0x1fc}, {0x210, 0x211}, {0x218, 0x220}, {0x224, 0x22c}, {0x250, 0x258}};
	uint8_t before[32], after[32];
	for (size_t i = 0; i < sizeof(g_kernel); i++) {
		bool is_free = false;
		for (size_t k = 0; k < ARRAY_COUNT(free_ranges); k++)
			is_free |= i >= free_ranges[k].from && i < free_ranges[k].to;
		assert_int_equal(
			measure_kernel(slice_of(g_kernel, sizeof(g_kernel)), before, NULL), 0);
		g_kernel[i] ^= 1;
		int r = measure_kernel(slice_of(g_kernel, sizeof(g_kernel)), after, NULL);
		g_kernel[i] ^= 1;
		if (r == -EBADMSG)
			continue; /* magic values and the setup size */
		assert_int_equal(r, 0);
		assert_int_equal(memcmp(before, after, 32) == 0, is_free);
	}
	g_kernel[0x211] ^= 0x80; /* CAN_USE_HEAP is the loader's, the other flags are not */
	assert_int_equal(measure_kernel(slice_of(g_kernel, sizeof(g_kernel)), after, NULL), 0);
	assert_memory_equal(before, after, 32);
}

static void expect_refused(struct measure_input in, int code, const char *field)
{
	struct measurement m = {.event_count = 99};
	struct err e = {0};
	assert_int_equal(measure_guest(&in, &m, &e), code);
	assert_string_equal(e.field, field);
	assert_int_equal(m.event_count, 99); /* untouched */
}

static void test_refusals(void **state)
{
	static uint8_t big[MEASURE_INITDATA_MAX + 1];
	struct measure_input in = input();
	in.firmware.size--;
	expect_refused(in, -EBADMSG, "firmware");
	in = input();
	in.kernel.size = 1023;
	expect_refused(in, -EBADMSG, "kernel");
	in.kernel.size = 1024; /* a setup block and nothing behind it */
	expect_refused(in, -EBADMSG, "kernel");
	in = input();
	in.kernel = slice_of("\x7f"
			     "ELF",
		4);
	expect_refused(in, -EBADMSG, "kernel");
	in = input();
	in.cmdline = slice_of("a\0b", 3);
	expect_refused(in, -EBADMSG, "cmdline");
	in.cmdline = slice_of(big, MEASURE_CMDLINE_MAX + 1);
	expect_refused(in, -E2BIG, "cmdline");
	in = input();
	in.initdata = slice_of(big, sizeof(big));
	expect_refused(in, -E2BIG, "initdata");
}

static void test_firmware_table(void **state)
{
	uint8_t *end = g_firmware + sizeof(g_firmware) - 0x20;
	struct slice image = slice_of(g_firmware, sizeof(g_firmware)), version;
	assert_int_equal(measure_firmware_version(image, &version, NULL), 0);
	assert_true(slice_eq(version, slice_of("husk-fw 0.1.0", 14)));
	end[-36] = 0x21; /* entry longer than the table */
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
	end[-36] = 0x11; /* entry shorter than its own header */
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
	end[-36] = 0x20;
	end[-34] ^= 1; /* no husk entry */
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
	end[-34] ^= 1;
	end[-17] = 0xff; /* table larger than the image */
	end[-18] = 0xff;
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
	end[-17] = 0;
	end[-18] = 0x11; /* table shorter than its footer */
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
	end[-1] ^= 1; /* no table */
	assert_int_equal(measure_firmware_version(image, &version, NULL), -EBADMSG);
}

static void test_json(void **state)
{
	struct measure_input in = input();
	struct measurement m;
	json_t *all = NULL, *values = NULL;
	char hex[65];
	assert_int_equal(measure_guest(&in, &m, NULL), 0);
	assert_int_equal(measure_to_json(&m, &all), 0);
	const char *pcr8 =
		json_string_value(json_object_get(json_object_get(all, "registers"), "pcr08"));
	assert_string_equal(pcr8, hex_str(slice_of(m.pcr8, 32), hex, sizeof(hex)));
	json_t *events = json_object_get(all, "events");
	assert_int_equal(json_array_size(events), 7);
	assert_string_equal(json_string_value(json_object_get(json_array_get(events, 6), "source")),
		"initdata");
	assert_int_equal(measure_reference_values(&m, &values), 0);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(values, "tpm_pcr08"), 0)), pcr8);
	json_decref(all);
	json_decref(values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, set_up),
		cmocka_unit_test_setup(test_optional_inputs, set_up),
		cmocka_unit_test_setup(test_kernel_fields, set_up),
		cmocka_unit_test_setup(test_refusals, set_up),
		cmocka_unit_test_setup(test_firmware_table, set_up),
		cmocka_unit_test_setup(test_json, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
