/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a guest's attestation message to what another attestation service is asked. Nothing is verified
 * here but what the other one cannot know: that the nonce is the session's.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/hcl.h"
#include "fmt/jcs.h"
#include "fmt/json.h"
#include "trustee/as/internal.h"

#define EVIDENCE_MAX ((size_t)32 << 20)
#define GPU_NONCE_SIZE 32

/* --- a gRPC attestation service --- */

static int add_piece(const struct attest *a, json_t *list, const char *tee, const json_t *evidence,
	bool primary, struct err *reterr)
{
	cleanup(free_ptr) char *text = json_dumps(evidence, JSON_COMPACT | JSON_ENCODE_ANY);
	cleanup_with(buf_done) struct buf encoded = buf_init(EVIDENCE_MAX * 2);
	const json_t *init = json_object_get(a->root, "init-data");
	const json_t *body = json_object_get(init, "body");
	json_t *piece;

	if (!text)
		return -ENOMEM;
	b64_encode(&encoded, slice_str(text), B64_URL);
	if (buf_error(&encoded) < 0)
		return buf_error(&encoded);
	piece = json_pack("{s:s, s:s, s:{s:o}, s:s}", "tee", tee, "evidence", buf_str(&encoded),
		"runtime_data", "structured", as_runtime_data(a, primary),
		"runtime_data_hash_algorithm", hash_name(as_binding_hash(a, tee)));
	if (!piece || json_array_append_new(list, piece) < 0)
		return -ENOMEM;
	if (!primary || a->request->protocol != AS_PROTOCOL_0_4_0 || !init || json_is_null(init))
		return 0;
	if (!json_is_string(body) ||
		!streq_null(json_string_value(json_object_get(init, "format")), "toml"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "init-data",
			"init-data must be toml, with its text in body");
	return json_object_set_new(piece, "init_data", json_pack("{s:O}", "init_data_toml", body)) <
			       0
		       ? -ENOMEM
		       : 0;
}

/* An outcome with @request, which is consumed, or a refusal. */
static int outcome(const struct attest *a, int r, const struct err *e, json_t *request,
	const char *suffix, json_t **ret)
{
	if (r == 0 && request)
		*ret = json_pack(
			"{s:b, s:o, s:s}", "accepted", 1, "request", request, "suffix", suffix);
	else
		*ret = json_pack("{s:b, s:s, s:s, s:s}", "accepted", 0, "status", "refused",
			"stage", a->stage, "reason",
			utf8_valid(slice_str(err_text(e, r))) ? err_text(e, r)
							      : "malformed evidence");
	if (r < 0)
		json_decref(request);
	return *ret ? 0 : -ENOMEM;
}

int as_prepare(const struct as_request *request, json_t **ret, struct err *reterr)
{
	cleanup_with(as_attest_done) struct attest a;
	json_t *list = json_array(), *out;
	const char *tee;
	json_t *evidence;
	struct err e = {0};
	int r;

	as_attest_start(&a, NULL, request->now, true);
	a.request = request;
	r = as_read_message(&a, &e);
	if (r == 0)
		r = add_piece(&a, list, request->tee, a.primary, true, &e);
	json_object_foreach (a.devices, tee, evidence) {
		if (r == 0)
			r = add_piece(&a, list, tee, evidence, false, &e);
	}
	out = json_pack("{s:o, s:[s]}", "verification_requests", list, "policy_ids", "default");
	return outcome(&a, r, &e, out, "", ret);
}

/* --- Intel Trust Authority --- */

static int put_b64(json_t *o, const char *name, struct slice bytes)
{
	return json_set_b64(o, name, bytes, B64_STD);
}

/* The canonical text, which is what guests hash. */
static int runtime_text(const struct attest *a, bool primary, struct buf *out)
{
	json_t *runtime = as_runtime_data(a, primary);
	int r = runtime ? jcs_write(runtime, out) : -ENOMEM;

	json_decref(runtime);
	return r;
}

static int add_quote(const struct attest *a, json_t *request, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(EVIDENCE_MAX);
	cleanup(json_decref) json_t *o = json_object();
	const char *quote = NULL, *log = NULL;
	int r = json_get_str(a->primary, "quote", &quote, reterr);

	if (r == 0)
		r = json_opt_str(a->primary, "cc_eventlog", &log, reterr);
	if (r == 0)
		r = runtime_text(a, true, &text);
	if (r == 0)
		r = json_set_str(o, "quote", quote);
	if (r == 0)
		r = put_b64(o, "runtime_data", buf_slice(&text));
	if (r == 0 && log)
		r = json_set_str(o, "event_log", log);
	if (r == 0 && json_object_set(request, a->request->tee, o) < 0)
		r = -ENOMEM;
	return r;
}

/* Bytes in the newest evidence are base64url text, in the oldest arrays of numbers. */
static int read_bytes(const json_t *o, const char *name, struct buf *out, struct err *reterr)
{
	const json_t *v = json_object_get(o, name), *item;
	size_t i;

	if (!json_is_array(v))
		return json_get_b64(o, name, out, reterr);
	json_array_foreach (v, i, item) {
		json_int_t n = json_is_integer(item) ? json_integer_value(item) : -1;

		if (n < 0 || n > 255)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"%s is not a list of bytes", name);
		buf_put_u8(out, (uint8_t)n);
	}
	return buf_error(out);
}

