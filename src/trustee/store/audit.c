/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: append-only rows and the Merkle tree of RFC 6962 over them. A leaf is the hash of
 * the row as canonical JSON, so that anybody with the row can check a proof.
 *
 * What appending needs (hashes of the perfect subtrees) is one row, audit_head, which is also the
 * lock that replicas take turns on. Inner nodes are stored at every eighth level only: a proof
 * reads at most 256 hashes per level, and appending costs one extra row in 256.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "trustee/store/internal.h"

#define TILE 8 /* levels between stored nodes */

int store_sha256_hex(struct slice in, char ret[65])
{
	struct digest d;
	int r = hash_once(HASH_SHA256, in, &d);

	if (r < 0)
		return r;
	hex_str(digest_slice(&d), ret, 65);
	return 0;
}

int audit_lock(struct store *s, struct err *reterr)
{
	static const char *const sql[] = {
		[DB_SQLITE] = "SELECT size, nodes FROM audit_head WHERE id = 1",
		[DB_POSTGRES] = "SELECT size, nodes FROM audit_head WHERE id = 1 FOR UPDATE",
	};
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct slice nodes;
	int r;

	if (s->head_loaded)
		return 0;
	r = db_query(s->db, sql[db_kind(s->db)], DB_NOTHING, &rows, reterr);
	if (r == 0)
		r = db_next(rows, reterr);
	if (r < 0)
		return r;
	nodes = r ? db_blob(rows, 1) : SLICE_EMPTY;
	if (r == 0 || nodes.size > sizeof(s->head.nodes) || nodes.size % MERKLE_HASH_SIZE)
		return err_set(reterr, -EIO, "the head of the audit log is damaged");
	s->head = (struct merkle){.size = (uint64_t)db_int(rows, 0),
		.count = (unsigned)(nodes.size / MERKLE_HASH_SIZE)};
	if (nodes.size)
		memcpy(s->head.nodes, nodes.data, nodes.size);
	if ((unsigned)__builtin_popcountll(s->head.size) != s->head.count)
		return err_set(reterr, -EIO, "the head of the audit log is damaged");
	s->head_loaded = true;
	s->head_saved = s->head;
	return 0;
}

int audit_write_head(struct store *s, struct err *reterr)
{
	const struct slice nodes =
		slice_of(s->head.nodes, (size_t)s->head.count * MERKLE_HASH_SIZE);

	if (!s->head_dirty)
		return 0;
	s->head_dirty = false;
	return db_run(s->db, "UPDATE audit_head SET size = $1, nodes = $2 WHERE id = 1",
		DB_WITH(DB_INT(s->head.size), DB_BYTES(DB_TYPE_BLOB, nodes)), NULL, reterr);
}

/* The members that the hash covers. */
static json_t *entry_json(uint64_t seq, int64_t time, const char *tenant, const char *actor,
	const char *peer, const char *action, const char *object, const char *detail)
{
	return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "seq", (json_int_t)seq, "time",
		(json_int_t)time, "tenant", tenant, "actor", actor, "peer", peer, "action", action,
		"object", object, "detail", detail);
}

int store_audit_leaf(const json_t *entry, uint8_t ret[MERKLE_HASH_SIZE])
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	int r = entry ? jcs_write(entry, &text) : -ENOMEM;

	return r < 0 ? r : merkle_leaf(buf_slice(&text), ret);
}

/* Root of @count hashes that start at @from on a stored level. */
static int fold(struct store *s, unsigned level, uint64_t from, uint64_t count,
	uint8_t ret[MERKLE_HASH_SIZE], struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct merkle m = {0};
	int r;

	if (level == 0)
		r = db_query(s->db,
			"SELECT leaf FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq",
			DB_WITH(DB_INT(from), DB_INT(from + count)), &rows, reterr);
	else
		r = db_query(s->db,
			"SELECT hash FROM audit_node WHERE level = $1 AND idx >= $2 AND idx < $3"
			" ORDER BY idx",
			DB_WITH(DB_INT(level), DB_INT(from), DB_INT(from + count)), &rows, reterr);
	while (r == 0 && (r = db_next(rows, reterr)) == 1) {
		struct slice hash = db_blob(rows, 0);

		r = hash.size == MERKLE_HASH_SIZE ? merkle_append(&m, hash.data) : -EIO;
	}
	if (r == 0 && m.size != count)
		r = err_set(reterr, -EIO, "the audit log lacks nodes of level %u", level);
	return r < 0 ? r : merkle_root(&m, ret);
}

