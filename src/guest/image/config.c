/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/json.h"
#include "fmt/toml.h"
#include "guest/image/image.h"

#define ROOTS_MAX ((size_t)1 << 20)

void image_config_done(struct image_config *c)
{
	json_decref(c->doc);
	json_decref(c->registries);
	buf_done(&c->roots_pem);
	*c = (struct image_config){0};
}

/* registry_config is a table, or the text of a TOML document, depending on the writer. */
static int parse_registries(struct image_config *c, json_t *image, struct err *reterr)
{
	json_t *v = json_object_get(image, "registry_config");

	if (json_is_string(v))
		return toml_parse(slice_of(json_string_value(v), json_string_length(v)),
			&c->registries, reterr);
	if (v && !json_is_object(v))
		return err_set(reterr, -EBADMSG, "registry_config must be a table or text");
	c->registries = json_incref(v);
	return 0;
}

static int parse_roots(struct image_config *c, json_t *image, struct err *reterr)
{
	json_t *list = json_object_get(image, "extra_root_certificates"), *v;
	size_t i;

	if (list && !json_is_array(list))
		return err_set(reterr, -EBADMSG, "extra_root_certificates must be a list");
	json_array_foreach (list, i, v) {
		if (!json_is_string(v))
			return err_set(reterr, -EBADMSG, "extra_root_certificates must hold text");
		buf_put_str(&c->roots_pem, json_string_value(v));
		buf_put_u8(&c->roots_pem, '\n');
	}
	return buf_error(&c->roots_pem);
}

static int parse_image(struct image_config *c, struct err *reterr)
{
	json_t *image = json_object_get(c->doc, "image");
	const struct {
		const char *name, **value;
	} members[] = {
		{"image_security_policy_uri", &c->policy_uri},
		{"image_security_policy", &c->policy},
		{"authenticated_registry_credentials_uri", &c->auth_uri},
		{"registry_configuration_uri", &c->registries_uri},
	};

	if (!image)
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		int r = json_opt_str(image, members[i].name, members[i].value, reterr);
		if (r < 0)
			return r;
	}
	json_t *proxy = json_object_get(image, "image_pull_proxy");
	int r = proxy ? json_opt_str(proxy, "https_proxy", &c->https_proxy, reterr) : 0;
	if (r == 0)
		r = parse_registries(c, image, reterr);
	return r < 0 ? r : parse_roots(c, image, reterr);
}

int image_config_parse(struct image_config *ret, struct slice cdh_toml, struct err *reterr)
{
	struct image_config c = {.roots_pem = buf_init(ROOTS_MAX)};

	int r = toml_parse(cdh_toml, &c.doc, reterr);
	if (r == 0)
		r = parse_image(&c, reterr);
	if (r < 0) {
		image_config_done(&c);
		return err_wrap(reterr, r, "cdh.toml");
	}
	*ret = c;
	return 0;
}
