/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-provider protocol. Writers in the field disagree about bytes in JSON: Go writes base64
 * text, Rust arrays of numbers. Both are read; answers are arrays, which both understand.
 */
#include "oci/ocicrypt.h"

#include "base/enc.h"
#include "base/str.h"
#include "oci/manifest.h"

static int get_blob(json_t *v, struct buf *out, const char *what, struct err *reterr)
{
	json_t *item;
	size_t i;

	if (json_is_string(v)) {
		if (b64_decode_any(out, slice_str(json_string_value(v))) == 0)
			return 0;
	} else if (json_is_array(v)) {
		json_array_foreach (v, i, item) {
			json_int_t n = json_is_integer(item) ? json_integer_value(item) : -1;
			if (n < 0 || n > 255)
				goto bad;
			buf_put_u8(out, (uint8_t)n);
		}
		return buf_error(out);
	}
bad:
	return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, what,
		"key provider request: '%s' must be base64 or bytes", what);
}

static void put_blob(struct buf *out, struct slice bytes)
{
	buf_put_u8(out, '[');
	for (size_t i = 0; i < bytes.size; i++)
		buf_printf(out, "%s%u", i ? "," : "", bytes.data[i]);
	buf_put_u8(out, ']');
}

/*
 * The value of one "::"-separated parameter. skopeo's `provider:NAME:keyid=X::algorithm=Y` arrives
 * as Parameters {NAME: [base64("keyid=X::algorithm=Y")]}.
 */
static int find_parameter(struct slice text, const char *name, struct buf *ret)
{
	size_t n = strlen(name);

	while (text.size > 0) {
		const uint8_t *sep = memmem(text.data, text.size, "::", 2);
		struct slice part =
			slice_of(text.data, sep ? (size_t)(sep - text.data) : text.size);
		if (slice_starts(part, slice_str(name)) && part.size > n && part.data[n] == '=') {
			buf_put_slice(ret, slice_cut(part, n + 1, SIZE_MAX));
			return buf_error(ret);
		}
		text = slice_cut(text, part.size + 2, SIZE_MAX);
	}
	return -ENOENT;
}

static int wrap_kid(json_t *params, const struct ocicrypt_kek_source *source, struct buf *kid,
	struct err *reterr)
{
	json_t *by_provider = json_object_get(json_object_get(params, "ec"), "Parameters");
	const char *name;
	json_t *list;

	json_object_foreach (by_provider, name, list) {
		cleanup_with(buf_done) struct buf text = buf_init(OCICRYPT_OPTIONS_MAX);
		json_t *first = json_array_get(list, 0);
		if (!json_is_string(first))
			continue;
		int r = get_blob(first, &text, "Parameters", reterr);
		if (r < 0)
			return r;
		if (find_parameter(buf_slice(&text), "keyid", kid) == 0)
			return 0;
	}
	if (source->wrap_kid)
		buf_put_str(kid, source->wrap_kid);
	if (kid->size == 0)
		return err_set(reterr, -EINVAL,
			"no key id: use --encryption-key "
			"provider:%s:keyid=kbs:///REPOSITORY/TYPE/TAG",
			OCICRYPT_PROVIDER);
	return buf_error(kid);
}

static int keywrap(json_t *request, const struct ocicrypt_kek_source *source, struct buf *out,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf options = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf kid = buf_init(OCICRYPT_KID_MAX);
	cleanup_with(buf_done) struct buf packet = buf_init(4 * OCICRYPT_OPTIONS_MAX);
	cleanup_with(secret_done) struct secret kek = {0};
	json_t *params = json_object_get(request, "keywrapparams");

	int r = get_blob(json_object_get(params, "optsdata"), &options, "optsdata", reterr);
	if (r == 0)
		r = wrap_kid(params, source, &kid, reterr);
	if (r == 0)
		r = source->get(source->user, buf_str(&kid), &kek, reterr);
	if (r == 0)
		r = ocicrypt_packet_wrap(
			&packet, buf_str(&kid), secret_slice(&kek), buf_slice(&options), reterr);
	if (r < 0)
		return r;
	buf_put_str(out, "{\"keywrapresults\":{\"annotation\":");
	put_blob(out, buf_slice(&packet));
	buf_put_str(out, "}}");
	return buf_error(out);
}

static int keyunwrap(json_t *request, const struct ocicrypt_kek_source *source, struct buf *out,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf annotation = buf_init(OCICRYPT_OPTIONS_MAX);
	cleanup_with(ocicrypt_packet_done) struct ocicrypt_packet packet = {0};
	cleanup_with(secret_done) struct secret kek = {0}, options = {0};
	json_t *params = json_object_get(request, "keyunwrapparams");

	int r = get_blob(json_object_get(params, "annotation"), &annotation, "annotation", reterr);
	if (r == 0)
		r = ocicrypt_packet_parse(&packet, buf_slice(&annotation), reterr);
	if (r == 0)
		r = source->get(source->user, packet.kid, &kek, reterr);
	if (r == 0)
		r = ocicrypt_packet_unwrap(&packet, secret_slice(&kek), &options, reterr);
	if (r < 0)
		return r;
	buf_put_str(out, "{\"keyunwrapresults\":{\"optsdata\":");
	put_blob(out, secret_slice(&options));
	buf_put_str(out, "}}");
	return buf_error(out);
}

int ocicrypt_provider_handle(struct slice request, const struct ocicrypt_kek_source *source,
	struct buf *out, struct err *reterr)
{
	json_t *doc;

	int r = oci_json_parse(&doc, request, "key provider request", reterr);
	if (r < 0)
		return r;
	const char *op = json_string_value(json_object_get(doc, "op"));
	if (op && streq(op, "keywrap"))
		r = keywrap(doc, source, out, reterr);
	else if (op && streq(op, "keyunwrap"))
		r = keyunwrap(doc, source, out, reterr);
	else
		r = err_set(
			reterr, -EOPNOTSUPP, "key provider request: unknown op '%s'", op ? op : "");
	json_decref(doc);
	return r;
}
