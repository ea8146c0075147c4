/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A software TPM of one's own, spoken to over a socket. */
#include <sys/types.h>

#include "fmt/tpm_cmd.h"

struct swtpm {
	char dir[64];
	pid_t pid;
	int fd;
	struct tpm tpm; /* usable after swtpm_start() */
};

/** swtpm_start() - Return: 0, -ENOENT (swtpm is not installed), other errno. @ret must not move. */
must_check int swtpm_start(struct swtpm *ret);
/** swtpm_stop() - end it and remove its state */
void swtpm_stop(struct swtpm *s);
/** swtpm_evidence() - Trustee's TPM evidence for @report_data by the key at @handle */
must_check int swtpm_evidence(struct swtpm *s, uint32_t handle, struct slice report_data,
	char **ret_json, struct err *reterr);
/** swtpm_ak_public() - base64 SubjectPublicKeyInfo of the key; free() it */
char *swtpm_ak_public(struct swtpm *s, uint32_t handle);
