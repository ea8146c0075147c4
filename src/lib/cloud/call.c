/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"
#include "base/str.h"
#include "cloud/internal.h"

int cloud_call(struct http_client *http, const struct http_call *call, struct http_answer *ret,
	struct err *reterr)
{
	struct http_call bounded = *call;

	if (!bounded.answer_max)
		bounded.answer_max = CLOUD_ANSWER_MAX;
	return http_client_call(http, &bounded, ret, reterr);
}

int cloud_status(const char *service, int status, const char *text, struct err *reterr)
{
	const char *colon = text[0] ? ": " : "";
	int code = -EBADMSG;

	if (status >= 200 && status < 300)
		return 0;
	if (status == 404)
		return err_set(
			reterr, -ENOENT, "%s has no such secret%s%.200s", service, colon, text);
	if (status == 401 || status == 403)
		return err_set(reterr, -EACCES, "%s refuses us (HTTP %d)%s%.200s", service, status,
			colon, text);
	if (status >= 300 && status < 400)
		return err_set(reterr, -EBADMSG,
			"%s answers with a redirect (HTTP %d), which is not followed", service,
			status);
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		code = -EAGAIN;
	return err_set(reterr, code, "%s answers HTTP %d%s%.200s", service, status, colon, text);
}

void cloud_put_form(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, "%s%s=", out->size ? "&" : "", name);
	pct_encode(out, slice_str(value), "");
}

bool cloud_printable(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] <= ' ' || s.data[i] > '~')
			return false;
	}
	return s.size > 0;
}

uint32_t cloud_crc32c(struct slice in)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < in.size; i++) {
		crc ^= in.data[i];
		/* The polynomial 0x1EDC6F41, bits reversed. */
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82F63B78u & (0u - (crc & 1)));
	}
	return ~crc;
}
