/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: `husk policy` with -b FILE (bundles from registries and colleagues). Format: tar, or tar
 * within gzip. Properties: what is taken lies in the bundle, is of a known kind and within its
 * limits; a refusal names the file; the same archive within gzip gives the same files.
 */
#include <sys/mman.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/policy_internal.h"

#define GZIP_WINDOW (16 + MAX_WBITS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* @ret: where the archive was, as the names of its files begin. */
static int load(struct slice bytes, struct policy_files *f, char ret[64])
{
	cleanup_fd int fd = memfd_create("bundle", MFD_CLOEXEC);
	struct err e = {0};

	if (fd < 0 || fd_write_full(fd, bytes.data, bytes.size) < 0)
		abort();
	snprintf(ret, 64, "/proc/self/fd/%d", fd);
	int r = policy_load_archive(f, ret, &e);
	if (r < 0 && !str_starts(e.text, ret))
		abort();
	return r;
}

static void check_name(const char *name, bool is_module)
{
	if (is_module != str_ends(name, ".rego"))
		abort();
	while (*name) {
		size_t n = strcspn(name, "/");
		if (n == 2 && name[0] == '.' && name[1] == '.')
			abort();
		name += n + (name[n] == '/');
	}
}

static void check_files(const struct policy_files *f, const char *archive)
{
	if (f->count > POLICY_FILES_MAX)
		abort();
	for (size_t i = 0; i < f->count; i++) {
		const struct policy_file *p = &f->item[i];
		size_t n = strlen(archive);
		if (!str_starts(p->path, archive) || p->path[n] != '/' ||
			p->text.size > POLICY_FILE_MAX)
			abort();
		check_name(p->path + n + 1, p->is_module);
		check_name(p->prefix, false);
	}
}

static void pack(struct slice in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.size};

	if (deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	size_t room = deflateBound(&z, in.size);
	z.next_out = buf_reserve(out, room);
	z.avail_out = (uInt)room;
	if (!z.next_out || deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	buf_commit(out, room - z.avail_out);
	deflateEnd(&z);
}

static void check_same(const struct policy_files *a, const struct policy_files *b)
{
	if (a->count != b->count)
		abort();
	for (size_t i = 0; i < a->count; i++) {
		if (!slice_eq(buf_slice(&a->item[i].text), buf_slice(&b->item[i].text)) ||
			!streq(a->item[i].prefix, b->item[i].prefix))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_with(policy_files_done) struct policy_files plain = {0}, packed = {0};
	cleanup_with(buf_done) struct buf gz = buf_init(0);
	struct slice in = slice_of(data, size);
	char archive[64];

	int r = load(in, &plain, archive);
	if (r == 0)
		check_files(&plain, archive);
	if (size > 1 && data[0] == 0x1f && data[1] == 0x8b)
		return 0;
	pack(in, &gz);
	if (load(buf_slice(&gz), &packed, archive) != r)
		abort();
	if (r == 0)
		check_same(&plain, &packed);
	return 0;
}
