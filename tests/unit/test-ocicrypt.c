/* SPDX-License-Identifier: Apache-2.0 */
/* The key-provider protocol, and images and requests that skopeo made (integration/oci/golden). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/image.h"

#define GOLDEN_KID "kbs:///default/image-key/golden"

/* What get() was asked for, and what it gives. */
struct asked {
	char kid[200], path[200];
	struct slice kek;
};

static int give_kek(
	void *user, const char *kid, const char *path, struct secret *ret, struct err *reterr)
{
	struct asked *a = user;

	assert_int_equal(str_copy(a->kid, sizeof(a->kid), kid), 0);
	assert_int_equal(str_copy(a->path, sizeof(a->path), path ? path : "(none)"), 0);
	return a->kek.size ? secret_copy(ret, a->kek) : secret_new(ret, OCICRYPT_KEK_SIZE);
}

static void golden(const char *name, struct buf *out)
{
	char path[1024];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/%s", HUSK_GOLDEN, name);
	if (file_read(path, 1 << 20, out, &err) < 0)
		fail_msg("%s", err.text);
}

/* A request as Go's containers/ocicrypt writes it. @parameters: a JSON object. */
static void put_wrap(struct buf *out, const char *parameters)
{
	buf_clear(out);
	buf_printf(out,
		"{\"op\":\"keywrap\",\"keywrapparams\":{\"ec\":{\"Parameters\":%s,"
		"\"DecryptConfig\":{\"Parameters\":null}},\"optsdata\":\"aGVsbG8=\"},"
		"\"keyunwrapparams\":{\"dc\":null,\"annotation\":null}}",
		parameters);
}

/* An unwrap request for the annotation in a wrap's answer. */
static void put_unwrap(struct buf *out, const char *parameters, struct slice answer)
{
	static const char head[] = "{\"keywrapresults\":{\"annotation\":";

	assert_true(slice_starts(answer, slice_str(head)));
	buf_clear(out);
	buf_printf(out,
		"{\"op\":\"keyunwrap\",\"keywrapparams\":{\"ec\":null,\"optsdata\":null},"
		"\"keyunwrapparams\":{\"dc\":{\"Parameters\":%s},\"annotation\":",
		parameters);
	/* The answer's array is a legal request value too. */
	buf_put_slice(out, slice_cut(answer, sizeof(head) - 1, SIZE_MAX));
}

/* {"NAME":["base64 of the text"]} */
static void put_parameters(struct buf *out, const char *name, const char *text)
{
	buf_clear(out);
	buf_printf(out, "{\"%s\":[\"", name);
	b64_encode(out, slice_str(text), B64_STD);
	buf_put_str(out, "\"]}");
}

static void test_parameters(void **state)
{
	static const struct {
		const char *text, *kid, *path;
		int want;
	} cases[] = {
		{"keyid=kbs:///a/b/c", "kbs:///a/b/c", "(none)", 0},
		{"keyid=kbs:///a/b/c::algorithm=A256GCM", "kbs:///a/b/c", "(none)", 0},
		{"keypath=/k::keyid=kbs:///a/b/c::algorithm=A256GCM", "kbs:///a/b/c", "/k", 0},
		{"keypath=/k=1:2::keyid=kbs:///a/b/c::sample=false", "kbs:///a/b/c", "/k=1:2", 0},
		{"keypath=/k", "kbs:///d/e/f", "/k", 0},
		{"Enabled", "kbs:///d/e/f", "(none)", 0},
		{"", "kbs:///d/e/f", "(none)", 0},
		{"keyid=kbs:///a/b/c::algorithm=A256CTR", NULL, NULL, -EOPNOTSUPP},
		{"keyid=kbs:///a/b/c::sample=true", NULL, NULL, -EOPNOTSUPP},
		{"keyid=kbs:///a/b/c::key=x", NULL, NULL, -EINVAL},
		{"kbs:///a/b/c", NULL, NULL, -EINVAL},
		{"keyid=kbs:///a/b/c::::keypath=/k", NULL, NULL, -EINVAL},
		{"=", NULL, NULL, -EINVAL},
	};
	cleanup_with(buf_done) struct buf out = buf_init_secret(0), req = buf_init(0),
					  par = buf_init(0);

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct asked a = {0};
		struct ocicrypt_kek_source source = {give_kek, &a, "kbs:///d/e/f"};
		put_parameters(&par, OCICRYPT_PROVIDER, cases[i].text);
		put_wrap(&req, buf_str(&par));
		buf_clear(&out);
		int r = ocicrypt_provider_handle(buf_slice(&req), &source, &out, NULL);
		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].text, r);
		if (r < 0)
			continue;
		assert_string_equal(a.kid, cases[i].kid);
		assert_string_equal(a.path, cases[i].path);
		put_unwrap(&req, buf_str(&par), buf_slice(&out));
		a = (struct asked){0};
		buf_clear(&out);
		assert_int_equal(ocicrypt_provider_handle(buf_slice(&req), &source, &out, NULL), 0);
		assert_string_equal(a.kid, cases[i].kid);
		assert_string_equal(a.path, cases[i].path);
		assert_string_equal(buf_str(&out),
			"{\"keyunwrapresults\":{\"optsdata\":[104,101,108,108,111]}}");
	}
}

