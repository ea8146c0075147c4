/* SPDX-License-Identifier: Apache-2.0 */
/* io.jwt.encode_sign and io.jwt.encode_sign_raw, and the HMACs of tokens. */
#include <openssl/evp.h>
#include <stdarg.h>

#include "base/enc.h"
#include "jwt.h"

bool jwt_fail(struct job *j, const char *fmt, ...)
{
	char text[ERR_TEXT_SIZE];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->result = rego_call_fail(j->call, "%s", text);
	return false;
}

static const char *hmac_hash(struct slice alg)
{
	return slice_eq_str(alg, "HS256")   ? "SHA256"
	       : slice_eq_str(alg, "HS384") ? "SHA384"
	       : slice_eq_str(alg, "HS512") ? "SHA512"
					    : NULL;
}

bool jwt_hmac(struct slice alg, struct slice key, struct slice in, struct digest *ret)
{
	const char *name = hmac_hash(alg);
	return name && EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, key.data, key.size, in.data,
			       in.size, ret->bytes, sizeof(ret->bytes), &ret->size);
}

/* What the reference's reader of headers takes for a number: any run of their characters. */
static bool looks_like_number(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!strchr("0123456789+-.eE", s.data[i]) || !s.data[i])
			return false;
	return s.size > 0;
}

static bool read_sign_header(struct job *j, struct slice text, struct slice *alg, bool *is_jwt)
{
	static const char what[] = "missing or invalid 'alg' header";
	val head = NULL;
	struct slice typ = SLICE_EMPTY;
	if (text.size == 0)
		return jwt_fail(j,
			"%s: cannot parse JSON: cannot parse empty string; unparsed tail: \"\"",
			what);
	int r = rego_make_json(rego_call_eval(j->call), text, &head, NULL);
	if (r < 0 && !looks_like_number(text))
		return jwt_fail(j, "%s: cannot parse JSON: it is malformed", what);
	val member = r == 0 ? rego_member(head, "alg") : NULL;
	if (!member)
		return jwt_fail(j, "%s: jwsbb: header \"alg\" not found", what);
	if (!ext_member(head, "alg", alg))
		return jwt_fail(j, "%s: value doesn't contain string", what);
	if (!jwt_algorithm_known(*alg))
		return jwt_fail(j, "unknown JWS algorithm: %.*s", (int)MIN(alg->size, (size_t)100),
			alg->data);
	*is_jwt = !ext_member(head, "typ", &typ) || slice_eq_str(typ, "JWT");
	return true;
}

static bool sign(
	struct job *j, const struct jwt_key *k, struct slice alg, struct slice in, struct buf *out)
{
	struct digest mac;
	if (k->key && pkey_sign(k->key, sig_from_name(alg), in, out) == 0)
		return true;
	if (k->secret.size && jwt_hmac(alg, buf_slice(&k->secret), in, &mac)) {
		buf_put_slice(out, digest_slice(&mac));
		return true;
	}
	return jwt_fail(j, "the key does not fit the algorithm %.*s, or is not private",
		(int)alg.size, alg.data);
}

static int encode(struct rego_call *call, struct slice header, struct slice payload,
	struct slice jwk, val *ret)
{
	struct job j = {call, 0};
	struct err e = {0};
	struct slice alg = SLICE_EMPTY;
	bool is_jwt = true;
	val unused = NULL;
	cleanup_with(jwt_keys_done) struct jwt_keys keys = {0};
	cleanup_with(buf_done) struct buf text = {0}, signature = {0};
	int r = jwt_keys_parse_jwk(jwk, &keys, &e);
	if (r < 0)
		return rego_call_fail(call, "%s", err_text(&e, r));
	if (keys.count == 0)
		return rego_call_fail(call, "no keys found in JWK set");
	if (!read_sign_header(&j, header, &alg, &is_jwt))
		return j.result;
	if (is_jwt && rego_make_json(rego_call_eval(call), payload, &unused, NULL) < 0)
		return rego_call_fail(call, "type is JWT but payload is not JSON");
	b64_encode(&text, header, B64_URL);
	buf_put_u8(&text, '.');
	b64_encode(&text, payload, B64_URL);
	if (!sign(&j, &keys.item[0], alg, buf_slice(&text), &signature))
		return j.result;
	buf_put_u8(&text, '.');
	b64_encode(&text, buf_slice(&signature), B64_URL);
	return ext_return(ret, ext_buf(call, &text));
}

int jwt_encode_sign_raw(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	static const unsigned order[] = {3, 1, 2};
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		if (rego_type(arg[order[i] - 1]) != REGO_STRING)
			return rego_call_type_error(call, order[i], "string", arg[order[i] - 1]);
	return encode(call, rego_text(arg[0]), rego_text(arg[1]), rego_text(arg[2]), ret);
}

int jwt_encode_sign(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	cleanup_with(buf_done) struct buf header = {0}, payload = {0}, jwk = buf_init_secret(0);
	ext_json(&header, arg[0]);
	ext_json(&payload, arg[1]);
	rego_json(&jwk, arg[2]);
	return encode(call, buf_slice(&header), buf_slice(&payload), buf_slice(&jwk), ret);
}
