/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of a device. Beside those of Trustee's local verifier there are those that its remote one
 * gets from NVIDIA, made here from the same facts: the default policies for GPUs and switches work
 * with either.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/parse.h"
#include "base/str.h"
#include "evidence/nvidia.h"
#include "fmt/json.h"

#define NVDEC0_INDEX 35
#define NVDEC0_ENABLED 0xAA
#define NVDEC0_DISABLED 0x55
/* Of the only switch there is. */
#define LS10_RIM "NV_SWITCH_BIOS_5612_0002_890_"

/* One manifest and how far it was verified. @prefix: of its claims */
struct appraised_rim {
	const char *prefix;
	struct nv_rim rim;
	struct nv_chain chain;
	bool fetched, parsed, chain_valid, signature, version;
};

static void upper(char *s)
{
	for (; *s; s++)
		*s = (char)(*s >= 'a' && *s <= 'z' ? *s - ('a' - 'A') : *s);
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)(*s >= 'A' && *s <= 'Z' ? *s + ('a' - 'A') : *s);
}

/* "96.00.9F.00.01" as "96009F0001" */
static int compact_version(const struct nv_report *r, char *dst, size_t size)
{
	char text[64];
	size_t n = 0;

	int e = nv_vbios_text(r, text, sizeof(text));
	if (e < 0)
		return e;
	for (const char *c = text; *c && n + 1 < size; c++) {
		if (*c != '.')
			dst[n++] = *c;
	}
	dst[n] = 0;
	upper(dst);
	return 0;
}

static int driver_rim_id(const struct nv_device *d, char *dst, size_t size)
{
	char version[64], chip[64];
	int n;

	if (!nv_opaque_text(&d->report, NV_DRIVER_VERSION, version, sizeof(version))[0])
		return -ENOENT;
	if (streq(d->arch, "Hopper")) {
		n = snprintf(dst, size, "NV_GPU_DRIVER_GH100_%s", version);
	} else {
		nv_opaque_text(&d->report, NV_CHIP_INFO, chip, sizeof(chip));
		n = snprintf(
			dst, size, "NV_GPU_CC_DRIVER_%s_%s", chip[0] ? chip : "GB100", version);
	}
	return n > 0 && (size_t)n < size ? 0 : -E2BIG;
}

int nv_rim_id(const struct nv_device *d, bool firmware, char *dst, size_t size)
{
	char project[32], sku[32], chip[32], version[64];
	int n;

	if (!firmware)
		return d->kind == NV_GPU ? driver_rim_id(d, dst, size) : -ENOENT;
	if (compact_version(&d->report, version, sizeof(version)) < 0)
		return -ENOENT;
	if (d->kind == NV_SWITCH) {
		n = snprintf(dst, size, LS10_RIM "%s", version);
	} else {
		nv_opaque_text(&d->report, NV_PROJECT, project, sizeof(project));
		nv_opaque_text(&d->report, NV_PROJECT_SKU, sku, sizeof(sku));
		nv_opaque_text(&d->report, NV_CHIP_SKU, chip, sizeof(chip));
		if (!project[0] || !sku[0] || !chip[0])
			return -ENOENT;
		n = snprintf(dst, size, "NV_GPU_VBIOS_%s_%s_%s_%s", project, sku, chip, version);
	}
	return n > 0 && (size_t)n < size ? 0 : -E2BIG;
}

static void rim_done(struct appraised_rim *a)
{
	nv_rim_done(&a->rim);
	nv_chain_done(&a->chain);
}