static void wrap_with(const char *parameters, const char *kid, int want, struct asked *ret)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(0), req = buf_init(0);
	struct ocicrypt_kek_source source = {give_kek, ret, kid};

	*ret = (struct asked){0};
	put_wrap(&req, parameters);
	int r = ocicrypt_provider_handle(buf_slice(&req), &source, &out, NULL);
	if (r != want)
		fail_msg("%s: %d", parameters, r);
}

static void test_whose_parameters(void **state)
{
	struct asked a;

	/* "a2V5aWQ9eDp5" is keyid=x:y, "Kg==" is no list of parameters. */
	wrap_with("{\"other\":[\"Kg==\"],\"attestation-agent\":[\"a2V5aWQ9eDp5\"]}", NULL, 0, &a);
	assert_string_equal(a.kid, "x:y");
	wrap_with("{\"mine\":[\"a2V5aWQ9eDp5\"]}", NULL, 0, &a);
	assert_string_equal(a.kid, "x:y");
	wrap_with("{\"b\":[\"Kg==\"],\"c\":[\"a2V5aWQ9eDp5\"]}", "kbs:///d/e/f", 0, &a);
	assert_string_equal(a.kid, "kbs:///d/e/f");
	wrap_with("null", "kbs:///d/e/f", 0, &a);
	wrap_with("{}", NULL, -EINVAL, &a);
	wrap_with("{\"attestation-agent\":[7]}", NULL, -EBADMSG, &a);
	wrap_with("{\"attestation-agent\":[\"***\"]}", NULL, -EBADMSG, &a);
}

static void test_requests(void **state)
{
	static const struct {
		const char *json;
		int want;
	} cases[] = {
		{"", -EBADMSG},
		{"[]", -EOPNOTSUPP},
		{"{}", -EOPNOTSUPP},
		{"{\"op\":\"x\"}", -EOPNOTSUPP},
		{"{\"op\":\"keywrap\"}", -EBADMSG},
		{"{\"op\":\"keyunwrap\"}", -EBADMSG},
		{"{\"op\":\"keywrap\",\"keywrapparams\":{\"optsdata\":[256]}}", -EBADMSG},
		{"{\"op\":\"keywrap\",\"keywrapparams\":{\"optsdata\":[1]}}", -EINVAL},
		{"{\"op\":\"keyunwrap\",\"keyunwrapparams\":{\"annotation\":[123,125]}}", -EBADMSG},
	};
	cleanup_with(buf_done) struct buf out = buf_init_secret(0);
	struct asked a = {0};
	struct ocicrypt_kek_source source = {give_kek, &a, NULL};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int r = ocicrypt_provider_handle(slice_str(cases[i].json), &source, &out, NULL);
		if (r != cases[i].want)
			fail_msg("%s: %d", cases[i].json, r);
		assert_int_equal(out.size, 0);
	}
}

