/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_loc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define FILE_MAX ((size_t)1 << 20)

void image_loc_done(struct image_loc *l)
{
	oci_registry_free(l->registry);
	oci_layout_free(l->layout);
	free(l->name);
	buf_done(&l->roots);
	char path[TEMP_DIR_PATH_MAX];
	memcpy(path, l->unpacked.path, sizeof(path));
	if (temp_dir_done(&l->unpacked) < 0)
		fprintf(stderr, "husk: cannot remove '%s'\n", path);
	*l = (struct image_loc){0};
}

static bool path_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* "PATH:NAME" into @path (malloc'ed) and @name (malloc'ed or NULL) */
static int image_split_name(const char *text, char **ret_path, char **ret_name)
{
	const char *slash = strrchr(text, '/');
	const char *colon = strrchr(slash ? slash : text, ':');

	if (str_starts(text, "oci:")) {
		text += strlen("oci:");
		colon = colon && colon > text ? colon : NULL;
	} else if (path_exists(text)) {
		colon = NULL;
	}
	size_t size = colon ? (size_t)(colon - text) : strlen(text);
	cleanup(free_ptr) char *path = slice_strdup(slice_of(text, size));
	*ret_name = NULL;
	if (path && colon && colon[1]) {
		*ret_name = strdup(colon + 1);
		if (!*ret_name)
			return -ENOMEM;
	}
	*ret_path = steal_ptr(path);
	return *ret_path ? 0 : -ENOMEM;
}

/* "docker://..." or anything that is no existing path */
static bool image_loc_is_registry(const char *text)
{
	char *path, *name;

	if (str_starts(text, "docker://"))
		return true;
	if (str_starts(text, "oci:") || text[0] == '/' || text[0] == '.')
		return false;
	if (image_split_name(text, &path, &name) < 0)
		return false;
	bool exists = path_exists(path);
	free(path);
	free(name);
	return !exists;
}

static bool listed_insecure(const struct cli *cli, const char *registry)
{
	const char *host;

	for (size_t i = 0; (host = cli_opt_at(cli, "insecure-registry", i)) != NULL; i++)
		if (streq(host, registry))
			return true;
	return false;
}

static int open_registry(
	struct image_loc *l, const struct cli *cli, const char *text, struct err *reterr)
{
	cleanup_with(buf_done) struct buf auth = buf_init_secret(FILE_MAX);
	cleanup_with(oci_credentials_done) struct oci_credentials c = {0};
	const char *authfile = cli_opt(cli, "authfile"), *ca = cli_opt(cli, "ca");

	l->is_registry = true;
	l->roots = buf_init(FILE_MAX);
	int r = oci_ref_parse(&l->ref, text, reterr);
	if (r == 0 && authfile)
		r = file_read(authfile, FILE_MAX, &auth, reterr);
	if (r == 0 && authfile)
		r = oci_credentials_find(buf_slice(&auth), &l->ref, &c, reterr);
	if (r == 0 && ca)
		r = file_read(ca, FILE_MAX, &l->roots, reterr);
	struct oci_registry_options opt = {.username = c.username,
		.password = c.password,
		.insecure_http = listed_insecure(cli, l->ref.registry),
		.roots_pem = buf_slice(&l->roots)};
	if (r == 0)
		r = oci_registry_new(&l->registry, &l->ref, &opt, reterr);
	if (r == 0)
		l->source = oci_registry_source(l->registry);
	return r;
}

static int open_archive(struct image_loc *l, const char *path, struct err *reterr)
{
	int r = temp_dir_make(&l->unpacked, "husk-image", NULL, reterr);
	if (r == 0)
		r = oci_archive_unpack(path, l->unpacked.path, reterr);
	return r < 0 ? r : oci_layout_open(&l->layout, l->unpacked.path, false, reterr);
}

static int open_local(struct image_loc *l, const char *text, bool create, struct err *reterr)
{
	cleanup(free_ptr) char *path = NULL;
	struct stat st;

	int r = image_split_name(text, &path, &l->name);
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		r = open_archive(l, path, reterr);
	else
		r = oci_layout_open(&l->layout, path, create, reterr);
	if (r == 0)
		l->source = oci_layout_source(l->layout);
	return r;
}

int image_loc_open(struct image_loc *ret, const struct cli *cli, const char *text, bool create,
	struct err *reterr)
{
	struct image_loc l = {0};

	int r = image_loc_is_registry(text) && !create ? open_registry(&l, cli, text, reterr)
						       : open_local(&l, text, create, reterr);
	if (r < 0)
		image_loc_done(&l);
	else
		*ret = l;
	return r;
}

int image_loc_resolve(
	struct image_loc *l, const struct cli *cli, struct oci_image *ret, struct err *reterr)
{
	const char *arch = cli_opt_or(cli, "platform", oci_host_architecture());
	struct oci_descriptor d;

	if (l->is_registry)
		return oci_image_resolve(ret, &l->source, &l->ref, arch, reterr);
	int r = oci_layout_find(l->layout, l->name, &d, reterr);
	return r < 0 ? r : oci_image_from_digest(ret, &l->source, &d.digest, arch, reterr);
}

int image_kek_get(void *user, const char *kid, struct buf *out, struct err *reterr)
{
	struct kek_files *k = user;
	const char *key;

	for (size_t i = 0; (key = cli_opt_at(k->cli, "key", i)) != NULL; i++) {
		/* A kid is a URI, so "://" tells KID=FILE from a file name with '='. */
		const char *eq = strstr(key, "://") ? strrchr(key, '=') : NULL;
		if (eq && !slice_eq_str(slice_of(key, (size_t)(eq - key)), kid))
			continue;
		return file_read(eq ? eq + 1 : key, 4096, out, reterr);
	}
	return err_set(reterr, -ENOKEY, "no --key was given for '%.300s'", kid);
}

static void show(void *user, uint64_t done, uint64_t total)
{
	progress_set(user, done);
}

struct oci_progress image_progress(struct progress *p)
{
	return (struct oci_progress){show, p};
}

json_t *image_descriptor_json(const struct oci_descriptor *d)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	return json_pack("{s:s, s:I, s:s}", "digest", oci_digest_text(&d->digest, text), "size",
		(json_int_t)d->size, "media_type", d->media_type);
}
