/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * NVIDIA's remote attestation service (NRAS), version 4 of its API: one device's evidence is posted
 * to URL/gpu or URL/switch, and the answer is a detached EAT, [["JWT", overall], {device: token}],
 * signed with ES384 by a key of the service's key set.
 *
 * Nobody here talks to it: requests are made and answers are verified. Who may use a network asks
 * (struct evidence_remote).
 * Spec: docs.nvidia.com/attestation, "NRAS API" v4, "Claims guide" 3.0.
 */
#include "evidence/evidence.h"

#define NRAS_URL "https://nras.attestation.nvidia.com/v4/attest"
#define NRAS_ANSWER_MAX ((size_t)1 << 20)
#define NRAS_NONCE_SIZE 32

/**
 * nras_request() - the question about one device
 * @device: element of device_evidence_list
 * @nonce: 32 bytes that the device must have signed
 * @ret_endpoint: "gpu" or "switch"
 * Return: 0 with the JSON body appended to @out; -EBADMSG; -EOPNOTSUPP (architecture); -ENOMEM.
 */
must_check int nras_request(const json_t *device, struct slice nonce, struct buf *out,
	const char **ret_endpoint, struct err *reterr);
/**
 * nras_claims() - verify an answer
 * @jwks: {"keys": [...]} of the service
 * @endpoint, @nonce: as in the question
 * Return: 0 with a new object: the device's claims, and "x-nvidia-overall-att-result" of the overall
 * token; -EKEYREJECTED (signature, key, algorithm); -ESTALE (time); -EACCES (another nonce);
 * -EBADMSG; -ENOMEM.
 */
must_check int nras_claims(struct slice answer, const json_t *jwks, int64_t now,
	const char *endpoint, struct slice nonce, json_t **ret, struct err *reterr);
