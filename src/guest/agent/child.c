/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between PID 1, aa and image. */
#include "guest/agent/child.h"

#include "base/fd.h"
#include "base/rd.h"
#include "base/str.h"
#include "fmt/hostlink.h"

static int parse_header(struct slice in, uint32_t *ret_size, uint8_t *ret_type)
{
	struct rd rd = rd_init(in);
	uint32_t size;
	uint8_t type;
	if (rd_u32be(&rd, &size) < 0 || rd_u8(&rd, &type) < 0)
		return -ENODATA;
	if (size > CHILD_PAYLOAD_MAX)
		return -E2BIG;
	if (type == 0 || type > CHILD_TYPE_MAX)
		return -EBADMSG;
	int r = rd_zero(&rd, 3);
	if (r < 0)
		return r;
	*ret_size = size;
	*ret_type = type;
	return 0;
}

int child_parse(
	struct slice in, enum child_type *ret_type, struct slice *ret_payload, size_t *ret_size)
{
	uint32_t size;
	uint8_t type;
	int r = parse_header(in, &size, &type);
	if (r < 0)
		return r;
	if (in.size - CHILD_HEADER_SIZE < size)
		return -ENODATA;
	*ret_type = (enum child_type)type;
	*ret_payload = slice_cut(in, CHILD_HEADER_SIZE, size);
	*ret_size = CHILD_HEADER_SIZE + size;
	return 0;
}

void child_put(struct buf *out, enum child_type type, struct slice payload)
{
	if (payload.size > CHILD_PAYLOAD_MAX) {
		if (out->error == 0)
			out->error = -E2BIG;
		return;
	}
	buf_put_u32be(out, (uint32_t)payload.size);
	buf_put_u8(out, (uint8_t)type);
	buf_put_zero(out, 3);
	buf_put_slice(out, payload);
}

/* The payload of ERROR is that of the guest link's FATAL, so its codec does the work. */
static void child_put_error(struct buf *out, const char *stage, const char *reason, const char *id)
{
	struct hostlink_fatal m = {0};
	cleanup_with(buf_done) struct buf frame = buf_init(CHILD_PAYLOAD_MAX);
	snprintf(m.stage, sizeof(m.stage), "%s", stage ? stage : "");
	snprintf(m.reason, sizeof(m.reason), "%s", reason ? reason : "");
	snprintf(m.id, sizeof(m.id), "%s", id ? id : "");
	hostlink_fatal_put(&frame, &m);
	if (buf_error(&frame) < 0) {
		if (out->error == 0)
			out->error = buf_error(&frame);
		return;
	}
	child_put(out, CHILD_ERROR, slice_cut(buf_slice(&frame), HOSTLINK_HEADER_SIZE, SIZE_MAX));
}

int child_parse_error(struct slice payload, struct child_error *ret)
{
	struct hostlink_fatal m;
	int r = hostlink_fatal_parse(payload, &m, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	struct child_error e = {0};
	if (str_copy(e.stage, sizeof(e.stage), m.stage) < 0 ||
		str_copy(e.reason, sizeof(e.reason), m.reason) < 0 ||
		str_copy(e.id, sizeof(e.id), m.id) < 0)
		return -EBADMSG;
	*ret = e;
	return 0;
}

int child_send(int fd, enum child_type type, struct slice payload)
{
	/* Resources pass through here, so the copy is wiped. */
	cleanup_with(buf_done) struct buf out =
		buf_init_secret(CHILD_HEADER_SIZE + CHILD_PAYLOAD_MAX);
	child_put(&out, type, payload);
	int r = buf_error(&out);
	return r < 0 ? r : fd_write_full(fd, out.data, out.size);
}

int child_send_error(int fd, const char *stage, const char *reason, const char *id)
{
	cleanup_with(buf_done) struct buf out = buf_init(CHILD_PAYLOAD_MAX);
	child_put_error(&out, stage, reason, id);
	int r = buf_error(&out);
	return r < 0 ? r : fd_write_full(fd, out.data, out.size);
}

int child_recv(int fd, enum child_type *ret_type, struct buf *payload)
{
	uint8_t header[CHILD_HEADER_SIZE];
	uint32_t size;
	uint8_t type;
	buf_clear(payload);
	int r = fd_read_full(fd, header, sizeof(header));
	if (r < 0)
		return r;
	r = parse_header(slice_of(header, sizeof(header)), &size, &type);
	if (r < 0)
		return r;
	if (size > 0) {
		uint8_t *room = buf_reserve(payload, size);
		if (room == NULL)
			return buf_error(payload);
		r = fd_read_full(fd, room, size);
		if (r < 0)
			return r;
		buf_commit(payload, size);
	}
	*ret_type = (enum child_type)type;
	return 0;
}

int child_get_resource(int fd, const char *uri, struct buf *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf answer = buf_init_secret(CHILD_PAYLOAD_MAX);
	enum child_type type = 0;
	int r = child_send(fd, CHILD_GET_RESOURCE, slice_str(uri));
	if (r < 0)
		return err_set(reterr, r, "cannot ask the attestation agent for %s", uri);
	r = child_recv(fd, &type, &answer);
	if (r < 0)
		return err_set(reterr, r, "the attestation agent did not answer for %s", uri);
	if (type == CHILD_RESOURCE) {
		buf_put_slice(ret, buf_slice(&answer));
		return buf_error(ret);
	}
	struct child_error e;
	if (type != CHILD_ERROR || child_parse_error(buf_slice(&answer), &e) < 0)
		return err_set(reterr, -EPROTO, "the attestation agent broke the protocol");
	return err_at(reterr, -EACCES, ERR_NO_OFFSET, e.id, "%s", e.reason);
}
