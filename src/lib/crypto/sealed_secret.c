/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sealed_secret.h"

#include "base/enc.h"
#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/jwk_trust.h"
#include "fmt/json.h"
#include "fmt/resource_path.h"

#define PREFIX "sealed."
#define VERSION "0.1.0"
#define KBS_PREFIX "kbs:///"
#define DEK_SIZE 32

bool sealed_is(struct slice text)
{
	return slice_starts(text, SLICE_LIT(PREFIX));
}

void sealed_done(struct sealed_secret *s)
{
	jws_done(&s->jws);
	buf_done(&s->text);
	json_decref(s->payload);
	*s = (struct sealed_secret){0};
}

/* A path would let whoever writes the header choose any file of the guest as the key. */
static bool kid_valid(const char *kid)
{
	struct slice s = slice_str(kid);

	if (s.size > SEALED_KID_MAX)
		return false;
	return str_starts(kid, KBS_PREFIX)
		       ? resource_path_valid(slice_cut(s, strlen(KBS_PREFIX), SIZE_MAX))
		       : resource_name_valid(s);
}

static int read_vault(struct sealed_secret *s, struct err *reterr)
{
	int r = json_get_str(s->payload, "name", &s->name, reterr);
	if (r == 0)
		r = json_get_str(s->payload, "provider", &s->provider, reterr);
	if (r == 0 && (!s->name[0] || !s->provider[0]))
		r = err_set(reterr, -EBADMSG, "the name or provider is empty");
	return r;
}

static int read_envelope(struct sealed_secret *s, struct err *reterr)
{
	static const char *const others[] = {"encrypted_key", "encrypted_data", "iv"};
	const char *text;

	int r = json_get_str(s->payload, "key_id", &s->key_id, reterr);
	if (r == 0)
		r = json_get_str(s->payload, "wrap_type", &s->wrap_type, reterr);
	if (r == 0)
		r = json_get_str(s->payload, "provider", &s->provider, reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(others); i++)
		r = json_get_str(s->payload, others[i], &text, reterr);
	return r;
}

static int read_payload(struct sealed_secret *s, struct err *reterr)
{
	const char *version = "", *type = "";

	int r = json_parse(buf_slice(&s->jws.payload), SEALED_SIZE_MAX, &s->payload, reterr);
	if (r == 0)
		r = json_get_str(s->payload, "version", &version, reterr);
	if (r == 0 && !streq(version, VERSION))
		r = err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"version \"%.16s\" is not known; " VERSION " is", version);
	if (r == 0)
		r = json_get_str(s->payload, "type", &type, reterr);
	if (r < 0)
		return r;
	if (streq(type, "vault")) {
		s->type = SEALED_VAULT;
		return read_vault(s, reterr);
	}
	if (streq(type, "envelope")) {
		s->type = SEALED_ENVELOPE;
		return read_envelope(s, reterr);
	}
	return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "type",
		"type \"%.16s\" is neither vault nor envelope", type);
}

int sealed_parse(struct slice text, struct sealed_secret *ret, struct err *reterr)
{
	cleanup_with(sealed_done) struct sealed_secret s = {.text = buf_init(SEALED_SIZE_MAX)};

	if (!sealed_is(text))
		return err_set(reterr, -EBADMSG, "sealed secret: it does not start with " PREFIX);
	if (text.size > SEALED_SIZE_MAX)
		return err_set(
			reterr, -E2BIG, "sealed secret: larger than %zu bytes", SEALED_SIZE_MAX);
	buf_put_slice(&s.text, slice_cut(text, strlen(PREFIX), SIZE_MAX));
	int r = buf_error(&s.text);
	if (r == 0)
		r = jws_parse(buf_slice(&s.text), &s.jws, reterr);
	if (r == 0)
		r = json_get_str(s.jws.header, "kid", &s.kid, reterr);
	if (r == 0 && !kid_valid(s.kid))
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "kid",
			"the key is neither kbs:///REPOSITORY/TYPE/TAG nor a plain name");
	if (r == 0)
		r = read_payload(&s, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "sealed secret");
	*ret = s;
	s = (struct sealed_secret){0};
	return 0;
}

int sealed_check(struct sealed_secret *s, const json_t *jwk, struct err *reterr)
{
	int r = jws_check_jwk(&s->jws, jwk, reterr);
	s->checked = r == 0;
	return r < 0 ? err_wrap(reterr, r, "sealed secret") : 0;
}

int sealed_open(
	const struct sealed_secret *s, struct slice dek, struct secret *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf iv = buf_init(64), sealed = buf_init(SEALED_SIZE_MAX);
	cleanup_with(buf_done) struct buf plain = buf_init_secret(SEALED_SIZE_MAX);

	if (!s->checked || s->type != SEALED_ENVELOPE || dek.size != DEK_SIZE)
		return err_set(reterr, -EINVAL,
			"sealed secret: not a verified envelope, or a key of another size");
	if (!streq(s->wrap_type, "A256GCM"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "wrap_type",
			"sealed secret: wrap_type \"%.16s\" is not known; A256GCM is",
			s->wrap_type);
	int r = json_get_b64(s->payload, "iv", &iv, reterr);
	if (r == 0)
		r = json_get_b64(s->payload, "encrypted_data", &sealed, reterr);
	if (r == 0 && (sealed.size <= GCM_TAG_SIZE || iv.size != GCM_IV_SIZE))
		r = err_set(reterr, -EBADMSG, "sealed secret: iv or data of impossible size");
	if (r < 0)
		return r;
	size_t size = sealed.size - GCM_TAG_SIZE;
	r = gcm_decrypt(dek, buf_slice(&iv), SLICE_EMPTY, slice_cut(buf_slice(&sealed), 0, size),
		slice_cut(buf_slice(&sealed), size, GCM_TAG_SIZE), &plain);
	if (r < 0)
		return err_set(reterr, r, "sealed secret: the data does not open with this key");
	return secret_copy(ret, buf_slice(&plain));
}
