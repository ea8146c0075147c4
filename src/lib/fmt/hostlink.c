/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the guest link; the JSON payloads are in hostlink_msg.c. */
#include "fmt/hostlink.h"

#include "base/rd.h"

static const struct {
	enum hostlink_type type;
	enum hostlink_side from;
	bool empty; /* no payload allowed */
	const char *name;
} frame_types[] = {
	{HOSTLINK_HELLO, HOSTLINK_FROM_GUEST, false, "HELLO"},
	{HOSTLINK_PHASE, HOSTLINK_FROM_GUEST, false, "PHASE"},
	{HOSTLINK_STDOUT, HOSTLINK_FROM_GUEST, false, "STDOUT"},
	{HOSTLINK_STDERR, HOSTLINK_FROM_GUEST, false, "STDERR"},
	{HOSTLINK_EXIT, HOSTLINK_FROM_GUEST, false, "EXIT"},
	{HOSTLINK_FATAL, HOSTLINK_FROM_GUEST, false, "FATAL"},
	{HOSTLINK_LOG, HOSTLINK_FROM_GUEST, false, "LOG"},
	{HOSTLINK_INITDATA, HOSTLINK_FROM_HOST, false, "INITDATA"},
	{HOSTLINK_RUN, HOSTLINK_FROM_HOST, false, "RUN"},
	{HOSTLINK_STDIN, HOSTLINK_FROM_HOST, false, "STDIN"},
	{HOSTLINK_STDIN_EOF, HOSTLINK_FROM_HOST, true, "STDIN_EOF"},
	{HOSTLINK_WINSIZE, HOSTLINK_FROM_HOST, false, "WINSIZE"},
	{HOSTLINK_SIGNAL, HOSTLINK_FROM_HOST, false, "SIGNAL"},
};

static int check_type(uint8_t type, enum hostlink_side from, bool has_payload, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_COUNT(frame_types); i++) {
		if ((uint8_t)frame_types[i].type != type)
			continue;
		if (frame_types[i].from != from)
			return err_at(reterr, -EPROTO, 4, "type", "%s frame in the wrong direction",
				frame_types[i].name);
		if (frame_types[i].empty && has_payload)
			return err_at(reterr, -EBADMSG, 0, "size", "%s frame has a payload",
				frame_types[i].name);
		return 0;
	}
	return err_at(reterr, -EOPNOTSUPP, 4, "type", "unknown frame type %u", type);
}

int hostlink_parse(struct slice in, enum hostlink_side from, struct hostlink_frame *ret,
	size_t *ret_size, struct err *reterr)
{
	struct rd rd = rd_init(in);
	uint32_t size;
	uint8_t type;
	if (rd_u32be(&rd, &size) < 0 || rd_u8(&rd, &type) < 0)
		return -ENODATA;
	/* A frame that can never be right is refused before its payload is waited for. */
	if (size > HOSTLINK_PAYLOAD_MAX)
		return err_at(reterr, -E2BIG, 0, "size", "frame of %u bytes, at most %zu allowed",
			size, HOSTLINK_PAYLOAD_MAX);
	int r = check_type(type, from, size > 0, reterr);
	if (r < 0)
		return r;
	r = rd_zero(&rd, 3);
	if (r == -EBADMSG)
		return err_at(reterr, -EBADMSG, 5, "reserved", "reserved bytes are not zero");
	struct slice payload;
	if (r < 0 || rd_slice(&rd, size, &payload) < 0)
		return -ENODATA;
	*ret = (struct hostlink_frame){(enum hostlink_type)type, payload};
	*ret_size = rd_pos(&rd);
	return 0;
}

void hostlink_put(struct buf *out, enum hostlink_type type, struct slice payload)
{
	if (payload.size > HOSTLINK_PAYLOAD_MAX) {
		if (out->error == 0)
			out->error = -E2BIG;
		return;
	}
	buf_put_u32be(out, (uint32_t)payload.size);
	buf_put_u8(out, (uint8_t)type);
	buf_put_zero(out, 3);
	buf_put_slice(out, payload);
}

const char *hostlink_type_name(enum hostlink_type type)
{
	for (size_t i = 0; i < ARRAY_COUNT(frame_types); i++) {
		if (frame_types[i].type == type)
			return frame_types[i].name;
	}
	return "?";
}
