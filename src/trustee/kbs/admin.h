/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who is an admin, and for what: bearer JWTs with a role, and regular expressions per role. */
#include "base/err.h"
#include "trustee/kbs/config.h"

struct admin;

#define ADMIN_ROLE_SIZE 128

/**
 * admin_new() - load keys and compile expressions; key sets with https URLs come later
 * @c: borrowed for the life of @ret
 * Return: 0 or negative errno.
 */
must_check int admin_new(const struct kbs_config *c, struct admin **ret, struct err *reterr);
void admin_free(struct admin *a);
DEFINE_CLEANUP(struct admin *, admin_free);

/**
 * admin_keys_replace() - accept the keys of a set that was fetched, instead of its last ones
 * @url: jwk_set_uri of one or more identity providers
 * @set: {"keys": [...]}; keys of other kinds, and without kid, are passed over; NULL: none any more
 * Return: 0; -EBADMSG (no set, or no key of use in it), -E2BIG, -ENOMEM: the last ones stay.
 */
must_check int admin_keys_replace(
	struct admin *a, const char *url, const json_t *set, struct err *reterr);

enum admin_verdict { ADMIN_DENY, ADMIN_ALLOW };

/**
 * admin_check() - may the bearer of @token call @target?
 * @token: text after "Bearer ", empty when the header is absent
 * @target: request target with query, as sent but without the tenant's prefix
 * @tenant: whose endpoint it is, "" for the default tenant
 * @role: role for the audit log
 *
 * Return: the verdict; @reterr says why it is a refusal, -EKEYREJECTED when no key verifies the token.
 */
enum admin_verdict admin_check(const struct admin *a, struct slice token, const char *target,
	const char *tenant, int64_t now, char role[ADMIN_ROLE_SIZE], struct err *reterr);
