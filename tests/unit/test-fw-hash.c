/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's own hashes against published vectors and against the crypto library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/enc.h"
#include "crypto/hash.h"
#include "firmware/hash.h"

#define DATA_SIZE 1000

static uint8_t g_data[DATA_SIZE];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(g_data); i++)
		g_data[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void expect_hex(uint16_t alg, const char *text, const char *hex)
{
	uint8_t got[FW_HASH_SIZE_MAX], want[FW_HASH_SIZE_MAX];
	size_t size = bank_hash(alg, text, strlen(text), got);
	assert_int_equal(size, strlen(hex) / 2);
	assert_int_equal(hex_decode_fixed(want, size, slice_str(hex)), 0);
	assert_memory_equal(got, want, size);
}

/* FIPS 180-4 example values (NIST "SHA examples"), messages "abc" and the 448-bit one. */
static void test_published(void **state)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	expect_hex(ALG_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
	expect_hex(ALG_SHA1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	expect_hex(ALG_SHA256, "abc",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_hex(ALG_SHA256, two_blocks,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	expect_hex(ALG_SHA384, "abc",
		"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
		"8086072ba1e7cc2358baeca134c825a7");
	expect_hex(ALG_SHA512, "abc",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	assert_int_equal(bank_digest_size(0x12), 0);
	assert_int_equal(bank_digest_size(0), 0);
}

/* Every size around the block limits, in each algorithm. */
static void test_all_sizes(void **state)
{
	static const struct {
		uint16_t bank;
		enum hash_alg alg;
	} algs[] = {{ALG_SHA1, HASH_SHA1}, {ALG_SHA256, HASH_SHA256}, {ALG_SHA384, HASH_SHA384},
		{ALG_SHA512, HASH_SHA512}};
	uint8_t got[FW_HASH_SIZE_MAX];
	struct digest want;
	fill();
	for (size_t a = 0; a < ARRAY_COUNT(algs); a++)
		for (size_t size = 0; size <= 300; size++) {
			size_t n = bank_hash(algs[a].bank, g_data, size, got);
			assert_int_equal(hash_once(algs[a].alg, slice_of(g_data, size), &want), 0);
			assert_int_equal(n, want.size);
			assert_memory_equal(got, want.bytes, n);
		}
}

static void check_code(enum sha256_code code)
{
	uint8_t got[SHA256_SIZE];
	struct digest want;
	sha256_use(code);
	for (size_t size = 0; size <= DATA_SIZE; size += 13)
		for (size_t cut = 0; cut <= size; cut += 31) {
			struct fw_sha256 h;
			sha256_init(&h);
			sha256_update(&h, g_data, cut);
			sha256_update(&h, g_data + cut, size - cut);
			sha256_final(&h, got);
			assert_int_equal(hash_once(HASH_SHA256, slice_of(g_data, size), &want), 0);
			assert_memory_equal(got, want.bytes, SHA256_SIZE);
		}
}

/* Each code path that this CPU has, with the data cut in two at many places. */
static void test_code_paths(void **state)
{
	enum sha256_code best = sha256_pick();
	fill();
	check_code(SHA256_PLAIN);
	if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
		check_code(SHA256_BMI2);
	if (best == SHA256_NI)
		check_code(SHA256_NI);
	sha256_use(best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_code_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
