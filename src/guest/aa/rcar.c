/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/aa/rcar.h"

#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "guest/attester/evidence.h"
#include "net/http_client.h"
#include "net/url.h"

#define PROTOCOL "0.4.0"
#define HASH_DEFAULT HASH_SHA384
#define ANSWER_MAX ((size_t)4 << 20)
#define URI_MAX 1024u
#define URI_SCHEME "kbs://"

struct rcar {
	char *base; /* URL without a slash at its end */
	char *initdata;
	struct http_client *http;
	struct pkey *key;
	json_t *jwk;
	char *token;
};

static json_t *make_jwk(const struct pkey *key)
{
	json_t *jwk = pkey_to_jwk(key);
	if (jwk != NULL && json_set_str(jwk, "alg", "ECDH-ES+A256KW") < 0) {
		json_decref(jwk);
		return NULL;
	}
	return jwk;
}

static char *copy_base(const char *url)
{
	size_t size = strlen(url);
	while (size > 0 && url[size - 1] == '/')
		size--;
	return slice_strdup(slice_of(url, size));
}

int rcar_new(const struct rcar_options *options, struct rcar **ret, struct err *reterr)
{
	const struct http_client_options http = {.roots_pem = options->roots_pem};
	struct url url;
	cleanup(rcar_free) struct rcar *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		pkey_free(options->key);
		return -ENOMEM;
	}
	r->key = options->key;
	int rc = url_parse(options->url, &url, reterr);
	if (rc < 0)
		return err_wrap(reterr, -EBADMSG, "URL of the key broker");
	rc = http_client_new(&http, &r->http, reterr);
	if (rc < 0)
		return rc;
	r->base = copy_base(options->url);
	r->initdata = slice_strdup(options->initdata);
	r->jwk = make_jwk(r->key);
	if (r->base == NULL || r->initdata == NULL || r->jwk == NULL)
		return -ENOMEM;
	*ret = steal_ptr(r);
	return 0;
}

void rcar_free(struct rcar *r)
{
	if (r == NULL)
		return;
	http_client_free(r->http);
	pkey_free(r->key);
	json_decref(r->jwk);
	free(r->base);
	free(r->initdata);
	free(r->token);
	free(r);
}

/* A refusal: {"type": ".../Kind", "detail": "... (id ID)"}; both parts are untrusted text. */
static int refused(
	const struct http_answer *answer, const char *what, char *ret_id, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = NULL;
	const char *detail = NULL;
	if (json_parse(buf_slice(&answer->body), ANSWER_MAX, &doc, NULL) < 0 ||
		json_get_str(doc, "detail", &detail, NULL) < 0)
		return err_set(reterr, answer->status == 404 ? -ENOENT : -EACCES,
			"the key broker refused %s with status %d", what, answer->status);
	const char *id = strstr(detail, "(id ");
	const char *end = id ? strchr(id, ')') : NULL;
	if (end != NULL &&
		str_copy_slice(ret_id, RCAR_ID_SIZE, slice_of(id + 4, (size_t)(end - id - 4))) < 0)
		ret_id[0] = '\0';
	return err_set(reterr, -EACCES, "the key broker refused %s: %.300s", what, detail);
}

/* One POST of JSON; the answer is JSON as well. */
static int post(struct rcar *r, const char *path, const json_t *body, const char *what,
	json_t **ret, char *ret_id, struct err *reterr)
{
	static const struct http_field fields[] = {{"Content-Type", "application/json"}};
	cleanup_with(buf_done) struct buf text = buf_init(ANSWER_MAX);
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char url[URL_MAX];
	int rc = json_write(body, &text);
	if (rc < 0)
		return rc;
	if (snprintf(url, sizeof(url), "%s/kbs/v0/%s", r->base, path) >= (int)sizeof(url))
		return err_set(reterr, -E2BIG, "URL of the key broker is too long");
	const struct http_call call = {
		.method = "POST",
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = buf_slice(&text),
		.answer_max = ANSWER_MAX,
		.keep_cookies = true,
	};
	rc = http_client_call(r->http, &call, &answer, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "key broker");
	if (answer.status != 200)
		return refused(&answer, what, ret_id, reterr);
	rc = json_parse(buf_slice(&answer.body), ANSWER_MAX, ret, reterr);
	return rc < 0 ? err_wrap(reterr, -EPROTO, "answer of the key broker") : 0;
}

/* The challenge's extra-params may select the hash; "" and absence select the default. */
static int read_challenge(
	json_t *challenge, const char **ret_nonce, enum hash_alg *ret_alg, struct err *reterr)
{
	const char *name = NULL;
	int rc = json_get_str(challenge, "nonce", ret_nonce, reterr);
	if (rc < 0)
		return rc;
	json_t *extra = json_object_get(challenge, "extra-params");
	*ret_alg = HASH_DEFAULT;
	if (!json_is_object(extra))
		return 0;
	rc = json_opt_str(extra, "selected-hash-algorithm", &name, reterr);
	if (rc < 0 || name == NULL || name[0] == '\0')
		return rc;
	*ret_alg = hash_from_name(slice_str(name));
	if (*ret_alg != HASH_SHA256 && *ret_alg != HASH_SHA384 && *ret_alg != HASH_SHA512)
		return err_set(reterr, -EOPNOTSUPP, "the key broker selected an unknown hash");
	return 0;
}

/* H(JCS({"additional-evidence":"","nonce":...,"tee-pubkey":...})): what the evidence is bound to.
 */
