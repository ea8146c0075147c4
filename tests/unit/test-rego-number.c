/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers: results as `opa eval` of OPA v1.22.3 prints them, and laws of integer arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/buf.h"
#include "rego/number.h"

static void evaluate(const char *expr, struct buf *out)
{
	cleanup_with(buf_done) struct buf query = {0};
	cleanup(rego_compiler_free) struct rego_compiler *c = rego_compiler_new(NULL);
	cleanup(rego_program_free) struct rego_program *p = NULL;
	const struct rego_value *v = NULL;
	struct err e = {0};
	unsigned id;
	buf_printf(&query, "x := %s", expr);
	int r = rego_compiler_query(c, buf_slice(&query), &id, &e);
	if (r == 0)
		r = rego_compiler_finish(c, &p, &e);
	if (r < 0)
		fail_msg("%s: %s", expr, err_text(&e, r));
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	assert_int_equal(rego_eval_query(ev, id, &v, &e), 0);
	if (rego_count(v) == 0)
		buf_put_str(out, "undefined");
	else
		rego_json(out, rego_member(rego_item(v, 0), "x"));
}

static void test_golden(void **state)
{
	static const struct {
		const char *expr, *want;
	} cases[] = {
		{"1 + 1.0", "2"},
		{"0.1 + 0.2", "0.3"},
		{"1 / 3", "0.33333333333333333334"},
		{"10 / 4", "2.5"},
		{"7 % -3", "1"},
		{"-7 % 3", "-1"},
		{"7 % 0", "undefined"},
		{"1 / 0.0", "undefined"},
		{"1.5 % 1", "undefined"},
		{"9223372036854775807 + 1", "9223372036854775808"},
		{"-9223372036854775808 - 1", "-9223372036854775809"},
		{"123456789012345678901234567890 * 987654321098765432109876543210",
			"121932631137021795226185032733622923332237463801111263526900"},
		{"18446744073709551616 % 10", "6"},
		{"8.0293529690613534e+22 + 2", "80293529690613534000002"},
		{"1e30 - 1", "999999999999999999999999999999"},
		{"9223372036854775806 / 708", "1.3027361633975672042e+16"},
		{"0.1 * 9223372036854775808", "9.223372036854775808e+17"},
		{"24691356.2 / 2", "1.23456781e+07"},
		{"0 - 1e-7", "-1e-07"},
		{"100000.5 + 0.25", "100000.75"},
		{"sum([0.1, 0.2, 0.3])", "0.6"},
		{"sum([18446744073709551616, 1])", "18446744073709551617"},
		{"product([14046038289707.43, 7])", "98322268027952"},
		{"product([0.1, 81129638414606681695789005144065])",
			"8112963841460669000000000000000"},
		{"product([4294967296, 4294967296, 3])", "55340232221128654848"},
		{"abs(-1.50)", "1.5"},
		{"abs(72e-16)", "7.2e-15"},
		{"round(2.5)", "3"},
		{"round(-2.5)", "-3"},
		{"floor(2.7)", "2"},
		{"ceil(2.1)", "3"},
		{"1e2", "1e2"},
		{"1e1000 > 1e999", "true"},
		{"bits.lsh(1, 100)", "1267650600228229401496703205376"},
		{"bits.and(-1, 18446744073709551617)", "18446744073709551617"},
		{"format_int(18446744073709551617, 16)", "\"10000000000000001\""},
		{"json.marshal(8.0 + 0.5)", "\"8.5\""},
		{"sprintf(\"%v|%d|%s\", [12345678.1, 5, 1208925819614629174706175])",
			"\"1.23456781e+07|5|1208925819614629174706175\""},
		{"sprintf(\"%s|%f|%d\", [5, 5, 1.5])",
			"\"%!s(int64=5)|%!f(int64=5)|%!d(float64=1.5)\""},
		{"sprintf(\"%+d|%+.2f|%05d|%.3d|%x\", [5, 1.5, 42, 7, 0.1])",
			"\"+5|+1.50|00042|007|0x1.999999999999ap-04\""},
		{"sprintf(\"%f\", [18446744073709551616])",
			"\"%!f(big.Int=18446744073709551616)\""},
	};
	unsigned failed = 0;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_with(buf_done) struct buf got = {0};
		evaluate(cases[i].expr, &got);
		if (slice_eq_str(buf_slice(&got), cases[i].want))
			continue;
		fprintf(stderr, "%s: got %s, want %s\n", cases[i].expr, buf_str(&got),
			cases[i].want);
		failed++;
	}
	assert_int_equal(failed, 0);
}

