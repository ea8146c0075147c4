/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs of confidential VMs (CCEL): replay, and rendering equal to Trustee's golden files. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/eventlog.h"
#include "evidence/eventlog_details.h"
#include "fmt/sgx_quote.h"
#include "fmt/tpm.h"

static void load(const char *name, struct buf *log, json_t **expected)
{
	*expected = vectors_json("ccel", name, "expected.json");
	const json_t *files = json_object_get(*expected, "files");
	vectors_read("ccel", name, json_string_value(json_object_get(files, "log")), log);
}

static void compare_golden(const char *name, const json_t *expected, struct slice log)
{
	const char *file = json_string_value(
		json_object_get(json_object_get(expected, "files"), "source_expected"));
	cleanup_with(buf_done) struct buf golden = buf_init(0), text = buf_init(0);
	cleanup(json_decref) json_t *claims = json_object();
	json_t *events = NULL;
	struct err e = {0};

	if (eventlog_to_json(log, &events, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	assert_int_equal(json_set_take(claims, "uefi_event_logs", events), 0);
	if (!file)
		return;
	vectors_read("ccel", name, file, &golden);
	assert_int_equal(json_write_pretty(claims, &text), 0);
	while (golden.size > 0 && golden.data[golden.size - 1] == '\n')
		golden.size--;
	while (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	size_t same = 0;
	while (same < MIN(golden.size, text.size) && golden.data[same] == text.data[same])
		same++;
	if (same != golden.size || same != text.size)
		fail_msg("%s differs at byte %zu: %.200s", name, same,
			(const char *)text.data + (same > 100 ? same - 100 : 0));
	print_message("  %s: %zu bytes equal the golden file\n", name, same);
}

static void compare_replay(const char *name, const json_t *expected, struct slice log)
{
	const json_t *want = json_object_get(
		json_object_get(json_object_get(expected, "replay"), "rtmr/mr index"), "sha384");
	struct eventlog_registers regs;
	const char *key;
	json_t *value;
	char hex[2 * HASH_SIZE_MAX + 1];

	assert_int_equal(eventlog_replay(log, TPM_ALG_SHA384, &regs, NULL), 0);
	json_object_foreach ((json_t *)(uintptr_t)want, key, value) {
		unsigned index = (unsigned)(key[0] - '0');
		hex_str(digest_slice(&regs.values[index]), hex, sizeof(hex));
		assert_string_equal(hex, json_string_value(value));
	}
}

/* Where there is a quote of the same machine, its registers say whether the log is the right one.
 */
static void compare_quote(const char *name, const json_t *expected, struct slice log)
{
	const char *file =
		json_string_value(json_object_get(json_object_get(expected, "files"), "quote"));
	bool valid = streq(json_string_value(json_object_get(expected, "verdict")), "valid");
	cleanup_with(buf_done) struct buf raw = buf_init(0);
	struct eventlog_registers regs;
	struct sgx_quote q;
	bool equal = true;

	if (!file)
		return;
	vectors_read("ccel", name, file, &raw);
	assert_int_equal(sgx_quote_parse(buf_slice(&raw), &q, NULL), 0);
	assert_int_equal(eventlog_replay(log, TPM_ALG_SHA384, &regs, NULL), 0);
	for (int i = 0; i < TD_RTMR_COUNT; i++)
		equal &= slice_eq(q.td.rtmr[i], digest_slice(&regs.values[i + 1]));
	assert_int_equal(equal, valid);
	print_message("  %s: replay %s the quote\n", name, equal ? "leads to" : "differs from");
}

static void truncate_all(struct slice log)
{
	/* Only the part with events: what follows is padding. */
	size_t size = MIN(log.size, (size_t)12000);
	for (size_t n = 0; n < size; n += n < 200 ? 1 : 37) {
		uint8_t *copy = malloc(n ? n : 1);
		json_t *events = NULL;
		memcpy(copy, log.data, n);
		if (eventlog_to_json(slice_of(copy, n), &events, NULL) == 0)
			json_decref(events);
		free(copy);
	}
}

static void test_vectors(void **state)
{
	char path[1024];
	int good = 0, refused = 0;

	snprintf(path, sizeof(path), "%s/ccel", vectors_dir());
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (d->d_name[0] == '.')
			continue;
		cleanup_with(buf_done) struct buf log = buf_init(0);
		cleanup(json_decref) json_t *expected = NULL;
		struct eventlog_registers regs;
		load(d->d_name, &log, &expected);
		if (json_is_string(json_object_get(expected, "parse_error"))) {
			assert_true(
				eventlog_replay(buf_slice(&log), TPM_ALG_SHA384, &regs, NULL) < 0);
			refused++;
			continue;
		}
		compare_replay(d->d_name, expected, buf_slice(&log));
		compare_golden(d->d_name, expected, buf_slice(&log));
		compare_quote(d->d_name, expected, buf_slice(&log));
		if (streq(json_string_value(json_object_get(expected, "verdict")), "valid"))
			assert_int_equal(eventlog_check_data(buf_slice(&log), NULL), 0);
		truncate_all(buf_slice(&log));
		good++;
	}
	closedir(dir);
	print_message("%d logs replayed, %d refused\n", good, refused);
	assert_true(good >= 8 && refused >= 2);
}

/* One node in hex (type, subtype, data) and its text. */
static void test_data_of_events(void **state)
{
	static const struct tcg2_alg alg = {TPM_ALG_SHA384, 48};
	static const struct {
		uint32_t type;
		int want;
	} rows[] = {
		{TCG2_EV_SEPARATOR, -EKEYREJECTED},
		{0x80000001U, -EKEYREJECTED},
		{0x80000007U, -EKEYREJECTED},
		{0x800000E0U, -EKEYREJECTED},
		{0x80000003U, 0}, /* the digest is the image's */
		{TCG2_EV_IPL, 0},
		{TCG2_EV_EVENT_TAG, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf good = buf_init(0), bad = buf_init(0);
		struct digest d;
		assert_int_equal(hash_once(HASH_SHA384, SLICE_LIT("data"), &d), 0);
		const struct tcg2_digest one = {TPM_ALG_SHA384, digest_slice(&d)};
		tcg2_put_header(&good, &alg, 1);
		tcg2_put_event(&good, 1, rows[i].type, &one, 1, SLICE_LIT("data"));
		assert_int_equal(eventlog_check_data(buf_slice(&good), NULL), 0);
		tcg2_put_header(&bad, &alg, 1);
		tcg2_put_event(&bad, 1, rows[i].type, &one, 1, SLICE_LIT("date"));
		assert_int_equal(eventlog_check_data(buf_slice(&bad), NULL), rows[i].want);
	}
}

/* A variable named "d" with one byte of data, and what follows it. */
#define VARIABLE "0123456789abcdef\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0d\0v"

static void test_shim_variables(void **state)
{
	static const struct tcg2_alg alg = {TPM_ALG_SHA384, 48};
	static const struct {
		uint32_t type;
		struct slice data, hashed;
		int want;
	} rows[] = {
		{0x800000E0U, SLICE_LIT(VARIABLE), SLICE_LIT(VARIABLE), 0},
		{0x800000E0U, SLICE_LIT(VARIABLE "123456"), SLICE_LIT(VARIABLE "123456"), 0},
		{0x800000E0U, SLICE_LIT(VARIABLE "123456"), SLICE_LIT(VARIABLE "12345"), 0},
		{0x800000E0U, SLICE_LIT(VARIABLE "6"), SLICE_LIT(VARIABLE), 0},
		/* more than a byte, a byte of the variable itself, another event */
		{0x800000E0U, SLICE_LIT(VARIABLE "123456"), SLICE_LIT(VARIABLE "1234"),
			-EKEYREJECTED},
		{0x800000E0U, SLICE_LIT(VARIABLE "v"), SLICE_LIT(VARIABLE "w"), -EKEYREJECTED},
		{0x800000E0U, {(const uint8_t *)VARIABLE, 35}, {(const uint8_t *)VARIABLE, 34},
			-EKEYREJECTED},
		{0x80000001U, SLICE_LIT(VARIABLE "6"), SLICE_LIT(VARIABLE), -EKEYREJECTED},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf log = buf_init(0);
		struct digest d;
		assert_int_equal(hash_once(HASH_SHA384, rows[i].hashed, &d), 0);
		const struct tcg2_digest one = {TPM_ALG_SHA384, digest_slice(&d)};
		tcg2_put_header(&log, &alg, 1);
		tcg2_put_event(&log, 1, rows[i].type, &one, 1, rows[i].data);
		assert_int_equal(eventlog_check_data(buf_slice(&log), NULL), rows[i].want);
	}
}

/* In logs of TCG 1.2 the digest is of the variable's value, or of all. */
static void test_tcg12_variables(void **state)
{
	static const struct {
		struct slice hashed;
		int want;
	} rows[] = {{SLICE_LIT(VARIABLE), 0}, {SLICE_LIT("v"), 0}, {SLICE_LIT("w"), -EKEYREJECTED}};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cleanup_with(buf_done) struct buf log = buf_init(0);
		struct eventlog_registers regs;
		struct digest d, zero = {.size = 20};
		assert_int_equal(hash_once(HASH_SHA1, rows[i].hashed, &d), 0);
		buf_put_u32le(&log, 7);
		buf_put_u32le(&log, 0x80000001U);
		buf_put_slice(&log, digest_slice(&d));
		buf_put_u32le(&log, sizeof(VARIABLE) - 1);
		buf_put(&log, VARIABLE, sizeof(VARIABLE) - 1);
		assert_int_equal(eventlog_check_data(buf_slice(&log), NULL), rows[i].want);
		assert_int_equal(eventlog_replay(buf_slice(&log), TPM_ALG_SHA1, &regs, NULL), 0);
		assert_int_equal(
			hash_extend(HASH_SHA1, digest_slice(&zero), digest_slice(&d), &zero), 0);
		assert_memory_equal(regs.values[7].bytes, zero.bytes, 20);
		/* No other algorithm stands for it, and no byte may be missing. */
		assert_int_equal(
			eventlog_replay(buf_slice(&log), TPM_ALG_SHA384, &regs, NULL), -EBADMSG);
		for (size_t n = 0; n < log.size; n++)
			assert_int_equal(
				eventlog_check_data(slice_cut(buf_slice(&log), 0, n), NULL),
				-ENODATA);
	}
}

/* A header of a version that nobody knows is not taken for an old event. */
static void test_other_headers(void **state)
{
	static const char *const versions[] = {
		"Spec ID Event01", "Spec ID Event04", "Spec ID Event"};

	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		cleanup_with(buf_done) struct buf log = buf_init(0);
		struct eventlog_registers regs;
		buf_put_u32le(&log, 0);
		buf_put_u32le(&log, TCG2_EV_NO_ACTION);
		buf_put_zero(&log, 20);
		buf_put_u32le(&log, 40);
		buf_put(&log, versions[i], strlen(versions[i]));
		buf_put_zero(&log, 40 - strlen(versions[i]));
		assert_true(eventlog_replay(buf_slice(&log), TPM_ALG_SHA1, &regs, NULL) < 0);
	}
}

static void test_device_paths(void **state)
{
	static const struct {
		uint8_t type, sub_type;
		const char *hex, *text;
	} nodes[] = {
		{1, 1, "0004", "Pci(0,4)"},
		{1, 1, "00", "Path(1,1,00)"},
		{1, 2, "0000", "Path(1,2,0000)"},
		{2, 1, "d041030a02000000", "ACPI(PNP0A03,2)"},
		{2, 1, "d041030a", "Path(2,1,d041030a)"},
		{3, 5, "0102", "USB(1,2)"},
		{3, 0x0B, "001320f5fa77000000000000000000000000000000000000000000000000000001",
			"Mac(001320F5FA77,0x01)"},
		{3, 0x0C, "0100a8c06400a8c00000bc0c0600010000000000000000",
			"IPv4(192.168.0.100,TCP,Static,192.168.0.1)"},
		{3, 0x15, "00010203040506070001020304050607",
			"FibreEx(0x0001020304050607,0x0001020304050607)"},
		{3, 0x17, "01", "Path(3,23,01)"},
		{4, 1,
			"01000000000800000000000000e02e0000000000431202a000000000431202a00000000001"
			"01",
			"HD(1,MBR,0xa0021243,0x800,0x2ee000)"},
		{4, 1,
			"00000000000000000000000000000000000000000000000000000000431202a00000000001"
			"01",
			"HD(0,MBR,0x00000000)"},
		/* One byte short of a hard disk node. */
		{4, 1,
			"0000000000000000000000000000000000000000000000000000000043120200000000000"
			"1",
			"Path(4,1,0000000000000000000000000000000000000000000000000000000043120200"
			"0000000001)"},
		{4, 3, "f8d1c555cd04b5468a20e56cbb3052d0ab",
			"VenMedia(55C5D1F8-04CD-46B5-8A20-E56CBB3052D0,ab)"},
		{4, 4, "6b00650072006e0065006c000000", "File(kernel)"},
		{4, 4, "3dd8de4300d80000", "File(\xef\xbf\xbd\xe4\x8f\x9e\xef\xbf\xbd)"},
		{4, 4, "6b", "Path(4,4,6b)"},
		{4, 4, "", "Path(4,4,)"},
		{5, 1, "8000000041424300", "BBS(DEV,ABC,0)"},
		{5, 1, "f0ff000000", "BBS(65520,,0)"},
		{6, 1, "00", "Path(6,1,00)"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
		cleanup_with(buf_done) struct buf path = buf_init(0), data = buf_init(0);
		cleanup(json_decref) json_t *list = NULL;
		assert_int_equal(hex_decode(&data, slice_str(nodes[i].hex)), 0);
		buf_put_u8(&path, nodes[i].type);
		buf_put_u8(&path, nodes[i].sub_type);
		buf_put_u16le(&path, (uint16_t)(data.size + 4));
		buf_put_slice(&path, buf_slice(&data));
		assert_int_equal(efi_device_paths(buf_slice(&path), &list), 0);
		assert_string_equal(json_string_value(json_array_get(list, 0)), nodes[i].text);
	}
	json_t *none = NULL;
	/* Sizes below the header, past the end, and a header cut short. */
	assert_int_equal(efi_device_paths(SLICE_LIT("\1\1\3\0"), &none), -EBADMSG);
	assert_int_equal(efi_device_paths(SLICE_LIT("\1\1\7\0\0\0"), &none), -EBADMSG);
	assert_int_equal(efi_device_paths(SLICE_LIT("\1\1\4"), &none), -EBADMSG);
}

static void check_details(uint32_t type, struct slice data, const char *want)
{
	const struct tcg2_event e = {.type = type, .data = data};
	cleanup(json_decref) json_t *details = json_object();
	cleanup_with(buf_done) struct buf text = buf_init(0);
	assert_int_equal(eventlog_details(&e, details), 0);
	assert_int_equal(json_write(details, &text), 0);
	assert_string_equal(buf_str(&text), want);
}

static void test_details(void **state)
{
	check_details(5, SLICE_LIT("plain"), "{\"string\":\"plain\"}");
	check_details(5, SLICE_LIT("\xff"), "{}");
	check_details(5, SLICE_LIT("a\0b"), "{\"string\":\"ab\"}");
	check_details(0xA, SLICE_LIT("a\x10 b\n\x7f"), "{\"string\":\"a  b\"}");
	check_details(0xA, SLICE_LIT("\xff"), "{\"string\":\"\"}");
	check_details(0xD, SLICE_LIT("x"), "{}");
	check_details(0xD, SLICE_LIT("Mo\0k"), "{\"string\":\"Mo\"}");
	check_details(0xD, SLICE_LIT("\x2e\0l\0i\0\0\0"), "{\"string\":\"li\"}");
	check_details(0xD, SLICE_LIT("\x2e\0"), "{}");
	check_details(0xD, SLICE_LIT("\xff\xfe"), "{\"string\":\"fffe\"}");
	check_details(6, SLICE_LIT("LEAA\x0b\0\0\0a.b op c d "),
		"{\"data\":{\"content\":\"c d \","
		"\"domain\":\"a.b\",\"operation\":\"op\"},\"string\":\"a.b op c d \","
		"\"unicode_name\":\"AAEL\"}");
	check_details(
		6, SLICE_LIT("LEAA\3\0\0\0a b"), "{\"string\":\"a b\",\"unicode_name\":\"AAEL\"}");
	check_details(6, SLICE_LIT("LEAA\4\0\0\0a b"), "{}");
	check_details(0x8000000AU, SLICE_LIT("\4abcd"), "{\"string\":\"abc\"}");
	check_details(0x8000000AU, SLICE_LIT("\0"), "{}");
	check_details(0x8000000AU, SLICE_LIT("\x0f"), "{}");
	check_details(0x80000003U, SLICE_LIT("0123456789012345678901230\0\0\0"), "{}");
	check_details(
		0x80000001U, SLICE_LIT("0123456789abcdef\1\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0"), "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_data_of_events),
		cmocka_unit_test(test_shim_variables),
		cmocka_unit_test(test_tcg12_variables),
		cmocka_unit_test(test_other_headers),
		cmocka_unit_test(test_device_paths),
		cmocka_unit_test(test_details),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
