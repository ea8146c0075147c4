/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Configuration of husk-kbs: Trustee's TOML sections and keys where they apply, husk's own in
 * [husk]. Unknown sections and keys are errors, so that a mistyped safety option is noticed; keys
 * of Trustee that husk does not implement are refused with the reason.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "cloud/cloud.h"

#define CONFIG_FILE_MAX ((size_t)1 << 20)
#define CONFIG_SOCKETS_MAX 8
#define CONFIG_PROVIDERS_MAX 8
#define CONFIG_ACLS_MAX 64
#define CONFIG_JWKS_MAX 8
#define CONFIG_PATHS_MAX 8
#define CONFIG_KEY_URLS_MAX (CONFIG_PATHS_MAX + 1 + CONFIG_PROVIDERS_MAX)

/* Which program this is the configuration of. */
enum config_service { SERVICE_KBS, SERVICE_AS, SERVICE_RVPS };

/* Who verifies evidence. */
enum config_as { AS_BUILTIN, AS_GRPC, AS_INTEL };

#define CONFIG_REMOTES_MAX 16
#define NRAS_WORKERS 2 /* processes that ask NRAS, which takes its time */
#define CONFIG_BACKENDS_MAX 16
#define CONFIG_EXTERNAL_MAX 16 /* services, and processes that call them */

/* Processes that work for the vault. They are numbered through, in this order. */
enum worker_kind {
	WORKER_VERIFIER,
	WORKER_REMOTE,
	WORKER_BACKEND,
	WORKER_EXTERNAL,
	WORKER_HSM,
	WORKER_SIGNER,
	WORKER_FETCHER,
	WORKER_KINDS_,
};

/* What can be served below /kbs/v0/NAME; names and keys are in config-plugins.c. */
enum kbs_plugin {
	PLUGIN_RESOURCE,
	PLUGIN_SAMPLE,
	PLUGIN_PROVISIONER,
	PLUGIN_EXTERNAL,
	PLUGIN_PKCS11,
	PLUGIN_NEBULA_CA,
	PLUGIN_COUNT_, /* and none of them */
};

/* Where resources are. */
enum config_backend {
	BACKEND_STORE,
	BACKEND_VAULT,
	BACKEND_AWS, /* from here on as enum cloud_vendor */
	BACKEND_GCP,
	BACKEND_AZURE,
	BACKEND_ALIYUN,
};

enum admin_mode {
	ADMIN_DENY_ALL, /* zero: nobody */
	ADMIN_AUTHENTICATED,
	ADMIN_INSECURE_ALLOW_ALL,
};

struct config_provider {
	const char *issuer;	    /* NULL: not checked */
	const char *audience;	    /* NULL: not checked */
	const char *public_key_uri; /* file:// or plain path */
	const char *jwk_set_uri;    /* file://, plain path, or https:// */
};

struct config_acl {
	const char *role;
	const char *allowed_endpoints; /* regular expression ^/kbs...$ */
	const char *tenant;	       /* NULL: the default tenant; "*": all */
};

struct config_strings {
	const char *items[CONFIG_PATHS_MAX];
	size_t count;
};

/**
 * struct config_module - a PKCS#11 module, and what its process may do for its sake
 * @files: files and folders that it reads and writes
 * @environment: NAME=VALUE, set before it is loaded
 * @network: it connects to a device elsewhere, or to a local server
 * @timeout_s: of one call; then its process is replaced
 */
struct config_module {
	const char *path;
	struct config_strings files, environment;
	bool network;
	uint32_t timeout_s;
};

/**
 * struct kbs_config - all strings are owned by @root
 * @body_max: largest request body in bytes
 * @session_timeout_s: life of an RCAR session
 * @token_life_s: life of an attestation token
 * @collateral: file with what vendors publish, see evidence/collateral.h; NULL: none
 * @nvidia_dpu_root: SHA-256 in hex of the key that certifies DPUs; NULL: none is trusted
 * @token.jwks_refresh_min: how often key sets with https URLs are fetched; @token.jwks_max_age_min:
 * how long they are used without that
 * @insecure_intel_root: SHA-256 in hex of the key to trust instead of Intel's SGX root; for tests
 * @insecure_amd_root: likewise instead of AMD's root keys (ARK)
 * @se_key: PEM file with the RSA key that wraps measurement keys of IBM Secure Execution; NULL: that
 * is not served
 * @insecure_ibm_root: likewise instead of DigiCert's, of IBM's host keys
 * @service: "kbs", "as" or "rvps"; set by the program
 * @grpc_sockets, @rest_sockets: where husk-as and husk-rvps listen
 * @client_ca: PEM file: clients of husk-as and husk-rvps must show a certificate of one of these
 * @rvps_trusted_keys: PEM files with keys and certificates whose signatures of manifests count
 * @rvps_require_signed: take no reference value without such
 * @remote_ca, @remote_certificate, @remote_key: PEM files: whom we trust as a remote service (NULL:
 * the system's roots), and what we show it
 * @insecure_no_client_auth: listen beyond loopback for whoever comes
 * @insecure_allow_unbound_evidence: husk-as evaluates evidence without runtime data, too
 * @protocol_min: the oldest version of the KBS protocol that is served
 * @insecure_nvidia_root: likewise instead of NVIDIA's, of devices and of manifests
 * @store: with @postgres the database of struct postgres, else the SQLite file @path
 * @collateral.fetch: ask vendors for collateral that is missing or expires within @refresh_days;
 * the URLs are base URLs, NULL the vendors' own; @ca_cert: PEM of the roots to trust instead of the
 * system's; @proxy: http://HOST:PORT
 * @verdict_claims_mib: of what policies were given, kept with verdicts; 0 keeps none
 * @verdict_evidence: keep the guest's message beside it, too
 * @resource_versions: versions of a resource whose content is kept
 * @memory_max_mib: of each process; beyond it allocations fail, and with them the request at hand
 * @request_rate: requests of any kind a second from one address; 0 is no limit
 * @auth_rate: RCAR handshakes a second that one address may start; 0 is no limit
 */
