/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/measure.h"

#include "base/enc.h"
#include "base/rd.h"
#include "crypto/hash.h"
#include "fmt/tcg2.h"

#define EV_EFI_PLATFORM_FIRMWARE_BLOB 0x80000008u
#define SETUP_MIN ((size_t)1024)
#define SECTOR ((size_t)512)
#define SETUP_SECTORS_OFFSET 0x1f1
#define LOADFLAGS_OFFSET 0x211
#define LOADFLAGS_CAN_USE_HEAP 0x80
#define BOOT_FLAG_OFFSET 0x1fe
#define MAGIC_OFFSET 0x202

#define GUID_SIZE ((size_t)16)
#define TABLE_BELOW_END ((size_t)0x20) /* the footer ends that far below 4 GiB */
#define VERSION_MAX ((size_t)64)

/* What a boot loader may write into the setup header; Linux's boot protocol, "write" and "modify"
 * fields that QEMU touches. loadflags is apart: only its bit 7 is the loader's. */
static const struct {
	size_t offset, size;
} g_loader_fields[] = {
	{0x1fa, 2}, /* vid_mode */
	{0x210, 1}, /* type_of_loader */
	{0x218, 8}, /* ramdisk_image, ramdisk_size */
	{0x224, 4}, /* heap_end_ptr, ext_loader_ver, ext_loader_type */
	{0x228, 4}, /* cmd_line_ptr */
	{0x250, 8}, /* setup_data */
};

/* "firmware", "kernel"...: the name of an input for a person */
static const char *measure_source_name(enum measure_source source)
{
	switch (source) {
	case MEASURE_FIRMWARE_VERSION:
		return "firmware version";
	case MEASURE_FIRMWARE:
		return "firmware";
	case MEASURE_SEPARATOR:
		return "separator";
	case MEASURE_CMDLINE:
		return "command line";
	case MEASURE_KERNEL:
		return "kernel";
	case MEASURE_INITRD:
		return "initrd";
	case MEASURE_INITDATA:
		return "initdata";
	}
	return "unknown";
}

static bool is_bzimage(struct slice kernel)
{
	if (kernel.size < SETUP_MIN)
		return false;
	size_t sectors = kernel.data[SETUP_SECTORS_OFFSET] ? kernel.data[SETUP_SECTORS_OFFSET] : 4;
	return slice_eq(slice_cut(kernel, BOOT_FLAG_OFFSET, 2), SLICE_LIT("\x55\xaa")) &&
	       slice_eq(slice_cut(kernel, MAGIC_OFFSET, 4), SLICE_LIT("HdrS")) &&
	       (sectors + 1) * SECTOR < kernel.size;
}

int measure_kernel(struct slice kernel, uint8_t ret[MEASURE_DIGEST_SIZE], struct err *reterr)
{
	uint8_t header[SETUP_MIN];
	struct digest digest;
	cleanup(hash_free) struct hash *h = NULL;
	if (!is_bzimage(kernel))
		return err_at(reterr, -EBADMSG, 0, "kernel", "the kernel is not a bzImage");
	memcpy(header, kernel.data, sizeof(header));
	for (size_t i = 0; i < ARRAY_COUNT(g_loader_fields); i++)
		memset(header + g_loader_fields[i].offset, 0, g_loader_fields[i].size);
	header[LOADFLAGS_OFFSET] &= (uint8_t)~LOADFLAGS_CAN_USE_HEAP;
	int r = hash_new(HASH_SHA256, &h);
	if (r < 0)
		return r;
	hash_update(h, slice_of(header, sizeof(header)));
	hash_update(h, slice_cut(kernel, SETUP_MIN, kernel.size));
	r = hash_final(h, &digest);
	if (r == 0)
		memcpy(ret, digest.bytes, MEASURE_DIGEST_SIZE);
	return r;
}

