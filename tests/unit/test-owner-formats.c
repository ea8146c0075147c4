/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What owners make and guests or key brokers read: key packets in PKCS#7 and OpenPGP, entries of
 * Rekor, simple signatures, endorsed keys, sealed secrets, initdata annotations. Those of the shared
 * vectors, each cut and altered; and what is refused.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/jwk_trust.h"
#include "crypto/sealed_secret.h"
#include "fmt/ear_check.h"
#include "fmt/initdata.h"
#include <fcntl.h>

#include "oci/image.h"
#include "oci/initdata_annotation.h"
#include "oci/ocicrypt_recipient.h"
#include "oci/rekor.h"
#include "oci/simple_signing.h"
#include "vectors.h"

/* Cuts and flips at every @step-th byte: none may be @accepted. */
static void no_mutant(
	struct buf *bytes, bool (*accepted)(struct slice in, void *user), void *user, size_t step)
{
	assert_true(accepted(buf_slice(bytes), user));
	for (size_t i = 0; i < bytes->size; i += step) {
		if (accepted(slice_cut(buf_slice(bytes), 0, i), user))
			fail_msg("accepted when cut at %zu", i);
		bytes->data[i] ^= (uint8_t)(1 << (i / step % 7));
		if (accepted(buf_slice(bytes), user))
			fail_msg("accepted with byte %zu changed", i);
		bytes->data[i] ^= (uint8_t)(1 << (i / step % 7));
	}
}

/* --- key packets ------------------------------------------------------------------------------ */

/* The packet in @annotation of the first layer of a case. */
static void read_packet(const char *name, const char *annotation, struct buf *out)
{
	char tmp[] = "/tmp/husk-packet-XXXXXX", path[1024];
	cleanup(oci_layout_free) struct oci_layout *l = NULL;
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct oci_descriptor d;

	assert_non_null(mkdtemp(tmp));
	snprintf(path, sizeof(path), "%s/ocicrypt/%s/image.tar", vectors_dir(), name);
	assert_int_equal(oci_archive_unpack(path, tmp, NULL), 0);
	assert_int_equal(oci_layout_open(&l, tmp, false, NULL), 0);
	assert_int_equal(oci_layout_find(l, NULL, &d, NULL), 0);
	struct oci_source s = oci_layout_source(l);
	assert_int_equal(oci_image_from_digest(&image, &s, &d.digest, "amd64", NULL), 0);
	const char *text = oci_descriptor_annotation(&image.manifest.layers[0], annotation);
	assert_non_null(text);
	assert_int_equal(b64_decode(out, slice_str(text), B64_STD), 0);
	assert_int_equal(path_remove_tree(AT_FDCWD, tmp), 0);
}

struct packet {
	const char *annotation;
	struct ocicrypt_recipient r;
	struct secret want;
};

/* Opens to something else than it should. What is not protected (names) may change. */
static bool opens_wrongly(struct slice in, const struct packet *p)
{
	cleanup_with(secret_done) struct secret got = {0};

	if (ocicrypt_recipient_open(&p->r, p->annotation, in, &got, NULL) < 0)
		return false;
	return !slice_eq(secret_slice(&got), secret_slice(&p->want));
}

static void test_pkcs7(void **state)
{
	cleanup_with(buf_done) struct buf packet = buf_init(0), pem = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL, *other = NULL;
	struct packet p = {.annotation = OCICRYPT_ANNOTATION_PKCS7};
	struct secret none = {0};

	vectors_read("ocicrypt", "pkcs7", "rsa2048.pem", &pem);
	assert_int_equal(pkey_from_pem(buf_slice(&pem), &key, NULL), 0);
	read_packet("pkcs7", OCICRYPT_ANNOTATION_PKCS7, &packet);
	p.r.key = key;
	assert_int_equal(
		ocicrypt_recipient_open(&p.r, p.annotation, buf_slice(&packet), &p.want, NULL), 0);
	for (size_t i = 0; i < packet.size; i++) {
		assert_true(ocicrypt_recipient_open(&p.r, p.annotation,
				    slice_cut(buf_slice(&packet), 0, i), &none, NULL) < 0);
		packet.data[i] ^= (uint8_t)(1 << (i % 8));
		if (opens_wrongly(buf_slice(&packet), &p))
			fail_msg("byte %zu", i);
		packet.data[i] ^= (uint8_t)(1 << (i % 8));
	}
	/* Another key, a public one, none, one of another type. */
	assert_int_equal(pkey_generate(KEY_RSA, 2048, &other), 0);
	p.r.key = other;
	assert_int_equal(
		ocicrypt_recipient_open(&p.r, p.annotation, buf_slice(&packet), &none, NULL),
		-EKEYREJECTED);
	p.r.key = NULL;
	assert_int_equal(
		ocicrypt_recipient_open(&p.r, p.annotation, buf_slice(&packet), &none, NULL),
		-EKEYREJECTED);
	cleanup(pkey_free) struct pkey *ec = NULL;
	assert_int_equal(pkey_generate(KEY_P256, 0, &ec), 0);
	p.r.key = ec;
	assert_int_equal(
		ocicrypt_recipient_open(&p.r, p.annotation, buf_slice(&packet), &none, NULL),
		-EKEYREJECTED);
	secret_done(&p.want);
}

