/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The few registers of Q35 and ICH9 that must be set before the ACPI tables are generated. */
#include "fw.h"

#define CHIPSET_ECAM_BASE 0xb0000000u
#define CHIPSET_ECAM_SIZE 0x10000000u

/**
 * chipset_init() - enable ACPI registers (PMBASE) and PCI configuration space (PCIEXBAR)
 *
 * QEMU writes its ACPI tables at the first read of them, from the state that it finds then: without
 * these two, FADT has no power management block and MCFG is missing.
 * Return: 0, -ENODEV (not a Q35 machine).
 */
must_check int chipset_init(void);

/** chipset_power_off() - S5; stops the CPU when the host ignores it */
noreturn_fn void chipset_power_off(void);

/* A deadline by the ACPI timer, which runs at 3.579545 MHz and wraps at 24 bits. */
struct deadline {
	uint32_t last;
	uint64_t ticks_left;
};
struct deadline deadline_start(uint32_t timeout_ms);
/** deadline_passed() - call at least every 4 seconds, or wraps go unnoticed (then it waits longer)
 */
bool deadline_passed(struct deadline *d);
