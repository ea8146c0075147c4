/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A guest built with AddressSanitizer: what a sanitizer finds is written to the console, where the
 * host's tests look for it, and each program looks for leaks at its end. In a release build nothing
 * of this exists.
 */
#include "guest/agent/agent.h"

#if WITH_SANITIZER
/** sanitized_start() - this program's findings go to the console from now on */
void sanitized_start(void);
/** sanitized_end() - before the power-off: let aa and image end, then look for leaks of PID 1 */
void sanitized_end(const struct agent *a);
#else
static inline void sanitized_start(void)
{
}
static inline void sanitized_end(const struct agent *a)
{
}
#endif
