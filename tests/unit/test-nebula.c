/* SPDX-License-Identifier: Apache-2.0 */
/* Nebula's certificates: bytes, what people write, what a CA allows. The real program: kbs-nebula.py. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "crypto/raw_keys.h"
#include "fmt/nebula.h"

#define V4(a, b, c, d, prefix) ((struct nebula_net){{a, b, c, d}, prefix, false})

static void fill(uint8_t *dst, uint8_t from)
{
	for (int i = 0; i < 32; i++)
		dst[i] = (uint8_t)(from + i);
}

static void encode(const struct nebula_details *d, struct buf *hex)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);

	assert_int_equal(nebula_put_signed(&out, d), 0);
	buf_clear(hex);
	hex_encode(hex, buf_slice(&out));
}

/* Encoded by google.protobuf (deterministic) from the message of Nebula 1.6. */
static void test_golden(void **state)
{
	cleanup_with(buf_done) struct buf hex = buf_init(0);
	struct nebula_details d = {.version = 1,
		.name = SLICE_LIT("node"),
		.ips = {V4(10, 1, 2, 3, 16)},
		.ip_count = 1,
		.subnets = {V4(10, 2, 0, 0, 24)},
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
	d = (struct nebula_details){.version = 1,
		.name = SLICE_LIT("ca"),
		.not_before = 1700000000,
		.not_after = 1700003600,
		.is_ca = true};
	fill(d.public_key, 0);
	encode(&d, &hex);
	assert_string_equal(buf_str(&hex),
		"0a0263612880e2cfaa063090fecfaa063a20000102030405060708090a0b0c0d0e0f10111213141516"
		"1718191a1b1c1d1e1f4001");
	d.name = SLICE_EMPTY;
	assert_int_equal(nebula_put_signed(&hex, &d), -EINVAL);
	d.name = SLICE_LIT("\xff");
	assert_int_equal(nebula_put_signed(&hex, &d), -EINVAL);
	d.name = SLICE_LIT("x");
	d.not_after = d.not_before - 1;
	assert_int_equal(nebula_put_signed(&hex, &d), -EINVAL);
}

/*
 * Made by the package cert of nebula 1.10.3: a CA and a node of each kind, with the private key 01 02 .. 20,
 * the node's key of Curve25519 being 00 01 .. 1f. Their signatures, and fingerprints.
 */
static const struct golden {
	unsigned version;
	enum nebula_curve curve;
	bool is_ca;
	const char *certificate, *signature, *fingerprint;
} g_golden[] = {
	{1, NEBULA_25519, true,
		"0a340a0263612880e2cfaa063080d0acf30e3a2079b5562e8fe654f94078b112e8a98ba7"
		"901f853ae695bed7e0e3910bad0496644001124047cf4fcb653d10ff83aa9cbf36a289de"
		"00efb5a4562714533dd527a102433b947e833c09abbeaedc0b230ea423021c00176462ea"
		"2fc565ed899bcd50f6e3ef08",
		"47cf4fcb653d10ff83aa9cbf36a289de00efb5a4562714533dd527a102433b947e833c09"
		"abbeaedc0b230ea423021c00176462ea2fc565ed899bcd50f6e3ef08",
		"ac81d0582507d9b0b184b454c5127e3a4484297ddbbf2ec5bf5829a4ec6bf2e7"},
	{1, NEBULA_25519, false,
		"0a740a046e6f64651209838484508080fcff0f1a098080885080feffff0f220161220362"
		"20632880e2cfaa0630ffcfacf30e3a20000102030405060708090a0b0c0d0e0f10111213"
		"1415161718191a1b1c1d1e1f4a20ac81d0582507d9b0b184b454c5127e3a4484297ddbbf"
		"2ec5bf5829a4ec6bf2e71240699c9393dd4425a6220b3333331b80fe1ad38168051544ca"
		"4bd6b9d8d6571c8cb96e2c7e2829790b67caa1ca1f9a30628a43329b57d0098ea74f3d2d"
		"90c3ae0b",
		"699c9393dd4425a6220b3333331b80fe1ad38168051544ca4bd6b9d8d6571c8cb96e2c7e"
		"2829790b67caa1ca1f9a30628a43329b57d0098ea74f3d2d90c3ae0b",
		"d675927938608ff63c95b75c898721c09d84df5a22f661fb30978566982004c8"},
	{1, NEBULA_P256, true,
		"0a580a0263612880e2cfaa063080d0acf30e3a4104515c3d6eb9e396b904d3feca7f54fd"
		"cd0cc1e997bf375dca515ad0a6c3b4035f4536be3a50f318fbf9a5475902a221502bef0d"
		"57e08c53b2cc0a56f17d9f93544001a0060112473045022100d2f27e2063a67c90e207a0"
		"adbb73248bdb787aa184227fe7333d658704c6ad68022018306b5a4801dfe3420c7eb644"
		"e5933c4920bf520702a6e833f867c705e714e8",
		"3045022100d2f27e2063a67c90e207a0adbb73248bdb787aa184227fe7333d658704c6ad"
		"68022018306b5a4801dfe3420c7eb644e5933c4920bf520702a6e833f867c705e714e8",
		"a1fce50046b760d739e56c7989dccb43714143ddb79bd0e48a69bc078373fe8d"},
	{1, NEBULA_P256, false,
		"0a98010a046e6f64651209838484508080fcff0f1a098080885080feffff0f2201612203"
		"6220632880e2cfaa0630ffcfacf30e3a4104515c3d6eb9e396b904d3feca7f54fdcd0cc1"
		"e997bf375dca515ad0a6c3b4035f4536be3a50f318fbf9a5475902a221502bef0d57e08c"
		"53b2cc0a56f17d9f93544a20a1fce50046b760d739e56c7989dccb43714143ddb79bd0e4"
		"8a69bc078373fe8da0060112463044022062c8110157b4eec899ed91e41e33fd1778b0f8"
		"f200adb12a6cb18a399a49b3740220385ecfaaffc2ee3cd4098d36b580ee79c532672adf"
		"fd10e63f9394e9e7a8c790",
		"3044022062c8110157b4eec899ed91e41e33fd1778b0f8f200adb12a6cb18a399a49b374"
		"0220385ecfaaffc2ee3cd4098d36b580ee79c532672adffd10e63f9394e9e7a8c790",
		"90c771578befa30d4c6c4a655be83c3b1de3b713392fca04e6cc07e4aff3a88f"},
	{2, NEBULA_25519, true,
		"307aa014800263618401ff85046553f100860500ee6b2800822079b5562e8fe654f94078"
		"b112e8a98ba7901f853ae695bed7e0e3910bad04966483400f38aee200a771988cd35ce5"
		"5227818e6d726ef871a201a02078dcf4f5650945eeb05cbe783aa2724527e35571ef1c27"
		"eeb75cac4584f4660e8a42979f366d0e",
		"0f38aee200a771988cd35ce55227818e6d726ef871a201a02078dcf4f5650945eeb05cbe"
		"783aa2724527e35571ef1c27eeb75cac4584f4660e8a42979f366d0e",
		"b9aa4bc6cab8c8c7ab7de89beeaed237acf1bc1b5919d4be04016c29b2a8a0a6"},
	{2, NEBULA_25519, false,
		"3081e4a07e80046e6f6465a12104050a0000090804050a010203100411fd000000000000"
		"00000000000000000140a21a04050a020000180411fd0100000000000000000000000000"
		"0030a3080c01610c0362206385046553f100860500ee6b27ff8720b9aa4bc6cab8c8c7ab"
		"7de89beeaed237acf1bc1b5919d4be04016c29b2a8a0a68220000102030405060708090a"
		"0b0c0d0e0f101112131415161718191a1b1c1d1e1f8340a120535f5fccc686e7fe9e7bc3"
		"8e8adff2c7880f0d3fe4b07359cabd92fefea2ef48406588ee91a317c0df45d9b3ec8c84"
		"e35a68e22fd4cf1e3e76bd84545a02",
		"a120535f5fccc686e7fe9e7bc38e8adff2c7880f0d3fe4b07359cabd92fefea2ef484065"
		"88ee91a317c0df45d9b3ec8c84e35a68e22fd4cf1e3e76bd84545a02",
		"bf222b263ce88bb66ee4a194f5f006a85b9d37028deb94fc40cd6c980f735b1a"},
	{2, NEBULA_P256, true,
		"3081a4a014800263618401ff85046553f100860500ee6b2800810101824104515c3d6eb9"
		"e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f4536be3a50f318fbf9"
		"a5475902a221502bef0d57e08c53b2cc0a56f17d9f935483463044022078ec5c4d3fe75c"
		"501540c990283e8ad296bbbb0d7bab5c62d2cb6e0be6de16cc022017c272243b16205ecc"
		"16bcb29119d9ba38f8241278baf234496a506be7773fc9",
		"3044022078ec5c4d3fe75c501540c990283e8ad296bbbb0d7bab5c62d2cb6e0be6de16cc"
		"022017c272243b16205ecc16bcb29119d9ba38f8241278baf234496a506be7773fc9",
		"21f28f083a200ce39a3bca51577a03c9c37bf9012b891aff0a2b830e98e8e166"},
	{2, NEBULA_P256, false,
		"3082010fa07e80046e6f6465a12104050a0000090804050a010203100411fd0000000000"
		"0000000000000000000140a21a04050a020000180411fd01000000000000000000000000"
		"000030a3080c01610c0362206385046553f100860500ee6b27ff872021f28f083a200ce3"
		"9a3bca51577a03c9c37bf9012b891aff0a2b830e98e8e166810101824104515c3d6eb9e3"
		"96b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f4536be3a50f318fbf9a5"
		"475902a221502bef0d57e08c53b2cc0a56f17d9f935483473045022100936e1df0d3e28b"
		"68797a7847de35fd20f075810a04c988892120f0be66d68c1002207e8f6f741d9227faa7"
		"a187504a19202e6e42614248f25a4794355ae494e93f79",
		"3045022100936e1df0d3e28b68797a7847de35fd20f075810a04c988892120f0be66d68c"
		"1002207e8f6f741d9227faa7a187504a19202e6e42614248f25a4794355ae494e93f79",
		"d642d477945a0e4c869b14c5f407dd8de1e0e04b1c0d3f2bd132fd679f3df4cd"},
};

static const char g_point[] =
	"04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f4536be"
	"3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354";
static const char g_ed25519[] = "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664";

static void unhex(const char *hex, struct buf *out)
{
	buf_clear(out);
	assert_int_equal(hex_decode(out, slice_str(hex)), 0);
}

static struct nebula_details golden_details(const struct golden *g)
{
	cleanup_with(buf_done) struct buf key = buf_init(0);
	struct nebula_details d = {.version = g->version,
		.curve = g->curve,
		.name = slice_str(g->is_ca ? "ca" : "node"),
		.not_before = 1700000000,
		.not_after = g->is_ca ? 4000000000 : 3999999999,
		.is_ca = g->is_ca};

	if (g->curve == NEBULA_P256 || g->is_ca) {
		unhex(g->curve == NEBULA_P256 ? g_point : g_ed25519, &key);
		memcpy(d.public_key, key.data, key.size);
	} else {
		fill(d.public_key, 0);
	}
	if (g->is_ca)
		return d;
	unhex(g[-1].fingerprint, &key);
	memcpy(d.issuer, key.data, sizeof(d.issuer));
	d.groups[d.group_count++] = SLICE_LIT("a");
	d.groups[d.group_count++] = SLICE_LIT("b c");
	if (g->version == 2) /* not in the order that they are encoded in */
		d.ips[d.ip_count++] = (struct nebula_net){{0xFD, [15] = 1}, 64, true};
	d.ips[d.ip_count++] = V4(10, 1, 2, 3, 16);
	if (g->version == 2) {
		d.ips[d.ip_count++] = V4(10, 0, 0, 9, 8);
		d.subnets[d.subnet_count++] = (struct nebula_net){{0xFD, 1}, 48, true};
	}
	d.subnets[d.subnet_count++] = V4(10, 2, 0, 0, 24);
	return d;
}

static void golden_case(const struct golden *g)
{
	cleanup_with(buf_done) struct buf want = buf_init(0), out = buf_init(0);
	cleanup_with(buf_done) struct buf signature = buf_init(0), text = buf_init(0);
	struct nebula_details d = golden_details(g);
	uint8_t seed[32], ed[RAW_SIGNATURE_SIZE];
	struct digest fingerprint;

	unhex(g->signature, &signature);
	unhex(g->certificate, &want);
	assert_int_equal(nebula_put_certificate(&out, &d, buf_slice(&signature)), 0);
	assert_true(slice_eq(buf_slice(&out), buf_slice(&want)));
	buf_clear(&out);
	assert_int_equal(nebula_put_identity(&out, &d, buf_slice(&signature)), 0);
	assert_int_equal(hash_once(HASH_SHA256, buf_slice(&out), &fingerprint), 0);
	unhex(g->fingerprint, &want);
	assert_true(slice_eq(digest_slice(&fingerprint), buf_slice(&want)));
	/* What it signed is what we sign: by the same key, or verified by its public half. */
	fill(seed, 1);
	assert_int_equal(nebula_put_signed(&text, &d), 0);
	if (g->curve == NEBULA_25519) {
		assert_int_equal(raw_ed25519_sign(seed, buf_slice(&text), ed), 0);
		assert_true(slice_eq(slice_of(ed, sizeof(ed)), buf_slice(&signature)));
	} else {
		cleanup(pkey_free) struct pkey *key = NULL;

		unhex(g_point, &want);
		assert_int_equal(pkey_from_ec_point(KEY_P256, buf_slice(&want), &key), 0);
		assert_int_equal(
			pkey_verify_der(key, SIG_ES256, buf_slice(&text), buf_slice(&signature)),
			0);
		for (int i = 0; i < 32; i++) {
			buf_clear(&out);
			assert_int_equal(raw_p256_sign(seed, buf_slice(&text), &out), 0);
			assert_int_equal(
				pkey_verify_der(key, SIG_ES256, buf_slice(&text), buf_slice(&out)),
				0);
			/* 30 SIZE 02 SIZE r 02 SIZE s: the smaller s has no byte above 7f at its start. */
			assert_true(out.data[5 + out.data[3]] <= 32);
		}
	}
}

static void test_programs(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_golden); i++)
		golden_case(&g_golden[i]);
}

