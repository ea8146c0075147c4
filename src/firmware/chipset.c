/* SPDX-License-Identifier: Apache-2.0 */
#include "chipset.h"

#include "x86.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_DEVICE(device, function) (0x80000000u | (device) << 11 | (function) << 8)

#define HOST_BRIDGE PCI_DEVICE(0u, 0u)
#define HOST_BRIDGE_ID 0x29c08086u
#define HOST_PCIEXBAR 0x60
#define PCIEXBAR_ENABLE_256MB 0x1u

#define LPC PCI_DEVICE(0x1fu, 0u)
#define LPC_ID 0x29188086u
#define LPC_PMBASE 0x40
#define LPC_ACPI_CNTL 0x44
#define ACPI_ENABLE 0x80

#define PIIX4_PM PCI_DEVICE(1u, 3u)
#define PIIX4_PM_ID 0x71138086u
#define PIIX4_PMBA 0x40
#define PIIX4_PMREGMISC 0x80

#define PM_BASE 0x600
#define PM1A_CONTROL (PM_BASE + 4)
#define PM_TIMER (PM_BASE + 8)
#define PM_TIMER_MASK 0xffffffu
#define PM_TIMER_KHZ 3579u
#define SLEEP_ENABLE_S5 0x2000

static uint32_t pci_read(uint32_t device, uint32_t offset)
{
	outl(PCI_ADDRESS, device | offset);
	return inl(PCI_DATA);
}

static void pci_write(uint32_t device, uint32_t offset, uint32_t v)
{
	outl(PCI_ADDRESS, device | offset);
	outl(PCI_DATA, v);
}

int chipset_init(void)
{
	if (pci_read(HOST_BRIDGE, 0) != HOST_BRIDGE_ID || pci_read(LPC, 0) != LPC_ID)
		return -ENODEV;
	pci_write(LPC, LPC_PMBASE, PM_BASE | 1);
	outl(PCI_ADDRESS, LPC | LPC_ACPI_CNTL);
	outb(PCI_DATA, ACPI_ENABLE);
	pci_write(HOST_BRIDGE, HOST_PCIEXBAR, 0);
	pci_write(HOST_BRIDGE, HOST_PCIEXBAR + 4, 0);
	pci_write(HOST_BRIDGE, HOST_PCIEXBAR, CHIPSET_ECAM_BASE | PCIEXBAR_ENABLE_256MB);
	return 0;
}

/* The wrong machine must be able to stop too: `-M pc` has its power management in a PIIX4. */
static void piix4_power_off(void)
{
	if (pci_read(PIIX4_PM, 0) != PIIX4_PM_ID)
		return;
	pci_write(PIIX4_PM, PIIX4_PMBA, PM_BASE | 1);
	pci_write(PIIX4_PM, PIIX4_PMREGMISC, 1);
	outw(PM1A_CONTROL, SLEEP_ENABLE_S5);
}

noreturn_fn void chipset_power_off(void)
{
	outw(PM1A_CONTROL, SLEEP_ENABLE_S5);
	piix4_power_off();
	for (;;)
		__asm__ volatile("cli; hlt");
}

struct deadline deadline_start(uint32_t timeout_ms)
{
	return (struct deadline){
		inl(PM_TIMER) & PM_TIMER_MASK, (uint64_t)timeout_ms * PM_TIMER_KHZ};
}

bool deadline_passed(struct deadline *d)
{
	uint32_t now = inl(PM_TIMER) & PM_TIMER_MASK;
	uint32_t gone = (now - d->last) & PM_TIMER_MASK;
	d->last = now;
	d->ticks_left = gone >= d->ticks_left ? 0 : d->ticks_left - gone;
	return d->ticks_left == 0;
}
