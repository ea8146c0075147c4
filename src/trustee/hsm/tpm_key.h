/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A signing key in a TPM: at a persistent handle, or in a file that only this TPM can load. The TPM is
 * a device, or a unix socket (a software TPM).
 */
#include "base/buf.h"
#include "base/err.h"
#include "crypto/key.h"

struct tpm_key;

/**
 * struct tpm_uri - "tpm:handle=0x81000010;device=/dev/tpmrm0" or "tpm:file=/key.tss;device=..."
 * @device: a path, or "unix:" and the path of a socket; default /dev/tpmrm0
 * @pin_source: file with the key's password; "" for none
 */
struct tpm_uri {
	uint32_t handle; /* 0: a file */
	char file[512], device[512], pin_source[512];
};
/** tpm_uri_parse() - Return: 0, -EINVAL, -E2BIG; @reterr names the attribute. */
must_check int tpm_uri_parse(const char *text, struct tpm_uri *ret, struct err *reterr);

/**
 * tpm_key_open() - connect, and load the key when it is in a file
 * @auth: the key's password, copied
 *
 * Return: 0, -ENODEV (no TPM), -ENOENT (no key at the handle), -EBADMSG (file), -EOPNOTSUPP (no ECDSA key),
 * -EIO (the TPM's words are in @reterr).
 */
must_check int tpm_key_open(
	const struct tpm_uri *uri, struct slice auth, struct tpm_key **ret, struct err *reterr);
void tpm_key_free(struct tpm_key *k);
DEFINE_CLEANUP(struct tpm_key *, tpm_key_free);
/** tpm_key_public() - borrowed */
const struct pkey *tpm_key_public(const struct tpm_key *k);
/** tpm_key_sign() - raw r||s over @digest is appended to @out. Return: 0, -EIO, -EPROTO and others. */
must_check int tpm_key_sign(
	struct tpm_key *k, struct slice digest, struct buf *out, struct err *reterr);
