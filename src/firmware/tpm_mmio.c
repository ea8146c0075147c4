/* SPDX-License-Identifier: Apache-2.0 */
/* CRB and TIS at 0xfed40000, locality 0, by polling. */
#include "chipset.h"
#include "tpm.h"
#include "x86.h"

#define BASE 0xfed40000u
#define INTERFACE_ID (BASE + 0x30)
#define INTERFACE_TYPE_MASK 0xfu
#define INTERFACE_FIFO 0x0u
#define INTERFACE_CRB 0x1u
#define INTERFACE_TIS_13 0xfu

#define CRB_LOC_STATE (BASE + 0x00)
#define CRB_LOC_CTRL (BASE + 0x08)
#define CRB_REQ (BASE + 0x40)
#define CRB_STS (BASE + 0x44)
#define CRB_START (BASE + 0x4c)
#define CRB_CMD_SIZE (BASE + 0x58)
#define CRB_CMD_ADDR (BASE + 0x5c)
#define CRB_RSP_SIZE (BASE + 0x64)
#define CRB_RSP_ADDR (BASE + 0x68)
#define CRB_BUFFER (BASE + 0x80)
#define CRB_BUFFER_MAX 3968u
#define CRB_LOC_REQUEST 1u
#define CRB_LOC_RELINQUISH 2u
#define CRB_LOC_ASSIGNED 0x2u
#define CRB_REQ_READY 1u
#define CRB_REQ_IDLE 2u
#define CRB_STS_ERROR 1u

#define TIS_ACCESS (BASE + 0x00)
#define TIS_STS (BASE + 0x18)
#define TIS_FIFO (BASE + 0x24)
#define TIS_VENDOR (BASE + 0xf00)
#define TIS_ACCESS_VALID 0x80u
#define TIS_ACCESS_ACTIVE 0x20u
#define TIS_ACCESS_REQUEST 0x02u
#define TIS_STS_VALID 0x80u
#define TIS_STS_READY 0x40u
#define TIS_STS_GO 0x20u
#define TIS_STS_DATA 0x10u
#define TIS_STS_EXPECT 0x08u
#define TIS_STS_BURST_SHIFT 8
#define TIS_STS_BURST_MASK 0xffffu

#define HEADER_SIZE 10u
#define READY_TIMEOUT_MS 2000
#define COMMAND_TIMEOUT_MS 30000

static enum tpm_interface g_interface;

