/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"

#define VALUE_MAX 2048
#define RECORD_MAX ((size_t)16 << 10)

static struct {
	const char *program;
	enum log_level level;
	bool json;
	int fd;
} g_log = {NULL, LOG_LEVEL_INFO, false, STDERR_FILENO};

static const char *const g_levels[] = {"error", "warn", "info", "debug"};

void log_setup(const char *program, enum log_level level, bool json, int fd)
{
	g_log.program = program;
	g_log.level = level;
	g_log.json = json;
	g_log.fd = fd;
}

bool log_enabled(enum log_level level)
{
	return level <= g_log.level;
}

/* JSON string escapes serve both formats; malformed UTF-8 becomes U+FFFD. */
static void put_quoted(struct buf *out, struct slice s)
{
	bool cut = s.size > VALUE_MAX;
	s = slice_cut(s, 0, VALUE_MAX);
	buf_put_u8(out, '"');
	for (size_t i = 0; i < s.size;) {
		uint32_t code;
		size_t n = utf8_decode(slice_cut(s, i, 4), &code);
		if (n == 0) {
			buf_put_str(out, "\xEF\xBF\xBD");
			i++;
			continue;
		}
		if (code == '"' || code == '\\')
			buf_printf(out, "\\%c", (char)code);
		else if (code == '\n')
			buf_put_str(out, "\\n");
		else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
			buf_printf(out, "\\u%04x", code);
		else
			buf_put(out, s.data + i, n);
		i += n;
	}
	buf_put_str(out, cut ? "...\"" : "\"");
}

static bool is_bare(struct slice s)
{
	if (s.size == 0 || s.size > 128)
		return false;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] <= ' ' || s.data[i] >= 0x7F || strchr("\"\\=", s.data[i]))
			return false;
	}
	return true;
}

static void put_value(struct buf *out, const struct log_field *f)
{
	switch (f->type) {
	case LOG_FIELD_U64:
		buf_printf(out, "%" PRIu64, f->u64);
		break;
	case LOG_FIELD_I64:
		buf_printf(out, "%" PRId64, f->i64);
		break;
	case LOG_FIELD_HEX:
		buf_put_u8(out, '"');
		hex_encode(out, slice_cut(f->bytes, 0, VALUE_MAX));
		buf_put_u8(out, '"');
		break;
	case LOG_FIELD_STR:
		if (!g_log.json && is_bare(f->bytes))
			buf_put_slice(out, f->bytes);
		else
			put_quoted(out, f->bytes);
		break;
	}
}

void log_record(
	enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	char when[RFC3339_SIZE];
	cleanup_with(buf_done) struct buf out = buf_init(RECORD_MAX);

	if (!log_enabled(level))
		return;
	rfc3339_format(clock_unix_s(), when);
	if (g_log.json) {
		buf_printf(&out, "{\"time\":\"%s\",\"level\":\"%s\"", when, g_levels[level]);
		if (g_log.program)
			buf_printf(&out, ",\"program\":\"%s\"", g_log.program);
		buf_printf(&out, ",\"event\":\"%s\"", event);
	} else {
		buf_printf(&out, "%s %s %s%s%s", when, g_levels[level],
			g_log.program ? g_log.program : "", g_log.program ? ": " : "", event);
	}
	for (size_t i = 0; i < count; i++) {
		buf_printf(&out, g_log.json ? ",\"%s\":" : " %s=", fields[i].name);
		put_value(&out, &fields[i]);
	}
	buf_put_str(&out, g_log.json ? "}\n" : "\n");
	/* A record that cannot be built or written is dropped: logging never stops the program. */
	if (buf_error(&out) == 0) {
		ssize_t n = write(g_log.fd, out.data, out.size);
		(void)n;
	}
}
