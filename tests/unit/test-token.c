/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation tokens: rotation of our keys, and tokens of other services: whose are accepted, and all
 * the ways in which one might talk its way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <time.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "crypto/jose.h"
#include "crypto/x509.h"
#include "trustee/kbs/token.h"

#define NOW 1800000000
static char g_dir[] = "/tmp/husk-token-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", g_dir, name);
	return p;
}

static void format_printf(1, 2) shell(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static void make_key(const char *name, enum key_type type, struct pkey **ret)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);

	assert_int_equal(pkey_generate(type, 2048, ret), 0);
	assert_int_equal(pkey_to_pem_private(*ret, &pem), 0);
	assert_int_equal(file_write_atomic(path_of(name), buf_slice(&pem), 0600, NULL), 0);
}

/* The configuration of a broker with these lines in [attestation_token] and in the signer. */
static struct token_keys *load(const char *token, const char *signer, int want)
{
	struct kbs_config c = {0};
	struct token_keys *keys = NULL;
	struct err e = {0};
	char text[2048];

	snprintf(text, sizeof(text),
		"[http_server]\ninsecure_http = true\n[husk]\nstore = \"s\"\n[attestation_token]\n"
		"%s\n[attestation_service.attestation_token_broker.signer]\n%s\n",
		token, signer);
	assert_int_equal(kbs_config_parse(slice_str(text), &c, &e), 0);
	if (token_keys_load(&c, &keys, &e) != want)
		fail_msg("%s", e.text);
	kbs_config_done(&c);
	return keys;
}

static json_t *claims_until(int64_t exp)
{
	return json_pack("{s:s, s:I}", "iss", "somebody", "exp", (json_int_t)exp);
}

static void sign_own(const struct token_keys *k, struct buf *out)
{
	json_t *claims = claims_until(NOW + 60);

	assert_int_equal(token_sign(k, claims, out, NULL), 0);
	json_decref(claims);
}

/* A token of somebody else: header members as JSON, signed with @key as @alg. */
static void forge(
	const struct pkey *key, enum sig_alg alg, json_t *header, json_t *claims, struct buf *out)
{
	cleanup(free_ptr) char *text = json_dumps(claims, JSON_COMPACT);

	buf_clear(out);
	assert_int_equal(jws_sign(key, alg, header, slice_str(text), out), 0);
	json_decref(header);
	json_decref(claims);
}

static int verify(const struct token_keys *k, const struct buf *token, struct err *e)
{
	json_t *claims = NULL;
	int r = token_verify(k, buf_slice(token), NOW, &claims, e);

	assert_int_equal(r == 0, claims != NULL);
	json_decref(claims);
	return r;
}

static void assert_refused(
	const struct token_keys *k, const struct buf *token, int code, const char *text)
{
	struct err e = {0};

	assert_int_equal(verify(k, token, &e), code);
	if (!strstr(e.text, text))
		fail_msg("%s", e.text);
}

/* --- our own keys --- */

