/* SPDX-License-Identifier: Apache-2.0 */
/* husk collateral fetch: from the vendors into a folder. */
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/collateral_store.h"
#include "cli/evidence_file.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "evidence/evidence.h"
#include "fmt/json.h"

#define ROUNDS_MAX 8 /* each may show that more is missing */
#define WAIT_MAX_S 300
#define TRIES 5
#define ROOTS_MAX ((size_t)1 << 20)

struct job {
	struct cli *cli;
	struct http_client *http;
	struct collateral_sources sources;
	struct collateral_store *store;
	const char *folder;
	int64_t now;
	unsigned fetched, failed;
};

static int save(struct job *j, const char *key, struct err *reterr)
{
	const struct collateral_provider *p = collateral_store_provider(j->store);
	char chain[COLLATERAL_KEY_SIZE + sizeof("/chain")];
	struct slice item;

	snprintf(chain, sizeof(chain), "%s/chain", key);
	int r = collateral_get(p, chain, &item);
	if (r == 0)
		r = collateral_item_write(j->folder, chain, item, reterr);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = collateral_get(p, key, &item);
	return r == 0 ? collateral_item_write(j->folder, key, item, reterr) : r;
}

/* One item, with the patience that a busy vendor asks for. */
static int fetch(struct job *j, const char *key, struct err *reterr)
{
	struct collateral_request q;
	struct collateral_problem problem;
	int r = -EAGAIN;

	for (unsigned try = 0; r == -EAGAIN && try < TRIES; try++) {
		*reterr = (struct err){0};
		r = collateral_fetch(j->http, &j->sources, key, j->now, j->store, &problem, reterr);
		if (r == -EAGAIN && problem.retry_after_s > WAIT_MAX_S)
			break;
		if (r == -EAGAIN && try + 1 < TRIES) {
			cli_note(j->cli, "%s", reterr->text);
			sleep(problem.retry_after_s);
		}
	}
	if (r == 0)
		r = collateral_request_for(&j->sources, key, &q);
	if (r == 0)
		r = save(j, q.key, reterr);
	if (r < 0) {
		j->failed++;
		return r;
	}
	j->fetched++;
	cli_note(j->cli, "fetched %s", q.key);
	return 0;
}

static int report(struct job *j, const char *key, int r, const struct err *e)
{
	cli_note(j->cli, "%s: %s", key, err_text(e, r));
	return r;
}

static int refresh(struct job *j, int64_t within, struct err *reterr)
{
	cleanup(json_decref) json_t *keys = json_array();
	struct collateral_life life;
	struct slice item;
	const char *key;
	json_t *row;
	size_t i;

	for (i = 0; (key = collateral_store_at(j->store, i, &item)) != NULL; i++) {
		struct collateral_request q;
		bool due = collateral_life(item, &life, NULL) < 0 || life.until - within <= j->now;
		/* A body brings its chain along. */
		if (!due || collateral_request_for(&j->sources, key, &q) < 0 || !streq(q.key, key))
			continue;
		if (json_array_append_new(keys, json_string(key)) < 0)
			return -ENOMEM;
	}
	json_array_foreach (keys, i, row) {
		int r = fetch(j, json_string_value(row), reterr);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			report(j, json_string_value(row), r, reterr);
	}
	return 0;
}

static bool is_there(const struct job *j, const char *key)
{
	struct slice item;
	return collateral_get(collateral_store_provider(j->store), key, &item) == 0;
}

static int fetch_missing(struct job *j, const json_t *missing, bool *ret_progress, struct err *e)
{
	json_t *row;
	size_t i;
	int first = 0;

	json_array_foreach (missing, i, row) {
		const char *key = json_string_value(row);
		/* It came along with another. */
		if (!key || is_there(j, key))
			continue;
		struct err why = {0};
		int r = fetch(j, key, &why);
		if (r == 0)
			*ret_progress = true;
		else if (first == 0) {
			first = report(j, key, r, &why);
			*e = why;
		}
	}
	return first;
}

static int fetch_for(struct job *j, const char *file, struct err *reterr)
{
	cleanup(json_decref) json_t *evidence = NULL;
	const char *tee;

	int r = evidence_file_read(file, cli_opt(j->cli, "tee"), &evidence, &tee, reterr);
	for (unsigned round = 0; r == 0 && round < ROUNDS_MAX; round++) {
		cleanup_with(evidence_result_done) struct evidence_result result = {0};
		const struct evidence_request q = {.evidence = evidence,
			.now = j->now,
			.collateral = collateral_store_provider(j->store),
			.insecure_skip_report_data = true};
		bool progress = false;
		r = evidence_verify(tee, &q, &result, reterr);
		if (r < 0 || json_array_size(result.missing) == 0)
			return r;
		r = fetch_missing(j, result.missing, &progress, reterr);
		if (!progress)
			return r;
		r = 0;
	}
	return r;
}

static int start(struct job *j, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(ROOTS_MAX);
	const char *file = cli_opt(j->cli, "cert-file");
	struct http_client_options options = {.proxy = cli_opt(j->cli, "proxy")};

	int r = file ? file_read(file, ROOTS_MAX, &roots, reterr) : 0;
	options.roots_pem = buf_slice(&roots);
	if (r == 0)
		r = http_client_new(&options, &j->http, reterr);
	return r == 0 ? collateral_folder_read(j->folder, &j->store, reterr) : r;
}

int collateral_run_fetch(struct cli *cli)
{
	struct job j = {.cli = cli,
		.sources = {cli_opt(cli, "pcs-url"), cli_opt(cli, "root-crl-url"),
			cli_opt(cli, "kds-url"), cli_opt(cli, "rim-url"), cli_opt(cli, "ocsp-url")},
		.folder = cli_arg(cli, 0),
		.now = clock_unix_s()};
	int64_t within = 0;
	struct err e = {0};

	int r = collateral_within(cli, &within, &e);
	if (r == 0)
		r = start(&j, &e);
	if (r == 0)
		r = refresh(&j, within, &e);
	for (size_t i = 1; r == 0 && cli_arg(cli, i); i++) {
		r = fetch_for(&j, cli_arg(cli, i), &e);
		if (r < 0)
			err_wrap(&e, r, "%s", cli_arg(cli, i));
	}
	http_client_free(j.http);
	collateral_store_free(j.store);
	if (r < 0)
		return cli_fail(cli, r == -EINVAL ? r : r == -EACCES ? -EIO : r, &e, NULL);
	cli_note(cli, "%u items fetched, %u failed", j.fetched, j.failed);
	return j.failed ? CLI_FAILURE : CLI_OK;
}

const struct cli_option collateral_fetch_options[] = {
	{"within", .arg = "TIME", .help = "refresh what expires within (default 7d; d, h, m, s)"},
	{"tee", .arg = "NAME", .help = "kind of the evidence (default: told from its members)"},
	{"pcs-url", .arg = "URL", .help = "Intel's service, or a caching one (PCCS)"},
	{"root-crl-url", .arg = "URL", .help = "revocation list of Intel's root"},
	{"kds-url", .arg = "URL", .help = "AMD's key distribution service, or a cache"},
	{"rim-url", .arg = "URL", .help = "NVIDIA's service of reference manifests"},
	{"ocsp-url", .arg = "URL", .help = "NVIDIA's OCSP responder"},
	{"cert-file", .arg = "FILE", .help = "trust these roots for TLS instead of the system's",
		.complete = CLI_COMPLETE_FILE},
	{"proxy", .arg = "URL", .help = "http://HOST:PORT"},
	{NULL},
};
