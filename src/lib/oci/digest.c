/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include "base/enc.h"
#include "base/secret.h"
#include "base/str.h"

static const struct {
	const char *name;
	size_t size;
} g_algs[] = {
	[OCI_DIGEST_NONE] = {"none", 0},
	[OCI_DIGEST_SHA256] = {"sha256", 32},
	[OCI_DIGEST_SHA384] = {"sha384", 48},
	[OCI_DIGEST_SHA512] = {"sha512", 64},
};

static bool is_lower_hex(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!((s.data[i] >= '0' && s.data[i] <= '9') ||
			    (s.data[i] >= 'a' && s.data[i] <= 'f')))
			return false;
	return true;
}

int oci_digest_parse(struct oci_digest *ret, struct slice text)
{
	const uint8_t *colon = text.size ? memchr(text.data, ':', text.size) : NULL;

	if (!colon)
		return -EBADMSG;
	struct slice name = slice_of(text.data, (size_t)(colon - text.data));
	struct slice hex = slice_cut(text, name.size + 1, SIZE_MAX);
	for (size_t i = 1; i < ARRAY_COUNT(g_algs); i++) {
		if (!slice_eq_str(name, g_algs[i].name))
			continue;
		struct oci_digest d = {.alg = (enum oci_digest_alg)i, .size = g_algs[i].size};
		if (!is_lower_hex(hex) || hex_decode_fixed(d.bytes, d.size, hex) < 0)
			return -EBADMSG;
		*ret = d;
		return 0;
	}
	return -EOPNOTSUPP;
}

const char *oci_digest_hex(const struct oci_digest *d, char dst[OCI_DIGEST_TEXT_SIZE])
{
	return hex_str(slice_of(d->bytes, d->size), dst, OCI_DIGEST_TEXT_SIZE);
}

const char *oci_digest_text(const struct oci_digest *d, char dst[OCI_DIGEST_TEXT_SIZE])
{
	dst[0] = 0;
	if (d->alg == OCI_DIGEST_NONE)
		return dst;
	char hex[OCI_DIGEST_TEXT_SIZE];
	snprintf(dst, OCI_DIGEST_TEXT_SIZE, "%s:%.128s", g_algs[d->alg].name,
		oci_digest_hex(d, hex));
	return dst;
}

bool oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b)
{
	return a->alg != OCI_DIGEST_NONE && a->alg == b->alg &&
	       ct_equal(slice_of(a->bytes, a->size), slice_of(b->bytes, b->size));
}

const char *oci_digest_name(enum oci_digest_alg alg)
{
	return (size_t)alg < ARRAY_COUNT(g_algs) ? g_algs[alg].name : g_algs[0].name;
}