static void test_rotation(void **state)
{
	cleanup(pkey_free) struct pkey *a = NULL, *b = NULL;
	cleanup_with(buf_done) struct buf old = buf_init(0), now = buf_init(0), pub = buf_init(0);
	char signer[400];

	make_key("a.pem", KEY_P256, &a);
	make_key("b.pem", KEY_P384, &b);
	assert_int_equal(pkey_to_pem_public(a, &pub), 0);
	assert_int_equal(file_write_atomic(path_of("a.pub"), buf_slice(&pub), 0600, NULL), 0);
	/* Before: a signs, b is announced. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("a.pem"), path_of("b.pem"));
	cleanup(token_keys_free) struct token_keys *before = load("", signer, 0);
	sign_own(before, &old);
	/* After: b signs, and of a the public half is enough. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("b.pem"), path_of("a.pub"));
	cleanup(token_keys_free) struct token_keys *after = load("", signer, 0);
	sign_own(after, &now);
	assert_int_equal(verify(after, &old, NULL), 0);
	assert_int_equal(verify(after, &now, NULL), 0);
	assert_int_equal(verify(before, &now, NULL), 0);
	/* At the end: a is gone. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("b.pem"));
	cleanup(token_keys_free) struct token_keys *end = load("", signer, 0);
	assert_refused(end, &old, -EKEYREJECTED, "not trusted");
	assert_int_equal(verify(end, &now, NULL), 0);
	/* The key set has both, each with its kid and algorithm, the signing one first. */
	cleanup_with(buf_done) struct buf kid = buf_init(0);
	json_t *set = token_jwks(after);
	json_t *list = json_object_get(set, "keys");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(pkey_thumbprint(b, &kid), 0);
	const json_t *first = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(first, "kid")), buf_str(&kid));
	assert_string_equal(json_string_value(json_object_get(first, "alg")), "ES384");
	assert_null(json_object_get(first, "d"));
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 1), "alg")), "ES256");
	json_decref(set);
	/* And the token says which one it was. */
	cleanup_with(jws_done) struct jws j = {0};
	assert_int_equal(jws_parse(buf_slice(&now), &j, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(j.header, "kid")), buf_str(&kid));
}

static void test_bad_keys(void **state)
{
	cleanup(pkey_free) struct pkey *rsa = NULL, *p521 = NULL, *a = NULL;
	char signer[400];

	make_key("rsa.pem", KEY_RSA, &rsa);
	make_key("p521.pem", KEY_P521, &p521);
	make_key("a2.pem", KEY_P256, &a);
	shell("openssl pkey -in %s -pubout -out %s", path_of("a2.pem"), path_of("a2.pub"));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("rsa.pem"));
	assert_null(load("", signer, -EINVAL));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("p521.pem"));
	assert_null(load("", signer, -EINVAL));
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("a2.pub"));
	assert_null(load("", signer, -EINVAL)); /* cannot sign */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\npublished_key_paths = [\"%s\"]",
		path_of("a2.pem"), path_of("a2.pub"));
	assert_null(load("", signer, -EINVAL)); /* twice the same */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"", path_of("none.pem"));
	assert_null(load("", signer, -ENOENT));
}

/* --- tokens of others --- */

static void test_trusted_set(void **state)
{
	cleanup(pkey_free) struct pkey *k = NULL, *other = NULL, *rsa = NULL;
	cleanup_with(buf_done) struct buf t = buf_init(0);
	char token[400];

	make_key("k.pem", KEY_P256, &k);
	make_key("o.pem", KEY_P256, &other);
	make_key("r.pem", KEY_RSA, &rsa);
	json_t *jwk = pkey_to_jwk(k), *rjwk = pkey_to_jwk(rsa);
	json_object_set_new(jwk, "kid", json_string("one"));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	json_object_set_new(rjwk, "kid", json_string("two"));
	json_object_set_new(rjwk, "alg", json_string("RS256"));
	json_t *set = json_pack("{s:[O, O]}", "keys", jwk, rjwk);
	assert_int_equal(json_dump_file(set, path_of("set.json"), 0), 0);
	json_decref(set);
	snprintf(token, sizeof(token), "trusted_jwk_sets = [\"file://%s\"]", path_of("set.json"));
	cleanup(token_keys_free) struct token_keys *keys = load(token, "", 0);

	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	forge(rsa, SIG_RS256, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	/* By value. */
	forge(k, SIG_ES256, json_pack("{s:O}", "jwk", jwk), claims_until(NOW + 1), &t);
	assert_int_equal(verify(keys, &t, NULL), 0);
	/* kid: unknown, another one's, of another one than the key that is shown. */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "three"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "names a key that is not trusted");
	forge(other, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	forge(k, SIG_ES256, json_pack("{s:O, s:s}", "jwk", jwk, "kid", "two"),
		claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "kid is not the one of its key");
	/* Without a name it would be ours. */
	forge(k, SIG_ES256, json_object(), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	/* A key of its own. */
	json_t *mine = pkey_to_jwk(other);
	forge(other, SIG_ES256, json_pack("{s:O}", "jwk", mine), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "not trusted");
	/* Another algorithm than the key's, though it verifies. */
	forge(rsa, SIG_PS256, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	forge(rsa, SIG_RS512, json_pack("{s:s}", "kid", "two"), claims_until(NOW + 1), &t);
	assert_refused(keys, &t, -EKEYREJECTED, "");
	/* Time. */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW - 59), &t);
	assert_int_equal(verify(keys, &t, NULL), 0); /* a minute of leeway */
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), claims_until(NOW - 61), &t);
	assert_refused(keys, &t, -ESTALE, "expired");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"), json_pack("{s:s}", "iss", "x"), &t);
	assert_refused(keys, &t, -EBADMSG, "no exp");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"),
		json_pack("{s:s}", "exp", "1800000001"), &t);
	assert_refused(keys, &t, -EBADMSG, "no exp");
	forge(k, SIG_ES256, json_pack("{s:s}", "kid", "one"),
		json_pack("{s:I, s:I}", "exp", (json_int_t)NOW + 500, "nbf", (json_int_t)NOW + 61),
		&t);
	assert_refused(keys, &t, -ESTALE, "not valid yet");
	json_decref(jwk);
	json_decref(rjwk);
	json_decref(mine);
}

