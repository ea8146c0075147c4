/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Built-in functions. Each takes checked-for-presence arguments and returns a value, or NULL for
 * undefined. A call that OPA would refuse goes through call_type_error() or call_fail(), which
 * return NULL, or end the evaluation when strict errors are on.
 */
#include <limits.h>

#include "rego/number.h"
#include "rego/program.h"

struct rego_call {
	struct rego_eval *ev;
	const struct builtin *b;
	bool failed;
};

struct call {
	struct mem *m;
	struct rego_eval *ev;
	const struct builtin *b;
};

/* OPA's eval_builtin_error: "NAME: TEXT". Returns NULL. */
rv call_fail(struct call *c, const char *fmt, ...) format_printf(2, 3);
/* OPA's eval_type_error: "NAME: operand POS must be WANT but got TYPE". Returns NULL. */
rv call_type_error(struct call *c, unsigned pos, const char *want, rv got);
#define NO_OPERAND UINT_MAX
/* Likewise with a free text after "operand POS ", which is left out for NO_OPERAND. */
rv call_operand_error(struct call *c, unsigned pos, const char *fmt, ...) format_printf(3, 4);
/* Charge for work that the instruction count does not show. */
void call_charge(struct call *c, uint64_t steps);

/* Checks: false after reporting. */
bool arg_is(struct call *c, const rv *arg, unsigned pos, enum rego_type type);
bool arg_int(struct call *c, const rv *arg, unsigned pos, int64_t *ret);

const struct builtin *builtin_find(struct slice name);

struct builtin_table {
	const struct builtin *item;
	size_t count;
};
extern const struct builtin_table builtin_compare_table, builtin_number_table,
	builtin_aggregate_table, builtin_collection_table, builtin_object_table,
	builtin_string_table, builtin_type_table, builtin_encode_table, builtin_regex_table,
	builtin_misc_table, builtin_units_table, builtin_net_table, builtin_glob_table,
	builtin_json_table, builtin_uri_table, builtin_time_table, builtin_random_table,
	builtin_remote_table, builtin_meet_table, builtin_marshal_table, builtin_graphql_table,
	builtin_schema_table, builtin_template_table, builtin_module_table;
