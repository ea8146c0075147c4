/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA: reports with their chains, lists of such, manifests, OCSP answers, tokens of NRAS. Cases
 * of reports have no OCSP answers: they are verified without.
 */
#include "evidence/nvidia.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "mutate.h"

/* What the chain says the device is; Hopper when it says nothing. */
static const char *arch_of(struct slice pem)
{
	struct cert *certs[NV_CHAIN_MAX] = {NULL};
	const char *arch = "HOPPER";
	char name[128];

	int count = certs_from_pem(pem, certs, NV_CHAIN_MAX, NULL);
	for (int i = 0; i < count; i++) {
		if (cert_common_name(certs[i], name, sizeof(name)) == 0 &&
			str_starts(name, "LS_10"))
			arch = "LS10";
		else if (str_starts(name, "GB"))
			arch = "BLACKWELL";
		cert_free(certs[i]);
	}
	return arch;
}

static int64_t verify_time(const struct vector *v)
{
	const char *at = vector_str(v, "verify_at");
	int64_t now = clock_unix_s();

	if (at && rfc3339_parse(slice_str(at), &now) < 0)
		now = 0;
	return now;
}

/* Runs the room over @list; @why gets the reason of a refusal. Return: its devices, or NULL. */
static json_t *verify(struct vector *v, json_t *list, const char *nonce, bool *ret_good,
	bool *ret_format, struct err *why)
{
	cleanup_with(buf_done) struct buf want = buf_init(64);
	cleanup_with(evidence_result_done) struct evidence_result result = {0};
	cleanup(json_decref) json_t *evidence = json_pack("{s:O}", "device_evidence_list", list);

	*ret_good = *ret_format = false;
	if (!nonce || hex_decode(&want, slice_str(nonce)) < 0)
		return NULL;
	const struct evidence_request q = {.evidence = evidence,
		.report_data = buf_slice(&want),
		.now = verify_time(v),
		.insecure_no_revocation_list = true};
	if (evidence_verify("nvidia", &q, &result, why) < 0)
		return NULL;
	*ret_good = result.verdict == EVIDENCE_ACCEPT;
	*ret_format = str_starts(result.reason, "evidence format");
	err_set(why, -EACCES, "%s", result.reason);
	return json_incref(result.devices);
}

static json_t *device(const char *arch, struct slice report, struct slice chain)
{
	json_t *o = json_pack("{s:s}", "arch", arch);
	if (json_set_b64(o, "evidence", report, B64_STD) < 0 ||
		json_set_b64(o, "certificate", chain, B64_STD) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int compare_message(struct vector *v, const json_t *want, const struct nv_message *m)
{
	if (vector_hex(v, want, "spdm_version", slice_of(&m->version, 1)) < 0 ||
		vector_hex(v, want, "code", slice_of(&m->code, 1)) < 0 ||
		vector_int(v, want, "param1", m->param1) < 0 ||
		vector_int(v, want, "param2", m->param2) < 0)
		return -1;
	return vector_hex(v, want, "nonce", m->nonce);
}

static const struct {
	const char *theirs;
	unsigned type;
} g_renamed[] = {{"MSRSCNT", NV_MEASUREMENT_COUNT}, {"CPRINFO", 13}, {"type_26", 26}};

static unsigned opaque_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_renamed); i++) {
		if (streq(name, g_renamed[i].theirs))
			return g_renamed[i].type;
	}
	for (unsigned i = 0; i < NV_OPAQUE_TYPES; i++) {
		if (nv_opaque_name(i) && strcasecmp(nv_opaque_name(i), name) == 0)
			return i;
	}
	unsigned number = 0;
	return sscanf(name, "type_%u", &number) == 1 && number < NV_OPAQUE_TYPES ? number : 0;
}

static int compare_items(struct vector *v, const json_t *fields, const struct nv_report *r)
{
	char text[128], index[8];
	const char *name;
	json_t *value;

	json_object_foreach (json_object_get(fields, "opaque"), name, value) {
		unsigned type = opaque_type(name);
		if (type == NV_DRIVER_VERSION ? !streq_null(json_string_value(value),
							nv_opaque_text(r, type, text, sizeof(text)))
					      : vector_hex(v, json_object_get(fields, "opaque"),
							name, r->opaque[type]) < 0)
			return vector_fail(v, "opaque %s differs", name);
	}
	for (unsigned i = 1; i <= NV_MEASUREMENTS_MAX; i++) {
		snprintf(index, sizeof(index), "%u", i);
		value = json_object_get(json_object_get(fields, "measurements"), index);
		if (json_object_get(fields, "measurements") &&
			(value != NULL) != (r->measurements[i].value.size > 0))
			return vector_fail(v, "measurement %u is there or not, wrongly", i);
		if (vector_hex(v, value, "value", r->measurements[i].value) < 0 ||
			vector_int(v, value, "type", r->measurements[i].type) < 0)
			return -1;
	}
	return 0;
}

