/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-provider protocol. Writers in the field disagree about bytes in JSON: Go writes base64
 * text, Rust arrays of numbers. Both are read; answers are arrays, which both understand.
 */
#include "oci/ocicrypt.h"

#include <limits.h>

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

/* What the user wrote behind `provider:NAME:`, as `name=value` parts with "::" between them. */
struct parameters {
	char keyid[OCICRYPT_KID_MAX + 1];
	char keypath[PATH_MAX];
};

static int set_parameter(struct parameters *p, struct slice name, struct slice value)
{
	if (slice_eq_str(name, "keyid"))
		return str_copy_slice(p->keyid, sizeof(p->keyid), value);
	if (slice_eq_str(name, "keypath"))
		return str_copy_slice(p->keypath, sizeof(p->keypath), value);
	if (slice_eq_str(name, "algorithm"))
		return slice_eq_str(value, "A256GCM") ? 0 : -EOPNOTSUPP;
	/* "sample" asks for a key that is printed in public source code. */
	if (slice_eq_str(name, "sample"))
		return slice_eq_str(value, "false") ? 0 : -EOPNOTSUPP;
	return -EINVAL;
}

/* Unknown parameters are refused: what they ask for would otherwise be missing without notice. */
static int parse_parameters(struct parameters *ret, struct slice text, struct err *reterr)
{
	*ret = (struct parameters){0};
	/* What containers/image passes on when the user wrote no parameters. */
	if (slice_eq_str(text, "Enabled"))
		return 0;
	while (text.data && text.size > 0) {
		const uint8_t *sep = memmem(text.data, text.size, "::", 2);
		struct slice part =
			slice_of(text.data, sep ? (size_t)(sep - text.data) : text.size);
		const uint8_t *eq = part.size ? memchr(part.data, '=', part.size) : NULL;
		size_t name_size = eq ? (size_t)(eq - part.data) : part.size;
		int r = eq ? set_parameter(ret, slice_cut(part, 0, name_size),
				     slice_cut(part, name_size + 1, SIZE_MAX))
			   : -EINVAL;
		if (r < 0)
			return err_set(reterr, r,
				"key provider: the parameter '%.*s' is not supported (there are "
				"keyid=URI, keypath=FILE and algorithm=A256GCM, with '::' between "
				"them)",
				(int)MIN(part.size, (size_t)200), (const char *)part.data);
		text = slice_cut(text, part.size + 2, SIZE_MAX);
	}
	return 0;
}

/*
 * The parameters for this provider. Every provider is sent those of all providers; ours go by the
 * usual name, or by the only one.
 */
static json_t *own_parameters(json_t *by_provider)
{
	json_t *list = json_object_get(by_provider, OCICRYPT_PROVIDER);

	if (!list && json_object_size(by_provider) == 1)
		list = json_object_iter_value(json_object_iter(by_provider));
	return list;
}

/*
 * The first parameters that speak about @kid, or about no key id; none at all is fine. NULL: any.
 */
static int find_parameters(
	struct parameters *ret, json_t *crypt_config, const char *kid, struct err *reterr)
{
	json_t *list = own_parameters(json_object_get(crypt_config, "Parameters")), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		cleanup_with(buf_done) struct buf text = buf_init(OCICRYPT_OPTIONS_MAX);
		*ret = (struct parameters){0};
		int r = get_blob(item, &text, "Parameters", reterr);
		if (r == 0)
			r = parse_parameters(ret, buf_slice(&text), reterr);
		if (r < 0 || !kid || !ret->keyid[0] || streq(ret->keyid, kid))
			return r;
	}
	*ret = (struct parameters){0};
	return 0;
}

static int get_kek(const struct ocicrypt_kek_source *source, const char *kid,
	const struct parameters *p, struct secret *ret, struct err *reterr)
{
	return source->get(source->user, kid, p->keypath[0] ? p->keypath : NULL, ret, reterr);
}

static int wrap_kid(
	struct parameters *p, const struct ocicrypt_kek_source *source, struct err *reterr)
{
	if (!p->keyid[0] && source->wrap_kid &&
		str_copy(p->keyid, sizeof(p->keyid), source->wrap_kid) < 0)
		return err_set(reterr, -EINVAL, "the key id is too long");
	if (!p->keyid[0])
		return err_set(reterr, -EINVAL,
			"no key id: use --encryption-key "
			"provider:%s:keyid=kbs:///REPOSITORY/TYPE/TAG",
			OCICRYPT_PROVIDER);
	return 0;
}

static int keywrap(json_t *request, const struct ocicrypt_kek_source *source, struct buf *out,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf options = buf_init_secret(OCICRYPT_OPTIONS_MAX);
	cleanup_with(buf_done) struct buf packet = buf_init(4 * OCICRYPT_OPTIONS_MAX);
	cleanup_with(secret_done) struct secret kek = {0};
	json_t *params = json_object_get(request, "keywrapparams");
	struct parameters p = {0};

	int r = get_blob(json_object_get(params, "optsdata"), &options, "optsdata", reterr);
	if (r == 0)
		r = find_parameters(&p, json_object_get(params, "ec"), NULL, reterr);
	if (r == 0)
		r = wrap_kid(&p, source, reterr);
	if (r == 0)
		r = get_kek(source, p.keyid, &p, &kek, reterr);
	if (r == 0)
		r = ocicrypt_packet_wrap(
			&packet, p.keyid, secret_slice(&kek), buf_slice(&options), reterr);
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
	struct parameters p = {0};

	int r = get_blob(json_object_get(params, "annotation"), &annotation, "annotation", reterr);
	if (r == 0)
		r = ocicrypt_packet_parse(&packet, buf_slice(&annotation), reterr);
	if (r == 0)
		r = find_parameters(&p, json_object_get(params, "dc"), packet.kid, reterr);
	if (r == 0)
		r = get_kek(source, packet.kid, &p, &kek, reterr);
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
