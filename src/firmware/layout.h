/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Low memory while the firmware runs, for C and assembler alike; husk-fw.lds has the picture. */
#define PAGE_TABLES 0x1000
#define PAGE_TABLES_SIZE 0x6000
#define STACK_TOP 0x10000

#define SELECTOR_CODE32 0x08
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
