/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 URIs (RFC 7512), as far as they name a key of a token. */
#include "base/enc.h"
#include "base/str.h"
#include "trustee/hsm/p11.h"

static int decode_id(struct slice in, struct p11_uri *u)
{
	cleanup_with(buf_done) struct buf id = buf_init(sizeof(u->key.id) - 1);

	int r = pct_decode(&id, in);
	if (r == 0) {
		memcpy(u->key.id, id.data, id.size);
		u->key.id_size = id.size;
	}
	return r;
}

struct attribute {
	const char *name;
	char *dst;
	size_t size;
	bool seen;
};

static int bad(struct slice name, const char *what, struct err *reterr)
{
	return err_set(reterr, -EINVAL, "PKCS#11 URI: %.*s %s", (int)MIN(name.size, (size_t)64),
		(const char *)name.data, what);
}

static int read_one(struct slice part, struct attribute *known, size_t count, struct p11_uri *u,
	struct err *reterr)
{
	const uint8_t *mark = part.size ? memchr(part.data, '=', part.size) : NULL;
	size_t n = mark ? (size_t)(mark - part.data) : part.size, i = 0;
	struct slice name = slice_cut(part, 0, n);
	struct slice value = slice_cut(part, mark ? n + 1 : n, part.size);
	int r;

	while (i < count && !slice_eq_str(name, known[i].name))
		i++;
	if (i == count)
		return bad(name, "is no attribute that is known here", reterr);
	if (known[i].seen || !mark || value.size == 0)
		return bad(name, known[i].seen ? "is there twice" : "has no value", reterr);
	known[i].seen = true;
	r = streq(known[i].name, "id") ? decode_id(value, u)
				       : pct_decode_text(known[i].dst, known[i].size, value);
	return r < 0 ? bad(name, "is malformed or too long", reterr) : 0;
}

static int read_all(const char *text, char separator, size_t size, struct attribute *known,
	size_t count, struct p11_uri *u, struct err *reterr)
{
	struct slice rest = slice_of(text, size);
	int r = 0;

	while (r == 0 && rest.size) {
		const uint8_t *end = memchr(rest.data, separator, rest.size);
		size_t n = end ? (size_t)(end - rest.data) : rest.size;

		r = read_one(slice_cut(rest, 0, n), known, count, u, reterr);
		rest = slice_cut(rest, end ? n + 1 : n, rest.size);
	}
	return r;
}

static int check(const struct p11_uri *u, const char *type, struct err *reterr)
{
	if (type[0] && !streq(type, "private"))
		return err_set(reterr, -EINVAL, "PKCS#11 URI: type must be private");
	if (!u->key.label[0] && u->key.id_size == 0)
		return err_set(reterr, -EINVAL, "PKCS#11 URI: object or id must name the key");
	if (u->module[0] != '/')
		return err_set(
			reterr, -EINVAL, "PKCS#11 URI: module-path must be an absolute path");
	return 0;
}

int p11_uri_parse(const char *text, struct p11_uri *ret, struct err *reterr)
{
	static const char scheme[] = "pkcs11:";
	char type[32] = "", pin_source[520] = "";
	struct attribute path[] = {
		{"token", ret->token.label, sizeof(ret->token.label), false},
		{"manufacturer", ret->token.manufacturer, sizeof(ret->token.manufacturer), false},
		{"serial", ret->token.serial, sizeof(ret->token.serial), false},
		{"model", ret->token.model, sizeof(ret->token.model), false},
		{"object", ret->key.label, sizeof(ret->key.label), false},
		{"id", NULL, 0, false},
		{"type", type, sizeof(type), false},
	};
	struct attribute query[] = {
		{"module-path", ret->module, sizeof(ret->module), false},
		{"pin-source", pin_source, sizeof(pin_source), false},
	};
	const char *source = pin_source;
	size_t n;
	int r;

	*ret = (struct p11_uri){0};
	if (!str_starts(text, scheme))
		return err_set(reterr, -EINVAL, "a PKCS#11 URI starts with pkcs11:");
	text += strlen(scheme);
	n = strcspn(text, "?");
	r = read_all(text, ';', n, path, ARRAY_COUNT(path), ret, reterr);
	if (r == 0 && text[n])
		r = read_all(text + n + 1, '&', strlen(text + n + 1), query, ARRAY_COUNT(query),
			ret, reterr);
	if (r < 0)
		return r;
	if (str_starts(source, "file:"))
		source += strlen("file:");
	if (str_starts(source, "//"))
		source += 2;
	if (source[0] && source[0] != '/')
		return err_set(reterr, -EINVAL, "PKCS#11 URI: pin-source must be file:/PATH");
	if (str_copy(ret->pin_source, sizeof(ret->pin_source), source) < 0)
		return err_set(reterr, -E2BIG, "PKCS#11 URI: pin-source is too long");
	return check(ret, type, reterr);
}
