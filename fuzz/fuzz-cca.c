/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: the verifier process of the key broker; `husk verify`. Attacker: whoever sends
 * evidence. Format: a CCA token, a COSE message, a COSE key or the claims of either token.
 * Properties: items that CBOR says are there can be walked; nothing is accepted, since no mutation
 * can sign a token with the key that is known.
 */
#include "crypto/cose.h"
#include "evidence/cca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of a platform that signed nothing in the corpus. */
static const char g_key[] =
	"{\"kty\":\"EC\",\"crv\":\"P-384\","
	"\"x\":\"IShnxS4rlQiwpCCpBWDzlNLfqiG911FP8akBr-fh94uxHU5m-Kijivp2r2oxxN6M\","
	"\"y\":\"hM4tr8mWQli1P61xh3T0ViDREbF26DGOEYfbAjWjGNN7pZf-6A4OTHYqEryz6m7U\"}";

static int known_key(void *ctx, const char *key, struct slice *ret)
{
	*ret = slice_of(g_key, sizeof(g_key) - 1);
	return 0;
}

/* As many items as the head says, and each within its container. */
static void walk(const struct cbor *c)
{
	struct slice rest = c->bytes;
	struct cbor item;
	uint64_t count = 0;

	if (c->kind < CBOR_ARRAY || c->kind > CBOR_TAG)
		return;
	while (cbor_next(&rest, &item) == 0)
		count++;
	uint64_t want = c->kind == CBOR_TAG ? 1 : c->kind == CBOR_MAP ? 2 * c->number : c->number;
	if (count != want || rest.size != 0)
		__builtin_trap();
}

static void parse_all(struct slice in)
{
	static struct cca_platform platform;
	struct cca_realm realm;
	struct pkey *key = NULL;

	if (cca_platform_parse(in, &platform, NULL) == 0 && platform.component_count == 0)
		__builtin_trap();
	if (cca_realm_parse(in, &realm, NULL) == 0 && realm.challenge.size != CCA_CHALLENGE_SIZE)
		__builtin_trap();
	if (cose_key_parse(in, &key, NULL) == 0)
		pkey_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct collateral_provider provider = {known_key, NULL};
	const struct evidence_request q = {.now = 1795392000, .collateral = &provider};
	struct evidence_result result = {.checks = json_array()};
	struct slice in = slice_of(data, size);
	struct cose message;
	struct cbor c;
	struct cca t;

	if (size > CCA_TOKEN_MAX) {
		evidence_result_done(&result);
		return 0;
	}
	if (cbor_parse(in, &c, NULL) == 0)
		walk(&c);
	parse_all(in);
	if (cose_parse(in, &message, NULL) == 0)
		parse_all(message.payload);
	if (cca_verify(&q, in, &result, &t) == 0)
		__builtin_trap();
	evidence_result_done(&result);
	return 0;
}
