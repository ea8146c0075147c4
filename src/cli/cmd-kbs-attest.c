/* SPDX-License-Identifier: Apache-2.0 */
/*
 * husk kbs attest: the handshake of a guest with the evidence of the sample attester, to try a key
 * broker and its policies without a TEE. A guest's own handshake is src/guest/aa.
 */
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/kbs_admin.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "fmt/jcs.h"
#include "fmt/json.h"

#define KEY_MAX ((size_t)64 << 10)
#define FILE_MAX ((size_t)1 << 20)

/* The key that resources will be encrypted to: read, or made and written. */
static int tee_key(const char *file, struct pkey **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_MAX);
	int r;

	if (file && access(file, F_OK) == 0) {
		r = file_read(file, KEY_MAX, &pem, reterr);
		return r < 0 ? r : pkey_from_pem(buf_slice(&pem), ret, reterr);
	}
	r = pkey_generate(KEY_P256, 0, ret);
	if (r == 0 && file)
		r = pkey_to_pem_private(*ret, &pem);
	if (r == 0 && file)
		r = file_write_atomic(file, buf_slice(&pem), 0600, reterr);
	return r;
}

static int start(struct kbs_admin *a, const char **ret_nonce, json_t **ret, struct err *reterr)
{
	static const char hello[] =
		"{\"version\":\"0.4.0\",\"tee\":\"sample\",\"extra-params\":{}}";
	cleanup_with(buf_done) struct buf answer = buf_init(FILE_MAX);
	const struct kbs_request q = {.method = "POST",
		.path = "auth",
		.type = "application/json",
		.body = slice_str(hello),
		.cookies = true};
	int r = kbs_admin_send(a, &q, &answer, reterr);

	if (r == 0)
		r = json_parse(buf_slice(&answer), 0, ret, reterr);
	return r < 0 ? r : json_get_str(*ret, "nonce", ret_nonce, reterr);
}

/* {"svn", "report_data": SHA-384 over the canonical runtime data}. */
static int sample_evidence(const json_t *runtime, const char *svn, json_t **ret)
{
	cleanup(json_decref) json_t *bound = json_copy((json_t *)(uintptr_t)runtime);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	struct digest d = {0};
	json_t *evidence = json_object();

	*ret = evidence;
	int r = json_set_str(bound, "additional-evidence", "");
	if (r == 0)
		r = jcs_write(bound, &text);
	if (r == 0)
		r = hash_once(HASH_SHA384, buf_slice(&text), &d);
	if (r == 0)
		r = json_set_str(evidence, "svn", svn);
	return r < 0 ? r : json_set_b64(evidence, "report_data", digest_slice(&d), B64_STD);
}

static int make_message(const struct cli *cli, const struct pkey *key, const char *nonce,
	struct buf *out, struct err *reterr)
{
	cleanup(json_decref) json_t *message = json_object(), *runtime = json_object();
	cleanup(json_decref) json_t *evidence = NULL, *jwk = pkey_to_jwk(key);
	cleanup_with(buf_done) struct buf init_data = buf_init(FILE_MAX);
	json_t *parts = NULL;
	int r = jwk ? json_set_str(jwk, "alg",
			      pkey_type(key) == KEY_RSA ? "RSA-OAEP-256" : "ECDH-ES+A256KW")
		    : -ENOMEM;

	if (r == 0)
		r = json_set_str(runtime, "nonce", nonce);
	if (r == 0)
		r = json_set_take(runtime, "tee-pubkey", json_incref(jwk));
	if (r == 0)
		r = sample_evidence(runtime, cli_opt_or(cli, "svn", "1"), &evidence);
	if (r == 0 && cli_arg(cli, 0))
		r = file_read(cli_arg(cli, 0), FILE_MAX, &init_data, reterr);
	if (r == 0)
		r = json_set_take(message, "init-data",
			cli_arg(cli, 0) ? json_pack("{s:s, s:s}", "format", "toml", "body",
						  buf_str(&init_data))
					: json_null());
	if (r == 0)
		r = json_set_take(message, "runtime-data", json_incref(runtime));
	if (r == 0) {
		parts = json_pack(
			"{s:O, s:s}", "primary_evidence", evidence, "additional_evidence", "");
		r = json_set_take(message, "tee-evidence", parts);
	}
	return r < 0 ? r : json_write(message, out);
}

static int attest(struct cli *cli, json_t **ret, struct err *reterr)
{
	cleanup(kbs_admin_free) struct kbs_admin *a = NULL;
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *challenge = NULL;
	cleanup_with(buf_done) struct buf message = buf_init(FILE_MAX * 2);
	cleanup_with(buf_done) struct buf answer = buf_init(FILE_MAX * 2);
	const char *nonce = NULL;

	int r = tee_key(cli_opt(cli, "tee-key-file"), &key, reterr);
	if (r == 0)
		r = kbs_admin_new(cli, &a, reterr);
	if (r == 0)
		r = start(a, &nonce, &challenge, reterr);
	if (r == 0)
		r = make_message(cli, key, nonce, &message, reterr);
	if (r < 0)
		return r;
	const struct kbs_request q = {.method = "POST",
		.path = "attest",
		.type = "application/json",
		.body = buf_slice(&message),
		.cookies = true};
	r = kbs_admin_send(a, &q, &answer, reterr);
	return r < 0 ? r : json_parse(buf_slice(&answer), FILE_MAX * 2, ret, reterr);
}

static int run_attest(struct cli *cli)
{
	cleanup(json_decref) json_t *token = NULL;
	const char *text = NULL;
	struct err e = {0};

	int r = attest(cli, &token, &e);
	if (r == 0)
		r = json_get_str(token, "token", &text, &e);
	if (r < 0) {
		(void)cli_fail(cli, r, &e, "attestation failed");
		return r == -EACCES ? CLI_REFUSED : CLI_FAILURE;
	}
	if (cli->json)
		return cli_print_json(token);
	puts(text);
	return CLI_OK;
}

static const struct cli_option g_attest[] = {
	KBS_OPTIONS,
	{"tee-key-file", .arg = "FILE", .complete = CLI_COMPLETE_FILE,
		.help = "private key that the token binds, PEM; made when it does not exist"},
	{"svn", .arg = "TEXT", .help = "svn that the evidence claims (default: 1)"},
	{NULL},
};

const struct cli_command cmds_kbs_attest[] = {
	{.group = "kbs",
		.name = "attest",
		.summary = "Attest with sample evidence, to try a key broker",
		.args = "[INIT-DATA]",
		.args_max = 1,
		.details =
			"Makes the handshake of a guest with the evidence of the sample attester, "
			"which protects nothing, and prints the attestation token. What the "
			"token is good for is up to the policies: the default ones give it "
			"nothing. INIT-DATA is a TOML file.",
		.examples =
			"husk kbs attest --tee-key-file tee.pem >token\nhusk kbs get default/key/demo "
			"--attestation-token token --tee-key-file tee.pem",
		.options = g_attest,
		.complete = CLI_COMPLETE_FILE,
		.run = run_attest},
	{NULL},
};
