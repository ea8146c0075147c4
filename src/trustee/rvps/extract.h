/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Manifests to reference values: what a registration message carries. Runs in a verifier, away from
 * the store and from keys that sign. Pure functions.
 *
 * Types: sample (JSON map), corim (CoRIM, plain or in COSE_Sign1), swid (TCG RIM, plain or with an XML
 * signature), in-toto (DSSE envelope of a statement or link, or a signed link).
 *
 * A signature that is there must be by an anchor, or nothing is taken. Manifests without one are as
 * good as whoever brings them; with @require_signed they are refused, and so are samples.
 */
#include "crypto/x509.h"
#include "trustee/rvps/rvps.h"

#define RVPS_ANCHORS_MAX 32
#define RVPS_ANCHOR_DOC_MAX ((size_t)1 << 20)

/** struct rvps_anchors - whose signatures count; release with rvps_anchors_done() */
struct rvps_anchors {
	struct pkey *keys[RVPS_ANCHORS_MAX]; /* owned; also those of @certs */
	size_t key_count;
	struct cert *certs[RVPS_ANCHORS_MAX]; /* owned; roots of certificate chains */
	size_t cert_count;
	bool require_signed;
};
/**
 * rvps_anchors_add() - PEM text: one public key, or certificates
 * Return: 0, -EBADMSG, -E2BIG.
 */
must_check int rvps_anchors_add(struct rvps_anchors *a, struct slice pem, struct err *reterr);
void rvps_anchors_done(struct rvps_anchors *a);

/**
 * rvps_extract() - records of a registration message
 * @anchors: NULL: none
 * @now: seconds since the epoch
 * @ret_records: array of {version, name, expiration, value, provenance}, new reference; with "stage":
 *     true when the message asks for it
 *
 * Return: 0, -EBADMSG, -E2BIG, -EOPNOTSUPP (message version or type), -EKEYREJECTED (signature), -ESTALE
 * (expired, or not valid yet), -EACCES (unsigned, and signatures are required), -ENOMEM.
 */
must_check int rvps_extract(struct slice message, const struct rvps_anchors *anchors, int64_t now,
	json_t **ret_records, struct err *reterr);
