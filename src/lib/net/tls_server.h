/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What servers have in common: TLS settings, and addresses to listen on. */
#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

struct ssl_ctx_st;

/**
 * struct tls_server_options
 * @certificate, @private_key: PEM files
 * @client_ca: PEM file; a client must show a certificate of one of these; NULL asks for none
 * @alpn: protocol that both sides must agree on when the client offers any, e.g. "h2"; NULL: none
 */
struct tls_server_options {
	const char *certificate;
	const char *private_key;
	const char *client_ca;
	const char *alpn;
	bool tls13_only;
};

/** tls_server_new() - Return: 0, -EBADMSG (a file is unusable; @reterr names it), -ENOMEM */
must_check int tls_server_new(
	const struct tls_server_options *o, struct ssl_ctx_st **ret, struct err *reterr);
/**
 * struct tls_pem - what struct tls_server_options names, as PEM text
 * @certificate: leaf first
 * @client_ca: empty: whom clients must be certified by stays as it is
 */
struct tls_pem {
	struct slice certificate, private_key, client_ca;
};
/** tls_server_check_pem() - Return: 0, -EBADMSG (unusable), -ENOMEM */
must_check int tls_server_check_pem(const struct tls_pem *pem, struct err *reterr);
/**
 * tls_server_set_pem() - another certificate, key and client CA for connections from now on
 * Return: 0, -EBADMSG (unusable: the old ones stay), -ENOMEM.
 */
must_check int tls_server_set_pem(
	struct ssl_ctx_st *ctx, const struct tls_pem *pem, struct err *reterr);

/**
 * listen_sockaddr() - a literal address, or localhost, which is 127.0.0.1 here
 * Return: 0, -EINVAL (@reterr names @address).
 */
must_check int listen_sockaddr(
	const char *address, struct sockaddr_storage *ret, socklen_t *ret_size, struct err *reterr);
/** listen_port() - the port that @fd is bound to. Return: 0, errno. */
must_check int listen_port(int fd, uint16_t *ret_port, struct err *reterr);
