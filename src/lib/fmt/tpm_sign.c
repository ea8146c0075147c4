/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tpm_sign.h"

#include "fmt/der.h"
#include "fmt/tpm_cmd_internal.h"

#define RH_NULL 0x40000007U
#define ST_HASHCHECK 0x8024
#define ALG_AES 0x0006
#define ALG_CFB 0x0043
#define ECC_NIST_P256 0x0003
#define ATTR_DECRYPT (1U << 17)
#define FILE_SIZE_MAX 4096
#define CAP_HANDLES 0x00000001U
#define TRANSIENT_FIRST 0x80000000U
#define TRANSIENT_MAX 64

static void put_srk_template(struct buf *b)
{
	size_t at = b->size;

	buf_put_u16be(b, 0);
	buf_put_u16be(b, TPM_ALG_ECC);
	buf_put_u16be(b, TPM_ALG_SHA256);
	buf_put_u32be(b, TPM_ATTR_FIXED_TPM | TPM_ATTR_FIXED_PARENT | TPM_ATTR_SENSITIVE_ORIGIN |
				 TPM_ATTR_USER_WITH_AUTH | TPM_ATTR_NODA | TPM_ATTR_RESTRICTED |
				 ATTR_DECRYPT);
	buf_put_u16be(b, 0); /* no policy */
	buf_put_u16be(b, ALG_AES);
	buf_put_u16be(b, 128);
	buf_put_u16be(b, ALG_CFB);
	buf_put_u16be(b, TPM_ALG_NULL); /* scheme */
	buf_put_u16be(b, ECC_NIST_P256);
	buf_put_u16be(b, TPM_ALG_NULL); /* key derivation */
	buf_put_u16be(b, 0);		/* unique: x and y */
	buf_put_u16be(b, 0);
	buf_patch_u16be(b, at, (uint16_t)(b->size - at - 2));
}

int tpm_create_srk(const struct tpm *t, uint32_t *ret, struct err *reterr)
{
	return tpm_create_primary(t, put_srk_template, ret, reterr);
}

int tpm_load(const struct tpm *t, uint32_t parent, struct slice public, struct slice private,
	uint32_t *ret, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	int r;

	tpm_begin(&c, "TPM2_Load", TPM_ST_SESSIONS, TPM_CC_LOAD);
	buf_put_u32be(&c.bytes, parent);
	tpm_put_auth(&c, SLICE_EMPTY);
	buf_put_slice(&c.bytes, private);
	buf_put_slice(&c.bytes, public);
	r = tpm_run_ok(t, &c, &in, reterr);
	return r < 0 ? r : rd_u32be(&in, ret) < 0 ? tpm_malformed(&c, reterr) : 0;
}

