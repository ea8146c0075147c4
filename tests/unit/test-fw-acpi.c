/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI table loader: what it does, and every way in which a script may try to leave its files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/str.h"
#include "firmware/acpi_loader.h"

#define TABLES_SIZE 64
#define RSDP_SIZE 20
#define TABLES_ADDRESS 0x1ff00000u
#define RSDP_ADDRESS 0x1fe00000u

static uint8_t g_tables[TABLES_SIZE], g_rsdp[RSDP_SIZE], g_vmgenid[8];
static uint8_t g_script[16 * ACPI_COMMAND_SIZE];
static uint32_t g_used;
static int g_loaded;

static int op_size(void *context, const char *name, uint32_t *ret_size)
{
	if (streq(name, "tables"))
		*ret_size = TABLES_SIZE;
	else if (streq(name, "rsdp"))
		*ret_size = RSDP_SIZE;
	else if (streq(name, "vmgenid_addr"))
		*ret_size = sizeof(g_vmgenid);
	else if (streq(name, "empty"))
		*ret_size = 0;
	else if (streq(name, "huge"))
		*ret_size = ACPI_FILE_SIZE_MAX + 1;
	else if (strncmp(name, "full", 4) == 0)
		*ret_size = ACPI_FILE_SIZE_MAX;
	else
		return -ENOENT;
	return 0;
}

static int op_load(void *context, const char *name, uint32_t size, uint32_t align,
	uint8_t **ret_data, uint64_t *ret_address)
{
	bool tables = !streq(name, "rsdp");
	*ret_data = tables ? g_tables : g_rsdp;
	*ret_address = tables ? TABLES_ADDRESS : RSDP_ADDRESS;
	return 0;
}

static int op_write_back(
	void *context, const char *name, uint32_t offset, const uint8_t *data, uint32_t size)
{
	assert_string_equal(name, "vmgenid_addr");
	assert_true(offset + size <= sizeof(g_vmgenid));
	memcpy(g_vmgenid + offset, data, size);
	return 0;
}

static void on_loaded(void *context, const struct acpi_file *file)
{
	g_loaded++;
}

static const struct acpi_ops g_ops = {op_size, op_load, op_write_back, NULL};

static int set_up(void **state)
{
	memset(g_tables, 0, sizeof(g_tables));
	memset(g_rsdp, 0, sizeof(g_rsdp));
	memset(g_vmgenid, 0, sizeof(g_vmgenid));
	memset(g_script, 0, sizeof(g_script));
	g_used = 0;
	g_loaded = 0;
	return 0;
}

static uint8_t *command(uint32_t code)
{
	uint8_t *p = g_script + g_used;
	assert_true(g_used < sizeof(g_script));
	put_u32le(p, code);
	g_used += ACPI_COMMAND_SIZE;
	return p + 4;
}

static void put_name(uint8_t *p, const char *name)
{
	memcpy(p, name, strlen(name));
}

static void allocate(const char *name, uint32_t align, uint8_t zone)
{
	uint8_t *p = command(1);
	put_name(p, name);
	put_u32le(p + 56, align);
	p[60] = zone;
}

static void add_pointer(const char *at, const char *to, uint32_t offset, uint8_t size)
{
	uint8_t *p = command(2);
	put_name(p, at);
	put_name(p + 56, to);
	put_u32le(p + 112, offset);
	p[116] = size;
}

static void add_checksum(const char *name, uint32_t offset, uint32_t start, uint32_t size)
{
	uint8_t *p = command(3);
	put_name(p, name);
	put_u32le(p + 56, offset);
	put_u32le(p + 60, start);
	put_u32le(p + 64, size);
}

static void write_pointer(
	const char *at, const char *to, uint32_t offset, uint32_t source, uint8_t size)
{
	uint8_t *p = command(4);
	put_name(p, at);
	put_name(p + 56, to);
	put_u32le(p + 112, offset);
	put_u32le(p + 116, source);
	p[120] = size;
}

