/* SPDX-License-Identifier: Apache-2.0 */
/* The copying half of build.h: images from a source into a layout, layer by layer. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "fmt/json.h"
#include "oci/build.h"
#include "oci/layer.h"

#define CHUNK_SIZE ((size_t)64 << 10)

struct copy {
	const struct oci_image *image;
	const struct oci_source *source;
	const struct oci_crypt_options *opt;
	const struct oci_progress *progress;
	struct oci_layout *dst;
	uint64_t done, total, shown_ms;
	bool changed;
	/* the layer that is running */
	struct layer *in;
	struct oci_blob_writer *out;
	struct ctr *ctr;
	struct hmac *hmac;
	uint8_t cipher[CHUNK_SIZE];
};

static int count_sink(void *user, struct slice piece, struct err *reterr)
{
	struct copy *c = user;

	c->done += piece.size;
	uint64_t now = clock_mono_ms();
	if (c->progress && (now - c->shown_ms >= 100 || c->done == c->total)) {
		c->shown_ms = now;
		c->progress->bytes(c->progress->user, c->done, c->total);
	}
	return layer_feed(c->in, piece, reterr);
}

/* What leaves the pipeline: verbatim, or through the cipher. */
static int write_sink(void *user, struct slice piece, struct err *reterr)
{
	struct copy *c = user;

	if (!c->ctr)
		return oci_blob_writer_put(c->out, piece, reterr);
	while (piece.size > 0) {
		size_t n = MIN(piece.size, CHUNK_SIZE);
		int r = ctr_apply(c->ctr, piece.data, c->cipher, n);
		if (r < 0)
			return err_set(reterr, r, "cannot encrypt");
		hmac_update(c->hmac, slice_of(c->cipher, n));
		r = oci_blob_writer_put(c->out, slice_of(c->cipher, n), reterr);
		if (r < 0)
			return r;
		piece = slice_cut(piece, n, SIZE_MAX);
	}
	return 0;
}

static int start_cipher(struct copy *c, const struct ocicrypt_key *key)
{
	struct slice bytes = secret_slice(&key->secret);
	struct slice symkey = slice_cut(bytes, 0, OCICRYPT_SYMKEY_SIZE);

	int r = ctr_new(symkey, slice_cut(bytes, OCICRYPT_SYMKEY_SIZE, SIZE_MAX), &c->ctr);
	return r < 0 ? r : hmac_new(HASH_SHA256, symkey, &c->hmac);
}

/* Runs one blob through verification into the layout. */
static int transfer(struct copy *c, const struct oci_descriptor *d,
	const struct ocicrypt_key *decrypt, const struct ocicrypt_key *encrypt,
	struct oci_descriptor *ret, struct err *reterr)
{
	struct layer_options opt = {
		.blob = *d, .key = decrypt, .raw = true, .sink = write_sink, .user = c};

	int r = layer_new(&c->in, &opt, reterr);
	if (r == 0)
		r = oci_blob_writer_new(&c->out, c->dst, reterr);
	if (r == 0 && encrypt)
		r = start_cipher(c, encrypt);
	if (r == 0)
		r = c->source->blob(c->source->user, d, count_sink, c, reterr);
	if (r == 0)
		r = layer_finish(c->in, reterr);
	if (r == 0)
		r = oci_blob_writer_finish(c->out, &ret->digest, &ret->size, reterr);
	return r;
}

static void transfer_done(struct copy *c)
{
	layer_free(steal_ptr(c->in));
	oci_blob_writer_free(steal_ptr(c->out));
	ctr_free(steal_ptr(c->ctr));
	hmac_free(steal_ptr(c->hmac));
}

static int put_annotation(json_t *annotations, const char *name, struct slice value)
{
	cleanup_with(buf_done) struct buf text = buf_init(8 * OCICRYPT_OPTIONS_MAX);

	b64_encode(&text, value, B64_STD);
	int r = buf_error(&text);
	return r < 0 ? r : json_set_str(annotations, name, buf_str(&text));
}

