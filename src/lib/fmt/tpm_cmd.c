/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tpm_cmd.h"

#include "fmt/tpm_cmd_internal.h"
#include "fmt/tpm_sign.h"

#define RS_PW 0x40000009U
#define RC_INITIALIZE 0x100U
#define RC_HANDLE_1 0x18BU /* TPM_RC_HANDLE for the first handle */
#define CAP_PCRS 0x00000005U

#define CC_EVICT_CONTROL 0x120U
#define CC_STARTUP 0x144U
#define CC_SHUTDOWN 0x145U
#define CC_QUOTE 0x158U
#define CC_FLUSH_CONTEXT 0x165U
#define CC_READ_PUBLIC 0x173U
#define CC_PCR_READ 0x17EU
#define CC_PCR_EXTEND 0x182U

void tpm_command_done(struct tpm_command *c)
{
	buf_done(&c->bytes);
	buf_done(&c->answer);
}

void tpm_begin(struct tpm_command *c, const char *name, uint16_t tag, uint32_t code)
{
	c->bytes = buf_init(TPM_MESSAGE_MAX);
	c->answer = buf_init(TPM_MESSAGE_MAX);
	c->name = name;
	buf_put_u16be(&c->bytes, tag);
	buf_put_u32be(&c->bytes, 0); /* size, patched in tpm_run() */
	buf_put_u32be(&c->bytes, code);
}

void tpm_put_auth(struct tpm_command *c, struct slice password)
{
	buf_put_u32be(&c->bytes, 9 + (uint32_t)password.size);
	buf_put_u32be(&c->bytes, RS_PW);
	buf_put_u16be(&c->bytes, 0);
	buf_put_u8(&c->bytes, 0);
	buf_put_u16be(&c->bytes, (uint16_t)password.size);
	buf_put_slice(&c->bytes, password);
}

static void put_empty_auth(struct tpm_command *c)
{
	tpm_put_auth(c, SLICE_EMPTY);
}

int tpm_malformed(const struct tpm_command *c, struct err *reterr)
{
	return err_set(reterr, -EPROTO, "malformed answer of the TPM to %s", c->name);
}

/* Sends, checks the header. @ret_code gets the TPM's response code; @ret the reader behind the
 * header. */
static int tpm_run(const struct tpm *t, struct tpm_command *c, uint32_t *ret_code, struct rd *ret,
	struct err *reterr)
{
	uint16_t tag;
	uint32_t size, code;

	if (buf_error(&c->bytes) < 0)
		return buf_error(&c->bytes);
	buf_patch_u32be(&c->bytes, 2, (uint32_t)c->bytes.size);
	int r = t->transmit(t->cookie, buf_slice(&c->bytes), &c->answer);
	if (r < 0)
		return err_set(reterr, r, "cannot talk to the TPM (%s): %s", c->name, strerror(-r));
	struct rd in = rd_init(buf_slice(&c->answer));
	if (rd_u16be(&in, &tag) < 0 || rd_u32be(&in, &size) < 0 || rd_u32be(&in, &code) < 0 ||
		size != c->answer.size)
		return tpm_malformed(c, reterr);
	*ret_code = code;
	*ret = in;
	return 0;
}

int tpm_run_ok(const struct tpm *t, struct tpm_command *c, struct rd *ret, struct err *reterr)
{
	uint32_t code = 0;
	int r = tpm_run(t, c, &code, ret, reterr);
	if (r == 0 && code != 0)
		return err_set(reterr, -EIO, "TPM refused %s with code 0x%03x", c->name, code);
	return r;
}

int tpm_startup(const struct tpm *t, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	uint32_t code = 0;

	tpm_begin(&c, "TPM2_Startup", TPM_ST_NO_SESSIONS, CC_STARTUP);
	buf_put_u16be(&c.bytes, 0);
	int r = tpm_run(t, &c, &code, &in, reterr);
	if (r == 0 && code != 0 && code != RC_INITIALIZE)
		return err_set(reterr, -EIO, "TPM refused %s with code 0x%03x", c.name, code);
	return r;
}

int tpm_shutdown(const struct tpm *t, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;

	tpm_begin(&c, "TPM2_Shutdown", TPM_ST_NO_SESSIONS, CC_SHUTDOWN);
	buf_put_u16be(&c.bytes, 0);
	return tpm_run_ok(t, &c, &in, reterr);
}

