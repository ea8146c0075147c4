/* SPDX-License-Identifier: Apache-2.0 */
/* Hygon: chains of certificates, reports with theirs. */
#include "evidence/csv.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "mutate.h"

struct csv_case {
	struct buf chain, report;
	struct slice hrk, hsk, cek;
	struct evidence_request request;
	struct evidence_result result;
};

static void csv_case_done(struct csv_case *c)
{
	buf_done(&c->chain);
	buf_done(&c->report);
	evidence_result_done(&c->result);
}

static const struct vector_check g_checks[] = {{"hrk_self", "HRK certificate"},
	{"hsk_by_hrk", "HSK certificate"}, {"cek_by_hsk", "CEK certificate"},
	{"pek_by_cek", "PEK certificate"}, {"report_by_pek", "report signature"},
	{"signer_mac", "signer MAC"}};

/* A number, or its text in either base. */
static int compare_number(struct vector *v, const json_t *f, const char *name, uint64_t value)
{
	const json_t *want = json_object_get(f, name);

	if (!want)
		return 0;
	uint64_t number =
		json_is_integer(want)
			? (uint64_t)json_integer_value(want)
			: strtoull(json_is_string(want) ? json_string_value(want) : "x", NULL, 0);
	return number == value ? 0
			       : vector_fail(v, "%s is %llu, expected %llu", name,
					 (unsigned long long)value, (unsigned long long)number);
}

static int compare_text(struct vector *v, const json_t *f, const char *name, struct slice value)
{
	const json_t *want = json_object_get(f, name);

	return !want || slice_eq(value, slice_of(json_string_value(want), json_string_length(want)))
		       ? 0
		       : vector_fail(v, "%s is another one", name);
}

static int compare_report(struct vector *v, const struct csv_report *r)
{
	const json_t *f = json_object_get(v->expected, "fields");
	const struct {
		const char *name;
		struct slice value;
	} bytes[] = {{"user_pubkey_digest", r->user_pubkey_digest}, {"vm_id", r->vm_id},
		{"vm_version", r->vm_version}, {"report_data", r->report_data},
		{"mnonce", r->mnonce}, {"measure", r->measure}, {"rtmr0", r->rtmr[0]},
		{"rtmr1", r->rtmr[1]}, {"rtmr2", r->rtmr[2]}, {"rtmr3", r->rtmr[3]},
		{"rtmr4", r->rtmr[4]}};
	struct slice serial = r->serial_number;
	char anonce[16];

	for (size_t i = 0; i < ARRAY_COUNT(bytes); i++) {
		if (vector_hex(v, f, bytes[i].name, bytes[i].value) < 0)
			return -1;
	}
	while (serial.size > 0 && serial.data[serial.size - 1] == 0)
		serial.size--;
	snprintf(anonce, sizeof(anonce), "%08x", r->anonce);
	if (compare_number(v, f, "policy", r->policy) < 0 ||
		compare_number(v, f, "sig_usage", r->sig_usage) < 0 ||
		compare_number(v, f, "sig_algo", r->sig_algo) < 0 ||
		compare_number(v, f, "build", r->build) < 0 ||
		compare_number(v, f, "rtmr_version", r->rtmr_version) < 0 ||
		compare_text(v, f, "sn", serial) < 0)
		return -1;
	return compare_text(v, f, "anonce", slice_str(anonce));
}

static int compare_cert(struct vector *v, const char *name, const struct csv_cert *c)
{
	const json_t *f = json_object_get(json_object_get(v->expected, "fields"), name);
	char firmware[16];

	snprintf(firmware, sizeof(firmware), "%u.%u", c->firmware_major, c->firmware_minor);
	if (vector_hex(v, f, "key_id", c->key_id) < 0 ||
		vector_hex(v, f, "certifying_id", c->signer_id) < 0 ||
		vector_hex(v, f, "sid", c->signer_id) < 0 ||
		compare_number(v, f, "ver", c->version) < 0 ||
		compare_number(v, f, "usage", c->usage) < 0 ||
		compare_number(v, f, "algo", c->algo) < 0 ||
		compare_number(v, f, "curve", c->curve) < 0 ||
		compare_text(v, f, "uid", c->uid) < 0)
		return -1;
	return compare_text(v, f, "fw", slice_str(firmware));
}

static int judge(struct vector *v, const struct csv_case *c, int r)
{
	if ((r == 0) != vector_is_valid(v))
		return vector_fail(
			v, r == 0 ? "was accepted" : "was refused: %s", c->result.reason);
	return r == 0 ? 0 : vector_refusal(v, g_checks, ARRAY_COUNT(g_checks), c->result.reason);
}

/* Hygon's own root is the built-in one, which nobody may replace by another of its name. */
static void use_root(struct csv_case *c)
{
	struct csv_cert builtin, given;

	if (csv_ca_cert_parse(csv_builtin_root(), &builtin, NULL) == 0 &&
		csv_ca_cert_parse(c->hrk, &given, NULL) == 0 &&
		slice_eq(builtin.key_id, given.key_id))
		return;
	c->request.hygon_root = c->hrk;
}

struct csv_mutant {
	struct csv_case *c;
	unsigned version; /* of the report; 0: the chain alone */
};