/* Finds and verifies a manifest. What fails is in @a, for the claims. Return: 0, -ENOMEM. */
static int appraise_rim(const struct evidence_request *request, const struct nv_device *d,
	bool firmware, const char *version, json_t *missing, struct appraised_rim *a)
{
	char key[COLLATERAL_KEY_SIZE], id[NV_RIM_ID_SIZE];
	struct slice text;
	struct err e = {0};

	if (nv_rim_id(d, firmware, id, sizeof(id)) < 0)
		return 0;
	lower(id);
	snprintf(key, sizeof(key), "nvidia/rim/%s", id);
	if (!collateral_key_valid(key))
		return 0; /* the device's own words, which name no manifest */
	if (collateral_get(request->collateral, key, &text) < 0 || text.size == 0)
		return json_array_append_new(missing, json_string(key)) < 0 ? -ENOMEM : 0;
	a->fetched = true;
	int r = nv_rim_parse(text, &a->rim, &e);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	a->parsed = true;
	a->version = strcasecmp(a->rim.version, version) == 0;
	r = nv_rim_chain(&a->rim, &a->chain);
	if (r < 0)
		return r;
	a->signature = xml_signed_verify(a->rim.xml, &e) == 0;
	a->chain_valid = nv_chain_check(request, NV_ROOT_RIM, &a->chain, &e) == 0 &&
			 nv_chain_revocation(request, 0, &a->chain, missing, &e) == 0;
	return 0;
}

/* Its measurements may be compared with. */
static bool is_trusted(const struct evidence_request *request, const struct appraised_rim *a)
{
	return a->parsed && a->version && a->signature && a->chain_valid &&
	       (a->chain.ocsp == OCSP_GOOD || request->insecure_no_revocation_list);
}

static int rim_claims(json_t *c, const struct appraised_rim *a)
{
	const struct {
		const char *name;
		bool value;
	} flags[] = {
		{"fetched", a->fetched},
		{"schema-validated", a->parsed},
		{"measurements-available", a->parsed},
		{"signature-verified", a->parsed && a->signature && a->chain_valid},
		{"version-match", a->parsed && a->version},
	};
	char name[96];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(flags); i++) {
		snprintf(name, sizeof(name), "%s-%s", a->prefix, flags[i].name);
		r = json_set_bool(c, name, flags[i].value);
	}
	snprintf(name, sizeof(name), "%s-cert-chain", a->prefix);
	return r == 0 ? json_set_take(c, name, nv_chain_claims(&a->chain, a->chain_valid)) : r;
}

static bool matches(const struct nv_report *report, unsigned index, const json_t *accepted)
{
	char hex[2 * HASH_SIZE_MAX + 1];
	struct slice value = report->measurements[index + 1].value;
	bool found = false;

	if (value.size == 0 || value.size > HASH_SIZE_MAX)
		return false;
	hex_str(value, hex, sizeof(hex));
	for (size_t i = 0; i < json_array_size(accepted); i++)
		found = found || streq(hex, json_string_value(json_array_get(accepted, i)));
	return found;
}

