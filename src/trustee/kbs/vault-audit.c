/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log over HTTP: entries, signed tree heads, proofs. */
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "trustee/kbs/vault-internal.h"

static int query_number(const struct call *c, const char *name, uint64_t preset, uint64_t *ret)
{
	char number[24];
	int r = kbs_query_get(c->target.query, name, number, sizeof(number));

	*ret = preset;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : parse_u64(slice_str(number), 0, INT64_MAX, ret);
}

static json_t *hex_json(struct slice bytes)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	hex_encode(&text, bytes);
	return json_string(buf_str(&text));
}

static json_t *path_json(struct slice path)
{
	json_t *list = json_array();

	for (size_t i = 0; i + MERKLE_HASH_SIZE <= path.size; i += MERKLE_HASH_SIZE)
		json_array_append_new(list, hex_json(slice_cut(path, i, MERKLE_HASH_SIZE)));
	return list;
}

/* The head, and a JWS over it by the token key: who keeps one can prove later that the log was cut. */
static int signed_head(struct call *c, json_t **ret, struct err *reterr)
{
	struct vault *v = c->vault;
	cleanup_with(buf_done) struct buf jws = buf_init(JWS_SIZE_MAX);
	uint8_t root[MERKLE_HASH_SIZE];
	uint64_t size = 0;
	json_t *head;
	int r = store_audit_head(v->store, &size, root, reterr);

	if (r < 0)
		return r;
	head = json_pack("{s:s, s:I, s:o, s:I}", "log", "husk-audit", "tree_size", (json_int_t)size,
		"root", hex_json(slice_of(root, sizeof(root))), "timestamp",
		(json_int_t)vault_now(v));
	r = head ? token_sign(v->keys, head, &jws, reterr) : -ENOMEM;
	if (r == 0 && json_object_set_new(head, "signed", json_string(buf_str(&jws))) < 0)
		r = -ENOMEM;
	if (r < 0) {
		json_decref(head);
		return r;
	}
	*ret = head;
	return 0;
}

/* What both proofs need: a tree size that exists. */
static int tree_size(struct call *c, uint64_t *ret, struct err *reterr)
{
	uint8_t root[MERKLE_HASH_SIZE];
	uint64_t now = 0;
	int r = store_audit_head(c->vault->store, &now, root, reterr);

	if (r == 0 && query_number(c, "size", now, ret) < 0)
		r = err_set(reterr, -EINVAL, "size is not a number");
	if (r == 0 && (*ret == 0 || *ret > now))
		r = err_set(
			reterr, -ENOENT, "the audit log has %llu entries", (unsigned long long)now);
	return r;
}

static int inclusion(struct call *c, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(0);
	json_t *entry = NULL;
	uint64_t seq = 0, size = 0;
	int r = parse_u64(slice_str(c->target.tail), 1, INT64_MAX, &seq);

	if (r < 0)
		return err_set(reterr, -EINVAL, "the number of an entry is wanted");
	r = tree_size(c, &size, reterr);
	if (r == 0)
		r = store_audit_entry(c->vault->store, seq, &entry, reterr);
	/* A tenant sees its own entries. */
	if (r == 0 && c->target.tenant[0] && !streq(wire_str(entry, "tenant"), c->target.tenant))
		r = err_set(reterr, -ENOENT, "the audit log has no entry %llu of yours",
			(unsigned long long)seq);
	if (r == 0)
		r = store_audit_inclusion(c->vault->store, seq, size, &path, reterr);
	if (r < 0) {
		json_decref(entry);
		return r;
	}
	*ret = json_pack("{s:o, s:I, s:o}", "entry", entry, "tree_size", (json_int_t)size, "path",
		path_json(buf_slice(&path)));
	return *ret ? 0 : -ENOMEM;
}

static int consistency(struct call *c, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(0);
	uint64_t from = 0, size = 0;
	int r = tree_size(c, &size, reterr);

	if (r == 0 && query_number(c, "from", 0, &from) < 0)
		r = err_set(reterr, -EINVAL, "from is not a number");
	if (r == 0)
		r = store_audit_consistency(c->vault->store, from, size, &path, reterr);
	if (r < 0)
		return r;
	*ret = json_pack("{s:I, s:I, s:o}", "from", (json_int_t)from, "tree_size", (json_int_t)size,
		"path", path_json(buf_slice(&path)));
	return *ret ? 0 : -ENOMEM;
}

int vault_audit_read(struct call *c, unsigned limit, json_t **ret, struct err *reterr)
{
	const char *tenant = c->target.tenant;
	uint64_t before = 0;

	switch (c->target.route) {
	case ROUTE_ADMIN_AUDIT_HEAD:
		return signed_head(c, ret, reterr);
	case ROUTE_ADMIN_AUDIT_PROOF:
		return inclusion(c, ret, reterr);
	case ROUTE_ADMIN_AUDIT_CONSISTENCY:
		return consistency(c, ret, reterr);
	default:
		break;
	}
	if (query_number(c, "before", 0, &before) < 0)
		return err_set(reterr, -EINVAL, "before is not a number");
	return store_audit_list(
		c->vault->store, *tenant ? tenant : "*", before, limit, ret, reterr);
}