static json_t *set_of(const struct pkey *key, const char *kid)
{
	json_t *jwk = pkey_to_jwk(key);

	json_object_set_new(jwk, "kid", json_string(kid));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	return json_pack("{s:[{s:s}, {s:s, s:s}, o]}", "keys", "kty", "other", "kty", "oct", "k",
		"AAAA", jwk);
}

/* Sets that are fetched: each replaces the last one of its URL, or changes nothing. */
static void test_fetched_set(void **state)
{
	static const char *const bad[] = {"{}", "[]", "{\"keys\":1}", "{\"keys\":[]}",
		"{\"keys\":[1, \"x\", {}]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"alg\":"
		 "\"ES256\"}]}")};
	cleanup(pkey_free) struct pkey *a = NULL, *b = NULL;
	cleanup_with(buf_done) struct buf of_a = buf_init(0), of_b = buf_init(0);
	cleanup(token_keys_free) struct token_keys *keys = load("", "", 0);

	assert_int_equal(pkey_generate(KEY_P256, 0, &a), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &b), 0);
	forge(a, SIG_ES256, json_pack("{s:s}", "kid", "a"), claims_until(NOW + 1), &of_a);
	forge(b, SIG_ES256, json_pack("{s:s}", "kid", "b"), claims_until(NOW + 1), &of_b);
	cleanup(json_decref) json_t *set_a = set_of(a, "a"), *set_b = set_of(b, "b");
	assert_int_equal(verify(keys, &of_a, NULL), -EKEYREJECTED);
	assert_int_equal(token_keys_replace(keys, "https://1", set_a, NULL), 0);
	assert_int_equal(token_keys_replace(keys, "https://2", set_b, NULL), 0);
	assert_int_equal(verify(keys, &of_a, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup(json_decref) json_t *set = json_loads(bad[i], 0, NULL);

		assert_non_null(set);
		assert_int_equal(token_keys_replace(keys, "https://1", set, NULL), -EBADMSG);
		assert_int_equal(verify(keys, &of_a, NULL), 0);
	}
	/* More than there is room for, and keys of another use. */
	cleanup(json_decref) json_t *many = json_pack("{s:[]}", "keys");
	for (int i = 0; i < 65; i++)
		json_array_append(json_object_get(many, "keys"),
			json_array_get(json_object_get(set_b, "keys"), 2));
	assert_int_equal(token_keys_replace(keys, "https://1", many, NULL), -E2BIG);
	assert_int_equal(verify(keys, &of_a, NULL), 0);
	cleanup(json_decref) json_t *enc = json_deep_copy(set_a);
	json_object_set_new(
		json_array_get(json_object_get(enc, "keys"), 2), "use", json_string("enc"));
	assert_int_equal(token_keys_replace(keys, "https://1", enc, NULL), -EBADMSG);
	/* The last set of a URL is gone with the next one; the others stay. */
	assert_int_equal(token_keys_replace(keys, "https://1", set_b, NULL), 0);
	assert_int_equal(verify(keys, &of_a, NULL), -EKEYREJECTED);
	assert_int_equal(token_keys_replace(keys, "https://1", NULL, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), 0);
	assert_int_equal(token_keys_replace(keys, "https://2", NULL, NULL), 0);
	assert_int_equal(verify(keys, &of_b, NULL), -EKEYREJECTED);
}

