/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concise Reference Integrity Manifests (draft-ietf-rats-corim): reference triples of CoMIDs. Names are
 * Trustee's: vendor/model/key/name/serial and then /digests (list of hex) or /raw_bytes (hex).
 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/cose.h"
#include "fmt/cbor.h"
#include "trustee/rvps/extract-internal.h"

#define TAG_TIME 1
#define TAG_UUID 37
#define TAG_CORIM_OUTER 500
#define TAG_CORIM_MAP 501
#define TAG_CORIM_SIGNED 502
#define TAG_COMID 506
#define TAG_RAW 560
#define TAG_SIGN1 18
#define HEADER_META 8
#define NAME_MAX_SIZE 257

enum { CORIM_TAGS = 1, CORIM_VALIDITY = 4 };
enum { COMID_TRIPLES = 4, TRIPLES_REFERENCE = 0 };
enum { ENV_CLASS = 0, CLASS_VENDOR = 1, CLASS_MODEL = 2 };
enum { MEASUREMENT_KEY = 0, MEASUREMENT_VALUES = 1 };
enum { MVAL_DIGESTS = 2, MVAL_RAW = 4, MVAL_SERIAL = 8, MVAL_NAME = 11 };

static int malformed(struct err *reterr, const char *what)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, what, "CoRIM: malformed %s", what);
}

static int add_part(char name[NAME_MAX_SIZE], struct slice part, struct err *reterr)
{
	size_t n = strlen(name), need = part.size + (n > 0);

	if (n + need >= NAME_MAX_SIZE || memchr(part.data, 0, part.size))
		return err_set(reterr, -E2BIG, "CoRIM: a name is longer than 256 bytes");
	if (n > 0)
		name[n++] = '/';
	memcpy(name + n, part.data, part.size);
	name[n + part.size] = '\0';
	return 0;
}

/* Adds text member @key of @map, if it is there and text. */
static int add_text(
	char name[NAME_MAX_SIZE], const struct cbor *map, int64_t key, struct err *reterr)
{
	struct cbor v;

	if (cbor_find(map, key, &v) < 0 || v.kind != CBOR_TEXT || v.bytes.size == 0)
		return 0;
	return add_part(name, v.bytes, reterr);
}

/* Which measurement: text, a number, or a UUID; other kinds add nothing. */
static int add_key(char name[NAME_MAX_SIZE], const struct cbor *measurement, struct err *reterr)
{
	char text[48], hex[33];
	struct cbor v, in;
	struct slice rest;

	if (cbor_find(measurement, MEASUREMENT_KEY, &v) < 0)
		return 0;
	if (v.kind == CBOR_TEXT)
		return add_part(name, v.bytes, reterr);
	if (v.kind == CBOR_UINT) {
		snprintf(text, sizeof(text), "claim%" PRIu64, v.number);
		return add_part(name, slice_str(text), reterr);
	}
	rest = v.bytes;
	if (v.kind != CBOR_TAG || v.number != TAG_UUID || cbor_next(&rest, &in) < 0)
		return 0;
	if (in.kind != CBOR_BYTES || in.bytes.size != 16)
		return malformed(reterr, "UUID");
	hex_str(in.bytes, hex, sizeof(hex));
	snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
	return add_part(name, slice_str(text), reterr);
}

static int take_digests(
	const char *base, const struct cbor *digests, struct manifest *m, struct err *reterr)
{
	char name[NAME_MAX_SIZE];
	struct slice rest = digests->bytes;
	struct cbor pair, alg, value;
	json_t *list = json_array();
	int r = digests->kind == CBOR_ARRAY && digests->number > 0 ? 0
								   : malformed(reterr, "digests");

	while (r == 0 && cbor_next(&rest, &pair) == 0) {
		cleanup_with(buf_done) struct buf hex = buf_init(1024);
		struct slice inside = pair.bytes;

		if (pair.kind != CBOR_ARRAY || pair.number != 2 || cbor_next(&inside, &alg) < 0 ||
			cbor_next(&inside, &value) < 0 || value.kind != CBOR_BYTES ||
			value.bytes.size == 0) {
			r = malformed(reterr, "digest");
			break;
		}
		hex_encode(&hex, value.bytes);
		json_array_append_new(list, json_string(buf_str(&hex)));
	}
	(void)!str_copy(name, sizeof(name), base);
	if (r == 0)
		r = add_part(name, SLICE_LIT("digests"), reterr);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return manifest_add(m, name, list, reterr);
}

