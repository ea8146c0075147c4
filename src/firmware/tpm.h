/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TPM 2.0 commands, over whatever interface the machine has. tpm_cmd.c is pure; tpm_mmio.c drives
 * CRB and TIS at 0xfed40000. Specs: TCG TPM 2.0 Library part 3; PC Client Platform TPM Profile.
 */
#include "evlog.h"
#include "fw.h"

#define TPM_COMMAND_MAX 512u
#define TPM_RESPONSE_MAX 512u
#define TPM_RC_INITIALIZE 0x100u
#define TPM_PCR_NEEDED 24

/**
 * tpm_transmit() - send one command, receive its response
 * @ret_size: bytes of the response, at least 10, equal to the size in its header
 * Return: 0, -ETIMEDOUT, -EIO (interface error), -EBADMSG (impossible response size).
 */
must_check int tpm_transmit(
	const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *ret_size);

enum tpm_interface { TPM_NONE, TPM_CRB, TPM_TIS };

/** tpm_open() - find the interface and take locality 0. TPM_NONE: there is no TPM. */
enum tpm_interface tpm_open(void);
/** tpm_close() - give the locality back, so that Linux can take it */
void tpm_close(void);

/*
 * Each of these returns 0, a negative errno, or a positive TPM response code: the one place where
 * positive values are errors, because the code of the TPM is what a person needs to see.
 */
must_check int tpm_startup(void);
/** tpm_banks() - active banks. -EOPNOTSUPP: one is unknown here; -ENODATA: no full SHA-256 bank. */
must_check int tpm_banks(struct evlog_banks *ret);
must_check int tpm_extend(
	uint32_t pcr, const struct evlog_banks *banks, const struct evlog_digests *digests);
/** tpm_disable_platform() - nobody after the firmware has platform rights, until the next reset */
must_check int tpm_disable_platform(void);

/** tpm_parse_banks() - the response of TPM2_GetCapability(PCRS). -EBADMSG, and as tpm_banks() */
must_check int tpm_parse_banks(struct evlog_banks *ret, const uint8_t *response, uint32_t size);
