/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Expected measurements of a guest, computed off-line from the files it boots from.
 *
 * Spec: docs/protocol/measured-boot.md. The firmware extends PCR 0 with its version, its image and
 * a separator, PCR 8 with the command line, PCR 9 with the kernel and then the initrd. The guest
 * agent then extends PCR 8 with the initdata digest. All of it in the SHA-256 bank.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

#define MEASURE_DIGEST_SIZE 32
#define MEASURE_EVENT_MAX 8
#define MEASURE_FIRMWARE_SIZE ((size_t)65536) /* the flash image has exactly this size */
#define MEASURE_INITDATA_MAX ((size_t)1 << 20)
#define MEASURE_CMDLINE_MAX ((size_t)4095)

/* Which input an event comes from. */
enum measure_source {
	MEASURE_FIRMWARE_VERSION,
	MEASURE_FIRMWARE,
	MEASURE_SEPARATOR,
	MEASURE_CMDLINE,
	MEASURE_KERNEL,
	MEASURE_INITRD,
	MEASURE_INITDATA,
};

/**
 * struct measure_input - what a guest is made of; all slices are borrowed
 * @firmware: the whole husk-fw.bin
 * @kernel: the whole bzImage file
 * @initrd: empty when the guest has none (then there is no event for it)
 * @cmdline: the text after -append, without a NUL; may be empty (the empty text is measured)
 * @initdata: the raw bytes; empty when the guest gets none (then there is no event for it)
 */
struct measure_input {
	struct slice firmware;
	struct slice kernel;
	struct slice initrd;
	struct slice cmdline;
	struct slice initdata;
};

/**
 * struct measure_event - one extend operation
 * @pcr: 0, 8 or 9
 * @type: TCG event type (EV_IPL, ...); the event of the guest agent is an EV_EVENT_TAG
 * @digest: what the register is extended with
 */
struct measure_event {
	unsigned pcr;
	uint32_t type;
	enum measure_source source;
	uint8_t digest[MEASURE_DIGEST_SIZE];
};

/**
 * struct measurement - the expected registers, with the events in the order of the boot
 * @pcr8_boot: PCR 8 as the firmware leaves it, before the agent adds the initdata digest
 */
struct measurement {
	uint8_t pcr0[MEASURE_DIGEST_SIZE];
	uint8_t pcr8[MEASURE_DIGEST_SIZE];
	uint8_t pcr8_boot[MEASURE_DIGEST_SIZE];
	uint8_t pcr9[MEASURE_DIGEST_SIZE];
	struct measure_event events[MEASURE_EVENT_MAX];
	size_t event_count;
};

/**
 * measure_guest() - compute the registers of a guest
 * @in: the inputs
 * @ret: filled on success only
 * @reterr: names the input at fault in its field
 *
 * Return: 0, -EBADMSG (firmware is not a husk-fw image, kernel is no bzImage, NUL in the command
 * line), -E2BIG (over a limit above), -EIO (crypto library).
 */
must_check int measure_guest(
	const struct measure_input *in, struct measurement *ret, struct err *reterr);

/**
 * measure_kernel() - the canonical digest of a bzImage
 * @kernel: the whole file
 * @ret: SHA-256 of the file with the fields that a boot loader may write set to zero
 *
 * It is not the digest of the file: QEMU writes into the setup header before the firmware sees it.
 * Return: 0, -EBADMSG, -EIO.
 */
must_check int measure_kernel(
	struct slice kernel, uint8_t ret[MEASURE_DIGEST_SIZE], struct err *reterr);

/**
 * measure_firmware_version() - the version event of a firmware image
 * @firmware: the whole image
 * @ret: the bytes that the firmware measures, borrowed from @firmware
 *
 * Return: 0, -EBADMSG (size, no GUIDed table at its end, or no husk entry in it).
 */
must_check int measure_firmware_version(
	struct slice firmware, struct slice *ret, struct err *reterr);

/**
 * measure_to_json() - {"algorithm", "registers": {"pcr00": hex...}, "events": [{pcr, source, type,
 * digest}...]}: which register comes from which input
 *
 * Return: 0 with a new reference in @ret, -ENOMEM.
 */
must_check int measure_to_json(const struct measurement *m, json_t **ret);

/**
 * measure_reference_values() - {"tpm_pcr00": [hex], "tpm_pcr08": [hex], "tpm_pcr09": [hex]}: what
 * an operator registers
 *
 * Return: 0 with a new reference in @ret, -ENOMEM.
 */
must_check int measure_reference_values(const struct measurement *m, json_t **ret);
