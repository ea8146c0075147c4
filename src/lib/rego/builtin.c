/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/builtin.h"

static const struct builtin_table *const tables[] = {
	&builtin_compare_table,
	&builtin_number_table,
	&builtin_aggregate_table,
	&builtin_collection_table,
	&builtin_object_table,
	&builtin_string_table,
	&builtin_type_table,
	&builtin_encode_table,
	&builtin_regex_table,
	&builtin_misc_table,
	&builtin_units_table,
	&builtin_net_table,
	&builtin_glob_table,
	&builtin_json_table,
	&builtin_uri_table,
	&builtin_time_table,
	&builtin_random_table,
	&builtin_remote_table,
	&builtin_meet_table,
	&builtin_marshal_table,
	&builtin_graphql_table,
	&builtin_schema_table,
	&builtin_template_table,
	&builtin_module_table,
};

const struct builtin *builtin_find(struct slice name)
{
	if (name.size == 0)
		return NULL;
	for (size_t t = 0; t < ARRAY_COUNT(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct builtin *b = &tables[t]->item[i];
			if ((uint8_t)b->name[0] == name.data[0] && slice_eq_str(name, b->name))
				return b;
		}
	return NULL;
}
