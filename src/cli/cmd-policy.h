/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The commands of `husk policy`, one per file, and how they print. */
#include "cli/policy_session.h"

int cmd_policy_eval(struct cli *cli);
int cmd_policy_test(struct cli *cli);
int cmd_policy_fmt(struct cli *cli);
int cmd_policy_bench(struct cli *cli);

/** policy_print() - write @out to stdout or stderr. Return: 0, or the error latched in @out. */
must_check int policy_print(const struct buf *out, bool to_stderr);
/** policy_rows_json() - OPA's "result" array from rows of rego_compiler_rows() */
void policy_rows_json(struct buf *out, const struct rego_value *rows);
/** policy_coverage_json() - the report, indented */
void policy_coverage_json(struct buf *out, const struct rego_coverage *c, unsigned indent);
/** policy_format() - --format, or "json" with --json, or @fallback */
const char *policy_format(const struct cli *cli, const char *fallback);
/** policy_fail() - print the errors as JSON or text to stderr. Return: @code. */
int policy_fail(const struct policy_session *s, bool json, int r, const struct err *e, int code);
