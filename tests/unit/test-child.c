/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between PID 1 and its children. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "guest/agent/child.h"

static void test_parse(void **state)
{
	static const uint8_t golden[] = {0, 0, 0, 3, 5, 0, 0, 0, 'k', 'e', 'y'};
	cleanup_with(buf_done) struct buf out = {0};
	child_put(&out, CHILD_RESOURCE, SLICE_LIT("key"));
	assert_true(slice_eq(buf_slice(&out), slice_of(golden, sizeof(golden))));
	enum child_type type;
	struct slice payload;
	size_t size;
	assert_int_equal(child_parse(buf_slice(&out), &type, &payload, &size), 0);
	assert_int_equal(type, CHILD_RESOURCE);
	assert_true(slice_eq_str(payload, "key"));
	assert_int_equal(size, sizeof(golden));
	for (size_t n = 0; n < sizeof(golden); n++)
		assert_int_equal(
			child_parse(slice_of(golden, n), &type, &payload, &size), -ENODATA);

	static const uint8_t big[] = {0, 0x40, 0, 1, 5, 0, 0, 0};
	static const uint8_t no_type[] = {0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t past[] = {0, 0, 0, 0, CHILD_TYPE_MAX + 1, 0, 0, 0};
	static const uint8_t reserved[] = {0, 0, 0, 0, 5, 0, 0, 1};
	assert_int_equal(child_parse(slice_of(big, 8), &type, &payload, &size), -E2BIG);
	assert_int_equal(child_parse(slice_of(no_type, 8), &type, &payload, &size), -EBADMSG);
	assert_int_equal(child_parse(slice_of(past, 8), &type, &payload, &size), -EBADMSG);
	assert_int_equal(child_parse(slice_of(reserved, 8), &type, &payload, &size), -EBADMSG);
}

static void test_get_resource(void **state)
{
	int pair[2];
	cleanup_with(buf_done) struct buf got = {0};
	struct err e = {0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(child_send(pair[1], CHILD_RESOURCE, SLICE_LIT("secret")), 0);
	assert_int_equal(child_get_resource(pair[0], "kbs:///a/b/c", &got, &e), 0);
	assert_string_equal(buf_str(&got), "secret");
	enum child_type type;
	cleanup_with(buf_done) struct buf request = {0};
	assert_int_equal(child_recv(pair[1], &type, &request), 0);
	assert_int_equal(type, CHILD_GET_RESOURCE);
	assert_string_equal(buf_str(&request), "kbs:///a/b/c");

	assert_int_equal(child_send_error(pair[1], NULL, "policy says no", "7f3a"), 0);
	assert_int_equal(child_get_resource(pair[0], "kbs:///a/b/d", &got, &e), -EACCES);
	assert_string_equal(e.text, "policy says no");
	assert_string_equal(e.field, "7f3a");

	assert_int_equal(child_send(pair[1], CHILD_ATTESTED, SLICE_EMPTY), 0);
	assert_int_equal(child_get_resource(pair[0], "kbs:///a/b/d", &got, &e), -EPROTO);
	close(pair[1]);
	assert_true(child_get_resource(pair[0], "kbs:///a/b/d", &got, &e) < 0);
	close(pair[0]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_get_resource),
	};
	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
