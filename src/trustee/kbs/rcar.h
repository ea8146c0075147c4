/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The first message of the RCAR handshake, and the cookie that ties the rest to it. Read by the
 * front; pure functions.
 */
#include "base/err.h"
#include "base/slice.h"
#include "trustee/kbs/session.h"

#define RCAR_AUTH_MAX ((size_t)64 << 10)

/* What "supported-hash-algorithms" holds; no bit: there is no such list. */
enum rcar_hash { RCAR_HASH_LIST = 1, RCAR_SHA256 = 2, RCAR_SHA384 = 4, RCAR_SHA512 = 8 };

/**
 * rcar_read_auth() - check {"version","tee","extra-params"}
 * @oldest: name of the oldest version that is served
 * @tee: lower-case name as sent; whether it is known is the vault's business
 * @ret_hashes: bits of enum rcar_hash
 * @ret: the version that the session will speak
 *
 * Return: 0, -EBADMSG, -E2BIG, -EOPNOTSUPP (another protocol version; the text is what deployed
 * clients know).
 */
must_check int rcar_read_auth(struct slice body, const char *oldest, char tee[SESSION_TEE_SIZE],
	enum as_protocol *ret, unsigned *ret_hashes, struct err *reterr);
/** rcar_cookie() - the session id in a Cookie header; "" when there is none */
void rcar_cookie(const char *header, char id[SESSION_ID_SIZE]);
/** rcar_bearer() - the token in an Authorization header; empty when there is none */
struct slice rcar_bearer(const char *header);
