/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in-toto: what a build says it made. A DSSE envelope (https://github.com/secure-systems-lab/dsse) of a
 * statement or a link, or a link with signatures beside it. Reference values are the digests of the
 * subjects or products: NAME/ALGORITHM, a list of hex; of a link: STEP/PATH/ALGORITHM.
 *
 * There is no such thing as an unsigned one: a signature by a trusted key is needed.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/rvps/extract-internal.h"

#define BODY_MAX ((size_t)1 << 20)
#define SIGNATURES_MAX 16
#define DEPTH_MAX 32
#define PAYLOAD_TYPE "application/vnd.in-toto+json"

/* Whichever of the algorithms that such signatures use fits the key. */
static bool verifies(const struct pkey *k, struct slice text, struct slice sig)
{
	switch (pkey_type(k)) {
	case KEY_ED25519:
		return pkey_verify(k, SIG_EDDSA, text, sig) == 0;
	case KEY_P256:
		return pkey_verify_der(k, SIG_ES256, text, sig) == 0;
	case KEY_P384:
		return pkey_verify_der(k, SIG_ES384, text, sig) == 0;
	case KEY_P521:
		return pkey_verify_der(k, SIG_ES512, text, sig) == 0;
	case KEY_RSA:
		return pkey_verify(k, SIG_PS256, text, sig) == 0 ||
		       pkey_verify(k, SIG_RS256, text, sig) == 0;
	default:
		return false;
	}
}

/* One good signature by a trusted key is needed; those of others prove nothing. */
static int check_signatures(
	const json_t *list, bool hex, struct slice text, struct manifest *m, struct err *reterr)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > SIGNATURES_MAX)
		return err_set(reterr, -EBADMSG, "in-toto: signatures must be a list of at most %d",
			SIGNATURES_MAX);
	json_array_foreach (list, i, item) {
		cleanup_with(buf_done) struct buf sig = buf_init(4096);
		const char *s = json_string_value(json_object_get(item, "sig"));
		const char *id = json_string_value(json_object_get(item, "keyid"));

		if (!s || (hex ? hex_decode(&sig, slice_str(s))
			       : b64_decode_any(&sig, slice_str(s))) < 0)
			return err_set(reterr, -EBADMSG, "in-toto: malformed signature");
		for (size_t k = 0; m->anchors && k < m->anchors->key_count; k++) {
			if (!verifies(m->anchors->keys[k], text, buf_slice(&sig)))
				continue;
			snprintf(m->signer, sizeof(m->signer), "%.100s",
				id && *id ? id : "a trusted key");
			return 0;
		}
	}
	return err_set(reterr, -EKEYREJECTED, "in-toto: no signature is by a trusted key");
}

/* --- canonical JSON of the OLPC, which links are signed over --- */

static void put_text(struct buf *out, const char *s)
{
	buf_put_u8(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, (uint8_t)*s);
	}
	buf_put_u8(out, '"');
}

static int put_canonical(struct buf *out, const json_t *v, unsigned depth);

static int by_name(const void *a, const void *b)
{
	return __builtin_strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_object(struct buf *out, const json_t *v, unsigned depth)
{
	size_t count = json_object_size(v), n = 0;
	cleanup(free_ptr) const char **names = calloc(count + 1, sizeof(*names));
	const char *name;
	json_t *value;
	int r = names ? 0 : -ENOMEM;

	json_object_foreach ((json_t *)(uintptr_t)v, name, value) {
		if (names)
			names[n++] = name;
	}
	if (names)
		qsort(names, n, sizeof(*names), by_name);
	buf_put_u8(out, '{');
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_text(out, names[i]);
		buf_put_u8(out, ':');
		r = put_canonical(out, json_object_get(v, names[i]), depth + 1);
	}
	buf_put_u8(out, '}');
	return r;
}

static int put_canonical(struct buf *out, const json_t *v, unsigned depth)
{
	const json_t *item;
	size_t i;
	int r = 0;

	if (depth > DEPTH_MAX)
		return -E2BIG;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return put_object(out, v, depth);
	case JSON_ARRAY:
		buf_put_u8(out, '[');
		json_array_foreach (v, i, item) {
			if (i > 0)
				buf_put_u8(out, ',');
			if (r == 0)
				r = put_canonical(out, item, depth + 1);
		}
		buf_put_u8(out, ']');
		return r;
	case JSON_STRING:
		put_text(out, json_string_value(v));
		return 0;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_put_str(out, json_is_true(v) ? "true" : "false");
		return 0;
	case JSON_NULL:
		buf_put_str(out, "null");
		return 0;
	default:
		return -EOPNOTSUPP; /* it has no fractions */
	}
}

/* --- contents --- */