static void refuse(struct nebula_details *d, const char *why)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	struct err e = {0};

	assert_int_equal(nebula_check(d, &e), -EINVAL);
	if (!strstr(e.text, why))
		fail_msg("%s, not %s", e.text, why);
	assert_int_equal(nebula_put_signed(&out, d), -EINVAL);
	assert_int_equal(nebula_put_certificate(&out, d, SLICE_LIT("x")), -EINVAL);
	assert_int_equal(nebula_put_identity(&out, d, SLICE_LIT("x")), -EINVAL);
	assert_int_equal(out.size, 0);
}

/* What nodes would not take is not made. */
static void test_check(void **state)
{
	const struct nebula_net six = {{0xFD, [15] = 1}, 64, true};
	struct nebula_details d = golden_details(&g_golden[1]), two = golden_details(&g_golden[5]);

	d.ips[d.ip_count++] = V4(10, 0, 0, 2, 8);
	refuse(&d, "one address");
	d.ip_count = 0;
	refuse(&d, "one address");
	d.ips[d.ip_count++] = six;
	refuse(&d, "IPv4 addresses only");
	d.ips[0] = V4(0, 0, 0, 0, 8);
	refuse(&d, "address 0");
	d.ips[0] = V4(10, 0, 0, 2, 8);
	assert_int_equal(nebula_check(&d, NULL), 0);
	d.subnets[d.subnet_count++] = six;
	refuse(&d, "IPv4 subnets only");
	d.version = 3;
	refuse(&d, "version");
	d.version = 0;
	refuse(&d, "version");

	assert_int_equal(nebula_check(&two, NULL), 0);
	two.ips[two.ip_count++] = two.ips[0];
	refuse(&two, "twice");
	two.ip_count = 0;
	refuse(&two, "must be an address");
	two.ips[two.ip_count++] = V4(10, 0, 0, 2, 8);
	refuse(&two, "IPv6 subnets need");
	two.ips[0] = six;
	refuse(&two, "IPv4 subnets need");
	two.subnet_count = 0;
	assert_int_equal(nebula_check(&two, NULL), 0);
	two.subnets[two.subnet_count++] = six;
	two.subnets[two.subnet_count++] = six;
	refuse(&two, "twice");
	/* A CA has what it likes, or nothing. */
	two.subnet_count = 1;
	two.ips[0] = V4(10, 0, 0, 0, 8);
	two.is_ca = true;
	assert_int_equal(nebula_check(&two, NULL), 0);
	two.ip_count = 0;
	assert_int_equal(nebula_check(&two, NULL), 0);
}

