/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's devices: real reports, manifests and OCSP answers of the shared vectors, each truncated
 * and altered; what the parsers refuse.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "evidence/nvidia.h"
#include "fmt/json.h"
#include "vectors.h"

#define HOPPER "nvidia/hopper-550-trustee"
#define DRIVER_RIM "nvidia/rim-nv-gpu-driver-gh100-550.90.07/rim.xml"
#define VBIOS_RIM "nvidia/rim-nv-gpu-vbios-1010-0200-882-96009f0001/rim.xml"
#define NONCE "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb"
#define IN_2025 1750000000 /* all RIM signers were valid */

static void read_vector(const char *path, struct buf *out)
{
	char full[4096];
	snprintf(full, sizeof(full), "%s/%s", vectors_dir(), path);
	assert_int_equal(file_read(full, 1 << 22, out, NULL), 0);
}

static json_t *evidence_of(const char *arch, struct slice report, struct slice chain)
{
	json_t *device = json_pack("{s:s}", "arch", arch);
	assert_int_equal(json_set_b64(device, "evidence", report, B64_STD), 0);
	assert_int_equal(json_set_b64(device, "certificate", chain, B64_STD), 0);
	return json_pack("{s:[o]}", "device_evidence_list", device);
}

struct run {
	int64_t now;
	const struct collateral_provider *collateral;
	bool revocation; /* OCSP answers are wanted */
};

static struct evidence_result verify(
	const char *arch, struct slice report, struct slice chain, struct run run)
{
	cleanup(json_decref) json_t *evidence = evidence_of(arch, report, chain);
	struct evidence_result result = {0};
	uint8_t nonce[32];

	assert_int_equal(hex_decode_fixed(nonce, sizeof(nonce), SLICE_LIT(NONCE)), 0);
	const struct evidence_request q = {.evidence = evidence,
		.report_data = slice_of(nonce, sizeof(nonce)),
		.now = run.now,
		.collateral = run.collateral,
		.insecure_no_revocation_list = !run.revocation};
	assert_int_equal(evidence_verify("nvidia", &q, &result, NULL), 0);
	return result;
}

static const json_t *claim(const struct evidence_result *r, const char *name)
{
	return json_object_get(json_object_get(json_array_get(r->devices, 0), "claims"), name);
}

static void put_vector(struct collateral_store *s, const char *key, const char *path)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	read_vector(path, &text);
	assert_int_equal(collateral_store_put(s, key, buf_slice(&text)), 0);
}

static struct collateral_store *rims(void)
{
	struct collateral_store *s = collateral_store_new();
	put_vector(s, "nvidia/rim/nv_gpu_driver_gh100_550.90.07", DRIVER_RIM);
	put_vector(s, "nvidia/rim/nv_gpu_vbios_1010_0200_882_96009f0001", VBIOS_RIM);
	return s;
}

static void test_measurements(void **state)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
	cleanup(collateral_store_free) struct collateral_store *s = NULL;

	s = rims();
	read_vector(HOPPER "/report.bin", &report);
	read_vector(HOPPER "/chain.pem", &chain);
	struct evidence_result r = verify("HOPPER", buf_slice(&report), buf_slice(&chain),
		(struct run){IN_2025, collateral_store_provider(s), false});
	assert_int_equal(r.verdict, EVIDENCE_ACCEPT);
	assert_string_equal(json_string_value(claim(&r, "measres")), "success");
	assert_string_equal(json_string_value(claim(&r, "dbgstat")), "disabled");
	assert_true(json_is_true(claim(&r, "secboot")));
	assert_string_equal(
		json_string_value(claim(&r, "x-nvidia-gpu-vbios-version")), "96.00.9F.00.01");
	assert_string_equal(json_string_value(claim(&r, "ueid")),
		"478176379286082186618948445787393647364802107249");
	assert_string_equal(json_string_value(claim(&r, "hwmodel")), "GH100 A01 GSP BROM");
	assert_string_equal(json_string_value(claim(&r, "oemid")), "5703");
	assert_true(json_is_true(claim(&r, "x-nvidia-gpu-vbios-index-no-conflict")));
	/* Seven answers about revocation are not there: the claims say so. */
	assert_int_equal(json_array_size(r.missing), 9);
	assert_string_equal(
		json_string_value(json_object_get(claim(&r, "x-nvidia-gpu-driver-rim-cert-chain"),
			"x-nvidia-cert-ocsp-status")),
		"unknown");
	evidence_result_done(&r);
}

