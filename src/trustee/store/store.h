/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The relying party's store: one SQLite file in WAL mode, or a PostgreSQL database that several
 * replicas share.
 *
 * Theory of operation
 *  - One process (the vault) opens the file; its lock makes a second opener fail. With PostgreSQL
 *    each replica's vault has two connections; changes take turns by the row lock of audit_head.
 *  - Every function below that says *durable* has reached the disk when it
 *    returns 0, and a kill -9 or power loss afterwards cannot undo it. A failed call left nothing.
 *  - store_verdict_add() is the exception: verdicts of guests are written in a running
 *    transaction and reach the disk with the next durable write or store_flush(), so that a flood of
 *    attestations does not cost one fsync each. They can be read back at once.
 *  - Content never leaves through list functions; deleted content is overwritten (secure_delete).
 *  - The audit table refuses UPDATE and DELETE by trigger; a Merkle tree commits to its rows.
 *  - Every function can fail with -EAGAIN or -EPIPE while PostgreSQL is away; nothing is lost that was
 *    acknowledged, and later calls connect again.
 *  - Everything belongs to a tenant; "" is the default one.
 *
 * Namespaces follow the key broker's habits: a resource key is "repository/type/tag", a policy id is
 * "resource-policy" (what may be read) or "<name>_<class>" (how evidence is appraised).
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "evidence/collateral.h"
#include "crypto/merkle.h"
#include "trustee/store/db.h"

struct store;

#define STORE_RESOURCE_MAX ((size_t)16 << 20)
#define STORE_POLICY_MAX ((size_t)1 << 20)
#define STORE_POLICY_VERSIONS 256
#define STORE_VALUE_MAX ((size_t)1 << 20)
#define STORE_NAME_MAX 512
#define STORE_ID_SIZE 33
#define STORE_TENANT_MAX 48
#define STORE_TENANT_SIZE (STORE_TENANT_MAX + 1)
#define STORE_TYPE_SIZE 128

/**
 * store_open() - open or create the SQLite file, migrate it to this program's schema
 * @path: file; its folder must exist. ":memory:" keeps nothing (tests)
 *
 * Return: 0, -EBUSY (another process has it), -EOPNOTSUPP (written by a newer husk), -EIO and other
 * errno; @reterr says what to do.
 */
must_check int store_open(const char *path, struct store **ret, struct err *reterr);
/** store_open_postgres() - likewise a PostgreSQL database, which must exist */
must_check int store_open_postgres(
	const struct db_postgres_options *o, struct store **ret, struct err *reterr);
/** store_close() - flush and close; accepts NULL */
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close);
/** store_flush() - make everything written so far durable */
must_check int store_flush(struct store *s, struct err *reterr);
/** store_commit() - likewise, but on the disk only after store_sync_fd() was synced */
must_check int store_commit(struct store *s, struct err *reterr);
/** store_sync_fd() - what to fdatasync() after store_commit(); -1 when nothing has to be */
int store_sync_fd(struct store *s);
/** store_ready() - a cheap read that fails when the store is unusable */
must_check int store_ready(struct store *s);
/** store_shared() - whether other replicas use it: sessions are kept in it then */
bool store_shared(const struct store *s);
/** store_generation() - a number that grows with each change of policies, values and tenants */
must_check int store_generation(struct store *s, int64_t *ret, struct err *reterr);

/**
 * struct store_change - who changed what, for the audit log
 * @actor: role of the admin, or "system"
 * @peer: address of the client, or ""
 * @tenant: whose; "" for the default tenant
 */
struct store_change {
	const char *actor;
	const char *peer;
	int64_t now;
	const char *tenant;
};

/* --- what plugins keep --- */

#define STORE_ITEM_MAX ((size_t)64 << 10)

/**
 * store_item_add() - keep @content under a key that has nothing yet (durable)
 * @plugin: whose namespace
 * @action: for the audit log
 * It counts in the tenant's quota as a resource does.
 * Return: 0, -EEXIST (decided atomically), -E2BIG, -EDQUOT, -ENOENT (no such tenant), -EIO and others.
 */
