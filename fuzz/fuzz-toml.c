/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: initdata, the configuration of every program. Attacker: the author of initdata, the
 * host. Format: TOML 1.0. Property: what parses is an object that canonical JSON can write.
 */
#include "fmt/jcs.h"
#include "fmt/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *j = NULL;
	struct err e = {0};
	cleanup_with(buf_done) struct buf out = buf_init(0);

	if (toml_parse(slice_of(data, size), &j, &e) < 0)
		return 0;
	if (!json_is_object(j) || jcs_write(j, &out) < 0)
		__builtin_trap();
	json_decref(j);
	return 0;
}
