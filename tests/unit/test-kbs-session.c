/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the key broker that need no process: sessions, limits, messages, its pool of workers. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "trustee/kbs/pool.h"
#include "trustee/kbs/ratelimit.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/reply.h"
#include "trustee/kbs/session.h"
#include "trustee/kbs/wire.h"

#define NONCE "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct session *add_session(struct session_table *t, int n, int64_t now_ms)
{
	char id[SESSION_ID_SIZE];
	struct session *s = NULL;

	snprintf(id, sizeof(id), "%08x%024x", n, n);
	assert_int_equal(session_new(t, id, NONCE, "sample", now_ms, 1700000000, &s), 0);
	return s;
}

static void test_sessions(void **state)
{
	cleanup(session_table_free) struct session_table *t = session_table_new(4, 2, 300);
	struct session *s, *other = NULL;
	char id[SESSION_ID_SIZE];
	int error;

	s = add_session(t, 1, 0);
	assert_int_equal(s->expires_unix, 1700000300);
	assert_ptr_equal(session_find(t, s->id, 299999, &error), s);
	assert_null(session_find(t, "0", 0, &error));
	assert_int_equal(error, -ENOENT);
	(void)!str_copy(id, sizeof(id), s->id);
	assert_null(session_find(t, id, 300000, &error));
	assert_int_equal(error, -ESTALE);
	assert_null(session_find(t, id, 0, &error));
	assert_int_equal(error, -ENOENT);
	/* A full table refuses, until something expires. */
	for (int i = 0; i < 4; i++)
		add_session(t, 10 + i, 1000 * i);
	assert_int_equal(session_new(t, "ffffffffffffffffffffffffffffffff", NONCE, "tpm", 4000,
				 1700000000, &other),
		-EAGAIN);
	assert_int_equal(session_new(t, "ffffffffffffffffffffffffffffffff", NONCE, "tpm", 300000,
				 1700000000, &other),
		0);
	assert_int_equal(session_count(t, false), 4);
	assert_int_equal(session_new(t, "short", NONCE, "tpm", 0, 0, &s), -EAGAIN);
}

static void test_attested_sessions_are_a_cache(void **state)
{
	cleanup(session_table_free) struct session_table *t = session_table_new(100, 2, 300);
	char first[SESSION_ID_SIZE];
	int error;

	for (int i = 0; i < 5; i++) {
		struct session *s = add_session(t, i, i);

		if (i == 0)
			(void)!str_copy(first, sizeof(first), s->id);
		assert_int_equal(session_attested(t, s, "token"), 0);
	}
	assert_int_equal(session_count(t, true), 2);
	assert_int_equal(session_count(t, false), 0);
	assert_null(session_find(t, first, 10, &error));
	assert_int_equal(session_expire(t, 1000000), 2);
	assert_int_equal(session_count(t, true), 0);
}

static void test_ratelimit(void **state)
{
	cleanup(ratelimit_free) struct ratelimit *r = ratelimit_new(10, 3);
	cleanup(ratelimit_free) struct ratelimit *off = ratelimit_new(0, 1);

	for (int i = 0; i < 3; i++)
		assert_true(ratelimit_take(r, "192.0.2.1", 1000));
	assert_false(ratelimit_take(r, "192.0.2.1", 1000));
	assert_true(ratelimit_take(r, "192.0.2.2", 1000));
	assert_true(ratelimit_take(r, "192.0.2.1", 1100));
	assert_false(ratelimit_take(r, "192.0.2.1", 1100));
	/* One /64 is one client. */
	for (int i = 0; i < 3; i++)
		assert_true(ratelimit_take(r, i ? "2001:db8::1" : "2001:db8::2", 1000));
	assert_false(ratelimit_take(r, "2001:db8::3", 1000));
	assert_true(ratelimit_take(r, "2001:db8:0:1::3", 1000));
	for (int i = 0; i < 100; i++)
		assert_true(ratelimit_take(off, "192.0.2.1", 0));
}

