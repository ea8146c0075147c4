/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.jwt.*: JSON Web Tokens in compact form (RFC 7515, 7519). The token itself never chooses how it
 * is verified: a key fits one family of algorithms, and a public key is never taken for a secret.
 */
#include <math.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/secret.h"
#include "base/str.h"
#include "jwt.h"

#define NESTING_MAX 16

struct token {
	struct slice text, header, payload, signature; /* base64url */
	struct slice signed_text;
	val head; /* decoded header */
};

static bool split(struct job *j, val text, unsigned pos, struct token *t)
{
	if (rego_type(text) != REGO_STRING) {
		j->result = rego_call_type_error(j->call, pos, "string", text);
		return false;
	}
	struct slice s = rego_text(text), part[3] = {0};
	size_t parts = 0, from = 0;
	for (size_t i = 0; i <= s.size; i++) {
		if (i < s.size && s.data[i] != '.')
			continue;
		if (parts < 3)
			part[parts] = slice_cut(s, from, i - from);
		parts++;
		from = i + 1;
	}
	if (parts == 1)
		return jwt_fail(j, "encoded JWT had no period separators");
	if (parts != 3)
		return jwt_fail(j, "encoded JWT must have 3 sections, found %zu", parts);
	*t = (struct token){.text = s,
		.header = part[0],
		.payload = part[1],
		.signature = part[2],
		.signed_text = slice_cut(s, 0, part[0].size + 1 + part[1].size)};
	return true;
}

static bool decode(struct job *j, struct slice in, const char *what, struct buf *out)
{
	size_t bad = 0;
	if (in.size % 4 == 1 && in.data[in.size - 1] != '=')
		return jwt_fail(j, "%sillegal base64url string: %.*s", what,
			(int)MIN(in.size, (size_t)200), in.data);
	if (ext_b64url(out, in, &bad) < 0)
		return jwt_fail(j, "%sillegal base64 data at input byte %zu", what, bad);
	return true;
}

static val json_object_of(struct job *j, const char *what, struct slice text)
{
	val v = NULL;
	struct err e = {0};
	int r = rego_make_json(rego_call_eval(j->call), text, &v, &e);
	if (r == REGO_ERR_MEMORY) {
		j->result = r;
		return NULL;
	}
	if (r < 0) {
		jwt_fail(j, "%sinvalid JSON: %s", what, err_text(&e, r));
		return NULL;
	}
	if (rego_type(v) != REGO_OBJECT) {
		jwt_fail(j, "%sdecoded JSON type was not an Object", what);
		return NULL;
	}
	return v;
}

static bool decode_header(struct job *j, struct token *t)
{
	cleanup_with(buf_done) struct buf text = {0};
	if (!decode(j, t->header, "JWT header had invalid encoding: ", &text))
		return false;
	t->head = json_object_of(j, "bad JWT header: ", buf_slice(&text));
	if (!t->head)
		return false;
	if (rego_member(t->head, "enc"))
		return jwt_fail(j, "JWT is a JWE object, which is not supported");
	return true;
}

/* --- io.jwt.decode --- */

static struct slice without_quotes(struct slice s)
{
	while (s.size && (s.data[0] == '"' || s.data[0] == '\''))
		s = slice_cut(s, 1, s.size - 1);
	while (s.size && (s.data[s.size - 1] == '"' || s.data[s.size - 1] == '\''))
		s.size--;
	return s;
}

