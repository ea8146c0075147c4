/* SPDX-License-Identifier: Apache-2.0 */
/* Spec: TCG PC Client Platform Firmware Profile 1.06, sections 10.2 and 10.4. */
#include "evidence/eventlog_details.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"

#define TEXT_MAX ((size_t)1 << 20)
#define TAG_AAEL 0x4141454CU /* the attestation agent's own events */

/* Without NULs: what reads the claims refuses them, as C strings would end there. */
static int set_text(json_t *o, const char *name, struct slice text)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);

	if (text.size > 0 && memchr(text.data, 0, text.size)) {
		for (size_t i = 0; i < text.size; i++) {
			if (text.data[i] != 0)
				buf_put_u8(&out, text.data[i]);
		}
		if (buf_error(&out) < 0)
			return buf_error(&out);
		text = buf_slice(&out);
	}
	return json_set_slice(o, name, text);
}

static int simple(struct slice data, json_t *details)
{
	return utf8_valid(data) ? set_text(details, "string", data) : 0;
}

/* Everything that is no control character; the byte 0x10 stands for a blank. */
static int config_flags(struct slice data, json_t *details)
{
	cleanup_with(buf_done) struct buf out = buf_init(TEXT_MAX);
	struct slice rest = utf8_valid(data) ? data : SLICE_EMPTY;
	uint32_t code;
	size_t n;

	for (; rest.size > 0 && (n = utf8_decode(rest, &code)) > 0;
		rest = slice_cut(rest, n, rest.size)) {
		if (code == 0x10)
			buf_put_u8(&out, ' ');
		else if (code >= 0x20 && (code < 0x7F || code > 0x9F))
			buf_put(&out, rest.data, n);
	}
	return buf_error(&out) < 0 ? 0 : set_text(details, "string", buf_slice(&out));
}

static int ipl(struct slice data, json_t *details)
{
	cleanup_with(buf_done) struct buf out = buf_init(TEXT_MAX);

	if (data.size < 2)
		return 0;
	if (data.data[0] == 0x2E && data.data[1] == 0) {
		if (data.size == 2 || data.size % 2 != 0 ||
			utf16_text(slice_cut(data, 2, data.size - 4), true, &out) < 0)
			return 0;
		return set_text(details, "string", buf_slice(&out));
	}
	const uint8_t *end = memchr(data.data, 0, data.size);
	struct slice text = slice_cut(data, 0, end ? (size_t)(end - data.data) : data.size);
	if (utf8_valid(text))
		return set_text(details, "string", text);
	hex_encode(&out, data);
	return buf_error(&out) < 0 ? 0 : set_text(details, "string", buf_slice(&out));
}

/* "domain operation content", where content may be JSON. */
static int aael(struct slice text, json_t *details)
{
	json_t *content = NULL;
	const uint8_t *first = text.size ? memchr(text.data, ' ', text.size) : NULL;
	size_t after = first ? (size_t)(first - text.data) + 1 : 0;
	const uint8_t *second =
		first && after < text.size ? memchr(first + 1, ' ', text.size - after) : NULL;
	if (!second)
		return 0;
	size_t last = (size_t)(second - text.data) + 1;
	struct slice body = slice_cut(text, last, text.size);
	json_t *data = json_object();

	int r = json_set_take(details, "data", data);
	if (r < 0)
		return r;
	if (json_parse(body, TEXT_MAX, &content, NULL) == 0)
		r = json_set_take(data, "content", content);
	else
		r = set_text(data, "content", body);
	if (r == 0)
		r = set_text(data, "domain", slice_cut(text, 0, after - 1));
	return r == 0 ? set_text(data, "operation", slice_cut(text, after, last - 1 - after)) : r;
}

static int event_tag(struct slice data, json_t *details)
{
	struct rd r = rd_init(data);
	struct slice text;
	uint32_t id, size;

	if (rd_u32le(&r, &id) < 0 || rd_u32le(&r, &size) < 0 || rd_slice(&r, size, &text) < 0 ||
		!utf8_valid(text))
		return 0;
	while (text.size > 0 && text.data[text.size - 1] == 0)
		text.size--;
	int e = id == TAG_AAEL ? aael(text, details) : 0;
	if (e == 0)
		e = set_text(details, "string", text);
	return e == 0 && id == TAG_AAEL ? json_set_str(details, "unicode_name", "AAEL") : e;
}