static int run(void)
{
	static struct acpi_loader l;
	const char *why = NULL;
	int r = acpi_load(&l, g_script, g_used, &g_ops, on_loaded, &why);
	assert_true((r < 0) == (why != NULL)); /* a refusal always says why */
	return r;
}

static void two_files(void)
{
	set_up(NULL);
	allocate("tables", 64, 1);
	allocate("rsdp", 16, 2);
}

static void test_good(void **state)
{
	two_files();
	put_u32le(g_rsdp + 16, 40); /* RSDP points 40 bytes into the tables */
	add_pointer("rsdp", "tables", 16, 4);
	g_rsdp[3] = 5;
	add_checksum("rsdp", 8, 0, RSDP_SIZE);
	write_pointer("vmgenid_addr", "tables", 0, 12, 8);
	command(0); /* padding */
	assert_int_equal(run(), 0);
	assert_int_equal(g_loaded, 2);
	assert_int_equal(get_u32le(g_rsdp + 16), TABLES_ADDRESS + 40);
	uint8_t sum = 0;
	for (size_t i = 0; i < RSDP_SIZE; i++)
		sum = (uint8_t)(sum + g_rsdp[i]);
	assert_int_equal(sum, 0);
	assert_int_equal(get_u64le(g_vmgenid), TABLES_ADDRESS + 12);
}

static void test_allocate(void **state)
{
	static const char *const full[] = {"full1", "full2", "full3", "full4", "full5"};
	set_up(NULL);
	allocate("nothing", 64, 1);
	assert_int_equal(run(), -ENOENT);
	set_up(NULL);
	allocate("", 64, 1);
	assert_int_equal(run(), -EBADMSG);
	set_up(NULL);
	memset(command(1), 'a', 56); /* a name without an end */
	assert_int_equal(run(), -EBADMSG);
	two_files();
	allocate("rsdp", 16, 1); /* twice */
	assert_int_equal(run(), -EBADMSG);
	for (uint32_t align = 0; align < 5; align++) {
		set_up(NULL);
		allocate("rsdp", (const uint32_t[]){0, 3, 48, 131072, 0x80000000}[align], 1);
		assert_int_equal(run(), -EBADMSG);
	}
	set_up(NULL);
	allocate("rsdp", 16, 0); /* zones are 1 and 2 */
	assert_int_equal(run(), -EBADMSG);
	set_up(NULL);
	allocate("empty", 16, 1);
	assert_int_equal(run(), -E2BIG);
	set_up(NULL);
	allocate("huge", 16, 1);
	assert_int_equal(run(), -E2BIG);
	set_up(NULL);
	for (size_t i = 0; i < ARRAY_COUNT(full); i++) /* each fits, all together do not */
		allocate(full[i], 16, 1);
	assert_int_equal(run(), -E2BIG);
	assert_int_equal(g_loaded, 4);
}

static void pointer_case(
	int expected, const char *at, const char *to, uint32_t offset, uint8_t size)
{
	two_files();
	add_pointer(at, to, offset, size);
	assert_int_equal(run(), expected);
}

static void test_pointers(void **state)
{
	pointer_case(0, "tables", "rsdp", 56, 8);		 /* the last eight bytes */
	pointer_case(-EBADMSG, "tables", "rsdp", 57, 8);	 /* one too far */
	pointer_case(-EBADMSG, "tables", "rsdp", 64, 4);	 /* at the end */
	pointer_case(-EBADMSG, "tables", "rsdp", 0xfffffffe, 4); /* offset + size wraps */
	pointer_case(-EBADMSG, "tables", "rsdp", 0, 3);
	pointer_case(-EBADMSG, "tables", "rsdp", 0, 0);
	pointer_case(-EBADMSG, "tables", "rsdp", 0, 16);
	pointer_case(-EBADMSG, "tables", "rsdp", 0, 2); /* the address does not fit two bytes */
	pointer_case(-EBADMSG, "nothing", "rsdp", 0, 4);
	pointer_case(-EBADMSG, "tables", "nothing", 0, 4);
	pointer_case(-EBADMSG, "vmgenid_addr", "rsdp", 0, 4); /* exists, but is not allocated */
	pointer_case(-EBADMSG, "tables", "", 0, 4);
	two_files();
	put_u32le(g_rsdp + 16, TABLES_SIZE); /* leads right behind its target */
	add_pointer("rsdp", "tables", 16, 4);
	assert_int_equal(run(), -EBADMSG);
	two_files();
	memset(g_tables, 0xff, 8); /* would wrap 64 bits */
	add_pointer("tables", "rsdp", 0, 8);
	assert_int_equal(run(), -EBADMSG);
}

