/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Collateral in one signed file, to carry into a site without a network.
 *
 * A bundle is a document of collateral_store_load() with two members more:
 *   {"items": {KEY: base64, ...}, "made": RFC 3339, "signature": JWS}
 * The JWS (compact; ES256, ES384, ES512 or EdDSA) has the type "husk-collateral+jws"; its payload is
 *   {"items": N, "made": RFC 3339, "sha256": hex}
 * where sha256 is over the canonical JSON (RFC 8785) of {KEY: hex of SHA-256 of the item, ...}.
 *
 * Each item is signed by its vendor and checked when it is used; the signature of the bundle says
 * who collected it, and that nothing was left out or replaced by something older.
 */
#include "collateral/source.h"
#include "crypto/key.h"

/**
 * collateral_bundle_make() - new document
 * @now: when it was made, seconds since the epoch
 * Return: 0, -EINVAL (a kind of key that cannot sign), -ENOMEM, -EIO.
 */
must_check int collateral_bundle_make(const struct collateral_store *s, const struct pkey *key,
	int64_t now, json_t **ret, struct err *reterr);

/**
 * collateral_bundle_open() - check the signature, then read the items into the empty @s
 * @keys: who may have signed; one of them must have
 * @ret_made: when it was made
 * Return: 0; -EKEYREJECTED (no signature, another key's, or other items), -EBADMSG, -E2BIG, -ENOMEM.
 */
must_check int collateral_bundle_open(const json_t *bundle, struct pkey *const *keys,
	size_t key_count, struct collateral_store *s, int64_t *ret_made, struct err *reterr);

/** enum collateral_fate - what became of an item that was put beside what is there */
enum collateral_fate {
	COLLATERAL_KEPT = 0,
	COLLATERAL_ADDED,
	COLLATERAL_REPLACED,
	COLLATERAL_SAME
};

/**
 * collateral_merge() - put an item into @s unless the one there is newer
 * Newer: by thisUpdate, issue date or notBefore. An item that is malformed is refused.
 * Return: 0 with @ret, -EBADMSG, -E2BIG, -ENOMEM, -EINVAL (key).
 */
must_check int collateral_merge(struct collateral_store *s, const char *key, struct slice item,
	enum collateral_fate *ret, struct err *reterr);

/**
 * collateral_item_write() - put an item into a folder that collateral_store_read() reads
 * @folder: it and folders below it are made when absent
 * The file appears whole or not at all; files of other suffixes with the same key go away after.
 * Return: 0, -EINVAL (key) or negative errno; @reterr names the path.
 */
must_check int collateral_item_write(
	const char *folder, const char *key, struct slice item, struct err *reterr);
