/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/ovmf.h"

#define GUID_SIZE ((size_t)16)
#define ENTRY_MIN (GUID_SIZE + 2)
#define TABLE_BELOW_END ((size_t)0x20)
#define FOUR_GIB ((uint64_t)1 << 32)

/* GUIDs as they lie in memory. */
static const uint8_t g_footer[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3,
	0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t g_hash_block[] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b,
	0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t g_reset_block[] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f, 0x89, 0x0e,
	0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t g_sev_metadata[] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47, 0xa7, 0x5e,
	0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

static int malformed(const char *what, struct err *reterr)
{
	return err_at(
		reterr, -EBADMSG, ERR_NO_OFFSET, what, "the firmware's %s is malformed", what);
}

static bool type_known(uint32_t type)
{
	return type == OVMF_SEC_MEM || type == OVMF_SECRETS || type == OVMF_CPUID ||
	       type == OVMF_SVSM_CAA || type == OVMF_KERNEL_HASHES;
}

static int read_section(struct rd *r, struct ovmf *o, struct err *reterr)
{
	struct ovmf_section s = {0};

	int e = rd_u32le(r, &s.address);
	if (e == 0)
		e = rd_u32le(r, &s.size);
	if (e == 0)
		e = rd_u32le(r, &s.type);
	if (e < 0 || s.address % OVMF_PAGE != 0 || s.size % OVMF_PAGE != 0)
		return malformed("SEV metadata", reterr);
	if (s.size > OVMF_SECTION_SIZE_MAX)
		return err_set(reterr, -E2BIG,
			"the firmware's SEV metadata has a section of %u bytes", s.size);
	if (!type_known(s.type))
		return err_set(reterr, -EOPNOTSUPP,
			"the firmware's SEV metadata has a section of unknown type %u", s.type);
	o->sections[o->section_count++] = s;
	return 0;
}

/* The entry holds how far from the end of the image the list lies. */
static int read_metadata(struct ovmf *o, struct slice entry, struct err *reterr)
{
	struct rd r = rd_init(entry);
	struct slice magic;
	uint32_t distance, size, version, count;

	if (rd_u32le(&r, &distance) < 0 || distance > o->image.size)
		return malformed("SEV metadata", reterr);
	r = rd_init(slice_cut(o->image, o->image.size - distance, distance));
	int e = rd_slice(&r, 4, &magic);
	if (e == 0)
		e = rd_u32le(&r, &size);
	if (e == 0)
		e = rd_u32le(&r, &version);
	if (e == 0)
		e = rd_u32le(&r, &count);
	if (e < 0 || !slice_eq_str(magic, "ASEV") || version != 1)
		return malformed("SEV metadata", reterr);
	if (count > OVMF_SECTIONS_MAX)
		return err_set(
			reterr, -E2BIG, "the firmware's SEV metadata has %u sections", count);
	for (uint32_t i = 0; e == 0 && i < count; i++)
		e = read_section(&r, o, reterr);
	return e;
}

static int read_entry(struct ovmf *o, struct slice guid, struct slice data, struct err *reterr)
{
	struct rd r = rd_init(data);
	int e = 0;

	if (slice_eq(guid, slice_of(g_hash_block, GUID_SIZE))) {
		e = rd_u32le(&r, &o->hashes_address);
		if (e == 0)
			e = rd_u32le(&r, &o->hashes_size);
	} else if (slice_eq(guid, slice_of(g_reset_block, GUID_SIZE))) {
		e = rd_u32le(&r, &o->reset_address);
	} else if (slice_eq(guid, slice_of(g_sev_metadata, GUID_SIZE))) {
		return read_metadata(o, data, reterr);
	}
	return e < 0 ? malformed("table of entries", reterr) : 0;
}

/* Entries end with their size and GUID, so the walk is from the end. */
static int read_table(struct ovmf *o, struct slice table, struct err *reterr)
{
	while (table.size > 0) {
		uint16_t size;
		if (table.size < ENTRY_MIN)
			return malformed("table of entries", reterr);
		struct slice guid = slice_cut(table, table.size - GUID_SIZE, GUID_SIZE);
		struct rd r = rd_init(slice_cut(table, table.size - ENTRY_MIN, 2));
		if (rd_u16le(&r, &size) < 0 || size < ENTRY_MIN || size > table.size)
			return malformed("table of entries", reterr);
		int e = read_entry(
			o, guid, slice_cut(table, table.size - size, size - ENTRY_MIN), reterr);
		if (e < 0)
			return e;
		table = slice_cut(table, 0, table.size - size);
	}
	return 0;
}

int ovmf_parse(struct slice image, struct ovmf *ret, struct err *reterr)
{
	struct ovmf o = {.image = image, .address = FOUR_GIB - image.size};
	uint16_t size;
	int e = 0;

	if (image.size > OVMF_SIZE_MAX)
		return err_set(reterr, -E2BIG, "the firmware is over %zu bytes", OVMF_SIZE_MAX);
	if (image.size == 0 || image.size % OVMF_PAGE != 0)
		return err_set(reterr, -EBADMSG,
			"the firmware has %zu bytes, which is no multiple of a page", image.size);
	struct slice all = slice_cut(image, 0, image.size - TABLE_BELOW_END);
	if (slice_eq(slice_cut(all, all.size - GUID_SIZE, GUID_SIZE),
		    slice_of(g_footer, sizeof(g_footer)))) {
		struct rd r = rd_init(slice_cut(all, all.size - ENTRY_MIN, 2));
		if (rd_u16le(&r, &size) < 0 || size < ENTRY_MIN || size > all.size)
			return malformed("table of entries", reterr);
		e = read_table(&o, slice_cut(all, all.size - size, size - ENTRY_MIN), reterr);
	}
	if (e == 0)
		*ret = o;
	return e;
}

bool ovmf_has_section(const struct ovmf *o, enum ovmf_section_type type)
{
	for (size_t i = 0; i < o->section_count; i++) {
		if (o->sections[i].type == (uint32_t)type)
			return true;
	}
	return false;
}
