/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cca_token.h"

#include "base/str.h"

#define KEY_PLATFORM 44234
#define KEY_REALM 44241

static int claim_error(struct err *reterr, int64_t key, const char *what, const char *name)
{
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "claim %lld (%s) %s", (long long)key,
		name, what);
}

/* A string claim. With @size, exactly that many bytes. */
static int take_string(const struct cbor *map, int64_t key, const char *name, enum cbor_kind kind,
	size_t size, struct slice *ret, struct err *reterr)
{
	struct cbor c;

	if (cbor_find(map, key, &c) < 0)
		return claim_error(reterr, key, "is missing", name);
	if (c.kind != kind)
		return claim_error(reterr, key,
			kind == CBOR_TEXT ? "is not text" : "is not a byte string", name);
	if (c.bytes.size == 0 || (size && c.bytes.size != size))
		return claim_error(reterr, key, "does not have its size", name);
	*ret = c.bytes;
	return 0;
}

static int opt_text(const struct cbor *map, int64_t key, const char *name, struct slice *ret,
	struct err *reterr)
{
	struct cbor c;

	*ret = SLICE_EMPTY;
	return cbor_find(map, key, &c) < 0 ? 0
					   : take_string(map, key, name, CBOR_TEXT, 0, ret, reterr);
}

static bool is_hash_size(size_t size)
{
	return size == 32 || size == 48 || size == 64;
}

static int take_hash(const struct cbor *map, int64_t key, const char *name, struct slice *ret,
	struct err *reterr)
{
	int r = take_string(map, key, name, CBOR_BYTES, 0, ret, reterr);
	return r == 0 && !is_hash_size(ret->size) ? claim_error(reterr, key, "is not a hash", name)
						  : r;
}

/* tag:arm.com,YEAR:WORD#VERSION: other major versions may mean other things. */
static bool known_profile(struct slice profile, const char *word)
{
	char text[64], pattern[32];

	if (str_copy_slice(text, sizeof(text), profile) < 0 ||
		!str_starts(text, "tag:arm.com,20") || profile.size < 17)
		return false;
	snprintf(pattern, sizeof(pattern), ":%s#", word);
	const char *rest = text + 16;
	if (!str_starts(rest, pattern))
		return false;
	rest += strlen(pattern);
	return (*rest == '1' || *rest == '2') && rest[1] == '.';
}

static int open_map(struct slice in, struct cbor *ret, struct err *reterr)
{
	int r = cbor_parse(in, ret, reterr);
	return r == 0 && ret->kind != CBOR_MAP
		       ? err_set(reterr, -EBADMSG, "the claims are not a map")
		       : r;
}

static int take_token(const struct cbor *map, int64_t key, const char *name, bool cmw,
	uint64_t *ret_format, struct slice *ret, struct err *reterr)
{
	struct cbor c, format;

	if (cbor_find(map, key, &c) < 0)
		return claim_error(reterr, key, "is missing", name);
	if (cmw) {
		struct slice rest = c.bytes;
		if (c.kind != CBOR_ARRAY || c.number != 2 || cbor_next(&rest, &format) < 0 ||
			cbor_next(&rest, &c) < 0)
			return claim_error(
				reterr, key, "is not a content format and a token", name);
		if (format.kind != CBOR_UINT || format.number != CCA_CONTENT_FORMAT)
			return claim_error(reterr, key,
				"is not of content format 263 (application/eat+cwt)", name);
		*ret_format = format.number;
	}
	if (c.kind != CBOR_BYTES || c.bytes.size == 0)
		return claim_error(reterr, key, "is not a byte string", name);
	*ret = c.bytes;
	return 0;
}

int cca_collection_parse(struct slice in, struct cca_collection *ret, struct err *reterr)
{
	struct cca_collection t = {0};
	struct cbor c, map;

	if (in.size > CCA_TOKEN_MAX)
		return err_set(
			reterr, -E2BIG, "the CCA token has more than %zu bytes", CCA_TOKEN_MAX);
	int r = cbor_parse(in, &c, reterr);
	if (r < 0)
		return r;
	struct slice inside = c.bytes;
	if (c.kind != CBOR_TAG || (c.number != CCA_TAG_LEGACY && c.number != CCA_TAG_CMW) ||
		cbor_next(&inside, &map) < 0 || map.kind != CBOR_MAP)
		return err_set(reterr, -EBADMSG,
			"the CCA token is not a collection (a map with CBOR tag 399 or 907)");
	t.tag = c.number;
	bool cmw = t.tag == CCA_TAG_CMW;
	r = take_token(&map, KEY_PLATFORM, "platform token", cmw, &t.content_formats[0],
		&t.platform, reterr);
	if (r == 0)
		r = take_token(&map, KEY_REALM, "realm token", cmw, &t.content_formats[1], &t.realm,
			reterr);
	if (r == 0)
		*ret = t;
	return r;
}

static int take_component(const struct cbor *map, struct cca_component *c, struct err *reterr)
{
	if (map->kind != CBOR_MAP)
		return err_set(reterr, -EBADMSG, "a software component is not a map");
	int r = opt_text(map, 1, "component type", &c->type, reterr);
	if (r == 0)
		r = take_hash(map, 2, "component measurement", &c->measurement, reterr);
	if (r == 0)
		r = opt_text(map, 4, "component version", &c->version, reterr);
	if (r == 0)
		r = take_hash(map, 5, "component signer", &c->signer_id, reterr);
	if (r == 0)
		r = opt_text(map, 6, "component hash algorithm", &c->hash_alg, reterr);
	return r;
}

