/* SPDX-License-Identifier: Apache-2.0 */
/* Nebula's certificates: bytes, what people write, what a CA allows. The real program: kbs-nebula.py. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "fmt/nebula.h"

static void fill(uint8_t *dst, uint8_t from)
{
	for (int i = 0; i < 32; i++)
		dst[i] = (uint8_t)(from + i);
}

static void encode(const struct nebula_details *d, struct buf *hex)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);

	assert_int_equal(nebula_put_details(&out, d), 0);
	buf_clear(hex);
	hex_encode(hex, buf_slice(&out));
}

/* Encoded by google.protobuf (deterministic) from the message of Nebula 1.6. */
static void test_golden(void **state)
{
	cleanup_with(buf_done) struct buf hex = buf_init(0);
	struct nebula_details d = {.name = SLICE_LIT("node"),
		.ips = {{0x0a010203, 16}},
		.ip_count = 1,
		.subnets = {{0x0a020000, 24}},
		.subnet_count = 1,
		.groups = {SLICE_LIT("a"), SLICE_LIT("b c")},
		.group_count = 2,
		.not_before = 1700000000,
		.not_after = 1700003600};

	fill(d.public_key, 0);
	fill(d.issuer, 32);
	encode(&d, &hex);
	assert_string_equal(buf_str(&hex),
		"0a046e6f64651209838484508080fcff0f1a098080885080feffff0f22016122036220632880e2cfaa"
		"063090fecfaa063a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		"4a20202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f");
	d = (struct nebula_details){.name = SLICE_LIT("ca"),
		.not_before = 1700000000,
		.not_after = 1700003600,
		.is_ca = true};
	fill(d.public_key, 0);
	encode(&d, &hex);
	assert_string_equal(buf_str(&hex),
		"0a0263612880e2cfaa063090fecfaa063a20000102030405060708090a0b0c0d0e0f10111213141516"
		"1718191a1b1c1d1e1f4001");
	d.name = SLICE_EMPTY;
	assert_int_equal(nebula_put_details(&hex, &d), -EINVAL);
	d.name = SLICE_LIT("\xff");
	assert_int_equal(nebula_put_details(&hex, &d), -EINVAL);
	d.name = SLICE_LIT("x");
	d.not_after = d.not_before - 1;
	assert_int_equal(nebula_put_details(&hex, &d), -EINVAL);
}

static void test_nets(void **state)
{
	static const char *const bad[] = {"1.2.3.4", "1.2.3/8", "1.2.3.4.5/8", "256.1.1.1/8",
		"1.2.3.4/33", "1.2.3.4/", "/8", "01.2.3.4/8", "1.2.3.4/08", "1..3.4/8", "a.b.c.d/8",
		"1.2.3.4/8 x", "-1.2.3.4/8", "::1/128", "1.2.3.4/8;1.2.3.4/8", "1.2.3.4/+8"};
	struct nebula_net nets[NEBULA_NETS_MAX];
	cleanup_with(buf_done) struct buf many = buf_init(0);
	size_t count = 9;

	assert_int_equal(
		nebula_nets_parse(SLICE_LIT(" 10.1.2.3/16, ,0.0.0.0/0"), false, nets, &count, NULL),
		0);
	assert_int_equal(count, 2);
	assert_int_equal(nets[0].address, 0x0a010203);
	assert_int_equal(nets[0].prefix, 16);
	assert_int_equal(nets[1].prefix, 0);
	assert_int_equal(
		nebula_nets_parse(SLICE_LIT("10.1.2.3/16,1.2.3.4/0"), true, nets, &count, NULL), 0);
	assert_int_equal(nets[0].address, 0x0a010000);
	assert_int_equal(nets[1].address, 0);
	assert_int_equal(nebula_nets_parse(SLICE_EMPTY, true, nets, &count, NULL), 0);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		if (nebula_nets_parse(slice_str(bad[i]), false, nets, &count, NULL) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	}
	for (int i = 0; i <= NEBULA_NETS_MAX; i++)
		buf_put_str(&many, "1.2.3.4/8,");
	assert_int_equal(nebula_nets_parse(buf_slice(&many), false, nets, &count, NULL), -E2BIG);
}

static void duration_case(const char *text, int64_t want)
{
	int64_t got = 0;

	assert_int_equal(nebula_duration_parse(slice_str(text), &got, NULL), want ? 0 : -EINVAL);
	assert_int_equal(got, want);
}

static void test_durations(void **state)
{
	duration_case("8760h0m0s", 8760 * 3600);
	duration_case("1h30m", 5400);
	duration_case("90s", 90);
	duration_case("", 0);
	duration_case("0s", 0);
	duration_case("1", 0);
	duration_case("h", 0);
	duration_case("1d", 0);
	duration_case("-1h", 0);
	duration_case("1.5h", 0);
	duration_case("4294967296h", 0);
	duration_case("4294967295h", 0);
	duration_case("1h ", 0);
}

static void test_allowed(void **state)
{
	const struct nebula_details ca = {.ips = {{0x0a000000, 8}},
		.ip_count = 1,
		.subnets = {{0xc0a80000, 16}, {0xac100000, 12}},
		.subnet_count = 2,
		.groups = {SLICE_LIT("web"), SLICE_LIT("db")},
		.group_count = 2,
		.not_before = 100,
		.not_after = 200};
	struct nebula_details d = {.not_before = 100, .not_after = 200};

	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.not_after = 201;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.not_after = 150;
	d.not_before = 99;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.not_before = 120;
	d.ips[d.ip_count++] = (struct nebula_net){0x0a0b0c0d, 8};
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.ips[0].prefix = 7; /* larger than the CA's */
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.ips[0] = (struct nebula_net){0x0b000001, 24};
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.ip_count = 0;
	d.subnets[d.subnet_count++] = (struct nebula_net){0xac1f0000, 16};
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.subnets[0].address = 0xac200000;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.subnet_count = 0;
	d.groups[d.group_count++] = SLICE_LIT("db");
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.groups[d.group_count++] = SLICE_LIT("d");
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
}

static void test_pem(void **state)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	uint8_t bytes[97] = {0};

	nebula_put_pem(&out, "X Y", slice_of(bytes, sizeof(bytes)));
	assert_string_equal(buf_str(&out),
		"-----BEGIN X Y-----\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAA==\n"
		"-----END X Y-----\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