/* UEFI_VARIABLE_DATA */
static int variable(struct slice data, json_t *details)
{
	cleanup_with(buf_done) struct buf name = buf_init(TEXT_MAX);
	struct rd r = rd_init(data);
	uint8_t g[16];
	uint64_t name_units, size;
	struct slice utf16, value;
	char guid[40];

	if (rd_copy(&r, g, sizeof(g)) < 0 || rd_u64le(&r, &name_units) < 0 ||
		rd_u64le(&r, &size) < 0 || name_units > data.size || size > data.size ||
		rd_slice(&r, (size_t)name_units * 2, &utf16) < 0 ||
		rd_slice(&r, (size_t)size, &value) < 0 || utf16_text(utf16, false, &name) < 0)
		return 0;
	snprintf(guid, sizeof(guid),
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[0], g[1],
		g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
		g[15]);
	int e = set_text(details, "unicode_name", buf_slice(&name));
	if (e == 0)
		e = json_set_int(details, "unicode_name_length", (int64_t)name_units);
	if (e == 0)
		e = json_set_b64(details, "variable_data", value, B64_STD);
	if (e == 0)
		e = json_set_int(details, "variable_data_length", (int64_t)size);
	return e == 0 ? json_set_str(details, "variable_name", guid) : e;
}

/* UEFI_IMAGE_LOAD_EVENT: three addresses, then the device path and its size. */
static int image_load(struct slice data, json_t *details)
{
	struct rd r = rd_init(data);
	uint64_t size;
	struct slice path;
	json_t *list = NULL;

	if (rd_skip(&r, 24) < 0 || rd_u64le(&r, &size) < 0 || size <= 4 || size > data.size ||
		rd_slice(&r, (size_t)size - 4, &path) < 0)
		return 0;
	int e = efi_device_paths(path, &list);
	if (e < 0)
		return e == -ENOMEM ? e : 0;
	return json_set_take(details, "device_paths", list);
}

/* A description of one byte size, whose last character is dropped. */
static int blob2(struct slice data, json_t *details)
{
	if (data.size == 0 || data.data[0] == 0 || data.size < data.data[0])
		return 0;
	struct slice text = slice_cut(data, 1, (size_t)data.data[0] - 1);
	return utf8_valid(text) ? set_text(details, "string", text) : 0;
}

int eventlog_details(const struct tcg2_event *e, json_t *details)
{
	static const struct {
		uint32_t type;
		int (*put)(struct slice data, json_t *details);
	} types[] = {
		{0x1, simple},		   /* EV_POST_CODE */
		{0x5, simple},		   /* EV_ACTION */
		{0x6, event_tag},	   /* EV_EVENT_TAG */
		{0xA, config_flags},	   /* EV_PLATFORM_CONFIG_FLAGS */
		{0xC, simple},		   /* EV_COMPACT_HASH */
		{0xD, ipl},		   /* EV_IPL */
		{0x12, simple},		   /* EV_OMIT_BOOT_DEVICE_EVENTS */
		{0x80000001U, variable},   /* EV_EFI_VARIABLE_DRIVER_CONFIG */
		{0x80000002U, variable},   /* EV_EFI_VARIABLE_BOOT */
		{0x80000003U, image_load}, /* EV_EFI_BOOT_SERVICES_APPLICATION */
		{0x80000007U, simple},	   /* EV_EFI_ACTION */
		{0x8000000AU, blob2},	   /* EV_EFI_PLATFORM_FIRMWARE_BLOB2 */
		{0x8000000BU, blob2},	   /* EV_EFI_HANDOFF_TABLES2 */
		{0x8000000CU, variable},   /* EV_EFI_VARIABLE_BOOT2 */
		{0x800000E0U, variable},   /* EV_EFI_VARIABLE_AUTHORITY */
	};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		if (types[i].type == e->type)
			return types[i].put(e->data, details);
	}
	return 0;
}