/* Each version that is served, and the bound on how old one may be. */
static void test_protocols(void)
{
	char tee[SESSION_TEE_SIZE], body[128];
	unsigned hashes;

	for (int i = 0; i < AS_PROTOCOL_COUNT_; i++) {
		for (int oldest = 0; oldest < AS_PROTOCOL_COUNT_; oldest++) {
			enum as_protocol got = AS_PROTOCOL_COUNT_;

			snprintf(body, sizeof(body),
				"{\"version\":\"%s\",\"tee\":\"snp\",\"extra-params\":\"\"}",
				as_protocol_name(i));
			assert_int_equal(rcar_read_auth(slice_str(body), as_protocol_name(oldest),
						 tee, &got, &hashes, NULL),
				i <= oldest ? 0 : -EOPNOTSUPP);
			assert_int_equal(got, i <= oldest ? i : AS_PROTOCOL_COUNT_);
		}
	}
	assert_null(as_protocol_name(-1));
	assert_null(as_protocol_name(AS_PROTOCOL_COUNT_));
	assert_int_equal(as_protocol_from_name("0.4"), -EOPNOTSUPP);
}

static void test_auth_message(void **state)
{
	static const struct {
		const char *body;
		int want;
	} rows[] = {
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}}", 0},
		{"{\"version\":\"0.4.0\",\"tee\":\"az-snp-vtpm\",\"extra-params\":\"\"}", 0},
		{"{\"version\":\"0.5.0\",\"tee\":\"snp\",\"extra-params\":{}}", -EOPNOTSUPP},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\"}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":5,\"extra-params\":{}}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"\",\"extra-params\":{}}", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		 "\"extra-params\":{}}",
			-EBADMSG},
		{"{\"version\":\"0.4.0\",\"version\":\"0.4.0\",\"tee\":\"snp\","
		 "\"extra-params\":{}}",
			-EBADMSG},
		{"[]", -EBADMSG},
		{"", -EBADMSG},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}} x", -EBADMSG},
	};
	enum as_protocol protocol;
	unsigned hashes = 0;
	char tee[SESSION_TEE_SIZE];
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (rcar_read_auth(slice_str(rows[i].body), "0.1.0", tee, &protocol, &hashes, &e) !=
			rows[i].want)
			fail_msg("%s", rows[i].body);
	}
	/* Hash algorithms are noted: not a list, an empty one, some. */
	assert_int_equal(
		rcar_read_auth(slice_str(rows[0].body), "0.1.0", tee, &protocol, &hashes, NULL), 0);
	assert_int_equal(hashes, 0);
	assert_int_equal(rcar_read_auth(SLICE_LIT("{\"version\":\"0.4.0\",\"tee\":\"tdx\","
						  "\"extra-params\":{\"supported-hash-algorithms\":"
						  "[\"SHA256\",5,\"sha512\",\"sm3\"]}}"),
				 "0.1.0", tee, &protocol, &hashes, NULL),
		0);
	assert_int_equal(hashes, RCAR_HASH_LIST | RCAR_SHA256 | RCAR_SHA512);
	/* Every truncation of a good message is refused. */
	for (size_t n = 0; n < strlen(rows[0].body); n++)
		assert_int_not_equal(rcar_read_auth(slice_of(rows[0].body, n), "0.1.0", tee,
					     &protocol, &hashes, NULL),
			0);
	assert_int_equal(
		rcar_read_auth(slice_str(rows[2].body), "0.1.0", tee, &protocol, &hashes, &e),
		-EOPNOTSUPP);
	assert_string_equal(e.text,
		"KBS Client Protocol Version Mismatch: expect =0.4.0 while the request is 0.5.0");
	test_protocols();
}

static void test_cookie_and_bearer(void **state)
{
	char id[SESSION_ID_SIZE];

	rcar_cookie("a=b; kbs-session-id=0123456789abcdef0123456789abcdef; c=d", id);
	assert_string_equal(id, "0123456789abcdef0123456789abcdef");
	rcar_cookie("kbs-session-id=0123456789abcdef0123456789abcdeg", id);
	assert_string_equal(id, "");
	rcar_cookie("kbs-session-id=0123", id);
	assert_string_equal(id, "");
	rcar_cookie("xkbs-session-id=0123456789abcdef0123456789abcdef", id);
	assert_string_equal(id, "");
	rcar_cookie(NULL, id);
	assert_string_equal(id, "");
	assert_true(slice_eq_str(rcar_bearer("Bearer abc"), "abc"));
	assert_true(slice_eq_str(rcar_bearer("bearer  abc "), "abc"));
	assert_int_equal(rcar_bearer("Basic abc").size, 0);
	assert_int_equal(rcar_bearer(NULL).size, 0);
}

