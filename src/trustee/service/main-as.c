/* SPDX-License-Identifier: Apache-2.0 */
/* husk-as: options. */
#include <getopt.h>

#include "trustee/kbs/role.h"
#include "trustee/service/service-config.h"

#define EXIT_USAGE 2

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
	"Exit: 0 after SIGTERM, 1 on failure, 2 for a wrong command line.\n";

static int usage(const char *what)
{
	fprintf(stderr, "husk-as: %s\nTry `husk-as --help`.\n", what);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_REST, OPT_ROLE };
	static const struct option options[] = {
		{"config-file", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"rest", required_argument, NULL, OPT_REST},
		{"https-pubkey-cert", required_argument, NULL, 't'},
		{"https-prikey", required_argument, NULL, 'k'},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"role", required_argument, NULL, OPT_ROLE},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct service_options o = {
		.program = "husk-as",
		.service = SERVICE_AS,
		.default_grpc = "127.0.0.1:50004",
		.default_store = "/var/lib/husk-as/as.db",
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:s:t:k:hV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o.config_file = optarg;
			break;
		case 's':
			o.grpc = optarg;
			break;
		case OPT_REST:
			o.rest = optarg;
			break;
		case 't':
			o.certificate = optarg;
			break;
		case 'k':
			o.private_key = optarg;
			break;
		case OPT_CHECK:
			o.check = true;
			break;
		case OPT_ROLE:
			return role_main(optarg);
		case 'h':
			fputs(g_help, stdout);
			return 0;
		case 'V':
			puts("husk-as " HUSK_VERSION);
			return 0;
		default:
			return usage("wrong command line");
		}
	}
	if (optind < argc)
		return usage("unexpected argument");
	if (!o.certificate != !o.private_key)
		return usage("--https-pubkey-cert and --https-prikey belong together");
	return service_run(&o);
}
