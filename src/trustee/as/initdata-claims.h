/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a policy sees of the initdata: its [data] table, with aa.toml and cdh.toml as objects, and
 * instead of policy.rego the JSON that generated agent policies end with ("policy_data := {...}"),
 * under the name agent_policy_claims.
 */
#include "fmt/initdata.h"

/** initdata_claims() - new object. Return: 0, -EBADMSG (an entry that must be TOML is not). */
must_check int initdata_claims(const struct initdata *init, json_t **ret, struct err *reterr);
