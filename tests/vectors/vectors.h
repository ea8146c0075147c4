/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Runs folders of test vectors: DIR/.../CASE/expected.json names its files and says what must come
 * out. A new kind of evidence is one function and one line of the table in main.c.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * struct vector - one case
 * @mutate: 0, or every how many bytes of accepted evidence are flipped, see mutate.h
 * @why: what was wrong, written by vector_fail()
 */
struct vector {
	const char *dir;
	const json_t *expected;
	size_t mutate;
	char why[512];
};

/** vector_fail() - record the first failure. Return: -1. */
int vector_fail(struct vector *v, const char *fmt, ...) format_printf(2, 3);
/** vector_read() - a file beside expected.json, appended. Return: 0, -1 (recorded). */
must_check int vector_read(struct vector *v, const char *file, struct buf *out);
/** vector_file() - name of the file with role @role in "files"; NULL when there is none */
const char *vector_file(const struct vector *v, const char *role);
/** vector_str() - string member of expected.json; NULL when absent */
const char *vector_str(const struct vector *v, const char *name);
/** vector_is_valid() - the verdict is "valid" */
bool vector_is_valid(const struct vector *v);
/** vector_is_parse_only() - the verdict is "parse-only": the bytes must be read, no more */
bool vector_is_parse_only(const struct vector *v);

/** struct vector_check - a check in "check_results", and how husk's reason for it begins */
struct vector_check {
	const char *in_file, *check;
};
/**
 * vector_refusal() - one of the checks that the case says to fail must be what refused it; a case
 * that names none of @checks says no more than its verdict. Return: 0, -1.
 */
must_check int vector_refusal(
	struct vector *v, const struct vector_check *checks, size_t count, const char *reason);
/** vector_hex() - member @name of @o, when there is one, must be @value in hex. Return: 0, -1. */
must_check int vector_hex(struct vector *v, const json_t *o, const char *name, struct slice value);
/** vector_int() - likewise for a number */
must_check int vector_int(struct vector *v, const json_t *o, const char *name, int64_t value);

/** vector_pack() - the items of "cases", an array or a line each. Return: NULL (recorded). */
json_t *vector_pack(struct vector *v);
/** vector_item() - put the name of a pack's failed item before the reason. Return: -1. */
int vector_item(struct vector *v, const json_t *item);

/* Handlers. Return: 0 passed, -1 failed (recorded). */
int vector_dcap(struct vector *v);
int vector_log(struct vector *v);
int vector_snp(struct vector *v);
int vector_snp_measure(struct vector *v);
int vector_azure(struct vector *v);
int vector_cca(struct vector *v);
int vector_ibm_se(struct vector *v);
int vector_tpm(struct vector *v);
int vector_csv(struct vector *v);
int vector_cose(struct vector *v);
int vector_nvidia(struct vector *v);
int vector_cosign(struct vector *v);
int vector_simple(struct vector *v);
int vector_ocicrypt(struct vector *v);
int vector_jwt(struct vector *v);
int vector_sealed(struct vector *v);
int vector_initdata(struct vector *v);
int vector_sigstore(struct vector *v);
