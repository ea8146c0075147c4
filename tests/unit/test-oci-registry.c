/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client against a registry that lies: an HTTP server in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "net/http_server.h"
#include "oci/hash.h"
#include "oci/registry.h"

#define HELLO "hello, registry"
#define CONFIG_JSON                                                                     \
	"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\"," \
	"\"diff_ids\":[]}}"

static uint16_t g_port;
static pid_t g_server;

static void answer(struct http_request *r, int status, struct slice body)
{
	static const struct http_header none[] = {{"Content-Type", "application/octet-stream"}};
	http_request_reply(r, status, none, 1, body);
}

/* A manifest whose configuration is CONFIG_JSON, with more members in @extra. */
static void answer_manifest(struct http_request *r, const char *extra)
{
	char text[OCI_DIGEST_TEXT_SIZE], json[1024];
	struct oci_digest d;

	if (oci_digest_of(&d, OCI_DIGEST_SHA256, SLICE_LIT(CONFIG_JSON)) < 0)
		_exit(1);
	snprintf(json, sizeof(json),
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG
		"\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]%s}",
		oci_digest_text(&d, text), sizeof(CONFIG_JSON) - 1, extra);
	answer(r, 200, slice_str(json));
}

static void challenge(struct http_request *r, const char *value)
{
	const struct http_header h[] = {{"WWW-Authenticate", value}};
	http_request_reply(r, 401, h, 1, SLICE_EMPTY);
}

/* Every repository is another lie. */
static void handle(void *cookie, struct http_request *r)
{
	const char *t = http_request_target(r), *auth = http_request_header(r, "Authorization");
	static uint8_t big[OCI_DOCUMENT_MAX + 1024];
	char realm[200];

	if (str_starts(t, "/token")) {
		bool asked =
			strstr(t, "scope=repository%3Atoken%3Apull") && strstr(t, "service=s%20v");
		bool basic = auth && streq(auth, "Basic dXNlcjpwYXNz");
		answer(r, asked && basic ? 200 : 403, SLICE_LIT("{\"token\":\"t0k3n\"}"));
	} else if (strstr(t, "/blobs/") && !strstr(t, "/lies/")) {
		answer(r, 200, SLICE_LIT(CONFIG_JSON));
	} else if (str_starts(t, "/v2/token/")) {
		snprintf(realm, sizeof(realm),
			"Bearer realm=\"http://127.0.0.1:%u/token\",service=\"s "
			"v\",scope=\"repository:"
			"other:push\"",
			g_port);
		if (auth && streq(auth, "Bearer t0k3n"))
			answer_manifest(r, "");
		else
			challenge(r, realm);
	} else if (str_starts(t, "/v2/basic/")) {
		if (auth && streq(auth, "Basic dXNlcjpwYXNz"))
			answer_manifest(r, "");
		else
			challenge(r, "Basic realm=\"x\"");
	} else if (str_starts(t, "/v2/good/")) {
		answer_manifest(r, "");
	} else if (str_starts(t, "/v2/duplicate/")) {
		answer_manifest(r, ",\"layers\":[]");
	} else if (str_starts(t, "/v2/both/")) {
		answer_manifest(r, ",\"manifests\":[]");
	} else if (str_starts(t, "/v2/big/")) {
		answer(r, 200, slice_of(big, sizeof(big)));
	} else if (str_starts(t, "/v2/lies/")) {
		answer(r, 200, SLICE_LIT(HELLO));
	} else {
		answer(r, 404,
			SLICE_LIT("{\"errors\":[{\"code\":\"X\",\"message\":\"not here\"}]}"));
	}
}

