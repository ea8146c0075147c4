/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the TOML reader. */
#include "fmt/toml.h"

struct toml {
	struct slice in;
	size_t pos;
	size_t line;
	size_t line_start;
	int depth;
	struct err *reterr;
};

/* The next byte without consuming it; -1 at the end. */
static inline int toml_peek(const struct toml *t)
{
	return t->pos < t->in.size ? t->in.data[t->pos] : -1;
}

static inline bool toml_at(const struct toml *t, const char *text)
{
	return slice_starts(slice_cut(t->in, t->pos, t->in.size), slice_str(text));
}

int toml_fail(struct toml *t, int code, const char *what);
/** toml_newline() - consume LF or CRLF when it is next. Return: true when consumed. */
bool toml_newline(struct toml *t);
/** toml_string() - any of the four string forms; @key: multi-line forms are not allowed */
must_check int toml_string(struct toml *t, bool key, struct buf *out);
/** toml_scalar() - number, boolean or date */
must_check int toml_scalar(struct toml *t, json_t **ret);
