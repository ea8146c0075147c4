/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral on demand.
 *
 * Theory of operation
 *  - A verifier that misses collateral says which. The evidence waits here while the fetcher, a
 *    process of its own, asks the vendor; then the evidence is given to a verifier once more, since
 *    one answer may show that more is needed (ROUNDS_MAX).
 *  - Each key is asked for once, whoever waits for it (single flight), and KEYS_MAX at a time.
 *  - A failure is remembered and doubles the time until the next try. A vendor that says it is busy
 *    is left alone altogether for as long as it wishes. Keys come from evidence: whoever makes them
 *    up costs us one request each, and no more than KEYS_MAX at a time.
 *  - What came is kept in the store, and asked for again some days before it expires.
 *  - Another replica may have fetched it: the shared store is looked at first.
 */
#include "base/log.h"
#include "base/str.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define KEYS_MAX 64
#define TRIALS_MAX 2048
#define TRIALS_BYTES_MAX ((size_t)32 << 20)
#define ROUNDS_MAX 4
#define FAILURES_MAX 512
#define BACKOFF_MIN_S 15
#define BACKOFF_MAX_S 3600
#define ABSENT_S 600
#define REFRESH_EVERY_S 60
#define REFRESH_GAP_S 3600 /* after an answer that held nothing new */
#define DAY_S 86400

/* Evidence on its way. */
struct trial {
	struct call *call;
	pool_done_fn done;
	json_t *header;
	struct buf body;
	unsigned rounds, waits;
	bool asked;	/* NRAS was */
	json_t *wanted; /* keys it waits for */
	struct trial *older, *newer;
};

struct failure {
	char key[COLLATERAL_KEY_SIZE];
	int64_t until;
	uint32_t delay_s;
};

/* A key on its way; free while @key is "". */
struct flight {
	struct fetch *fetch;
	char key[COLLATERAL_KEY_SIZE];
};

struct fetch {
	struct vault *vault;
	struct flight flights[KEYS_MAX];
	struct failure failures[FAILURES_MAX];
	size_t failure_next;
	struct trial *trials; /* newest first */
	size_t trial_count, trial_bytes;
	int64_t refresh_at;
};

/* --- failures ----------------------------------------------------------------------------- */

static struct failure *find_failure(struct fetch *f, const char *key)
{
	for (size_t i = 0; i < FAILURES_MAX; i++) {
		if (streq(f->failures[i].key, key))
			return &f->failures[i];
	}
	return NULL;
}

/* "intel", "amd": whom a busy answer speaks for. */
static void vendor_of(const char *key, char dst[COLLATERAL_KEY_SIZE])
{
	snprintf(dst, COLLATERAL_KEY_SIZE, "%.*s", (int)strcspn(key, "/"), key);
}

static bool is_waiting(struct fetch *f, const char *key)
{
	int64_t now = vault_now(f->vault);
	char vendor[COLLATERAL_KEY_SIZE];
	const struct failure *x = find_failure(f, key);

	if (x && x->until > now)
		return true;
	vendor_of(key, vendor);
	x = find_failure(f, vendor);
	return x && x->until > now;
}

static struct failure *make_failure(struct fetch *f, const char *key)
{
	struct failure *x = find_failure(f, key);

	if (!x) {
		x = &f->failures[f->failure_next++ % FAILURES_MAX];
		*x = (struct failure){0};
		(void)!str_copy(x->key, sizeof(x->key), key);
	}
	return x;
}

static void wait_with(struct fetch *f, const char *key, uint32_t seconds)
{
	make_failure(f, key)->until = vault_now(f->vault) + seconds;
}

static void note_failure(struct fetch *f, const char *key, int error, uint32_t retry_after_s)
{
	char name[COLLATERAL_KEY_SIZE];
	struct failure *x;

	if (error == -EAGAIN)
		vendor_of(key, name);
	else
		(void)!str_copy(name, sizeof(name), key);
	x = make_failure(f, name);
	x->delay_s = x->delay_s ? MIN(2 * x->delay_s, BACKOFF_MAX_S) : BACKOFF_MIN_S;
	if (error == -ENOENT)
		x->delay_s = ABSENT_S;
	if (error == -EAGAIN && retry_after_s > x->delay_s)
		x->delay_s = MIN(retry_after_s, DAY_S);
	x->until = vault_now(f->vault) + x->delay_s;
}

