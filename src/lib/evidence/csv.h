/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hygon CSV and DCU. The root key (HRK) is built in; below it are HSK, CEK (of the chip), PEK. What
 * evidence does not carry is collateral:
 *
 *   hygon/csv/hsk_cek/SERIAL     HSK and CEK, 832 and 2084 bytes; SERIAL in lower case
 *   hygon/dcu/hsk_cek/CHIP       likewise of an accelerator
 *
 * Hygon's certificates have no dates, and Hygon publishes no revocation lists.
 */
#include "evidence/collateral.h"
#include "evidence/internal.h"
#include "fmt/csv.h"

#define CSV_HSK_CEK_SIZE (CSV_CA_CERT_SIZE + CSV_CERT_SIZE)

/** csv_builtin_root() - Hygon's HRK certificate */
struct slice csv_builtin_root(void);
/** csv_verify_chain() - HRK, HSK, CEK; recorded in @result. Return: 0, -EACCES, -ENOMEM. */
must_check int csv_verify_chain(const struct evidence_request *request, struct slice hsk,
	struct slice cek, struct evidence_result *result, struct csv_cert *ret_cek);
/**
 * csv_verify() - a report whose chain ends in @hsk and @cek
 * @pek: certificate that came beside the report; empty: it is in the report, whose MAC is checked
 * then
 * Return: 0, -EACCES, -ENOMEM.
 */
must_check int csv_verify(const struct evidence_request *request, struct slice hsk,
	struct slice cek, struct slice pek, const struct csv_report *report,
	struct evidence_result *result);
/** csv_check_signed() - @signature over @bytes is by @signer, in its role. Return: as
 * sm2_verify(); @reterr says why. */
must_check int csv_check_signed(const struct csv_cert *signer,
	const struct csv_signature *signature, struct slice bytes, struct err *reterr);
/**
 * csv_collateral_key() - @kind: "csv" or "dcu"; @serial: padded with zeros
 * Return: 0, -EBADMSG (not letters, digits, '-' and '_').
 */
must_check int csv_collateral_key(
	const char *kind, struct slice serial, char dst[COLLATERAL_KEY_SIZE], struct err *reterr);
/** csv_hsk_cek() - ask the collateral for the chain of a chip. Return: 0, -EACCES, -ENOMEM. */
must_check int csv_hsk_cek(const struct evidence_request *request, const char *kind,
	struct slice serial, struct evidence_result *result, struct slice *ret_hsk,
	struct slice *ret_cek);

/** csv_ca_cert_from_json() and kin - the bytes of Trustee's structures. Return: 0, -EBADMSG. */
must_check int csv_ca_cert_from_json(
	const json_t *cert, uint8_t ret[CSV_CA_CERT_SIZE], struct err *reterr);
must_check int csv_cert_from_json(
	const json_t *cert, uint8_t ret[CSV_CERT_SIZE], struct err *reterr);
must_check int csv_dcu_report_from_json(
	const json_t *report, uint8_t ret[CSV_DCU_REPORT_SIZE], struct err *reterr);
