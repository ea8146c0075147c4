/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/collateral_file.h"

#include <fts.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "evidence/csv.h"
#include "evidence/snp_chain.h"
#include "fmt/json.h"

/* As in Trustee's offline stores. */
#define CHIPS_FOLDER "vcek/"
#define HYGON_FOLDER "hsk_cek/" /* hsk_cek/SERIAL/hsk_cek.cert */

static int read_document(struct collateral_store *s, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(COLLATERAL_DOC_MAX);
	cleanup(json_decref) json_t *doc = NULL;

	int r = file_read(path, COLLATERAL_DOC_MAX, &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), COLLATERAL_DOC_MAX, &doc, reterr);
	return r == 0 ? collateral_store_load(s, doc, reterr) : r;
}

/* Also lets "KEY" and "KEY/chain" lie in one folder: the first is a file, the second is below one.
 */
static int path_key(const char *below, char dst[COLLATERAL_KEY_SIZE], struct err *reterr)
{
	static const char *const suffixes[] = {".der", ".pem", ".crl", ".json"};

	int r = str_copy(dst, COLLATERAL_KEY_SIZE, below);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(suffixes); i++) {
		if (str_ends(dst, suffixes[i])) {
			dst[strlen(dst) - strlen(suffixes[i])] = 0;
			break;
		}
	}
	if (r < 0 || !collateral_key_valid(dst))
		return err_set(reterr, -EBADMSG, "the file's name is no key of collateral");
	return 0;
}

static int hygon_key(const char *below, char dst[COLLATERAL_KEY_SIZE], struct err *reterr)
{
	const char *serial = below + strlen(HYGON_FOLDER), *end = strchrnul(serial, '/');

	if (!streq(end, "/hsk_cek.cert"))
		return err_set(reterr, -EBADMSG, "the file's name is not SERIAL/hsk_cek.cert");
	return csv_collateral_key("csv", slice_of(serial, (size_t)(end - serial)), dst, reterr);
}

static int chip_key(struct slice item, char dst[COLLATERAL_KEY_SIZE], struct err *reterr)
{
	cleanup(cert_free) struct cert *c = NULL;

	int r = snp_cert_load(item, &c, reterr);
	return r == 0 ? snp_cert_collateral_key(c, dst, reterr) : r;
}

static int read_item(
	struct collateral_store *s, const char *path, const char *below, struct err *reterr)
{
	cleanup_with(buf_done) struct buf item = buf_init(COLLATERAL_ITEM_MAX);
	char key[COLLATERAL_KEY_SIZE];

	int r = file_read(path, COLLATERAL_ITEM_MAX, &item, reterr);
	if (r < 0)
		return r;
	if (str_starts(below, CHIPS_FOLDER))
		r = chip_key(buf_slice(&item), key, reterr);
	else if (str_starts(below, HYGON_FOLDER))
		r = hygon_key(below, key, reterr);
	else
		r = path_key(below, key, reterr);
	if (r == 0 && item.size == 0)
		r = err_set(reterr, -EBADMSG, "the file is empty");
	if (r == 0)
		r = collateral_store_put(s, key, buf_slice(&item));
	return r;
}

static int visit(struct collateral_store *s, const FTSENT *e, size_t root, struct err *reterr)
{
	if (e->fts_level > COLLATERAL_DEPTH_MAX)
		return err_set(reterr, -E2BIG, "the folder is too deep");
	switch (e->fts_info) {
	case FTS_D:
	case FTS_DP:
		return 0;
	case FTS_F:
		return read_item(s, e->fts_path, e->fts_path + root + 1, reterr);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_set(reterr, -e->fts_errno, "it cannot be read");
	default:
		return err_set(reterr, -EBADMSG, "it is neither a file nor a folder");
	}
}

static int read_folder(struct collateral_store *s, const char *path, struct err *reterr)
{
	cleanup(free_ptr) char *root = strdup(path);
	size_t size = root ? strlen(root) : 0;
	int r = 0;

	while (size > 1 && root[size - 1] == '/')
		root[--size] = 0;
	char *const paths[] = {root, NULL};
	FTS *walk = root ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
	if (!walk)
		return -ENOMEM;
	for (FTSENT *e; r == 0 && (e = fts_read(walk)) != NULL;) {
		r = visit(s, e, size, reterr);
		if (r < 0)
			err_wrap(reterr, r, "%s", e->fts_path);
	}
	fts_close(walk);
	return r;
}

int collateral_store_read(struct collateral_store *s, const char *path, struct err *reterr)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(reterr, -errno, "collateral %s cannot be read", path);
	int r = S_ISDIR(st.st_mode) ? read_folder(s, path, reterr) : read_document(s, path, reterr);
	return r < 0 ? err_wrap(reterr, r, "collateral %s", path) : 0;
}
