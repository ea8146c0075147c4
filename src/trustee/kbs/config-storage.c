/* SPDX-License-Identifier: Apache-2.0 */
/* [[plugins]] resource: where resources are, a row of keys for each storage_backend_type. */
#include "base/str.h"
#include "cloud/cloud.h"
#include "trustee/kbs/config-read.h"
#include "trustee/kbs/kv.h"

static const struct key g_resource[] = {
	STR("name", resource.name, NULL),
	STR("storage_backend_type", resource.type, "kvstorage"),
};
static const struct key g_vault[] = {
	STR("name", resource.name, NULL),
	STR("storage_backend_type", resource.type, NULL),
	STR("vault_url", resource.vault_url, NULL),
	STR("token", resource.token, NULL),
	STR("mount_path", resource.mount_path, "secret"),
	STR("prefix", resource.prefix, NULL),
	NUM("kv_version", resource.kv_version, 1, 2, 1),
	BOOL("verify_ssl", resource.verify_ssl),
	LIST("ca_certs", resource.ca_certs),
	NUM("connections", resource.connections, 1, CONFIG_BACKENDS_MAX, 2),
};
/* What all stores of cloud vendors have. */
#define CLOUD_KEYS                                                                                \
	STR("name", resource.name, NULL), STR("storage_backend_type", resource.type, NULL),       \
		STR("naming", resource.naming_name, "tag"), STR("prefix", resource.prefix, NULL), \
		LIST("ca_certs", resource.ca_certs), STR("proxy", resource.proxy, NULL),          \
		NUM("connections", resource.connections, 1, CONFIG_BACKENDS_MAX, 2)
static const struct key g_aws[] = {
	CLOUD_KEYS,
	STR("region", resource.region, NULL),
	STR("endpoint_url", resource.endpoint_url, NULL),
	STR("access_key_id", resource.access_key_id, NULL),
	STR("secret_access_key", resource.secret_access_key, NULL),
	STR("session_token", resource.session_token, NULL),
	STR("credentials_file", resource.credentials_file, NULL),
	STR("profile", resource.profile, NULL),
};
static const struct key g_gcp[] = {
	CLOUD_KEYS,
	STR("project_id", resource.project_id, NULL),
	STR("endpoint_url", resource.endpoint_url, NULL),
	STR("credentials_file", resource.credentials_file, NULL),
};
static const struct key g_azure[] = {
	CLOUD_KEYS,
	STR("vault_url", resource.vault_url, NULL),
	STR("tenant_id", resource.tenant_id, NULL),
	STR("client_id", resource.client_id, NULL),
	STR("client_secret", resource.client_secret, NULL),
	STR("client_certificate", resource.client_certificate, NULL),
	STR("federated_token_file", resource.federated_token_file, NULL),
	STR("authority_url", resource.authority_url, NULL),
};
static const struct key g_aliyun[] = {
	CLOUD_KEYS,
	STR("client_key", resource.client_key, NULL),
	STR("kms_instance_id", resource.kms_instance_id, NULL),
	STR("password", resource.password, NULL),
	STR("cert_pem", resource.cert_pem, NULL),
	STR("endpoint_url", resource.endpoint_url, NULL),
};
unsigned kbs_config_backends(const struct kbs_config *c)
{
	return c->resource.backend != BACKEND_STORE ? c->resource.connections : 0;
}

const char *kbs_config_storage(const struct kbs_config *c)
{
	if (c->resource.backend == BACKEND_STORE)
		return "the store";
	if (c->resource.backend == BACKEND_VAULT)
		return "Vault";
	return cloud_store_name((enum cloud_vendor)(c->resource.backend - BACKEND_AWS));
}

static int check_vault(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	const char *url = c->resource.vault_url;
	const char *host = url ? strstr(url, "://") : NULL;

	if (!url || !c->resource.token)
		return err_set(reterr, -EINVAL,
			"[[plugins]] storage_backend_type Vault needs vault_url and token");
	if ((!str_starts(url, "https://") && !str_starts(url, "http://")) ||
		strpbrk(host + 3, "/?#@ ") || !host[3])
		return config_bad(reterr, "[plugins]", "vault_url",
			"must be https://HOST:PORT (or http://), without a path");
	if (!kv_path_valid(c->resource.mount_path))
		return config_bad(reterr, "[plugins]", "mount_path",
			"must be names of [A-Za-z0-9_.-] with / between them");
	if (c->resource.prefix && !kv_path_valid(c->resource.prefix))
		return config_bad(reterr, "[plugins]", "prefix",
			"must be names of [A-Za-z0-9_.-] with / between them");
	for (const char *p = c->resource.token; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return config_bad(reterr, "[plugins]", "token", "must be printable ASCII");
	}
	/* Absent means yes: the token must not go to whoever answers. */
	if (!json_object_get(item, "verify_ssl"))
		c->resource.verify_ssl = true;
	return 0;
}

/* --- cloud vendors --- */

static int missing(const char *type, const char *keys, struct err *reterr)
{
	return err_set(reterr, -EINVAL, "[[plugins]] storage_backend_type %s needs %s", type, keys);
}

static int check_url(const char *key, const char *url, struct err *reterr)
{
	return !url || cloud_url_valid(url)
		       ? 0
		       : config_bad(reterr, "[plugins]", key,
				 "must be https://HOST; http:// is for this machine only");
}

