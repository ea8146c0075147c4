/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fetcher process: asks vendors for collateral, one item at a time, issuers of tokens for their
 * key sets, and NVIDIA's service about all devices of a guest at once, in a blocking loop. It has the
 * network and nothing else: no keys, no store, no evidence but what that service is to verify. What it
 * brings is checked by whom it serves.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "collateral/nras.h"
#include "collateral/source.h"
#include "evidence/nvidia_nras.h"
#include "fmt/json.h"
#include "trustee/kbs/key-set.h"
#include "trustee/kbs/role-work.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"

#define CONNECT_TIMEOUT_MS 5000
#define TOTAL_TIMEOUT_MS 20000
#define MESSAGE_MAX ((size_t)8 << 20) /* questions to NRAS hold evidence */
#define ROOTS_MAX ((size_t)4 << 20)

struct fetcher {
	struct http_client *http; /* of vendors */
	struct http_client *keys; /* of issuers of tokens */
	struct collateral_sources sources;
	const char *nras_url; /* NULL: NVIDIA's */
	bool nras;
};

/* Answers go to a verifier as the text that they are. */
static int put_answers(const json_t *questions, const struct buf *texts, json_t *answers)
{
	const json_t *question;
	size_t i;

	json_array_foreach (questions, i, question) {
		const struct buf *text = &texts[i];
		json_t *answer =
			json_stringn(text->size ? (const char *)text->data : "", text->size);

		if (!answer || json_object_set_new(answers, wire_str(question, "id"), answer) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* {"keys", "answers"} for a list of questions, all or none. */
static int serve_nras(
	const struct fetcher *f, const json_t *questions, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf keys = buf_init(NRAS_ANSWER_MAX);
	cleanup(json_decref) json_t *answers = json_object();
	struct nras_question list[NRAS_QUESTIONS_MAX];
	struct buf texts[NRAS_QUESTIONS_MAX] = {0};
	const json_t *question;
	size_t i, count = json_array_size(questions);
	int r;

	if (!f->nras)
		return err_set(reterr, -EOPNOTSUPP, "NRAS is not configured");
	if (count > NRAS_QUESTIONS_MAX)
		return err_set(reterr, -E2BIG, "too many questions to NRAS");
	json_array_foreach (questions, i, question) {
		texts[i] = buf_init(NRAS_ANSWER_MAX);
		list[i] = (struct nras_question){wire_str(question, "endpoint"),
			slice_str(wire_str(question, "body")), &texts[i]};
	}
	r = nras_ask_all(f->http, f->nras_url, list, count, &keys, reterr);
	if (r == 0 && put_answers(questions, texts, answers) < 0)
		r = err_set(reterr, -EBADMSG, "the answer is no text");
	for (i = 0; i < count; i++)
		buf_done(&texts[i]);
	if (r < 0)
		return r;
	*ret = json_pack("{s:s, s:O}", "keys", buf_str(&keys), "answers", answers);
	return *ret ? 0 : err_set(reterr, -EBADMSG, "the key set is no text");
}

static int fetch(struct fetcher *f, const char *key, json_t *answer, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *items = collateral_store_new();
	struct collateral_problem problem = {0};
	int r = items ? collateral_fetch(
				f->http, &f->sources, key, clock_unix_s(), items, &problem, reterr)
		      : -ENOMEM;

	if (r == 0)
		json_object_set_new(answer, "document", collateral_store_save(items));
	json_object_set_new(answer, "retry_after_s", json_integer(problem.retry_after_s));
	return r;
}

static int serve_keys(struct fetcher *f, const char *url, json_t *answer, struct err *reterr)
{
	cleanup(free_ptr) char *text = NULL;
	int r = key_set_fetch(f->keys, url, &text, reterr);

	return r < 0 ? r : json_set_str(answer, "text", text);
}

/* Answers: "document" with the items and "retry_after_s", "text" of a key set, or "nras". */
static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct fetcher *f = w->cookie;
	const json_t *questions = json_object_get(header, "questions");
	const char *url = wire_str(header, "url");
	json_t *nras = NULL;

	if (!questions)
		return *url ? serve_keys(f, url, answer, reterr)
			    : fetch(f, wire_str(header, "key"), answer, reterr);
	int r = serve_nras(f, questions, &nras, reterr);
	return r < 0 ? r : json_set_take(answer, "nras", nras);
}

/* @roots: PEM file; NULL: the system's. */
static int make_client(const struct kbs_config *c, const char *roots, bool no_redirects,
	struct http_client **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(ROOTS_MAX);
	struct http_client_options options = {.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS,
		.proxy = c->collateral.proxy,
		.no_redirects = no_redirects};
	int r = roots ? file_read(roots, ROOTS_MAX, &pem, reterr) : 0;

	options.roots_pem = buf_slice(&pem);
	return r == 0 ? http_client_new(&options, ret, reterr) : r;
}

static int start(struct fetcher *f, const struct kbs_config *c, struct err *reterr)
{
	int r = make_client(c, c->collateral.ca_cert, false, &f->http, reterr);

	if (r == 0)
		r = make_client(c, c->husk.remote_ca, true, &f->keys, reterr);
	return r == 0 ? role_confine_network(c, "fetcher", NULL, 0, reterr) : r;
}

int role_fetcher(const struct kbs_config *c)
{
	struct fetcher f = {
		.sources = {c->collateral.intel_pcs_url, c->collateral.intel_root_crl_url,
			c->collateral.amd_kds_url, c->collateral.nvidia_rim_url},
		.nras_url = c->as.nras_url,
		.nras = c->as.nvidia_remote};
	struct role_work work = {
		.name = "fetcher", .call_max = MESSAGE_MAX, .serve = serve, .cookie = &f};
	struct err e = {0};
	int r = role_work(&work, start(&f, c, &e), &e);

	http_client_free(f.http);
	http_client_free(f.keys);
	return r;
}
