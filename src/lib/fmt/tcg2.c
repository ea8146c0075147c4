/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tcg2.h"

#include "base/str.h"
#include "fmt/tpm.h"

#define SPEC_ID "Spec ID Event03"
#define SPEC_ID_ANY "Spec ID Event"
#define STARTUP_LOCALITY "StartupLocality"

static int cut_short(const struct rd *r, const char *field, struct err *reterr)
{
	return err_at(reterr, -ENODATA, rd_pos(r), field, "event log is cut short in %s", field);
}

/* TCG_EfiSpecIDEventStruct */
static int parse_spec_id(struct slice data, struct tcg2_reader *t, struct err *reterr)
{
	struct rd r = rd_init(data);
	struct slice signature;
	uint32_t class, count;
	uint8_t minor, major, errata, uintn, vendor;

	if (rd_slice(&r, 16, &signature) < 0 || rd_u32le(&r, &class) < 0 || rd_u8(&r, &minor) < 0 ||
		rd_u8(&r, &major) < 0 || rd_u8(&r, &errata) < 0 || rd_u8(&r, &uintn) < 0 ||
		rd_u32le(&r, &count) < 0)
		return cut_short(&r, "the Spec ID event", reterr);
	if (!slice_eq(signature, slice_of(SPEC_ID, sizeof(SPEC_ID))))
		return err_at(reterr, -EBADMSG, 0, "signature",
			"event log does not start with a \"" SPEC_ID "\" record");
	if (count == 0 || count > TCG2_ALGS_MAX)
		return err_at(reterr, -E2BIG, 0, "numberOfAlgorithms",
			"event log lists %u digest algorithms (1 to %d are possible)", count,
			TCG2_ALGS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct tcg2_alg *a = &t->algs[i];
		if (rd_u16le(&r, &a->id) < 0 || rd_u16le(&r, &a->size) < 0)
			return cut_short(&r, "the Spec ID event", reterr);
		size_t known = tpm_alg_digest_size(a->id);
		if (a->size == 0 || a->size > 64 || (known && known != a->size))
			return err_at(reterr, -EBADMSG, rd_pos(&r), "digestSize",
				"event log gives algorithm %04x a digest of %u bytes", a->id,
				a->size);
		for (uint32_t k = 0; k < i; k++) {
			if (t->algs[k].id == a->id)
				return err_at(reterr, -EBADMSG, rd_pos(&r), "algorithmId",
					"event log lists algorithm %04x twice", a->id);
		}
	}
	/*
	 * The vendor information may be absent. Where its size says more than the event holds, the
	 * event's own size left it out, and it follows the event.
	 */
	if (rd_u8(&r, &vendor) == 0 && rd_skip(&r, vendor) < 0 &&
		rd_skip(&t->in, vendor - rd_left(&r)) < 0)
		return cut_short(&r, "the vendor information", reterr);
	t->alg_count = count;
	return 0;
}

/* Whether the first record is the header of a crypto-agile log, be it of a later version. */
static bool is_agile(struct slice data)
{
	const size_t version = sizeof(SPEC_ID_ANY) - 1;

	if (!slice_starts(data, SLICE_LIT(SPEC_ID_ANY)) || data.size < version + 3)
		return false;
	return !slice_eq(slice_cut(data, version, 3), SLICE_LIT("00\0")) &&
	       !slice_eq(slice_cut(data, version, 3), SLICE_LIT("02\0"));
}

