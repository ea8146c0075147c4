/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hash.h"

#include "crypto/hash.h"

struct oci_hash {
	enum oci_digest_alg alg;
	struct hash *h;
};

static enum hash_alg crypto_alg(enum oci_digest_alg alg)
{
	switch (alg) {
	case OCI_DIGEST_SHA256:
		return HASH_SHA256;
	case OCI_DIGEST_SHA384:
		return HASH_SHA384;
	case OCI_DIGEST_SHA512:
		return HASH_SHA512;
	case OCI_DIGEST_NONE:
		break;
	}
	return HASH_NONE;
}

static int to_oci(enum oci_digest_alg alg, const struct digest *d, struct oci_digest *ret)
{
	if (d->size > sizeof(ret->bytes))
		return -EINVAL;
	*ret = (struct oci_digest){.alg = alg, .size = d->size};
	memcpy(ret->bytes, d->bytes, d->size);
	return 0;
}

int oci_hash_new(struct oci_hash **ret, enum oci_digest_alg alg)
{
	cleanup(oci_hash_free) struct oci_hash *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	if (crypto_alg(alg) == HASH_NONE)
		return -EINVAL;
	h->alg = alg;
	int r = hash_new(crypto_alg(alg), &h->h);
	if (r == 0)
		*ret = steal_ptr(h);
	return r;
}

void oci_hash_free(struct oci_hash *h)
{
	if (!h)
		return;
	hash_free(h->h);
	free(h);
}

void oci_hash_update(struct oci_hash *h, struct slice data)
{
	hash_update(h->h, data);
}

int oci_hash_final(struct oci_hash *h, struct oci_digest *ret)
{
	struct digest d;

	int r = hash_final(h->h, &d);
	return r < 0 ? r : to_oci(h->alg, &d, ret);
}

int oci_digest_of(struct oci_digest *ret, enum oci_digest_alg alg, struct slice data)
{
	struct digest d;

	if (crypto_alg(alg) == HASH_NONE)
		return -EINVAL;
	int r = hash_once(crypto_alg(alg), data, &d);
	return r < 0 ? r : to_oci(alg, &d, ret);
}

int oci_digest_check(
	const struct oci_digest *want, struct slice data, const char *what, struct err *reterr)
{
	char text[2][OCI_DIGEST_TEXT_SIZE];
	struct oci_digest got;

	int r = oci_digest_of(&got, want->alg, data);
	if (r < 0)
		return err_set(reterr, r, "%s: cannot compute its digest", what);
	if (!oci_digest_equal(want, &got))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "digest",
			"%s: the digest is %s, expected %s", what, oci_digest_text(&got, text[0]),
			oci_digest_text(want, text[1]));
	return 0;
}