static void test_curves(void **state)
{
	enum nebula_curve c;

	assert_int_equal(nebula_curve_parse("P256", &c), 0);
	assert_int_equal(c, NEBULA_P256);
	assert_int_equal(nebula_curve_parse("25519", &c), 0);
	assert_int_equal(c, NEBULA_25519);
	assert_int_equal(nebula_curve_parse("p256", &c), -EINVAL);
	assert_int_equal(nebula_curve_parse("", &c), -EINVAL);
}

static void test_nets(void **state)
{
	static const char *const bad[] = {"1.2.3.4", "1.2.3/8", "1.2.3.4.5/8", "256.1.1.1/8",
		"1.2.3.4/33", "1.2.3.4/", "/8", "01.2.3.4/8", "1.2.3.4/08", "1..3.4/8", "a.b.c.d/8",
		"1.2.3.4/8 x", "-1.2.3.4/8", "1.2.3.4/8;1.2.3.4/8", "1.2.3.4/+8", "::1", "::1/129",
		"::1/", "::1%eth0/64", "::ffff:1.2.3.4/96", "1::2::3/64", "12345::/16", ":/8",
		"::1/064", "1:2:3:4:5:6:7:8:9/64",
		"1:2:3:4:5:6:7:8:1234567890123456789012345678/64"};
	struct nebula_net nets[NEBULA_NETS_MAX];
	cleanup_with(buf_done) struct buf many = buf_init(0);
	size_t count = 9;

	assert_int_equal(
		nebula_nets_parse(SLICE_LIT(" 10.1.2.3/16, ,0.0.0.0/0"), false, nets, &count, NULL),
		0);
	assert_int_equal(count, 2);
	assert_memory_equal(&nets[0], &V4(10, 1, 2, 3, 16), sizeof(nets[0]));
	assert_int_equal(nets[1].prefix, 0);
	assert_int_equal(
		nebula_nets_parse(SLICE_LIT("10.1.2.3/16,1.2.3.4/0"), true, nets, &count, NULL), 0);
	assert_memory_equal(&nets[0], &V4(10, 1, 0, 0, 16), sizeof(nets[0]));
	assert_memory_equal(&nets[1], &V4(0, 0, 0, 0, 0), sizeof(nets[1]));
	assert_int_equal(
		nebula_nets_parse(SLICE_LIT("fdff:1:2::ffff/41, ::1/0"), true, nets, &count, NULL),
		0);
	assert_int_equal(count, 2);
	assert_memory_equal(&nets[0], &((struct nebula_net){{0xFD, 0xFF, 0, 1, 0, 0}, 41, true}),
		sizeof(nets[0]));
	assert_memory_equal(&nets[1], &((struct nebula_net){{0}, 0, true}), sizeof(nets[1]));
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
	const struct nebula_details ca = {.version = 1,
		.ips = {V4(10, 0, 0, 0, 8)},
		.ip_count = 1,
		.subnets = {V4(192, 168, 0, 0, 16), V4(172, 16, 0, 0, 12)},
		.subnet_count = 2,
		.groups = {SLICE_LIT("web"), SLICE_LIT("db")},
		.group_count = 2,
		.not_before = 100,
		.not_after = 200};
	struct nebula_details d = {.version = 1, .not_before = 100, .not_after = 200};

	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.not_after = 201;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.not_after = 150;
	d.not_before = 99;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.not_before = 120;
	d.ips[d.ip_count++] = V4(10, 11, 12, 13, 8);
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.ips[0].prefix = 7; /* larger than the CA's */
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.ips[0] = V4(11, 0, 0, 1, 24);
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.ip_count = 0;
	d.subnets[d.subnet_count++] = V4(172, 31, 0, 0, 16);
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.subnets[0] = V4(172, 32, 0, 0, 16);
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.subnet_count = 0;
	d.groups[d.group_count++] = SLICE_LIT("db");
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.groups[d.group_count++] = SLICE_LIT("d");
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.group_count = 0;
	/* The bytes of a network are not those of another family's. */
	d.ips[d.ip_count++] = (struct nebula_net){{10, 1}, 64, true};
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.ip_count = 0;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), 0);
	d.version = 2;
	assert_int_equal(nebula_allowed(&ca, &d, NULL), -EACCES);
	d.version = 1;
	d.curve = NEBULA_P256;
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
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_curves),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
