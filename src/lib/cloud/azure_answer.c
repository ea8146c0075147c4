/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Key Vault gives and takes. A secret is text; bytes go in base64 with the tag "file-encoding",
 * which is how the `az keyvault secret` commands do it, so either can read what the other wrote.
 */
#include "base/enc.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "fmt/json.h"
#include "net/url.h"

#define SERVICE "Azure Key Vault"

const char *azure_audience(const char *vault_url)
{
	static const struct {
		const char *suffix, *audience;
	} clouds[] = {
		{".vault.azure.cn", "https://vault.azure.cn"},
		{".vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net"},
	};
	struct url u;

	for (size_t i = 0; url_parse(vault_url, &u, NULL) == 0 && i < ARRAY_COUNT(clouds); i++) {
		if (str_ends(u.host, clouds[i].suffix))
			return clouds[i].audience;
	}
	return "https://vault.azure.net";
}

/* {"error": {"code", "message", "innererror"}} */
static int read_answer(int status, struct slice body, json_t **ret, struct err *reterr)
{
	struct err unread = {0};
	int parsed = json_parse(body, CLOUD_ANSWER_MAX, ret, &unread);
	const char *text =
		json_string_value(json_object_get(json_object_get(*ret, "error"), "message"));

	if (status != 200)
		return cloud_status(
			SERVICE, status == 204 ? 502 : status, text ? text : "", reterr);
	if (parsed < 0)
		return err_set(reterr, -EBADMSG, SERVICE ": the answer is not JSON: %s",
			err_text(&unread, parsed));
	return json_is_object(*ret)
		       ? 0
		       : err_set(reterr, -EBADMSG, SERVICE ": the answer is not an object");
}

/* https://VAULT/secrets/NAME/VERSION; names are equal whatever their case. */
static int check_id(const json_t *answer, const char *name, struct err *reterr)
{
	const char *id = NULL, *at;
	size_t n = strlen(name);
	int r = json_get_str(answer, "id", &id, reterr);

	if (r < 0)
		return err_wrap(reterr, r, SERVICE);
	at = strstr(id, "/secrets/");
	at = at ? at + strlen("/secrets/") : "";
	if (strncasecmp(at, name, n) != 0 || (at[n] != '/' && at[n] != '\0'))
		return err_set(
			reterr, -EBADMSG, SERVICE " answers with %.100s for %.100s", id, name);
	return 0;
}

static int decode(const json_t *answer, struct slice text, struct buf *value, struct err *reterr)
{
	const json_t *tags = json_object_get(answer, "tags");
	const char *encoding = json_string_value(json_object_get(tags, "file-encoding"));
	int r;

	if (encoding && streq(encoding, "base64"))
		r = b64_decode_any(value, text);
	else if (encoding && streq(encoding, "hex"))
		r = hex_decode(value, text);
	else {
		buf_put_slice(value, text);
		r = buf_error(value);
	}
	return r == -EBADMSG ? err_set(reterr, r, SERVICE ": the secret is not %s, as its tag says",
				       encoding)
			     : r;
}

int azure_read_value(
	int status, struct slice body, const char *name, struct buf *value, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;
	const char *text = NULL;
	int r = read_answer(status, body, &answer, reterr);

	if (r == 0)
		r = check_id(answer, name, reterr);
	if (r == 0)
		r = json_get_str(answer, "value", &text, reterr);
	if (r == 0)
		r = decode(answer, slice_str(text), value, reterr);
	if (text)
		explicit_bzero((void *)(uintptr_t)text, strlen(text));
	return r;
}

int azure_read_done(int status, struct slice body, struct err *reterr)
{
	cleanup(json_decref) json_t *answer = NULL;

	return read_answer(status, body, &answer, reterr);
}

static bool is_text(struct slice value)
{
	return utf8_valid(value) && (value.size == 0 || !memchr(value.data, 0, value.size));
}

int azure_write_value(struct slice value, struct buf *out)
{
	cleanup_with(buf_done) struct buf coded = buf_init_secret(0);
	bool text = is_text(value);
	json_t *body;
	int r;

	if (text)
		buf_put_slice(&coded, value);
	else
		b64_encode(&coded, value, B64_STD);
	if (buf_error(&coded) < 0)
		return buf_error(&coded);
	body = json_pack("{s:s, s:{s:s}}", "value", buf_str(&coded), "tags", "file-encoding",
		text ? "utf-8" : "base64");
	r = body ? json_write(body, out) : -ENOMEM;
	if (body) {
		const char *copy = json_string_value(json_object_get(body, "value"));

		explicit_bzero((void *)(uintptr_t)copy, strlen(copy));
	}
	json_decref(body);
	return r;
}
