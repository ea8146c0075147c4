/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. One pass over the text with one byte of look-ahead. Tables are jansson
 * objects; what may still be extended is remembered by marks in a side object that mirrors the
 * tree: a table defined by a [header] may not be defined again, an inline table or a plain array
 * may not be extended at all. Nesting is bounded by TOML_DEPTH_MAX, so the recursion of values is
 * bounded too.
 */
#include "fmt/toml_internal.h"

#include "base/str.h"
#include "fmt/json.h"

#define KEY_MAX 1024

/* How a table came to be; kept per table under its address in a small open list. */
enum mark { MARK_IMPLICIT, MARK_HEADER, MARK_DOTTED, MARK_CLOSED };

struct marks {
	struct {
		const json_t *table;
		enum mark mark;
	} * items;
	size_t count, capacity;
};

struct parser {
	struct toml t;
	struct marks marks;
	json_t *root;
	json_t *current;
};

struct key {
	size_t count;
	struct buf parts[TOML_KEY_PARTS_MAX];
};

static int set_mark(struct parser *p, const json_t *table, enum mark mark)
{
	for (size_t i = p->marks.count; i > 0; i--) {
		if (p->marks.items[i - 1].table == table) {
			p->marks.items[i - 1].mark = mark;
			return 0;
		}
	}
	/* The list is searched linearly; the limit keeps a hostile document from making that slow.
	 */
	if (p->marks.count == TOML_TABLES_MAX)
		return toml_fail(&p->t, -E2BIG, "too many tables");
	if (p->marks.count == p->marks.capacity) {
		size_t capacity = p->marks.capacity ? p->marks.capacity * 2 : 32;
		void *items = reallocarray(p->marks.items, capacity, sizeof(*p->marks.items));
		if (!items)
			return -ENOMEM;
		p->marks.items = items;
		p->marks.capacity = capacity;
	}
	p->marks.items[p->marks.count].table = table;
	p->marks.items[p->marks.count++].mark = mark;
	return 0;
}

/* Tables of inline values carry no mark: they are closed. */
static enum mark get_mark(const struct parser *p, const json_t *table)
{
	for (size_t i = p->marks.count; i > 0; i--) {
		if (p->marks.items[i - 1].table == table)
			return p->marks.items[i - 1].mark;
	}
	return MARK_CLOSED;
}

int toml_fail(struct toml *t, int code, const char *what)
{
	return err_at(t->reterr, code, t->pos, NULL, "TOML line %zu column %zu: %s", t->line,
		t->pos - t->line_start + 1, what);
}

bool toml_newline(struct toml *t)
{
	if (toml_at(t, "\r\n"))
		t->pos += 2;
	else if (toml_peek(t) == '\n')
		t->pos++;
	else
		return false;
	t->line++;
	t->line_start = t->pos;
	return true;
}

static void skip_blank(struct toml *t)
{
	while (toml_peek(t) == ' ' || toml_peek(t) == '\t')
		t->pos++;
}

static int skip_comment(struct toml *t)
{
	skip_blank(t);
	if (toml_peek(t) != '#')
		return 0;
	size_t start = t->pos;
	while (toml_peek(t) >= 0 && toml_peek(t) != '\n' && !toml_at(t, "\r\n")) {
		int c = toml_peek(t);
		if ((c < 0x20 && c != '\t') || c == 0x7F)
			return toml_fail(t, -EBADMSG, "control character in a comment");
		t->pos++;
	}
	if (!utf8_valid(slice_cut(t->in, start, t->pos - start)))
		return toml_fail(t, -EBADMSG, "malformed UTF-8 in a comment");
	return 0;
}

/* Blanks, comments and line ends, as inside arrays. */
static int skip_lines(struct toml *t)
{
	do {
		int r = skip_comment(t);
		if (r < 0)
			return r;
	} while (toml_newline(t));
	return 0;
}

static int end_of_line(struct toml *t)
{
	int r = skip_comment(t);
	if (r < 0)
		return r;
	if (toml_peek(t) >= 0 && !toml_newline(t))
		return toml_fail(t, -EBADMSG, "end of line expected");
	return 0;
}

static void key_done(struct key *k)
{
	for (size_t i = 0; i < k->count; i++)
		buf_done(&k->parts[i]);
	k->count = 0;
}

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static int key_part(struct toml *t, struct buf *out)
{
	*out = buf_init(KEY_MAX);
	if (toml_peek(t) == '"' || toml_peek(t) == '\'') {
		int r = toml_string(t, true, out);
		if (r == 0 && out->size > 0 && memchr(out->data, 0, out->size))
			r = toml_fail(t, -EBADMSG, "key with a NUL character");
		return r;
	}
	while (is_bare(toml_peek(t))) {
		buf_put_u8(out, (uint8_t)toml_peek(t));
		t->pos++;
	}
	if (buf_error(out) < 0)
		return toml_fail(t, buf_error(out), "key is too long");
	return out->size > 0 ? 0 : toml_fail(t, -EBADMSG, "key expected");
}

