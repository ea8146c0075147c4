/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/service/service-config.h"

int main(int argc, char **argv)
{
	struct service_options o = {
		.program = "husk-as",
		.usage = "husk-as [-c FILE] [-s ADDRESS:PORT] [--rest ADDRESS:PORT]",
		.about = "The attestation service of husk, on its own: evidence in, EAR token out.",
		.help_sockets =
			"  -s, --socket ADDR:PORT     where gRPC listens (default 127.0.0.1:50004)\n"
			"      --rest ADDR:PORT       also serve the REST interface there\n",
		.service = SERVICE_AS,
		.default_grpc = "127.0.0.1:50004",
		.default_store = "/var/lib/husk-as/as.db",
	};

	return service_main(&o, argc, argv);
}
