/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/openapi.h"

struct embedded_text {
	const char *name;
	const uint8_t *data;
	size_t size;
};
#include "openapi-text.h"

struct slice kbs_openapi(void)
{
	return slice_of(g_embedded[0].data, g_embedded[0].size);
}
