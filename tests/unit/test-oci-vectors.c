/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and encrypted images of others: the shared vectors, each with its verdict and reason.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/cosign.h"
#include "oci/hash.h"
#include "oci/image.h"
#include "oci/layer.h"
#include "vectors.h"

static void load(const char *dir, const char *name, struct buf *out)
{
	char path[1024];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_clear(out);
	if (file_read(path, 1 << 20, out, &err) < 0)
		fail_msg("%s", err.text);
}

static const char *text_of(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static json_t *load_expected(const char *dir)
{
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	struct err err = {0};
	json_t *doc = NULL;

	load(dir, "expected.json", &text);
	if (oci_json_parse(&doc, buf_slice(&text), "expected", &err) < 0)
		fail_msg("%s: %s", dir, err.text);
	return doc;
}

static void for_each_case(const char *kind, void (*check)(const char *dir))
{
	char path[800], sub[1100];
	int count = 0;

	snprintf(path, sizeof(path), "%s/%s", vectors_dir(), kind);
	DIR *d = opendir(path);
	if (!d)
		fail_msg("%s is missing", path);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		snprintf(sub, sizeof(sub), "%s/%s/expected.json", path, e->d_name);
		if (e->d_name[0] == '.' || access(sub, F_OK) < 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		check(sub);
		count++;
	}
	closedir(d);
	assert_true(count > 3);
}

/* --- cosign ----------------------------------------------------------------------------------- */

struct signed_image {
	struct pkey *key;
	struct buf payload, signature; /* the signature in base64 */
	struct oci_digest digest;
	struct oci_ref ref;
};

static void signed_image_done(struct signed_image *s)
{
	pkey_free(s->key);
	buf_done(&s->payload);
	buf_done(&s->signature);
}

/* The signature file: a NUL and a format's name, then JSON with payload and annotation. */
static void load_signature(struct signed_image *s, const char *dir)
{
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	struct err err = {0};
	json_t *doc;

	load(dir, "signature", &text);
	struct slice json = buf_slice(&text);
	while (json.size && json.data[0] != '{')
		json = slice_cut(json, 1, SIZE_MAX);
	assert_int_equal(oci_json_parse(&doc, json, "signature", &err), 0);
	assert_int_equal(b64_decode(&s->payload, slice_str(text_of(doc, "payload")), B64_STD), 0);
	buf_put_str(&s->signature, text_of(json_object_get(doc, "annotations"), COSIGN_ANNOTATION));
	json_decref(doc);
}

static void load_signed(struct signed_image *s, const char *dir, json_t *expected)
{
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	struct err err = {0};

	s->payload = buf_init(1 << 20);
	s->signature = buf_init(1 << 20);
	load(dir, text_of(json_object_get(expected, "files"), "public_key"), &text);
	assert_int_equal(pkey_from_pem(buf_slice(&text), &s->key, &err), 0);
	load(dir, "manifest.json", &text);
	assert_int_equal(oci_digest_of(&s->digest, OCI_DIGEST_SHA256, buf_slice(&text)), 0);
	assert_int_equal(oci_ref_parse(&s->ref, text_of(expected, "expected_reference"), &err), 0);
	load_signature(s, dir);
}

static int verify_signed(const struct signed_image *s, struct err *err)
{
	struct oci_identity id = {0};

	return cosign_verify(s->key, buf_slice(&s->payload), buf_slice(&s->signature), &s->digest,
		&s->ref, &id, err);
}

/* No byte of a signed payload can change, none can be missing. */
static void spoil_payload(struct signed_image *s)
{
	size_t size = s->payload.size;

	for (size_t n = 0; n < size; n++) {
		s->payload.data[n] ^= 1;
		assert_int_equal(verify_signed(s, NULL), -EKEYREJECTED);
		s->payload.data[n] ^= 1;
		s->payload.size = n;
		assert_int_equal(verify_signed(s, NULL), -EKEYREJECTED);
		s->payload.size = size;
	}
}

/* Base64 with broken lines, as tools other than cosign write it. */
static int verify_wrapped(struct signed_image *s)
{
	cleanup_with(buf_done) struct buf old = s->signature;

	s->signature = buf_init(1 << 20);
	for (size_t i = 0; i < old.size; i++) {
		buf_put_u8(&s->signature, old.data[i]);
		if (i % 76 == 75)
			buf_put_u8(&s->signature, '\n');
	}
	buf_put_u8(&s->signature, '\n');
	return verify_signed(s, NULL);
}

static void check_cosign_case(const char *dir)
{
	cleanup_with(signed_image_done) struct signed_image s = {0};
	json_t *expected = load_expected(dir);
	struct err err = {0};

	/* The others have no key: Fulcio certificates and Rekor entries, see test_sigstore_policies. */
	if (json_object_get(json_object_get(expected, "files"), "public_key")) {
		const char *reason = text_of(expected, "reason");
		bool good = streq(text_of(expected, "verdict"), "valid");
		int want = good ? 0 : str_starts(reason, "signature") ? -EKEYREJECTED : -EACCES;
		load_signed(&s, dir, expected);
		int r = verify_signed(&s, &err);
		if (r != want)
			fail_msg("%s: %d (%s), expected %d: %s", dir, r, err.text, want, reason);
		if (good) {
			spoil_payload(&s);
			assert_int_equal(verify_wrapped(&s), 0);
		}
	}
	json_decref(expected);
}

/* What husk cannot check must not be passed over: such a policy is invalid as a whole. */
static void test_sigstore_members(void **state)
{
#define FULCIO "\"fulcio\":{\"caPath\":\"/f\",\"oidcIssuer\":\"i\",\"subjectEmail\":\"a@b\"}"
#define REKOR "\"rekorPublicKeyPath\":\"/r\""
	static const struct {
		const char *members;
		int want;
	} cases[] = {
		{FULCIO "," REKOR, 0},
		{FULCIO ",\"rekorPublicKeyData\":\"YQ==\"", 0},
		{"\"keyPath\":\"/k\"," REKOR, 0},
		{"\"keyPath\":\"/k\",\"rekorPublicKeyData\":\"YQ==\"", 0},
		/* nobody, or more than one signer */
		{REKOR, -EBADMSG},
		{"\"keyPath\":\"/k\"," FULCIO "," REKOR, -EBADMSG},
		/* a certificate without the log's time, or of anybody */
		{FULCIO, -EBADMSG},
		{"\"fulcio\":{\"caPath\":\"/f\",\"subjectEmail\":\"a@b\"}," REKOR, -EBADMSG},
		{"\"fulcio\":{\"caPath\":\"/f\",\"oidcIssuer\":\"i\"}," REKOR, -EBADMSG},
		{"\"fulcio\":{\"oidcIssuer\":\"i\",\"subjectEmail\":\"a@b\"}," REKOR, -EBADMSG},
		{"\"fulcio\":{\"caPath\":\"/f\",\"caData\":\"YQ==\",\"oidcIssuer\":\"i\","
		 "\"subjectEmail\":\"a@b\"}," REKOR,
			-EBADMSG},
		{"\"fulcio\":[]," REKOR, -EBADMSG},
		{"\"fulcio\":{\"caPath\":1,\"oidcIssuer\":\"i\",\"subjectEmail\":\"a@b\"}," REKOR,
			-EBADMSG},
		{"\"keyPath\":\"/k\"," REKOR ",\"rekorPublicKeyData\":\"YQ==\"", -EBADMSG},
		{"\"keyPath\":\"/k\",\"rekorPublicKeyData\":\"*\"", -EBADMSG},
		{"\"keyPath\":\"/k\",\"rekorPublicKeyPath\":7", -EBADMSG},
		{"\"keyPath\":\"/k\",\"rekorPublicKeyPaths\":[\"/r\"]", -EBADMSG},
		{"\"keyPaths\":[\"/k\"]", -EBADMSG},
		{"\"pki\":{\"caRootsPath\":\"/c\"}", -EBADMSG},
	};
	char json[400];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(oci_policy_free) struct oci_policy *p = NULL;
		snprintf(json, sizeof(json), "{\"default\":[{\"type\":\"sigstoreSigned\",%s}]}",
			cases[i].members);
		int r = oci_policy_parse(&p, slice_str(json), NULL);
		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].members, r);
	}
