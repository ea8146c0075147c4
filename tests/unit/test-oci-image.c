/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, policies and the layer pipeline: tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/str.h"
#include "oci/hash.h"
#include "oci/image.h"
#include "oci/layer.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "\"digest\":\"sha256:" HEX64 "\""
#define CONFIG                                                                           \
	"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\"," DIGEST \
	",\"size\":2}"
#define HEAD "{\"schemaVersion\":2,"

static void test_manifest_table(void **state)
{
	static const struct {
		const char *json;
		int want;
	} cases[] = {
		{HEAD CONFIG ",\"layers\":[]}", 0},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\"," DIGEST ",\"size\":0}]}", 0},
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EOPNOTSUPP},
		{"{\"schemaVersion\":1," CONFIG ",\"layers\":[]}", -EOPNOTSUPP},
		{"{\"schemaVersion\":\"2\"," CONFIG ",\"layers\":[]}", -EOPNOTSUPP},
		{HEAD CONFIG "}", -EBADMSG},
		{HEAD "\"layers\":[]}", -EBADMSG},
		{HEAD CONFIG "," CONFIG ",\"layers\":[]}", -EBADMSG}, /* duplicate member */
		{HEAD CONFIG ",\"layers\":[]} x", -EBADMSG},
		{HEAD CONFIG ",\"layers\":[],\"manifests\":[]}", -EBADMSG}, /* both kinds */
		{HEAD CONFIG ",\"mediaType\":\"application/x\",\"layers\":[]}", -EOPNOTSUPP},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\"," DIGEST ",\"size\":-1}]}",
			-EBADMSG},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\"," DIGEST
			     ",\"size\":9000000000000000000}]}",
			-E2BIG},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\"," DIGEST ",\"size\":1.0}]}",
			-EBADMSG},
		{HEAD CONFIG
			",\"layers\":[{\"mediaType\":\"x\",\"digest\":\"sha256:00\",\"size\":1}]}",
			-EBADMSG},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\\u0000y\"," DIGEST ",\"size\":1}]}",
			-EBADMSG},
		{HEAD CONFIG ",\"layers\":[{\"mediaType\":\"x\"," DIGEST
			     ",\"size\":1,\"annotations\":{\"a\":1}}]}",
			-EBADMSG},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct oci_manifest m = {0};
		struct err err = {0};
		int r = oci_manifest_parse(&m, slice_str(cases[i].json), &err);
		if (r != cases[i].want)
			fail_msg("%s: %d (%s)", cases[i].json, r, err.text);
		if (r == 0)
			oci_manifest_done(&m);
	}
}

static void test_manifest_limits(void **state)
{
	cleanup_with(buf_done) struct buf b = buf_init(0);
	struct oci_manifest m;

	buf_put_str(&b, HEAD CONFIG ",\"layers\":[");
	for (unsigned i = 0; i <= OCI_LAYER_COUNT_MAX; i++)
		buf_printf(&b, "%s{\"mediaType\":\"x\"," DIGEST ",\"size\":1}", i ? "," : "");
	buf_put_str(&b, "]}");
	assert_int_equal(oci_manifest_parse(&m, buf_slice(&b), NULL), -E2BIG);
	buf_clear(&b);
	for (unsigned i = 0; i < 100000; i++)
		buf_put_u8(&b, '[');
	assert_int_equal(oci_manifest_parse(&m, buf_slice(&b), NULL), -E2BIG);
	buf_clear(&b);
	buf_put_zero(&b, OCI_DOCUMENT_MAX + 1);
	assert_int_equal(oci_manifest_parse(&m, buf_slice(&b), NULL), -E2BIG);
}

