/* SPDX-License-Identifier: Apache-2.0 */
/* The guest link's codec: golden frames, every truncation, negative table, limits. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "fmt/hostlink.h"

#define FROM_GUEST HOSTLINK_FROM_GUEST
#define FROM_HOST HOSTLINK_FROM_HOST

static void test_frame_golden(void **state)
{
	static const uint8_t golden[] = {0, 0, 0, 2, 3, 0, 0, 0, 'h', 'i'};
	cleanup_with(buf_done) struct buf out = {0};
	hostlink_put(&out, HOSTLINK_STDOUT, SLICE_LIT("hi"));
	assert_int_equal(buf_error(&out), 0);
	assert_true(slice_eq(buf_slice(&out), slice_of(golden, sizeof(golden))));

	/* Two frames back to back: the first is cut off exactly. */
	hostlink_put(&out, HOSTLINK_LOG, SLICE_EMPTY);
	struct hostlink_frame f;
	size_t size = 0;
	assert_int_equal(hostlink_parse(buf_slice(&out), FROM_GUEST, &f, &size, NULL), 0);
	assert_int_equal(f.type, HOSTLINK_STDOUT);
	assert_true(slice_eq_str(f.payload, "hi"));
	assert_int_equal(size, sizeof(golden));
	buf_consume(&out, size);
	assert_int_equal(hostlink_parse(buf_slice(&out), FROM_GUEST, &f, &size, NULL), 0);
	assert_int_equal(f.type, HOSTLINK_LOG);
	assert_int_equal(f.payload.size, 0);
	assert_int_equal(size, HOSTLINK_HEADER_SIZE);
	for (size_t n = 0; n < sizeof(golden); n++)
		assert_int_equal(
			hostlink_parse(slice_of(golden, n), FROM_GUEST, &f, &size, NULL), -ENODATA);
}