static bool csv_accepted(void *ctx)
{
	const struct csv_mutant *m = ctx;
	cleanup_with(evidence_result_done) struct evidence_result result = {.checks = json_array()};
	struct csv_report report;
	struct csv_cert cek;

	if (m->version == 0)
		return csv_verify_chain(&m->c->request, m->c->hsk, m->c->cek, &result, &cek) == 0;
	return csv_report_parse(buf_slice(&m->c->report), m->version, &report, NULL) == 0 &&
	       csv_verify(&m->c->request, m->c->hsk, m->c->cek, SLICE_EMPTY, &report, &result) == 0;
}

/* A certificate has room for two signatures of 512 bytes; SM2 takes 144 and most need one. */
static void free_signature_room(struct mutation *m, struct slice cert)
{
	const size_t head = 8, numbers = 144, field = 520;
	struct csv_cert c;

	if (csv_cert_parse(cert, &c, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(c.signatures); i++) {
		size_t from = c.body.size + i * field;
		size_t used = c.signatures[i].there ? head + numbers : 0;
		mutate_range(m, slice_cut(cert, from + used, field - used),
			used ? "room behind the numbers of an SM2 signature"
			     : "a certificate's second signature that is not there");
	}
}

/* The root is what is trusted, not evidence. */
static int mutate_csv(struct vector *v, struct csv_case *c, unsigned version)
{
	struct csv_mutant ctx = {c, version};
	struct mutation chain = {.part = "HSK and CEK",
		.bytes = c->chain.data + CSV_CA_CERT_SIZE,
		.size = c->chain.size - CSV_CA_CERT_SIZE,
		.accepted = csv_accepted,
		.ctx = &ctx};
	const struct mutation report = {.part = "report",
		.bytes = c->report.data,
		.size = c->report.size,
		.accepted = csv_accepted,
		.ctx = &ctx};

	free_signature_room(&chain, c->cek);
	if (mutate_bytes(v, &chain) < 0)
		return -1;
	return version ? mutate_bytes(v, &report) : 0;
}

static int run_chain(struct vector *v, struct csv_case *c)
{
	struct csv_cert hrk, hsk, cek;

	if (vector_read(v, vector_file(v, "hrk"), &c->chain) < 0 ||
		vector_read(v, vector_file(v, "hsk"), &c->chain) < 0 ||
		vector_read(v, vector_file(v, "cek"), &c->chain) < 0)
		return -1;
	c->hrk = slice_cut(buf_slice(&c->chain), 0, CSV_CA_CERT_SIZE);
	c->hsk = slice_cut(buf_slice(&c->chain), CSV_CA_CERT_SIZE, CSV_CA_CERT_SIZE);
	c->cek = slice_cut(buf_slice(&c->chain), 2 * (size_t)CSV_CA_CERT_SIZE, c->chain.size);
	use_root(c);
	int r = csv_verify_chain(&c->request, c->hsk, c->cek, &c->result, &cek);
	if (judge(v, c, r) < 0)
		return -1;
	if (csv_ca_cert_parse(c->hrk, &hrk, NULL) < 0 || csv_ca_cert_parse(c->hsk, &hsk, NULL) < 0)
		return 0;
	if (compare_cert(v, "hrk", &hrk) < 0 || compare_cert(v, "hsk", &hsk) < 0)
		return -1;
	if (csv_cert_parse(c->cek, &cek, NULL) == 0 && compare_cert(v, "cek", &cek) < 0)
		return -1;
	return v->mutate && r == 0 ? mutate_csv(v, c, 0) : 0;
}

static int run_report(struct vector *v, struct csv_case *c)
{
	int64_t version = json_integer_value(json_object_get(v->expected, "report_version"));
	struct csv_report report;
	struct err e = {0};

	if (vector_read(v, vector_file(v, "chain"), &c->chain) < 0 ||
		vector_read(v, vector_file(v, "report"), &c->report) < 0)
		return -1;
	c->hrk = slice_cut(buf_slice(&c->chain), 0, CSV_CA_CERT_SIZE);
	c->hsk = slice_cut(buf_slice(&c->chain), CSV_CA_CERT_SIZE, CSV_CA_CERT_SIZE);
	c->cek = slice_cut(buf_slice(&c->chain), 2 * (size_t)CSV_CA_CERT_SIZE, c->chain.size);
	use_root(c);
	if (csv_report_parse(buf_slice(&c->report), (unsigned)version, &report, &e) < 0)
		return vector_is_valid(v) || vector_is_parse_only(v)
			       ? vector_fail(v, "was refused: %s", e.text)
			       : 0;
	if (vector_is_parse_only(v))
		return compare_report(v, &report);
	int r = csv_verify(&c->request, c->hsk, c->cek, SLICE_EMPTY, &report, &c->result);
	if (judge(v, c, r) < 0 || compare_report(v, &report) < 0)
		return -1;
	return v->mutate && r == 0 ? mutate_csv(v, c, (unsigned)version) : 0;
}

int vector_csv(struct vector *v)
{
	cleanup_with(csv_case_done) struct csv_case c = {
		.chain = buf_init(0), .report = buf_init(0)};

	c.result.checks = json_array();
	c.request.now = clock_unix_s();
	return vector_file(v, "report") ? run_report(v, &c) : run_chain(v, &c);
}