int tcg2_open(struct slice log, struct tcg2_reader *ret, struct err *reterr)
{
	struct tcg2_reader t = {.in = rd_init(log)};
	uint32_t index, type, size;
	struct slice data;

	if (log.size > TCG2_SIZE_MAX)
		return err_set(reterr, -E2BIG, "event log is larger than %zu bytes", TCG2_SIZE_MAX);
	if (rd_u32le(&t.in, &index) < 0 || rd_u32le(&t.in, &type) < 0 || rd_skip(&t.in, 20) < 0 ||
		rd_u32le(&t.in, &size) < 0)
		return cut_short(&t.in, "its header", reterr);
	if (rd_slice(&t.in, size, &data) < 0)
		return cut_short(&t.in, "its first event", reterr);
	int r = 0;
	if (type == TCG2_EV_NO_ACTION && is_agile(data))
		r = parse_spec_id(data, &t, reterr);
	else
		t = (struct tcg2_reader){.in = rd_init(log),
			.is_tcg12 = true,
			.alg_count = 1,
			.algs = {{TPM_ALG_SHA1, 20}}};
	if (r == 0)
		*ret = t;
	return r;
}

static bool at_padding(const struct rd *r)
{
	struct slice s = slice_cut(r->in, rd_pos(r), 8);
	if (s.size < 8 || (s.data[0] != 0x00 && s.data[0] != 0xFF))
		return false;
	for (size_t i = 1; i < 8; i++) {
		if (s.data[i] != s.data[0])
			return false;
	}
	return true;
}

static const struct tcg2_alg *find_alg(const struct tcg2_reader *t, uint16_t id)
{
	for (size_t i = 0; i < t->alg_count; i++) {
		if (t->algs[i].id == id)
			return &t->algs[i];
	}
	return NULL;
}

static int parse_digests(struct tcg2_reader *t, struct tcg2_event *e, struct err *reterr)
{
	uint32_t count;

	if (t->is_tcg12) {
		e->digest_count = 1;
		e->digests[0].alg = TPM_ALG_SHA1;
		return rd_slice(&t->in, 20, &e->digests[0].bytes) < 0
			       ? cut_short(&t->in, "a digest", reterr)
			       : 0;
	}
	if (rd_u32le(&t->in, &count) < 0)
		return cut_short(&t->in, "digestCount", reterr);
	if (count > t->alg_count)
		return err_at(reterr, -EBADMSG, rd_pos(&t->in), "digestCount",
			"event has %u digests but the log lists %zu algorithms", count,
			t->alg_count);
	for (uint32_t i = 0; i < count; i++) {
		struct tcg2_digest *d = &e->digests[i];
		if (rd_u16le(&t->in, &d->alg) < 0)
			return cut_short(&t->in, "a digest", reterr);
		const struct tcg2_alg *alg = find_alg(t, d->alg);
		if (!alg || tcg2_event_digest(e, d->alg).size > 0)
			return err_at(reterr, -EBADMSG, rd_pos(&t->in), "hashAlg",
				"event has a digest of algorithm %04x that the log does not list, "
				"or twice",
				d->alg);
		if (rd_slice(&t->in, alg->size, &d->bytes) < 0)
			return cut_short(&t->in, "a digest", reterr);
		e->digest_count = i + 1;
	}
	return 0;
}

/* "StartupLocality\0" and one byte: PCR 0 starts at that value instead of zero. */
static void note_locality(struct tcg2_reader *t, const struct tcg2_event *e)
{
	struct slice name = slice_of(STARTUP_LOCALITY, sizeof(STARTUP_LOCALITY));
	if (e->type == TCG2_EV_NO_ACTION && e->index == 0 && e->data.size == name.size + 1 &&
		slice_starts(e->data, name))
		t->startup_locality = e->data.data[name.size];
}

int tcg2_next(struct tcg2_reader *t, struct tcg2_event *ret, struct err *reterr)
{
	struct tcg2_event e = {.offset = rd_pos(&t->in)};
	uint32_t size;

	if (rd_end(&t->in) || at_padding(&t->in))
		return 0;
	if (t->count == TCG2_EVENTS_MAX)
		return err_at(reterr, -E2BIG, e.offset, NULL, "event log has more than %d events",
			TCG2_EVENTS_MAX);
	if (rd_u32le(&t->in, &e.index) < 0 || rd_u32le(&t->in, &e.type) < 0)
		return cut_short(&t->in, "an event header", reterr);
	int r = parse_digests(t, &e, reterr);
	if (r < 0)
		return r;
	if (rd_u32le(&t->in, &size) < 0)
		return cut_short(&t->in, "eventSize", reterr);
	if (rd_slice(&t->in, size, &e.data) < 0)
		return err_at(reterr, -ENODATA, rd_pos(&t->in), "eventSize",
			"event of %u bytes points past the end of the log", size);
	note_locality(t, &e);
	t->count++;
	*ret = e;
	return 1;
}

