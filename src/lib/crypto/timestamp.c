/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/timestamp.h"

#include <openssl/err.h>
#include <openssl/ts.h>

#include "crypto/x509_internal.h"

static TS_RESP *read_response(struct slice der)
{
	const uint8_t *at = der.data;
	TS_RESP *r = der.size > 0 && der.size <= TIMESTAMP_SIZE_MAX
			     ? d2i_TS_RESP(NULL, &at, (long)der.size)
			     : NULL;

	if (r && at != der.data + der.size) {
		TS_RESP_free(r);
		r = NULL;
	}
	return r;
}

static int stated_time(TS_RESP *response, int64_t *ret)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(response);
	return info ? x509_time(TS_TST_INFO_get_time(info), ret) : -EBADMSG;
}

/* The authority's certificates are judged as of the time that it states. */
static X509_STORE *make_store(const struct cert *root, int64_t at)
{
	X509_STORE *store = X509_STORE_new();

	if (!store || X509_STORE_add_cert(store, root->x) != 1) {
		X509_STORE_free(store);
		return NULL;
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at);
	return store;
}

static STACK_OF(X509) * others(struct cert *const *chain, size_t count)
{
	STACK_OF(X509) *s = sk_X509_new_null();

	for (size_t i = 0; s && i + 1 < count; i++) {
		if (X509_up_ref(chain[i]->x) != 1 || sk_X509_push(s, chain[i]->x) <= 0) {
			sk_X509_pop_free(s, X509_free);
			return NULL;
		}
	}
	return s;
}

static bool verify(
	TS_RESP *response, struct slice data, struct cert *const *chain, size_t count, int64_t at)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	BIO *bio = BIO_new_mem_buf(data.data, (int)data.size);
	X509_STORE *store = make_store(chain[count - 1], at);
	STACK_OF(X509) *certs = others(chain, count);
	bool good = false;

	if (ctx && bio && store && certs) {
		TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_SIGNATURE | TS_VFY_DATA);
		/* The context owns them from here on. */
		TS_VERIFY_CTX_set_data(ctx, bio);
		TS_VERIFY_CTX_set_store(ctx, store);
		TS_VERIFY_CTX_set_certs(ctx, certs);
		bio = NULL;
		store = NULL;
		certs = NULL;
		good = TS_RESP_verify_response(ctx, response) == 1;
	}
	BIO_free(bio);
	X509_STORE_free(store);
	sk_X509_pop_free(certs, X509_free);
	TS_VERIFY_CTX_free(ctx);
	return good;
}

int timestamp_verify(struct slice der, struct slice data, struct cert *const *chain, size_t count,
	int64_t *ret_time, struct err *reterr)
{
	TS_RESP *response = read_response(der);
	int64_t at = 0;

	ERR_clear_error();
	if (!response || count == 0 || data.size > INT32_MAX || stated_time(response, &at) < 0) {
		TS_RESP_free(response);
		ERR_clear_error();
		return err_set(reterr, -EBADMSG, "the time-stamp is malformed");
	}
	bool good = verify(response, data, chain, count, at);
	const char *why = good ? NULL : ERR_reason_error_string(ERR_peek_last_error());
	TS_RESP_free(response);
	ERR_clear_error();
	if (!good)
		return err_set(reterr, -EKEYREJECTED,
			"the time-stamp is not by the authority, or for other data: %s",
			why ? why : "unknown reason");
	*ret_time = at;
	return 0;
}