/* "none", a MAC with the public key as its secret, and other things that were once believed. */
static void test_algorithms(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"kid\":\"one\"}",
		"{\"alg\":\"None\",\"kid\":\"one\"}",
		"{\"alg\":\"HS256\",\"kid\":\"one\"}",
		"{\"kid\":\"one\"}",
		"{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"one\"}",
		"{\"alg\":[\"ES256\"],\"kid\":\"one\"}",
	};
	cleanup(pkey_free) struct pkey *k = NULL;
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	char token[400];

	make_key("k3.pem", KEY_P256, &k);
	assert_int_equal(pkey_to_pem_public(k, &pem), 0);
	json_t *jwk = pkey_to_jwk(k);
	json_object_set_new(jwk, "kid", json_string("one"));
	json_object_set_new(jwk, "alg", json_string("ES256"));
	json_t *set = json_pack("{s:[o]}", "keys", jwk);
	assert_int_equal(json_dump_file(set, path_of("set3.json"), 0), 0);
	json_decref(set);
	snprintf(token, sizeof(token), "trusted_jwk_sets = [\"%s\"]", path_of("set3.json"));
	cleanup(token_keys_free) struct token_keys *keys = load(token, "", 0);
	for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		struct digest mac;

		b64_encode(&text, slice_str(headers[i]), B64_URL);
		buf_put_u8(&text, '.');
		b64_encode(&text, SLICE_LIT("{\"exp\":1800000060}"), B64_URL);
		assert_int_equal(
			hmac_once(HASH_SHA256, buf_slice(&pem), buf_slice(&text), &mac), 0);
		for (int with_mac = 0; with_mac < 2; with_mac++) {
			cleanup_with(buf_done) struct buf whole = buf_init(0);

			buf_put_slice(&whole, buf_slice(&text));
			buf_put_u8(&whole, '.');
			if (with_mac)
				b64_encode(&whole, digest_slice(&mac), B64_URL);
			if (verify(keys, &whole, NULL) == 0)
				fail_msg("accepted: %s", headers[i]);
		}
	}
}

/* --- certificates that a token brings along --- */

static void issue(const char *name, const char *issuer, const char *extension, const char *days)
{
	shell("cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=%s "
	      "-keyout %s.key -out %s.csr 2>/dev/null && printf '%s\\nsubjectKeyIdentifier=hash\\nauthorityKeyIdentifier=keyid\\n' >%s.ext && openssl x509 -req "
	      "-in %s.csr -CA %s.crt -CAkey %s.key -CAcreateserial -extfile %s.ext -days %s "
	      "-out %s.crt 2>/dev/null",
		g_dir, name, name, name, extension, name, name, issuer, issuer, name, days, name);
}