static void checksum_case(
	int expected, const char *name, uint32_t offset, uint32_t start, uint32_t size)
{
	two_files();
	add_checksum(name, offset, start, size);
	assert_int_equal(run(), expected);
}

static void test_checksums(void **state)
{
	checksum_case(0, "tables", 63, 0, 64);
	checksum_case(0, "tables", 0, 64, 0); /* the empty range at the end */
	checksum_case(-EBADMSG, "tables", 64, 0, 64);
	checksum_case(-EBADMSG, "tables", 0, 0, 65);
	checksum_case(-EBADMSG, "tables", 0, 1, 64);
	checksum_case(-EBADMSG, "tables", 0, 65, 0);
	checksum_case(-EBADMSG, "tables", 0, 0xffffffff, 2);
	checksum_case(-EBADMSG, "tables", 0xffffffff, 0, 1);
	checksum_case(-EBADMSG, "nothing", 0, 0, 1);
}

static void write_case(int expected, const char *at, const char *to, uint32_t offset,
	uint32_t source, uint8_t size)
{
	two_files();
	write_pointer(at, to, offset, source, size);
	assert_int_equal(run(), expected);
}

static void test_write_pointers(void **state)
{
	write_case(0, "vmgenid_addr", "tables", 4, 63, 4);
	write_case(-EBADMSG, "vmgenid_addr", "tables", 5, 0, 4);
	write_case(-EBADMSG, "vmgenid_addr", "tables", 0xffffffff, 0, 4);
	write_case(-EBADMSG, "vmgenid_addr", "tables", 0, 64, 4);
	write_case(-EBADMSG, "vmgenid_addr", "tables", 0, 0, 5);
	write_case(-EBADMSG, "vmgenid_addr", "tables", 0, 0, 1);
	write_case(-EBADMSG, "vmgenid_addr", "nothing", 0, 0, 8);
	write_case(-ENOENT, "nothing", "tables", 0, 0, 8);
}

static void test_script(void **state)
{
	static struct acpi_loader l;
	static uint8_t long_script[(ACPI_COMMAND_MAX + 1) * ACPI_COMMAND_SIZE];
	const char *why = NULL;
	two_files();
	command(5);
	assert_int_equal(run(), -EOPNOTSUPP);
	two_files();
	for (uint32_t size = 0; size < g_used; size++)
		if (size % ACPI_COMMAND_SIZE || size == 0)
			assert_int_equal(
				acpi_load(&l, g_script, size, &g_ops, NULL, &why), -EBADMSG);
	assert_int_equal(
		acpi_load(&l, long_script, sizeof(long_script), &g_ops, NULL, &why), -E2BIG);
	assert_int_equal(acpi_load(&l, long_script, sizeof(long_script) - ACPI_COMMAND_SIZE, &g_ops,
				 NULL, &why),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up),
		cmocka_unit_test_setup(test_allocate, set_up),
		cmocka_unit_test_setup(test_pointers, set_up),
		cmocka_unit_test_setup(test_checksums, set_up),
		cmocka_unit_test_setup(test_write_pointers, set_up),
		cmocka_unit_test_setup(test_script, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
