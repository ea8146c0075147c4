/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The setup header of a bzImage: checks, the canonical form that is measured, and boot_params.
 * Pure code. Spec: Linux Documentation/arch/x86/boot.rst; docs/protocol/measured-boot.md.
 */
#include "fw.h"
#include "memmap.h"

#define SETUP_SIZE_MIN 1024u  /* one boot sector and one setup sector: holds the whole header */
#define SETUP_SIZE_MAX 32768u /* 64 sectors: setup_sects is a byte, and Linux stops at 64 */
#define KERNEL_SIZE_MAX (256u << 20)
#define INITRD_SIZE_MAX (1024u << 20)
#define CMDLINE_MAX 4095u
#define BOOT_PARAMS_SIZE 4096
#define KERNEL_ENTRY64 0x200

/* What the firmware needs of a header; all of it has been checked. */
struct setup_info {
	uint64_t load_address; /* where the 64-bit kernel wants to lie */
	uint64_t run_size;     /* bytes from there that it uses before it knows the memory map */
	uint64_t initrd_end_max;
	uint32_t cmdline_max;
	uint32_t header_end; /* offset of the first byte behind the header */
};

/**
 * setup_parse() - check a setup block
 * @size: bytes of setup, as the host says; must be what the header says
 * @kernel_size: bytes that follow the setup block in the file
 *
 * Return: 0, -EBADMSG (not a bzImage, or fields that contradict each other), -EOPNOTSUPP (older
 * than boot protocol 2.12, not relocatable, no 64-bit entry), -E2BIG.
 */
must_check int setup_parse(struct setup_info *ret, const uint8_t *setup, uint32_t size,
	uint32_t kernel_size, const char **ret_why);

/**
 * setup_normalise() - set every field that a boot loader may write to zero
 *
 * QEMU patches the header before the firmware sees it, and differently by version. Zeroing the
 * fields in firmware and in `husk measure` alike gives one digest for one file. The firmware never
 * uses what the host wrote there.
 */
void setup_normalise(uint8_t *setup, uint32_t size);

/* Where things lie when the kernel starts. */
struct boot_layout {
	uint64_t rsdp;
	uint64_t initrd;
	uint32_t initrd_size;
	uint32_t cmdline; /* address */
};

/** setup_boot_params() - fill @ret (BOOT_PARAMS_SIZE bytes) from a normalised setup block */
void setup_boot_params(uint8_t *ret, const uint8_t *setup, const struct setup_info *info,
	const struct boot_layout *layout, const struct memmap *map);

/**
 * setup_place_initrd() - as high in low RAM as kernel and initrd allow
 * @floor: the initrd stays above this address
 * Return: 0, -ENOMEM.
 */
must_check int setup_place_initrd(const struct setup_info *info, const struct memmap *map,
	uint32_t size, uint64_t *ret_address, const char **ret_why);

/**
 * setup_cmdline_size() - bytes of the command line without its NUL
 * Return: the size, or -EBADMSG (no NUL, or bytes behind the first NUL).
 */
must_check int setup_cmdline_size(const uint8_t *cmdline, uint32_t size, const char **ret_why);
