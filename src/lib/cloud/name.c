/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of secrets. With CLOUD_NAME_PATH, Google's and Azure's escapes are prefix codes: the character
 * after an escape character says what stands there, so decoding is unique and two paths never meet in
 * one name. Azure's names do not tell upper from lower case: upper case is escaped, too.
 */
#include "base/str.h"
#include "cloud/cloud.h"

struct rule {
	const char *service;
	const char *marks; /* allowed beside letters and digits */
	size_t max;
	char escape; /* 0: paths are names */
};

static const struct rule g_rules[] = {
	[CLOUD_AWS] = {"AWS Secrets Manager", "/_+=.@-", 512, 0},
	[CLOUD_GCP] = {"Google Secret Manager", "_-", 255, '_'},
	[CLOUD_AZURE] = {"Azure Key Vault", "-", 127, '-'},
	[CLOUD_ALIYUN] = {"Alibaba Cloud KMS", "/_+=.@-", 64, 0},
};

const char *cloud_store_name(enum cloud_vendor vendor)
{
	return g_rules[vendor].service;
}

static void put_escaped(struct buf *out, const struct rule *rule, char c, bool no_case)
{
	char mark = c == '/' ? 's' : c == '.' ? 'd' : c == '_' ? 'u' : c == '-' ? 'm' : 0;

	if (no_case && c >= 'A' && c <= 'Z') {
		buf_put_u8(out, (uint8_t)rule->escape);
		buf_put_u8(out, 'c');
		buf_put_u8(out, (uint8_t)(c | 0x20));
	} else if (mark && (c == rule->escape || !strchr(rule->marks, c))) {
		buf_put_u8(out, (uint8_t)rule->escape);
		buf_put_u8(out, (uint8_t)mark);
	} else {
		buf_put_u8(out, (uint8_t)c);
	}
}

static int check(const struct rule *rule, const char *name, struct err *reterr)
{
	if (!name[0] || strlen(name) > rule->max)
		return err_set(reterr, -EINVAL, "a name in %s has 1 to %zu characters, not %zu",
			rule->service, rule->max, strlen(name));
	for (const char *p = name; *p; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
			     (*p >= 'A' && *p <= 'Z');

		if (!plain && !strchr(rule->marks, *p))
			return err_set(reterr, -EINVAL,
				"%.100s is not a name in %s: letters, digits and %s only", name,
				rule->service, rule->marks);
	}
	return 0;
}

/* REPOSITORY may be "tenants", too: what counts is the number of segments. */
static bool is_tenants(const char *path)
{
	size_t slashes = 0;

	for (const char *p = path; *p; p++)
		slashes += *p == '/';
	return slashes > 2;
}

int cloud_name(enum cloud_vendor vendor, enum cloud_naming naming, const char *prefix,
	const char *path, char *ret, struct err *reterr)
{
	const struct rule *rule = &g_rules[vendor];
	cleanup_with(buf_done) struct buf name = buf_init(CLOUD_NAME_MAX);
	const char *tag = strrchr(path, '/');

	buf_put_str(&name, prefix ? prefix : "");
	if (naming == CLOUD_NAME_TAG && is_tenants(path))
		return err_set(reterr, -EACCES,
			"tenants share names with naming = \"tag\": set naming = \"path\"");
	if (naming == CLOUD_NAME_TAG) {
		buf_put_str(&name, tag ? tag + 1 : path);
	} else {
		for (const char *p = path; *p; p++) {
			if (rule->escape)
				put_escaped(&name, rule, *p, vendor == CLOUD_AZURE);
			else
				buf_put_u8(&name, (uint8_t)*p);
		}
	}
	if (buf_error(&name) < 0 || str_copy(ret, CLOUD_NAME_MAX + 1, buf_str(&name)) < 0)
		return err_set(reterr, -E2BIG, "the name of the secret is too long");
	return check(rule, ret, reterr);
}
