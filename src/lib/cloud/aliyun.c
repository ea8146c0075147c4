/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alibaba Cloud: secrets of a dedicated KMS instance, through its own gateway. Messages are protobuf,
 * requests are signed with the RSA key of an application access point ("client key"). The gateway's
 * interface reads only. Format: as Trustee's client and Alibaba Cloud's own SDK speak it.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/str.h"
#include "cloud/internal.h"

#define TYPE "application/x-protobuf"
#define API "GetSecretValue"
#define API_VERSION "dkms-gcs-0.2"
#define METHOD "RSA_PKCS1_SHA_256"

struct aliyun {
	struct cloud_store base;
	struct aliyun_key account;
	char url[CLOUD_URL_MAX];
};

static struct aliyun *aliyun_of(struct cloud_store *s)
{
	return (struct aliyun *)s;
}

static void hex_upper(struct slice in, struct buf *out)
{
	for (size_t i = 0; i < in.size; i++)
		buf_printf(out, "%02X", in.data[i]);
}

static int sign(const struct aliyun *y, const char *date, struct slice body, struct buf *hash,
	struct buf *authorization)
{
	cleanup_with(buf_done) struct buf text = {0}, signature = {0};
	struct digest d;
	int r = hash_once(HASH_SHA256, body, &d);

	if (r < 0)
		return r;
	hex_upper(digest_slice(&d), hash);
	aliyun_string_to_sign(y->account.id, API, date, buf_str(hash), &text);
	r = buf_error(&text);
	if (r == 0)
		r = pkey_sign(y->account.key, SIG_RS256, buf_slice(&text), &signature);
	if (r < 0)
		return r;
	buf_put_str(authorization, "Bearer ");
	b64_encode(authorization, buf_slice(&signature), B64_STD);
	return buf_error(authorization);
}

static int get(struct cloud_store *s, const char *name, int64_t version, struct buf *value,
	int64_t *ret_version, struct err *reterr)
{
	struct aliyun *y = aliyun_of(s);
	cleanup_with(buf_done) struct buf body = {0}, hash = {0},
					  authorization = buf_init_secret(0);
	struct http_answer a = {0};
	char date[ALIYUN_DATE_SIZE];
	int r;

	aliyun_write_get(name, &body);
	aliyun_date(clock_unix_s(), date);
	r = buf_error(&body);
	if (r == 0)
		r = sign(y, date, buf_slice(&body), &hash, &authorization);
	const struct http_field fields[] = {
		{"Accept", TYPE},
		{"Content-Type", TYPE},
		{"Date", date},
		{"Content-Sha256", buf_str(&hash)},
		{"x-kms-apiversion", API_VERSION},
		{"x-kms-apiname", API},
		{"x-kms-signaturemethod", METHOD},
		{"x-kms-acccesskeyid", y->account.id},
		{"Authorization", buf_str(&authorization)},
	};
	const struct http_call c = {.method = "POST",
		.url = y->url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = buf_slice(&body)};
	if (r == 0)
		r = cloud_call(y->base.http, &c, &a, reterr);
	if (r == 0)
		r = aliyun_read_value(a.status, buf_slice(&a.body), name, value, reterr);
	http_answer_done(&a);
	return r;
}

static void free_store(struct cloud_store *s)
{
	aliyun_key_done(&aliyun_of(s)->account);
	free(s);
}

static const struct cloud_ops g_ops = {.vendor = CLOUD_ALIYUN, .get = get, .free = free_store};

/* It becomes part of a host's name. */
static bool instance_valid(const char *s)
{
	return s && *s && strlen(s) < 64 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       strlen(s);
}

static int open_store(struct aliyun *y, const struct aliyun_settings *s, struct err *reterr)
{
	if (!instance_valid(s->kms_instance_id))
		return err_set(reterr, -EINVAL, "kms_instance_id must be the id of an instance");
	if (s->endpoint_url && !cloud_url_valid(s->endpoint_url))
		return err_set(reterr, -EINVAL, "endpoint_url must be https://HOST");
	if (s->endpoint_url)
		snprintf(y->url, sizeof(y->url), "%s", s->endpoint_url);
	else
		snprintf(y->url, sizeof(y->url), "https://%s.cryptoservice.kms.aliyuncs.com/",
			s->kms_instance_id);
	return aliyun_key_read(slice_str(s->client_key), s->password, &y->account, reterr);
}

int aliyun_store_new(const struct aliyun_settings *s, const struct cloud_options *o,
	struct cloud_store **ret, struct err *reterr)
{
	struct aliyun *y = calloc(1, sizeof(*y));
	int r;

	if (!y)
		return -ENOMEM;
	r = cloud_store_init(&y->base, &g_ops, o, reterr);
	/* Its certificate comes from the instance's own CA: the system's roots say nothing. */
	if (r == 0 && o->roots_pem.size == 0)
		r = err_set(reterr, -EINVAL, "the instance's CA certificate is missing: cert_pem");
	if (r == 0)
		r = open_store(y, s, reterr);
	if (r < 0)
		cloud_store_free(&y->base);
	else
		*ret = &y->base;
	return r;
}
