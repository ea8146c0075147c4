/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/key_internal.h"
#include "crypto/x509_internal.h"

#define DER_MAX ((size_t)64 << 10)

static int adopt(X509 *x, struct cert **ret)
{
	struct cert *c = calloc(1, sizeof(*c));
	if (!c) {
		X509_free(x);
		return -ENOMEM;
	}
	c->x = x;
	*ret = c;
	return 0;
}

int cert_from_der(struct slice der, struct cert **ret, struct err *reterr)
{
	const uint8_t *at = der.data;
	if (der.size == 0 || der.size > DER_MAX)
		return err_set(reterr, -EBADMSG, "certificate has an impossible size of %zu bytes",
			der.size);
	X509 *x = d2i_X509(NULL, &at, (long)der.size);
	ERR_clear_error();
	if (!x || at != der.data + der.size) {
		X509_free(x);
		return err_set(reterr, -EBADMSG, "not a DER certificate");
	}
	return adopt(x, ret);
}

int certs_from_pem(struct slice pem, struct cert **ret, size_t max, struct err *reterr)
{
	size_t count = 0;
	int r = 0;

	if (pem.size == 0 || pem.size > DER_MAX * 16)
		return err_set(reterr, -EBADMSG, "no PEM certificate found");
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	if (!bio)
		return -ENOMEM;
	for (X509 *x; r == 0 && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
		if (count == max) {
			X509_free(x);
			r = err_set(reterr, -E2BIG, "more than %zu certificates", max);
		} else {
			r = adopt(x, &ret[count]);
			count += r == 0;
		}
	}
	unsigned long reason = ERR_peek_last_error();
	BIO_free(bio);
	ERR_clear_error();
	/* The end of the text reads as "no start line"; anything else is a broken certificate. */
	if (r == 0 && (count == 0 || ERR_GET_REASON(reason) != PEM_R_NO_START_LINE))
		r = err_set(reterr, -EBADMSG, "bad PEM certificate after %zu good ones", count);
	if (r < 0) {
		while (count > 0) {
			cert_free(ret[--count]);
			ret[count] = NULL;
		}
		return r;
	}
	return (int)count;
}

void cert_free(struct cert *c)
{
	if (!c)
		return;
	X509_free(c->x);
	free(c);
}

int cert_key(const struct cert *c, struct pkey **ret)
{
	EVP_PKEY *p = X509_get0_pubkey(c->x);
	ERR_clear_error();
	if (!p)
		return -EBADMSG;
	return EVP_PKEY_up_ref(p) == 1 ? pkey_adopt(p, ret, NULL) : -EIO;
}

int cert_ref(const struct cert *c, struct cert **ret)
{
	return X509_up_ref(c->x) == 1 ? adopt(c->x, ret) : -EIO;
}

int cert_to_der(const struct cert *c, struct buf *out)
{
	uint8_t *der = NULL;
	int size = i2d_X509(c->x, &der);
	if (size > 0)
		buf_put(out, der, (size_t)size);
	OPENSSL_free(der);
	return size > 0 ? buf_error(out) : -EIO;
}

const char *cert_subject(const struct cert *c, char *dst, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	dst[0] = 0;
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(c->x), 0, XN_FLAG_RFC2253) >= 0) {
		long n = BIO_get_mem_data(bio, &text);
		if (n > 0)
			snprintf(dst, size, "%.*s", (int)n, text);
	}
	BIO_free(bio);
	return dst;
}

static int fill_stack(STACK_OF(X509) * stack, struct cert *const *certs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (sk_X509_push(stack, certs[i]->x) <= 0)
			return -ENOMEM;
	}
	return 0;
}

int cert_verify_chain(const struct cert *leaf, struct cert *const *chain, size_t chain_count,
	struct cert *const *roots, size_t root_count, int64_t at_unix_s, struct err *reterr)
{
	int r = -ENOMEM;

