/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define ADDRESSES_MAX 8
#define SILENCE_MS 120000 /* a peer that sends or takes nothing for so long is gone */

struct tls_client {
	SSL_CTX *ctx;
	bool verify;
};

struct conn {
	int fd;
	SSL *ssl; /* NULL for plain TCP */
};

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

static int add_roots(SSL_CTX *ctx, struct slice pem, struct err *reterr)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	size_t count = 0;
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);

	for (X509 *x; bio && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; count++) {
		X509_STORE_add_cert(store, x);
		X509_free(x);
	}
	BIO_free(bio);
	ERR_clear_error();
	return count > 0 ? 0
			 : err_set(reterr, -EBADMSG, "no PEM certificate among the trusted roots");
}

static void ignore_sigpipe(void)
{
	struct sigaction old;
	if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

int tls_client_new(struct slice roots_pem, bool insecure_skip_verify, struct tls_client **ret,
	struct err *reterr)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	cleanup(tls_client_free) struct tls_client *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->verify = !insecure_skip_verify;
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (!t->ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* P-256 first: the guest's own keys are on that curve, so its code is warm already. */
	if (SSL_CTX_set1_groups_list(t->ctx, "P-256:X25519:P-384:P-521") != 1 ||
		SSL_CTX_set_cipher_list(t->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
		SSL_CTX_set_alpn_protos(t->ctx, alpn, sizeof(alpn) - 1) != 0)
		return -ENOMEM;
	SSL_CTX_set_verify(t->ctx, t->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	int r = 0;
	if (roots_pem.size > 0)
		r = add_roots(t->ctx, roots_pem, reterr);
	else if (t->verify && SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		r = err_set(reterr, -EIO, "cannot read the system's trusted roots");
	if (r == 0)
		*ret = steal_ptr(t);
	return r;
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	if (c->ssl) {
		/* One try to say goodbye; the answer is not waited for. */
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		close(c->fd);
	ERR_clear_error();
	free(c);
}

static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	deadline = MIN(deadline, clock_mono_ms() + SILENCE_MS);
	for (;;) {
		uint64_t now = clock_mono_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		int n = poll(&p, 1, (int)MIN(deadline - now, (uint64_t)INT32_MAX));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int connect_one(const struct sockaddr_storage *addr, uint64_t deadline)
{
	socklen_t size = addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						    : sizeof(struct sockaddr_in6);
	socklen_t error_size = sizeof(int);
	int error = 0, on = 1;
	cleanup_fd int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)addr, size) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		int r = wait_for(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0)
			return -errno;
		if (error != 0)
			return -error;
	}
	return steal_fd(&fd);
}

static int connect_any(
	const struct url *u, const char *const *nameservers, uint64_t deadline, struct err *reterr)
{
	struct sockaddr_storage addrs[ADDRESSES_MAX];
	int last = -EHOSTUNREACH;
	int count =
		resolve_host(u->host, u->port, nameservers, deadline, addrs, ADDRESSES_MAX, reterr);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		/* A dead address must leave time for the next one. */
		uint64_t now = clock_mono_ms();
		uint64_t share = deadline > now ? (deadline - now) / (uint64_t)(count - i) : 0;
		int fd = connect_one(&addrs[i], now + share);
		if (fd >= 0)
			return fd;
		last = fd;
	}
	return err_set(reterr, last == -ETIMEDOUT ? last : -EHOSTUNREACH,
		"cannot connect to %s port %u: %s", u->host, u->port, strerror(-last));
}

/* What to do after a call on the TLS object: 0 try again, or a final error. */
static int tls_wait(struct conn *c, int result, uint64_t deadline)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c->fd, POLLIN, deadline);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c->fd, POLLOUT, deadline);
	case SSL_ERROR_SYSCALL:
		return -EIO;
	default:
		/* Closed without saying so: a connection that broke, never the end of an answer. */
		return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
			       ? -EIO
			       : -EPROTO;
	}
}