static void test_layer_types(void **state)
{
	static const struct {
		const char *type;
		enum oci_compression compression;
		bool encrypted;
	} good[] = {
		{"application/vnd.oci.image.layer.v1.tar", OCI_COMPRESSION_NONE, false},
		{"application/vnd.oci.image.layer.v1.tar+gzip", OCI_COMPRESSION_GZIP, false},
		{"application/vnd.oci.image.layer.v1.tar+zstd+encrypted", OCI_COMPRESSION_ZSTD,
			true},
		{"application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_COMPRESSION_GZIP, false},
		{"application/vnd.docker.image.rootfs.diff.tar", OCI_COMPRESSION_NONE, false},
	};
	static const char *const bad[] = {"", "application/json", "+encrypted",
		"application/vnd.oci.image.layer.v1.tar+bzip2",
		"application/vnd.oci.image.layer.v1.tar+gzip+zstd",
		"application/vnd.oci.image.layer.v1.tar+encrypted+gzip",
		"application/vnd.in-toto+json"};
	enum oci_compression c;
	bool e;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_int_equal(oci_layer_type(good[i].type, &c, &e), 0);
		assert_int_equal(c, good[i].compression);
		assert_int_equal(e, good[i].encrypted);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(oci_layer_type(bad[i], &c, &e), -EOPNOTSUPP);
}

/* --- policy ----------------------------------------------------------------------------------- */

static int policy_for(const char *json, const char *image, const char **ret_scope)
{
	cleanup(oci_policy_free) struct oci_policy *p = NULL;
	const struct oci_requirement *list;
	static char scope[256];
	struct oci_ref ref;

	int r = oci_policy_parse(&p, slice_str(json), NULL);
	if (r < 0)
		return r;
	assert_int_equal(oci_ref_parse(&ref, image, NULL), 0);
	const char *found;
	r = oci_policy_find(p, &ref, &list, &found, NULL);
	assert_int_equal(str_copy(scope, sizeof(scope), found), 0);
	*ret_scope = scope;
	return r < 0 ? r : (int)list[0].type;
}

static void test_policy_scopes(void **state)
{
#define ANY "[{\"type\":\"insecureAcceptAnything\"}]"
	static const char json[] =
		"{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{"
		"\"r.example.com/a/b:t\":" ANY ",\"r.example.com/a/b\":" ANY
		",\"r.example.com/a\":" ANY ",\"r.example.com:5000\":" ANY ",\"*.example.com\":" ANY
		",\"*.com\":" ANY ",\"empty.org\":[]}}}";
	static const struct {
		const char *image, *scope;
		int want;
	} cases[] = {
		{"r.example.com/a/b:t", "r.example.com/a/b:t", OCI_REQUIRE_NOTHING},
		{"r.example.com/a/b:u", "r.example.com/a/b", OCI_REQUIRE_NOTHING},
		{"r.example.com/a/bb:t", "r.example.com/a", OCI_REQUIRE_NOTHING},
		{"r.example.com/aa", "*.example.com", OCI_REQUIRE_NOTHING},
		{"r.example.com:5000/aa", "r.example.com:5000", OCI_REQUIRE_NOTHING},
		{"r.example.com:5001/aa", "*.example.com", OCI_REQUIRE_NOTHING},
		{"example.com/aa", "*.com", OCI_REQUIRE_NOTHING},
		{"evil-example.org/r.example.com/a/b:t", "default", OCI_REQUIRE_REJECT},
		{"busybox", "default", OCI_REQUIRE_REJECT},
		{"empty.org/a", "empty.org", -EACCES}, /* an empty list refuses */
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *scope = "";
		assert_int_equal(policy_for(json, cases[i].image, &scope), cases[i].want);
		assert_string_equal(scope, cases[i].scope);
	}
}

static void test_policy_bad(void **state)
{
	static const struct {
		const char *json;
		int want;
	} cases[] = {
		{"{}", -EBADMSG}, {"{\"default\":{}}", -EBADMSG},
		{"{\"default\":[{}]}", -EOPNOTSUPP},
		{"{\"default\":[{\"type\":\"acceptMaybe\"}]}", -EOPNOTSUPP},
		{"{\"default\":[{\"type\":\"reject\",\"x\":1}]}", -EBADMSG},
		{"{\"default\":[],\"default\":[]}", -EBADMSG},
		{"{\"default\":[],\"other\":1}", -EBADMSG},
		{"{\"default\":[{\"type\":\"sigstoreSigned\"}]}", -EBADMSG},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"a\",\"keyData\":\"YQ=="
		 "\"}]}",
			-EBADMSG},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"***\"}]}", -EBADMSG},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"a\",\"signedIdentity\":"
		 "{\"type\":\"x\"}}]}",
			-EOPNOTSUPP},
		{"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":\"a\",\"signedIdentity\":"
		 "{\"type\":\"exactReference\"}}]}",
			-EBADMSG},
		{"{\"default\":[{\"type\":\"reject\"}],\"transports\":{\"docker\":{\"a\":["
		 "{\"type\":\"x\"}]}}}",
			-EOPNOTSUPP}, /* in a scope that is not even used */
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *scope;
		int r = policy_for(cases[i].json, "busybox", &scope);
		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].json, r);
	}
}

