/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/policy.h"

#include "base/buf.h"
#include "base/clock.h"
#include "fmt/json.h"
#include "rego/rego.h"

/* PID 1 waits for the answer, so a policy gets little. */
#define STEPS_MAX 5000000u
#define MEMORY_MAX ((size_t)32 << 20)
#define TIME_MAX_MS 5000u

struct policy {
	struct rego_program *program;
};

static uint64_t clock_ms(void *cookie)
{
	return clock_mono_ms();
}

int policy_compile(struct slice text, struct policy **ret, struct err *reterr)
{
	cleanup(policy_free) struct policy *policy = calloc(1, sizeof(*policy));
	if (policy == NULL)
		return -ENOMEM;
	int r = rego_compile("policy.rego", text, &policy->program, reterr);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	*ret = steal_ptr(policy);
	return 0;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	rego_program_free(policy->program);
	free(policy);
}

/* kata's answers: true, or an object whose member "allowed" is true. The state patches that such an
 * object may carry belong to pods of many containers; a policy that asks for one is refused. */
static int judge(const struct rego_value *value, enum policy_verdict *ret, struct err *reterr)
{
	if (rego_type(value) == REGO_OBJECT) {
		const struct rego_value *ops = rego_member(value, "ops");
		if (ops != NULL && rego_count(ops) > 0)
			return err_set(reterr, -EOPNOTSUPP,
				"the answer patches the policy's state, which is not supported");
		value = rego_member(value, "allowed");
	}
	if (rego_is_true(value))
		*ret = POLICY_ALLOW;
	return 0;
}

/* A second evaluation, for the reason: only refusals pay for it. */
static void explain(
	struct rego_eval *eval, const char *path, enum rego_outcome outcome, struct buf *why)
{
	const struct rego_value *value = NULL;
	cleanup_with(buf_done) struct buf text = buf_init(65536);
	if (outcome == REGO_RULE_MISSING) {
		buf_put_str(why, "the policy has no such rule");
		return;
	}
	rego_eval_explain(eval, true);
	if (rego_eval_path(eval, path, &outcome, &value, NULL) < 0)
		return;
	rego_explain_text(eval, &text);
	const char *line = buf_str(&text);
	buf_printf(why, "%.*s", (int)strcspn(line, "\n"), line);
}

int policy_ask(struct policy *policy, const char *rule, json_t *input, enum policy_verdict *ret,
	struct buf *why, struct err *reterr)
{
	const struct rego_eval_options options = {
		.max_steps = STEPS_MAX,
		.max_memory = MEMORY_MAX,
		.max_time_ms = TIME_MAX_MS,
		.clock_ms = clock_ms,
		.now_ns = clock_unix_s() * 1000000000,
	};
	cleanup_with(buf_done) struct buf text = buf_init(0);
	enum rego_outcome outcome = REGO_RULE_MISSING;
	const struct rego_value *value = NULL;
	char path[128];
	*ret = POLICY_DENY;
	int r = json_write(input, &text);
	if (r < 0)
		return r;
	cleanup(rego_eval_free) struct rego_eval *eval = rego_eval_new(policy->program, &options);
	if (eval == NULL)
		return -ENOMEM;
	r = rego_eval_input_json(eval, buf_slice(&text), reterr);
	if (r < 0)
		return r;
	/* kata's policies keep their state here */
	r = rego_eval_data_json(eval, SLICE_LIT("{\"pstate\":{}}"), reterr);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "data.agent_policy.%s", rule);
	r = rego_eval_path(eval, path, &outcome, &value, reterr);
	if (r == 0 && outcome == REGO_VALUE)
		r = judge(value, ret, reterr);
	if (r == 0 && *ret != POLICY_ALLOW && why != NULL)
		explain(eval, path, outcome, why);
	return r;
}
