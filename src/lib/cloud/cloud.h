/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Secret stores of cloud vendors behind one interface: AWS Secrets Manager, Google Secret Manager,
 * Azure Key Vault, Alibaba Cloud KMS instances.
 *
 * Theory of operation. A store is opened with what the configuration says; credentials that expire
 * are fetched when they are needed, kept until shortly before their end, and fetched anew when the
 * service refuses them. Calls block, one at a time. Nothing is retried but a refused credential,
 * once: whoever asks decides whether to ask again.
 *
 * Attacker: whoever answers in the vendor's place. TLS is verified always; redirects are not
 * followed, so no credential goes to another place on a server's word; answers have limits. Not a
 * goal: protection against the vendor, who has the secrets.
 */
#include "base/buf.h"
#include "base/err.h"

#define CLOUD_ANSWER_MAX ((size_t)1 << 20)
#define CLOUD_NAME_MAX 512

enum cloud_vendor { CLOUD_AWS, CLOUD_GCP, CLOUD_AZURE, CLOUD_ALIYUN };

/**
 * enum cloud_naming - what a resource REPOSITORY/TYPE/TAG is called in the store
 * @CLOUD_NAME_TAG: TAG, as Trustee; resources of tenants cannot be named and are refused
 * @CLOUD_NAME_PATH: the whole path; what the vendor does not allow in a name is escaped, so that two
 * paths never share a name
 */
enum cloud_naming { CLOUD_NAME_TAG, CLOUD_NAME_PATH };

/** typedef cloud_env_fn - getenv(), or what stands for it; NULL or "" when unset */
typedef const char *(*cloud_env_fn)(const char *name);

/**
 * struct cloud_options - what all stores have in common; read while opening, strings are borrowed
 * for the life of the store
 * @roots_pem: trusted certificates; empty: the system's
 * @proxy: "http://HOST:PORT" for everything but metadata services; NULL for none
 * @prefix: in front of every name; NULL for none
 * @env: where a vendor's own variables are looked up; NULL: nowhere
 */
struct cloud_options {
	struct slice roots_pem;
	const char *proxy;
	uint32_t connect_timeout_ms, total_timeout_ms;
	enum cloud_naming naming;
	const char *prefix;
	cloud_env_fn env;
};

struct cloud_store;

/**
 * cloud_name() - the name of the secret for @path
 * @path: REPOSITORY/TYPE/TAG, of tenants tenants/NAME/REPOSITORY/TYPE/TAG
 * @ret: CLOUD_NAME_MAX + 1 bytes
 * Return: 0, -EINVAL (not a name that the vendor allows), -EACCES (of a tenant, with
 * CLOUD_NAME_TAG), -E2BIG.
 */
must_check int cloud_name(enum cloud_vendor vendor, enum cloud_naming naming, const char *prefix,
	const char *path, char *ret, struct err *reterr);

/**
 * cloud_store_get() - the content of a resource
 * @version: 0 for the current one; others only where the vendor counts versions
 * @value: receives the content, appended; a secret buffer
 * @ret_version: 0 where versions are not numbers
 *
 * Return: 0, -ENOENT, -EACCES (credentials), -EAGAIN (busy, out of order), -EINVAL (name or version),
 * -EBADMSG (an answer that cannot be used), -E2BIG, -ENOMEM, and those of http_client_call(). @reterr
 * has the vendor's own message.
 */
must_check int cloud_store_get(struct cloud_store *s, const char *path, int64_t version,
	struct buf *value, int64_t *ret_version, struct err *reterr);
/**
 * cloud_store_put() - @cas: 0: there must be none yet, -1: whatever is
 * Return: as cloud_store_get(); -ESTALE when @cas does not hold or cannot be asked for; -EOPNOTSUPP
 * where the vendor's interface only reads.
 */
must_check int cloud_store_put(struct cloud_store *s, const char *path, struct slice value,
	int64_t cas, int64_t *ret_version, struct err *reterr);
/** cloud_store_delete() - what does not exist is no error. Return: as cloud_store_put(). */
must_check int cloud_store_delete(struct cloud_store *s, const char *path, struct err *reterr);
/** cloud_store_name() - of the service, for people: "AWS Secrets Manager" */
const char *cloud_store_name(enum cloud_vendor vendor);
/** cloud_has_versions() - whether versions are numbers: the store has ETags */
static inline bool cloud_has_versions(enum cloud_vendor vendor)
{
	return vendor == CLOUD_GCP;
}
/** cloud_url_valid() - https://, or http:// to this machine; without user, query, fragment */
bool cloud_url_valid(const char *url);
void cloud_store_free(struct cloud_store *s);
DEFINE_CLEANUP(struct cloud_store *, cloud_store_free);

/**
 * struct aws_settings - members that are NULL come from the environment, as AWS's own programs take
 * them: AWS_REGION, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE,
 * AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, AWS_CONTAINER_*, AWS_EC2_METADATA_*,
 * AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL_STS. Without any credentials, the instance's
 * metadata service.
 */
struct aws_settings {
	const char *region, *endpoint_url;
	const char *access_key_id, *secret_access_key, *session_token;
	const char *credentials_file, *profile;
};
/** aws_store_new() - Return: 0, -EINVAL, -ENOMEM; credentials and region are not looked for yet */
must_check int aws_store_new(const struct aws_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr);

/**
 * struct gcp_settings - @credentials_file: key of a service account in JSON; NULL:
 * GOOGLE_APPLICATION_CREDENTIALS, without it the metadata server (GCE_METADATA_HOST)
 */
struct gcp_settings {
	const char *project_id, *endpoint_url, *credentials_file;
};
/** gcp_store_new() - Return: 0, -EINVAL, -ENOENT, -EBADMSG (the file), -ENOMEM */
must_check int gcp_store_new(const struct gcp_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr);

/**
 * struct azure_settings - who we are: the first that is there of @client_secret,
 * @client_certificate (PEM file with certificate and key), @federated_token_file (workload identity),
 * else the managed identity of the machine, @client_id of which may be NULL. Members that are NULL
 * come from AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH,
 * AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST; the metadata service's URL from
 * AZURE_POD_IDENTITY_AUTHORITY_HOST.
 */
struct azure_settings {
	const char *vault_url;
	const char *tenant_id, *client_id;
	const char *client_secret, *client_certificate, *federated_token_file;
	const char *authority_url;
};
/** azure_store_new() - Return: as gcp_store_new() */
must_check int azure_store_new(const struct azure_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr);

/**
 * struct aliyun_settings - a dedicated KMS instance, as Trustee names things
 * @client_key: the text of the client key's JSON file
 * @password: of the key inside, or the text of the JSON file that has it
 * @endpoint_url: NULL for the instance's own
 * The roots of struct cloud_options are the instance's CA; there is no other trust.
 */
struct aliyun_settings {
	const char *client_key, *kms_instance_id, *password, *endpoint_url;
};
/** aliyun_store_new() - Return: 0, -EINVAL, -EBADMSG, -EKEYREJECTED (password), -ENOMEM */
must_check int aliyun_store_new(const struct aliyun_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr);
