/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Challenges of IBM Secure Execution: an attestation request for the machines whose host keys are
 * among the collateral, in the place of the nonce. The session keeps the digest of the challenge,
 * which is what a guest that answers another one does not have.
 */
#include "base/enc.h"
#include "base/fd.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "evidence/evidence.h"
#include "evidence/se.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define KEY_FILE_MAX ((size_t)64 << 10)

void vault_se_done(struct vault_se *s)
{
	pkey_free(s->key);
	buf_done(&s->pem);
	buf_done(&s->image);
	buf_done(&s->documents);
	buf_done(&s->chain);
	buf_done(&s->crls);
	*s = (struct vault_se){0};
}

static int take_item(
	const struct collateral_provider *p, const char *key, struct buf *to, struct err *reterr)
{
	struct slice item = SLICE_EMPTY;

	if (collateral_get(p, key, &item) < 0 || item.size == 0)
		return err_set(reterr, -ENOENT, "[husk] se_key needs %s among the collateral", key);
	*to = buf_init(COLLATERAL_ITEM_MAX);
	buf_put_slice(to, item);
	return buf_error(to);
}

int vault_se_load(const struct kbs_config *c, const struct collateral_provider *p,
	struct vault_se *ret, struct err *reterr)
{
	cleanup_with(vault_se_done) struct vault_se s = {.pem = buf_init_secret(KEY_FILE_MAX)};
	const struct {
		const char *key;
		struct buf *to;
	} items[] = {{"ibm/se/header", &s.image}, {"ibm/se/hkds", &s.documents},
		{"ibm/se/chain", &s.chain}, {"ibm/se/crls", &s.crls}};

	if (!c->husk.se_key)
		return 0;
	int r = file_read(c->husk.se_key, KEY_FILE_MAX, &s.pem, reterr);
	if (r == 0)
		r = pkey_from_pem(buf_slice(&s.pem), &s.key, reterr);
	if (r == 0 && (pkey_type(s.key) != KEY_RSA || !pkey_is_private(s.key)))
		r = err_set(reterr, -EINVAL, "it is not a private RSA key");
	if (r < 0)
		return err_wrap(reterr, r, "[husk] se_key %s", c->husk.se_key);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(items); i++)
		r = take_item(p, items[i].key, items[i].to, reterr);
	if (r < 0)
		return r;
	vault_se_done(ret);
	memcpy(ret, &s, sizeof(s));
	memset(&s, 0, sizeof(s));
	return 0;
}

int vault_se_digest(struct slice challenge, struct buf *digest)
{
	struct digest d = {0};
	int r = hash_once(HASH_SHA256, challenge, &d);

	if (r == 0)
		b64_encode(digest, digest_slice(&d), B64_STD);
	return r == 0 ? buf_error(digest) : r;
}

int vault_se_challenge(struct vault *v, struct buf *text, struct buf *digest, struct err *reterr)
{
	const struct vault_se *s = &v->se;
	cleanup(json_decref) json_t *challenge = NULL;
	struct digest root = {.size = 32};
	struct evidence_request trust = {.now = vault_now(v)};
	size_t skipped = 0;

	if (!s->key)
		return err_set(reterr, -EOPNOTSUPP,
			"IBM Secure Execution is not configured: [husk] se_key");
	if (v->config->husk.insecure_ibm_root) {
		if (hex_decode_fixed(root.bytes, root.size,
			    slice_str(v->config->husk.insecure_ibm_root)) < 0)
			return err_set(reterr, -EINVAL,
				"[husk] insecure_ibm_root is not a SHA-256 digest in hex");
		trust.ibm_roots = &root;
		trust.ibm_root_count = 1;
	}
	const struct se_source source = {s->key, buf_slice(&s->image), buf_slice(&s->documents),
		buf_slice(&s->chain), buf_slice(&s->crls)};
	int r = se_challenge_from(&trust, &source, &challenge, &skipped, reterr);
	if (r == 0 && skipped > 0)
		log_warn("kbs.se", LOG_I64("documents_refused", (int64_t)skipped),
			LOG_STR("reason", err_text(reterr, 0)));
	if (r == 0)
		r = json_write(challenge, text);
	return r == 0 ? vault_se_digest(buf_slice(text), digest) : r;
}
