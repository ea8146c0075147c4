/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/wire.h"

#include "base/rd.h"
#include "fmt/json.h"

int wire_pack(struct buf *out, const json_t *header, struct slice body)
{
	cleanup(free_ptr) char *text = json_dumps(header, JSON_COMPACT);
	size_t size;

	if (!text)
		return -ENOMEM;
	size = strlen(text);
	if (size > WIRE_HEADER_MAX || body.size > WIRE_BODY_MAX)
		return -E2BIG;
	buf_put_u32be(out, (uint32_t)size);
	buf_put(out, text, size);
	buf_put_slice(out, body);
	return buf_error(out);
}

int wire_unpack(struct slice message, json_t **ret_header, struct slice *ret_body)
{
	struct rd rd = rd_init(message);
	struct slice text;
	uint32_t size;
	int r = rd_u32be(&rd, &size);

	if (r < 0)
		return r;
	if (size > WIRE_HEADER_MAX)
		return -E2BIG;
	r = rd_slice(&rd, size, &text);
	if (r < 0)
		return r;
	*ret_header = json_parse_own(text);
	if (!json_is_object(*ret_header)) {
		json_decref(*ret_header);
		*ret_header = NULL;
		return -EBADMSG;
	}
	*ret_body = rd_rest(&rd);
	return 0;
}

const char *wire_str(const json_t *header, const char *name)
{
	const char *s = json_string_value(json_object_get(header, name));

	return s ? s : "";
}

int64_t wire_int(const json_t *header, const char *name)
{
	return json_integer_value(json_object_get(header, name));
}
