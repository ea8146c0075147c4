/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The CPU time of this process: rates do not depend on what else the machine does. */
#include <stdint.h>
#include <time.h>

static inline uint64_t cpu_ms(void)
{
	struct timespec t = {0};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
