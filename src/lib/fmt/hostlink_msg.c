/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON payloads of the guest link's small messages; RUN is in hostlink_run.c. */
#include <jansson.h>

#include "base/str.h"
#include "fmt/hostlink.h"
#include "fmt/hostlink_json.h"

int hostlink_json_load(
	struct slice in, const char *const *members, size_t count, json_t **ret, struct err *reterr)
{
	if (in.size > HOSTLINK_PAYLOAD_MAX)
		return err_set(reterr, -E2BIG, "message of %zu bytes", in.size);
	json_error_t error;
	json_t *doc = json_loadb(
		in.data ? (const char *)in.data : "", in.size, JSON_REJECT_DUPLICATES, &error);
	if (doc == NULL)
		return err_at(reterr,
			json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG,
			(size_t)(error.position < 0 ? 0 : error.position), NULL, "not JSON: %s",
			error.text);
	int r = hostlink_json_members(doc, members, count, reterr);
	if (r < 0) {
		json_decref(doc);
		return r;
	}
	*ret = doc;
	return 0;
}

int hostlink_json_members(json_t *obj, const char *const *members, size_t count, struct err *reterr)
{
	if (!json_is_object(obj))
		return err_set(reterr, -EBADMSG, "not a JSON object");
	const char *key;
	json_t *value;
	json_object_foreach (obj, key, value) {
		bool known = false;
		for (size_t i = 0; i < count && !known; i++)
			known = streq(key, members[i]);
		if (!known)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, NULL,
				"unknown member \"%.40s\"", key);
	}
	return 0;
}

int hostlink_json_u64(json_t *obj, const char *name, bool required, uint64_t max, uint64_t *ret,
	struct err *reterr)
{
	json_t *v = json_object_get(obj, name);
	if (v == NULL) {
		if (required)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is missing", name);
		*ret = 0;
		return 0;
	}
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return err_at(
			reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not a natural number", name);
	if ((uint64_t)json_integer_value(v) > max)
		return err_at(reterr, -E2BIG, ERR_NO_OFFSET, name, "%s is over %llu", name,
			(unsigned long long)max);
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int hostlink_json_text(
	json_t *obj, const char *name, char *dst, size_t dst_size, struct err *reterr)
{
	json_t *v = json_object_get(obj, name);
	if (!json_is_string(v))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not a text", name);
	const char *s = json_string_value(v);
	for (const char *p = s; *p != '\0'; p++) {
		if ((uint8_t)*p < 0x20 || (uint8_t)*p == 0x7F)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"%s holds a control character", name);
	}
	if (str_copy(dst, dst_size, s) < 0)
		return err_at(reterr, -E2BIG, ERR_NO_OFFSET, name, "%s is over %zu bytes", name,
			dst_size - 1);
	return 0;
}

void hostlink_json_put(struct buf *out, enum hostlink_type type, json_t *doc)
{
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	json_decref(doc);
	if (text == NULL) {
		if (out->error == 0)
			out->error = -ENOMEM;
		return;
	}
	hostlink_put(out, type, slice_str(text));
	free(text);
}

/* Text of ours may quote foreign bytes; what is not printable UTF-8 becomes '?'. */
static json_t *clean_text(const char *s)
{
	char copy[1024];
	struct slice rest = slice_str(s);
	size_t size = 0;
	while (rest.size > 0 && size + 4 < sizeof(copy)) {
		uint32_t code = 0;
		size_t n = utf8_decode(rest, &code);
		if (n == 0 || code < 0x20 || code == 0x7F) {
			copy[size++] = '?';
			n = n == 0 ? 1 : n;
		} else {
			memcpy(copy + size, rest.data, n);
			size += n;
		}
		rest = slice_cut(rest, n, rest.size);
	}
	return json_stringn(copy, size);
}

void hostlink_hello_put(struct buf *out, const struct hostlink_hello *m)
{
	hostlink_json_put(out, HOSTLINK_HELLO,
		json_pack("{s:I,s:o}", "protocol", (json_int_t)m->protocol, "version",
			clean_text(m->version)));
}

int hostlink_hello_parse(struct slice in, struct hostlink_hello *ret, struct err *reterr)
{
	static const char *const members[] = {"protocol", "version"};
	cleanup(json_decref) json_t *doc = NULL;
	struct hostlink_hello m = {0};
	uint64_t protocol = 0;
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "protocol", true, UINT32_MAX, &protocol, reterr);
	if (r < 0)
		return r;
	if (protocol != HOSTLINK_PROTOCOL)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "protocol",
			"the guest speaks protocol %llu, this side %u",
			(unsigned long long)protocol, HOSTLINK_PROTOCOL);
	m.protocol = (uint32_t)protocol;
	r = hostlink_json_text(doc, "version", m.version, sizeof(m.version), reterr);
	if (r < 0)
		return r;
	*ret = m;
	return 0;
}

