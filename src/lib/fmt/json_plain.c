/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of several TEEs comes as arrays of numbers, one for each byte. jansson takes each number
 * through a stream, a string buffer and strtoll() and gives it an allocation of its own, which for
 * a report and its certificate takes a third of the time that the signature takes. Here a byte
 * costs a few instructions, and all of the same value share one object.
 *
 * Whatever is unusual ends the attempt, and json_parse() asks jansson about the whole text. So
 * there is one judge of what is JSON and one author of error messages, and nothing here has to be
 * complete: only what it accepts must be right.
 */
#include "fmt/json_plain.h"

#include "fmt/json.h"

#define DIGITS_MAX 18 /* what always fits in 64 bits */

struct reader {
	struct slice in;
	size_t at;
	struct buf scratch; /* of the string that is being read */
};

/* A string between its quotes. */
struct text {
	struct slice raw;
	bool escapes, ascii;
};

/* The byte at the place of reading, 0 at the end: no token starts with a NUL. */
static uint8_t peek(const struct reader *r)
{
	return r->at < r->in.size ? r->in.data[r->at] : 0;
}

static uint8_t peek_token(struct reader *r)
{
	uint8_t c;

	while ((c = peek(r)) == ' ' || c == '\n' || c == '\t' || c == '\r')
		r->at++;
	return c;
}

static bool take(struct reader *r, uint8_t token)
{
	if (peek_token(r) != token)
		return false;
	r->at++;
	return true;
}

/* Up to the closing quote; what follows a backslash is looked at later. */
static bool take_text(struct reader *r, struct text *ret)
{
	uint8_t bits = 0;
	bool escapes = false;

	if (!take(r, '"'))
		return false;
	size_t start = r->at;
	for (; r->at < r->in.size; r->at++) {
		uint8_t c = r->in.data[r->at];
		bits |= c;
		if (c == '"') {
			*ret = (struct text){
				slice_cut(r->in, start, r->at - start), escapes, bits < 0x80};
			r->at++;
			return true;
		}
		if (c < 0x20)
			return false;
		if (c == '\\') {
			escapes = true;
			r->at++;
		}
	}
	return false;
}

/* What the letter after a backslash stands for; 0 for \u and for none. */
static uint8_t unescaped(uint8_t c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return 0;
	}
}

/* Escapes are longer than what they stand for. take_text() has seen a byte after each backslash. */
static bool unescape(struct buf *scratch, struct slice *text)
{
	size_t size = 0;

	buf_clear(scratch);
	uint8_t *to = buf_reserve(scratch, text->size);
	for (size_t i = 0; to && i < text->size; i++) {
		uint8_t c = text->data[i];
		if (c == '\\')
			c = unescaped(text->data[++i]);
		if (c == 0)
			return false;
		to[size++] = c;
	}
	*text = slice_of(to, size);
	return to;
}

static json_t *read_string(struct reader *r)
{
	struct text t;

	if (!take_text(r, &t) || (t.escapes && !unescape(&r->scratch, &t.raw)))
		return NULL;
	const char *s = (const char *)t.raw.data;
	return t.ascii ? json_stringn_nocheck(s, t.raw.size) : json_stringn(s, t.raw.size);
}

/* As jansson's own true, false and null: a count of -1 is neither raised nor lowered. */
static json_t *shared_integer(size_t n)
{
	static json_t *integers[256];

	if (!integers[n]) {
		integers[n] = json_integer((json_int_t)n);
		if (integers[n])
			integers[n]->refcount = (size_t)-1;
	}
	return integers[n];
}

/* A fraction or exponent is left behind, where no caller expects one. */
static json_t *read_integer(struct reader *r)
{
	bool negative = peek(r) == '-';
	json_int_t n = 0;
	uint8_t c;

	if (negative)
		r->at++;
	size_t start = r->at;
	while ((c = peek(r)) >= '0' && c <= '9' && r->at - start < DIGITS_MAX) {
		n = n * 10 + (c - '0');
		r->at++;
	}
	size_t digits = r->at - start;
	if (digits == 0 || (digits > 1 && r->in.data[start] == '0'))
		return NULL;
	if (negative)
		return json_integer(-n);
	return n < 256 ? shared_integer((size_t)n) : json_integer(n);
}

static json_t *read_word(struct reader *r, struct slice word, json_t *value)
{
	if (!slice_starts(slice_cut(r->in, r->at, word.size), word))
		return NULL;
	r->at += word.size;
	return value;
}

static json_t *read_value(struct reader *r, unsigned depth);

static json_t *read_array(struct reader *r, unsigned depth)
{
	cleanup(json_decref) json_t *array = json_array();

	r->at++;
	if (take(r, ']'))
		return steal_ptr(array);
	do {
		if (json_array_append_new(array, read_value(r, depth)) < 0)
			return NULL;
	} while (take(r, ','));
	return take(r, ']') ? steal_ptr(array) : NULL;
}

static json_t *read_object(struct reader *r, unsigned depth)
{
	cleanup(json_decref) json_t *object = json_object();
	struct text name;
	size_t count = 0;

	r->at++;
	if (take(r, '}'))
		return steal_ptr(object);
	do {
		if (!take_text(r, &name) || name.escapes || !take(r, ':'))
			return NULL;
		if (json_object_setn_new(object, (const char *)name.raw.data, name.raw.size,
			    read_value(r, depth)) < 0)
			return NULL;
		if (json_object_size(object) != ++count)
			return NULL; /* a member twice */
	} while (take(r, ','));
	return take(r, '}') ? steal_ptr(object) : NULL;
}

/* Recursion ends at JSON_DEPTH_MAX. */
static json_t *read_value(struct reader *r, unsigned depth)
{
	switch (peek_token(r)) {
	case '[':
		return depth < JSON_DEPTH_MAX ? read_array(r, depth + 1) : NULL;
	case '{':
		return depth < JSON_DEPTH_MAX ? read_object(r, depth + 1) : NULL;
	case '"':
		return read_string(r);
	case 't':
		return read_word(r, SLICE_LIT("true"), json_true());
	case 'f':
		return read_word(r, SLICE_LIT("false"), json_false());
	case 'n':
		return read_word(r, SLICE_LIT("null"), json_null());
	default:
		return read_integer(r);
	}
}

json_t *json_plain(struct slice in)
{
	struct reader r = {.in = in, .scratch = buf_init(in.size)};
	cleanup(json_decref) json_t *value = read_value(&r, 0);

	buf_done(&r.scratch);
	return peek_token(&r) == 0 && r.at == in.size ? steal_ptr(value) : NULL;
}