static void forget_failure(struct fetch *f, const char *key)
{
	struct failure *x = find_failure(f, key);

	if (x)
		*x = (struct failure){0};
}

/* --- keys on their way -------------------------------------------------------------------- */

/* The flight of @key; "": one that is free. NULL: there is none. */
static struct flight *find_flight(struct fetch *f, const char *key)
{
	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (streq(f->flights[i].key, key))
			return &f->flights[i];
	}
	return NULL;
}

/* What another replica fetched. Return: whether there was something new. */
static bool take_from_store(struct fetch *f, const char *key)
{
	struct vault *v = f->vault;
	cleanup(collateral_store_free) struct collateral_store *found = collateral_store_new();
	size_t count = 0;
	bool news = false;
	struct slice item;
	const char *name;

	if (!store_shared(v->store) || !found ||
		store_collateral_load(v->store, key, found, &count, NULL) < 0)
		return false;
	for (size_t i = 0; (name = collateral_store_at(found, i, &item)) != NULL; i++) {
		enum collateral_fate fate = COLLATERAL_KEPT;
		if (collateral_merge(v->collateral, name, item, &fate, NULL) < 0)
			return false;
		news |= fate == COLLATERAL_ADDED || fate == COLLATERAL_REPLACED;
	}
	return news && vault_add_collateral(v, found) == 0;
}

static void arrived(void *cookie, int error, const json_t *result);

static int launch(struct fetch *f, const char *key)
{
	struct vault *v = f->vault;
	struct flight *flight = find_flight(f, "");

	if (!flight)
		return -EBUSY;
	flight->fetch = f;
	int r = str_copy(flight->key, sizeof(flight->key), key);
	if (r == 0)
		r = pool_submit(v->fetchers, json_pack("{s:s}", "key", key), SLICE_EMPTY,
			vault_now_ms(v), arrived, flight);
	if (r < 0)
		flight->key[0] = 0;
	return r;
}

/*
 * @refresh: although it is here
 * Return: 0 when the key is on its way or was here already (@ret_here), else why not.
 */
static int ask(struct fetch *f, const char *wanted, bool refresh, bool *ret_here)
{
	struct vault *v = f->vault;
	struct collateral_request q;
	struct slice item;

	*ret_here = false;
	if (collateral_request_for(NULL, wanted, &q) < 0)
		return -ENOENT;
	if (find_flight(f, q.key))
		return 0;
	/* It came while the verifier was busy with this evidence, or through another replica. */
	*ret_here = !refresh &&
		    collateral_get(collateral_store_provider(v->collateral), wanted, &item) == 0;
	if (*ret_here)
		return 0;
	if (is_waiting(f, q.key))
		return -EAGAIN;
	*ret_here = take_from_store(f, q.key);
	return *ret_here ? 0 : launch(f, q.key);
}

/* --- evidence that waits ------------------------------------------------------------------ */

static void trial_free(struct fetch *f, struct trial *t)
{
	if (t->newer)
		t->newer->older = t->older;
	else
		f->trials = t->older;
	if (t->older)
		t->older->newer = t->newer;
	f->trial_count--;
	f->trial_bytes -= t->body.size;
	json_decref(t->header);
	json_decref(t->wanted);
	buf_done(&t->body);
	free(t);
}

static void trial_done(void *cookie, int error, const json_t *result);

static int submit(struct fetch *f, struct trial *t)
{
	struct vault *v = f->vault;

	/* The pool adds its number to what it gets. */
	return pool_submit(
		v->pool, json_copy(t->header), buf_slice(&t->body), vault_now_ms(v), trial_done, t);
}

