/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/service/service-config.h"

static const char g_help[] =
	"Usage: husk-as [-c FILE] [-s ADDRESS:PORT] [--rest ADDRESS:PORT]\n"
	"\n"
	"The attestation service of husk, on its own: evidence in, EAR token out.\n"
	"\n"
	"  -c, --config-file FILE     JSON configuration; without it all is default\n"
	"  -s, --socket ADDR:PORT     where gRPC listens (default 127.0.0.1:50004)\n"
	"      --rest ADDR:PORT       also serve the REST interface there\n"
	"  -t, --https-pubkey-cert F  PEM certificate chain: TLS on all sockets\n"
	"  -k, --https-prikey FILE    its private key\n"
	"      --check-config         read the configuration, say whether it is good, and end\n"
	"  -h, --help                 show this text\n"
	"  -V, --version              show the version\n"
	"\n"
	"Addresses beyond loopback need TLS with client certificates (\"client_ca\" in the\n"
	"configuration's \"husk\"), because the interface has no users.\n"
	"\n"
	"On SIGHUP configuration, certificates and keys are read again.\n"
	"\n"
	"Exit: 0 after SIGTERM, 1 on failure, 2 for a wrong command line.\n";

int main(int argc, char **argv)
{
	struct service_options o = {
		.program = "husk-as",
		.help = g_help,
		.service = SERVICE_AS,
		.default_grpc = "127.0.0.1:50004",
		.default_store = "/var/lib/husk-as/as.db",
	};

	return service_main(&o, argc, argv);
}