static int parse_key(struct toml *t, struct key *k)
{
	for (;;) {
		if (k->count == TOML_KEY_PARTS_MAX)
			return toml_fail(t, -E2BIG, "key has too many parts");
		skip_blank(t);
		int r = key_part(t, &k->parts[k->count++]);
		if (r < 0)
			return r;
		skip_blank(t);
		if (toml_peek(t) != '.')
			return 0;
		t->pos++;
	}
}

static int new_table(
	struct parser *p, json_t *parent, const char *name, enum mark mark, json_t **ret)
{
	json_t *table = json_object();
	if (json_object_set_new(parent, name, table) < 0)
		return -ENOMEM;
	*ret = table;
	return set_mark(p, table, mark);
}

/* One step into a table, making it when absent. @dotted: by a dotted key, else by a header. */
static int enter(
	struct parser *p, json_t *parent, const struct buf *part, bool dotted, json_t **ret)
{
	const char *name = buf_str(part);
	json_t *next = json_object_get(parent, name);

	if (!next) {
		int r = new_table(p, parent, name, dotted ? MARK_DOTTED : MARK_IMPLICIT, &next);
		if (r < 0)
			return r;
	}
	/* A header walks into the last element of an array of tables. */
	if (json_is_array(next) && !dotted && json_array_size(next) > 0)
		next = json_array_get(next, json_array_size(next) - 1);
	if (!json_is_object(next))
		return toml_fail(&p->t, -EBADMSG, "key is already a value, not a table");
	enum mark mark = get_mark(p, next);
	if (mark == MARK_CLOSED)
		return toml_fail(&p->t, -EBADMSG, "an inline table cannot be extended");
	if (dotted && mark != MARK_DOTTED)
		return toml_fail(
			&p->t, -EBADMSG, "a dotted key cannot extend a table defined elsewhere");
	*ret = next;
	return 0;
}

static int parse_value(struct parser *p, json_t **ret);

static int assign(struct parser *p, json_t *table)
{
	cleanup_with(key_done) struct key k = {0};
	json_t *value = NULL;

	int r = parse_key(&p->t, &k);
	for (size_t i = 0; r == 0 && i + 1 < k.count; i++)
		r = enter(p, table, &k.parts[i], true, &table);
	if (r < 0)
		return r;
	const char *name = buf_str(&k.parts[k.count - 1]);
	if (json_object_get(table, name))
		return toml_fail(&p->t, -EBADMSG, "duplicate key");
	if (toml_peek(&p->t) != '=')
		return toml_fail(&p->t, -EBADMSG, "'=' expected after a key");
	p->t.pos++;
	skip_blank(&p->t);
	r = parse_value(p, &value);
	if (r == 0 && json_object_set_new(table, name, value) < 0)
		r = -ENOMEM;
	return r;
}