/* Content types, versions, algorithms and parameters that are not this dialect's. */
static void test_pkcs7_table(void **state)
{
	cleanup_with(buf_done) struct buf packet = buf_init(0), pem = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct secret none = {0};
	static const struct {
		size_t at;
		uint8_t value;
		int error;
		const char *what;
	} cases[] = {
		{0, 0x31, -EBADMSG, "a SET outside"},
		{14, 0x02, -EOPNOTSUPP, "signedData"},
		{15, 0xA1, -EBADMSG, "tag [1]"},
		{25, 0x02, -EOPNOTSUPP, "EnvelopedData version 2"},
		{26, 0x30, -EBADMSG, "recipients are no SET"},
		{374, 0x02, -EOPNOTSUPP, "content is no data"},
		{387, 0x02, -EOPNOTSUPP, "AES-128-CBC"},
		{388, 0x04, -EBADMSG, "parameters in another element"},
		{392, 0x05, -EBADMSG, "nonce with another tag"},
		{408, 0x0C, -EOPNOTSUPP, "a tag of 12 bytes"},
	};

	vectors_read("ocicrypt", "pkcs7", "rsa2048.pem", &pem);
	assert_int_equal(pkey_from_pem(buf_slice(&pem), &key, NULL), 0);
	read_packet("pkcs7", OCICRYPT_ANNOTATION_PKCS7, &packet);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t old = packet.data[cases[i].at];
		packet.data[cases[i].at] = cases[i].value;
		int r = ocicrypt_pkcs7_open(key, buf_slice(&packet), &none, NULL);
		if (r != cases[i].error)
			fail_msg("%s: %d", cases[i].what, r);
		packet.data[cases[i].at] = old;
	}
}

static void test_pgp_packet(void **state)
{
	cleanup_with(buf_done) struct buf packet = buf_init(0), keys = buf_init(0);
	struct packet p = {.annotation = OCICRYPT_ANNOTATION_PGP};

	vectors_read("ocicrypt", "pgp", "pgp.sec.asc", &keys);
	read_packet("pgp", OCICRYPT_ANNOTATION_PGP, &packet);
	p.r = (struct ocicrypt_recipient){.pgp = &oci_pgp_rnp, .pgp_keyring = buf_slice(&keys)};
	assert_int_equal(
		ocicrypt_recipient_open(&p.r, p.annotation, buf_slice(&packet), &p.want, NULL), 0);
	for (size_t i = 0; i < packet.size; i += 5) {
		packet.data[i] ^= (uint8_t)(1 << (i % 8));
		if (opens_wrongly(buf_slice(&packet), &p))
			fail_msg("byte %zu", i);
		packet.data[i] ^= (uint8_t)(1 << (i % 8));
	}
	secret_done(&p.want);
}

/* --- signatures ------------------------------------------------------------------------------- */

struct simple {
	struct buf keyring;
	struct oci_digest digest;
	struct oci_ref ref;
	int64_t now;
};

static bool simple_accepted(struct slice in, void *user)
{
	const struct simple *s = user;
	const struct oci_identity any = {0};
	char print[OCI_PGP_FINGERPRINT_SIZE];

	return simple_signing_verify(&oci_pgp_rnp, buf_slice(&s->keyring), in, s->now, &s->digest,
		       &s->ref, &any, print, NULL) == 0;
}

