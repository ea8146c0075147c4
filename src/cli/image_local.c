/* SPDX-License-Identifier: Apache-2.0 */
/* husk image build, encrypt, decrypt, inspect. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/image_keys.h"
#include "cli/image_loc.h"
#include "crypto/hash.h"
#include "fmt/resource_path.h"

static json_t *option_list(const struct cli *cli, const char *name)
{
	json_t *list = NULL;
	const char *v;

	for (size_t i = 0; (v = cli_opt_at(cli, name, i)) != NULL; i++) {
		if (!list)
			list = json_array();
		json_array_append_new(list, json_string(v));
	}
	return list;
}

/* A name that is empty or has no value would be dropped, or break the container, much later. */
static int check_pairs(const struct cli *cli, const char *name, struct err *reterr)
{
	const char *v;

	for (size_t i = 0; (v = cli_opt_at(cli, name, i)) != NULL; i++)
		if (v[0] == '=' || !strchr(v, '='))
			return err_set(reterr, -EINVAL, "--%s '%s' is not NAME=VALUE", name, v);
	return 0;
}

static json_t *option_labels(const struct cli *cli)
{
	json_t *labels = NULL;
	const char *v;

	for (size_t i = 0; (v = cli_opt_at(cli, "label", i)) != NULL; i++) {
		size_t size = strcspn(v, "=");
		if (!labels)
			labels = json_object();
		json_object_setn_new(labels, v, size, json_string(v + size + 1));
	}
	return labels;
}

static int report_image(const struct cli *cli, const char *what, const char *layout,
	const struct oci_descriptor *d, json_t *extra)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	if (cli->json) {
		json_t *doc = image_descriptor_json(d);
		json_object_set_new(doc, "layout", json_string(layout));
		if (extra)
			json_object_update(doc, extra);
		int code = cli_print_json(doc);
		json_decref(doc);
		return code;
	}
	cli_note(cli, "%s %s", what, layout);
	puts(oci_digest_text(&d->digest, text));
	return CLI_OK;
}

