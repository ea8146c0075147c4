/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted images: each layer's key with the key of the case, compared with the options that are
 * expected, then the whole image unpacked. Also packets and forms of keys alone.
 */
#include "oci/ocicrypt_recipient.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/x509.h"
#include "fmt/json.h"
#include "oci/image.h"
#include "oci/layer.h"
#include "vectors.h"

struct keys {
	struct buf kek, pgp;
	struct pkey *key;
	struct ocicrypt_recipient recipient;
	struct oci_fetcher fetcher;
};

static void keys_done(struct keys *k)
{
	buf_done(&k->kek);
	buf_done(&k->pgp);
	pkey_free(k->key);
}

static int give_kek(void *user, const char *uri, struct buf *out, struct err *reterr)
{
	const struct keys *k = user;

	if (k->kek.size == 0)
		return err_set(reterr, -EKEYREJECTED, "there is no KEK");
	buf_put_slice(out, buf_slice(&k->kek));
	return buf_error(out);
}

static int load_keys(struct vector *v, struct keys *k)
{
	cleanup_with(buf_done) struct buf pem = buf_init(0);

	*k = (struct keys){.kek = buf_init(0), .pgp = buf_init(0)};
	if (vector_file(v, "kek") && vector_read(v, vector_file(v, "kek"), &k->kek) < 0)
		return -1;
	if (vector_file(v, "pgp_secret_key") &&
		vector_read(v, vector_file(v, "pgp_secret_key"), &k->pgp) < 0)
		return -1;
	if (vector_file(v, "private_key")) {
		if (vector_read(v, vector_file(v, "private_key"), &pem) < 0 ||
			pkey_from_any(buf_slice(&pem), &k->key, NULL) < 0)
			return vector_fail(v, "the private key cannot be read");
	}
	k->recipient = (struct ocicrypt_recipient){k->key, &oci_pgp_rnp, buf_slice(&k->pgp)};
	k->fetcher = (struct oci_fetcher){give_kek, k, &k->recipient};
	return 0;
}

struct work {
	char dir[64];
	struct oci_layout *layout;
	struct oci_source source;
	struct oci_image image;
};

static void work_done(struct work *w)
{
	oci_image_done(&w->image);
	oci_layout_free(w->layout);
	if (w->dir[0] && path_remove_tree(AT_FDCWD, w->dir) < 0)
		fprintf(stderr, "cannot remove %s\n", w->dir);
}

static int open_image(struct vector *v, struct work *w)
{
	char path[4096];
	struct oci_descriptor d;
	struct err e = {0};

	*w = (struct work){.dir = "/tmp/husk-vector-XXXXXX"};
	if (!mkdtemp(w->dir)) {
		w->dir[0] = 0;
		return vector_fail(v, "no temporary folder");
	}
	snprintf(path, sizeof(path), "%s/%s", v->dir, vector_file(v, "image_oci_layout_tar"));
	int r = oci_archive_unpack(path, w->dir, &e);
	if (r == 0)
		r = oci_layout_open(&w->layout, w->dir, false, &e);
	if (r == 0)
		r = oci_layout_find(w->layout, NULL, &d, &e);
	if (r == 0) {
		w->source = oci_layout_source(w->layout);
		r = oci_image_from_digest(&w->image, &w->source, &d.digest, "amd64", &e);
	}
	return r < 0 ? vector_fail(v, "image: %s", e.text) : 0;
}

static int compare_b64(
	struct vector *v, const json_t *o, const char *name, struct slice got, size_t layer)
{
	cleanup_with(buf_done) struct buf want = buf_init(0);

	if (!json_object_get(o, name))
		return 0;
	if (json_get_b64(o, name, &want, NULL) < 0 || !slice_eq(buf_slice(&want), got))
		return vector_fail(v, "layer %zu: %s differs", layer, name);
	return 0;
}

static int compare_key(
	struct vector *v, const json_t *want, const struct ocicrypt_key *key, size_t i)
{
	const json_t *priv = json_object_get(want, "privopts");
	const char *digest = json_string_value(json_object_get(priv, "digest"));
	struct slice secret = secret_slice(&key->secret);

	if (compare_b64(v, priv, "symkey", slice_cut(secret, 0, OCICRYPT_SYMKEY_SIZE), i) < 0 ||
		compare_b64(v, json_object_get(priv, "cipheroptions"), "nonce",
			slice_cut(secret, OCICRYPT_SYMKEY_SIZE, OCICRYPT_NONCE_SIZE), i) < 0)
		return -1;
	if (compare_b64(v, json_object_get(want, "pubopts"), "hmac",
		    slice_of(key->hmac, sizeof(key->hmac)), i) < 0)
		return -1;
	return !digest || streq(digest, key->plain_digest)
		       ? 0
		       : vector_fail(v, "layer %zu: digest differs", i);
}