static void test_simple_signing(void **state)
{
	static const char digest[] =
		"sha256:20bf21ed457b390829cdbeec8795a7bea1626991fda603e0d01b4e7f60427e55";
	cleanup_with(buf_done) struct buf signature = buf_init(0);
	struct simple s = {.keyring = buf_init(0), .now = clock_unix_s()};

	vectors_read("imgsig-simple", "image-valid", "signature", &signature);
	vectors_read("imgsig-simple", "image-valid", "public-key.gpg", &s.keyring);
	assert_int_equal(oci_digest_parse(&s.digest, slice_str(digest)), 0);
	assert_int_equal(oci_ref_parse(&s.ref, "testing/manifest", NULL), 0);
	assert_true(simple_accepted(buf_slice(&signature), &s));
	/* Compressed: a bit may be free; what verifies still says the same, checked inside. */
	size_t free_bits = 0;
	for (size_t i = 0; i < signature.size; i += 3) {
		signature.data[i] ^= (uint8_t)(1 << (i % 8));
		free_bits += simple_accepted(buf_slice(&signature), &s);
		signature.data[i] ^= (uint8_t)(1 << (i % 8));
	}
	assert_true(free_bits <= 8);
	/* Before the key was made; and for other names and digests. */
	s.now = 1000000000;
	assert_false(simple_accepted(buf_slice(&signature), &s));
	s.now = clock_unix_s();
	assert_int_equal(oci_ref_parse(&s.ref, "testing/another", NULL), 0);
	assert_false(simple_accepted(buf_slice(&signature), &s));
	assert_int_equal(oci_ref_parse(&s.ref, "testing/manifest", NULL), 0);
	s.digest.bytes[0] ^= 1;
	assert_false(simple_accepted(buf_slice(&signature), &s));
	buf_done(&s.keyring);
}

static int give_signature(void *user, const struct oci_ref *ref, const struct oci_digest *manifest,
	unsigned n, struct buf *out, struct err *reterr)
{
	static const char *const files[] = {"neg-corrupt", "image-valid"};

	if (n > ARRAY_COUNT(files))
		return -ENOENT;
	vectors_read("imgsig-simple", files[n - 1], "signature", out);
	return 0;
}

static int give_keyring(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	vectors_read("imgsig-simple", uri, "public-key.gpg", out);
	return 0;
}

