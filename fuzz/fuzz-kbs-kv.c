/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: backend process. Attacker: whoever poses as Vault. Format: JSON answers of Vault's
 * key-value engine, after one byte that chooses the engine and the status. Property: a value comes only
 * with status 200, and with a version exactly for version 2.
 */
#include "trustee/kbs/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 204, 400, 403, 404, 429, 500, 503};
	cleanup_with(buf_done) struct buf value = buf_init_secret(0);
	int64_t version = 0;
	struct err e = {0};

	if (size == 0)
		return 0;
	struct slice body = slice_of(data + 1, size - 1);
	unsigned engine = data[0] & 1 ? 1 : 2;
	int status = statuses[data[0] >> 1 & 7];

	if (kv_read(status, body, engine, &value, &version, &e) == 0 &&
		(status != 200 || (version > 0) != (engine == 2)))
		__builtin_trap();
	if (kv_read_written(status, body, engine, &version, &e) == 0 && status != 200 &&
		status != 204)
		__builtin_trap();
	return 0;
}