static void test_wire(void **state)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	json_t *header = json_pack("{s:s, s:i}", "op", "x", "id", 7);
	json_t *got = NULL;
	struct slice body;

	assert_int_equal(wire_pack(&out, header, SLICE_LIT("body")), 0);
	assert_int_equal(wire_unpack(buf_slice(&out), &got, &body), 0);
	assert_true(json_equal(header, got));
	assert_true(slice_eq_str(body, "body"));
	json_decref(got);
	for (size_t n = 0; n < out.size - 4; n++)
		assert_int_not_equal(wire_unpack(slice_cut(buf_slice(&out), 0, n), &got, &body), 0);
	assert_string_equal(wire_str(header, "absent"), "");
	assert_int_equal(wire_int(header, "id"), 7);
	json_decref(header);
}

static void test_errors_on_the_wire(void **state)
{
	struct reply r;

	reply_init(&r);
	reply_fail(&r, REPLY_POLICY_DENY, "Access denied by policy (id %s)", "12");
	assert_int_equal(r.status, 401);
	assert_string_equal(buf_str(&r.body),
		"{\"type\":\"https://github.com/confidential-containers/kbs/errors/PolicyDeny\","
		"\"detail\":\"Access denied by policy (id 12)\"}");
	(void)!str_copy(r.etag, sizeof(r.etag), "\"7\"");
	(void)!str_copy(r.content_type, sizeof(r.content_type), "text/plain");
	reply_fail(&r, REPLY_PLUGIN_NOT_FOUND, "Plugin %s not found", "x");
	assert_int_equal(r.status, 404);
	assert_string_equal(r.etag, "");
	assert_string_equal(r.content_type, "");
	reply_done(&r);
}

/* --- pool: a fake transport that remembers what was sent --- */
static int g_sent, g_done, g_last_error;
static uint64_t g_last_work;

static int fake_send(void *cookie, unsigned index, const json_t *header, struct slice body)
{
	g_sent++;
	g_last_work = (uint64_t)json_integer_value(json_object_get(header, "work"));
	return 0;
}

static int fake_init(void *cookie, unsigned index)
{
	return 0;
}

static void fake_done(void *cookie, int error, const json_t *result)
{
	g_done++;
	g_last_error = error;
}

static void test_pool(void **state)
{
	const struct pool_ops ops = {fake_send, fake_init, NULL};
	cleanup(pool_free) struct pool *p = pool_new(1, &ops);
	json_t *answer;

	g_sent = g_done = 0;
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("1"), 0, fake_done, NULL), 0);
	assert_int_equal(g_sent, 0);
	pool_up(p, 0, 0);
	assert_int_equal(g_sent, 1);
	/* One at a time. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("2"), 0, fake_done, NULL), 0);
	assert_int_equal(g_sent, 1);
	answer = json_pack("{s:I, s:i}", "work", (json_int_t)g_last_work, "error", 0);
	assert_int_equal(pool_answer(p, 0, answer, 0), 0);
	assert_int_equal(g_done, 1);
	assert_int_equal(g_last_error, 0);
	assert_int_equal(g_sent, 2);
	/* The same answer again was not asked for. */
	assert_int_equal(pool_answer(p, 0, answer, 0), -EPROTO);
	json_decref(answer);
	/* A crash fails the work at hand and nothing else. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("3"), 0, fake_done, NULL), 0);
	pool_down(p, 0);
	assert_int_equal(g_done, 2);
	assert_int_equal(g_last_error, -EPIPE);
	pool_up(p, 0, POOL_WAIT_MS);
	assert_int_equal(g_sent, 3);
	/* What waits too long fails. */
	assert_int_equal(pool_submit(p, json_object(), SLICE_LIT("4"), 0, fake_done, NULL), 0);
	pool_expire(p, POOL_WAIT_MS + 1);
	assert_int_equal(g_done, 3);
	assert_int_equal(g_last_error, -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_attested_sessions_are_a_cache),
		cmocka_unit_test(test_ratelimit),
		cmocka_unit_test(test_auth_message),
		cmocka_unit_test(test_cookie_and_bearer),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_errors_on_the_wire),
		cmocka_unit_test(test_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
