/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Ports, MMIO and CPUID. Only files that never run on the host include this. */
#include "fw.h"

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t mmio_read32(uintptr_t address)
{
	return *(volatile const uint32_t *)address;
}
static inline void mmio_write32(uintptr_t address, uint32_t v)
{
	*(volatile uint32_t *)address = v;
}
static inline uint8_t mmio_read8(uintptr_t address)
{
	return *(volatile const uint8_t *)address;
}
static inline void mmio_write8(uintptr_t address, uint8_t v)
{
	*(volatile uint8_t *)address = v;
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(ret[0]), "=b"(ret[1]), "=c"(ret[2]), "=d"(ret[3])
			 : "a"(leaf), "c"(subleaf));
}
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}
#define compiler_barrier() __asm__ volatile("" ::: "memory")
