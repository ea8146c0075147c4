/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The TPM character device as a transport for fmt/tpm_cmd.h. The TPM may be the host's: its answers
 * are untrusted, and one that does not answer is given up after TPM_DEV_TIMEOUT_MS.
 */
#include "fmt/tpm_cmd.h"

#define TPM_DEV_PATH "/dev/tpm0"
#define TPM_DEV_TIMEOUT_MS 10000
#define TPM_DEV_ATTEMPTS 20

struct tpm_dev {
	int fd;
	struct tpm tpm; /* use after tpm_dev_open() */
};

/**
 * tpm_dev_open() - open the device
 * @path: NULL for TPM_DEV_PATH
 * @ret: must not move while its tpm is in use
 * Return: 0; -ENODEV when there is no TPM; -EBUSY when somebody else has it open; negative errno.
 */
must_check int tpm_dev_open(const char *path, struct tpm_dev *ret, struct err *reterr);
/** tpm_dev_close() - accepts a zeroed struct */
void tpm_dev_close(struct tpm_dev *dev);
