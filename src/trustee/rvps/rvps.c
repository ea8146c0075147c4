/* SPDX-License-Identifier: Apache-2.0 */
/* Records: what counts now, and how a roll-out changes them. */
#include "trustee/rvps/rvps.h"

#include "base/clock.h"
#include "base/str.h"

struct rvps_snapshot {
	json_t *by_name; /* name -> record */
};

/* With a staged value, what both lists hold together: the policy sees one list. */
static json_t *with_both(json_t *record)
{
	const json_t *old = json_object_get(record, "value"), *item;
	const json_t *fresh = json_object_get(json_object_get(record, "staged"), "value");
	json_t *copy, *both;
	size_t i, j;

	if (!fresh)
		return json_incref(record);
	copy = json_copy(record);
	both = json_copy((json_t *)(uintptr_t)old);
	json_array_foreach (fresh, i, item) {
		for (j = 0; j < json_array_size(both); j++) {
			if (json_equal(json_array_get(both, j), item))
				break;
		}
		if (j == json_array_size(both))
			json_array_append(both, (json_t *)(uintptr_t)item);
	}
	if (!copy || json_object_set_new(copy, "both", both) < 0) {
		json_decref(copy);
		return NULL;
	}
	return copy;
}

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
		json_t *entry = with_both(record);

		if (!name || !entry || json_object_set_new(s->by_name, name, entry) < 0) {
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

/* A date that cannot be read does not count as "for ever". */
static bool is_valid(const json_t *record, int64_t now)
{
	const char *when = json_string_value(json_object_get(record, "expiration"));
	int64_t expires;

	return when && rfc3339_parse(slice_str(when), &expires) == 0 && expires > now;
}

const json_t *rvps_query(
	const struct rvps_snapshot *s, const char *name, int64_t now, bool *ret_expired)
{
	const json_t *record = s ? json_object_get(s->by_name, name) : NULL;
	const json_t *staged = json_object_get(record, "staged");
	bool old_counts = is_valid(record, now), new_counts = is_valid(staged, now);

	if (ret_expired)
		*ret_expired = record && !old_counts && !new_counts;
	if (old_counts && new_counts)
		return json_object_get(record, "both");
	return json_object_get(old_counts ? record : new_counts ? staged : NULL, "value");
}

/* --- changes --- */

static int stage(
	const json_t *have, const json_t *change, int64_t now, json_t **ret, struct err *reterr)
{
	const char *name = json_string_value(json_object_get(change, "name"));
	json_t *fresh = json_deep_copy(change);
	json_t *record;

	json_object_del(fresh, "stage");
	/* Nothing counts that the new value could stand beside. */
	if (!have || !is_valid(have, now)) {
		*ret = fresh;
		return fresh ? 0 : -ENOMEM;
	}
	if (!json_is_array(json_object_get(have, "value")) ||
		!json_is_array(json_object_get(change, "value"))) {
		json_decref(fresh);
		return err_set(reterr, -EINVAL,
			"reference value %s cannot be staged: only lists can hold old and new",
			name);
	}
	record = json_deep_copy(have);
	if (!record || json_object_set_new(record, "staged", fresh) < 0) {
		json_decref(record);
		return -ENOMEM;
	}
	*ret = record;
	return 0;
}

static int end_stage(
	const json_t *have, const char *name, bool promote, json_t **ret, struct err *reterr)
{
	json_t *staged = json_object_get(have, "staged");

	if (!staged)
		return err_set(reterr, -ENOENT, "reference value %s has nothing staged", name);
	*ret = json_deep_copy(promote ? staged : have);
	json_object_del(*ret, "staged");
	return *ret ? 0 : -ENOMEM;
}

static const json_t *find_record(const json_t *records, const char *name)
{
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		if (streq_null(json_string_value(json_object_get(record, "name")), name))
			return record;
	}
	return NULL;
}

static int apply_one(
	const json_t *records, const json_t *change, int64_t now, json_t **ret, struct err *reterr)
{
	const char *name = json_string_value(json_object_get(change, "name"));
	const char *action = json_string_value(json_object_get(change, "action"));
	const json_t *have = name ? find_record(records, name) : NULL;

	if (!name)
		return err_set(reterr, -EBADMSG, "a change without a name");
	if (action)
		return end_stage(have, name, streq(action, "promote"), ret, reterr);
	if (json_is_true(json_object_get(change, "stage")))
		return stage(have, change, now, ret, reterr);
	*ret = json_deep_copy(change);
	return *ret ? 0 : -ENOMEM;
}

int rvps_apply(
	const json_t *records, const json_t *changes, int64_t now, json_t **ret, struct err *reterr)
{
	json_t *list = json_array();
	const json_t *change;
	size_t i;
	int r = list ? 0 : -ENOMEM;

	json_array_foreach (changes, i, change) {
		json_t *record = NULL;

		if (r == 0)
			r = apply_one(records, change, now, &record, reterr);
		if (r == 0 && json_array_append_new(list, record) < 0)
			r = -ENOMEM;
	}
	if (r < 0)
		json_decref(list);
	else
		*ret = list;
	return r;
}
