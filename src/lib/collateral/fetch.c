/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "collateral/expiry.h"
#include "collateral/source.h"

#define RETRY_DEFAULT_S 60
#define RETRY_MAX_S 86400

/* Which kind an answer for @key must be. */
static enum collateral_kind wanted_kind(const char *key)
{
	if (str_ends(key, "/qe"))
		return COLLATERAL_QE_IDENTITY;
	if (str_ends(key, "/crl") || str_starts(key, "intel/crl/"))
		return COLLATERAL_CRL;
	if (str_starts(key, "intel/"))
		return COLLATERAL_TCB_INFO;
	return str_starts(key, "amd/") ? COLLATERAL_CERTIFICATES : COLLATERAL_OTHER;
}

static int check_item(const char *key, struct slice item, enum collateral_kind kind, int64_t now,
	const struct collateral_store *into, struct err *reterr)
{
	struct collateral_life fresh, old;
	struct slice have;

	if (item.size == 0)
		return err_set(reterr, -EBADMSG, "the answer is empty");
	int r = collateral_life(item, &fresh, reterr);
	if (r < 0)
		return r;
	if (fresh.kind != kind)
		return err_set(reterr, -EBADMSG, "the answer is not what was asked for: %s, not %s",
			collateral_kind_name(fresh.kind), collateral_kind_name(kind));
	if (fresh.until <= now)
		return err_set(reterr, -ESTALE, "the answer has expired already");
	r = collateral_get(collateral_store_provider(into), key, &have);
	if (r == 0 && collateral_life(have, &old, NULL) == 0 && old.kind == kind &&
		old.from > fresh.from && old.until > now)
		return err_set(reterr, -ESTALE, "the answer is older than what is there");
	return 0;
}

int collateral_take(const struct collateral_request *q, struct slice body, const char *chain,
	int64_t now, struct collateral_store *into, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(COLLATERAL_ITEM_MAX);
	char key[COLLATERAL_KEY_SIZE + sizeof("/chain")];
	struct collateral_life life;

	int r = check_item(q->key, body, wanted_kind(q->key), now, into, reterr);
	if (r == 0 && q->chain_header) {
		r = chain ? pct_decode(&pem, slice_str(chain)) : -EBADMSG;
		if (r == 0)
			r = collateral_life(buf_slice(&pem), &life, reterr);
		if (r == 0 && life.kind != COLLATERAL_CERTIFICATES)
			r = -EBADMSG;
		if (r < 0)
			return err_set(
				reterr, r, "the header %s holds no certificates", q->chain_header);
		snprintf(key, sizeof(key), "%s/chain", q->key);
		r = collateral_store_put(into, key, buf_slice(&pem));
	}
	return r == 0 ? collateral_store_put(into, q->key, body) : r;
}

static uint32_t retry_after(const struct http_answer *a)
{
	const char *text = http_answer_header(a, "retry-after");
	uint32_t seconds;

	/* The form with a date is not worth a parser: waiting a minute is never wrong. */
	if (!text || parse_u32(slice_str(text), 0, UINT32_MAX, &seconds) < 0)
		return RETRY_DEFAULT_S;
	return seconds < 1 ? 1 : seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
}

static int judge(const struct collateral_request *q, const struct http_answer *a, int64_t now,
	struct collateral_store *into, struct collateral_problem *problem, struct err *reterr)
{
	problem->status = a->status;
	if (a->status == 404)
		return err_set(reterr, -ENOENT, "the vendor does not have it");
	if (a->status == 429 || a->status == 503) {
		problem->retry_after_s = retry_after(a);
		return err_set(reterr, -EAGAIN, "the vendor is busy and wants %u s of peace",
			problem->retry_after_s);
	}
	if (a->status != 200)
		return err_set(reterr, -EPROTO, "the vendor answered with status %d", a->status);
	const char *chain = q->chain_header ? http_answer_header(a, q->chain_header) : NULL;
	/* Services of version 3, and caches of them, call it so. */
	if (!chain && streq_null(q->chain_header, "tcb-info-issuer-chain"))
		chain = http_answer_header(a, "sgx-tcb-info-issuer-chain");
	return collateral_take(q, buf_slice(&a->body), chain, now, into, reterr);
}

int collateral_fetch(struct http_client *client, const struct collateral_sources *sources,
	const char *key, int64_t now, struct collateral_store *into,
	struct collateral_problem *ret_problem, struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	struct collateral_problem problem = {0};
	struct collateral_request q;

	int r = collateral_request_for(sources, key, &q);
	if (r < 0)
		return err_set(reterr, r, "%s",
			r == -ENOENT ? "no vendor publishes it" : "the URL is too long");
	const struct http_call call = {
		.method = "GET", .url = q.url, .answer_max = COLLATERAL_ITEM_MAX};
	r = http_client_call(client, &call, &answer, reterr);
	if (r == 0)
		r = judge(&q, &answer, now, into, &problem, reterr);
	if (ret_problem)
		*ret_problem = problem;
	return r < 0 ? err_wrap(reterr, r, "%s", q.url) : 0;
}