/* Without manifests, or with expired ones, a device is authentic, and nothing more. */
static void test_unmeasured(void **state)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
	cleanup(collateral_store_free) struct collateral_store *s = NULL;

	s = rims();
	read_vector(HOPPER "/report.bin", &report);
	read_vector(HOPPER "/chain.pem", &chain);
	const struct run runs[] = {{IN_2025, NULL, false},
		{1900000000 /* 2030 */, collateral_store_provider(s), false}};
	for (size_t i = 0; i < ARRAY_COUNT(runs); i++) {
		struct evidence_result r =
			verify("HOPPER", buf_slice(&report), buf_slice(&chain), runs[i]);
		assert_int_equal(r.verdict, EVIDENCE_ACCEPT);
		assert_string_equal(json_string_value(claim(&r, "measres")), "fail");
		assert_true(json_is_null(claim(&r, "secboot")));
		assert_true(json_is_null(claim(&r, "dbgstat")));
		assert_true(json_is_false(claim(&r, "x-nvidia-gpu-driver-rim-signature-verified")));
		evidence_result_done(&r);
	}
}

static void test_without_revocation(void **state)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);

	read_vector(HOPPER "/report.bin", &report);
	read_vector(HOPPER "/chain.pem", &chain);
	struct evidence_result r = verify(
		"HOPPER", buf_slice(&report), buf_slice(&chain), (struct run){IN_2025, NULL, true});
	assert_int_equal(r.verdict, EVIDENCE_DENY);
	assert_non_null(strstr(r.reason, "revocation: device 0: there is no nvidia/ocsp/"));
	assert_int_equal(json_array_size(r.missing), 3);
	evidence_result_done(&r);
}