#undef FULCIO
#undef REKOR
}

/* A registry that holds the signature image of a case, and nothing else. */
struct one_signature {
	struct buf payload;
	json_t *annotations;
};

static int signature_manifest(void *user, const char *name, struct buf *out, struct err *reterr)
{
	struct one_signature *s = user;
	char digest[OCI_DIGEST_TEXT_SIZE];
	struct oci_digest d;

	assert_int_equal(oci_digest_of(&d, OCI_DIGEST_SHA256, buf_slice(&s->payload)), 0);
	oci_digest_text(&d, digest);
	json_t *doc = json_pack("{s:i, s:s, s:{s:s, s:s, s:i}, s:[{s:s, s:s, s:I, s:O}]}",
		"schemaVersion", 2, "mediaType", "application/vnd.oci.image.manifest.v1+json",
		"config", "mediaType", "application/vnd.oci.image.config.v1+json", "digest", digest,
		"size", (int)s->payload.size, "layers", "mediaType", COSIGN_TYPE_PAYLOAD, "digest",
		digest, "size", (json_int_t)s->payload.size, "annotations", s->annotations);
	assert_non_null(doc);
	char *text = json_dumps(doc, 0);
	buf_put_str(out, text);
	free(text);
	json_decref(doc);
	return 0;
}