int tpm_pcr_banks(const struct tpm *t, uint16_t *ret_algs, size_t max, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	uint8_t more;
	uint32_t cap, count;
	size_t found = 0;

	tpm_begin(&c, "TPM2_GetCapability", TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	buf_put_u32be(&c.bytes, CAP_PCRS);
	buf_put_u32be(&c.bytes, 0);
	buf_put_u32be(&c.bytes, 1);
	int r = tpm_run_ok(t, &c, &in, reterr);
	if (r < 0)
		return r;
	if (rd_u8(&in, &more) < 0 || rd_u32be(&in, &cap) < 0 || cap != CAP_PCRS ||
		rd_u32be(&in, &count) < 0 || count > TPM_SELECTIONS_MAX)
		return tpm_malformed(&c, reterr);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t alg;
		uint8_t size, any = 0;
		struct slice mask;
		if (rd_u16be(&in, &alg) < 0 || rd_u8(&in, &size) < 0 ||
			rd_slice(&in, size, &mask) < 0)
			return tpm_malformed(&c, reterr);
		for (size_t b = 0; b < mask.size; b++)
			any |= mask.data[b];
		if (any == 0)
			continue; /* the bank exists but holds no PCR */
		if (found == max)
			return err_set(reterr, -E2BIG, "TPM has more than %zu PCR banks", max);
		ret_algs[found++] = alg;
	}
	return (int)found;
}

static void put_selection(struct buf *b, uint16_t alg, uint32_t mask)
{
	buf_put_u32be(b, 1);
	buf_put_u16be(b, alg);
	buf_put_u8(b, 3);
	for (unsigned i = 0; i < 3; i++)
		buf_put_u8(b, (uint8_t)(mask >> (8 * i)));
}

int tpm_pcr_read(const struct tpm *t, uint16_t alg, unsigned pcr, uint8_t *ret, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	uint32_t updates, selections, digests;
	uint16_t hash, size;
	uint8_t mask_size;

	if (pcr >= TPM_PCR_COUNT || tpm_alg_digest_size(alg) == 0)
		return -EINVAL;
	tpm_begin(&c, "TPM2_PCR_Read", TPM_ST_NO_SESSIONS, CC_PCR_READ);
	put_selection(&c.bytes, alg, 1U << pcr);
	int r = tpm_run_ok(t, &c, &in, reterr);
	if (r < 0)
		return r;
	if (rd_u32be(&in, &updates) < 0 || rd_u32be(&in, &selections) < 0 || selections != 1 ||
		rd_u16be(&in, &hash) < 0 || hash != alg || rd_u8(&in, &mask_size) < 0 ||
		rd_skip(&in, mask_size) < 0 || rd_u32be(&in, &digests) < 0)
		return tpm_malformed(&c, reterr);
	if (digests == 0)
		return err_set(reterr, -EIO, "TPM has no PCR %u in bank 0x%04x", pcr, alg);
	if (rd_u16be(&in, &size) < 0 || size != tpm_alg_digest_size(alg) ||
		rd_copy(&in, ret, size) < 0)
		return tpm_malformed(&c, reterr);
	return 0;
}

/* One answer of PCR_Read: which registers it holds, then their values in ascending order. */
static int take_pcrs(struct tpm_command *c, struct rd *in, uint16_t alg, uint32_t wanted,
	uint8_t *ret, uint32_t *ret_got, struct err *reterr)
{
	const size_t size = tpm_alg_digest_size(alg);
	uint32_t updates, selections, digests, got = 0, left;
	uint16_t hash, digest_size;
	uint8_t mask_size, byte;
	if (rd_u32be(in, &updates) < 0 || rd_u32be(in, &selections) < 0 || selections != 1 ||
		rd_u16be(in, &hash) < 0 || hash != alg || rd_u8(in, &mask_size) < 0 ||
		mask_size > 4)
		return tpm_malformed(c, reterr);
	for (unsigned i = 0; i < mask_size; i++) {
		if (rd_u8(in, &byte) < 0)
			return tpm_malformed(c, reterr);
		got |= (uint32_t)byte << (8 * i);
	}
	if ((got & ~wanted) != 0 || rd_u32be(in, &digests) < 0 ||
		digests != (uint32_t)__builtin_popcount(got))
		return tpm_malformed(c, reterr);
	for (left = got; left != 0; left &= left - 1) {
		unsigned pcr = (unsigned)__builtin_ctz(left);
		if (rd_u16be(in, &digest_size) < 0 || digest_size != size ||
			rd_copy(in, ret + pcr * size, size) < 0)
			return tpm_malformed(c, reterr);
	}
	*ret_got = got;
	return 0;
}

