/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "oci/reference.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_good(void **state)
{
	static const struct {
		const char *in, *out, *host;
	} cases[] = {
		{"busybox", "docker.io/library/busybox:latest", "registry-1.docker.io"},
		{"docker://busybox:1", "docker.io/library/busybox:1", "registry-1.docker.io"},
		{"index.docker.io/a/b", "docker.io/a/b:latest", "registry-1.docker.io"},
		{"a/b", "docker.io/a/b:latest", "registry-1.docker.io"},
		{"localhost/x", "localhost/x:latest", "localhost"},
		{"localhost:5000/x:t", "localhost:5000/x:t", "localhost:5000"},
		{"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000"},
		{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000"},
		{"r.example/a/b/c_d--e.f:V1.2-3_4", "r.example/a/b/c_d--e.f:V1.2-3_4", "r.example"},
		{"r.example/a__b@sha256:" HEX64, "r.example/a__b@sha256:" HEX64, "r.example"},
		{"r.example/a:t@sha256:" HEX64, "r.example/a:t@sha256:" HEX64, "r.example"},
		{"Host/a", "Host/a:latest", "Host"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct oci_ref ref, again;
		struct err err = {0};
		char text[OCI_REF_TEXT_SIZE];
		if (oci_ref_parse(&ref, cases[i].in, &err) < 0)
			fail_msg("%s: %s", cases[i].in, err.text);
		assert_string_equal(oci_ref_text(&ref, text), cases[i].out);
		assert_string_equal(oci_ref_host(&ref), cases[i].host);
		/* The text form is a fixed point. */
		assert_int_equal(oci_ref_parse(&again, text, &err), 0);
		assert_memory_equal(&ref, &again, sizeof(ref));
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"",
		":tag",
		"@sha256:" HEX64,
		"docker://",
		"A",
		"r.example/A",
		"r.example/",
		"r.example//a",
		"/a",
		"a/",
		"a//b",
		"a/../b",
		"r.example/a:",
		"r.example/a:-t",
		"r.example/a:t:u",
		"r.example/a b",
		"r.example/a@",
		"r.example/a@sha256:00",
		"r.example/a@md5:00",
		"r.example/a@sha256:" HEX64 "0",
		"r.example/a___b",
		"r.example/a..b",
		"r.example/-a",
		"r.example/a-",
		"r.example/a_",
		"r.example:0/a",
		"r.example:65536/a",
		"r.example:x/a",
		"-r.example/a",
		"r-.example/a",
		".example/a",
		"[::1/a",
		"[]/a",
		"[zz]:1/a",
		"http://r.example/a",
		"r.example/a?x",
		"r.example/a\n",
		"r.example/"
		"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct oci_ref ref = {0};
		if (oci_ref_parse(&ref, cases[i], NULL) == 0)
			fail_msg("accepted '%s'", cases[i]);
		assert_int_equal(ref.registry[0], 0); /* untouched on failure */
	}
}

static void test_limits(void **state)
{
	struct oci_ref ref;
	char text[600];

	memset(text, 'a', sizeof(text));
	text[OCI_REF_NAME_MAX + 1] = 0;
	assert_int_equal(oci_ref_parse(&ref, text, NULL), -E2BIG);
	/* "docker.io/library/" counts too. */
	text[OCI_REF_NAME_MAX] = 0;
	assert_int_equal(oci_ref_parse(&ref, text, NULL), -E2BIG);
	text[OCI_REF_NAME_MAX - strlen("docker.io/library/")] = 0;
	assert_int_equal(oci_ref_parse(&ref, text, NULL), 0);
	memset(text, 'a', sizeof(text));
	text[1] = ':';
	text[2 + OCI_REF_TAG_MAX] = 0;
	assert_int_equal(oci_ref_parse(&ref, text, NULL), 0);
	text[2 + OCI_REF_TAG_MAX] = 'a';
	text[3 + OCI_REF_TAG_MAX] = 0;
	assert_true(oci_ref_parse(&ref, text, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