struct slice tcg2_event_digest(const struct tcg2_event *e, uint16_t alg)
{
	for (size_t i = 0; i < e->digest_count; i++) {
		if (e->digests[i].alg == alg)
			return e->digests[i].bytes;
	}
	return SLICE_EMPTY;
}

void tcg2_put_header(struct buf *log, const struct tcg2_alg *algs, size_t count)
{
	buf_put_u32le(log, 0);
	buf_put_u32le(log, TCG2_EV_NO_ACTION);
	buf_put_zero(log, 20);
	buf_put_u32le(log, (uint32_t)(29 + 4 * count));
	buf_put(log, SPEC_ID, sizeof(SPEC_ID));
	buf_put_u32le(log, 0); /* platform class: client */
	buf_put_u8(log, 0);    /* minor, major, errata: 2.00 errata 2 */
	buf_put_u8(log, 2);
	buf_put_u8(log, 2);
	buf_put_u8(log, 2); /* UINTN is 64 bits */
	buf_put_u32le(log, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_put_u16le(log, algs[i].id);
		buf_put_u16le(log, algs[i].size);
	}
	buf_put_u8(log, 0);
}

void tcg2_put_event(struct buf *log, uint32_t index, uint32_t type,
	const struct tcg2_digest *digests, size_t count, struct slice data)
{
	buf_put_u32le(log, index);
	buf_put_u32le(log, type);
	buf_put_u32le(log, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_put_u16le(log, digests[i].alg);
		buf_put_slice(log, digests[i].bytes);
	}
	buf_put_u32le(log, (uint32_t)data.size);
	buf_put_slice(log, data);
}

const char *tcg2_type_name(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{0x0, "EV_PREBOOT_CERT"},
		{0x1, "EV_POST_CODE"},
		{0x2, "EV_UNUSED"},
		{0x3, "EV_NO_ACTION"},
		{0x4, "EV_SEPARATOR"},
		{0x5, "EV_ACTION"},
		{0x6, "EV_EVENT_TAG"},
		{0x7, "EV_S_CRTM_CONTENTS"},
		{0x8, "EV_S_CRTM_VERSION"},
		{0x9, "EV_CPU_MICROCODE"},
		{0xA, "EV_PLATFORM_CONFIG_FLAGS"},
		{0xB, "EV_TABLE_OF_DEVICES"},
		{0xC, "EV_COMPACT_HASH"},
		{0xD, "EV_IPL"},
		{0xE, "EV_IPL_PARTITION_DATA"},
		{0xF, "EV_NONHOST_CODE"},
		{0x10, "EV_NONHOST_CONFIG"},
		{0x11, "EV_NONHOST_INFO"},
		{0x12, "EV_OMIT_BOOT_DEVICE_EVENTS"},
		{0x13, "EV_POST_CODE2"},
		{0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
		{0x80000002, "EV_EFI_VARIABLE_BOOT"},
		{0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
		{0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
		{0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
		{0x80000006, "EV_EFI_GPT_EVENT"},
		{0x80000007, "EV_EFI_ACTION"},
		{0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
		{0x80000009, "EV_EFI_HANDOFF_TABLES"},
		{0x8000000A, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
		{0x8000000B, "EV_EFI_HANDOFF_TABLES2"},
		{0x8000000C, "EV_EFI_VARIABLE_BOOT2"},
		{0x80000010, "EV_EFI_HCRTM_EVENT"},
		{0x800000E0, "EV_EFI_VARIABLE_AUTHORITY"},
		{0x800000E1, "EV_EFI_SPDM_FIRMWARE_BLOB"},
		{0x800000E2, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return NULL;
}
