/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The relying party's embedded store: one SQLite file in WAL mode.
 *
 * Theory of operation
 *  - One process (the vault) opens the store; the file lock makes a second opener fail.
 *  - synchronous=FULL: every function below that says *durable* has reached the disk when it
 *    returns 0, and a kill -9 or power loss afterwards cannot undo it. A failed call left nothing.
 *  - store_verdict_add() is the exception: verdicts of guests are written in a running
 *    transaction and reach the disk with the next durable write or store_flush(), so that a flood of
 *    attestations does not cost one fsync each. They can be read back at once.
 *  - Content never leaves through list functions; deleted content is overwritten (secure_delete).
 *  - The audit table refuses UPDATE and DELETE by trigger and chains SHA-256 hashes.
 *
 * Namespaces follow the key broker's habits: a resource key is "repository/type/tag", a policy id is
 * "resource-policy" (what may be read) or "<name>_<class>" (how evidence is appraised).
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

struct store;

#define STORE_RESOURCE_MAX ((size_t)16 << 20)
#define STORE_POLICY_MAX ((size_t)1 << 20)
#define STORE_VALUE_MAX ((size_t)1 << 20)
#define STORE_NAME_MAX 512
#define STORE_ID_SIZE 33

/**
 * store_open() - open or create the store file, migrate it to this program's schema
 * @path: file; its folder must exist. ":memory:" keeps nothing (tests)
 *
 * Return: 0, -EBUSY (another process has it), -EOPNOTSUPP (written by a newer husk), -EIO and other
 * errno; @reterr says what to do.
 */
must_check int store_open(const char *path, struct store **ret, struct err *reterr);
/** store_close() - flush and close; accepts NULL */
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close);
/** store_flush() - make everything written so far durable */
must_check int store_flush(struct store *s, struct err *reterr);
/** store_ready() - a cheap read that fails when the store is unusable */
must_check int store_ready(struct store *s);

/* --- resources --- */

/**
 * struct store_change - who changed what, for the audit log
 * @actor: role of the admin, or "system"
 * @peer: address of the client, or ""
 */
struct store_change {
	const char *actor;
	const char *peer;
	int64_t now;
};

/**
 * store_resource_put() - write a resource (durable)
 * @overwrite: false makes an existing key -EEXIST, decided atomically
 * @ret_version: new version, counted from 1; may be NULL
 *
 * Return: 0, -EEXIST, -E2BIG, -EIO.
 */
must_check int store_resource_put(struct store *s, const struct store_change *by, const char *key,
	struct slice content, bool overwrite, int64_t *ret_version, struct err *reterr);
/** store_resource_get() - read a resource into a secret. Return: 0, -ENOENT, -EIO, -ENOMEM. */
must_check int store_resource_get(
	struct store *s, const char *key, struct secret *ret, struct err *reterr);
/** store_resource_delete() - remove (durable). Return: 0, -ENOENT, -EIO. */
must_check int store_resource_delete(
	struct store *s, const struct store_change *by, const char *key, struct err *reterr);
/** store_resource_list() - array of {path, version, size, created, modified}; never content */
must_check int store_resource_list(struct store *s, json_t **ret, struct err *reterr);

/* --- policies --- */

/** store_policy_set() - add a version and make it the active one (durable) */
must_check int store_policy_set(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr);
/**
 * store_policy_get() - one policy
 * @version: 0 for the active one
 * Return: 0, -ENOENT, -EIO. @text is appended to; @ret_version may be NULL.
 */
must_check int store_policy_get(struct store *s, const char *id, int64_t version, struct buf *text,
	int64_t *ret_version, struct err *reterr);
/** store_policy_list() - array of {id, version, created, sha256, size}, active versions only */
must_check int store_policy_list(struct store *s, json_t **ret, struct err *reterr);

/* --- reference values --- */

/**
 * store_rv_put() - write records {version, name, expiration, value} (durable, all or none)
 * @records: array of such objects; expiration is RFC 3339
 * Return: 0, -EINVAL (a record lacks a member), -E2BIG, -EIO.
 */
must_check int store_rv_put(
	struct store *s, const struct store_change *by, const json_t *records, struct err *reterr);
/** store_rv_delete() - remove one name (durable). Return: 0, -ENOENT, -EIO. */
must_check int store_rv_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr);
/** store_rv_list() - array of {version, name, expiration, registered, value}, expired ones too */
must_check int store_rv_list(struct store *s, json_t **ret, struct err *reterr);

/* --- verdicts --- */

/**
 * store_verdict_add() - keep the record of one decision (not durable by itself)
 * @id: STORE_ID_SIZE-1 hex digits
 * @record: JSON text of the full explanation
 * @keep: the oldest records beyond this many are dropped
 */
must_check int store_verdict_add(struct store *s, const char *id, int64_t now, const char *kind,
	const char *tee, const char *status, const char *record, unsigned keep, struct err *reterr);
/** store_verdict_get() - the record as JSON. Return: 0, -ENOENT, -EIO. */
must_check int store_verdict_get(struct store *s, const char *id, json_t **ret, struct err *reterr);
/** store_verdict_list() - newest first, array of {id, time, kind, tee, status}, at most @limit */
must_check int store_verdict_list(
	struct store *s, unsigned limit, json_t **ret, struct err *reterr);

/* --- audit --- */

/** store_audit_list() - newest first, at most @limit */
must_check int store_audit_list(struct store *s, unsigned limit, json_t **ret, struct err *reterr);
/** store_audit_add() - record an action that changed nothing else (durable) */
must_check int store_audit_add(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr);
/** store_audit_check() - recompute the hash chain. Return: 0, -EKEYREJECTED (broken), -EIO. */
must_check int store_audit_check(struct store *s, struct err *reterr);
