/* SPDX-License-Identifier: Apache-2.0 */
#include "cbor_json.h"

#include "base/enc.h"
#include "fmt/cbor.h"

static bool same(const struct cbor *c, const json_t *want);

static bool same_string(const struct cbor *c, const json_t *want)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	if (c->kind == CBOR_BYTES)
		hex_encode(&text, c->bytes);
	else
		buf_put_slice(&text, c->bytes);
	return json_is_string(want) &&
	       slice_eq(buf_slice(&text),
		       slice_of(json_string_value(want), json_string_length(want)));
}

static bool same_array(const struct cbor *c, const json_t *want)
{
	struct slice rest = c->bytes;
	struct cbor item;

	if (!json_is_array(want) || json_array_size(want) != c->number)
		return false;
	for (size_t i = 0; cbor_next(&rest, &item) == 0; i++) {
		if (!same(&item, json_array_get(want, i)))
			return false;
	}
	return true;
}

static bool same_map(const struct cbor *c, const json_t *want)
{
	struct slice rest = c->bytes;
	struct cbor key, value;
	int64_t number;

	if (!json_is_object(want) || json_object_size(want) != c->number)
		return false;
	while (cbor_next(&rest, &key) == 0 && cbor_next(&rest, &value) == 0) {
		char name[64];
		if (cbor_int(&key, &number) == 0)
			snprintf(name, sizeof(name), "%lld", (long long)number);
		else
			snprintf(name, sizeof(name), "%.*s", SLICE_ARG(key.bytes));
		if (!same(&value, json_object_get(want, name)))
			return false;
	}
	return true;
}

/* As deep as the parser lets CBOR be. */
static bool same(const struct cbor *c, const json_t *want)
{
	int64_t number;

	switch (c->kind) {
	case CBOR_UINT:
	case CBOR_NEGINT:
		return json_is_integer(want) && cbor_int(c, &number) == 0 &&
		       number == json_integer_value(want);
	case CBOR_BYTES:
	case CBOR_TEXT:
		return same_string(c, want);
	case CBOR_ARRAY:
		return same_array(c, want);
	case CBOR_MAP:
		return same_map(c, want);
	default:
		return false;
	}
}

int cbor_json_compare(struct vector *v, const json_t *want, const char *name, struct slice in)
{
	struct cbor c;
	struct err e = {0};

	if (cbor_parse(in, &c, &e) < 0)
		return vector_fail(v, "%s: %s", name, e.text);
	return same(&c, want) ? 0 : vector_fail(v, "%s are other ones", name);
}