static int compare_report(struct vector *v, const json_t *fields, struct slice bytes)
{
	const json_t *response = json_object_get(fields, "response");
	struct nv_report r;

	if (nv_report_parse(bytes, &r, NULL) < 0)
		return vector_is_parse_only(v) ? vector_fail(v, "the report cannot be read") : 0;
	if (!fields)
		return 0;
	if (compare_message(v, json_object_get(fields, "request"), &r.request) < 0 ||
		compare_message(v, response, &r.response) < 0 ||
		vector_int(v, response, "number_of_blocks", r.block_count) < 0 ||
		vector_int(v, fields, "signature_offset", (int64_t)r.signed_bytes.size) < 0)
		return -1;
	if (vector_int(v, fields, "trailing",
		    (int64_t)(bytes.size - r.signed_bytes.size - r.signature.size)) < 0)
		return -1;
	return compare_items(v, fields, &r);
}

static int compare_claims(struct vector *v, const json_t *devices)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *want = NULL;
	const json_t *got = json_object_get(json_array_get(devices, 0), "claims");
	static const char *const members[] = {"arch", "config", "measurements"};

	if (!vector_file(v, "expected_claims"))
		return 0;
	if (vector_read(v, vector_file(v, "expected_claims"), &text) < 0 ||
		json_parse(buf_slice(&text), 0, &want, NULL) < 0)
		return vector_fail(v, "expected claims cannot be read");
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		if (!json_equal(
			    json_object_get(want, members[i]), json_object_get(got, members[i])))
			return vector_fail(v, "claim %s differs", members[i]);
	}
	return 0;
}

struct report_mutant {
	struct vector *v;
	const char *nonce, *arch;
	struct slice report, chain;
	struct buf ders;
};

static bool report_accepted(void *ctx)
{
	const struct report_mutant *m = ctx;
	cleanup(json_decref) json_t *list = json_array();
	bool good = false, format;
	struct err why = {0};

	json_array_append_new(list, device(m->arch, m->report, m->chain));
	json_decref(verify(m->v, list, m->nonce, &good, &format, &why));
	return good;
}

static const char *same_chain(void *ctx)
{
	const struct report_mutant *m = ctx;
	cleanup_with(buf_done) struct buf now = buf_init(0);

	mutate_ders(m->chain, &now);
	return now.size > 0 && slice_eq(buf_slice(&now), buf_slice(&m->ders))
		       ? "text around the certificates in a GPU's PEM chain"
		       : NULL;
}

static int mutate_gpu(struct vector *v, const struct buf *report, const struct buf *chain)
{
	struct report_mutant ctx = {.v = v,
		.nonce = vector_str(v, "expected_nonce"),
		.arch = arch_of(buf_slice(chain)),
		.report = buf_slice(report),
		.chain = buf_slice(chain),
		.ders = buf_init(0)};
	struct mutation m = {.part = "report",
		.bytes = report->data,
		.size = report->size,
		.accepted = report_accepted,
		.ctx = &ctx};
	const struct mutation certificates = {.part = "chain",
		.bytes = chain->data,
		.size = chain->size,
		.accepted = report_accepted,
		.harmless = same_chain,
		.ctx = &ctx};
	struct nv_report r;

	if (nv_report_parse(ctx.report, &r, NULL) < 0)
		return vector_fail(v, "the report cannot be read");
	size_t end = r.signed_bytes.size + r.signature.size;
	mutate_range(&m, slice_cut(ctx.report, end, report->size),
		"what follows the signature of a GPU's report");
	mutate_ders(ctx.chain, &ctx.ders);
	int result = mutate_bytes(v, &m);
	if (result == 0)
		result = mutate_bytes(v, &certificates);
	buf_done(&ctx.ders);
	return result;
}

static int run_report(struct vector *v)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
	cleanup(json_decref) json_t *list = json_array(), *devices = NULL;
	const char *nonce = vector_str(v, "expected_nonce"), *reason = vector_str(v, "reason");
	bool good, format;
	struct err why = {0};

	if (vector_read(v, vector_file(v, "report"), &report) < 0 ||
		vector_read(v, vector_file(v, "cert_chain"), &chain) < 0)
		return -1;
	json_array_append_new(
		list, device(arch_of(buf_slice(&chain)), buf_slice(&report), buf_slice(&chain)));
	devices = verify(v, list, nonce, &good, &format, &why);
	if (good != vector_is_valid(v))
		return vector_fail(v, good ? "was accepted" : "was refused: %s", why.text);
	if (format && reason && (strstr(reason, "signature") || strstr(reason, "nonce")))
		return vector_fail(v, "was refused for its format: %s", why.text);
	if (good && compare_claims(v, devices) < 0)
		return -1;
	if (compare_report(v, json_object_get(v->expected, "fields"), buf_slice(&report)) < 0)
		return -1;
	return v->mutate && good ? mutate_gpu(v, &report, &chain) : 0;
}