static int take_raw(
	const char *base, const struct cbor *raw, struct manifest *m, struct err *reterr)
{
	cleanup_with(buf_done) struct buf hex = buf_init(1 << 17);
	char name[NAME_MAX_SIZE];
	struct slice rest = raw->bytes;
	struct cbor in;
	int r;

	/* Other kinds of raw values mean something else than bytes. */
	if (raw->kind != CBOR_TAG || raw->number != TAG_RAW)
		return 0;
	if (cbor_next(&rest, &in) < 0 || in.kind != CBOR_BYTES)
		return malformed(reterr, "raw value");
	hex_encode(&hex, in.bytes);
	(void)!str_copy(name, sizeof(name), base);
	r = add_part(name, SLICE_LIT("raw_bytes"), reterr);
	return r < 0 ? r : manifest_add(m, name, json_string(buf_str(&hex)), reterr);
}

static int take_measurement(
	const char *environment, const struct cbor *c, struct manifest *m, struct err *reterr)
{
	char name[NAME_MAX_SIZE];
	struct cbor values, v;
	int r;

	if (c->kind != CBOR_MAP || cbor_find(c, MEASUREMENT_VALUES, &values) < 0 ||
		values.kind != CBOR_MAP)
		return malformed(reterr, "measurement");
	(void)!str_copy(name, sizeof(name), environment);
	r = add_key(name, c, reterr);
	if (r == 0)
		r = add_text(name, &values, MVAL_NAME, reterr);
	if (r == 0)
		r = add_text(name, &values, MVAL_SERIAL, reterr);
	if (r == 0 && cbor_find(&values, MVAL_DIGESTS, &v) == 0)
		r = take_digests(name, &v, m, reterr);
	if (r == 0 && cbor_find(&values, MVAL_RAW, &v) == 0)
		r = take_raw(name, &v, m, reterr);
	return r;
}

/* [environment, [measurement...]] */
static int take_triple(const struct cbor *triple, struct manifest *m, struct err *reterr)
{
	struct slice rest = triple->bytes, inside;
	struct cbor environment, claims, class, claim;
	char name[NAME_MAX_SIZE] = "";
	int r = 0;

	if (triple->kind != CBOR_ARRAY || triple->number != 2 ||
		cbor_next(&rest, &environment) < 0 || cbor_next(&rest, &claims) < 0 ||
		environment.kind != CBOR_MAP || claims.kind != CBOR_ARRAY)
		return malformed(reterr, "reference triple");
	if (cbor_find(&environment, ENV_CLASS, &class) == 0) {
		r = add_text(name, &class, CLASS_VENDOR, reterr);
		if (r == 0)
			r = add_text(name, &class, CLASS_MODEL, reterr);
	}
	inside = claims.bytes;
	while (r == 0 && cbor_next(&inside, &claim) == 0)
		r = take_measurement(name, &claim, m, reterr);
	return r;
}

static int take_comid(struct slice bytes, struct manifest *m, struct err *reterr)
{
	struct cbor comid, triples, reference, triple;
	struct slice rest;
	int r = cbor_parse(bytes, &comid, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "CoMID");
	if (comid.kind != CBOR_MAP || cbor_find(&comid, COMID_TRIPLES, &triples) < 0)
		return malformed(reterr, "CoMID");
	if (cbor_find(&triples, TRIPLES_REFERENCE, &reference) < 0)
		return 0;
	if (reference.kind != CBOR_ARRAY)
		return malformed(reterr, "reference triples");
	rest = reference.bytes;
	while (r == 0 && cbor_next(&rest, &triple) == 0)
		r = take_triple(&triple, m, reterr);
	return r;
}

/* Seconds since the epoch, tagged or not. */
static int read_time(const struct cbor *map, int64_t key, int64_t *ret, struct err *reterr)
{
	struct cbor v, in;
	struct slice rest;

	if (cbor_find(map, key, &v) < 0)
		return 0;
	if (v.kind == CBOR_TAG && v.number == TAG_TIME) {
		rest = v.bytes;
		if (cbor_next(&rest, &in) < 0)
			return malformed(reterr, "time");
		v = in;
	}
	if (v.kind == CBOR_TEXT)
		return rfc3339_parse(v.bytes, ret) < 0 ? malformed(reterr, "time") : 0;
	return cbor_int(&v, ret) < 0 || *ret <= 0 ? malformed(reterr, "time") : 0;
}