/* signedBy, as an image's policy says it. */
static void test_signed_by(void **state)
{
	static const char digest[] =
		"sha256:20bf21ed457b390829cdbeec8795a7bea1626991fda603e0d01b4e7f60427e55";
	static const struct {
		const char *requirement;
		int parsed, verified;
	} cases[] = {
		{"\"keyType\":\"GPGKeys\",\"keyPath\":\"image-valid\",\"signedIdentity\":{\"type\":"
		 "\"matchRepository\"}",
			0, 0},
		{"\"keyType\":\"GPGKeys\",\"keyPaths\":[\"neg-unknown-key\",\"image-valid\"],"
		 "\"signedIdentity\":{\"type\":\"matchRepository\"}",
			0, 0},
		/* The signature names no tag, which the default wants. */
		{"\"keyType\":\"GPGKeys\",\"keyPath\":\"image-valid\"", 0, -EACCES},
		{"\"keyType\":\"X509\",\"keyPath\":\"image-valid\"", -EOPNOTSUPP, 0},
		{"\"keyPath\":\"image-valid\"", -EOPNOTSUPP, 0},
		{"\"keyType\":\"GPGKeys\"", -EBADMSG, 0},
		{"\"keyType\":\"GPGKeys\",\"keyPaths\":[]", -EBADMSG, 0},
		{"\"keyType\":\"GPGKeys\",\"keyPaths\":[1]", -EBADMSG, 0},
		{"\"keyType\":\"GPGKeys\",\"keyPaths\":[\"a\"],\"keyPath\":\"a\"", -EBADMSG, 0},
	};
	const struct oci_simple simple = {&oci_pgp_rnp, clock_unix_s(), give_signature, NULL};
	const struct oci_source source = {.simple = &simple}, bare = {0};
	const struct oci_fetcher keys = {give_keyring, NULL};
	struct oci_image image = {0};
	struct oci_ref ref;
	char json[512];

	assert_int_equal(oci_digest_parse(&image.digest, slice_str(digest)), 0);
	assert_int_equal(oci_ref_parse(&ref, "testing/manifest", NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(oci_policy_free) struct oci_policy *p = NULL;
		enum oci_verdict verdict = OCI_VERDICT_DENY;
		snprintf(json, sizeof(json), "{\"default\":[{\"type\":\"signedBy\",%s}]}",
			cases[i].requirement);
		assert_int_equal(oci_policy_parse(&p, slice_str(json), NULL), cases[i].parsed);
		if (!p)
			continue;
		int r = oci_image_verify(&image, &ref, &source, p, &keys, &verdict, NULL);
		if (r != cases[i].verified || (r == 0) != (verdict == OCI_VERDICT_ALLOW))
			fail_msg("case %zu: %d", i, r);
		/* Nobody there to read OpenPGP. */
		assert_int_equal(
			oci_image_verify(&image, &ref, &bare, p, &keys, &verdict, NULL), -EACCES);
	}
}

struct log_case {
	struct pkey *log, *key;
	struct cert *cert;
	struct buf payload, signature;
};

static bool rekor_accepted(struct slice in, void *user)
{
	const struct log_case *c = user;
	struct rekor_entry e = {0};
	bool good = rekor_set_verify(c->log, in, &e, NULL) == 0 &&
		    rekor_entry_check(&e, buf_slice(&c->payload), buf_slice(&c->signature), c->key,
			    c->cert, NULL) == 0;
	rekor_entry_done(&e);
	return good;
}

static void load_log(struct log_case *c, struct buf *set)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	*c = (struct log_case){.payload = buf_init(0), .signature = buf_init(0)};
	vectors_read("imgsig-cosign", "rekor-set", "rekor-set", set);
	vectors_read("imgsig-cosign", "rekor-set", "rekor-payload", &c->payload);
	vectors_read("imgsig-cosign", "rekor-set", "rekor-sig", &text);
	while (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	assert_int_equal(b64_decode(&c->signature, buf_slice(&text), B64_STD), 0);
	buf_clear(&text);
	vectors_read("imgsig-cosign", "rekor-set", "rekor.pub", &text);
	assert_int_equal(pkey_from_pem(buf_slice(&text), &c->log, NULL), 0);
	buf_clear(&text);
	vectors_read("imgsig-cosign", "rekor-set", "rekor-cert", &text);
	assert_int_equal(certs_from_pem(buf_slice(&text), &c->cert, 1, NULL), 1);
	assert_int_equal(cert_key(c->cert, &c->key), 0);
}

static void test_rekor(void **state)
{
	cleanup_with(buf_done) struct buf set = buf_init(0);
	struct log_case c;

	load_log(&c, &set);
	while (set.size > 0 && set.data[set.size - 1] == '\n')
		set.size--;
	no_mutant(&set, rekor_accepted, &c, 1);
	/* Another payload, signature, key, and a key where the entry has a certificate. */
	c.payload.data[5] ^= 1;
	assert_false(rekor_accepted(buf_slice(&set), &c));
	c.payload.data[5] ^= 1;
	c.signature.data[9] ^= 1;
	assert_false(rekor_accepted(buf_slice(&set), &c));
	c.signature.data[9] ^= 1;
	struct cert *cert = steal_ptr(c.cert);
	assert_false(rekor_accepted(buf_slice(&set), &c));
	c.cert = cert;
	struct pkey *log = c.log;
	c.log = c.key;
	assert_false(rekor_accepted(buf_slice(&set), &c));
	c.log = log;
	assert_true(rekor_accepted(buf_slice(&set), &c));
	pkey_free(c.log);
	pkey_free(c.key);
	cert_free(c.cert);
	buf_done(&c.payload);
	buf_done(&c.signature);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static bool sealed_accepted(struct slice in, void *user)
{
	struct sealed_secret s = {0};
	bool good = sealed_parse(in, &s, NULL) == 0 && sealed_check(&s, user, NULL) == 0;
	sealed_done(&s);
	return good;
}

/* Signs any header and payload: what is refused is refused for what it says. */
static void seal(const struct pkey *key, const char *kid, const char *payload, struct buf *out)
{
	cleanup(json_decref) json_t *header = json_object();
	if (kid)
		assert_int_equal(json_set_str(header, "kid", kid), 0);
	buf_clear(out);
	buf_put_str(out, "sealed.");
	assert_int_equal(jws_sign(key, SIG_ES256, header, slice_str(payload), out), 0);
}

#define VAULT \
	"{\"version\":\"0.1.0\",\"type\":\"vault\",\"name\":\"kbs:///a/b/c\",\"provider\":\"kbs\"}"

static void test_sealed(void **state)
{
	static const struct {
		const char *kid, *payload;
		bool good;
	} cases[] = {
		{"kbs:///default/key/1", VAULT, true},
		{"key-1.pub", VAULT, true},
		{NULL, VAULT, false},
		{"", VAULT, false},
		{"..", VAULT, false},
		{".hidden", VAULT, false},
		{"a/b", VAULT, false},
		{"/etc/passwd", VAULT, false},
		{"kbs:///a/b", VAULT, false},
		{"kbs:///a/b/c/d", VAULT, false},
		{"kbs:///a/b/c/", VAULT, false},
		{"kbs:///a/../c", VAULT, false},
		{"kbs:////b/c", VAULT, false},
		{"kbs://host/a/b/c", VAULT, false},
		{"k", "{}", false},
		{"k", "[]", false},
		{"k", "{\"version\":\"0.1.0\",\"type\":\"vault\",\"name\":\"n\"}", false},
		{"k", "{\"version\":\"0.1.0\",\"type\":\"vault\",\"provider\":\"kbs\",\"name\":\"\"}",
			false},
		{"k", "{\"version\":\"1\",\"type\":\"vault\",\"name\":\"n\",\"provider\":\"kbs\"}",
			false},
		{"k", "{\"version\":\"0.1.0\",\"type\":\"box\",\"name\":\"n\",\"provider\":\"kbs\"}",
			false},
		{"k", "{\"version\":\"0.1.0\",\"type\":\"envelope\",\"provider\":\"kbs\"}", false},
	};
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *jwk = NULL;

	assert_int_equal(pkey_generate(KEY_P256, 0, &key), 0);
	jwk = pkey_to_jwk(key);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		seal(key, cases[i].kid, cases[i].payload, &text);
		if (sealed_accepted(buf_slice(&text), jwk) != cases[i].good)
			fail_msg("case %zu", i);
	}
	seal(key, "k", VAULT, &text);
	no_mutant(&text, sealed_accepted, jwk, 1);
	/* A key for another use, or pinned to another algorithm. */
	assert_int_equal(json_set_str(jwk, "use", "enc"), 0);
	assert_false(sealed_accepted(buf_slice(&text), jwk));
	assert_int_equal(json_set_str(jwk, "use", "sig"), 0);
	assert_true(sealed_accepted(buf_slice(&text), jwk));
	assert_int_equal(json_set_str(jwk, "alg", "ES384"), 0);
	assert_false(sealed_accepted(buf_slice(&text), jwk));
}

static void test_key_sets(void **state)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *header = json_pack("{s:s}", "kid", "b"), *none = json_object(),
				    *set = json_pack("{s:[]}", "keys");
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup_with(jws_done) struct jws j = {0}, bare = {0};
	json_t *keys = json_object_get(set, "keys");

	assert_int_equal(pkey_generate(KEY_P384, 0, &key), 0);
	assert_int_equal(jws_sign(key, SIG_ES384, header, SLICE_LIT("{}"), &text), 0);
	assert_int_equal(jws_parse(buf_slice(&text), &j, NULL), 0);
	assert_int_equal(jws_check_set(&j, set, NULL), -EKEYREJECTED);
	json_t *jwk = pkey_to_jwk(key);
	assert_int_equal(json_set_str(jwk, "kid", "a"), 0);
	json_array_append_new(keys, jwk);
	assert_int_equal(jws_check_set(&j, set, NULL), -EKEYREJECTED);
	assert_int_equal(json_set_str(jwk, "kid", "b"), 0);
	assert_int_equal(jws_check_set(&j, set, NULL), 0);
	json_array_append(keys, jwk);
	assert_int_equal(jws_check_set(&j, set, NULL), -EKEYREJECTED);
	json_array_remove(keys, 1);
	assert_int_equal(jws_check_set(&j, none, NULL), -EBADMSG);
	cleanup_with(buf_done) struct buf other = buf_init(0);
	assert_int_equal(jws_sign(key, SIG_ES384, none, SLICE_LIT("{}"), &other), 0);
	assert_int_equal(jws_parse(buf_slice(&other), &bare, NULL), 0);
	assert_int_equal(jws_check_set(&bare, set, NULL), -EKEYREJECTED);
}

