/* SPDX-License-Identifier: Apache-2.0 */
/* Who is an admin, and where keys of others are: [admin], and the URLs of key sets. */
#include <regex.h>

#include "base/str.h"
#include "trustee/kbs/config-read.h"

static const struct key g_admin[] = {
	STR("authorization_mode", admin.mode_name, "DenyAll"),
	TABLE("authentication"),
	TABLE("authorization"),
};

bool kbs_config_is_key_url(const char *uri)
{
	return str_starts(uri, "https://") && uri[8] && uri[8] != '/' && !strpbrk(uri, " \r\n#@");
}

bool kbs_config_is_key_set(const char *uri)
{
	return kbs_config_path(uri) || kbs_config_is_key_url(uri);
}

static void add_key_url(
	struct config_key_url *list, size_t *count, const char *uri, enum key_users users)
{
	if (uri && kbs_config_is_key_url(uri))
		list[(*count)++] = (struct config_key_url){uri, users};
}

size_t kbs_config_key_urls(
	const struct kbs_config *c, struct config_key_url ret[CONFIG_KEY_URLS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < c->token.trusted_jwk_sets.count; i++)
		add_key_url(ret, &count, c->token.trusted_jwk_sets.items[i], KEYS_OF_TOKENS);
	if (c->as.mode == AS_INTEL)
		add_key_url(ret, &count, c->as.certs_file, KEYS_OF_TOKENS);
	/* Nobody's token is looked at in the other modes. */
	for (size_t i = 0; c->admin.mode == ADMIN_AUTHENTICATED && i < c->admin.provider_count; i++)
		add_key_url(ret, &count, c->admin.providers[i].jwk_set_uri, KEYS_OF_ADMINS);
	return count;
}

/* Optional string member of an object inside an array of tables. */
static int member_str(const json_t *obj, const char *name, const char **ret, struct err *reterr)
{
	const json_t *v = json_object_get(obj, name);

	*ret = json_string_value(v);
	if (v && !*ret)
		return err_at(
			reterr, -EINVAL, ERR_NO_OFFSET, name, "[admin] %s must be a string", name);
	return 0;
}

static int read_providers(const json_t *list, struct kbs_config *c, struct err *reterr)
{
	size_t i;
	const json_t *item;

	json_array_foreach (list, i, item) {
		struct config_provider *p = &c->admin.providers[c->admin.provider_count];
		int r;

		if (c->admin.provider_count++ == CONFIG_PROVIDERS_MAX)
			return err_set(reterr, -EINVAL, "[admin] more than %d identity_providers",
				CONFIG_PROVIDERS_MAX);
		r = member_str(item, "issuer", &p->issuer, reterr);
		if (r == 0)
			r = member_str(item, "audience", &p->audience, reterr);
		if (r == 0)
			r = member_str(item, "public_key_uri", &p->public_key_uri, reterr);
		if (r == 0)
			r = member_str(item, "jwk_set_uri", &p->jwk_set_uri, reterr);
		if (r < 0)
			return r;
		if (!p->public_key_uri && !p->jwk_set_uri)
			return err_set(reterr, -EINVAL,
				"[admin] an identity provider needs public_key_uri or jwk_set_uri");
		if (p->public_key_uri && !kbs_config_path(p->public_key_uri))
			return err_set(reterr, -EOPNOTSUPP,
				"[admin] public_key_uri must be a file (a path or file://)");
		if (p->jwk_set_uri && !kbs_config_is_key_set(p->jwk_set_uri))
			return err_set(reterr, -EOPNOTSUPP,
				"[admin] jwk_set_uri must be a file (a path or file://) or an "
				"https:// URL");
	}
	return 0;
}

static int read_acls(const json_t *list, struct kbs_config *c, struct err *reterr)
{
	size_t i;
	const json_t *item;

	json_array_foreach (list, i, item) {
		struct config_acl *a = &c->admin.acls[c->admin.acl_count];
		regex_t re;
		int r;

		if (c->admin.acl_count++ == CONFIG_ACLS_MAX)
			return err_set(
				reterr, -EINVAL, "[admin] more than %d acls", CONFIG_ACLS_MAX);
		a->role = json_string_value(json_object_get(item, "role"));
		a->allowed_endpoints =
			json_string_value(json_object_get(item, "allowed_endpoints"));
		r = member_str(item, "tenant", &a->tenant, reterr);
		if (r < 0)
			return r;
		if (!a->role || !a->allowed_endpoints)
			return err_set(reterr, -EINVAL,
				"[admin] an acl needs the strings role and allowed_endpoints");
		if (!str_starts(a->allowed_endpoints, "^/kbs") ||
			!str_ends(a->allowed_endpoints, "$"))
			return err_set(reterr, -EINVAL,
				"[admin] allowed_endpoints must start with ^/kbs and end with $");
		if (regcomp(&re, a->allowed_endpoints, REG_EXTENDED | REG_NOSUB) != 0)
			return err_set(reterr, -EINVAL,
				"[admin] allowed_endpoints of role %s is not a regular expression",
				a->role);
		regfree(&re);
	}
	return 0;
}

int config_read_admin(const json_t *table, struct kbs_config *c, struct err *reterr)
{
	static const char *const modes[] = {
		"DenyAll", "AuthenticatedAuthorization", "InsecureAllowAll"};
	const json_t *jwt = json_object_get(json_object_get(table, "authentication"), "bearer_jwt");
	const json_t *acl = json_object_get(json_object_get(table, "authorization"), "regex_acl");
	size_t mode = 0;
	int r = config_read_section(SECTION("admin", g_admin), table, c, reterr);

	if (r < 0)
		return r;
	while (mode < ARRAY_COUNT(modes) && !streq(modes[mode], c->admin.mode_name))
		mode++;
	if (mode == ARRAY_COUNT(modes))
		return config_bad(reterr, "admin", "authorization_mode",
			"must be DenyAll, AuthenticatedAuthorization or InsecureAllowAll");
	c->admin.mode = (enum admin_mode)mode;
	r = read_providers(json_object_get(jwt, "identity_providers"), c, reterr);
	if (r == 0)
		r = read_acls(json_object_get(acl, "acls"), c, reterr);
	if (r < 0 || c->admin.mode != ADMIN_AUTHENTICATED)
		return r;
	if (c->admin.provider_count == 0 || c->admin.acl_count == 0)
		return err_set(reterr, -EINVAL,
			"[admin] AuthenticatedAuthorization needs at least one of "
			"[[admin.authentication.bearer_jwt.identity_providers]] and one of "
			"[[admin.authorization.regex_acl.acls]]");
	return 0;
}
