/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Rego: the policy language of the Open Policy Agent, as a library.
 *
 * Use: a compiler takes modules (source text) and makes an immutable program. An evaluator runs
 * entry points of a program against an input document and a data document; it can be reused, and
 * many evaluators may share one program. The library does no I/O, reads no clock and keeps no
 * global state: the same program, documents and time give the same answer.
 *
 * Values are immutable and belong to the evaluator (or program) that made them. Those of an
 * evaluator live until rego_eval_reset() or rego_eval_free().
 *
 * Threads: a compiler or an evaluator belongs to one thread at a time; a program may be shared.
 *
 * Spec: OPA policy language (Rego v1, and v0 with the future.keywords and rego.v1 imports), and
 * OPA's built-in function reference.
 */
#include "base/err.h"
#include "base/slice.h"

struct rego_compiler;
struct rego_program;
struct rego_eval;
struct rego_value;
struct rego_call;
struct buf;

/*
 * Errors of compilation (err.field holds OPA's code, err.offset the byte offset in the source,
 * err.text begins with "FILE:LINE:COLUMN: ") and of evaluation.
 */
#define REGO_ERR_SYNTAX (-EBADMSG)  /* "rego_parse_error": source is not Rego */
#define REGO_ERR_COMPILE (-EINVAL)  /* "rego_unsafe_var_error", "rego_recursion_error", ... */
#define REGO_ERR_CONFLICT (-EEXIST) /* "eval_conflict_error": one rule, two values */
#define REGO_ERR_BUILTIN (-EDOM)    /* "eval_builtin_error", "eval_type_error": strict mode only */
#define REGO_ERR_STEPS (-EDQUOT)    /* the step budget is spent */
#define REGO_ERR_MEMORY (-ENOBUFS)  /* the memory budget is spent */
#define REGO_ERR_DEPTH (-ELOOP)	    /* rules, values or source are nested too deeply */
#define REGO_ERR_TIME (-ETIMEDOUT)  /* the wall time budget is spent */

/* --- values ------------------------------------------------------------------------------- */

/* In OPA's total order of types. */
enum rego_type {
	REGO_NULL,
	REGO_BOOL,
	REGO_NUMBER,
	REGO_STRING,
	REGO_ARRAY,
	REGO_OBJECT,
	REGO_SET,
};

/** rego_type() - type of a value; @v must not be NULL */
enum rego_type rego_type(const struct rego_value *v);
/** rego_is_true() - whether @v is the boolean true; NULL (undefined) is not */
bool rego_is_true(const struct rego_value *v);
/** rego_text() - bytes of a string or the text of a number; empty for other types */
struct slice rego_text(const struct rego_value *v);
/** rego_int() - Return: 0, -EINVAL when @v is no integer, -ERANGE when it exceeds int64_t */
must_check int rego_int(const struct rego_value *v, int64_t *ret);
/** rego_count() - elements of an array, object or set; 0 for other types */
size_t rego_count(const struct rego_value *v);
/**
 * rego_item() - element @index of an array or set, value @index of an object; objects and sets are
 * kept in OPA's order. Return: NULL when @index is out of range.
 */
const struct rego_value *rego_item(const struct rego_value *v, size_t index);
/** rego_key() - key @index of an object, element of a set; NULL for other types or out of range */
const struct rego_value *rego_key(const struct rego_value *v, size_t index);
/** rego_member() - value under a string key of an object; NULL when absent or @v is no object */
const struct rego_value *rego_member(const struct rego_value *v, const char *name);
/** rego_compare() - OPA's total order: negative, zero, positive */
int rego_compare(const struct rego_value *a, const struct rego_value *b);

/**
 * rego_json() - append canonical JSON: keys sorted, no blanks, sets as arrays, numbers as written
 * Failures latch in @out.
 */
void rego_json(struct buf *out, const struct rego_value *v);
/** rego_print() - append Rego text: as JSON, but sets as {1, 2} and blanks after ',' and ':' */
void rego_print(struct buf *out, const struct rego_value *v);

/* --- compilation -------------------------------------------------------------------------- */

