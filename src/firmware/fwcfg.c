/* SPDX-License-Identifier: Apache-2.0 */
#include "fwcfg.h"

#include "chipset.h"
#include "x86.h"

#define PORT_SELECT 0x510
#define PORT_DATA 0x511
#define PORT_DMA_HIGH 0x514
#define PORT_DMA_LOW 0x518

#define KEY_SIGNATURE 0x00
#define KEY_ID 0x01
#define KEY_DIRECTORY 0x19
#define ID_DMA 0x2

#define DMA_ERROR 0x01u
#define DMA_READ 0x02u
#define DMA_SKIP 0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE 0x10u
#define DMA_TIMEOUT_MS 30000

#define DIRECTORY_ENTRY_SIZE 64

static struct fwcfg_file g_files[FWCFG_FILE_MAX];
static uint32_t g_file_count;

static int dma(uint32_t control, uintptr_t address, uint32_t size)
{
	static uint8_t access[16] __attribute__((aligned(16)));
	put_u32be(access, control);
	put_u32be(access + 4, size);
	put_u64be(access + 8, address);
	compiler_barrier();
	outl(PORT_DMA_HIGH, 0);
	outl(PORT_DMA_LOW, __builtin_bswap32((uint32_t)(uintptr_t)access));
	struct deadline end = deadline_start(DMA_TIMEOUT_MS);
	for (;;) {
		compiler_barrier();
		uint32_t state = get_u32be(access);
		if (state & DMA_ERROR)
			return -EIO;
		if (state == 0)
			return 0;
		if (deadline_passed(&end))
			return -EIO;
		cpu_relax();
	}
}

static int skip(uint32_t offset)
{
	return offset ? dma(DMA_SKIP, 0, offset) : 0;
}

int fwcfg_read(uint16_t key, uint32_t offset, void *dst, uint32_t size)
{
	int r = dma((uint32_t)key << 16 | DMA_SELECT, 0, 0);
	if (r == 0)
		r = skip(offset);
	if (r == 0)
		r = dma(DMA_READ, (uintptr_t)dst, size);
	return r;
}

int fwcfg_continue(void *dst, uint32_t size)
{
	return dma(DMA_READ, (uintptr_t)dst, size);
}

int fwcfg_write(uint16_t key, uint32_t offset, const void *src, uint32_t size)
{
	int r = dma((uint32_t)key << 16 | DMA_SELECT, 0, 0);
	if (r == 0)
		r = skip(offset);
	if (r == 0)
		r = dma(DMA_WRITE, (uintptr_t)src, size);
	return r;
}

int fwcfg_read_u32(uint16_t key, uint32_t *ret)
{
	uint8_t bytes[4];
	int r = fwcfg_read(key, 0, bytes, sizeof(bytes));
	if (r == 0)
		*ret = get_u32le(bytes);
	return r;
}

static int read_directory(const char **ret_why)
{
	static uint8_t entry[DIRECTORY_ENTRY_SIZE];
	uint8_t count[4];
	if (fwcfg_read(KEY_DIRECTORY, 0, count, sizeof(count)))
		return fw_why(ret_why, -EIO, "the fw_cfg directory cannot be read");
	if (get_u32be(count) > FWCFG_FILE_MAX)
		return fw_why(ret_why, -E2BIG, "the fw_cfg directory has more than 256 files");
	g_file_count = get_u32be(count);
	for (uint32_t i = 0; i < g_file_count; i++) {
		if (fwcfg_continue(entry, sizeof(entry)))
			return fw_why(ret_why, -EIO, "the fw_cfg directory cannot be read");
		g_files[i].size = get_u32be(entry);
		g_files[i].key = get_u16be(entry + 4);
		memcpy(g_files[i].name, entry + 8, FWCFG_NAME_SIZE);
		if (g_files[i].name[FWCFG_NAME_SIZE - 1])
			return fw_why(ret_why, -EBADMSG, "a fw_cfg file name has no end");
	}
	return 0;
}

int fwcfg_init(const char **ret_why)
{
	char signature[4];
	outw(PORT_SELECT, KEY_SIGNATURE);
	for (size_t i = 0; i < sizeof(signature); i++)
		signature[i] = (char)inb(PORT_DATA);
	if (memcmp(signature, "QEMU", sizeof(signature)) != 0)
		return fw_why(ret_why, -ENODEV, "the machine has no fw_cfg device");
	outw(PORT_SELECT, KEY_ID);
	if (!(inb(PORT_DATA) & ID_DMA))
		return fw_why(ret_why, -EOPNOTSUPP, "fw_cfg has no DMA interface");
	return read_directory(ret_why);
}

const struct fwcfg_file *fwcfg_find(const char *name)
{
	for (uint32_t i = 0; i < g_file_count; i++) {
		const char *a = g_files[i].name, *b = name;
		while (*a && *a == *b) {
			a++;
			b++;
		}
		if (*a == *b)
			return &g_files[i];
	}
	return NULL;
}