int tpm_pcr_read_all(const struct tpm *t, uint16_t alg, uint8_t *ret, struct err *reterr)
{
	uint32_t wanted = (1U << TPM_PCR_COUNT) - 1;
	if (tpm_alg_digest_size(alg) == 0)
		return -EINVAL;
	while (wanted != 0) {
		cleanup_with(tpm_command_done) struct tpm_command c = {0};
		struct rd in;
		uint32_t got = 0;
		tpm_begin(&c, "TPM2_PCR_Read", TPM_ST_NO_SESSIONS, CC_PCR_READ);
		put_selection(&c.bytes, alg, wanted);
		int r = tpm_run_ok(t, &c, &in, reterr);
		if (r == 0)
			r = take_pcrs(&c, &in, alg, wanted, ret, &got, reterr);
		if (r < 0)
			return r;
		/* An answer without a new register would make this loop for ever. */
		if (got == 0)
			return err_set(
				reterr, -EIO, "TPM does not have all PCRs in bank 0x%04x", alg);
		wanted &= ~got;
	}
	return 0;
}

int tpm_pcr_extend(const struct tpm *t, unsigned pcr, const struct tpm_digest *digests,
	size_t count, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;

	if (pcr >= TPM_PCR_COUNT || count == 0)
		return -EINVAL;
	tpm_begin(&c, "TPM2_PCR_Extend", TPM_ST_SESSIONS, CC_PCR_EXTEND);
	buf_put_u32be(&c.bytes, pcr);
	put_empty_auth(&c);
	buf_put_u32be(&c.bytes, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		size_t size = tpm_alg_digest_size(digests[i].alg);
		if (size == 0)
			return -EINVAL;
		buf_put_u16be(&c.bytes, digests[i].alg);
		buf_put(&c.bytes, digests[i].bytes, size);
	}
	return tpm_run_ok(t, &c, &in, reterr);
}

int tpm_read_public(const struct tpm *t, uint32_t handle, struct buf *out, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	uint32_t code = 0;
	uint16_t size;
	struct slice area;

	tpm_begin(&c, "TPM2_ReadPublic", TPM_ST_NO_SESSIONS, CC_READ_PUBLIC);
	buf_put_u32be(&c.bytes, handle);
	int r = tpm_run(t, &c, &code, &in, reterr);
	if (r < 0)
		return r;
	if (code == RC_HANDLE_1)
		return err_set(reterr, -ENOENT, "TPM has no key at handle 0x%08x", handle);
	if (code != 0)
		return err_set(reterr, -EIO, "TPM refused %s with code 0x%03x", c.name, code);
	if (rd_u16be(&in, &size) < 0 || rd_slice(&in, size, &area) < 0)
		return tpm_malformed(&c, reterr);
	buf_put_slice(out, area);
	return buf_error(out);
}

static void put_ak_template(struct buf *b)
{
	size_t at = b->size;
	buf_put_u16be(b, 0);
	buf_put_u16be(b, TPM_ALG_RSA);
	buf_put_u16be(b, TPM_ALG_SHA256);
	buf_put_u32be(b, TPM_ATTR_FIXED_TPM | TPM_ATTR_FIXED_PARENT | TPM_ATTR_SENSITIVE_ORIGIN |
				 TPM_ATTR_USER_WITH_AUTH | TPM_ATTR_NODA | TPM_ATTR_RESTRICTED |
				 TPM_ATTR_SIGN);
	buf_put_u16be(b, 0); /* no policy */
	buf_put_u16be(b, TPM_ALG_NULL);
	buf_put_u16be(b, TPM_ALG_RSASSA);
	buf_put_u16be(b, TPM_ALG_SHA256);
	buf_put_u16be(b, 2048);
	buf_put_u32be(b, 0);
	buf_put_u16be(b, 0); /* unique */
	buf_patch_u16be(b, at, (uint16_t)(b->size - at - 2));
}

