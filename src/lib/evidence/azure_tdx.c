/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of Azure's TDX guests ("az-tdx-vtpm"). The TDREPORT in the HCL report is not looked at:
 * what counts is the quote that was made from it. */
#include "evidence/azure.h"
#include "evidence/dcap_room.h"
#include "fmt/json.h"

int evidence_azure_tdx_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(azure_done) struct azure a = {0};
	cleanup_with(buf_done) struct buf quote = buf_init(SGX_QUOTE_SIZE_MAX);
	struct dcap_outcome o = {0};
	struct sgx_quote parsed = {0};
	struct err e = {0};

	int r = azure_decode(request->evidence, HCL_TDX, &a, &e);
	if (r == 0)
		r = azure_bytes(request->evidence, "td_quote", false, &quote, &e);
	if (r == 0)
		r = sgx_quote_parse(buf_slice(&quote), &parsed, &e);
	if (r == 0 && parsed.tee_type != SGX_TEE_TYPE_TDX)
		r = err_set(&e, -EBADMSG, "the quote is not of TDX");
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0)
		r = azure_verify(request, &a, result);
	/* Before collateral is asked for, which may have to be fetched. */
	if (r == 0)
		r = azure_check_binding(&a, parsed.td.report_data, result);
	if (r == 0)
		r = dcap_room_verify(request, "tdx", buf_slice(&quote), result, &o);
	if (r < 0)
		return r;
	result->claims = json_object();
	r = result->claims ? tdx_claims(&o, result->claims) : -ENOMEM;
	return r == 0 ? azure_claims(&a, result->claims) : r;
}
