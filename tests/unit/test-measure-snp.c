/* SPDX-License-Identifier: Apache-2.0 */
/* Launch digests against those of the shared vectors, and the parser of firmware images. */
#include "vectors.h"

#include "base/enc.h"
#include "base/str.h"
#include "evidence/measure_snp.h"
#include "fmt/ovmf.h"

#define CASE "launch-digests"

static const char *text_of(const json_t *c, const char *name)
{
	return json_string_value(json_object_get(c, name));
}

static enum measure_sev_mode mode_of(const char *s)
{
	return streq(s, "SEV_SNP") ? MEASURE_SNP : streq(s, "SEV") ? MEASURE_SEV : MEASURE_SEV_ES;
}

static enum measure_sev_vmm vmm_of(const char *s)
{
	return !s ? MEASURE_QEMU : streq(s, "ec2") ? MEASURE_EC2 : MEASURE_GCE;
}

static void decode(const char *hex, struct buf *to)
{
	if (hex)
		assert_int_equal(hex_decode(to, slice_str(hex)), 0);
}

static void run_line(const json_t *c)
{
	cleanup_with(buf_done) struct buf ovmf = buf_init(0), kernel = buf_init(0),
					  initrd = buf_init(0), pages = buf_init(0);
	char hex[2 * 64 + 1];
	struct digest d;

	vectors_read("snp-measure", CASE, text_of(c, "ovmf"), &ovmf);
	decode(text_of(c, "kernel_hex"), &kernel);
	decode(text_of(c, "initrd_hex"), &initrd);
	decode(text_of(c, "snp_ovmf_hash_str"), &pages);
	struct measure_snp_input in = {
		.mode = mode_of(text_of(c, "mode")),
		.vmm = vmm_of(text_of(c, "vmm_type")),
		.vcpus = (unsigned)json_integer_value(json_object_get(c, "vcpus")),
		.vcpu_signature = (uint32_t)json_integer_value(json_object_get(c, "vcpu_sig")),
		.guest_features =
			(uint64_t)json_integer_value(json_object_get(c, "guest_features")),
		.firmware = buf_slice(&ovmf),
		.firmware_digest = buf_slice(&pages),
		.has_kernel = text_of(c, "kernel_hex") != NULL,
		.kernel = buf_slice(&kernel),
		.initrd = buf_slice(&initrd),
		.cmdline = slice_str(text_of(c, "append")),
	};
	if (text_of(c, "vcpu_type")) {
		uint32_t signature;
		assert_int_equal(measure_snp_vcpu(text_of(c, "vcpu_type"), &signature), 0);
		assert_int_equal(signature, in.vcpu_signature);
	}
	assert_int_equal(measure_snp(&in, &d, NULL), 0);
	const char *got = hex_str(digest_slice(&d), hex, sizeof(hex));
	if (!streq(got, text_of(c, "launch_digest")))
		fail_msg(
			"%s: got %s, not %s", text_of(c, "note"), got, text_of(c, "launch_digest"));
}

static void test_vectors(void **state)
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	size_t count = 0;

	vectors_read("snp-measure", CASE, "cases.jsonl", &text);
	for (const char *at = buf_str(&text); *at;) {
		cleanup(json_decref) json_t *c = NULL;
		size_t size = strcspn(at, "\n");
		if (size > 0) {
			assert_int_equal(json_parse(slice_of(at, size), 0, &c, NULL), 0);
			run_line(c);
			count++;
		}
		at += size + (at[size] == '\n');
	}
	assert_true(count >= 15);
}

static void test_firmware_digest(void **state)
{
	cleanup_with(buf_done) struct buf ovmf = buf_init(0);
	struct digest pages, whole, again;

	vectors_read("snp-measure", CASE, "ovmf_AmdSev_suffix.bin", &ovmf);
	struct measure_snp_input in = {
		.vcpus = 1, .guest_features = 1, .firmware = buf_slice(&ovmf)};
	assert_int_equal(measure_snp(&in, &whole, NULL), 0);
	assert_int_equal(measure_snp_firmware(buf_slice(&ovmf), &pages, NULL), 0);
	in.firmware_digest = digest_slice(&pages);
	assert_int_equal(measure_snp(&in, &again, NULL), 0);
	assert_memory_equal(whole.bytes, again.bytes, 48);
	/* Each input counts. */
	in.vcpus = 2;
	assert_int_equal(measure_snp(&in, &again, NULL), 0);
	assert_memory_not_equal(whole.bytes, again.bytes, 48);
	in.vcpus = 0;
	assert_int_equal(measure_snp(&in, &again, NULL), -EINVAL);
	in.vcpus = MEASURE_SNP_VCPUS_MAX + 1;
	assert_int_equal(measure_snp(&in, &again, NULL), -EINVAL);
	in.vcpus = 1;
	in.firmware_digest = SLICE_LIT("short");
	assert_int_equal(measure_snp(&in, &again, NULL), -EINVAL);
}