int tpm_create_primary(const struct tpm *t, void (*put_template)(struct buf *),
	uint32_t *ret_handle, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;

	tpm_begin(&c, "TPM2_CreatePrimary", TPM_ST_SESSIONS, TPM_CC_CREATE_PRIMARY);
	buf_put_u32be(&c.bytes, TPM_RH_OWNER);
	put_empty_auth(&c);
	buf_put_u16be(&c.bytes, 4); /* inSensitive: empty auth, no data */
	buf_put_u16be(&c.bytes, 0);
	buf_put_u16be(&c.bytes, 0);
	put_template(&c.bytes);
	buf_put_u16be(&c.bytes, 0); /* outsideInfo */
	buf_put_u32be(&c.bytes, 0); /* creationPCR */
	int r = tpm_run_ok(t, &c, &in, reterr);
	return r < 0 ? r : rd_u32be(&in, ret_handle) < 0 ? tpm_malformed(&c, reterr) : 0;
}

static int evict(const struct tpm *t, uint32_t object, uint32_t persistent, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;

	tpm_begin(&c, "TPM2_EvictControl", TPM_ST_SESSIONS, CC_EVICT_CONTROL);
	buf_put_u32be(&c.bytes, TPM_RH_OWNER);
	buf_put_u32be(&c.bytes, object);
	put_empty_auth(&c);
	buf_put_u32be(&c.bytes, persistent);
	return tpm_run_ok(t, &c, &in, reterr);
}

int tpm_flush(const struct tpm *t, uint32_t handle, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;

	tpm_begin(&c, "TPM2_FlushContext", TPM_ST_NO_SESSIONS, CC_FLUSH_CONTEXT);
	buf_put_u32be(&c.bytes, handle);
	return tpm_run_ok(t, &c, &in, reterr);
}

int tpm_create_ak(const struct tpm *t, uint32_t handle, struct err *reterr)
{
	cleanup_with(buf_done) struct buf old = buf_init(TPM_MESSAGE_MAX);
	uint32_t made;

	int r = tpm_read_public(t, handle, &old, reterr);
	if (r == 0)
		r = evict(t, handle, handle, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	r = tpm_create_primary(t, put_ak_template, &made, reterr);
	if (r < 0)
		return r;
	r = evict(t, made, handle, reterr);
	int f = tpm_flush(t, made, r < 0 ? NULL : reterr);
	return r < 0 ? r : f;
}

int tpm_quote(const struct tpm *t, uint32_t handle, struct slice nonce, struct buf *attest,
	struct buf *signature, struct err *reterr)
{
	cleanup_with(tpm_command_done) struct tpm_command c = {0};
	struct rd in;
	uint32_t param_size;
	uint16_t size;
	struct slice params, area;

	if (nonce.size > 64)
		return -EINVAL;
	tpm_begin(&c, "TPM2_Quote", TPM_ST_SESSIONS, CC_QUOTE);
	buf_put_u32be(&c.bytes, handle);
	put_empty_auth(&c);
	buf_put_u16be(&c.bytes, (uint16_t)nonce.size);
	buf_put_slice(&c.bytes, nonce);
	buf_put_u16be(&c.bytes, TPM_ALG_NULL); /* the key's scheme */
	put_selection(&c.bytes, TPM_ALG_SHA256, (1U << TPM_PCR_COUNT) - 1);
	int r = tpm_run_ok(t, &c, &in, reterr);
	if (r < 0)
		return r;
	if (rd_u32be(&in, &param_size) < 0 || rd_slice(&in, param_size, &params) < 0)
		return tpm_malformed(&c, reterr);
	struct rd p = rd_init(params);
	if (rd_u16be(&p, &size) < 0 || rd_slice(&p, size, &area) < 0)
		return tpm_malformed(&c, reterr);
	buf_put_slice(attest, area);
	buf_put_slice(signature, rd_rest(&p));
	return buf_error(attest) < 0 ? buf_error(attest) : buf_error(signature);
}