static int decode_token(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	struct job j = {call, 0};
	struct rego_eval *e = rego_call_eval(call);
	cleanup_with(buf_done) struct buf payload = {0}, signature = {0};
	struct token t = {0};
	val text = arg[0];
	for (int depth = 0;; depth++) {
		struct slice cty = SLICE_EMPTY;
		if (!split(&j, text, 1, &t) || !decode_header(&j, &t))
			return j.result;
		buf_clear(&payload);
		if (!decode(&j, t.payload, "JWT payload had invalid encoding: ", &payload))
			return j.result;
		if (rego_member(t.head, "cty") && !ext_member(t.head, "cty", &cty))
			return rego_call_fail(call, "cty: must be a string");
		if (!slice_eq_str(cty, "JWT"))
			break;
		if (depth == NESTING_MAX)
			return rego_call_fail(call, "JWT is nested too deeply");
		text = rego_make_string(e, without_quotes(buf_slice(&payload)));
		if (!text)
			return REGO_ERR_MEMORY;
	}
	val body = json_object_of(&j, "", buf_slice(&payload));
	if (!body || !decode(&j, t.signature, "JWT signature had invalid encoding: ", &signature))
		return j.result;
	cleanup_with(buf_done) struct buf hex = {0};
	hex_encode(&hex, buf_slice(&signature));
	val item[] = {t.head, body, ext_buf(call, &hex)};
	return ext_return(ret, rego_make_array(e, item, ARRAY_COUNT(item)));
}

/* --- signatures --- */

static bool hmac_good(struct slice alg, struct slice key, struct slice in, struct slice signature)
{
	struct digest want;
	return jwt_hmac(alg, key, in, &want) && ct_equal(digest_slice(&want), signature);
}

static bool key_good(
	const struct jwt_key *k, struct slice alg, const struct token *t, struct slice signature)
{
	if (k->key)
		return pkey_verify(k->key, sig_from_name(alg), t->signed_text, signature) == 0;
	return k->secret.size && hmac_good(alg, buf_slice(&k->secret), t->signed_text, signature);
}

static const struct jwt_key *key_by_id(const struct jwt_keys *keys, struct slice kid)
{
	for (size_t i = 0; kid.size && i < keys->count; i++)
		if (keys->item[i].kid && slice_eq_str(kid, keys->item[i].kid))
			return &keys->item[i];
	return NULL;
}

/*
 * The key that the header names, or any whose own algorithm is @header_alg (or that has none).
 * @alg: how to verify
 */
static bool any_key_good(const struct jwt_keys *keys, struct slice kid, struct slice header_alg,
	struct slice alg, const struct token *t, struct slice signature)
{
	const struct jwt_key *named = key_by_id(keys, kid);
	if (named)
		return key_good(named, alg, t, signature);
	for (size_t i = 0; i < keys->count; i++) {
		const struct jwt_key *k = &keys->item[i];
		if (k->alg && k->alg[0] && !slice_eq_str(header_alg, k->alg))
			continue;
		if (key_good(k, alg, t, signature))
			return true;
	}
	return false;
}

struct header {
	struct slice alg, kid, cty;
	bool crit_unknown;
};

/* Whether a member that "crit" lists is none that we understand. */
static bool crit_unknown(val head, val crit)
{
	for (size_t i = 0; i < rego_count(head); i++) {
		struct slice name = rego_text(rego_key(head, i));
		if (slice_eq_str(name, "alg") || slice_eq_str(name, "kid") ||
			slice_eq_str(name, "typ") || slice_eq_str(name, "cty") ||
			slice_eq_str(name, "crit"))
			continue;
		for (size_t k = 0; k < rego_count(crit); k++)
			if (rego_compare(rego_item(crit, k), rego_key(head, i)) == 0)
				return true;
	}
	return false;
}

static bool read_header(struct job *j, val head, struct header *h)
{
	static const char *const names[] = {"alg", "cty", "kid", "typ"};
	struct slice text[ARRAY_COUNT(names)] = {0};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (rego_member(head, names[i]) && !ext_member(head, names[i], &text[i]))
			return jwt_fail(j, "%s: must be a string", names[i]);
	*h = (struct header){.alg = text[0], .cty = text[1], .kid = text[2]};
	val crit = rego_member(head, "crit");
	if (!crit)
		return true;
	if (rego_type(crit) != REGO_ARRAY)
		return jwt_fail(j, "crit: must be a list");
	if (rego_count(crit) == 0 || rego_type(rego_item(crit, 0)) != REGO_STRING)
		return jwt_fail(j, "crit: must be a nonempty list");
	h->crit_unknown = crit_unknown(head, crit);
	return true;
}

