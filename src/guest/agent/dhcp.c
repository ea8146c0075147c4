/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent/dhcp.h"

#include "base/rd.h"

/* RFC 2131 figure 1 and section 3; RFC 2132 for the options. */
#define OP_REQUEST 1
#define OP_REPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x8000
#define MAGIC 0x63825363u
#define CHADDR_SIZE 16
#define NAMES_SIZE (64 + 128) /* sname, file */

enum dhcp_option {
	OPT_PAD = 0,
	OPT_NETMASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_ADDRESS = 50,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_WANTED = 55,
	OPT_END = 255,
};

static void put_address_option(struct buf *out, enum dhcp_option option, uint32_t address)
{
	buf_put_u8(out, (uint8_t)option);
	buf_put_u8(out, 4);
	buf_put_u32be(out, address);
}

void dhcp_build(struct buf *out, enum dhcp_type type, uint32_t xid, const uint8_t mac[6],
	const struct dhcp_lease *offer)
{
	static const uint8_t wanted[] = {OPT_WANTED, 3, OPT_NETMASK, OPT_ROUTER, OPT_DNS};
	buf_put_u8(out, OP_REQUEST);
	buf_put_u8(out, HTYPE_ETHERNET);
	buf_put_u8(out, 6);
	buf_put_u8(out, 0);
	buf_put_u32be(out, xid);
	buf_put_u16be(out, 0);
	/* The interface has no address yet, so it only takes broadcasts. */
	buf_put_u16be(out, FLAG_BROADCAST);
	buf_put_zero(out, 4 * 4);
	buf_put(out, mac, 6);
	buf_put_zero(out, CHADDR_SIZE - 6 + NAMES_SIZE);
	buf_put_u32be(out, MAGIC);
	buf_put_u8(out, OPT_TYPE);
	buf_put_u8(out, 1);
	buf_put_u8(out, (uint8_t)type);
	if (offer != NULL) {
		put_address_option(out, OPT_ADDRESS, offer->address);
		put_address_option(out, OPT_SERVER, offer->server);
	}
	buf_put(out, wanted, sizeof(wanted));
	buf_put_u8(out, OPT_END);
}

/* Ones from the top, then zeros; not all zeros. */
static int prefix_of(uint32_t mask, uint8_t *ret)
{
	uint32_t inverted = ~mask;
	if (mask == 0 || (inverted & (inverted + 1)) != 0)
		return -EBADMSG;
	*ret = (uint8_t)__builtin_popcount(mask);
	return 0;
}

static int read_option(enum dhcp_option option, struct slice value, struct dhcp_lease *m)
{
	struct rd rd = rd_init(value);
	uint32_t address;
	uint8_t type;
	switch (option) {
	case OPT_TYPE:
		if (value.size != 1 || rd_u8(&rd, &type) < 0)
			return -EBADMSG;
		if (type != DHCP_OFFER && type != DHCP_ACK && type != DHCP_NAK)
			return -EOPNOTSUPP;
		m->type = (enum dhcp_type)type;
		return 0;
	case OPT_NETMASK:
		if (value.size != 4 || rd_u32be(&rd, &address) < 0)
			return -EBADMSG;
		return prefix_of(address, &m->prefix);
	case OPT_SERVER:
		if (value.size != 4)
			return -EBADMSG;
		return rd_u32be(&rd, &m->server);
	case OPT_ROUTER:
		if (value.size == 0 || value.size % 4 != 0)
			return -EBADMSG;
		return rd_u32be(&rd, &m->gateway);
	case OPT_DNS:
		if (value.size == 0 || value.size % 4 != 0)
			return -EBADMSG;
		while (m->dns_count < DHCP_DNS_MAX && rd_u32be(&rd, &address) == 0)
			m->dns[m->dns_count++] = address;
		return 0;
	default:
		return 0;
	}
}

static int read_options(struct rd *rd, struct dhcp_lease *m)
{
	for (;;) {
		uint8_t option, size;
		struct slice value;
		int r = rd_u8(rd, &option);
		if (r < 0)
			return r; /* END is required */
		if (option == OPT_END)
			return 0;
		if (option == OPT_PAD)
			continue;
		if ((r = rd_u8(rd, &size)) < 0 || (r = rd_slice(rd, size, &value)) < 0)
			return r;
		if (option == OPT_DNS)
			m->dns_count = 0;
		r = read_option((enum dhcp_option)option, value, m);
		if (r < 0)
			return r;
	}
}

static int read_header(struct rd *rd, uint32_t xid, const uint8_t mac[6], struct dhcp_lease *m)
{
	uint8_t op, htype, hlen;
	uint32_t got_xid, magic;
	struct slice chaddr;
	int r;
	if ((r = rd_u8(rd, &op)) < 0 || (r = rd_u8(rd, &htype)) < 0 || (r = rd_u8(rd, &hlen)) < 0 ||
		(r = rd_skip(rd, 1)) < 0 || (r = rd_u32be(rd, &got_xid)) < 0 ||
		(r = rd_skip(rd, 2 + 2 + 4)) < 0 || (r = rd_u32be(rd, &m->address)) < 0 ||
		(r = rd_skip(rd, 4 + 4)) < 0 || (r = rd_slice(rd, CHADDR_SIZE, &chaddr)) < 0 ||
		(r = rd_skip(rd, NAMES_SIZE)) < 0 || (r = rd_u32be(rd, &magic)) < 0)
		return r;
	if (op != OP_REPLY || htype != HTYPE_ETHERNET || hlen != 6 || got_xid != xid ||
		!slice_eq(slice_cut(chaddr, 0, 6), slice_of(mac, 6)))
		return -ESRCH;
	return magic == MAGIC ? 0 : -EBADMSG;
}

int dhcp_parse(struct slice in, uint32_t xid, const uint8_t mac[6], struct dhcp_lease *ret)
{
	struct dhcp_lease m = {0};
	struct rd rd = rd_init(in);
	if (in.size > DHCP_MESSAGE_MAX)
		return -EBADMSG;
	int r = read_header(&rd, xid, mac, &m);
	if (r < 0)
		return r;
	r = read_options(&rd, &m);
	if (r < 0)
		return r;
	if (m.type == 0)
		return -EBADMSG;
	/* An address that is no host's would be refused by the kernel later; here it has a name. */
	if (m.type != DHCP_NAK && (m.address == 0 || m.address >> 28 >= 14 || m.prefix == 0))
		return -EBADMSG;
	*ret = m;
	return 0;
}
