/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where credentials for AWS are: the configuration, the environment, the shared file, a web identity
 * token (IRSA), the container's endpoint (ECS, EKS Pod Identity), the instance's metadata service,
 * version 2 only. The order is that of AWS's own programs. The first that is there counts: one that
 * does not work is an error, not a reason to be somebody else.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "cloud/internal.h"
#include "net/url.h"

#define IMDS_URL "http://169.254.169.254"
#define IMDS_ROLE "/latest/meta-data/iam/security-credentials/"
#define CONTAINER_URL "http://169.254.170.2"
#define NEXT 1 /* this source is not there */

static void put_static(struct buf *b, const char *text)
{
	*b = buf_init_secret(CLOUD_TOKEN_MAX);
	buf_put_str(b, text ? text : "");
}

static int take_static(const char *access, const char *secret, const char *token,
	struct aws_credentials *ret, struct err *reterr)
{
	put_static(&ret->access, access);
	put_static(&ret->secret, secret);
	put_static(&ret->token, token);
	return aws_credentials_valid(ret, reterr);
}

static int from_settings(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	const struct aws_settings *s = &a->set;

	return s->access_key_id ? take_static(s->access_key_id, s->secret_access_key,
					  s->session_token, ret, reterr)
				: NEXT;
}

static int from_environment(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	const char *access = cloud_env(&a->base, "AWS_ACCESS_KEY_ID");
	const char *secret = cloud_env(&a->base, "AWS_SECRET_ACCESS_KEY");

	/* Who names a file or a profile means that. */
	if (!access || !secret || a->set.credentials_file || a->set.profile)
		return NEXT;
	return take_static(access, secret, cloud_env(&a->base, "AWS_SESSION_TOKEN"), ret, reterr);
}

static const char *profile_of(const struct aws *a)
{
	const char *name = cloud_setting(&a->base, a->set.profile, "AWS_PROFILE");

	return name ? name : "default";
}

/* @own, variable @name, or @home_file below the home folder. Return: whether there is one. */
static bool file_path(const struct aws *a, const char *own, const char *name, const char *home_file,
	char *ret, size_t size)
{
	const char *path = cloud_setting(&a->base, own, name);
	const char *home = cloud_env(&a->base, "HOME");
	int n = 0;

	if (path)
		n = snprintf(ret, size, "%s", path);
	else if (home)
		n = snprintf(ret, size, "%s/%s", home, home_file);
	return n > 0 && (size_t)n < size;
}

static int read_profile(
	const struct aws *a, struct slice text, struct aws_credentials *ret, struct err *reterr)
{
	const char *profile = profile_of(a);
	int r;

	ret->access = buf_init_secret(CLOUD_TOKEN_MAX);
	ret->secret = buf_init_secret(CLOUD_TOKEN_MAX);
	ret->token = buf_init_secret(CLOUD_TOKEN_MAX);
	r = aws_ini_get(text, profile, "aws_access_key_id", &ret->access);
	if (r == 0)
		r = aws_ini_get(text, profile, "aws_secret_access_key", &ret->secret);
	if (r < 0)
		return err_set(reterr, r,
			"profile %.64s has no aws_access_key_id and aws_secret_access_key",
			profile);
	r = aws_ini_get(text, profile, "aws_session_token", &ret->token);
	return r < 0 && r != -ENOENT ? r : aws_credentials_valid(ret, reterr);
}

static int from_file(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(CLOUD_FILE_MAX);
	bool named = a->set.credentials_file || a->set.profile ||
		     cloud_env(&a->base, "AWS_SHARED_CREDENTIALS_FILE") ||
		     cloud_env(&a->base, "AWS_PROFILE");
	char path[4096];
	int r;

	if (!file_path(a, a->set.credentials_file, "AWS_SHARED_CREDENTIALS_FILE",
		    ".aws/credentials", path, sizeof(path)))
		return named ? err_set(reterr, -EINVAL, "there is no shared credentials file")
			     : NEXT;
	r = file_read(path, CLOUD_FILE_MAX, &text, reterr);
	if (r == 0)
		r = read_profile(a, buf_slice(&text), ret, reterr);
	if (r < 0 && named)
		return err_wrap(reterr, -EACCES, "%.200s", path);
	return r < 0 ? NEXT : 0;
}

