/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of the configuration, but [[plugins]]: one row per key. */
#include "trustee/kbs/config.h"

#include "base/fd.h"
#include "base/str.h"
#include "fmt/toml.h"
#include "trustee/as/protocol.h"
#include "trustee/kbs/config-read.h"

static const struct key g_http[] = {
	LIST("sockets", http.sockets),
	BOOL("insecure_http", http.insecure_http),
	STR("private_key", http.private_key, NULL),
	STR("certificate", http.certificate, NULL),
	NUM("payload_request_size", http.body_max_mib, 1, 64, 2),
	NUM("worker_count", http.worker_count, 0, 1024, 0),
	STR("tls_min_version", http.tls_min_version, "1.2"),
	UNSUPPORTED("tls_profile", "husk has one profile, tls_min_version chooses the version"),
	UNSUPPORTED("tls_max_version", "the newest version is always offered"),
	UNSUPPORTED("tls_ciphers", "husk has one cipher list"),
	UNSUPPORTED("tls_groups", "husk has one list of groups"),
};
static const struct key g_token[] = {
	LIST("trusted_jwk_sets", token.trusted_jwk_sets),
	LIST("extra_teekey_paths", token.extra_teekey_paths),
	LIST("trusted_certs_paths", token.trusted_certs_paths),
	BOOL("insecure_header_jwk", token.insecure_header_jwk),
	NUM("jwks_refresh_min", token.jwks_refresh_min, 1, 10080, 60),
	NUM("jwks_max_age_min", token.jwks_max_age_min, 1, 525600, 1440),
};
static const struct key g_as[] = {
	STR("type", as.type, "coco_as_builtin"),
	NUM("timeout", as.timeout_min, 1, 1440, 5),
	BOOL("insecure_accept_sample", as.insecure_accept_sample),
	STR("as_addr", as.address, "http://127.0.0.1:50004"),
	NUM("pool_size", as.pool_size, 1, 1000, 4),
	STR("base_url", as.base_url, NULL),
	STR("api_key", as.api_key, NULL),
	STR("certs_file", as.certs_file, NULL),
	LIST("policy_ids", as.policy_ids),
	BOOL("allow_unmatched_policy", as.allow_unmatched_policy),
	TABLE("rvps_config"),
	TABLE("attestation_token_broker"),
	TABLE("verifier_config"),
};
static const struct key g_nvidia[] = {
	STR("type", as.nvidia_type, "Local"),
	STR("verifier_url", as.nras_url, NULL),
};
static const struct key g_broker[] = {
	NUM("duration_min", broker.duration_min, 1, 525600, 5),
	STR("issuer_name", broker.issuer_name, "CoCo-Attestation-Service"),
	STR("developer_name", broker.developer_name, "https://confidentialcontainers.org"),
	STR("build_name", broker.build_name, "attestation-service 0.1.0"),
	STR("profile_name", broker.profile_name,
		"tag:github.com,2024:confidential-containers/Trustee"),
	BOOL("verbose_token", broker.verbose_token),
	TABLE("signer"),
};
static const struct key g_signer[] = {
	STR("key_path", signer.key_path, NULL),
	STR("cert_path", signer.cert_path, NULL),
	STR("cert_url", signer.cert_url, NULL),
	LIST("published_key_paths", signer.published_key_paths),
	STR("key", signer.key, NULL),
	STR("public_key_path", signer.public_key_path, NULL),
	LIST("module_files", signer.module.files),
	LIST("module_environment", signer.module.environment),
	BOOL("module_network", signer.module.network),
	NUM("module_timeout", signer.module.timeout_s, 1, 25, 10),
};
static const struct key g_collateral[] = {
	BOOL("fetch", collateral.fetch),
	STR("intel_pcs_url", collateral.intel_pcs_url, NULL),
	STR("intel_root_crl_url", collateral.intel_root_crl_url, NULL),
	STR("amd_kds_url", collateral.amd_kds_url, NULL),
	STR("nvidia_rim_url", collateral.nvidia_rim_url, NULL),
	STR("ca_cert", collateral.ca_cert, NULL),
	STR("proxy", collateral.proxy, NULL),
	NUM("refresh_days", collateral.refresh_days, 0, 365, 7),
};
static const struct key g_husk[] = {
	STR("store", store.path, NULL),
	STR("collateral", husk.collateral, NULL),
	STR("insecure_intel_root", husk.insecure_intel_root, NULL),
	STR("insecure_amd_root", husk.insecure_amd_root, NULL),
	STR("se_key", husk.se_key, NULL),
	STR("insecure_ibm_root", husk.insecure_ibm_root, NULL),
	STR("protocol_min", husk.protocol_min, "0.1.0"),
	STR("insecure_nvidia_root", husk.insecure_nvidia_root, NULL),
	STR("nvidia_dpu_root", husk.nvidia_dpu_root, NULL),
	STR("service", husk.service_name, "kbs"),
	LIST("grpc_sockets", husk.grpc_sockets),
	LIST("rest_sockets", husk.rest_sockets),
	STR("client_ca", husk.client_ca, NULL),
	LIST("rvps_trusted_keys", husk.rvps_trusted_keys),
	BOOL("rvps_require_signed", husk.rvps_require_signed),
	STR("remote_ca", husk.remote_ca, NULL),
	STR("remote_certificate", husk.remote_certificate, NULL),
	STR("remote_key", husk.remote_key, NULL),
	BOOL("insecure_no_client_auth", husk.insecure_no_client_auth),
	BOOL("insecure_allow_unbound_evidence", husk.insecure_allow_unbound_evidence),
	NUM("verifiers", husk.verifiers, 1, 64, 1),
	NUM("resource_versions", husk.resource_versions, 1, 100, 1),
	NUM("verdict_keep", husk.verdict_keep, 64, 10000000, 10000),
	NUM("verdict_claims_mib", husk.verdict_claims_mib, 0, 1048576, 64),
	BOOL("verdict_evidence", husk.verdict_evidence),
	NUM("sessions_pending_max", husk.sessions_pending_max, 16, 1000000, 20000),
	NUM("sessions_attested_max", husk.sessions_attested_max, 16, 1000000, 1024),
	NUM("auth_rate", husk.auth_rate, 0, 1000000, 100),
	NUM("auth_burst", husk.auth_burst, 1, 1000000, 500),
	NUM("request_rate", husk.request_rate, 0, 1000000, 0),
	NUM("request_burst", husk.request_burst, 1, 1000000, 1000),
	NUM("memory_max_mib", husk.memory_max_mib, 64, 1048576, 1024),
	NUM("connections_max", husk.connections_max, 8, 65536, 1024),
	BOOL("log_json", husk.log_json),
	STR("log_level", husk.log_level, "info"),
	BOOL("insecure_no_sandbox", husk.insecure_no_sandbox),
};

