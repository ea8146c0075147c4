/* SPDX-License-Identifier: Apache-2.0 */
/* The agent policy allows only what it says true to; everything else is a refusal. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "guest/agent/policy.h"

static enum policy_verdict ask(const char *text, const char *rule, const char *input, int want)
{
	cleanup(policy_free) struct policy *policy = NULL;
	enum policy_verdict verdict = POLICY_ALLOW;
	struct err e = {0};
	json_t *in = json_loads(input, JSON_DECODE_ANY, NULL);
	assert_non_null(in);
	if (policy_compile(slice_str(text), &policy, &e) < 0)
		fail_msg("%s", e.text);
	int r = policy_ask(policy, rule, in, &verdict, NULL, &e);
	json_decref(in);
	if (r != want)
		fail_msg("%d: %s", r, e.text);
	return verdict;
}

#define HEAD "package agent_policy\n"

static void test_verdicts(void **state)
{
	static const struct {
		const char *policy;
		enum policy_verdict want;
	} table[] = {
		{HEAD "R := true", POLICY_ALLOW},
		{HEAD "default R := false", POLICY_DENY},
		{HEAD "R if { input.image == \"a\" }", POLICY_ALLOW},
		{HEAD "R if { input.image == \"b\" }", POLICY_DENY}, /* undefined */
		{HEAD "Other := true", POLICY_DENY},		     /* no such rule */
		{"package other\nR := true", POLICY_DENY},	     /* wrong package */
		{HEAD "R := 1", POLICY_DENY},
		{HEAD "R := \"true\"", POLICY_DENY},
		{HEAD "R := [true]", POLICY_DENY},
		{HEAD "R := {\"allowed\": true}", POLICY_ALLOW},
		{HEAD "R := {\"allowed\": true, \"ops\": []}", POLICY_ALLOW},
		{HEAD "R := {\"allowed\": false}", POLICY_DENY},
		{HEAD "R := {\"ops\": []}", POLICY_DENY},
	};
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		if (ask(table[i].policy, "R", "{\"image\":\"a\"}", 0) != table[i].want)
			fail_msg("%s", table[i].policy);
	}
}

static void test_errors(void **state)
{
	cleanup(policy_free) struct policy *policy = NULL;
	struct err e = {0};
	/* state patches cannot be kept, so they are no silent allowance */
	assert_int_equal(ask(HEAD "R := {\"allowed\": true, \"ops\": [{\"op\": \"add\"}]}", "R",
				 "{}", -EOPNOTSUPP),
		POLICY_DENY);
	assert_int_equal(policy_compile(SLICE_LIT("not a policy"), &policy, &e), -EBADMSG);
	assert_true(e.text[0] != '\0');
	assert_int_equal(policy_compile(SLICE_LIT(""), &policy, &e), -EBADMSG);
}

static void test_why(void **state)
{
	cleanup(policy_free) struct policy *policy = NULL;
	cleanup_with(buf_done) struct buf why = {0};
	enum policy_verdict verdict;
	json_t *in = json_pack("{s:s}", "image", "evil");
	assert_int_equal(policy_compile(SLICE_LIT(HEAD "default R := false\n"
						       "R if { input.image == \"good\" }\n"),
				 &policy, NULL),
		0);
	assert_int_equal(policy_ask(policy, "R", in, &verdict, &why, NULL), 0);
	assert_int_equal(verdict, POLICY_DENY);
	assert_non_null(strstr(buf_str(&why), "evil"));
	buf_clear(&why);
	assert_int_equal(policy_ask(policy, "Missing", in, &verdict, &why, NULL), 0);
	assert_int_equal(verdict, POLICY_DENY);
	assert_string_equal(buf_str(&why), "the policy has no such rule");
	json_decref(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_why),
	};
	return cmocka_run_group_tests_name("agent-policy", tests, NULL, NULL);
}