static int signature_blob(void *user, const struct oci_descriptor *d,
	int (*sink)(void *sink_user, struct slice piece, struct err *reterr), void *sink_user,
	struct err *reterr)
{
	struct one_signature *s = user;
	return sink(sink_user, buf_slice(&s->payload), reterr);
}

static int key_file(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	load(user, uri, out);
	return 0;
}

/* Verifies a case with a policy of sigstoreSigned with @members, as a guest does. */
static int verify_policy(const char *name, const char *members, struct err *err)
{
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	cleanup(oci_policy_free) struct oci_policy *policy = NULL;
	struct one_signature one = {buf_init(1 << 20), NULL};
	enum oci_verdict verdict = OCI_VERDICT_DENY;
	struct oci_image image = {0};
	struct oci_ref ref;
	char dir[800], policy_json[1000];
	json_t *doc;

	snprintf(dir, sizeof(dir), "%s/imgsig-cosign/%s", vectors_dir(), name);
	json_t *expected = load_expected(dir);
	load(dir, "signature", &text);
	struct slice json = buf_slice(&text);
	while (json.size && json.data[0] != '{')
		json = slice_cut(json, 1, SIZE_MAX);
	assert_int_equal(oci_json_parse(&doc, json, "signature", err), 0);
	assert_int_equal(b64_decode(&one.payload, slice_str(text_of(doc, "payload")), B64_STD), 0);
	one.annotations = json_object_get(doc, "annotations");
	load(dir, "manifest.json", &text);
	assert_int_equal(oci_digest_of(&image.digest, OCI_DIGEST_SHA256, buf_slice(&text)), 0);
	assert_int_equal(oci_ref_parse(&ref, text_of(expected, "expected_reference"), err), 0);
	snprintf(policy_json, sizeof(policy_json),
		"{\"default\":[{\"type\":\"sigstoreSigned\",%s}]}", members);
	assert_int_equal(oci_policy_parse(&policy, slice_str(policy_json), err), 0);

	const struct oci_source source = {signature_manifest, signature_blob, &one, NULL};
	const struct oci_fetcher keys = {key_file, dir, NULL};
	int r = oci_image_verify(&image, &ref, &source, policy, &keys, &verdict, err);
	assert_int_equal(verdict, r == 0 ? OCI_VERDICT_ALLOW : OCI_VERDICT_DENY);
	json_decref(doc);
	json_decref(expected);
	buf_done(&one.payload);
	return r;
}