static int parse_array(struct parser *p, json_t *array)
{
	struct toml *t = &p->t;
	t->pos++; /* [ */
	for (;;) {
		json_t *value = NULL;
		int r = skip_lines(t);
		if (r < 0)
			return r;
		if (toml_peek(t) == ']')
			break;
		r = parse_value(p, &value);
		if (r == 0 && json_array_append_new(array, value) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = skip_lines(t);
		if (r < 0)
			return r;
		if (toml_peek(t) == ',')
			t->pos++;
		else if (toml_peek(t) != ']')
			return toml_fail(t, -EBADMSG, "',' or ']' expected in an array");
	}
	t->pos++;
	return 0;
}

static void drop_marks(struct parser *p, size_t from)
{
	p->marks.count = MIN(p->marks.count, from);
}

static int parse_inline(struct parser *p, json_t *table)
{
	struct toml *t = &p->t;
	size_t marks = p->marks.count;
	int r = 0;

	t->pos++; /* { */
	skip_blank(t);
	if (toml_peek(t) == '}') {
		t->pos++;
		return 0;
	}
	while (r == 0) {
		r = assign(p, table);
		if (r < 0)
			return r;
		skip_blank(t);
		if (toml_peek(t) == '}')
			break;
		if (toml_peek(t) != ',')
			return toml_fail(t, -EBADMSG, "',' or '}' expected in an inline table");
		t->pos++;
	}
	t->pos++;
	/* Tables made by dotted keys inside are closed together with this one. */
	drop_marks(p, marks);
	return 0;
}

static int parse_value(struct parser *p, json_t **ret)
{
	struct toml *t = &p->t;
	int c = toml_peek(t);
	json_t *value = NULL;
	int r;

	if (c == '"' || c == '\'') {
		cleanup_with(buf_done) struct buf text = buf_init(TOML_SIZE_MAX);
		r = toml_string(t, false, &text);
		if (r < 0)
			return r;
		if (text.size > 0 && memchr(text.data, 0, text.size))
			return toml_fail(t, -EBADMSG, "string with a NUL character");
		*ret = json_stringn(buf_str(&text), text.size);
		return *ret ? 0 : toml_fail(t, -EBADMSG, "malformed UTF-8 in a string");
	}
	if (c != '[' && c != '{')
		return toml_scalar(t, ret);
	if (++t->depth > TOML_DEPTH_MAX)
		return toml_fail(t, -E2BIG, "values are nested too deep");
	value = c == '[' ? json_array() : json_object();
	if (!value)
		return -ENOMEM;
	r = c == '[' ? parse_array(p, value) : parse_inline(p, value);
	t->depth--;
	if (r < 0) {
		json_decref(value);
		return r;
	}
	*ret = value;
	return 0;
}

static int array_of_tables(struct parser *p, json_t *parent, const char *name)
{
	json_t *array = json_object_get(parent, name);
	if (!array) {
		array = json_array();
		if (json_object_set_new(parent, name, array) < 0 ||
			set_mark(p, array, MARK_HEADER) < 0)
			return -ENOMEM;
	} else if (!json_is_array(array) || get_mark(p, array) != MARK_HEADER) {
		return toml_fail(&p->t, -EBADMSG, "key is not an array of tables");
	}
	json_t *table = json_object();
	if (json_array_append_new(array, table) < 0)
		return -ENOMEM;
	p->current = table;
	return set_mark(p, table, MARK_HEADER);
}

static int plain_table(struct parser *p, json_t *parent, const char *name)
{
	json_t *table = json_object_get(parent, name);
	if (!table) {
		int r = new_table(p, parent, name, MARK_HEADER, &table);
		if (r < 0)
			return r;
	} else if (!json_is_object(table) || get_mark(p, table) != MARK_IMPLICIT) {
		return toml_fail(&p->t, -EBADMSG, "table is defined twice");
	} else {
		int r = set_mark(p, table, MARK_HEADER);
		if (r < 0)
			return r;
	}
	p->current = table;
	return 0;
}

static int parse_header(struct parser *p)
{
	struct toml *t = &p->t;
	cleanup_with(key_done) struct key k = {0};
	json_t *parent = p->root;
	bool array = toml_at(t, "[[");

	t->pos += array ? 2 : 1;
	int r = parse_key(t, &k);
	if (r < 0)
		return r;
	if (!toml_at(t, array ? "]]" : "]"))
		return toml_fail(t, -EBADMSG, "']' expected after a table name");
	t->pos += array ? 2 : 1;
	for (size_t i = 0; r == 0 && i + 1 < k.count; i++)
		r = enter(p, parent, &k.parts[i], false, &parent);
	if (r < 0)
		return r;
	const char *name = buf_str(&k.parts[k.count - 1]);
	return array ? array_of_tables(p, parent, name) : plain_table(p, parent, name);
}

static int parse_document(struct parser *p)
{
	struct toml *t = &p->t;
	int r = set_mark(p, p->root, MARK_HEADER);

	while (r == 0) {
		r = skip_lines(t);
		if (r < 0 || toml_peek(t) < 0)
			break;
		r = toml_peek(t) == '[' ? parse_header(p) : assign(p, p->current);
		if (r == 0)
			r = end_of_line(t);
	}
	return r;
}

int toml_parse(struct slice in, json_t **ret, struct err *reterr)
{
	if (in.size > TOML_SIZE_MAX)
		return err_set(reterr, -E2BIG, "TOML of %zu bytes is larger than %zu", in.size,
			TOML_SIZE_MAX);
	json_t *root = json_object();
	if (!root)
		return -ENOMEM;
	struct parser p = {
		.t = {.in = in, .line = 1, .reterr = reterr},
		.root = root,
		.current = root,
	};
	int r = parse_document(&p);
	free(p.marks.items);
	if (r < 0) {
		json_decref(root);
		return r == -ENOMEM ? err_set(reterr, r, "out of memory while reading TOML") : r;
	}
	*ret = root;
	return 0;
}
