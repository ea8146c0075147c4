/* SPDX-License-Identifier: Apache-2.0 */
#include "support/kbs_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fd.h"
#include "base/parse.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "fmt/jcs.h"

#define ANSWER_MAX ((size_t)32 << 20)
#define TIMEOUT_S 40

int kbs_client_init(struct kbs_client *c, uint16_t port, const char *ca)
{
	*c = (struct kbs_client){.port = port,
		.fd = -1,
		.answer = buf_init(ANSWER_MAX),
		.received = buf_init(ANSWER_MAX)};
	if (!ca)
		return 0;
	c->tls = SSL_CTX_new(TLS_client_method());
	if (!c->tls || SSL_CTX_load_verify_locations(c->tls, ca, NULL) != 1)
		return -EBADMSG;
	SSL_CTX_set_verify(c->tls, SSL_VERIFY_PEER, NULL);
	return 0;
}

void kbs_client_close(struct kbs_client *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->received);
}

void kbs_client_done(struct kbs_client *c)
{
	kbs_client_close(c);
	SSL_CTX_free(c->tls);
	buf_done(&c->answer);
	buf_done(&c->received);
	free(c->bearer);
	*c = (struct kbs_client){.fd = -1};
}

static int connect_to(struct kbs_client *c)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(c->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval timeout = {TIMEOUT_S, 0};
	const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	if (!c->tls)
		return 0;
	c->ssl = SSL_new(c->tls);
	if (!c->ssl || SSL_set1_host(c->ssl, "localhost") != 1 || SSL_set_fd(c->ssl, c->fd) != 1 ||
		SSL_connect(c->ssl) != 1)
		return -ECONNABORTED;
	return 0;
}

static int send_all(struct kbs_client *c, struct slice s)
{
	if (!c->ssl) {
		for (size_t done = 0; done < s.size;) {
			ssize_t n = send(c->fd, s.data + done, s.size - done, MSG_NOSIGNAL);

			if (n <= 0)
				return -EPIPE;
			done += (size_t)n;
		}
		return 0;
	}
	return SSL_write(c->ssl, s.data, (int)s.size) == (int)s.size ? 0 : -EPIPE;
}

static int receive_some(struct kbs_client *c)
{
	uint8_t *room = buf_reserve(&c->received, 16384);
	int n;

	if (!room)
		return -ENOMEM;
	n = c->ssl ? SSL_read(c->ssl, room, 16384) : (int)recv(c->fd, room, 16384, 0);
	if (n <= 0)
		return -ECONNRESET;
	buf_commit(&c->received, (size_t)n);
	return 0;
}

static void take_header(struct kbs_client *c, struct slice line, size_t *ret_length)
{
	static const char length[] = "content-length: ", cookie[] = "set-cookie: ";

	if (line.size > strlen(length) &&
		strncasecmp((const char *)line.data, length, strlen(length)) == 0) {
		uint64_t v = 0;

		(void)!parse_u64(slice_cut(line, strlen(length), 20), 0, ANSWER_MAX, &v);
		*ret_length = (size_t)v;
	} else if (line.size > strlen(cookie) &&
		   strncasecmp((const char *)line.data, cookie, strlen(cookie)) == 0) {
		struct slice value = slice_cut(line, strlen(cookie), sizeof(c->cookie) - 1);
		const uint8_t *end = memchr(value.data, ';', value.size);

		if (end)
			value.size = (size_t)(end - value.data);
		(void)!str_copy_slice(c->cookie, sizeof(c->cookie), value);
	}
}

/* Return: size of head, 0 when it is not complete yet. */
static size_t parse_head(struct kbs_client *c, size_t *ret_length)
{
	const char *text = buf_str(&c->received);
	const char *end = strstr(text, "\r\n\r\n");
	uint32_t status = 0;

	if (!end)
		return 0;
	(void)!parse_u32(slice_of(text + 9, 3), 100, 599, &status);
	c->status = (int)status;
	for (const char *at = strstr(text, "\r\n"); at && at < end; at = strstr(at, "\r\n")) {
		at += 2;
		take_header(c, slice_of(at, strcspn(at, "\r")), ret_length);
	}
	return (size_t)(end - text) + 4;
}