/* Certificates of Fulcio and entries of Rekor, when the policy asks for them. */
static void test_sigstore_policies(void **state)
{
#define FULCIO(ca, issuer, subject)                                  \
	"\"fulcio\":{\"caPath\":\"" ca "\",\"oidcIssuer\":\"" issuer \
	"\",\"subjectEmail\":\"" subject "\"}"
#define GITHUB "https://github.com/login/oauth"
#define REKOR ",\"rekorPublicKeyPath\":\"rekor.pub\""
#define OTHER_REKOR ",\"rekorPublicKeyPath\":\"../synth-p256-v/cosign.pub\""
#define KEY "\"keyPath\":\"cosign.pub\""
	static const struct {
		const char *name, *members;
		bool good;
	} cases[] = {
		{"fulcio-rekor-valid", FULCIO("fulcio_v1.crt.pem", GITHUB, "mitr@redhat.com") REKOR,
			true},
		{"fulcio-rekor-valid",
			FULCIO("fulcio_v1.crt.pem", GITHUB, "other@redhat.com") REKOR, false},
		{"fulcio-rekor-valid",
			FULCIO("fulcio_v1.crt.pem", "https://example.com", "mitr@redhat.com") REKOR,
			false},
		{"fulcio-rekor-valid",
			FULCIO("fulcio_v1.crt.pem", GITHUB, "mitr@redhat.com") OTHER_REKOR, false},
		{"fulcio-rekor-valid", FULCIO("rekor.pub", GITHUB, "mitr@redhat.com") REKOR, false},
		{"fulcio-rekor-valid", "\"keyPath\":\"../valid/cosign.pub\"", false},
		{"key-rekor-valid", KEY, true},
		{"key-rekor-valid", KEY REKOR, true},
		{"key-rekor-valid", KEY OTHER_REKOR, false},
		/* a certificate is wanted, and there is a key only */
		{"key-rekor-valid",
			FULCIO("../fulcio-rekor-valid/fulcio_v1.crt.pem", GITHUB, "mitr@redhat.com")
				REKOR,
			false},
		/* the signature is good, but was never in the log */
		{"valid", KEY, true},
		{"valid", KEY ",\"rekorPublicKeyPath\":\"../key-rekor-valid/rekor.pub\"", false},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct err err = {0};
		int r = verify_policy(cases[i].name, cases[i].members, &err);
		if ((r == 0) != cases[i].good)
			fail_msg("%s with %s: %d (%s)", cases[i].name, cases[i].members, r,
				err.text);
	}
#undef FULCIO
#undef REKOR
}

/* --- simple signing (OpenPGP) ----------------------------------------------------------------- */

static int no_key(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	fail_msg("a key was asked for");
	return -ENOENT;
}

/* OpenPGP is not verified by this build: good or bad, such an image is refused, with words. */
static void check_simple_case(const char *dir)
{
	static const char json[] = "{\"default\":[{\"type\":\"signedBy\",\"keyType\":"
				   "\"GPGKeys\",\"keyPath\":\"/k\"}]}";
	cleanup(oci_policy_free) struct oci_policy *policy = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	struct oci_fetcher keys = {no_key, NULL};
	enum oci_verdict verdict = OCI_VERDICT_ALLOW;
	struct oci_image image = {0};
	struct oci_source none = {0};
	struct err err = {0};
	struct oci_ref ref;
	json_t *expected = load_expected(dir);

	if (json_object_get(json_object_get(expected, "files"), "manifest")) {
		load(dir, "manifest.json", &text);
		assert_int_equal(
			oci_digest_of(&image.digest, OCI_DIGEST_SHA256, buf_slice(&text)), 0);
		const char *name = text_of(expected, "expected_reference");
		assert_int_equal(oci_ref_parse(&ref, *name ? name : "testing/x", &err), 0);
		assert_int_equal(oci_policy_parse(&policy, slice_str(json), &err), 0);
		assert_int_equal(
			oci_image_verify(&image, &ref, &none, policy, &keys, &verdict, &err),
			-EACCES);
		assert_int_equal(verdict, OCI_VERDICT_DENY);
		assert_non_null(strstr(err.text, "GPG"));
	}
	json_decref(expected);
}

