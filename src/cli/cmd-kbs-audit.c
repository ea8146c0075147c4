/* SPDX-License-Identifier: Apache-2.0 */
/* husk kbs audit: the log of changes and releases, and that it is what it was. */
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_admin.h"
#include "crypto/jose.h"
#include "crypto/merkle.h"
#include "fmt/jcs.h"
#include "fmt/json.h"

#define STATE_MAX ((size_t)64 << 10)
#define PAGE 1000

/* A tree head, checked. */
struct head {
	uint64_t size;
	uint8_t root[MERKLE_HASH_SIZE];
};

static int read_path(const json_t *list, struct buf *out, struct err *reterr)
{
	size_t i;
	const json_t *item;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (!text || strlen(text) != 2 * MERKLE_HASH_SIZE ||
			hex_decode(out, slice_str(text)) < 0)
			return err_set(reterr, -EBADMSG, "a proof holds something that is no hash");
	}
	return json_is_array(list) ? 0 : err_set(reterr, -EBADMSG, "the answer has no path");
}

static int read_head(const json_t *j, struct head *ret, struct err *reterr)
{
	const char *root = NULL;
	int64_t size = 0;
	int r = json_get_int(j, "tree_size", 0, INT64_MAX, &size, reterr);

	if (r == 0)
		r = json_get_str(j, "root", &root, reterr);
	if (r == 0)
		r = hex_decode_fixed(ret->root, sizeof(ret->root), slice_str(root));
	ret->size = (uint64_t)size;
	return r;
}

static int entry_leaf(const json_t *entry, uint8_t ret[MERKLE_HASH_SIZE])
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *copy = json_copy((json_t *)(uintptr_t)entry);

	json_object_del(copy, "leaf");
	int r = copy ? jcs_write(copy, &text) : -ENOMEM;
	return r < 0 ? r : merkle_leaf(buf_slice(&text), ret);
}

/* The signature by a key that the broker publishes: a head that was kept can be held against it. */
static int check_signature(struct kbs_admin *a, const json_t *head, struct err *reterr)
{
	cleanup_with(jws_done) struct jws jws = {0};
	cleanup(json_decref) json_t *keys = NULL, *said = NULL;
	const char *text = NULL;
	size_t i;
	const json_t *jwk;
	int r = json_get_str(head, "signed", &text, reterr);

	if (r == 0)
		r = jws_parse(slice_str(text), &jws, reterr);
	if (r == 0)
		r = kbs_admin_json(a, "/.well-known/jwks.json", &keys, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&jws.payload), 0, &said, reterr);
	if (r < 0)
		return r;
	if (!json_equal(json_object_get(said, "root"), json_object_get(head, "root")) ||
		!json_equal(json_object_get(said, "tree_size"), json_object_get(head, "tree_size")))
		return err_set(reterr, -EKEYREJECTED, "the signed head is another one");
	json_array_foreach (json_object_get(keys, "keys"), i, jwk) {
		cleanup(pkey_free) struct pkey *key = NULL;

		if (pkey_from_jwk(jwk, &key, NULL) == 0 && jws_check(&jws, key, jws.alg, NULL) == 0)
			return 0;
	}
	return err_set(reterr, -EKEYREJECTED, "the head is signed by no key of the broker");
}

static int get_head(struct kbs_admin *a, json_t **ret_json, struct head *ret, struct err *reterr)
{
	int r = kbs_admin_json(a, "admin/audit/head", ret_json, reterr);

	if (r == 0)
		r = check_signature(a, *ret_json, reterr);
	return r < 0 ? r : read_head(*ret_json, ret, reterr);
}

static int get_page(struct kbs_admin *a, uint64_t before, json_t **ret, struct err *reterr)
{
	char path[96];

	snprintf(path, sizeof(path), "admin/audit?limit=%d&before=%llu", PAGE,
		(unsigned long long)before);
	return kbs_admin_json(a, path, ret, reterr);
}

/* All entries, oldest last: each page starts before the one that came. Appends to @list. */
static int get_entries(struct kbs_admin *a, uint64_t size, json_t *list, struct err *reterr)
{
	uint64_t before = size + 1;

	while (before > 1) {
		cleanup(json_decref) json_t *page = NULL;
		int r = get_page(a, before, &page, reterr);

		if (r < 0)
			return r;
		if (json_array_size(page) == 0)
			return err_set(reterr, -EKEYREJECTED, "entries before %llu are missing",
				(unsigned long long)before);
		before -= json_array_size(page);
		json_array_extend(list, page);
	}
	return 0;
}

