/* SPDX-License-Identifier: Apache-2.0 */
/* husk-kbs: options, and which role this process plays. */
#include <getopt.h>

#include "base/str.h"
#include "trustee/kbs/init.h"
#include "trustee/kbs/restore.h"
#include "trustee/kbs/role.h"

#define EXIT_USAGE 2
#define HOSTS_MAX 16
#define DEFAULT_CONFIG "/etc/husk/husk-kbs.toml"

static const char g_help[] =
	"Usage: husk-kbs [-c FILE]\n"
	"       husk-kbs init DIR [--listen ADDRESS:PORT] [--host NAME]...\n"
	"       husk-kbs restore FILE --key KEY [-c FILE]\n"
	"       husk-kbs token-key URI\n"
	"\n"
	"The key broker, attestation service and reference value store of husk.\n"
	"\n"
	"  init DIR                 make keys, a TLS certificate, an admin token and a\n"
	"                           configuration in DIR, so that the broker can start\n"
	"      --listen ADDR:PORT   where it will listen (default 127.0.0.1:8080)\n"
	"      --host NAME          further name or address for the certificate\n"
	"  restore FILE             fill the empty store of the configuration from a backup of\n"
	"                           `husk kbs backup`; the broker must not run yet\n"
	"      --key KEY            private key, PEM, that the backup was made for\n"
	"  token-key URI            print the public half of a token key that is in a device\n"
	"                           (pkcs11:... or tpm:...), for signer.public_key_path\n"
	"  -c, --config-file FILE   configuration (default $KBS_CONFIG_FILE, then\n"
	"                           " DEFAULT_CONFIG ")\n"
	"      --check-config       read the configuration, say whether it is good, and end\n"
	"  -h, --help               show this text\n"
	"  -V, --version            show the version\n"
	"\n"
	"On SIGHUP the configuration and certificates are read again.\n"
	"\n"
	"Exit: 0 after SIGTERM, 1 on failure, 2 for a wrong command line.\n";

struct arguments {
	const char *config_file;
	const char *role;
	const char *init_dir;
	const char *restore_file, *key_file, *token_key;
	const char *listen;
	const char *hosts[HOSTS_MAX];
	size_t host_count;
	bool check;
};

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "husk-kbs: %s%s\nTry `husk-kbs --help`.\n", what, value);
	return EXIT_USAGE;
}

/* Return: -1 to go on, else the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	enum { OPT_CHECK = 256, OPT_ROLE, OPT_LISTEN, OPT_HOST, OPT_INIT, OPT_KEY };
	static const struct option options[] = {
		{"config-file", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"role", required_argument, NULL, OPT_ROLE},
		{"init", required_argument, NULL, OPT_INIT},
		{"listen", required_argument, NULL, OPT_LISTEN},
		{"host", required_argument, NULL, OPT_HOST},
		{"key", required_argument, NULL, OPT_KEY},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			a->config_file = optarg;
			break;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_ROLE:
			a->role = optarg;
			break;
		case OPT_INIT:
			a->init_dir = optarg;
			break;
		case OPT_KEY:
			a->key_file = optarg;
			break;
		case OPT_LISTEN:
			a->listen = optarg;
			break;
		case OPT_HOST:
			if (a->host_count == HOSTS_MAX)
				return usage("too many --host options", "");
			a->hosts[a->host_count++] = optarg;
			break;
		case 'h':
			fputs(g_help, stdout);
			return 0;
		case 'V':
			puts("husk-kbs " HUSK_VERSION);
			return 0;
		default:
			return usage("unknown option", "");
		}
	}
	if (optind < argc && streq(argv[optind], "init")) {
		if (optind + 1 >= argc)
			return usage("init needs a folder", "");
		a->init_dir = argv[optind + 1];
		optind += 2;
	}
	if (optind < argc && streq(argv[optind], "token-key")) {
		if (optind + 1 >= argc)
			return usage("token-key needs a URI", "");
		a->token_key = argv[optind + 1];
		optind += 2;
	}
	if (optind < argc && streq(argv[optind], "restore")) {
		if (optind + 1 >= argc || !a->key_file)
			return usage("restore needs a FILE and --key", "");
		a->restore_file = argv[optind + 1];
		optind += 2;
	}
	return optind < argc ? usage("unexpected argument ", argv[optind]) : -1;
}

static int run_init(const struct arguments *a)
{
	const struct init_options o = {a->init_dir, a->listen, a->hosts, a->host_count};
	struct err e = {0};
	int r = init_make(&o, &e);

	if (r < 0) {
		fprintf(stderr, "husk-kbs: init: %s\n", err_text(&e, r));
		return 1;
	}
	printf("Made %s. Start the broker:\n"
	       "  husk-kbs -c %s/husk-kbs.toml\n"
	       "Talk to it as its admin:\n"
	       "  export HUSK_KBS_URL=https://%s HUSK_KBS_CERT=%s/tls.crt \\\n"
	       "    HUSK_KBS_ADMIN_TOKEN_FILE=%s/admin-token\n"
	       "  husk kbs resource list\n",
		a->init_dir, a->init_dir, a->listen, a->init_dir, a->init_dir);
	return 0;
}

static int load_again(const void *cookie, struct kbs_config *ret, struct err *reterr)
{
	return kbs_config_load(cookie, ret, reterr);
}

int main(int argc, char **argv)
{
	cleanup_with(kbs_config_done) struct kbs_config config = {0};
	struct arguments a = {.listen = "127.0.0.1:8080"};
	struct err e = {0};
	int r = parse_arguments(argc, argv, &a);

	if (r >= 0)
		return r;
	if (a.role)
		return role_main(a.role);
	if (a.init_dir)
		return run_init(&a);
	if (a.token_key) {
		r = signer_print_public(a.token_key, &e);
		if (r < 0)
			fprintf(stderr, "husk-kbs: token-key: %s\n", err_text(&e, r));
		return r < 0;
	}
	if (!a.config_file)
		a.config_file = getenv("KBS_CONFIG_FILE");
	if (!a.config_file)
		a.config_file = DEFAULT_CONFIG;
	r = kbs_config_load(a.config_file, &config, &e);
	if (r < 0) {
		fprintf(stderr, "husk-kbs: %s\n", err_text(&e, r));
		return 1;
	}
	if (a.restore_file) {
		r = restore_run(&config, a.restore_file, a.key_file, &e);
		if (r < 0) {
			fprintf(stderr, "husk-kbs: restore: %s\n", err_text(&e, r));
			return 1;
		}
		printf("restored %s\n", a.restore_file);
		return 0;
	}
	if (a.check) {
		printf("%s is good\n", a.config_file);
		return 0;
	}
	role_log(&config, NULL);
	role_warn(&config);
	const struct role_source source = {load_again, a.config_file, a.config_file};
	return role_supervisor(&config, &source);
}
