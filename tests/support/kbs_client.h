/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A small blocking client of the key broker for tests and load: one TLS connection, kept alive.
 * Independent of the code under test but for hashes and canonical JSON.
 */
#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/key.h"

struct kbs_client {
	char host[64];
	uint16_t port;
	char cookie[64];
	char *bearer;		/* owned; sent as Authorization when set */
	struct ssl_ctx_st *tls; /* NULL: plain HTTP */
	struct ssl_st *ssl;
	int fd;
	int status;	     /* of the last answer */
	struct buf answer;   /* body of the last answer */
	struct buf received; /* raw bytes */
};

/** kbs_client_init() - @ca: PEM file of the server's certificate, NULL for plain HTTP */
must_check int kbs_client_init(struct kbs_client *c, uint16_t port, const char *ca);
void kbs_client_done(struct kbs_client *c);
/** kbs_client_close() - drop the connection; the next request opens another */
void kbs_client_close(struct kbs_client *c);
/** kbs_client_request() - Return: 0 with status and answer set, negative errno without an answer */
must_check int kbs_client_request(
	struct kbs_client *c, const char *method, const char *path, struct slice body);
/** kbs_client_json() - the last answer as JSON, NULL when it is not */
json_t *kbs_client_json(const struct kbs_client *c);

/** kbs_client_auth() - start a handshake. @nonce: 64 bytes. Return: 0 (status 200), -EPROTO, errno. */
must_check int kbs_client_auth(struct kbs_client *c, const char *tee, char nonce[64]);
/** kbs_binding() - SHA-384 over the canonical runtime data; 48 bytes */
must_check int kbs_binding(
	const char *nonce, const json_t *tee_key, const char *extra, uint8_t ret[48]);
/** kbs_tee_key() - public JWK of @key with the alg that the protocol wants */
json_t *kbs_tee_key(const struct pkey *key);
/** kbs_sample_evidence() - {"svn":"1","report_data":...} */
json_t *kbs_sample_evidence(const char *nonce, const json_t *tee_key, const char *extra);
/** kbs_attestation() - text of the attestation message; free() it. @evidence is consumed. */
char *kbs_attestation(
	const char *nonce, const json_t *tee_key, json_t *evidence, const char *init_data);

/* --- a broker of one's own, in a temporary folder --- */

/* @port: of its first socket; @rest_port: of the second one of husk-as */
struct kbs_server {
	char dir[64];
	pid_t pid;
	uint16_t port, rest_port;
	char *admin_token; /* owned */
};

/**
 * kbs_server_start() - `init` a folder (unless it is one already) and start the program
 * @program: path of husk-kbs
 * @append: lines to add to the configuration's last section [husk], or NULL
 * Return: 0, -ETIMEDOUT, other errno
 */
must_check int kbs_server_start(struct kbs_server *s, const char *program, const char *append);
/**
 * kbs_server_start_as() - likewise husk-as, without TLS, with gRPC and REST on loopback
 * @config: JSON; its members "husk" and "store" are made when they are missing
 */
must_check int kbs_server_start_as(struct kbs_server *s, const char *program, const json_t *config);
/** kbs_server_kill() - SIGKILL to the whole process group, and reap */
void kbs_server_kill(struct kbs_server *s);
/** kbs_server_stop() - SIGTERM. Return: exit code, negative errno. */
int kbs_server_stop(struct kbs_server *s);
/** kbs_server_remove() - delete its folder */
void kbs_server_remove(struct kbs_server *s);
/** kbs_server_client() - a client for it; with the admin token when @admin */
must_check int kbs_server_client(const struct kbs_server *s, bool admin, struct kbs_client *ret);
