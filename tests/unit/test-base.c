/* SPDX-License-Identifier: Apache-2.0 */
/* The base library: each module's contract, both directions of each comparison, and its limits. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/disk_sync.h"
#include "base/enc.h"
#include "base/enc_b64.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/rd.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/temp_dir.h"

static void test_err(void **state)
{
	struct err e = {0};
	assert_int_equal(err_at(&e, -EBADMSG, 7, "magic", "is %d", 3), -EBADMSG);
	assert_int_equal(e.offset, 7);
	assert_string_equal(e.field, "magic");
	assert_int_equal(err_wrap(&e, -EBADMSG, "quote"), -EBADMSG);
	assert_string_equal(e.text, "quote: is 3");
	assert_int_equal(e.offset, 7);

	struct err fresh = {0};
	err_wrap(&fresh, -ENOENT, "key");
	assert_string_equal(fresh.text, "key: No such file or directory");
	assert_int_equal(err_set(NULL, -EIO, "nothing is recorded"), -EIO);
	assert_string_equal(err_text(NULL, -EACCES), "Permission denied");
	/* A context of any length must not write past the record. */
	for (int i = 0; i < 200; i++)
		err_wrap(&fresh, -ENOENT, "a context that is long enough to fill the record soon");
	assert_true(strlen(fresh.text) < ERR_TEXT_SIZE);
}

static void test_rd(void **state)
{
	static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	struct rd r = rd_init(slice_of(in, sizeof(in)));

	assert_int_equal(rd_u8(&r, &u8), 0);
	assert_int_equal(u8, 1);
	assert_int_equal(rd_u16le(&r, &u16), 0);
	assert_int_equal(u16, 0x0302);
	assert_int_equal(rd_u32be(&r, &u32), 0);
	assert_int_equal(u32, 0x04050607);
	assert_int_equal(rd_u64le(&r, &u64), 0);
	assert_true(u64 == 0x0F0E0D0C0B0A0908ULL);
	assert_true(rd_end(&r));
	assert_int_equal(rd_done(&r), 0);
	assert_int_equal(rd_u8(&r, &u8), -ENODATA);

	/* A failed read consumes nothing, at every truncation. */
	for (size_t n = 0; n < 8; n++) {
		struct rd cut = rd_init(slice_of(in, n));
		u64 = 42;
		assert_int_equal(rd_u64be(&cut, &u64), -ENODATA);
		assert_true(u64 == 42);
		assert_int_equal(rd_left(&cut), n);
	}
	struct rd whole = rd_init(slice_of(in, 8));
	assert_int_equal(rd_u64be(&whole, &u64), 0);
	assert_true(u64 == 0x0102030405060708ULL);

	struct slice s;
	struct rd huge = rd_init(slice_of(in, 4));
	assert_int_equal(rd_slice(&huge, SIZE_MAX, &s), -ENODATA);
	assert_int_equal(rd_skip(&huge, 1), 0);
	assert_int_equal(rd_done(&huge), -EBADMSG);
	assert_int_equal(rd_rest(&huge).size, 3);

	static const uint8_t zeros[] = {0, 0, 1};
	struct rd z = rd_init(slice_of(zeros, 3));
	assert_int_equal(rd_zero(&z, 3), -EBADMSG);
	assert_int_equal(rd_left(&z), 3);
	assert_int_equal(rd_zero(&z, 2), 0);
	assert_int_equal(rd_zero(&z, 2), -ENODATA);
}

