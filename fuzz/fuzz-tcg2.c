/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier. Attacker: whoever sends evidence. Format: TCG event log, crypto-agile or
 * of TCG 1.2.
 * Property: a log that replays also renders, and both see the same number of events.
 */
#include "evidence/eventlog.h"
#include "fmt/tpm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bank(const uint8_t *data, size_t size, uint16_t alg)
{
	struct eventlog_registers regs;
	json_t *events = NULL;
	struct slice last;

	if (eventlog_replay(slice_of(data, size), alg, &regs, NULL) < 0)
		return;
	if (eventlog_to_json(slice_of(data, size), &events, NULL) < 0)
		__builtin_trap();
	for (uint32_t i = 0; i < EVENTLOG_REGISTERS; i++) {
		int r = eventlog_last_digest(slice_of(data, size), alg, i, &last, NULL);
		if ((r == 0) != ((regs.touched & 1U << i) != 0))
			__builtin_trap();
	}
	json_decref(events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_bank(data, size, TPM_ALG_SHA1);
	check_bank(data, size, TPM_ALG_SHA256);
	return 0;
}