/* What skopeo really sends. Every truncation must be refused, as must another key. */
static void test_golden_requests(void **state)
{
	cleanup_with(buf_done) struct buf kek = buf_init(0), wrap = buf_init(0),
					  unwrap = buf_init(0), out = buf_init_secret(0);
	struct asked a = {0};
	struct ocicrypt_kek_source source = {give_kek, &a, NULL};

	golden("kek", &kek);
	golden("wrap.json", &wrap);
	golden("unwrap.json", &unwrap);
	a.kek = buf_slice(&kek);
	assert_int_equal(ocicrypt_provider_handle(buf_slice(&wrap), &source, &out, NULL), 0);
	assert_string_equal(a.kid, GOLDEN_KID);
	assert_string_equal(a.path, "kek");
	buf_clear(&out);
	assert_int_equal(ocicrypt_provider_handle(buf_slice(&unwrap), &source, &out, NULL), 0);
	assert_string_equal(a.kid, GOLDEN_KID);
	assert_true(out.size > 100);
	buf_clear(&out);
	a.kek = SLICE_EMPTY; /* zeros */
	assert_int_equal(
		ocicrypt_provider_handle(buf_slice(&unwrap), &source, &out, NULL), -EKEYREJECTED);
	for (size_t n = 0; n < unwrap.size; n++)
		assert_true(ocicrypt_provider_handle(
				    slice_of(unwrap.data, n), &source, &out, NULL) < 0);
	assert_int_equal(out.size, 0);
}

static int golden_kek(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	assert_string_equal(uri, GOLDEN_KID);
	golden(user, out);
	return 0;
}

/* Unpacks an image of skopeo's into @root. */
static int unpack_golden(const char *archive, const char *kek, const char *tmp, int root)
{
	cleanup(oci_layout_free) struct oci_layout *l = NULL;
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct oci_fetcher keks = {golden_kek, (void *)(uintptr_t)kek};
	struct unpack_options opt = {.no_owner = true};
	struct oci_descriptor d;
	struct err err = {0};
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", HUSK_GOLDEN, archive);
	int r = oci_archive_unpack(path, tmp, &err);
	if (r == 0)
		r = oci_layout_open(&l, tmp, false, &err);
	if (r == 0)
		r = oci_layout_find(l, NULL, &d, &err);
	assert_int_equal(r, 0);
	struct oci_source s = oci_layout_source(l);
	assert_int_equal(oci_image_from_digest(&image, &s, &d.digest, "amd64", &err), 0);
	return oci_image_unpack(&image, &s, &keks, root, &opt, NULL, NULL, &err);
}

static void check_golden(const char *archive, const char *kek, int want)
{
	char tmp[] = "/tmp/husk-golden-XXXXXX", path[100];
	cleanup_with(buf_done) struct buf text = buf_init(100);
	struct stat st;

	assert_non_null(mkdtemp(tmp));
	snprintf(path, sizeof(path), "%s/root", tmp);
	assert_int_equal(mkdir(path, 0755), 0);
	cleanup_fd int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unpack_golden(archive, kek, tmp, root), want);
	if (want == 0) {
		snprintf(path, sizeof(path), "%s/root/etc/motd", tmp);
		assert_int_equal(file_read(path, 100, &text, NULL), 0);
		assert_string_equal(buf_str(&text), "encrypted by skopeo\n");
		assert_int_equal(fstatat(root, "bin/hello", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
	}
	assert_int_equal(path_remove_tree(AT_FDCWD, tmp), 0);
}

static void test_golden_images(void **state)
{
	check_golden("skopeo-gzip.tar", "kek", 0);
	check_golden("skopeo-zstd.tar", "kek", 0);
	check_golden("skopeo-gzip.tar", "wrap.json", -EINVAL); /* not 32 bytes */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_whose_parameters),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_golden_requests),
		cmocka_unit_test(test_golden_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
