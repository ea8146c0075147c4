/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: the key broker and `husk collateral`, with what vendors answer and what bundles bring.
 * Attacker: who answers in a vendor's place, or hands over a bundle. Formats: certificates and lists of
 * revoked ones in PEM or DER, OCSP answers, TCB Info, QE identities, bundles. Properties: no bundle
 * without our signature opens; an item that was taken is there as it came.
 */
#include "base/str.h"
#include "collateral/bundle.h"
#include "collateral/expiry.h"
#include "crypto/crl.h"
#include "crypto/x509.h"
#include "fmt/json.h"

#define CERTS_MAX 4

static const char g_key[] = "-----BEGIN PUBLIC KEY-----\n"
			    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
			    "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
			    "-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct slice in)
{
	static const char key[] = "intel/crl/root";
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	enum collateral_fate fate;
	struct slice item;

	if (!s || collateral_merge(s, key, in, &fate, NULL) < 0)
		return;
	bool there = collateral_get(collateral_store_provider(s), key, &item) == 0;
	if (there ? !slice_eq(item, in) : fate == COLLATERAL_ADDED && in.size > 0)
		abort();
	if (there && (collateral_merge(s, key, in, &fate, NULL) < 0 || fate != COLLATERAL_SAME))
		abort();
}

static void open_bundle(struct slice in)
{
	static struct pkey *key;
	cleanup(collateral_store_free) struct collateral_store *s = collateral_store_new();
	cleanup(json_decref) json_t *doc = NULL;
	int64_t made;

	if (!key && pkey_from_pem(slice_str(g_key), &key, NULL) < 0)
		abort();
	if (s && json_parse(in, 0, &doc, NULL) == 0 &&
		collateral_bundle_open(doc, &key, 1, s, &made, NULL) == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct cert *certs[CERTS_MAX] = {NULL};
	struct collateral_life life;
	struct crl *crl = NULL;

	if (collateral_life(in, &life, NULL) == 0 && !collateral_kind_name(life.kind))
		abort();
	int count = certs_from_pem(in, certs, CERTS_MAX, NULL);
	for (int i = 0; i < count; i++)
		cert_free(certs[i]);
	if (crl_from_any(in, &crl, NULL) == 0)
		crl_free(crl);
	take(in);
	open_bundle(in);
	return 0;
}