static json_t *x5c_of(const char *const *names, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		cleanup_with(buf_done) struct buf pem = buf_init(0), der = buf_init(0);
		cleanup_with(buf_done) struct buf text = buf_init(0);
		struct cert *c = NULL;
		char name[64];

		snprintf(name, sizeof(name), "%s.crt", names[i]);
		assert_int_equal(file_read(path_of(name), 65536, &pem, NULL), 0);
		assert_int_equal(certs_from_pem(buf_slice(&pem), &c, 1, NULL), 1);
		assert_int_equal(cert_to_der(c, &der), 0);
		b64_encode(&text, buf_slice(&der), B64_STD);
		json_array_append_new(list, json_string(buf_str(&text)));
		cert_free(c);
	}
	return list;
}

static struct pkey *read_key(const char *name)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);
	struct pkey *k = NULL;

	assert_int_equal(file_read(path_of(name), 65536, &pem, NULL), 0);
	assert_int_equal(pkey_from_pem(buf_slice(&pem), &k, NULL), 0);
	return k;
}

static json_t *header_with(const struct pkey *k, json_t *x5c)
{
	json_t *jwk = pkey_to_jwk(k);

	json_object_set_new(jwk, "x5c", x5c);
	return json_pack("{s:o}", "jwk", jwk);
}

static int verify_now(const struct token_keys *k, const struct buf *token, struct err *e)
{
	json_t *claims = NULL;
	int r = token_verify(k, buf_slice(token), (int64_t)time(NULL), &claims, e);

	json_decref(claims);
	return r;
}

