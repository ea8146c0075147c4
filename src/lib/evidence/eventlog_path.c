/* SPDX-License-Identifier: Apache-2.0 */
/* EFI device paths as text. Spec: UEFI 2.10, section 10.3; the spelling is Trustee's. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/eventlog_details.h"

#define NODES_MAX 64
#define NODE_TEXT_MAX ((size_t)64 << 10)

int utf16_text(struct slice in, bool lossy, struct buf *out)
{
	struct rd r = rd_init(in);
	uint16_t unit, low;
	uint8_t utf8[4];

	while (rd_u16le(&r, &unit) == 0) {
		uint32_t code = unit;
		if (unit >= 0xD800 && unit < 0xDC00) {
			struct rd t = r;
			if (rd_u16le(&t, &low) == 0 && low >= 0xDC00 && low < 0xE000) {
				code = 0x10000 + ((uint32_t)(unit - 0xD800) << 10) + (low - 0xDC00);
				r = t;
			}
		}
		size_t n = utf8_encode(code, utf8);
		if (n == 0 && !lossy)
			return -EBADMSG;
		if (n == 0)
			n = utf8_encode(0xFFFD, utf8);
		buf_put(out, utf8, n);
	}
	return buf_error(out);
}

static void put_guid(struct buf *out, const uint8_t g[16])
{
	buf_printf(out, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
		g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12],
		g[13], g[14], g[15]);
}

static int hard_drive(struct rd *r, struct buf *out)
{
	uint32_t number, mbr;
	uint64_t start, size;
	uint8_t sig[16], format, kind;

	if (rd_u32le(r, &number) < 0 || rd_u64le(r, &start) < 0 || rd_u64le(r, &size) < 0 ||
		rd_copy(r, sig, 16) < 0 || rd_u8(r, &format) < 0 || rd_u8(r, &kind) < 0 ||
		(format != 1 && format != 2))
		return -EBADMSG;
	if (format == 1) {
		mbr = (uint32_t)sig[0] | (uint32_t)sig[1] << 8 | (uint32_t)sig[2] << 16 |
		      (uint32_t)sig[3] << 24;
		buf_printf(out, "HD(%u,MBR,0x%08x", number, mbr);
	} else {
		buf_printf(out, "HD(%u,GPT,", number);
		put_guid(out, sig);
	}
	if (number != 0)
		buf_printf(
			out, ",0x%llx,0x%llx", (unsigned long long)start, (unsigned long long)size);
	buf_put_str(out, ")");
	return 0;
}

static int vendor_media(struct rd *r, struct buf *out)
{
	uint8_t guid[16];
	if (rd_copy(r, guid, sizeof(guid)) < 0)
		return -EBADMSG;
	buf_put_str(out, "VenMedia(");
	put_guid(out, guid);
	buf_put_str(out, ",");
	hex_encode(out, rd_rest(r));
	buf_put_str(out, ")");
	return 0;
}

static int file_path(struct rd *r, struct buf *out)
{
	struct slice name = rd_rest(r);
	if (name.size == 0 || name.size % 2 != 0)
		return -EBADMSG;
	buf_put_str(out, "File(");
	int e = utf16_text(slice_cut(name, 0, name.size - 2), true, out);
	buf_put_str(out, ")");
	return e;
}

static int acpi(struct rd *r, struct buf *out)
{
	uint32_t hid, uid;
	if (rd_u32le(r, &hid) < 0 || rd_u32le(r, &uid) < 0)
		return -EBADMSG;
	/* A compressed EISA id: three letters of five bits. */
	buf_printf(out, "ACPI(%c%c%c%04X,%u)", (char)('@' + (hid >> 10 & 0x1F)),
		(char)('@' + (hid >> 5 & 0x1F)), (char)('@' + (hid & 0x1F)), hid >> 16, uid);
	return 0;
}

static int pci(struct rd *r, struct buf *out)
{
	uint8_t function, device;
	if (rd_u8(r, &function) < 0 || rd_u8(r, &device) < 0)
		return -EBADMSG;
	buf_printf(out, "Pci(%u,%u)", function, device);
	return 0;
}

static int usb(struct rd *r, struct buf *out)
{
	uint8_t port, interface;
	if (rd_u8(r, &port) < 0 || rd_u8(r, &interface) < 0)
		return -EBADMSG;
	buf_printf(out, "USB(%u,%u)", port, interface);
	return 0;
}

static int mac(struct rd *r, struct buf *out)
{
	uint8_t address[32], kind;
	char hex[2 * 31 + 1];

	if (rd_copy(r, address, 32) < 0 || rd_u8(r, &kind) < 0)
		return -EBADMSG;
	hex_str(slice_of(address, 31), hex, sizeof(hex));
	for (size_t n = strlen(hex); n > 0 && hex[n - 1] == '0'; n--)
		hex[n - 1] = 0;
	for (char *p = hex; *p; p++) {
		if (*p >= 'a')
			*p = (char)(*p - 'a' + 'A');
	}
	buf_printf(out, "Mac(%s,0x%02X)", hex, kind);
	return 0;
}

