/* SPDX-License-Identifier: Apache-2.0 */
/*
 * husk-fw: from reset to the kernel, measuring everything it loads.
 *
 * Theory of operation. The host is the adversary for everything that fw_cfg holds; the TPM records
 * what was loaded, and this code neither loads what it did not measure nor boots when it cannot
 * measure. Each blob is copied into guest memory once, hashed there, and used from there. The order
 * of the steps is the order of the functions below. Any doubt ends in refuse(), which says why and
 * powers off. Spec: docs/protocol/measured-boot.md.
 */
#include "acpi_loader.h"
#include "chipset.h"
#include "console.h"
#include "evlog.h"
#include "fwcfg.h"
#include "layout.h"
#include "memmap.h"
#include "setup.h"
#include "tpm.h"
#include "x86.h"

#define FLASH_BASE 0xffff0000u
#define FLASH_SIZE 0x10000u
#define FLASH_REGION 0xffc00000ull
#define LEGACY_START 0x9fc00ull
#define LEGACY_END 0x100000ull
#define SCRIPT_MAX 65536u
#define E820_MAX (MEMMAP_MAX * MEMMAP_ENTRY_SIZE)
#define HASH_CHUNK (1u << 20)
#define TPM_LOG_FILE "etc/tpm/log"

#define PCR_FIRMWARE 0
#define PCR_CONFIG 1
#define PCR_CMDLINE 8
#define PCR_KERNEL 9
#define PCR_SEPARATORS 8 /* PCRs below get a separator */

extern const void *const fw_version;
extern const uint32_t fw_version_size;
extern const uint8_t fw_exception_stubs[];
noreturn_fn void fw_main(void);
noreturn_fn void fw_exception(uint64_t vector, uint64_t rip);
noreturn_fn void fw_enter_kernel(uint64_t entry, const void *boot_params);

static struct evlog g_log;
static struct memmap g_map;
static struct acpi_loader g_acpi;
static struct fw_sha256 g_acpi_hash;
static uint8_t g_setup[SETUP_SIZE_MAX];
static uint8_t g_cmdline[CMDLINE_MAX + 1]; /* bss: what was not read stays NUL */
static uint8_t g_boot_params[BOOT_PARAMS_SIZE] __attribute__((aligned(4096)));
static uint8_t g_idt[32 * 16] __attribute__((aligned(16)));

noreturn_fn void fw_exception(uint64_t vector, uint64_t rip)
{
	console_text("husk-fw: exception\n");
	refuse_code(
		vector == 14 ? "page-fault" : "exception", "the firmware failed at", (uint32_t)rip);
}

static void load_idt(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = {sizeof(g_idt) - 1, (uintptr_t)g_idt};
	for (size_t i = 0; i < 32; i++) {
		uint64_t stub = (uintptr_t)fw_exception_stubs + 16 * i;
		put_u16le(g_idt + 16 * i, (uint16_t)stub);
		put_u16le(g_idt + 16 * i + 2, SELECTOR_CODE);
		put_u16le(g_idt + 16 * i + 4, 0x8e00); /* present, interrupt gate */
		put_u64le(g_idt + 16 * i + 6, stub >> 16);
	}
	__asm__ volatile("lidt %0" ::"m"(pointer));
}

/* This image serves plain machines. A TEE that it cannot measure for must not boot by accident. */
static void check_tee(void)
{
	uint32_t r[4];
	cpuid(0x80000000u, 0, r);
	if (r[0] >= 0x8000001fu) {
		cpuid(0x8000001fu, 0, r);
		/* Bits 1 and 3 tell what the CPU can; only the MSR tells what this guest is. */
		if (r[0] & 0x2) {
			uint32_t low, high;
			__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0010131u));
			if (low & 0x7)
				refuse("tee", "this image does not support SEV guests");
		}
	}
	cpuid(0, 0, r);
	if (r[0] < 0x21)
		return;
	cpuid(0x21, 0, r);
	if (r[1] == 0x65746e49 && r[3] == 0x5844546c && r[2] == 0x20202020)
		refuse("tee", "this image does not support TDX guests");
}