/* OPA goes through floating point here; husk is exact, or rounds the way the name says. */
static void test_better(void **state)
{
	static const struct {
		const char *expr, *want;
	} cases[] = {
		{"ceil(-0.5)", "0"},
		{"floor(-0.5)", "-1"},
		{"abs(-123456789012345678901234567890)", "123456789012345678901234567890"},
		{"round(14037582631781127485)", "14037582631781127485"},
		{"format_int(1.5e22, 10)", "\"15000000000000000000000\""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_with(buf_done) struct buf got = {0};
		evaluate(cases[i].expr, &got);
		assert_string_equal(buf_str(&got), cases[i].want);
	}
}

static uint64_t g_random = 88172645463325252;

static uint64_t next(void)
{
	g_random ^= g_random << 13;
	g_random ^= g_random >> 7;
	g_random ^= g_random << 17;
	return g_random;
}

/* Limbs of all ones and zeros are where carries go wrong. */
static struct big any_big(struct mem *m)
{
	struct big b = big_u64(m, 0, false);
	for (unsigned n = (unsigned)(next() % 12); n > 0; n--) {
		uint64_t limb = next() % 3 == 0 ? UINT32_MAX : next() % 3 == 0 ? 0 : next() >> 32;
		b = big_add(m, big_shl(m, b, 32), big_u64(m, limb, false));
	}
	b.neg = b.count && next() % 2;
	return b;
}

static bool same(struct big a, struct big b)
{
	return a.neg == b.neg && big_cmp_abs(a, b) == 0;
}

static void laws(void *arg)
{
	struct mem *m = arg;
	struct big a = any_big(m), b = any_big(m), c = any_big(m), rem;
	assert_true(same(big_sub(m, big_add(m, a, b), b), a));
	assert_true(same(
		big_mul(m, a, big_add(m, b, c)), big_add(m, big_mul(m, a, b), big_mul(m, a, c))));
	if (b.count) {
		struct big q = big_divmod(m, a, b, &rem);
		assert_true(big_cmp_abs(rem, b) < 0);
		assert_true(rem.count == 0 || rem.neg == a.neg);
		assert_true(same(big_add(m, big_mul(m, q, b), rem), a));
	}
	for (unsigned base = 2; base <= 36; base += 7) {
		const char *text = big_text(m, a, base);
		struct slice digits = slice_str(text + a.neg);
		assert_true(same(big_parse(m, digits, base, a.neg), a));
	}
	/* a ^ b == (a | b) - (a & b), in two's complement */
	assert_true(same(big_bitop(m, a, b, '^'),
		big_sub(m, big_bitop(m, a, b, '|'), big_bitop(m, a, b, '&'))));
	/* the shortest text of a float reads back as the same float */
	rv x = num_from_big(m, a);
	struct f64 f, g;
	if (b.count && f64_from_num(m, num_div(m, x, num_from_big(m, b)), &f)) {
		assert_true(f64_from_num(m, f64_to_num(m, f), &g));
		/* Go's digits, which these are, can be too few next to a power of two. */
		if (f.mant != 0 && f.mant != (uint64_t)1 << 63)
			assert_true(f.mant == g.mant && f.exp == g.exp && f.neg == g.neg);
	}
}

static void test_laws(void **state)
{
	struct mem m = {.arena = arena_new((size_t)64 << 20)};
	assert_non_null(m.arena);
	for (unsigned i = 0; i < 20000; i++) {
		assert_int_equal(mem_guard(&m, laws, &m, NULL), 0);
		if (i % 64 == 0)
			mem_reset(&m);
	}
	arena_free(m.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_better),
		cmocka_unit_test(test_laws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
