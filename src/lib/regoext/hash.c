/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.md5 and kin, crypto.hmac.*. MD5 and SHA-1 are here because Rego has them. */
#include <openssl/evp.h>

#include "base/enc.h"
#include "base/secret.h"
#include "ext.h"

static int put_hex(struct rego_call *call, const uint8_t *bytes, size_t size, val *ret)
{
	char text[2 * EVP_MAX_MD_SIZE + 1];
	return ext_return(ret, ext_str(call, hex_str(slice_of(bytes, size), text, sizeof(text))));
}

static int digest(struct rego_call *call, const val *arg, val *ret, const char *name)
{
	uint8_t out[EVP_MAX_MD_SIZE];
	size_t size = 0;
	if (rego_type(arg[0]) != REGO_STRING)
		return rego_call_type_error(call, 1, "string", arg[0]);
	struct slice in = rego_text(arg[0]);
	if (!EVP_Q_digest(NULL, name, NULL, in.data, in.size, out, &size))
		return rego_call_fail(call, "%s is not available", name);
	return put_hex(call, out, size, ret);
}

static int hmac(struct rego_call *call, const val *arg, val *ret, const char *name)
{
	uint8_t out[EVP_MAX_MD_SIZE];
	size_t size = 0;
	for (unsigned i = 0; i < 2; i++)
		if (rego_type(arg[i]) != REGO_STRING)
			return rego_call_type_error(call, i + 1, "string", arg[i]);
	struct slice in = rego_text(arg[0]), key = rego_text(arg[1]);
	if (!EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, key.data, key.size, in.data, in.size, out,
		    sizeof(out), &size))
		return rego_call_fail(call, "HMAC with %s is not available", name);
	return put_hex(call, out, size, ret);
}

#define DEFINE_HASH(fn, how, name)                                                    \
	static int fn(struct rego_call *call, const val *arg, size_t count, val *ret) \
	{                                                                             \
		return how(call, arg, ret, name);                                     \
	}
DEFINE_HASH(hash_md5, digest, "MD5")
DEFINE_HASH(hash_sha1, digest, "SHA1")
DEFINE_HASH(hash_sha256, digest, "SHA256")
DEFINE_HASH(hmac_md5, hmac, "MD5")
DEFINE_HASH(hmac_sha1, hmac, "SHA1")
DEFINE_HASH(hmac_sha256, hmac, "SHA256")
DEFINE_HASH(hmac_sha512, hmac, "SHA512")

static int hmac_equal(struct rego_call *call, const val *arg, size_t count, val *ret)
{
	for (unsigned i = 0; i < 2; i++)
		if (rego_type(arg[i]) != REGO_STRING)
			return rego_call_type_error(call, i + 1, "string", arg[i]);
	*ret = rego_make_bool(ct_equal(rego_text(arg[0]), rego_text(arg[1])));
	return 0;
}

const struct rego_builtin ext_hash_list[] = {
	{"crypto.md5", 1, hash_md5},
	{"crypto.sha1", 1, hash_sha1},
	{"crypto.sha256", 1, hash_sha256},
	{"crypto.hmac.md5", 2, hmac_md5},
	{"crypto.hmac.sha1", 2, hmac_sha1},
	{"crypto.hmac.sha256", 2, hmac_sha256},
	{"crypto.hmac.sha512", 2, hmac_sha512},
	{"crypto.hmac.equal", 2, hmac_equal},
};
const size_t ext_hash_count = ARRAY_COUNT(ext_hash_list);