int tpm_flush_transient(const struct tpm *t, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	uint32_t capability, count, handle;
	uint8_t more;
	struct rd in;
	int r;

	tpm_begin(&c, "TPM2_GetCapability", TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	buf_put_u32be(&c.bytes, CAP_HANDLES);
	buf_put_u32be(&c.bytes, TRANSIENT_FIRST);
	buf_put_u32be(&c.bytes, TRANSIENT_MAX);
	r = tpm_run_ok(t, &c, &in, reterr);
	if (r < 0)
		return r;
	if (rd_u8(&in, &more) < 0 || rd_u32be(&in, &capability) < 0 || capability != CAP_HANDLES ||
		rd_u32be(&in, &count) < 0 || count > TRANSIENT_MAX)
		return tpm_malformed(&c, reterr);
	for (uint32_t i = 0; r == 0 && i < count; i++) {
		if (rd_u32be(&in, &handle) < 0 || handle >> 24 != TRANSIENT_FIRST >> 24)
			return tpm_malformed(&c, reterr);
		r = tpm_flush(t, handle, reterr);
	}
	return r;
}

int tpm_sign_ecdsa(const struct tpm *t, uint32_t key, struct slice auth, struct slice digest,
	struct buf *out, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	uint16_t hash = digest.size == 32 ? TPM_ALG_SHA256 : TPM_ALG_SHA384;
	uint32_t param_size;
	struct slice params;
	struct rd in;
	int r;

	if (digest.size != 32 && digest.size != 48)
		return -EINVAL;
	tpm_begin(&c, "TPM2_Sign", TPM_ST_SESSIONS, TPM_CC_SIGN);
	c.bytes.secret = true;
	buf_put_u32be(&c.bytes, key);
	tpm_put_auth(&c, auth);
	buf_put_u16be(&c.bytes, (uint16_t)digest.size);
	buf_put_slice(&c.bytes, digest);
	buf_put_u16be(&c.bytes, TPM_ALG_ECDSA);
	buf_put_u16be(&c.bytes, hash);
	/* The digest was not made by the TPM: an empty ticket says so. */
	buf_put_u16be(&c.bytes, ST_HASHCHECK);
	buf_put_u32be(&c.bytes, RH_NULL);
	buf_put_u16be(&c.bytes, 0);
	r = tpm_run_ok(t, &c, &in, reterr);
	if (r < 0)
		return r;
	if (rd_u32be(&in, &param_size) < 0 || rd_slice(&in, param_size, &params) < 0)
		return tpm_malformed(&c, reterr);
	buf_put_slice(out, params);
	return buf_error(out);
}

/* --- keys in files --- */

/* TPM2B: a size of two bytes that says what follows, and nothing behind it. */
static bool is_sized(struct slice s)
{
	struct rd in = rd_init(s);
	uint16_t size = 0;

	return rd_u16be(&in, &size) == 0 && size == s.size - 2 && size > 0;
}

/* emptyAuth [0], policy [1], secret [2], authPolicy [3]: all optional, only the first is known. */
static int read_options(struct rd *in, struct tpm_key_file *ret, uint8_t *tag,
	struct slice *content, struct err *reterr)
{
	int r = der_next(in, tag, content);

	if (r == 0 && *tag == 0xA0) {
		struct rd inner = rd_init(*content);
		struct slice flag;

		r = der_expect(&inner, DER_BOOLEAN, &flag);
		if (r == 0)
			r = der_bool(flag, &ret->empty_auth);
		if (r == 0 && rd_left(&inner) != 0)
			r = -EBADMSG;
		if (r == 0)
			r = der_next(in, tag, content);
	}
	if (r == 0 && *tag >= 0xA1 && *tag <= 0xA3)
		return err_set(reterr, -EOPNOTSUPP,
			"TPM key file: keys with a policy, and keys to be imported, are not supported");
	return r;
}

static int read_key(struct rd *in, struct tpm_key_file *ret, struct err *reterr)
{
	/* 2.23.133.10.1.3: a key that TPM2_Load takes */
	static const char loadable[] = "\x67\x81\x05\x0a\x01\x03";
	struct slice oid, parent = SLICE_EMPTY;
	uint64_t handle = 0;
	uint8_t tag = 0;
	int r = der_expect(in, DER_OID, &oid);

	if (r == 0 && !slice_eq(oid, slice_of(loadable, sizeof(loadable) - 1)))
		return err_set(reterr, -EOPNOTSUPP, "TPM key file: this is no loadable key");
	if (r == 0)
		r = read_options(in, ret, &tag, &parent, reterr);
	if (r == 0 && tag != DER_INTEGER)
		r = -EBADMSG;
	if (r == 0)
		r = der_uint(parent, UINT32_MAX, &handle);
	if (r == 0)
		r = der_expect(in, DER_OCTET_STRING, &ret->public);
	if (r == 0)
		r = der_expect(in, DER_OCTET_STRING, &ret->private);
	if (r == 0 && (rd_left(in) != 0 || !is_sized(ret->public) || !is_sized(ret->private)))
		r = -EBADMSG;
	ret->parent = (uint32_t)handle;
	return r;
}

int tpm_key_file_parse(struct slice der, struct tpm_key_file *ret, struct err *reterr)
{
	struct rd outer = rd_init(der);
	struct slice content;
	int r = der.size > FILE_SIZE_MAX ? -EBADMSG : der_expect(&outer, DER_SEQUENCE, &content);

	*ret = (struct tpm_key_file){0};
	if (r == 0 && rd_left(&outer) != 0)
		r = -EBADMSG;
	if (r == 0) {
		struct rd in = rd_init(content);

		r = read_key(&in, ret, reterr);
	}
	if (r == -EOPNOTSUPP)
		return r;
	/* 0x81...: persistent objects */
	if (r == 0 && ret->parent != TPM_RH_OWNER && ret->parent >> 24 != 0x81)
		return err_set(reterr, -EOPNOTSUPP,
			"TPM key file: the parent 0x%08x is neither a persistent key nor the owner",
			ret->parent);
	return r < 0 ? err_set(reterr, r, "TPM key file: malformed") : 0;
}