static int take_components(const struct cbor *map, struct cca_platform *p, struct err *reterr)
{
	struct cbor list, item;
	int r = 0;

	if (cbor_find(map, 2399, &list) < 0 || list.kind != CBOR_ARRAY || list.number == 0)
		return claim_error(reterr, 2399, "is not a list", "software components");
	if (list.number > CCA_COMPONENTS_MAX)
		return err_set(
			reterr, -E2BIG, "more than %d software components", CCA_COMPONENTS_MAX);
	for (struct slice rest = list.bytes; r == 0 && cbor_next(&rest, &item) == 0;)
		r = take_component(&item, &p->components[p->component_count++], reterr);
	return r;
}

int cca_platform_parse(struct slice in, struct cca_platform *ret, struct err *reterr)
{
	struct cca_platform p = {0};
	struct cbor map, lifecycle = {0};

	int r = open_map(in, &map, reterr);
	if (r == 0)
		r = take_string(&map, 265, "profile", CBOR_TEXT, 0, &p.profile, reterr);
	if (r == 0 && !slice_eq_str(p.profile, "http://arm.com/CCA-SSD/1.0.0") &&
		!known_profile(p.profile, "cca_platform"))
		r = claim_error(reterr, 265, "is not a profile of CCA platforms", "profile");
	if (r == 0)
		r = take_hash(&map, 10, "challenge", &p.challenge, reterr);
	if (r == 0)
		r = take_string(&map, 2396, "implementation id", CBOR_BYTES,
			CCA_IMPLEMENTATION_ID_SIZE, &p.implementation_id, reterr);
	if (r == 0)
		r = take_string(&map, 256, "instance id", CBOR_BYTES, CCA_INSTANCE_ID_SIZE,
			&p.instance_id, reterr);
	if (r == 0 && p.instance_id.data[0] != 1)
		r = claim_error(reterr, 256, "is not a random UEID (01...)", "instance id");
	if (r == 0)
		r = take_string(&map, 2401, "config", CBOR_BYTES, 0, &p.config, reterr);
	if (r == 0 && (cbor_find(&map, 2395, &lifecycle) < 0 || lifecycle.kind != CBOR_UINT ||
			      lifecycle.number > UINT16_MAX))
		r = claim_error(reterr, 2395, "is not a number of 16 bits", "lifecycle");
	if (r == 0)
		r = take_string(&map, 2402, "hash algorithm", CBOR_TEXT, 0, &p.hash_alg, reterr);
	if (r == 0)
		r = opt_text(&map, 2400, "service indicator", &p.service_indicator, reterr);
	if (r == 0)
		r = take_components(&map, &p, reterr);
	if (r < 0)
		return r;
	p.lifecycle = lifecycle.number;
	*ret = p;
	return 0;
}

static int take_extensible(const struct cbor *map, struct cca_realm *realm, struct err *reterr)
{
	struct cbor list, item;
	size_t count = 0;

	if (cbor_find(map, 44239, &list) < 0 || list.kind != CBOR_ARRAY ||
		list.number != CCA_EXTENSIBLE_COUNT)
		return claim_error(
			reterr, 44239, "is not a list of four", "extensible measurements");
	for (struct slice rest = list.bytes; cbor_next(&rest, &item) == 0;) {
		if (item.kind != CBOR_BYTES || !is_hash_size(item.bytes.size))
			return claim_error(
				reterr, 44239, "holds no hashes", "extensible measurements");
		realm->extensible[count++] = item.bytes;
	}
	return 0;
}

int cca_realm_parse(struct slice in, struct cca_realm *ret, struct err *reterr)
{
	struct cca_realm t = {0};
	struct cbor map;

	int r = open_map(in, &map, reterr);
	if (r == 0)
		r = opt_text(&map, 265, "profile", &t.profile, reterr);
	if (r == 0 && t.profile.size > 0 && !known_profile(t.profile, "realm"))
		r = claim_error(reterr, 265, "is not a profile of realms", "profile");
	if (r == 0)
		r = take_string(&map, 10, "challenge", CBOR_BYTES, CCA_CHALLENGE_SIZE, &t.challenge,
			reterr);
	if (r == 0)
		r = take_string(&map, 44235, "personalization value", CBOR_BYTES,
			CCA_PERSONALIZATION_SIZE, &t.personalization, reterr);
	if (r == 0)
		r = take_string(&map, 44236, "hash algorithm", CBOR_TEXT, 0, &t.hash_alg, reterr);
	if (r == 0)
		r = take_string(&map, 44237, "public key", CBOR_BYTES, 0, &t.public_key, reterr);
	if (r == 0)
		r = take_string(&map, 44240, "hash algorithm of the public key", CBOR_TEXT, 0,
			&t.public_key_hash_alg, reterr);
	if (r == 0)
		r = take_hash(&map, 44238, "initial measurement", &t.initial_measurement, reterr);
	if (r == 0)
		r = take_extensible(&map, &t, reterr);
	if (r == 0)
		*ret = t;
	return r;
}
