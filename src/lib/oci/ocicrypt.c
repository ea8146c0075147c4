/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicrypt.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "oci/manifest.h"

#define CTR_IV_SIZE 16u

void ocicrypt_key_done(struct ocicrypt_key *key)
{
	secret_done(&key->secret);
	explicit_bzero(key, sizeof(*key));
}

int ocicrypt_key_new(struct ocicrypt_key *ret)
{
	struct ocicrypt_key key = {0};

	int r = secret_new(&key.secret, OCICRYPT_SYMKEY_SIZE + OCICRYPT_NONCE_SIZE);
	if (r == 0)
		r = random_bytes(key.secret.data, key.secret.size);
	if (r < 0)
		ocicrypt_key_done(&key);
	else
		*ret = key;
	return r;
}

/* Overwrites the text of a JSON document's strings, so that no key stays on the heap. */
static void wipe_strings(json_t *o)
{
	const char *name;
	json_t *v;

	json_object_foreach (o, name, v) {
		if (json_is_string(v))
			explicit_bzero(
				(void *)(uintptr_t)json_string_value(v), json_string_length(v));
	}
}

static int parse_object(json_t **ret, struct slice json, const char *what, struct err *reterr)
{
	json_t *doc;

	if (json.size > OCICRYPT_OPTIONS_MAX)
		return err_set(reterr, -E2BIG, "%s: over %u bytes", what, OCICRYPT_OPTIONS_MAX);
	int r = oci_json_parse(&doc, json, what, reterr);
	if (r < 0)
		return r;
	if (!json_is_object(doc)) {
		json_decref(doc);
		return err_set(reterr, -EBADMSG, "%s: not an object", what);
	}
	*ret = doc;
	return 0;
}

/* Base64 member of exactly @size bytes. -ENOENT when absent. */
static int get_bytes(json_t *o, const char *name, uint8_t *dst, size_t size, const char *what,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	json_t *v = json_object_get(o, name);

	if (!v)
		return -ENOENT;
	if (!json_is_string(v) ||
		b64_decode(&bytes, slice_str(json_string_value(v)), B64_STD) < 0 ||
		bytes.size != size)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"%s: '%s' must be the base64 of %zu bytes", what, name, size);
	memcpy(dst, bytes.data, size);
	return 0;
}

static int require_bytes(json_t *o, const char *name, uint8_t *dst, size_t size, const char *what,
	struct err *reterr)
{
	int r = get_bytes(o, name, dst, size, what, reterr);
	return r == -ENOENT ? err_set(reterr, -EBADMSG, "%s: '%s' is missing", what, name) : r;
}

static int parse_public(struct ocicrypt_key *key, json_t *pub, bool *ret_nonce, struct err *reterr)
{
	static const char what[] = "public layer options";
	const char *cipher = json_string_value(json_object_get(pub, "cipher"));

	if (!cipher || !streq(cipher, OCICRYPT_CIPHER))
		return err_set(reterr, -EOPNOTSUPP, "%s: the cipher '%s' is not supported", what,
			cipher ? cipher : "");
	int r = require_bytes(pub, "hmac", key->hmac, sizeof(key->hmac), what, reterr);
	if (r < 0)
		return r;
	r = get_bytes(json_object_get(pub, "cipheroptions"), "nonce",
		key->secret.data + OCICRYPT_SYMKEY_SIZE, OCICRYPT_NONCE_SIZE, what, reterr);
	*ret_nonce = r == 0;
	return r == -ENOENT ? 0 : r;
}

static int parse_private(
	struct ocicrypt_key *key, json_t *priv, bool have_nonce, struct err *reterr)
{
	static const char what[] = "private layer options";
	json_t *options = json_object_get(priv, "cipheroptions");
	const char *digest = json_string_value(json_object_get(priv, "digest"));

	int r = require_bytes(priv, "symkey", key->secret.data, OCICRYPT_SYMKEY_SIZE, what, reterr);
	if (r == 0 && !have_nonce)
		r = require_bytes(options, "nonce", key->secret.data + OCICRYPT_SYMKEY_SIZE,
			OCICRYPT_NONCE_SIZE, what, reterr);
	if (r == 0 && digest && str_copy(key->plain_digest, sizeof(key->plain_digest), digest) < 0)
		r = err_set(reterr, -EBADMSG, "%s: bad 'digest'", what);
	wipe_strings(options);
	wipe_strings(priv);
	return r;
}

int ocicrypt_key_from_options(struct ocicrypt_key *ret, struct slice public_options,
	struct slice private_options, struct err *reterr)
{
	struct ocicrypt_key key = {0};
	json_t *pub = NULL, *priv = NULL;
	bool have_nonce = false;

