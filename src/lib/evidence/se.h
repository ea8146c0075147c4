/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * IBM Secure Execution.
 *
 * Theory of operation. The relying party makes a request for the ultravisor: a random measurement
 * key and a nonce, encrypted so that only the machines whose host keys are in the request can read
 * them. The ultravisor answers with an HMAC, under that key, over the digests of the guest's image,
 * the guest's configuration id, data of the guest, the nonce and more. So the evidence is genuine
 * if the host keys are (se_hkd_verify()), and if nobody else knows the measurement key. Trustee
 * keeps no state: key and nonce travel with the request and back, encrypted with RSA. Whoever knows
 * even the *public* RSA key can make up evidence: it must be kept as secret as the private one.
 *
 *   ibm/se/chain     the certificate that signs host keys, the intermediate CA, the root: PEM
 *   ibm/se/crls      revocation lists of all three: PEM
 *   ibm/se/hkds      host-key documents: PEM
 *   ibm/se/header    the image that guests run, or its header
 */
#include "crypto/key.h"
#include "crypto/x509.h"
#include "evidence/internal.h"
#include "fmt/se.h"

#define SE_HOST_KEYS_MAX 64

/**
 * se_hkd_verify() - that a host-key document (certificate) is IBM's, in two stages: the key that
 * signs host keys chains to a trusted root, with lists for each CA; and it signed the document and
 * a list that does not name it. Recorded in @result.
 * @chain, @crls: PEM
 * Return: 0 with the host key in @ret, -EACCES, -ENOMEM.
 */
must_check int se_hkd_verify(const struct evidence_request *request, struct slice hkd,
	struct slice chain, struct slice crls, struct evidence_result *result, struct pkey **ret);

/**
 * struct se_secrets - what a request is made from. se_secrets_random() fills them.
 * @protection_key: encrypts the request
 * @customer_key: P-521, private; used once
 */
struct se_secrets {
	uint8_t protection_key[SE_ARPK_SIZE];
	uint8_t iv[SE_IV_SIZE];
	uint8_t measurement_key[SE_MEASUREMENT_KEY_SIZE];
	uint8_t nonce[SE_NONCE_SIZE];
	struct pkey *customer_key;
};
/** se_secrets_done() - wipe and release */
void se_secrets_done(struct se_secrets *s);
/**
 * se_request_make() - an attestation request (ARCB) for the machines of @host_keys
 * @flags: SE_FLAG_...
 * Return: 0 with the request appended to @out; -EINVAL (no host key, too many, or not P-521), -EIO.
 */
must_check int se_request_make(const struct se_secrets *s, uint64_t flags,
	struct pkey *const *host_keys, size_t host_key_count, struct buf *out);
/** se_request_open() - decrypt a request with its protection key; @out is a secret buffer.
 * Return: 0, -EKEYREJECTED (tag), -EIO. */
must_check int se_request_open(
	const struct se_request *q, struct slice protection_key, struct buf *out);
/**
 * se_challenge() - Trustee's supplemental challenge, new: {"request_blob", "measurement_size",
 * "additional_size", "encr_measurement_key", "encr_request_nonce", "image_hdr_tags"}
 * @wrapping: RSA; see above
 * Return: 0, errors of se_request_make().
 */
must_check int se_challenge(const struct pkey *wrapping, const struct se_tags *tags,
	struct pkey *const *host_keys, size_t host_key_count, json_t **ret);

/**
 * struct se_source - what an operator has
 * @image: a bootable image or its header
 * @documents: host-key documents, PEM; @chain, @crls: as for se_hkd_verify()
 */
struct se_source {
	const struct pkey *wrapping;
	struct slice image, documents, chain, crls;
};
/**
 * se_challenge_from() - se_challenge() for all machines whose documents verify
 * @trust: its @now and roots count
 * @ret_skipped: documents that do not verify; @reterr says why the last of them does not
 * Return: 0; -EACCES (none verifies), -ENOENT (no document, no header), others as those functions.
 */
must_check int se_challenge_from(const struct evidence_request *trust,
	const struct se_source *source, json_t **ret, size_t *ret_skipped, struct err *reterr);

/** struct se_measured - what an ultravisor measures */
struct se_measured {
	struct se_tags tags;
	struct slice config_uid, user_data, nonce, additional;
};
/** se_measurement() - HMAC-SHA-512 over @m; an empty nonce is none. Return: 0, -EINVAL, -EIO. */
must_check int se_measurement(struct slice key, const struct se_measured *m, struct digest *ret);
