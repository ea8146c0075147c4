/* SPDX-License-Identifier: Apache-2.0 */
/* Request, Challenge, Attestation, Response. */
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/json.h"
#include "trustee/kbs/vault-internal.h"

#define COOKIE_NAME "kbs-session-id"

static void set_cookie(struct call *c, const char *id, int64_t expires_unix)
{
	char when[64] = "";
	time_t t = (time_t)expires_unix;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	/* Without Path, as upstream: the default path /kbs/v0 covers what needs the session. */
	snprintf(c->reply.cookie, sizeof(c->reply.cookie),
		COOKIE_NAME "=%s; Expires=%s; HttpOnly%s", id, when,
		c->vault->config->http.insecure_http ? "" : "; Secure");
}

static void make_id(const uint8_t random[16], char id[SESSION_ID_SIZE])
{
	uint8_t uuid[16];

	memcpy(uuid, random, sizeof(uuid));
	/* Version 4, variant 1: what a UUID parser expects. */
	uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
	hex_str(slice_of(uuid, sizeof(uuid)), id, SESSION_ID_SIZE);
}

/*
 * Some look for another hash than the rest of us: Intel Trust Authority, and every service for
 * Secure Execution. "" leaves it at what the protocol has; NULL: the guest cannot.
 */
static const char *select_hash(const struct call *c)
{
	bool intel = c->vault->config->as.mode == AS_INTEL;
	const char *needed = NULL;

	if (!(c->hashes & RCAR_HASH_LIST) || (!intel && !streq(c->tee, "se")))
		return "";
	if (streq(c->tee, "sgx") || streq(c->tee, "az-tdx-vtpm"))
		needed = "sha256";
	else if (streq(c->tee, intel ? "tdx" : "se"))
		needed = "sha512";
	return needed && (c->hashes & (streq(needed, "sha256") ? RCAR_SHA256 : RCAR_SHA512))
		       ? needed
		       : NULL;
}

static void auth_failed(struct call *c, int error)
{
	c->vault->counters[COUNT_AUTH_ERRORS]++;
	if (error == -EAGAIN)
		reply_fail(&c->reply, REPLY_TOO_MANY,
			"too many handshakes are under way, try again later");
	else if (error == -EOPNOTSUPP)
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: RCAR handshake Auth failed: no attestation "
			"request for IBM Secure Execution can be made");
	else
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "cannot start a session");
	call_answer(c);
}

void vault_auth_challenge(struct call *c, struct slice challenge, const char *nonce)
{
	const char *hash = select_hash(c);
	char id[SESSION_ID_SIZE];
	uint8_t random[16];
	int64_t expires = 0;
	int r = random_bytes(random, sizeof(random));

	make_id(random, id);
	if (r == 0)
		r = vault_session_new(c, id, nonce, &expires);
	if (r < 0) {
		auth_failed(c, r);
		return;
	}
	c->vault->counters[COUNT_AUTH_SUCCESSES]++;
	reply_json(&c->reply,
		json_pack("{s:s%, s:o}", "nonce", (const char *)challenge.data, challenge.size,
			"extra-params",
			hash && hash[0] ? json_pack("{s:s}", "selected-hash-algorithm", hash)
					: json_string("")));
	set_cookie(c, id, expires);
	call_answer(c);
}

/* The challenge is made here, or by the service that will judge the evidence. */
static void auth_se(struct call *c)
{
	cleanup_with(buf_done) struct buf text = buf_init(SE_CHALLENGE_MAX), nonce = buf_init(64);
	struct err e = {0};
	int r;

	if (c->vault->config->as.mode == AS_GRPC) {
		vault_remote_challenge(c);
		return;
	}
	r = vault_se_challenge(c->vault, &text, &nonce, &e);
	if (r == 0) {
		vault_auth_challenge(c, buf_slice(&text), buf_str(&nonce));
		return;
	}
	log_error("kbs.se", LOG_STR("reason", err_text(&e, r)));
	auth_failed(c, r == -EAGAIN || r == -ENOMEM ? r : -EOPNOTSUPP);
}

static void auth_plain(struct call *c)
{
	cleanup_with(buf_done) struct buf nonce = buf_init(64);
	uint8_t random[32];
	int r = random_bytes(random, sizeof(random));

	if (r < 0) {
		auth_failed(c, r);
		return;
	}
	b64_encode(&nonce, slice_of(random, sizeof(random)), B64_STD);
	vault_auth_challenge(c, buf_slice(&nonce), buf_str(&nonce));
}

void vault_auth(struct call *c)
{
	struct vault *v = c->vault;

	v->counters[COUNT_AUTH_REQUESTS]++;
	if (vault_tee_index(c->tee) < 0) {
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: RCAR handshake Auth failed: unknown tee");
		v->counters[COUNT_AUTH_ERRORS]++;
		call_answer(c);
	} else if (!select_hash(c)) {
		reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
			"Attestation error: RCAR handshake Auth failed: the guest lacks the hash "
			"algorithm that %s wants for %s",
			v->config->as.mode == AS_INTEL ? "Intel Trust Authority"
						       : "Secure Execution",
			c->tee);
		v->counters[COUNT_AUTH_ERRORS]++;
		call_answer(c);
	} else if (streq(c->tee, "se")) {
		auth_se(c);
	} else {
		auth_plain(c);
	}
}

