/* SPDX-License-Identifier: Apache-2.0 */
/* What Google gives: answers of Secret Manager, and the file with the key of a service account. */
#include "base/parse.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "fmt/json.h"

#define SERVICE "Google Secret Manager"
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define ASSERTION_LIFE_S 3600 /* the longest that Google takes */

/* {"error": {"code", "message", "status"}} */
static int read_answer(int status, struct slice body, json_t **ret, struct err *reterr)
{
	struct err unread = {0};
	int parsed = json_parse(body, CLOUD_ANSWER_MAX, ret, &unread);
	const char *text =
		json_string_value(json_object_get(json_object_get(*ret, "error"), "message"));

	text = text ? text : "";
	if (status == 409)
		return err_set(reterr, -ESTALE, SERVICE ": there is one already%s%.200s",
			text[0] ? ": " : "", text);
	if (status != 200)
		return cloud_status(SERVICE, status == 204 ? 502 : status, text, reterr);
	if (parsed < 0)
		return err_set(reterr, -EBADMSG, SERVICE ": the answer is not JSON: %s",
			err_text(&unread, parsed));
	return json_is_object(*ret)
		       ? 0
		       : err_set(reterr, -EBADMSG, SERVICE ": the answer is not an object");
}

/* projects/NUMBER/secrets/NAME/versions/N: of the secret that was asked for, and which version. */
static int read_name(
	const json_t *answer, const char *name, int64_t *ret_version, struct err *reterr)
{
	const char *text = NULL;
	char want[CLOUD_NAME_MAX + 32];
	const char *at;
	uint64_t version = 0;
	int r = json_get_str(answer, "name", &text, reterr);

	if (r < 0)
		return err_wrap(reterr, r, SERVICE);
	snprintf(want, sizeof(want), "/secrets/%s/versions/", name);
	at = strstr(text, want);
	if (!at)
		return err_set(
			reterr, -EBADMSG, SERVICE " answers with %.100s for %.100s", text, name);
	r = parse_u64(slice_str(at + strlen(want)), 1, INT64_MAX, &version);
	*ret_version = (int64_t)version;
	return r < 0 ? err_set(reterr, -EBADMSG, SERVICE ": %.100s has no number", text) : 0;
}

/* The checksum is a 64-bit number, so text in JSON. */
static int check_sum(const json_t *payload, struct slice data, struct err *reterr)
{
	const json_t *v = json_object_get(payload, "dataCrc32c");
	const char *text = json_string_value(v);
	uint64_t sum = 0;

	if (!v)
		return 0; /* old versions have none; TLS protects them, too */
	if (json_is_integer(v) && json_integer_value(v) >= 0)
		sum = (uint64_t)json_integer_value(v);
	else if (!text || parse_u64(slice_str(text), 0, UINT32_MAX, &sum) < 0)
		return err_set(reterr, -EBADMSG, SERVICE ": dataCrc32c is not a checksum");
	return sum == cloud_crc32c(data)
		       ? 0
		       : err_set(reterr, -EBADMSG,
				 SERVICE ": the content does not fit its checksum");
}

int gcp_read_value(int status, struct slice body, const char *name, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	json_t *payload = NULL;
	const char *text;
	size_t before = value->size;
	int r = read_answer(status, body, &answer, reterr);

	*ret_version = 0;
	if (r == 0)
		r = read_name(answer, name, ret_version, reterr);
	if (r == 0)
		r = json_get_object(answer, "payload", &payload, reterr);
	if (r == 0)
		r = json_get_b64(payload, "data", value, reterr);
	if (r == 0)
		r = check_sum(
			payload, slice_cut(buf_slice(value), before, value->size - before), reterr);
	text = json_string_value(json_object_get(payload, "data"));
	if (text)
		explicit_bzero((void *)(uintptr_t)text, strlen(text));
	return r;
}

int gcp_read_added(
	int status, struct slice body, const char *name, int64_t *ret_version, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	int r = read_answer(status, body, &answer, reterr);

	return r < 0 || !name ? r : read_name(answer, name, ret_version, reterr);
}

/* --- the key --- */

void gcp_key_done(struct gcp_key *k)
{
	pkey_free(k->key);
	*k = (struct gcp_key){0};
}

static int copy(const json_t *o, const char *name, char *ret, size_t size, struct err *reterr)
{
	const char *text = NULL;
	int r = json_get_str(o, name, &text, reterr);

	if (r == 0 && (str_copy(ret, size, text) < 0 || !cloud_printable(slice_str(text))))
		r = err_set(reterr, -EBADMSG, "%s is not usable", name);
	return r;
}

static int read_type(const json_t *o, struct err *reterr)
{
	const char *type = NULL;
	int r = json_get_str(o, "type", &type, reterr);

	if (r == 0 && !streq(type, "service_account"))
		r = err_set(reterr, -EOPNOTSUPP,
			"credentials of type %.64s are not supported: use the key of a service "
			"account, or none and the metadata server",
			type);
	return r;
}

int gcp_key_read(struct slice json, struct gcp_key *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *o = NULL;
	struct gcp_key k = {0};
	const char *pem = NULL;
	int r = json_parse(json, CLOUD_FILE_MAX, &o, reterr);

	if (r == 0)
		r = read_type(o, reterr);
	if (r == 0)
		r = copy(o, "client_email", k.email, sizeof(k.email), reterr);
	if (r == 0)
		r = copy(o, "private_key_id", k.id, sizeof(k.id), reterr);
	if (r == 0)
		r = copy(o, "token_uri", k.token_url, sizeof(k.token_url), reterr);
	if (r == 0 && !cloud_url_valid(k.token_url))
		r = err_set(reterr, -EBADMSG, "token_uri is not https://");
	if (r == 0)
		r = json_get_str(o, "private_key", &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(slice_str(pem), &k.key, reterr);
	if (r == 0 && (!pkey_is_private(k.key) || pkey_type(k.key) != KEY_RSA))
		r = err_set(reterr, -EBADMSG, "private_key is not a private RSA key");
	if (pem)
		explicit_bzero((void *)(uintptr_t)pem, strlen(pem));
	if (r == 0)
		*ret = k;
	else
		gcp_key_done(&k);
	return r;
}

int gcp_assertion(const struct gcp_key *k, int64_t now_s, struct buf *out)
{
	const struct oauth_assertion a = {.key = k->key,
		.alg = SIG_RS256,
		.header_name = "kid",
		.header_value = k->id,
		.issuer = k->email,
		.audience = k->token_url,
		.scope = SCOPE,
		.now_s = now_s,
		.life_s = ASSERTION_LIFE_S};

	return oauth_sign(&a, out);
}
