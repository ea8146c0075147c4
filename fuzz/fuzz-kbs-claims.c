/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: the vault, of what verifiers answer, and verifiers, of what was kept and of what NVIDIA's
 * service answered (attacker: a guest whose claims these are, a verifier that was taken over, whoever
 * answers for that service). First byte: what the JSON behind it is. Properties: what is kept is
 * JSON within its limit; trying a policy changes nothing; no device is accepted that nobody signed
 * for.
 */
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/as.h"
#include "trustee/kbs/vault-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEPT_MAX ((size_t)256 << 10)
#define NOW 1700000000
#define POLICY "package policy\nimport rego.v1\n"

static int64_t now_unix(void *cookie)
{
	return NOW;
}

/* The answer of a verifier. */
static void try_keep(json_t *result)
{
	struct call c = {0};
	cleanup(free_ptr) char *before = json_dumps(result, JSON_COMPACT);
	cleanup(free_ptr) char *text = claims_text(&c, result);
	cleanup(free_ptr) char *after = json_dumps(result, JSON_COMPACT);
	cleanup(json_decref) json_t *doc = text ? json_loads(text, 0, NULL) : NULL;

	if (text && (!doc || strlen(text) > KEPT_MAX))
		abort();
	if (before && (!after || !streq(before, after)))
		abort();
}

static void try_token(json_t *kept)
{
	static const struct kbs_config config = {.broker = {.duration_min = 5,
							 .issuer_name = "i",
							 .developer_name = "d",
							 .build_name = "b",
							 .profile_name = "p"}};
	struct vault v = {.config = &config, .ops = {.now_unix = now_unix}};
	struct call c = {.vault = &v};
	cleanup(json_decref) json_t *token = claims_to_token(&c, kept, "0");

	if (token && json_object_size(json_object_get(token, "submods")) == 0)
		abort();
}

static struct as *service(void)
{
	static struct as *as;

	if (as)
		return as;
	as = as_new();
	if (!as ||
		as_set_policy(as, "default_cpu",
			SLICE_LIT(POLICY "trust_claims := {\"hardware\": 2} if input.sample.svn > "
					 "query_reference_value(\"x\")\n"),
			NULL) < 0 ||
		as_set_policy(as, "default_gpu",
			SLICE_LIT(POLICY "trust_claims := {\"hardware\": 2}\n"), NULL) < 0 ||
		as_set_policy(as, "resource-policy", SLICE_LIT(POLICY "default allow := false\n"),
			NULL) < 0)
		abort();
	return as;
}

static void try_dry_run(const json_t *kept)
{
	static const struct {
		const char *id, *text;
		enum as_policy_kind kind;
	} rows[] = {
		{"default_cpu",
			POLICY "trust_claims := {\"hardware\": h} if some _, h in input.sample\n",
			AS_POLICY_ATTESTATION},
		{"resource-policy", POLICY "allow if input.submods.cpu0[\"ear.status\"] == \"x\"\n",
			AS_POLICY_RESOURCE},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct as_dry_run request = {.policy = rows[i].id,
			.kind = rows[i].kind,
			.candidate = slice_str(rows[i].text),
			.claims = kept,
			.now = NOW};
		json_t *outcome = NULL;

		if (as_dry_run(service(), &request, &outcome, NULL) == 0 &&
			!json_is_boolean(json_object_get(outcome, "changed")))
			abort();
		json_decref(outcome);
	}
}

/* One GPU, bound to {"a":1}; @nras: "keys" and "answers" of whoever answered. */
static void try_nras(const json_t *nras)
{
	static const char request[] =
		"{\"verification_requests\":[{\"tee\":\"nvidia\",\"runtime_data\":{\"structured\":{"
		"\"a\":1}},\"evidence\":"
		"\"eyJkZXZpY2VfZXZpZGVuY2VfbGlzdCI6W3siYXJjaCI6IkhPUFBFUiIsImV2aWRlbmNlIjoiY21Wd2Iz"
		"SjAiLCJjZXJ0aWZpY2F0ZSI6ImNHVnQifV19\"}]}";
	const struct as_evaluation e = {.body = slice_str(request), .now = NOW};
	json_t *outcome = NULL, *questions = json_array();

	if (as_use_nras(service(), nras, questions, NULL) == 0 &&
		as_evaluate(service(), &e, &outcome, NULL) == 0 &&
		json_is_true(json_object_get(outcome, "accepted")))
		abort();
	if (as_use_nras(service(), NULL, NULL, NULL) < 0)
		abort();
	json_decref(outcome);
	json_decref(questions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(json_decref) json_t *doc = NULL;

	if (size == 0 || json_parse(slice_of(data + 1, size - 1), (size_t)1 << 20, &doc, NULL) < 0)
		return 0;
	switch (data[0]) {
	case 'k':
		try_keep(doc);
		break;
	case 't':
		try_token(doc);
		break;
	case 'd':
		try_dry_run(doc);
		break;
	case 'n':
		try_nras(doc);
		break;
	default:
		break;
	}
	return 0;
}
