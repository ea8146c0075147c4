/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation: check what each piece of evidence is bound to, verify it, appraise it. */
#include "base/secret.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "evidence/evidence.h"
#include "fmt/initdata.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "trustee/as/ear.h"
#include "trustee/as/initdata-claims.h"
#include "trustee/as/internal.h"

static const char *const g_classes[] = {"cpu", "gpu", "switch", "ppcie", "dcu", "nvidia-dpu", ""};

/* What a policy is asked about. */
struct subject {
	const char *class, *tee;
	char name[32]; /* of its submod */
	char policy[AS_POLICY_ID_MAX];
	json_t *input; /* owned */
};

void as_attest_done(struct attest *a)
{
	json_decref(a->root);
	json_decref(a->primary);
	json_decref(a->devices);
	json_decref(a->init_claims);
	json_decref(a->submods);
	json_decref(a->checks);
	json_decref(a->findings);
	json_decref(a->vector);
	json_decref(a->missing);
	json_decref(a->pieces);
}

enum hash_alg as_binding_hash(const struct attest *a, const char *tee)
{
	if (a->piece)
		return a->piece->hash;
	/* Guests of today are told so when they ask for the challenge; older ones never were. */
	return streq(tee, "se") && a->request->protocol == AS_PROTOCOL_0_4_0 ? HASH_SHA512
									     : HASH_SHA384;
}

/* What the evidence must be bound to: the digest of the canonical runtime data. */
static int binding(
	const struct attest *a, const char *tee, const json_t *runtime, struct digest *ret)
{
	cleanup_with(buf_done) struct buf text = buf_init(AS_BODY_MAX * 2);
	int r;

	if (a->piece && a->piece->report_data.size > 0) {
		*ret = a->piece->report_data;
		return 0;
	}
	r = jcs_write(runtime, &text);
	return r < 0 ? r : hash_once(as_binding_hash(a, tee), buf_slice(&text), ret);
}

json_t *as_runtime_data(const struct attest *a, bool primary)
{
	json_t *runtime;

	if (a->piece)
		return a->piece->runtime ? json_incref(a->piece->runtime) : json_null();
	runtime = json_pack("{s:s, s:O}", "nonce", a->nonce, "tee-pubkey", a->tee_key);

	if (runtime && primary && as_is_composite(a) &&
		json_object_set_new(runtime, "additional-evidence", json_string(a->extra)) < 0) {
		json_decref(runtime);
		return NULL;
	}
	return runtime;
}

/* Moves @name out of the claims and, if it was there, puts what it stands for beside it. */
static int lift(
	json_t *input, json_t *claims, const char *name, const char *claims_name, json_t *meaning)
{
	json_t *value = json_object_get(claims, name);

	if (!value)
		return 0;
	if (json_object_set(input, name, value) < 0 || json_object_del(claims, name) < 0)
		return -ENOMEM;
	return meaning && json_object_set(input, claims_name, meaning) < 0 ? -ENOMEM : 0;
}

static int policy_input(struct attest *a, const char *tee, json_t *claims, json_t *runtime,
	bool primary, json_t **ret)
{
	json_t *input = json_object();
	int r = lift(input, claims, "report_data", "runtime_data_claims", runtime);

	if (r == 0)
		r = lift(input, claims, "init_data", "init_data_claims",
			primary ? a->init_claims : NULL);
	if (r == 0 && json_object_set(input, tee, claims) < 0)
		r = -ENOMEM;
	if (r < 0) {
		json_decref(input);
		return r;
	}
	*ret = input;
	return 0;
}

/* The submod's name: the class, and a number within it. */
static void name_submod(struct attest *a, const char *class, char *dst, size_t size)
{
	size_t i = 0;

	while (i < ARRAY_COUNT(g_classes) - 1 && !streq(g_classes[i], class))
		i++;
	snprintf(dst, size, "%s%zu", class, a->class_counts[i]++);
}

