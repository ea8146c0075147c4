/* SPDX-License-Identifier: Apache-2.0 */
/* TPM commands against a pretend TPM, and the event log against the reader of the verifier. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "firmware/tpm.h"
#include "fmt/tcg2.h"

#define HEADER 10

static uint8_t g_command[TPM_COMMAND_MAX], g_response[TPM_RESPONSE_MAX];
static uint32_t g_command_size, g_response_size;
static int g_transmit_result, g_transmit_count, g_retries;

int tpm_transmit(const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *ret_size)
{
	g_transmit_count++;
	memcpy(g_command, command, size);
	g_command_size = size;
	if (g_transmit_result < 0)
		return g_transmit_result;
	memcpy(response, g_response, g_response_size);
	*ret_size = g_response_size;
	if (g_retries > 0) {
		g_retries--;
		put_u32be(response + 6, 0x922); /* TPM_RC_RETRY */
	}
	return 0;
}

static int set_up(void **state)
{
	g_transmit_result = g_transmit_count = g_retries = 0;
	memset(g_response, 0, sizeof(g_response));
	put_u16be(g_response, 0x8001);
	g_response_size = HEADER;
	put_u32be(g_response + 2, HEADER);
	return 0;
}

static void answer_code(uint32_t code)
{
	put_u32be(g_response + 6, code);
}

static void test_startup(void **state)
{
	static const uint8_t want[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0};
	assert_int_equal(tpm_startup(), 0);
	assert_int_equal(g_command_size, sizeof(want));
	assert_memory_equal(g_command, want, sizeof(want));
	answer_code(TPM_RC_INITIALIZE);
	assert_int_equal(tpm_startup(), 0);
	answer_code(0x101);
	assert_int_equal(tpm_startup(), 0x101);
	answer_code(0xffffffff);
	assert_int_equal(tpm_startup(), -EBADMSG);
	g_transmit_result = -ETIMEDOUT;
	assert_int_equal(tpm_startup(), -ETIMEDOUT);
}

static void test_retry(void **state)
{
	g_retries = 3;
	assert_int_equal(tpm_startup(), 0);
	assert_int_equal(g_transmit_count, 4);
	g_retries = 1000000; /* a TPM that never gets ready does not hang the boot */
	assert_int_equal(tpm_startup(), -ETIMEDOUT);
}

static void test_extend(void **state)
{
	struct evlog_banks banks = {{ALG_SHA1, ALG_SHA256, ALG_SHA384, ALG_SHA512}, 4};
	struct evlog_digests digests;
	for (size_t i = 0; i < 4; i++)
		memset(digests.value[i], (int)(0x11 * (i + 1)), FW_HASH_SIZE_MAX);
	assert_int_equal(tpm_extend(9, &banks, &digests), 0);
	assert_int_equal(g_command_size, 14 + 13 + 4 + 2 + 20 + 2 + 32 + 2 + 48 + 2 + 64);
	assert_int_equal(get_u32be(g_command + 2), g_command_size);
	assert_int_equal(get_u32be(g_command + 6), 0x182);
	assert_int_equal(get_u32be(g_command + 10), 9);
	assert_int_equal(get_u32be(g_command + 14), 9); /* size of the authorization */
	assert_int_equal(get_u32be(g_command + 27), 4);
	assert_int_equal(get_u16be(g_command + 31), ALG_SHA1);
	assert_int_equal(g_command[33], 0x11);
	assert_int_equal(get_u16be(g_command + 53), ALG_SHA256);
	assert_int_equal(g_command[55], 0x22);
	assert_int_equal(g_command[g_command_size - 1], 0x44);
	answer_code(0x98e);
	assert_int_equal(tpm_extend(9, &banks, &digests), 0x98e);
}

/* moreData, capability, count, then banks of {alg, 3, three bytes of bits} */
static void answer_banks(const uint16_t *algs, const uint8_t *bits, uint32_t count)
{
	uint8_t *p = g_response + HEADER;
	memset(g_response + HEADER, 0, sizeof(g_response) - HEADER);
	put_u32be(p + 1, 5);
	put_u32be(p + 5, count);
	p += 9;
	for (uint32_t i = 0; i < count; i++, p += 6) {
		put_u16be(p, algs[i]);
		p[2] = 3;
		memset(p + 3, bits[i], 3);
	}
	g_response_size = (uint32_t)(p - g_response);
}