must_check int store_item_add(struct store *s, const struct store_change *by, const char *plugin,
	const char *key, struct slice content, const char *action, struct err *reterr);
/** store_item_get() - @ret: released with secret_done(). Return: 0, -ENOENT, -EIO. */
must_check int store_item_get(struct store *s, const char *tenant, const char *plugin,
	const char *key, struct secret *ret, struct err *reterr);
/** store_item_delete() - (durable). Return: 0, -ENOENT, -EIO. */
must_check int store_item_delete(struct store *s, const struct store_change *by, const char *plugin,
	const char *key, const char *action, struct err *reterr);

/* --- tenants --- */

/** struct store_quota - at most this many; 0 is no limit */
struct store_quota {
	int64_t resources, bytes, policies, reference_values;
};

/** store_tenant_set() - make a tenant or change its quota (durable). Return: 0, -EINVAL, -EIO. */
must_check int store_tenant_set(struct store *s, const struct store_change *by, const char *name,
	const struct store_quota *quota, struct err *reterr);
/** store_tenant_delete() - with all it has, but the audit log (durable). Return: 0, -ENOENT, -EIO. */
must_check int store_tenant_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr);
/** store_tenant_list() - array of {name, created, quota, used}, both with the same members */
must_check int store_tenant_list(struct store *s, json_t **ret, struct err *reterr);

/* --- resources --- */

/**
 * struct store_put - how a resource is written
 * @type: content type, NULL or "" for none
 * @overwrite: false makes an existing key -EEXIST, decided atomically
 * @must_exist: a key that is absent is -ESTALE
 * @if_version: the version that must be current, 0 for any; another one is -ESTALE
 * @keep: versions whose content is kept, this one included; older content is overwritten
 */
struct store_put {
	struct slice content;
	const char *type;
	bool overwrite, must_exist;
	int64_t if_version;
	unsigned keep;
};

struct store_resource {
	int64_t version;
	char type[STORE_TYPE_SIZE];
};

/**
 * store_resource_put() - write a version of a resource (durable)
 * @ret_version: counted from 1, never used twice for a key; may be NULL
 *
 * Return: 0, -EEXIST, -ESTALE, -EDQUOT (the tenant's quota), -E2BIG, -EIO.
 */
must_check int store_resource_put(struct store *s, const struct store_change *by, const char *key,
	const struct store_put *put, int64_t *ret_version, struct err *reterr);
/**
 * store_resource_get() - read a resource into a secret
 * @version: 0 for the current one
 * @info: may be NULL
 * Return: 0, -ENOENT, -EIO, -ENOMEM.
 */
must_check int store_resource_get(struct store *s, const char *tenant, const char *key,
	int64_t version, struct secret *ret, struct store_resource *info, struct err *reterr);
/** store_resource_delete() - remove (durable). Return: 0, -ENOENT, -ESTALE, -EIO. */
must_check int store_resource_delete(struct store *s, const struct store_change *by,
	const char *key, int64_t if_version, struct err *reterr);
/** store_resource_list() - array of {path, version, size, type, created, modified}; never content */
must_check int store_resource_list(
	struct store *s, const char *tenant, const char *prefix, json_t **ret, struct err *reterr);
/** store_resource_history() - newest first {version, time, actor, type, size, kept}. -ENOENT. */
must_check int store_resource_history(
	struct store *s, const char *tenant, const char *key, json_t **ret, struct err *reterr);

/* --- policies --- */

/**
 * store_policy_set() - add a version and make it the active one (durable)
 *
 * The newest STORE_POLICY_VERSIONS are kept. Return: 0, -E2BIG, -EDQUOT, -EIO.
 */
must_check int store_policy_set(struct store *s, const struct store_change *by, const char *id,
	struct slice text, int64_t *ret_version, struct err *reterr);
/**
 * store_policy_get() - one policy
 * @version: 0 for the active one
 * Return: 0, -ENOENT, -EIO. @text is appended to; @ret_version may be NULL.
 */
must_check int store_policy_get(struct store *s, const char *tenant, const char *id,
	int64_t version, struct buf *text, int64_t *ret_version, struct err *reterr);
