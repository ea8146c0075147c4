/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sct.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/rd.h"
#include "crypto/x509_internal.h"
#include "fmt/der.h"

#define SCT_EXTENSION "1.3.6.1.4.1.11129.2.4.2"
#define VERSION_1 0
#define CERTIFICATE_TIMESTAMP 0
#define PRECERT_ENTRY 1
#define HASH_SHA256_TLS 4

/* One timestamp; views into the certificate. */
struct sct {
	struct slice id, timestamp, extensions, signature;
	uint8_t hash_alg, signature_alg;
};

/* What the log saw: the certificate's to-be-signed part without the timestamps. */
static int precert(const struct cert *leaf, struct buf *out)
{
	X509 *copy = X509_dup(leaf->x);
	int at = copy ? X509_get_ext_by_NID(copy, NID_ct_precert_scts, -1) : -1;
	uint8_t *der = NULL;
	int r = -EIO;

	if (at >= 0) {
		X509_EXTENSION_free(X509_delete_ext(copy, at));
		int size = i2d_re_X509_tbs(copy, &der);
		if (size > 0) {
			buf_put(out, der, (size_t)size);
			r = buf_error(out);
		}
	}
	OPENSSL_free(der);
	X509_free(copy);
	ERR_clear_error();
	return r;
}

static int read_sct(struct slice in, struct sct *ret)
{
	struct rd r = rd_init(in);
	uint8_t version;
	uint16_t size;

	int e = rd_u8(&r, &version);
	if (e == 0 && version != VERSION_1)
		return -EOPNOTSUPP;
	if (e == 0)
		e = rd_slice(&r, 32, &ret->id);
	if (e == 0)
		e = rd_slice(&r, 8, &ret->timestamp);
	if (e == 0)
		e = rd_u16be(&r, &size);
	if (e == 0)
		e = rd_slice(&r, size, &ret->extensions);
	if (e == 0)
		e = rd_u8(&r, &ret->hash_alg);
	if (e == 0)
		e = rd_u8(&r, &ret->signature_alg);
	if (e == 0)
		e = rd_u16be(&r, &size);
	if (e == 0)
		e = rd_slice(&r, size, &ret->signature);
	return e < 0 ? -EBADMSG : rd_done(&r);
}

static int64_t seconds_of(struct slice milliseconds)
{
	uint64_t v = 0;
	for (size_t i = 0; i < milliseconds.size; i++)
		v = v << 8 | milliseconds.data[i];
	return (int64_t)(v / 1000);
}

static enum sig_alg alg_of(const struct pkey *key)
{
	return pkey_type(key) == KEY_P256  ? SIG_ES256
	       : pkey_type(key) == KEY_RSA ? SIG_RS256
					   : SIG_NONE;
}

/* digitally-signed struct of RFC 6962, 3.2 */
static int verify(
	const struct sct *s, const struct sct_log *log, struct slice issuer_key, struct slice tbs)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	buf_put_u8(&text, VERSION_1);
	buf_put_u8(&text, CERTIFICATE_TIMESTAMP);
	buf_put_slice(&text, s->timestamp);
	buf_put_u16be(&text, PRECERT_ENTRY);
	buf_put_slice(&text, issuer_key);
	buf_put_u8(&text, (uint8_t)(tbs.size >> 16));
	buf_put_u16be(&text, (uint16_t)tbs.size);
	buf_put_slice(&text, tbs);
	buf_put_u16be(&text, (uint16_t)s->extensions.size);
	buf_put_slice(&text, s->extensions);
	if (buf_error(&text) < 0)
		return buf_error(&text);
	if (s->hash_alg != HASH_SHA256_TLS || alg_of(log->key) == SIG_NONE)
		return -EKEYREJECTED;
	return pkey_verify_der(log->key, alg_of(log->key), buf_slice(&text), s->signature);
}

static bool is_trusted(const struct sct *s, const struct sct_log *logs, size_t count,
	struct slice issuer_key, struct slice tbs)
{
	int64_t at = seconds_of(s->timestamp);

	for (size_t i = 0; i < count; i++) {
		if (slice_eq(s->id, slice_of(logs[i].id, sizeof(logs[i].id))) &&
			at >= logs[i].from && at <= logs[i].until &&
			verify(s, &logs[i], issuer_key, tbs) == 0)
			return true;
	}
	return false;
}

int sct_check(const struct cert *leaf, const struct cert *issuer, const struct sct_log *logs,
	size_t count, struct err *reterr)
{
	cleanup_with(buf_done) struct buf tbs = buf_init(0);
	struct slice value = {0}, list = {0}, one = {0};
	struct digest issuer_key = {0};
	uint16_t size;
	bool good = false;

	if (cert_extension(leaf, SCT_EXTENSION, &value) < 0)
		return err_set(reterr, -EKEYREJECTED,
			"the certificate has no certificate transparency timestamp");
	struct rd r = rd_init(value);
	int e = der_expect(&r, DER_OCTET_STRING, &list);
	if (e == 0)
		e = rd_done(&r);
	if (e == 0)
		e = precert(leaf, &tbs);
	if (e == 0)
		e = cert_spki_digest(issuer, HASH_SHA256, &issuer_key);
	if (e < 0)
		return e;
	r = rd_init(list);
	if (rd_u16be(&r, &size) < 0 || size != rd_left(&r))
		return err_set(
			reterr, -EBADMSG, "the list of transparency timestamps is malformed");
	while (!rd_end(&r)) {
		struct sct s = {0};
		if (rd_u16be(&r, &size) < 0 || rd_slice(&r, size, &one) < 0)
			return err_set(reterr, -EBADMSG,
				"the list of transparency timestamps is malformed");
		/* Those of versions and logs that nobody here knows count for nothing. */
		if (read_sct(one, &s) == 0)
			good = good || is_trusted(&s, logs, count, digest_slice(&issuer_key),
					       buf_slice(&tbs));
	}
	return good ? 0
		    : err_set(reterr, -EKEYREJECTED,
			      "no certificate transparency timestamp is by a trusted log");
}
