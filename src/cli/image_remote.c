/* SPDX-License-Identifier: Apache-2.0 */
/* husk image push, pull, sign, verify, keyprovider. */
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/image_keys.h"
#include "cli/image_loc.h"
#include "oci/cosign.h"
#include "oci/hash.h"

#define FILE_MAX ((size_t)1 << 20)

static int report(
	const struct cli *cli, const char *what, const struct oci_digest *digest, const char *where)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	oci_digest_text(digest, text);
	if (!cli->json) {
		cli_note(cli, "%s %s", what, where);
		puts(text);
		return CLI_OK;
	}
	json_t *doc = json_pack("{s:s, s:s, s:s}", "result", what, "digest", text, "image", where);
	int code = cli_print_json(doc);
	json_decref(doc);
	return code;
}

/* --- push ------------------------------------------------------------------------------------- */

static int push_blob(struct oci_layout *from, struct oci_registry *to,
	const struct oci_descriptor *d, struct err *reterr)
{
	uint64_t size;

	int have = oci_registry_has_blob(to, &d->digest, reterr);
	if (have != 0)
		return have < 0 ? have : 0;
	cleanup_fd int fd = oci_layout_blob_open(from, &d->digest, &size, reterr);
	if (fd < 0)
		return fd;
	if (size != d->size)
		return err_set(reterr, -EBADMSG, "a blob has another size than the manifest says");
	return oci_registry_put_blob(to, fd, size, &d->digest, reterr);
}

static int push_manifest(struct oci_layout *from, struct oci_registry *to, const char *tag,
	const struct oci_manifest *m, struct slice json, struct progress *bar, struct err *reterr)
{
	uint64_t done = 0;

	for (size_t i = 0; i < m->layer_count; i++) {
		int r = push_blob(from, to, &m->layers[i], reterr);
		if (r < 0)
			return r;
		done += m->layers[i].size;
		if (bar)
			progress_set(bar, done);
	}
	int r = push_blob(from, to, &m->config, reterr);
	return r < 0 ? r : oci_registry_put_manifest(to, tag, m->media_type, json, reterr);
}

/* The signature image under @tag. Return: 0, -ENOENT (there is none), others. */
static int read_signatures(const struct oci_source *from, const char *tag, struct buf *json,
	struct oci_manifest *m, struct err *reterr)
{
	int r = from->manifest(from->user, tag, json, reterr);

	return r < 0 ? r : oci_manifest_parse(m, buf_slice(json), reterr);
}

/* Signatures that the layout holds for the image travel with it. */
static int push_signatures(struct image_loc *from, struct oci_registry *to,
	const struct oci_digest *digest, struct err *reterr)
{
	cleanup_with(buf_done) struct buf json = buf_init(OCI_DOCUMENT_MAX);
	char tag[OCI_REF_TAG_MAX + 1];
	struct oci_manifest m = {0};

	if (!cosign_tag(digest, tag)[0])
		return 0;
	int r = read_signatures(&from->source, tag, &json, &m, reterr);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = push_manifest(from->layout, to, tag, &m, buf_slice(&json), NULL, reterr);
	oci_manifest_done(&m);
	return r;
}

int image_run_push(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc from = {0}, to = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct progress bar = {0};
	struct err e = {0};
	uint64_t total = 0;

	int r = image_loc_open(&from, cli, cli_arg(cli, 0), false, &e);
	if (r == 0 && from.is_registry)
		r = err_set(&e, -EINVAL, "there is no layout or archive '%s'", cli_arg(cli, 0));
	if (r == 0)
		r = image_loc_resolve(&from, cli, &image, &e);
	if (r == 0)
		r = image_loc_open(&to, cli, cli_arg(cli, 1), false, &e);
	if (r == 0 && !to.is_registry)
		r = err_set(&e, -EINVAL, "'%s' is a path; write docker://...", cli_arg(cli, 1));
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot push '%s'", cli_arg(cli, 0));
	for (size_t i = 0; i < image.manifest.layer_count; i++)
		total += image.manifest.layers[i].size;
	progress_start(&bar, cli, "push", total);
	char name[OCI_DIGEST_TEXT_SIZE], where[OCI_REF_TEXT_SIZE];
	r = push_manifest(from.layout, to.registry,
		to.ref.tag[0] ? to.ref.tag : oci_digest_text(&image.digest, name), &image.manifest,
		buf_slice(&image.manifest_json), &bar, &e);
	if (r == 0)
		r = push_signatures(&from, to.registry, &image.digest, &e);
	progress_end(&bar);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot push '%s'", cli_arg(cli, 0));
	return report(cli, "pushed", &image.digest, oci_ref_text(&to.ref, where));
}