static void test_frame_negative(void **state)
{
	static const struct {
		uint8_t in[8];
		size_t size;
		enum hostlink_side from;
		int want;
		size_t offset;
	} table[] = {
		/* one byte over the limit, refused on the header's first five bytes */
		{{0, 0x10, 0, 1, 3}, 5, FROM_GUEST, -E2BIG, 0},
		{{0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0}, 8, FROM_GUEST, -E2BIG, 0},
		/* exactly the limit is only incomplete */
		{{0, 0x10, 0, 0, 3, 0, 0, 0}, 8, FROM_GUEST, -ENODATA, 0},
		{{0, 0, 0, 0, 0, 0, 0, 0}, 8, FROM_GUEST, -EOPNOTSUPP, 4},
		{{0, 0, 0, 0, 8, 0, 0, 0}, 8, FROM_GUEST, -EOPNOTSUPP, 4},
		{{0, 0, 0, 0, 22, 0, 0, 0}, 8, FROM_HOST, -EOPNOTSUPP, 4},
		{{0, 0, 0, 0, 255, 0, 0, 0}, 8, FROM_HOST, -EOPNOTSUPP, 4},
		/* wrong direction, both ways */
		{{0, 0, 0, 0, 3, 0, 0, 0}, 8, FROM_HOST, -EPROTO, 4},
		{{0, 0, 0, 0, 18, 0, 0, 0}, 8, FROM_GUEST, -EPROTO, 4},
		/* each reserved byte */
		{{0, 0, 0, 0, 3, 1, 0, 0}, 8, FROM_GUEST, -EBADMSG, 5},
		{{0, 0, 0, 0, 3, 0, 1, 0}, 8, FROM_GUEST, -EBADMSG, 5},
		{{0, 0, 0, 0, 3, 0, 0, 1}, 8, FROM_GUEST, -EBADMSG, 5},
		/* STDIN_EOF carries nothing */
		{{0, 0, 0, 1, 19, 0, 0, 0}, 8, FROM_HOST, -EBADMSG, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		struct hostlink_frame f;
		size_t size;
		struct err e = {0};
		int r = hostlink_parse(
			slice_of(table[i].in, table[i].size), table[i].from, &f, &size, &e);
		if (r != table[i].want || (r != -ENODATA && e.offset != table[i].offset))
			fail_msg("row %zu: %d at %zu", i, r, e.offset);
	}
}

static void test_put_limit(void **state)
{
	uint8_t *big = calloc(1, HOSTLINK_PAYLOAD_MAX + 1);
	assert_non_null(big);
	cleanup_with(buf_done) struct buf ok = {0}, bad = {0};
	hostlink_put(&ok, HOSTLINK_STDIN, slice_of(big, HOSTLINK_PAYLOAD_MAX));
	assert_int_equal(buf_error(&ok), 0);
	hostlink_put(&bad, HOSTLINK_STDIN, slice_of(big, HOSTLINK_PAYLOAD_MAX + 1));
	assert_int_equal(buf_error(&bad), -E2BIG);
	free(big);
}

static struct slice payload_of(struct buf *frame, enum hostlink_side from)
{
	struct hostlink_frame f;
	size_t size;
	assert_int_equal(buf_error(frame), 0);
	assert_int_equal(hostlink_parse(buf_slice(frame), from, &f, &size, NULL), 0);
	assert_int_equal(size, frame->size);
	return f.payload;
}

static void test_small_messages(void **state)
{
	cleanup_with(buf_done) struct buf b = {0};
	struct hostlink_hello hello = {HOSTLINK_PROTOCOL, "0.1.0"}, hello2;
	hostlink_hello_put(&b, &hello);
	struct slice p = payload_of(&b, FROM_GUEST);
	assert_true(slice_eq_str(p, "{\"protocol\":1,\"version\":\"0.1.0\"}"));
	assert_int_equal(hostlink_hello_parse(p, &hello2, NULL), 0);
	assert_string_equal(hello2.version, "0.1.0");

	struct hostlink_phase phase = {"network", 2210}, phase2;
	buf_clear(&b);
	hostlink_phase_put(&b, &phase);
	p = payload_of(&b, FROM_GUEST);
	assert_true(slice_eq_str(p, "{\"phase\":\"network\",\"ms\":2210}"));
	assert_int_equal(hostlink_phase_parse(p, &phase2, NULL), 0);
	assert_int_equal(phase2.ms, 2210);

	struct hostlink_exit done = {137, "oom-killed"}, done2;
	buf_clear(&b);
	hostlink_exit_put(&b, &done);
	assert_int_equal(hostlink_exit_parse(payload_of(&b, FROM_GUEST), &done2, NULL), 0);
	assert_int_equal(done2.code, 137);
	assert_string_equal(done2.reason, "oom-killed");

	struct hostlink_winsize ws = {24, 80}, ws2;
	buf_clear(&b);
	hostlink_winsize_put(&b, &ws);
	assert_int_equal(hostlink_winsize_parse(payload_of(&b, FROM_HOST), &ws2, NULL), 0);
	assert_int_equal(ws2.rows, 24);
	assert_int_equal(ws2.cols, 80);

	struct hostlink_signal sig = {15}, sig2;
	buf_clear(&b);
	hostlink_signal_put(&b, &sig);
	assert_int_equal(hostlink_signal_parse(payload_of(&b, FROM_HOST), &sig2, NULL), 0);
	assert_int_equal(sig2.signo, 15);
}

/* A reason may quote bytes of an attacker; it must still arrive as valid, printable text. */
static void test_fatal_cleans_text(void **state)
{
	cleanup_with(buf_done) struct buf b = {0};
	struct hostlink_fatal m = {"pull", "bad \xFF\x1B[2J\n \xC3\xA4", "abc", 0}, m2;
	hostlink_fatal_put(&b, &m);
	assert_int_equal(hostlink_fatal_parse(payload_of(&b, FROM_GUEST), &m2, NULL), 0);
	assert_string_equal(m2.reason, "bad ??[2J? \xC3\xA4");
	assert_string_equal(m2.id, "abc");
	assert_null(memmem(b.data, b.size, "code", 4));
	/* a command that is not there */
	m.code = 127;
	buf_clear(&b);
	hostlink_fatal_put(&b, &m);
	assert_int_equal(hostlink_fatal_parse(payload_of(&b, FROM_GUEST), &m2, NULL), 0);
	assert_int_equal(m2.code, 127);
	/* the longest reason arrives */
	memset(m.reason, 'x', sizeof(m.reason) - 1);
	buf_clear(&b);
	hostlink_fatal_put(&b, &m);
	assert_int_equal(hostlink_fatal_parse(payload_of(&b, FROM_GUEST), &m2, NULL), 0);
	assert_string_equal(m2.reason, m.reason);
}

static void test_small_negative(void **state)
{
	static const struct {
		const char *in;
		int want;
	} exits[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{\"code\":0}", -EBADMSG},
		{"{\"reason\":\"exited\"}", -EBADMSG},
		{"{\"code\":0,\"reason\":\"exited\",\"x\":1}", -EBADMSG},    /* unknown member */
		{"{\"code\":0,\"code\":1,\"reason\":\"exited\"}", -EBADMSG}, /* doubled */
		{"{\"code\":0,\"reason\":\"exited\"}x", -EBADMSG},	     /* trailing bytes */
		{"{\"code\":-1,\"reason\":\"exited\"}", -EBADMSG},
		{"{\"code\":1.5,\"reason\":\"exited\"}", -EBADMSG},
		{"{\"code\":\"0\",\"reason\":\"exited\"}", -EBADMSG},
		{"{\"code\":256,\"reason\":\"exited\"}", -E2BIG},
		{"{\"code\":255,\"reason\":\"exited\"}", 0},
		{"{\"code\":0,\"reason\":\"a\\nb\"}", -EBADMSG},     /* control character */
		{"{\"code\":0,\"reason\":\"a\\u0000b\"}", -EBADMSG}, /* NUL */
		{"{\"code\":0,\"reason\":\"\xFF\"}", -EBADMSG},	     /* not UTF-8 */
		{"{\"code\":0,\"reason\":\"0123456789012345678901234\"}", -E2BIG},
	};
	for (size_t i = 0; i < ARRAY_COUNT(exits); i++) {
		struct hostlink_exit m;
		int r = hostlink_exit_parse(slice_str(exits[i].in), &m, NULL);
		if (r != exits[i].want)
			fail_msg("%s: %d", exits[i].in, r);
	}
	struct hostlink_signal sig;
	assert_int_equal(hostlink_signal_parse(SLICE_LIT("{\"signo\":0}"), &sig, NULL), -EBADMSG);
	assert_int_equal(hostlink_signal_parse(SLICE_LIT("{\"signo\":64}"), &sig, NULL), 0);
	assert_int_equal(hostlink_signal_parse(SLICE_LIT("{\"signo\":65}"), &sig, NULL), -E2BIG);
	struct hostlink_fatal fatal;
#define FATAL_OF(code) \
	SLICE_LIT("{\"stage\":\"start\",\"reason\":\"r\",\"id\":\"\",\"code\":" code "}")
	assert_int_equal(hostlink_fatal_parse(FATAL_OF("126"), &fatal, NULL), 0);
	assert_int_equal(hostlink_fatal_parse(FATAL_OF("256"), &fatal, NULL), -E2BIG);
	assert_int_equal(hostlink_fatal_parse(FATAL_OF("-1"), &fatal, NULL), -EBADMSG);
	assert_int_equal(hostlink_fatal_parse(FATAL_OF("\"126\""), &fatal, NULL), -EBADMSG);
	struct hostlink_hello hello;
	assert_int_equal(
		hostlink_hello_parse(SLICE_LIT("{\"protocol\":2,\"version\":\"9\"}"), &hello, NULL),
		-EOPNOTSUPP);
	struct hostlink_winsize ws;
	assert_int_equal(
		hostlink_winsize_parse(SLICE_LIT("{\"rows\":65536,\"cols\":1}"), &ws, NULL),
		-E2BIG);
}

static const char run_golden[] =
	"{\"image\":\"127.0.0.1:5000/app:v1\",\"name\":\"app\",\"hostname\":\"app-1\","
	"\"args\":[\"/bin/sh\",\"-c\",\"echo \\\"a\\nb\\\"\"],\"env\":[\"A=b\",\"C=\"],"
	"\"terminal\":true,\"rows\":24,\"cols\":80,\"memory\":268435456,\"cpu_millis\":1500,"
	"\"network\":{\"mode\":\"static\",\"address\":\"10.0.2.15\",\"prefix\":24,"
	"\"dns\":[\"10.0.2.3\"],\"gateway\":\"10.0.2.2\"}}";

static void test_run_golden(void **state)
{
	cleanup_with(hostlink_run_done) struct hostlink_run m = {0};
	struct err e = {0};
	assert_int_equal(hostlink_run_parse(slice_str(run_golden), &m, &e), 0);
	assert_string_equal(m.image, "127.0.0.1:5000/app:v1");
	assert_int_equal(m.args_count, 3);
	assert_string_equal(m.args[2], "echo \"a\nb\"");
	assert_null(m.args[3]);
	assert_int_equal(m.env_count, 2);
	assert_true(m.terminal);
	assert_int_equal(m.memory, 268435456);
	assert_int_equal(m.cpu_millis, 1500);
	assert_int_equal(m.network, HOSTLINK_NET_STATIC);
	assert_int_equal(m.address, 0x0A00020F);
	assert_int_equal(m.gateway, 0x0A000202);
	assert_int_equal(m.dns[0], 0x0A000203);

	/* Round trip: what is put is the golden text again. */
	cleanup_with(buf_done) struct buf b = {0};
	hostlink_run_put(&b, &m);
	assert_true(slice_eq_str(payload_of(&b, FROM_HOST), run_golden));
	for (size_t n = 0; n + 1 < sizeof(run_golden); n++) {
		struct hostlink_run cut = {0};
		assert_int_equal(hostlink_run_parse(slice_of(run_golden, n), &cut, NULL), -EBADMSG);
	}
}

static void test_run_table(void **state)
{
	static const struct {
		const char *in;
		int want;
	} table[] = {
		{"{\"image\":\"a\"}", 0},
		{"{}", -EBADMSG},
		{"{\"image\":\"\"}", -EBADMSG},
		{"{\"image\":\"a b\"}", -EBADMSG},
		{"{\"image\":\"a\",\"privileged\":true}", -EBADMSG},
		{"{\"image\":\"a\",\"name\":\"x_.-9\"}", 0},
		{"{\"image\":\"a\",\"name\":\"../x\"}", -EBADMSG},
		{"{\"image\":\"a\",\"name\":\"x/y\"}", -EBADMSG},
		{"{\"image\":\"a\",\"name\":\"\"}", -EBADMSG},
		{"{\"image\":\"a\",\"hostname\":\"-x\"}", -EBADMSG},
		{"{\"image\":\"a\",\"hostname\":\"a_b\"}", -EBADMSG},
		{"{\"image\":\"a\",\"args\":\"x\"}", -EBADMSG},
		{"{\"image\":\"a\",\"args\":[1]}", -EBADMSG},
		{"{\"image\":\"a\",\"args\":[\"a\\u0000\"]}", -EBADMSG},
		{"{\"image\":\"a\",\"args\":[]}", 0},
		{"{\"image\":\"a\",\"env\":[\"A\"]}", -EBADMSG},
		{"{\"image\":\"a\",\"env\":[\"=A\"]}", -EBADMSG},
		{"{\"image\":\"a\",\"terminal\":1}", -EBADMSG},
		{"{\"image\":\"a\",\"memory\":-1}", -EBADMSG},
		{"{\"image\":\"a\",\"cpu_millis\":1000001}", -E2BIG},
		{"{\"image\":\"a\",\"network\":{}}", -EBADMSG},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"host\"}}", -EBADMSG},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"dhcp\"}}", 0},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"dhcp\",\"prefix\":8}}", -EBADMSG},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"static\"}}", -EBADMSG},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"static\",\"address\":\"1.2.3.4\","
		 "\"prefix\":33}}",
			-E2BIG},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"static\",\"address\":\"1.2.3.4\","
		 "\"prefix\":8}}",
			0},
		{"{\"image\":\"a\",\"network\":{\"mode\":\"static\",\"address\":\"1.2.3.4\","
		 "\"prefix\":8,\"dns\":[\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\",\"1.1.1.1\"]}}",
			-E2BIG},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		cleanup_with(hostlink_run_done) struct hostlink_run m = {0};
		int r = hostlink_run_parse(slice_str(table[i].in), &m, NULL);
		if (r != table[i].want)
			fail_msg("%s: %d", table[i].in, r);
	}
}