static int tls_failed(struct conn *c, const struct url *u, int code, struct err *reterr)
{
	long verify = SSL_get_verify_result(c->ssl);
	char text[160] = "";
	unsigned long e = ERR_peek_last_error();

	if (verify != X509_V_OK)
		return err_set(reterr, -EKEYREJECTED,
			"the certificate of %s port %u is refused: %s", u->host, u->port,
			X509_verify_cert_error_string(verify));
	if (code == -ETIMEDOUT)
		return err_set(reterr, code, "TLS handshake with %s port %u took too long", u->host,
			u->port);
	if (e != 0)
		snprintf(text, sizeof(text), ": %s", ERR_reason_error_string(e));
	return err_set(
		reterr, -EPROTO, "TLS handshake with %s port %u failed%s", u->host, u->port, text);
}

int tls_client_identity(
	struct tls_client *t, struct slice chain_pem, struct slice key_pem, struct err *reterr)
{
	BIO *chain = BIO_new_mem_buf(chain_pem.data, (int)chain_pem.size);
	BIO *pem = BIO_new_mem_buf(key_pem.data, (int)key_pem.size);
	EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL) : NULL;
	X509 *leaf = chain ? PEM_read_bio_X509(chain, NULL, NULL, NULL) : NULL;
	bool good = key && leaf && SSL_CTX_use_certificate(t->ctx, leaf) == 1 &&
		    SSL_CTX_use_PrivateKey(t->ctx, key) == 1;

	for (X509 *x; good && (x = PEM_read_bio_X509(chain, NULL, NULL, NULL)) != NULL;)
		good = SSL_CTX_add0_chain_cert(t->ctx, x) == 1;
	X509_free(leaf);
	EVP_PKEY_free(key);
	BIO_free(chain);
	BIO_free(pem);
	ERR_clear_error();
	return good ? 0
		    : err_set(reterr, -EBADMSG,
			      "the client certificate and its key are unusable or do not fit");
}

static int offer_protocol(SSL *ssl, const char *alpn)
{
	unsigned char list[32];
	size_t n = strlen(alpn);

	if (n >= sizeof(list))
		return -EINVAL;
	list[0] = (unsigned char)n;
	memcpy(list + 1, alpn, n);
	return SSL_set_alpn_protos(ssl, list, (unsigned)n + 1) == 0 ? 0 : -ENOMEM;
}

int tls_client_session(const struct tls_client *t, const struct url *u, const char *alpn,
	struct ssl_st **ret, struct err *reterr)
{
	uint8_t addr[16];
	bool is_ip = u->host_is_ipv6 || inet_pton(AF_INET, u->host, addr) == 1;
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl)
		return -ENOMEM;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* OpenSSL's macro takes the name as void *; it copies it. */
	char *host = (char *)(uintptr_t)u->host;
	int good = is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, u->host)
			 : X509_VERIFY_PARAM_set1_host(param, u->host, 0) &&
				   SSL_set_tlsext_host_name(ssl, host);
	int r = good ? 0 : err_set(reterr, -EINVAL, "cannot verify the name %s", u->host);
	if (r == 0 && alpn)
		r = offer_protocol(ssl, alpn);
	if (r < 0)
		SSL_free(ssl);
	else
		*ret = ssl;
	return r;
}

static int start_tls(struct conn *c, const struct tls_client *tls, const struct url *u,
	uint64_t deadline, struct err *reterr)
{
	int made = tls_client_session(tls, u, NULL, &c->ssl, reterr);

	if (made < 0)
		return made;
	if (SSL_set_fd(c->ssl, c->fd) != 1)
		return -ENOMEM;
	for (;;) {
		ERR_clear_error();
		int n = SSL_connect(c->ssl);
		if (n == 1)
			return 0;
		int r = tls_wait(c, n, deadline);
		if (r < 0)
			return tls_failed(c, u, r, reterr);
	}
}