/* The annotations of a freshly encrypted layer. */
static int annotate(json_t *layer, const struct oci_crypt_options *opt,
	const struct ocicrypt_key *key, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pub = buf_init(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf priv = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf packet = buf_init(4 * OCICRYPT_OPTIONS_MAX);
	json_t *annotations = json_object_get(layer, "annotations");

	if (!annotations) {
		annotations = json_object();
		if (json_object_set_new(layer, "annotations", annotations) < 0)
			return -ENOMEM;
	}
	int r = ocicrypt_public_options(key, &pub);
	if (r == 0)
		r = ocicrypt_private_options(key, &priv);
	if (r == 0)
		r = ocicrypt_packet_wrap(&packet, opt->kid, opt->kek, buf_slice(&priv), reterr);
	if (r == 0)
		r = put_annotation(annotations, OCICRYPT_ANNOTATION_PROVIDER OCICRYPT_PROVIDER,
			buf_slice(&packet));
	return r < 0 ? r
		     : put_annotation(annotations, OCICRYPT_ANNOTATION_PUBOPTS, buf_slice(&pub));
}

static void drop_annotations(json_t *layer)
{
	json_t *annotations = json_object_get(layer, "annotations"), *v;
	const char *name;
	void *next;

	json_object_foreach_safe (annotations, next, name, v) {
		if (str_starts(name, "org.opencontainers.image.enc."))
			json_object_del(annotations, name);
	}
	if (json_object_size(annotations) == 0)
		json_object_del(layer, "annotations");
}

static int set_blob(json_t *layer, const struct oci_descriptor *d, const char *media_type)
{
	char text[OCI_DIGEST_TEXT_SIZE];

	int r = json_set_str(layer, "mediaType", media_type);
	if (r == 0)
		r = json_set_str(layer, "digest", oci_digest_text(&d->digest, text));
	return r < 0 ? r : json_set_int(layer, "size", (int64_t)d->size);
}

static int encrypt_layer(
	struct copy *c, const struct oci_descriptor *d, json_t *layer, struct err *reterr)
{
	cleanup_with(ocicrypt_key_done) struct ocicrypt_key key = {0};
	char type[OCI_MEDIA_TYPE_MAX + 16];
	struct oci_descriptor out = {0};
	struct digest hmac;

	int r = ocicrypt_key_new(&key);
	if (r == 0)
		r = transfer(c, d, NULL, &key, &out, reterr);
	if (r == 0)
		r = hmac_final(c->hmac, &hmac);
	if (r < 0)
		return r;
	memcpy(key.hmac, hmac.bytes, sizeof(key.hmac));
	oci_digest_text(&d->digest, key.plain_digest);
	/* Docker's types have no encrypted form; readers know these two as the same. */
	enum oci_compression compression;
	bool encrypted;
	r = oci_layer_type(d->media_type, &compression, &encrypted);
	snprintf(type, sizeof(type), OCI_TYPE_LAYER "%s+encrypted",
		compression == OCI_COMPRESSION_GZIP   ? "+gzip"
		: compression == OCI_COMPRESSION_ZSTD ? "+zstd"
						      : "");
	if (r == 0)
		r = set_blob(layer, &out, type);
	c->changed = true;
	return r < 0 ? r : annotate(layer, c->opt, &key, reterr);
}

static int decrypt_layer(
	struct copy *c, const struct oci_descriptor *d, json_t *layer, struct err *reterr)
{
	cleanup_with(ocicrypt_key_done) struct ocicrypt_key key = {0};
	char type[OCI_MEDIA_TYPE_MAX + 1], digest[OCI_DIGEST_TEXT_SIZE];
	struct oci_descriptor out = {0};

	int r = oci_layer_key(d, c->opt->keks, &key, reterr);
	if (r == 0)
		r = transfer(c, d, &key, NULL, &out, reterr);
	if (r < 0)
		return r;
	if (key.plain_digest[0] && !streq(key.plain_digest, oci_digest_text(&out.digest, digest)))
		return err_set(reterr, -EBADMSG,
			"the decrypted layer has digest %s, its options say %.80s", digest,
			key.plain_digest);
	r = str_copy_slice(type, sizeof(type),
		slice_of(d->media_type, strlen(d->media_type) - strlen("+encrypted")));
	if (r == 0)
		r = set_blob(layer, &out, type);
	drop_annotations(layer);
	c->changed = true;
	return r;
}

static int copy_layer(struct copy *c, size_t n, json_t *layer, struct err *reterr)
{
	const struct oci_descriptor *d = &c->image->manifest.layers[n];
	struct oci_descriptor out = {0};
	enum oci_compression compression;
	bool encrypted;

	int r = oci_layer_type(d->media_type, &compression, &encrypted);
	if (r < 0 && (c->opt->kid || c->opt->keks))
		return err_set(reterr, r, "unsupported media type '%s'", d->media_type);
	if (c->opt->kid && !encrypted)
		r = encrypt_layer(c, d, layer, reterr);
	else if (c->opt->keks && encrypted)
		r = decrypt_layer(c, d, layer, reterr);
	else
		r = transfer(c, d, NULL, NULL, &out, reterr);
	transfer_done(c);
	return r;
}

static int put_manifest(struct copy *c, json_t *doc, struct oci_descriptor *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(OCI_DOCUMENT_MAX);
	const char *type = c->image->manifest.media_type;

	if (c->changed) {
		/* An encrypted layer exists in OCI's words only. */
		type = OCI_TYPE_MANIFEST;
		json_t *config = json_object_get(doc, "config");
		if (json_set_str(doc, "mediaType", type) < 0 ||
			json_set_str(config, "mediaType", OCI_TYPE_CONFIG) < 0 ||
			json_write(doc, &text) < 0)
			return -ENOMEM;
	} else {
		buf_put_slice(&text, buf_slice(&c->image->manifest_json));
	}
	*ret = (struct oci_descriptor){.size = text.size};
	int r = str_copy(ret->media_type, sizeof(ret->media_type), type);
	return r < 0 ? r : oci_layout_put(c->dst, buf_slice(&text), &ret->digest, reterr);
}

int oci_image_copy(const struct oci_image *i, const struct oci_source *s, struct oci_layout *dst,
	const struct oci_crypt_options *options, const struct oci_progress *progress,
	struct oci_descriptor *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *doc = json_deep_copy(i->manifest.doc);
	cleanup(free_ptr) struct copy *c = calloc(1, sizeof(*c));
	json_t *layers = json_object_get(doc, "layers");
	char text[OCI_DIGEST_TEXT_SIZE];
	struct oci_digest digest;

	if (!c || !layers)
		return -ENOMEM;
	*c = (struct copy){
		.image = i, .source = s, .opt = options, .progress = progress, .dst = dst};
	for (size_t n = 0; n < i->manifest.layer_count; n++)
		c->total += i->manifest.layers[n].size;
	for (size_t n = 0; n < i->manifest.layer_count; n++) {
		int r = copy_layer(c, n, json_array_get(layers, n), reterr);
		if (r < 0)
			return err_wrap(reterr, r, "layer %zu (%s)", n + 1,
				oci_digest_text(&i->manifest.layers[n].digest, text));
	}
	if (!c->changed && (options->kid || options->keks))
		return err_set(reterr, -EALREADY, "the image is %s already",
			options->kid ? "encrypted" : "clear");
	int r = oci_layout_put(dst, buf_slice(&i->config_json), &digest, reterr);
	return r < 0 ? r : put_manifest(c, doc, ret, reterr);
}
