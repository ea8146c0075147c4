/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of husk-as and husk-rvps. */
#include <getopt.h>

#include "base/str.h"
#include "trustee/kbs/role.h"
#include "trustee/service/service-config.h"

#define EXIT_USAGE 2

/* What an option sets; its row says which programs have it. */
enum what {
	SET_FILE,
	SET_GRPC,
	SET_REST,
	SET_CERTIFICATE,
	SET_KEY,
	SET_CHECK,
	PLAY_ROLE,
	HELP,
	VERSION
};

static const struct row {
	const char *name;
	int letter; /* 0: none */
	bool argument;
	bool as, rvps;
	enum what what;
} g_rows[] = {
	{"config-file", 'c', true, true, true, SET_FILE},
	{"socket", 's', true, true, false, SET_GRPC},
	{"address", 'a', true, false, true, SET_GRPC},
	{"rest", 0, true, true, false, SET_REST},
	{"https-pubkey-cert", 't', true, true, true, SET_CERTIFICATE},
	{"https-prikey", 'k', true, true, true, SET_KEY},
	{"check-config", 0, false, true, true, SET_CHECK},
	{"role", 0, true, true, true, PLAY_ROLE}, /* the supervisor's children */
	{"help", 'h', false, true, true, HELP},
	{"version", 'V', false, true, true, VERSION},
};

#define LONG_ONLY 256 /* values of options without a letter begin here */

static int usage(const struct service_options *o, const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s\nTry `%s --help`.\n", o->program, what, value, o->program);
	return EXIT_USAGE;
}

static void print_help(const struct service_options *o)
{
	printf("Usage: %s\n\n%s\n\n"
	       "  -c, --config-file FILE     JSON configuration; without it all is default\n"
	       "%s"
	       "  -t, --https-pubkey-cert F  PEM certificate chain: TLS on all sockets\n"
	       "  -k, --https-prikey FILE    its private key\n"
	       "      --check-config         read the configuration, say whether it is good, and "
	       "end\n"
	       "  -h, --help                 show this text\n"
	       "  -V, --version              show the version\n"
	       "\n"
	       "Addresses are literal: 127.0.0.1:PORT, [::1]:PORT, [::]:PORT for all of IPv6 and "
	       "IPv4.\n"
	       "Those beyond loopback need TLS with client certificates (\"client_ca\" in the\n"
	       "configuration's \"husk\"), because the interface has no users.\n"
	       "\n"
	       "On SIGHUP configuration, certificates and keys are read again.\n"
	       "\n"
	       "Exit: 0 after SIGTERM, 1 on failure, 2 for a wrong command line.\n",
		o->usage, o->about, o->help_sockets);
}

static void fill_tables(const struct service_options *o, struct option *options, char *letters)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
		const struct row *r = &g_rows[i];

		if (o->service == SERVICE_AS ? !r->as : !r->rvps)
			continue;
		*options++ = (struct option){r->name, r->argument ? required_argument : no_argument,
			NULL, r->letter ? r->letter : LONG_ONLY + (int)i};
		if (!r->letter)
			continue;
		*letters++ = (char)r->letter;
		if (r->argument)
			*letters++ = ':';
	}
	*options = (struct option){0};
	*letters = '\0';
}

static const struct row *row_of(const struct service_options *o, int value)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_rows); i++) {
		const struct row *r = &g_rows[i];

		if ((o->service == SERVICE_AS ? r->as : r->rvps) &&
			value == (r->letter ? r->letter : LONG_ONLY + (int)i))
			return r;
	}
	return NULL;
}

/* Return: -1 to go on, else the exit code. */
static int take(struct service_options *o, const struct row *row, const char *value)
{
	switch (row->what) {
	case SET_FILE:
		o->config_file = value;
		break;
	case SET_GRPC:
		o->grpc = value;
		break;
	case SET_REST:
		o->rest = value;
		break;
	case SET_CERTIFICATE:
		o->certificate = value;
		break;
	case SET_KEY:
		o->private_key = value;
		break;
	case SET_CHECK:
		o->check = true;
		break;
	case PLAY_ROLE:
		return role_main(value);
	case HELP:
		print_help(o);
		return 0;
	case VERSION:
		printf("%s " HUSK_VERSION "\n", o->program);
		return 0;
	}
	return -1;
}

int service_main(struct service_options *o, int argc, char **argv)
{
	struct option options[ARRAY_COUNT(g_rows) + 1];
	char letters[2 * ARRAY_COUNT(g_rows) + 1];
	int value, code;

	fill_tables(o, options, letters);
	while ((value = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const struct row *row = row_of(o, value);

		if (!row)
			return usage(o, "wrong command line", "");
		code = take(o, row, optarg);
		if (code >= 0)
			return code;
	}
	if (optind < argc)
		return usage(o, "unexpected argument ", argv[optind]);
	if (!o->certificate != !o->private_key)
		return usage(o, "--https-pubkey-cert and --https-prikey belong together", "");
	return service_run(o);
}
