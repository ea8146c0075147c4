/* SPDX-License-Identifier: Apache-2.0 */
/* Launch digests of SEV, SEV-ES and SEV-SNP guests: one guest a line. */
#include "base/enc.h"
#include "base/str.h"
#include "evidence/measure_snp.h"
#include "fmt/json.h"
#include "vectors.h"

struct guest {
	struct buf firmware, kernel, initrd, pages;
};

static void guest_done(struct guest *g)
{
	buf_done(&g->firmware);
	buf_done(&g->kernel);
	buf_done(&g->initrd);
	buf_done(&g->pages);
}

static const char *text_of(const json_t *c, const char *name)
{
	return json_string_value(json_object_get(c, name));
}

static int hex_of(struct vector *v, const json_t *c, const char *name, struct buf *out)
{
	const char *hex = text_of(c, name);
	return hex && hex_decode(out, slice_str(hex)) < 0 ? vector_fail(v, "%s is not hex", name)
							  : 0;
}

static void fill(const json_t *c, const struct guest *g, struct measure_snp_input *in)
{
	const char *mode = text_of(c, "mode") ?: "", *vmm = text_of(c, "vmm_type") ?: "";

	*in = (struct measure_snp_input){
		.mode = streq(mode, "SEV")	? MEASURE_SEV
			: streq(mode, "SEV_ES") ? MEASURE_SEV_ES
						: MEASURE_SNP,
		.vmm = streq(vmm, "ec2")   ? MEASURE_EC2
		       : streq(vmm, "gce") ? MEASURE_GCE
					   : MEASURE_QEMU,
		.vcpus = (unsigned)json_integer_value(json_object_get(c, "vcpus")),
		.vcpu_signature = (uint32_t)json_integer_value(json_object_get(c, "vcpu_sig")),
		.guest_features =
			(uint64_t)json_integer_value(json_object_get(c, "guest_features")),
		.firmware = buf_slice(&g->firmware),
		.firmware_digest = buf_slice(&g->pages),
		.has_kernel = text_of(c, "kernel_hex") != NULL,
		.kernel = buf_slice(&g->kernel),
		.initrd = buf_slice(&g->initrd),
		.cmdline = slice_str(text_of(c, "append")),
	};
}

static int run_line(struct vector *v, const json_t *c)
{
	cleanup_with(guest_done) struct guest g = {0};
	const char *note = text_of(c, "note") ?: "a line";
	const char *type = text_of(c, "vcpu_type");
	struct measure_snp_input in;
	struct digest d;
	struct err e = {0};
	uint32_t signature;

	if (vector_read(v, text_of(c, "ovmf"), &g.firmware) < 0 ||
		hex_of(v, c, "kernel_hex", &g.kernel) < 0 ||
		hex_of(v, c, "initrd_hex", &g.initrd) < 0 ||
		hex_of(v, c, "snp_ovmf_hash_str", &g.pages) < 0)
		return -1;
	fill(c, &g, &in);
	if (type && (measure_snp_vcpu(type, &signature) < 0 || signature != in.vcpu_signature))
		return vector_fail(v, "%s: processor %s has another signature", note, type);
	if (measure_snp(&in, &d, &e) < 0)
		return vector_fail(v, "%s: %s", note, e.text);
	return vector_hex(v, c, "launch_digest", digest_slice(&d));
}

int vector_snp_measure(struct vector *v)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	size_t lines = 0;

	if (vector_read(v, vector_file(v, "cases"), &text) < 0)
		return -1;
	for (const char *at = buf_str(&text); *at;) {
		cleanup(json_decref) json_t *c = NULL;
		size_t size = strcspn(at, "\n");
		if (size > 0 && json_parse(slice_of(at, size), 0, &c, NULL) < 0)
			return vector_fail(v, "line %zu is not JSON", lines + 1);
		if (c && run_line(v, c) < 0)
			return -1;
		lines += c ? 1 : 0;
		at += size + (at[size] == '\n');
	}
	return vector_int(v, v->expected, "cases", (int64_t)lines);
}
