/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the guest agent, the key broker, the command line. Attacker: the host, the author.
 * Format: initdata TOML. Property: an accepted one has a known algorithm and only texts.
 */
#include "fmt/initdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct initdata i;

	if (initdata_parse(slice_of(data, size), &i, NULL) < 0)
		return 0;
	if (!i.version || !i.algorithm || !json_is_object(i.data))
		__builtin_trap();
	initdata_done(&i);
	return 0;
}