static void test_buf(void **state)
{
	cleanup_with(buf_done) struct buf b = buf_init(32);
	buf_put_u16be(&b, 0x0102);
	buf_put_u32le(&b, 0x06050403);
	buf_put_u64be(&b, 0x0708090A0B0C0D0EULL);
	assert_int_equal(b.size, 14);
	for (uint8_t i = 0; i < 14; i++)
		assert_int_equal(b.data[i], i + 1);
	buf_patch_u32be(&b, 10, 0xFFFFFFFF);
	assert_int_equal(b.data[13], 0xFF);
	buf_patch_u32be(&b, 11, 0); /* would end past the size: ignored */
	assert_int_equal(b.data[13], 0xFF);
	buf_consume(&b, 13);
	assert_int_equal(b.size, 1);

	buf_clear(&b);
	buf_put_zero(&b, 32);
	assert_int_equal(buf_error(&b), 0);
	buf_put_u8(&b, 1);
	assert_int_equal(buf_error(&b), -E2BIG);
	buf_put_u8(&b, 1); /* latched */
	assert_int_equal(b.size, 32);
	buf_clear(&b);
	buf_printf(&b, "%s-%d", "x", 5);
	assert_string_equal(buf_str(&b), "x-5");

	cleanup_with(buf_done) struct buf big = buf_init(0);
	buf_printf(&big, "%0300d", 7);
	assert_int_equal(big.size, 300);
	assert_int_equal(big.data[299], '7');
	cleanup(free_ptr) char *text = buf_take_str(&big);
	assert_int_equal(strlen(text), 300);
	assert_int_equal(big.size, 0);

	cleanup_with(buf_done) struct buf secret = buf_init_secret(0);
	for (int i = 0; i < 1000; i++)
		buf_put_u8(&secret, 0x5A);
	assert_int_equal(secret.size, 1000);
}