static void finish(struct fetch *f, struct trial *t, int error, const json_t *result)
{
	struct call *c = t->call;
	pool_done_fn done = t->done;

	trial_free(f, t);
	done(c, error, result);
}

/* Return: whether the evidence is to be tried again, now or when what it waits for has come. */
static bool fetch_missing(struct fetch *f, struct trial *t, const json_t *missing)
{
	const json_t *row;
	bool here = false, any_here = false;
	size_t i;

	json_decref(t->wanted);
	t->wanted = json_array();
	t->waits = 0;
	json_array_foreach (missing, i, row) {
		const char *key = json_string_value(row);
		struct collateral_request q;

		if (!key || ask(f, key, false, &here) < 0)
			continue;
		any_here |= here;
		if (here || collateral_request_for(NULL, key, &q) < 0)
			continue;
		if (json_array_append_new(t->wanted, json_string(q.key)) == 0)
			t->waits++;
	}
	return t->waits > 0 || any_here;
}

static void nras_came(void *cookie, int error, const json_t *result)
{
	struct trial *t = cookie;
	struct fetch *f = t->call->vault->fetch;
	int r = vault_nras_answer(f->vault, t->header, error, result);

	if (r == 0)
		r = submit(f, t);
	if (r < 0)
		finish(f, t, r, NULL);
}

/* Return: whether the evidence waits for answers. */
static bool ask_nras(struct fetch *f, struct trial *t, json_t *questions)
{
	if (json_array_size(questions) == 0 || t->asked)
		return false;
	t->asked = true;
	int r = vault_nras_ask(f->vault, questions, nras_came, t);
	if (r < 0)
		nras_came(t, r, NULL);
	return true;
}

static void trial_done(void *cookie, int error, const json_t *result)
{
	struct trial *t = cookie;
	struct fetch *f = t->call->vault->fetch;
	const json_t *outcome = json_object_get(result, "result");
	const json_t *missing = json_object_get(outcome, "missing");

	if (error == 0 && ask_nras(f, t, json_object_get(outcome, "questions")))
		return;
	if (error < 0 || json_is_true(json_object_get(outcome, "accepted")) ||
		json_array_size(missing) == 0 || !f->vault->config->collateral.fetch ||
		t->rounds++ == ROUNDS_MAX || !fetch_missing(f, t, missing)) {
		finish(f, t, error, result);
		return;
	}
	if (t->waits > 0) {
		call_waits(t->call);
		return;
	}
	/* A replica had all of it. */
	int r = submit(f, t);
	if (r < 0)
		finish(f, t, r, NULL);
}

int vault_verify(struct call *c, json_t *header, struct slice body, pool_done_fn done)
{
	struct vault *v = c->vault;
	struct fetch *f = v->fetch;

	if (header && vault_nras_begin(v, header) < 0) {
		json_decref(header);
		return -ENOMEM;
	}
	/* What cannot be kept is judged with what is there. */
	if (!f || f->trial_count >= TRIALS_MAX || body.size > TRIALS_BYTES_MAX - f->trial_bytes)
		return pool_submit(v->pool, header, body, vault_now_ms(v), done, c);
	struct trial *t = calloc(1, sizeof(*t));
	if (!t || !header) {
		free(t);
		json_decref(header);
		return -ENOMEM;
	}
	*t = (struct trial){.call = c,
		.done = done,
		.header = header,
		.body = buf_init(TRIALS_BYTES_MAX),
		.older = f->trials};
	buf_put_slice(&t->body, body);
	if (t->older)
		t->older->newer = t;
	f->trials = t;
	f->trial_count++;
	f->trial_bytes += t->body.size;
	int r = buf_error(&t->body);
	if (r == 0)
		r = submit(f, t);
	if (r < 0)
		trial_free(f, t);
	return r;
}

/* --- answers ------------------------------------------------------------------------------ */

static bool names(const json_t *wanted, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach (wanted, i, row) {
		if (streq(json_string_value(row), key))
			return true;
	}
	return false;
}

