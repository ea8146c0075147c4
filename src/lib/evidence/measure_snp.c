/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/measure_snp.h"

#include "base/str.h"
#include "fmt/ovmf.h"

#define PAGE OVMF_PAGE
#define PAGE_INFO_SIZE 0x70
#define VMSA_ADDRESS 0xFFFFFFFFF000ULL
#define RESET_VECTOR 0xFFFFFFF0U
#define HASHES_SIZE 168
#define HASHES_ROOM 176 /* padded to 16 */

/* Page types of SNP_LAUNCH_UPDATE. */
enum { NORMAL = 1, VMSA = 2, ZERO = 3, UNMEASURED = 4, SECRETS = 5, CPUID = 6 };

static void put_le(uint8_t *to, size_t size, uint64_t v)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

/* The digest grows page by page over PAGE_INFO. @contents NULL: zeros stand for it. */
static int extend(struct digest *d, uint8_t type, uint64_t address, const struct digest *contents)
{
	uint8_t info[PAGE_INFO_SIZE] = {0};

	memcpy(info, d->bytes, MEASURE_SNP_DIGEST_SIZE);
	if (contents)
		memcpy(info + 48, contents->bytes, MEASURE_SNP_DIGEST_SIZE);
	put_le(info + 96, 2, PAGE_INFO_SIZE);
	info[98] = type;
	put_le(info + 104, 8, address);
	return hash_once(HASH_SHA384, slice_of(info, sizeof(info)), d);
}

static int extend_data(struct digest *d, uint8_t type, uint64_t address, struct slice data)
{
	struct digest contents;
	int r = 0;
	for (size_t at = 0; r == 0 && at < data.size; at += PAGE) {
		r = hash_once(HASH_SHA384, slice_cut(data, at, PAGE), &contents);
		if (r == 0)
			r = extend(d, type, type == VMSA ? address : address + at, &contents);
	}
	return r;
}

static int extend_blank(struct digest *d, uint8_t type, uint64_t address, uint64_t size)
{
	int r = 0;
	for (uint64_t at = 0; r == 0 && at < size; at += PAGE)
		r = extend(d, type, address + at, NULL);
	return r;
}

static void put_segment(
	uint8_t *to, uint16_t selector, uint16_t attributes, uint32_t limit, uint64_t base)
{
	put_le(to, 2, selector);
	put_le(to + 2, 2, attributes);
	put_le(to + 4, 4, limit);
	put_le(to + 8, 8, base);
}

/* The state save area of a processor that starts at @start, after reset. */
static void make_vmsa(const struct measure_snp_input *in, uint32_t start, uint8_t page[PAGE])
{
	bool qemu = in->vmm == MEASURE_QEMU, ec2 = in->vmm == MEASURE_EC2;
	uint16_t cs = ec2 && start == RESET_VECTOR ? 0x9a : 0x9b;

	memset(page, 0, PAGE);
	put_segment(page, 0, 0x93, 0xffff, 0);
	put_segment(page + 0x10, 0xf000, cs, 0xffff, start & 0xffff0000U);
	put_segment(page + 0x20, 0, ec2 ? 0x92 : 0x93, 0xffff, 0);
	for (size_t at = 0x30; at <= 0x50; at += 0x10) /* DS, FS, GS */
		put_segment(page + at, 0, 0x93, 0xffff, 0);
	put_segment(page + 0x60, 0, 0, 0xffff, 0);    /* GDTR */
	put_segment(page + 0x70, 0, 0x82, 0xffff, 0); /* LDTR */
	put_segment(page + 0x80, 0, 0, 0xffff, 0);    /* IDTR */
	put_segment(page + 0x90, 0, ec2 ? 0x83 : 0x8b, 0xffff, 0);
	put_le(page + 0xd0, 8, 0x1000);	      /* EFER: SVME, by KVM */
	put_le(page + 0x148, 8, 0x40);	      /* CR4: MCE, by KVM */
	put_le(page + 0x158, 8, 0x10);	      /* CR0 */
	put_le(page + 0x160, 8, 0x400);	      /* DR7 */
	put_le(page + 0x168, 8, 0xffff0ff0U); /* DR6 */
	put_le(page + 0x170, 8, 0x2);	      /* RFLAGS */
	put_le(page + 0x178, 8, start & 0xffff);
	put_le(page + 0x268, 8, in->vmm == MEASURE_GCE ? 0x00070106 : 0x7040600070406); /* PAT */
	put_le(page + 0x310, 8, qemu ? in->vcpu_signature : 0x600);			/* RDX */
	put_le(page + 0x3b0, 8, in->mode == MEASURE_SNP ? in->guest_features : 0);
	put_le(page + 0x3e8, 8, 1); /* XCR0 */
	if (qemu) {
		put_le(page + 0x408, 4, 0x1f80); /* MXCSR */
		put_le(page + 0x410, 2, 0x37f);	 /* x87 control word */
	}
}