static void test_policy_files(void **state)
{
	static const struct {
		const char *file;
		int want;
	} cases[] = {
		{"containers-image-policy.json", -EOPNOTSUPP}, /* signedBaseLayer */
		{"image-rs-policy.json", 0},
		{"image-rs-security_policy.json", 0},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup(oci_policy_free) struct oci_policy *p = NULL;
		cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
		struct err err = {0};
		vectors_read("imgsig-simple", "policy-files", cases[i].file, &text);
		int r = oci_policy_parse(&p, buf_slice(&text), &err);
		if (r != cases[i].want)
			fail_msg("%s: %d (%s)", cases[i].file, r, err.text);
	}
}

/* --- ocicrypt --------------------------------------------------------------------------------- */

static int kek_file(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	assert_true(str_starts(uri, "kbs:///"));
	return file_read(user, 4096, out, reterr);
}

static int unpack_case(const char *dir, const char *kek, struct err *err)
{
	char tmp[] = "/tmp/husk-ocicrypt-XXXXXX", path[1200];
	cleanup(oci_layout_free) struct oci_layout *l = NULL;
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct oci_descriptor d;
	struct oci_fetcher keks = {kek_file, path};
	struct unpack_options opt = {.no_owner = true};

	assert_non_null(mkdtemp(tmp));
	snprintf(path, sizeof(path), "%s/image.tar", dir);
	int r = oci_archive_unpack(path, tmp, err);
	if (r == 0)
		r = oci_layout_open(&l, tmp, false, err);
	if (r == 0)
		r = oci_layout_find(l, NULL, &d, err);
	assert_int_equal(r, 0);
	struct oci_source s = oci_layout_source(l);
	r = oci_image_from_digest(&image, &s, &d.digest, "amd64", err);
	snprintf(path, sizeof(path), "%s/%s", dir, kek ? kek : "none");
	cleanup_fd int out = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(out, "root", 0755), 0);
	cleanup_fd int root = openat(out, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = oci_image_unpack(&image, &s, &keks, root, &opt, NULL, NULL, err);
	assert_int_equal(path_remove_tree(AT_FDCWD, tmp), 0);
	return r;
}

/* Unpacks the image of a case with the guest's code. */
static void check_image(const char *dir, json_t *expected)
{
	const char *kek =
		json_string_value(json_object_get(json_object_get(expected, "files"), "kek"));
	bool good = streq(text_of(expected, "verdict"), "valid");
	struct err err = {0};
	int want = good ? 0 : -EKEYREJECTED;

	/* Without a KEK the recipients are JWE, PKCS#7 or PGP: refused, never passed. */
	if (!kek)
		want = -ENOKEY;
	int r = unpack_case(dir, kek, &err);
	if (r != want)
		fail_msg("%s: %d (%s), expected %d", dir, r, err.text, want);
}

static int drop(void *user, struct slice piece, struct err *reterr)
{
	return 0;
}

static int run_blob(struct oci_layout *l, json_t *layer, const struct ocicrypt_key *key)
{
	cleanup(layer_free) struct layer *pipe = NULL;
	cleanup_with(buf_done) struct buf blob = buf_init(1 << 24);
	struct layer_options opt = {.compression = OCI_COMPRESSION_GZIP,
		.key = key,
		.sink = drop,
		.plain_max = 1 << 24};
	char path[1100], digest[OCI_DIGEST_TEXT_SIZE];

	assert_int_equal(
		oci_digest_parse(&opt.blob.digest, slice_str(text_of(layer, "digest"))), 0);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", oci_layout_path(l),
		oci_digest_hex(&opt.blob.digest, digest));
	assert_int_equal(file_read(path, 1 << 24, &blob, NULL), 0);
	opt.blob.size = blob.size;
	assert_int_equal(layer_new(&pipe, &opt, NULL), 0);
	int r = layer_feed(pipe, buf_slice(&blob), NULL);
	return r < 0 ? r : layer_finish(pipe, NULL);
}

