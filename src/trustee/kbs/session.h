/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * RCAR sessions, held in the vault's memory only: a restart makes guests attest again, which they
 * do by themselves.
 *
 *   PENDING --attest--> BUSY --accepted--> ATTESTED
 *      |                  `---refused----> gone
 *      `---expired---> gone
 *
 * A nonce serves one attestation: whatever its outcome, it cannot be used a second time. Pending
 * sessions are cheap and capped; when the cap is reached new ones are refused. Attested sessions
 * are a cache of tokens: when their cap is reached the oldest goes, and its guest attests again.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "trustee/as/protocol.h"
#include "trustee/kbs/route.h"

#define SESSION_ID_SIZE 33    /* 32 hex digits and NUL */
#define SESSION_NONCE_SIZE 45 /* base64 of 32 bytes and NUL */
#define SESSION_TEE_SIZE 24

enum session_state { SESSION_PENDING, SESSION_BUSY, SESSION_ATTESTED };

/**
 * struct session - owned by its table
 * @expires_ms: monotonic deadline; never extended
 * @expires_unix: the same as wall clock, for the cookie
 * @request_digest: SHA-256 of the attestation that was accepted
 */
struct session {
	char id[SESSION_ID_SIZE];
	char nonce[SESSION_NONCE_SIZE];
	char tee[SESSION_TEE_SIZE];
	char tenant[ROUTE_TENANT_SIZE];
	enum session_state state;
	enum as_protocol protocol;
	int64_t expires_ms;
	int64_t expires_unix;
	uint8_t request_digest[32];
	char *token; /* owned, ATTESTED only */
	struct session *hash_next;
	struct session *older, *newer; /* order of creation, which is the order of expiry */
	struct session *cache_older, *cache_newer;
};

struct session_table;

/** session_table_new() - Return: NULL on ENOMEM */
struct session_table *session_table_new(size_t pending_max, size_t attested_max, int64_t life_s);
void session_table_free(struct session_table *t);
DEFINE_CLEANUP(struct session_table *, session_table_free);
/**
 * session_new() - start a session
 * @id, @nonce: fresh random text of exactly SESSION_ID_SIZE-1 and SESSION_NONCE_SIZE-1 characters
 * Return: 0, -EAGAIN (too many pending), -EINVAL, -ENOMEM. @ret is borrowed from the table until the
 * next call on it.
 */
must_check int session_new(struct session_table *t, const char *id, const char *nonce,
	const char *tee, int64_t now_ms, int64_t now_unix, struct session **ret);
/** session_find() - NULL when absent; an expired session is removed and -ESTALE set in @ret_error */
struct session *session_find(
	struct session_table *t, const char *id, int64_t now_ms, int *ret_error);
/** session_attested() - keep a copy of the token and become ATTESTED */
must_check int session_attested(struct session_table *t, struct session *s, const char *token);
/** session_remove() - forget; @s is invalid afterwards */
void session_remove(struct session_table *t, struct session *s);
/** session_expire() - drop what is past its time. Return: number dropped. */
size_t session_expire(struct session_table *t, int64_t now_ms);
/** session_count() - pending and busy, or attested */
size_t session_count(const struct session_table *t, bool attested);
