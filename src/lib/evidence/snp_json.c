/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SNP evidence carries its report not as bytes but as a structure. The signature is over the bytes,
 * so they are put together again; whatever the structure cannot say is zero in them.
 */
#include "base/str.h"
#include "evidence/snp.h"
#include "fmt/json.h"

static bool is_there(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	return v && !json_is_null(v);
}

static void put_le(uint8_t *to, size_t size, uint64_t v)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

struct field {
	const char *name;
	size_t offset, size;
	bool optional;
};

static int put_numbers(
	const json_t *o, const struct field *fields, size_t count, uint8_t *to, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		int64_t n = 0;
		if (f->optional && !is_there(o, f->name))
			continue;
		int64_t max = f->size < 8 ? ((int64_t)1 << 8 * f->size) - 1 : INT64_MAX;
		int r = json_get_int(o, f->name, 0, max, &n, reterr);
		if (r < 0)
			return r;
		put_le(to + f->offset, f->size, (uint64_t)n);
	}
	return 0;
}

static int put_arrays(
	const json_t *o, const struct field *fields, size_t count, uint8_t *to, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		json_t *array;
		int r = json_get_array(o, f->name, f->size, &array, reterr);
		if (r < 0)
			return r;
		if (json_array_size(array) != f->size)
			return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, f->name,
				"member \"%s\" has %zu bytes, not %zu", f->name,
				json_array_size(array), f->size);
		for (size_t j = 0; j < f->size; j++) {
			if (json_byte(json_array_get(array, j), to + f->offset + j) < 0)
				return err_at(reterr, -EBADMSG, j, f->name,
					"member \"%s\" is not an array of bytes", f->name);
		}
	}
	return 0;
}

static int put_tcbs(const json_t *o, enum snp_product p, uint8_t *to, struct err *reterr)
{
	static const struct field tcbs[] = {{"current_tcb", 0x38, 8, false},
		{"reported_tcb", 0x180, 8, false}, {"committed_tcb", 0x1E0, 8, false},
		{"launch_tcb", 0x1F0, 8, false}};
	/* Numbers land in the order of struct snp_tcb. */
	static const struct field members[] = {{"fmc", 0, 1, true}, {"bootloader", 1, 1, false},
		{"tee", 2, 1, false}, {"snp", 3, 1, false}, {"microcode", 4, 1, false}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(tcbs); i++) {
		uint8_t n[ARRAY_COUNT(members)] = {0};
		json_t *tcb;
		r = json_get_object(o, tcbs[i].name, &tcb, reterr);
		if (r == 0)
			r = put_numbers(tcb, members, ARRAY_COUNT(members), n, reterr);
		const struct snp_tcb t = {n[0], n[1], n[2], n[3], n[4]};
		if (r == 0)
			snp_tcb_encode(&t, p, to + tcbs[i].offset);
	}
	return r;
}

static int put_versions(const json_t *o, uint8_t *to, struct err *reterr)
{
	static const struct field members[] = {
		{"build", 0, 1, false}, {"minor", 1, 1, false}, {"major", 2, 1, false}};
	json_t *version;

	int r = json_get_object(o, "current", &version, reterr);
	if (r == 0)
		r = put_numbers(version, members, ARRAY_COUNT(members), to + 0x1E8, reterr);
	if (r == 0)
		r = json_get_object(o, "committed", &version, reterr);
	return r == 0 ? put_numbers(version, members, ARRAY_COUNT(members), to + 0x1EC, reterr) : r;
}

int snp_report_from_json(const json_t *report, uint8_t ret[SNP_REPORT_SIZE], struct err *reterr)
{
	static const struct field numbers[] = {{"version", 0, 4, false}, {"guest_svn", 4, 4, false},
		{"policy", 8, 8, false}, {"vmpl", 0x30, 4, false}, {"sig_algo", 0x34, 4, false},
		{"plat_info", 0x40, 8, false}, {"key_info", 0x48, 4, false},
		{"cpuid_fam_id", 0x188, 1, true}, {"cpuid_mod_id", 0x189, 1, true},
		{"cpuid_step", 0x18A, 1, true}, {"launch_mit_vector", 0x1F8, 8, true},
		{"current_mit_vector", 0x200, 8, true}};
	static const struct field arrays[] = {{"family_id", 0x10, 16, false},
		{"image_id", 0x20, 16, false}, {"report_data", 0x50, 64, false},
		{"measurement", 0x90, 48, false}, {"host_data", 0xC0, 32, false},
		{"id_key_digest", 0xE0, 48, false}, {"author_key_digest", 0x110, 48, false},
		{"report_id", 0x140, 32, false}, {"report_id_ma", 0x160, 32, false},
		{"chip_id", 0x1A0, 64, false}};
	static const struct field scalars[] = {{"r", SNP_SIGNED_SIZE, SNP_SCALAR_FIELD_SIZE, false},
		{"s", SNP_SIGNED_SIZE + SNP_SCALAR_FIELD_SIZE, SNP_SCALAR_FIELD_SIZE, false}};
	json_t *signature;

	memset(ret, 0, SNP_REPORT_SIZE);
	int r = put_numbers(report, numbers, ARRAY_COUNT(numbers), ret, reterr);
	if (r == 0)
		r = put_arrays(report, arrays, ARRAY_COUNT(arrays), ret, reterr);
	const struct snp_report cpu = {
		.has_cpuid = ret[0] >= 3, .family = ret[0x188], .model = ret[0x189]};
	if (r == 0)
		r = put_tcbs(report, snp_report_product(&cpu), ret, reterr);
	if (r == 0)
		r = put_versions(report, ret, reterr);
	if (r == 0)
		r = json_get_object(report, "signature", &signature, reterr);
	return r == 0 ? put_arrays(signature, scalars, ARRAY_COUNT(scalars), ret, reterr) : r;
}
