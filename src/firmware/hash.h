/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hashes of the PCR banks (FIPS 180-4). SHA-256 is the one that matters: it runs over kernel and
 * initrd, so it has code for SHA-NI, for BMI2 (whose flag-free rotates are cheap under emulation)
 * and plain code. The others only see a few bytes per event.
 */
#include "fw.h"

#define FW_HASH_SIZE_MAX 64
#define SHA1_SIZE 20
#define SHA256_SIZE 32
#define SHA384_SIZE 48
#define SHA512_SIZE 64

struct fw_sha256 {
	uint32_t state[8];
	uint64_t size; /* bytes so far */
	uint8_t block[64];
};

enum sha256_code { SHA256_PLAIN, SHA256_BMI2, SHA256_NI };

/** sha256_pick() - the fastest code of this CPU; called by the first sha256_init() */
enum sha256_code sha256_pick(void);
/** sha256_use() - choose the code; the caller knows that the CPU has it */
void sha256_use(enum sha256_code code);
void sha256_init(struct fw_sha256 *h);
void sha256_update(struct fw_sha256 *h, const void *data, size_t size);
void sha256_final(struct fw_sha256 *h, uint8_t ret[SHA256_SIZE]);

/* Block functions: whole 64-byte blocks, with the instructions that their names say. */
void sha256_blocks_plain(uint32_t state[8], const uint8_t *data, size_t count);
void sha256_blocks_bmi2(uint32_t state[8], const uint8_t *data, size_t count);
void sha256_blocks_ni(uint32_t state[8], const uint8_t *data, size_t count);

void sha1_once(const void *data, size_t size, uint8_t ret[SHA1_SIZE]);
/** sha512_once() - SHA-512, or SHA-384 when @is_384 (then 48 bytes of @ret are written) */
void sha512_once(const void *data, size_t size, bool is_384, uint8_t *ret);

/* TPM_ALG_ID of the TPM library specification, part 2, table 9. */
#define ALG_SHA1 0x0004
#define ALG_SHA256 0x000b
#define ALG_SHA384 0x000c
#define ALG_SHA512 0x000d

/** bank_digest_size() - bytes of a digest of @alg; 0 for an algorithm that is not known here */
size_t bank_digest_size(uint16_t alg);
/** bank_hash() - H(@data) with a known @alg; returns the digest size */
size_t bank_hash(uint16_t alg, const void *data, size_t size, uint8_t ret[FW_HASH_SIZE_MAX]);