enum rego_dialect {
	/*
	 * Accepts policies of either version: all keywords are active, `if` and `contains` are
	 * optional. `p[x] { ... }` without `if` means a set, as in v0.
	 */
	REGO_DIALECT_ANY,
	REGO_DIALECT_V1, /* as `opa --v1-compatible`, OPA 1.0 and later */
	REGO_DIALECT_V0, /* as `opa --v0-compatible`: keywords have to be imported */
};

struct rego_compile_options {
	enum rego_dialect dialect;
	size_t max_memory;  /* bytes for source trees and program; 0: 256 MiB */
	unsigned max_depth; /* nesting of source; 0: 256 */
	bool strict;	    /* also refuse unused locals and imports, as `opa check --strict` */
	/*
	 * Rules test_NAME[KEY] call internal.test_case([KEY...]), which the embedder declares, as soon
	 * as their keys are known: so that a case that fails is known, too.
	 */
	bool test_cases;
};

/** rego_compiler_new() - @options may be NULL (all zero). Return: NULL on ENOMEM. */
struct rego_compiler *rego_compiler_new(const struct rego_compile_options *options);
void rego_compiler_free(struct rego_compiler *c);
DEFINE_CLEANUP(struct rego_compiler *, rego_compiler_free);

/**
 * typedef rego_builtin_fn - a built-in function of the embedder
 * @call: for the rego_call_*() functions; valid during the call
 * @args: @count arguments, never NULL
 * @ret: result; left NULL for undefined
 *
 * Must be deterministic within one evaluation. Values are made with rego_call_*().
 * Return: 0, or a negative errno that ends the evaluation with that error (use rego_call_fail() for
 * OPA's "built-in error", which makes the call undefined unless strict errors are on).
 */
typedef int (*rego_builtin_fn)(struct rego_call *call, const struct rego_value *const *args,
	size_t count, const struct rego_value **ret);

/**
 * rego_compiler_builtin() - declare a built-in; must precede the modules that call it
 * @name: dotted name; copied. A name of a standard built-in replaces it.
 * @arity: number of arguments
 * Return: 0, -EINVAL (arity above 16), -ENOMEM.
 */
must_check int rego_compiler_builtin(
	struct rego_compiler *c, const char *name, unsigned arity, rego_builtin_fn fn);

struct rego_builtin {
	const char *name;
	unsigned arity;
	rego_builtin_fn fn;
};
/** rego_compiler_builtins() - rego_compiler_builtin() for each of @count */
must_check int rego_compiler_builtins(
	struct rego_compiler *c, const struct rego_builtin *list, size_t count);

/**
 * rego_compiler_module() - parse one module and keep it
 * @file: name used in messages; copied
 * @source: UTF-8 text; copied
 * Return: 0, REGO_ERR_SYNTAX, REGO_ERR_DEPTH, REGO_ERR_MEMORY, -ENOMEM.
 */
must_check int rego_compiler_module(
	struct rego_compiler *c, const char *file, struct slice source, struct err *reterr);

/**
 * rego_compiler_query() - parse a query, e.g. "data.policy.allow = x", and keep it
 * @ret_id: number of the query, for rego_eval_query()
 * Return: as rego_compiler_module().
 */
must_check int rego_compiler_query(
	struct rego_compiler *c, struct slice query, unsigned *ret_id, struct err *reterr);

/**
 * struct rego_query_options - where the names of a query are looked up
 * @package: dotted path without "data"; NULL: none
 * @imports: paths, e.g. "data.a as b"
 */
struct rego_query_options {
	const char *package;
	const char *const *imports;
	size_t import_count;
};

/**
 * rego_compiler_rows() - a query whose solutions carry the value of each expression
 *
 * rego_eval_query() then gives an array of OPA's results:
 *   {"expressions": [{"value": ..., "text": "...", "location": {"row": 1, "col": 1}}],
 *    "bindings": {NAME: VALUE}}
 * An expression that is a term or a call of a function with a value need not be true to give a
 * solution: its value is shown instead.
 * @options: must not be NULL; strings are copied
 * Return: as rego_compiler_module().
 */
must_check int rego_compiler_rows(struct rego_compiler *c, struct slice query,
	const struct rego_query_options *options, unsigned *ret_id, struct err *reterr);

/**
 * rego_compiler_finish() - check all modules together and make the program
 * The compiler can only be freed afterwards; the program does not need it.
 * Return: 0, REGO_ERR_COMPILE, REGO_ERR_SYNTAX, REGO_ERR_DEPTH, REGO_ERR_MEMORY, -ENOMEM.
 */