	int r = secret_new(&key.secret, OCICRYPT_SYMKEY_SIZE + OCICRYPT_NONCE_SIZE);
	if (r == 0)
		r = parse_object(&pub, public_options, "public layer options", reterr);
	if (r == 0)
		r = parse_object(&priv, private_options, "private layer options", reterr);
	if (r == 0)
		r = parse_public(&key, pub, &have_nonce, reterr);
	if (r == 0)
		r = parse_private(&key, priv, have_nonce, reterr);
	json_decref(pub);
	json_decref(priv);
	if (r < 0)
		ocicrypt_key_done(&key);
	else
		*ret = key;
	return r;
}

int ocicrypt_public_options(const struct ocicrypt_key *key, struct buf *out)
{
	buf_put_str(out, "{\"cipher\":\"" OCICRYPT_CIPHER "\",\"hmac\":\"");
	b64_encode(out, slice_of(key->hmac, sizeof(key->hmac)), B64_STD);
	buf_put_str(out, "\",\"cipheroptions\":{}}");
	return buf_error(out);
}

int ocicrypt_private_options(const struct ocicrypt_key *key, struct buf *out)
{
	struct slice bytes = secret_slice(&key->secret);

	buf_put_str(out, "{\"symkey\":\"");
	b64_encode(out, slice_cut(bytes, 0, OCICRYPT_SYMKEY_SIZE), B64_STD);
	buf_printf(out, "\",\"digest\":\"%s\",\"cipheroptions\":{\"nonce\":\"", key->plain_digest);
	b64_encode(out, slice_cut(bytes, OCICRYPT_SYMKEY_SIZE, SIZE_MAX), B64_STD);
	buf_put_str(out, "\"}}");
	return buf_error(out);
}

void ocicrypt_packet_done(struct ocicrypt_packet *p)
{
	buf_done(&p->iv);
	buf_done(&p->wrapped);
	*p = (struct ocicrypt_packet){0};
}

static int packet_text(json_t *o, const char *name, const char *fallback, char *dst, size_t size,
	struct err *reterr)
{
	json_t *v = json_object_get(o, name);
	const char *s = v ? json_string_value(v) : fallback;

	if (!s || (v && strlen(s) != json_string_length(v)) || str_copy(dst, size, s) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"key packet: bad or missing '%s'", name);
	return 0;
}

static int packet_bytes(
	json_t *o, const char *name, bool required, struct buf *out, struct err *reterr)
{
	json_t *v = json_object_get(o, name);

	*out = buf_init(OCICRYPT_OPTIONS_MAX);
	if ((!v || json_is_null(v)) && !required)
		return 0;
	if (!json_is_string(v) || b64_decode(out, slice_str(json_string_value(v)), B64_STD) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
			"key packet: '%s' must be base64", name);
	return 0;
}

static int packet_wrap(struct ocicrypt_packet *p, json_t *o, struct err *reterr)
{
	json_t *v = json_object_get(o, "wrap_type");
	const char *name = json_string_value(v);

	if (!v || json_is_null(v))
		return 0;
	if (name && streq(name, "A256GCM"))
		p->wrap = OCICRYPT_WRAP_A256GCM;
	else if (name && streq(name, "A256CTR"))
		p->wrap = OCICRYPT_WRAP_A256CTR;
	else
		return err_set(reterr, -EOPNOTSUPP, "key packet: unknown wrap_type '%s'",
			name ? name : "");
	size_t want = p->wrap == OCICRYPT_WRAP_A256GCM ? GCM_IV_SIZE : CTR_IV_SIZE;
	if (p->iv.size != want)
		return err_set(reterr, -EBADMSG, "key packet: the iv of %s must have %zu bytes",
			name, want);
	return 0;
}

int ocicrypt_packet_parse(struct ocicrypt_packet *ret, struct slice json, struct err *reterr)
{
	struct ocicrypt_packet p = {0};
	json_t *o = NULL;

	int r = parse_object(&o, json, "key packet", reterr);
	if (r == 0)
		r = packet_text(o, "version", "", p.version, sizeof(p.version), reterr);
	if (r == 0 && p.version[0] && !streq(p.version, "0.1.0"))
		r = err_set(reterr, -EOPNOTSUPP, "key packet: unknown version '%s'", p.version);
	if (r == 0)
		r = packet_text(o, "kid", NULL, p.kid, sizeof(p.kid), reterr);
	if (r == 0 && !p.kid[0])
		r = err_set(reterr, -EBADMSG, "key packet: 'kid' is empty");
	if (r == 0)
		r = packet_text(o, "provider", "kbs", p.provider, sizeof(p.provider), reterr);
	if (r == 0)
		r = packet_bytes(o, "wrapped_data", true, &p.wrapped, reterr);
	if (r == 0)
		r = packet_bytes(o, "iv", false, &p.iv, reterr);
	if (r == 0)
		r = packet_wrap(&p, o, reterr);
	json_decref(o);
	if (r < 0)
		ocicrypt_packet_done(&p);
	else
		*ret = p;
	return r;
}

