/* SPDX-License-Identifier: Apache-2.0 */
/* What SGX and TDX both say about a platform and its collateral. */
#include "base/clock.h"
#include "base/enc.h"
#include "evidence/dcap_internal.h"
#include "fmt/json.h"

static int put_date(json_t *o, const char *name, int64_t at)
{
	char text[RFC3339_SIZE];
	return json_set_str(o, name, rfc3339_format(at, text));
}

static int put_platform(const struct dcap_outcome *o, json_t *claims)
{
	static const char *const types[] = {"Standard", "Scalable", "Scalable with Integrity"};
	const struct pck_info *p = o->pck;

	int r = json_set_hex(claims, "platform_provider_id", slice_of(p->ppid, sizeof(p->ppid)));
	if (r == 0)
		r = json_set_str(claims, "sgx_type",
			p->sgx_type < ARRAY_COUNT(types) ? types[p->sgx_type] : "Unknown");
	if (r == 0 && p->has_platform_instance)
		r = json_set_hex(claims, "platform_instance_id",
			slice_of(p->platform_instance, sizeof(p->platform_instance)));
	if (r == 0 && p->sgx_type > 0 && p->has_configuration) {
		r = json_set_bool(claims, "is_dynamic_platform", p->dynamic_platform);
		if (r == 0)
			r = json_set_bool(claims, "is_cached_keys", p->cached_keys);
		if (r == 0)
			r = json_set_bool(claims, "is_smt_enabled", p->smt_enabled);
	}
	return r == 0 ? json_set_hex(claims, "root_key_id", digest_slice(&o->root_key_id)) : r;
}

static int put_claims(const struct dcap_outcome *o, json_t *claims)
{
	const struct tcb_level *level = o->match.tdx_level ? o->match.tdx_level : o->match.platform;

	int r = json_set_str(claims, "tcb_status", tcb_status_name(o->match.status));
	/* Expired collateral never gets here. */
	if (r == 0)
		r = json_set_str(claims, "collateral_expiration_status", "0");
	if (r == 0)
		r = json_set_take(claims, "advisory_ids", tcb_advisories(&o->match));
	if (r == 0 && level)
		r = put_date(claims, "tcb_date", level->date);
	if (r == 0)
		r = put_date(claims, "earliest_issue_date", o->earliest_issue);
	if (r == 0)
		r = put_date(claims, "latest_issue_date", o->latest_issue);
	if (r == 0)
		r = put_date(claims, "earliest_expiration_date", o->earliest_expiration);
	if (r == 0)
		r = json_set_int(claims, "pck_crl_num", o->pck_crl_number);
	if (r == 0)
		r = json_set_int(claims, "root_ca_crl_num", o->root_crl_number);
	if (r == 0)
		r = json_set_int(claims, "tcb_eval_num", o->evaluation_number);
	return r == 0 ? put_platform(o, claims) : r;
}

void dcap_said_done(struct dcap_said *s)
{
	json_decref(s->claims);
	*s = (struct dcap_said){0};
}

static bool same_match(const struct tcb_match *a, const struct tcb_match *b)
{
	return a->status == b->status && a->platform_status == b->platform_status &&
	       a->module_status == b->module_status && a->qe_status == b->qe_status &&
	       a->platform == b->platform && a->tdx_level == b->tdx_level &&
	       a->module_level == b->module_level && a->qe_level == b->qe_level &&
	       a->module == b->module && a->module_mismatch == b->module_mismatch &&
	       a->problem == b->problem;
}

/* Return: the claims about this platform under this collateral; NULL on ENOMEM. */
static const json_t *claims_of(const struct dcap_outcome *o)
{
	struct dcap_said *s = o->said;

	/* Rows are told apart by their addresses, which mean something for one statement only. */
	if (s->claims && s->statement_id == o->statement_id && same_match(&s->match, &o->match))
		return s->claims;
	cleanup(json_decref) json_t *claims = json_object();
	if (!claims || put_claims(o, claims) < 0)
		return NULL;
	dcap_said_done(s);
	s->statement_id = o->statement_id;
	s->match = o->match;
	s->claims = steal_ptr(claims);
	return s->claims;
}

int dcap_claims(const struct dcap_outcome *o, json_t *claims)
{
	const json_t *said = o->said ? claims_of(o) : NULL;
	const char *name;
	json_t *value;

	/* The values are shared and never changed. */
	json_object_foreach ((json_t *)(uintptr_t)said, name, value) {
		if (json_object_set_nocheck(claims, name, value) < 0)
			return -ENOMEM;
	}
	return said ? 0 : -ENOMEM;
}