must_check int rego_compiler_finish(
	struct rego_compiler *c, struct rego_program **ret, struct err *reterr);

/**
 * struct rego_diagnostic - one error of the source
 * @code: OPA's: "rego_parse_error", "rego_unsafe_var_error", ...
 * @row, @column: from 1, column in bytes; 0 when the error has no place
 */
struct rego_diagnostic {
	const char *code;
	const char *file;
	const char *message;
	uint32_t row, column;
	size_t offset;
};

/**
 * rego_compiler_diagnostics() - all errors found so far, sorted by place after
 * rego_compiler_finish()
 * A module that cannot be parsed gives one; the others may be added nevertheless.
 * @ret: array owned by @c
 * Return: how many
 */
size_t rego_compiler_diagnostics(const struct rego_compiler *c, const struct rego_diagnostic **ret);

/** rego_compile() - one module to one program, with default options; ANY dialect */
must_check int rego_compile(
	const char *file, struct slice source, struct rego_program **ret, struct err *reterr);

void rego_program_free(struct rego_program *p);
DEFINE_CLEANUP(struct rego_program *, rego_program_free);

/** rego_program_size() - bytes the program occupies */
size_t rego_program_size(const struct rego_program *p);

/**
 * struct rego_rule_info - one rule: all definitions with the same path
 * @path: "data.policy.allow"
 * @package: "data.policy"
 * @file, @row, @column: of the first definition; of the default when there is no other
 */
struct rego_rule_info {
	const char *path;
	const char *package;
	const char *file;
	uint32_t row, column;
	bool is_function;
	bool is_object; /* NAME[KEY] := VALUE: its value is made of the definitions */
};

/** rego_program_rules() - how many rules the program has */
size_t rego_program_rules(const struct rego_program *p);
/** rego_program_rule() - describe rule @index, in order of the source; false when out of range */
bool rego_program_rule(const struct rego_program *p, size_t index, struct rego_rule_info *ret);

/**
 * struct rego_format_options - how to format a module
 * @dialect: of the source; REGO_DIALECT_ANY is taken for v1
 * @to_v1: the source is v0; the result is both v0 and v1
 * @drop_imports: leave out imports that v1 does not need
 */
struct rego_format_options {
	enum rego_dialect dialect;
	bool to_v1;
	bool drop_imports;
};

/**
 * rego_format() - a module in the canonical layout of `opa fmt`
 * @options: may be NULL
 * @out: the result is appended
 *
 * Formatting twice changes nothing more, and the result means what @source means: it is parsed
 * again and compared. Return: 0, REGO_ERR_SYNTAX (also for a result that would mean something
 * else), REGO_ERR_DEPTH, REGO_ERR_MEMORY, -E2BIG, -ENOMEM.
 */
must_check int rego_format(const char *file, struct slice source,
	const struct rego_format_options *options, struct buf *out, struct err *reterr);

/* --- evaluation --------------------------------------------------------------------------- */

/* What a path led to. The zero value means that there is nothing to decide upon. */
enum rego_outcome {
	REGO_RULE_MISSING, /* no rule and no data at this path */
	REGO_UNDEFINED,	   /* the rule exists but has no value for this input */
	REGO_VALUE,	   /* a value */
};

struct rego_eval_options {
	uint64_t max_steps;		    /* instructions; 0: 50 million */
	size_t max_memory;		    /* bytes of the arena; 0: 256 MiB */
	unsigned max_depth;		    /* nested rule and function calls; 0: 512 */
	unsigned max_time_ms;		    /* wall time, needs @clock_ms; 0: no limit */
	uint64_t (*clock_ms)(void *cookie); /* monotonic milliseconds */
	int64_t now_ns;			    /* what time.now_ns() returns */
	uint64_t seed;			    /* for rand.intn and uuid.rfc4122 */
	bool strict_errors;		    /* a failing built-in is an error, not undefined */
	void *cookie; /* for all functions here and the embedder's built-ins */
	/*
	 * Time zone data (RFC 8536) of an IANA name, appended to @out; negative errno when there is
	 * none. NULL: UTC is the only zone. The name comes from the policy and is not checked.
	 */
	int (*time_zone)(void *cookie, const char *name, struct buf *out);
	/* One line of print(); NULL drops it. */
	void (*print)(void *cookie, struct slice line);
};

