/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/dcap_room.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/collateral.h"
#include "fmt/json.h"

/* One verifier for the process: its caches are what makes the second quote cheap. */
static struct dcap *g_dcap;

struct signed_item {
	struct slice body, chain;
	uint8_t signature[64];
};

/*
 * Where body and signature are in documents that were seen: parsing them costs more than the
 * signature over a quote.
 */
struct split_memo {
	struct buf doc;
	size_t offset, size;
	uint8_t signature[64];
	uint64_t used;
};
#define SPLIT_MEMOS 32
static struct split_memo g_memos[SPLIT_MEMOS];
static uint64_t g_memo_clock;

static int split(struct slice doc, const char *member, struct signed_item *ret, struct err *reterr)
{
	struct split_memo *oldest = &g_memos[0];

	for (size_t i = 0; i < SPLIT_MEMOS; i++) {
		struct split_memo *m = &g_memos[i];
		if (m->doc.size > 0 && slice_eq(buf_slice(&m->doc), doc)) {
			ret->body = slice_cut(doc, m->offset, m->size);
			memcpy(ret->signature, m->signature, sizeof(ret->signature));
			m->used = ++g_memo_clock;
			return 0;
		}
		if (m->used < oldest->used)
			oldest = m;
	}
	int r = tcb_split_signed(doc, member, &ret->body, ret->signature, reterr);
	if (r < 0)
		return r;
	buf_done(&oldest->doc);
	oldest->doc = buf_init(TCB_JSON_MAX);
	buf_put_slice(&oldest->doc, doc);
	if (buf_error(&oldest->doc) < 0) {
		buf_done(&oldest->doc);
		return -ENOMEM;
	}
	oldest->offset = (size_t)(ret->body.data - doc.data);
	oldest->size = ret->body.size;
	memcpy(oldest->signature, ret->signature, sizeof(ret->signature));
	oldest->used = ++g_memo_clock;
	return 0;
}

static int get_signed(const struct evidence_request *q, const char *key, const char *member,
	struct signed_item *ret, struct evidence_result *result)
{
	char chain_key[COLLATERAL_KEY_SIZE + 8];
	struct slice item;
	struct err e = {0};

	snprintf(chain_key, sizeof(chain_key), "%s/chain", key);
	int r = check_collateral(result, q->collateral, key, &item);
	if (r == 0)
		r = check_collateral(result, q->collateral, chain_key, &ret->chain);
	if (r < 0)
		return r;
	r = split(item, member, ret, &e);
	return r < 0 ? check_errno(result, "collateral format", r, &e) : 0;
}

/* Quotes that name their PCK certificate instead of carrying it. */
static int get_pck_chain(const struct evidence_request *q, const struct sgx_quote *quote,
	struct slice *ret, struct evidence_result *result)
{
	char key[COLLATERAL_KEY_SIZE], hex[2 * HASH_SIZE_MAX + 1];
	struct digest d;

	if (quote->cert_data_type == SGX_CERT_PCK_CHAIN)
		return 0;
	int r = hash_once(HASH_SHA256, quote->cert_data, &d);
	if (r < 0)
		return r;
	snprintf(key, sizeof(key), "intel/pck/%s", hex_str(digest_slice(&d), hex, sizeof(hex)));
	return check_collateral(result, q->collateral, key, ret);
}

static int check_second_path(const struct evidence_request *q, const char *tee, enum dcap_ca ca,
	const struct dcap_options *o, struct evidence_result *result, struct dcap_outcome *out)
{
	char key[COLLATERAL_KEY_SIZE], fmspc[16];
	struct signed_item info, identity;
	struct dcap_collateral c = {0};

	hex_str(slice_of(out->pck->fmspc, 6), fmspc, sizeof(fmspc));
	snprintf(key, sizeof(key), "intel/%s/tcb/%s", tee, fmspc);
	int r = get_signed(q, key, "tcbInfo", &info, result);
	snprintf(key, sizeof(key), "intel/%s/qe", tee);
	if (r == 0)
		r = get_signed(q, key, "enclaveIdentity", &identity, result);
	if (r == 0)
		r = check_collateral(result, q->collateral,
			ca == DCAP_CA_PLATFORM ? "intel/crl/platform" : "intel/crl/processor",
			&c.pck_crl);
	if (r == 0)
		r = check_collateral(result, q->collateral, "intel/crl/root", &c.root_crl);
	if (r < 0)
		return r;
	c.tcb_info = info.body;
	c.tcb_info_signature = slice_of(info.signature, sizeof(info.signature));
	c.tcb_chain = info.chain;
	c.qe_identity = identity.body;
	c.qe_identity_signature = slice_of(identity.signature, sizeof(identity.signature));
	c.qe_chain = identity.chain;
	return dcap_check_collateral(g_dcap, &c, o, result, out);
}

int dcap_room_verify(const struct evidence_request *request, const char *tee, struct slice quote,
	struct evidence_result *result, struct dcap_outcome *ret)
{
	const struct dcap_options o = {.now = request->now,
		.roots = request->intel_roots,
		.root_count = request->intel_root_count};
	bool want_tdx = streq(tee, "tdx");
	enum dcap_ca ca = DCAP_CA_UNKNOWN;
	struct slice pck_chain = SLICE_EMPTY;
	struct sgx_quote parsed;
	struct err e = {0};

	if (!g_dcap && !(g_dcap = dcap_new()))
		return -ENOMEM;
	int r = sgx_quote_parse(quote, &parsed, &e);
	if (r < 0)
		return check_errno(result, "quote format", r, &e);
	if ((parsed.tee_type == SGX_TEE_TYPE_TDX) != want_tdx)
		return check_note(result, "quote is of this TEE", false, tee,
			want_tdx ? "sgx" : "tdx", "the quote is of the other TEE");
	r = get_pck_chain(request, &parsed, &pck_chain, result);
	if (r == 0)
		r = dcap_check_parsed(g_dcap, &parsed, pck_chain, &o, result, ret, &ca);
	return r == 0 ? check_second_path(request, tee, ca, &o, result, ret) : r;
}