/* {0: not-before?, 1: not-after}: the narrower of those that are stated counts. */
static int take_validity(const struct cbor *v, struct manifest *m, struct err *reterr)
{
	int64_t from = 0, until = 0;
	int r = v->kind == CBOR_MAP ? read_time(v, 0, &from, reterr)
				    : malformed(reterr, "validity");

	if (r == 0)
		r = read_time(v, 1, &until, reterr);
	if (r < 0)
		return r;
	m->from = MAX(m->from, from);
	if (until && (!m->until || until < m->until))
		m->until = until;
	return 0;
}

static int take_tags(const struct cbor *tags, struct manifest *m, struct err *reterr)
{
	struct slice rest = tags->bytes;
	struct cbor tag, in;
	int r = tags->kind == CBOR_ARRAY ? 0 : malformed(reterr, "tags");

	while (r == 0 && cbor_next(&rest, &tag) == 0) {
		struct slice inside = tag.bytes;

		/* Software tags and lists of others hold no reference values. */
		if (tag.kind != CBOR_TAG || tag.number != TAG_COMID)
			continue;
		if (cbor_next(&inside, &in) < 0)
			r = malformed(reterr, "tag");
		else
			r = take_comid(in.kind == CBOR_BYTES ? in.bytes : in.raw, m, reterr);
	}
	return r;
}

static int take_map(struct slice bytes, struct manifest *m, struct err *reterr)
{
	struct cbor corim, v;
	int r = cbor_parse(bytes, &corim, reterr);

	if (r == 0 && corim.kind == CBOR_TAG && corim.number == TAG_CORIM_MAP) {
		struct slice rest = corim.bytes;
		struct cbor in;

		r = cbor_next(&rest, &in);
		corim = in;
	}
	if (r < 0)
		return err_wrap(reterr, r, "CoRIM");
	if (corim.kind != CBOR_MAP || cbor_find(&corim, CORIM_TAGS, &v) < 0)
		return malformed(reterr, "manifest");
	r = take_tags(&v, m, reterr);
	if (r == 0 && cbor_find(&corim, CORIM_VALIDITY, &v) == 0)
		r = take_validity(&v, m, reterr);
	return r;
}

/* corim-meta of the protected header: {0: {0: name...}, 1: validity?} */
static int take_meta(struct slice header, struct manifest *m, struct err *reterr)
{
	struct cbor map, meta, inside, signer, name, validity;

	if (cbor_parse(header, &map, NULL) < 0 || cbor_find(&map, HEADER_META, &meta) < 0)
		return 0;
	if (meta.kind != CBOR_BYTES || cbor_parse(meta.bytes, &inside, NULL) < 0)
		return malformed(reterr, "corim-meta");
	if (cbor_find(&inside, 0, &signer) == 0 && cbor_find(&signer, 0, &name) == 0 &&
		name.kind == CBOR_TEXT)
		(void)!str_copy_slice(m->signer, sizeof(m->signer), name.bytes);
	return cbor_find(&inside, 1, &validity) == 0 ? take_validity(&validity, m, reterr) : 0;
}

static int take_signed(struct slice bytes, struct manifest *m, struct err *reterr)
{
	struct cose c;
	int r = cose_parse(bytes, &c, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "signed CoRIM");
	if (!c.is_sign1 || c.detached)
		return err_set(reterr, -EOPNOTSUPP,
			"a signed CoRIM is a COSE_Sign1 with its payload inside");
	r = -EKEYREJECTED;
	for (size_t i = 0; r < 0 && m->anchors && i < m->anchors->key_count; i++)
		r = cose_verify(&c, 0, m->anchors->keys[i], SLICE_EMPTY, NULL);
	if (r < 0)
		return err_set(reterr, -EKEYREJECTED,
			"the signature of the CoRIM is by none of the trusted keys");
	(void)!str_copy(m->signer, sizeof(m->signer), "a trusted key");
	r = take_meta(c.signers[0].protected_header, m, reterr);
	return r < 0 ? r : take_map(c.payload, m, reterr);
}

int extract_corim(struct slice payload, struct manifest *m, struct err *reterr)
{
	struct slice at = payload, rest;
	struct cbor item, in;
	int r = cbor_parse(payload, &item, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "CoRIM");
	/* Some tools wrap once or twice. */
	while (item.kind == CBOR_TAG &&
		(item.number == TAG_CORIM_OUTER || item.number == TAG_CORIM_SIGNED)) {
		rest = item.bytes;
		if (cbor_next(&rest, &in) < 0)
			return malformed(reterr, "tag");
		at = in.raw;
		item = in;
	}
	if ((item.kind == CBOR_TAG && item.number == TAG_SIGN1) || item.kind == CBOR_ARRAY)
		return take_signed(at, m, reterr);
	return take_map(at, m, reterr);
}
