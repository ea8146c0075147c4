/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/dcap_pck.h"

#include "fmt/der.h"

/* 1.2.840.113741.1.13.1 in DER; members append one arc, or two. */
static const uint8_t g_arc[] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};

enum { PPID = 1, TCB, PCE_ID, FMSPC, SGX_TYPE, PLATFORM_INSTANCE, CONFIGURATION, MEMBERS };
enum { PCE_SVN = 17, CPU_SVN = 18, TCB_MEMBERS };

/* The last arc of an OID that is @depth arcs below the extension's; 0 when it is another one. */
static unsigned last_arc(struct slice oid, unsigned parent)
{
	struct slice prefix = slice_of(g_arc, sizeof(g_arc));
	size_t size = sizeof(g_arc) + (parent ? 2 : 1);
	if (!slice_starts(oid, prefix) || oid.size != size)
		return 0;
	if (parent && oid.data[sizeof(g_arc)] != parent)
		return 0;
	return oid.data[size - 1] < 0x80 ? oid.data[size - 1] : 0;
}

static int bytes_of(uint8_t tag, struct slice value, uint8_t *dst, size_t size)
{
	if (tag != DER_OCTET_STRING || value.size != size)
		return -EBADMSG;
	memcpy(dst, value.data, size);
	return 0;
}

static int uint_of(uint8_t tag, uint8_t want, struct slice value, uint64_t max, uint64_t *ret)
{
	return tag == want && der_uint(value, max, ret) == 0 ? 0 : -EBADMSG;
}

/* One SEQUENCE { OID, value } of a list. Return: 1, 0 at the end, or negative errno. */
static int next_member(
	struct rd *list, unsigned parent, unsigned *ret_arc, uint8_t *ret_tag, struct slice *ret)
{
	struct slice pair = SLICE_EMPTY, oid = SLICE_EMPTY;

	if (rd_end(list))
		return 0;
	int r = der_expect(list, DER_SEQUENCE, &pair);
	struct rd in = rd_init(pair);
	if (r == 0)
		r = der_expect(&in, DER_OID, &oid);
	if (r == 0)
		r = der_next(&in, ret_tag, ret);
	if (r == 0)
		r = rd_done(&in);
	if (r < 0)
		return r;
	*ret_arc = last_arc(oid, parent);
	return 1;
}

static int parse_tcb(uint8_t tag, struct slice value, struct pck_info *p)
{
	struct rd list = rd_init(value);
	uint32_t seen = 0;
	unsigned arc;
	int r;

	if (tag != DER_SEQUENCE)
		return -EBADMSG;
	while ((r = next_member(&list, TCB, &arc, &tag, &value)) > 0) {
		uint64_t n = 0;
		if (arc == 0 || arc >= TCB_MEMBERS)
			continue;
		if (seen & 1U << arc)
			return -EBADMSG;
		seen |= 1U << arc;
		if (arc == CPU_SVN)
			r = bytes_of(tag, value, p->cpu_svn, sizeof(p->cpu_svn));
		else
			r = uint_of(tag, DER_INTEGER, value, arc == PCE_SVN ? UINT16_MAX : 255, &n);
		if (r < 0)
			return r;
		if (arc <= SGX_TCB_COMPONENTS)
			p->tcb[arc - 1] = (uint8_t)n;
		else if (arc == PCE_SVN)
			p->pce_svn = (uint16_t)n;
	}
	if (r < 0)
		return r;
	return seen == (1U << TCB_MEMBERS) - 2 ? 0 : -EBADMSG;
}

static int parse_configuration(uint8_t tag, struct slice value, struct pck_info *p)
{
	struct rd list = rd_init(value);
	unsigned arc;
	int r;

	if (tag != DER_SEQUENCE)
		return -EBADMSG;
	while ((r = next_member(&list, CONFIGURATION, &arc, &tag, &value)) > 0) {
		bool *const flags[] = {
			NULL, &p->dynamic_platform, &p->cached_keys, &p->smt_enabled};
		if (arc == 0 || arc >= ARRAY_COUNT(flags))
			continue;
		if (tag != DER_BOOLEAN || der_bool(value, flags[arc]) < 0)
			return -EBADMSG;
	}
	p->has_configuration = true;
	return r;
}

static int parse_member(unsigned arc, uint8_t tag, struct slice value, struct pck_info *p)
{
	uint64_t n = 0;
	int r;

	switch (arc) {
	case PPID:
		return bytes_of(tag, value, p->ppid, sizeof(p->ppid));
	case TCB:
		return parse_tcb(tag, value, p);
	case PCE_ID:
		return bytes_of(tag, value, p->pce_id, sizeof(p->pce_id));
	case FMSPC:
		return bytes_of(tag, value, p->fmspc, sizeof(p->fmspc));
	case SGX_TYPE:
		r = uint_of(tag, DER_ENUMERATED, value, 255, &n);
		p->sgx_type = (unsigned)n;
		return r;
	case PLATFORM_INSTANCE:
		p->has_platform_instance = true;
		return bytes_of(tag, value, p->platform_instance, sizeof(p->platform_instance));
	case CONFIGURATION:
		return parse_configuration(tag, value, p);
	}
	return 0;
}

int pck_info_parse(struct slice der, struct pck_info *ret, struct err *reterr)
{
	static const char *const names[] = {"extension", "PPID", "TCB", "PCE-ID", "FMSPC",
		"SGX type", "platform instance", "configuration"};
	struct pck_info p = {0};
	struct rd in = rd_init(der);
	struct slice members = SLICE_EMPTY, value = SLICE_EMPTY;
	uint32_t seen = 0;
	unsigned arc = 0;
	uint8_t tag;

	int r = der_expect(&in, DER_SEQUENCE, &members);
	if (r == 0)
		r = rd_done(&in);
	struct rd list = rd_init(r == 0 ? members : SLICE_EMPTY);
	while (r == 0 && (r = next_member(&list, 0, &arc, &tag, &value)) > 0) {
		r = 0;
		if (arc == 0 || arc >= MEMBERS)
			continue;
		r = seen & 1U << arc ? -EBADMSG : parse_member(arc, tag, value, &p);
		seen |= 1U << arc;
	}
	if (r < 0)
		return err_at(reterr, r, ERR_NO_OFFSET, "SGX extension",
			"the %s in the PCK certificate's SGX extension is malformed",
			names[arc < MEMBERS ? arc : 0]);
	const uint32_t needed =
		1U << PPID | 1U << TCB | 1U << PCE_ID | 1U << FMSPC | 1U << SGX_TYPE;
	if ((seen & needed) != needed)
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "SGX extension",
			"the PCK certificate's SGX extension lacks a mandatory member");
	*ret = p;
	return 0;
}
