/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of TPM commands. */
#include "fmt/tpm_cmd.h"

#define TPM_ST_NO_SESSIONS 0x8001
#define TPM_ST_SESSIONS 0x8002
#define TPM_CC_CREATE_PRIMARY 0x131U
#define TPM_CC_LOAD 0x157U
#define TPM_CC_SIGN 0x15DU
#define TPM_CC_GET_CAPABILITY 0x17AU

struct tpm_command {
	struct buf bytes;
	struct buf answer;
	const char *name;
};
void tpm_command_done(struct tpm_command *c);
/* Starts a command; its handles and parameters are appended to @bytes. */
void tpm_begin(struct tpm_command *c, const char *name, uint16_t tag, uint32_t code);
/* One password session. */
void tpm_put_auth(struct tpm_command *c, struct slice password);
/* -EPROTO */
int tpm_malformed(const struct tpm_command *c, struct err *reterr);
/* Sends it. @ret: the reader behind the header of the answer, whose code is success. */
must_check int tpm_run_ok(
	const struct tpm *t, struct tpm_command *c, struct rd *ret, struct err *reterr);
/* A primary key of the owner's hierarchy, with empty authorizations. @put_template: a TPM2B_PUBLIC. */
must_check int tpm_create_primary(const struct tpm *t, void (*put_template)(struct buf *),
	uint32_t *ret_handle, struct err *reterr);
