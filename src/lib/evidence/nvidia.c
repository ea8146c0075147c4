/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of NVIDIA's GPUs and switches: {"device_evidence_list": [{"arch", "uuid", "evidence",
 * "certificate"}]}, where the evidence is an SPDM report in base64 or hex and the certificate a PEM
 * chain in base64. Every device of the list must verify; each has claims and an appraisal of its
 * own. Eight GPUs and four switches that see each other are one more subject, "ppcie".
 */
#include "evidence/nvidia.h"
#include "evidence/nvidia_nras.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

/* The first certificate is made by the device: no responder of NVIDIA's knows it. */
#define FIRST_ANSWERED 1

static const struct {
	const char *name, *model;
	enum nv_kind kind;
} g_archs[] = {
	{"Hopper", "GH100 ", NV_GPU},
	{"Blackwell", "GB", NV_GPU},
	{"LS10", "LS_10 ", NV_SWITCH},
};

static void device_done(struct nv_device *d)
{
	buf_done(&d->report_bytes);
	nv_chain_done(&d->chain);
}

/* Records a check of device @index. */
static int note(
	struct evidence_result *r, size_t index, const char *name, int code, const struct err *e)
{
	char detail[ERR_TEXT_SIZE + 32];

	if (code == -ENOMEM)
		return code;
	snprintf(detail, sizeof(detail), "device %zu%s%s", index, code < 0 ? ": " : "",
		code < 0 ? err_text(e, code) : "");
	return check_note(r, name, code == 0, NULL, NULL, detail);
}

static int decode_arch(const char *text, struct nv_device *d, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_archs); i++) {
		if (strcasecmp(text, g_archs[i].name) == 0) {
			d->arch = g_archs[i].name;
			d->kind = g_archs[i].kind;
			return 0;
		}
	}
	return err_set(reterr, -EOPNOTSUPP,
		"architecture \"%.32s\" is not known; Hopper, Blackwell and LS10 are", text);
}

static int decode_report(const json_t *item, struct buf *out, struct err *reterr)
{
	const char *text;

	*out = buf_init(NV_REPORT_SIZE_MAX);
	int r = json_get_str(item, "evidence", &text, reterr);
	if (r < 0)
		return r;
	if (hex_decode(out, slice_str(text)) == 0)
		return 0;
	buf_clear(out);
	return json_get_b64(item, "evidence", out, reterr);
}

static int decode_chain(const json_t *item, struct nv_chain *c, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init(NV_CHAIN_SIZE_MAX);

	int r = json_get_b64(item, "certificate", &pem, reterr);
	if (r == 0)
		r = certs_from_pem(buf_slice(&pem), c->certs, NV_CHAIN_MAX, reterr);
	c->count = r > 0 ? (size_t)r : 0;
	return r < 0 ? r : 0;
}

static int decode(const json_t *item, struct nv_device *d, struct err *reterr)
{
	const char *arch;

	int r = json_get_str(item, "arch", &arch, reterr);
	if (r == 0)
		r = decode_arch(arch, d, reterr);
	if (r == 0)
		r = json_opt_str(item, "uuid", &d->uuid, reterr);
	if (!d->uuid)
		d->uuid = "unknown";
	if (r == 0)
		r = decode_report(item, &d->report_bytes, reterr);
	if (r == 0)
		r = decode_chain(item, &d->chain, reterr);
	return r == 0 ? nv_report_parse(buf_slice(&d->report_bytes), &d->report, reterr) : r;
}

/* The boot ROM's certificate says what chip it is in. */
static int check_arch(const struct nv_device *d, struct err *reterr)
{
	char model[128];

	if (cert_common_name(d->chain.certs[1], model, sizeof(model)) < 0)
		model[0] = 0;
	for (size_t i = 0; i < ARRAY_COUNT(g_archs); i++) {
		if (streq(d->arch, g_archs[i].name) && str_starts(model, g_archs[i].model))
			return 0;
	}
	return err_set(reterr, -EKEYREJECTED, "the evidence says %s, its certificate \"%s\"",
		d->arch, model);
}