struct kbs_config {
	json_t *root;
	struct {
		struct config_strings sockets;
		bool insecure_http;
		const char *private_key;
		const char *certificate;
		uint32_t body_max_mib;
		uint32_t worker_count;
		const char *tls_min_version;
	} http;
	struct {
		const char *mode_name;
		enum admin_mode mode;
		struct config_provider providers[CONFIG_PROVIDERS_MAX];
		size_t provider_count;
		struct config_acl acls[CONFIG_ACLS_MAX];
		size_t acl_count;
	} admin;
	struct {
		struct config_strings trusted_jwk_sets;
		struct config_strings extra_teekey_paths;
		struct config_strings trusted_certs_paths;
		bool insecure_header_jwk;
		uint32_t jwks_refresh_min;
		uint32_t jwks_max_age_min;
	} token;
	struct {
		const char *type;
		uint32_t timeout_min;
		bool insecure_accept_sample;
		enum config_as mode;
		const char *address; /* of the gRPC service */
		uint32_t pool_size;
		const char *base_url; /* from here on: Intel Trust Authority */
		const char *api_key;
		const char *certs_file;
		struct config_strings policy_ids;
		bool allow_unmatched_policy;
		const char *nvidia_type;
		bool nvidia_remote;	  /* NVIDIA's service verifies its devices */
		const char *nras_url;	  /* NULL: its own */
		const char *rvps_address; /* NULL: reference values are in our store */
	} as;
	struct {
		uint32_t duration_min;
		const char *issuer_name;
		const char *developer_name;
		const char *build_name;
		const char *profile_name;
		bool verbose_token;
	} broker;
	struct {
		const char *key_path;
		const char *cert_path;
		const char *cert_url;
		struct config_strings published_key_paths;
		const char *key;	     /* pkcs11: or tpm: URI; instead of key_path */
		const char *public_key_path; /* of @key, pinned */
		struct config_module module; /* path is in @key */
	} signer;
	struct {
		const char *type;
		bool postgres;
		const char *path;
	} store;
	struct {
		const char *host;
		uint32_t port;
		const char *db;
		const char *username;
		const char *password;
		const char *sslmode, *sslrootcert, *sslcert, *sslkey;
		uint32_t connect_timeout_ms;
		uint32_t statement_timeout_ms;
	} postgres;
	struct {
		bool fetch;
		const char *intel_pcs_url, *intel_root_crl_url, *amd_kds_url, *nvidia_rim_url;
		const char *ca_cert;
		const char *proxy;
		uint32_t refresh_days;
	} collateral;
	bool plugins[PLUGIN_COUNT_]; /* configured */
	const char *plugin_name;     /* of the last one that was read */
	struct {
		const char *item;
	} sample;
	struct {
		uint32_t key_length; /* letters and digits */
	} provisioner;
	struct {
		struct config_external {
			const char *name;     /* in paths */
			const char *endpoint; /* http:// or https:// */
			const char *ca_cert_path;
			uint32_t timeout_ms;
		} backends[CONFIG_EXTERNAL_MAX];
		size_t count;
		uint32_t connections;
	} external;
	struct {
		const char *ca_name, *duration;
		const char *groups, *ips, *subnets; /* NULL: any */
		const char *curve;		    /* "25519" or "P256" */
		uint32_t version;		    /* of certificates, 1 or 2 */
	} nebula;
	struct {
		struct config_module module;
		uint32_t slot_index;
		const char *token_label; /* NULL: any */
		const char *pin;	 /* in the hsm process only, "hidden" in others */
		const char *pin_file;
		const char *rsa_mechanism;
		bool sha1; /* OAEP of old: RsaPkcsTest */
		const char *lookup_label;
		uint32_t connections;
	} pkcs11;
	struct {
		enum config_backend backend;
		const char *name, *type;
		const char *vault_url; /* without a slash at its end */
		const char *token;     /* in the backend process only, "hidden" in others */
		const char *mount_path, *prefix;
		struct config_strings ca_certs; /* PEM files; none: the system's roots */
		bool verify_ssl;
		uint32_t kv_version;
		uint32_t connections;
		const char *naming_name;
		enum cloud_naming naming;
		const char *endpoint_url, *proxy;
		const char *region, *access_key_id, *secret_access_key, *session_token; /* AWS */
		const char *credentials_file, *profile;		   /* AWS; the file also Google */
		const char *project_id;				   /* Google */
		const char *tenant_id, *client_id, *client_secret; /* Azure, with vault_url */
		const char *client_certificate, *federated_token_file, *authority_url;
		const char *client_key, *kms_instance_id, *password, *cert_pem; /* Alibaba Cloud */
	} resource;
	struct {
		const char *collateral;
		const char *insecure_intel_root;
		const char *insecure_amd_root;
		const char *se_key;
		const char *insecure_ibm_root;
		const char *protocol_min;
		const char *insecure_nvidia_root;
		const char *nvidia_dpu_root;
		const char *service_name;
		enum config_service service;
		struct config_strings grpc_sockets;
		struct config_strings rest_sockets;
		const char *client_ca;
		struct config_strings rvps_trusted_keys;
		bool rvps_require_signed;
		const char *remote_ca, *remote_certificate, *remote_key;
		bool insecure_no_client_auth;
		bool insecure_allow_unbound_evidence;
		uint32_t verifiers;
		uint32_t verdict_keep;
		uint32_t verdict_claims_mib;
		bool verdict_evidence;
		uint32_t resource_versions;
		uint32_t sessions_pending_max;
		uint32_t sessions_attested_max;
		uint32_t auth_rate;
		uint32_t auth_burst;
		uint32_t request_rate;
		uint32_t request_burst;
		uint32_t connections_max;
		uint32_t memory_max_mib;
		bool log_json;
		const char *log_level;
		bool insecure_no_sandbox;
	} husk;
};