static void test_banks(void **state)
{
	struct evlog_banks banks;
	answer_banks((const uint16_t[]){4, 0xb, 0xc, 0xd}, (const uint8_t[]){0, 255, 255, 0}, 4);
	assert_int_equal(tpm_banks(&banks), 0);
	assert_int_equal(banks.count, 2);
	assert_int_equal(banks.alg[0], ALG_SHA256);
	assert_int_equal(banks.alg[1], ALG_SHA384);
	/* Every truncation of a good answer, and one byte too many. */
	for (uint32_t size = HEADER; size < g_response_size; size++)
		assert_true(tpm_parse_banks(&banks, g_response, size) < 0);
	assert_int_equal(tpm_parse_banks(&banks, g_response, g_response_size + 1), -EBADMSG);
	answer_banks((const uint16_t[]){4}, (const uint8_t[]){255}, 1);
	assert_int_equal(tpm_banks(&banks), -ENODATA); /* SHA-1 alone */
	answer_banks((const uint16_t[]){0xb}, (const uint8_t[]){1}, 1);
	assert_int_equal(tpm_banks(&banks), -ENODATA); /* SHA-256 without all registers */
	answer_banks((const uint16_t[]){0xb, 0x12}, (const uint8_t[]){255, 255}, 2);
	assert_int_equal(tpm_banks(&banks), -EOPNOTSUPP); /* SM3 is active */
	answer_banks((const uint16_t[]){0xb, 0x12}, (const uint8_t[]){255, 0}, 2);
	assert_int_equal(tpm_banks(&banks), 0); /* SM3 is known, but not active */
	answer_banks((const uint16_t[]){0xb, 0xb}, (const uint8_t[]){255, 255}, 2);
	assert_int_equal(tpm_banks(&banks), -EBADMSG);
	answer_banks((const uint16_t[]){0xb}, (const uint8_t[]){255}, 1);
	put_u32be(g_response + HEADER + 5, 0xffffffff);
	assert_int_equal(tpm_banks(&banks), -EBADMSG);
	answer_banks((const uint16_t[]){0xb}, (const uint8_t[]){255}, 1);
	g_response[HEADER + 4] = 6; /* another capability */
	assert_int_equal(tpm_banks(&banks), -EBADMSG);
}

static void test_platform(void **state)
{
	assert_int_equal(tpm_disable_platform(), 0);
	assert_int_equal(g_command_size, 14 + 13 + 5);
	assert_int_equal(get_u32be(g_command + 6), 0x121);
	assert_int_equal(get_u32be(g_command + 10), 0x4000000c);
	assert_int_equal(get_u32be(g_command + 27), 0x4000000c);
	assert_int_equal(g_command[31], 0);
}

static void test_log(void **state)
{
	static struct evlog log;
	struct evlog_banks banks = {{ALG_SHA1, ALG_SHA256}, 2}, bad = {{0x12}, 1};
	struct evlog_digests digests;
	struct tcg2_reader r;
	struct tcg2_event e;
	uint8_t sha256[32], want[64];
	assert_int_equal(evlog_start(&log, &bad), -EOPNOTSUPP);
	bad.count = 0;
	assert_int_equal(evlog_start(&log, &bad), -EOPNOTSUPP);
	assert_int_equal(evlog_start(&log, &banks), 0);
	evlog_digest_data(&banks, "quiet", 6, &digests);
	assert_int_equal(evlog_add(&log, 8, EV_IPL, &digests, "quiet", 6), 0);
	memset(sha256, 7, sizeof(sha256));
	evlog_digest_sha256(&banks, sha256, &digests);
	assert_int_equal(evlog_add(&log, 9, EV_IPL, &digests, "", 0), 0);
	assert_int_equal(tcg2_open(slice_of(log.bytes, log.size), &r, NULL), 0);
	assert_int_equal(r.alg_count, 2);
	assert_int_equal(tcg2_next(&r, &e, NULL), 1);
	assert_int_equal(e.index, 8);
	assert_int_equal(e.type, EV_IPL);
	assert_true(slice_eq(e.data, slice_of("quiet", 6)));
	bank_hash(ALG_SHA1, "quiet", 6, want);
	assert_true(slice_eq(e.digests[0].bytes, slice_of(want, 20)));
	assert_int_equal(tcg2_next(&r, &e, NULL), 1);
	assert_true(slice_eq(e.digests[1].bytes, slice_of(sha256, 32)));
	bank_hash(ALG_SHA1, sha256, 32, want);
	assert_true(slice_eq(e.digests[0].bytes, slice_of(want, 20)));
	assert_int_equal(tcg2_next(&r, &e, NULL), 0);
}

static void test_log_full(void **state)
{
	static struct evlog log;
	static uint8_t big[EVLOG_SIZE_MAX];
	struct evlog_banks banks = {{ALG_SHA256}, 1};
	struct evlog_digests digests = {0};
	assert_int_equal(evlog_start(&log, &banks), 0);
	uint32_t room = EVLOG_SIZE_MAX - log.size - 16 - 34, before = log.size;
	assert_int_equal(evlog_add(&log, 8, EV_IPL, &digests, big, room + 1), -E2BIG);
	assert_int_equal(evlog_add(&log, 8, EV_IPL, &digests, big, UINT32_MAX), -E2BIG);
	assert_int_equal(log.size, before);
	assert_int_equal(evlog_add(&log, 8, EV_IPL, &digests, big, room), 0);
	assert_int_equal(log.size, EVLOG_SIZE_MAX);
	assert_int_equal(evlog_add(&log, 8, EV_IPL, &digests, big, 0), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_startup, set_up),
		cmocka_unit_test_setup(test_retry, set_up),
		cmocka_unit_test_setup(test_extend, set_up),
		cmocka_unit_test_setup(test_banks, set_up),
		cmocka_unit_test_setup(test_platform, set_up),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
