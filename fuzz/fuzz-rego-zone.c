/* SPDX-License-Identifier: Apache-2.0 */
/* Time zone data: a zone that parses can be asked for any moment. */
#include <assert.h>
#include <stdlib.h>

#include "rego/datetime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct zone *z = NULL;
	struct slice s = {data, size};
	void *mem = calloc(1, zone_size(s));
	if (mem && zone_parse(s, mem, &z) == 0)
		for (int64_t at = -9300000000; at <= 9300000000; at += 77777777) {
			struct zone_span span = zone_lookup(z, at);
			assert(span.start <= at && at < span.end);
			zone_from_local(z, at);
		}
	free(mem);
	return 0;
}
