/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the attestation service's own interface: several attesters, bindings named by the
 * caller. */
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/internal.h"

#define PIECES_MAX 32
#define POLICY_NAME_MAX 64

static int read_raw(const json_t *text, const char *field, struct digest *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init(HASH_SIZE_MAX);

	if (!json_is_string(text) ||
		b64_decode_any(&bytes, slice_str(json_string_value(text))) < 0 || bytes.size == 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, field,
			"%s must be base64url of 1 to %d bytes", field, HASH_SIZE_MAX);
	ret->size = bytes.size;
	memcpy(ret->bytes, bytes.data, bytes.size);
	return 0;
}

/* {"raw": ...} is the report data; {"structured": ...} is hashed. */
static int read_binding(const json_t *item, bool allow_unbound, struct piece *p, struct err *reterr)
{
	const json_t *data = json_object_get(item, "runtime_data");
	const json_t *raw = json_object_get(data, "raw");
	json_t *structured = json_object_get(data, "structured");
	const char *alg = NULL;
	int r = json_opt_str(item, "runtime_data_hash_algorithm", &alg, reterr);

	if (r < 0)
		return r;
	p->hash = alg && *alg ? hash_from_name(slice_str(alg)) : HASH_SHA384;
	if (p->hash == HASH_NONE || p->hash == HASH_SHA1)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "runtime_data_hash_algorithm",
			"runtime_data_hash_algorithm must be sha256, sha384, sha512 or sm3");
	if (raw && structured)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "runtime_data",
			"runtime_data is either raw or structured");
	if (raw)
		return read_raw(raw, "raw", &p->report_data, reterr);
	if (structured) {
		p->runtime = structured;
		return 0;
	}
	if (!allow_unbound)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "runtime_data",
			"runtime_data is missing: evidence that is bound to nothing may be old");
	p->insecure_unbound = true;
	p->report_data.size = 1; /* looked at by nobody */
	return 0;
}

static int read_init(struct attest *a, const json_t *item, struct err *reterr)
{
	const json_t *data = json_object_get(item, "init_data");
	const json_t *digest = json_object_get(data, "init_data_digest");
	const json_t *toml = json_object_get(data, "init_data_toml");

	a->stage = "init-data";
	a->init_digest.size = 0;
	json_decref(a->init_claims);
	a->init_claims = NULL;
	if (!data || json_is_null(data))
		return 0;
	if (digest && !toml)
		return read_raw(digest, "init_data_digest", &a->init_digest, reterr);
	if (json_is_string(toml) && !digest)
		return as_take_init_toml(a, slice_str(json_string_value(toml)), reterr);
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "init_data",
		"init_data is either init_data_digest or init_data_toml");
}

static int read_evidence(const json_t *item, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(AS_BODY_MAX);
	const char *encoded = NULL;
	int r = json_get_str(item, "evidence", &encoded, reterr);

	if (r < 0)
		return r;
	if (b64_decode_any(&text, slice_str(encoded)) < 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "evidence",
			"evidence is not base64url text");
	r = json_parse(buf_slice(&text), AS_BODY_MAX, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "evidence") : 0;
}

static int take_piece(struct attest *a, const json_t *item, bool allow_unbound, struct err *reterr)
{
	cleanup(json_decref) json_t *evidence = NULL;
	struct piece piece = {0};
	const char *tee = NULL;
	int r;

	a->stage = "message";
	r = json_get_str(item, "tee", &tee, reterr);
	if (r == 0)
		r = read_evidence(item, &evidence, reterr);
	if (r == 0)
		r = read_binding(item, allow_unbound, &piece, reterr);
	if (r == 0)
		r = read_init(a, item, reterr);
	if (r < 0)
		return r;
	a->piece = &piece;
	r = as_take_evidence(a, tee, evidence, true, reterr);
	a->piece = NULL;
	return r;
}

static int read_policy(struct attest *a, struct err *reterr)
{
	const json_t *ids = json_object_get(a->root, "policy_ids");
	const char *first = json_string_value(json_array_get(ids, 0));

	if (ids && !json_is_null(ids) && !json_is_array(ids))
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, "policy_ids", "policy_ids must be a list");
	if (json_array_size(ids) > 0 && (!first || !*first || strlen(first) > POLICY_NAME_MAX))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "policy_ids",
			"a policy id is text of 1 to %d bytes", POLICY_NAME_MAX);
	a->policy = first;
	return 0;
}

static int take_pieces(struct attest *a, const struct as_evaluation *request, struct err *reterr)
{
	const json_t *list;
	size_t count;
	int r = json_parse(request->body, AS_BODY_MAX, &a->root, reterr);

	if (r == 0)
		r = read_policy(a, reterr);
	if (r < 0)
		return r;
	list = json_object_get(a->root, "verification_requests");
	count = json_array_size(list);
	if (count == 0 || count > PIECES_MAX)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "verification_requests",
			"verification_requests must be a list of 1 to %d", PIECES_MAX);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_piece(a, json_array_get(list, i), request->insecure_allow_unbound, reterr);
	return r;
}

int as_evaluate(
	struct as *as, const struct as_evaluation *request, json_t **ret, struct err *reterr)
{
	cleanup_with(as_attest_done) struct attest a;
	struct err e = {0};

	as_attest_start(&a, as, request->now, request->verbose_token);
	return as_outcome(&a, take_pieces(&a, request, &e), &e, ret, reterr);
}
