/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/hcl.h"

#define HEADER_SIZE ((size_t)32)
#define DATA_HEADER_SIZE 20 /* of the runtime data, up to and with the variable data's size */
#define HASH_TYPE_SHA256 1

int hcl_report_parse(struct slice in, struct hcl_report *ret, struct err *reterr)
{
	struct hcl_report h = {0};
	struct rd r = rd_init(in);
	struct slice magic = SLICE_EMPTY;
	uint32_t data_size = 0, version = 0, type = 0, hash = 0, variable_size = 0;

	if (in.size > HCL_REPORT_SIZE_MAX)
		return err_set(reterr, -E2BIG, "HCL report is over %zu bytes", HCL_REPORT_SIZE_MAX);
	int e = rd_slice(&r, 4, &magic);
	if (e == 0 && !slice_eq_str(magic, "HCLA"))
		return err_at(reterr, -EBADMSG, 0, "magic", "this is no HCL report");
	if (e == 0)
		e = rd_skip(&r, HEADER_SIZE - 4);
	if (e == 0)
		e = rd_slice(&r, HCL_HARDWARE_SIZE, &h.hardware);
	if (e == 0)
		e = rd_u32le(&r, &data_size);
	if (e == 0)
		e = rd_u32le(&r, &version);
	if (e == 0)
		e = rd_u32le(&r, &type);
	if (e == 0)
		e = rd_u32le(&r, &hash);
	if (e == 0)
		e = rd_u32le(&r, &variable_size);
	if (e < 0)
		return err_at(reterr, e, rd_pos(&r), "header", "HCL report ends inside its header");
	if (version != 1 || hash != HASH_TYPE_SHA256 || (type != HCL_SNP && type != HCL_TDX))
		return err_at(reterr, -EOPNOTSUPP, rd_pos(&r), "runtime data",
			"HCL report has data version %u, report type %u and hash type %u; known "
			"are 1, 2 (SNP) or 4 (TDX), and 1 (SHA-256)",
			version, type, hash);
	if (data_size < DATA_HEADER_SIZE || variable_size > data_size - DATA_HEADER_SIZE)
		return err_at(reterr, -EBADMSG, rd_pos(&r), "runtime data",
			"sizes in the HCL report contradict each other");
	if (rd_slice(&r, variable_size, &h.variable) < 0)
		return err_at(reterr, -ENODATA, rd_pos(&r), "variable data",
			"HCL report ends inside its variable data");
	h.type = (enum hcl_type)type;
	*ret = h;
	return 0;
}
