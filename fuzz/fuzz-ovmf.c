/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: `husk measure snp`. Attacker: whoever built a firmware image. Format: an image, padded
 * with zeros in front to whole pages. Properties: sections are page-aligned and within limits; an
 * image that parses can be measured, or says why not.
 */
#include "evidence/measure_snp.h"
#include "fmt/ovmf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IMAGE_MAX ((size_t)16384)
#define MEASURED_MAX ((uint32_t)1 << 20) /* a bigger section only costs the fuzzer time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t image[IMAGE_MAX];
	struct digest d;
	struct ovmf o;

	size = MIN(size, IMAGE_MAX);
	size_t whole = (size + OVMF_PAGE - 1) / OVMF_PAGE * OVMF_PAGE;
	memset(image, 0, sizeof(image));
	if (size > 0)
		memcpy(image + whole - size, data, size);
	if (ovmf_parse(slice_of(image, whole), &o, NULL) < 0)
		return 0;
	for (size_t i = 0; i < o.section_count; i++) {
		if (o.sections[i].address % OVMF_PAGE != 0 ||
			o.sections[i].size > OVMF_SECTION_SIZE_MAX)
			__builtin_trap();
		if (o.sections[i].size > MEASURED_MAX)
			return 0;
	}
	const struct measure_snp_input in = {
		.vcpus = 2, .firmware = slice_of(image, whole), .has_kernel = true};
	int r = measure_snp(&in, &d, NULL);
	if (r == 0 && d.size != MEASURE_SNP_DIGEST_SIZE)
		__builtin_trap();
	return 0;
}