/** rego_eval_new() - @p is borrowed and must outlive it; @options may be NULL; copied */
struct rego_eval *rego_eval_new(
	const struct rego_program *p, const struct rego_eval_options *options);
void rego_eval_free(struct rego_eval *e);
DEFINE_CLEANUP(struct rego_eval *, rego_eval_free);
/** rego_eval_reset() - forget documents, results and caches; keeps options and some memory */
void rego_eval_reset(struct rego_eval *e);
/** rego_eval_set_now() - time.now_ns() for the next evaluations */
void rego_eval_set_now(struct rego_eval *e, int64_t now_ns);

/**
 * rego_eval_input_json() - parse the input document
 * The last member wins where a key is repeated, as in OPA. Return: 0, -EBADMSG (err.offset),
 * REGO_ERR_DEPTH, REGO_ERR_MEMORY.
 */
must_check int rego_eval_input_json(struct rego_eval *e, struct slice json, struct err *reterr);
/** rego_eval_data_json() - likewise for the base document `data`; must be an object */
must_check int rego_eval_data_json(struct rego_eval *e, struct slice json, struct err *reterr);
/**
 * rego_eval_input() - set the input; NULL is "no input"
 * The value may belong to a program or another evaluator, which must then live as long as this
 * evaluation and its result. To evaluate often, keep the documents in one evaluator and reset another.
 */
void rego_eval_input(struct rego_eval *e, const struct rego_value *input);
/** rego_eval_data() - set the base document; must be an object. Return: 0, -EINVAL. */
must_check int rego_eval_data(struct rego_eval *e, const struct rego_value *data);

/**
 * rego_eval_path() - value of a document such as "data.policy.allow"
 * @path: dotted names; the leading "data." may be left out
 * @ret_outcome: missing, undefined or value
 * @ret: the value, owned by @e; NULL unless the outcome is REGO_VALUE
 *
 * Return: 0, -EINVAL (bad path), REGO_ERR_CONFLICT, REGO_ERR_BUILTIN, REGO_ERR_STEPS,
 * REGO_ERR_MEMORY, REGO_ERR_DEPTH, REGO_ERR_TIME, or what a built-in of the embedder returned.
 */
must_check int rego_eval_path(struct rego_eval *e, const char *path, enum rego_outcome *ret_outcome,
	const struct rego_value **ret, struct err *reterr);

/**
 * rego_eval_rule() - value of rule @index of rego_program_rule(), which must not be a function
 * Return: as rego_eval_path(); the outcome is never REGO_RULE_MISSING.
 */
must_check int rego_eval_rule(struct rego_eval *e, size_t index, enum rego_outcome *ret_outcome,
	const struct rego_value **ret, struct err *reterr);

/**
 * rego_eval_query() - all solutions of a compiled query
 * @ret: array of objects, one per solution, variable name to value; empty when undefined
 * Return: as rego_eval_path(); -EINVAL for an unknown @id.
 */
must_check int rego_eval_query(
	struct rego_eval *e, unsigned id, const struct rego_value **ret, struct err *reterr);

/** rego_eval_steps(), rego_eval_memory() - spent by the last evaluation */
uint64_t rego_eval_steps(const struct rego_eval *e);
size_t rego_eval_memory(const struct rego_eval *e);

/**
 * rego_eval_explain() - record, in the next evaluations, what decided
 * Costs a few times the evaluation. Off by default and after rego_eval_reset().
 */
void rego_eval_explain(struct rego_eval *e, bool on);

/**
 * rego_explanation() - what the last evaluation with rego_eval_explain() recorded
 *
 * An array of objects, in order of evaluation:
 *   {"rule": "data.policy.allow", "file": "f.rego", "line": 7, "depth": 0,
 *    "result": "value" | "undefined" | "default" | "false" | "error",
 *    "value": ..., "text": "allow if ...",
 *    "expressions": [{"line": 8, "text": "input.x == 1", "result": "true" | "failed" |
 *       "not reached", "left": ..., "right": ..., "tries": 3,
 *       "reason": "\"a\" is not equal to \"b\""}]}
 * "left" and "right" are the values seen at the last failure of a comparison or of `in`.
 * Return: owned by @e, NULL when nothing was recorded or memory ran out.
 */
