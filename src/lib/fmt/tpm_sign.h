/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Signing by a key of a TPM, beside fmt/tpm_cmd.h. Spec: TCG TPM 2.0 Library, Part 3: TPM2_Load 12.2,
 * TPM2_CreatePrimary 24.1, TPM2_Sign 20.2; errors as there.
 */
#include "fmt/tpm_cmd.h"

#define TPM_RH_OWNER 0x40000001U

/**
 * tpm_create_srk() - the storage key of the owner hierarchy that keys in files are under
 *
 * ECC P-256 after TCG's provisioning guidance (what TSS2 key files mean by the parent 0x40000001).
 * @ret: a transient handle, for tpm_flush()
 */
must_check int tpm_create_srk(const struct tpm *t, uint32_t *ret, struct err *reterr);
/**
 * tpm_load() - load a key from its two halves
 * @public, @private: TPM2B_PUBLIC and TPM2B_PRIVATE, with their sizes in front
 * @ret: a transient handle
 */
must_check int tpm_load(const struct tpm *t, uint32_t parent, struct slice public,
	struct slice private, uint32_t *ret, struct err *reterr);
/** tpm_flush() - forget a transient object */
must_check int tpm_flush(const struct tpm *t, uint32_t handle, struct err *reterr);
/**
 * tpm_flush_transient() - forget all transient objects
 *
 * For a TPM that nobody else uses: what a process that was killed had loaded stays in it otherwise, and
 * there is room for three. Behind a resource manager there are none but one's own.
 */
must_check int tpm_flush_transient(const struct tpm *t, struct err *reterr);
/**
 * tpm_sign_ecdsa() - ECDSA over a digest of SHA-256 or SHA-384
 * @auth: the key's password; empty for none
 * @out: TPMT_SIGNATURE is appended
 */
must_check int tpm_sign_ecdsa(const struct tpm *t, uint32_t key, struct slice auth,
	struct slice digest, struct buf *out, struct err *reterr);

/**
 * struct tpm_key_file - a key in a file, taken apart; views into the DER
 * @parent: a persistent handle, or TPM_RH_OWNER
 */
struct tpm_key_file {
	uint32_t parent;
	bool empty_auth;
	struct slice public, private;
};
/**
 * tpm_key_file_parse() - TPMKey of "ASN.1 Specification for TPM 2.0 Key Files"
 * @der: what is between the lines of a "TSS2 PRIVATE KEY"
 *
 * Return: 0, -EBADMSG, -ENODATA, -EOPNOTSUPP (another kind of key, a policy, an importable key).
 */
must_check int tpm_key_file_parse(struct slice der, struct tpm_key_file *ret, struct err *reterr);
