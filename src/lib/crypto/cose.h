/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * COSE (RFC 9052, RFC 9053): signed messages COSE_Sign1 (tag 18) and COSE_Sign (tag 98), and public
 * keys. Algorithms: ES256, ES384, ES512, PS256, PS384, PS512, EdDSA (Ed25519). As in COSE, the
 * ES... name a hash only: any supported curve goes with each, and the length of the signature
 * follows the curve.
 */
#include "crypto/key.h"
#include "fmt/cbor.h"

#define COSE_SIGNERS_MAX 8

#define COSE_ES256 (-7)
#define COSE_ES384 (-35)
#define COSE_ES512 (-36)
#define COSE_EDDSA (-8)
#define COSE_PS256 (-37)
#define COSE_PS384 (-38)
#define COSE_PS512 (-39)

/**
 * struct cose_signer - one signature
 * @protected_header: its encoded map; empty when that has no entries
 * @alg: from the protected header or, as some senders do, from the unprotected one
 * @kid: empty when absent
 */
struct cose_signer {
	struct slice protected_header;
	int64_t alg;
	struct slice kid;
	struct slice signature;
};

/**
 * struct cose - a parsed message; views of the input
 * @body_protected: of COSE_Sign, the header of the message; empty for COSE_Sign1
 * @content_type: header 3 as it is encoded, or empty
 * @detached: the payload is elsewhere and must be put into @payload before verification
 */
struct cose {
	bool is_sign1;
	bool detached;
	struct slice body_protected;
	struct slice content_type;
	struct slice payload;
	size_t signer_count;
	struct cose_signer signers[COSE_SIGNERS_MAX];
};

/**
 * cose_parse() - tag 18 or 98, or COSE_Sign1 without a tag
 * A header parameter in both buckets, one that is marked critical and not understood, and a missing
 * algorithm are refused.
 * Return: 0, -EBADMSG, -ENODATA, -EOPNOTSUPP (critical header), -E2BIG (signers).
 */
must_check int cose_parse(struct slice in, struct cose *ret, struct err *reterr);
/**
 * cose_verify() - signature @index of @c, by @key
 * @external: externally supplied data; usually empty
 * Return: 0, -EKEYREJECTED, -EOPNOTSUPP (algorithm), -EINVAL (@index).
 */
must_check int cose_verify(const struct cose *c, size_t index, const struct pkey *key,
	struct slice external, struct err *reterr);
/** cose_alg_name() - "ES256"...; NULL when unknown */
const char *cose_alg_name(int64_t alg);
/**
 * cose_key_parse() - COSE_Key of type EC2 (uncompressed) or OKP (Ed25519), public
 * Return: 0, -EBADMSG, -EOPNOTSUPP.
 */
must_check int cose_key_parse(struct slice in, struct pkey **ret, struct err *reterr);
/** cose_sign1() - a tagged message with @alg in the protected header. Return: 0, errors of
 * pkey_sign(). */
must_check int cose_sign1(
	const struct pkey *key, int64_t alg, struct slice payload, struct buf *out);
