/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc.h"

#include "base/parse.h"
#include "base/rd.h"
#include "base/str.h"

static const struct {
	const char *name;
	int code;
} g_status[] = {
	[GRPC_OK] = {"OK", 0},
	[GRPC_CANCELLED] = {"CANCELLED", -ECANCELED},
	[GRPC_UNKNOWN] = {"UNKNOWN", -EIO},
	[GRPC_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", -EINVAL},
	[GRPC_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", -ETIMEDOUT},
	[GRPC_NOT_FOUND] = {"NOT_FOUND", -ENOENT},
	[GRPC_ALREADY_EXISTS] = {"ALREADY_EXISTS", -EEXIST},
	[GRPC_PERMISSION_DENIED] = {"PERMISSION_DENIED", -EACCES},
	[GRPC_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", -E2BIG},
	[GRPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", -EINVAL},
	[GRPC_ABORTED] = {"ABORTED", -ECONNABORTED},
	[GRPC_OUT_OF_RANGE] = {"OUT_OF_RANGE", -ERANGE},
	[GRPC_UNIMPLEMENTED] = {"UNIMPLEMENTED", -EOPNOTSUPP},
	[GRPC_INTERNAL] = {"INTERNAL", -EIO},
	[GRPC_UNAVAILABLE] = {"UNAVAILABLE", -EHOSTUNREACH},
	[GRPC_DATA_LOSS] = {"DATA_LOSS", -EIO},
	[GRPC_UNAUTHENTICATED] = {"UNAUTHENTICATED", -EACCES},
};

const char *grpc_status_name(enum grpc_status status)
{
	return g_status[(unsigned)status < ARRAY_COUNT(g_status) ? status : GRPC_UNKNOWN].name;
}

int grpc_errno(enum grpc_status status)
{
	return g_status[(unsigned)status < ARRAY_COUNT(g_status) ? status : GRPC_UNKNOWN].code;
}

void grpc_frame_put(struct buf *out, struct slice message)
{
	buf_put_u8(out, 0);
	buf_put_u32be(out, (uint32_t)message.size);
	buf_put_slice(out, message);
}

int grpc_frame_get(struct slice body, size_t max, struct slice *ret, struct err *reterr)
{
	struct rd rd = rd_init(body);
	struct slice message;
	uint8_t flags = 0;
	uint32_t size = 0;
	int r = rd_u8(&rd, &flags);

	if (r == 0)
		r = rd_u32be(&rd, &size);
	if (r < 0)
		return err_set(reterr, -ENODATA, "the request holds no whole message");
	if (flags > 1)
		return err_at(reterr, -EBADMSG, 0, "flags", "unknown flags of a message");
	if (flags == 1)
		return err_at(reterr, -EOPNOTSUPP, 0, "flags",
			"the message is compressed, which was not offered");
	if (size > max)
		return err_at(reterr, -E2BIG, 1, "length",
			"the message of %u bytes is larger than %zu", size, max);
	if (rd_slice(&rd, size, &message) < 0)
		return err_at(reterr, -ENODATA, 1, "length", "the request ends within its message");
	if (rd_rest(&rd).size > 0)
		return err_at(reterr, -EBADMSG, GRPC_FRAME_HEAD + size, "message",
			"a unary call has exactly one message");
	*ret = message;
	return 0;
}

void grpc_text_encode(struct buf *out, const char *text)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;

		if (c >= 0x20 && c <= 0x7e && c != '%')
			buf_put_u8(out, c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void grpc_text_decode(struct slice text, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < text.size && n + 1 < size; i++) {
		uint64_t value;
		char c = (char)text.data[i];

		if (c == '%' && text.size - i > 2 &&
			parse_hex64(slice_of(text.data + i + 1, 2), &value) == 0) {
			c = (char)value;
			i += 2;
		}
		/* A NUL would hide the rest. */
		dst[n++] = c ? c : ' ';
	}
	dst[n] = '\0';
}

int grpc_timeout_parse(struct slice text, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms, parts;
	} units[] = {{'H', 3600000, 1}, {'M', 60000, 1}, {'S', 1000, 1}, {'m', 1, 1},
		{'u', 1, 1000}, {'n', 1, 1000000}};
	uint64_t n;

	if (text.size < 2 || text.size > 9 ||
		parse_u64(slice_of(text.data, text.size - 1), 0, 99999999, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		if ((char)text.data[text.size - 1] != units[i].unit)
			continue;
		*ret_ms = MAX((n * units[i].ms + units[i].parts - 1) / units[i].parts, (uint64_t)1);
		return 0;
	}
	return -EBADMSG;
}