/* Names and addresses; certificates are always verified, so there is no verify_ssl. */
static int check_cloud(struct kbs_config *c, struct err *reterr)
{
	enum cloud_vendor vendor = (enum cloud_vendor)(c->resource.backend - BACKEND_AWS);
	const char *proxy = c->resource.proxy;
	char name[CLOUD_NAME_MAX + 1];
	int r;

	if (streq(c->resource.naming_name, "path"))
		c->resource.naming = CLOUD_NAME_PATH;
	else if (!streq(c->resource.naming_name, "tag"))
		return config_bad(reterr, "[plugins]", "naming", "must be \"tag\" or \"path\"");
	r = cloud_name(vendor, CLOUD_NAME_TAG, c->resource.prefix, "a", name, reterr);
	if (r < 0)
		return err_wrap(reterr, -EINVAL, "[[plugins]] prefix");
	if (proxy && (!str_starts(proxy, "http://") || !proxy[strlen("http://")] ||
			     strpbrk(proxy + strlen("http://"), "/?#@ ")))
		return config_bad(reterr, "[plugins]", "proxy", "must be http://HOST:PORT");
	return check_url("endpoint_url", c->resource.endpoint_url, reterr);
}

static int check_aws(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	if (!c->resource.access_key_id != !c->resource.secret_access_key)
		return missing("Aws", "access_key_id and secret_access_key together", reterr);
	if (c->resource.session_token && !c->resource.access_key_id)
		return missing("Aws", "access_key_id with session_token", reterr);
	return check_cloud(c, reterr);
}

static int check_gcp(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	return c->resource.project_id ? check_cloud(c, reterr)
				      : missing("Gcp", "project_id", reterr);
}

static int check_azure(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	int ways = !!c->resource.client_secret + !!c->resource.client_certificate +
		   !!c->resource.federated_token_file;
	int r;

	if (!c->resource.vault_url)
		return missing("Azure", "vault_url", reterr);
	if (ways > 1)
		return missing("Azure",
			"one of client_secret, client_certificate and federated_token_file, or "
			"none for a managed identity",
			reterr);
	r = check_url("vault_url", c->resource.vault_url, reterr);
	if (r == 0)
		r = check_url("authority_url", c->resource.authority_url, reterr);
	return r < 0 ? r : check_cloud(c, reterr);
}

static int check_aliyun(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	if (!c->resource.client_key || !c->resource.kms_instance_id || !c->resource.password ||
		!c->resource.cert_pem)
		return missing(
			"Aliyun", "client_key, kms_instance_id, password and cert_pem", reterr);
	if (c->resource.ca_certs.count > 0)
		return config_bad(reterr, "[plugins]", "ca_certs",
			"is not for Aliyun: the instance's own CA is in cert_pem");
	return check_cloud(c, reterr);
}

/*
 * Where resources may be: a row for each storage_backend_type, with its keys and what is to be true of
 * them together.
 */
static const struct storage {
	const char *name, *alias;
	enum config_backend backend;
	const struct key *keys;
	size_t count;
	int (*check)(const json_t *item, struct kbs_config *c, struct err *reterr);
} g_storages[] = {
	{"kvstorage", NULL, BACKEND_STORE, g_resource, ARRAY_COUNT(g_resource), NULL},
	{"Vault", "vault", BACKEND_VAULT, g_vault, ARRAY_COUNT(g_vault), check_vault},
	{"Aws", "aws", BACKEND_AWS, g_aws, ARRAY_COUNT(g_aws), check_aws},
	{"Gcp", "gcp", BACKEND_GCP, g_gcp, ARRAY_COUNT(g_gcp), check_gcp},
	{"Azure", "azure", BACKEND_AZURE, g_azure, ARRAY_COUNT(g_azure), check_azure},
	{"Aliyun", "aliyun", BACKEND_ALIYUN, g_aliyun, ARRAY_COUNT(g_aliyun), check_aliyun},
};

const char *kbs_config_backend_name(const struct kbs_config *c)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_storages); i++) {
		if (g_storages[i].backend == c->resource.backend && g_storages[i].alias)
			return g_storages[i].alias;
	}
	return "kvstorage";
}

static int bad_storage(const char *type, struct err *reterr)
{
	char names[160] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_COUNT(g_storages); i++)
		n += (size_t)snprintf(
			names + n, sizeof(names) - n, "%s%s", i ? ", " : "", g_storages[i].name);
	return err_set(reterr, -EOPNOTSUPP,
		"[[plugins]] storage_backend_type %s is not supported: use one of %s", type, names);
}

int config_read_resource(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(item, "storage_backend_type"));
	const struct storage *s = &g_storages[0];
	size_t i = 0;
	int r;

	if (type) {
		while (i < ARRAY_COUNT(g_storages) && !streq(type, g_storages[i].name) &&
			!streq_null(type, g_storages[i].alias))
			i++;
		if (i == ARRAY_COUNT(g_storages))
			return bad_storage(type, reterr);
		s = &g_storages[i];
	}
	r = config_read_section(
		&(const struct section){.name = "[plugins]", .keys = s->keys, .count = s->count},
		item, c, reterr);
	c->resource.backend = s->backend;
	return r < 0 || !s->check ? r : s->check(item, c, reterr);
}