/* Every item that the evidence waited for is here or has failed: the verifier says what it means. */
static void wake(struct fetch *f, const char *key)
{
	struct trial *t = f->trials, *older;

	for (; t; t = older) {
		older = t->older;
		if (t->waits == 0 || !names(t->wanted, key) || --t->waits > 0)
			continue;
		int r = submit(f, t);
		if (r < 0)
			finish(f, t, r, NULL);
	}
}

/* @ret_news: whether anything is newer now */
static int take(struct fetch *f, const json_t *doc, bool *ret_news)
{
	struct vault *v = f->vault;
	cleanup(collateral_store_free) struct collateral_store *fresh = collateral_store_new();
	struct slice item;
	const char *key;
	struct err e = {0};
	int r = fresh ? collateral_store_load(fresh, doc, &e) : -ENOMEM;

	for (size_t i = 0; r == 0 && (key = collateral_store_at(fresh, i, &item)) != NULL; i++) {
		enum collateral_fate fate = COLLATERAL_KEPT;
		r = collateral_merge(v->collateral, key, item, &fate, &e);
		*ret_news |= fate == COLLATERAL_ADDED || fate == COLLATERAL_REPLACED;
		/* Not being able to keep it is no reason not to use it. */
		if (r == 0 && store_collateral_put(v->store, key, item, vault_now(v), &e) < 0)
			log_warn("kbs.collateral.keep", LOG_STR("key", key),
				LOG_STR("reason", e.text));
	}
	if (r == 0)
		r = vault_add_collateral(v, fresh);
	if (r < 0)
		log_error("kbs.collateral.take", LOG_STR("reason", err_text(&e, r)));
	return r;
}

static void arrived(void *cookie, int error, const json_t *result)
{
	struct flight *flight = cookie;
	struct fetch *f = flight->fetch;
	int64_t wait = wire_int(result, "retry_after_s");
	char key[COLLATERAL_KEY_SIZE];
	bool news = false;

	memcpy(key, flight->key, sizeof(key));
	flight->key[0] = 0;
	if (error == 0)
		error = take(f, json_object_get(result, "document"), &news);
	if (error == 0) {
		f->vault->counters[COUNT_COLLATERAL_FETCHES]++;
		forget_failure(f, key);
		if (!news)
			wait_with(f, key, REFRESH_GAP_S);
		log_info("kbs.collateral.fetched", LOG_STR("key", key));
	} else {
		f->vault->counters[COUNT_COLLATERAL_FAILURES]++;
		note_failure(f, key, error, wait > 0 ? (uint32_t)MIN(wait, DAY_S) : 0);
		log_warn("kbs.collateral.failed", LOG_STR("key", key),
			LOG_STR("reason", wire_str(result, "reason")[0] ? wire_str(result, "reason")
									: strerror(-error)));
	}
	wake(f, key);
}

void fetch_tick(struct vault *v)
{
	struct fetch *f = v->fetch;
	int64_t now = vault_now(v), soon;
	struct collateral_life life;
	struct slice item;
	const char *key;
	bool here;

	if (!f || !v->config->collateral.fetch || now < f->refresh_at)
		return;
	f->refresh_at = now + REFRESH_EVERY_S;
	soon = now + (int64_t)v->config->collateral.refresh_days * DAY_S;
	for (size_t i = 0; (key = collateral_store_at(v->collateral, i, &item)) != NULL; i++) {
		struct collateral_request q;
		if (collateral_life(item, &life, NULL) < 0 || life.until > soon ||
			collateral_request_for(NULL, key, &q) < 0 || !streq(q.key, key))
			continue;
		if (ask(f, key, true, &here) == -EBUSY)
			return;
	}
}

int fetch_new(struct vault *v)
{
	if (kbs_config_workers(v->config, WORKER_FETCHER) == 0)
		return 0;
	v->fetch = calloc(1, sizeof(*v->fetch));
	if (!v->fetch)
		return -ENOMEM;
	v->fetch->vault = v;
	return 0;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	while (f->trials) {
		call_free(f->trials->call);
		trial_free(f, f->trials);
	}
	free(f);
}