/* What became of a subject goes beside what the policy was given. */
static int add_piece(struct attest *a, const struct subject *s, const struct as_appraisal *done)
{
	json_t *piece = json_pack("{s:s, s:s, s:s, s:s, s:O, s:s*, s:O*, s:O*}", "name", s->name,
		"class", s->class, "tee", s->tee, "policy", s->policy, "input", s->input, "status",
		done ? ear_tier_name(done->tier) : NULL, "vector", done ? done->vector : NULL,
		"extensions", done ? done->extensions : NULL);

	return json_array_append_new(a->pieces, piece) < 0 ? -ENOMEM : 0;
}

static int appraise(struct attest *a, const struct subject *s, struct as_appraisal *done,
	json_t **ret_submod, struct err *reterr)
{
	const struct as_policy *policy = as_find_policy(a->as, s->policy);
	int r;

	a->stage = "appraisal policy";
	if (!policy)
		return err_set(reterr, -ENOENT, "no attestation policy %s is installed", s->policy);
	r = as_appraise(a->as, policy->program, s->input, s->tee, a->now, done, reterr);
	if (r == 0)
		r = ear_submod(done->vector, done->tier, done->extensions, s->input,
			a->verbose_token, ret_submod, reterr);
	if (r < 0)
		return r;
	json_array_extend(a->findings, done->findings);
	a->worst = MAX(a->worst, done->tier);
	if (!a->vector)
		a->vector = json_incref(done->vector);
	return 0;
}

static void trust_of(const struct as *as, struct evidence_request *request)
{
	if (as->nras)
		request->nvidia_remote = &as->remote;
	if (as->collateral_of)
		as = as->collateral_of;
	if (as->collateral)
		request->collateral = collateral_store_provider(as->collateral);
	if (as->insecure_intel_root.size > 0) {
		request->intel_roots = &as->insecure_intel_root;
		request->intel_root_count = 1;
	}
	request->ibm_key = (as->collateral_of ? as->collateral_of : as)->ibm_key;
	request->hygon_root = slice_of(as->insecure_hygon_root, as->insecure_hygon_root_size);
	if (as->insecure_amd_root.size > 0) {
		request->amd_roots = &as->insecure_amd_root;
		request->amd_root_count = 1;
	}
	if (as->nvidia_dpu_root.size > 0)
		request->nvidia_dpu_root = &as->nvidia_dpu_root;
	if (as->insecure_nvidia_root.size > 0) {
		request->nvidia_roots = &as->insecure_nvidia_root;
		request->nvidia_root_count = 1;
	}
}

