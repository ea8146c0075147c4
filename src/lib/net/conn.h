/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A client connection: name resolution without NSS, TCP, TLS, and reads and writes with a deadline.
 * Deadlines are clock_mono_ms() values.
 */
#include "base/buf.h"
#include "net/url.h"

struct conn;
struct tls_client;

/** tls_client_new() - what is trusted; @roots_pem empty: the system's roots */
must_check int tls_client_new(struct slice roots_pem, bool insecure_skip_verify,
	struct tls_client **ret, struct err *reterr);
void tls_client_free(struct tls_client *t);
DEFINE_CLEANUP(struct tls_client *, tls_client_free);

/** tls_client_identity() - certificate chain and key to show to servers that ask. Return: 0, -EBADMSG. */
must_check int tls_client_identity(
	struct tls_client *t, struct slice chain_pem, struct slice key_pem, struct err *reterr);
struct ssl_st;
/**
 * tls_client_session() - a TLS object that will verify the host of @u, not connected yet
 * @alpn: the protocol to agree on; NULL: http/1.1
 * @ret: owned by the caller, free with SSL_free()
 */
must_check int tls_client_session(const struct tls_client *t, const struct url *u, const char *alpn,
	struct ssl_st **ret, struct err *reterr);

/**
 * conn_open() - connect to the host of @u, with TLS when it says so
 * @proxy: NULL, or the plain HTTP proxy to go through (CONNECT when @u is https)
 * @nameservers: NULL-terminated literal addresses, or NULL for /etc/resolv.conf
 * Return: 0, -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate), -EPROTO (TLS); @reterr names
 * host and phase.
 */
must_check int conn_open(struct tls_client *tls, const struct url *u, const struct url *proxy,
	const char *const *nameservers, uint64_t deadline, struct conn **ret, struct err *reterr);
void conn_free(struct conn *c);
DEFINE_CLEANUP(struct conn *, conn_free);
/** conn_read() - at least one byte. Return: count, 0 at the end, -ETIMEDOUT, -EIO, -EPROTO. */
must_check ssize_t conn_read(struct conn *c, void *dst, size_t size, uint64_t deadline);
/** conn_write() - all bytes. Return: 0, -ETIMEDOUT, -EIO, -EPROTO. */
must_check int conn_write(struct conn *c, const void *src, size_t size, uint64_t deadline);
/**
 * conn_wait_any() - wait until one of @list has something to read, or has ended
 * @list: at most CONNS_MAX; NULL elements are passed over
 * Return: its index, -ETIMEDOUT, -EINVAL (none), other errno.
 */
#define CONNS_MAX 16
must_check int conn_wait_any(struct conn *const *list, size_t count, uint64_t deadline);

/** resolve_host() - addresses of @host (a literal or a name). Return: count, or negative errno. */
struct sockaddr_storage;
must_check int resolve_host(const char *host, uint16_t port, const char *const *nameservers,
	uint64_t deadline, struct sockaddr_storage *ret, size_t max, struct err *reterr);