static struct slice dump(json_t *o, char **ret)
{
	*ret = json_dumps(o, JSON_COMPACT);
	assert_non_null(*ret);
	return slice_str(*ret);
}

/* The cipher apart from the key's wrapping: the vectors tell the unwrapped options. */
static void check_layer(struct oci_layout *l, json_t *layer, const char *dir)
{
	cleanup_with(ocicrypt_key_done) struct ocicrypt_key key = {0};
	cleanup(free_ptr) char *pub = NULL, *priv = NULL;
	bool blob_ok = json_is_true(json_object_get(layer, "blob_digest_ok"));
	bool hmac_ok = json_is_true(json_object_get(layer, "hmac_ok"));

	if (!json_object_get(layer, "privopts"))
		return;
	assert_int_equal(
		ocicrypt_key_from_options(&key, dump(json_object_get(layer, "pubopts"), &pub),
			dump(json_object_get(layer, "privopts"), &priv), NULL),
		0);
	int r = run_blob(l, layer, &key);
	/* A flipped bit may break the compressed data before the digest is reached. */
	bool held = blob_ok && hmac_ok ? r == 0
		    : blob_ok	       ? r == -EKEYREJECTED || r == -EBADMSG
				       : r == -EBADMSG;
	if (!held)
		fail_msg("%s: layer %s: %d", dir, text_of(layer, "digest"), r);
}

static void check_layers(const char *dir, json_t *expected)
{
	char tmp[] = "/tmp/husk-ocicrypt-XXXXXX", path[1200];
	cleanup(oci_layout_free) struct oci_layout *l = NULL;
	json_t *layer;
	size_t i;

	assert_non_null(mkdtemp(tmp));
	snprintf(path, sizeof(path), "%s/image.tar", dir);
	assert_int_equal(oci_archive_unpack(path, tmp, NULL), 0);
	assert_int_equal(oci_layout_open(&l, tmp, false, NULL), 0);
	json_array_foreach (json_object_get(expected, "layers"), i, layer)
		check_layer(l, layer, dir);
	assert_int_equal(path_remove_tree(AT_FDCWD, tmp), 0);
}

static void check_packet(const char *dir, const char *file)
{
	cleanup_with(buf_done) struct buf text = buf_init(1 << 20);
	struct ocicrypt_packet p = {0};
	struct err err = {0};

	load(dir, file, &text);
	assert_int_equal(ocicrypt_packet_parse(&p, buf_slice(&text), &err), 0);
	assert_string_equal(p.provider, "kbs");
	assert_int_equal(p.wrap, OCICRYPT_WRAP_A256GCM);
	ocicrypt_packet_done(&p);
	for (size_t n = 0; n < text.size; n++)
		assert_true(ocicrypt_packet_parse(&p, slice_of(text.data, n), NULL) < 0);
}

static void check_ocicrypt_case(const char *dir)
{
	json_t *expected = load_expected(dir);
	json_t *files = json_object_get(expected, "files");

	if (json_object_get(files, "image_oci_layout_tar")) {
		check_image(dir, expected);
		check_layers(dir, expected);
	}
	if (json_object_get(files, "packet"))
		check_packet(dir, text_of(files, "packet"));
	json_decref(expected);
}

static void test_cosign_vectors(void **state)
{
	for_each_case("imgsig-cosign", check_cosign_case);
}

static void test_simple_vectors(void **state)
{
	for_each_case("imgsig-simple", check_simple_case);
}

static void test_ocicrypt_vectors(void **state)
{
	for_each_case("ocicrypt", check_ocicrypt_case);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cosign_vectors),
		cmocka_unit_test(test_sigstore_members),
		cmocka_unit_test(test_sigstore_policies),
		cmocka_unit_test(test_simple_vectors),
		cmocka_unit_test(test_policy_files),
		cmocka_unit_test(test_ocicrypt_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