/* One entry of the table of hashes: GUID, size, SHA-256. */
static int put_hash(uint8_t *to, const uint8_t guid[16], struct slice data)
{
	struct digest d;
	int r = hash_once(HASH_SHA256, data, &d);
	memcpy(to, guid, 16);
	put_le(to + 16, 2, 50);
	if (r == 0)
		memcpy(to + 18, d.bytes, d.size);
	return r;
}

static int hash_cmdline(uint8_t *to, const uint8_t guid[16], struct slice cmdline)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	buf_put_slice(&text, cmdline);
	buf_put_u8(&text, 0);
	return buf_error(&text) < 0 ? buf_error(&text) : put_hash(to, guid, buf_slice(&text));
}

static int make_hashes(const struct measure_snp_input *in, uint8_t table[HASHES_ROOM])
{
	static const uint8_t header[16] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c, 0xb4,
		0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
	static const uint8_t cmdline[16] = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa,
		0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
	static const uint8_t initrd[16] = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a,
		0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
	static const uint8_t kernel[16] = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8,
		0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

	memset(table, 0, HASHES_ROOM);
	memcpy(table, header, sizeof(header));
	put_le(table + 16, 2, HASHES_SIZE);
	int r = hash_cmdline(table + 18, cmdline, in->cmdline);
	if (r == 0)
		r = put_hash(table + 68, initrd, in->initrd);
	return r == 0 ? put_hash(table + 118, kernel, in->kernel) : r;
}

static int extend_hashes(const struct measure_snp_input *in, const struct ovmf *o,
	const struct ovmf_section *s, struct digest *d)
{
	uint8_t page[PAGE] = {0};
	size_t offset = o->hashes_address % PAGE;

	if (!in->has_kernel)
		return extend_blank(d, ZERO, s->address, s->size);
	if (s->size != PAGE || offset > PAGE - HASHES_ROOM)
		return -EBADMSG;
	int r = make_hashes(in, page + offset);
	return r == 0 ? extend_data(d, NORMAL, s->address, slice_of(page, sizeof(page))) : r;
}

static int extend_section(const struct measure_snp_input *in, const struct ovmf *o,
	const struct ovmf_section *s, struct digest *d)
{
	switch ((enum ovmf_section_type)s->type) {
	case OVMF_SEC_MEM:
		return extend_blank(
			d, in->vmm == MEASURE_GCE ? UNMEASURED : ZERO, s->address, s->size);
	case OVMF_SECRETS:
		return extend(d, SECRETS, s->address, NULL);
	case OVMF_CPUID: /* EC2 adds it behind all others */
		return in->vmm == MEASURE_EC2 ? 0 : extend(d, CPUID, s->address, NULL);
	case OVMF_SVSM_CAA:
		return extend_blank(d, ZERO, s->address, s->size);
	case OVMF_KERNEL_HASHES:
		return extend_hashes(in, o, s, d);
	}
	return -EOPNOTSUPP;
}

static int extend_sections(
	const struct measure_snp_input *in, const struct ovmf *o, struct digest *d)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < o->section_count; i++)
		r = extend_section(in, o, &o->sections[i], d);
	for (size_t i = 0; r == 0 && in->vmm == MEASURE_EC2 && i < o->section_count; i++) {
		if (o->sections[i].type == OVMF_CPUID)
			r = extend(d, CPUID, o->sections[i].address, NULL);
	}
	return r;
}

static int check_input(const struct measure_snp_input *in, const struct ovmf *o, struct err *reterr)
{
	size_t digest = in->firmware_digest.size;

	if (in->vcpus < 1 || in->vcpus > MEASURE_SNP_VCPUS_MAX)
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "vcpus",
			"the number of processors must be 1 to %d", MEASURE_SNP_VCPUS_MAX);
	if (digest != 0 && (digest != MEASURE_SNP_DIGEST_SIZE || in->mode != MEASURE_SNP))
		return err_at(reterr, -EINVAL, ERR_NO_OFFSET, "firmware digest",
			"a firmware digest has 48 bytes and is for SNP guests");
	if (in->has_kernel && (in->mode == MEASURE_SNP ? !ovmf_has_section(o, OVMF_KERNEL_HASHES)
						       : o->hashes_address == 0))
		return err_at(reterr, -ENOENT, ERR_NO_OFFSET, "firmware",
			"the firmware does not check the hashes of a kernel: it would boot "
			"unmeasured");
	if (in->mode != MEASURE_SEV && in->vcpus > 1 && o->reset_address == 0)
		return err_at(reterr, -ENOENT, ERR_NO_OFFSET, "firmware",
			"the firmware does not say where further processors start");
	return 0;
}

