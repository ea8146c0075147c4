/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The vault: the only process that opens the store and holds the token key.
 *
 * Theory of operation
 *  - It is the monitor of the design: the front asks, verifiers judge, the vault decides. Every
 *    request is looked up in the route table again, and what its row needs (session, token, admin)
 *    is checked here, so that a front under an attacker's control gains nothing but its own traffic.
 *  - It never parses evidence or runs a policy: bodies of guests go to a verifier as they came.
 *  - One event loop; nothing blocks except writes to the store, each acknowledged after it is durable.
 *
 * Transport is the caller's: it feeds messages in and takes messages out through struct vault_ops,
 * so that tests run a vault in process.
 */
#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "trustee/kbs/config.h"

struct vault;

struct vault_ops {
	/* Answer to the front. */
	void (*to_front)(void *cookie, const json_t *header, struct slice body);
	int (*to_verifier)(void *cookie, unsigned index, const json_t *header, struct slice body);
	/* Call vault_flush() when the messages that are there have been taken in. */
	void (*flush_soon)(void *cookie);
	/* Start fdatasync(fd) and call vault_synced() when it ended. Return: 0, or why it cannot. */
	int (*sync)(void *cookie, int fd);
	int64_t (*now_unix)(void *cookie);
	int64_t (*now_ms)(void *cookie);
	void *cookie;
};

struct store;
/** vault_open_store() - the store that @c names; its strings must outlive it */
must_check int vault_open_store(const struct kbs_config *c, struct store **ret, struct err *reterr);
/**
 * vault_new() - open store and keys, install missing default policies
 * @c: borrowed, must outlive the vault
 */
must_check int vault_new(const struct kbs_config *c, const struct vault_ops *ops,
	struct vault **ret, struct err *reterr);
void vault_free(struct vault *v);
/**
 * vault_reload() - use another configuration: admins, keys, collateral, limits
 * @c: borrowed, must outlive the vault; the old one is not used any more on success
 * Return: 0, or why everything stays as it was.
 */
must_check int vault_reload(struct vault *v, const struct kbs_config *c, struct err *reterr);
DEFINE_CLEANUP(struct vault *, vault_free);
/**
 * vault_front_message() - a request of the front
 * @header: {id, method, target, peer, cookie, bearer, tee, type, if_match, if_none_match,
 * request}; answers carry the same id
 */
void vault_front_message(struct vault *v, const json_t *header, struct slice body);
void vault_verifier_up(struct vault *v, unsigned index);
void vault_verifier_down(struct vault *v, unsigned index);
/** vault_verifier_message() - Return: -EPROTO when the verifier broke the protocol */
must_check int vault_verifier_message(struct vault *v, unsigned index, const json_t *header);
/** vault_synced() - the sync that was started ended */
void vault_synced(struct vault *v, int error);
/** vault_flush() - make durable what was written, and send the answers that wait for it */
void vault_flush(struct vault *v);
/** vault_tick() - once a second or so: expiry, flush */
void vault_tick(struct vault *v);