const char *kbs_config_path(const char *uri)
{
	if (str_starts(uri, "file://"))
		return uri + strlen("file://");
	return strstr(uri, "://") ? NULL : uri;
}

static int read_as_mode(struct kbs_config *c, struct err *reterr)
{
	static const struct {
		const char *name;
		enum config_as mode;
	} modes[] = {{"coco_as_builtin", AS_BUILTIN}, {"coco_as_grpc", AS_GRPC},
		{"intel_ta", AS_INTEL}, {"intel_trust_authority", AS_INTEL}};
	size_t i = 0;

	while (i < ARRAY_COUNT(modes) && !streq(modes[i].name, c->as.type))
		i++;
	if (i == ARRAY_COUNT(modes))
		return err_set(reterr, -EOPNOTSUPP,
			"[attestation_service] type %s is not supported: use coco_as_builtin, "
			"coco_as_grpc or intel_ta",
			c->as.type);
	c->as.mode = modes[i].mode;
	if (c->as.mode == AS_INTEL && (!c->as.base_url || !c->as.api_key || !c->as.certs_file))
		return err_set(reterr, -EINVAL,
			"[attestation_service] intel_ta needs base_url, api_key and certs_file");
	if (c->as.mode == AS_INTEL && !kbs_config_is_key_set(c->as.certs_file))
		return config_bad(reterr, "attestation_service", "certs_file",
			"must be a file (a path or file://) or an https:// URL: the key set of the "
			"service");
	return 0;
}