/* Adds what differs to @wrong. Return: 0, -ENOMEM. */
static int compare(
	const struct nv_device *d, const struct nv_rim *rim, const char *source, json_t *wrong)
{
	struct slice nvdec0 = d->report.opaque[NV_NVDEC0_STATUS];
	char hex[2 * HASH_SIZE_MAX + 1];
	const char *key;
	json_t *accepted;
	uint32_t index;

	json_object_foreach (rim->measurements, key, accepted) {
		if (parse_u32(slice_str(key), 0, NV_MEASUREMENTS_MAX - 1, &index) < 0)
			continue;
		/* The decoder's firmware is measured only while the decoder is on. */
		if (d->kind == NV_GPU && index == NVDEC0_INDEX && nvdec0.size == 1 &&
			nvdec0.data[0] == NVDEC0_DISABLED)
			continue;
		if (matches(&d->report, index, accepted))
			continue;
		hex_str(d->report.measurements[index + 1].value, hex, sizeof(hex));
		json_t *record = json_pack("{s:i, s:O, s:s, s:s}", "index", (int)index,
			"goldenValue", json_array_get(accepted, 0), "runtimeValue",
			hex[0] ? hex : "NA", "measurementSource", source);
		if (json_array_append_new(wrong, record) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool conflict(const json_t *driver, const json_t *vbios)
{
	const char *key;
	json_t *value;
	bool found = false;

	json_object_foreach ((json_t *)(uintptr_t)driver, key, value)
		found = found || json_object_get(vbios, key);
	return found;
}

/* "measres", and what follows from a device that runs exactly what NVIDIA released. */
static int measurement_claims(const struct evidence_request *request, const struct nv_device *d,
	const struct appraised_rim *rims, size_t count, json_t *c)
{
	cleanup(json_decref) json_t *wrong = json_array();
	bool good = true, apart = true;
	int r = wrong ? 0 : -ENOMEM;

	for (size_t i = 0; i < count; i++)
		good = good && is_trusted(request, &rims[i]);
	for (size_t i = 0; r == 0 && good && i < count; i++)
		r = compare(d, &rims[i].rim, count > 1 && i == 0 ? "driver" : "vbios", wrong);
	if (good && count > 1)
		apart = !conflict(rims[0].rim.measurements, rims[1].rim.measurements);
	/* Its state must be known: it decides what has to be compared. */
	struct slice nvdec0 = d->report.opaque[NV_NVDEC0_STATUS];
	if (d->kind == NV_GPU && (nvdec0.size != 1 || (nvdec0.data[0] != NVDEC0_DISABLED &&
							      nvdec0.data[0] != NVDEC0_ENABLED)))
		good = false;
	good = good && apart && json_array_size(wrong) == 0;
	if (r == 0)
		r = json_set_str(c, "measres", good ? "success" : "fail");
	if (r == 0 && count > 1)
		r = json_set_bool(c, "x-nvidia-gpu-vbios-index-no-conflict", apart);
	if (r == 0)
		r = json_set_take(c, "secboot", good ? json_true() : json_null());
	if (r == 0)
		r = json_set_take(c, "dbgstat", good ? json_string("disabled") : json_null());
	if (r == 0 && json_array_size(wrong) > 0)
		r = json_set_take(c, "x-nvidia-mismatch-measurement-records", json_incref(wrong));
	return r;
}

/* Eight-byte ids as upper-case hex. GPUs report those of switches backwards. */
static int set_pdis(json_t *c, const char *name, struct slice bytes, bool backwards)
{
	json_t *list = json_array();
	char text[2 * NV_PDI_SIZE + 1];
	int r = 0;

	for (size_t at = 0; r == 0 && at + NV_PDI_SIZE <= bytes.size; at += NV_PDI_SIZE) {
		uint8_t id[NV_PDI_SIZE];
		for (size_t i = 0; i < NV_PDI_SIZE; i++)
			id[i] = bytes.data[at + (backwards ? NV_PDI_SIZE - 1 - i : i)];
		hex_str(slice_of(id, sizeof(id)), text, sizeof(text));
		upper(text);
		bool known = false;
		for (size_t i = 0; i < json_array_size(list); i++)
			known = known || streq(text, json_string_value(json_array_get(list, i)));
		if (!known)
			r = json_array_append_new(list, json_string(text)) < 0 ? -ENOMEM : 0;
	}
	if (r < 0) {
		json_decref(list);
		return r;
	}
	return json_set_take(c, name, list);
}

static int identity_claims(const struct nv_device *d, const char *prefix, json_t *c)
{
	char model[128], serial[64], name[96];
	int r = cert_common_name(d->chain.certs[1], model, sizeof(model));

	if (r == 0)
		r = json_set_str(c, "hwmodel", model);
	else if (r != -ENOMEM)
		r = 0;
	if (r == 0 && cert_serial_decimal(d->chain.certs[0], serial, sizeof(serial)) == 0)
		r = json_set_str(c, "ueid", serial);
	if (r == 0)
		r = json_set_hex(c, "eat_nonce", d->report.request.nonce);
	snprintf(name, sizeof(name), "x-nvidia-%s-attestation-report-cert-chain", prefix);
	if (r == 0)
		r = json_set_take(c, name, nv_chain_claims(&d->chain, true));
	static const char *const verified[] = {"attestation-report-cert-chain-fwid-match",
		"attestation-report-parsed", "attestation-report-nonce-match",
		"attestation-report-signature-verified", "arch-check"};
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(verified); i++) {
		snprintf(name, sizeof(name), "x-nvidia-%s-%s", prefix, verified[i]);
		r = json_set_bool(c, name, true);
	}
	return r;
}

static int gpu_claims(const struct evidence_request *request, const struct nv_device *d,
	json_t *missing, json_t *c)
{
	struct appraised_rim rims[2] = {
		{.prefix = "x-nvidia-gpu-driver-rim"}, {.prefix = "x-nvidia-gpu-vbios-rim"}};
	char driver[64], vbios[64] = "";

	nv_opaque_text(&d->report, NV_DRIVER_VERSION, driver, sizeof(driver));
	int r = nv_vbios_text(&d->report, vbios, sizeof(vbios)) == -ENOMEM ? -ENOMEM : 0;
	upper(vbios);
	if (r == 0)
		r = identity_claims(d, "gpu", c);
	if (r == 0)
		r = json_set_str(c, "x-nvidia-gpu-driver-version", driver);
	if (r == 0)
		r = json_set_str(c, "x-nvidia-gpu-vbios-version", vbios);
	if (r == 0 && d->report.has_opaque[NV_PDI])
		r = set_pdis(c, "x-nvidia-gpu-switch-pdis", d->report.opaque[NV_PDI], true);
	if (r == 0)
		r = appraise_rim(request, d, false, driver, missing, &rims[0]);
	if (r == 0)
		r = appraise_rim(request, d, true, vbios, missing, &rims[1]);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(rims); i++)
		r = rim_claims(c, &rims[i]);
	if (r == 0 && rims[0].rim.manufacturer[0])
		r = json_set_str(c, "oemid", rims[0].rim.manufacturer);
	if (r == 0)
		r = measurement_claims(request, d, rims, ARRAY_COUNT(rims), c);
	rim_done(&rims[0]);
	rim_done(&rims[1]);
	return r;
}

static int switch_claims(const struct evidence_request *request, const struct nv_device *d,
	json_t *missing, json_t *c)
{
	struct appraised_rim rim = {.prefix = "x-nvidia-switch-bios-rim"};
	char bios[64] = "", pdi[2 * NV_PDI_SIZE + 1];

	int r = nv_vbios_text(&d->report, bios, sizeof(bios)) == -ENOMEM ? -ENOMEM : 0;
	upper(bios);
	if (r == 0)
		r = identity_claims(d, "switch", c);
	if (r == 0)
		r = json_set_str(c, "x-nvidia-switch-bios-version", bios);
	hex_str(slice_cut(d->report.opaque[NV_PDI], 0, NV_PDI_SIZE), pdi, sizeof(pdi));
	upper(pdi);
	if (r == 0 && pdi[0])
		r = json_set_str(c, "x-nvidia-switch-pdi", pdi);
	/* Behind the ids of the eight GPUs is a map of the links. */
	if (r == 0 && d->report.has_opaque[NV_SWITCH_GPU_PDIS])
		r = set_pdis(c, "x-nvidia-switch-gpu-pdis",
			slice_cut(d->report.opaque[NV_SWITCH_GPU_PDIS], 0, 8 * NV_PDI_SIZE), false);
	if (r == 0)
		r = appraise_rim(request, d, true, bios, missing, &rim);
	if (r == 0)
		r = rim_claims(c, &rim);
	if (r == 0)
		r = measurement_claims(request, d, &rim, 1, c);
	rim_done(&rim);
	return r;
}

int nv_device_claims(const struct evidence_request *request, const struct nv_device *d,
	json_t *missing, json_t **ret)
{
	json_t *c = json_object();
	int r = c ? nv_report_claims(d, c) : -ENOMEM;

	if (r == 0)
		r = d->kind == NV_GPU ? gpu_claims(request, d, missing, c)
				      : switch_claims(request, d, missing, c);
	if (r < 0)
		json_decref(c);
	else
		*ret = c;
	return r;
}
