/* SPDX-License-Identifier: Apache-2.0 */
/* What a report holds, with the names and shapes of Trustee's local verifier. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/nvidia.h"
#include "fmt/json.h"

static uint64_t little(struct slice s)
{
	uint64_t v = 0;
	for (size_t i = s.size; i > 0; i--)
		v = v << 8 | s.data[i - 1];
	return v;
}

/* Little-endian counts of four bytes, by the index of their measurement. */
static json_t *counts(struct slice s)
{
	json_t *o = json_object();
	char key[24];

	for (size_t i = 0; i + 4 <= s.size; i += 4) {
		snprintf(key, sizeof(key), "%zu", i / 4 + 1);
		if (json_object_set_new(
			    o, key, json_integer((json_int_t)little(slice_cut(s, i, 4)))) < 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static json_t *hex(struct slice s)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	hex_encode(&text, s);
	return json_string(buf_str(&text));
}

static json_t *pdis(struct slice s)
{
	json_t *list = json_array();

	for (size_t i = 0; i + NV_PDI_SIZE <= s.size; i += NV_PDI_SIZE) {
		if (json_array_append_new(list, hex(slice_cut(s, i, NV_PDI_SIZE))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *feature(struct slice s)
{
	static const char *const names[] = {"SPT", "MPT", "PPCIE"};
	uint64_t flag = little(slice_cut(s, 0, 8));
	return json_string(flag < ARRAY_COUNT(names) ? names[flag] : "unknown");
}

/* NULL on ENOMEM. Text that is not printable is "". */
static json_t *item_value(const struct nv_report *r, unsigned type)
{
	struct slice s = r->opaque[type];
	char text[256];

	switch (type) {
	case NV_DRIVER_VERSION:
	case NV_CHIP_SKU:
	case NV_CHIP_SKU_MOD:
	case NV_NVDEC0_STATUS:
	case NV_PROJECT:
	case NV_PROJECT_SKU:
	case NV_PROTECTED_PCIE_STATUS:
	case NV_CHIP_INFO:
		return json_string(nv_opaque_text(r, (enum nv_opaque)type, text, sizeof(text)));
	case NV_VBIOS_VERSION:
		return json_string(nv_vbios_text(r, text, sizeof(text)) == 0 ? text : "");
	case NV_MEASUREMENT_COUNT:
		return counts(s);
	case NV_PDI:
	case NV_SWITCH_GPU_PDIS:
		return pdis(type == NV_PDI ? s : slice_cut(s, 0, 8 * NV_PDI_SIZE));
	case NV_OPAQUE_DATA_VERSION:
		return json_integer((json_int_t)(little(slice_cut(s, 0, 8)) & INT64_MAX));
	case NV_FEATURE_FLAG:
		return feature(s);
	default:
		return hex(s);
	}
}

int nv_report_claims(const struct nv_device *d, json_t *c)
{
	json_t *config = json_object(), *measurements = json_object();
	char key[8];

	int r = json_set_take(c, "measurements", measurements);
	if (json_set_take(c, "config", config) < 0)
		r = -ENOMEM;
	for (unsigned i = 1; r == 0 && i <= NV_MEASUREMENTS_MAX; i++) {
		snprintf(key, sizeof(key), "%u", i);
		if (d->report.measurements[i].value.size > 0)
			r = json_set_hex(measurements, key, d->report.measurements[i].value);
	}
	for (unsigned i = 0; r == 0 && i < NV_OPAQUE_TYPES; i++) {
		if (d->report.has_opaque[i])
			r = json_set_take(config, nv_opaque_name(i), item_value(&d->report, i));
	}
	if (r == 0)
		r = json_set_str(c, "arch", d->arch);
	return r == 0 ? json_set_str(c, "uuid", d->uuid) : r;
}
