/* SPDX-License-Identifier: Apache-2.0 */
/* husk key: make and examine keys. */
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/key_provider.h"
#include "crypto/key.h"
#include "oci/ocicrypt.h"

#define KEY_FILE_MAX ((size_t)1 << 20)

static int write_new(const struct cli *cli, const char *path, struct slice bytes, mode_t mode,
	struct err *reterr)
{
	if (access(path, F_OK) == 0 && !cli_flag(cli, "force"))
		return err_set(reterr, -EEXIST, "'%s' exists (--force replaces it)", path);
	return file_write_atomic(path, bytes, mode, reterr);
}

static int generate_kek(const struct cli *cli, const char *path)
{
	cleanup_with(secret_done) struct secret kek = {0};
	struct err e = {0};

	int r = secret_new(&kek, OCICRYPT_KEK_SIZE);
	if (r == 0)
		r = random_bytes(kek.data, kek.size);
	if (r == 0)
		r = write_new(cli, path, secret_slice(&kek), 0600, &e);
	return r < 0 ? cli_fail(cli, r, &e, "cannot make a key") : CLI_OK;
}

static int write_pair(const struct cli *cli, const char *path, const struct pkey *key)
{
	cleanup_with(buf_done) struct buf private_pem = buf_init_secret(KEY_FILE_MAX);
	cleanup_with(buf_done) struct buf public_pem = buf_init(KEY_FILE_MAX);
	const char *public_path = cli_opt(cli, "public");
	struct err e = {0};

	int r = pkey_to_pem_private(key, &private_pem);
	if (r == 0)
		r = pkey_to_pem_public(key, &public_pem);
	if (r == 0)
		r = write_new(cli, path, buf_slice(&private_pem), 0600, &e);
	if (r == 0 && public_path)
		r = write_new(cli, public_path, buf_slice(&public_pem), 0644, &e);
	return r < 0 ? cli_fail(cli, r, &e, "cannot make a key") : CLI_OK;
}

static int run_generate(struct cli *cli)
{
	static const struct {
		const char *name;
		enum key_type type;
		unsigned bits;
	} types[] = {{"p256", KEY_P256, 0}, {"p384", KEY_P384, 0}, {"p521", KEY_P521, 0},
		{"ed25519", KEY_ED25519, 0}, {"rsa3072", KEY_RSA, 3072},
		{"rsa4096", KEY_RSA, 4096}};
	const char *type = cli_opt_or(cli, "type", "p256");
	cleanup(pkey_free) struct pkey *key = NULL;

	if (streq(type, "kek"))
		return generate_kek(cli, cli_arg(cli, 0));
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		if (!streq(type, types[i].name))
			continue;
		int r = pkey_generate(types[i].type, types[i].bits, &key);
		return r < 0 ? cli_fail(cli, r, NULL, "cannot make a key")
			     : write_pair(cli, cli_arg(cli, 0), key);
	}
	return cli_fail(cli, -EINVAL, NULL, "unknown type '%s'", type);
}

static int load(const char *path, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_FILE_MAX);

	int r = file_read(path, KEY_FILE_MAX, &pem, reterr);
	return r < 0 ? r : pkey_from_pem(buf_slice(&pem), ret, reterr);
}

static int print_jwk(const struct pkey *key)
{
	json_t *jwk = pkey_to_jwk(key);
	int code = cli_print_json(jwk);

	json_decref(jwk);
	return code;
}

static int run_public(struct cli *cli)
{
	cleanup_with(buf_done) struct buf pem = buf_init(KEY_FILE_MAX);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct err e = {0};

	int r = load(cli_arg(cli, 0), &key, &e);
	if (r == 0 && (cli->json || cli_flag(cli, "jwk")))
		return print_jwk(key);
	if (r == 0)
		r = pkey_to_pem_public(key, &pem);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read '%s'", cli_arg(cli, 0));
	fwrite(pem.data, 1, pem.size, stdout);
	return CLI_OK;
}

static int run_id(struct cli *cli)
{
	cleanup_with(buf_done) struct buf id = buf_init(1024);
	cleanup(pkey_free) struct pkey *key = NULL;
	struct err e = {0};

	int r = load(cli_arg(cli, 0), &key, &e);
	if (r == 0)
		r = pkey_thumbprint(key, &id);
	if (r < 0)
		return cli_fail(cli, r, &e, "cannot read '%s'", cli_arg(cli, 0));
	if (!cli->json) {
		puts(buf_str(&id));
		return CLI_OK;
	}
	json_t *doc = json_pack(
		"{s:s, s:b}", "thumbprint", buf_str(&id), "private", pkey_is_private(key));
	int code = cli_print_json(doc);
	json_decref(doc);
	return code;
}

static const struct cli_option g_provider_options[] = {
	{"key", 'k', .arg = "[URI=]FILE", .many = true,
		.help = "key encryption key, for every key id or for one",
		.complete = CLI_COMPLETE_FILE},
	{"kid", .arg = "URI", .help = "key id of new packets when the request names none"},
	{NULL},
};

const struct cli_command cmds_key[] = {
	{"key", "generate", "Make a signing key pair or a key encryption key", "FILE",
		.args_min = 1, .args_max = 1,
		.details = "The private key is written as unencrypted PKCS#8 PEM with mode 0600; a "
			   "key encryption key (--type kek) as 32 random bytes.",
		.options =
			(const struct cli_option[]){
				{"type", 't', .arg = "TYPE", .help = "kind of key (default p256)",
					.choices = "p256|p384|p521|ed25519|rsa3072|rsa4096|kek"},
				{"public", 'p', .arg = "FILE", .help = "write the public key here",
					.complete = CLI_COMPLETE_FILE},
				{"force", 'f', .help = "replace existing files"}, {NULL}},
		.complete = CLI_COMPLETE_FILE, .run = run_generate},
	{"key", "public", "Print the public half of a key", "FILE", .args_min = 1, .args_max = 1,
		.options =
			(const struct cli_option[]){
				{"jwk", .help = "as a JSON Web Key instead of PEM"}, {NULL}},
		.complete = CLI_COMPLETE_FILE, .run = run_public},
	{"key", "id", "Print the thumbprint of a key (RFC 7638)", "FILE", .args_min = 1,
		.args_max = 1, .complete = CLI_COMPLETE_FILE, .run = run_id},
	{"key", "provider", "Wrap and unwrap layer keys for skopeo and containerd",
		.details =
			"Answers one request of the key-provider protocol of containers/ocicrypt "
			"on standard input and output. Name it as a cmd provider in the file that "
			"the environment variable OCICRYPT_KEYPROVIDER_CONFIG points to:\n\n"
			"{\"key-providers\": {\"attestation-agent\": {\"cmd\": {\"path\": "
			"\"/usr/local/bin/husk\", \"args\": [\"key\", \"provider\"]}}}}\n\n"
			"Requests may carry the parameters of CoCo's key provider: keyid=URI (the "
			"name of the key encryption key at the key broker), keypath=FILE (the "
			"key's 32 bytes) and algorithm=A256GCM; --kid and --key stand in for what "
			"they leave out. skopeo must be built with ocicrypt 1.1 or "
			"later; Debian 12 has 1.0.3.",
		.examples = "skopeo copy --encryption-key "
			    "provider:attestation-agent:keyid=kbs:///default/image-key/"
			    "app::keypath=kek.bin oci:img:v1 oci:enc:v1\n"
			    "skopeo copy --decryption-key "
			    "provider:attestation-agent:keypath=kek.bin oci:enc:v1 oci:plain:v1",
		.options = g_provider_options, .run = key_run_provider},
	{NULL},
};