/* Refuses; the cause goes to the record, the guest gets its id. */
static void refuse(struct call *c, const char *stage, const char *reason, const json_t *result)
{
	char id[STORE_ID_SIZE];

	verdict_record(c, "attestation", "refused", stage, reason, result, id);
	reply_fail(&c->reply, REPLY_ATTESTATION_ERROR,
		"Attestation error: RCAR handshake Attest failed (id %s)", id);
	call_answer(c);
}

static void answer_token(struct call *c, const char *token)
{
	reply_json(&c->reply, json_pack("{s:s}", "token", token));
	set_cookie(c, c->cookie, c->expires_unix);
	call_answer(c);
}

void vault_attest_refuse(
	struct call *c, const char *stage, const char *reason, const json_t *outcome)
{
	vault_session_drop(c);
	c->vault->attest_failures[vault_tee_index(c->tee)]++;
	refuse(c, stage, reason, outcome);
}

void vault_attest_token(struct call *c, const char *token, const char *reason)
{
	char id[STORE_ID_SIZE];

	verdict_new_id(id);
	c->vault->attest_successes[vault_tee_index(c->tee)]++;
	verdict_record_as(c, id, "attestation", "remote", "attestation service", reason, NULL);
	answer_token(c, token);
}

/* The evidence was accepted; whether there is a token is another question. */
static void issued(struct call *c, int error, const struct err *e)
{
	int tee = vault_tee_index(c->tee);

	if (error == 0)
		error = vault_session_attested(c, buf_str(&c->token));
	if (error == -EAGAIN) {
		vault_session_drop(c);
		c->vault->counters[COUNT_ATTEST_ERRORS]++;
		reply_fail(&c->reply, REPLY_UNAVAILABLE, "no token can be signed, try again later");
		call_answer(c);
		return;
	}
	if (error < 0) {
		vault_attest_refuse(c, "token", err_text(e, error), NULL);
		return;
	}
	c->vault->attest_successes[tee]++;
	verdict_record_as(c, c->verdict_id, "attestation", wire_str(c->outcome, "status"),
		"appraisal", wire_str(c->outcome, "reason"), c->outcome);
	answer_token(c, buf_str(&c->token));
}

static void attest_done(void *cookie, int error, const json_t *result)
{
	struct call *c = cookie;
	json_t *outcome = json_object_get(result, "result");

	if (error == 0 && vault_values_wanted(c, outcome))
		return;
	if (error == 0 && json_is_true(json_object_get(outcome, "accepted"))) {
		verdict_new_id(c->verdict_id);
		c->outcome = json_incref(outcome);
		vault_issue(c, json_object_get(outcome, "submods"), c->verdict_id, issued);
		return;
	}
	if (error == -EPIPE)
		vault_attest_refuse(c, "verifier", "the verifier crashed on this evidence", NULL);
	else if (error < 0)
		vault_attest_refuse(c, "verifier",
			wire_str(result, "reason")[0] ? wire_str(result, "reason")
						      : err_text(NULL, error),
			NULL);
	else
		vault_attest_refuse(
			c, wire_str(outcome, "stage"), wire_str(outcome, "reason"), outcome);
}

/* Return: false after the call was answered. */
static bool take_session(struct call *c, struct guest_session *s)
{
	struct vault *v = c->vault;
	int r = vault_session_take(c, s);

	if (store_is_away(r)) {
		v->counters[COUNT_ATTEST_ERRORS]++;
		call_unavailable(c, r, NULL);
		return false;
	}
	if (r < 0) {
		v->counters[COUNT_ATTEST_ERRORS]++;
		refuse(c, "session",
			!c->cookie[0]  ? "the request has no session cookie"
			: r == -ESTALE ? "the session has expired"
				       : "the session is unknown: expired, or its nonce was "
					 "used already",
			NULL);
		return false;
	}
	(void)!str_copy(c->tee, sizeof(c->tee), s->tee);
	c->expires_unix = s->expires_unix;
	if (s->state == SESSION_PENDING)
		return true;
	/* A repeated request whose answer got lost is answered again; anything else is a replay. */
	if (s->state == SESSION_ATTESTED &&
		ct_equal(slice_of(s->request_digest, 32), digest_slice(&c->body_digest))) {
		answer_token(c, s->token);
		return false;
	}
	v->counters[COUNT_ATTEST_ERRORS]++;
	refuse(c, "session", "the session's nonce was used already", NULL);
	return false;
}

void vault_attest(struct call *c, struct slice body)
{
	struct vault *v = c->vault;
	cleanup_with(guest_session_done) struct guest_session s = {0};
	json_t *header;
	int r;

	v->counters[COUNT_ATTEST_REQUESTS]++;
	r = hash_once(HASH_SHA256, body, &c->body_digest);
	if (r < 0) {
		refuse(c, "session", "cannot hash the request", NULL);
		return;
	}
	if (!take_session(c, &s))
		return;
	if (v->config->husk.verdict_evidence && v->config->husk.verdict_claims_mib > 0)
		buf_put_slice(&c->evidence, body);
	header = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:b}", "op", "attest", "tenant",
		c->target.tenant, "tee", s.tee, "nonce", s.nonce, "protocol", (int)s.protocol,
		"now", (json_int_t)vault_now(v), "verbose", v->config->broker.verbose_token);
	r = v->config->as.mode == AS_BUILTIN ? vault_submit_evidence(c, header, body, attest_done)
					     : vault_remote_attest(c, header, body);
	if (r < 0) {
		vault_session_drop(c);
		refuse(c, "verifier", "all verifiers are busy", NULL);
	}
}
