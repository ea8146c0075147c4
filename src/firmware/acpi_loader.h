/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * QEMU's ACPI table loader: a script of 128-byte commands that allocates fw_cfg files in memory,
 * links them with pointers and fixes checksums. Script and files come from the host, so every
 * offset, size and name is checked; commands can only touch files that the script allocated.
 * Pure code: memory and fw_cfg are reached through callbacks. Spec: QEMU
 * hw/acpi/bios-linker-loader.c.
 */
#include "fw.h"

#define ACPI_COMMAND_SIZE 128u
#define ACPI_COMMAND_MAX 512u
#define ACPI_NAME_SIZE 56
#define ACPI_FILE_MAX 16u
#define ACPI_FILE_SIZE_MAX (2u << 20)
#define ACPI_TOTAL_MAX (8u << 20)

/**
 * struct acpi_ops - what the loader needs of its surroundings
 * @size: size of a fw_cfg file in bytes. Return: 0, -ENOENT.
 * @load: memory for @size bytes at a multiple of @align, with the file read into it; @ret_data is
 *        where the firmware can write it, @ret_address what the guest calls it
 * @write_back: write bytes into a fw_cfg file (WRITE_POINTER). Return: 0 or negative errno.
 */
struct acpi_ops {
	int (*size)(void *context, const char *name, uint32_t *ret_size);
	int (*load)(void *context, const char *name, uint32_t size, uint32_t align,
		uint8_t **ret_data, uint64_t *ret_address);
	int (*write_back)(void *context, const char *name, uint32_t offset, const uint8_t *data,
		uint32_t size);
	void *context;
};

struct acpi_file {
	char name[ACPI_NAME_SIZE];
	uint8_t *data;
	uint64_t address;
	uint32_t size;
};

struct acpi_loader {
	struct acpi_file files[ACPI_FILE_MAX];
	uint32_t count;
	uint32_t total; /* bytes allocated */
};

/**
 * acpi_load() - run a script
 *
 * @loaded, when set, is called once for each file right after it was read, before any command
 * changes it: the measurement hook.
 * Return: 0, -EBADMSG (script, unknown name, range outside a file, duplicate), -E2BIG (a limit
 * above), -EOPNOTSUPP (unknown command), -ENOENT (no such fw_cfg file), or the error of a callback.
 */
must_check int acpi_load(struct acpi_loader *l, const uint8_t *script, uint32_t size,
	const struct acpi_ops *ops, void (*loaded)(void *context, const struct acpi_file *file),
	const char **ret_why);
/** acpi_find() - an allocated file; NULL if absent */
struct acpi_file *acpi_find(struct acpi_loader *l, const char *name);
