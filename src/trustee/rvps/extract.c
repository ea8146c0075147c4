/* SPDX-License-Identifier: Apache-2.0 */
/* Registration messages: which extractor, how long the values live, where they come from. */
#include "trustee/rvps/extract.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/json.h"
#include "trustee/rvps/extract-internal.h"

#define LIFE_MONTHS 12

int rvps_anchors_add(struct rvps_anchors *a, struct slice pem, struct err *reterr)
{
	struct cert *certs[RVPS_ANCHORS_MAX] = {NULL};
	int count = memmem(pem.data, pem.size, "BEGIN CERTIFICATE", 17)
			    ? certs_from_pem(pem, certs, ARRAY_COUNT(certs), reterr)
			    : 0;
	int r = MIN(count, 0);

	if (r == 0 && a->key_count + (size_t)MAX(count, 1) > RVPS_ANCHORS_MAX)
		r = err_set(reterr, -E2BIG, "more than %d trusted keys", RVPS_ANCHORS_MAX);
	if (r == 0 && count == 0) {
		r = pkey_from_pem(pem, &a->keys[a->key_count], reterr);
		a->key_count += r == 0;
	}
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = cert_key(certs[i], &a->keys[a->key_count]);
		if (r == 0) {
			a->key_count++;
			a->certs[a->cert_count++] = steal_ptr(certs[i]);
		}
		cert_free(certs[i]);
	}
	return r;
}

void rvps_anchors_done(struct rvps_anchors *a)
{
	for (size_t i = 0; i < a->key_count; i++)
		pkey_free(a->keys[i]);
	for (size_t i = 0; i < a->cert_count; i++)
		cert_free(a->certs[i]);
	*a = (struct rvps_anchors){0};
}

int manifest_add(struct manifest *m, const char *name, json_t *value, struct err *reterr)
{
	json_t *have = json_object_get(m->values, name);
	int r = 0;

	if (!*name || strlen(name) > 256 || !utf8_valid(slice_str(name)))
		r = err_set(reterr, -EBADMSG,
			"a reference value's name must have 1 to 256 bytes of UTF-8");
	else if (json_object_size(m->values) >= RVPS_NAMES_MAX)
		r = err_set(reterr, -E2BIG, "more than %d reference values in one message",
			RVPS_NAMES_MAX);
	else if (json_is_array(have) && json_is_array(value))
		r = json_array_extend(have, value) < 0 ? -ENOMEM : 0;
	else
		r = json_object_set(m->values, name, value) < 0 ? -ENOMEM : 0;
	json_decref(value);
	return r;
}

/* The same day a year later; 29 February becomes 28 February. */
static int64_t default_expiration(int64_t now)
{
	struct tm tm;
	time_t t = (time_t)now;

	gmtime_r(&t, &tm);
	tm.tm_year += LIFE_MONTHS / 12;
	if (tm.tm_mon == 1 && tm.tm_mday == 29)
		tm.tm_mday = 28;
	return timegm(&tm);
}

static int expiration_of(const json_t *message, int64_t now, int64_t *ret, struct err *reterr)
{
	const json_t *v = json_object_get(message, "expiration");

	*ret = default_expiration(now);
	if (!v)
		return 0;
	if (!json_is_string(v) || rfc3339_parse(slice_str(json_string_value(v)), ret) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "expiration",
			"expiration must be a time such as 2030-01-01T00:00:00Z");
	if (*ret <= now)
		return err_at(reterr, -ESTALE, ERR_NO_OFFSET, "expiration",
			"expiration lies in the past");
	return 0;
}

static int extract_sample(struct slice payload, struct manifest *m, struct err *reterr)
{
	cleanup(json_decref) json_t *map =
		json_loadb((const char *)payload.data, payload.size, JSON_REJECT_DUPLICATES, NULL);
	const char *name;
	json_t *value;
	int r = 0;

	if (!json_is_object(map))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "payload",
			"payload must hold a JSON object of names and values");
	json_object_foreach (map, name, value) {
		if (r == 0)
			r = manifest_add(m, name, json_incref(value), reterr);
	}
	return r;
}

/* The names of "promote" and "withdraw" become changes. */
static int read_actions(const char *action, struct slice payload, json_t **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *names =
		json_loadb((const char *)payload.data, payload.size, JSON_REJECT_DUPLICATES, NULL);
	json_t *list = json_array();
	const json_t *item;
	size_t i;
	int r = json_array_size(names) > 0 && json_array_size(names) <= RVPS_NAMES_MAX
			? 0
			: err_set(reterr, -EBADMSG, "payload must hold a JSON list of names");

	json_array_foreach (names, i, item) {
		if (r == 0 && !json_is_string(item))
			r = err_set(reterr, -EBADMSG, "payload must hold a JSON list of names");
		if (r == 0)
			json_array_append_new(
				list, json_pack("{s:s, s:O}", "action", action, "name", item));
	}
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}