/** store_policy_list() - array of {id, version, created, actor, sha256, size}, active ones only */
must_check int store_policy_list(
	struct store *s, const char *tenant, json_t **ret, struct err *reterr);
/** store_policy_history() - likewise all versions of one, newest first */
must_check int store_policy_history(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr);

/* --- reference values --- */

/**
 * store_rv_put() - write records {version, name, expiration, value} (durable, all or none)
 * @records: array of such objects; expiration is RFC 3339
 * Return: 0, -EINVAL (a record lacks a member), -E2BIG, -EDQUOT, -EIO.
 */
must_check int store_rv_put(
	struct store *s, const struct store_change *by, const json_t *records, struct err *reterr);
/** store_rv_delete() - remove one name (durable). Return: 0, -ENOENT, -EIO. */
must_check int store_rv_delete(
	struct store *s, const struct store_change *by, const char *name, struct err *reterr);
/** store_rv_list() - array of {version, name, expiration, registered, value, provenance?, staged?},
 * expired ones too */
must_check int store_rv_list(struct store *s, const char *tenant, json_t **ret, struct err *reterr);

/* --- verdicts --- */

/**
 * struct store_verdict - the record of one decision
 * @id: STORE_ID_SIZE-1 hex digits
 * @record: JSON text of the full explanation
 * @vector: JSON text of the trustworthiness vector; NULL: there is none
 * @claims: JSON text of what policies were given; NULL: not kept
 * @evidence: the message as it came; empty: not kept. Only beside @claims
 */
struct store_verdict {
	const char *tenant, *id, *kind, *tee, *status, *record;
	const char *vector, *claims;
	struct slice evidence;
	int64_t time;
};

/**
 * struct store_retention - how much is kept; the oldest goes first
 * @verdicts: their number
 * @claims_bytes: of claims and evidence of all verdicts; 0 keeps none
 * Both are looked at with every 64th verdict only.
 */
struct store_retention {
	unsigned verdicts;
	int64_t claims_bytes;
};

/** store_verdict_add() - not durable by itself */
must_check int store_verdict_add(struct store *s, const struct store_verdict *v,
	const struct store_retention *keep, struct err *reterr);
/** store_verdict_get() - the record as JSON. Return: 0, -ENOENT, -EIO. */
must_check int store_verdict_get(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr);
/**
 * store_verdict_claims() - what a verdict rests on
 * @evidence: appended; may be NULL
 * Return: 0, -ENOENT (there were none, or they were dropped), -EIO.
 */
must_check int store_verdict_claims(struct store *s, const char *tenant, const char *id,
	json_t **ret, struct buf *evidence, struct err *reterr);
/**
 * store_verdict_list() - newest first, at most @limit, array of {id, time, kind, tee, status, vector?,
 * claims: bytes that are kept}
 */
must_check int store_verdict_list(
	struct store *s, const char *tenant, unsigned limit, json_t **ret, struct err *reterr);
/** store_verdict_row() - likewise that one, or none */
must_check int store_verdict_row(
	struct store *s, const char *tenant, const char *id, json_t **ret, struct err *reterr);
/** store_verdict_with_claims() - likewise those alone whose claims are kept; @kind: NULL for all */
must_check int store_verdict_with_claims(struct store *s, const char *tenant, const char *kind,
	unsigned limit, json_t **ret, struct err *reterr);

/* --- audit --- */

/**
 * store_audit_list() - newest first, at most @limit
 * @tenant: whose entries, "*" for all
 * @before: entries with a lower number only, 0 for all
 */
must_check int store_audit_list(struct store *s, const char *tenant, uint64_t before,
	unsigned limit, json_t **ret, struct err *reterr);
/** store_audit_add() - record an action that changed nothing else (durable) */
must_check int store_audit_add(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr);
/** store_audit_note() - likewise in the running batch: durable after store_flush() returned 0 */
must_check int store_audit_note(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr);
/** store_audit_head() - number of entries and the root of the tree over them; flushes first */
must_check int store_audit_head(
	struct store *s, uint64_t *ret_size, uint8_t root[MERKLE_HASH_SIZE], struct err *reterr);