static void test_arena(void **state)
{
	cleanup(arena_free) struct arena *a = arena_new(1 << 20);
	uint8_t *first = arena_alloc(a, 10);
	assert_non_null(first);
	assert_int_equal((uintptr_t)first % 16, 0);
	memset(first, 0xFF, 10);
	assert_null(arena_array(a, SIZE_MAX / 2, 4));
	assert_null(arena_alloc(a, (1 << 20) + 1));
	size_t count = 0;
	while (arena_alloc(a, 1000))
		count++;
	assert_true(count > 1000 && count < 1050);
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	uint8_t *again = arena_alloc(a, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(again[i], 0);
	assert_string_equal(arena_strdup(a, "text"), "text");
}

static void test_secret(void **state)
{
	cleanup_with(secret_done) struct secret s = {0};
	assert_int_equal(secret_new(&s, 0), -EINVAL);
	assert_int_equal(secret_new(&s, SECRET_MAX + 1), -E2BIG);
	assert_int_equal(secret_copy(&s, SLICE_LIT("key")), 0);
	assert_true(ct_equal(secret_slice(&s), SLICE_LIT("key")));
	assert_false(ct_equal(secret_slice(&s), SLICE_LIT("kez")));
	assert_false(ct_equal(secret_slice(&s), SLICE_LIT("ke")));
	assert_true(ct_equal(SLICE_EMPTY, SLICE_EMPTY));
	struct secret out = secret_steal(&s);
	assert_null(s.data);
	secret_done(&out);
}

static void test_str(void **state)
{
	char dst[4];
	assert_int_equal(str_copy(dst, sizeof(dst), "abc"), 0);
	assert_int_equal(str_copy(dst, sizeof(dst), "abcd"), -E2BIG);
	assert_string_equal(dst, "");
	assert_int_equal(str_copy_slice(dst, sizeof(dst), slice_of("a\0", 2)), -EBADMSG);
	assert_null(slice_strdup(slice_of("a\0b", 3)));
	assert_true(str_starts("prefix", "pre") && !str_starts("pre", "prefix"));
	assert_true(str_ends("a.gz", ".gz") && !str_ends("gz", ".gz"));

	static const char *const good[] = {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF",
		"\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
	static const char *const bad[] = {"\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF",
		"\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
		"a\xFF"};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(utf8_valid(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(utf8_valid(slice_str(bad[i])));
	for (uint32_t code = 0; code < 0x110000; code += 37) {
		uint8_t out[4];
		uint32_t back;
		size_t n = utf8_encode(code, out);
		if (n == 0) {
			assert_true(code >= 0xD800 && code <= 0xDFFF);
			continue;
		}
		assert_int_equal(utf8_decode(slice_of(out, n), &back), n);
		assert_int_equal(back, code);
	}
}

static void test_parse(void **state)
{
	uint64_t u = 42;
	int64_t i;
	bool b;
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1a", "1.0"};
	for (size_t n = 0; n < ARRAY_COUNT(bad); n++) {
		assert_int_equal(parse_u64(slice_str(bad[n]), 0, UINT64_MAX, &u), -EINVAL);
		assert_true(u == 42);
	}
	assert_int_equal(parse_u64(SLICE_LIT("18446744073709551615"), 0, UINT64_MAX, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(parse_u64(SLICE_LIT("18446744073709551616"), 0, UINT64_MAX, &u), -ERANGE);
	assert_int_equal(parse_u64(SLICE_LIT("5"), 6, 9, &u), -ERANGE);
	assert_int_equal(parse_i64(SLICE_LIT("-9223372036854775808"), INT64_MIN, 0, &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(parse_i64(SLICE_LIT("9223372036854775808"), 0, INT64_MAX, &i), -ERANGE);
	assert_int_equal(parse_hex64(SLICE_LIT("0xFf"), &u), 0);
	assert_int_equal(u, 255);
	assert_int_equal(parse_octal(SLICE_LIT("0755"), &u), 0);
	assert_int_equal(u, 0755);
	assert_int_equal(parse_octal(SLICE_LIT("08"), &u), -EINVAL);
	assert_int_equal(parse_size(SLICE_LIT("512M"), 0, UINT64_MAX, &u), 0);
	assert_int_equal(u, 512 << 20);
	assert_int_equal(parse_size(SLICE_LIT("1GiB"), 0, UINT64_MAX, &u), 0);
	assert_int_equal(u, 1 << 30);
	assert_int_equal(parse_size(SLICE_LIT("1X"), 0, UINT64_MAX, &u), -EINVAL);
	assert_int_equal(parse_size(SLICE_LIT("99999999999T"), 0, UINT64_MAX, &u), -ERANGE);
	assert_int_equal(parse_bool(SLICE_LIT("on"), &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool(SLICE_LIT("maybe"), &b), -EINVAL);
}

static void check_b64(const char *plain, const char *std, const char *url)
{
	cleanup_with(buf_done) struct buf b = buf_init(0);
	b64_encode(&b, slice_str(plain), B64_STD);
	assert_string_equal(buf_str(&b), std);
	buf_clear(&b);
	b64_encode(&b, slice_str(plain), B64_URL);
	assert_string_equal(buf_str(&b), url);
	buf_clear(&b);
	assert_int_equal(b64_decode(&b, slice_str(std), B64_STD), 0);
	assert_string_equal(buf_str(&b), plain);
	buf_clear(&b);
	assert_int_equal(b64_decode(&b, slice_str(url), B64_URL), 0);
	assert_string_equal(buf_str(&b), plain);
	buf_clear(&b);
	assert_int_equal(b64_decode_any(&b, slice_str(url)), 0);
	assert_string_equal(buf_str(&b), plain);
}

/* Bytes of every size, into exactly as much memory as they take. */
static void check_b64_sizes(enum b64_variant variant)
{
	for (size_t size = 0; size < 200; size++) {
		cleanup_with(buf_done) struct buf plain = buf_init(0), text = buf_init(0),
						  back = buf_init(0);
		for (size_t i = 0; i < size; i++)
			buf_put_u8(&plain, (uint8_t)(i * 101 + size * 7));
		b64_encode(&text, buf_slice(&plain), variant);
		assert_int_equal(b64_decode(&back, buf_slice(&text), variant), 0);
		assert_true(slice_eq(buf_slice(&back), buf_slice(&plain)));
		bool bad = true;
		uint8_t *exact = malloc(size / 3 * 3 + !size);
		assert_non_null(exact);
		size_t done = b64_groups_wide(text.data, size / 3, exact, variant != B64_STD, &bad);
		assert_false(bad);
		assert_true(done <= size / 3);
		assert_memory_equal(exact, plain.data, 3 * done);
		free(exact);
	}
}

/* Every byte at every place: accepted when the alphabet has it, and then as what it is. */
static void check_b64_characters(enum b64_variant variant, const char *alphabet)
{
	char text[64 + 1];

	for (size_t at = 0; at < 64; at++) {
		for (unsigned c = 0; c < 256; c++) {
			cleanup_with(buf_done) struct buf out = buf_init(0), again = buf_init(0);
			memset(text, 'A', 64);
			text[at] = (char)c;
			int r = b64_decode(&out, slice_of(text, 64), variant);
			bool padding = variant == B64_STD && c == '=' && at == 63;
			assert_int_equal(
				r, (c && strchr(alphabet, (int)c)) || padding ? 0 : -EBADMSG);
			if (r < 0)
				continue;
			text[64] = 0;
			b64_encode(&again, buf_slice(&out), variant);
			assert_string_equal(buf_str(&again), text);
		}
	}
}

static void test_b64_wide(void **state)
{
	static const char std[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	check_b64_sizes(B64_STD);
	check_b64_sizes(B64_URL);
	check_b64_characters(B64_STD, std);
	check_b64_characters(B64_URL, url);
}

static void test_enc(void **state)
{
	/* RFC 4648 section 10, and bytes that use the last two letters of each alphabet. */
	check_b64("", "", "");
	check_b64("f", "Zg==", "Zg");
	check_b64("fo", "Zm8=", "Zm8");
	check_b64("foo", "Zm9v", "Zm9v");
	check_b64("foobar", "Zm9vYmFy", "Zm9vYmFy");
	check_b64("\xFB\xFF\xFE", "+//+", "-__-");

	static const struct {
		const char *text;
		enum b64_variant variant;
	} bad[] = {
		{"Zg=", B64_STD},
		{"Zg", B64_STD},
		{"Z", B64_URL},
		{"Zg==", B64_URL},
		{"Zh==", B64_STD},
		{"Zm9=", B64_STD},
		{"Zm 9v", B64_STD},
		{"Zg==Zg==", B64_STD},
		{"-__-", B64_STD},
		{"+//+", B64_URL},
		{"====", B64_STD},
		{"Zm9v\n", B64_URL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cleanup_with(buf_done) struct buf b = buf_init(0);
		assert_int_equal(b64_decode(&b, slice_str(bad[i].text), bad[i].variant), -EBADMSG);
	}
	cleanup_with(buf_done) struct buf b = buf_init(0);
	hex_encode(&b, SLICE_LIT("\x00\xAB"));
	assert_string_equal(buf_str(&b), "00ab");
	buf_clear(&b);
	assert_int_equal(hex_decode(&b, SLICE_LIT("00aB")), 0);
	assert_int_equal(b.data[1], 0xAB);
	assert_int_equal(hex_decode(&b, SLICE_LIT("0")), -EBADMSG);
	assert_int_equal(hex_decode(&b, SLICE_LIT("0g")), -EBADMSG);
	uint8_t fixed[2];
	assert_int_equal(hex_decode_fixed(fixed, 2, SLICE_LIT("0102")), 0);
	assert_int_equal(hex_decode_fixed(fixed, 2, SLICE_LIT("010203")), -EBADMSG);
	char text[4];
	assert_string_equal(hex_str(SLICE_LIT("\x01\x02"), text, sizeof(text)), "");
}

static int pct(const char *text, struct buf *out)
{
	buf_clear(out);
	return pct_decode(out, slice_str(text));
}

static void test_percent(void **state)
{
	cleanup_with(buf_done) struct buf b = buf_init(0);
	char text[8];

	pct_encode(&b, SLICE_LIT("aZ09-._~/ %\x00\xff+"), "");
	assert_string_equal(buf_str(&b), "aZ09-._~%2F%20%25%00%FF%2B");
	buf_clear(&b);
	pct_encode(&b, SLICE_LIT("a/b c\x00"), "/");
	assert_string_equal(buf_str(&b), "a/b%20c%00");

	assert_int_equal(pct("%41%6a%6A+%00%fF", &b), 0);
	assert_true(slice_eq(buf_slice(&b), SLICE_LIT("Ajj+\x00\xff")));
	assert_int_equal(pct("", &b), 0);
	assert_int_equal(b.size, 0);
	/* A chain of certificates must not be taken with a sign missing. */
	static const char *const bad[] = {"%", "a%4", "%4", "%%", "%g0", "%0g", "%+1", "% 1", "a%"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(pct(bad[i], &b), -EBADMSG);
		assert_int_equal(pct_decode_text(text, sizeof(text), slice_str(bad[i])), -EBADMSG);
	}
	/* Two of the three characters lie behind the slice. */
	assert_int_equal(pct_decode(&b, slice_of("%41", 1)), -EBADMSG);
	assert_int_equal(pct_decode(&b, slice_of("%41", 2)), -EBADMSG);
	cleanup_with(buf_done) struct buf small = buf_init(2);
	assert_int_equal(pct("%41%42", &small), 0);
	assert_int_equal(pct("%41%42%43", &small), -E2BIG);

	assert_int_equal(pct_decode_text(text, sizeof(text), SLICE_LIT("a%2fb+%c3%a4")), 0);
	assert_string_equal(text, "a/b+\xc3\xa4");
	assert_int_equal(pct_decode_text(text, sizeof(text), SLICE_EMPTY), 0);
	assert_string_equal(text, "");
	assert_int_equal(pct_decode_text(text, sizeof(text), SLICE_LIT("1234567")), 0);
	assert_int_equal(pct_decode_text(text, sizeof(text), SLICE_LIT("12345678")), -E2BIG);
	static const char *const no_text[] = {
		"%00", "a%0ab", "\n", "%7f", "\x7f", "%1F", "%ff", "%c3"};
	for (size_t i = 0; i < ARRAY_COUNT(no_text); i++)
		assert_int_equal(
			pct_decode_text(text, sizeof(text), slice_str(no_text[i])), -EBADMSG);
}

static void test_clock(void **state)
{
	char text[RFC3339_SIZE];
	int64_t t;
	assert_string_equal(rfc3339_format(0, text), "1970-01-01T00:00:00Z");
	assert_int_equal(rfc3339_parse(SLICE_LIT("2026-11-23T12:34:56Z"), &t), 0);
	assert_string_equal(rfc3339_format(t, text), "2026-11-23T12:34:56Z");
	int64_t other;
	assert_int_equal(rfc3339_parse(SLICE_LIT("2026-11-23T14:04:56.25+01:30"), &other), 0);
	assert_int_equal(t, other);
	static const char *const bad[] = {"", "2026-11-23", "2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
		"2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z", "2026-1-01T00:00:00Z"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(rfc3339_parse(slice_str(bad[i]), &t), -EINVAL);
	assert_int_equal(rfc3339_parse(SLICE_LIT("2024-02-29T00:00:00Z"), &t), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/husk-base-XXXXXX";
	assert_non_null(mkdtemp(dir));
	cleanup_fd int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[128];
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(file_write_atomic(path, SLICE_LIT("content"), 0600, NULL), 0);
	cleanup_with(buf_done) struct buf b = buf_init(0);
	struct err e = {0};
	assert_int_equal(file_read(path, 7, &b, &e), 0);
	assert_string_equal(buf_str(&b), "content");
	buf_clear(&b);
	assert_int_equal(file_read(path, 6, &b, &e), -E2BIG);
	buf_clear(&b);
	assert_int_equal(file_read("/nonexistent", 6, &b, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent"));

	/* Links and dots resolve inside the root. */
	assert_int_equal(symlinkat("/etc", root, "abs"), 0);
	assert_int_equal(symlinkat("../../../../etc", root, "rel"), 0);
	int fd = path_open_in(root, "abs/passwd", O_RDONLY, 0);
	assert_int_equal(fd, -ENOENT);
	assert_int_equal(path_open_in(root, "rel/passwd", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in(root, "../../etc/passwd", O_RDONLY, 0), -ENOENT);
	fd = path_open_in(root, "/file", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
	const char *name;
	static const char *const unusable[] = {"", "a/..", "a/.", "a/", "..", "/"};
	for (size_t i = 0; i < ARRAY_COUNT(unusable); i++)
		assert_int_equal(path_open_parent_in(root, unusable[i], true, &name), -EINVAL);
	assert_int_equal(path_open_parent_in(root, "x/y/z", false, &name), -ENOENT);
	fd = path_open_parent_in(root, "x/y/z", true, &name);
	assert_true(fd >= 0);
	assert_string_equal(name, "z");
	close(fd);
	struct stat st;
	assert_int_equal(fstatat(root, "x/y", &st, 0), 0);

	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
	assert_int_equal(stat(dir, &st), -1);
	assert_int_equal(stat("/etc/passwd", &st), 0);
	assert_int_equal(path_remove_tree(AT_FDCWD, dir), 0);
}

static void test_temp_dir(void **state)
{
	struct temp_dir t;
	struct stat st;
	char path[TEMP_DIR_PATH_MAX], file[TEMP_DIR_PATH_MAX + 16];
	int fds[2], status;

	assert_int_equal(setenv("TMPDIR", "/tmp/a,b", 1), 0);
	assert_int_equal(temp_dir_make(&t, "husk-test", ",", NULL), 0);
	assert_int_equal(unsetenv("TMPDIR"), 0);
	assert_true(str_starts(t.path, "/tmp/husk-test-"));
	assert_int_equal(stat(t.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(file, sizeof(file), "%s/file", t.path);
	assert_int_equal(file_write_atomic(file, SLICE_LIT("x"), 0600, NULL), 0);
	memcpy(path, t.path, sizeof(path));
	assert_int_equal(temp_dir_done(&t), 0);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(temp_dir_done(&t), 0);

	/* An owner that is killed leaves nothing either. */
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (temp_dir_make(&t, "husk-test", NULL, NULL) < 0 ||
			write(fds[1], t.path, sizeof(t.path)) < 0)
			_exit(1);
		snprintf(file, sizeof(file), "%s/a/b", t.path);
		if (path_make_dirs(file, 0700) == 0)
			kill(getpid(), SIGKILL);
		_exit(2);
	}
	assert_int_equal(fd_read_full(fds[0], path, sizeof(path)), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	for (int i = 0; i < 500 && stat(path, &st) == 0; i++)
		usleep(20000);
	assert_int_equal(stat(path, &st), -1);
	close(fds[0]);
	close(fds[1]);
}

static void test_fill_stdio(void **state)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;
		closefrom(0);
		if (fd_fill_stdio() < 0 || read(0, &byte, 1) != 0 || write(1, "x", 1) >= 0 ||
			write(2, "x", 1) != 1 || fd_fill_stdio() < 0)
			_exit(1);
		_exit(open("/dev/null", O_RDONLY | O_CLOEXEC) == 3 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_log(void **state)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	log_setup("test", LOG_LEVEL_INFO, false, pipes[1]);
	log_debug("hidden", LOG_STR("a", "b"));
	log_info("shown", LOG_STR("plain", "word"), LOG_STR("hostile", "x\n2026 error \"forged\""),
		LOG_U64("n", 7), LOG_HEX("h", SLICE_LIT("\x01")),
		LOG_SLICE("bad", SLICE_LIT("\xFF")));
	log_setup("test", LOG_LEVEL_INFO, true, pipes[1]);
	log_info("json", LOG_I64("i", -1), LOG_STR("s", "a\"b"));
	log_setup(NULL, LOG_LEVEL_INFO, false, STDERR_FILENO);
	close(pipes[1]);
	cleanup_with(buf_done) struct buf b = buf_init(0);
	assert_int_equal(fd_read_all(pipes[0], &b), 0);
	close(pipes[0]);
	assert_null(strstr(buf_str(&b), "hidden"));
	assert_non_null(
		strstr(buf_str(&b), "plain=word hostile=\"x\\n2026 error \\\"forged\\\"\" n=7 "
				    "h=\"01\" bad=\"\xEF\xBF\xBD\"\n"));
	assert_non_null(strstr(buf_str(&b), "\"event\":\"json\",\"i\":-1,\"s\":\"a\\\"b\"}\n"));
}

static void test_disk_sync(void **state)
{
	char path[] = "/tmp/husk-sync-XXXXXX";
	cleanup_fd int fd = mkstemp(path);
	struct disk_sync *d = disk_sync_new();
	struct pollfd p = {.events = POLLIN};
	int r = -EAGAIN;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(disk_sync_start(NULL, fd), -EOPNOTSUPP);
	if (!d)
		return; /* a sandbox without asynchronous I/O: callers sync the ordinary way */
	assert_int_equal(disk_sync_end(d), -EAGAIN);
	assert_int_equal(fd_write_full(fd, "x", 1), 0);
	assert_int_equal(disk_sync_start(d, fd), 0);
	p.fd = disk_sync_eventfd(d);
	for (int i = 0; i < 100 && r == -EAGAIN; i++) {
		(void)!poll(&p, 1, 1000);
		r = disk_sync_end(d);
	}
	assert_int_equal(r, 0);
	/* Once more, and what cannot be synced. */
	assert_int_equal(disk_sync_start(d, fd), 0);
	assert_int_equal(disk_sync_start(d, fd), -EBUSY);
	for (int i = 0; i < 100 && (r = disk_sync_end(d)) == -EAGAIN; i++)
		(void)!poll(&p, 1, 1000);
	assert_int_equal(r, 0);
	assert_int_equal(disk_sync_start(d, -1), -EBADF);
	disk_sync_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_sync),
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_rd),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_enc),
		cmocka_unit_test(test_b64_wide),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_temp_dir),
		cmocka_unit_test(test_fill_stdio),
		cmocka_unit_test(test_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