static const struct {
	const char *type;
	int (*extract)(struct slice payload, struct manifest *m, struct err *reterr);
} g_extractors[] = {
	{"sample", extract_sample},
	{"corim", extract_corim},
	{"swid", extract_swid},
	{"in-toto", extract_in_toto},
};

static int run_extractor(
	const char *type, struct slice payload, struct manifest *m, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_extractors); i++) {
		if (streq(g_extractors[i].type, type))
			return g_extractors[i].extract(payload, m, reterr);
	}
	return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "type",
		"type must be sample, corim, swid, in-toto, promote or withdraw");
}

/* A manifest's own dates: it may say less than the message, never more. */
static int check_validity(struct manifest *m, int64_t *expiration, struct err *reterr)
{
	if (m->from > m->now)
		return err_set(reterr, -ESTALE, "the manifest is not valid yet");
	if (m->until && m->until <= m->now)
		return err_set(reterr, -ESTALE, "the manifest has expired");
	if (m->until)
		*expiration = MIN(*expiration, m->until);
	return 0;
}

static int make_records(const struct manifest *m, const json_t *message, const char *type,
	struct slice payload, int64_t expiration, json_t **ret, struct err *reterr)
{
	char when[RFC3339_SIZE], hex[2 * HASH_SIZE_MAX + 1];
	bool staged = json_is_true(json_object_get(message, "stage"));
	json_t *list = json_array(), *provenance;
	struct digest digest;
	const char *name;
	json_t *value;

	if (hash_once(HASH_SHA256, payload, &digest) < 0)
		return -EIO;
	provenance = json_pack("{s:s, s:s, s:s}", "type", type, "sha256",
		hex_str(digest_slice(&digest), hex, sizeof(hex)), "signer", m->signer);
	rfc3339_format(expiration, when);
	json_object_foreach (m->values, name, value) {
		json_t *record = json_pack("{s:s, s:s, s:s, s:O, s:O}", "version", RVPS_VERSION,
			"name", name, "expiration", when, "value", value, "provenance", provenance);

		if (staged)
			json_object_set_new(record, "stage", json_true());
		json_array_append_new(list, record);
	}
	json_decref(provenance);
	if (json_array_size(list) != json_object_size(m->values)) {
		json_decref(list);
		return -ENOMEM;
	}
	*ret = list;
	return 0;
}

static int extract(const json_t *message, const char *type, struct slice payload,
	const struct rvps_anchors *anchors, int64_t now, json_t **ret, struct err *reterr)
{
	struct manifest m = {.anchors = anchors, .now = now, .values = json_object()};
	int64_t expiration;
	int r = expiration_of(message, now, &expiration, reterr);

	if (r == 0)
		r = run_extractor(type, payload, &m, reterr);
	/* An empty sample changes nothing, as it always did; an empty manifest is a mistake. */
	if (r == 0 && json_object_size(m.values) == 0 && !streq(type, "sample"))
		r = err_set(reterr, -EBADMSG, "the message holds no reference value");
	if (r == 0 && anchors && anchors->require_signed && !m.signer[0])
		r = err_set(
			reterr, -EACCES, "reference values must be signed here, and these are not");
	if (r == 0)
		r = check_validity(&m, &expiration, reterr);
	if (r == 0)
		r = make_records(&m, message, type, payload, expiration, ret, reterr);
	json_decref(m.values);
	return r;
}

static int read_header(
	const json_t *root, const char **ret_type, struct buf *payload, struct err *reterr)
{
	const char *version = json_string_value(json_object_get(root, "version"));
	const json_t *text = json_object_get(root, "payload");

	*ret_type = json_string_value(json_object_get(root, "type"));
	if (version && !streq(version, RVPS_VERSION))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"message version must be " RVPS_VERSION);
	if (!*ret_type)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "type", "type is missing");
	if (!json_is_string(text))
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, "payload", "payload must be base64 text");
	if (b64_decode_any(payload, slice_str(json_string_value(text))) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "payload", "payload is not base64");
	return 0;
}

int rvps_extract(struct slice message, const struct rvps_anchors *anchors, int64_t now,
	json_t **ret_records, struct err *reterr)
{
	cleanup_with(buf_done) struct buf payload = buf_init(RVPS_MESSAGE_MAX);
	cleanup(json_decref) json_t *root = NULL;
	const char *type = NULL;
	int r;

	if (message.size > RVPS_MESSAGE_MAX)
		return err_set(
			reterr, -E2BIG, "message over the limit of %zu bytes", RVPS_MESSAGE_MAX);
	root = json_loadb((const char *)message.data, message.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		return err_set(reterr, -EBADMSG, "the message is not a JSON object");
	r = read_header(root, &type, &payload, reterr);
	if (r < 0)
		return r;
	if (streq(type, "promote") || streq(type, "withdraw"))
		return read_actions(type, buf_slice(&payload), ret_records, reterr);
	return extract(root, type, buf_slice(&payload), anchors, now, ret_records, reterr);
}