/** store_audit_entry() - one entry as JSON, with its leaf hash. Return: 0, -ENOENT, -EIO. */
must_check int store_audit_entry(struct store *s, uint64_t seq, json_t **ret, struct err *reterr);
/** store_audit_leaf() - leaf hash of an entry without its member "leaf" */
must_check int store_audit_leaf(const json_t *entry, uint8_t ret[MERKLE_HASH_SIZE]);
/** store_audit_inclusion() - proof for entry @seq (from 1) in the tree of @size. See merkle.h. */
must_check int store_audit_inclusion(
	struct store *s, uint64_t seq, uint64_t size, struct buf *path, struct err *reterr);
/** store_audit_consistency() - proof that the tree of @size continues the one of @old_size */
must_check int store_audit_consistency(
	struct store *s, uint64_t old_size, uint64_t size, struct buf *path, struct err *reterr);
/** store_audit_check() - recompute every hash. Return: 0, -EKEYREJECTED (broken), -EIO. */
must_check int store_audit_check(struct store *s, struct err *reterr);

/* --- backup --- */

/**
 * store_backup() - everything but sessions as a JSON document, as of one moment; in the clear
 * It is recorded in the audit log, and that entry is in the backup.
 */
must_check int store_backup(
	struct store *s, const struct store_change *by, json_t **ret, struct err *reterr);
/**
 * store_restore() - fill an empty store, wholly or not at all (durable)
 * Return: 0, -EEXIST (it is not empty), -EBADMSG (no backup), -EKEYREJECTED (its audit log is
 * broken), -EIO.
 */
must_check int store_restore(
	struct store *s, const struct store_change *by, const json_t *doc, struct err *reterr);

/* --- sessions; only for a store that is shared --- */

enum store_session_state { STORE_SESSION_PENDING, STORE_SESSION_BUSY, STORE_SESSION_ATTESTED };

/**
 * struct store_session - see kbs/session.h for the states
 * @expires: seconds since the epoch, by the clocks of the replicas
 * @digest: SHA-256 of the attestation that was accepted
 * @token: owned; "" unless attested. Release with free().
 */
struct store_session {
	char id[33];
	char tenant[STORE_TENANT_SIZE];
	char nonce[48];
	char tee[24];
	int protocol; /* the caller's */
	enum store_session_state state;
	int64_t expires;
	uint8_t digest[32];
	char *token;
};

/** store_session_new() - pending, under an id that nobody has used. Return: 0, -EEXIST, -EIO. */
must_check int store_session_new(
	struct store *s, const struct store_session *n, struct err *reterr);
/**
 * store_session_take() - read a session and, when it is pending, make it busy: the caller that gets
 * STORE_SESSION_PENDING owns its nonce, on whichever replica
 * Return: 0, -ENOENT, -ESTALE (expired).
 */
must_check int store_session_take(struct store *s, const char *id, const char *tenant, int64_t now,
	struct store_session *ret, struct err *reterr);
/** store_session_read() - likewise without taking it */
must_check int store_session_read(struct store *s, const char *id, const char *tenant, int64_t now,
	struct store_session *ret, struct err *reterr);
/** store_session_attested() - a busy session gets its token. Return: 0, -ENOENT. */
must_check int store_session_attested(struct store *s, const char *id, const uint8_t digest[32],
	const char *token, struct err *reterr);
must_check int store_session_remove(struct store *s, const char *id, struct err *reterr);
must_check int store_session_expire(struct store *s, int64_t now, struct err *reterr);
must_check int store_session_count(struct store *s, uint64_t *ret_pending, uint64_t *ret_attested);

/* --- collateral --- */

/**
 * store_collateral_put() - keep an item that was fetched; durable with the next durable write
 * Return: 0 or negative errno.
 */
must_check int store_collateral_put(
	struct store *s, const char *key, struct slice item, int64_t now, struct err *reterr);
/**
 * store_collateral_load() - add what is kept to @into
 * @key: that item with its issuer chain alone; NULL: all
 * Return: 0, also when there is none; negative errno.
 */
must_check int store_collateral_load(struct store *s, const char *key,
	struct collateral_store *into, size_t *ret_count, struct err *reterr);
