/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Evidence of the vTPM: {"tpm_quote": {signature, message, pcrs}, "ak_public", "event_log"}, the
 * shape of Trustee's TPM attester with the event log added.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

/* Persistent handle of the attestation key; it is provisioned before the guest boots. */
#define ATTESTER_AK_HANDLE 0x81010002u
#define ATTESTER_NONCE_SIZE 32u

/** attester_tee() - name of the TEE for the key broker: "tpm". Return: 0, -ENODEV. */
must_check int attester_tee(const char **ret, struct err *reterr);

/**
 * attester_evidence() - evidence bound to @report_data
 * @report_data: at least ATTESTER_NONCE_SIZE bytes; the quote's nonce is its first 32 bytes
 * Return: 0 with a new reference; -ENODEV (no TPM); -ENOENT (no attestation key); -EIO, -EPROTO
 * (TPM); other negative errno.
 */
must_check int attester_evidence(struct slice report_data, json_t **ret, struct err *reterr);
