/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include <sys/utsname.h>

#include "base/str.h"
#include "fmt/json.h"

int oci_json_parse(json_t **ret, struct slice json, const char *what, struct err *reterr)
{
	int r = json_parse(json, OCI_DOCUMENT_MAX, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s", what) : 0;
}

static int bad(const char *what, const char *field, struct err *reterr)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, field, "%s: bad or missing %s", what, field);
}

static int get_text(
	json_t *o, const char *name, char *dst, size_t size, const char *what, struct err *reterr)
{
	json_t *v = json_object_get(o, name);

	if (!json_is_string(v) || json_string_length(v) != strlen(json_string_value(v)) ||
		str_copy(dst, size, json_string_value(v)) < 0)
		return bad(what, name, reterr);
	return 0;
}

static int check_schema(json_t *doc, const char *what, struct err *reterr)
{
	json_t *v = json_object_get(doc, "schemaVersion");

	if (!json_is_object(doc))
		return err_set(reterr, -EBADMSG, "%s: not an object", what);
	if (!json_is_integer(v) || json_integer_value(v) != 2)
		return err_set(reterr, -EOPNOTSUPP, "%s: only schemaVersion 2 is supported", what);
	return 0;
}

static int check_annotations(json_t *a, const char *what, struct err *reterr)
{
	const char *name;
	json_t *v;

	if (a && !json_is_object(a))
		return bad(what, "annotations", reterr);
	json_object_foreach (a, name, v)
		if (!json_is_string(v))
			return bad(what, "annotations", reterr);
	return 0;
}

static int parse_descriptor(
	struct oci_descriptor *ret, json_t *o, const char *what, struct err *reterr)
{
	struct oci_descriptor d = {0};

	if (!json_is_object(o))
		return bad(what, "descriptor", reterr);
	int r = get_text(o, "mediaType", d.media_type, sizeof(d.media_type), what, reterr);
	if (r < 0)
		return r;
	json_t *digest = json_object_get(o, "digest"), *size = json_object_get(o, "size");
	if (!json_is_string(digest) ||
		oci_digest_parse(&d.digest,
			slice_of(json_string_value(digest), json_string_length(digest))) < 0)
		return bad(what, "digest", reterr);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return bad(what, "size", reterr);
	d.size = (uint64_t)json_integer_value(size);
	if (d.size > OCI_BLOB_MAX)
		return err_set(reterr, -E2BIG, "%s: a blob of %llu bytes is over the limit", what,
			(unsigned long long)d.size);
	d.annotations = json_object_get(o, "annotations");
	r = check_annotations(d.annotations, what, reterr);
	if (r == 0)
		*ret = d;
	return r;
}

const char *oci_descriptor_annotation(const struct oci_descriptor *d, const char *name)
{
	return json_string_value(json_object_get(d->annotations, name));
}

