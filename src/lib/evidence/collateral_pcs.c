/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's PcsClientTool collects collateral for sites without a network. Its output holds bodies as
 * JSON values or as text, so signed bytes survive only where it kept the text; values are written
 * compactly in their order, which is how Intel signs them.
 */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/collateral_internal.h"
#include "fmt/json.h"

static int put_text(struct collateral_store *s, const char *key, const json_t *value)
{
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_ITEM_MAX);

	if (!value || json_is_null(value))
		return 0;
	if (json_is_string(value))
		return collateral_store_put(s, key, slice_str(json_string_value(value)));
	int r = json_write(value, &text);
	return r == 0 ? collateral_store_put(s, key, buf_slice(&text)) : r;
}

/* Issuer chains are headers of HTTP, percent-encoded. */
static int put_chain(struct collateral_store *s, const char *key, const json_t *value)
{
	cleanup_with(buf_done) struct buf out = buf_init(COLLATERAL_ITEM_MAX);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return -EBADMSG;
	int r = pct_decode(&out, slice_str(json_string_value(value)));
	return r == 0 ? collateral_store_put(s, key, buf_slice(&out)) : r;
}

static int load_tcb_infos(struct collateral_store *s, const json_t *c, struct err *reterr)
{
	static const struct {
		const char *member, *tee;
	} kinds[] = {{"sgx_tcbinfo", "sgx"}, {"tdx_tcbinfo", "tdx"}};
	const json_t *chain =
		json_object_get(json_object_get(c, "certificates"), "TCB-Info-Issuer-Chain");
	json_t *list = json_object_get(c, "tcbinfos"), *row;
	char key[COLLATERAL_KEY_SIZE];
	size_t i;
	int r = 0;

	json_array_foreach (list, i, row) {
		uint8_t fmspc[6];
		char hex[16];
		const char *text = json_string_value(json_object_get(row, "fmspc"));
		if (!text || hex_decode_fixed(fmspc, 6, slice_str(text)) < 0)
			return err_set(reterr, -EBADMSG, "TCB Info %zu has no FMSPC", i);
		hex_str(slice_of(fmspc, 6), hex, sizeof(hex));
		for (size_t k = 0; r == 0 && k < ARRAY_COUNT(kinds); k++) {
			const json_t *body = json_object_get(row, kinds[k].member);
			if (!body || json_is_null(body))
				continue;
			snprintf(key, sizeof(key), "intel/%s/tcb/%s", kinds[k].tee, hex);
			r = put_text(s, key, body);
			snprintf(key, sizeof(key), "intel/%s/tcb/%s/chain", kinds[k].tee, hex);
			if (r == 0)
				r = put_chain(s, key, chain);
		}
	}
	return r;
}

int collateral_load_pcs(struct collateral_store *s, const json_t *c, struct err *reterr)
{
	const json_t *certs = json_object_get(c, "certificates");
	const json_t *qe_chain = json_object_get(certs, "SGX-Enclave-Identity-Issuer-Chain");
	const json_t *crls = json_object_get(c, "pckcacrl");

	int r = load_tcb_infos(s, c, reterr);
	if (r == 0)
		r = put_text(s, "intel/sgx/qe", json_object_get(c, "qeidentity"));
	if (r == 0)
		r = put_chain(s, "intel/sgx/qe/chain", qe_chain);
	if (r == 0)
		r = put_text(s, "intel/tdx/qe", json_object_get(c, "tdqeidentity"));
	if (r == 0)
		r = put_chain(s, "intel/tdx/qe/chain", qe_chain);
	if (r == 0)
		r = put_text(s, "intel/crl/processor", json_object_get(crls, "processorCrl"));
	if (r == 0)
		r = put_text(s, "intel/crl/platform", json_object_get(crls, "platformCrl"));
	if (r == 0)
		r = put_text(s, "intel/crl/root", json_object_get(c, "rootcacrl"));
	return r < 0 ? err_wrap(reterr, r, "output of PcsClientTool") : 0;
}