/* A layer that is expected to open does, and gives what is expected; others do not. */
static int check_layer(struct vector *v, const struct work *w, const struct keys *k, size_t i)
{
	cleanup_with(ocicrypt_key_done) struct ocicrypt_key key = {0};
	const json_t *want = json_array_get(json_object_get(v->expected, "layers"), i);
	bool opens = json_object_get(want, "privopts") != NULL;
	enum oci_compression compression;
	bool encrypted;
	struct err e = {0};

	if (oci_layer_type(w->image.manifest.layers[i].media_type, &compression, &encrypted) < 0)
		return vector_fail(v, "layer %zu has an unknown type", i);
	if (encrypted != json_is_true(json_object_get(want, "encrypted")))
		return vector_fail(v, "layer %zu is encrypted or not, wrongly", i);
	if (!encrypted)
		return 0;
	int r = oci_layer_key(&w->image.manifest.layers[i], &k->fetcher, &key, &e);
	if ((r == 0) != opens)
		return vector_fail(v, "layer %zu: %s", i, r == 0 ? "its key opens" : e.text);
	return opens ? compare_key(v, want, &key, i) : 0;
}

static int unpack(struct work *w, const struct keys *k, struct err *reterr)
{
	struct unpack_options opt = {.no_owner = true};
	cleanup_fd int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || mkdirat(dir, "root", 0755) < 0)
		return -errno;
	cleanup_fd int root = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return oci_image_unpack(&w->image, &w->source, &k->fetcher, root, &opt, NULL, NULL, reterr);
}

/* What must have refused, by the first word of the reason. */
static int check_reason(struct vector *v, int r, const struct err *e)
{
	const char *reason = vector_str(v, "reason");
	static const struct {
		const char *starts;
		int code;
	} codes[] = {{"blob", -EBADMSG}, {"HMAC", -EKEYREJECTED}, {"JWE", -EKEYREJECTED},
		{"AES-GCM", -EKEYREJECTED}, {"private key", -EKEYREJECTED}, {"no key", -ENOKEY}};

	for (size_t i = 0; reason && i < ARRAY_COUNT(codes); i++) {
		/* Damage may be noticed by the decompressor before the end. */
		if (str_starts(reason, codes[i].starts) && r != codes[i].code &&
			!(str_starts(reason, "HMAC") && r == -EBADMSG))
			return vector_fail(v, "was refused with %d (%s): %s", r, e->text, reason);
	}
	return 0;
}

static int run_image(struct vector *v)
{
	cleanup_with(keys_done) struct keys k = {0};
	cleanup_with(work_done) struct work w = {0};
	struct err e = {0};

	if (load_keys(v, &k) < 0 || open_image(v, &w) < 0)
		return -1;
	if (w.image.manifest.layer_count != json_array_size(json_object_get(v->expected, "layers")))
		return vector_fail(v, "%zu layers", w.image.manifest.layer_count);
	for (size_t i = 0; i < w.image.manifest.layer_count; i++) {
		if (check_layer(v, &w, &k, i) < 0)
			return -1;
	}
	int r = unpack(&w, &k, &e);
	if ((r == 0) != vector_is_valid(v))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
	return r < 0 ? check_reason(v, r, &e) : 0;
}

static int run_packet(struct vector *v)
{
	cleanup_with(ocicrypt_packet_done) struct ocicrypt_packet p = {0};
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct err e = {0};

	if (vector_read(v, vector_file(v, "packet"), &text) < 0)
		return -1;
	return ocicrypt_packet_parse(&p, buf_slice(&text), &e) == 0
		       ? 0
		       : vector_fail(v, "packet: %s", e.text);
}

static int run_key_forms(struct vector *v)
{
	const json_t *files = json_object_get(json_object_get(v->expected, "files"), "key");

	for (size_t i = 0; i < json_array_size(files); i++) {
		cleanup_with(buf_done) struct buf bytes = buf_init(0);
		cleanup(pkey_free) struct pkey *key = NULL;
		struct cert *cert = NULL;
		const char *name = json_string_value(json_array_get(files, i));
		struct err e = {0};
		if (vector_read(v, name, &bytes) < 0)
			return -1;
		bool good = certs_from_pem(buf_slice(&bytes), &cert, 1, NULL) == 1
				    ? cert_key(cert, &key) == 0
				    : pkey_from_any(buf_slice(&bytes), &key, &e) == 0;
		cert_free(cert);
		if (!good)
			return vector_fail(v, "%s: %s", name, e.text);
		if (str_starts(name, "private") != pkey_is_private(key) &&
			!strstr(name, "RSA_private") && !strstr(name, "_key."))
			return vector_fail(v, "%s is private or not, wrongly", name);
	}
	return json_array_size(files) > 0 ? 0 : vector_fail(v, "no keys");
}

int vector_ocicrypt(struct vector *v)
{
	if (vector_file(v, "image_oci_layout_tar"))
		return run_image(v);
	return vector_file(v, "packet") ? run_packet(v) : run_key_forms(v);
}
