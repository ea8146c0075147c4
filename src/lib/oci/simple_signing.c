/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/simple_signing.h"

#include "oci/manifest.h"
#include "oci/payload.h"

#define PAYLOAD_TYPE "atomic container signature"

int simple_signing_verify(const struct oci_pgp *pgp, struct slice keyring, struct slice signature,
	int64_t now, const struct oci_digest *manifest, const struct oci_ref *ref,
	const struct oci_identity *identity, char fingerprint[OCI_PGP_FINGERPRINT_SIZE],
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(SIMPLE_SIGNATURE_MAX);
	json_t *doc = NULL;

	if (signature.size > SIMPLE_SIGNATURE_MAX)
		return err_set(reterr, -E2BIG, "simple signing: a signature is over the limit");
	int r = pgp->verify(keyring, signature, now, &payload, fingerprint, reterr);
	if (r == 0)
		r = oci_json_parse(&doc, buf_slice(&payload), "payload", reterr);
	if (r == 0)
		r = oci_payload_check(doc, PAYLOAD_TYPE, manifest, ref, identity, reterr);
	json_decref(doc);
	return r < 0 ? err_wrap(reterr, r, "simple signing") : 0;
}
