/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/as/initdata-claims.h"

#include "base/str.h"
#include "fmt/json.h"
#include "fmt/toml.h"

#define POLICY_DATA "policy_data := {"

static int add_toml(json_t *claims, const char *name, const char *text, struct err *reterr)
{
	json_t *table = NULL;
	int r = toml_parse(slice_str(text), &table, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "init-data entry %s", name);
	return json_object_set_new(claims, name, table) < 0 ? -ENOMEM : 0;
}

/* A policy without the generated tail stays out: policies cannot look into Rego source. */
static int add_policy(json_t *claims, const char *text, struct err *reterr)
{
	const char *at = strstr(text, POLICY_DATA);
	json_t *data = NULL;
	int r;

	if (!at)
		return 0;
	r = json_parse(slice_str(at + strlen(POLICY_DATA) - 1), INITDATA_SIZE_MAX, &data, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "init-data entry policy.rego: policy_data");
	return json_object_set_new(claims, "agent_policy_claims", data) < 0 ? -ENOMEM : 0;
}

int initdata_claims(const struct initdata *init, json_t **ret, struct err *reterr)
{
	json_t *claims = json_object();
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach (init->data, name, value) {
		const char *text = json_string_value(value);

		if (r < 0 || !text)
			continue;
		if (streq(name, "aa.toml") || streq(name, "cdh.toml"))
			r = add_toml(claims, name, text, reterr);
		else if (streq(name, "policy.rego"))
			r = add_policy(claims, text, reterr);
		else
			r = json_object_set(claims, name, value) < 0 ? -ENOMEM : 0;
	}
	if (r < 0) {
		json_decref(claims);
		return r;
	}
	*ret = claims;
	return 0;
}