void hostlink_phase_put(struct buf *out, const struct hostlink_phase *m)
{
	hostlink_json_put(out, HOSTLINK_PHASE,
		json_pack("{s:o,s:I}", "phase", clean_text(m->phase), "ms", (json_int_t)m->ms));
}

int hostlink_phase_parse(struct slice in, struct hostlink_phase *ret, struct err *reterr)
{
	static const char *const members[] = {"phase", "ms"};
	cleanup(json_decref) json_t *doc = NULL;
	struct hostlink_phase m = {0};
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_text(doc, "phase", m.phase, sizeof(m.phase), reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "ms", true, INT64_MAX, &m.ms, reterr);
	if (r < 0)
		return r;
	*ret = m;
	return 0;
}

void hostlink_exit_put(struct buf *out, const struct hostlink_exit *m)
{
	hostlink_json_put(out, HOSTLINK_EXIT,
		json_pack(
			"{s:I,s:o}", "code", (json_int_t)m->code, "reason", clean_text(m->reason)));
}

int hostlink_exit_parse(struct slice in, struct hostlink_exit *ret, struct err *reterr)
{
	static const char *const members[] = {"code", "reason"};
	cleanup(json_decref) json_t *doc = NULL;
	struct hostlink_exit m = {0};
	uint64_t code = 0;
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "code", true, 255, &code, reterr);
	if (r < 0)
		return r;
	m.code = (uint32_t)code;
	r = hostlink_json_text(doc, "reason", m.reason, sizeof(m.reason), reterr);
	if (r < 0)
		return r;
	*ret = m;
	return 0;
}

void hostlink_fatal_put(struct buf *out, const struct hostlink_fatal *m)
{
	json_t *doc = json_pack("{s:o,s:o,s:o}", "stage", clean_text(m->stage), "reason",
		clean_text(m->reason), "id", clean_text(m->id));
	if (m->code != 0 && json_object_set_new(doc, "code", json_integer(m->code)) < 0) {
		json_decref(doc);
		doc = NULL;
	}
	hostlink_json_put(out, HOSTLINK_FATAL, doc);
}

int hostlink_fatal_parse(struct slice in, struct hostlink_fatal *ret, struct err *reterr)
{
	static const char *const members[] = {"stage", "reason", "id", "code"};
	cleanup(json_decref) json_t *doc = NULL;
	struct hostlink_fatal m = {0};
	uint64_t code = 0;
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_text(doc, "stage", m.stage, sizeof(m.stage), reterr);
	if (r < 0)
		return r;
	r = hostlink_json_text(doc, "reason", m.reason, sizeof(m.reason), reterr);
	if (r < 0)
		return r;
	r = hostlink_json_text(doc, "id", m.id, sizeof(m.id), reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "code", false, 255, &code, reterr);
	if (r < 0)
		return r;
	m.code = (uint32_t)code;
	*ret = m;
	return 0;
}

void hostlink_winsize_put(struct buf *out, const struct hostlink_winsize *m)
{
	hostlink_json_put(out, HOSTLINK_WINSIZE,
		json_pack("{s:I,s:I}", "rows", (json_int_t)m->rows, "cols", (json_int_t)m->cols));
}

int hostlink_winsize_parse(struct slice in, struct hostlink_winsize *ret, struct err *reterr)
{
	static const char *const members[] = {"rows", "cols"};
	cleanup(json_decref) json_t *doc = NULL;
	uint64_t rows, cols;
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "rows", true, UINT16_MAX, &rows, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "cols", true, UINT16_MAX, &cols, reterr);
	if (r < 0)
		return r;
	*ret = (struct hostlink_winsize){(uint16_t)rows, (uint16_t)cols};
	return 0;
}

void hostlink_signal_put(struct buf *out, const struct hostlink_signal *m)
{
	hostlink_json_put(out, HOSTLINK_SIGNAL, json_pack("{s:I}", "signo", (json_int_t)m->signo));
}

int hostlink_signal_parse(struct slice in, struct hostlink_signal *ret, struct err *reterr)
{
	static const char *const members[] = {"signo"};
	cleanup(json_decref) json_t *doc = NULL;
	uint64_t signo = 0;
	int r = hostlink_json_load(in, members, ARRAY_COUNT(members), &doc, reterr);
	if (r < 0)
		return r;
	r = hostlink_json_u64(doc, "signo", true, 64, &signo, reterr);
	if (r < 0)
		return r;
	if (signo == 0)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "signo", "signal 0 is no signal");
	ret->signo = (uint32_t)signo;
	return 0;
}
