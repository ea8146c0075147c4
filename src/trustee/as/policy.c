/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling policies, and what they may ask of us. */
#include "base/clock.h"
#include "base/str.h"
#include "crypto/key.h"
#include "regoext/regoext.h"
#include "trustee/as/internal.h"

#define POLICY_TIME_MS 5000
#define WANTED_MAX 256

/* NULL: none. Values of a remote provider are as good as it says; those it was not asked for are
 * noted. */
static const json_t *reference_of(const struct as_host *host, const char *name)
{
	const json_t *value;

	if (!host->values)
		return rvps_query(host->references, name, host->now, NULL);
	value = json_object_get(host->values, name);
	if (!value && json_array_size(host->wanted) < WANTED_MAX)
		json_array_append_new(host->wanted, json_string(name));
	return json_is_null(value) ? NULL : value;
}

static int query_reference_value(struct rego_call *call, const struct rego_value *const *args,
	size_t count, const struct rego_value **ret)
{
	struct as_host *host = rego_call_cookie(call);
	cleanup(free_ptr) char *name = NULL;
	cleanup(free_ptr) char *dump = NULL;
	const json_t *value;

	if (count != 1 || rego_type(args[0]) != REGO_STRING)
		return rego_call_fail(call, "query_reference_value needs a string");
	name = slice_strdup(rego_text(args[0]));
	value = name ? reference_of(host, name) : NULL;
	if (!value) {
		*ret = rego_make_null();
		return 0;
	}
	dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!dump)
		return -ENOMEM;
	return rego_make_json(rego_call_eval(call), slice_str(dump), ret, NULL);
}

int as_compile(const char *id, struct slice text, struct rego_program **ret, struct err *reterr)
{
	cleanup(rego_compiler_free) struct rego_compiler *c = NULL;
	static const struct rego_compile_options options = {
		.dialect = REGO_DIALECT_ANY,
		.max_memory = AS_POLICY_MEMORY,
	};
	char file[AS_POLICY_ID_MAX + 8];
	int r;

	c = rego_compiler_new(&options);
	if (!c)
		return -ENOMEM;
	r = regoext_register(c);
	if (r == 0)
		r = rego_compiler_builtin(c, "query_reference_value", 1, query_reference_value);
	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.rego", id);
	r = rego_compiler_module(c, file, text, reterr);
	if (r < 0)
		return r;
	return rego_compiler_finish(c, ret, reterr);
}

static uint64_t monotonic_ms(void *cookie)
{
	return clock_mono_ms();
}

struct rego_eval *as_eval_new(const struct rego_program *p, struct as_host *host)
{
	const struct rego_eval_options options = {
		.max_steps = AS_POLICY_STEPS,
		.max_memory = AS_POLICY_MEMORY,
		.max_time_ms = host->rule_ms ? host->rule_ms : POLICY_TIME_MS,
		.clock_ms = monotonic_ms,
		.now_ns = host->now * 1000000000,
		.time_zone = regoext_time_zone,
		.cookie = host,
	};

	return rego_eval_new(p, &options);
}

int as_check_policy(struct slice text, enum as_policy_kind kind, struct err *reterr)
{
	const char *rule =
		kind == AS_POLICY_RESOURCE ? "data.policy.allow" : "data.policy.trust_claims";
	cleanup(rego_program_free) struct rego_program *program = NULL;
	cleanup(rego_eval_free) struct rego_eval *e = NULL;
	struct as_host host = {0};
	const struct rego_value *value;
	enum rego_outcome outcome;
	int r;

	if (text.size == 0)
		return err_set(reterr, -EINVAL, "the policy is empty");
	r = as_compile("policy", text, &program, reterr);
	if (r < 0)
		return r;
	e = as_eval_new(program, &host);
	if (!e)
		return -ENOMEM;
	r = rego_eval_input_json(e, SLICE_LIT("{}"), reterr);
	if (r == 0)
		r = rego_eval_data_json(e, SLICE_LIT("{}"), reterr);
	if (r < 0)
		return r;
	r = rego_eval_path(e, rule, &outcome, &value, reterr);
	/* Whether it fails on an empty input is its own affair; here only that it exists counts. */
	if (r == 0 && outcome == REGO_RULE_MISSING)
		return err_set(reterr, -ENOENT,
			"the policy does not define %s: it needs `package policy` and that rule",
			rule);
	return r == -ENOMEM ? r : 0;
}