static void check(const char *stage, int r, const char *why)
{
	if (r != 0)
		refuse_code(stage, why, (uint32_t)(r < 0 ? -r : r));
}

static void extend(uint32_t pcr, uint32_t type, const struct evlog_digests *digests,
	const void *event, uint32_t event_size)
{
	check("measure", evlog_add(&g_log, pcr, type, digests, event, event_size),
		"the event log is full");
	check("measure", tpm_extend(pcr, &g_log.banks, digests), "the TPM cannot extend a PCR");
}

static void measure_data(uint32_t pcr, uint32_t type, const void *data, uint32_t size,
	const void *event, uint32_t event_size)
{
	struct evlog_digests digests;
	evlog_digest_data(&g_log.banks, data, size, &digests);
	extend(pcr, type, &digests, event, event_size);
}

static void measure_hash(
	uint32_t pcr, uint32_t type, struct fw_sha256 *h, const void *event, uint32_t event_size)
{
	uint8_t sha256[SHA256_SIZE];
	struct evlog_digests digests;
	sha256_final(h, sha256);
	evlog_digest_sha256(&g_log.banks, sha256, &digests);
	extend(pcr, type, &digests, event, event_size);
}

static void start_tpm(void)
{
	struct evlog_banks banks;
	if (tpm_open() == TPM_NONE)
		refuse("tpm", "no TPM 2.0 at 0xfed40000: attach a vTPM (tpm-crb or tpm-tis)");
	check("tpm", tpm_startup(), "the TPM does not start");
	int r = tpm_banks(&banks);
	if (r == -EOPNOTSUPP)
		refuse("tpm", "the TPM has an active PCR bank of an unknown algorithm");
	if (r == -ENODATA)
		refuse("tpm", "the TPM has no complete SHA-256 PCR bank");
	check("tpm", r, "the TPM does not list its PCR banks");
	check("tpm", evlog_start(&g_log, &banks), "the event log cannot be made for these banks");
}

/* PCR 0: who measures the rest. The image is hashed where it is mapped, all 64 KiB of it. */
static void measure_self(void)
{
	uint8_t blob[16];
	struct fw_sha256 h;
	measure_data(PCR_FIRMWARE, EV_S_CRTM_VERSION, fw_version, fw_version_size, fw_version,
		fw_version_size);
	sha256_init(&h);
	sha256_update(&h, (const void *)(uintptr_t)FLASH_BASE, FLASH_SIZE);
	put_u64le(blob, FLASH_BASE);
	put_u64le(blob + 8, FLASH_SIZE);
	measure_hash(PCR_FIRMWARE, EV_EFI_PLATFORM_FIRMWARE_BLOB, &h, blob, sizeof(blob));
}

static void read_memory_map(void)
{
	static uint8_t e820[E820_MAX];
	const char *why = NULL;
	const struct fwcfg_file *f = fwcfg_find("etc/e820");
	if (!f || f->size > sizeof(e820))
		refuse("memory", "fw_cfg has no etc/e820 of a usable size");
	if (fwcfg_read(f->key, 0, e820, f->size))
		refuse("memory", "etc/e820 cannot be read");
	if (memmap_parse(&g_map, e820, f->size, &why) ||
		memmap_reserve(&g_map, LEGACY_START, LEGACY_END, &why) ||
		memmap_reserve(&g_map, CHIPSET_ECAM_BASE,
			(uint64_t)CHIPSET_ECAM_BASE + CHIPSET_ECAM_SIZE, &why) ||
		memmap_reserve(&g_map, FLASH_REGION, 1ull << 32, &why))
		refuse("memory", why);
	if (g_map.low_top > CHIPSET_ECAM_BASE)
		refuse("memory", "low memory reaches into PCI configuration space");
}

static int acpi_size(void *context, const char *name, uint32_t *ret_size)
{
	(void)context;
	const struct fwcfg_file *f = fwcfg_find(name);
	if (!f)
		return -ENOENT;
	*ret_size = f->size;
	return 0;
}

