/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "collateral/bundle.h"

#define PATH_SIZE 4096

static const char *const g_suffixes[] = {".der", ".pem", ".crl", ".json", ""};

static const char *suffix_of(struct slice item)
{
	if (item.data[0] == 0x30)
		return ".der";
	if (slice_starts(item, SLICE_LIT("-----BEGIN")))
		return ".pem";
	return item.data[0] == '{' ? ".json" : ".crl";
}

/* All folders of @path up to its last slash, beginning behind @root characters. */
static int make_folders(char *path, size_t root, struct err *reterr)
{
	for (char *p = path + root; (p = strchr(p, '/')) != NULL; p++) {
		*p = 0;
		int failed = *path && mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
		if (failed)
			err_set(reterr, -failed, "folder %s cannot be made", path);
		*p = '/';
		if (failed)
			return -failed;
	}
	return 0;
}

int collateral_item_write(
	const char *folder, const char *key, struct slice item, struct err *reterr)
{
	char path[PATH_SIZE];

	if (!collateral_key_valid(key) || item.size == 0)
		return err_set(reterr, -EINVAL, "no key of collateral, or nothing below it");
	int size = snprintf(path, sizeof(path), "%s/%s", folder, key);
	if (size < 0 || (size_t)size + sizeof(".json") > sizeof(path))
		return err_set(reterr, -ENAMETOOLONG, "collateral %s", key);
	const char *suffix = suffix_of(item);
	snprintf(path + size, sizeof(path) - (size_t)size, "%s", suffix);
	int r = make_folders(path, 1, reterr);
	if (r == 0)
		r = file_write_atomic(path, item, 0644, reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(g_suffixes); i++) {
		if (streq(g_suffixes[i], suffix))
			continue;
		snprintf(path + size, sizeof(path) - (size_t)size, "%s", g_suffixes[i]);
		/* Without a suffix it may be the folder of a longer key. */
		if (unlink(path) < 0 && errno != ENOENT && errno != EISDIR && errno != EPERM)
			r = err_set(reterr, -errno, "%s cannot be removed", path);
	}
	return r;
}
