/* SPDX-License-Identifier: Apache-2.0 */
/* DHCP messages: golden bytes, every truncation, hostile answers. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "guest/agent/dhcp.h"

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
#define XID 0xDEADBEEFu

/* An answer as slirp makes it, with the given options. */
static void make_answer(struct buf *b, const uint8_t *options, size_t size)
{
	buf_clear(b);
	buf_put_u8(b, 2);
	buf_put_u8(b, 1);
	buf_put_u8(b, 6);
	buf_put_u8(b, 0);
	buf_put_u32be(b, XID);
	buf_put_zero(b, 8);
	buf_put_u32be(b, 0x0A00020F);
	buf_put_zero(b, 8);
	buf_put(b, mac, 6);
	buf_put_zero(b, 10 + 64 + 128);
	buf_put_u32be(b, 0x63825363);
	buf_put(b, options, size);
}

static const uint8_t ack[] = {53, 1, 5, 54, 4, 10, 0, 2, 2, 1, 4, 255, 255, 255, 0, 0, 3, 4, 10, 0,
	2, 2, 6, 8, 10, 0, 2, 3, 8, 8, 8, 8, 51, 4, 0, 1, 0x51, 0x80, 255};

static int parse(struct buf *b, struct dhcp_lease *lease)
{
	return dhcp_parse(buf_slice(b), XID, mac, lease);
}

static void test_build(void **state)
{
	cleanup_with(buf_done) struct buf b = {0};
	struct dhcp_lease offer = {.address = 0x0A00020F, .server = 0x0A000202};
	dhcp_build(&b, DHCP_DISCOVER, XID, mac, NULL);
	assert_int_equal(b.size, 240 + 3 + 5 + 1);
	assert_int_equal(b.data[0], 1);
	assert_memory_equal(b.data + 4, "\xDE\xAD\xBE\xEF", 4);
	assert_int_equal(b.data[10], 0x80);
	assert_memory_equal(b.data + 28, mac, 6);
	assert_memory_equal(
		b.data + 236, "\x63\x82\x53\x63\x35\x01\x01\x37\x03\x01\x03\x06\xFF", 13);
	buf_clear(&b);
	dhcp_build(&b, DHCP_REQUEST, XID, mac, &offer);
	assert_memory_equal(
		b.data + 240, "\x35\x01\x03\x32\x04\x0A\x00\x02\x0F\x36\x04\x0A\x00\x02\x02", 15);
}

static void test_golden(void **state)
{
	cleanup_with(buf_done) struct buf b = {0};
	struct dhcp_lease m;
	make_answer(&b, ack, sizeof(ack));
	assert_int_equal(parse(&b, &m), 0);
	assert_int_equal(m.type, DHCP_ACK);
	assert_int_equal(m.address, 0x0A00020F);
	assert_int_equal(m.server, 0x0A000202);
	assert_int_equal(m.gateway, 0x0A000202);
	assert_int_equal(m.prefix, 24);
	assert_int_equal(m.dns_count, 2);
	assert_int_equal(m.dns[1], 0x08080808);
	size_t full = b.size;
	for (b.size = 0; b.size < full; b.size++) {
		int r = parse(&b, &m);
		if (r != -ENODATA)
			fail_msg("cut to %zu: %d", b.size, r);
	}
}

static void test_negative(void **state)
{
	static const struct {
		uint8_t options[24];
		size_t size;
		int want;
	} table[] = {
		{{255}, 1, -EBADMSG},		   /* no type */
		{{53, 1, 5, 255}, 4, -EBADMSG},	   /* no netmask */
		{{53, 1, 6, 255}, 4, 0},	   /* NAK needs none */
		{{53, 1, 1, 255}, 4, -EOPNOTSUPP}, /* a client's message */
		{{53, 1, 9, 255}, 4, -EOPNOTSUPP},
		{{53, 2, 5, 5, 255}, 5, -EBADMSG},
		{{53, 0, 255}, 3, -EBADMSG},
		{{53, 1, 5, 1, 4, 255, 0, 255, 0, 255}, 10, -EBADMSG}, /* mask with a hole */
		{{53, 1, 5, 1, 4, 0, 0, 0, 0, 255}, 10, -EBADMSG},
		{{53, 1, 5, 1, 3, 255, 0, 0, 255}, 9, -EBADMSG},
		{{53, 1, 5, 1, 4, 255, 255, 255, 255, 255}, 10, 0},
		{{53, 1, 5, 1, 4, 128, 0, 0, 0, 255}, 10, 0},
		{{53, 1, 5, 1, 4, 255, 0, 0, 0, 3, 0, 255}, 12, -EBADMSG},
		{{53, 1, 5, 1, 4, 255, 0, 0, 0, 3, 5, 1, 1, 1, 1, 1, 255}, 17, -EBADMSG},
		{{53, 1, 5, 1, 4, 255, 0, 0, 0, 6, 3, 1, 1, 1, 255}, 15, -EBADMSG},
		{{53, 1, 5, 1, 4, 255, 0, 0, 0, 6, 200, 1, 1, 1, 255}, 15, -ENODATA},
	};
	cleanup_with(buf_done) struct buf b = {0};
	struct dhcp_lease m;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		make_answer(&b, table[i].options, table[i].size);
		int r = parse(&b, &m);
		if (r != table[i].want)
			fail_msg("row %zu: %d", i, r);
	}
}

/* Each header field that says whose answer it is, and addresses that are no host's. */
static void test_header(void **state)
{
	static const size_t not_ours[] = {0, 1, 2, 4, 7, 28, 33};
	cleanup_with(buf_done) struct buf b = {0};
	struct dhcp_lease m;
	for (size_t i = 0; i < ARRAY_COUNT(not_ours); i++) {
		make_answer(&b, ack, sizeof(ack));
		b.data[not_ours[i]] ^= 0x10;
		assert_int_equal(parse(&b, &m), -ESRCH);
	}
	make_answer(&b, ack, sizeof(ack));
	b.data[236] ^= 1;
	assert_int_equal(parse(&b, &m), -EBADMSG);
	make_answer(&b, ack, sizeof(ack));
	memset(b.data + 16, 0, 4);
	assert_int_equal(parse(&b, &m), -EBADMSG);
	make_answer(&b, ack, sizeof(ack));
	b.data[16] = 224; /* multicast */
	assert_int_equal(parse(&b, &m), -EBADMSG);
	make_answer(&b, ack, sizeof(ack));
	buf_put_zero(&b, DHCP_MESSAGE_MAX);
	assert_int_equal(parse(&b, &m), -EBADMSG);
}

static void test_many_name_servers(void **state)
{
	uint8_t options[3 + 6 + 2 + 20 + 1] = {53, 1, 5, 1, 4, 255, 255, 0, 0, 6, 20};
	cleanup_with(buf_done) struct buf b = {0};
	struct dhcp_lease m;
	memset(options + 11, 9, 20);
	options[31] = 255;
	make_answer(&b, options, sizeof(options));
	assert_int_equal(parse(&b, &m), 0);
	assert_int_equal(m.dns_count, DHCP_DNS_MAX);
	assert_int_equal(m.prefix, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_many_name_servers),
	};
	return cmocka_run_group_tests_name("dhcp", tests, NULL, NULL);
}
