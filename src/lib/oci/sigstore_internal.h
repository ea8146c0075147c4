/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of the sigstore module share. */
#include <jansson.h>

#include "oci/sigstore.h"

/**
 * struct sigstore_signed - what was signed, by whom
 * @message: the bytes that the signature covers: the artifact, or the DSSE envelope's encoding
 * @payload: of a DSSE envelope; empty for a message signature
 * @cert: NULL with a key of the caller's
 */
struct sigstore_signed {
	bool dsse;
	struct buf message, payload, signature;
	struct cert *cert;
	struct pkey *key;
};

/** sigstore_body_check() - the canonicalized body of an entry is about this signature. @entry says of
 * what kind it is. Return: 0, -EKEYREJECTED, -EOPNOTSUPP, -EBADMSG, -ENOMEM. */
must_check int sigstore_body_check(const json_t *entry, struct slice body,
	const struct sigstore_signed *s, struct err *reterr);
/**
 * sigstore_entry_check() - one transparency log entry
 * @needs_proof: a promise is not enough
 * @ret_time: when a promise gives one, else 0
 */
must_check int sigstore_entry_check(const json_t *entry, bool needs_proof,
	const struct sigstore_root *root, const struct sigstore_signed *s, int64_t *ret_time,
	struct err *reterr);
/** sigstore_alg() - the one algorithm a key is used with */
enum sig_alg sigstore_alg(const struct pkey *key);
