/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The handful of TPM 2.0 commands that husk sends, over a transport of the caller: the guest talks
 * to its TPM device, `husk run` to the socket of a software TPM while it provisions one. Spec: TCG
 * TPM 2.0 Library, Part 3. Answers are untrusted: every size is checked.
 */
#include "fmt/tpm.h"

#define TPM_MESSAGE_MAX 4096

/**
 * typedef tpm_transmit_fn - send one command, wait for its whole answer
 * @answer: empty on entry; gets at most TPM_MESSAGE_MAX bytes
 * Return: 0 or negative errno.
 */
typedef int (*tpm_transmit_fn)(void *cookie, struct slice command, struct buf *answer);

struct tpm {
	tpm_transmit_fn transmit;
	void *cookie;
};

/* Errors of all calls: -EIO when the TPM answers with an error code (named in @reterr), -EPROTO
 * when the answer is malformed, or what the transport returned. */

/** tpm_startup() - TPM2_Startup(CLEAR); a TPM that was started already is fine */
must_check int tpm_startup(const struct tpm *t, struct err *reterr);
/** tpm_shutdown() - TPM2_Shutdown(CLEAR): makes the state durable before power goes away */
must_check int tpm_shutdown(const struct tpm *t, struct err *reterr);
/** tpm_pcr_banks() - hash algorithms with allocated PCRs. Return: their count (at most @max), or
 * error. */
must_check int tpm_pcr_banks(
	const struct tpm *t, uint16_t *ret_algs, size_t max, struct err *reterr);
/** tpm_pcr_read() - one PCR of one bank; @ret gets tpm_alg_digest_size(@alg) bytes */
must_check int tpm_pcr_read(
	const struct tpm *t, uint16_t alg, unsigned pcr, uint8_t *ret, struct err *reterr);

/**
 * tpm_pcr_read_all() - PCR 0 to 23 of one bank, with as few commands as the TPM allows
 * @ret: gets TPM_PCR_COUNT values of tpm_alg_digest_size(@alg) bytes each, in order
 */
must_check int tpm_pcr_read_all(
	const struct tpm *t, uint16_t alg, uint8_t *ret, struct err *reterr);

struct tpm_digest {
	uint16_t alg;
	uint8_t bytes[64];
};
/** tpm_pcr_extend() - extend one PCR in all the banks given at once */
must_check int tpm_pcr_extend(const struct tpm *t, unsigned pcr, const struct tpm_digest *digests,
	size_t count, struct err *reterr);

/** tpm_read_public() - TPMT_PUBLIC bytes of an object appended to @out; -ENOENT when there is none
 */
must_check int tpm_read_public(
	const struct tpm *t, uint32_t handle, struct buf *out, struct err *reterr);
/**
 * tpm_create_ak() - make an attestation key and keep it at persistent @handle
 *
 * RSA-2048, restricted signing, RSASSA with SHA-256, fixed to this TPM, under the owner hierarchy
 * with empty authorization. A key that is there already is replaced.
 */
must_check int tpm_create_ak(const struct tpm *t, uint32_t handle, struct err *reterr);

/**
 * tpm_quote() - quote PCR 0 to 23 of the SHA-256 bank with the key's own scheme
 * @nonce: at most 64 bytes
 * @attest, @signature: get TPMS_ATTEST and TPMT_SIGNATURE
 */
must_check int tpm_quote(const struct tpm *t, uint32_t handle, struct slice nonce,
	struct buf *attest, struct buf *signature, struct err *reterr);
