/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * TCG event logs. Spec: TCG PC Client Platform Firmware Profile 1.06, section 10. Crypto-agile logs
 * have a TCG_PCR_EVENT as the first record, which lists the algorithms, then TCG_PCR_EVENT2; all is
 * little-endian. The same form, with register numbers of the TEE, is used by CCEL (TDX) and by the
 * agent's runtime events. Logs of TCG 1.2 are TCG_PCR_EVENT throughout: one SHA-1 digest an event.
 */
#include "base/buf.h"
#include "base/rd.h"

#define TCG2_EV_NO_ACTION 0x00000003U
#define TCG2_EV_SEPARATOR 0x00000004U
#define TCG2_EV_EVENT_TAG 0x00000006U
#define TCG2_EV_S_CRTM_VERSION 0x00000008U
#define TCG2_EV_IPL 0x0000000DU

#define TCG2_ALGS_MAX 8
#define TCG2_EVENTS_MAX 8192
#define TCG2_SIZE_MAX ((size_t)4 << 20)

/** struct tcg2_alg - a digest algorithm of the log's header: TPM algorithm id and digest size */
struct tcg2_alg {
	uint16_t id;
	uint16_t size;
};

struct tcg2_digest {
	uint16_t alg;
	struct slice bytes;
};

/** struct tcg2_event - views into the log */
struct tcg2_event {
	uint32_t index; /* PCR, or register number of the TEE */
	uint32_t type;
	size_t digest_count;
	struct tcg2_digest digests[TCG2_ALGS_MAX];
	struct slice data;
	size_t offset; /* of the record in the log */
};

/** struct tcg2_reader - walks a log; initialise with tcg2_open() */
struct tcg2_reader {
	struct rd in;
	bool is_tcg12;
	size_t alg_count;
	struct tcg2_alg algs[TCG2_ALGS_MAX];
	uint8_t startup_locality; /* initial value of PCR 0 (StartupLocality event), 0 when not
				     given */
	size_t count;
};

/**
 * tcg2_open() - read the header record; a log of TCG 1.2 has none
 * Return: 0, -ENODATA, -EBADMSG (a later version than Spec ID Event03), -E2BIG.
 */
must_check int tcg2_open(struct slice log, struct tcg2_reader *ret, struct err *reterr);
/**
 * tcg2_next() - the next record
 *
 * Return: 1 with an event; 0 at the end: no bytes left, or eight bytes of 0x00 or 0xFF (padding of
 * firmware); -ENODATA, -EBADMSG (digest not listed in the header, or twice), -E2BIG.
 */
must_check int tcg2_next(struct tcg2_reader *r, struct tcg2_event *ret, struct err *reterr);
/** tcg2_event_digest() - digest of @alg, empty when the event has none */
struct slice tcg2_event_digest(const struct tcg2_event *e, uint16_t alg);

/** tcg2_put_header() - first record of a new log with these algorithms */
void tcg2_put_header(struct buf *log, const struct tcg2_alg *algs, size_t count);
/** tcg2_put_event() - append a record */
void tcg2_put_event(struct buf *log, uint32_t index, uint32_t type,
	const struct tcg2_digest *digests, size_t count, struct slice data);
/** tcg2_type_name() - "EV_SEPARATOR" and so on; NULL when the type is unknown */
const char *tcg2_type_name(uint32_t type);
