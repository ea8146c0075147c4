/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the rooms share. */
#include "evidence/evidence.h"

int evidence_tpm_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_sample_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_sample_device_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_nvidia_dpu_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_nvidia_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_azure_snp_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_azure_tdx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_cca_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_csv_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_dcu_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_se_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_snp_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_sgx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);
int evidence_tdx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr);

/** check_fix() - what to do about the failed check @name, for a person; never NULL */
const char *check_fix(const char *name);
/**
 * check_note() - record one check; a failed one denies, comes with what to do about it and, if it is
 * the first, becomes the reason
 * @expected, @actual, @detail: may be NULL
 * Return: 0 when @ok, -EACCES when not, -ENOMEM.
 */
must_check int check_note(struct evidence_result *r, const char *name, bool ok,
	const char *expected, const char *actual, const char *detail);
/**
 * check_passed() - record @count passed checks at once
 * @names: static; the array of notes is made once and kept in *@cache
 */
must_check int check_passed(
	struct evidence_result *r, const char *const *names, size_t count, json_t **cache);
/** check_bytes() - compare and record both sides as hex */
must_check int check_bytes(struct evidence_result *r, const char *name, struct slice expected,
	struct slice actual, const char *detail);
/** check_errno() - record the outcome of a call: 0 passes; anything else fails with its text */
must_check int check_errno(
	struct evidence_result *r, const char *name, int code, const struct err *e);
/**
 * check_collateral() - ask @p for @key; what is not there denies, and is added to what is missing
 * Return: 0, -EACCES, -ENOMEM.
 */
must_check int check_collateral(struct evidence_result *r, const struct collateral_provider *p,
	const char *key, struct slice *ret);
/** check_padded() - @expected cut or padded with zeros to the size of @actual, which is at most 64
 */
must_check int check_padded(struct evidence_result *r, const char *name, struct slice expected,
	struct slice actual, const char *detail);

/** check_bindings() - report data and init data against the fields of a report; @init_name is said
 * when the latter differs */
must_check int check_bindings(const struct evidence_request *request, struct slice report_data,
	const char *init_name, struct slice init_field, struct evidence_result *result);

/** struct claim_field - a field that becomes a claim in hex */
struct claim_field {
	const char *name;
	struct slice value;
};
/** put_fields() - new object of @fields under @name. Return: 0, -ENOMEM. */
must_check int put_fields(
	json_t *o, const char *name, const struct claim_field *fields, size_t count);
