/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that are installed where an operator has set none. */
#include "base/str.h"
#include "trustee/as/as.h"

struct embedded_text {
	const char *name;
	const uint8_t *data;
	size_t size;
};
#include "default-policies.h"

struct slice as_default_policy(const char *id)
{
	for (const struct embedded_text *t = g_embedded; t->name; t++) {
		if (streq(t->name, id))
			return slice_of(t->data, t->size);
	}
	return SLICE_EMPTY;
}