static int take_digests(
	const char *name, const json_t *digests, struct manifest *m, struct err *reterr)
{
	static const struct {
		const char *name;
		size_t digits;
	} known[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};
	int r = json_is_object(digests)
			? 0
			: err_set(reterr, -EBADMSG, "in-toto: %.100s has no digests", name);

	/* Weaker ones are no reference. */
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(known); i++) {
		const json_t *v = json_object_get(digests, known[i].name);
		const char *hex = json_string_value(v);
		char full[257];

		if (!v)
			continue;
		if (!hex || strlen(hex) != known[i].digits ||
			strspn(hex, "0123456789abcdef") != known[i].digits)
			return err_set(reterr, -EBADMSG, "in-toto: %.100s has a malformed %s", name,
				known[i].name);
		if (snprintf(full, sizeof(full), "%s/%s", name, known[i].name) >= (int)sizeof(full))
			return err_set(reterr, -E2BIG, "in-toto: a name is over 256 bytes");
		r = manifest_add(m, full, json_pack("[s]", hex), reterr);
	}
	return r;
}

static int take_statement(const json_t *body, struct manifest *m, struct err *reterr)
{
	const json_t *subjects = json_object_get(body, "subject"), *item;
	size_t i;
	int r = json_array_size(subjects) > 0
			? 0
			: err_set(reterr, -EBADMSG, "in-toto: the statement has no subject");

	json_array_foreach (subjects, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));

		if (r == 0 && (!name || !*name))
			r = err_set(reterr, -EBADMSG, "in-toto: a subject has no name");
		if (r == 0)
			r = take_digests(name, json_object_get(item, "digest"), m, reterr);
	}
	return r;
}

static int take_link(const json_t *body, struct manifest *m, struct err *reterr)
{
	json_t *products = json_object_get(body, "products"), *value;
	const char *step = json_string_value(json_object_get(body, "name")), *path;
	int r = step && json_object_size(products) > 0
			? 0
			: err_set(reterr, -EBADMSG, "in-toto: the link has no name or products");

	json_object_foreach (products, path, value) {
		char name[257];

		if (r == 0 &&
			snprintf(name, sizeof(name), "%s/%s", step, path) >= (int)sizeof(name))
			r = err_set(reterr, -E2BIG, "in-toto: a name is over 256 bytes");
		if (r == 0)
			r = take_digests(name, value, m, reterr);
	}
	return r;
}

static int take_body(const json_t *body, struct manifest *m, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(body, "_type"));

	if (type && str_starts(type, "https://in-toto.io/Statement/v"))
		return take_statement(body, m, reterr);
	if (type && streq(type, "link"))
		return take_link(body, m, reterr);
	return err_set(reterr, -EOPNOTSUPP, "in-toto: neither a statement nor a link, but %.60s",
		type ? type : "without _type");
}

static int take_envelope(const json_t *e, struct manifest *m, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init(BODY_MAX), text = buf_init(BODY_MAX * 2);
	cleanup(json_decref) json_t *root = NULL;
	const char *type = NULL;
	int r = json_get_str(e, "payloadType", &type, reterr);

	if (r == 0 && !streq(type, PAYLOAD_TYPE))
		r = err_set(reterr, -EOPNOTSUPP, "in-toto: payloadType must be " PAYLOAD_TYPE);
	if (r == 0)
		r = json_get_b64(e, "payload", &body, reterr);
	if (r < 0)
		return r;
	buf_printf(&text, "DSSEv1 %zu %s %zu ", strlen(type), type, body.size);
	buf_put_slice(&text, buf_slice(&body));
	r = buf_error(&text);
	if (r == 0)
		r = check_signatures(
			json_object_get(e, "signatures"), false, buf_slice(&text), m, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&body), BODY_MAX, &root, reterr);
	return r < 0 ? r : take_body(root, m, reterr);
}

int extract_in_toto(struct slice payload, struct manifest *m, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(BODY_MAX * 2);
	cleanup(json_decref) json_t *root = NULL;
	const json_t *body;
	int r = json_parse(payload, BODY_MAX, &root, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "in-toto");
	if (json_object_get(root, "payloadType"))
		return take_envelope(root, m, reterr);
	body = json_object_get(root, "signed");
	if (!json_is_object(body))
		return err_set(reterr, -EBADMSG, "in-toto: neither an envelope nor a signed link");
	r = put_canonical(&text, body, 0);
	if (r == 0)
		r = buf_error(&text);
	if (r < 0)
		return err_set(reterr, r, "in-toto: the link has no canonical form");
	r = check_signatures(
		json_object_get(root, "signatures"), true, buf_slice(&text), m, reterr);
	return r < 0 ? r : take_body(body, m, reterr);
}