static void test_certificates(void **state)
{
	cleanup_with(buf_done) struct buf t = buf_init(0);
	int64_t later = (int64_t)time(NULL) + 60;
	struct err e = {0};
	char token[400];

	shell("cd %s && for n in root foreign; do openssl req -x509 -newkey ec -pkeyopt "
	      "ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$n -addext keyUsage=critical,keyCertSign -keyout $n.key -out $n.crt "
	      "2>/dev/null || exit 1; done",
		g_dir);
	issue("middle", "root",
		"basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n", "20");
	issue("leaf", "middle", "basicConstraints=critical,CA:FALSE", "10");
	issue("evil", "foreign", "basicConstraints=critical,CA:FALSE", "10");
	issue("nested", "leaf", "basicConstraints=critical,CA:FALSE", "10");
	snprintf(token, sizeof(token), "trusted_certs_paths = [\"%s\"]", path_of("root.crt"));
	cleanup(token_keys_free) struct token_keys *keys = load(token, "", 0);
	cleanup(pkey_free) struct pkey *leaf = read_key("leaf.key"), *evil = read_key("evil.key");
	cleanup(pkey_free) struct pkey *nested = read_key("nested.key");

#define CHAIN(...)                                 \
	x5c_of((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
	forge(leaf, SIG_ES256, header_with(leaf, CHAIN("leaf", "middle")), claims_until(later), &t);
	if (verify_now(keys, &t, &e) < 0)
		fail_msg("%s", e.text);
	/* A link is missing; the wrong root; the leaf is no CA; another leaf's key. */
	forge(leaf, SIG_ES256, header_with(leaf, CHAIN("leaf")), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	forge(evil, SIG_ES256, header_with(evil, CHAIN("evil", "foreign")), claims_until(later),
		&t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	forge(nested, SIG_ES256, header_with(nested, CHAIN("nested", "leaf", "middle")),
		claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	forge(evil, SIG_ES256, header_with(evil, CHAIN("leaf", "middle")), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	assert_non_null(strstr(e.text, "another key"));
	/* No certificates, too many, no base64. */
	forge(evil, SIG_ES256, header_with(evil, json_array()), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	forge(leaf, SIG_ES256, header_with(leaf, json_pack("[s]", "***")), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EBADMSG);
	static const char *const longer[] = {
		"leaf", "middle", "root", "root", "root", "root", "root", "root", "root"};
	forge(leaf, SIG_ES256, header_with(leaf, x5c_of(longer, 9)), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -E2BIG);
	forge(leaf, SIG_ES256, header_with(leaf, x5c_of(longer, 8)), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), 0);
	/* Broken into lines as some issuers do; without padding, url-safe, as the ecosystem's does. */
	json_t *chain = CHAIN("leaf", "middle");
	cleanup_with(buf_done) struct buf form = buf_init(0);
	const char *text = json_string_value(json_array_get(chain, 0));
	buf_printf(&form, "%.64s\r\n%s\n", text, text + 64);
	json_array_set_new(chain, 0, json_string(buf_str(&form)));
	buf_clear(&form);
	for (text = json_string_value(json_array_get(chain, 1)); *text && *text != '='; text++)
		buf_put_u8(&form, *text == '+' ? '-' : *text == '/' ? '_' : (uint8_t)*text);
	json_array_set_new(chain, 1, json_string(buf_str(&form)));
	forge(leaf, SIG_ES256, header_with(leaf, chain), claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), 0);
	/* The key says another algorithm than the one it was used with. */
	json_t *header = header_with(leaf, CHAIN("leaf", "middle"));
	json_object_set_new(json_object_get(header, "jwk"), "alg", json_string("ES384"));
	forge(leaf, SIG_ES256, header, claims_until(later), &t);
	assert_int_equal(verify_now(keys, &t, &e), -EKEYREJECTED);
	/* Certificates of the past: the token's dates are good, theirs are not. */
	json_t *claims = NULL;
	forge(leaf, SIG_ES256, header_with(leaf, CHAIN("leaf", "middle")),
		claims_until(later + 40 * 86400), &t);
	assert_int_equal(
		token_verify(keys, buf_slice(&t), later + 30 * 86400, &claims, &e), -EKEYREJECTED);
	/* Without roots nothing brought along counts; with the insecure switch all does. */
	cleanup(token_keys_free) struct token_keys *none = load("", "", 0);
	forge(leaf, SIG_ES256, header_with(leaf, CHAIN("leaf", "middle")), claims_until(later), &t);
	assert_int_equal(verify_now(none, &t, &e), -EKEYREJECTED);
	cleanup(token_keys_free) struct token_keys *open =
		load("insecure_header_jwk = true", "", 0);
	assert_int_equal(verify_now(open, &t, &e), 0);
	t.data[t.size - 3] ^= 1;
	assert_int_not_equal(verify_now(open, &t, &e), 0);
}

/* Our own certificates in the header: a service that trusts their root accepts our tokens. */
static void test_own_certificates(void **state)
{
	cleanup_with(buf_done) struct buf t = buf_init(0);
	char signer[400], token[256];
	struct err e = {0};

	shell("cd %s && cat leaf.crt middle.crt >chain.crt", g_dir);
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\ncert_path = \"%s\"",
		path_of("leaf.key"), path_of("chain.crt"));
	cleanup(token_keys_free) struct token_keys *ours = load("", signer, 0);
	json_t *claims = claims_until((int64_t)time(NULL) + 60);
	assert_int_equal(token_sign(ours, claims, &t, NULL), 0);
	json_decref(claims);
	snprintf(token, sizeof(token), "trusted_certs_paths = [\"%s\"]", path_of("root.crt"));
	cleanup(token_keys_free) struct token_keys *theirs = load(token, "", 0);
	if (verify_now(theirs, &t, &e) < 0)
		fail_msg("%s", e.text);
	/* A certificate of another key is a mistake that is noticed at the start. */
	snprintf(signer, sizeof(signer), "key_path = \"%s\"\ncert_path = \"%s\"",
		path_of("evil.key"), path_of("chain.crt"));
	assert_null(load("", signer, -EINVAL));
}

static int make_folder(void **state)
{
	return mkdtemp(g_dir) ? 0 : -1;
}

static int remove_folder(void **state)
{
	shell("rm -rf %s", g_dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_trusted_set),
		cmocka_unit_test(test_fetched_set),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_own_certificates),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