/*
 * A report names the firmware that its certificate was made for. Switches and drivers of the 535
 * series do not; the report is signed, so nobody can have taken it out.
 */
static int check_fwid(const struct nv_device *d, struct err *reterr)
{
	struct slice fwid;

	if (!d->report.has_opaque[NV_FWID])
		return 0;
	if (nv_cert_fwid(d->chain.certs[0], &fwid) < 0)
		return err_set(reterr, -EKEYREJECTED,
			"the signing certificate has no firmware id (2.23.133.5.4.1)");
	return slice_eq(fwid, d->report.opaque[NV_FWID])
		       ? 0
		       : err_set(reterr, -EKEYREJECTED,
				 "the report's firmware id is not that of the certificate");
}

static int check_versions(const struct nv_device *d, struct err *reterr)
{
	char text[64];

	if (nv_vbios_text(&d->report, text, sizeof(text)) < 0)
		return err_set(reterr, -EBADMSG, "the report has no VBIOS version");
	if (d->kind == NV_GPU &&
		!nv_opaque_text(&d->report, NV_DRIVER_VERSION, text, sizeof(text))[0])
		return err_set(reterr, -EBADMSG, "the report has no driver version");
	return 0;
}

static int check_signature(const struct nv_device *d, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;

	int r = cert_key(d->chain.certs[0], &key);
	if (r == 0)
		r = pkey_verify(key, SIG_ES384, d->report.signed_bytes, d->report.signature);
	if (r == -EINVAL || r == -EKEYREJECTED || r == -EOPNOTSUPP)
		r = err_set(reterr, -EKEYREJECTED,
			"the report is not signed by the key of its certificate");
	return r;
}

static int check_revocation(const struct evidence_request *request, struct nv_device *d,
	struct evidence_result *result, struct err *reterr)
{
	int r = nv_chain_revocation(request, FIRST_ANSWERED, &d->chain, result->missing, reterr);

	if (r == 0 && d->chain.ocsp != OCSP_GOOD && !request->insecure_no_revocation_list)
		r = -ENOENT; /* @reterr names what is missing */
	return r;
}

static int check_nonce(const struct evidence_request *request, const struct nv_device *d,
	struct evidence_result *result)
{
	if (request->insecure_skip_report_data)
		return 0;
	/* Longer report data is cut, shorter one padded, as the guest does. */
	if (request->report_data.size < NV_NONCE_SIZE)
		return check_note(result, "report data", false, NULL, NULL,
			"no usable report data was given to compare with");
	return check_padded(result, "report data", request->report_data, d->report.request.nonce,
		"the report was not made for this session and key");
}

static int verify_device(const struct evidence_request *request, size_t index, struct nv_device *d,
	struct evidence_result *result)
{
	const json_t *list = json_object_get(request->evidence, "device_evidence_list");
	struct err e = {0};

	int r = note(
		result, index, "evidence format", decode(json_array_get(list, index), d, &e), &e);
	if (r == 0)
		r = note(result, index, "certificate chain",
			nv_chain_check(request, NV_ROOT_DEVICE, &d->chain, &e), &e);
	if (r == 0)
		r = note(result, index, "report signature", check_signature(d, &e), &e);
	if (r == 0)
		r = note(result, index, "architecture", check_arch(d, &e), &e);
	if (r == 0)
		r = note(result, index, "firmware id", check_fwid(d, &e), &e);
	if (r == 0)
		r = note(result, index, "versions", check_versions(d, &e), &e);
	if (r == 0)
		r = check_nonce(request, d, result);
	if (r == 0)
		r = note(result, index, "revocation", check_revocation(request, d, result, &e), &e);
	return r;
}

static int add_device(struct evidence_result *result, const char *class, json_t *claims)
{
	json_t *device = claims ? json_pack("{s:s, s:o}", "class", class, "claims", claims) : NULL;
	return json_array_append_new(result->devices, device) < 0 ? -ENOMEM : 0;
}

