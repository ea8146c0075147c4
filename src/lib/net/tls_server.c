/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/parse.h"
#include "base/str.h"

static int tls_error(struct err *reterr, const char *what, const char *path)
{
	char text[256];
	unsigned long code = ERR_get_error();

	ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(reterr, -EBADMSG, "%s%s%s: %s", what, *path ? " " : "", path,
		code ? text : "it holds none");
}

/* RFC 7301: no protocol in common ends the handshake. */
static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
	const unsigned char *offered, unsigned size, void *cookie)
{
	const char *want = cookie;

	for (unsigned i = 0; i < size; i += 1u + offered[i]) {
		if (offered[i] >= size - i)
			break;
		if (!slice_eq(slice_of(offered + i + 1, offered[i]), slice_str(want)))
			continue;
		*ret = offered + i + 1;
		*ret_size = offered[i];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int load_files(SSL_CTX *ctx, const struct tls_server_options *o, struct err *reterr)
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return tls_error(reterr, "TLS certificate", o->certificate);
	if (SSL_CTX_use_PrivateKey_file(ctx, o->private_key, SSL_FILETYPE_PEM) != 1)
		return tls_error(reterr, "TLS private key", o->private_key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_error(reterr, "TLS private key does not fit", o->certificate);
	if (!o->client_ca)
		return 0;
	names = SSL_load_client_CA_file(o->client_ca);
	if (!names || SSL_CTX_load_verify_locations(ctx, o->client_ca, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return tls_error(reterr, "client CA", o->client_ca);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* A session that is resumed shows no certificate: whoever was let in once would stay in. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 ? 0 : -ENOMEM;
}

int tls_server_new(const struct tls_server_options *o, struct ssl_ctx_st **ret, struct err *reterr)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int r = 0;

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, o->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* TLS 1.2 only with forward secrecy and AEAD. */
	if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
		r = tls_error(reterr, "cipher list", "");
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* Frees 34 KiB of buffers per idle connection. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* OpenSSL's parameter is not const; the callback only reads. */
	if (o->alpn)
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (char *)(uintptr_t)o->alpn);
	if (r == 0)
		r = load_files(ctx, o, reterr);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

/* Leaf first, then intermediates. Return: 1 like OpenSSL when good. */
static int use_certificates(SSL_CTX *ctx, struct slice pem)
{
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	long good = cert ? SSL_CTX_use_certificate(ctx, cert) : 0;

	X509_free(cert);
	if (good == 1)
		good = SSL_CTX_clear_chain_certs(ctx);
	while (good == 1 && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		good = SSL_CTX_add0_chain_cert(ctx, cert);
		if (good != 1)
			X509_free(cert);
	}
	BIO_free(in);
	if (good == 1)
		ERR_clear_error(); /* the end of the text is an error to PEM_read */
	return (int)good;
}

static int use_key(SSL_CTX *ctx, struct slice pem)
{
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
	int good = key ? SSL_CTX_use_PrivateKey(ctx, key) : 0;

	EVP_PKEY_free(key);
	BIO_free(in);
	return good;
}

/* Return: 1 like OpenSSL when good. */
static int add_client_ca(X509_STORE *store, STACK_OF(X509_NAME) * names, X509 *cert)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(cert));

	if (!name || sk_X509_NAME_push(names, name) == 0) {
		X509_NAME_free(name);
		return 0;
	}
	return X509_STORE_add_cert(store, cert);
}

static int use_client_ca(SSL_CTX *ctx, struct slice pem)
{
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	int good = in && store && names;
	X509 *cert;

	while (good == 1 && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		good = add_client_ca(store, names, cert);
		X509_free(cert);
	}
	/* The end of the text is an error to PEM_read; text without a certificate is one to us. */
	if (good == 1 && sk_X509_NAME_num(names) > 0)
		ERR_clear_error();
	else
		good = 0;
	if (good == 1)
		good = (int)SSL_CTX_set1_verify_cert_store(ctx, store);
	if (good == 1)
		SSL_CTX_set_client_CA_list(ctx, names);
	else
		sk_X509_NAME_pop_free(names, X509_NAME_free);
	X509_STORE_free(store);
	BIO_free(in);
	return good;
}

static int use_pem(SSL_CTX *ctx, const struct tls_pem *pem, struct err *reterr)
{
	if (use_certificates(ctx, pem->certificate) != 1)
		return tls_error(reterr, "TLS certificate", "");
	if (use_key(ctx, pem->private_key) != 1)
		return tls_error(reterr, "TLS private key", "");
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_error(reterr, "TLS private key does not fit", "");
	if (pem->client_ca.size > 0 && use_client_ca(ctx, pem->client_ca) != 1)
		return tls_error(reterr, "client CA", "");
	return 0;
}

int tls_server_check_pem(const struct tls_pem *pem, struct err *reterr)
{
	SSL_CTX *trial = SSL_CTX_new(TLS_server_method());
	int r = trial ? use_pem(trial, pem, reterr) : -ENOMEM;

	SSL_CTX_free(trial);
	return r;
}

int tls_server_set_pem(struct ssl_ctx_st *ctx, const struct tls_pem *pem, struct err *reterr)
{
	int r = tls_server_check_pem(pem, reterr);

	return r < 0 ? r : use_pem(ctx, pem, reterr);
}

/* "HOST:PORT" or "[HOST]:PORT". Return: 0, -EINVAL. */
static int listen_address(
	const char *address, char *host, size_t size, uint32_t *ret_port, struct err *reterr)
{
	const char *colon = strrchr(address, ':');
	struct slice name;

	if (!colon || parse_u32(slice_str(colon + 1), 0, 65535, ret_port) < 0)
		return err_set(reterr, -EINVAL, "%s is not ADDRESS:PORT", address);
	name = slice_of(address, (size_t)(colon - address));
	if (name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']')
		name = slice_cut(name, 1, name.size - 2);
	if (str_copy_slice(host, size, name) < 0)
		return err_set(reterr, -EINVAL, "%s: the address is too long", address);
	return 0;
}

int listen_sockaddr(
	const char *address, struct sockaddr_storage *ret, socklen_t *ret_size, struct err *reterr)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	char host[256];
	uint32_t port = 0;
	int r = listen_address(address, host, sizeof(host), &port, reterr);

	if (r < 0)
		return r;
	*ret = (struct sockaddr_storage){.ss_family = AF_INET};
	if (address[0] == '[') {
		*v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
		*ret_size = sizeof(*v6);
		r = inet_pton(AF_INET6, host, &v6->sin6_addr);
	} else {
		v4->sin_port = htons((uint16_t)port);
		*ret_size = sizeof(*v4);
		r = inet_pton(
			AF_INET, streq(host, "localhost") ? "127.0.0.1" : host, &v4->sin_addr);
	}
	return r == 1 ? 0
		      : err_set(reterr, -EINVAL,
				"%s is not ADDRESS:PORT with a literal address ([ADDRESS]:PORT for "
				"IPv6)",
				address);
}

int listen_port(int fd, uint16_t *ret_port, struct err *reterr)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound = {.v6 = {0}};
	socklen_t size = sizeof(bound);

	if (getsockname(fd, &bound.any, &size) < 0)
		return err_set(reterr, -errno, "cannot learn the port of a socket: %m");
	*ret_port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
	return 0;
}