/* --- pull ------------------------------------------------------------------------------------- */

static int pull_blob(const struct oci_source *from, struct oci_layout *to,
	const struct oci_descriptor *d, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(OCI_DOCUMENT_MAX);
	struct oci_digest digest;

	int r = oci_source_read(from, d, &bytes, reterr);
	return r < 0 ? r : oci_layout_put(to, buf_slice(&bytes), &digest, reterr);
}

/* What was signed stays signed in the layout, and where the layout is pushed to. */
static int pull_signatures(const struct oci_source *from, struct oci_layout *to,
	const struct oci_digest *digest, struct err *reterr)
{
	cleanup_with(buf_done) struct buf json = buf_init(OCI_DOCUMENT_MAX);
	cleanup_with(oci_manifest_done) struct oci_manifest m = {0};
	char tag[OCI_REF_TAG_MAX + 1];
	struct oci_digest d;

	if (!cosign_tag(digest, tag)[0])
		return 0;
	int r = read_signatures(from, tag, &json, &m, reterr);
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < m.layer_count; i++)
		r = pull_blob(from, to, &m.layers[i], reterr);
	if (r == 0)
		r = pull_blob(from, to, &m.config, reterr);
	if (r == 0)
		r = oci_layout_put(to, buf_slice(&json), &d, reterr);
	if (r == 0)
		r = oci_layout_tag(to, tag, m.media_type, &d, json.size, reterr);
	return r < 0 ? err_wrap(reterr, r, "its signatures") : 0;
}

