/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's message, in the shapes of all protocol versions: nonce, key, evidence, initdata. */
#include "base/enc.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/initdata.h"
#include "fmt/json.h"
#include "trustee/as/initdata-claims.h"
#include "trustee/as/internal.h"

#define DEVICES_MAX 32
#define EVIDENCE_TEXT_MAX ((size_t)16 << 20)

/*
 * What the session keeps of the nonce. A challenge of IBM Secure Execution is an attestation
 * request, and long: the session has its digest.
 */
static int session_nonce(const struct attest *a, const char *nonce, struct buf *out)
{
	struct digest d = {0};

	if (!a->request->tee || !streq(a->request->tee, "se")) {
		buf_put_str(out, nonce);
		return buf_error(out);
	}
	int r = hash_once(HASH_SHA256, slice_str(nonce), &d);
	if (r == 0)
		b64_encode(out, digest_slice(&d), B64_STD);
	return r == 0 ? buf_error(out) : r;
}

/* 0.4.0: {"init-data", "runtime-data": {"nonce", "tee-pubkey"}, "tee-evidence": {...}} */
static int read_runtime(struct attest *a, struct err *reterr)
{
	cleanup_with(buf_done) struct buf expected = buf_init(0);
	json_t *runtime = NULL;
	const char *nonce = NULL;
	int r = json_get_object(a->root, "runtime-data", &runtime, reterr);

	if (r == 0)
		r = json_get_str(runtime, "nonce", &nonce, reterr);
	if (r == 0)
		r = json_get_object(runtime, "tee-pubkey", &a->tee_key, reterr);
	if (r < 0)
		return r;
	a->stage = "nonce";
	a->nonce = nonce;
	r = session_nonce(a, nonce, &expected);
	if (r < 0)
		return r;
	if (!ct_equal(buf_slice(&expected), slice_str(a->request->nonce)))
		return err_at(reterr, -ESTALE, ERR_NO_OFFSET, "nonce",
			"the nonce is not this session's: a replayed or foreign attestation");
	a->stage = "message";
	return 0;
}

/* Before 0.3.0 "tee-evidence" is the evidence; in 0.1.0 it is the text of its JSON. */
static int read_single(struct attest *a, struct err *reterr)
{
	json_t *evidence = json_object_get(a->root, "tee-evidence");
	int r;

	a->extra = "";
	if (a->request->protocol != AS_PROTOCOL_0_1_0) {
		a->primary = json_incref(evidence);
	} else if (json_is_string(evidence)) {
		r = json_parse(slice_str(json_string_value(evidence)), EVIDENCE_TEXT_MAX,
			&a->primary, reterr);
		if (r < 0)
			return r;
	}
	return a->primary ? 0
			  : err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "tee-evidence",
				    "the member tee-evidence is missing%s",
				    a->request->protocol == AS_PROTOCOL_0_1_0
					    ? " or no text, as protocol 0.1.0 has it"
					    : "");
}

static int read_composite(struct attest *a, struct err *reterr)
{
	json_t *evidence = NULL;
	int r = json_get_object(a->root, "tee-evidence", &evidence, reterr);

	if (r == 0)
		r = json_opt_str(evidence, "additional_evidence", &a->extra, reterr);
	if (r < 0)
		return r;
	if (!a->extra)
		a->extra = "";
	a->primary = json_incref(json_object_get(evidence, "primary_evidence"));
	return a->primary ? 0
			  : err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "primary_evidence",
				    "the member primary_evidence is missing");
}

static int read_message(struct attest *a, struct err *reterr)
{
	int r;

	a->stage = "message";
	r = json_parse(a->request->body, AS_BODY_MAX, &a->root, reterr);
	if (r == 0)
		r = a->request->protocol == AS_PROTOCOL_0_4_0
			    ? read_runtime(a, reterr)
			    : json_get_object(a->root, "tee-pubkey", &a->tee_key, reterr);
	if (r == 0)
		r = as_is_composite(a) ? read_composite(a, reterr) : read_single(a, reterr);
	return r;
}

static int read_devices(struct attest *a, struct err *reterr)
{
	int r;

	a->stage = "additional evidence";
	if (!a->extra[0])
		return 0;
	r = json_parse(slice_str(a->extra), AS_BODY_MAX, &a->devices, reterr);
	if (r < 0)
		return r;
	if (!json_is_object(a->devices) || json_object_size(a->devices) > DEVICES_MAX)
		return err_set(reterr, -EBADMSG,
			"additional_evidence must be a map of at most %d devices", DEVICES_MAX);
	return 0;
}

/* Initdata is bound by its digest and shown to the policy by its content. */
int as_read_init_data(struct attest *a, struct err *reterr)
{
	const json_t *member = json_object_get(a->root, "init-data");
	const char *format = NULL, *body = NULL;
	int r;

	a->stage = "init-data";
	/* Older clients have no such member. */
	if (!member || json_is_null(member) || a->request->protocol != AS_PROTOCOL_0_4_0)
		return 0;
	r = json_get_str(member, "format", &format, reterr);
	if (r == 0)
		r = json_get_str(member, "body", &body, reterr);
	if (r < 0)
		return r;
	if (!streq(format, "toml"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "format",
			"init-data format must be toml");
	return as_take_init_toml(a, slice_str(body), reterr);
}

int as_take_init_toml(struct attest *a, struct slice text, struct err *reterr)
{
	cleanup_with(initdata_done) struct initdata init = {0};
	enum hash_alg alg;
	int r = initdata_parse(text, &init, reterr);

	if (r < 0)
		return r;
	alg = hash_from_name(slice_str(init.algorithm));
	r = hash_once(alg, text, &a->init_digest);
	if (r < 0)
		return err_set(reterr, r, "init-data algorithm %s", init.algorithm);
	return initdata_claims(&init, &a->init_claims, reterr);
}

int as_read_message(struct attest *a, struct err *reterr)
{
	/* Messages before 0.3.0 do not repeat it. */
	a->nonce = a->request->nonce;
	int r = read_message(a, reterr);

	return r < 0 ? r : read_devices(a, reterr);
}