static int measure_pages(
	const struct measure_snp_input *in, const struct ovmf *o, struct digest *ret)
{
	struct digest d = {.size = MEASURE_SNP_DIGEST_SIZE};
	uint8_t page[PAGE];
	int r = 0;

	if (in->firmware_digest.size > 0)
		memcpy(d.bytes, in->firmware_digest.data, MEASURE_SNP_DIGEST_SIZE);
	else
		r = extend_data(&d, NORMAL, o->address, o->image);
	if (r == 0)
		r = extend_sections(in, o, &d);
	for (unsigned i = 0; r == 0 && i < in->vcpus; i++) {
		make_vmsa(in, i == 0 ? RESET_VECTOR : o->reset_address, page);
		r = extend_data(&d, VMSA, VMSA_ADDRESS, slice_of(page, sizeof(page)));
	}
	if (r == 0)
		*ret = d;
	return r;
}

/* Before SNP the digest is over what was loaded, in one piece. */
static int measure_stream(
	const struct measure_snp_input *in, const struct ovmf *o, struct digest *ret)
{
	cleanup(hash_free) struct hash *h = NULL;
	uint8_t table[HASHES_ROOM], page[PAGE];

	int r = hash_new(HASH_SHA256, &h);
	if (r < 0)
		return r;
	hash_update(h, o->image);
	if (in->has_kernel) {
		r = make_hashes(in, table);
		hash_update(h, slice_of(table, sizeof(table)));
	}
	for (unsigned i = 0; in->mode == MEASURE_SEV_ES && i < in->vcpus; i++) {
		make_vmsa(in, i == 0 ? RESET_VECTOR : o->reset_address, page);
		hash_update(h, slice_of(page, sizeof(page)));
	}
	return r == 0 ? hash_final(h, ret) : r;
}

int measure_snp(const struct measure_snp_input *in, struct digest *ret, struct err *reterr)
{
	struct ovmf o;

	int r = ovmf_parse(in->firmware, &o, reterr);
	if (r == 0)
		r = check_input(in, &o, reterr);
	if (r < 0)
		return r;
	return in->mode == MEASURE_SNP ? measure_pages(in, &o, ret) : measure_stream(in, &o, ret);
}

int measure_snp_firmware(struct slice firmware, struct digest *ret, struct err *reterr)
{
	struct digest d = {.size = MEASURE_SNP_DIGEST_SIZE};
	struct ovmf o;

	int r = ovmf_parse(firmware, &o, reterr);
	if (r == 0)
		r = extend_data(&d, NORMAL, o.address, o.image);
	if (r == 0)
		*ret = d;
	return r;
}

uint32_t measure_snp_signature(unsigned family, unsigned model, unsigned stepping)
{
	unsigned base = MIN(family, 0xfU), more = family - base;
	return (more & 0xff) << 20 | (model >> 4 & 0xf) << 16 | base << 8 | (model & 0xf) << 4 |
	       (stepping & 0xf);
}

static const struct {
	const char *name;
	uint8_t family, model, stepping;
} g_vcpus[] = {
	{"EPYC", 23, 1, 2},
	{"EPYC-v1", 23, 1, 2},
	{"EPYC-v2", 23, 1, 2},
	{"EPYC-v3", 23, 1, 2},
	{"EPYC-v4", 23, 1, 2},
	{"EPYC-IBPB", 23, 1, 2},
	{"EPYC-Rome", 23, 49, 0},
	{"EPYC-Rome-v1", 23, 49, 0},
	{"EPYC-Rome-v2", 23, 49, 0},
	{"EPYC-Rome-v3", 23, 49, 0},
	{"EPYC-Milan", 25, 1, 1},
	{"EPYC-Milan-v1", 25, 1, 1},
	{"EPYC-Milan-v2", 25, 1, 1},
	{"EPYC-Genoa", 25, 17, 0},
	{"EPYC-Genoa-v1", 25, 17, 0},
	{"EPYC-Turin", 26, 0, 0},
};

int measure_snp_vcpu(const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_vcpus); i++) {
		if (streq(g_vcpus[i].name, name)) {
			*ret = measure_snp_signature(
				g_vcpus[i].family, g_vcpus[i].model, g_vcpus[i].stepping);
			return 0;
		}
	}
	return -ENOENT;
}

const char *measure_snp_vcpu_at(size_t index)
{
	return index < ARRAY_COUNT(g_vcpus) ? g_vcpus[index].name : NULL;
}
