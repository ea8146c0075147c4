/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests of reference values. Callers: verifiers, for the admin and for clients of husk-as and
 * husk-rvps (attacker: whoever makes a manifest that an admin registers). First byte: which kind; the
 * rest: the payload. Property: with a key to trust, nothing counts as signed that it did not sign, and
 * changes never make a record without a value.
 */
#include <stdlib.h>

#include "base/enc.h"
#include "base/str.h"
#include "trustee/rvps/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1800000000

static const struct rvps_anchors *anchors(void)
{
	static struct rvps_anchors a;

	if (a.key_count == 0 && pkey_generate(KEY_P256, 0, &a.keys[0]) == 0)
		a.key_count = 1;
	return &a;
}

static void check(const json_t *records)
{
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const char *signer = json_string_value(
			json_object_get(json_object_get(record, "provenance"), "signer"));

		if (!json_object_get(record, "name"))
			abort();
		if (!json_object_get(record, "action") && !json_object_get(record, "value"))
			abort();
		if (signer && *signer)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {"corim", "swid", "in-toto", "sample", "promote"};
	cleanup_with(buf_done) struct buf message = buf_init(0);
	json_t *records = NULL, *applied = NULL;

	if (size == 0 || size > 200000)
		return 0;
	buf_printf(&message, "{\"type\":\"%s\"%s,\"payload\":\"",
		types[data[0] % ARRAY_COUNT(types)], data[0] & 0x80 ? ",\"stage\":true" : "");
	b64_encode(&message, slice_of(data + 1, size - 1), B64_STD);
	buf_put_str(&message, "\"}");
	if (rvps_extract(buf_slice(&message), anchors(), NOW, &records, NULL) < 0)
		return 0;
	check(records);
	if (rvps_apply(records, records, NOW, &applied, NULL) == 0) {
		struct rvps_snapshot *s = rvps_snapshot_new(applied);

		(void)rvps_query(s, "a", NOW, NULL);
		rvps_snapshot_free(s);
		json_decref(applied);
	}
	json_decref(records);
	return 0;
}