static int check_entries(struct kbs_admin *a, const struct head *head, struct err *reterr)
{
	cleanup(json_decref) json_t *list = json_array();
	uint8_t leaf[MERKLE_HASH_SIZE], root[MERKLE_HASH_SIZE];
	struct merkle m = {0};
	int r = list ? get_entries(a, head->size, list, reterr) : -ENOMEM;

	for (size_t i = json_array_size(list); i-- > 0 && r == 0;) {
		r = entry_leaf(json_array_get(list, i), leaf);
		if (r == 0)
			r = merkle_append(&m, leaf);
	}
	if (r == 0)
		r = merkle_root(&m, root);
	if (r == 0 && (m.size != head->size || memcmp(root, head->root, sizeof(root)) != 0))
		r = err_set(reterr, -EKEYREJECTED,
			"the entries do not make the head that the broker signed");
	return r;
}

static int get_proof(struct kbs_admin *a, uint64_t seq, uint64_t size, json_t **ret,
	struct buf *path, struct err *reterr)
{
	char where[96];
	int r;

	snprintf(where, sizeof(where), "admin/audit/proof/%llu?size=%llu", (unsigned long long)seq,
		(unsigned long long)size);
	r = kbs_admin_json(a, where, ret, reterr);
	return r < 0 ? r : read_path(json_object_get(*ret, "path"), path, reterr);
}

static int check_inclusion(const json_t *entry, uint64_t seq, const struct head *head,
	const struct buf *path, struct err *reterr)
{
	uint8_t leaf[MERKLE_HASH_SIZE];
	int r = entry_leaf(entry, leaf);

	if (r == 0 &&
		merkle_inclusion_check(seq - 1, head->size, leaf, buf_slice(path), head->root) < 0)
		r = err_set(reterr, -EKEYREJECTED, "the proof of entry %llu does not hold",
			(unsigned long long)seq);
	return r;
}

