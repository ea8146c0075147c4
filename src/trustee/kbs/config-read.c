/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/config-read.h"

#include "base/str.h"

int config_bad(struct err *reterr, const char *section, const char *key, const char *what)
{
	return err_at(reterr, -EINVAL, ERR_NO_OFFSET, key, "[%s] %s %s", section, key, what);
}

static int read_list(const struct section *sec, const struct key *k, const json_t *value,
	struct config_strings *ret, struct err *reterr)
{
	size_t i;
	const json_t *item;

	if (!json_is_array(value))
		return config_bad(reterr, sec->name, k->name, "must be a list of strings");
	if (json_array_size(value) > CONFIG_PATHS_MAX)
		return config_bad(reterr, sec->name, k->name, "has more than 8 entries");
	json_array_foreach (value, i, item) {
		if (!json_is_string(item))
			return config_bad(reterr, sec->name, k->name, "must be a list of strings");
		ret->items[ret->count++] = json_string_value(item);
	}
	return 0;
}

static int read_u32(const struct section *sec, const struct key *k, const json_t *value,
	uint32_t *ret, struct err *reterr)
{
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < (json_int_t)k->min || v > (json_int_t)k->max)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, k->name,
			"[%s] %s must be a number from %u to %u", sec->name, k->name, k->min,
			k->max);
	*ret = (uint32_t)v;
	return 0;
}

static int read_key(const struct section *sec, const struct key *k, const json_t *value,
	struct kbs_config *c, struct err *reterr)
{
	char *member = (char *)c + k->offset;

	switch (k->type) {
	case KEY_STR:
		if (!json_is_string(value) || json_string_length(value) == 0)
			return config_bad(reterr, sec->name, k->name, "must be a non-empty string");
		*(const char **)member = json_string_value(value);
		return 0;
	case KEY_BOOL:
		if (!json_is_boolean(value))
			return config_bad(reterr, sec->name, k->name, "must be true or false");
		*(bool *)member = json_is_true(value);
		return 0;
	case KEY_U32:
		return read_u32(sec, k, value, (uint32_t *)member, reterr);
	case KEY_LIST:
		return read_list(sec, k, value, (struct config_strings *)member, reterr);
	case KEY_TABLE:
		if (!json_is_object(value))
			return config_bad(reterr, sec->name, k->name, "must be a table");
		return 0;
	case KEY_TABLES:
		if (!json_is_array(value))
			return config_bad(reterr, sec->name, k->name, "must be an array of tables");
		return 0;
	case KEY_UNSUPPORTED:
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, k->name,
			"[%s] %s is not supported: %s", sec->name, k->name, k->text);
	}
	return -EINVAL;
}

static const struct key *find_key(const struct section *sec, const char *name)
{
	for (size_t i = 0; i < sec->count; i++) {
		if (streq(sec->keys[i].name, name))
			return &sec->keys[i];
	}
	return NULL;
}

int config_read_section(
	const struct section *sec, const json_t *table, struct kbs_config *c, struct err *reterr)
{
	const char *name;
	json_t *value;

	for (size_t i = 0; i < sec->count; i++) {
		const struct key *k = &sec->keys[i];
		if (k->type == KEY_STR)
			*(const char **)((char *)c + k->offset) = k->text;
		else if (k->type == KEY_U32)
			*(uint32_t *)((char *)c + k->offset) = k->preset;
	}
	if (!table)
		return 0;
	if (!json_is_object(table))
		return err_set(reterr, -EINVAL, "[%s] must be a table", sec->name);
	/* json_object_foreach casts; the tree is not changed. */
	json_object_foreach ((json_t *)(uintptr_t)table, name, value) {
		const struct key *k = find_key(sec, name);
		int r;

		if (!k)
			return config_bad(reterr, sec->name, name,
				"is not a known key: see husk-kbs(5) for the list");
		r = read_key(sec, k, value, c, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}