static int take_device(
	const struct evidence_request *request, size_t index, struct evidence_result *result)
{
	cleanup_with(device_done) struct nv_device d = {0};
	json_t *claims = NULL;

	int r = verify_device(request, index, &d, result);
	if (r == 0)
		r = nv_device_claims(request, &d, result->missing, &claims);
	return r == 0 ? add_device(result, d.kind == NV_GPU ? "gpu" : "switch", claims) : r;
}

/* The nonce that the device signed is only needed where nobody gives one. */
static int remote_nonce(const struct evidence_request *request, const json_t *item, struct buf *out,
	struct err *reterr)
{
	cleanup_with(device_done) struct nv_device d = {0};

	if (!request->insecure_skip_report_data) {
		if (request->report_data.size < NV_NONCE_SIZE)
			return err_set(
				reterr, -EINVAL, "no usable report data was given to compare with");
		buf_put_slice(out, slice_cut(request->report_data, 0, NV_NONCE_SIZE));
		return buf_error(out);
	}
	int r = decode(item, &d, reterr);
	if (r == 0)
		buf_put_slice(out, d.report.request.nonce);
	return r == 0 ? buf_error(out) : r;
}

static int ask_remote(const struct evidence_request *request, const json_t *item,
	const char **ret_endpoint, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf nonce = buf_init(NV_NONCE_SIZE), body = buf_init(1 << 20),
					  answer = buf_init(NRAS_ANSWER_MAX);
	const struct evidence_remote *s = request->nvidia_remote;

	int r = remote_nonce(request, item, &nonce, reterr);
	if (r == 0)
		r = nras_request(item, buf_slice(&nonce), &body, ret_endpoint, reterr);
	if (r == 0)
		r = s->ask(s->ctx, *ret_endpoint, buf_slice(&body), &answer, reterr);
	return r == 0 ? nras_claims(buf_slice(&answer), s->keys, request->now, *ret_endpoint,
				buf_slice(&nonce), ret, reterr)
		      : r;
}

static int take_remote(
	const struct evidence_request *request, size_t index, struct evidence_result *result)
{
	const json_t *list = json_object_get(request->evidence, "device_evidence_list");
	const char *endpoint = NULL;
	json_t *claims = NULL;
	struct err e = {0};

	int r = ask_remote(request, json_array_get(list, index), &endpoint, &claims, &e);
	if (r == -EINPROGRESS)
		return r;
	r = note(result, index, "remote verification", r, &e);
	return r == 0 ? add_device(result, endpoint, claims) : r;
}

/* Each device, up to the first that is refused; all of them when the service is yet to be asked. */
static int take_devices(
	const struct evidence_request *request, size_t count, struct evidence_result *result)
{
	bool waits = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = request->nvidia_remote ? take_remote(request, i, result)
					   : take_device(request, i, result);
		waits |= r == -EINPROGRESS;
		r = r == -EINPROGRESS ? 0 : r;
	}
	return r == 0 && waits ? check_note(result, "remote verification", false, NULL, NULL,
					 "NRAS was not asked about the devices")
			       : r;
}

int evidence_nvidia_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	json_t *list = NULL;
	struct err e = {0};

	int r = json_get_array(
		request->evidence, "device_evidence_list", NV_DEVICES_MAX, &list, &e);
	if (r == 0 && json_array_size(list) == 0)
		r = err_set(&e, -EBADMSG, "device_evidence_list has no device");
	r = check_errno(result, "evidence format", r, &e);
	if (r < 0)
		return r;
	result->devices = json_array();
	result->missing = json_array();
	r = result->devices && result->missing ? 0 : -ENOMEM;
	if (r == 0)
		r = take_devices(request, json_array_size(list), result);
	if (r == 0 && nv_is_ppcie(result->devices))
		r = add_device(result, "ppcie",
			json_pack("{s:i, s:i}", "switch_count", 4, "gpu_count", 8));
	if (result->missing && json_array_size(result->missing) == 0) {
		json_decref(result->missing);
		result->missing = NULL;
	}
	return r;
}
