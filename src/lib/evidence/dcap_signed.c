/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signatures over TCB Info and QE identities are over the bytes as they were sent, so the body
 * is cut out of the text, not written anew.
 */
#include "base/enc.h"
#include "evidence/dcap_tcb.h"
#include "fmt/json.h"

/* End of the JSON value that starts at @from; the text is known to be well-formed. */
static size_t value_end(struct slice in, size_t from)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = from; i < in.size; i++) {
		uint8_t c = in.data[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			if (!quoted && depth == 0)
				return i + 1;
			continue;
		}
		if (c == '"')
			quoted = true;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']') {
			if (--depth == 0)
				return i + 1;
		}
	}
	return in.size;
}

static size_t skip_space(struct slice in, size_t at)
{
	while (at < in.size && (in.data[at] == ' ' || in.data[at] == '\t' || in.data[at] == '\n' ||
				       in.data[at] == '\r'))
		at++;
	return at;
}

/* The value of the outer object's member @name, which is an object or a string. */
static struct slice raw_member(struct slice in, const char *name)
{
	size_t at = skip_space(in, 0) + 1; /* past '{' */

	while ((at = skip_space(in, at)) < in.size && in.data[at] == '"') {
		size_t key_end = value_end(in, at);
		struct slice key = slice_cut(in, at + 1, key_end - at - 2);
		at = skip_space(in, skip_space(in, key_end) + 1); /* past ':' */
		size_t end = value_end(in, at);
		if (slice_eq_str(key, name))
			return slice_cut(in, at, end - at);
		at = skip_space(in, end) + 1; /* past ',' */
	}
	return SLICE_EMPTY;
}

int tcb_split_signed(struct slice in, const char *name, struct slice *ret_body,
	uint8_t ret_signature[64], struct err *reterr)
{
	cleanup(json_decref) json_t *json = NULL;
	const char *signature = NULL;
	json_t *body = NULL;

	int r = json_parse(in, TCB_JSON_MAX, &json, reterr);
	if (r == 0)
		r = json_get_object(json, name, &body, reterr);
	if (r == 0)
		r = json_get_str(json, "signature", &signature, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "signed %s", name);
	if (json_object_size(json) != 2 ||
		hex_decode_fixed(ret_signature, 64, slice_str(signature)) < 0)
		return err_set(reterr, -EBADMSG,
			"signed %s does not consist of a body and a signature of 64 bytes", name);
	/* A key written with escapes parses alike but is not found; nobody sends that. */
	struct slice raw = raw_member(in, name);
	if (raw.size < 2 || raw.data[0] != '{')
		return err_set(reterr, -EBADMSG, "signed %s has no body", name);
	*ret_body = raw;
	return 0;
}
