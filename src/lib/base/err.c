/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>

static format_printf(5, 0) void record(
	struct err *e, int code, size_t offset, const char *field, const char *fmt, va_list ap)
{
	e->code = code;
	e->offset = offset;
	snprintf(e->field, sizeof(e->field), "%s", field ? field : "");
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		record(e, code, ERR_NO_OFFSET, NULL, fmt, ap);
		va_end(ap);
	}
	return code;
}

int err_at(struct err *e, int code, size_t offset, const char *field, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		record(e, code, offset, field, fmt, ap);
		va_end(ap);
	}
	return code;
}

int err_wrap(struct err *e, int code, const char *fmt, ...)
{
	if (!e)
		return code;

	char context[ERR_TEXT_SIZE / 2];
	char old[ERR_TEXT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (e->code == 0)
		e->offset = ERR_NO_OFFSET;
	snprintf(old, sizeof(old), "%s", err_text(e, code));
	e->code = code;
	/* A long chain keeps its beginning: the outermost context says where to look. */
	snprintf(e->text, sizeof(e->text), "%s: %.*s", context,
		(int)(sizeof(e->text) - strlen(context) - 3), old);
	return code;
}

const char *err_text(const struct err *e, int code)
{
	if (e && e->text[0])
		return e->text;
	return strerror(code < 0 ? -code : code);
}
