/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The TCG2 crypto-agile event log. Pure code. Spec: TCG PC Client Platform Firmware Profile 1.05,
 * sections 10.2.1 (TCG_PCR_EVENT2) and 10.4.5.1 (Specification ID Version event).
 */
#include "fw.h"
#include "hash.h"

#define EVLOG_SIZE_MAX 32768u
#define EVLOG_BANK_MAX 5

#define EV_NO_ACTION 0x3u
#define EV_SEPARATOR 0x4u
#define EV_S_CRTM_VERSION 0x8u
#define EV_PLATFORM_CONFIG_FLAGS 0xau
#define EV_IPL 0xdu
#define EV_EFI_PLATFORM_FIRMWARE_BLOB 0x80000008u

/* The active PCR banks, in the order of the TPM. */
struct evlog_banks {
	uint16_t alg[EVLOG_BANK_MAX];
	size_t count;
};

/* The digests of one event, one a bank. */
struct evlog_digests {
	uint8_t value[EVLOG_BANK_MAX][FW_HASH_SIZE_MAX];
};

struct evlog {
	struct evlog_banks banks;
	uint32_t size;
	uint8_t bytes[EVLOG_SIZE_MAX];
};

/** evlog_start() - empty log with its header event. Return: 0, -EOPNOTSUPP (unknown bank), -E2BIG.
 */
must_check int evlog_start(struct evlog *l, const struct evlog_banks *banks);
/** evlog_add() - append one event; the log is unchanged on failure. Return: 0, -E2BIG. */
must_check int evlog_add(struct evlog *l, uint32_t pcr, uint32_t type,
	const struct evlog_digests *digests, const void *event, uint32_t event_size);
/** evlog_digest_data() - digests of an event whose data is short: H(@data) in each bank */
void evlog_digest_data(
	const struct evlog_banks *banks, const void *data, size_t size, struct evlog_digests *ret);
/**
 * evlog_digest_sha256() - digests of an event whose data is long: the SHA-256 bank gets @sha256,
 * the others H(@sha256), so that the long data is only read once
 */
void evlog_digest_sha256(const struct evlog_banks *banks, const uint8_t sha256[SHA256_SIZE],
	struct evlog_digests *ret);