/* A firmware that would boot any kernel gives no measurement of one. */
static void test_unchecked_kernel(void **state)
{
	cleanup_with(buf_done) struct buf ovmf = buf_init(0);
	struct digest d;
	struct err e = {0};

	vectors_read("snp-measure", CASE, "ovmf_OvmfX64_suffix.bin", &ovmf);
	struct measure_snp_input in = {
		.vcpus = 1, .firmware = buf_slice(&ovmf), .has_kernel = true};
	assert_int_equal(measure_snp(&in, &d, &e), -ENOENT);
	assert_non_null(strstr(e.text, "unmeasured"));
}

/* No image makes the parser read past its end or loop; sizes that are no page are refused. */
static void test_images(void **state)
{
	static const char *const files[] = {"ovmf_AmdSev_suffix.bin", "ovmf_OvmfX64_suffix.bin"};

	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		cleanup_with(buf_done) struct buf ovmf = buf_init(0);
		struct ovmf o;
		vectors_read("snp-measure", CASE, files[i], &ovmf);
		assert_int_equal(ovmf_parse(buf_slice(&ovmf), &o, NULL), 0);
		assert_true(o.section_count > 0);
		for (size_t size = 0; size < ovmf.size; size++)
			assert_int_equal(ovmf_parse(slice_cut(buf_slice(&ovmf), 0, size), &o, NULL),
				-EBADMSG);
		for (size_t at = 0; at < ovmf.size; at++) {
			ovmf.data[at] ^= 0xFF;
			(void)!ovmf_parse(buf_slice(&ovmf), &o, NULL);
			ovmf.data[at] ^= 0xFF;
		}
	}
}

static void test_signatures(void **state)
{
	uint32_t s;
	assert_int_equal(measure_snp_signature(25, 17, 0), 0xa10f10);
	assert_int_equal(measure_snp_signature(23, 1, 2), 0x800f12);
	assert_int_equal(measure_snp_signature(6, 0x1a, 3), 0x106a3);
	assert_int_equal(measure_snp_vcpu("EPYC-Pluto", &s), -ENOENT);
	for (size_t i = 0; measure_snp_vcpu_at(i); i++)
		assert_int_equal(measure_snp_vcpu(measure_snp_vcpu_at(i), &s), 0);
}

static void to_point(const uint8_t *field, uint8_t *to)
{
	for (size_t i = 0; i < 48; i++) {
		to[i] = field[47 - i];
		to[48 + i] = field[72 + 47 - i];
	}
}

static void test_id_block(void **state)
{
	cleanup(pkey_free) struct pkey *id = NULL, *author = NULL, *wrong = NULL, *back = NULL;
	uint8_t digest[48] = {1, 2, 3}, point[97] = {4}, signature[96];
	struct snp_id what = {.launch_digest = slice_of(digest, 48),
		.family_id = {7},
		.guest_svn = 5,
		.policy = 0x30000};
	struct snp_id_block b;
	struct digest d;

	assert_int_equal(pkey_generate(KEY_P384, 0, &id), 0);
	assert_int_equal(pkey_generate(KEY_P384, 0, &author), 0);
	assert_int_equal(pkey_generate(KEY_P256, 0, &wrong), 0);
	assert_int_equal(measure_snp_id_block(&what, wrong, NULL, &b, NULL), -EINVAL);
	assert_int_equal(measure_snp_id_block(&what, id, author, &b, NULL), 0);
	assert_memory_equal(b.block, digest, 48);
	assert_int_equal(b.block[84], 5);
	assert_int_equal(b.block[90], 3);
	/* The signature verifies with the key that the page carries. */
	to_point(b.auth + 0x240 + 4, point + 1);
	assert_int_equal(pkey_from_ec_point(KEY_P384, slice_of(point, 97), &back), 0);
	assert_true(pkey_equal(back, id));
	to_point(b.auth + 64, signature);
	assert_int_equal(pkey_verify(id, SIG_ES384, slice_of(b.block, sizeof(b.block)),
				 slice_of(signature, 96)),
		0);
	to_point(b.auth + 0x680, signature);
	assert_int_equal(pkey_verify(author, SIG_ES384, slice_of(b.auth + 0x240, 1028),
				 slice_of(signature, 96)),
		0);
	assert_int_equal(hash_once(HASH_SHA384, slice_of(b.auth + 0x240, 1028), &d), 0);
	assert_memory_equal(d.bytes, b.id_key_digest.bytes, 48);
	what.launch_digest = slice_of(digest, 32);
	assert_int_equal(measure_snp_id_block(&what, id, author, &b, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_firmware_digest),
		cmocka_unit_test(test_unchecked_kernel),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_id_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
