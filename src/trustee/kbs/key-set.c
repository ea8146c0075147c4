/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/key-set.h"

#include "base/str.h"
#include "fmt/json.h"

#define KEY_SET_MAX ((size_t)1 << 20)
#define URL_MAX 2048

/* @url: only what TLS vouches for; redirects are not followed. */
static int get(
	struct http_client *http, const char *url, struct http_answer *ret, struct err *reterr)
{
	static const struct http_field fields[] = {{"Accept", "application/json"}};
	const struct http_call call = {.method = "GET",
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.answer_max = KEY_SET_MAX};
	int r;

	if (!str_starts(url, "https://"))
		return err_set(reterr, -EINVAL, "%.200s is not an https:// URL", url);
	r = http_client_call(http, &call, ret, reterr);
	if (r == 0 && ret->status != 200)
		r = err_set(reterr, -EPROTO, "%.200s answers HTTP %d", url, ret->status);
	return r;
}

/* The member @name of the JSON object at @url; @ret_text: its whole text, may be NULL. */
static int get_member(struct http_client *http, const char *url, const char *name, json_t **ret,
	char **ret_text, struct err *reterr)
{
	struct http_answer a = {0};
	cleanup(json_decref) json_t *root = NULL;
	struct err e = {0};
	int r = get(http, url, &a, reterr);

	if (r == 0) {
		r = json_parse(buf_slice(&a.body), KEY_SET_MAX, &root, &e);
		*ret = json_incref(json_object_get(root, name));
		if (r < 0)
			r = err_set(reterr, -EBADMSG, "%.200s: %s", url, err_text(&e, r));
		else if (!*ret)
			r = err_set(reterr, -EBADMSG, "%.200s has no %s", url, name);
		else if (ret_text)
			*ret_text = strdup(buf_str(&a.body));
	}
	http_answer_done(&a);
	return r;
}

int key_set_fetch(struct http_client *http, const char *url, char **ret_text, struct err *reterr)
{
	cleanup(json_decref) json_t *keys = NULL, *where = NULL, *again = NULL;
	char discovery[URL_MAX];
	struct err first = {0}, second = {0};
	size_t n = strlen(url);
	int r = get_member(http, url, "keys", &keys, ret_text, &first);

	if (r == 0)
		return *ret_text ? 0 : -ENOMEM;
	/* The same server will not do better, and what it says of itself is not worth more. */
	if (r != -EPROTO && r != -EBADMSG)
		return err_set(reterr, r, "%s", err_text(&first, r));
	n -= n > 0 && url[n - 1] == '/';
	if (snprintf(discovery, sizeof(discovery), "%.*s/.well-known/openid-configuration", (int)n,
		    url) >= (int)sizeof(discovery))
		return err_set(reterr, -E2BIG, "the URL is too long");
	r = get_member(http, discovery, "jwks_uri", &where, NULL, &second);
	if (r == 0)
		r = get_member(http, json_is_string(where) ? json_string_value(where) : "", "keys",
			&again, ret_text, &second);
	if (r < 0)
		return err_set(reterr, r, "%.220s; %.220s", err_text(&first, -EPROTO),
			err_text(&second, r));
	return *ret_text ? 0 : -ENOMEM;
}
