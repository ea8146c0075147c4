/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The software TPM of a VM: a swtpm child per VM with its state in a private folder, and an
 * attestation key (AK) at SWTPM_AK_HANDLE that is made before the guest starts. With a persistent
 * state folder the AK stays the same over runs, so that its public part can be a reference value.
 */
#include "base/buf.h"
#include "base/temp_dir.h"
#include "host/vmm/proc.h"

#define SWTPM_AK_HANDLE 0x81010002u

struct swtpm {
	struct proc proc;
	int ctrl_fd;	     /* QEMU's end of the control channel; -1 once handed over */
	int log_fd;	     /* read end of swtpm's messages */
	char dir[256];	     /* absolute */
	struct temp_dir own; /* of a temporary TPM: the same folder */
};
#define SWTPM_NONE ((struct swtpm){.proc = PROC_NONE, .ctrl_fd = -1, .log_fd = -1})

/**
 * swtpm_provision() - make sure that a state folder holds a TPM with an AK
 * @program: swtpm
 * @dir: absolute; exists, private to us
 * @replace: make a new AK even when there is one
 * @ret_spki: gets the AK's public key, DER SubjectPublicKeyInfo; may be NULL
 *
 * Blocks while the TPM works. Return: 0, -ENOENT (no swtpm), -EBUSY (another VM uses the folder),
 * -EIO (the TPM refused), other negative errno.
 */
must_check int swtpm_provision(const char *program, const char *dir, bool replace,
	struct buf *ret_spki, struct err *reterr);

/**
 * swtpm_start() - provision and start the TPM of a VM
 * @state: persistent folder (made when absent), or NULL for a temporary one
 * @ret: release with swtpm_done() on success
 */
must_check int swtpm_start(
	const char *program, const char *state, struct swtpm *ret, struct err *reterr);
/** swtpm_done() - end the TPM and remove a temporary folder; accepts SWTPM_NONE */
void swtpm_done(struct swtpm *t);
/** swtpm_state_dir() - make a persistent folder with mode 0700 and give its absolute path */
must_check int swtpm_state_dir(const char *state, char *dst, size_t size, struct err *reterr);