static void test_ear(void **state)
{
	static const char good[] =
		"{\"eat_profile\":\"p\",\"iat\":1,\"ear.verifier-id\":{\"build\":"
		"\"b\",\"developer\":\"d\"},\"submods\":{\"cpu0\":{\"ear."
		"status\":\"affirming\"}},\"exp\":100,\"nbf\":10}";
	static const struct {
		const char *name, *value; /* NULL: removed */
		int64_t now;
		int error;
	} cases[] = {
		{NULL, NULL, 50, 0},
		{NULL, NULL, 100, -ESTALE},
		{NULL, NULL, 9, -ESTALE},
		{"exp", NULL, 5000, 0},
		{"exp", "\"100\"", 50, -EBADMSG},
		{"nbf", "10.5", 10, -ESTALE},
		{"nbf", "null", 50, -EBADMSG},
		{"eat_profile", NULL, 50, -EBADMSG},
		{"iat", "\"1\"", 50, -EBADMSG},
		{"ear.verifier-id", "{\"build\":\"b\"}", 50, -EBADMSG},
		{"submods", NULL, 50, -EBADMSG},
		{"submods", "{}", 50, -EBADMSG},
		{"submods", "[]", 50, -EBADMSG},
		{"submods", "{\"cpu0\":{}}", 50, -EBADMSG},
		{"submods", "{\"cpu0\":{\"ear.status\":\"splendid\"}}", 50, -EBADMSG},
		{"submods", "{\"cpu0\":{\"ear.status\":96}}", 50, 0},
		{"submods", "{\"cpu0\":{\"ear.status\":3}}", 50, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(json_decref) json_t *claims = NULL;
		assert_int_equal(json_parse(slice_str(good), 0, &claims, NULL), 0);
		if (cases[i].name && !cases[i].value)
			json_object_del(claims, cases[i].name);
		else if (cases[i].name)
			json_object_set_new(claims, cases[i].name,
				json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		int r = ear_check(claims, cases[i].now, NULL);
		if (r != cases[i].error)
			fail_msg("case %zu: %d", i, r);
	}
}

/* --- initdata --------------------------------------------------------------------------------- */

static void test_annotation(void **state)
{
	static const char toml[] = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n";
	cleanup_with(buf_done) struct buf text = buf_init(0), again = buf_init(0),
					  out = buf_init(0);

	assert_int_equal(initdata_annotation_encode(slice_str(toml), &text, NULL), 0);
	assert_int_equal(initdata_annotation_encode(slice_str(toml), &again, NULL), 0);
	assert_true(slice_eq(buf_slice(&text), buf_slice(&again)));
	assert_int_equal(initdata_annotation_decode(buf_slice(&text), &out, NULL), 0);
	assert_true(slice_eq_str(buf_slice(&out), toml));
	for (size_t i = 0; i < text.size; i++) {
		buf_clear(&out);
		/* Padding may be left out; all else belongs to it. */
		if (text.data[i] != '=')
			assert_int_equal(initdata_annotation_decode(
						 slice_cut(buf_slice(&text), 0, i), &out, NULL),
				-EBADMSG);
		assert_int_equal(out.size, 0);
	}
	/* A bomb: megabytes from kilobytes. */
	cleanup_with(buf_done) struct buf big = buf_init(0), packed = buf_init(0);
	buf_put_zero(&big, INITDATA_SIZE_MAX);
	assert_int_equal(initdata_annotation_encode(buf_slice(&big), &packed, NULL), 0);
	buf_clear(&out);
	assert_int_equal(initdata_annotation_decode(buf_slice(&packed), &out, NULL), 0);
	buf_put_u8(&big, 0);
	assert_int_equal(initdata_annotation_encode(buf_slice(&big), &packed, NULL), -E2BIG);
	/* Two members, which gzip allows, are not one annotation. */
	cleanup_with(buf_done) struct buf raw = buf_init(0), twice = buf_init(0);
	assert_int_equal(b64_decode(&raw, buf_slice(&text), B64_STD), 0);
	assert_int_equal(b64_decode(&raw, buf_slice(&text), B64_STD), 0);
	b64_encode(&twice, buf_slice(&raw), B64_STD);
	assert_int_equal(initdata_annotation_decode(buf_slice(&twice), &out, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pkcs7),
		cmocka_unit_test(test_pkcs7_table),
		cmocka_unit_test(test_pgp_packet),
		cmocka_unit_test(test_simple_signing),
		cmocka_unit_test(test_signed_by),
		cmocka_unit_test(test_rekor),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_key_sets),
		cmocka_unit_test(test_ear),
		cmocka_unit_test(test_annotation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
