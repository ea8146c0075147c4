/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * QEMU's fw_cfg device through its DMA interface. Everything it returns comes from the host and is
 * hostile: sizes are limits to check against, names are compared in full.
 * Spec: QEMU docs/specs/fw_cfg.rst.
 */
#include "fw.h"

#define FWCFG_CMDLINE_SIZE 0x14
#define FWCFG_CMDLINE_DATA 0x15
#define FWCFG_SETUP_SIZE 0x17
#define FWCFG_SETUP_DATA 0x18
#define FWCFG_KERNEL_SIZE 0x08
#define FWCFG_KERNEL_DATA 0x11
#define FWCFG_INITRD_SIZE 0x0b
#define FWCFG_INITRD_DATA 0x12

#define FWCFG_NAME_SIZE 56
#define FWCFG_FILE_MAX 256

struct fwcfg_file {
	uint32_t size;
	uint16_t key;
	char name[FWCFG_NAME_SIZE]; /* always NUL-terminated */
};

/**
 * fwcfg_init() - find the device and read its directory
 * Return: 0, -ENODEV (no device), -EOPNOTSUPP (no DMA), -EBADMSG (directory), -E2BIG, -EIO.
 */
must_check int fwcfg_init(const char **ret_why);
/** fwcfg_find() - a file by its exact name (NUL-terminated within FWCFG_NAME_SIZE); NULL if absent
 */
const struct fwcfg_file *fwcfg_find(const char *name);
/** fwcfg_read() - select an item, skip @offset bytes, read @size bytes to @dst. Return: 0, -EIO. */
must_check int fwcfg_read(uint16_t key, uint32_t offset, void *dst, uint32_t size);
/** fwcfg_continue() - the next @size bytes of the item read last. Return: 0, -EIO. */
must_check int fwcfg_continue(void *dst, uint32_t size);
/** fwcfg_read_u32() - an item that holds one little-endian number. Return: 0, -EIO. */
must_check int fwcfg_read_u32(uint16_t key, uint32_t *ret);
/** fwcfg_write() - write into a file at @offset. Return: 0, -EIO. */
must_check int fwcfg_write(uint16_t key, uint32_t offset, const void *src, uint32_t size);
