/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/rvps/rvps.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"

#define LIFE_MONTHS 12

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

static int payload_of(const json_t *message, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(RVPS_MESSAGE_MAX);
	const json_t *payload = json_object_get(message, "payload");
	json_error_t e;

	if (!json_is_string(payload))
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, "payload", "payload must be base64 text");
	if (b64_decode_any(&text, slice_str(json_string_value(payload))) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "payload", "payload is not base64");
	*ret = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "payload",
			"payload must hold a JSON object of names and values");
	}
	return 0;
}

static int records_of(
	const json_t *payload, int64_t expiration, json_t **ret_records, struct err *reterr)
{
	char when[RFC3339_SIZE];
	const char *name;
	json_t *value;
	json_t *list;

	if (json_object_size(payload) > RVPS_NAMES_MAX)
		return err_set(reterr, -E2BIG, "more than %d reference values in one message",
			RVPS_NAMES_MAX);
	rfc3339_format(expiration, when);
	list = json_array();
	json_object_foreach ((json_t *)(uintptr_t)payload, name, value) {
		if (!*name || strlen(name) > 256) {
			json_decref(list);
			return err_set(reterr, -EBADMSG,
				"a reference value's name must have 1 to 256 bytes");
		}
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:O}", "version", RVPS_VERSION, "name",
				      name, "expiration", when, "value", value));
	}
	*ret_records = list;
	return 0;
}

int rvps_extract(struct slice message, int64_t now, json_t **ret_records, struct err *reterr)
{
	json_t *root = NULL, *payload = NULL;
	const char *version, *type;
	int64_t expiration;
	json_error_t e;
	int r = 0;

	if (message.size > RVPS_MESSAGE_MAX)
		return err_set(
			reterr, -E2BIG, "message over the limit of %zu bytes", RVPS_MESSAGE_MAX);
	root = json_loadb((const char *)message.data, message.size, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(reterr, -EBADMSG, "the message is not a JSON object");
	}
	version = json_string_value(json_object_get(root, "version"));
	type = json_string_value(json_object_get(root, "type"));
	if (version && !streq(version, RVPS_VERSION))
		r = err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"message version must be " RVPS_VERSION);
	else if (!type)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "type", "type is missing");
	else if (!streq(type, "sample"))
		r = err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "type", "type must be sample");
	if (r == 0)
		r = expiration_of(root, now, &expiration, reterr);
	if (r == 0)
		r = payload_of(root, &payload, reterr);
	if (r == 0)
		r = records_of(payload, expiration, ret_records, reterr);
	json_decref(payload);
	json_decref(root);
	return r;
}

struct rvps_snapshot {
	json_t *by_name; /* name -> record */
};

struct rvps_snapshot *rvps_snapshot_new(const json_t *records)
{
	struct rvps_snapshot *s = calloc(1, sizeof(*s));
	size_t i;
	json_t *record;

	if (!s)
		return NULL;
	s->by_name = json_object();
	json_array_foreach (records, i, record) {
		const char *name = json_string_value(json_object_get(record, "name"));

		if (!name || json_object_set(s->by_name, name, record) < 0) {
			rvps_snapshot_free(s);
			return NULL;
		}
	}
	return s;
}

void rvps_snapshot_free(struct rvps_snapshot *s)
{
	if (!s)
		return;
	json_decref(s->by_name);
	free(s);
}

const json_t *rvps_query(
	const struct rvps_snapshot *s, const char *name, int64_t now, bool *ret_expired)
{
	const json_t *record = s ? json_object_get(s->by_name, name) : NULL;
	const char *when = json_string_value(json_object_get(record, "expiration"));
	int64_t expires;

	if (ret_expired)
		*ret_expired = false;
	if (!record)
		return NULL;
	/* A date that cannot be read does not count as "for ever". */
	if (!when || rfc3339_parse(slice_str(when), &expires) < 0 || expires <= now) {
		if (ret_expired)
			*ret_expired = true;
		return NULL;
	}
	return json_object_get(record, "value");
}
