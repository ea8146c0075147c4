/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: made here, signed here or by the signer process. The signature of a device counts when it
 * verifies under the key that we publish; without one there is no token.
 */
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "fmt/json.h"
#include "trustee/as/ear.h"
#include "trustee/kbs/vault-internal.h"

/* The token carries the id of its verdict, so that later refusals can refer to it, and its tenant,
 * so that it opens nothing of another one. */
static int make_claims(const struct call *c, const json_t *submods, const char *id, json_t **ret)
{
	const struct kbs_config *k = c->vault->config;
	const struct ear_issuer issuer = {k->broker.issuer_name, k->broker.developer_name,
		k->broker.build_name, k->broker.profile_name, (int64_t)k->broker.duration_min * 60};
	int r = ear_claims(&issuer, vault_now(c->vault), submods, ret);

	if (r == 0 && json_object_set_new(*ret, "jti", json_string(id)) < 0)
		r = -ENOMEM;
	if (r == 0 && c->target.tenant[0] &&
		json_object_set_new(*ret, CLAIM_TENANT, json_string(c->target.tenant)) < 0)
		r = -ENOMEM;
	return r;
}

static void signed_elsewhere(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	cleanup_with(buf_done) struct buf signature = buf_init(1024);
	const char *reason = wire_str(result, "reason");
	struct err e = {0};

	if (error == 0)
		error = b64_decode(&signature, slice_str(wire_str(result, "value")), B64_STD);
	if (error == 0) {
		error = token_finish(c->vault->keys, buf_slice(&signature), &c->token, &e);
		if (error == 0) {
			c->issued(c, 0, &e);
			return;
		}
	}
	log_error("kbs.token.sign",
		LOG_STR("reason", e.text[0]   ? e.text
				  : reason[0] ? reason
					      : err_text(NULL, error)),
		LOG_STR("request", c->request_id));
	/* What is wrong with the device is no fault of the guest's: it may try again. */
	(void)!err_set(&e, -EAGAIN, "the device with the token key does not sign");
	c->issued(c, -EAGAIN, &e);
}

void vault_issue(struct call *c, const json_t *submods, const char *id, issued_fn done)
{
	struct vault *v = c->vault;
	cleanup(json_decref) json_t *claims = NULL;
	struct digest digest;
	struct err e = {0};
	int r = make_claims(c, submods, id, &claims);

	c->issued = done;
	if (r == 0)
		r = token_start(v->keys, claims, &c->token, &e);
	if (r == 0 && !v->signers) {
		done(c, token_sign_here(v->keys, &c->token, &e), &e);
		return;
	}
	if (r == 0)
		r = token_digest(v->keys, buf_slice(&c->token), &digest);
	if (r == 0)
		r = pool_submit(v->signers, json_pack("{s:s}", "op", "sign"), digest_slice(&digest),
			vault_now_ms(v), signed_elsewhere, c);
	if (r < 0)
		done(c, r, &e);
}