/* The bytes in front of offset @end: an entry's data, with its GUID and size behind it. */
static int read_entry(struct slice image, size_t *end, size_t floor, struct slice *ret_guid,
	struct slice *ret_data)
{
	uint16_t size;
	if (*end < floor + GUID_SIZE + 2)
		return -EBADMSG;
	*ret_guid = slice_cut(image, *end - GUID_SIZE, GUID_SIZE);
	struct rd r = rd_init(slice_cut(image, *end - GUID_SIZE - 2, 2));
	if (rd_u16le(&r, &size) < 0 || size < GUID_SIZE + 2 || size > *end - floor)
		return -EBADMSG;
	*ret_data = slice_cut(image, *end - size, size - GUID_SIZE - 2);
	*end -= size;
	return 0;
}

int measure_firmware_version(struct slice firmware, struct slice *ret, struct err *reterr)
{
	static const uint8_t footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba,
		0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
	static const uint8_t husk[16] = {0x1e, 0x3a, 0xc6, 0xb5, 0x0c, 0x3f, 0x2d, 0x4c, 0x9a, 0x53,
		0x68, 0x75, 0x73, 0x6b, 0x66, 0x77};
	struct slice guid, data;
	uint16_t size;
	if (firmware.size != MEASURE_FIRMWARE_SIZE)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "firmware",
			"the firmware has %zu bytes; husk-fw.bin has %zu", firmware.size,
			MEASURE_FIRMWARE_SIZE);
	size_t end = firmware.size - TABLE_BELOW_END;
	struct rd r = rd_init(slice_cut(firmware, end - GUID_SIZE - 2, 2));
	guid = slice_cut(firmware, end - GUID_SIZE, GUID_SIZE);
	if (rd_u16le(&r, &size) < 0 || !slice_eq(guid, slice_of(footer, sizeof(footer))) ||
		size < GUID_SIZE + 2 || size > end)
		return err_at(reterr, -EBADMSG, end, "firmware",
			"the firmware is not husk-fw: it has no GUIDed table at its end");
	size_t floor = end - size;
	end -= GUID_SIZE + 2;
	while (end > floor) {
		if (read_entry(firmware, &end, floor, &guid, &data) < 0)
			return err_at(reterr, -EBADMSG, end, "firmware",
				"the GUIDed table of the firmware is malformed");
		if (!slice_eq(guid, slice_of(husk, sizeof(husk))))
			continue;
		if (data.size == 0 || data.size > VERSION_MAX)
			break;
		*ret = data;
		return 0;
	}
	return err_at(reterr, -EBADMSG, floor, "firmware",
		"the firmware is not husk-fw: its GUIDed table has no version of husk");
}

static uint8_t *measure_register(struct measurement *m, unsigned pcr)
{
	return pcr == 0 ? m->pcr0 : pcr == 8 ? m->pcr8 : m->pcr9;
}

static int add_digest(struct measurement *m, unsigned pcr, uint32_t type,
	enum measure_source source, const uint8_t digest[MEASURE_DIGEST_SIZE])
{
	struct digest next;
	uint8_t *value = measure_register(m, pcr);
	struct measure_event *e = &m->events[m->event_count];
	int r = hash_extend(HASH_SHA256, slice_of(value, MEASURE_DIGEST_SIZE),
		slice_of(digest, MEASURE_DIGEST_SIZE), &next);
	if (r < 0)
		return r;
	memcpy(value, next.bytes, MEASURE_DIGEST_SIZE);
	*e = (struct measure_event){.pcr = pcr, .type = type, .source = source};
	memcpy(e->digest, digest, MEASURE_DIGEST_SIZE);
	m->event_count++;
	return 0;
}

static int add_data(struct measurement *m, unsigned pcr, uint32_t type, enum measure_source source,
	struct slice data)
{
	struct digest digest;
	int r = hash_once(HASH_SHA256, data, &digest);
	return r < 0 ? r : add_digest(m, pcr, type, source, digest.bytes);
}

static int check_input(const struct measure_input *in, struct err *reterr)
{
	if (in->cmdline.size > MEASURE_CMDLINE_MAX)
		return err_at(reterr, -E2BIG, MEASURE_CMDLINE_MAX, "cmdline",
			"the command line is over %zu bytes", MEASURE_CMDLINE_MAX);
	if (in->cmdline.size > 0 && memchr(in->cmdline.data, 0, in->cmdline.size))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "cmdline",
			"the command line has a NUL inside");
	if (in->initdata.size > MEASURE_INITDATA_MAX)
		return err_at(reterr, -E2BIG, MEASURE_INITDATA_MAX, "initdata",
			"the initdata is over %zu bytes", MEASURE_INITDATA_MAX);
	return 0;
}