/* Points the name of the output at the new manifest and says so. */
static int finish(const struct cli *cli, struct image_loc *out, const char *what,
	const struct oci_descriptor *d, json_t *extra)
{
	struct err e = {0};

	int r = oci_layout_tag(out->layout, out->name ? out->name : "latest", d->media_type,
		&d->digest, d->size, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot name the image");
	return report_image(cli, what, oci_layout_path(out->layout), d, extra);
}

static bool is_rootfs(const char *path)
{
	char marker[4096 + 16];
	struct stat st;

	snprintf(marker, sizeof(marker), "%.4000s/oci-layout", path);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(marker, F_OK) < 0;
}

static int build_options(const struct cli *cli, struct oci_build_options *o, struct err *reterr)
{
	const char *epoch = cli_opt(cli, "epoch"), *level = cli_opt(cli, "level");
	const char *compression = cli_opt_or(cli, "compression", "gzip");
	uint32_t level_value = 0;

	if (!epoch)
		epoch = getenv("SOURCE_DATE_EPOCH");
	if (level && parse_u32(slice_str(level), 1, 9, &level_value) < 0)
		return err_set(reterr, -EINVAL, "the level '%s' is not 1 to 9", level);
	*o = (struct oci_build_options){.level = (int)level_value,
		.compression = streq(compression, "gzip")   ? OCI_COMPRESSION_GZIP
			       : streq(compression, "zstd") ? OCI_COMPRESSION_ZSTD
							    : OCI_COMPRESSION_NONE,
		.config = {.user = cli_opt(cli, "user"),
			.workdir = cli_opt(cli, "workdir"),
			.architecture = cli_opt(cli, "platform")}};
	if (epoch && parse_i64(slice_str(epoch), 1, INT64_MAX / 2, &o->mtime_max) < 0)
		return err_set(reterr, -EINVAL, "'%s' is not a number of seconds", epoch);
	int r = check_pairs(cli, "env", reterr);
	if (r == 0)
		r = check_pairs(cli, "label", reterr);
	if (r < 0)
		return r;
	if (o->config.workdir && o->config.workdir[0] != '/')
		return err_set(reterr, -EINVAL, "the working directory '%s' is not absolute",
			o->config.workdir);
	o->config.created = o->mtime_max;
	o->config.entrypoint = option_list(cli, "entrypoint");
	o->config.cmd = option_list(cli, "cmd");
	o->config.env = option_list(cli, "env");
	o->config.labels = option_labels(cli);
	return 0;
}

static int build_rootfs(const struct cli *cli, struct image_loc *out, const char *rootfs)
{
	struct oci_build_options o = {0};
	struct oci_build_stats stats;
	struct oci_descriptor d;
	struct err e = {0};

	int r = build_options(cli, &o, &e);
	if (r == 0)
		r = oci_build_rootfs(out->layout, rootfs, &o, &d, &stats, &e);
	json_decref(o.config.entrypoint);
	json_decref(o.config.cmd);
	json_decref(o.config.env);
	json_decref(o.config.labels);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot build an image of '%s'", rootfs);
	if (stats.skipped_count)
		cli_note(cli, "left out %llu device nodes and sockets",
			(unsigned long long)stats.skipped_count);
	json_t *extra =
		json_pack("{s:I, s:I, s:I}", "files", (json_int_t)stats.file_count, "unpacked_size",
			(json_int_t)stats.plain_size, "layer_size", (json_int_t)stats.blob_size);
	int code = finish(cli, out, "built", &d, extra);
	json_decref(extra);
	return code;
}

/* build of an existing image, encrypt and decrypt: copy from one place to a layout. */
static int copy_image(struct cli *cli, const char *from, struct image_loc *out,
	const struct oci_crypt_options *opt, const char *what)
{
	cleanup_with(image_loc_done) struct image_loc in = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct progress bar = {0};
	struct oci_descriptor d;
	struct err e = {0};

	int r = image_loc_open(&in, cli, from, false, &e);
	if (r == 0)
		r = image_loc_resolve(&in, cli, &image, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read '%s'", from);
	uint64_t total = 0;
	for (size_t i = 0; i < image.manifest.layer_count; i++)
		total += image.manifest.layers[i].size;
	progress_start(&bar, cli, what, total);
	struct oci_progress p = image_progress(&bar);
	r = oci_image_copy(&image, &in.source, out->layout, opt, &p, &d, &e);
	progress_end(&bar);
	if (r < 0)
		return cli_fail(cli, r, &e, "'%s'", from);
	return finish(cli, out, what, &d, NULL);
}

int image_run_build(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc out = {0};
	struct oci_crypt_options none = {0};
	struct err e = {0};

	int r = image_loc_open(&out, cli, cli_arg(cli, 1), true, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot open the layout");
	if (is_rootfs(cli_arg(cli, 0)))
		return build_rootfs(cli, &out, cli_arg(cli, 0));
	return copy_image(cli, cli_arg(cli, 0), &out, &none, "copied");
}

/* Reads the KEK, or makes one and writes it with mode 0600. */
static int load_or_make_kek(
	const struct cli *cli, const char *path, struct secret *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(4096);

	if (access(path, F_OK) == 0) {
		int r = file_read(path, 4096, &bytes, reterr);
		if (r == 0 && bytes.size != OCICRYPT_KEK_SIZE)
			r = err_set(reterr, -EBADMSG, "'%s' has %zu bytes, a key has %u", path,
				bytes.size, OCICRYPT_KEK_SIZE);
		return r < 0 ? r : secret_copy(ret, buf_slice(&bytes));
	}
	int r = secret_new(ret, OCICRYPT_KEK_SIZE);
	if (r == 0)
		r = random_bytes(ret->data, ret->size);
	if (r == 0)
		r = file_write_atomic(path, secret_slice(ret), 0600, reterr);
	if (r == 0)
		cli_note(cli, "made a new key: %s", path);
	return r;
}

/* kbs://[AUTHORITY]/REPOSITORY/TYPE/TAG, as guests read it. */
static bool kbs_uri_ok(const char *uri)
{
	const char *path = str_starts(uri, "kbs://") ? strchr(uri + strlen("kbs://"), '/') : NULL;

	return path && resource_path_valid(slice_str(path + 1));
}

int image_run_encrypt(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc out = {0};
	cleanup_with(secret_done) struct secret kek = {0};
	struct err e = {0};

	/* Anything else would first be noticed by the guest. */
	if (!kbs_uri_ok(cli_opt(cli, "keyid")))
		return cli_fail(cli, -EINVAL, NULL,
			"the key id '%s' is not kbs:///REPOSITORY/TYPE/TAG", cli_opt(cli, "keyid"));
	int r = load_or_make_kek(cli, cli_opt(cli, "key"), &kek, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot use the key");
	r = image_loc_open(&out, cli, cli_arg(cli, 1), true, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot open the layout");
	struct oci_crypt_options opt = {.kid = cli_opt(cli, "keyid"), .kek = secret_slice(&kek)};
	return copy_image(cli, cli_arg(cli, 0), &out, &opt, "encrypted");
}

int image_run_decrypt(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc out = {0};
	struct kek_files files = {cli};
	struct oci_fetcher keks = {image_kek_get, &files};
	cleanup_with(image_recipient_done) struct image_recipient recipient = {0};
	struct oci_crypt_options opt = {.keks = &keks};
	struct err e = {0};

	if (!cli_opt(cli, "key") && !cli_opt(cli, "private-key") && !cli_opt(cli, "pgp-key"))
		return cli_fail(cli, -EINVAL, NULL,
			"give at least one of --key, --private-key and --pgp-key");
	int r = image_recipient_load(cli, &recipient, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot use the key");
	keks.recipient = &recipient.r;
	r = image_loc_open(&out, cli, cli_arg(cli, 1), true, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot open the layout");
	return copy_image(cli, cli_arg(cli, 0), &out, &opt, "decrypted");
}

static json_t *inspect_layer(const struct oci_descriptor *d, const struct oci_digest *diff_id)
{
	enum oci_compression compression;
	char text[OCI_DIGEST_TEXT_SIZE];
	bool encrypted = false;
	json_t *o = image_descriptor_json(d);

	bool known = oci_layer_type(d->media_type, &compression, &encrypted) == 0;
	json_object_set_new(o, "diff_id", json_string(oci_digest_text(diff_id, text)));
	json_object_set_new(o, "supported", json_boolean(known));
	json_object_set_new(o, "encrypted", json_boolean(encrypted));
	return o;
}

static json_t *inspect_image(const struct oci_image *i)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	json_t *layers = json_array();

	for (size_t n = 0; n < i->manifest.layer_count; n++)
		json_array_append_new(
			layers, inspect_layer(&i->manifest.layers[n], &i->config.diff_ids[n]));
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:o, s:O}", "digest",
		oci_digest_text(&i->digest, text), "media_type", i->manifest.media_type, "os",
		i->config.os, "architecture", i->config.architecture, "layers", layers, "config",
		i->config.doc);
	if (doc && i->index_digest.alg != OCI_DIGEST_NONE)
		json_object_set_new(
			doc, "index_digest", json_string(oci_digest_text(&i->index_digest, text)));
	return doc;
}

/* What a container gets from the image: a text, or the elements of a list, as JSON has them. */
static void print_config(const struct oci_image *i)
{
	static const char *const names[][2] = {{"Entrypoint", "entrypoint"}, {"Cmd", "command"},
		{"Env", "environment"}, {"User", "user"}, {"WorkingDir", "workdir"}};
	json_t *run = json_object_get(i->config.doc, "config");

	for (size_t n = 0; n < ARRAY_COUNT(names); n++) {
		json_t *v = json_object_get(run, names[n][0]);
		if (!(json_is_string(v) && json_string_length(v)) && json_array_size(v) == 0)
			continue;
		cleanup(free_ptr) char *text = json_dumps(v, JSON_ENCODE_ANY);
		printf("%-12s ", names[n][1]);
		cli_put_text(stdout, text ? text : "?");
		putchar('\n');
	}
}

static void print_inspection(const struct oci_image *i)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	printf("digest       %s\n", oci_digest_text(&i->digest, text));
	printf("platform     ");
	cli_put_text(stdout, i->config.os);
	putchar('/');
	cli_put_text(stdout, i->config.architecture);
	putchar('\n');
	for (size_t n = 0; n < i->manifest.layer_count; n++) {
		const struct oci_descriptor *d = &i->manifest.layers[n];
		printf("layer %-6zu %s  %llu bytes  ", n + 1, oci_digest_text(&d->digest, text),
			(unsigned long long)d->size);
		cli_put_text(stdout, d->media_type);
		putchar('\n');
	}
	print_config(i);
}

int image_run_inspect(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc in = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct err e = {0};

	int r = image_loc_open(&in, cli, cli_arg(cli, 0), false, &e);
	if (r == 0)
		r = image_loc_resolve(&in, cli, &image, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read '%s'", cli_arg(cli, 0));
	if (!cli->json) {
		print_inspection(&image);
		return CLI_OK;
	}
	json_t *doc = inspect_image(&image);
	int code = cli_print_json(doc);
	json_decref(doc);
	return code;
}
