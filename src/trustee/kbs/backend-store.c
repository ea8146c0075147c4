/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/backend.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "net/http_client.h"

#define CONNECT_TIMEOUT_MS 5000
#define TOTAL_TIMEOUT_MS 10000
#define PEM_MAX ((size_t)4 << 20)
#define ENVIRONMENT_MAX 64
#define SECRET_FILE_MAX ((size_t)64 << 10)

/* --- Vault --- */

static int vault_open(
	struct backend *b, const struct kbs_config *c, struct slice roots, struct err *reterr)
{
	const struct http_client_options o = {.roots_pem = roots,
		.insecure_skip_tls_verify = !c->resource.verify_ssl,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS};

	b->kv = (struct kv_settings){c->resource.vault_url, c->resource.token,
		c->resource.mount_path, c->resource.prefix, c->resource.kv_version};
	return http_client_new(&o, &b->http, reterr);
}

static int vault_get(struct backend *b, const char *path, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	return kv_get(b->http, &b->kv, path, version, value, ret_version, reterr);
}

static int vault_put(struct backend *b, const char *path, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	return kv_put(b->http, &b->kv, path, value, cas, ret_version, reterr);
}

static int vault_remove(struct backend *b, const char *path, struct err *reterr)
{
	return kv_delete(b->http, &b->kv, path, reterr);
}

static void vault_close(struct backend *b)
{
	http_client_free(b->http);
}

/* --- cloud vendors --- */

/* The supervisor passes on what cloud vendors' programs read, and to backends only. */
static const char *env_of(const char *name)
{
	return getenv(name);
}

static struct cloud_options options(const struct kbs_config *c, struct slice roots)
{
	return (struct cloud_options){.roots_pem = roots,
		.proxy = c->resource.proxy,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.total_timeout_ms = TOTAL_TIMEOUT_MS,
		.naming = c->resource.naming,
		.prefix = c->resource.prefix,
		.env = env_of};
}

/* The folder of @path stays readable: platforms replace such files, often through links in it. */
static void keep_folder(struct backend *b, const char *path)
{
	char *folder, *slash;

	if (!path || !path[0] || b->file_count >= BACKEND_FILES_MAX)
		return;
	folder = b->folders[b->file_count];
	if (str_copy(folder, sizeof(b->folders[0]), path) < 0)
		return;
	slash = strrchr(folder, '/');
	/* Not the root folder: the file then, which can only be rewritten in place. */
	if (slash && slash != folder)
		*slash = '\0';
	if (access(folder, R_OK) == 0)
		b->files[b->file_count++] = (struct sandbox_path){folder, SANDBOX_READ};
}

static bool is_passed(const struct kbs_config *c, const char *role, const char *variable)
{
	static const char *const prefixes[] = {
		"AWS_", "AZURE_", "GOOGLE_APPLICATION_CREDENTIALS=", "GCE_METADATA_HOST=", "HOME="};

	/* Never in a release build. */
	if (WITH_SANITIZER &&
		(str_starts(variable, "ASAN_OPTIONS=") || str_starts(variable, "UBSAN_OPTIONS=")))
		return true;
	if (!streq(role, "backend") || c->resource.backend < BACKEND_AWS)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
		if (str_starts(variable, prefixes[i]))
			return true;
	}
	return false;
}

char *const *backend_environment(const struct kbs_config *c, const char *role)
{
	static char *list[ENVIRONMENT_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; environ[i] && count < ENVIRONMENT_MAX; i++) {
		if (is_passed(c, role, environ[i]))
			list[count++] = environ[i];
	}
	list[count] = NULL;
	return list;
}

static const char *setting(const char *own, const char *name)
{
	return own ? own : getenv(name);
}

static int aws_open(
	struct backend *b, const struct kbs_config *c, struct slice roots, struct err *reterr)
{
	const struct aws_settings s = {.region = c->resource.region,
		.endpoint_url = c->resource.endpoint_url,
		.access_key_id = c->resource.access_key_id,
		.secret_access_key = c->resource.secret_access_key,
		.session_token = c->resource.session_token,
		.credentials_file = c->resource.credentials_file,
		.profile = c->resource.profile};
	const struct cloud_options o = options(c, roots);
	const char *home = getenv("HOME");
	char path[4096];

	keep_folder(b, setting(s.credentials_file, "AWS_SHARED_CREDENTIALS_FILE"));
	keep_folder(b, getenv("AWS_CONFIG_FILE"));
	keep_folder(b, getenv("AWS_WEB_IDENTITY_TOKEN_FILE"));
	keep_folder(b, getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
	if (home && snprintf(path, sizeof(path), "%s/.aws/config", home) < (int)sizeof(path))
		keep_folder(b, path);
	return aws_store_new(&s, &o, &b->cloud, reterr);
}

static int gcp_open(
	struct backend *b, const struct kbs_config *c, struct slice roots, struct err *reterr)
{
	const struct gcp_settings s = {
		c->resource.project_id, c->resource.endpoint_url, c->resource.credentials_file};
	const struct cloud_options o = options(c, roots);

