/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Attestation report of NVIDIA's GPUs and switches: an SPDM 1.1 GET_MEASUREMENTS request of 37
 * bytes, then the MEASUREMENTS response to it, signed with ECDSA P-384 (96 bytes, r||s, big-endian)
 * over everything before the signature. Spec: DMTF DSP0274 1.1.1, 10.11; the opaque data of the
 * response is NVIDIA's: items of a little-endian type, a little-endian size and bytes.
 */
#include "base/err.h"
#include "base/slice.h"

#define NV_REPORT_SIZE_MAX ((size_t)64 << 10)
#define NV_REQUEST_SIZE 37
#define NV_NONCE_SIZE 32
#define NV_SIGNATURE_SIZE 96
#define NV_MEASUREMENTS_MAX 255 /* the index is a byte and never 0 */
#define NV_OPAQUE_TYPES 64
#define NV_PDI_SIZE 8
#define NV_PADDING_MAX 8 /* zeros that some drivers leave behind the signature */

enum nv_opaque {
	NV_DRIVER_VERSION = 3,
	NV_GPU_INFO = 4,
	NV_VBIOS_VERSION = 6,
	NV_NVDEC0_STATUS = 11,
	NV_MEASUREMENT_COUNT = 12,
	NV_CHIP_SKU = 15,
	NV_CHIP_SKU_MOD = 16,
	NV_PROJECT = 17,
	NV_PROJECT_SKU = 18,
	NV_FWID = 20,
	NV_PROTECTED_PCIE_STATUS = 21,
	NV_PDI = 22, /* of a switch: its own; of a GPU: those of the switches it sees */
	NV_SWITCH_GPU_PDIS = 26,
	NV_OPAQUE_DATA_VERSION = 34,
	NV_CHIP_INFO = 35,
	NV_FEATURE_FLAG = 36,
};

/** struct nv_message - the first four bytes of an SPDM message, and its nonce */
struct nv_message {
	uint8_t version, code, param1, param2;
	struct slice nonce;
};

/** struct nv_measurement - @value empty: the device reports none at this index */
struct nv_measurement {
	uint8_t type; /* DMTF: bit 7 raw, bits 0 to 6 what was measured */
	struct slice value;
};

/**
 * struct nv_report - views into the report
 * @measurements: by their index in the response, 1 to 255
 * @opaque, @has_opaque: items by type
 * @signed_bytes: what @signature covers
 */
struct nv_report {
	struct nv_message request, response;
	uint8_t slot;
	uint8_t block_count;
	struct nv_measurement measurements[NV_MEASUREMENTS_MAX + 1];
	bool has_opaque[NV_OPAQUE_TYPES];
	struct slice opaque[NV_OPAQUE_TYPES];
	struct slice signed_bytes, signature;
};

/**
 * nv_report_parse() - one report and at most NV_PADDING_MAX zeros behind it
 * Return: 0; -ENODATA (truncated), -EBADMSG (malformed, something twice), -EOPNOTSUPP (SPDM version,
 * measurement specification), -E2BIG.
 */
must_check int nv_report_parse(struct slice in, struct nv_report *ret, struct err *reterr);
/** nv_opaque_name() - NVIDIA's name in lower case ("driver_version"); NULL when unknown */
const char *nv_opaque_name(unsigned type);
/** nv_opaque_text() - the item as text without the zeros at its end, in @dst; "" when it is absent,
 * not printable or does not fit. Return: @dst. */
const char *nv_opaque_text(const struct nv_report *r, enum nv_opaque type, char *dst, size_t size);
/** nv_vbios_text() - "96.00.9f.00.01" in @dst: GPUs report bytes, switches report text. Return: 0,
 * -ENOENT, -EBADMSG. */
must_check int nv_vbios_text(const struct nv_report *r, char *dst, size_t size);
