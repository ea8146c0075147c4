/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hygon's evidence carries certificates and reports of accelerators as structures, numbers and
 * arrays of bytes in the order of the bytes that are signed.
 */
#include "base/str.h"
#include "evidence/csv.h"
#include "fmt/json.h"

struct field {
	const char *path; /* members, joined by '/' */
	size_t offset, size;
	bool number; /* little-endian */
};

static const json_t *walk(const json_t *o, const char *path)
{
	char name[32];

	while (o && *path) {
		const char *end = strchrnul(path, '/');
		if (str_copy_slice(name, sizeof(name), slice_of(path, (size_t)(end - path))) < 0)
			return NULL;
		o = json_object_get(o, name);
		path = *end ? end + 1 : end;
	}
	return o;
}

static int put_bytes(const json_t *v, const struct field *f, uint8_t *to)
{
	if (!json_is_array(v) || json_array_size(v) != f->size)
		return -EBADMSG;
	for (size_t i = 0; i < f->size; i++) {
		if (json_byte(json_array_get(v, i), to + i) < 0)
			return -EBADMSG;
	}
	return 0;
}

static int put_number(const json_t *v, const struct field *f, uint8_t *to)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n >= (json_int_t)1 << 8 * f->size)
		return -EBADMSG;
	for (size_t i = 0; i < f->size; i++)
		to[i] = (uint8_t)((uint64_t)n >> 8 * i);
	return 0;
}

static int put_fields_of(
	const json_t *o, const struct field *fields, size_t count, uint8_t *to, struct err *reterr)
{
	for (size_t i = 0; i < count; i++) {
		const struct field *f = &fields[i];
		const json_t *v = walk(o, f->path);
		int r = f->number ? put_number(v, f, to + f->offset)
				  : put_bytes(v, f, to + f->offset);
		if (r < 0)
			return err_at(reterr, r, f->offset, f->path,
				"member %s is missing or not %zu bytes", f->path, f->size);
	}
	return 0;
}

int csv_ca_cert_from_json(const json_t *cert, uint8_t ret[CSV_CA_CERT_SIZE], struct err *reterr)
{
	static const struct field fields[] = {
		{"body/preamble/ver", 0, 4, true},
		{"body/preamble/data/kid", 4, 16, false},
		{"body/preamble/data/sid", 20, 16, false},
		{"body/preamble/data/usage", 36, 4, true},
		{"body/preamble/data/reserved", 40, 24, false},
		{"body/pubkey/g", 64, 4, true},
		{"body/pubkey/x", 68, 72, false},
		{"body/pubkey/y", 140, 72, false},
		{"body/uid_size", 212, 2, true},
		{"body/user_id", 214, 254, false},
		{"body/reserved", 468, 108, false},
		{"signature/r", 576, 72, false},
		{"signature/s", 648, 72, false},
		{"_reserved", 720, 112, false},
	};
	return put_fields_of(cert, fields, ARRAY_COUNT(fields), ret, reterr);
}

int csv_cert_from_json(const json_t *cert, uint8_t ret[CSV_CERT_SIZE], struct err *reterr)
{
	static const struct field fields[] = {
		{"body/ver", 0, 4, true},
		{"body/data/firmware/major", 4, 1, true},
		{"body/data/firmware/minor", 5, 1, true},
		{"body/data/reserved1", 6, 2, true},
		{"body/data/pubkey/usage", 8, 4, true},
		{"body/data/pubkey/algo", 12, 4, true},
		{"body/data/pubkey/key/g", 16, 4, true},
		{"body/data/pubkey/key/x", 20, 72, false},
		{"body/data/pubkey/key/y", 92, 72, false},
		{"body/data/uid_size", 164, 2, true},
		{"body/data/user_id", 166, 254, false},
		{"body/data/sid", 420, 16, false},
		{"body/data/reserved2", 436, 608, false},
	};
	static const struct field signature[] = {
		{"usage", 0, 4, true},
		{"algo", 4, 4, true},
		{"signature/r", 8, 72, false},
		{"signature/s", 80, 72, false},
		{"_reserved", 152, 368, false},
	};
	const json_t *sigs = json_object_get(cert, "sigs");

	int r = put_fields_of(cert, fields, ARRAY_COUNT(fields), ret, reterr);
	if (r == 0 && json_array_size(sigs) != 2)
		r = err_at(reterr, -EBADMSG, ERR_NO_OFFSET, "sigs",
			"member sigs is not a list of two signatures");
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = put_fields_of(json_array_get(sigs, i), signature, ARRAY_COUNT(signature),
			ret + 1044 + 520 * i, reterr);
	return r;
}

int csv_dcu_report_from_json(
	const json_t *report, uint8_t ret[CSV_DCU_REPORT_SIZE], struct err *reterr)
{
	static const struct field fields[] = {
		{"body/version", 0, 4, true},
		{"body/chip_id", 4, 16, false},
		{"body/user_data", 20, 64, false},
		{"body/measure", 84, 32, false},
		{"body/reserved", 116, 128, false},
		{"body/sig_usage", 244, 4, true},
		{"body/sig_algo", 248, 4, true},
		{"sig/r", 252, 72, false},
		{"sig/s", 324, 72, false},
	};
	return put_fields_of(report, fields, ARRAY_COUNT(fields), ret, reterr);
}