static int start_server(void **state)
{
	int out[2];

	if (pipe(out) < 0)
		return -1;
	g_server = fork();
	if (g_server == 0) {
		struct http_server_options opt = {
			.header_max = 16384, .body_max = 1 << 20, .idle_s = 30};
		struct event_base *base = event_base_new();
		struct http_server *server;
		if (http_server_new(base, &opt, handle, NULL, &server, NULL) < 0 ||
			http_server_listen(server, "127.0.0.1:0", &g_port, NULL) < 0 ||
			fd_write_full(out[1], &g_port, sizeof(g_port)) < 0)
			_exit(1);
		event_base_dispatch(base);
		_exit(0);
	}
	int r = fd_read_full(out[0], &g_port, sizeof(g_port));
	close(out[0]);
	close(out[1]);
	return r;
}

static int stop_server(void **state)
{
	kill(g_server, SIGTERM);
	return waitpid(g_server, NULL, 0) < 0;
}

static int resolve(const char *repository, const char *digest, bool credentials, struct err *err)
{
	cleanup(oci_registry_free) struct oci_registry *reg = NULL;
	struct oci_registry_options opt = {.insecure_http = true};
	struct oci_image image = {0};
	struct oci_ref ref;
	char text[300];

	*err = (struct err){0};
	if (credentials) {
		opt.username = "user";
		opt.password = "pass";
	}
	snprintf(text, sizeof(text), "127.0.0.1:%u/%s%s%s", g_port, repository, digest ? "@" : ":t",
		digest ? digest : "");
	assert_int_equal(oci_ref_parse(&ref, text, err), 0);
	assert_int_equal(oci_registry_new(&reg, &ref, &opt, err), 0);
	struct oci_source s = oci_registry_source(reg);
	int r = oci_image_resolve(&image, &s, &ref, "amd64", err);
	oci_image_done(&image);
	return r;
}