static void test_identity(void **state)
{
	static const struct {
		enum oci_identity_type type;
		const char *value, *prefix, *image, *signed_ref;
		bool want;
	} cases[] = {
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a:t", "r.io/a", true},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a:t", "r.io/a:t", true},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a:t", "r.io/a:u", false},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a:t", "r.io/b", false},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a:t", "s.io/a", false},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io/a@sha256:" HEX64, "r.io/a:u", true},
		{OCI_IDENTITY_REPOSITORY_OR_EXACT, 0, 0, "r.io:5000/a:t", "r.io:5000/a", true},
		{OCI_IDENTITY_EXACT, 0, 0, "r.io/a:t", "r.io/a:t", true},
		{OCI_IDENTITY_EXACT, 0, 0, "r.io/a:latest", "r.io/a", false},
		{OCI_IDENTITY_EXACT, 0, 0, "r.io/a@sha256:" HEX64, "r.io/a:t", false},
		{OCI_IDENTITY_REPO_DIGEST_OR_EXACT, 0, 0, "r.io/a:t", "r.io/a", false},
		{OCI_IDENTITY_REPO_DIGEST_OR_EXACT, 0, 0, "r.io/a@sha256:" HEX64, "r.io/a:t", true},
		{OCI_IDENTITY_REPOSITORY, 0, 0, "r.io/a:t", "r.io/a:u", true},
		{OCI_IDENTITY_REPOSITORY, 0, 0, "r.io/a:t", "r.io/b:t", false},
		{OCI_IDENTITY_EXACT_REFERENCE, "v.io/x:1", 0, "r.io/a:t", "v.io/x:1", true},
		{OCI_IDENTITY_EXACT_REFERENCE, "v.io/x:1", 0, "r.io/a:t", "v.io/x:2", false},
		{OCI_IDENTITY_EXACT_REPOSITORY, "v.io/x", 0, "r.io/a:t", "v.io/x:2", true},
		{OCI_IDENTITY_REMAP, "m.io/v", "v.io", "m.io/v/a:t", "v.io/a:t", true},
		{OCI_IDENTITY_REMAP, "m.io/v", "v.io", "m.io/vv/a:t", "v.iov/a:t", false},
		{OCI_IDENTITY_REMAP, "m.io/v", "v.io", "r.io/a:t", "r.io/a:t", true},
		{OCI_IDENTITY_REPOSITORY, 0, 0, "r.io/a:t", "not a reference", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct oci_identity id = {cases[i].type, cases[i].value, cases[i].prefix};
		struct oci_ref ref;
		assert_int_equal(oci_ref_parse(&ref, cases[i].image, NULL), 0);
		if (oci_identity_matches(&id, &ref, cases[i].signed_ref) != cases[i].want)
			fail_msg("case %zu: %s for %s", i, cases[i].signed_ref, cases[i].image);
	}
}