static int verify(struct rego_call *call, const val *arg, val *ret, const char *alg)
{
	struct job j = {call, 0};
	struct token t = {0};
	struct header h = {0};
	struct err e = {0};
	cleanup_with(jwt_keys_done) struct jwt_keys keys = {0};
	cleanup_with(buf_done) struct buf signature = {0};
	if (!split(&j, arg[0], 1, &t))
		return j.result;
	if (rego_type(arg[1]) != REGO_STRING)
		return rego_call_type_error(call, 2, "string", arg[1]);
	int r = jwt_keys_parse(rego_text(arg[1]), &keys, &e);
	if (r < 0)
		return rego_call_fail(call, "%s", err_text(&e, r));
	if (!decode(&j, t.signature, "", &signature) || !decode_header(&j, &t) ||
		!read_header(&j, t.head, &h))
		return j.result;
	*ret = rego_make_bool(
		any_key_good(&keys, h.kid, h.alg, slice_str(alg), &t, buf_slice(&signature)));
	return 0;
}

static int verify_hmac(struct rego_call *call, const val *arg, val *ret, const char *alg)
{
	struct job j = {call, 0};
	struct token t = {0};
	cleanup_with(buf_done) struct buf signature = {0};
	for (unsigned i = 0; i < 2; i++)
		if (rego_type(arg[i]) != REGO_STRING)
			return rego_call_type_error(call, i + 1, "string", arg[i]);
	if (!split(&j, arg[0], 1, &t) || !decode(&j, t.signature, "", &signature))
		return j.result;
	*ret = rego_make_bool(
		hmac_good(slice_str(alg), rego_text(arg[1]), t.signed_text, buf_slice(&signature)));
	return 0;
}

#define DEFINE_VERIFY(fn, how, alg)                                                   \
	static int fn(struct rego_call *call, const val *arg, size_t count, val *ret) \
	{                                                                             \
		return how(call, arg, ret, alg);                                      \
	}
DEFINE_VERIFY(verify_rs256, verify, "RS256")
DEFINE_VERIFY(verify_rs384, verify, "RS384")
DEFINE_VERIFY(verify_rs512, verify, "RS512")
DEFINE_VERIFY(verify_ps256, verify, "PS256")
DEFINE_VERIFY(verify_ps384, verify, "PS384")
DEFINE_VERIFY(verify_ps512, verify, "PS512")
DEFINE_VERIFY(verify_es256, verify, "ES256")
DEFINE_VERIFY(verify_es384, verify, "ES384")
DEFINE_VERIFY(verify_es512, verify, "ES512")
DEFINE_VERIFY(verify_eddsa, verify, "EdDSA")
DEFINE_VERIFY(verify_hs256, verify_hmac, "HS256")
DEFINE_VERIFY(verify_hs384, verify_hmac, "HS384")
DEFINE_VERIFY(verify_hs512, verify_hmac, "HS512")

/* --- io.jwt.decode_verify --- */

struct constraints {
	bool has_keys;
	struct jwt_keys keys;
	struct slice secret, alg, iss, aud;
	double time_ns;
};

static void constraints_done(struct constraints *c)
{
	jwt_keys_done(&c->keys);
}

static bool set_time(struct job *j, val v, struct constraints *c)
{
	char text[64];
	if (rego_type(v) != REGO_NUMBER)
		return jwt_fail(j, "token time constraint: must be a number");
	struct slice s = rego_text(v);
	int64_t whole;
	if (s.size == 0 && rego_int(v, &whole) == 0)
		c->time_ns = (double)whole;
	else if (s.size < sizeof(text))
		c->time_ns = strtod(memcpy(memset(text, 0, sizeof(text)), s.data, s.size), NULL);
	else
		return jwt_fail(j, "token time constraint: unvalid float64");
	if (!isfinite(c->time_ns))
		return jwt_fail(j, "token time constraint: unvalid float64");
	if (c->time_ns < 0)
		return jwt_fail(j, "token time constraint: must not be negative");
	return true;
}