/* A token for the container's endpoint or STS: the file is replaced by others, so read each time. */
static int read_token(const char *path, struct buf *out, struct err *reterr)
{
	int r = file_read(path, CLOUD_TOKEN_MAX, out, reterr);

	while (out->size > 0 &&
		(out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
		out->data[--out->size] = '\0';
	if (r == 0 && !cloud_printable(buf_slice(out)))
		r = err_set(reterr, -EBADMSG, "%.200s holds no token", path);
	return r;
}

/* STS does not ask for a signature: the token is the proof. */
static int assume(struct aws *a, const char *role, const char *token, struct aws_credentials *ret,
	struct err *reterr)
{
	cleanup_with(buf_done) struct buf form = buf_init_secret(0);
	static const struct http_field fields[] = {
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"Accept", "application/json"},
	};
	const char *session = cloud_env(&a->base, "AWS_ROLE_SESSION_NAME");
	const char *own = cloud_env(&a->base, "AWS_ENDPOINT_URL_STS");
	struct http_answer answer = {0};
	char url[CLOUD_URL_MAX];
	int r = aws_region_find(a, reterr);

	if (own && !cloud_url_valid(own))
		r = err_set(reterr, -EINVAL, "AWS_ENDPOINT_URL_STS must be https://HOST");
	if (own)
		snprintf(url, sizeof(url), "%s", own);
	else
		snprintf(url, sizeof(url), "https://sts.%s.amazonaws.com%s/", a->region,
			str_starts(a->region, "cn-") ? ".cn" : "");
	cloud_put_form(&form, "Action", "AssumeRoleWithWebIdentity");
	cloud_put_form(&form, "Version", "2011-06-15");
	cloud_put_form(&form, "RoleArn", role);
	cloud_put_form(&form, "RoleSessionName", session ? session : "husk-kbs");
	cloud_put_form(&form, "WebIdentityToken", token);
	const struct http_call call = {.method = "POST",
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = buf_slice(&form),
		.answer_max = CLOUD_TOKEN_MAX};
	if (r == 0)
		r = buf_error(&form);
	if (r == 0)
		r = cloud_call(a->base.http, &call, &answer, reterr);
	if (r == 0)
		r = aws_read_assumed(answer.status, buf_slice(&answer.body), ret, reterr);
	http_answer_done(&answer);
	return r;
}

static int from_web_identity(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf token = buf_init_secret(CLOUD_TOKEN_MAX);
	const char *path = cloud_env(&a->base, "AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *role = cloud_env(&a->base, "AWS_ROLE_ARN");
	int r;

	if (!path || !role)
		return NEXT;
	r = read_token(path, &token, reterr);
	return r < 0 ? r : assume(a, role, buf_str(&token), ret, reterr);
}

/* --- metadata services --- */

static int ask(struct aws *a, const char *method, const char *url, const struct http_field *field,
	struct http_answer *ret, struct err *reterr)
{
	const struct http_call call = {.method = method,
		.url = url,
		.fields = field,
		.field_count = field && field->value ? 1 : 0,
		.answer_max = CLOUD_TOKEN_MAX};
	int r = cloud_call(a->base.local, &call, ret, reterr);

	if (r == 0 && ret->status == 404)
		return err_set(reterr, -EACCES,
			"AWS's metadata service has none (HTTP 404): is there a role?");
	return r < 0 ? r : cloud_status("AWS's metadata service", ret->status, "", reterr);
}

/* Where a secret may be asked for without TLS: hosts that are this machine, to AWS's programs. */
static bool container_url_allowed(const char *url)
{
	static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
	struct url u;

	if (cloud_url_valid(url))
		return true;
	if (url_parse(url, &u, NULL) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(hosts); i++) {
		if (streq(u.host, hosts[i]))
			return true;
	}
	return u.tls;
}

static int from_container(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf token = buf_init_secret(CLOUD_TOKEN_MAX);
	const char *relative = cloud_env(&a->base, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = cloud_env(&a->base, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *path = cloud_env(&a->base, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = cloud_env(&a->base, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct http_field field = {"Authorization", NULL};
	struct http_answer answer = {0};
	char url[CLOUD_URL_MAX];
	int n, r = 0;

	if (!relative && !full)
		return NEXT;
	n = snprintf(url, sizeof(url), "%s%s", relative ? CONTAINER_URL : "",
		relative ? relative : full);
	if (n >= (int)sizeof(url) || !container_url_allowed(url))
		return err_set(reterr, -EINVAL,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI is not https and not this machine");
	if (path)
		r = read_token(path, &token, reterr);
	else
		buf_put_str(&token, text ? text : "");
	if (token.size > 0)
		field.value = buf_str(&token);
	if (r == 0)
		r = ask(a, "GET", url, &field, &answer, reterr);
	if (r == 0)
		r = aws_read_credentials(buf_slice(&answer.body), ret, reterr);
	http_answer_done(&answer);
	return r;
}

static const char *imds_url(const struct aws *a)
{
	const char *url = cloud_env(&a->base, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *off = cloud_env(&a->base, "AWS_EC2_METADATA_DISABLED");

	if (off && strcasecmp(off, "true") == 0)
		return NULL;
	return url ? url : IMDS_URL;
}

/* Version 2: a token by PUT first, which no forged request from elsewhere gets. */
static int imds_get(struct aws *a, const char *path, struct http_answer *ret, struct err *reterr)
{
	static const struct http_field life = {"X-aws-ec2-metadata-token-ttl-seconds", "300"};
	struct http_field field = {"X-aws-ec2-metadata-token", NULL};
	const char *base = imds_url(a);
	struct http_answer token = {0};
	size_t n = strlen(base);
	char url[CLOUD_URL_MAX];
	int r;

	if (n > 0 && base[n - 1] == '/')
		n--;
	snprintf(url, sizeof(url), "%.*s/latest/api/token", (int)MIN(n, (size_t)1000), base);
	r = ask(a, "PUT", url, &life, &token, reterr);
	if (r == 0 && !cloud_printable(buf_slice(&token.body)))
		r = err_set(reterr, -EBADMSG, "the instance's metadata service gives no token");
	field.value = buf_str(&token.body);
	snprintf(url, sizeof(url), "%.*s%s", (int)MIN(n, (size_t)1000), base, path);
	if (r == 0)
		r = ask(a, "GET", url, &field, ret, reterr);
	http_answer_done(&token);
	return r;
}

/* A name in a path: one line, nothing that leads elsewhere. */
static bool plain_name(const char *s)
{
	size_t n =
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-");

	return n > 0 && n <= 128 && s[n] == '\0' && strspn(s, ".") < n;
}

static int from_instance(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	struct http_answer role = {0}, answer = {0};
	char path[256];
	int r;

	if (!imds_url(a))
		return NEXT;
	r = imds_get(a, IMDS_ROLE, &role, reterr);
	if (r == 0 && !plain_name(buf_str(&role.body)))
		r = err_set(reterr, -EBADMSG, "the instance has no role");
	snprintf(path, sizeof(path), IMDS_ROLE "%.128s", buf_str(&role.body));
	if (r == 0)
		r = imds_get(a, path, &answer, reterr);
	if (r == 0)
		r = aws_read_credentials(buf_slice(&answer.body), ret, reterr);
	http_answer_done(&role);
	http_answer_done(&answer);
	return r;
}

int aws_credentials_find(struct aws *a, struct aws_credentials *ret, struct err *reterr)
{
	static int (*const sources[])(struct aws *, struct aws_credentials *, struct err *) = {
		from_settings, from_environment, from_file, from_web_identity, from_container,
		from_instance};

	for (size_t i = 0; i < ARRAY_COUNT(sources); i++) {
		struct err e = {0};
		int r = sources[i](a, ret, &e);

		if (r == 0)
			return 0;
		aws_credentials_done(ret);
		if (r == NEXT)
			continue;
		err_set(reterr, r, "no credentials for AWS: %s", err_text(&e, r));
		/* Nobody but us can put it right: not a secret that is missing. */
		return r == -ENOENT || r == -EBADMSG ? -EACCES : r;
	}
	return err_set(reterr, -EACCES,
		"no credentials for AWS: not in the configuration, the environment, a file, or "
		"from a metadata service");
}

/* --- the region --- */

static int region_from_file(struct aws *a, struct buf *out)
{
	cleanup_with(buf_done) struct buf text = buf_init_secret(CLOUD_FILE_MAX);
	const char *profile = profile_of(a);
	char path[4096], section[128];
	bool is_default = streq(profile, "default");

	snprintf(section, sizeof(section), "%s%.100s", is_default ? "" : "profile ", profile);
	if (!file_path(a, NULL, "AWS_CONFIG_FILE", ".aws/config", path, sizeof(path)) ||
		file_read(path, CLOUD_FILE_MAX, &text, NULL) < 0)
		return NEXT;
	return aws_ini_get(buf_slice(&text), section, "region", out) == 0 ? 0 : NEXT;
}

static int region_from_instance(struct aws *a, struct buf *out, struct err *reterr)
{
	struct http_answer answer = {0};
	int r = imds_url(a) ? imds_get(a, "/latest/meta-data/placement/region", &answer, reterr)
			    : err_set(reterr, -EINVAL, "nobody says which");

	if (r == 0)
		buf_put_slice(out, buf_slice(&answer.body));
	http_answer_done(&answer);
	return r;
}

int aws_region_find(struct aws *a, struct err *reterr)
{
	cleanup_with(buf_done) struct buf name = buf_init(sizeof(a->region) - 1);
	const char *set = cloud_setting(&a->base, a->set.region, "AWS_REGION");
	struct err e = {0};
	int r = 0;

	if (a->region[0])
		return 0;
	if (!set)
		set = cloud_env(&a->base, "AWS_DEFAULT_REGION");
	if (set)
		buf_put_str(&name, set);
	else if (region_from_file(a, &name) == NEXT)
		r = region_from_instance(a, &name, &e);
	if (r == 0)
		r = buf_error(&name);
	/* It becomes part of a host's name. */
	if (r == 0 && (!plain_name(buf_str(&name)) ||
			      strspn(buf_str(&name), "abcdefghijklmnopqrstuvwxyz0123456789-") !=
				      name.size))
		r = err_set(&e, -EINVAL, "%.60s is none", buf_str(&name));
	if (r < 0)
		return err_set(reterr, r == -ENOENT ? -EINVAL : r, "no region of AWS: %s",
			err_text(&e, r));
	return str_copy(a->region, sizeof(a->region), buf_str(&name));
}
