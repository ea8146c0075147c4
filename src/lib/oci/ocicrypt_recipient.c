/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicrypt_recipient.h"

#include "base/str.h"
#include "crypto/jose.h"
#include "oci/manifest.h"
#include "oci/ocicrypt.h"

bool ocicrypt_recipient_reads(const struct ocicrypt_recipient *r, const char *annotation)
{
	if (!r)
		return false;
	if (streq(annotation, OCICRYPT_ANNOTATION_PGP))
		return r->pgp && r->pgp_keyring.size > 0;
	return r->key && (streq(annotation, OCICRYPT_ANNOTATION_JWE) ||
				 streq(annotation, OCICRYPT_ANNOTATION_PKCS7));
}

static int open_jwe(
	const struct pkey *key, struct slice packet, struct secret *ret, struct err *reterr)
{
	json_t *jwe = NULL;

	int r = oci_json_parse(&jwe, packet, "JWE key packet", reterr);
	if (r < 0)
		return r;
	r = jwe_decrypt(key, jwe, ret, reterr);
	json_decref(jwe);
	return r;
}

int ocicrypt_recipient_open(const struct ocicrypt_recipient *r, const char *annotation,
	struct slice packet, struct secret *ret, struct err *reterr)
{
	if (!ocicrypt_recipient_reads(r, annotation))
		return err_set(reterr, -EKEYREJECTED, "there is no key for '%s'", annotation);
	if (packet.size == 0 || packet.size > OCICRYPT_PACKET_MAX)
		return err_set(reterr, -EBADMSG, "a key packet has an impossible size");
	if (streq(annotation, OCICRYPT_ANNOTATION_PGP))
		return r->pgp->decrypt(r->pgp_keyring, packet, ret, reterr);
	return streq(annotation, OCICRYPT_ANNOTATION_JWE)
		       ? open_jwe(r->key, packet, ret, reterr)
		       : ocicrypt_pkcs7_open(r->key, packet, ret, reterr);
}