static void test_resolve(void **state)
{
	static const char wrong[] =
		"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct err err;

	if (resolve("good", NULL, false, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(resolve("good", wrong, false, &err), -EBADMSG);
	assert_int_equal(resolve("duplicate", NULL, false, &err), -EBADMSG);
	assert_true(resolve("both", NULL, false, &err) < 0);
	assert_int_equal(resolve("big", NULL, false, &err), -E2BIG);
	assert_int_equal(resolve("lies", NULL, false, &err), -EBADMSG);
	assert_int_equal(resolve("absent", NULL, false, &err), -ENOENT);
	assert_non_null(strstr(err.text, "not here"));
}

static void test_authentication(void **state)
{
	struct err err;

	if (resolve("token", NULL, true, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(resolve("token", NULL, false, &err), -EACCES);
	assert_int_equal(resolve("basic", NULL, true, &err), 0);
	assert_int_equal(resolve("basic", NULL, false, &err), -EACCES);
}

static int swallow(void *user, struct slice piece, struct err *reterr)
{
	*(uint64_t *)user += piece.size;
	return 0;
}

/* The blob is HELLO, whatever the descriptor says. */
static int read_blob(uint64_t size, struct slice content, uint64_t *ret_size)
{
	cleanup(oci_registry_free) struct oci_registry *reg = NULL;
	cleanup_with(buf_done) struct buf out = buf_init(1 << 16);
	struct oci_registry_options opt = {.insecure_http = true};
	struct oci_descriptor d = {.size = size};
	struct oci_ref ref;
	char text[300];

	snprintf(text, sizeof(text), "127.0.0.1:%u/lies", g_port);
	assert_int_equal(oci_ref_parse(&ref, text, NULL), 0);
	assert_int_equal(oci_registry_new(&reg, &ref, &opt, NULL), 0);
	assert_int_equal(oci_digest_of(&d.digest, OCI_DIGEST_SHA256, content), 0);
	struct oci_source s = oci_registry_source(reg);
	*ret_size = 0;
	if (s.blob(s.user, &d, swallow, ret_size, NULL) < 0)
		assert_true(*ret_size <= 2 * size);
	return oci_source_read(&s, &d, &out, NULL);
}

static void test_blobs(void **state)
{
	struct slice hello = SLICE_LIT(HELLO);
	uint64_t size;

	assert_int_equal(read_blob(hello.size, hello, &size), 0);
	assert_int_equal(size, hello.size);
	assert_int_equal(read_blob(hello.size, SLICE_LIT("something else"), &size), -EBADMSG);
	assert_true(read_blob(hello.size - 1, hello, &size) < 0); /* longer than it says */
	assert_true(size <= hello.size - 1);
	assert_true(read_blob(hello.size + 5, hello, &size) < 0); /* shorter */
	assert_true(read_blob(OCI_DOCUMENT_MAX + 1ull, hello, &size) < 0);
}

static void test_credentials(void **state)
{
	static const char file[] =
		"{\"auths\":{\"r.io\":{\"auth\":\"YTpi\"},\"r.io/team\":{\"auth\":\"Yzpk\"},"
		"\"https://index.docker.io/v1/"
		"\":{\"auth\":\"ZTpm\"},\"bad.io\":{\"auth\":\"YQ==\"}}}";
	static const struct {
		const char *image, *username;
	} cases[] = {{"r.io/x", "a"}, {"r.io/team/x", "c"}, {"r.io/teams/x", "a"}, {"busybox", "e"},
		{"r.io.evil.org/x", ""}, {"evil.org/r.io/x", ""}};
	struct oci_credentials c;
	struct oci_ref ref;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(oci_ref_parse(&ref, cases[i].image, NULL), 0);
		assert_int_equal(oci_credentials_find(slice_str(file), &ref, &c, NULL), 0);
		assert_string_equal(c.username, cases[i].username);
	}
	assert_int_equal(oci_ref_parse(&ref, "bad.io/x", NULL), 0);
	assert_int_equal(oci_credentials_find(slice_str(file), &ref, &c, NULL), -EBADMSG);
}

static void test_registries(void **state)
{
	static const char json[] =
		"{\"registry\":[{\"prefix\":\"r.io\",\"location\":\"internal.io:5000/mirror\","
		"\"insecure\":true,\"mirror\":[{\"location\":\"m.io\"}]},"
		"{\"prefix\":\"r.io/"
		"blocked\",\"blocked\":true},{\"prefix\":\"*.wild.io\",\"insecure\":"
		"true}]}";
	struct oci_candidate c[OCI_CANDIDATE_MAX];
	struct oci_ref ref;
	char text[OCI_REF_TEXT_SIZE];
	json_t *doc;

	assert_int_equal(oci_json_parse(&doc, slice_str(json), "x", NULL), 0);
	assert_int_equal(oci_ref_parse(&ref, "r.io/a:t", NULL), 0);
	assert_int_equal(oci_registries_resolve(doc, &ref, c, NULL), 2);
	assert_string_equal(oci_ref_text(&c[0].ref, text), "m.io/a:t");
	assert_false(c[0].insecure_http);
	assert_string_equal(oci_ref_text(&c[1].ref, text), "internal.io:5000/mirror/a:t");
	assert_true(c[1].insecure_http);
	assert_int_equal(oci_ref_parse(&ref, "r.io/blocked/a", NULL), 0);
	assert_int_equal(oci_registries_resolve(doc, &ref, c, NULL), -EACCES);
	assert_int_equal(oci_ref_parse(&ref, "a.wild.io/a", NULL), 0);
	assert_int_equal(oci_registries_resolve(doc, &ref, c, NULL), 1);
	assert_true(c[0].insecure_http);
	/* Prefixes are anchored: neither a longer host nor a path below another one matches. */
	static const char *const others[] = {"r.io.evil.org/a", "evil.org/r.io/a", "xwild.io/a"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		assert_int_equal(oci_ref_parse(&ref, others[i], NULL), 0);
		assert_int_equal(oci_registries_resolve(doc, &ref, c, NULL), 1);
		assert_false(c[0].insecure_http);
	}
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_authentication),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_registries),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
