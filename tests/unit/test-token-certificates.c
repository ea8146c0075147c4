/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that a token brings along, and those that ours bring. */
#include <time.h>

#include "base/enc.h"
#include "crypto/x509.h"
#include "token-world.h"

#define CHAIN(...)                                 \
	x5c_of((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

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

/* A root with a chain of two below it, and a stranger's. */
static int make_certificates(void **state)
{
	if (make_folder(state) < 0)
		return -1;
	shell("cd %s && for n in root foreign; do openssl req -x509 -newkey ec -pkeyopt "
	      "ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$n -addext keyUsage=critical,keyCertSign -keyout $n.key -out $n.crt "
	      "2>/dev/null || exit 1; done",
		g_dir);
	issue("middle", "root",
		"basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n", "20");
	issue("leaf", "middle", "basicConstraints=critical,CA:FALSE", "10");
	issue("evil", "foreign", "basicConstraints=critical,CA:FALSE", "10");
	issue("nested", "leaf", "basicConstraints=critical,CA:FALSE", "10");
	return 0;
}

/* Tokens count whose certificates the root vouches for. */
static struct token_keys *load_root(void)
{
	char token[400];

	snprintf(token, sizeof(token), "trusted_certs_paths = [\"%s\"]", path_of("root.crt"));
	return load(token, "", 0);
}

static void test_chains(void **state)
{
	cleanup(token_keys_free) struct token_keys *keys = load_root();
	cleanup(pkey_free) struct pkey *leaf = read_key("leaf.key"), *evil = read_key("evil.key"),
				       *nested = read_key("nested.key");
	cleanup_with(buf_done) struct buf t = buf_init(0);
	int64_t later = (int64_t)time(NULL) + 60;
	struct err e = {0};

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
}

static void test_forms(void **state)
{
	cleanup(token_keys_free) struct token_keys *keys = load_root();
	cleanup(pkey_free) struct pkey *leaf = read_key("leaf.key"), *evil = read_key("evil.key");
	cleanup_with(buf_done) struct buf t = buf_init(0);
	int64_t later = (int64_t)time(NULL) + 60;
	struct err e = {0};

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
}

static void test_trust(void **state)
{
	cleanup(token_keys_free) struct token_keys *keys = load_root();
	cleanup(pkey_free) struct pkey *leaf = read_key("leaf.key");
	cleanup_with(buf_done) struct buf t = buf_init(0);
	int64_t later = (int64_t)time(NULL) + 60;
	struct err e = {0};

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_own_certificates),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_folder);
}
