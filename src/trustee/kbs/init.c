/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/init.h"

#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "crypto/jose.h"
#include "crypto/x509.h"

#define TLS_DAYS 3650
#define ADMIN_TOKEN_LIFE_S (365 * (int64_t)86400)
#define ISSUER "husk-kbs-init"
#define HOSTS_MAX 32

static int write_in(
	const char *dir, const char *name, struct slice content, mode_t mode, struct err *reterr)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return err_set(reterr, -E2BIG, "the path of %s is too long", name);
	return file_write_atomic(path, content, mode, reterr);
}

static int make_tls(const struct init_options *o, const char *dir, struct err *reterr)
{
	cleanup_with(buf_done) struct buf key_pem = buf_init_secret(0);
	cleanup_with(buf_done) struct buf cert_pem = buf_init(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	const char *names[HOSTS_MAX] = {"localhost", "127.0.0.1", "::1"};
	char hostname[256] = "";
	size_t count = 3;
	int r;

	if (gethostname(hostname, sizeof(hostname) - 1) == 0 && hostname[0])
		names[count++] = hostname;
	for (size_t i = 0; i < o->host_count; i++) {
		if (count == HOSTS_MAX)
			return err_set(
				reterr, -E2BIG, "more than %zu hosts", (size_t)HOSTS_MAX - 4);
		names[count++] = o->hosts[i];
	}
	r = pkey_generate(KEY_P256, 0, &key);
	if (r == 0)
		r = cert_make_self_signed(
			key, "husk-kbs", names, count, TLS_DAYS, &cert_pem, reterr);
	if (r == 0)
		r = pkey_to_pem_private(key, &key_pem);
	if (r == 0)
		r = write_in(dir, "tls.key", buf_slice(&key_pem), 0600, reterr);
	if (r == 0)
		r = write_in(dir, "tls.crt", buf_slice(&cert_pem), 0644, reterr);
	return r;
}

static int make_token_key(const char *dir, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	int r = pkey_generate(KEY_P256, 0, &key);

	if (r == 0)
		r = pkey_to_pem_private(key, &pem);
	return r < 0 ? r : write_in(dir, "token.key", buf_slice(&pem), 0600, reterr);
}

static int make_admin(const char *dir, struct err *reterr)
{
	cleanup_with(buf_done) struct buf public_pem = buf_init(0);
	cleanup_with(buf_done) struct buf private_pem = buf_init_secret(0);
	cleanup_with(buf_done) struct buf token = buf_init_secret(0);
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(free_ptr) char *claims = NULL;
	int64_t now = clock_unix_s();
	json_t *header = json_pack("{s:s}", "typ", "JWT");
	json_t *body = json_pack("{s:s, s:[s], s:s, s:I, s:I}", "iss", ISSUER, "aud", ISSUER,
		"role", "admin", "iat", (json_int_t)now, "exp",
		(json_int_t)now + ADMIN_TOKEN_LIFE_S);
	int r = pkey_generate(KEY_ED25519, 0, &key);

	claims = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!claims || !header)
		r = -ENOMEM;
	if (r == 0)
		r = jws_sign(key, SIG_EDDSA, header, slice_str(claims), &token);
	json_decref(header);
	if (r == 0)
		r = pkey_to_pem_public(key, &public_pem);
	if (r == 0)
		r = pkey_to_pem_private(key, &private_pem);
	if (r == 0)
		r = write_in(dir, "admin.pub", buf_slice(&public_pem), 0644, reterr);
	if (r == 0)
		r = write_in(dir, "admin.key", buf_slice(&private_pem), 0600, reterr);
	if (r == 0)
		r = write_in(dir, "admin-token", buf_slice(&token), 0600, reterr);
	return r;
}

static int make_config(const struct init_options *o, const char *dir, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);

	buf_printf(&text,
		"# Configuration of husk-kbs, made by `husk-kbs init`. See husk-kbs(5).\n\n"
		"[http_server]\n"
		"sockets = [\"%s\"]\n"
		"certificate = \"%s/tls.crt\"\n"
		"private_key = \"%s/tls.key\"\n\n"
		"[admin]\n"
		"authorization_mode = \"AuthenticatedAuthorization\"\n\n"
		"[[admin.authentication.bearer_jwt.identity_providers]]\n"
		"issuer = \"" ISSUER "\"\n"
		"audience = \"" ISSUER "\"\n"
		"public_key_uri = \"file://%s/admin.pub\"\n\n"
		"[[admin.authorization.regex_acl.acls]]\n"
		"role = \"admin\"\n"
		"allowed_endpoints = \"^/kbs/v0/.*$\"\n"
		"tenant = \"*\"\n\n"
		"[attestation_service]\n"
		"type = \"coco_as_builtin\"\n"
		"timeout = 5\n\n"
		"[attestation_service.attestation_token_broker]\n"
		"duration_min = 5\n\n"
		"[attestation_service.attestation_token_broker.signer]\n"
		"key_path = \"%s/token.key\"\n\n"
		"# Ask AMD, Intel and NVIDIA for what evidence needs and does not carry.\n"
		"#[collateral]\n"
		"#fetch = true\n\n"
		"# What guests are served; further ones are in docs/plugins.md.\n"
		"[[plugins]]\n"
		"name = \"resource\"\n"
		"storage_backend_type = \"kvstorage\"\n\n"
		"[husk]\n"
		"store = \"%s/store/husk.db\"\n",
		o->address, dir, dir, dir, dir, dir);
	if (buf_error(&text) < 0)
		return buf_error(&text);
	return write_in(dir, "husk-kbs.toml", buf_slice(&text), 0644, reterr);
}

int init_make(const struct init_options *o, struct err *reterr)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];
	int r;

	if (mkdir(o->dir, 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "cannot make %s: %m", o->dir);
	if (!realpath(o->dir, dir))
		return err_set(reterr, -errno, "cannot use %s: %m", o->dir);
	/* The text goes between quotes of TOML. */
	if (strpbrk(dir, "\"\\\n") || strpbrk(o->address, "\"\\\n"))
		return err_set(reterr, -EINVAL, "quotes and backslashes are not possible here");
	snprintf(path, sizeof(path), "%s/husk-kbs.toml", dir);
	if (access(path, F_OK) == 0)
		return err_set(reterr, -EEXIST,
			"%s exists already: remove it, or start with `husk-kbs -c %s`", path, path);
	/* Apart from the keys, because the vault may write in this folder. */
	snprintf(path, sizeof(path), "%s/store", dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "cannot make %s: %m", path);
	r = make_tls(o, dir, reterr);
	if (r == 0)
		r = make_token_key(dir, reterr);
	if (r == 0)
		r = make_admin(dir, reterr);
	/* Last, because it is what marks the folder as complete. */
	if (r == 0)
		r = make_config(o, dir, reterr);
	return r;
}