/* --- the pipeline ----------------------------------------------------------------------------- */

static int collect(void *user, struct slice piece, struct err *reterr)
{
	buf_put_slice(user, piece);
	return buf_error(user);
}

static void gzip_append(struct buf *out, struct slice plain)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	uint8_t *dst = buf_reserve(out, plain.size + 1000);
	z.next_in = (Bytef *)(uintptr_t)plain.data;
	z.avail_in = (uInt)plain.size;
	z.next_out = dst;
	z.avail_out = (uInt)(plain.size + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, z.total_out);
	deflateEnd(&z);
}

static void zstd_append(struct buf *out, struct slice plain)
{
	size_t room = ZSTD_compressBound(plain.size);
	uint8_t *dst = buf_reserve(out, room);
	size_t n = ZSTD_compress(dst, room, plain.data, plain.size, 3);

	assert_false(ZSTD_isError(n));
	buf_commit(out, n);
}

/* Runs @blob through a pipeline in pieces of @step. @plain: the expected result, or NULL. */
static int run(struct slice blob, enum oci_compression c, const struct ocicrypt_key *key,
	struct slice plain, size_t step, uint64_t max, struct buf *out)
{
	cleanup(layer_free) struct layer *l = NULL;
	struct oci_digest diff_id;
	struct layer_options opt = {.compression = c,
		.key = key,
		.diff_id = &diff_id,
		.plain_max = max,
		.sink = collect,
		.user = out,
		.blob = {.size = blob.size}};

	buf_clear(out);
	assert_int_equal(oci_digest_of(&opt.blob.digest, OCI_DIGEST_SHA256, blob), 0);
	assert_int_equal(oci_digest_of(&diff_id, OCI_DIGEST_SHA256, plain), 0);
	assert_int_equal(layer_new(&l, &opt, NULL), 0);
	int r = 0;
	for (size_t at = 0; r == 0 && at < blob.size; at += step)
		r = layer_feed(l, slice_cut(blob, at, step), NULL);
	return r < 0 ? r : layer_finish(l, NULL);
}

static void test_pipeline(void **state)
{
	cleanup_with(buf_done) struct buf plain = buf_init(0), blob = buf_init(0),
					  out = buf_init(0);

	for (int i = 0; i < 60000; i++)
		buf_printf(&plain, "line %d of some text\n", (i * 7919) % 65537);
	struct slice p = buf_slice(&plain);
	static const size_t steps[] = {1, 7, 65536, SIZE_MAX / 2};
	for (size_t s = 0; s < ARRAY_COUNT(steps); s++) {
		assert_int_equal(run(p, OCI_COMPRESSION_NONE, NULL, p, steps[s], 0, &out), 0);
		assert_true(slice_eq(buf_slice(&out), p));
		for (int zstd = 0; zstd < 2; zstd++) {
			/* Several members or frames, one of them empty. */
			void (*put)(struct buf *, struct slice) = zstd ? zstd_append : gzip_append;
			enum oci_compression c = zstd ? OCI_COMPRESSION_ZSTD : OCI_COMPRESSION_GZIP;
			buf_clear(&blob);
			put(&blob, slice_cut(p, 0, 100));
			put(&blob, SLICE_EMPTY);
			put(&blob, slice_cut(p, 100, SIZE_MAX));
			struct slice b = buf_slice(&blob);
			assert_int_equal(run(b, c, NULL, p, steps[s], 0, &out), 0);
			assert_true(slice_eq(buf_slice(&out), p));
			assert_int_equal(run(b, c, NULL, p, steps[s], p.size, &out), 0);
			assert_int_equal(run(b, c, NULL, p, steps[s], p.size - 1, &out), -E2BIG);
			assert_int_equal(
				run(b, c, NULL, SLICE_LIT("other"), steps[s], 0, &out), -EBADMSG);
			/* Cut: also inside the last trailer. */
			assert_int_equal(
				run(slice_cut(b, 0, b.size - 1), c, NULL, p, steps[s], 0, &out),
				-ENODATA);
			buf_put_str(&blob, "garbage after the end");
			assert_true(run(buf_slice(&blob), c, NULL, p, steps[s], 0, &out) < 0);
		}
	}
	assert_int_equal(
		run(SLICE_EMPTY, OCI_COMPRESSION_GZIP, NULL, SLICE_EMPTY, 1, 0, &out), -ENODATA);
}