static int acpi_read(void *context, const char *name, uint32_t size, uint32_t align,
	uint8_t **ret_data, uint64_t *ret_address)
{
	(void)context;
	const char *why;
	const struct fwcfg_file *f = fwcfg_find(name);
	uint64_t address;
	if (!f || f->size != size)
		return -ENOENT;
	int r = memmap_take_top(&g_map, ((uint64_t)size + 4095) & ~4095ull,
		align < 4096 ? 4096 : align, MEMMAP_LOW_RAM_MIN / 2, &address, &why);
	if (r < 0)
		return r;
	*ret_data = (uint8_t *)(uintptr_t)address;
	*ret_address = address;
	return fwcfg_read(f->key, 0, *ret_data, size);
}

static int acpi_write_back(
	void *context, const char *name, uint32_t offset, const uint8_t *data, uint32_t size)
{
	(void)context;
	const struct fwcfg_file *f = fwcfg_find(name);
	return f ? fwcfg_write(f->key, offset, data, size) : -ENOENT;
}

static void acpi_loaded(void *context, const struct acpi_file *file)
{
	(void)context;
	sha256_update(&g_acpi_hash, file->data, file->size);
}

/* The tables are the host's and run as code in the kernel's interpreter: PCR 1 records them. */
static void load_acpi(void)
{
	static uint8_t script[SCRIPT_MAX];
	static const struct acpi_ops ops = {acpi_size, acpi_read, acpi_write_back, NULL};
	static const char event[] = "ACPI tables";
	const char *why = NULL;
	const struct fwcfg_file *f = fwcfg_find("etc/table-loader");
	if (!f || f->size > sizeof(script))
		refuse("acpi", "fw_cfg has no etc/table-loader of a usable size");
	if (fwcfg_read(f->key, 0, script, f->size))
		refuse("acpi", "etc/table-loader cannot be read");
	sha256_init(&g_acpi_hash);
	sha256_update(&g_acpi_hash, script, f->size);
	if (acpi_load(&g_acpi, script, f->size, &ops, acpi_loaded, &why))
		refuse("acpi", why);
	measure_hash(PCR_CONFIG, EV_PLATFORM_CONFIG_FLAGS, &g_acpi_hash, event, sizeof(event));
}

static uint64_t find_rsdp(void)
{
	const struct acpi_file *f = acpi_find(&g_acpi, "etc/acpi/rsdp");
	if (!f || f->size < 20 || memcmp(f->data, "RSD PTR ", 8) != 0)
		refuse("acpi", "the ACPI tables have no root pointer");
	return f->address;
}

static void measure_cmdline(const struct setup_info *info)
{
	const char *why = NULL;
	uint32_t size = 0;
	if (fwcfg_read_u32(FWCFG_CMDLINE_SIZE, &size))
		refuse("cmdline", "the size of the command line cannot be read");
	if (size > sizeof(g_cmdline))
		refuse("cmdline", "the command line is over 4095 bytes");
	/* No -append at all is the empty command line. */
	if (size > 0 && fwcfg_read(FWCFG_CMDLINE_DATA, 0, g_cmdline, size))
		refuse("cmdline", "the command line cannot be read");
	int used = size > 0 ? setup_cmdline_size(g_cmdline, size, &why) : 0;
	if (used < 0)
		refuse("cmdline", why);
	if ((uint32_t)used > info->cmdline_max)
		refuse("cmdline", "the command line is longer than the kernel takes");
	/* With its NUL, as the kernel-hashes page of SEV has it and as the log shows it. */
	measure_data(
		PCR_CMDLINE, EV_IPL, g_cmdline, (uint32_t)used + 1, g_cmdline, (uint32_t)used + 1);
}

/* Reads an item of fw_cfg to its final place and hashes it there, while it is in the cache. */
static void load_blob(
	const char *stage, uint16_t key, uint64_t address, uint32_t size, struct fw_sha256 *h)
{
	uint8_t *dst = (uint8_t *)(uintptr_t)address;
	for (uint32_t at = 0; at < size;) {
		uint32_t part = MIN(size - at, HASH_CHUNK);
		int r = at == 0 ? fwcfg_read(key, 0, dst, part) : fwcfg_continue(dst + at, part);
		check(stage, r, "fw_cfg does not deliver the file");
		sha256_update(h, dst + at, part);
		at += part;
	}
}

