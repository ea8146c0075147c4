/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where vendors publish collateral, and fetching it.
 *
 * A key names one item; nothing of it but what is checked here (numbers, hex, fixed words) gets
 * into a URL, since keys come from evidence.
 *
 * Spec: Intel SGX and TDX provisioning certification service API version 4 (also what a caching
 * service, PCCS, speaks); AMD 57230, VCEK Certificate and KDS Interface Specification; NVIDIA RIM
 * service version 1.
 */
#include "evidence/collateral.h"
#include "net/http_client.h"

/**
 * struct collateral_sources - base URLs without a trailing slash; NULL: the vendor's own
 * @intel_pcs: Intel's service or a PCCS
 * @intel_root_crl: the whole URL of the root's revocation list
 * @amd_kds: AMD's key distribution service or a cache of it
 * @nvidia_rim, @nvidia_ocsp: NVIDIA's service of reference manifests, and its OCSP responder
 */
struct collateral_sources {
	const char *intel_pcs, *intel_root_crl, *amd_kds, *nvidia_rim, *nvidia_ocsp;
};

#define COLLATERAL_URL_SIZE 1024

/**
 * struct collateral_request - what to ask a vendor for
 * @key: of the body; differs from the key that was wanted when that is the body's issuer chain
 * @chain_header: header of the answer that holds the chain, lower case; NULL: there is none
 */
struct collateral_request {
	char key[COLLATERAL_KEY_SIZE];
	char url[COLLATERAL_URL_SIZE];
	const char *chain_header;
};

/**
 * collateral_request_for() - how @key can be had
 * Return: 0, -ENOENT (no vendor gives that out by this key), -E2BIG (base URL).
 */
must_check int collateral_request_for(
	const struct collateral_sources *sources, const char *key, struct collateral_request *ret);

/** struct collateral_problem - why fetching failed. @retry_after_s: the vendor's wish, 0 if none */
struct collateral_problem {
	int status; /* of HTTP; 0 when there was no answer */
	uint32_t retry_after_s;
};

/**
 * collateral_fetch() - ask for @key and put body and chain into @into
 *
 * An answer replaces nothing unless it is what the key says, is in date at @now, and is not older
 * than the item that is there.
 * Return: 0; -ENOENT (no vendor has it), -EAGAIN (the vendor is busy: wait @ret_problem's seconds),
 * -ESTALE (the answer has expired or is older), -EBADMSG (it is something else), -EPROTO (another
 * status) and errors of http_client_call(); @reterr names the URL.
 */
must_check int collateral_fetch(struct http_client *client,
	const struct collateral_sources *sources, const char *key, int64_t now,
	struct collateral_store *into, struct collateral_problem *ret_problem, struct err *reterr);

/**
 * collateral_take() - check an answer and put it into @into; collateral_fetch() without network
 * @chain: header text, percent-encoded; NULL when there is none
 * Return: 0, -EBADMSG, -ESTALE, -E2BIG, -ENOMEM.
 */
must_check int collateral_take(const struct collateral_request *q, struct slice body,
	const char *chain, int64_t now, struct collateral_store *into, struct err *reterr);
