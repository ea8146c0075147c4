/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's ACPI table loader. Caller: src/firmware/main.c; attacker: the host, who writes the
 * script and the files. Input: u8 count of commands (at most what is there), the 128-byte commands,
 * then the bytes that every file starts with. A file's size is 3 times the first byte of its name.
 * Each file has memory of its own exact size, so that the sanitizer sees a step over its end.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/acpi_loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct host {
	const uint8_t *content;
	size_t content_size;
	uint8_t *files[ACPI_FILE_MAX];
	size_t count;
};

static int op_size(void *context, const char *name, uint32_t *ret_size)
{
	if (memchr(name, 0, ACPI_NAME_SIZE) == NULL)
		abort();
	if (name[0] == 'x')
		return -ENOENT;
	*ret_size = 3u * (uint8_t)name[0];
	return 0;
}

static int op_load(void *context, const char *name, uint32_t size, uint32_t align,
	uint8_t **ret_data, uint64_t *ret_address)
{
	struct host *h = context;
	assert(h->count < ACPI_FILE_MAX && size > 0 && align > 0 && (align & (align - 1)) == 0);
	uint8_t *p = malloc(size);
	if (!p)
		return -ENOMEM;
	memset(p, 0, size);
	if (h->content_size > 0)
		memcpy(p, h->content, h->content_size < size ? h->content_size : size);
	h->files[h->count++] = p;
	*ret_data = p;
	*ret_address = 0x10000u * h->count;
	return 0;
}

static int op_write_back(
	void *context, const char *name, uint32_t offset, const uint8_t *data, uint32_t size)
{
	assert(size <= 8 && (uint64_t)offset + size <= 3u * (uint8_t)name[0]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct acpi_loader l;
	struct host host = {0};
	const struct acpi_ops ops = {op_size, op_load, op_write_back, &host};
	const char *why = NULL;
	if (size < 1)
		return 0;
	size_t commands = data[0];
	if (commands > (size - 1) / ACPI_COMMAND_SIZE)
		commands = (size - 1) / ACPI_COMMAND_SIZE;
	size_t script_size = commands * ACPI_COMMAND_SIZE;
	host.content = data + 1 + script_size;
	host.content_size = size - 1 - script_size;
	int r = acpi_load(&l, data + 1, (uint32_t)script_size, &ops, NULL, &why);
	assert(r <= 0 && (r == 0 || why));
	assert(l.total <= ACPI_TOTAL_MAX && l.count <= ACPI_FILE_MAX);
	for (size_t i = 0; i < host.count; i++)
		free(host.files[i]);
	return 0;
}
