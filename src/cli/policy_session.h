/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the commands of `husk policy` share: their options, a compiled program, errors as OPA's. */
#include "cli/policy.h"
#include "cli/policy_cases.h"

/* Exit codes, as those of opa. */
enum policy_exit {
	POLICY_OK = 0,
	POLICY_FAILED = 1,
	POLICY_ERROR = 2,
};

/* Options of more than one command. */
#define POLICY_OPT_DIALECT                                                                             \
	{"v0-compatible", .help = "the modules are Rego v0 unless they import rego.v1"},               \
		{"v1-compatible", .help = "the modules are Rego v1; the default"},                     \
	{                                                                                              \
		"strict", 'S',                                                                         \
			.help = "also refuse unused variables and imports, imports twice, deprecated " \
				"built-ins"                                                            \
	}
#define POLICY_OPT_SOURCES                                                                      \
	{"data", 'd', "FILE", .help = "load a module, a document, or a folder of them",         \
		.complete = CLI_COMPLETE_FILE, .many = true},                                   \
		{"bundle", 'b', "DIR", .help = "load a bundle", .complete = CLI_COMPLETE_DIR,   \
			.many = true},                                                          \
	{                                                                                       \
		"ignore", .arg = "PATTERN", .help = "leave out files and folders of this name", \
			  .many = true                                                          \
	}
#define POLICY_OPT_QUERY                                                                       \
	{"input", 'i', "FILE", .help = "the input document", .complete = CLI_COMPLETE_FILE},   \
		{"stdin-input", 'I', .help = "read the input document from standard input"},   \
		{"package", .arg = "PACKAGE",                                                  \
			.help = "resolve names of the query in this package"},                 \
		{"import", .arg = "PATH", .help = "an import for the query", .many = true},    \
		{"strict-builtin-errors",                                                      \
			.help = "the first error of a built-in ends the evaluation"},          \
		{"timeout", .arg = "TIME", .help = "refuse to run longer, e.g. 500ms or 5s"},  \
		{"max-steps", .arg = "N", .help = "refuse to run more instructions"},          \
	{                                                                                      \
		"max-memory", .arg = "SIZE", .help = "refuse to take more memory (default 4G)" \
	}

struct policy_session {
	struct cli *cli;
	struct policy_files files;
	const char *ignore[64];
	struct rego_compiler *compiler;
	struct rego_program *program;
	unsigned query;
	struct rego_eval *eval;
	const struct rego_value *input; /* of @eval; NULL: none */
	const struct rego_value *data;	/* of @eval: the base document */
	struct buf input_text;
	unsigned default_timeout_ms; /* without --timeout; 0: no limit */
	FILE *print;		     /* where print() goes; NULL: nowhere */
	bool test_cases;	     /* of tests are noted in @cases, while that is set */
	struct policy_cases *cases;
	uint64_t parse_ns, compile_ns, eval_ns;
};

/** policy_session_load() - files of --data, --bundle and of the arguments from @first on */
must_check int policy_session_load(struct policy_session *s, bool args_are_data, struct err *e);
/** policy_session_compile() - @query may be NULL. Errors are in the compiler's diagnostics. */
must_check int policy_session_compile(struct policy_session *s, const char *query, struct err *e);
/** policy_session_eval() - make the evaluator, with data and input */
must_check int policy_session_eval(struct policy_session *s, struct err *e);
void policy_session_done(struct policy_session *s);

/**
 * policy_errors_json() - append {"errors": [...]} members: those of the compiler, or else @e
 * policy_errors_text() - likewise for a person: "2 errors occurred:" and a line for each
 */
void policy_errors_json(
	struct buf *out, const struct policy_session *s, int r, const struct err *e);
void policy_errors_text(
	struct buf *out, const struct policy_session *s, int r, const struct err *e);

/** policy_duration() - "5s", "1m30s", "100ms" in milliseconds, at least 1. Return: 0, -EINVAL. */
must_check int policy_duration(const char *text, unsigned *ret_ms);
uint64_t policy_now_ns(void);
