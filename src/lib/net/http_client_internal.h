/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Shared by the files of the HTTP client. */
#include "net/conn.h"
#include "net/http_client.h"

#define COOKIES_MAX 16
#define COOKIE_SIZE 4096

struct cookie {
	char host[URL_HOST_MAX];
	bool tls; /* came over TLS: goes back over TLS only */
	char name[128];
	char value[COOKIE_SIZE];
};

struct http_client {
	struct tls_client
		*tls; /* with the system's roots only once it is needed: it is not cheap */
	bool insecure_skip_tls_verify;
	char user_agent[128];
	uint32_t connect_timeout_ms, total_timeout_ms;
	int redirects;
	bool no_redirects;
	bool has_proxy;
	struct url proxy;
	char **nameservers;
	struct conn *idle; /* kept alive; goes to idle_url's place */
	struct url idle_url;
	struct cookie *cookies;
	size_t cookie_count;
};

/* One attempt: a call towards one URL. */
struct attempt {
	const struct http_call *call;
	struct url url;
	const char *method;
	bool drop_auth;
	bool send_body;
	uint64_t deadline;
};

/** http_client_connect() - a fresh connection for @a. Return: as conn_open(). */
must_check int http_client_connect(
	struct http_client *c, const struct attempt *a, struct conn **ret, struct err *reterr);
/** http_client_send() - the whole request. Return: 0, -EIO (the server closed), other errno. */
must_check int http_client_send(
	struct http_client *c, struct conn *conn, const struct attempt *a, struct err *reterr);
/** http_client_receive() - the answer to @a. Return: as http_answer_read(). */
must_check int http_client_receive(struct conn *conn, const struct attempt *a,
	struct http_answer *ret, bool *ret_keep, bool *ret_started, struct err *reterr);
/** http_client_fail() - @r for the caller, with words in @reterr. @started: the answer had begun */
must_check int http_client_fail(const struct attempt *a, int r, bool started, struct err *reterr);
