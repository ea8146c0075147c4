/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/initdata.h"

#include "base/str.h"
#include "fmt/json.h"
#include "fmt/toml.h"

static int check(struct initdata *i, struct err *reterr)
{
	static const char *const algorithms[] = {"sha256", "sha384", "sha512", "sm3"};
	const char *name;
	json_t *value;
	bool known = false;

	int r = json_get_str(i->document, "version", &i->version, reterr);
	if (r == 0)
		r = json_get_str(i->document, "algorithm", &i->algorithm, reterr);
	if (r == 0)
		r = json_get_object(i->document, "data", &i->data, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "initdata");
	if (!streq(i->version, "0.1.0"))
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "version",
			"initdata version \"%.32s\" is not supported (0.1.0 is)", i->version);
	for (size_t n = 0; n < ARRAY_COUNT(algorithms); n++)
		known = known || streq(i->algorithm, algorithms[n]);
	if (!known)
		return err_at(reterr, -EOPNOTSUPP, ERR_NO_OFFSET, "algorithm",
			"initdata algorithm \"%.32s\" is not one of sha256, sha384, sha512, sm3",
			i->algorithm);
	json_object_foreach (i->data, name, value) {
		if (!json_is_string(value))
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name,
				"initdata entry \"%.64s\" is not a string", name);
	}
	return 0;
}

int initdata_parse(struct slice text, struct initdata *ret, struct err *reterr)
{
	struct initdata i = {0};

	if (text.size > INITDATA_SIZE_MAX)
		return err_set(reterr, -E2BIG, "initdata of %zu bytes is larger than %zu",
			text.size, INITDATA_SIZE_MAX);
	int r = toml_parse(text, &i.document, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "initdata");
	r = check(&i, reterr);
	if (r < 0) {
		initdata_done(&i);
		return r;
	}
	*ret = i;
	return 0;
}

void initdata_done(struct initdata *i)
{
	json_decref(i->document);
	*i = (struct initdata){0};
}

const char *initdata_get(const struct initdata *i, const char *name)
{
	return json_string_value(json_object_get(i->data, name));
}

int initdata_write(const char *algorithm, const json_t *data, struct buf *out, struct err *reterr)
{
	union {
		const json_t *c;
		json_t *m;
	} object = {data};
	const char *name;
	json_t *value;

	buf_printf(out, "version = \"0.1.0\"\nalgorithm = \"%s\"\n\n[data]\n", algorithm);
	json_object_foreach (object.m, name, value) {
		const char *text = json_string_value(value);
		if (!text || strchr(name, '"') || strchr(name, '\\'))
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, name,
				"initdata entry \"%.64s\" cannot be written", name);
		/* A literal string keeps every byte, so policies stay readable; it cannot hold '''
		 * itself. */
		if (strstr(text, "'''") || (*text && text[strlen(text) - 1] == '\''))
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, name,
				"initdata entry \"%.64s\" contains ''' and cannot be written as a "
				"literal string",
				name);
		buf_printf(out, "\"%s\" = '''\n", name);
		buf_put_str(out, text);
		buf_put_str(out, "'''\n\n");
	}
	return buf_error(out);
}