	if (root_count == 0)
		return err_set(reterr, -EINVAL, "no trusted root certificate is configured");
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	if (!store || !ctx || !untrusted || fill_stack(untrusted, chain, chain_count) < 0)
		goto out;
	for (size_t i = 0; i < root_count; i++) {
		if (X509_STORE_add_cert(store, roots[i]->x) != 1)
			goto out;
	}
	if (X509_STORE_CTX_init(ctx, store, leaf->x, untrusted) != 1)
		goto out;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)at_unix_s);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_depth(param, 8);
	if (X509_verify_cert(ctx) == 1) {
		r = 0;
	} else {
		char name[256];
		const struct cert at = {X509_STORE_CTX_get_current_cert(ctx)};
		r = err_set(reterr, -EKEYREJECTED, "certificate %s: %s",
			at.x ? cert_subject(&at, name, sizeof(name)) : "chain",
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
out:
	sk_X509_free(untrusted);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

static int add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	int good = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return good ? 0 : -EINVAL;
}

static int alt_names(const char *const *names, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t addr[16];
		bool is_ip = inet_pton(AF_INET, names[i], addr) == 1 ||
			     inet_pton(AF_INET6, names[i], addr) == 1;
		/* A comma would smuggle another name into the extension's text form. */
		if (names[i][0] == 0 || strpbrk(names[i], ",: \n") != NULL) {
			if (!is_ip)
				return -EINVAL;
		}
		buf_printf(out, "%s%s:%s", i ? "," : "", is_ip ? "IP" : "DNS", names[i]);
	}
	return buf_error(out);
}

static int fill_cert(
	X509 *x, const struct pkey *k, const char *common_name, const char *sans, unsigned days)
{
	uint8_t serial[16];
	X509V3_CTX ctx;
	X509_NAME *name = X509_get_subject_name(x);
	BIGNUM *bn = NULL;

	if (random_bytes(serial, sizeof(serial)) < 0)
		return -EIO;
	serial[0] = (uint8_t)((serial[0] & 0x7F) | 0x40); /* positive and never short */
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	bool good = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	if (!good || X509_set_version(x, X509_VERSION_3) != 1 ||
		X509_NAME_add_entry_by_txt(
			name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) != 1 ||
		X509_set_issuer_name(x, name) != 1 || X509_set_pubkey(x, k->p) != 1 ||
		!X509_gmtime_adj(X509_getm_notBefore(x), -300) ||
		!X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL))
		return -EIO;
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	/* No CA: it signs nothing but itself, and clients built with rustls refuse a server that
	 * shows a CA's certificate as its own, also where they trust it. */
	if (add_extension(x, &ctx, NID_subject_key_identifier, "hash") < 0 ||
		add_extension(x, &ctx, NID_authority_key_identifier, "keyid:always") < 0 ||
		add_extension(x, &ctx, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
		add_extension(x, &ctx, NID_key_usage, "critical,digitalSignature") < 0 ||
		add_extension(x, &ctx, NID_ext_key_usage, "serverAuth") < 0)
		return -EIO;
	return sans[0] ? add_extension(x, &ctx, NID_subject_alt_name, sans) : 0;
}

int cert_make_self_signed(const struct pkey *k, const char *common_name, const char *const *names,
	size_t name_count, unsigned days, struct buf *out, struct err *reterr)
{
	cleanup_with(buf_done) struct buf sans = buf_init(64 << 10);
	if (!k->is_private || days == 0 || days > 36500 || alt_names(names, name_count, &sans) < 0)
		return err_set(reterr, -EINVAL,
			"a certificate needs a private key, 1 to 36500 days, and "
			"host names or addresses without commas");
	X509 *x = X509_new();
	int r = x ? fill_cert(x, k, common_name, buf_str(&sans), days) : -ENOMEM;
	if (r == 0 && X509_sign(x, k->p, k->type == KEY_ED25519 ? NULL : EVP_sha256()) <= 0)
		r = -EIO;
	BIO *bio = r == 0 ? BIO_new(BIO_s_mem()) : NULL;
	if (r == 0 && (!bio || PEM_write_bio_X509(bio, x) != 1))
		r = -EIO;
	if (r == 0) {
		char *text = NULL;
		long n = BIO_get_mem_data(bio, &text);
		buf_put(out, text, (size_t)n);
		r = buf_error(out);
	}
	BIO_free(bio);
	X509_free(x);
	ERR_clear_error();
	return r < 0 ? err_wrap(reterr, r, "cannot make a certificate") : 0;
}