static bool set_constraint(struct job *j, struct slice name, val v, struct constraints *c)
{
	static const char *const names[] = {"alg", "aud", "iss", "secret"};
	struct slice *const where[] = {&c->alg, &c->aud, &c->iss, &c->secret};
	struct err e = {0};
	if (slice_eq_str(name, "time"))
		return set_time(j, v, c);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (!slice_eq_str(name, names[i]))
			continue;
		if (rego_type(v) != REGO_STRING)
			return jwt_fail(j, "%s constraint: must be a string", names[i]);
		*where[i] = rego_text(v);
		return true;
	}
	if (!slice_eq_str(name, "cert"))
		return jwt_fail(j, "unknown token validation constraint: %.*s",
			(int)MIN(name.size, (size_t)100), name.data);
	if (rego_type(v) != REGO_STRING)
		return jwt_fail(j, "cert constraint: must be a string");
	int r = jwt_keys_parse(rego_text(v), &c->keys, &e);
	if (r < 0)
		return jwt_fail(j, "%s", err_text(&e, r));
	c->has_keys = true;
	return true;
}

static bool read_constraints(struct job *j, val object, struct constraints *c)
{
	c->time_ns = (double)rego_call_now_ns(j->call);
	for (size_t i = 0; i < rego_count(object); i++)
		if (!set_constraint(j, rego_text(rego_key(object, i)), rego_item(object, i), c))
			return false;
	if (c->has_keys && c->secret.size)
		return jwt_fail(j, "duplicate key constraints");
	if (!c->has_keys && !c->secret.size)
		return jwt_fail(j, "no key constraint");
	return true;
}

/* What a token must be: GOOD, BAD (not verified), or an error that has been reported. */
enum check { CHECK_BAD, CHECK_GOOD, CHECK_ERROR };

static enum check check_signature(
	struct job *j, struct token *t, const struct constraints *c, struct header *h)
{
	cleanup_with(buf_done) struct buf signature = {0};
	if (!decode_header(j, t) || !read_header(j, t->head, h))
		return CHECK_ERROR;
	if (!h->alg.size || h->crit_unknown || (c->alg.size && !slice_eq(c->alg, h->alg)))
		return CHECK_BAD;
	if (!decode(j, t->signature, "", &signature))
		return CHECK_ERROR;
	bool good =
		c->has_keys
			? any_key_good(&c->keys, h->kid, h->alg, h->alg, t, buf_slice(&signature))
			: hmac_good(h->alg, c->secret, t->signed_text, buf_slice(&signature));
	return good ? CHECK_GOOD : CHECK_BAD;
}

/* Seconds as a number value with the fewest digits that read back as the same double. */
static val seconds(struct job *j, double ns)
{
	char text[40];
	double s = ns / 1e9;
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, s);
		if (strtod(text, NULL) == s)
			break;
	}
	return rego_make_number(rego_call_eval(j->call), slice_str(text));
}

static bool audience_ok(val aud, struct slice want)
{
	if (rego_type(aud) == REGO_STRING)
		return slice_eq(rego_text(aud), want);
	if (rego_type(aud) != REGO_ARRAY)
		return false;
	for (size_t i = 0; i < rego_count(aud); i++)
		if (ext_is(rego_item(aud, i), REGO_STRING) &&
			slice_eq(rego_text(rego_item(aud, i)), want))
			return true;
	return false;
}

static enum check check_claims(struct job *j, val body, const struct constraints *c)
{
	struct slice iss = SLICE_EMPTY;
	val aud = rego_member(body, "aud"), exp = rego_member(body, "exp"),
	    nbf = rego_member(body, "nbf");
	if (c->iss.size && (!ext_member(body, "iss", &iss) || !slice_eq(iss, c->iss)))
		return CHECK_BAD;
	if (aud ? !audience_ok(aud, c->aud) : c->aud.size > 0)
		return CHECK_BAD;
	val now = exp || nbf ? seconds(j, c->time_ns) : NULL;
	if ((exp || nbf) && !now) {
		j->result = REGO_ERR_MEMORY;
		return CHECK_ERROR;
	}
	if (exp && rego_type(exp) != REGO_NUMBER) {
		jwt_fail(j, "exp value must be a number");
		return CHECK_ERROR;
	}
	if (exp && rego_compare(now, exp) >= 0)
		return CHECK_BAD;
	if (nbf && rego_type(nbf) != REGO_NUMBER) {
		jwt_fail(j, "nbf value must be a number");
		return CHECK_ERROR;
	}
	return nbf && rego_compare(now, nbf) < 0 ? CHECK_BAD : CHECK_GOOD;
}

