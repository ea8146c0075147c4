/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reference value provider: records and the values that count now. Pure functions; the store keeps the
 * records, rvps/extract.h makes them.
 *
 * Record: {version, name, expiration, value, provenance, staged?}; "staged" is a record, too, of the
 * value that a roll-out brings: while it is there, policies see the items of both lists.
 *
 * Message: {"version":"0.1.0","type","payload":base64}. husk adds the optional members "expiration"
 * (RFC 3339; else a value lives 12 months, or as long as its manifest says) and "stage" (true), and the
 * types "promote" and "withdraw", whose payload is a JSON list of names.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

#define RVPS_MESSAGE_MAX ((size_t)1 << 20)
#define RVPS_NAMES_MAX 4096
#define RVPS_VERSION "0.1.0"

/**
 * rvps_apply() - what records become by changes
 * @records: those that are stored
 * @changes: of rvps_extract(): a record replaces the one of its name; with "stage": true it stands
 *     beside it, so that both count until one is chosen; {"name", "action"} chooses: "promote" the
 *     staged one, "withdraw" the old one
 * @ret: array of the records that are to be written, new reference
 *
 * Return: 0, -EINVAL (staged, but not a list), -ENOENT (nothing is staged), -ENOMEM.
 */
must_check int rvps_apply(const json_t *records, const json_t *changes, int64_t now, json_t **ret,
	struct err *reterr);

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