/**
 * kbs_config_load() - read a TOML file and check it whole
 * @ret: zero-initialised by the caller, released with kbs_config_done()
 *
 * Return: 0, -ENOENT, -EBADMSG (not TOML), -EINVAL (a key or value is wrong), -EOPNOTSUPP (a
 * feature of Trustee that husk lacks); @reterr names file, section and key.
 */
must_check int kbs_config_load(const char *path, struct kbs_config *ret, struct err *reterr);
/** kbs_config_parse() - likewise from TOML text */
must_check int kbs_config_parse(struct slice toml, struct kbs_config *ret, struct err *reterr);
/** kbs_config_from_json() - likewise from the parsed tree; takes its own reference on @root */
must_check int kbs_config_from_json(json_t *root, struct kbs_config *ret, struct err *reterr);
/**
 * kbs_config_may_reload() - whether running processes can go from @now to @next
 * Return: 0, -EINVAL: @reterr names what takes a restart.
 */
must_check int kbs_config_may_reload(
	const struct kbs_config *now, const struct kbs_config *next, struct err *reterr);
void kbs_config_done(struct kbs_config *c);
/** kbs_config_workers() - how many processes of a kind there are */
unsigned kbs_config_workers(const struct kbs_config *c, enum worker_kind kind);
/** kbs_config_remotes() - how many processes talk to remote services; 0: there is none */
unsigned kbs_config_remotes(const struct kbs_config *c);
/** kbs_config_storage() - where resources are, for people: "Vault", "AWS Secrets Manager" */
const char *kbs_config_storage(const struct kbs_config *c);
/** kbs_config_backend_name() - the same for metrics, as in storage_backend_type: "vault", "aws" */
const char *kbs_config_backend_name(const struct kbs_config *c);
/** kbs_config_backends() - how many processes fetch resources; 0: they are in the store */
unsigned kbs_config_backends(const struct kbs_config *c);
/**
 * kbs_config_seen_by() - the configuration with those secrets alone that the processes of @role need
 * Return: new reference; NULL on ENOMEM.
 */
json_t *kbs_config_seen_by(const json_t *root, const char *role);
/** kbs_plugin_name() - as in paths, metrics and [[plugins]] */
const char *kbs_plugin_name(enum kbs_plugin plugin);
/** kbs_plugin_find() - Return: PLUGIN_COUNT_ when there is no such plugin. */
enum kbs_plugin kbs_plugin_find(const char *name);
/* Whose signatures the keys of a set verify; nobody else's. */
enum key_users { KEYS_OF_TOKENS, KEYS_OF_ADMINS };

struct config_key_url {
	const char *url;
	enum key_users users;
};

/**
 * kbs_config_key_urls() - the https URLs among trusted_jwk_sets, certs_file, and jwk_set_uri of admins
 * Return: how many; @ret borrows from @c. A URL may be there more than once.
 */
size_t kbs_config_key_urls(
	const struct kbs_config *c, struct config_key_url ret[CONFIG_KEY_URLS_MAX]);
/** kbs_config_is_key_url() - whether it is an https:// URL that a key set can be at */
bool kbs_config_is_key_url(const char *uri);
/** kbs_config_is_key_set() - whether it is one, or a file */
bool kbs_config_is_key_set(const char *uri);
/** kbs_config_path() - strip "file://" off a file URI; NULL for other schemes */
const char *kbs_config_path(const char *uri);