	return gcp_store_new(&s, &o, &b->cloud, reterr);
}

/* A value, or the content of the file that a file:// names, without the end of the line. */
static int read_value(const char *key, const char *value, struct buf *out, struct err *reterr)
{
	int r = 0;

	*out = buf_init_secret(SECRET_FILE_MAX);
	if (!value || !str_starts(value, "file://")) {
		buf_put_str(out, value ? value : "");
		return buf_error(out);
	}
	r = file_read(value + strlen("file://"), SECRET_FILE_MAX, out, reterr);
	while (out->size > 0 &&
		(out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
		out->data[--out->size] = '\0';
	if (r == 0 && out->size == 0)
		r = err_set(reterr, -EBADMSG, "the file is empty");
	return r < 0 ? err_wrap(reterr, r, "[[plugins]] %s", key) : 0;
}

static int azure_open(
	struct backend *b, const struct kbs_config *c, struct slice roots, struct err *reterr)
{
	struct azure_settings s = {.vault_url = c->resource.vault_url,
		.tenant_id = c->resource.tenant_id,
		.client_id = c->resource.client_id,
		.client_certificate = c->resource.client_certificate,
		.federated_token_file = c->resource.federated_token_file,
		.authority_url = c->resource.authority_url};
	const struct cloud_options o = options(c, roots);
	int r = read_value("client_secret", c->resource.client_secret, &b->client_secret, reterr);

	if (b->client_secret.size > 0)
		s.client_secret = buf_str(&b->client_secret);
	keep_folder(b, setting(s.federated_token_file, "AZURE_FEDERATED_TOKEN_FILE"));
	return r < 0 ? r : azure_store_new(&s, &o, &b->cloud, reterr);
}

static int aliyun_open(
	struct backend *b, const struct kbs_config *c, struct slice roots, struct err *reterr)
{
	struct aliyun_settings s = {.kms_instance_id = c->resource.kms_instance_id,
		.endpoint_url = c->resource.endpoint_url};
	cleanup_with(buf_done) struct buf pem = {0};
	struct cloud_options o = options(c, roots);
	int r = read_value("client_key", c->resource.client_key, &b->client_key, reterr);

	if (r == 0)
		r = read_value("password", c->resource.password, &b->password, reterr);
	if (r == 0)
		r = read_value("cert_pem", c->resource.cert_pem, &pem, reterr);
	s.client_key = buf_str(&b->client_key);
	s.password = buf_str(&b->password);
	o.roots_pem = buf_slice(&pem);
	return r < 0 ? r : aliyun_store_new(&s, &o, &b->cloud, reterr);
}

static int cloud_get(struct backend *b, const char *path, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	return cloud_store_get(b->cloud, path, version, value, ret_version, reterr);
}

static int cloud_put(struct backend *b, const char *path, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	return cloud_store_put(b->cloud, path, value, cas, ret_version, reterr);
}

static int cloud_remove(struct backend *b, const char *path, struct err *reterr)
{
	return cloud_store_delete(b->cloud, path, reterr);
}

static void cloud_close(struct backend *b)
{
	cloud_store_free(b->cloud);
}

#define CLOUD_OPS(how)                                               \
	{                                                            \
		how, cloud_get, cloud_put, cloud_remove, cloud_close \
	}

static const struct backend_ops g_backends[] = {
	[BACKEND_VAULT] = {vault_open, vault_get, vault_put, vault_remove, vault_close},
	[BACKEND_AWS] = CLOUD_OPS(aws_open),
	[BACKEND_GCP] = CLOUD_OPS(gcp_open),
	[BACKEND_AZURE] = CLOUD_OPS(azure_open),
	[BACKEND_ALIYUN] = CLOUD_OPS(aliyun_open),
};

static int read_roots(const struct kbs_config *c, struct buf *out, struct err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->resource.ca_certs.count; i++) {
		cleanup_with(buf_done) struct buf pem = buf_init(PEM_MAX);

		r = file_read(c->resource.ca_certs.items[i], PEM_MAX, &pem, reterr);
		buf_put_slice(out, buf_slice(&pem));
		buf_put_u8(out, '\n');
	}
	return r < 0 ? r : buf_error(out);
}

int backend_open(struct backend *b, const struct kbs_config *c, struct err *reterr)
{
	cleanup_with(buf_done) struct buf roots = buf_init(PEM_MAX);
	int r = read_roots(c, &roots, reterr);

	if (r < 0)
		return r;
	if (c->resource.backend == BACKEND_STORE)
		return err_set(reterr, -EINVAL, "resources are in the store");
	b->ops = &g_backends[c->resource.backend];
	r = b->ops->open(b, c, buf_slice(&roots), reterr);
	return r < 0 ? err_wrap(reterr, r, "%s", kbs_config_storage(c)) : 0;
}

void backend_close(struct backend *b)
{
	if (b->ops)
		b->ops->close(b);
	buf_done(&b->client_key);
	buf_done(&b->password);
	buf_done(&b->client_secret);
}

/* In the child. */
static noreturn_fn void try_and_exit(const struct kbs_config *c)
{
	struct backend *b = calloc(1, sizeof(*b));
	struct err e = {0};
	int r = b ? backend_open(b, c, &e) : -ENOMEM;

	if (r < 0)
		log_error("kbs.start.backend", LOG_STR("reason", err_text(&e, r)));
	if (b)
		backend_close(b);
	_exit(r < 0);
}

int backend_try(const struct kbs_config *c, struct err *reterr)
{
	int status = 0;
	pid_t pid;

	if (kbs_config_backends(c) == 0)
		return 0;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		try_and_exit(c);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0
			   : err_set(reterr, -EINVAL, "%s cannot be used as it is configured",
				     kbs_config_storage(c));
}