/* Appraises the claims about one subject, which become a submod. */
static int take_claims(struct attest *a, const char *class, const char *tee, json_t *claims,
	json_t *runtime, bool primary, struct err *reterr)
{
	cleanup_with(as_appraisal_done) struct as_appraisal done = {0};
	struct subject s = {.class = class, .tee = tee};
	json_t *submod = NULL;

	int r = policy_input(a, tee, claims, runtime, primary, &s.input);
	if (r < 0)
		return r;
	name_submod(a, class, s.name, sizeof(s.name));
	snprintf(s.policy, sizeof(s.policy), "%s_%s", a->policy ? a->policy : "default", class);
	r = appraise(a, &s, &done, &submod, reterr);
	if (r != -ENOMEM && add_piece(a, &s, r == 0 ? &done : NULL) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = json_object_set(a->submods, s.name, submod) < 0 ? -ENOMEM : 0;
	json_decref(submod);
	json_decref(s.input);
	return r;
}

/* The claims of a verification: of one subject, or of each of several devices. */
static int take_result(struct attest *a, const struct evidence_tee *room,
	const struct evidence_result *result, json_t *runtime, bool primary, struct err *reterr)
{
	int r = 0;

	if (result->verdict != EVIDENCE_ACCEPT ||
		(!json_is_object(result->claims) && json_array_size(result->devices) == 0))
		return err_set(reterr, -EKEYREJECTED, "%s", result->reason);
	if (!result->devices)
		return take_claims(a, room->classification, room->name, result->claims, runtime,
			primary, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(result->devices); i++) {
		const json_t *device = json_array_get(result->devices, i);
		const char *class = json_string_value(json_object_get(device, "class"));
		r = take_claims(a, class ? class : room->classification, room->name,
			json_object_get(device, "claims"), runtime, primary, reterr);
	}
	return r;
}

/* Verifies and appraises one piece of evidence. */
int as_take_evidence(
	struct attest *a, const char *tee, const json_t *evidence, bool primary, struct err *reterr)
{
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	struct evidence_request request = {.evidence = evidence, .now = a->now};
	const struct evidence_tee *room = evidence_find(tee);
	struct digest report;

	a->stage = "evidence";
	if (!room)
		return err_set(
			reterr, -EOPNOTSUPP, "this service cannot verify evidence of %s", tee);
	trust_of(a->as, &request);
	json_t *runtime = as_runtime_data(a, primary);
	int r = runtime ? binding(a, tee, runtime, &report) : -ENOMEM;
	if (r == 0) {
		request.report_data = digest_slice(&report);
		request.insecure_skip_report_data = a->piece && a->piece->insecure_unbound;
		if (primary)
			request.init_data = digest_slice(&a->init_digest);
		r = evidence_verify(tee, &request, &result, reterr);
	}
	json_array_extend(a->checks, result.checks);
	if (result.missing)
		json_array_extend(a->missing, result.missing);
	if (r == 0)
		r = take_result(a, room, &result, runtime, primary, reterr);
	json_decref(runtime);
	return r;
}

static int take_all(struct attest *a, struct err *reterr)
{
	const char *tee;
	json_t *evidence;
	int r = as_read_message(a, reterr);

	if (r == 0)
		r = as_read_init_data(a, reterr);
	if (r == 0)
		r = as_take_evidence(a, a->request->tee, a->primary, true, reterr);
	json_object_foreach (a->devices, tee, evidence) {
		if (r == 0)
			r = as_take_evidence(a, tee, evidence, false, reterr);
	}
	return r;
}

/* Submods hold the input of policies, too. */
static void drop_inputs(json_t *pieces)
{
	size_t i;
	json_t *piece;

	json_array_foreach (pieces, i, piece) {
		json_object_del(piece, "input");
	}
}

int as_outcome(struct attest *a, int r, const struct err *e, json_t **ret, struct err *reterr)
{
	if (r == 0)
		drop_inputs(a->pieces);
	if (r == -ENOMEM)
		return err_set(reterr, r, "out of memory");
	if (r < 0)
		*ret = json_pack("{s:b, s:s, s:s, s:s, s:O, s:O}", "accepted", 0, "status",
			"refused", "stage", a->stage, "reason", err_text(e, r), "checks", a->checks,
			"findings", a->findings);
	else
		*ret = json_pack("{s:b, s:s, s:s, s:s, s:O, s:O, s:O, s:O}", "accepted", 1,
			"status", ear_tier_name(a->worst), "stage", "appraisal", "reason",
			a->worst == EAR_AFFIRMING
				? "the evidence is affirmed"
				: "the evidence is authentic, but not all of it is "
				  "affirmed",
			"submods", a->submods, "checks", a->checks, "findings", a->findings,
			"vector", a->vector);
	/* json_pack() fails on text that is not UTF-8: a reason that quotes the evidence, cut. */
	if (!*ret)
		*ret = json_pack("{s:b, s:s, s:s, s:s, s:O}", "accepted", 0, "status", "refused",
			"stage", a->stage, "reason", "malformed evidence", "checks", a->checks);
	if (*ret && json_array_size(a->missing) > 0)
		json_object_set(*ret, "missing", a->missing);
	if (*ret && json_array_size(a->pieces) > 0)
		json_object_set(*ret, "pieces", a->pieces);
	return *ret ? 0 : -ENOMEM;
}

void as_attest_start(struct attest *a, struct as *as, int64_t now, bool verbose)
{
	*a = (struct attest){.as = as,
		.now = now,
		.verbose_token = verbose,
		.stage = "message",
		.submods = json_object(),
		.checks = json_array(),
		.findings = json_array(),
		.missing = json_array(),
		.pieces = json_array()};
}

int as_attest(struct as *as, const struct as_request *request, json_t **ret, struct err *reterr)
{
	cleanup_with(as_attest_done) struct attest a;
	struct err e = {0};

	as_attest_start(&a, as, request->now, request->verbose_token);
	a.request = request;
	return as_outcome(&a, take_all(&a, &e), &e, ret, reterr);
}
