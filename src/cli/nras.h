/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* NVIDIA's remote attestation service, asked over HTTPS by `husk verify --nras`. */
#include "cli/cli.h"
#include "evidence/evidence.h"
#include "net/http_client.h"

/**
 * struct nras - the service; release with nras_done()
 * @url: see collateral/nras.h
 */
struct nras {
	const char *url;
	struct http_client *http;
	json_t *keys;
	struct evidence_remote remote;
};
/** nras_open() - @url: NULL for NVIDIA's; @cert_file: TLS roots instead of the system's, or NULL.
 * Return: 0 with the keys fetched; errors of http_client_call(), -EPROTO (status), -EBADMSG (URL,
 * key set). */
must_check int nras_open(
	struct nras *n, const char *url, const char *cert_file, struct err *reterr);
void nras_done(struct nras *n);
