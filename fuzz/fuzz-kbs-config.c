/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: husk-kbs at start (the operator's own file). Property: a configuration that is accepted
 * has a store, sockets, and never serves without TLS unless it says so.
 */
#include "trustee/kbs/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kbs_config c = {0};

	if (kbs_config_parse(slice_of(data, size), &c, NULL) < 0)
		return 0;
	if (!c.store.path || c.http.sockets.count == 0 ||
		(!c.http.insecure_http && !c.http.certificate))
		abort();
	kbs_config_done(&c);
	return 0;
}