/* Each pair is refused, and says why. */
static void test_refusals(void **state)
{
	static const struct {
		const char *arch, *report, *chain, *reason;
	} cases[] = {
		{"LS10", "hopper-550-trustee", "hopper-550-trustee", "architecture"},
		{"BLACKWELL", "hopper-550-trustee", "hopper-550-trustee", "architecture"},
		{"PASCAL", "hopper-550-trustee", "hopper-550-trustee", "not known"},
		{"HOPPER", "hopper-550-trustee", "hopper-580-coco", "report signature"},
		{"HOPPER", "hopper-580-coco", "hopper-580-coco", "report data"},
		{"HOPPER", "hopper-550-trustee", "neg-hopper-chain-case2", "at least"},
		{"HOPPER", "hopper-550-trustee", "neg-hopper-chain-case3", "not issued by"},
		{"HOPPER", "hopper-550-trustee", "neg-hopper-chain-case4", "may not sign"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
		char path[256];
		snprintf(path, sizeof(path), "nvidia/%s/report.bin", cases[i].report);
		read_vector(path, &report);
		snprintf(path, sizeof(path), "nvidia/%s/chain.pem", cases[i].chain);
		read_vector(path, &chain);
		struct evidence_result r = verify(cases[i].arch, buf_slice(&report),
			buf_slice(&chain), (struct run){IN_2025, NULL, false});
		assert_int_equal(r.verdict, EVIDENCE_DENY);
		if (!strstr(r.reason, cases[i].reason))
			fail_msg("case %zu: %s", i, r.reason);
		evidence_result_done(&r);
	}
}

static struct pkey *leaf_key(struct slice pem)
{
	struct cert *certs[NV_CHAIN_MAX] = {NULL};
	struct pkey *key = NULL;
	int count = certs_from_pem(pem, certs, NV_CHAIN_MAX, NULL);

	assert_true(count > 0);
	assert_int_equal(cert_key(certs[0], &key), 0);
	for (int i = 0; i < count; i++)
		cert_free(certs[i]);
	return key;
}

/* No truncation parses; no changed byte is accepted. */
static void every_byte(const char *arch, const char *name)
{
	cleanup_with(buf_done) struct buf report = buf_init(0), chain = buf_init(0);
	const struct run run = {IN_2025, NULL, false};
	struct nv_report parsed;

	vectors_read("nvidia", name, "report.bin", &report);
	vectors_read("nvidia", name, "chain.pem", &chain);
	cleanup(pkey_free) struct pkey *key = leaf_key(buf_slice(&chain));
	struct evidence_result r = verify(arch, buf_slice(&report), buf_slice(&chain), run);
	assert_int_equal(r.verdict, EVIDENCE_ACCEPT);
	evidence_result_done(&r);
	for (size_t i = 0; i < report.size; i++) {
		assert_true(
			nv_report_parse(slice_cut(buf_slice(&report), 0, i), &parsed, NULL) < 0);
		report.data[i] ^= (uint8_t)(1 << (i % 8));
		if (nv_report_parse(buf_slice(&report), &parsed, NULL) == 0 &&
			pkey_verify(key, SIG_ES384, parsed.signed_bytes, parsed.signature) == 0)
			fail_msg("%s: byte %zu", name, i);
		/* The whole way takes longer: not for each. */
		if (i % 32 == 0) {
			r = verify(arch, buf_slice(&report), buf_slice(&chain), run);
			assert_int_equal(r.verdict, EVIDENCE_DENY);
			evidence_result_done(&r);
		}
		report.data[i] ^= (uint8_t)(1 << (i % 8));
	}
}

static void test_every_byte(void **state)
{
	every_byte("HOPPER", "hopper-550-trustee");
	every_byte("BLACKWELL", "blackwell-575-nvidia");
	every_byte("LS10", "switch-ls10-nvidia");
}

static bool rim_verifies(struct slice text)
{
	const struct evidence_request q = {.now = IN_2025};
	struct nv_rim rim = {0};
	struct nv_chain chain = {0};
	bool good = nv_rim_parse(text, &rim, NULL) == 0 && nv_rim_chain(&rim, &chain) == 0 &&
		    xml_signed_verify(rim.xml, NULL) == 0 &&
		    nv_chain_check(&q, NV_ROOT_RIM, &chain, NULL) == 0;
	nv_rim_done(&rim);
	nv_chain_done(&chain);
	return good;
}

static void test_rim_every_byte(void **state)
{
	static const char *const paths[] = {DRIVER_RIM, VBIOS_RIM};

	for (size_t p = 0; p < ARRAY_COUNT(paths); p++) {
		cleanup_with(buf_done) struct buf text = buf_init(0);
		read_vector(paths[p], &text);
		assert_true(rim_verifies(buf_slice(&text)));
		/* A final newline follows the document. */
		size_t end = text.size;
		while (end > 0 && text.data[end - 1] != '>')
			end--;
		for (size_t i = 0; i < end; i++) {
			if (i % 64 == 0 && rim_verifies(slice_cut(buf_slice(&text), 0, i)))
				fail_msg("%s: cut at %zu", paths[p], i);
			if (i % 16 != p)
				continue;
			text.data[i] ^= (uint8_t)(1 << (i % 7));
			if (rim_verifies(buf_slice(&text)))
				fail_msg("%s: byte %zu", paths[p], i);
			text.data[i] ^= (uint8_t)(1 << (i % 7));
		}
	}
}

/* The same bytes of the manifest elsewhere in another document, and other tricks with XML. */
static void test_rim_wrapping(void **state)
{
	cleanup_with(buf_done) struct buf text = buf_init(0), outer = buf_init(0);

	read_vector(DRIVER_RIM, &text);
	buf_put_str(&outer, "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/"
			    "schema.xsd\">");
	buf_put_slice(&outer, buf_slice(&text));
	buf_put_str(&outer, "</SoftwareIdentity>");
	assert_false(rim_verifies(buf_slice(&outer)));
	static const char *const prologs[] = {
		"<!DOCTYPE SoftwareIdentity [<!ENTITY a \"b\">]>",
		"<!DOCTYPE SoftwareIdentity SYSTEM \"file:///etc/passwd\">",
		"<?xml version=\"1.0\" encoding=\"UTF-16\"?><!DOCTYPE a>",
	};
	for (size_t i = 0; i < ARRAY_COUNT(prologs); i++) {
		buf_clear(&outer);
		buf_put_str(&outer, prologs[i]);
		buf_put_slice(&outer, buf_slice(&text));
		assert_false(rim_verifies(buf_slice(&outer)));
	}
	/* As the RIM service wraps it. */
	cleanup(json_decref) json_t *answer = json_object();
	assert_int_equal(json_set_b64(answer, "rim", buf_slice(&text), B64_STD), 0);
	buf_clear(&outer);
	assert_int_equal(json_write(answer, &outer), 0);
	assert_true(rim_verifies(buf_slice(&outer)));
}

/* The answer about the boot ROM of the Hopper case, by NVIDIA's responder. */
static void test_ocsp(void **state)
{
	cleanup_with(buf_done) struct buf der = buf_init(0), pem = buf_init(0);
	struct cert *c[NV_CHAIN_MAX] = {NULL};
	cleanup(ocsp_free) struct ocsp *o = NULL;
	struct ocsp_answer a;
	struct err e = {0};
	int64_t at;

	read_vector("nvidia/ocsp-gpu-certificate-l4/ocsp.der", &der);
	read_vector(HOPPER "/chain.pem", &pem);
	assert_int_equal(certs_from_pem(buf_slice(&pem), c, NV_CHAIN_MAX, NULL), 5);
	assert_int_equal(rfc3339_parse(SLICE_LIT("2025-08-21T07:00:00Z"), &at), 0);
	assert_int_equal(ocsp_from_der(buf_slice(&der), &o, NULL), 0);
	assert_int_equal(ocsp_check(o, c[1], c[2], c + 2, 3, c[4], at, &a, &e), 0);
	assert_int_equal(a.status, OCSP_GOOD);
	assert_string_equal(a.serial, "41431d480fe5e87274");
	/* A day later, a day before, about another certificate, below another root. */
	assert_int_equal(ocsp_check(o, c[1], c[2], c + 2, 3, c[4], at + 86400, &a, &e), -ESTALE);
	assert_int_equal(ocsp_check(o, c[1], c[2], c + 2, 3, c[4], at - 86400, &a, &e), -ESTALE);
	assert_int_equal(ocsp_check(o, c[2], c[3], c + 3, 2, c[4], at, &a, &e), -EKEYREJECTED);
	assert_int_equal(ocsp_check(o, c[1], c[2], c + 2, 2, c[1], at, &a, &e), -EKEYREJECTED);
	for (size_t i = 0; i < der.size; i++) {
		cleanup(ocsp_free) struct ocsp *bad = NULL;
		assert_true(ocsp_from_der(slice_cut(buf_slice(&der), 0, i), &bad, NULL) < 0);
		der.data[i] ^= (uint8_t)(1 << (i % 8));
		/* A parameter of the algorithm is not signed, and means nothing. */
		struct ocsp_answer b;
		if (ocsp_from_der(buf_slice(&der), &bad, NULL) == 0 &&
			ocsp_check(bad, c[1], c[2], c + 2, 3, c[4], at, &b, NULL) == 0 &&
			memcmp(&a, &b, sizeof(a)) != 0)
			fail_msg("byte %zu", i);
		der.data[i] ^= (uint8_t)(1 << (i % 8));
	}
	for (size_t i = 0; i < 5; i++)
		cert_free(c[i]);
}

/* Malformed reports, made from a minimal good one. */
static void test_report_table(void **state)
{
	uint8_t good[37 + 8 + 51 + 4 + 32 + 2 + 8 + 96] = {0x11, 0xE0};
	struct nv_report r;
	size_t record = 37 + 8;

	good[37] = 0x11;
	good[38] = 0x60;
	good[41] = 1; /* blocks */
	good[42] = 55;
	good[record] = 1;     /* index */
	good[record + 1] = 1; /* DMTF */
	good[record + 2] = 51;
	good[record + 5] = 48;
	size_t opaque = record + 55 + 32;
	good[opaque] = 8;
	good[opaque + 2] = NV_NVDEC0_STATUS;
	good[opaque + 4] = 4;
	assert_int_equal(nv_report_parse(slice_of(good, sizeof(good)), &r, NULL), 0);
	const struct {
		size_t at;
		uint8_t value;
		int error;
		const char *what;
	} cases[] = {
		{0, 0x10, -EOPNOTSUPP, "SPDM 1.0"},
		{1, 0xE1, -EBADMSG, "another request"},
		{37, 0x12, -EOPNOTSUPP, "SPDM 1.2"},
		{38, 0x7F, -EBADMSG, "an SPDM error instead of measurements"},
		{41, 0, -EBADMSG, "bytes behind the last block"},
		{41, 2, -EBADMSG, "fewer blocks than said"},
		{42, 54, -EBADMSG, "record shorter than its block"},
		{44, 1, -ENODATA, "record longer than the report"},
		{record, 0, -EBADMSG, "index 0"},
		{record + 1, 2, -EOPNOTSUPP, "another measurement specification"},
		{record + 2, 52, -EBADMSG, "block larger than its measurement"},
		{record + 5, 49, -EBADMSG, "measurement larger than its block"},
		{opaque, 7, -EBADMSG, "opaque data shorter than its item"},
		{opaque + 2, 99, -EBADMSG, "unknown opaque type"},
		{opaque + 2, 0, -EBADMSG, "opaque type 0"},
		{opaque + 4, 5, -EBADMSG, "item longer than the opaque data"},
		{opaque + 4, 3, -EBADMSG, "rest of the opaque data is no item"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t old = good[cases[i].at];
		good[cases[i].at] = cases[i].value;
		int e = nv_report_parse(slice_of(good, sizeof(good)), &r, NULL);
		if (e != cases[i].error)
			fail_msg("%s: %d", cases[i].what, e);
		good[cases[i].at] = old;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_measurements),
		cmocka_unit_test(test_unmeasured),
		cmocka_unit_test(test_without_revocation),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_rim_every_byte),
		cmocka_unit_test(test_rim_wrapping),
		cmocka_unit_test(test_ocsp),
		cmocka_unit_test(test_report_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
