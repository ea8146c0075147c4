/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The guest's side of the key broker protocol (RCAR 0.4.0): request, challenge, attestation, then
 * resources encrypted to a key that exists in this process only.
 */
#include "base/buf.h"
#include "base/err.h"
#include "crypto/key.h"

struct rcar;

/**
 * struct rcar_options - from initdata, so measured
 * @url: of the key broker, http:// or https://
 * @roots_pem: trusted certificates; empty: there are none, https:// fails then
 * @initdata: the raw text, sent along with the evidence
 * @key: the TEE key (P-256), owned by the object afterwards, also when it cannot be made
 */
struct rcar_options {
	const char *url;
	struct slice roots_pem;
	struct slice initdata;
	struct pkey *key;
};

/** rcar_new() - @options but the key is copied. Return: 0, -EBADMSG, -ENOMEM. */
must_check int rcar_new(const struct rcar_options *options, struct rcar **ret, struct err *reterr);
void rcar_free(struct rcar *r);
DEFINE_CLEANUP(struct rcar *, rcar_free);

#define RCAR_ID_SIZE 64
/**
 * rcar_attest() - one handshake
 * Return: 0; -EACCES when the key broker refused (@ret_id is its id of the refusal, or "");
 * otherwise as http_client_call() and attester_evidence(), -EPROTO.
 */
must_check int rcar_attest(struct rcar *r, char ret_id[RCAR_ID_SIZE], struct err *reterr);

/**
 * rcar_get_resource() - fetch and decrypt
 * @uri: kbs:///repository/type/tag; an authority must be that of options.url
 * @ret: appended to; a secret buffer
 * Return: 0; -EINVAL (URI); -EACCES as above; -EKEYREJECTED (not encrypted to our key).
 */
must_check int rcar_get_resource(struct rcar *r, const char *uri, struct buf *ret,
	char ret_id[RCAR_ID_SIZE], struct err *reterr);