static int report_data(struct rcar *r, const char *nonce, enum hash_alg alg, struct digest *ret)
{
	cleanup_with(buf_done) struct buf text = buf_init(ANSWER_MAX);
	cleanup(json_decref) json_t *doc = json_pack(
		"{s:s,s:s,s:O}", "additional-evidence", "", "nonce", nonce, "tee-pubkey", r->jwk);
	if (doc == NULL)
		return -ENOMEM;
	int rc = jcs_write(doc, &text);
	return rc < 0 ? rc : hash_once(alg, buf_slice(&text), ret);
}

static int make_attestation(
	struct rcar *r, const char *nonce, enum hash_alg alg, json_t **ret, struct err *reterr)
{
	struct digest bound;
	json_t *evidence = NULL;
	int rc = report_data(r, nonce, alg, &bound);
	if (rc < 0)
		return rc;
	rc = attester_evidence(digest_slice(&bound), &evidence, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "evidence");
	*ret = json_pack("{s:{s:s,s:s},s:{s:s,s:O},s:{s:o,s:s}}", "init-data", "format", "toml",
		"body", r->initdata, "runtime-data", "nonce", nonce, "tee-pubkey", r->jwk,
		"tee-evidence", "primary_evidence", evidence, "additional_evidence", "");
	return *ret ? 0 : -ENOMEM;
}

int rcar_attest(struct rcar *r, char ret_id[RCAR_ID_SIZE], struct err *reterr)
{
	cleanup(json_decref) json_t *request = NULL;
	cleanup(json_decref) json_t *challenge = NULL;
	cleanup(json_decref) json_t *attestation = NULL;
	cleanup(json_decref) json_t *answer = NULL;
	const char *tee, *nonce, *token;
	enum hash_alg alg;
	ret_id[0] = '\0';
	int rc = attester_tee(&tee, reterr);
	if (rc < 0)
		return rc;
	request = json_pack("{s:s,s:s,s:{s:[s,s,s]}}", "version", PROTOCOL, "tee", tee,
		"extra-params", "supported-hash-algorithms", "sha256", "sha384", "sha512");
	if (request == NULL)
		return -ENOMEM;
	rc = post(r, "auth", request, "to start attestation", &challenge, ret_id, reterr);
	if (rc < 0)
		return rc;
	rc = read_challenge(challenge, &nonce, &alg, reterr);
	if (rc < 0)
		return rc;
	rc = make_attestation(r, nonce, alg, &attestation, reterr);
	if (rc < 0)
		return rc;
	rc = post(r, "attest", attestation, "attestation", &answer, ret_id, reterr);
	if (rc < 0)
		return rc;
	rc = json_get_str(answer, "token", &token, reterr);
	if (rc < 0)
		return rc;
	free(r->token);
	r->token = strdup(token);
	return r->token ? 0 : -ENOMEM;
}

static bool path_part_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-_.", c) != NULL;
}

/* kbs://[authority]/repository/type/tag. The authority, if any, must be our key broker's: initdata
 * names one broker, and nothing else may send the guest to another. */
static int resource_path(struct rcar *r, const char *uri, const char **ret, struct err *reterr)
{
	if (!str_starts(uri, URI_SCHEME) || strlen(uri) > URI_MAX)
		return err_set(reterr, -EINVAL, "'%.200s' is not a kbs:// URI", uri);
	const char *authority = uri + sizeof(URI_SCHEME) - 1;
	const char *path = strchr(authority, '/');
	if (path == NULL)
		return err_set(reterr, -EINVAL, "'%.200s' names no resource", uri);
	const char *ours = strstr(r->base, "://") + 3;
	size_t size = (size_t)(path - authority);
	if (size > 0 &&
		(strncmp(ours, authority, size) != 0 || (ours[size] != '\0' && ours[size] != '/')))
		return err_set(reterr, -EINVAL, "'%.200s' is at another key broker", uri);
	int slashes = 0;
	for (const char *p = path; *p != '\0'; p++) {
		slashes += *p == '/';
		/* no empty part, none that starts with a dot */
		if (*p == '/' ? (p[1] == '/' || p[1] == '.' || p[1] == '\0') : !path_part_char(*p))
			return err_set(reterr, -EINVAL, "'%.200s' is not a resource", uri);
	}
	if (slashes != 3)
		return err_set(reterr, -EINVAL, "'%.200s' is not repository/type/tag", uri);
	*ret = path + 1;
	return 0;
}

static int decrypt(struct rcar *r, struct slice body, struct buf *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *jwe = NULL;
	struct secret plain = {0};
	int rc = json_parse(body, ANSWER_MAX, &jwe, reterr);
	if (rc == 0)
		rc = jwe_decrypt(r->key, jwe, &plain, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "resource of the key broker");
	buf_put_slice(ret, secret_slice(&plain));
	secret_done(&plain);
	return buf_error(ret);
}

int rcar_get_resource(struct rcar *r, const char *uri, struct buf *ret, char ret_id[RCAR_ID_SIZE],
	struct err *reterr)
{
	cleanup_with(http_answer_done) struct http_answer answer = {0};
	char url[URL_MAX];
	const char *path = NULL;
	ret_id[0] = '\0';
	int rc = resource_path(r, uri, &path, reterr);
	if (rc < 0)
		return rc;
	if (snprintf(url, sizeof(url), "%s/kbs/v0/resource/%s", r->base, path) >= (int)sizeof(url))
		return err_set(reterr, -E2BIG, "URL of the resource is too long");
	/* The session's cookie carries the attestation; it lives as long as this process needs. */
	const struct http_call call = {
		.method = "GET",
		.url = url,
		.answer_max = ANSWER_MAX,
		.keep_cookies = true,
	};
	rc = http_client_call(r->http, &call, &answer, reterr);
	if (rc < 0)
		return err_wrap(reterr, rc, "key broker");
	if (answer.status != 200)
		return refused(&answer, uri, ret_id, reterr);
	return decrypt(r, buf_slice(&answer.body), ret, reterr);
}
