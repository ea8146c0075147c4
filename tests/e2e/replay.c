/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attest once with a TPM of one's own, then send the very same attestation in another session.
 * usage: replay PORT CA.PEM        prints the id of the refusal; exit 1 when there was none
 */
#include <signal.h>

#include "base/parse.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/tpm_cmd.h"
#include "support/kbs_client.h"
#include "support/swtpm.h"

#define AK_HANDLE 0x81010002u

static int fail(const char *what, const struct kbs_client *c)
{
	fprintf(stderr, "replay: %s (status %d): %s\n", what, c->status, buf_str(&c->answer));
	return 1;
}

/* An attestation that fits the nonce of @c's session; free() it. */
static char *make_attestation(struct kbs_client *c, struct swtpm *tpm, const json_t *tee_key)
{
	char nonce[64];
	uint8_t binding[48];
	char *evidence = NULL;
	struct err e = {0};
	if (kbs_client_auth(c, "tpm", nonce) < 0 || kbs_binding(nonce, tee_key, "", binding) < 0 ||
		swtpm_evidence(tpm, AK_HANDLE, slice_of(binding, sizeof(binding)), &evidence, &e) <
			0)
		return NULL;
	char *message = kbs_attestation(nonce, tee_key, json_loads(evidence, 0, NULL), NULL);
	free(evidence);
	return message;
}

/* The id in "... (id ID)" of a refusal. */
static bool print_id(const struct kbs_client *c)
{
	cleanup(json_decref) json_t *doc = kbs_client_json(c);
	const char *detail = json_string_value(json_object_get(doc, "detail"));
	const char *id = detail ? strstr(detail, "(id ") : NULL;
	if (!id)
		return false;
	printf("%.*s\n", (int)strcspn(id + 4, ")"), id + 4);
	return true;
}

static int replay(struct kbs_client *c, struct swtpm *tpm, const json_t *tee_key)
{
	char nonce[64];
	cleanup(free_ptr) char *message = make_attestation(c, tpm, tee_key);
	if (!message)
		return fail("cannot make an attestation", c);
	if (kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)) < 0 ||
		c->status != 200)
		return fail("the first attestation was not taken", c);
	if (kbs_client_auth(c, "tpm", nonce) < 0)
		return fail("cannot start another session", c);
	if (kbs_client_request(c, "POST", "/kbs/v0/attest", slice_str(message)) < 0)
		return fail("no answer", c);
	if (c->status != 401)
		return fail("the replayed attestation was not refused", c);
	return print_id(c) ? 0 : fail("the refusal has no id", c);
}

int main(int argc, char **argv)
{
	uint32_t port;
	struct kbs_client client;
	struct swtpm tpm;
	struct err e = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	if (argc != 3 || parse_u32(slice_str(argv[1]), 1, 65535, &port) < 0) {
		fprintf(stderr, "usage: replay PORT CA.PEM\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (kbs_client_init(&client, (uint16_t)port, argv[2]) < 0 || swtpm_start(&tpm) < 0 ||
		tpm_create_ak(&tpm.tpm, AK_HANDLE, &e) < 0 ||
		pkey_generate(KEY_P256, 0, &key) < 0) {
		fprintf(stderr, "replay: cannot start: %s\n", e.text);
		return 1;
	}
	json_t *tee_key = kbs_tee_key(key);
	int r = replay(&client, &tpm, tee_key);
	json_decref(tee_key);
	kbs_client_done(&client);
	swtpm_stop(&tpm);
	return r;
}