struct reading {
	struct store *store;
	struct err *reterr;
};

static int subtree(void *cookie, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH_SIZE])
{
	struct reading *reading = cookie;
	unsigned base = level - level % TILE;
	unsigned shift = level - base;

	return fold(
		reading->store, base, index << shift, (uint64_t)1 << shift, ret, reading->reterr);
}

static int store_nodes(struct store *s, struct err *reterr)
{
	uint8_t hash[MERKLE_HASH_SIZE];
	int r = 0;

	for (unsigned level = TILE; level < MERKLE_LEVELS && r == 0; level += TILE) {
		uint64_t width = (uint64_t)1 << level;
		uint64_t index;

		if (s->head.size % width != 0)
			break;
		index = s->head.size / width - 1;
		r = fold(s, level - TILE, index << TILE, 1 << TILE, hash, reterr);
		if (r == 0)
			r = db_run(s->db,
				"INSERT INTO audit_node(level, idx, hash) VALUES($1, $2, $3)",
				DB_WITH(DB_INT(level), DB_INT(index),
					DB_BYTES(DB_TYPE_BLOB, slice_of(hash, sizeof(hash)))),
				NULL, reterr);
	}
	return r;
}

int audit_append(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr)
{
	uint8_t leaf[MERKLE_HASH_SIZE];
	json_t *entry;
	int r = audit_lock(s, reterr);

	if (r < 0)
		return r;
	entry = entry_json(
		s->head.size + 1, by->now, by->tenant, by->actor, by->peer, action, object, detail);
	r = store_audit_leaf(entry, leaf);
	json_decref(entry);
	if (r == 0)
		r = db_run(s->db,
			"INSERT INTO audit(seq, tenant, time, actor, peer, action, object, detail,"
			" leaf) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)",
			DB_WITH(DB_INT(s->head.size + 1), DB_TEXT(by->tenant), DB_INT(by->now),
				DB_TEXT(by->actor), DB_TEXT(by->peer), DB_TEXT(action),
				DB_TEXT(object), DB_TEXT(detail),
				DB_BYTES(DB_TYPE_BLOB, slice_of(leaf, sizeof(leaf)))),
			NULL, reterr);
	if (r == 0)
		r = merkle_append(&s->head, leaf);
	s->head_dirty = true;
	return r < 0 ? r : store_nodes(s, reterr);
}

int store_audit_add(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr)
{
	int r = change_begin(s, reterr);

	if (r == 0)
		r = audit_append(s, by, action, object, detail, reterr);
	return change_end(s, r, reterr);
}

int store_audit_note(struct store *s, const struct store_change *by, const char *action,
	const char *object, const char *detail, struct err *reterr)
{
	int r = store_batch(s, reterr);

	if (r == 0)
		r = audit_append(s, by, action, object, detail, reterr);
	if (r < 0) {
		/* Half an entry must not stay; the batch holds nothing that was promised. */
		db_rollback(s->db);
		s->in_batch = false;
	}
	return r;
}

static json_t *audit_row(const struct db_rows *rows)
{
	char leaf[2 * MERKLE_HASH_SIZE + 1];
	json_t *entry = entry_json((uint64_t)db_int(rows, 0), db_int(rows, 1), db_text(rows, 2),
		db_text(rows, 3), db_text(rows, 4), db_text(rows, 5), db_text(rows, 6),
		db_text(rows, 7));

	if (entry)
		json_object_set_new(
			entry, "leaf", json_string(hex_str(db_blob(rows, 8), leaf, sizeof(leaf))));
	return entry;
}

#define AUDIT_COLUMNS "seq, time, tenant, actor, peer, action, object, detail, leaf"

int store_audit_list(struct store *s, const char *tenant, uint64_t before, unsigned limit,
	json_t **ret, struct err *reterr)
{
	return list_rows(s,
		"SELECT " AUDIT_COLUMNS " FROM audit WHERE seq < $1 AND ($2 = '*' OR tenant = $2)"
		" ORDER BY seq DESC LIMIT $3",
		DB_WITH(DB_INT(before ? MIN(before, (uint64_t)INT64_MAX) : (uint64_t)INT64_MAX),
			DB_TEXT(tenant), DB_INT(limit)),
		audit_row, ret, reterr);
}