int oci_layer_type(
	const char *media_type, enum oci_compression *ret_compression, bool *ret_encrypted)
{
	static const char *const bases[] = {
		OCI_TYPE_LAYER,
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		OCI_TYPE_DOCKER_LAYER,
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
	};
	static const struct {
		const char *suffix;
		enum oci_compression compression;
	} kinds[] = {
		{"", OCI_COMPRESSION_NONE},
		{"+gzip", OCI_COMPRESSION_GZIP},
		{".gzip", OCI_COMPRESSION_GZIP},
		{"+zstd", OCI_COMPRESSION_ZSTD},
		{".zstd", OCI_COMPRESSION_ZSTD},
	};
	static const char encrypted[] = "+encrypted";
	struct slice type = slice_str(media_type);
	bool is_encrypted = str_ends(media_type, encrypted);

	if (is_encrypted)
		type.size -= sizeof(encrypted) - 1;
	for (size_t i = 0; i < ARRAY_COUNT(bases); i++) {
		struct slice base = slice_str(bases[i]);
		if (!slice_starts(type, base))
			continue;
		for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
			if (!slice_eq_str(slice_cut(type, base.size, SIZE_MAX), kinds[k].suffix))
				continue;
			*ret_compression = kinds[k].compression;
			*ret_encrypted = is_encrypted;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

static int parse_layers(struct oci_manifest *m, json_t *layers, struct err *reterr)
{
	size_t count = json_array_size(layers);

	if (!json_is_array(layers))
		return bad("manifest", "layers", reterr);
	if (count > OCI_LAYER_COUNT_MAX)
		return err_set(reterr, -E2BIG, "manifest: %zu layers are over the limit of %u",
			count, OCI_LAYER_COUNT_MAX);
	m->layers = calloc(count ? count : 1, sizeof(*m->layers));
	if (!m->layers)
		return err_set(reterr, -ENOMEM, "manifest: out of memory");
	for (size_t i = 0; i < count; i++) {
		int r = parse_descriptor(
			&m->layers[i], json_array_get(layers, i), "manifest: layer", reterr);
		if (r < 0)
			return r;
		m->layer_count++;
	}
	return 0;
}

/*
 * A document that carries members of both kinds could be taken for either, so that a signature over
 * one image would speak for another one.
 */
static int refuse_both_kinds(json_t *doc, const char *other, const char *what, struct err *reterr)
{
	if (json_object_get(doc, other))
		return err_set(reterr, -EBADMSG, "%s: has a member '%s'", what, other);
	return 0;
}

static int parse_manifest(struct oci_manifest *m, struct err *reterr)
{
	json_t *type = json_object_get(m->doc, "mediaType");

	int r = check_schema(m->doc, "manifest", reterr);
	if (r == 0)
		r = refuse_both_kinds(m->doc, "manifests", "manifest", reterr);
	if (r < 0)
		return r;
	if (str_copy(m->media_type, sizeof(m->media_type), OCI_TYPE_MANIFEST) < 0)
		return -E2BIG;
	if (type)
		r = get_text(m->doc, "mediaType", m->media_type, sizeof(m->media_type), "manifest",
			reterr);
	if (r < 0)
		return r;
	if (!streq(m->media_type, OCI_TYPE_MANIFEST) &&
		!streq(m->media_type, OCI_TYPE_DOCKER_MANIFEST))
		return err_set(
			reterr, -EOPNOTSUPP, "manifest: unsupported type '%s'", m->media_type);
	r = parse_descriptor(
		&m->config, json_object_get(m->doc, "config"), "manifest: config", reterr);
	if (r == 0)
		r = check_annotations(json_object_get(m->doc, "annotations"), "manifest", reterr);
	return r < 0 ? r : parse_layers(m, json_object_get(m->doc, "layers"), reterr);
}

int oci_manifest_parse(struct oci_manifest *ret, struct slice json, struct err *reterr)
{
	struct oci_manifest m = {0};

	int r = oci_json_parse(&m.doc, json, "manifest", reterr);
	if (r == 0)
		r = parse_manifest(&m, reterr);
	if (r < 0)
		oci_manifest_done(&m);
	else
		*ret = m;
	return r;
}

void oci_manifest_done(struct oci_manifest *m)
{
	json_decref(m->doc);
	free(m->layers);
	*m = (struct oci_manifest){0};
}

static const char *text_or_empty(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static int parse_index(struct oci_index *i, struct err *reterr)
{
	json_t *manifests = json_object_get(i->doc, "manifests");
	size_t count = json_array_size(manifests);

	int r = check_schema(i->doc, "index", reterr);
	if (r == 0)
		r = refuse_both_kinds(i->doc, "layers", "index", reterr);
	if (r == 0)
		r = refuse_both_kinds(i->doc, "config", "index", reterr);
	if (r < 0)
		return r;
	if (!json_is_array(manifests))
		return bad("index", "manifests", reterr);
	if (count > OCI_INDEX_COUNT_MAX)
		return err_set(reterr, -E2BIG, "index: %zu entries are over the limit of %u", count,
			OCI_INDEX_COUNT_MAX);
	i->entries = calloc(count ? count : 1, sizeof(*i->entries));
	if (!i->entries)
		return err_set(reterr, -ENOMEM, "index: out of memory");
	for (size_t k = 0; k < count; k++) {
		json_t *o = json_array_get(manifests, k), *p = json_object_get(o, "platform");
		struct oci_index_entry *e = &i->entries[k];
		r = parse_descriptor(&e->descriptor, o, "index", reterr);
		if (r < 0)
			return r;
		e->os = text_or_empty(p, "os");
		e->architecture = text_or_empty(p, "architecture");
		e->variant = text_or_empty(p, "variant");
		i->entry_count++;
	}
	return 0;
}

int oci_index_parse(struct oci_index *ret, struct slice json, struct err *reterr)
{
	struct oci_index i = {0};

	int r = oci_json_parse(&i.doc, json, "index", reterr);
	if (r == 0)
		r = parse_index(&i, reterr);
	if (r < 0)
		oci_index_done(&i);
	else
		*ret = i;
	return r;
}

void oci_index_done(struct oci_index *i)
{
	json_decref(i->doc);
	free(i->entries);
	*i = (struct oci_index){0};
}

const struct oci_index_entry *oci_index_pick(
	const struct oci_index *i, const char *os, const char *architecture)
{
	for (size_t k = 0; k < i->entry_count; k++)
		if (streq(i->entries[k].os, os) && streq(i->entries[k].architecture, architecture))
			return &i->entries[k];
	return NULL;
}

int oci_is_index(struct slice json, bool *ret, struct err *reterr)
{
	json_t *doc;

	int r = oci_json_parse(&doc, json, "manifest", reterr);
	if (r < 0)
		return r;
	*ret = json_object_get(doc, "manifests") != NULL;
	json_decref(doc);
	return 0;
}

static int parse_diff_ids(struct oci_config *c, struct err *reterr)
{
	json_t *rootfs = json_object_get(c->doc, "rootfs");
	json_t *ids = json_object_get(rootfs, "diff_ids");
	size_t count = json_array_size(ids);

	if (!streq(text_or_empty(rootfs, "type"), "layers") || !json_is_array(ids))
		return bad("image config", "rootfs", reterr);
	if (count > OCI_LAYER_COUNT_MAX)
		return err_set(
			reterr, -E2BIG, "image config: %zu layers are over the limit", count);
	c->diff_ids = calloc(count ? count : 1, sizeof(*c->diff_ids));
	if (!c->diff_ids)
		return err_set(reterr, -ENOMEM, "image config: out of memory");
	for (size_t i = 0; i < count; i++) {
		json_t *v = json_array_get(ids, i);
		struct slice text = json_is_string(v)
					    ? slice_of(json_string_value(v), json_string_length(v))
					    : SLICE_EMPTY;
		if (oci_digest_parse(&c->diff_ids[i], text) < 0)
			return bad("image config", "diff_ids", reterr);
	}
	c->diff_id_count = count;
	return 0;
}

int oci_config_parse(struct oci_config *ret, struct slice json, struct err *reterr)
{
	struct oci_config c = {0};

	int r = oci_json_parse(&c.doc, json, "image config", reterr);
	if (r == 0 && !json_is_object(c.doc))
		r = bad("image config", "object", reterr);
	if (r == 0) {
		c.os = text_or_empty(c.doc, "os");
		c.architecture = text_or_empty(c.doc, "architecture");
		r = parse_diff_ids(&c, reterr);
	}
	if (r < 0)
		oci_config_done(&c);
	else
		*ret = c;
	return r;
}

void oci_config_done(struct oci_config *c)
{
	json_decref(c->doc);
	free(c->diff_ids);
	*c = (struct oci_config){0};
}

const char *oci_host_architecture(void)
{
	static const struct {
		const char *machine, *architecture;
	} names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"s390x", "s390x"},
		{"ppc64le", "ppc64le"}, {"riscv64", "riscv64"}};
	struct utsname u;

	if (uname(&u) == 0)
		for (size_t i = 0; i < ARRAY_COUNT(names); i++)
			if (streq(u.machine, names[i].machine))
				return names[i].architecture;
	return "unknown";
}