static int unwrap_gcm(
	const struct ocicrypt_packet *p, struct slice kek, struct buf *out, struct err *reterr)
{
	struct slice all = buf_slice(&p->wrapped);

	if (all.size < GCM_TAG_SIZE)
		return err_set(reterr, -EBADMSG, "key packet: 'wrapped_data' is too short");
	size_t size = all.size - GCM_TAG_SIZE;
	int r = gcm_decrypt(kek, buf_slice(&p->iv), SLICE_EMPTY, slice_cut(all, 0, size),
		slice_cut(all, size, GCM_TAG_SIZE), out);
	return r < 0 ? err_set(reterr, r,
			       "key packet: the key of '%s' does not open it (wrong key, or the "
			       "packet "
			       "was altered)",
			       p->kid)
		     : 0;
}

static int unwrap_ctr(
	const struct ocicrypt_packet *p, struct slice kek, struct buf *out, struct err *reterr)
{
	cleanup(ctr_free) struct ctr *ctr = NULL;

	int r = ctr_new(kek, buf_slice(&p->iv), &ctr);
	uint8_t *dst = r == 0 ? buf_reserve(out, p->wrapped.size) : NULL;
	if (r == 0 && !dst)
		r = -ENOMEM;
	if (r == 0)
		r = ctr_apply(ctr, p->wrapped.data, dst, p->wrapped.size);
	if (r < 0)
		return err_set(reterr, r, "key packet: cannot decrypt");
	buf_commit(out, p->wrapped.size);
	return 0;
}

int ocicrypt_packet_unwrap(
	const struct ocicrypt_packet *p, struct slice kek, struct secret *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	int r;

	if (kek.size != OCICRYPT_KEK_SIZE)
		return err_set(reterr, -EINVAL, "the key '%s' has %zu bytes, expected %u", p->kid,
			kek.size, OCICRYPT_KEK_SIZE);
	if (!streq(p->provider, "kbs"))
		return err_set(reterr, -EOPNOTSUPP,
			"key packet: the provider '%s' is not supported", p->provider);
	switch (p->wrap) {
	case OCICRYPT_WRAP_A256GCM:
		r = unwrap_gcm(p, kek, &out, reterr);
		break;
	case OCICRYPT_WRAP_A256CTR:
		r = unwrap_ctr(p, kek, &out, reterr);
		break;
	default:
		return err_set(reterr, -EOPNOTSUPP, "key packet: no wrap_type");
	}
	return r < 0 ? r : secret_copy(ret, buf_slice(&out));
}

int ocicrypt_packet_wrap(struct buf *out, const char *kid, struct slice kek,
	struct slice private_options, struct err *reterr)
{
	cleanup_with(buf_done) struct buf wrapped = buf_init(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf text = buf_init(2 * OCICRYPT_OPTIONS_MAX);
	uint8_t iv[GCM_IV_SIZE], tag[GCM_TAG_SIZE];

	if (kek.size != OCICRYPT_KEK_SIZE)
		return err_set(reterr, -EINVAL, "the key '%s' has %zu bytes, expected %u", kid,
			kek.size, OCICRYPT_KEK_SIZE);
	if (!kid[0] || strlen(kid) > OCICRYPT_KID_MAX)
		return err_set(
			reterr, -EINVAL, "the key id must have 1 to %u bytes", OCICRYPT_KID_MAX);
	int r = random_bytes(iv, sizeof(iv));
	if (r == 0)
		r = gcm_encrypt(
			kek, slice_of(iv, sizeof(iv)), SLICE_EMPTY, private_options, &wrapped, tag);
	if (r < 0)
		return err_set(reterr, r, "cannot wrap the layer key");
	buf_put(&wrapped, tag, sizeof(tag));
	b64_encode(&text, buf_slice(&wrapped), B64_STD);
	char iv_text[32];
	cleanup_with(buf_done) struct buf iv_buf = buf_init(64);
	b64_encode(&iv_buf, slice_of(iv, sizeof(iv)), B64_STD);
	if (buf_error(&text) < 0 || str_copy(iv_text, sizeof(iv_text), buf_str(&iv_buf)) < 0)
		return -ENOMEM;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "kid", kid, "wrapped_data", buf_str(&text),
		"iv", iv_text, "wrap_type", "A256GCM");
	char *dump = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!dump)
		return err_set(reterr, -EINVAL, "the key id is not UTF-8 text");
	buf_put_str(out, dump);
	free(dump);
	return buf_error(out);
}
