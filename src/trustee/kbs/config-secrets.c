/* SPDX-License-Identifier: Apache-2.0 */
/* Who of the broker's processes sees which secret of the configuration. */
#include "base/str.h"
#include "trustee/kbs/config.h"

/*
 * Secrets of plugins, and the one role that sees each. A key that is a secret must be here: whoever adds
 * one adds a row.
 */
static const struct {
	const char *plugin, *key, *role;
} g_plugin_secrets[] = {
	{"resource", "token", "backend"}, /* Vault's; then those of clouds */
	{"resource", "secret_access_key", "backend"},
	{"resource", "session_token", "backend"},
	{"resource", "client_secret", "backend"},
	{"resource", "client_key", "backend"},
	{"resource", "password", "backend"},
	{"pkcs11", "pin", "hsm"},
};

static void hide(json_t *table, const char *key)
{
	if (json_object_get(table, key))
		json_object_set_new(table, key, json_string("hidden"));
}

static void hide_plugins(json_t *copy, const char *role)
{
	json_t *plugin;
	size_t i;

	json_array_foreach (json_object_get(copy, "plugins"), i, plugin) {
		const char *name = json_string_value(json_object_get(plugin, "name"));

		for (size_t k = 0; k < ARRAY_COUNT(g_plugin_secrets); k++) {
			if (streq_null(name, g_plugin_secrets[k].plugin) &&
				!streq(role, g_plugin_secrets[k].role))
				hide(plugin, g_plugin_secrets[k].key);
		}
	}
}

json_t *kbs_config_seen_by(const json_t *root, const char *role)
{
	json_t *copy = json_deep_copy(root);
	json_t *backends = json_object_get(json_object_get(copy, "storage_backend"), "backends");

	if (!copy)
		return NULL;
	hide_plugins(copy, role);
	/* The vault talks to the database, and a remote to Intel; neither does the other's. */
	if (!streq(role, "vault"))
		json_object_del(json_object_get(backends, "postgres"), "password");
	if (!streq(role, "remote"))
		hide(json_object_get(copy, "attestation_service"), "api_key");
	return copy;
}
