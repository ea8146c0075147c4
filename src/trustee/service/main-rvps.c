/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/service/service-config.h"

int main(int argc, char **argv)
{
	struct service_options o = {
		.program = "husk-rvps",
		.usage = "husk-rvps [-c FILE] [-a ADDRESS:PORT]",
		.about =
			"The reference value service of husk, on its own: what good evidence looks like.",
		.help_sockets =
			"  -a, --address ADDR:PORT    where gRPC listens (default 127.0.0.1:50003)\n",
		.service = SERVICE_RVPS,
		.default_grpc = "127.0.0.1:50003",
		.default_store = "/var/lib/husk-rvps/rvps.db",
	};

	return service_main(&o, argc, argv);
}