const struct rego_value *rego_explanation(struct rego_eval *e);

/**
 * rego_explain_text() - append the explanation for a person: for each rule that did not hold, the
 * expression that failed, with file and line and the values seen; one line each
 */
void rego_explain_text(struct rego_eval *e, struct buf *out);

/*
 * Coverage: which rules held and which expressions were evaluated, over any number of evaluations
 * of one program.
 */
struct rego_coverage;
/** rego_coverage_new() - nothing covered yet; @p is borrowed. Return: NULL on ENOMEM. */
struct rego_coverage *rego_coverage_new(const struct rego_program *p);
void rego_coverage_free(struct rego_coverage *c);
DEFINE_CLEANUP(struct rego_coverage *, rego_coverage_free);
/**
 * rego_eval_cover() - mark in @c what the next evaluations reach; NULL: stop
 * @c must be of the same program and outlive that. Off after rego_eval_reset().
 */
void rego_eval_cover(struct rego_eval *e, struct rego_coverage *c);
/** rego_coverage_percent() - covered lines of a hundred; 0 when there is nothing to cover */
double rego_coverage_percent(const struct rego_coverage *c);
/**
 * rego_coverage_json() - append OPA's coverage report: {"files": {FILE: {"covered": [{"start":
 * {"row", "col"}, "end": {...}}], "not_covered": [...], "covered_lines", "not_covered_lines",
 * "coverage"}}, "covered_lines", "not_covered_lines", "coverage"}. Failures latch in @out.
 */
void rego_coverage_json(const struct rego_coverage *c, struct buf *out);

/* --- making values: in an evaluator before evaluating, or in an embedder's built-in ---------- */

/** rego_make_json() - parse; errors as rego_eval_input_json() */
must_check int rego_make_json(
	struct rego_eval *e, struct slice json, const struct rego_value **ret, struct err *reterr);
/*
 * These return NULL when the memory budget is spent, and arrays, sets and objects also when one of
 * their parts is NULL: it is enough to check the whole. Strings must be UTF-8 and are copied.
 */
const struct rego_value *rego_make_null(void);
const struct rego_value *rego_make_bool(bool v);
const struct rego_value *rego_make_int(struct rego_eval *e, int64_t v);
const struct rego_value *rego_make_string(struct rego_eval *e, struct slice s);
const struct rego_value *rego_make_array(
	struct rego_eval *e, const struct rego_value *const *items, size_t count);
const struct rego_value *rego_make_set(
	struct rego_eval *e, const struct rego_value *const *items, size_t count);
/** rego_make_number() - exact, from the text of a JSON number; NULL also when it is none */
const struct rego_value *rego_make_number(struct rego_eval *e, struct slice text);
/** rego_make_object() - @pairs holds key, value, key, value...; the last of equal keys wins */
const struct rego_value *rego_make_object(
	struct rego_eval *e, const struct rego_value *const *pairs, size_t count);

/** rego_call_eval() - the running evaluator, for rego_make_*() */
struct rego_eval *rego_call_eval(struct rego_call *call);
/** rego_call_cookie() - options.cookie of the running evaluator */
void *rego_call_cookie(struct rego_call *call);
/** rego_call_now_ns() - what time.now_ns() returns in this evaluation */
int64_t rego_call_now_ns(const struct rego_call *call);
/**
 * rego_call_fail() - report OPA's eval_builtin_error, "NAME: TEXT"
 * Return: what the built-in returns, with *ret NULL: 0, or REGO_ERR_BUILTIN with strict errors.
 */
int rego_call_fail(struct rego_call *call, const char *fmt, ...) format_printf(2, 3);
/** rego_call_operand_error() - likewise OPA's eval_type_error, "NAME: operand POS TEXT" */
int rego_call_operand_error(struct rego_call *call, unsigned pos, const char *fmt, ...)
	format_printf(3, 4);
/** rego_call_type_error() - likewise "NAME: operand POS must be WANT but got TYPE" */
int rego_call_type_error(
	struct rego_call *call, unsigned pos, const char *want, const struct rego_value *got);
