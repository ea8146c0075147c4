/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar archives into a directory. Caller: guest image; the bytes are a layer that nobody has
 * verified yet. The first byte says after how many bytes the second layer begins, so that whiteouts
 * over an earlier layer are reached. Property: nothing appears beside the root.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "oci/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int g_outer = -1;
static char g_path[] = "/tmp/husk-fuzz-unpack-XXXXXX";

static void remove_outer(void)
{
	if (path_remove_tree(AT_FDCWD, g_path) < 0)
		perror(g_path);
}

static void layer(struct unpacker *u, struct slice tar)
{
	if (unpack_layer_begin(u, NULL) < 0)
		return;
	for (size_t at = 0; at < tar.size; at += 700)
		if (unpack_layer_feed(u, slice_cut(tar, at, 700), NULL) < 0)
			return;
	if (unpack_layer_end(u, NULL) < 0)
		return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpack_options opt = {.total_max = 1 << 16, .entry_max = 64, .no_owner = true};

	if (g_outer < 0) {
		if (!mkdtemp(g_path))
			abort();
		atexit(remove_outer);
		g_outer = open(g_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (size < 1)
		return 0;
	if (mkdirat(g_outer, "root", 0755) < 0)
		abort();
	int root = openat(g_outer, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct unpacker *u = unpack_new(root, &opt);
	if (!u)
		abort();
	size_t cut = (size_t)data[0] * TAR_BLOCK_SIZE;
	struct slice tar = slice_of(data + 1, size - 1);
	layer(u, slice_cut(tar, 0, cut));
	layer(u, slice_cut(tar, cut, SIZE_MAX));
	unpack_free(u);
	close(root);
	/* After the root is gone the outer folder must be empty, which rmdir() tells. */
	if (path_remove_tree(g_outer, "root") < 0)
		abort();
	if (rmdir(g_path) < 0 || mkdir(g_path, 0700) < 0)
		abort();
	close(g_outer);
	g_outer = open(g_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}
