/* SPDX-License-Identifier: Apache-2.0 */
/* The barest init: one byte to the port that QEMU connects to the benchmark, then nothing. */
#include <sys/syscall.h>

void _start(void);
void _start(void)
{
	long r;
	/* iopl(3) */
	__asm__ volatile("syscall" : "=a"(r) : "a"(SYS_iopl), "D"(3L) : "rcx", "r11", "memory");
	if (r == 0)
		__asm__ volatile("outb %%al, %%dx" : : "a"('I'), "d"(0x403));
	for (;;)
		__asm__ volatile("syscall" : "=a"(r) : "a"(SYS_pause) : "rcx", "r11", "memory");
}
