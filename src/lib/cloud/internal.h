/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the stores share; tests and fuzz targets include it for the parsers. */
#include "cloud/cloud.h"
#include "crypto/key.h"
#include "net/http_client.h"

#define CLOUD_TOKEN_MAX ((size_t)64 << 10)
#define CLOUD_FILE_MAX ((size_t)1 << 20)
#define CLOUD_URL_MAX 2048

/** struct cloud_ops - one vendor; names are valid, @version and @cas as in cloud.h */
struct cloud_ops {
	enum cloud_vendor vendor;
	int (*get)(struct cloud_store *s, const char *name, int64_t version, struct buf *value,
		int64_t *ret_version, struct err *reterr);
	int (*put)(struct cloud_store *s, const char *name, struct slice value, int64_t cas,
		int64_t *ret_version, struct err *reterr);
	int (*remove)(struct cloud_store *s, const char *name, struct err *reterr);
	void (*free)(struct cloud_store *s);
};

/**
 * struct cloud_store - first member of each vendor's own
 * @http: to the service and to its identity provider
 * @local: to metadata services, which answer at once or are not there
 */
struct cloud_store {
	const struct cloud_ops *ops;
	struct cloud_options o;
	struct http_client *http, *local;
};

/** cloud_store_init() - Return: 0, -EBADMSG (roots), -EINVAL (proxy, prefix), -ENOMEM */
must_check int cloud_store_init(struct cloud_store *s, const struct cloud_ops *ops,
	const struct cloud_options *o, struct err *reterr);
/** cloud_env() - variable @name, NULL when unset or empty */
const char *cloud_env(const struct cloud_store *s, const char *name);
/** cloud_setting() - @own, or variable @name */
static inline const char *cloud_setting(
	const struct cloud_store *s, const char *own, const char *name)
{
	return own ? own : cloud_env(s, name);
}

/* --- call.c --- */

/** cloud_call() - one exchange; the answer's memory is wiped when it is released */
must_check int cloud_call(struct http_client *http, const struct http_call *call,
	struct http_answer *ret, struct err *reterr);
/**
 * cloud_status() - what a status other than success means
 * @service: who answers, for people; @text: its reason, "" for none
 * Return: 0 for 2xx; -ENOENT, -EACCES, -EAGAIN, -EBADMSG
 */
must_check int cloud_status(const char *service, int status, const char *text, struct err *reterr);
/** cloud_put_form() - append NAME=VALUE of application/x-www-form-urlencoded; NULL adds nothing */
void cloud_put_form(struct buf *out, const char *name, const char *value);
/** cloud_printable() - non-empty, visible ASCII only: fit for a header */
bool cloud_printable(struct slice s);
/** cloud_crc32c() - CRC-32C (Castagnoli; RFC 3720, B.4) */
uint32_t cloud_crc32c(struct slice in);

/* --- oauth.c --- */

/** struct cloud_token - @refresh_s: when it is due, in seconds since the epoch; secret */
struct cloud_token {
	struct buf value;
	int64_t refresh_s;
};
void cloud_token_done(struct cloud_token *t);
/** cloud_token_fresh() - it can be used at @now_s */
bool cloud_token_fresh(const struct cloud_token *t, int64_t now_s);
/**
 * oauth_read() - the answer of a token endpoint (RFC 6749, 5.1 and 5.2)
 * @ret: replaced; untouched on failure
 * Return: 0, -EACCES (it refuses), -EAGAIN, -EBADMSG
 */
must_check int oauth_read(const char *service, int status, struct slice body, int64_t now_s,
	struct cloud_token *ret, struct err *reterr);
/** oauth_call() - ask @url: a POST of @form, or a GET with @field when @form is empty */
must_check int oauth_call(struct http_client *http, const char *service, const char *url,
	struct slice form, const struct http_field *field, struct cloud_token *ret,
	struct err *reterr);
/** struct oauth_bearer - @need: sees to it that @token is fresh, with @cookie */
struct oauth_bearer {
	struct cloud_token *token;
	int (*need)(void *cookie, struct err *reterr);
	void *cookie;
};
/** oauth_bearer_call() - one JSON exchange; a token that the service refuses is fetched again, once */
must_check int oauth_bearer_call(struct http_client *http, const struct oauth_bearer *b,
	const char *method, const char *url, struct slice body, struct http_answer *ret,
	struct err *reterr);
/**
 * struct oauth_assertion - a signed statement who we are (RFC 7523)
 * @header: members beside "alg" and "typ"; @scope, @jti: NULL for none
 */
struct oauth_assertion {
	const struct pkey *key;
	enum sig_alg alg;
	const char *header_name, *header_value;
	const char *issuer, *subject, *audience, *scope, *jti;
	int64_t now_s;
	uint32_t life_s;
};
must_check int oauth_sign(const struct oauth_assertion *a, struct buf *out);

/* --- AWS --- */

