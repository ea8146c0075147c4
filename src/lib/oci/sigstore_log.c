/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of transparency logs: promises (Rekor 1), inclusion proofs, checkpoints. */
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "crypto/merkle.h"
#include "fmt/json.h"
#include "oci/rekor.h"
#include "oci/sigstore_internal.h"

#define CHECKPOINT_MAX ((size_t)64 << 10)
#define NOTE_SIGNATURES_MAX 32
#define EM_DASH "\xE2\x80\x94 "
#define KEY_HINT_SIZE 4

enum sig_alg sigstore_alg(const struct pkey *key)
{
	return pkey_sig_alg(key, SIG_RS256);
}

/* Protobuf writes 64-bit numbers as text. */
static int get_number(const json_t *o, const char *name, int64_t *ret, struct err *reterr)
{
	const json_t *v = json_object_get(o, name);
	const char *text = json_string_value(v);

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*ret = json_integer_value(v);
		return 0;
	}
	return text && parse_i64(slice_str(text), 0, INT64_MAX, ret) == 0
		       ? 0
		       : err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				 "%s is missing, negative or no number", name);
}

static int find_log(const json_t *entry, const struct sigstore_root *root,
	const struct sigstore_log **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf id = buf_init(64);
	json_t *o = NULL;

	int r = json_get_object(entry, "logId", &o, reterr);
	if (r == 0)
		r = json_get_b64(o, "keyId", &id, reterr);
	if (r < 0)
		return r;
	for (size_t i = 0; i < root->log_count; i++) {
		if (slice_eq(buf_slice(&id), slice_of(root->logs[i].id, 32))) {
			*ret = &root->logs[i];
			return 0;
		}
	}
	return err_set(reterr, -EKEYREJECTED, "the log of an entry is not trusted");
}

/* A promise is what cosign stores beside signatures, with other names. */
static int check_promise(
	const json_t *entry, const struct sigstore_log *log, int64_t *ret_time, struct err *reterr)
{
	cleanup_with(rekor_entry_done) struct rekor_entry e = {0};
	cleanup_with(buf_done) struct buf text = buf_init(REKOR_ENTRY_MAX);
	json_t *promise = NULL;
	const char *timestamp = "", *body = "";
	char hex[65];
	int64_t index = 0, time = 0;

	int r = json_get_object(entry, "inclusionPromise", &promise, reterr);
	if (r == 0)
		r = json_get_str(promise, "signedEntryTimestamp", &timestamp, reterr);
	if (r == 0)
		r = json_get_str(entry, "canonicalizedBody", &body, reterr);
	if (r == 0)
		r = get_number(entry, "logIndex", &index, reterr);
	if (r == 0)
		r = get_number(entry, "integratedTime", &time, reterr);
	if (r < 0)
		return r;
	cleanup(json_decref) json_t *doc = json_pack("{s:s, s:{s:s, s:I, s:I, s:s}}",
		"SignedEntryTimestamp", timestamp, "Payload", "body", body, "integratedTime",
		(json_int_t)time, "logIndex", (json_int_t)index, "logID",
		hex_str(slice_of(log->id, 32), hex, sizeof(hex)));
	r = doc ? json_write(doc, &text) : -ENOMEM;
	if (r == 0)
		r = rekor_set_verify(log->key, buf_slice(&text), &e, reterr);
	if (r == 0 && (time < log->from || time > log->until))
		r = err_set(
			reterr, -EKEYREJECTED, "the log was not trusted when it took the entry");
	*ret_time = time;
	return r;
}

/* One line "— NAME BASE64": the first four bytes of the log's id, then the signature. */
static bool signs(struct slice line, struct slice text, const struct sigstore_log *log)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(1024);
	struct slice rest = slice_cut(line, strlen(EM_DASH), SIZE_MAX);
	size_t name = strlen(log->name);

	if (!slice_starts(line, SLICE_LIT(EM_DASH)) || !slice_starts(rest, slice_str(log->name)) ||
		rest.size <= name || rest.data[name] != ' ' ||
		b64_decode(&bytes, slice_cut(rest, name + 1, SIZE_MAX), B64_STD) < 0 ||
		bytes.size <= KEY_HINT_SIZE ||
		!slice_starts(buf_slice(&bytes), slice_of(log->id, KEY_HINT_SIZE)))
		return false;
	return pkey_verify_der(log->key, sigstore_alg(log->key), text,
		       slice_cut(buf_slice(&bytes), KEY_HINT_SIZE, SIZE_MAX)) == 0;
}

static struct slice next_line(struct slice *text)
{
	const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
	size_t size = end ? (size_t)(end - text->data) : text->size;
	struct slice line = slice_cut(*text, 0, size);

	*text = slice_cut(*text, size + 1, SIZE_MAX);
	return line;
}

/* The log's name, alone or followed by " - " and the number of its tree. */
static bool names_log(struct slice origin, const struct sigstore_log *log)
{
	size_t name = strlen(log->name);

	return slice_starts(origin, slice_str(log->name)) &&
	       (origin.size == name ||
		       slice_starts(slice_cut(origin, name, SIZE_MAX), SLICE_LIT(" - ")));
}