/* NVIDIA's own list, or Google's; both become ours. */
static json_t *convert(const json_t *item)
{
	const char *chain = json_string_value(json_object_get(item, "certificate_chain")),
		   *kind = json_string_value(json_object_get(item, "kind"));

	if (!chain)
		return json_deep_copy(item);
	json_t *o = json_pack("{s:s, s:O}", "arch",
		kind && streq(kind, "gpus") ? arch_of(slice_str(chain)) : "LS10", "evidence",
		json_object_get(item, "report"));
	if (json_set_b64(o, "certificate", slice_str(chain), B64_STD) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int run_list(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *doc = NULL;
	const json_t *results = json_object_get(v->expected, "check_results");

	if (vector_read(v, vector_file(v, "evidence_list"), &text) < 0 ||
		json_parse(buf_slice(&text), 0, &doc, NULL) < 0)
		return vector_fail(v, "the list cannot be read");
	if (json_array_size(doc) != json_array_size(results))
		return vector_fail(v, "%zu devices", json_array_size(doc));
	for (size_t i = 0; i < json_array_size(doc); i++) {
		const json_t *item = json_array_get(doc, i), *want = json_array_get(results, i);
		cleanup(json_decref) json_t *list = json_array(), *devices = NULL;
		const char *nonce = json_string_value(json_object_get(item, "nonce"));
		const char *driver = json_string_value(json_object_get(want, "driver"));
		bool good, format;
		struct err why = {0};
		json_array_append_new(list, convert(item));
		devices = verify(v, list, nonce ? nonce : vector_str(v, "expected_nonce"), &good,
			&format, &why);
		bool expected = json_is_true(json_object_get(want, "signature")) &&
				json_is_true(json_object_get(want, "chain")) &&
				json_is_true(json_object_get(want, "nonce"));
		if (good != expected)
			return vector_fail(v, "device %zu: %s", i, why.text);
		const json_t *config = json_object_get(
			json_object_get(json_array_get(devices, 0), "claims"), "config");
		if (good && driver &&
			!streq_null(json_string_value(json_object_get(config, "driver_version")),
				driver))
			return vector_fail(v, "device %zu has another driver", i);
	}
	return 0;
}

/* Both times matter: when every certificate was valid, and now. */
static int64_t signing_time(const struct nv_chain *c)
{
	int64_t at = 0, from, until;
	for (size_t i = 0; i < c->count; i++) {
		if (cert_validity(c->certs[i], &from, &until) == 0)
			at = MAX(at, from);
	}
	return at;
}

static int check_rim(
	const struct nv_rim *rim, struct evidence_request *q, bool now, struct err *reterr)
{
	struct nv_chain chain = {0};

	int r = nv_rim_chain(rim, &chain);
	q->now = now ? clock_unix_s() : signing_time(&chain);
	if (r == 0)
		r = xml_signed_verify(rim->xml, reterr);
	if (r == 0)
		r = nv_chain_check(q, NV_ROOT_RIM, &chain, reterr);
	nv_chain_done(&chain);
	return r;
}

static int run_xml(struct vector *v, struct slice text)
{
	cleanup(xml_signed_free) struct xml_signed *x = NULL;
	struct err e = {0};

	int r = xml_signed_parse(text, &x, &e);
	if (r == 0)
		r = xml_signed_verify(x, &e);
	return (r == 0) == vector_is_valid(v) ? 0 : vector_fail(v, "signature: %s", e.text);
}

static int run_rim(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), pem = buf_init(0);
	cleanup_with(nv_rim_done) struct nv_rim rim = {0};
	struct cert *root = NULL;
	struct digest pin = {0};
	struct err e = {0};

	if (vector_read(v, vector_file(v, "rim"), &text) < 0 ||
		vector_read(v, vector_file(v, "rim_root"), &pem) < 0 ||
		certs_from_pem(buf_slice(&pem), &root, 1, NULL) != 1)
		return vector_fail(v, "files cannot be read");
	int r = cert_spki_digest(root, HASH_SHA256, &pin);
	cert_free(root);
	struct evidence_request q = {.nvidia_roots = &pin, .nvidia_root_count = 1};
	/* One case is another document, there for its signature. */
	if (r == 0 && nv_rim_parse(buf_slice(&text), &rim, &e) < 0 &&
		vector_int(v, v->expected, "measurements", 0) == 0)
		return run_xml(v, buf_slice(&text));
	if (!rim.xml)
		return vector_is_valid(v) ? vector_fail(v, "was refused: %s", e.text) : 0;
	if (vector_int(v, v->expected, "measurements", (int64_t)rim.count) < 0)
		return -1;
	/*
	 * A good one stays so after its signer's certificate. A bad one is verified as of now, too:
	 * some are bad only for that, or beside a report that the case does not have.
	 */
	r = check_rim(&rim, &q, false, &e);
	if (r == 0 && !vector_is_valid(v))
		r = check_rim(&rim, &q, true, &e);
	if ((r == 0) == vector_is_valid(v))
		return 0;
	return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
}

static int run_rim_pack(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *cases = NULL;
	size_t i;
	json_t *item;

	if (vector_read(v, vector_file(v, "cases"), &text) < 0 ||
		json_parse(buf_slice(&text), 0, &cases, NULL) < 0)
		return vector_fail(v, "cases cannot be read");
	json_array_foreach (cases, i, item) {
		cleanup_with(nv_rim_done) struct nv_rim rim = {0};
		const char *xml = json_string_value(json_object_get(item, "xml"));
		bool good = nv_rim_parse(slice_str(xml), &rim, NULL) == 0;
		if (good != json_is_true(json_object_get(item, "accept")))
			return vector_fail(v, "%s: %s",
				json_string_value(json_object_get(item, "name")),
				good ? "was accepted" : "was refused");
	}
	return i > 0 ? 0 : vector_fail(v, "no cases");
}

static bool same_time(const char *want, int64_t value)
{
	char text[RFC3339_SIZE], like[RFC3339_SIZE + 8];

	rfc3339_format(value, text);
	snprintf(like, sizeof(like), "%.10s %.8s+00:00", text, text + 11);
	return !want || streq(want, like);
}

static int run_ocsp(struct vector *v)
{
	cleanup_with(buf_done) struct buf der = buf_init(0);
	cleanup(ocsp_free) struct ocsp *o = NULL;
	const json_t *fields = json_object_get(v->expected, "fields");
	const char *status = json_string_value(json_object_get(fields, "cert_status")),
		   *serial = json_string_value(json_object_get(fields, "serial"));
	struct ocsp_answer a;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "ocsp_response"), &der) < 0)
		return -1;
	if (ocsp_from_der(buf_slice(&der), &o, &e) < 0 || ocsp_read(o, &a, &e) < 0)
		return vector_fail(v, "was refused: %s", e.text);
	if (status && strcasecmp(status + strcspn(status, ".") + 1, ocsp_status_name(a.status)))
		return vector_fail(v, "status is %s", ocsp_status_name(a.status));
	if (serial && !streq(serial, a.serial))
		return vector_fail(v, "serial is %s", a.serial);
	if (!same_time(json_string_value(json_object_get(fields, "this_update")), a.this_update) ||
		!same_time(
			json_string_value(json_object_get(fields, "next_update")), a.next_update))
		return vector_fail(v, "dates differ");
	return 0;
}

