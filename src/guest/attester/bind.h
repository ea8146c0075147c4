/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Binding of initdata to the TEE. With a vTPM: PCR 8 is extended in every active bank with the
 * bank's digest of the initdata bytes, and the event is appended to the firmware's log.
 *
 * Spec: docs/protocol/measured-boot.md
 */
#include "base/err.h"
#include "base/slice.h"
#include "crypto/hash.h"

#define BIND_PCR 8u
/* The firmware's event log with our event behind it: what evidence carries. */
#define BIND_EVENTLOG "/run/husk/eventlog"
#define BIND_FIRMWARE_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define BIND_EVENT_TEXT "husk initdata"

/**
 * bind_initdata() - measure initdata; must happen once, before anything in it is used
 * @text: the exact bytes
 * @alg: its declared algorithm; a TPM needs HASH_SHA256, for which upstream verifiers look
 * Return: 0; -ENODEV (no TPM); -EOPNOTSUPP (another algorithm, or no SHA-256 bank); other negative
 * errno of the TPM or of writing the log. Blocks at most for TPM_DEV_TIMEOUT_MS a command.
 */
must_check int bind_initdata(struct slice text, enum hash_alg alg, struct err *reterr);
