/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/nv_report.h"

#include <stdio.h>

#include "base/rd.h"
#include "base/str.h"

#define SPDM_VERSION_11 0x11
#define CODE_GET_MEASUREMENTS 0xE0
#define CODE_MEASUREMENTS 0x60
#define DMTF_MEASUREMENT 1

static const char *const g_opaque_names[NV_OPAQUE_TYPES] = {
	[1] = "cert_issuer_name",
	[2] = "cert_authority_key_identifier",
	[NV_DRIVER_VERSION] = "driver_version",
	[NV_GPU_INFO] = "gpu_info",
	[5] = "id_sku",
	[NV_VBIOS_VERSION] = "vbios_version",
	[7] = "manufacturer_id",
	[8] = "tamper_detection",
	[9] = "smc",
	[10] = "vpr",
	[NV_NVDEC0_STATUS] = "nvdec0_status",
	[NV_MEASUREMENT_COUNT] = "measurement_count",
	[13] = "cpr_info",
	[14] = "board_id",
	[NV_CHIP_SKU] = "chip_sku",
	[NV_CHIP_SKU_MOD] = "chip_sku_mod",
	[NV_PROJECT] = "project",
	[NV_PROJECT_SKU] = "project_sku",
	[19] = "project_sku_mod",
	[NV_FWID] = "fwid",
	[NV_PROTECTED_PCIE_STATUS] = "protected_pcie_status",
	[NV_PDI] = "switch_pdi",
	[23] = "floorswept_ports",
	[24] = "position_id",
	[25] = "lock_switch_status",
	[NV_SWITCH_GPU_PDIS] = "switch_gpu_pdis",
	[27] = "switch_ports",
	[32] = "gpu_link_conn",
	[33] = "sys_enable_status",
	[NV_OPAQUE_DATA_VERSION] = "opaque_data_version",
	[NV_CHIP_INFO] = "chip_info",
	[NV_FEATURE_FLAG] = "feature_flag",
};

const char *nv_opaque_name(unsigned type)
{
	return type < NV_OPAQUE_TYPES ? g_opaque_names[type] : NULL;
}

static int fail(const struct rd *r, int code, const char *field, struct err *reterr)
{
	return err_at(reterr, code, rd_pos(r), field,
		code == -ENODATA ? "report ends inside its %s" : "%s of the report is malformed",
		field);
}

static int read_head(struct rd *r, uint8_t code, struct nv_message *m)
{
	int e = rd_u8(r, &m->version);
	if (e == 0)
		e = rd_u8(r, &m->code);
	if (e == 0)
		e = rd_u8(r, &m->param1);
	if (e == 0)
		e = rd_u8(r, &m->param2);
	if (e == 0 && m->version != SPDM_VERSION_11)
		return -EOPNOTSUPP;
	return e == 0 && m->code != code ? -EBADMSG : e;
}

static int read_request(struct rd *r, struct nv_report *p)
{
	int e = read_head(r, CODE_GET_MEASUREMENTS, &p->request);
	if (e == 0)
		e = rd_slice(r, NV_NONCE_SIZE, &p->request.nonce);
	return e == 0 ? rd_u8(r, &p->slot) : e;
}

static int read_block(struct rd *r, struct nv_report *p)
{
	uint8_t index = 0, specification = 0, type = 0;
	uint16_t size = 0, value_size = 0;
	struct slice value = {0};

	int e = rd_u8(r, &index);
	if (e == 0)
		e = rd_u8(r, &specification);
	if (e == 0)
		e = rd_u16le(r, &size);
	if (e < 0)
		return e;
	if (specification != DMTF_MEASUREMENT)
		return -EOPNOTSUPP;
	e = rd_u8(r, &type);
	if (e == 0)
		e = rd_u16le(r, &value_size);
	if (e == 0)
		e = rd_slice(r, value_size, &value);
	if (e < 0)
		return e;
	/* DMTF's measurement is all of the block, and each index comes once. */
	if (index == 0 || value_size == 0 || size != value_size + 3 ||
		p->measurements[index].value.size > 0)
		return -EBADMSG;
	p->measurements[index] = (struct nv_measurement){type, value};
	return 0;
}