static int read_rvps(const json_t *table, struct kbs_config *c, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(table, "type"));
	const char *address = json_string_value(json_object_get(table, "address"));

	if (!type || streq(type, "BuiltIn"))
		return 0;
	if (!streq(type, "GrpcRemote"))
		return err_set(reterr, -EOPNOTSUPP,
			"[attestation_service] rvps_config type %s is not supported: use BuiltIn or "
			"GrpcRemote",
			type);
	c->as.rvps_address = address ? address : "127.0.0.1:50003";
	return 0;
}

/* The keys of its answers come from there as well: nobody in between may answer instead. */
static bool nras_url_valid(const char *url)
{
	static const char *const plain[] = {
		"http://127.0.0.1:", "http://[::1]:", "http://localhost:"};
	bool good = str_starts(url, "https://") && url[strlen("https://")];

	for (size_t i = 0; i < ARRAY_COUNT(plain); i++)
		good |= str_starts(url, plain[i]);
	return good && !strpbrk(url, "?#@ \\");
}

static int read_nvidia(const json_t *table, struct kbs_config *c, struct err *reterr)
{
	static const char section[] = "attestation_service.verifier_config.nvidia_verifier";
	int r = config_read_section(SECTION(section, g_nvidia), table, c, reterr);

	if (r < 0)
		return r;
	if (!streq(c->as.nvidia_type, "Local") && !streq(c->as.nvidia_type, "Remote"))
		return config_bad(reterr, section, "type", "must be Local or Remote");
	c->as.nvidia_remote = streq(c->as.nvidia_type, "Remote");
	if (c->as.nras_url && !nras_url_valid(c->as.nras_url))
		return config_bad(reterr, section, "verifier_url",
			"must be https://HOST/PATH (or http:// on loopback)");
	return 0;
}

static int check_signer(const struct kbs_config *c, struct err *reterr)
{
	static const char section[] = "attestation_service.attestation_token_broker.signer";
	const char *key = c->signer.key;

	if (!key)
		return c->signer.public_key_path ? config_bad(reterr, section, "public_key_path",
							   "belongs to key, a key in a device")
						 : 0;
	if (c->signer.key_path)
		return config_bad(reterr, section, "key", "excludes key_path");
	if (!str_starts(key, "pkcs11:") && !str_starts(key, "tpm:"))
		return config_bad(reterr, section, "key", "must be a pkcs11: or tpm: URI");
	if (!c->signer.public_key_path)
		return config_bad(reterr, section, "key",
			"needs public_key_path: `husk-kbs token-key URI` prints it");
	return 0;
}

static int read_as(const json_t *table, struct kbs_config *c, struct err *reterr)
{
	const json_t *broker = json_object_get(table, "attestation_token_broker");
	const json_t *rvps = json_object_get(table, "rvps_config");
	int r = config_read_section(SECTION("attestation_service", g_as), table, c, reterr);

	if (r == 0)
		r = config_read_section(
			SECTION("attestation_service.attestation_token_broker", g_broker), broker,
			c, reterr);
	if (r == 0)
		r = config_read_section(
			SECTION("attestation_service.attestation_token_broker.signer", g_signer),
			json_object_get(broker, "signer"), c, reterr);
	if (r < 0)
		return r;
	r = check_signer(c, reterr);
	if (r < 0)
		return r;
	/* Absent means yes: a token without runtime data could not carry the guest's key. */
	if (!json_object_get(broker, "verbose_token"))
		c->broker.verbose_token = true;
	r = read_as_mode(c, reterr);
	if (r == 0)
		r = read_nvidia(json_object_get(json_object_get(table, "verifier_config"),
					"nvidia_verifier"),
			c, reterr);
	return r < 0 ? r : read_rvps(rvps, c, reterr);
}