int image_run_pull(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc from = {0}, to = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	struct oci_crypt_options none = {0};
	struct progress bar = {0};
	struct oci_descriptor d;
	struct err e = {0};
	uint64_t total = 0;

	int r = image_loc_open(&from, cli, cli_arg(cli, 0), false, &e);
	if (r == 0)
		r = image_loc_resolve(&from, cli, &image, &e);
	if (r == 0)
		r = image_loc_open(&to, cli, cli_arg(cli, 1), true, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot pull '%s'", cli_arg(cli, 0));
	for (size_t i = 0; i < image.manifest.layer_count; i++)
		total += image.manifest.layers[i].size;
	progress_start(&bar, cli, "pull", total);
	struct oci_progress p = image_progress(&bar);
	r = oci_image_copy(&image, &from.source, to.layout, &none, &p, &d, &e);
	progress_end(&bar);
	if (r == 0)
		r = oci_layout_tag(to.layout,
			to.name		  ? to.name
			: from.ref.tag[0] ? from.ref.tag
					  : "latest",
			d.media_type, &d.digest, d.size, &e);
	if (r == 0)
		r = pull_signatures(&from.source, to.layout, &d.digest, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot pull '%s'", cli_arg(cli, 0));
	return report(cli, "pulled", &d.digest, oci_layout_path(to.layout));
}

/* --- sign ------------------------------------------------------------------------------------- */

static int load_key(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(FILE_MAX);

	int r = file_read(path, FILE_MAX, &pem, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&pem), ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "key '%s'", path) : 0;
}

/*
 * The signature image so far, or a new one: signatures of several keys live side by side. One that
 * cannot be read is not one that is not there; a new one would take its place.
 */
static int signature_manifest(
	struct image_loc *l, const char *tag, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf json = buf_init(OCI_DOCUMENT_MAX);
	struct oci_manifest m = {0};

	int r = read_signatures(&l->source, tag, &json, &m, reterr);
	if (r == -ENOENT) {
		*ret = json_pack("{s:i, s:s, s:{}, s:[]}", "schemaVersion", 2, "mediaType",
			OCI_TYPE_MANIFEST, "config", "layers");
		return *ret ? 0 : -ENOMEM;
	}
	if (r < 0)
		return err_wrap(reterr, r, "the signatures that are there");
	*ret = json_deep_copy(m.doc);
	oci_manifest_done(&m);
	return *ret ? 0 : -ENOMEM;
}

static int store_blob(
	struct image_loc *l, struct slice bytes, struct oci_digest *ret, struct err *reterr)
{
	int r = oci_digest_of(ret, OCI_DIGEST_SHA256, bytes);
	if (r < 0)
		return r;
	return l->is_registry ? oci_registry_put_bytes(l->registry, bytes, ret, reterr)
			      : oci_layout_put(l->layout, bytes, ret, reterr);
}

static json_t *blob_json(const char *type, const struct oci_digest *d, size_t size)
{
	char text[OCI_DIGEST_TEXT_SIZE];
	return json_pack("{s:s, s:I, s:s}", "mediaType", type, "size", (json_int_t)size, "digest",
		oci_digest_text(d, text));
}

/* The configuration of a signature image lists its layers, like that of any image. */
static int store_config(struct image_loc *l, json_t *manifest, struct err *reterr)
{
	json_t *ids = json_array(), *layers = json_object_get(manifest, "layers"), *layer;
	struct oci_digest d;
	size_t i;

	json_array_foreach (layers, i, layer) {
		json_array_append(ids, json_object_get(layer, "digest"));
	}
	json_t *doc = json_pack("{s:s, s:s, s:s, s:{}, s:{s:s, s:o}}", "architecture", "",
		"created", "0001-01-01T00:00:00Z", "os", "", "config", "rootfs", "type", "layers",
		"diff_ids", ids);
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	json_decref(doc);
	if (!text)
		return -ENOMEM;
	int r = store_blob(l, slice_str(text), &d, reterr);
	if (r == 0)
		json_object_set_new(
			manifest, "config", blob_json(OCI_TYPE_CONFIG, &d, strlen(text)));
	free(text);
	return r;
}

static int store_manifest(
	struct image_loc *l, const char *tag, json_t *manifest, struct err *reterr)
{
	char *text = json_dumps(manifest, JSON_COMPACT);
	struct oci_digest d;
	int r;

	if (!text)
		return -ENOMEM;
	if (l->is_registry) {
		r = oci_registry_put_manifest(
			l->registry, tag, OCI_TYPE_MANIFEST, slice_str(text), reterr);
	} else {
		r = oci_layout_put(l->layout, slice_str(text), &d, reterr);
		if (r == 0)
			r = oci_layout_tag(
				l->layout, tag, OCI_TYPE_MANIFEST, &d, strlen(text), reterr);
	}
	free(text);
	return r;
}

static int sign(struct image_loc *l, const struct oci_digest *digest, const char *identity,
	const struct pkey *key, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(COSIGN_PAYLOAD_MAX);
	cleanup_with(buf_done) struct buf signature = buf_init(8192);
	char tag[OCI_REF_TAG_MAX + 1];
	json_t *manifest = NULL;
	struct oci_digest d;

	int r = cosign_payload(&payload, identity, digest);
	if (r == 0)
		r = cosign_sign(key, buf_slice(&payload), &signature, reterr);
	if (r == 0)
		r = signature_manifest(l, cosign_tag(digest, tag), &manifest, reterr);
	if (r == 0)
		r = store_blob(l, buf_slice(&payload), &d, reterr);
	if (r < 0) {
		json_decref(manifest);
		return r;
	}
	json_t *layer = blob_json(COSIGN_TYPE_PAYLOAD, &d, payload.size);
	json_object_set_new(
		layer, "annotations", json_pack("{s:s}", COSIGN_ANNOTATION, buf_str(&signature)));
	if (json_array_append_new(json_object_get(manifest, "layers"), layer) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = store_config(l, manifest, reterr);
	if (r == 0)
		r = store_manifest(l, tag, manifest, reterr);
	json_decref(manifest);
	return r;
}

/* Which name a signature is for: the repository, or what --identity says. */
static int identity_of(const struct cli *cli, const struct image_loc *l,
	char dst[OCI_REF_TEXT_SIZE], struct oci_ref *ret, struct err *reterr)
{
	const char *identity = cli_opt(cli, "identity");

	*ret = l->ref;
	if (identity) {
		int r = oci_ref_parse(ret, identity, reterr);
		if (r < 0)
			return r;
		return str_copy(dst, OCI_REF_TEXT_SIZE, identity);
	}
	if (!l->is_registry)
		return err_set(reterr, -EINVAL,
			"a layout has no name to sign: give --identity REGISTRY/IMAGE");
	oci_ref_name(&l->ref, dst);
	return 0;
}

int image_run_sign(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc l = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	char identity[OCI_REF_TEXT_SIZE];
	struct oci_ref ref;
	struct err e = {0};

	int r = load_key(cli_opt(cli, "key"), &key, &e);
	if (r == 0)
		r = image_loc_open(&l, cli, cli_arg(cli, 0), false, &e);
	if (r == 0)
		r = identity_of(cli, &l, identity, &ref, &e);
	if (r == 0)
		r = image_loc_resolve(&l, cli, &image, &e);
	const struct oci_digest *digest =
		image.index_digest.alg != OCI_DIGEST_NONE ? &image.index_digest : &image.digest;
	if (r == 0)
		r = sign(&l, digest, identity, key, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot sign '%s'", cli_arg(cli, 0));
	return report(cli, "signed", digest, identity);
}

/* --- verify ----------------------------------------------------------------------------------- */

static int key_file(void *user, const char *path, struct buf *out, struct err *reterr)
{
	return file_read(path, FILE_MAX, out, reterr);
}

static int verify_policy(const struct cli *cli, const struct oci_image *image,
	const struct oci_ref *ref, const struct oci_source *images, struct err *reterr)
{
	const char *folder = cli_opt(cli, "lookaside");
	const struct oci_simple simple = image_lookaside(folder);
	struct oci_source source = *images;
	cleanup_with(buf_done) struct buf json = buf_init(OCI_POLICY_MAX);
	cleanup(oci_policy_free) struct oci_policy *policy = NULL;
	struct oci_fetcher keys = {key_file, NULL};
	enum oci_verdict verdict = OCI_VERDICT_DENY;

	source.simple = folder ? &simple : NULL;
	int r = file_read(cli_opt(cli, "policy"), OCI_POLICY_MAX, &json, reterr);
	if (r == 0)
		r = oci_policy_parse(&policy, buf_slice(&json), reterr);
	if (r == 0)
		r = oci_image_verify(image, ref, &source, policy, &keys, &verdict, reterr);
	return r == 0 && verdict != OCI_VERDICT_ALLOW ? -EACCES : r;
}

static int verify_key(const struct cli *cli, const struct oci_image *image,
	const struct oci_ref *ref, const struct oci_source *source, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	struct oci_identity any_tag = {0};

	int r = load_key(cli_opt(cli, "key"), &key, reterr);
	return r < 0 ? r : oci_image_verify_key(image, ref, source, key, &any_tag, reterr);
}

int image_run_verify(struct cli *cli)
{
	cleanup_with(image_loc_done) struct image_loc l = {0};
	cleanup_with(oci_image_done) struct oci_image image = {0};
	char identity[OCI_REF_TEXT_SIZE];
	struct oci_ref ref;
	struct err e = {0};

	if (!cli_opt(cli, "key") == !cli_opt(cli, "policy"))
		return cli_fail(cli, -EINVAL, NULL, "give exactly one of --key and --policy");
	int r = image_loc_open(&l, cli, cli_arg(cli, 0), false, &e);
	if (r == 0)
		r = identity_of(cli, &l, identity, &ref, &e);
	if (r == 0)
		r = image_loc_resolve(&l, cli, &image, &e);
	if (r == 0)
		r = cli_opt(cli, "key") ? verify_key(cli, &image, &ref, &l.source, &e)
					: verify_policy(cli, &image, &ref, &l.source, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "'%s'", cli_arg(cli, 0));
	return report(cli, "verified", &image.digest, identity);
}
