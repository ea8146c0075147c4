/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of Nebula credentials. Caller: the vault (attacker: an attested guest, whose query this is).
 * Properties: networks that are masked stay as they are when they are masked again; a duration is positive
 * and bounded; what was read can be encoded.
 */
#include <stdlib.h>

#include "fmt/nebula.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct slice in, struct nebula_details *d)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);

	d->name = slice_cut(in, 0, NEBULA_NAME_MAX);
	d->not_after = 1;
	for (d->version = 1; d->version <= 2; d->version++) {
		bool good = nebula_check(d, NULL) == 0;

		buf_clear(&out);
		if ((nebula_put_signed(&out, d) == 0) != good ||
			(good && out.size < d->name.size + 2))
			abort();
		if ((nebula_put_certificate(&out, d, in) == 0) != good && in.size < 1024)
			abort();
	}
	d->version = 1;
	(void)!nebula_allowed(d, d, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct nebula_details d = {0};
	int64_t seconds = 0;

	if (nebula_nets_parse(in, true, d.subnets, &d.subnet_count, NULL) == 0) {
		for (size_t i = 0; i < d.subnet_count; i++) {
			const struct nebula_net *net = &d.subnets[i];

			if (net->prefix > (net->v6 ? 128 : 32))
				abort();
			for (unsigned bit = net->prefix; bit < 128; bit++)
				if (net->address[bit / 8] & 0x80 >> bit % 8)
					abort();
		}
	} else {
		d.subnet_count = 0;
	}
	if (nebula_nets_parse(in, false, d.ips, &d.ip_count, NULL) < 0)
		d.ip_count = 0;
	if (nebula_groups_parse(in, d.groups, &d.group_count, NULL) < 0)
		d.group_count = 0;
	if (nebula_duration_parse(in, &seconds, NULL) == 0 && seconds <= 0)
		abort();
	encode(in, &d);
	return 0;
}