static void put_ipv4(struct buf *out, uint32_t a)
{
	buf_printf(out, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static int ipv4(struct rd *r, struct buf *out)
{
	uint32_t local, remote, gateway, mask;
	uint16_t protocol;
	uint8_t origin;

	if (rd_u32le(r, &local) < 0 || rd_u32le(r, &remote) < 0 || rd_skip(r, 4) < 0 ||
		rd_u16le(r, &protocol) < 0 || rd_u8(r, &origin) < 0 || rd_u32le(r, &gateway) < 0 ||
		rd_u32le(r, &mask) < 0)
		return -EBADMSG;
	buf_put_str(out, "IPv4(");
	put_ipv4(out, remote);
	buf_printf(out, ",%s,%s,",
		protocol == 6	 ? "TCP"
		: protocol == 17 ? "UDP"
				 : "",
		origin == 0   ? "DHCP"
		: origin == 1 ? "Static"
			      : "");
	put_ipv4(out, local);
	if (gateway != 0 || mask != 0)
		buf_printf(out, ",%u,%u", gateway, mask);
	buf_put_str(out, ")");
	return 0;
}

static int fibre(struct rd *r, struct buf *out)
{
	struct slice wwn, lun;
	if (rd_slice(r, 8, &wwn) < 0 || rd_slice(r, 8, &lun) < 0)
		return -EBADMSG;
	buf_put_str(out, "FibreEx(0x");
	hex_encode(out, wwn);
	buf_put_str(out, ",0x");
	hex_encode(out, lun);
	buf_put_str(out, ")");
	return 0;
}

static int bios_boot(struct rd *r, struct buf *out)
{
	static const struct {
		uint16_t id;
		const char *name;
	} types[] = {{1, "FLOPPY"}, {2, "HARD_DRIVE"}, {3, "CDROM"}, {4, "PCMCIA"}, {5, "USB"},
		{6, "EMBEDDED_NETWORK"}, {0x80, "DEV"}, {0xFF, "UNKNOWN"}};
	uint16_t type, flag;
	char number[8];
	const char *name = number;

	if (rd_u16le(r, &type) < 0 || rd_u16le(r, &flag) < 0)
		return -EBADMSG;
	struct slice text = rd_rest(r);
	const uint8_t *end = text.size ? memchr(text.data, 0, text.size) : NULL;
	if (end)
		text.size = (size_t)(end - text.data);
	if (!utf8_valid(text))
		return -EBADMSG;
	snprintf(number, sizeof(number), "%u", type);
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		if (types[i].id == type)
			name = types[i].name;
	}
	buf_printf(out, "BBS(%s,", name);
	buf_put_slice(out, text);
	buf_printf(out, ",%u)", flag);
	return 0;
}

static void put_node(struct buf *out, uint8_t type, uint8_t sub_type, struct slice data)
{
	static const struct {
		uint8_t type, sub_type;
		int (*put)(struct rd *r, struct buf *out);
	} nodes[] = {
		{1, 0x01, pci},
		{2, 0x01, acpi},
		{3, 0x05, usb},
		{3, 0x0B, mac},
		{3, 0x0C, ipv4},
		{3, 0x15, fibre},
		{4, 0x01, hard_drive},
		{4, 0x03, vendor_media},
		{4, 0x04, file_path},
		{5, 0x01, bios_boot},
	};
	for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
		if (nodes[i].type != type || nodes[i].sub_type != sub_type)
			continue;
		struct rd r = rd_init(data);
		if (nodes[i].put(&r, out) == 0)
			return;
		buf_clear(out);
	}
	buf_printf(out, "Path(%u,%u,", type, sub_type);
	hex_encode(out, data);
	buf_put_str(out, ")");
}

int efi_device_paths(struct slice path, json_t **ret)
{
	struct rd r = rd_init(path);
	json_t *list = json_array();
	int e = list ? 0 : -ENOMEM;

	while (e == 0 && !rd_end(&r)) {
		uint8_t type, sub_type;
		uint16_t size;
		struct slice data;
		cleanup_with(buf_done) struct buf text = buf_init(NODE_TEXT_MAX * 3);
		if (rd_u8(&r, &type) < 0 || rd_u8(&r, &sub_type) < 0 || rd_u16le(&r, &size) < 0 ||
			size < 4 || rd_slice(&r, (size_t)size - 4, &data) < 0 ||
			json_array_size(list) == NODES_MAX) {
			e = -EBADMSG;
			break;
		}
		put_node(&text, type, sub_type, data);
		if (buf_error(&text) < 0 ||
			json_array_append_new(
				list, json_stringn((const char *)text.data, text.size)) < 0)
			e = -ENOMEM;
	}
	if (e < 0) {
		json_decref(list);
		return e;
	}
	*ret = list;
	return 0;
}
