/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Launch digests of SEV, SEV-ES and SEV-SNP guests, computed off-line, and the id block with which
 * an owner binds a guest to one.
 *
 * Spec: AMD 56860 (SNP_LAUNCH_UPDATE: PAGE_INFO; SNP_LAUNCH_FINISH: id block), AMD 55766 (LAUNCH_
 * MEASURE), AMD 24593 (APM volume 2, table B-4: the state save area); QEMU's table of kernel
 * hashes.
 */
#include "crypto/key.h"

#define MEASURE_SNP_VCPUS_MAX 1024
#define MEASURE_SNP_DIGEST_SIZE 48

enum measure_sev_mode { MEASURE_SNP = 0, MEASURE_SEV, MEASURE_SEV_ES };
/* Hypervisors start their virtual processors in slightly different states. */
enum measure_sev_vmm { MEASURE_QEMU = 0, MEASURE_EC2, MEASURE_GCE };

/**
 * struct measure_snp_input - what a guest is made of; all slices are borrowed
 * @vcpu_signature: family, model and stepping, see measure_snp_vcpu(); only QEMU uses it
 * @guest_features: SEV_FEATURES of the processors; bit 0 (SNP active) and others; SNP only
 * @firmware: the whole image; its last pages suffice with @firmware_digest
 * @firmware_digest: empty, or the digest after the pages of the firmware, computed before
 * @has_kernel: the hypervisor loads a kernel directly and fills the table of hashes
 * @cmdline: without a NUL
 */
struct measure_snp_input {
	enum measure_sev_mode mode;
	enum measure_sev_vmm vmm;
	unsigned vcpus;
	uint32_t vcpu_signature;
	uint64_t guest_features;
	struct slice firmware, firmware_digest;
	bool has_kernel;
	struct slice kernel, initrd, cmdline;
};

/**
 * measure_snp() - the launch digest: 48 bytes for SNP, 32 for SEV and SEV-ES
 * Return: 0; -EINVAL (vcpus, digest size), -EBADMSG, -E2BIG, -EOPNOTSUPP (firmware, see
 * ovmf_parse()), -ENOENT (a kernel, but the firmware does not check its hash, or more than one
 * processor, but the firmware does not say where they start), -EIO.
 */
must_check int measure_snp(
	const struct measure_snp_input *in, struct digest *ret, struct err *reterr);
/** measure_snp_firmware() - digest after the pages of the firmware alone */
must_check int measure_snp_firmware(struct slice firmware, struct digest *ret, struct err *reterr);

/** measure_snp_vcpu() - processor signature of a model name of QEMU ("EPYC-v4", "EPYC-Genoa").
 * Return: 0, -ENOENT. */
must_check int measure_snp_vcpu(const char *name, uint32_t *ret);
/** measure_snp_vcpu_at() - names that measure_snp_vcpu() knows; NULL past the end */
const char *measure_snp_vcpu_at(size_t index);
/** measure_snp_signature() - CPUID Fn0000_0001 EAX of a family, model and stepping */
uint32_t measure_snp_signature(unsigned family, unsigned model, unsigned stepping);

#define SNP_ID_BLOCK_SIZE 96
#define SNP_ID_AUTH_SIZE 4096
/** struct snp_id - what an owner says of a guest; digest of 48 bytes, ids of 16 */
struct snp_id {
	struct slice launch_digest;
	uint8_t family_id[16], image_id[16];
	uint32_t guest_svn;
	uint64_t policy;
};
/** struct snp_id_block - what the hypervisor passes at launch, and what reports then show */
struct snp_id_block {
	uint8_t block[SNP_ID_BLOCK_SIZE], auth[SNP_ID_AUTH_SIZE];
	struct digest id_key_digest, author_key_digest;
};
/**
 * measure_snp_id_block() - sign an id block
 * @id_key: private P-384 key; @author_key: likewise, vouches for @id_key; may be NULL
 * Return: 0, -EINVAL (keys or digest), -EIO, -ENOMEM.
 */
must_check int measure_snp_id_block(const struct snp_id *id, const struct pkey *id_key,
	const struct pkey *author_key, struct snp_id_block *ret, struct err *reterr);
