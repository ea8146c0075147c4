/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_ref_parse(). Callers: guest image, CLI; the text comes from the host's RUN message, from
 * policies and from signature payloads. Property: the text form of what was accepted is a fixed
 * point.
 */
#include "base/str.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2048], out[OCI_REF_TEXT_SIZE];
	struct oci_ref ref, again;

	if (str_copy_slice(text, sizeof(text), slice_of(data, size)) < 0 ||
		oci_ref_parse(&ref, text, NULL) < 0)
		return 0;
	oci_ref_text(&ref, out);
	if (oci_ref_parse(&again, out, NULL) < 0 || memcmp(&ref, &again, sizeof(ref)) != 0)
		abort();
	return 0;
}
