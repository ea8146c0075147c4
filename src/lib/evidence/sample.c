/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "sample" TEE: no protection at all, for tests of the protocol. Its claims say so, and the
 * default policies refuse it.
 */
#include "base/enc.h"
#include "evidence/internal.h"
#include "fmt/json.h"

int evidence_sample_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	const char *svn = NULL;
	struct err e = {0};
	cleanup_with(buf_done) struct buf data = buf_init(4096);

	int r = json_get_str(request->evidence, "svn", &svn, &e);
	if (r == 0)
		r = json_get_b64(request->evidence, "report_data", &data, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0 && !request->insecure_skip_report_data)
		r = check_bytes(result, "report data", request->report_data, buf_slice(&data),
			"the evidence was not made for this session and key");
	if (r < 0)
		return r;
	result->claims = json_pack("{s:s, s:s, s:{s:i, s:i}, s:b}", "svn", svn, "launch_digest",
		"abcde", "platform_version", "major", 1, "minor", 4, "debug", 0);
	r = json_set_b64(result->claims, "report_data", buf_slice(&data), B64_STD);
	/* As in Trustee's: nothing there is nothing said. */
	if (r == 0 && request->init_data.size > 0)
		r = json_set_b64(result->claims, "init_data", request->init_data, B64_STD);
	return result->claims ? r : -ENOMEM;
}

/* A device of that kind, in additional evidence. */
int evidence_sample_device_verify(
	const struct evidence_request *request, struct evidence_result *result, struct err *reterr)
{
	cleanup_with(buf_done) struct buf data = buf_init(4096);
	const char *svn = NULL;
	struct err e = {0};

	int r = json_get_str(request->evidence, "svn", &svn, &e);
	if (r == 0)
		r = json_get_b64(request->evidence, "report_data", &data, &e);
	r = check_errno(result, "evidence format", r, &e);
	if (r == 0 && !request->insecure_skip_report_data)
		r = check_bytes(result, "report data", request->report_data, buf_slice(&data),
			"the evidence was not made for this session and key");
	if (r < 0)
		return r;
	result->claims = json_pack("{s:s}", "svn", svn);
	return json_set_b64(result->claims, "report_data", buf_slice(&data), B64_STD);
}
