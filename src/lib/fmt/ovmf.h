/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a virtual firmware image says of itself at its end: the table of GUIDed entries below the
 * reset vector, and the list of memory ranges that SEV-SNP launches prepare.
 *
 * Spec: edk2, OvmfPkg/ResetVector (ResetVectorVtf0 and OvmfSevMetadata). An image ends at 4 GiB.
 */
#include "base/rd.h"

#define OVMF_SIZE_MAX ((size_t)64 << 20)
#define OVMF_PAGE ((size_t)4096)
#define OVMF_SECTIONS_MAX 64
#define OVMF_SECTION_SIZE_MAX ((uint32_t)256 << 20)

enum ovmf_section_type {
	OVMF_SEC_MEM = 1,
	OVMF_SECRETS = 2,
	OVMF_CPUID = 3,
	OVMF_SVSM_CAA = 4,
	OVMF_KERNEL_HASHES = 0x10,
};

struct ovmf_section {
	uint32_t address, size, type; /* type: one of enum ovmf_section_type */
};

/**
 * struct ovmf - views into the caller's image
 * @address: where the image starts in guest memory
 * @hashes_address, @hashes_size: room for the table of kernel hashes; 0 when there is none
 * @reset_address: where application processors start; 0 when not said
 */
struct ovmf {
	struct slice image;
	uint64_t address;
	uint32_t hashes_address, hashes_size, reset_address;
	struct ovmf_section sections[OVMF_SECTIONS_MAX];
	size_t section_count;
};

/**
 * ovmf_parse() - read the tables of @image; an image without a table is not an error
 * Return: 0; -EBADMSG (size that is no multiple of a page, or malformed tables), -E2BIG (limits
 * above), -EOPNOTSUPP (unknown type of section).
 */
must_check int ovmf_parse(struct slice image, struct ovmf *ret, struct err *reterr);
/** ovmf_has_section() - whether any section is of @type */
bool ovmf_has_section(const struct ovmf *o, enum ovmf_section_type type);