unsigned kbs_config_workers(const struct kbs_config *c, enum worker_kind kind)
{
	struct config_key_url urls[CONFIG_KEY_URLS_MAX];

	switch (kind) {
	case WORKER_VERIFIER:
		return c->husk.verifiers;
	case WORKER_REMOTE:
		return kbs_config_remotes(c);
	case WORKER_BACKEND:
		return kbs_config_backends(c);
	case WORKER_EXTERNAL:
		return c->plugins[PLUGIN_EXTERNAL] ? c->external.connections : 0;
	case WORKER_HSM:
		return c->plugins[PLUGIN_PKCS11] ? c->pkcs11.connections : 0;
	case WORKER_SIGNER:
		return c->signer.key ? 1 : 0;
	case WORKER_FETCHER:
		return (c->collateral.fetch || kbs_config_key_urls(c, urls) > 0 ? 1 : 0) +
		       (c->as.nvidia_remote ? NRAS_WORKERS : 0);
	case WORKER_KINDS_:
		break;
	}
	return 0;
}

unsigned kbs_config_remotes(const struct kbs_config *c)
{
	bool needed = c->as.mode != AS_BUILTIN || c->as.rvps_address;

	return needed ? MIN(c->as.pool_size, (uint32_t)CONFIG_REMOTES_MAX) : 0;
}

/* husk-as and husk-rvps: their interfaces know no users, so the network must. */
static int check_service(struct kbs_config *c, struct err *reterr)
{
	const char *beyond = NULL;
	int r = config_check_sockets(
		&c->husk.grpc_sockets, "husk", "grpc_sockets", &beyond, reterr);

	if (r == 0)
		r = config_check_sockets(
			&c->husk.rest_sockets, "husk", "rest_sockets", &beyond, reterr);
	if (r < 0)
		return r;
	if (c->husk.client_ca && c->http.insecure_http)
		return config_bad(reterr, "husk", "client_ca",
			"needs TLS: give the server's certificate and key");
	if (!beyond || c->husk.client_ca || c->husk.insecure_no_client_auth)
		return 0;
	return err_set(reterr, -EINVAL,
		"%s is not loopback, and everybody who reaches it may set policies and reference "
		"values: set client_ca (certificates of clients), or insecure_no_client_auth",
		beyond);
}

static int read_service(struct kbs_config *c, struct err *reterr)
{
	static const char *const names[] = {
		[SERVICE_KBS] = "kbs", [SERVICE_AS] = "as", [SERVICE_RVPS] = "rvps"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (!streq(names[i], c->husk.service_name))
			continue;
		c->husk.service = (enum config_service)i;
		return i == SERVICE_KBS ? 0 : check_service(c, reterr);
	}
	return config_bad(reterr, "husk", "service", "is set by the programs");
}