static void test_bomb(void **state)
{
	cleanup_with(buf_done) struct buf plain = buf_init(0), blob = buf_init(0),
					  out = buf_init(2 << 20);

	buf_put_zero(&plain, 32 << 20);
	gzip_append(&blob, buf_slice(&plain));
	assert_true(blob.size < 64 << 10);
	assert_int_equal(run(buf_slice(&blob), OCI_COMPRESSION_GZIP, NULL, buf_slice(&plain), 4096,
				 1 << 20, &out),
		-E2BIG);
	assert_true(out.size <= 1 << 20);
}

/* guest.md's vector: key 00..1f, nonce 00..0f. */
static void test_cipher(void **state)
{
	static const char pub[] = "{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":"
				  "\"h88RidmMOOyeskTzywzMioX3mTsnfbDY0PqCC/I/PCM=\","
				  "\"cipheroptions\":{}}";
	static const char priv[] = "{\"symkey\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
				   "\"digest\":\"sha256:" HEX64 "\",\"cipheroptions\":"
				   "{\"nonce\":\"AAECAwQFBgcICQoLDA0ODw==\"}}";
	static const uint8_t cipher[17] = {0x2e, 0x06, 0x6d, 0x24, 0x28, 0x92, 0x02, 0xb6, 0x83,
		0x41, 0x38, 0x58, 0x22, 0xa7, 0xc7, 0xe6, 0x01};
	cleanup_with(buf_done) struct buf out = buf_init(1000), text = buf_init(1000);
	struct slice plain = SLICE_LIT("this is some data"), blob = slice_of(cipher, 17);
	struct ocicrypt_key key;

	assert_int_equal(ocicrypt_key_from_options(&key, slice_str(pub), slice_str(priv), NULL), 0);
	for (size_t step = 1; step < 20; step++) {
		assert_int_equal(run(blob, OCI_COMPRESSION_NONE, &key, plain, step, 0, &out), 0);
		assert_true(slice_eq(buf_slice(&out), plain));
	}
	assert_int_equal(ocicrypt_public_options(&key, &text), 0);
	assert_string_equal(buf_str(&text), pub);
	buf_clear(&text);
	assert_int_equal(ocicrypt_private_options(&key, &text), 0);
	assert_string_equal(buf_str(&text), priv);
	key.hmac[31] ^= 1;
	assert_int_equal(run(blob, OCI_COMPRESSION_NONE, &key, plain, 5, 0, &out), -EKEYREJECTED);
	key.hmac[31] ^= 1;
	key.secret.data[0] ^= 1; /* another key: the HMAC notices, whatever the plaintext */
	assert_int_equal(run(blob, OCI_COMPRESSION_NONE, &key, plain, 5, 0, &out), -EKEYREJECTED);
	ocicrypt_key_done(&key);
	assert_int_equal(
		ocicrypt_key_from_options(&key, SLICE_LIT("{\"cipher\":\"NONE\",\"hmac\":\"\"}"),
			slice_str(priv), NULL),
		-EOPNOTSUPP);
	for (size_t n = 0; n < sizeof(priv) - 1; n++)
		assert_int_equal(
			ocicrypt_key_from_options(&key, slice_str(pub), slice_of(priv, n), NULL),
			-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest_table),
		cmocka_unit_test(test_manifest_limits),
		cmocka_unit_test(test_layer_types),
		cmocka_unit_test(test_policy_scopes),
		cmocka_unit_test(test_policy_bad),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_cipher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
