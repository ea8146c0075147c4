/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Called by: guests and `husk image` on what an image or a pod carries. Attacker: whoever can write
 * to the registry or the pod's specification. Format: by how it starts, '0' (0x30) a PKCS#7 key
 * packet, "sealed." a sealed secret, '{' an entry of Rekor, a JWK with certificates, a sigstore bundle or a trusted root, else an
 * initdata annotation. Properties: nothing opens or verifies under keys that did not make it;
 * initdata survives being packed again.
 */
#include "crypto/jwk_trust.h"
#include "crypto/sealed_secret.h"
#include "fmt/initdata.h"
#include "fmt/json.h"
#include "oci/initdata_annotation.h"
#include "oci/ocicrypt_recipient.h"
#include "oci/rekor.h"
#include "oci/sigstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1795392000

static struct pkey *key_of(enum key_type type)
{
	static struct pkey *rsa, *ec;
	struct pkey **k = type == KEY_RSA ? &rsa : &ec;

	if (!*k && pkey_generate(type, 2048, k) < 0)
		__builtin_trap();
	return *k;
}

static void open_packet(struct slice in)
{
	struct secret plain = {0};

	if (ocicrypt_pkcs7_open(key_of(KEY_RSA), in, &plain, NULL) == 0)
		__builtin_trap();
}

static void open_sealed(struct slice in)
{
	json_t *jwk = pkey_to_jwk(key_of(KEY_P256));
	struct sealed_secret s = {0};

	if (sealed_parse(in, &s, NULL) == 0 &&
		(!s.kid[0] || s.type == SEALED_NONE || sealed_check(&s, jwk, NULL) == 0))
		__builtin_trap();
	sealed_done(&s);
	json_decref(jwk);
}

static void read_bundle(struct slice in)
{
	static struct sigstore_root *good;
	static const struct fulcio_identity who = {"nobody", "nobody"};
	struct sigstore_root *own = NULL;

	if (!good && sigstore_root_parse(sigstore_public_good(), &good, NULL) < 0)
		__builtin_trap();
	const struct sigstore_policy p = {good, &who, NULL}, keyed = {good, NULL, key_of(KEY_P256)};
	if (sigstore_verify(in, SLICE_LIT("artifact"), &p, NOW, NULL) == 0 ||
		sigstore_verify(in, SLICE_LIT("artifact"), &keyed, NOW, NULL) == 0)
		__builtin_trap();
	if (sigstore_root_parse(in, &own, NULL) == 0 && own->log_count > SIGSTORE_PARTIES_MAX)
		__builtin_trap();
	sigstore_root_free(own);
}

static void read_object(struct slice in)
{
	struct rekor_entry e = {0};
	struct pkey *shown = NULL;
	json_t *jwk = NULL;

	if (rekor_set_verify(key_of(KEY_P256), in, &e, NULL) == 0)
		__builtin_trap();
	if (json_parse(in, 0, &jwk, NULL) == 0 && pkey_from_jwk(jwk, &shown, NULL) == 0 &&
		pkey_check_endorsed(shown, json_object_get(jwk, "x5c"), NULL, 0, NOW, NULL) == 0)
		__builtin_trap();
	pkey_free(shown);
	json_decref(jwk);
	/* The body of an entry, as if its promise held. */
	e.body = buf_init(0);
	buf_put_slice(&e.body, in);
	if (rekor_entry_check(&e, SLICE_LIT("payload"), SLICE_LIT("signature"), key_of(KEY_P256),
		    NULL, NULL) == 0)
		__builtin_trap();
	rekor_entry_done(&e);
	read_bundle(in);
}

static void read_annotation(struct slice in)
{
	cleanup_with(buf_done) struct buf toml = buf_init(0), text = buf_init(0),
					  again = buf_init(0);

	if (initdata_annotation_decode(in, &toml, NULL) < 0)
		return;
	if (toml.size > INITDATA_SIZE_MAX ||
		initdata_annotation_encode(buf_slice(&toml), &text, NULL) < 0 ||
		initdata_annotation_decode(buf_slice(&text), &again, NULL) < 0 ||
		!slice_eq(buf_slice(&again), buf_slice(&toml)))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	if (size == 0)
		return 0;
	if (data[0] == 0x30)
		open_packet(in);
	else if (sealed_is(in))
		open_sealed(in);
	else if (data[0] == '{')
		read_object(in);
	else
		read_annotation(in);
	return 0;
}
