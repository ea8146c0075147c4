/* SPDX-License-Identifier: Apache-2.0 */
/* [[plugins]]: what the broker serves below /kbs/v0/NAME, and from where. */
#include "base/str.h"
#include "fmt/nebula.h"
#include "trustee/kbs/config-read.h"

static const struct key g_sample[] = {
	STR("name", plugin_name, NULL),
	STR("item", sample.item, ""),
};
static const struct key g_provisioner[] = {
	STR("name", plugin_name, NULL),
	NUM("key_length", provisioner.key_length, 22, 4096, 32),
};
static const struct key g_external[] = {
	STR("name", plugin_name, NULL),
	NUM("connections", external.connections, 1, CONFIG_EXTERNAL_MAX, 4),
	TABLES("backends"),
};
static const struct key g_nebula[] = {
	STR("name", plugin_name, NULL),
	TABLE("ca_config"),
	UNSUPPORTED("work_dir", "the CA is in the store"),
	UNSUPPORTED("nebula_cert_bin_path", "husk makes certificates by itself"),
};
static const struct key g_nebula_ca[] = {
	STR("name", nebula.ca_name, "Trustee Nebula CA plugin"),
	STR("duration", nebula.duration, "8760h0m0s"),
	STR("groups", nebula.groups, NULL),
	STR("ips", nebula.ips, NULL),
	STR("subnets", nebula.subnets, NULL),
	STR("curve", nebula.curve, "25519"),
	NUM("version", nebula.version, 1, 2, 1),
	UNSUPPORTED("argon_iterations", "the CA's key is in the store, under no passphrase"),
	UNSUPPORTED("argon_memory", "the CA's key is in the store, under no passphrase"),
	UNSUPPORTED("argon_parallelism", "the CA's key is in the store, under no passphrase"),
	UNSUPPORTED("out_qr", "make the picture from GET nebula-ca/ca"),
};
static const struct key g_pkcs11[] = {
	STR("name", plugin_name, NULL),
	STR("module", pkcs11.module.path, NULL),
	LIST("module_files", pkcs11.module.files),
	LIST("module_environment", pkcs11.module.environment),
	BOOL("module_network", pkcs11.module.network),
	NUM("module_timeout", pkcs11.module.timeout_s, 1, 25, 10),
	NUM("slot_index", pkcs11.slot_index, 0, 255, 0),
	STR("token_label", pkcs11.token_label, NULL),
	STR("pin", pkcs11.pin, NULL),
	STR("pin_file", pkcs11.pin_file, NULL),
	STR("rsa_mechanism", pkcs11.rsa_mechanism, "RsaPkcsOaep"),
	STR("lookup_label", pkcs11.lookup_label, NULL),
	NUM("connections", pkcs11.connections, 1, CONFIG_BACKENDS_MAX, 1),
};

static int read_sample(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	return config_read_section(SECTION("[plugins]", g_sample), item, c, reterr);
}

static int read_provisioner(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	return config_read_section(SECTION("[plugins]", g_provisioner), item, c, reterr);
}

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

static int check_external(
	const struct kbs_config *c, const struct config_external *b, struct err *reterr)
{
	bool tls = b->endpoint && str_starts(b->endpoint, "https://");

	if (!b->name || !b->name[0] || b->name[strspn(b->name, NAME_CHARS)])
		return config_bad(
			reterr, "[plugins.backends]", "name", "must be there, of [A-Za-z0-9_.-]");
	for (const struct config_external *other = c->external.backends; other < b; other++) {
		if (streq(other->name, b->name))
			return err_set(
				reterr, -EINVAL, "[[plugins.backends]] %s is there twice", b->name);
	}
	if (!b->endpoint || (!tls && !str_starts(b->endpoint, "http://")))
		return config_bad(reterr, "[plugins.backends]", "endpoint",
			"must be http://HOST:PORT or https://HOST:PORT");
	/* As upstream: who certifies a plugin is said, the system's roots do not count. */
	if (tls != (b->ca_cert_path != NULL))
		return config_bad(reterr, "[plugins.backends]", "ca_cert_path",
			"is needed for https:// and out of place for http://");
	return 0;
}

static int read_external_backend(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	struct config_external *b = &c->external.backends[c->external.count];
	const char *name;
	json_t *value;

	if (c->external.count == CONFIG_EXTERNAL_MAX)
		return err_set(
			reterr, -EINVAL, "[[plugins.backends]] more than %d", CONFIG_EXTERNAL_MAX);
	if (!json_is_object(item))
		return config_bad(reterr, "[plugins]", "backends", "must be an array of tables");
	b->timeout_ms = 10000;
	json_object_foreach ((json_t *)(uintptr_t)item, name, value) {
		const char **text = streq(name, "name")		  ? &b->name
				    : streq(name, "endpoint")	  ? &b->endpoint
				    : streq(name, "ca_cert_path") ? &b->ca_cert_path
								  : NULL;
		json_int_t ms = json_integer_value(value);

		if (text) {
			*text = json_string_value(value);
			if (!*text)
				return config_bad(
					reterr, "[plugins.backends]", name, "must be a string");
		} else if (!streq(name, "timeout_ms")) {
			return config_bad(reterr, "[plugins.backends]", name,
				"is not a known key: see husk-kbs(5) for the list");
		} else if (ms < 1 || ms > 25000) {
			return config_bad(reterr, "[plugins.backends]", name,
				"must be a number from 1 to 25000");
		} else {
			b->timeout_ms = (uint32_t)ms;
		}
	}
	c->external.count++;
	return check_external(c, b, reterr);
}

