/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker. Attacker: whoever serves collateral, before
 * its signatures are checked, and whoever issues PCK certificates. Format: the first byte chooses;
 * TCB Info, QE identity, a signed document of either, the SGX extension of a certificate, a
 * document of collateral. Properties: a platform that matches has the numbers of the level; the
 * signed body lies inside the document.
 */
#include "evidence/collateral.h"
#include "evidence/dcap_tcb.h"
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_info(struct slice in)
{
	static const uint8_t zero[SGX_REPORT_SIZE];
	cleanup(tcb_info_free) struct tcb_info *info = NULL;
	struct pck_info pck = {.pce_svn = UINT16_MAX};
	struct sgx_report qe;
	struct td_report td;
	struct tcb_match m;
	struct tcb_level level = {.status = TCB_UP_TO_DATE};
	const struct qe_identity id = {.levels = {&level, 1}};

	if (tcb_info_parse(in, &info, NULL) < 0 ||
		sgx_report_parse(slice_of(zero, SGX_REPORT_SIZE), &qe) < 0)
		return;
	static uint8_t body[TD_REPORT15_SIZE];
	for (uint8_t version = 0; version < 4; version++) {
		memset(body, 0xFF, sizeof(body));
		body[1] = version;
		if (td_report_parse(slice_of(body, sizeof(body)), &td) < 0)
			__builtin_trap();
		memset(pck.tcb, 0x80, sizeof(pck.tcb));
		tcb_match(info, &id, &pck, &qe, info->is_tdx ? &td : NULL, &m);
		if ((m.status == TCB_NOT_SUPPORTED) != (m.problem != NULL))
			__builtin_trap();
		if (m.platform && m.platform->sgx[0] > 0x80)
			__builtin_trap();
		json_decref(tcb_advisories(&m));
	}
}

static void fuzz_signed(struct slice in)
{
	static const char *const names[] = {"tcbInfo", "enclaveIdentity"};
	uint8_t signature[64];
	struct slice body;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		cleanup(json_decref) json_t *j = NULL;
		if (tcb_split_signed(in, names[i], &body, signature, NULL) < 0)
			continue;
		if (body.data < in.data || body.data + body.size > in.data + in.size ||
			json_parse(body, 0, &j, NULL) < 0)
			__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_cut(slice_of(data, size), 1, size);
	cleanup(qe_identity_free) struct qe_identity *id = NULL;
	cleanup(collateral_store_free) struct collateral_store *store = NULL;
	cleanup(json_decref) json_t *doc = NULL, *again = NULL;
	struct pck_info pck;

	if (size == 0)
		return 0;
	switch (data[0] % 5) {
	case 0:
		fuzz_info(in);
		break;
	case 1:
		(void)!qe_identity_parse(in, &id, NULL);
		break;
	case 2:
		fuzz_signed(in);
		break;
	case 3:
		(void)!pck_info_parse(in, &pck, NULL);
		break;
	case 4:
		store = collateral_store_new();
		if (!store || json_parse(in, 0, &doc, NULL) < 0 ||
			collateral_store_load(store, doc, NULL) < 0)
			break;
		again = collateral_store_save(store);
		if (again && collateral_store_load(store, again, NULL) < 0)
			__builtin_trap();
		break;
	}
	return 0;
}