const struct as_policy *as_find_policy(const struct as *as, const char *id)
{
	for (size_t i = 0; i < as->policy_count; i++) {
		if (streq(as->policies[i].id, id))
			return &as->policies[i];
	}
	return NULL;
}

int as_set_policy(struct as *as, const char *id, struct slice text, struct err *reterr)
{
	cleanup(rego_program_free) struct rego_program *program = NULL;
	size_t i = 0;
	int r;

	while (i < as->policy_count && !streq(as->policies[i].id, id))
		i++;
	if (i == AS_POLICIES_MAX)
		return err_set(reterr, -E2BIG, "more than %d policies", AS_POLICIES_MAX);
	r = as_compile(id, text, &program, reterr);
	if (r < 0)
		return r;
	if (i == as->policy_count) {
		r = str_copy(as->policies[i].id, sizeof(as->policies[i].id), id);
		if (r < 0)
			return err_set(reterr, r, "policy id is too long");
		as->policy_count++;
	}
	rego_program_free(as->policies[i].program);
	as->policies[i].program = steal_ptr(program);
	return 0;
}

int as_set_references(struct as *as, const json_t *records)
{
	struct rvps_snapshot *fresh = rvps_snapshot_new(records);

	if (!fresh)
		return -ENOMEM;
	rvps_snapshot_free(as->references);
	as->references = fresh;
	return 0;
}

void as_share_collateral(struct as *as, const struct as *from)
{
	as->collateral_of = from;
}

int as_set_collateral(struct as *as, const json_t *doc, struct err *reterr)
{
	cleanup(collateral_store_free) struct collateral_store *fresh = collateral_store_new();

	if (!fresh)
		return -ENOMEM;
	int r = collateral_store_load(fresh, doc, reterr);
	if (r < 0)
		return r;
	collateral_store_free(as->collateral);
	as->collateral = steal_ptr(fresh);
	return 0;
}

void as_use_values(struct as *as, const json_t *values, json_t *wanted)
{
	if (!as)
		return;
	as->values = values;
	as->wanted = wanted;
}

int as_add_collateral(struct as *as, const json_t *doc, struct err *reterr)
{
	if (!as->collateral)
		return as_set_collateral(as, doc, reterr);
	return collateral_store_load(as->collateral, doc, reterr);
}

void as_trust_insecure_intel_root(struct as *as, const struct digest *pin)
{
	as->insecure_intel_root = *pin;
}

void as_trust_insecure_amd_root(struct as *as, const struct digest *pin)
{
	as->insecure_amd_root = *pin;
}

void as_trust_nvidia_dpu_root(struct as *as, const struct digest *pin)
{
	as->nvidia_dpu_root = *pin;
}

void as_trust_insecure_nvidia_root(struct as *as, const struct digest *pin)
{
	as->insecure_nvidia_root = *pin;
}

void as_trust_insecure_hygon_root(struct as *as, struct slice cert)
{
	if (cert.size == 0 || cert.size > sizeof(as->insecure_hygon_root))
		return;
	memcpy(as->insecure_hygon_root, cert.data, cert.size);
	as->insecure_hygon_root_size = cert.size;
}

int as_set_ibm_key(struct as *as, struct slice pem, struct err *reterr)
{
	struct pkey *key = NULL;

	int r = pkey_from_pem(pem, &key, reterr);
	if (r < 0)
		return r;
	pkey_free(as->ibm_key);
	as->ibm_key = key;
	return 0;
}

struct as *as_new(void)
{
	return calloc(1, sizeof(struct as));
}

void as_free(struct as *as)
{
	if (!as)
		return;
	for (size_t i = 0; i < as->policy_count; i++)
		rego_program_free(as->policies[i].program);
	rvps_snapshot_free(as->references);
	collateral_store_free(as->collateral);
	pkey_free(as->ibm_key);
	json_decref(as->nras_keys);
	free(as);
}

json_t *as_to_json(const struct rego_value *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	rego_json(&text, v);
	if (buf_error(&text) < 0)
		return NULL;
	return json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY, NULL);
}