/* Through nested tokens, each signed, to the claims. */
static enum check open_token(
	struct job *j, val text, const struct constraints *c, val *ret_head, val *ret_body)
{
	for (int depth = 0; depth <= NESTING_MAX; depth++) {
		struct token t = {0};
		struct header h = {0};
		cleanup_with(buf_done) struct buf payload = {0};
		if (!split(j, text, 1, &t))
			return CHECK_ERROR;
		enum check r = check_signature(j, &t, c, &h);
		if (r != CHECK_GOOD)
			return r;
		if (!decode(j, t.payload, "JWT payload had invalid encoding: ", &payload))
			return CHECK_ERROR;
		if (h.cty.size == 3 && strncasecmp((const char *)h.cty.data, "JWT", 3) == 0) {
			text = ext_buf(j->call, &payload);
			if (text)
				continue;
			j->result = REGO_ERR_MEMORY;
			return CHECK_ERROR;
		}
		*ret_head = t.head;
		*ret_body = json_object_of(j, "", buf_slice(&payload));
		return *ret_body ? CHECK_GOOD : CHECK_ERROR;
	}
	jwt_fail(j, "JWT is nested too deeply");
	return CHECK_ERROR;
}

static int decode_verify(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	struct job j = {call, 0};
	struct rego_eval *e = rego_call_eval(call);
	cleanup_with(constraints_done) struct constraints c = {0};
	val head = NULL, body = NULL;
	if (rego_type(arg[1]) != REGO_OBJECT)
		return rego_call_type_error(call, 2, "object", arg[1]);
	if (!read_constraints(&j, arg[1], &c))
		return j.result;
	enum check r = open_token(&j, arg[0], &c, &head, &body);
	if (r == CHECK_GOOD)
		r = check_claims(&j, body, &c);
	if (r == CHECK_ERROR)
		return j.result;
	val none = rego_make_object(e, NULL, 0);
	val item[] = {rego_make_bool(r == CHECK_GOOD), r == CHECK_GOOD ? head : none,
		r == CHECK_GOOD ? body : none};
	return ext_return(ret, rego_make_array(e, item, ARRAY_COUNT(item)));
}

const struct rego_builtin ext_jwt_list[] = {
	{"io.jwt.decode", 1, decode_token},
	{"io.jwt.decode_verify", 2, decode_verify},
	{"io.jwt.encode_sign", 3, jwt_encode_sign},
	{"io.jwt.encode_sign_raw", 3, jwt_encode_sign_raw},
	{"io.jwt.verify_eddsa", 2, verify_eddsa},
	{"io.jwt.verify_es256", 2, verify_es256},
	{"io.jwt.verify_es384", 2, verify_es384},
	{"io.jwt.verify_es512", 2, verify_es512},
	{"io.jwt.verify_hs256", 2, verify_hs256},
	{"io.jwt.verify_hs384", 2, verify_hs384},
	{"io.jwt.verify_hs512", 2, verify_hs512},
	{"io.jwt.verify_ps256", 2, verify_ps256},
	{"io.jwt.verify_ps384", 2, verify_ps384},
	{"io.jwt.verify_ps512", 2, verify_ps512},
	{"io.jwt.verify_rs256", 2, verify_rs256},
	{"io.jwt.verify_rs384", 2, verify_rs384},
	{"io.jwt.verify_rs512", 2, verify_rs512},
};
const size_t ext_jwt_count = ARRAY_COUNT(ext_jwt_list);
