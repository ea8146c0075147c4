/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * NVIDIA's remote attestation service over HTTP: who has a network asks; what comes back is for
 * evidence/nvidia_nras.h to verify.
 */
#include "net/http_client.h"

/**
 * nras_ask() - post a question of nras_request()
 * @url: of the service, without "/gpu"; NULL: NVIDIA's
 * @endpoint: "gpu" or "switch", nothing else
 * Return: 0 with the answer appended; errors of http_client_call(), -EPROTO (status), -EBADMSG (URL,
 * endpoint).
 */
must_check int nras_ask(struct http_client *http, const char *url, const char *endpoint,
	struct slice body, struct buf *answer, struct err *reterr);
#define NRAS_QUESTIONS_MAX 32

/** struct nras_question - as for nras_ask(); its answer is appended to @answer */
struct nras_question {
	const char *endpoint;
	struct slice body;
	struct buf *answer;
};
/**
 * nras_ask_all() - the same for several questions at once, and the service's key set
 * @http: its total time is for all of them
 * @keys: the text of the key set is appended
 * Return: as nras_ask(), of the first that fails; -E2BIG.
 */
must_check int nras_ask_all(struct http_client *http, const char *url,
	const struct nras_question *questions, size_t count, struct buf *keys, struct err *reterr);
/** nras_keys() - likewise the text of its key set, at /.well-known/jwks.json of the same host */
must_check int nras_keys(
	struct http_client *http, const char *url, struct buf *text, struct err *reterr);
