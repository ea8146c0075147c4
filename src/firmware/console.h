/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a person sees: the first serial port and QEMU's debug port. */
#include "fw.h"

/** console_text() - write to both ports; a newline becomes CR LF on the serial port */
void console_text(const char *text);

/** trace() - a progress mark on the debug port alone; nothing when the machine has no such port */
void trace(const char *text);

/**
 * refuse() - say why this guest does not boot, then power it off
 * @stage: short word for scripts, e.g. "tpm"
 * @why: sentence for a person, without a dot
 *
 * Writes "husk-fw: refused to boot: [stage] why". With a pvpanic device the host also gets a panic
 * event (QEMU: `-device pvpanic -action panic=exit-failure` makes that an exit code). Then S5. Does
 * not return, also when the host ignores the power-off.
 */
noreturn_fn void refuse(const char *stage, const char *why);
/** refuse_code() - the same with an errno value or TPM response code behind the sentence */
noreturn_fn void refuse_code(const char *stage, const char *why, uint32_t code);
