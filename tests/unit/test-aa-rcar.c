/* SPDX-License-Identifier: Apache-2.0 */
/* Which resources the attestation agent asks for: URIs are refused before anything is sent. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "guest/aa/rcar.h"

static void test_uris(void **state)
{
	static const char *const refused[] = {
		"",
		"kbs:",
		"kbs://",
		"http://127.0.0.1:1/a/b/c",
		"kbs:///a/b",
		"kbs:///a/b/c/d",
		"kbs:///a//c",
		"kbs:///a/b/",
		"kbs:////b/c",
		"kbs:///a/../c",
		"kbs:///a/.b/c",
		"kbs:///a/b/c?x=1",
		"kbs:///a/b/c#f",
		"kbs:///a/b/c%2f",
		"kbs:///a/b/c d",
		"kbs:///a/b/\xC3\xA4",
		/* another key broker, also one whose name begins like ours */
		"kbs://evil:1/a/b/c",
		"kbs://127.0.0.1:10/a/b/c",
		"kbs://127.0.0.1/a/b/c",
	};
	static const char *const sent[] = {"kbs:///a/b/c", "kbs://127.0.0.1:1/a/b/c",
		"kbs:///default/security-policy/test_1.v2"};
	struct rcar_options options = {
		.url = "http://127.0.0.1:1/", .initdata = SLICE_LIT("version = \"0.1.0\"\n")};
	cleanup(rcar_free) struct rcar *rcar = NULL;
	struct err e = {0};
	char id[RCAR_ID_SIZE];
	assert_int_equal(pkey_generate(KEY_P256, 0, &options.key), 0);
	assert_int_equal(rcar_new(&options, &rcar, &e), 0);
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
		cleanup_with(buf_done) struct buf out = {0};
		int r = rcar_get_resource(rcar, refused[i], &out, id, &e);
		if (r != -EINVAL || out.size != 0)
			fail_msg("%s: %d", refused[i], r);
	}
	/* Nobody listens on port 1: a good URI gets as far as the network. */
	for (size_t i = 0; i < ARRAY_COUNT(sent); i++) {
		cleanup_with(buf_done) struct buf out = {0};
		int r = rcar_get_resource(rcar, sent[i], &out, id, &e);
		if (r != -EHOSTUNREACH)
			fail_msg("%s: %d %s", sent[i], r, e.text);
	}
}

static void test_new_negative(void **state)
{
	static const char *const urls[] = {"", "kbs", "ftp://a/", "https://", "http://a b/"};
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
		struct rcar_options options = {.url = urls[i]};
		struct rcar *rcar = NULL;
		/* A failure frees the key as well; LeakSanitizer looks. */
		assert_int_equal(pkey_generate(KEY_P256, 0, &options.key), 0);
		assert_int_equal(rcar_new(&options, &rcar, NULL), -EBADMSG);
		assert_null(rcar);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_new_negative),
	};
	return cmocka_run_group_tests_name("aa-rcar", tests, NULL, NULL);
}