static int exchange(struct kbs_client *c, struct slice request)
{
	size_t head = 0, length = 0;
	int r = c->fd < 0 ? connect_to(c) : 0;

	if (r == 0)
		r = send_all(c, request);
	while (r == 0 && !(head = parse_head(c, &length)))
		r = receive_some(c);
	while (r == 0 && c->received.size < head + length)
		r = receive_some(c);
	if (r < 0)
		return r;
	buf_clear(&c->answer);
	buf_put(&c->answer, c->received.data + head, length);
	buf_consume(&c->received, head + length);
	return buf_error(&c->answer);
}

int kbs_client_request(
	struct kbs_client *c, const char *method, const char *path, struct slice body)
{
	cleanup_with(buf_done) struct buf request = buf_init(ANSWER_MAX);
	int r;

	buf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n", method,
		path, body.size);
	if (c->cookie[0])
		buf_printf(&request, "Cookie: %s\r\n", c->cookie);
	if (c->bearer)
		buf_printf(&request, "Authorization: Bearer %s\r\n", c->bearer);
	buf_put_str(&request, "\r\n");
	buf_put_slice(&request, body);
	if (buf_error(&request) < 0)
		return buf_error(&request);
	r = exchange(c, buf_slice(&request));
	if (r < 0)
		kbs_client_close(c);
	return r;
}

json_t *kbs_client_json(const struct kbs_client *c)
{
	return json_loadb((const char *)c->answer.data, c->answer.size, JSON_DECODE_ANY, NULL);
}

int kbs_client_auth(struct kbs_client *c, const char *tee, char nonce[64])
{
	char body[256];
	json_t *answer;
	const char *text;
	int r;

	snprintf(body, sizeof(body),
		"{\"version\":\"0.4.0\",\"tee\":\"%s\",\"extra-params\":{"
		"\"supported-hash-algorithms\":[\"sha256\",\"sha384\"]}}",
		tee);
	c->cookie[0] = '\0';
	r = kbs_client_request(c, "POST", "/kbs/v0/auth", slice_str(body));
	if (r < 0)
		return r;
	answer = kbs_client_json(c);
	text = json_string_value(json_object_get(answer, "nonce"));
	r = c->status == 200 && text ? str_copy(nonce, 64, text) : -EPROTO;
	json_decref(answer);
	return r;
}

int kbs_binding(const char *nonce, const json_t *tee_key, const char *extra, uint8_t ret[48])
{
	cleanup_with(buf_done) struct buf text = buf_init(0);
	json_t *runtime = json_pack("{s:s, s:O, s:s*}", "nonce", nonce, "tee-pubkey", tee_key,
		"additional-evidence", extra);
	struct digest d;
	int r = jcs_write(runtime, &text);

	json_decref(runtime);
	if (r == 0)
		r = hash_once(HASH_SHA384, buf_slice(&text), &d);
	if (r == 0)
		memcpy(ret, d.bytes, 48);
	return r;
}

json_t *kbs_tee_key(const struct pkey *key)
{
	json_t *jwk = pkey_to_jwk(key);

	if (jwk)
		json_object_set_new(jwk, "alg",
			json_string(pkey_type(key) == KEY_RSA ? "RSA-OAEP-256" : "ECDH-ES+A256KW"));
	return jwk;
}

json_t *kbs_sample_evidence(const char *nonce, const json_t *tee_key, const char *extra)
{
	cleanup_with(buf_done) struct buf text = buf_init(256);
	uint8_t digest[48];

	if (kbs_binding(nonce, tee_key, extra, digest) < 0)
		return NULL;
	b64_encode(&text, slice_of(digest, sizeof(digest)), B64_STD);
	return json_pack("{s:s, s:s}", "svn", "1", "report_data", buf_str(&text));
}

char *kbs_attestation(
	const char *nonce, const json_t *tee_key, json_t *evidence, const char *init_data)
{
	json_t *message = json_pack("{s:n, s:{s:s, s:O}, s:{s:o, s:s}}", "init-data",
		"runtime-data", "nonce", nonce, "tee-pubkey", tee_key, "tee-evidence",
		"primary_evidence", evidence, "additional_evidence", "");
	char *text;

	if (message && init_data)
		json_object_set_new(message, "init-data",
			json_pack("{s:s, s:s}", "format", "toml", "body", init_data));
	text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	json_decref(message);
	return text;
}
