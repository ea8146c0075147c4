/* SPDX-License-Identifier: Apache-2.0 */
/* Layers into a directory: dialects of tar, whiteouts, and everything a hostile archive may try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "oci/unpack.h"

struct box {
	char path[64];
	int fd, outer_fd;
	struct unpacker *u;
	struct buf tar;
	struct err err;
};

/* A root inside a folder of its own, so that an escape would be seen beside it. */
static void box_open(struct box *b, const struct unpack_options *opt)
{
	struct unpack_options o = opt ? *opt : (struct unpack_options){0};

	*b = (struct box){.tar = buf_init(0)};
	snprintf(b->path, sizeof(b->path), "/tmp/husk-unpack-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->outer_fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(b->outer_fd, "root", 0755), 0);
	b->fd = openat(b->outer_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o.no_owner = geteuid() != 0;
	b->u = unpack_new(b->fd, &o);
	assert_non_null(b->u);
}

static void box_close(struct box *b)
{
	unpack_free(b->u);
	buf_done(&b->tar);
	/* Nothing may ever appear beside the root. */
	assert_int_equal(path_remove_tree(b->outer_fd, "root"), 0);
	close(b->fd);
	close(b->outer_fd);
	assert_int_equal(rmdir(b->path), 0);
}

static void add(struct box *b, enum tar_type type, const char *path, const char *text)
{
	bool link = type == TAR_HARDLINK || type == TAR_SYMLINK;
	struct tar_entry e = {.type = type,
		.path = path,
		.link = link ? text : "",
		.mode = type == TAR_DIR ? 0755 : 0640,
		.uid = geteuid(),
		.gid = getegid(),
		.mtime_s = 1000000000,
		.size = type == TAR_FILE ? strlen(text) : 0};

	assert_int_equal(tar_write_entry(&b->tar, &e), 0);
	if (type == TAR_FILE) {
		buf_put_str(&b->tar, text);
		tar_write_padding(&b->tar, e.size);
	}
}

/* Feeds the collected archive in pieces of @step bytes as one layer. */
static int layer_step(struct box *b, size_t step)
{
	int r = unpack_layer_begin(b->u, &b->err);

	tar_write_end(&b->tar);
	for (size_t at = 0; r == 0 && at < b->tar.size; at += step)
		r = unpack_layer_feed(b->u, slice_cut(buf_slice(&b->tar), at, step), &b->err);
	if (r == 0)
		r = unpack_layer_end(b->u, &b->err);
	buf_clear(&b->tar);
	return r;
}

static int layer(struct box *b)
{
	return layer_step(b, SIZE_MAX / 2);
}

static void assert_ok(struct box *b, int r)
{
	if (r < 0)
		fail_msg("%d: %s", r, b->err.text);
}

static bool exists(struct box *b, const char *path)
{
	struct stat st;
	return fstatat(b->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(struct box *b, const char *path, const char *want)
{
	cleanup_with(buf_done) struct buf got = buf_init(1 << 20);
	cleanup_fd int fd = path_open_in(b->fd, path, O_RDONLY, 0);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(-fd));
	assert_int_equal(fd_read_all(fd, &got), 0);
	assert_string_equal(buf_str(&got), want);
}

static void test_plain(void **state)
{
	for (size_t step = 1; step < 2000; step = step * 3 + 1) {
		struct box b;
		struct stat st;
		char longname[301], target[221];
		box_open(&b, NULL);
		memset(longname, 'n', 300);
		longname[300] = 0;
		longname[100] = longname[200] = '/';
		memset(target, 't', 220);
		target[220] = 0;
		add(&b, TAR_DIR, "./", "");
		add(&b, TAR_DIR, "usr/", "");
		add(&b, TAR_DIR, "usr/bin", "");
		add(&b, TAR_FILE, "/usr/bin/tool", "hello");
		add(&b, TAR_HARDLINK, "usr/bin/twin", "usr/bin/tool");
		add(&b, TAR_SYMLINK, "bin", "usr/bin");
		add(&b, TAR_FILE, "bin/through", "x");
		add(&b, TAR_FILE, longname, "long");
		add(&b, TAR_SYMLINK, "longlink", target);
		add(&b, TAR_FILE, "umlaut-\xc3\xa4\xff", "bytes");
		add(&b, TAR_FILE, "deep/er/implicit", "");
		add(&b, TAR_FIFO, "pipe", "");
		assert_ok(&b, layer_step(&b, step));
		assert_content(&b, "usr/bin/tool", "hello");
		assert_content(&b, "usr/bin/twin", "hello");
		assert_content(&b, "usr/bin/through", "x");
		assert_content(&b, longname, "long");
		assert_content(&b, "umlaut-\xc3\xa4\xff", "bytes");
		assert_content(&b, "deep/er/implicit", "");
		char got[512];
		ssize_t n = readlinkat(b.fd, "longlink", got, sizeof(got));
		assert_int_equal(n, 220);
		assert_int_equal(fstatat(b.fd, "usr/bin/tool", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(st.st_nlink, 2);
		assert_int_equal(st.st_mtime, 1000000000);
		assert_int_equal(fstatat(b.fd, "usr/bin", &st, 0), 0);
		assert_int_equal(st.st_mtime, 1000000000);
		assert_int_equal(fstatat(b.fd, "pipe", &st, 0), 0);
		assert_true(S_ISFIFO(st.st_mode));
		assert_int_equal(unpack_stats(b.u)->file_size, 15);
		box_close(&b);
	}
}

static void test_modes_owner_caps(void **state)
{
	struct box b;
	struct stat st;
	/* VFS_CAP_REVISION_2, cap_net_bind_service permitted and effective */
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4};
	struct tar_xattr x[] = {{"security.capability", slice_of(cap, sizeof(cap))},
		{"trusted.overlay.opaque", SLICE_LIT("y")}};
	struct tar_entry e = {.type = TAR_FILE,
		.path = "suid",
		.link = "",
		.mode = 06755,
		.uid = 12345,
		.gid = 4000000000u,
		.size = 3,
		.mtime_s = -5,
		.xattrs = x,
		.xattr_count = 2};

	if (geteuid() != 0 && !getenv("CI"))
		skip();
	box_open(&b, NULL);
	assert_int_equal(tar_write_entry(&b.tar, &e), 0);
	buf_put_str(&b.tar, "abc");
	tar_write_padding(&b.tar, 3);
	e = (struct tar_entry){
		.type = TAR_DIR, .path = "d", .link = "", .mode = 01555, .uid = 7, .gid = 8};
	assert_int_equal(tar_write_entry(&b.tar, &e), 0);
	add(&b, TAR_FILE, "d/f", "in a folder without write permission");
	assert_ok(&b, layer(&b));
	assert_int_equal(fstatat(b.fd, "suid", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 06755);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 4000000000u);
	uint8_t got[64];
	cleanup_fd int fd = openat(b.fd, "suid", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "security.capability", got, sizeof(got)), 20);
	assert_int_equal(unpack_stats(b.u)->xattr_dropped_count, 1);
	assert_int_equal(fstatat(b.fd, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01555);
	assert_int_equal(st.st_uid, 7);
	box_close(&b);
}

static void test_layers(void **state)
{
	struct box b;

	box_open(&b, NULL);
	add(&b, TAR_FILE, "keep", "1");
	add(&b, TAR_FILE, "gone", "1");
	add(&b, TAR_FILE, "dir/low", "1");
	add(&b, TAR_FILE, "dir/sub/low", "1");
	add(&b, TAR_FILE, "op/low", "1");
	add(&b, TAR_FILE, "op/sub/low", "1");
	add(&b, TAR_FILE, "op/both", "1");
	add(&b, TAR_FILE, "filedir/x", "1");
	add(&b, TAR_FILE, "dirfile", "1");
	add(&b, TAR_SYMLINK, "link", "dir");
	add(&b, TAR_FILE, "re/low", "1");
	assert_ok(&b, layer(&b));
	add(&b, TAR_FILE, ".wh.gone", "");
	add(&b, TAR_FILE, ".wh.absent", "");
	add(&b, TAR_FILE, "dir/.wh.sub", "");
	add(&b, TAR_FILE, "op/high", "2");
	add(&b, TAR_FILE, "op/both", "2");
	add(&b, TAR_FILE, "op/sub/high", "2");
	add(&b, TAR_FILE, "op/.wh..wh..opq", ""); /* after its siblings: they must survive */
	add(&b, TAR_FILE, ".wh..wh.aufs", "x");
	add(&b, TAR_FILE, "filedir", "a file now");
	add(&b, TAR_DIR, "dirfile", "");
	add(&b, TAR_FILE, "link", "no link any more");
	add(&b, TAR_FILE, "re/high", "2");
	add(&b, TAR_FILE, ".wh.re", "");
	assert_ok(&b, layer(&b));
	assert_content(&b, "keep", "1");
	assert_content(&b, "dir/low", "1");
	assert_false(exists(&b, "gone"));
	assert_false(exists(&b, "dir/sub"));
	assert_false(exists(&b, "dir/.wh.sub"));
	assert_false(exists(&b, "op/low"));
	assert_false(exists(&b, "op/sub/low"));
	assert_content(&b, "op/high", "2");
	assert_content(&b, "op/both", "2");
	assert_content(&b, "op/sub/high", "2");
	assert_false(exists(&b, ".wh..wh.aufs"));
	assert_content(&b, "filedir", "a file now");
	assert_content(&b, "link", "no link any more");
	assert_content(&b, "re/high", "2");
	assert_false(exists(&b, "re/low"));
	/* An opaque root hides everything below, also before the layer's own entries. */
	add(&b, TAR_FILE, ".wh..wh..opq", "");
	add(&b, TAR_FILE, "new", "3");
	assert_ok(&b, layer(&b));
	assert_content(&b, "new", "3");
	assert_false(exists(&b, "keep"));
	assert_false(exists(&b, "op"));
	box_close(&b);
}

static int attack(enum tar_type type, const char *path, const char *text)
{
	struct box b;

	box_open(&b, NULL);
	add(&b, TAR_FILE, "victim", "v");
	add(&b, type, path, text);
	int r = layer(&b);
	box_close(&b);
	return r;
}

static void test_escapes(void **state)
{
	struct box b;

	assert_int_equal(attack(TAR_FILE, "../out", "x"), -EACCES);
	assert_int_equal(attack(TAR_FILE, "a/../../out", "x"), -EACCES);
	assert_int_equal(attack(TAR_DIR, "..", ""), -EACCES);
	assert_int_equal(attack(TAR_HARDLINK, "h", "../out"), -EACCES);
	assert_int_equal(attack(TAR_HARDLINK, "h", "/"), -EACCES);
	assert_int_equal(attack(TAR_HARDLINK, "h", "/etc/passwd"), -ENOENT);
	assert_int_equal(attack(TAR_HARDLINK, "victim", "victim"), 0);
	assert_int_equal(attack(TAR_FILE, ".wh.", ""), -EBADMSG);
	assert_int_equal(attack(TAR_FILE, ".wh..", ""), -EBADMSG);
	assert_int_equal(attack(TAR_FILE, ".wh...", ""), -EBADMSG);
	assert_int_equal(attack(TAR_FILE, "victim/below", ""), -ENOTDIR);
	assert_int_equal(attack(TAR_FILE, "./", ""), -EBADMSG);
	/* Links that point out are kept as they are; what goes through them stays inside. */
	box_open(&b, NULL);
	add(&b, TAR_DIR, "etc", "");
	add(&b, TAR_SYMLINK, "up", "../../../..");
	add(&b, TAR_SYMLINK, "abs", "/etc");
	add(&b, TAR_SYMLINK, "self", "self");
	add(&b, TAR_FILE, "up/husk-escaped", "in");
	add(&b, TAR_FILE, "abs/husk-escaped", "in");
	assert_ok(&b, layer(&b));
	assert_content(&b, "husk-escaped", "in");
	assert_content(&b, "etc/husk-escaped", "in");
	assert_int_not_equal(access("/husk-escaped", F_OK), 0);
	assert_int_not_equal(access("/etc/husk-escaped", F_OK), 0);
	/* A link at the last component is replaced, not followed. */
	add(&b, TAR_SYMLINK, "last", "etc/husk-escaped");
	add(&b, TAR_FILE, "last", "new");
	add(&b, TAR_HARDLINK, "hard", "abs/husk-escaped");
	assert_ok(&b, layer(&b));
	assert_content(&b, "etc/husk-escaped", "in");
	assert_content(&b, "last", "new");
	add(&b, TAR_FILE, "self/x", "loop");
	assert_int_equal(layer(&b), -ELOOP);
	box_close(&b);
}

static int device(enum tar_type type, uint32_t major, uint32_t minor)
{
	struct box b;
	struct tar_entry e = {.type = type,
		.path = "dev/x",
		.link = "",
		.mode = 0666,
		.dev_major = major,
		.dev_minor = minor};

	box_open(&b, NULL);
	assert_int_equal(tar_write_entry(&b.tar, &e), 0);
	int r = layer(&b);
	assert_false(exists(&b, "dev/x"));
	box_close(&b);
	return r;
}

static void test_devices(void **state)
{
	assert_int_equal(device(TAR_BLOCK_DEVICE, 8, 0), -EACCES);
	assert_int_equal(device(TAR_BLOCK_DEVICE, 1, 3), -EACCES);
	assert_int_equal(device(TAR_CHAR_DEVICE, 1, 1), -EACCES); /* /dev/mem */
	assert_int_equal(device(TAR_CHAR_DEVICE, 10, 232), -EACCES);
	assert_int_equal(device(TAR_CHAR_DEVICE, 1, 3), 0);
	assert_int_equal(device(TAR_CHAR_DEVICE, 0, 0), 0);
}

static void test_limits(void **state)
{
	struct unpack_options small = {.total_max = 1000, .entry_max = 10};
	struct tar_entry huge = {.type = TAR_FILE,
		.path = "huge",
		.link = "",
		.mode = 0600,
		.size = (uint64_t)100 << 30};
	struct box b;

	box_open(&b, &small);
	assert_int_equal(tar_write_entry(&b.tar, &huge), 0);
	assert_int_equal(layer(&b), -E2BIG);
	assert_false(exists(&b, "huge"));
	box_close(&b);

	box_open(&b, &small);
	for (int i = 0; i < 11; i++)
		add(&b, TAR_DIR, "same", "");
	assert_int_equal(layer(&b), -E2BIG);
	box_close(&b);

	char deep[2 * UNPACK_DEPTH_MAX + 3], out[TAR_PATH_MAX + 1];
	for (size_t i = 0; i < sizeof(deep); i += 2) {
		deep[i] = 'd';
		deep[i + 1 < sizeof(deep) ? i + 1 : i] = '/';
	}
	deep[sizeof(deep) - 1] = 0;
	assert_int_equal(unpack_clean_path(deep, out), -E2BIG);
	deep[2 * UNPACK_DEPTH_MAX] = 0;
	assert_int_equal(unpack_clean_path(deep, out), 0);
}

/* Sets a byte range of the last written header and repairs its checksum. */
static void patch(struct buf *tar, size_t header, size_t at, const void *bytes, size_t size)
{
	uint8_t *h = tar->data + header;
	uint32_t sum = 0;
	char text[8];

	memcpy(h + at, bytes, size);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
		sum += h[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(h + 148, text, 7);
}

static int patched(size_t at, const void *bytes, size_t size)
{
	struct box b;

	box_open(&b, NULL);
	add(&b, TAR_FILE, "f", "data");
	patch(&b.tar, 0, at, bytes, size);
	int r = layer(&b);
	box_close(&b);
	return r;
}

static void test_malformed(void **state)
{
	static const uint8_t base256_4[12] = {0x80, [11] = 4}, negative[12] = {0xff, [11] = 4},
			     huge[12] = {0x80, [5] = 4};
	struct box b;

	assert_int_equal(patched(0, "f", 1), 0);
	assert_int_equal(patched(124, base256_4, 12), 0);
	assert_int_equal(patched(124, negative, 12), -EBADMSG);
	assert_int_equal(patched(124, huge, 12), -E2BIG);
	assert_int_equal(patched(124, "9", 1), -EBADMSG);
	assert_int_equal(patched(156, "S", 1), -EOPNOTSUPP);
	assert_int_equal(patched(156, "V", 1), -EOPNOTSUPP);
	assert_int_equal(patched(156, "2", 1), -EBADMSG); /* a link with data */
	assert_int_equal(patched(156, "5", 1), -EBADMSG); /* a folder with data */
	assert_int_equal(patched(0, "\0", 1), -EBADMSG);  /* no name */
	assert_int_equal(patched(108, "\377\377\377\377\377\377\377\377", 8), -EBADMSG);
	/* A wrong checksum. */
	box_open(&b, NULL);
	add(&b, TAR_FILE, "f", "data");
	b.tar.data[0] = 'g';
	assert_int_equal(layer(&b), -EBADMSG);
	box_close(&b);
	/* Data after the end marker. */
	box_open(&b, NULL);
	add(&b, TAR_FILE, "f", "data");
	tar_write_end(&b.tar);
	buf_put_str(&b.tar, "more");
	assert_int_equal(layer(&b), -EBADMSG);
	box_close(&b);
	/* GNU long name (type L), as GNU tar writes it. */
	box_open(&b, NULL);
	add(&b, TAR_FILE, "././@LongLink", "from-a-long-link");
	patch(&b.tar, 0, 156, "L", 1);
	add(&b, TAR_FILE, "short", "x");
	assert_ok(&b, layer(&b));
	assert_content(&b, "from-a-long-link", "x");
	box_close(&b);
}

static int pax(const char *records)
{
	struct box b;

	box_open(&b, NULL);
	add(&b, TAR_FILE, "PaxHeaders", records);
	patch(&b.tar, 0, 156, "x", 1);
	add(&b, TAR_FILE, "f", "");
	int r = layer(&b);
	box_close(&b);
	return r;
}

static void test_pax(void **state)
{
	assert_int_equal(pax("10 path=a\n"), 0);
	assert_int_equal(pax("27 mtime=1000000000.500000\n"), 0);
	assert_int_equal(pax("14 mtime=0.x1\n"), -EBADMSG);
	assert_int_equal(pax("12 path=../\n"), -EACCES);
	assert_int_equal(pax("8 path=a\n"), -EBADMSG);
	assert_int_equal(pax("11 path=a\n"), -EBADMSG);
	assert_int_equal(pax("10 path=a "), -EBADMSG);
	assert_int_equal(pax("10 pathxa\n"), -EBADMSG);
	assert_int_equal(pax("path=a\n"), -EBADMSG);
	assert_int_equal(pax("-1 path=a\n"), -EBADMSG);
	assert_int_equal(pax("99999999999 path=a\n"), -EBADMSG);
	assert_int_equal(pax("8 path=\n"), -EBADMSG);
	assert_int_equal(pax("11 size=-1\n"), -EBADMSG);
	assert_int_equal(pax("25 uid=99999999999999999\n"), -E2BIG);
	assert_int_equal(pax("18 uid=4294967295\n"), -E2BIG);
	assert_int_equal(pax("22 GNU.sparse.major=1\n"), -EOPNOTSUPP);
	assert_int_equal(pax("31 GNU.sparse.realsize=1073741\n"), -EOPNOTSUPP);
	assert_int_equal(pax("18 SCHILY.xattr.=\n"), -EBADMSG);
}

static void test_truncations(void **state)
{
	struct box b;
	cleanup_with(buf_done) struct buf whole = buf_init(0);

	box_open(&b, NULL);
	add(&b, TAR_DIR, "d", "");
	add(&b, TAR_FILE, "d/f", "some data");
	buf_put_slice(&whole, buf_slice(&b.tar));
	for (size_t n = 0; n < whole.size; n++) {
		assert_int_equal(unpack_layer_begin(b.u, NULL), 0);
		assert_int_equal(unpack_layer_feed(b.u, slice_of(whole.data, n), &b.err), 0);
		int r = unpack_layer_end(b.u, &b.err);
		/* Only between entries, or in the last padding, may an archive end. */
		bool fine = n == 0 || n == 512 || n >= 1024 + 9;
		assert_int_equal(r, fine ? 0 : -ENODATA);
	}
	box_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_modes_owner_caps),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_pax),
		cmocka_unit_test(test_truncations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
