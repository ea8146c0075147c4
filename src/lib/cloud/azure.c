/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure Key Vault. Spec: Key Vault REST reference, secrets, version 7.4; Microsoft identity platform,
 * "OAuth 2.0 client credentials flow" and "Application authentication certificate credentials"; "How
 * to use managed identities on a virtual machine to acquire an access token".
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "crypto/x509.h"

#define API "api-version=7.4"
#define AUTHORITY_URL "https://login.microsoftonline.com"
#define IMDS_URL "http://169.254.169.254"
#define IMDS_PATH "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE_S 600
#define SERVICE_ID "Microsoft Entra ID"

struct azure {
	struct cloud_store base;
	struct azure_settings set; /* with what the environment adds */
	char vault[CLOUD_URL_MAX]; /* without a slash at its end */
	char token_url[CLOUD_URL_MAX];
	struct pkey *key; /* of client_certificate */
	char thumbprint[64];
	struct cloud_token token;
};

static struct azure *azure_of(struct cloud_store *s)
{
	return (struct azure *)s;
}

/* --- tokens --- */

static size_t without_slash(const char *url)
{
	size_t n = strlen(url);

	return n > 0 && url[n - 1] == '/' ? n - 1 : n;
}

/* An identifier that nobody used before, in the form of a UUID. */
static int make_jti(char ret[40])
{
	uint8_t raw[16];
	char hex[33];
	int r = random_bytes(raw, sizeof(raw));

	hex_str(slice_of(raw, sizeof(raw)), hex, sizeof(hex));
	snprintf(
		ret, 40, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
	return r;
}

static int sign_assertion(struct azure *z, struct buf *out)
{
	char jti[40];
	const struct oauth_assertion a = {.key = z->key,
		.alg = SIG_PS256,
		.header_name = "x5t#S256",
		.header_value = z->thumbprint,
		.issuer = z->set.client_id,
		.subject = z->set.client_id,
		.audience = z->token_url,
		.jti = jti,
		.now_s = clock_unix_s(),
		.life_s = ASSERTION_LIFE_S};
	int r = make_jti(jti);

	return r < 0 ? r : oauth_sign(&a, out);
}

/* The platform replaces the file before the token in it ends. */
static int read_federated(const char *path, struct buf *out, struct err *reterr)
{
	int r = file_read(path, CLOUD_TOKEN_MAX, out, reterr);

	while (out->size > 0 && out->data[out->size - 1] == '\n')
		out->data[--out->size] = '\0';
	if (r == 0 && !cloud_printable(buf_slice(out)))
		r = err_set(reterr, -EACCES, "%.200s holds no token", path);
	return r == -ENOENT ? -EACCES : r;
}

static int token_of_client(struct azure *z, struct err *reterr)
{
	cleanup_with(buf_done) struct buf form = buf_init_secret(0), proof = buf_init_secret(0);
	cleanup_with(buf_done) struct buf scope = {0};
	int r = 0;

	if (!z->set.client_secret)
		r = z->key ? sign_assertion(z, &proof)
			   : read_federated(z->set.federated_token_file, &proof, reterr);
	buf_printf(&scope, "%s/.default", azure_audience(z->vault));
	cloud_put_form(&form, "grant_type", "client_credentials");
	cloud_put_form(&form, "client_id", z->set.client_id);
	cloud_put_form(&form, "scope", buf_str(&scope));
	cloud_put_form(&form, "client_secret", z->set.client_secret);
	if (!z->set.client_secret) {
		cloud_put_form(&form, "client_assertion_type", ASSERTION_TYPE);
		cloud_put_form(&form, "client_assertion", buf_str(&proof));
	}
	if (r == 0)
		r = buf_error(&form);
	return r < 0 ? r
		     : oauth_call(z->base.http, SERVICE_ID, z->token_url, buf_slice(&form), NULL,
			       &z->token, reterr);
}

static int token_of_machine(struct azure *z, struct err *reterr)
{
	static const struct http_field metadata = {"Metadata", "true"};
	cleanup_with(buf_done) struct buf url = {0};
	const char *own = cloud_env(&z->base, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
	const char *base = own ? own : IMDS_URL;

	buf_printf(&url, "%.*s" IMDS_PATH, (int)without_slash(base), base);
	pct_encode(&url, slice_str(azure_audience(z->vault)), "");
	if (z->set.client_id)
		cloud_put_form(&url, "client_id", z->set.client_id);
	return buf_error(&url) < 0
		       ? buf_error(&url)
		       : oauth_call(z->base.local, "Azure's metadata service", buf_str(&url),
				 SLICE_EMPTY, &metadata, &z->token, reterr);
}

static int need_token(void *cookie, struct err *reterr)
{
	struct azure *z = cookie;

	if (cloud_token_fresh(&z->token, clock_unix_s()))
		return 0;
	return z->token_url[0] ? token_of_client(z, reterr) : token_of_machine(z, reterr);
}

/* --- calls --- */

static int call(struct azure *z, const char *method, const char *name, struct slice body,
	struct http_answer *ret, struct err *reterr)
{
	const struct oauth_bearer bearer = {&z->token, need_token, z};
	char url[CLOUD_URL_MAX + CLOUD_NAME_MAX + 64];

	snprintf(url, sizeof(url), "%s/secrets/%s?" API, z->vault, name);
	return oauth_bearer_call(z->base.http, &bearer, method, url, body, ret, reterr);
}

static int get(struct cloud_store *s, const char *name, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	struct http_answer a = {0};
	int r = call(azure_of(s), "GET", name, SLICE_EMPTY, &a, reterr);

	if (r == 0)
		r = azure_read_value(a.status, buf_slice(&a.body), name, value, reterr);
	http_answer_done(&a);
	return r;
}

static int put(struct cloud_store *s, const char *name, struct slice value, int64_t cas,
	int64_t *ret_version, struct err *reterr)
{
	cleanup_with(buf_done) struct buf body = buf_init_secret(0);
	struct http_answer a = {0};
	int r;

	if (cas >= 0)
		return err_set(reterr, -ESTALE,
			"writes to Azure Key Vault have no condition: no If-None-Match");
	r = azure_write_value(value, &body);
	if (r == 0)
		r = call(azure_of(s), "PUT", name, buf_slice(&body), &a, reterr);
	if (r == 0)
		r = azure_read_done(a.status, buf_slice(&a.body), reterr);
	http_answer_done(&a);
	return r;
}

/* Vaults keep what was deleted for a time, in which its name cannot be used again. */
static int delete_secret(struct cloud_store *s, const char *name, struct err *reterr)
{
	struct http_answer a = {0};
	int r = call(azure_of(s), "DELETE", name, SLICE_EMPTY, &a, reterr);

	if (r == 0)
		r = azure_read_done(a.status, buf_slice(&a.body), reterr);
	http_answer_done(&a);
	return r;
}

static void free_store(struct cloud_store *s)
{
	pkey_free(azure_of(s)->key);
	cloud_token_done(&azure_of(s)->token);
	free(s);
}

static const struct cloud_ops g_ops = {CLOUD_AZURE, get, put, delete_secret, free_store};

/* --- opening --- */

/* Certificate and private key, in one PEM file, which must belong together. */
static int read_certificate(struct azure *z, const char *path, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(CLOUD_FILE_MAX);
	cleanup_with(buf_done) struct buf der = {0}, print = {0};
	cleanup(cert_free) struct cert *cert = NULL;
	cleanup(pkey_free) struct pkey *public = NULL;
	struct cert *certs[8] = {0};
	struct digest d = {0};
	int n = 0, r = file_read(path, CLOUD_FILE_MAX, &pem, reterr);

	if (r == 0)
		n = r = certs_from_pem(buf_slice(&pem), certs, ARRAY_COUNT(certs), reterr);
	for (int i = 1; i < n; i++)
		cert_free(certs[i]);
	cert = certs[0];
	if (n == 0 && r == 0)
		r = err_set(reterr, -EBADMSG, "there is no certificate");
	if (r >= 0)
		r = pkey_from_pem(buf_slice(&pem), &z->key, reterr);
	if (r == 0)
		r = cert_key(cert, &public);
	if (r == 0 && (!pkey_is_private(z->key) || pkey_type(z->key) != KEY_RSA ||
			      !pkey_equal(z->key, public)))
		r = err_set(reterr, -EBADMSG,
			"the first certificate and the private RSA key do not belong together");
	if (r == 0)
		r = cert_to_der(cert, &der);
	if (r == 0)
		r = hash_once(HASH_SHA256, buf_slice(&der), &d);
	if (r < 0)
		return err_wrap(reterr, r, "%.200s", path);
	b64_encode(&print, digest_slice(&d), B64_URL);
	return str_copy(z->thumbprint, sizeof(z->thumbprint), buf_str(&print));
}

static bool id_valid(const char *s)
{
	return !s || (*s && strlen(s) < 128 &&
			     strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-.") == strlen(s));
}

static void add_environment(struct azure *z)
{
	struct azure_settings *s = &z->set;
	bool named = s->client_secret || s->client_certificate || s->federated_token_file;

	s->tenant_id = cloud_setting(&z->base, s->tenant_id, "AZURE_TENANT_ID");
	s->client_id = cloud_setting(&z->base, s->client_id, "AZURE_CLIENT_ID");
	s->authority_url = cloud_setting(&z->base, s->authority_url, "AZURE_AUTHORITY_HOST");
	if (!s->authority_url)
		s->authority_url = AUTHORITY_URL;
	if (named)
		return;
	s->client_secret = cloud_env(&z->base, "AZURE_CLIENT_SECRET");
	s->client_certificate = cloud_env(&z->base, "AZURE_CLIENT_CERTIFICATE_PATH");
	s->federated_token_file = cloud_env(&z->base, "AZURE_FEDERATED_TOKEN_FILE");
}

static int open_store(struct azure *z, struct err *reterr)
{
	struct azure_settings *s = &z->set;
	bool client;

	add_environment(z);
	client = s->client_secret || s->client_certificate || s->federated_token_file;
	if (!s->vault_url || !cloud_url_valid(s->vault_url) || strlen(s->vault_url) > 1000)
		return err_set(reterr, -EINVAL, "vault_url must be https://NAME.vault.azure.net");
	if (!cloud_url_valid(s->authority_url) || strlen(s->authority_url) > 1000)
		return err_set(reterr, -EINVAL, "authority_url must be https://HOST");
	if (!id_valid(s->tenant_id) || !id_valid(s->client_id))
		return err_set(reterr, -EINVAL, "tenant_id and client_id must be identifiers");
	if (client && (!s->tenant_id || !s->client_id))
		return err_set(reterr, -EINVAL, "Azure needs tenant_id and client_id");
	snprintf(
		z->vault, sizeof(z->vault), "%.*s", (int)without_slash(s->vault_url), s->vault_url);
	if (!client)
		return 0;
	snprintf(z->token_url, sizeof(z->token_url), "%.*s/%s/oauth2/v2.0/token",
		(int)without_slash(s->authority_url), s->authority_url, s->tenant_id);
	return s->client_certificate && !s->client_secret
		       ? read_certificate(z, s->client_certificate, reterr)
		       : 0;
}

int azure_store_new(const struct azure_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr)
{
	struct azure *z = calloc(1, sizeof(*z));
	int r;

	if (!z)
		return -ENOMEM;
	z->set = *s;
	r = cloud_store_init(&z->base, &g_ops, o, reterr);
	if (r == 0)
		r = open_store(z, reterr);
	if (r < 0)
		cloud_store_free(&z->base);
	else
		*ret = &z->base;
	return r;
}