static void test_run_put_refuses(void **state)
{
	struct hostlink_run m = {.image = (char[]){"a b"}};
	cleanup_with(buf_done) struct buf b = {0};
	hostlink_run_put(&b, &m);
	assert_int_equal(buf_error(&b), -EINVAL);
	char *env[] = {(char[]){"A=\xFF"}};
	m = (struct hostlink_run){.image = (char[]){"a"}, .env = env, .env_count = 1};
	buf_clear(&b);
	hostlink_run_put(&b, &m);
	assert_int_equal(buf_error(&b), -EINVAL);
}

static void test_ipv4(void **state)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3",
		"256.1.1.1", "01.2.3.4", "1.2.3.4 ", "1..2.3", "0x1.2.3.4", "1.2.3.0000"};
	uint32_t a = 0;
	char text[IPV4_TEXT_SIZE];
	assert_int_equal(ipv4_parse(SLICE_LIT("255.0.10.254"), &a), 0);
	assert_int_equal(a, 0xFF000AFE);
	assert_string_equal(ipv4_format(a, text), "255.0.10.254");
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		if (ipv4_parse(slice_str(bad[i]), &a) != -EINVAL)
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_golden),
		cmocka_unit_test(test_frame_negative),
		cmocka_unit_test(test_put_limit),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_fatal_cleans_text),
		cmocka_unit_test(test_small_negative),
		cmocka_unit_test(test_run_golden),
		cmocka_unit_test(test_run_table),
		cmocka_unit_test(test_run_put_refuses),
		cmocka_unit_test(test_ipv4),
	};
	return cmocka_run_group_tests_name("hostlink", tests, NULL, NULL);
}
