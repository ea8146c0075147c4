/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#define HEADER_SIZE 10u
#define ST_NO_SESSIONS 0x8001
#define ST_SESSIONS 0x8002
#define CC_HIERARCHY_CONTROL 0x121u
#define CC_STARTUP 0x144u
#define CC_GET_CAPABILITY 0x17au
#define CC_PCR_EXTEND 0x182u
#define CAP_PCRS 5u
#define RS_PW 0x40000009u
#define RH_PLATFORM 0x4000000cu
#define RC_RETRY 0x922u
#define RC_TESTING 0x90au
#define RETRY_MAX 100

struct command {
	uint8_t bytes[TPM_COMMAND_MAX];
	uint32_t size;
};

static void put(struct command *c, const void *data, uint32_t size)
{
	memcpy(c->bytes + c->size, data, size);
	c->size += size;
}

static void put8(struct command *c, uint8_t v)
{
	c->bytes[c->size++] = v;
}

static void put16(struct command *c, uint16_t v)
{
	put_u16be(c->bytes + c->size, v);
	c->size += 2;
}

static void put32(struct command *c, uint32_t v)
{
	put_u32be(c->bytes + c->size, v);
	c->size += 4;
}

static void start(struct command *c, uint16_t tag, uint32_t code)
{
	c->size = 0;
	put16(c, tag);
	put32(c, 0); /* the size, filled in by run() */
	put32(c, code);
}

/* A password session with an empty password. */
static void put_empty_auth(struct command *c)
{
	put32(c, 9);
	put32(c, RS_PW);
	put16(c, 0);
	put8(c, 0);
	put16(c, 0);
}

static int run(struct command *c, uint8_t *response, uint32_t *ret_size)
{
	put_u32be(c->bytes + 2, c->size);
	for (int i = 0; i < RETRY_MAX; i++) {
		int r = tpm_transmit(c->bytes, c->size, response, ret_size);
		if (r < 0)
			return r;
		uint32_t code = get_u32be(response + 6);
		if (code != RC_RETRY && code != RC_TESTING)
			return code > INT32_MAX ? -EBADMSG : (int)code;
	}
	return -ETIMEDOUT;
}

static int run_plain(struct command *c)
{
	static uint8_t response[TPM_RESPONSE_MAX];
	uint32_t size;
	return run(c, response, &size);
}

int tpm_startup(void)
{
	struct command c;
	start(&c, ST_NO_SESSIONS, CC_STARTUP);
	put16(&c, 0); /* TPM_SU_CLEAR */
	int r = run_plain(&c);
	/*
	 * Started already: by the TPM itself, or because the guest jumped back to us without a
	 * reset of the TPM. In that case its registers still hold the first boot, and no
	 * prediction matches them.
	 */
	return r == (int)TPM_RC_INITIALIZE ? 0 : r;
}

/* One TPMS_PCR_SELECTION: hash u16, size u8, that many bytes of bits. */
static int parse_bank(struct evlog_banks *ret, const uint8_t *p, uint8_t bits_size)
{
	uint16_t alg = get_u16be(p);
	bool any = false, all = bits_size >= TPM_PCR_NEEDED / 8;
	for (uint8_t i = 0; i < bits_size; i++) {
		any |= p[3 + i] != 0;
		all &= i >= TPM_PCR_NEEDED / 8 || p[3 + i] == 0xff;
	}
	if (!any)
		return 0;
	if (bank_digest_size(alg) == 0 || ret->count == EVLOG_BANK_MAX)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->alg[i] == alg)
			return -EBADMSG;
	if (alg == ALG_SHA256 && !all)
		return -ENODATA;
	ret->alg[ret->count++] = alg;
	return 0;
}

int tpm_parse_banks(struct evlog_banks *ret, const uint8_t *response, uint32_t size)
{
	/* After the header: moreData u8, capability u32, count u32. */
	ret->count = 0;
	if (size < HEADER_SIZE + 9 || get_u32be(response + HEADER_SIZE + 1) != CAP_PCRS)
		return -EBADMSG;
	uint32_t count = get_u32be(response + HEADER_SIZE + 5), at = HEADER_SIZE + 9;
	for (uint32_t i = 0; i < count; i++) {
		if (size - at < 3 || response[at + 2] > size - at - 3)
			return -EBADMSG;
		int r = parse_bank(ret, response + at, response[at + 2]);
		if (r < 0)
			return r;
		at += 3u + response[at + 2];
	}
	if (at != size)
		return -EBADMSG;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->alg[i] == ALG_SHA256)
			return 0;
	return -ENODATA;
}

int tpm_banks(struct evlog_banks *ret)
{
	static uint8_t response[TPM_RESPONSE_MAX];
	struct command c;
	uint32_t size;
	start(&c, ST_NO_SESSIONS, CC_GET_CAPABILITY);
	put32(&c, CAP_PCRS);
	put32(&c, 0);
	put32(&c, 1);
	int r = run(&c, response, &size);
	return r ? r : tpm_parse_banks(ret, response, size);
}

int tpm_extend(uint32_t pcr, const struct evlog_banks *banks, const struct evlog_digests *digests)
{
	struct command c;
	start(&c, ST_SESSIONS, CC_PCR_EXTEND);
	put32(&c, pcr);
	put_empty_auth(&c);
	put32(&c, (uint32_t)banks->count);
	for (size_t i = 0; i < banks->count; i++) {
		put16(&c, banks->alg[i]);
		put(&c, digests->value[i], (uint32_t)bank_digest_size(banks->alg[i]));
	}
	return run_plain(&c);
}

int tpm_disable_platform(void)
{
	struct command c;
	start(&c, ST_SESSIONS, CC_HIERARCHY_CONTROL);
	put32(&c, RH_PLATFORM);
	put_empty_auth(&c);
	put32(&c, RH_PLATFORM);
	put8(&c, 0);
	return run_plain(&c);
}
