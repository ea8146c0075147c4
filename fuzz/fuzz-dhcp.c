/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: PID 1 of the guest (attacker: host or its network). Format: RFC 2131. Property: what is
 * accepted can be configured.
 */
#include <stdlib.h>

#include "guest/agent/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	struct dhcp_lease m;
	if (dhcp_parse(slice_of(data, size), 0xDEADBEEF, mac, &m) < 0)
		return 0;
	if (m.dns_count > DHCP_DNS_MAX)
		abort();
	if (m.type != DHCP_NAK && (m.prefix == 0 || m.prefix > 32 || m.address == 0))
		abort();
	return 0;
}