static int check_whole(struct kbs_config *c, struct err *reterr)
{
	bool has_key = c->http.private_key && c->http.certificate;
	int r = read_service(c, reterr);

	if (r < 0)
		return r;
	if (c->http.sockets.count == 0) {
		c->http.sockets.items[0] = "127.0.0.1:8080";
		c->http.sockets.count = 1;
	}
	r = config_check_sockets(&c->http.sockets, "http_server", "sockets", NULL, reterr);
	if (r < 0)
		return r;
	if (!c->http.insecure_http && !has_key)
		return err_set(reterr, -EINVAL,
			"[http_server] needs private_key and certificate; `husk-kbs init DIR` makes "
			"a pair (or set insecure_http = true behind a TLS proxy)");
	if (c->http.insecure_http && (c->http.private_key || c->http.certificate))
		return err_set(reterr, -EINVAL,
			"[http_server] insecure_http = true contradicts private_key and "
			"certificate: remove one of them");
	if (!streq(c->http.tls_min_version, "1.2") && !streq(c->http.tls_min_version, "1.3"))
		return config_bad(
			reterr, "http_server", "tls_min_version", "must be \"1.2\" or \"1.3\"");
	if (as_protocol_from_name(c->husk.protocol_min) < 0)
		return config_bad(reterr, "husk", "protocol_min",
			"must be 0.1.0, 0.1.1, 0.2.0, 0.3.0 or 0.4.0");
	if (!c->store.path && !c->store.postgres)
		return err_set(reterr, -EINVAL,
			"[husk] store is missing: name the file of the embedded store");
	if (c->token.jwks_max_age_min < c->token.jwks_refresh_min)
		return config_bad(reterr, "attestation_token", "jwks_max_age_min",
			"must not be less than jwks_refresh_min");
	for (size_t i = 0; i < c->token.trusted_jwk_sets.count; i++) {
		if (!kbs_config_is_key_set(c->token.trusted_jwk_sets.items[i]))
			return config_bad(reterr, "attestation_token", "trusted_jwk_sets",
				"must be files (a path or file://) or https:// URLs");
	}
	return 0;
}

static int check_top(const json_t *root, struct err *reterr)
{
	static const char *const known[] = {"http_server", "admin", "attestation_token",
		"attestation_service", "storage_backend", "session_storage_type", "plugins", "husk",
		"collateral"};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)root, name, value) {
		size_t i = 0;

		while (i < ARRAY_COUNT(known) && !streq(known[i], name))
			i++;
		if (i == ARRAY_COUNT(known))
			return err_at(reterr, -EINVAL, ERR_NO_OFFSET, name,
				"[%s] is not a known section", name);
	}
	return 0;
}

int kbs_config_from_json(json_t *root, struct kbs_config *ret, struct err *reterr)
{
	int r;

	*ret = (struct kbs_config){.root = json_incref(root)};
	r = check_top(root, reterr);
	if (r == 0)
		r = config_read_section(SECTION("http_server", g_http),
			json_object_get(root, "http_server"), ret, reterr);
	if (r == 0)
		r = config_read_admin(json_object_get(root, "admin"), ret, reterr);
	if (r == 0)
		r = config_read_section(SECTION("attestation_token", g_token),
			json_object_get(root, "attestation_token"), ret, reterr);
	if (r == 0)
		r = read_as(json_object_get(root, "attestation_service"), ret, reterr);
	if (r == 0)
		r = config_read_section(
			SECTION("husk", g_husk), json_object_get(root, "husk"), ret, reterr);
	if (r == 0)
		r = config_read_section(SECTION("collateral", g_collateral),
			json_object_get(root, "collateral"), ret, reterr);
	if (r == 0)
		r = config_read_plugins(json_object_get(root, "plugins"), ret, reterr);
	if (r == 0)
		r = config_read_store(root, ret, reterr);
	if (r == 0)
		r = check_whole(ret, reterr);
	if (r < 0)
		kbs_config_done(ret);
	return r;
}

int kbs_config_parse(struct slice toml, struct kbs_config *ret, struct err *reterr)
{
	json_t *root = NULL;
	int r = toml_parse(toml, &root, reterr);

	if (r < 0)
		return r;
	r = kbs_config_from_json(root, ret, reterr);
	json_decref(root);
	return r;
}

int kbs_config_load(const char *path, struct kbs_config *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(CONFIG_FILE_MAX);
	int r = file_read(path, CONFIG_FILE_MAX, &text, reterr);

	if (r < 0)
		return r;
	r = kbs_config_parse(buf_slice(&text), ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "%s", path) : 0;
}

void kbs_config_done(struct kbs_config *c)
{
	json_decref(c->root);
	*c = (struct kbs_config){0};
}