/* A signed note (c2sp.org/signed-note) whose text is a checkpoint of this tree. */
static int check_checkpoint(struct slice note, const struct sigstore_log *log, int64_t size,
	struct slice root, struct err *reterr)
{
	cleanup_with(buf_done) struct buf hash = buf_init(64);
	const uint8_t *gap = note.size ? memmem(note.data, note.size, "\n\n", 2) : NULL;
	bool good = false;
	int64_t said;

	if (note.size > CHECKPOINT_MAX || !gap)
		return err_set(reterr, -EBADMSG, "the checkpoint is malformed");
	struct slice text = slice_cut(note, 0, (size_t)(gap - note.data) + 1);
	struct slice lines = slice_cut(note, text.size + 1, SIZE_MAX), body = text;
	for (unsigned i = 0; !good && lines.size > 0 && i < NOTE_SIGNATURES_MAX; i++)
		good = signs(next_line(&lines), text, log);
	if (!good)
		return err_set(reterr, -EKEYREJECTED, "the checkpoint is not signed by the log");
	if (!names_log(next_line(&body), log) ||
		parse_i64(next_line(&body), 0, INT64_MAX, &said) < 0 ||
		b64_decode(&hash, next_line(&body), B64_STD) < 0)
		return err_set(
			reterr, -EBADMSG, "the checkpoint does not state its log, size and root");
	return said == size && slice_eq(buf_slice(&hash), root)
		       ? 0
		       : err_set(reterr, -EKEYREJECTED,
				 "the checkpoint is of another tree than the proof");
}

static int read_path(const json_t *proof, struct buf *out, struct err *reterr)
{
	json_t *list = NULL;

	if (!json_object_get(proof, "hashes"))
		return 0; /* a tree of one leaf */
	int r = json_get_array(proof, "hashes", MERKLE_PATH_MAX, &list, reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		size_t before = out->size;
		if (!text || b64_decode(out, slice_str(text), B64_STD) < 0 ||
			out->size - before != MERKLE_HASH_SIZE)
			r = err_set(reterr, -EBADMSG, "the inclusion proof is malformed");
	}
	return r;
}

static int check_proof(
	const json_t *entry, struct slice body, const struct sigstore_log *log, struct err *reterr)
{
	cleanup_with(buf_done) struct buf root = buf_init(64), path = buf_init(16 << 10);
	json_t *proof = NULL, *checkpoint = NULL;
	uint8_t leaf[MERKLE_HASH_SIZE];
	const char *note = NULL;
	int64_t index = 0, size = 0;

	int r = json_get_object(entry, "inclusionProof", &proof, reterr);
	if (r == 0 && json_object_get(proof, "logIndex"))
		r = get_number(proof, "logIndex", &index, reterr);
	if (r == 0)
		r = get_number(proof, "treeSize", &size, reterr);
	if (r == 0)
		r = json_get_b64(proof, "rootHash", &root, reterr);
	if (r == 0)
		r = read_path(proof, &path, reterr);
	if (r == 0)
		r = json_get_object(proof, "checkpoint", &checkpoint, reterr);
	if (r == 0)
		r = json_get_str(checkpoint, "envelope", &note, reterr);
	if (r == 0 && root.size != MERKLE_HASH_SIZE)
		r = err_set(reterr, -EBADMSG, "the inclusion proof is malformed");
	if (r == 0)
		r = merkle_leaf(body, leaf);
	if (r == 0 && merkle_inclusion_check((uint64_t)index, (uint64_t)size, leaf,
			      buf_slice(&path), root.data) < 0)
		r = err_set(reterr, -EKEYREJECTED, "the inclusion proof does not hold");
	return r == 0 ? check_checkpoint(slice_str(note), log, size, buf_slice(&root), reterr) : r;
}

int sigstore_entry_check(const json_t *entry, bool needs_proof, const struct sigstore_root *root,
	const struct sigstore_signed *s, int64_t *ret_time, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init(SIGSTORE_BUNDLE_MAX);
	const struct sigstore_log *log = NULL;
	bool promised = json_object_get(entry, "inclusionPromise") != NULL,
	     proved = json_object_get(entry, "inclusionProof") != NULL;
	int64_t index;

	*ret_time = 0;
	int r = get_number(entry, "logIndex", &index, reterr);
	if (r == 0)
		r = json_get_b64(entry, "canonicalizedBody", &body, reterr);
	if (r == 0)
		r = find_log(entry, root, &log, reterr);
	if (!log)
		return r < 0 ? r : -EKEYREJECTED;
	if (r == 0 && !proved && (needs_proof || !promised))
		r = err_set(reterr, -EKEYREJECTED, "an entry has no inclusion proof");
	if (r == 0 && promised)
		r = check_promise(entry, log, ret_time, reterr);
	/* The first version of bundles could have proofs without a checkpoint, which prove nothing. */
	bool bare = !needs_proof && promised &&
		    !json_object_get(json_object_get(entry, "inclusionProof"), "checkpoint");
	if (r == 0 && proved && !bare)
		r = check_proof(entry, buf_slice(&body), log, reterr);
	return r == 0 ? sigstore_body_check(entry, buf_slice(&body), s, reterr) : r;
}