static int add_azure(const struct attest *a, json_t *request, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(EVIDENCE_MAX);
	cleanup_with(buf_done) struct buf report = buf_init(1 << 20), quote = buf_init(1 << 20);
	cleanup(json_decref) json_t *o = json_object();
	struct hcl_report hcl;
	int r = read_bytes(a->primary, "hcl_report", &report, reterr);

	if (r == 0)
		r = read_bytes(a->primary, "td_quote", &quote, reterr);
	if (r == 0)
		r = hcl_report_parse(buf_slice(&report), &hcl, reterr);
	if (r == 0)
		r = runtime_text(a, true, &text);
	if (r == 0)
		r = put_b64(o, "quote", buf_slice(&quote));
	if (r == 0)
		r = put_b64(o, "runtime_data", hcl.variable);
	if (r == 0)
		r = put_b64(o, "user_data", buf_slice(&text));
	if (r == 0 && json_object_set(request, "tdx", o) < 0)
		r = -ENOMEM;
	return r;
}

/* Hopper and Blackwell GPUs; other devices have no place in its interface. */
static int add_gpus(
	const struct attest *a, json_t *request, const json_t *evidence, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(EVIDENCE_MAX);
	cleanup(json_decref) json_t *list = json_array();
	const json_t *devices = json_object_get(evidence, "device_evidence_list"), *device;
	char nonce[2 * GPU_NONCE_SIZE + 1];
	const char *first = NULL;
	struct digest d;
	size_t i;
	int r = runtime_text(a, false, &text);

	if (r == 0)
		r = hash_once(HASH_SHA512, buf_slice(&text), &d);
	json_array_foreach (devices, i, device) {
		const char *arch = json_string_value(json_object_get(device, "arch"));

		if (r < 0 || !arch || (!streq(arch, "HOPPER") && !streq(arch, "BLACKWELL")))
			continue;
		first = first ? first : arch;
		json_array_append_new(list,
			json_pack("{s:O?, s:O?}", "evidence", json_object_get(device, "evidence"),
				"certificate", json_object_get(device, "certificate")));
	}
	/* A device that nobody looks at must not pass for one that was verified. */
	if (r == 0 && json_array_size(list) != json_array_size(devices))
		r = err_set(reterr, -EOPNOTSUPP,
			"Intel Trust Authority verifies Hopper and Blackwell GPUs only");
	if (r < 0 || !first)
		return r;
	hex_str(slice_of(d.bytes, GPU_NONCE_SIZE), nonce, sizeof(nonce));
	return json_object_set_new(request, "nvgpu",
		       json_pack("{s:s, s:s, s:O}", "gpu_nonce", nonce, "arch", first,
			       "evidence_list", list)) < 0
		       ? -ENOMEM
		       : 0;
}

static int add_intel(const struct attest *a, json_t *request, const char *tee,
	const json_t *evidence, bool primary, struct err *reterr)
{
	if (primary && (streq(tee, "tdx") || streq(tee, "sgx")))
		return add_quote(a, request, reterr);
	if (primary && streq(tee, "az-tdx-vtpm"))
		return add_azure(a, request, reterr);
	if (!primary && streq(tee, "nvidia"))
		return add_gpus(a, request, evidence, reterr);
	return err_set(reterr, -EOPNOTSUPP, "Intel Trust Authority does not verify %s", tee);
}

int as_prepare_intel(const struct as_request *request, json_t *policy_ids, bool must_match,
	json_t **ret, struct err *reterr)
{
	cleanup_with(as_attest_done) struct attest a;
	json_t *out =
		json_pack("{s:O?, s:b}", "policy_ids", policy_ids, "policy_must_match", must_match);
	const char *tee;
	json_t *evidence;
	struct err e = {0};
	int r;

	as_attest_start(&a, NULL, request->now, true);
	a.request = request;
	r = as_read_message(&a, &e);
	if (r == 0)
		a.stage = "evidence";
	if (r == 0)
		r = add_intel(&a, out, request->tee, a.primary, true, &e);
	json_object_foreach (a.devices, tee, evidence) {
		if (r == 0)
			r = add_intel(&a, out, tee, evidence, false, &e);
	}
	return outcome(&a, r, &e, out, streq(request->tee, "az-tdx-vtpm") ? "/azure" : "", ret);
}