static int check_own_page(struct kbs_admin *a, const struct head *head, const json_t *page,
	uint64_t *before, struct err *reterr)
{
	const json_t *entry;
	size_t i;
	int r = 0;

	json_array_foreach (page, i, entry) {
		cleanup_with(buf_done) struct buf path = buf_init(0);
		cleanup(json_decref) json_t *proof = NULL;
		int64_t seq = 0;

		r = json_get_int(entry, "seq", 1, (int64_t)*before - 1, &seq, reterr);
		if (r < 0)
			return r;
		*before = (uint64_t)seq;
		r = get_proof(a, (uint64_t)seq, head->size, &proof, &path, reterr);
		if (r == 0)
			r = check_inclusion(entry, (uint64_t)seq, head, &path, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A tenant does not see the entries of others: each of its own is proved to be in the log. */
static int check_own_entries(
	struct kbs_admin *a, const struct head *head, uint64_t *ret_count, struct err *reterr)
{
	uint64_t before = head->size + 1;

	*ret_count = 0;
	for (;;) {
		cleanup(json_decref) json_t *page = NULL;
		int r = get_page(a, before, &page, reterr);

		if (r == 0)
			r = check_own_page(a, head, page, &before, reterr);
		if (r < 0 || json_array_size(page) == 0)
			return r;
		*ret_count += json_array_size(page);
	}
}

static int check_consistency(
	struct kbs_admin *a, const struct head *old, const struct head *now, struct err *reterr)
{
	cleanup_with(buf_done) struct buf path = buf_init(0);
	cleanup(json_decref) json_t *proof = NULL;
	char where[128];
	int r;

	if (old->size > now->size)
		return err_set(reterr, -EKEYREJECTED,
			"the log had %llu entries, it has %llu now: it was cut",
			(unsigned long long)old->size, (unsigned long long)now->size);
	snprintf(where, sizeof(where), "admin/audit/consistency?from=%llu&size=%llu",
		(unsigned long long)old->size, (unsigned long long)now->size);
	r = kbs_admin_json(a, where, &proof, reterr);
	if (r == 0)
		r = read_path(json_object_get(proof, "path"), &path, reterr);
	if (r == 0 && merkle_consistency_check(
			      old->size, old->root, now->size, now->root, buf_slice(&path)) < 0)
		r = err_set(reterr, -EKEYREJECTED,
			"the log does not continue the one that was seen before: it was changed");
	return r;
}

static int check_state(struct kbs_admin *a, const char *file, const json_t *json,
	const struct head *now, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(STATE_MAX);
	cleanup(json_decref) json_t *seen = NULL;
	struct head old = {0};
	int r = 0;

	if (access(file, F_OK) == 0) {
		r = file_read(file, STATE_MAX, &text, reterr);
		if (r == 0)
			r = json_parse(buf_slice(&text), 0, &seen, reterr);
		if (r == 0)
			r = read_head(seen, &old, reterr);
		if (r == 0)
			r = check_consistency(a, &old, now, reterr);
	}
	buf_clear(&text);
	if (r == 0)
		r = json_write_pretty(json, &text);
	return r < 0 ? r : file_write_atomic(file, buf_slice(&text), 0600, reterr);
}

static int verify(struct cli *cli, struct kbs_admin *a)
{
	cleanup(json_decref) json_t *json = NULL;
	const char *tenant = kbs_admin_tenant(a);
	struct head head = {0};
	uint64_t count = 0;
	struct err e = {0};
	int r = get_head(a, &json, &head, &e);

	if (r == 0)
		r = tenant ? check_own_entries(a, &head, &count, &e) : check_entries(a, &head, &e);
	if (r == 0 && cli_opt(cli, "state"))
		r = check_state(a, cli_opt(cli, "state"), json, &head, &e);
	if (r < 0) {
		(void)cli_fail(cli, r, &e, "the audit log");
		return r == -EKEYREJECTED ? CLI_REFUSED : CLI_FAILURE;
	}
	if (cli->json)
		return cli_print_json(json);
	if (tenant)
		cli_note(cli, "%llu entries of tenant %s, all in the signed log of %llu",
			(unsigned long long)count, tenant, (unsigned long long)head.size);
	else
		cli_note(cli, "%llu entries, all as signed", (unsigned long long)head.size);
	return CLI_OK;
}

static int prove(struct cli *cli, struct kbs_admin *a)
{
	cleanup_with(buf_done) struct buf path = buf_init(0);
	cleanup(json_decref) json_t *head_json = NULL, *proof = NULL;
	struct head head = {0};
	struct err e = {0};
	uint64_t seq = 0;
	int r = parse_u64(slice_str(cli_arg(cli, 1)), 1, INT64_MAX, &seq);

	if (r < 0)
		return cli_fail(cli, -EINVAL, NULL, "the number of an entry is wanted");
	r = get_head(a, &head_json, &head, &e);
	if (r == 0)
		r = get_proof(a, seq, head.size, &proof, &path, &e);
	if (r == 0)
		r = check_inclusion(json_object_get(proof, "entry"), seq, &head, &path, &e);
	if (r < 0) {
		(void)cli_fail(cli, r, &e, "entry %s", cli_arg(cli, 1));
		return r == -EKEYREJECTED ? CLI_REFUSED : CLI_FAILURE;
	}
	json_object_set(proof, "head", head_json);
	if (cli->json)
		return cli_print_json(proof);
	json_dumpf(json_object_get(proof, "entry"), stdout, JSON_INDENT(2));
	putchar('\n');
	cli_note(cli, "entry %llu is in the signed log of %llu entries", (unsigned long long)seq,
		(unsigned long long)head.size);
	return CLI_OK;
}

static int list(struct cli *cli)
{
	static const char *const columns[] = {
		"seq", "time", "tenant", "actor", "peer", "action", "object", "detail", NULL};

	return kbs_limited_list(cli, "admin/audit", columns);
}

static int run_audit(struct cli *cli)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	const char *action = cli_arg(cli, 0);
	struct err e = {0};
	int r;

	if (!action || streq(action, "list"))
		return list(cli);
	r = kbs_admin_new(cli, &a, &e);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot use the key broker");
	if (streq(action, "verify"))
		return verify(cli, a);
	if (streq(action, "proof") && cli_arg(cli, 1))
		return prove(cli, a);
	(void)err_set(&e, -EINVAL, "the action must be list, proof SEQ or verify");
	return cli_fail(cli, -EINVAL, &e, NULL);
}

static const struct cli_option g_audit[] = {
	KBS_OPTIONS,
	{"limit", .arg = "N", .help = "how many at most (default 100), newest first"},
	{"state", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "for verify: keep the head here, and prove next time that the log only "
			"grew"},
	{NULL},
};

const struct cli_command cmds_kbs_audit[] = {
	{.group = "kbs",
		.name = "audit",
		.summary = "List changes and releases, and check that the log is unbroken",
		.args = "[list | proof SEQ | verify]",
		.args_max = 2,
		.details =
			"The log is a Merkle tree (RFC 6962) with a head that the broker signs. verify "
			"reads all of it and computes the head anew; with --state it also proves "
			"that the log continues the one of last time. Within a tenant it proves "
			"that each of the tenant's entries is in the log. proof shows one entry "
			"and proves that it is in the log.",
		.exits = "0 success, the log is as signed\n1 the work failed\n2 wrong command "
			 "line\n3 the log was changed, or a proof does not hold",
		.examples = "husk kbs audit\nhusk kbs audit verify --state audit-head.json",
		.options = g_audit,
		.run = run_audit},
	{NULL},
};
