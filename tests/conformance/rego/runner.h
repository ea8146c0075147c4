/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One conformance case. */
#include "rego/rego.h"

enum outcome {
	CASE_FAILED,
	CASE_PASSED,
	CASE_SKIPPED,
};

struct totals {
	unsigned passed, failed, skipped;
};

/* genpolicy: the requests of one pod run in order and may change the data document. */
struct state {
	char pod[200];
	struct rego_eval *holder; /* owns data */
	const struct rego_value *data;
	struct rego_program *program; /* of the last policy file */
	char policy[4096];
};
void state_done(struct state *s);

struct test_case {
	const char *folder;
	struct state *state;
	char note[200];
	struct rego_program *empty; /* for values without a program */
	struct rego_eval *holder;
	const struct rego_value *json;
};

int case_parse(struct test_case *t, struct slice line, struct err *reterr);
enum outcome case_run(struct test_case *t, char *why, size_t why_size);
void case_done(struct test_case *t);

/* genpolicy.c */
enum outcome genpolicy_run(struct test_case *t, char *why, size_t why_size);
/* Return: program of a policy file below the case's folder, kept in the state; NULL on failure. */
struct rego_program *policy_program(struct test_case *t, const char *name,
	enum rego_dialect dialect, char *why, size_t why_size);