/* [["JWT", token], {device: token}]; the payloads of the devices are given. */
static int run_eat(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), decoded = buf_init(0);
	cleanup(json_decref) json_t *doc = NULL, *want = NULL;
	const char *name;
	json_t *token;

	if (vector_read(v, vector_file(v, "eat"), &text) < 0 ||
		vector_read(v, vector_file(v, "source_expected"), &decoded) < 0 ||
		json_parse(buf_slice(&text), 0, &doc, NULL) < 0 ||
		json_parse(buf_slice(&decoded), 0, &want, NULL) < 0)
		return vector_fail(v, "files cannot be read");
	json_object_foreach (json_array_get(doc, 1), name, token) {
		cleanup_with(jws_done) struct jws jws = {0};
		cleanup(json_decref) json_t *payload = NULL;
		const char *jwt = json_string_value(token);
		if (!jwt || jws_parse(slice_str(jwt), &jws, NULL) < 0 ||
			json_parse(buf_slice(&jws.payload), 0, &payload, NULL) < 0)
			return vector_fail(v, "%s is no token", name);
		if (!json_equal(payload, json_object_get(want, name)))
			return vector_fail(v, "claims of %s differ", name);
	}
	return json_object_size(json_array_get(doc, 1)) == json_object_size(want)
		       ? 0
		       : vector_fail(v, "other devices");
}

int vector_nvidia(struct vector *v)
{
	static const struct {
		const char *role;
		int (*run)(struct vector *v);
	} runs[] = {{"report", run_report}, {"evidence_list", run_list}, {"rim", run_rim},
		{"cases", run_rim_pack}, {"ocsp_response", run_ocsp}, {"eat", run_eat}};

	for (size_t i = 0; i < ARRAY_COUNT(runs); i++) {
		if (vector_file(v, runs[i].role))
			return runs[i].run(v);
	}
	return vector_fail(v, "nothing to run");
}