/* Asks the proxy for a tunnel. Read byte by byte: what follows the head belongs to TLS. */
static int open_tunnel(struct conn *c, const struct url *u, uint64_t deadline, struct err *reterr)
{
	char text[URL_HOST_MAX * 2 + 64], head[4096];
	const char *open = u->host_is_ipv6 ? "[" : "", *shut = u->host_is_ipv6 ? "]" : "";
	size_t n = 0;

	int size = snprintf(text, sizeof(text),
		"CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n\r\n", open, u->host, shut,
		u->port, open, u->host, shut, u->port);
	int r = conn_write(c, text, (size_t)size, deadline);
	while (r == 0) {
		if (n == sizeof(head) - 1)
			return err_set(reterr, -EPROTO, "the proxy's answer is too long");
		ssize_t got = conn_read(c, head + n, 1, deadline);
		if (got <= 0) {
			r = got < 0 ? (int)got : -EPROTO;
			break;
		}
		head[++n] = 0;
		if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	if (r < 0)
		return err_set(reterr, r, "the proxy does not answer: %s", strerror(-r));
	if (strncmp(head, "HTTP/1.", 7) != 0 || strncmp(head + 8, " 200", 4) != 0)
		return err_set(reterr, -EHOSTUNREACH, "the proxy refuses a tunnel to %s port %u",
			u->host, u->port);
	return 0;
}

int conn_open(struct tls_client *tls, const struct url *u, const struct url *proxy,
	const char *const *nameservers, uint64_t deadline, struct conn **ret, struct err *reterr)
{
	cleanup(conn_free) struct conn *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	ignore_sigpipe();
	c->fd = connect_any(proxy ? proxy : u, nameservers, deadline, reterr);
	if (c->fd < 0)
		return c->fd;
	int r = proxy && u->tls ? open_tunnel(c, u, deadline, reterr) : 0;
	if (r == 0 && u->tls)
		r = start_tls(c, tls, u, deadline, reterr);
	if (r == 0)
		*ret = steal_ptr(c);
	return r;
}

static ssize_t tls_read(struct conn *c, void *dst, size_t size, uint64_t deadline)
{
	for (;;) {
		ERR_clear_error();
		int n = SSL_read(c->ssl, dst, (int)MIN(size, (size_t)1 << 20));
		if (n > 0)
			return n;
		if (SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN)
			return 0;
		int r = tls_wait(c, n, deadline);
		if (r < 0)
			return r;
	}
}

ssize_t conn_read(struct conn *c, void *dst, size_t size, uint64_t deadline)
{
	if (c->ssl)
		return tls_read(c, dst, size, deadline);
	for (;;) {
		ssize_t n = recv(c->fd, dst, size, 0);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -EIO;
		int r = wait_for(c->fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
}

/* A TLS connection is readable before there is anything to read: session tickets come by themselves. */
static bool has_data(struct conn *c)
{
	uint8_t byte;

	if (!c->ssl)
		return false; /* poll() knows */
	ERR_clear_error();
	int n = SSL_peek(c->ssl, &byte, sizeof(byte));
	/* Whatever else is the matter, reading will say. */
	return n > 0 || SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ;
}

int conn_wait_any(struct conn *const *list, size_t count, uint64_t deadline)
{
	struct pollfd p[CONNS_MAX];
	bool any = false;

	if (count > CONNS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		p[i] = (struct pollfd){.fd = list[i] ? list[i]->fd : -1, .events = POLLIN};
		any |= list[i] != NULL;
		if (list[i] && has_data(list[i]))
			return (int)i;
	}
	while (any) {
		uint64_t now = clock_mono_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		int n = poll(p, count, (int)MIN(deadline - now, (uint64_t)INT32_MAX));
		if (n < 0 && errno != EINTR)
			return -errno;
		for (size_t i = 0; n > 0 && i < count; i++) {
			if (p[i].revents && list[i] && (!list[i]->ssl || has_data(list[i])))
				return (int)i;
		}
	}
	return -EINVAL;
}

int conn_write(struct conn *c, const void *src, size_t size, uint64_t deadline)
{
	const uint8_t *p = src;

	while (size > 0) {
		ssize_t n;
		int r;
		if (c->ssl) {
			ERR_clear_error();
			n = SSL_write(c->ssl, p, (int)MIN(size, (size_t)1 << 20));
			r = n > 0 ? 0 : tls_wait(c, (int)n, deadline);
		} else {
			n = send(c->fd, p, size, MSG_NOSIGNAL);
			r = n >= 0 || errno == EINTR ? 0
			    : errno == EAGAIN	     ? wait_for(c->fd, POLLOUT, deadline)
						     : -EIO;
		}
		if (r < 0)
			return r;
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
	return 0;
}