static int read_external(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	const json_t *list = json_object_get(item, "backends");
	int r = config_read_section(SECTION("[plugins]", g_external), item, c, reterr);

	if (r == 0 && json_array_size(list) == 0)
		return config_bad(reterr, "[plugins]", "backends", "must name at least one");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = read_external_backend(json_array_get(list, i), c, reterr);
	return r;
}

/* What the CA will be made with is checked now, not with the first guest. */
static int read_nebula(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	struct nebula_details d = {.is_ca = true};
	int r = config_read_section(SECTION("[plugins]", g_nebula), item, c, reterr);

	if (r == 0)
		r = config_read_section(SECTION("[plugins.ca_config]", g_nebula_ca),
			json_object_get(item, "ca_config"), c, reterr);
	if (r == 0)
		r = nebula_duration_parse(slice_str(c->nebula.duration), &d.not_after, reterr);
	if (r == 0 && nebula_curve_parse(c->nebula.curve, &d.curve) < 0)
		r = config_bad(
			reterr, "[plugins.ca_config]", "curve", "must be \"25519\" or \"P256\"");
	if (r == 0 && c->nebula.groups)
		r = nebula_groups_parse(
			slice_str(c->nebula.groups), d.groups, &d.group_count, reterr);
	if (r == 0 && c->nebula.ips)
		r = nebula_nets_parse(slice_str(c->nebula.ips), false, d.ips, &d.ip_count, reterr);
	if (r == 0 && c->nebula.subnets)
		r = nebula_nets_parse(
			slice_str(c->nebula.subnets), true, d.subnets, &d.subnet_count, reterr);
	d.name = slice_str(c->nebula.ca_name);
	d.version = c->nebula.version;
	if (r == 0)
		r = nebula_check(&d, reterr);
	return r < 0 ? err_wrap(reterr, r, "[[plugins]] nebula-ca") : 0;
}

static int read_pkcs11(const json_t *item, struct kbs_config *c, struct err *reterr)
{
	int r = config_read_section(SECTION("[plugins]", g_pkcs11), item, c, reterr);

	if (r < 0)
		return r;
	if (!c->pkcs11.module.path || c->pkcs11.module.path[0] != '/')
		return config_bad(reterr, "[plugins]", "module",
			"must be the absolute path of a PKCS#11 module");
	if (!c->pkcs11.pin == !c->pkcs11.pin_file)
		return err_set(reterr, -EINVAL, "[[plugins]] pkcs11 needs either pin_file or pin");
	c->pkcs11.sha1 = streq(c->pkcs11.rsa_mechanism, "RsaPkcsTest");
	if (!c->pkcs11.sha1 && !streq(c->pkcs11.rsa_mechanism, "RsaPkcsOaep"))
		return config_bad(reterr, "[plugins]", "rsa_mechanism",
			"must be RsaPkcsOaep (SHA-256) or RsaPkcsTest (SHA-1)");
	for (size_t i = 0; i < c->pkcs11.module.environment.count; i++) {
		const char *text = c->pkcs11.module.environment.items[i];

		if (text[0] == '=' || !strchr(text, '='))
			return config_bad(
				reterr, "[plugins]", "module_environment", "must be NAME=VALUE");
	}
	return 0;
}

static const struct {
	const char *name;
	int (*read)(const json_t *item, struct kbs_config *c, struct err *reterr);
} g_plugins[PLUGIN_COUNT_] = {
	[PLUGIN_RESOURCE] = {"resource", config_read_resource},
	[PLUGIN_SAMPLE] = {"sample", read_sample},
	[PLUGIN_PROVISIONER] = {"provisioner", read_provisioner},
	[PLUGIN_EXTERNAL] = {"external", read_external},
	[PLUGIN_PKCS11] = {"pkcs11", read_pkcs11},
	[PLUGIN_NEBULA_CA] = {"nebula-ca", read_nebula},
};

const char *kbs_plugin_name(enum kbs_plugin plugin)
{
	return (unsigned)plugin < PLUGIN_COUNT_ ? g_plugins[plugin].name : "none";
}

enum kbs_plugin kbs_plugin_find(const char *name)
{
	size_t i = 0;

	while (i < PLUGIN_COUNT_ && !streq(name, g_plugins[i].name))
		i++;
	return (enum kbs_plugin)i;
}

int config_read_plugins(const json_t *list, struct kbs_config *c, struct err *reterr)
{
	size_t i;
	const json_t *item;

	if (list && !json_is_array(list))
		return err_set(reterr, -EINVAL, "[[plugins]] must be an array of tables");
	/* A file that does not speak of plugins means resources in the store. */
	c->plugins[PLUGIN_RESOURCE] = !list;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));
		enum kbs_plugin plugin = name ? kbs_plugin_find(name) : PLUGIN_COUNT_;
		int r;

		if (plugin == PLUGIN_COUNT_)
			return err_set(reterr, -EOPNOTSUPP,
				"[[plugins]] %s is not supported: see husk-kbs(5) for the list",
				name ? name : "without a name");
		if (c->plugins[plugin])
			return err_set(reterr, -EINVAL, "[[plugins]] %s is there twice", name);
		c->plugins[plugin] = true;
		r = g_plugins[plugin].read(item, c, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}
