/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Replay of event logs and their rendering into claims. */
#include <jansson.h>

#include "crypto/hash.h"
#include "fmt/tcg2.h"

#define EVENTLOG_REGISTERS 24

/** struct eventlog_registers - state after a replay; @touched: bit n when register n was extended
 */
struct eventlog_registers {
	enum hash_alg alg;
	struct digest values[EVENTLOG_REGISTERS];
	uint32_t touched;
};

/**
 * eventlog_replay() - extend registers with the digests of one algorithm
 * @log: whole log
 * @tpm_alg: TPM algorithm id of the digests, e.g. TPM_ALG_SHA256
 *
 * EV_NO_ACTION is not extended; a StartupLocality event sets where PCR 0 starts.
 * Return: 0, -EOPNOTSUPP (algorithm), -EBADMSG (an event without that digest, register number past
 * 23), and what the reader returns.
 */
must_check int eventlog_replay(
	struct slice log, uint16_t tpm_alg, struct eventlog_registers *ret, struct err *reterr);

/**
 * eventlog_last_digest() - digest of the last extending event of register @index
 * Return: 0, -ENOENT (no event), -EBADMSG and others as above. The slice borrows from @log.
 */
must_check int eventlog_last_digest(
	struct slice log, uint16_t tpm_alg, uint32_t index, struct slice *ret, struct err *reterr);

/**
 * eventlog_check_data() - events whose digest is by specification that of their data must have it:
 * separators, EFI actions, variables of the driver configuration and of the authority. A replay
 * does not see their data, and claims show it. The digest of a variable of the authority may leave
 * out the last byte, when it lies behind the variable; in logs of TCG 1.2 it may be of a variable's
 * value alone. Return: 0, -EKEYREJECTED with the event's offset,
 * and what the reader returns.
 */
must_check int eventlog_check_data(struct slice log, struct err *reterr);

/**
 * eventlog_to_json() - the claim `uefi_event_logs`: array of {details, digest_matches_event,
 * digests, event, index, type_name}, members in this order, as Trustee renders it
 * Return: 0 with a new reference, or as the reader.
 */
must_check int eventlog_to_json(struct slice log, json_t **ret, struct err *reterr);