static int measure_firmware(struct measurement *m, struct slice firmware, struct err *reterr)
{
	struct slice version = SLICE_EMPTY;
	int r = measure_firmware_version(firmware, &version, reterr);
	if (r == 0)
		r = add_data(m, 0, TCG2_EV_S_CRTM_VERSION, MEASURE_FIRMWARE_VERSION, version);
	if (r == 0)
		r = add_data(m, 0, EV_EFI_PLATFORM_FIRMWARE_BLOB, MEASURE_FIRMWARE, firmware);
	if (r == 0)
		r = add_data(m, 0, TCG2_EV_SEPARATOR, MEASURE_SEPARATOR, SLICE_LIT("\0\0\0\0"));
	return r;
}

/* The digest of the command line covers its NUL, as everywhere in confidential computing. */
static int measure_cmdline(struct measurement *m, struct slice cmdline)
{
	char text[MEASURE_CMDLINE_MAX + 1] = {0};
	if (cmdline.size > 0)
		memcpy(text, cmdline.data, cmdline.size);
	return add_data(m, 8, TCG2_EV_IPL, MEASURE_CMDLINE, slice_of(text, cmdline.size + 1));
}

int measure_guest(const struct measure_input *in, struct measurement *ret, struct err *reterr)
{
	struct measurement m = {0};
	uint8_t kernel[MEASURE_DIGEST_SIZE];
	int r = check_input(in, reterr);
	if (r == 0)
		r = measure_firmware(&m, in->firmware, reterr);
	if (r == 0)
		r = measure_kernel(in->kernel, kernel, reterr);
	if (r == 0)
		r = add_digest(&m, 9, TCG2_EV_IPL, MEASURE_KERNEL, kernel);
	if (r == 0)
		r = measure_cmdline(&m, in->cmdline);
	if (r == 0 && in->initrd.size > 0)
		r = add_data(&m, 9, TCG2_EV_IPL, MEASURE_INITRD, in->initrd);
	memcpy(m.pcr8_boot, m.pcr8, sizeof(m.pcr8));
	if (r == 0 && in->initdata.size > 0)
		r = add_data(&m, 8, TCG2_EV_EVENT_TAG, MEASURE_INITDATA, in->initdata);
	if (r == 0)
		*ret = m;
	return r;
}

static json_t *hex_json(const uint8_t digest[MEASURE_DIGEST_SIZE])
{
	char text[2 * MEASURE_DIGEST_SIZE + 1];
	return json_string(hex_str(slice_of(digest, MEASURE_DIGEST_SIZE), text, sizeof(text)));
}

static json_t *events_json(const struct measurement *m)
{
	json_t *list = json_array();
	for (size_t i = 0; i < m->event_count; i++) {
		const struct measure_event *e = &m->events[i];
		json_t *item = json_pack("{s:i, s:s, s:I, s:o}", "pcr", (int)e->pcr, "source",
			measure_source_name(e->source), "type", (json_int_t)e->type, "digest",
			hex_json(e->digest));
		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int measure_to_json(const struct measurement *m, json_t **ret)
{
	json_t *all = json_pack("{s:s, s:{s:o, s:o, s:o}, s:o}", "algorithm", "sha256", "registers",
		"pcr00", hex_json(m->pcr0), "pcr08", hex_json(m->pcr8), "pcr09", hex_json(m->pcr9),
		"events", events_json(m));
	if (!all)
		return -ENOMEM;
	*ret = all;
	return 0;
}

int measure_reference_values(const struct measurement *m, json_t **ret)
{
	json_t *all = json_pack("{s:[o], s:[o], s:[o]}", "tpm_pcr00", hex_json(m->pcr0),
		"tpm_pcr08", hex_json(m->pcr8), "tpm_pcr09", hex_json(m->pcr9));
	if (!all)
		return -ENOMEM;
	*ret = all;
	return 0;
}
