/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reference value provider: from registration messages to records, and from records to the values
 * that count now. Pure functions; the store keeps the records.
 *
 * Message: {"version":"0.1.0","type":"sample","payload":base64(JSON map)}. husk adds an optional
 * member "expiration" (RFC 3339); without it a value lives 12 months.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

#define RVPS_MESSAGE_MAX ((size_t)1 << 20)
#define RVPS_NAMES_MAX 4096
#define RVPS_VERSION "0.1.0"

/**
 * rvps_extract() - records of a registration message
 * @now: seconds since the epoch
 * @ret_records: array of {version, name, expiration, value}, new reference
 *
 * Return: 0, -EBADMSG, -E2BIG, -EOPNOTSUPP (message version or type), -ESTALE (expiration lies in
 * the past), -ENOMEM.
 */
must_check int rvps_extract(
	struct slice message, int64_t now, json_t **ret_records, struct err *reterr);

/**
 * struct rvps_snapshot - reference values as the verifier holds them
 *
 * Immutable; a change makes a new one.
 */
struct rvps_snapshot;
/** rvps_snapshot_new() - from an array of records; takes its own reference. NULL on ENOMEM. */
struct rvps_snapshot *rvps_snapshot_new(const json_t *records);
void rvps_snapshot_free(struct rvps_snapshot *s);
DEFINE_CLEANUP(struct rvps_snapshot *, rvps_snapshot_free);
/**
 * rvps_query() - the value that counts at @now
 * @ret_expired: when not NULL, set to true if a value exists but is past its expiration
 *
 * Return: borrowed value, NULL when there is none or it has expired.
 */
const json_t *rvps_query(
	const struct rvps_snapshot *s, const char *name, int64_t now, bool *ret_expired);
