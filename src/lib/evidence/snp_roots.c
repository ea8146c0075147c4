/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's certificate authorities. What is trusted is the pin of each root key; the certificates that
 * are built in only spare the guest and the collateral from carrying them.
 */
#include "base/str.h"
#include "evidence/snp_chain.h"

struct embedded_text {
	const char *name;
	const uint8_t *data;
	size_t size;
};
#include "amd-certificates.h"

/* SHA-256 of the SubjectPublicKeyInfo of each ARK. */
static const struct digest g_pins[] = {
	[SNP_MILAN] = {32, {0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5, 0xff,
				   0xa8, 0x95, 0xbd, 0xfb, 0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b, 0xed,
				   0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9}},
	[SNP_GENOA] = {32, {0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d, 0xb5,
				   0xfc, 0xda, 0x9c, 0x64, 0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a, 0x9c,
				   0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31}},
	[SNP_TURIN] = {32, {0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56, 0xf9,
				   0x24, 0x3f, 0x6f, 0xe0, 0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03, 0xf5,
				   0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08}},
};

bool snp_trusted_root(
	const struct evidence_request *request, enum snp_product p, const struct digest *pin)
{
	if (!request->amd_roots)
		return (size_t)p < ARRAY_COUNT(g_pins) && g_pins[p].size > 0 &&
		       slice_eq(digest_slice(&g_pins[p]), digest_slice(pin));
	for (size_t i = 0; i < request->amd_root_count; i++) {
		if (slice_eq(digest_slice(&request->amd_roots[i]), digest_slice(pin)))
			return true;
	}
	return false;
}

struct slice snp_builtin_chain(enum snp_product p)
{
	static const char *const names[] = {
		[SNP_MILAN] = "milan", [SNP_GENOA] = "genoa", [SNP_TURIN] = "turin"};

	for (const struct embedded_text *t = g_embedded; t->name; t++) {
		if ((size_t)p < ARRAY_COUNT(names) && names[p] && streq(t->name, names[p]))
			return slice_of(t->data, t->size);
	}
	return SLICE_EMPTY;
}
