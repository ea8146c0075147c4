/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the kata agent against a genpolicy policy. The vectors hold protobuf JSON, which
 * leaves out fields with default values; the agent evaluates the whole message, so the defaults are
 * added here first.
 */
#include "base/buf.h"
#include "base/str.h"
#include "runner.h"

/* The fields of each message that the vectors use, with the values of an empty message. */
static const struct {
	const char *kind;
	const char *defaults;
} messages[] = {
	{"CreateSandboxRequest",
		"{\"hostname\":\"\",\"dns\":[],\"storages\":[],\"sandbox_pidns\":false,"
		"\"sandbox_id\":\"\",\"guest_hook_path\":\"\",\"kernel_modules\":[]}"},
	{"CopyFileRequest",
		"{\"path\":\"\",\"file_type\":\"Unknown\",\"symlink_target\":null,\"file_size\":0,"
		"\"file_mode\":0,\"dir_mode\":0,\"uid\":0,\"gid\":0,\"offset\":0}"},
	{"UpdateInterfaceRequest", "{\"interface\":null}"},
	{"UpdateRoutesRequest", "{\"routes\":null}"},
	{"AddARPNeighborsRequest", "{\"neighbors\":null}"},
	{"ExecProcessRequest",
		"{\"container_id\":\"\",\"exec_id\":\"\",\"user\":null,\"string_user\":null,"
		"\"process\":null,\"stdin_port\":null,\"stdout_port\":null,\"stderr_port\":null}"},
	{"CreateContainerRequest",
		"{\"container_id\":\"\",\"exec_id\":\"\",\"string_user\":null,\"devices\":[],"
		"\"storages\":[],\"OCI\":null,\"sandbox_pidns\":false,\"shared_mounts\":[],"
		"\"stdin_port\":null,\"stdout_port\":null,\"stderr_port\":null}"},
	{"RemoveContainerRequest", "{\"container_id\":\"\",\"timeout\":0}"},
};

static const char *defaults_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++)
		if (streq(messages[i].kind, kind))
			return messages[i].defaults;
	return "{}";
}

static const struct rego_value *complete(
	struct rego_eval *e, const char *kind, const struct rego_value *request)
{
	const struct rego_value *base;
	if (rego_make_json(e, slice_str(defaults_of(kind)), &base, NULL) < 0)
		return NULL;
	size_t n = rego_count(base), k = rego_count(request);
	const struct rego_value **pair = calloc(2 * (n + k) + 1, sizeof(*pair));
	if (!pair)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		pair[2 * i] = rego_key(base, i);
		pair[2 * i + 1] = rego_item(base, i);
	}
	for (size_t i = 0; i < k; i++) {
		pair[2 * (n + i)] = rego_key(request, i);
		pair[2 * (n + i) + 1] = rego_item(request, i);
	}
	const struct rego_value *v = rego_make_object(e, pair, n + k);
	free(pair);
	return v;
}

enum outcome genpolicy_run(struct test_case *t, char *why, size_t why_size)
{
	const struct rego_value *policy = rego_member(t->json, "policy");
	if (!policy) {
		snprintf(why, why_size, "its policy has to be generated with access to a registry");
		return CASE_SKIPPED;
	}
	char name[256], kind[128], rule[200];
	struct err e = {0};
	enum rego_outcome outcome;
	const struct rego_value *got = NULL;
	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(rego_text(policy)));
	snprintf(kind, sizeof(kind), "%.*s", SLICE_ARG(rego_text(rego_member(t->json, "kind"))));
	snprintf(rule, sizeof(rule), "data.agent_policy.%s", kind);
	struct rego_program *p = policy_program(t, name, REGO_DIALECT_ANY, why, why_size);
	if (!p)
		return CASE_FAILED;
	cleanup(rego_eval_free) struct rego_eval *ev = rego_eval_new(p, NULL);
	rego_eval_input(ev, complete(ev, kind, rego_member(t->json, "request")));
	int r = rego_eval_data_json(ev, SLICE_LIT("{\"pstate\":{}}"), &e);
	if (r == 0)
		r = rego_eval_path(ev, rule, &outcome, &got, &e);
	/* An evaluation error is a refusal; an object carries the decision in "allowed". */
	const struct rego_value *allowed =
		got && rego_type(got) == REGO_OBJECT ? rego_member(got, "allowed") : got;
	bool want = rego_is_true(rego_member(t->json, "allowed"));
	bool have = r == 0 && rego_is_true(allowed);
	if (have == want)
		return CASE_PASSED;
	snprintf(why, why_size, "got %s, want %s%s%s", have ? "allowed" : "refused",
		want ? "allowed" : "refused", r < 0 ? ": " : "", r < 0 ? err_text(&e, r) : "");
	return CASE_FAILED;
}