/** struct aws_credentials - @expires_s: 0 for never; release with aws_credentials_done() */
struct aws_credentials {
	struct buf access, secret, token; /* token: empty for none */
	int64_t expires_s;
};
void aws_credentials_done(struct aws_credentials *c);
/** aws_credentials_valid() - fit for headers and signatures. Return: 0, -EBADMSG. */
must_check int aws_credentials_valid(const struct aws_credentials *c, struct err *reterr);
/** aws_ini_get() - @key of [@section] of a shared file, appended. Return: 0, -ENOENT, -EBADMSG. */
must_check int aws_ini_get(
	struct slice text, const char *section, const char *key, struct buf *out);
/** aws_read_credentials() - what containers' and instances' metadata services give: JSON.
 * Return: 0, -EBADMSG. */
must_check int aws_read_credentials(
	struct slice body, struct aws_credentials *ret, struct err *reterr);
/** aws_read_assumed() - the answer of STS to AssumeRoleWithWebIdentity. Return: as aws_read_value(). */
must_check int aws_read_assumed(
	int status, struct slice body, struct aws_credentials *ret, struct err *reterr);
/** aws_read_value() - the answer to GetSecretValue; one about another secret than @name is refused.
 * Return: 0, -ENOENT, -EACCES, -EAGAIN, -ESTALE (exists already), -EBADMSG. */
must_check int aws_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr);
/** aws_read_done() - likewise the answer to a write or deletion */
must_check int aws_read_done(int status, struct slice body, struct err *reterr);

struct aws;
/** aws_credentials_find() - along the chain of struct aws_settings. Return: 0, -EACCES (none), or
 * why the first that is there cannot be used. */
must_check int aws_credentials_find(struct aws *a, struct aws_credentials *ret, struct err *reterr);
/** aws_region_find() - a->region is set. Return: 0, -EINVAL. */
must_check int aws_region_find(struct aws *a, struct err *reterr);
struct aws {
	struct cloud_store base;
	struct aws_settings set;
	char region[64], host[300], url[CLOUD_URL_MAX];
	struct aws_credentials credentials;
};

/* --- Google --- */

/** struct gcp_key - key of a service account; release with gcp_key_done() */
struct gcp_key {
	struct pkey *key;
	char email[256], id[128], token_url[512];
};
must_check int gcp_key_read(struct slice json, struct gcp_key *ret, struct err *reterr);
void gcp_key_done(struct gcp_key *k);
/** gcp_assertion() - the JWT that asks for a token */
must_check int gcp_assertion(const struct gcp_key *k, int64_t now_s, struct buf *out);
/** gcp_read_value() - the answer to versions:access; checksum and name are compared.
 * Return: 0, -ENOENT, -EACCES, -EAGAIN, -ESTALE (exists already), -EBADMSG. */
must_check int gcp_read_value(int status, struct slice body, const char *name, struct buf *value,
	int64_t *ret_version, struct err *reterr);
/** gcp_read_added() - the answer to addVersion; @name NULL: to something without a version */
must_check int gcp_read_added(
	int status, struct slice body, const char *name, int64_t *ret_version, struct err *reterr);

/* --- Azure --- */

/** azure_read_value() - the answer to Get Secret; another secret than @name is refused.
 * Return: 0, -ENOENT, -EACCES, -EAGAIN, -EBADMSG. */
must_check int azure_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr);
must_check int azure_read_done(int status, struct slice body, struct err *reterr);
/** azure_write_value() - the body of Set Secret: text as it is, other bytes in base64, tagged as the
 * `az` command does it */
must_check int azure_write_value(struct slice value, struct buf *out);
/** azure_audience() - the resource that tokens for a vault are for, from the vault's host name */
const char *azure_audience(const char *vault_url);

/* --- Alibaba Cloud --- */

/** struct aliyun_key - release with aliyun_key_done() */
struct aliyun_key {
	struct pkey *key;
	char id[128];
};
/** aliyun_key_read() - @password: text, or the JSON file's text. Return: 0, -EBADMSG, -EKEYREJECTED,
 * -EOPNOTSUPP. */
must_check int aliyun_key_read(
	struct slice json, const char *password, struct aliyun_key *ret, struct err *reterr);
void aliyun_key_done(struct aliyun_key *k);
/** aliyun_write_get() - message GetSecretValueRequest, appended */
void aliyun_write_get(const char *name, struct buf *out);
/** aliyun_read_value() - GetSecretValueResponse, or with another status Error.
 * Return: 0, -ENOENT, -EACCES, -EAGAIN, -EBADMSG. */
must_check int aliyun_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr);
#define ALIYUN_DATE_SIZE 32
/** aliyun_date() - "Thu, 01 Jan 1970 00:00:00 GMT", whatever the locale. Return: @ret. */
const char *aliyun_date(int64_t unix_s, char ret[ALIYUN_DATE_SIZE]);
/** aliyun_string_to_sign() - @hash: of the body, upper-case hex */
void aliyun_string_to_sign(
	const char *key_id, const char *api, const char *date, const char *hash, struct buf *out);