/* Waits until (register & mask) == want. */
static int wait32(uint32_t address, uint32_t mask, uint32_t want, uint32_t timeout_ms)
{
	if ((mmio_read32(address) & mask) == want)
		return 0;
	struct deadline end = deadline_start(timeout_ms);
	while ((mmio_read32(address) & mask) != want) {
		if (deadline_passed(&end))
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

static int wait8(uint32_t address, uint8_t mask, uint8_t want)
{
	struct deadline end = deadline_start(READY_TIMEOUT_MS);
	while ((mmio_read8(address) & mask) != want) {
		if (deadline_passed(&end))
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

/* The response header names the size; everything that follows is read only within it. */
static int response_size(const uint8_t *response, uint32_t *ret)
{
	uint32_t size = get_u32be(response + 2);
	if (size < HEADER_SIZE || size > TPM_RESPONSE_MAX)
		return -EBADMSG;
	*ret = size;
	return 0;
}

static void crb_read(uint32_t from, uint32_t to, uint8_t *dst)
{
	for (uint32_t i = from; i < to; i++)
		dst[i] = mmio_read8(CRB_BUFFER + i);
}

static int crb_transmit(
	const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *ret_size)
{
	mmio_write32(CRB_REQ, CRB_REQ_READY);
	int r = wait32(CRB_REQ, CRB_REQ_READY, 0, READY_TIMEOUT_MS);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < size; i++)
		mmio_write8(CRB_BUFFER + i, command[i]);
	mmio_write32(CRB_START, 1);
	r = wait32(CRB_START, 1, 0, COMMAND_TIMEOUT_MS);
	if (r < 0)
		return r;
	if (mmio_read32(CRB_STS) & CRB_STS_ERROR)
		return -EIO;
	crb_read(0, HEADER_SIZE, response);
	r = response_size(response, ret_size);
	if (r < 0)
		return r;
	crb_read(HEADER_SIZE, *ret_size, response);
	return 0;
}

static bool crb_open(void)
{
	mmio_write32(CRB_LOC_CTRL, CRB_LOC_REQUEST);
	if (wait32(CRB_LOC_STATE, CRB_LOC_ASSIGNED, CRB_LOC_ASSIGNED, READY_TIMEOUT_MS))
		return false;
	uint32_t command_size = mmio_read32(CRB_CMD_SIZE), size = mmio_read32(CRB_RSP_SIZE);
	/* Command and response must be in the register page: anywhere else would be our memory. */
	return mmio_read32(CRB_CMD_ADDR) == CRB_BUFFER && mmio_read32(CRB_RSP_ADDR) == CRB_BUFFER &&
	       command_size >= TPM_COMMAND_MAX && command_size <= CRB_BUFFER_MAX &&
	       size >= TPM_RESPONSE_MAX && size <= CRB_BUFFER_MAX;
}

/* Waits until the FIFO moves at least one byte, with @need set in the status; returns how many. */
static int tis_burst(uint32_t need, uint32_t *ret)
{
	struct deadline end = deadline_start(READY_TIMEOUT_MS);
	for (;;) {
		uint32_t status = mmio_read32(TIS_STS);
		*ret = status >> TIS_STS_BURST_SHIFT & TIS_STS_BURST_MASK;
		if ((status & need) == need && *ret > 0)
			return 0;
		if (deadline_passed(&end))
			return -ETIMEDOUT;
		cpu_relax();
	}
}

static int tis_write(const uint8_t *command, uint32_t size)
{
	for (uint32_t at = 0; at < size;) {
		/* Before the first byte the TPM expects nothing yet. */
		uint32_t burst, need = at > 0 ? TIS_STS_VALID | TIS_STS_EXPECT : 0;
		int r = tis_burst(need, &burst);
		if (r < 0)
			return r;
		for (uint32_t end = at + MIN(burst, size - at); at < end; at++)
			mmio_write8(TIS_FIFO, command[at]);
	}
	int r = wait8(TIS_STS, TIS_STS_VALID, TIS_STS_VALID);
	if (r < 0)
		return r;
	return mmio_read8(TIS_STS) & TIS_STS_EXPECT ? -EIO : 0;
}

static int tis_read(uint32_t from, uint32_t to, uint8_t *dst)
{
	for (uint32_t at = from; at < to;) {
		uint32_t burst;
		int r = tis_burst(TIS_STS_VALID | TIS_STS_DATA, &burst);
		if (r < 0)
			return r;
		for (uint32_t end = at + MIN(burst, to - at); at < end; at++)
			dst[at] = mmio_read8(TIS_FIFO);
	}
	return 0;
}

static int tis_transmit(
	const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *ret_size)
{
	mmio_write8(TIS_STS, TIS_STS_READY);
	int r = wait8(TIS_STS, TIS_STS_READY, TIS_STS_READY);
	if (r == 0)
		r = tis_write(command, size);
	if (r < 0)
		return r;
	mmio_write8(TIS_STS, TIS_STS_GO);
	r = wait32(TIS_STS, TIS_STS_VALID | TIS_STS_DATA, TIS_STS_VALID | TIS_STS_DATA,
		COMMAND_TIMEOUT_MS);
	if (r == 0)
		r = tis_read(0, HEADER_SIZE, response);
	if (r == 0)
		r = response_size(response, ret_size);
	if (r == 0)
		r = tis_read(HEADER_SIZE, *ret_size, response);
	mmio_write8(TIS_STS, TIS_STS_READY);
	return r;
}

static bool tis_open(void)
{
	/* Where there is no device, reads give zeroes or ones, by machine; zero looks like FIFO. */
	uint32_t vendor = mmio_read32(TIS_VENDOR);
	if (vendor == 0 || vendor == 0xffffffff)
		return false;
	mmio_write8(TIS_ACCESS, TIS_ACCESS_REQUEST);
	return wait8(TIS_ACCESS, TIS_ACCESS_VALID | TIS_ACCESS_ACTIVE,
		       TIS_ACCESS_VALID | TIS_ACCESS_ACTIVE) == 0;
}

enum tpm_interface tpm_open(void)
{
	uint32_t id = mmio_read32(INTERFACE_ID);
	uint32_t type = id & INTERFACE_TYPE_MASK;
	bool open = false;
	g_interface = TPM_NONE;
	if (id == 0xffffffff)
		return TPM_NONE;
	if (type == INTERFACE_CRB) {
		g_interface = TPM_CRB;
		open = crb_open();
	} else if (type == INTERFACE_FIFO || type == INTERFACE_TIS_13) {
		g_interface = TPM_TIS;
		open = tis_open();
	}
	if (!open)
		g_interface = TPM_NONE;
	return g_interface;
}

void tpm_close(void)
{
	if (g_interface == TPM_CRB) {
		mmio_write32(CRB_REQ, CRB_REQ_IDLE);
		mmio_write32(CRB_LOC_CTRL, CRB_LOC_RELINQUISH);
	} else if (g_interface == TPM_TIS) {
		mmio_write8(TIS_ACCESS, TIS_ACCESS_ACTIVE);
	}
	g_interface = TPM_NONE;
}

int tpm_transmit(const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *ret_size)
{
	if (g_interface == TPM_CRB)
		return crb_transmit(command, size, response, ret_size);
	if (g_interface == TPM_TIS)
		return tis_transmit(command, size, response, ret_size);
	return -EIO;
}