static int read_record(struct rd *r, struct nv_report *p)
{
	struct slice bytes = {0};
	uint8_t length[3] = {0};

	int e = rd_u8(r, &p->block_count);
	if (e == 0)
		e = rd_copy(r, length, sizeof(length));
	if (e == 0)
		e = rd_slice(r, (size_t)(length[0] | length[1] << 8 | length[2] << 16), &bytes);
	if (e < 0)
		return e;
	struct rd blocks = rd_init(bytes);
	for (unsigned i = 0; e == 0 && i < p->block_count; i++)
		e = read_block(&blocks, p);
	/* The record is whole: what ends inside it was counted wrongly. */
	if (e == -ENODATA)
		return -EBADMSG;
	return e == 0 ? rd_done(&blocks) : e;
}

static int read_opaque(struct rd *r, struct nv_report *p)
{
	struct slice bytes = {0}, value = {0};
	uint16_t length = 0, type = 0, size = 0;

	int e = rd_u16le(r, &length);
	if (e == 0)
		e = rd_slice(r, length, &bytes);
	if (e < 0)
		return e;
	struct rd items = rd_init(bytes);
	while (!rd_end(&items)) {
		if (rd_u16le(&items, &type) < 0 || rd_u16le(&items, &size) < 0 ||
			rd_slice(&items, size, &value) < 0)
			return -EBADMSG;
		if (!nv_opaque_name(type) || p->has_opaque[type])
			return -EBADMSG;
		p->has_opaque[type] = true;
		p->opaque[type] = value;
	}
	return 0;
}

int nv_report_parse(struct slice in, struct nv_report *ret, struct err *reterr)
{
	struct nv_report p = {0};
	struct rd r = rd_init(in);

	if (in.size > NV_REPORT_SIZE_MAX)
		return err_set(
			reterr, -E2BIG, "report is larger than %zu bytes", NV_REPORT_SIZE_MAX);
	int e = read_request(&r, &p);
	if (e < 0)
		return fail(&r, e, "SPDM request", reterr);
	e = read_head(&r, CODE_MEASUREMENTS, &p.response);
	if (e < 0)
		return fail(&r, e, "SPDM response", reterr);
	e = read_record(&r, &p);
	if (e < 0)
		return fail(&r, e, "measurement record", reterr);
	e = rd_slice(&r, NV_NONCE_SIZE, &p.response.nonce);
	if (e < 0)
		return fail(&r, e, "response nonce", reterr);
	e = read_opaque(&r, &p);
	if (e < 0)
		return fail(&r, e, "opaque data", reterr);
	p.signed_bytes = slice_cut(in, 0, rd_pos(&r));
	e = rd_slice(&r, NV_SIGNATURE_SIZE, &p.signature);
	if (e < 0)
		return fail(&r, e, "signature", reterr);
	size_t left = rd_left(&r);
	if (left > NV_PADDING_MAX || rd_zero(&r, left) < 0)
		return err_at(reterr, -EBADMSG, rd_pos(&r), "trailing bytes",
			"%zu bytes follow the report", left);
	*ret = p;
	return 0;
}

const char *nv_opaque_text(const struct nv_report *r, enum nv_opaque type, char *dst, size_t size)
{
	struct slice s = r->opaque[type];

	while (s.size > 0 && s.data[s.size - 1] == 0)
		s.size--;
	dst[0] = 0;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] < ' ' || s.data[i] > '~')
			return dst;
	}
	if (str_copy_slice(dst, size, s) < 0)
		dst[0] = 0;
	return dst;
}

int nv_vbios_text(const struct nv_report *r, char *dst, size_t size)
{
	struct slice s = r->opaque[NV_VBIOS_VERSION];

	if (!r->has_opaque[NV_VBIOS_VERSION])
		return -ENOENT;
	if (s.size != 8) {
		nv_opaque_text(r, NV_VBIOS_VERSION, dst, size);
		return dst[0] ? 0 : -EBADMSG;
	}
	/* The first four bytes backwards, then the fifth. */
	int n = snprintf(dst, size, "%02x.%02x.%02x.%02x.%02x", s.data[3], s.data[2], s.data[1],
		s.data[0], s.data[4]);
	return n > 0 && (size_t)n < size ? 0 : -EBADMSG;
}
