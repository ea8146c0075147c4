/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/x509_internal.h"

struct ocsp {
	OCSP_BASICRESP *basic;
};

void ocsp_free(struct ocsp *o)
{
	if (!o)
		return;
	OCSP_BASICRESP_free(o->basic);
	free(o);
}

const char *ocsp_status_name(enum ocsp_status s)
{
	return s == OCSP_GOOD ? "good" : s == OCSP_REVOKED ? "revoked" : "unknown";
}

int ocsp_from_der(struct slice der, struct ocsp **ret, struct err *reterr)
{
	const uint8_t *at = der.data;

	if (der.size == 0 || der.size > OCSP_SIZE_MAX)
		return err_set(reterr, -EBADMSG, "OCSP answer has an impossible size of %zu bytes",
			der.size);
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.size);
	if (!response || at != der.data + der.size) {
		OCSP_RESPONSE_free(response);
		ERR_clear_error();
		return err_set(reterr, -EBADMSG, "not a DER OCSP answer");
	}
	int status = OCSP_response_status(response);
	OCSP_BASICRESP *basic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL
					? OCSP_response_get1_basic(response)
					: NULL;
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	if (!basic)
		return err_set(
			reterr, -EOPNOTSUPP, "OCSP answer of status %d or of another type", status);
	if (OCSP_resp_count(basic) != 1) {
		OCSP_BASICRESP_free(basic);
		return err_set(reterr, -EBADMSG, "OCSP answer is not about one certificate");
	}
	struct ocsp *o = calloc(1, sizeof(*o));
	if (!o) {
		OCSP_BASICRESP_free(basic);
		return -ENOMEM;
	}
	o->basic = basic;
	*ret = o;
	return 0;
}

static void serial_text(const ASN1_INTEGER *serial, char *dst, size_t size)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;
	const char *from = hex ? hex : "";

	while (from[0] == '0' && from[1] != 0)
		from++;
	if (str_copy(dst, size, from) < 0)
		dst[0] = 0;
	for (char *c = dst; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
	OPENSSL_free(hex);
	BN_free(n);
}

/* ASN1_GENERALIZEDTIME is an ASN1_TIME. */
static int read_time(const ASN1_GENERALIZEDTIME *t, int64_t *ret)
{
	return t ? x509_time(t, ret) : -EBADMSG;
}

int ocsp_read(const struct ocsp *o, struct ocsp_answer *ret, struct err *reterr)
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *this_update = NULL, *next_update = NULL;
	struct ocsp_answer a = {.reason = -1};
	ASN1_INTEGER *serial = NULL;
	OCSP_SINGLERESP *single = OCSP_resp_get0(o->basic, 0);

	int status =
		OCSP_single_get0_status(single, &a.reason, &revoked, &this_update, &next_update);
	a.status = status == V_OCSP_CERTSTATUS_GOOD	 ? OCSP_GOOD
		   : status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_REVOKED
							 : OCSP_UNKNOWN;
	if (a.status != OCSP_REVOKED)
		a.reason = -1;
	/* Without nextUpdate an answer would be good forever. */
	if (read_time(this_update, &a.this_update) < 0 ||
		read_time(next_update, &a.next_update) < 0) {
		ERR_clear_error();
		return err_set(reterr, -EBADMSG,
			"OCSP answer lacks thisUpdate or nextUpdate, or they are no times");
	}
	OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single);
	OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
	serial_text(serial, a.serial, sizeof(a.serial));
	ERR_clear_error();
	*ret = a;
	return 0;
}

/* The CertID of the answer with the hash that the responder chose. Return: 0, -EKEYREJECTED. */
static int check_id(
	const struct ocsp *o, const struct cert *c, const struct cert *issuer, struct err *reterr)
{
	OCSP_CERTID *id =
		(OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(OCSP_resp_get0(o->basic, 0));
	ASN1_OBJECT *alg = NULL;

	OCSP_id_get0_info(NULL, &alg, NULL, NULL, id);
	const EVP_MD *md = EVP_get_digestbyobj(alg);
	OCSP_CERTID *own = md ? OCSP_cert_to_id(md, c->x, issuer->x) : NULL;
	bool same = own && OCSP_id_cmp(own, id) == 0;
	OCSP_CERTID_free(own);
	ERR_clear_error();
	return same ? 0
		    : err_set(reterr, -EKEYREJECTED, "OCSP answer is about another certificate");
}

static int check_signer(const struct ocsp *o, const struct cert *issuer, struct cert *const *chain,
	size_t chain_count, const struct cert *root, int64_t at, struct err *reterr)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	int r = -ENOMEM;

	if (!others || !store || X509_STORE_add_cert(store, root->x) != 1 ||
		sk_X509_push(others, issuer->x) <= 0)
		goto out;
	for (size_t i = 0; i < chain_count; i++) {
		if (sk_X509_push(others, chain[i]->x) <= 0)
			goto out;
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at);
	/* Also checks that the responder is the issuer, or was certified by it for OCSP. */
	r = OCSP_basic_verify(o->basic, others, store, 0) == 1 ? 0 : -EKEYREJECTED;
	if (r < 0) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());
		err_set(reterr, r, "OCSP answer is not by a responder of the issuer: %s",
			why ? why : "unknown reason");
	}
out:
	sk_X509_free(others);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

int ocsp_check(const struct ocsp *o, const struct cert *c, const struct cert *issuer,
	struct cert *const *chain, size_t chain_count, const struct cert *root, int64_t at,
	struct ocsp_answer *ret, struct err *reterr)
{
	struct ocsp_answer a = {.status = OCSP_UNKNOWN};

	int r = ocsp_read(o, &a, reterr);
	if (r == 0)
		r = check_id(o, c, issuer, reterr);
	if (r == 0)
		r = check_signer(o, issuer, chain, chain_count, root, at, reterr);
	if (r < 0)
		return r;
	if (at < a.this_update || at > a.next_update)
		return err_set(reterr, -ESTALE, "OCSP answer is %s",
			at < a.this_update ? "not valid yet" : "out of date");
	*ret = a;
	return 0;
}

int cert_ocsp_id(const struct cert *c, const struct cert *issuer, char *dst, size_t size)
{
	cleanup_with(buf_done) struct buf text = buf_init(OCSP_ID_SIZE);
	ASN1_OCTET_STRING *name = NULL, *key = NULL;
	ASN1_INTEGER *serial = NULL;
	char number[64];

	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha256(), c->x, issuer->x);
	ERR_clear_error();
	if (!id)
		return -EIO;
	OCSP_id_get0_info(&name, NULL, &key, &serial, id);
	serial_text(serial, number, sizeof(number));
	hex_encode(&text, slice_of(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name)));
	buf_put_u8(&text, '/');
	hex_encode(&text, slice_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)));
	buf_printf(&text, "/%s", number);
	OCSP_CERTID_free(id);
	int r = buf_error(&text);
	return r == 0 && number[0] ? str_copy(dst, size, buf_str(&text)) : -E2BIG;
}
