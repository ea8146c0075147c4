/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the versions of the KBS protocol. */
#include "base/str.h"
#include "trustee/as/protocol.h"

static const char *const g_protocols[AS_PROTOCOL_COUNT_] = {
	[AS_PROTOCOL_0_4_0] = "0.4.0",
	[AS_PROTOCOL_0_3_0] = "0.3.0",
	[AS_PROTOCOL_0_2_0] = "0.2.0",
	[AS_PROTOCOL_0_1_1] = "0.1.1",
	[AS_PROTOCOL_0_1_0] = "0.1.0",
};

const char *as_protocol_name(int protocol)
{
	return protocol >= 0 && protocol < AS_PROTOCOL_COUNT_ ? g_protocols[protocol] : NULL;
}

int as_protocol_from_name(const char *name)
{
	for (int i = 0; i < AS_PROTOCOL_COUNT_; i++) {
		if (streq(g_protocols[i], name))
			return i;
	}
	return -EOPNOTSUPP;
}