int store_audit_head(
	struct store *s, uint64_t *ret_size, uint8_t root[MERKLE_HASH_SIZE], struct err *reterr)
{
	int r = store_flush(s, reterr);

	if (r == 0)
		r = store_batch(s, reterr);
	if (r == 0)
		r = audit_lock(s, reterr);
	if (r == 0)
		r = merkle_root(&s->head, root);
	*ret_size = s->head.size;
	return r < 0 ? r : store_flush(s, reterr);
}

int store_audit_entry(struct store *s, uint64_t seq, json_t **ret, struct err *reterr)
{
	json_t *list = NULL;
	int r = list_rows(s, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq = $1",
		DB_WITH(DB_INT(seq)), audit_row, &list, reterr);

	if (r < 0)
		return r;
	*ret = json_incref(json_array_get(list, 0));
	json_decref(list);
	return *ret ? 0
		    : err_set(reterr, -ENOENT, "the audit log has no entry %llu",
			      (unsigned long long)seq);
}

int store_audit_inclusion(
	struct store *s, uint64_t seq, uint64_t size, struct buf *path, struct err *reterr)
{
	struct reading reading = {s, reterr};
	int r = seq == 0 ? -EINVAL : merkle_inclusion(seq - 1, size, subtree, &reading, path);

	return r == -EINVAL ? err_set(reterr, -ENOENT, "the audit log has no entry %llu",
				      (unsigned long long)seq)
			    : r;
}

int store_audit_consistency(
	struct store *s, uint64_t old_size, uint64_t size, struct buf *path, struct err *reterr)
{
	struct reading reading = {s, reterr};
	int r = merkle_consistency(old_size, size, subtree, &reading, path);

	return r == -EINVAL ? err_set(reterr, -EINVAL, "the audit log has only %llu entries",
				      (unsigned long long)size)
			    : r;
}

/* Return: 1 with a row that fits the tree so far, 0 at the end, negative errno. */
static int check_row(struct db_rows *rows, struct merkle *m, struct err *reterr)
{
	uint8_t leaf[MERKLE_HASH_SIZE];
	json_t *entry;
	int r = db_next(rows, reterr);

	if (r <= 0)
		return r;
	entry = entry_json((uint64_t)db_int(rows, 0), db_int(rows, 1), db_text(rows, 2),
		db_text(rows, 3), db_text(rows, 4), db_text(rows, 5), db_text(rows, 6),
		db_text(rows, 7));
	r = store_audit_leaf(entry, leaf);
	json_decref(entry);
	if (r < 0)
		return r;
	if ((uint64_t)db_int(rows, 0) != m->size + 1 ||
		!slice_eq(db_blob(rows, 8), slice_of(leaf, sizeof(leaf))))
		return err_set(reterr, -EKEYREJECTED,
			"the audit log is broken at entry %llu: it was changed, or is missing",
			(unsigned long long)m->size + 1);
	r = merkle_append(m, leaf);
	return r < 0 ? r : 1;
}

int audit_check(struct store *s, struct err *reterr)
{
	cleanup(db_rows_free) struct db_rows *rows = NULL;
	struct merkle m = {0};
	uint8_t have[MERKLE_HASH_SIZE], want[MERKLE_HASH_SIZE];
	int r = audit_lock(s, reterr);

	if (r == 0)
		r = merkle_root(&s->head, want);
	if (r == 0)
		r = db_query(s->db, "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq", DB_NOTHING,
			&rows, reterr);
	while (r == 0) {
		r = check_row(rows, &m, reterr);
		if (r <= 0)
			break;
		r = 0;
	}
	if (r == 0)
		r = merkle_root(&m, have);
	if (r == 0 && (m.size != s->head.size || memcmp(have, want, sizeof(have)) != 0))
		r = err_set(reterr, -EKEYREJECTED, "the audit log's head does not fit its entries");
	return r;
}

int store_audit_check(struct store *s, struct err *reterr)
{
	int r = store_flush(s, reterr);

	if (r == 0)
		r = store_batch(s, reterr);
	if (r == 0)
		r = audit_check(s, reterr);
	if (r < 0) {
		db_rollback(s->db);
		s->in_batch = false;
		return r;
	}
	return store_flush(s, reterr);
}
