/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Collateral: what vendors publish about their hardware (certificates, revocation lists, TCB
 * statements) and evidence does not carry. Rooms do no I/O; they ask a provider for items by key.
 * What a provider gives is not trusted: the room checks it against the vendor's root key.
 *
 * Keys are paths of lower-case words, made by collateral_key(); as file names they are safe. Items
 * are the bytes as the vendor serves them; where a signature's issuer chain comes beside the body,
 * it is an item of its own whose key ends in "/chain" (PEM).
 *
 *   intel/tdx/tcb/FMSPC         {"tcbInfo": {...}, "signature": "..."}      (also intel/sgx/...)
 *   intel/tdx/qe                {"enclaveIdentity": {...}, "signature": "..."}
 *   intel/crl/processor, intel/crl/platform, intel/crl/root      DER, its hex, or PEM
 *   amd/...                     see snp_chain.h
 *   arm/cca/...                 see cca.h
 *   tpm/...                     see tpm_chain.h
 *   hygon/...                   see csv.h
 *   intel/pck/DIGEST            PEM; DIGEST: SHA-256 of a quote's certification data (types 1 to 4)
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define COLLATERAL_KEY_SIZE 192
#define COLLATERAL_ITEM_MAX ((size_t)4 << 20)
#define COLLATERAL_ITEMS_MAX 8192
#define COLLATERAL_TOTAL_MAX ((size_t)32 << 20)
#define COLLATERAL_DOC_MAX ((size_t)64 << 20) /* of a document, which holds items in base64 */

/**
 * struct collateral_provider - where rooms ask
 * @get: the item @key. Return: 0 with a view that lives until the end of the verification, -ENOENT.
 */
struct collateral_provider {
	int (*get)(void *ctx, const char *key, struct slice *ret);
	void *ctx;
};

/** collateral_get() - @p may be NULL (nothing is there). Return: 0, -ENOENT, others of @p. */
must_check int collateral_get(
	const struct collateral_provider *p, const char *key, struct slice *ret);
/** collateral_key_valid() - words of [a-z0-9._-] that do not start with a dot, joined by '/' */
bool collateral_key_valid(const char *key);

/* A provider in memory. */
struct collateral_store;
/** collateral_store_new() - Return: NULL on ENOMEM */
struct collateral_store *collateral_store_new(void);
void collateral_store_free(struct collateral_store *s);
DEFINE_CLEANUP(struct collateral_store *, collateral_store_free);
/** collateral_store_put() - copy an item in, over an old one; an empty @item removes it.
 * Return: 0, -EINVAL (key), -E2BIG (COLLATERAL_*_MAX), -ENOMEM. */
must_check int collateral_store_put(struct collateral_store *s, const char *key, struct slice item);
/** collateral_store_at() - the items in the order of their keys. Return: NULL past the end. */
const char *collateral_store_at(
	const struct collateral_store *s, size_t index, struct slice *ret_item);
/** collateral_store_provider() - lives as long as @s */
const struct collateral_provider *collateral_store_provider(const struct collateral_store *s);

/**
 * collateral_store_load() - add the items of a document
 * @doc: {"items": {KEY: base64, ...}} as collateral_store_save() writes it, or the output of
 * Intel's PcsClientTool: {"collaterals": {...}}, or Trustee's store of CCA trust anchors: an array.
 * Nothing is added when something is malformed.
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
must_check int collateral_store_load(
	struct collateral_store *s, const json_t *doc, struct err *reterr);
/** collateral_store_save() - new document. NULL on ENOMEM. */
json_t *collateral_store_save(const struct collateral_store *s);