static void load_kernel(struct setup_info *info)
{
	static const char event[] = "kernel";
	const char *why = NULL;
	uint32_t setup_size = 0, size = 0;
	struct fw_sha256 h;
	if (fwcfg_read_u32(FWCFG_SETUP_SIZE, &setup_size) ||
		fwcfg_read_u32(FWCFG_KERNEL_SIZE, &size))
		refuse("kernel", "the size of the kernel cannot be read");
	if (setup_size == 0 || size == 0)
		refuse("kernel", "there is no kernel: start QEMU with -kernel");
	if (setup_size > sizeof(g_setup))
		refuse("kernel", "the setup block of the kernel is over 32 KiB");
	if (fwcfg_read(FWCFG_SETUP_DATA, 0, g_setup, setup_size))
		refuse("kernel", "the setup block of the kernel cannot be read");
	if (setup_parse(info, g_setup, setup_size, size, &why))
		refuse("kernel", why);
	uint64_t load_end = info->load_address + info->run_size;
	if (load_end > g_map.low_top || !memmap_is_ram(&g_map, info->load_address, load_end))
		refuse("kernel", "the guest has too little memory for the kernel");
	setup_normalise(g_setup, setup_size);
	sha256_init(&h);
	sha256_update(&h, g_setup, setup_size);
	load_blob("kernel", FWCFG_KERNEL_DATA, info->load_address, size, &h);
	measure_hash(PCR_KERNEL, EV_IPL, &h, event, sizeof(event));
}

static void load_initrd(const struct setup_info *info, struct boot_layout *layout)
{
	static const char event[] = "initrd";
	const char *why = NULL;
	uint32_t size = 0;
	struct fw_sha256 h;
	if (fwcfg_read_u32(FWCFG_INITRD_SIZE, &size))
		refuse("initrd", "the size of the initrd cannot be read");
	if (size == 0)
		return;
	if (size > INITRD_SIZE_MAX)
		refuse("initrd", "the initrd is over 1 GiB");
	if (setup_place_initrd(info, &g_map, size, &layout->initrd, &why))
		refuse("initrd", why);
	layout->initrd_size = size;
	sha256_init(&h);
	load_blob("initrd", FWCFG_INITRD_DATA, layout->initrd, size, &h);
	measure_hash(PCR_KERNEL, EV_IPL, &h, event, sizeof(event));
}

/* No event of the firmware may follow a separator; PCRs 8 and up belong to what is loaded. */
static void measure_separators(void)
{
	static const uint8_t separator[4];
	for (uint32_t pcr = 0; pcr < PCR_SEPARATORS; pcr++)
		measure_data(pcr, EV_SEPARATOR, separator, sizeof(separator), separator,
			sizeof(separator));
}

static void publish_log(void)
{
	struct acpi_file *f = acpi_find(&g_acpi, TPM_LOG_FILE);
	if (!f)
		refuse("acpi", "the ACPI tables have no TPM event log");
	if (f->size < g_log.size)
		refuse("acpi", "the TPM event log of the ACPI tables is too small");
	memset(f->data, 0, f->size);
	memcpy(f->data, g_log.bytes, g_log.size);
}

noreturn_fn void fw_main(void)
{
	const char *why = NULL;
	struct setup_info info;
	struct boot_layout layout = {0};
	load_idt();
	if (chipset_init())
		refuse("machine", "this is not a QEMU q35 machine");
	trace("husk-fw: start\n");
	check_tee();
	start_tpm();
	measure_self();
	if (fwcfg_init(&why))
		refuse("fw_cfg", why);
	read_memory_map();
	load_acpi();
	layout.rsdp = find_rsdp();
	measure_separators();
	trace("husk-fw: platform measured\n");
	load_kernel(&info);
	measure_cmdline(&info);
	load_initrd(&info, &layout);
	publish_log();
	check("tpm", tpm_disable_platform(), "the TPM keeps its platform hierarchy");
	tpm_close();
	layout.cmdline = (uint32_t)(uintptr_t)g_cmdline;
	setup_boot_params(g_boot_params, g_setup, &info, &layout, &g_map);
	trace("husk-fw: enter kernel\n");
	fw_enter_kernel(info.load_address + KERNEL_ENTRY64, g_boot_params);
}
