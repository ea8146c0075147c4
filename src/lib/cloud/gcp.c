/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google Secret Manager. Spec: REST reference of secretmanager v1; "Using OAuth 2.0 for Server to
 * Server Applications"; Compute Engine, "Authenticate workloads using a service account" (metadata).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "fmt/json.h"

#define API_URL "https://secretmanager.googleapis.com"
#define METADATA_HOST "metadata.google.internal"
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"
#define GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"

struct gcp {
	struct cloud_store base;
	char api[CLOUD_URL_MAX]; /* up to the project, without a slash at its end */
	struct gcp_key account;	 /* of the file; without a key: the metadata server */
	char metadata[CLOUD_URL_MAX];
	struct cloud_token token;
};

static struct gcp *gcp_of(struct cloud_store *s)
{
	return (struct gcp *)s;
}

/* --- tokens --- */

static int token_by_key(struct gcp *g, struct err *reterr)
{
	cleanup_with(buf_done) struct buf jwt = buf_init_secret(0), form = buf_init_secret(0);
	int r = gcp_assertion(&g->account, clock_unix_s(), &jwt);

	cloud_put_form(&form, "grant_type", GRANT);
	cloud_put_form(&form, "assertion", buf_str(&jwt));
	if (r == 0)
		r = buf_error(&form);
	return r < 0 ? r
		     : oauth_call(g->base.http, "Google's token service", g->account.token_url,
			       buf_slice(&form), NULL, &g->token, reterr);
}

static int need_token(void *cookie, struct err *reterr)
{
	struct gcp *g = cookie;
	static const struct http_field flavor = {"Metadata-Flavor", "Google"};

	if (cloud_token_fresh(&g->token, clock_unix_s()))
		return 0;
	if (g->account.key)
		return token_by_key(g, reterr);
	return oauth_call(g->base.local, "Google's metadata server", g->metadata, SLICE_EMPTY,
		&flavor, &g->token, reterr);
}

/* --- calls --- */

static int call(struct gcp *g, const char *method, const char *url, struct slice body,
	struct http_answer *ret, struct err *reterr)
{
	const struct oauth_bearer bearer = {&g->token, need_token, g};

	return oauth_bearer_call(g->base.http, &bearer, method, url, body, ret, reterr);
}

static int get(struct cloud_store *s, const char *name, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	struct gcp *g = gcp_of(s);
	struct http_answer a = {0};
	char url[CLOUD_URL_MAX + CLOUD_NAME_MAX + 64], number[24] = "latest";
	int r;

	if (version > 0)
		snprintf(number, sizeof(number), "%lld", (long long)version);
	snprintf(url, sizeof(url), "%s/secrets/%s/versions/%s:access", g->api, name, number);
	r = call(g, "GET", url, SLICE_EMPTY, &a, reterr);
	if (r == 0)
		r = gcp_read_value(a.status, buf_slice(&a.body), name, value, ret_version, reterr);
	http_answer_done(&a);
	return r;
}

static int create(struct gcp *g, const char *name, struct err *reterr)
{
	struct http_answer a = {0};
	char url[CLOUD_URL_MAX + CLOUD_NAME_MAX + 64];
	int r;

	snprintf(url, sizeof(url), "%s/secrets?secretId=%s", g->api, name);
	r = call(g, "POST", url, SLICE_LIT("{\"replication\":{\"automatic\":{}}}"), &a, reterr);
	if (r == 0)
		r = gcp_read_added(a.status, buf_slice(&a.body), NULL, NULL, reterr);
	http_answer_done(&a);
	return r;
}

static int add_version(struct gcp *g, const char *name, struct slice value, int64_t *ret_version,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init_secret(0);
	struct http_answer a = {0};
	char url[CLOUD_URL_MAX + CLOUD_NAME_MAX + 64];
	int r;

	buf_put_str(&body, "{\"payload\":{\"data\":\"");
	b64_encode(&body, value, B64_STD);
	buf_printf(&body, "\",\"dataCrc32c\":\"%u\"}}", cloud_crc32c(value));
	snprintf(url, sizeof(url), "%s/secrets/%s:addVersion", g->api, name);
	r = buf_error(&body);
	if (r == 0)
		r = call(g, "POST", url, buf_slice(&body), &a, reterr);
	if (r == 0)
		r = gcp_read_added(a.status, buf_slice(&a.body), name, ret_version, reterr);
	http_answer_done(&a);
	return r;
}

static int put(struct cloud_store *s, const char *name, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	struct gcp *g = gcp_of(s);
	int r = -ENOENT;

	if (cas < 0)
		r = add_version(g, name, value, ret_version, reterr);
	if (r != -ENOENT)
		return r;
	r = create(g, name, reterr);
	return r < 0 ? r : add_version(g, name, value, ret_version, reterr);
}

static int delete_secret(struct cloud_store *s, const char *name, struct err *reterr)
{
	struct http_answer a = {0};
	char url[CLOUD_URL_MAX + CLOUD_NAME_MAX + 64];
	int r;

	snprintf(url, sizeof(url), "%s/secrets/%s", gcp_of(s)->api, name);
	r = call(gcp_of(s), "DELETE", url, SLICE_EMPTY, &a, reterr);
	if (r == 0)
		r = gcp_read_added(a.status, buf_slice(&a.body), NULL, NULL, reterr);
	http_answer_done(&a);
	return r;
}

static void free_store(struct cloud_store *s)
{
	gcp_key_done(&gcp_of(s)->account);
	cloud_token_done(&gcp_of(s)->token);
	free(s);
}

static const struct cloud_ops g_ops = {CLOUD_GCP, get, put, delete_secret, free_store};

/* --- opening --- */

static int read_account(struct gcp *g, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(CLOUD_FILE_MAX);
	int r = file_read(path, CLOUD_FILE_MAX, &text, reterr);

	if (r < 0)
		return r;
	r = gcp_key_read(buf_slice(&text), &g->account, reterr);
	return r < 0 ? err_wrap(reterr, r, "%.200s", path) : 0;
}

/* projects/ID or a number, as Google names them: "example.com:project", too. */
static bool project_valid(const char *s)
{
	return s && *s && strlen(s) < 128 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-:.") == strlen(s);
}

static int open_store(struct gcp *g, const struct gcp_settings *s, struct err *reterr)
{
	const char *url = s->endpoint_url ? s->endpoint_url : API_URL;
	const char *file =
		cloud_setting(&g->base, s->credentials_file, "GOOGLE_APPLICATION_CREDENTIALS");
	const char *host = cloud_env(&g->base, "GCE_METADATA_HOST");
	size_t n = strlen(url);

	if (!project_valid(s->project_id))
		return err_set(reterr, -EINVAL, "project_id must be the id of a project");
	if (!cloud_url_valid(url))
		return err_set(reterr, -EINVAL, "endpoint_url must be https://HOST");
	if (n > 0 && url[n - 1] == '/')
		n--;
	snprintf(g->api, sizeof(g->api), "%.*s/v1/projects/%s", (int)MIN(n, (size_t)1000), url,
		s->project_id);
	snprintf(g->metadata, sizeof(g->metadata), "http://%.250s" METADATA_PATH,
		host ? host : METADATA_HOST);
	return file ? read_account(g, file, reterr) : 0;
}

int gcp_store_new(const struct gcp_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr)
{
	struct gcp *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	r = cloud_store_init(&g->base, &g_ops, o, reterr);
	if (r == 0)
		r = open_store(g, s, reterr);
	if (r < 0)
		cloud_store_free(&g->base);
	else
		*ret = &g->base;
	return r;
}
