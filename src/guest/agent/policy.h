/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The agent policy: Rego of initdata, package agent_policy. One rule a request, named as kata names
 * its requests. Everything that is not allowed is refused: an absent rule, an undefined one, an
 * error, a value other than true.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct policy;

enum policy_verdict { POLICY_DENY, POLICY_ALLOW };

/** policy_compile() - Return: 0; -EBADMSG with place and reason in @reterr; -ENOMEM. */
must_check int policy_compile(struct slice text, struct policy **ret, struct err *reterr);
void policy_free(struct policy *policy);
DEFINE_CLEANUP(struct policy *, policy_free);

/**
 * policy_ask() - may this request happen?
 * @rule: "CreateContainerRequest", ...
 * @input: the request (borrowed)
 * @ret: POLICY_DENY unless the rule says true
 * @why: with POLICY_DENY, the first line of what failed is appended; may be NULL
 * Return: 0 with a verdict; negative errno when the evaluation failed (@ret is POLICY_DENY then).
 */
must_check int policy_ask(struct policy *policy, const char *rule, json_t *input,
	enum policy_verdict *ret, struct buf *why, struct err *reterr);
