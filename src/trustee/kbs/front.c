/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front process: HTTP in, messages to the vault, HTTP out.
 *
 * It answers by itself only what needs no secret: unknown paths, handshakes over the rate limit,
 * malformed handshake requests. All else goes to the vault with what the client showed (cookie,
 * bearer token, body), unjudged.
 */
#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "net/http_server.h"
#include "net/ipc.h"
#include "net/sandbox.h"
#include "trustee/kbs/console.h"
#include "trustee/kbs/http-metrics.h"
#include "trustee/kbs/openapi.h"
#include "trustee/kbs/ratelimit.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/reply.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/wire.h"

#define HEADER_MAX ((size_t)160 << 10) /* bearer tokens carry evidence */
#define IDLE_S 15
#define REQUEST_S 60
#define ANSWER_WAIT_MS 30000
#define VAULT_QUEUE_MAX ((size_t)128 << 20)
#define FDS_OWN 32

struct pending {
	struct http_request *request; /* NULL: the slot is free */
	uint32_t generation;
	int64_t since_ms;
	bool counted;
	bool metrics;
	char id[REQUEST_ID_SIZE];
};

struct front {
	const struct kbs_config *config;
	struct reload reload; /* owns config after a reload */
	struct event_base *base;
	struct http_server *server;
	struct ipc *vault;
	struct ratelimit *limit; /* of handshakes */
	struct ratelimit *request_limit;
	struct http_metrics metrics;
	struct pending *pending; /* one slot per connection: HTTP/1.1 answers in order */
	uint32_t pending_count;
	bool stopping;
	int exit_code;
};

/* Headers of an answer; NULL and "" leave one out. */
struct answer {
	const char *type, *cookie, *etag, *content_type, *request_id;
	const char *csp; /* of a page for browsers, which then gets all that guards one */
};

static void send_reply(
	struct http_request *request, int status, const struct answer *h, struct slice body)
{
	const struct http_header headers[] = {
		{"Content-Type", h->type},
		{"Set-Cookie", h->cookie},
		{"ETag", h->etag},
		{"X-Husk-Content-Type", h->content_type},
		{"X-Request-Id", h->request_id},
		{"Retry-After", status == 429 || status == 503 ? "1" : NULL},
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", h->csp},
		{"X-Content-Type-Options", h->csp ? "nosniff" : NULL},
		{"X-Frame-Options", h->csp ? "DENY" : NULL},
		{"Referrer-Policy", h->csp ? "no-referrer" : NULL},
		{"Cross-Origin-Opener-Policy", h->csp ? "same-origin" : NULL},
	};

	http_request_reply(request, status, headers, ARRAY_COUNT(headers), body);
}

/* A client's id when it is harmless, else one of ours: it goes into logs and back to the client. */
static void make_request_id(const struct http_request *request, char ret[REQUEST_ID_SIZE])
{
	const char *given = http_request_header(request, "X-Request-Id");
	uint8_t random[8];
	size_t n = given ? strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-_.")
			 : 0;

	if (n > 0 && given[n] == '\0' && str_copy(ret, REQUEST_ID_SIZE, given) == 0)
		return;
	if (random_bytes(random, sizeof(random)) < 0)
		memset(random, 0, sizeof(random));
	hex_str(slice_of(random, sizeof(random)), ret, REQUEST_ID_SIZE);
}

static void answer_error(struct http_request *request, enum reply_error error, const char *detail)
{
	char id[REQUEST_ID_SIZE];
	struct answer h = {.request_id = id};
	struct reply reply;

	reply_init(&reply);
	reply_fail(&reply, error, "%s", detail);
	make_request_id(request, id);
	h.type = reply.type;
	send_reply(request, reply.status, &h, buf_slice(&reply.body));
	reply_done(&reply);
}

/* What is the same for everybody. */
static void answer_text(
	struct http_request *request, const char *type, const char *csp, struct slice text)
{
	char id[REQUEST_ID_SIZE];
	const struct answer h = {.type = type, .request_id = id, .csp = csp};

	make_request_id(request, id);
	send_reply(request, 200, &h, text);
}

static struct pending *take_slot(struct front *f, uint32_t *ret_index)
{
	for (uint32_t i = 0; i < f->pending_count; i++) {
		if (!f->pending[i].request) {
			*ret_index = i;
			return &f->pending[i];
		}
	}
	return NULL;
}

static void finish(struct front *f, struct pending *p, int status, const struct answer *answer,
	struct slice body)
{
	struct answer h = *answer;
	struct http_request *request = p->request;
	size_t in = http_request_body(request).size;

	p->request = NULL;
	p->generation++;
	if (p->counted) {
		f->metrics.active--;
		http_metrics_done(&f->metrics,
			(double)((int64_t)clock_mono_ms() - p->since_ms) / 1000, in, body.size);
	}
	h.request_id = p->id;
	log_debug("kbs.request", LOG_STR("request", p->id),
		LOG_STR("peer", http_request_peer(request)),
		LOG_STR("method", http_request_method(request)),
		LOG_STR("target", http_request_target(request)), LOG_I64("status", status),
		LOG_I64("ms", (int64_t)clock_mono_ms() - p->since_ms));
	send_reply(request, status, &h, body);
	if (f->stopping && http_server_open_requests(f->server) == 0)
		event_base_loopexit(f->base, NULL);
}

static void on_vault_message(void *cookie, struct slice message)
{
	struct front *f = cookie;
	cleanup_with(buf_done) struct buf metrics = buf_init(REPLY_BODY_MAX);
	json_t *header = NULL;
	struct slice body;
	uint64_t id;
	uint32_t index;

	if (wire_unpack(message, &header, &body) < 0) {
		log_error("front.vault.protocol", LOG_U64("size", message.size));
		f->exit_code = 1;
		event_base_loopbreak(f->base);
		return;
	}
	id = (uint64_t)wire_int(header, "id");
	index = (uint32_t)id;
	/* A late answer to a request that timed out finds another generation. */
	if (index < f->pending_count && f->pending[index].request &&
		f->pending[index].generation == (uint32_t)(id >> 32)) {
		struct pending *p = &f->pending[index];

		if (p->metrics) {
			buf_put_slice(&metrics, body);
			http_metrics_write(&f->metrics, &metrics);
			body = buf_slice(&metrics);
		}
		const struct answer h = {.type = wire_str(header, "type"),
			.cookie = wire_str(header, "cookie"),
			.etag = wire_str(header, "etag"),
			.content_type = wire_str(header, "content_type")};

		finish(f, p, (int)wire_int(header, "status"), &h, body);
	}
	json_decref(header);
}

static void on_vault_closed(void *cookie)
{
	struct front *f = cookie;

	event_base_loopbreak(f->base);
}

static const char *header_of(const struct http_request *request, const char *name)
{
	const char *value = http_request_header(request, name);

	return value ? value : "";
}

static int forward(struct front *f, struct http_request *request, const char *tee,
	enum as_protocol protocol, unsigned hashes, uint64_t id, const char *request_id)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(IPC_MESSAGE_MAX);
	const struct slice bearer = rcar_bearer(http_request_header(request, "Authorization"));
	char cookie[SESSION_ID_SIZE];
	json_t *header;
	int r;

	rcar_cookie(http_request_header(request, "Cookie"), cookie);
	header = json_pack("{s:I, s:i, s:i, s:s, s:s, s:s, s:s, s:s%, s:s, s:s, s:s, s:s, s:s}",
		"id", (json_int_t)id, "protocol", (int)protocol, "hashes", (int)hashes, "method",
		http_request_method(request), "target", http_request_target(request), "peer",
		http_request_peer(request), "cookie", cookie, "bearer",
		bearer.data ? (const char *)bearer.data : "", bearer.size, "tee", tee, "type",
		header_of(request, "Content-Type"), "if_match", header_of(request, "If-Match"),
		"if_none_match", header_of(request, "If-None-Match"), "request", request_id);
	if (!header)
		return -EBADMSG; /* a header that is not UTF-8 */
	r = wire_pack(&out, header, http_request_body(request));
	json_decref(header);
	if (r == 0 && ipc_pending(f->vault) > VAULT_QUEUE_MAX)
		r = -EAGAIN;
	return r < 0 ? r : ipc_send(f->vault, buf_slice(&out));
}

/* Return: true when the request was answered here. */
static bool answer_locally(struct front *f, struct http_request *request,
	const struct kbs_target *target, char tee[SESSION_TEE_SIZE], enum as_protocol *protocol,
	unsigned *hashes)
{
	struct err e = {0};
	char detail[ERR_TEXT_SIZE + 64];
	int r;

	switch (target->route) {
	case ROUTE_BAD_PATH:
		answer_error(request, REPLY_INVALID_PATH, "invalid request path");
		return true;
	case ROUTE_METHOD:
		answer_error(request, REPLY_METHOD, "method not allowed here");
		return true;
	case ROUTE_NONE:
		snprintf(detail, sizeof(detail), "Plugin %s not found", target->plugin);
		answer_error(request, REPLY_PLUGIN_NOT_FOUND, detail);
		return true;
	case ROUTE_OPENAPI:
		answer_text(request, REPLY_JSON, NULL, kbs_openapi());
		return true;
	case ROUTE_CONSOLE:
		answer_text(request, "text/html; charset=utf-8", kbs_console_csp(), kbs_console());
		return true;
	case ROUTE_AUTH:
		if (!ratelimit_take(
			    f->limit, http_request_peer(request), (int64_t)clock_mono_ms())) {
			answer_error(request, REPLY_TOO_MANY,
				"too many handshakes from this address, try again later");
			return true;
		}
		r = rcar_read_auth(http_request_body(request), f->config->husk.protocol_min, tee,
			protocol, hashes, &e);
		if (r == 0)
			return false;
		snprintf(detail, sizeof(detail),
			"Attestation error: RCAR handshake Auth failed: %s", err_text(&e, r));
		answer_error(request, REPLY_ATTESTATION_ERROR, detail);
		return true;
	default:
		return false;
	}
}

static void on_request(void *cookie, struct http_request *request)
{
	struct front *f = cookie;
	char tee[SESSION_TEE_SIZE] = "";
	enum as_protocol protocol = AS_PROTOCOL_0_4_0;
	unsigned hashes = 0;
	struct kbs_target target;
	struct pending *p;
	uint32_t index = 0;
	int r;

	kbs_route_parse(
		http_request_method(request), slice_str(http_request_target(request)), &target);
	if (!ratelimit_take(
		    f->request_limit, http_request_peer(request), (int64_t)clock_mono_ms())) {
		answer_error(request, REPLY_TOO_MANY, "too many requests from this address");
		return;
	}
	if (answer_locally(f, request, &target, tee, &protocol, &hashes))
		return;
	p = take_slot(f, &index);
	if (!p) {
		answer_error(request, REPLY_UNAVAILABLE, "too many requests are under way");
		return;
	}
	p->request = request;
	p->since_ms = (int64_t)clock_mono_ms();
	p->counted = str_starts(http_request_target(request), "/kbs");
	p->metrics = target.route == ROUTE_METRICS;
	f->metrics.active += p->counted;
	make_request_id(request, p->id);
	r = forward(
		f, request, tee, protocol, hashes, (uint64_t)p->generation << 32 | index, p->id);
	if (r < 0) {
		struct answer h = {0};
		struct reply reply;

		reply_init(&reply);
		reply_fail(&reply, r == -EBADMSG ? REPLY_INVALID_PATH : REPLY_UNAVAILABLE,
			r == -EBADMSG ? "a request header is not UTF-8"
				      : "cannot take the request");
		h.type = reply.type;
		finish(f, p, reply.status, &h, buf_slice(&reply.body));
		reply_done(&reply);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *cookie)
{
	struct front *f = cookie;
	int64_t now = (int64_t)clock_mono_ms();

	for (uint32_t i = 0; i < f->pending_count; i++) {
		struct pending *p = &f->pending[i];
		static const char late[] = "{\"type\":\"https://github.com/confidential-containers/"
					   "kbs/errors/ServiceUnavailable\",\"detail\":\"no answer "
					   "in time\"}";

		if (p->request && now - p->since_ms > ANSWER_WAIT_MS)
			finish(f, p, 503, &(struct answer){.type = REPLY_JSON}, slice_str(late));
	}
}

static void on_term(evutil_socket_t fd, short what, void *cookie)
{
	struct front *f = cookie;
	const struct timeval grace = {3, 0};

	f->stopping = true;
	http_server_pause(f->server);
	event_base_loopexit(f->base, http_server_open_requests(f->server) ? &grace : NULL);
}

static int apply_reload(struct front *f, struct reload *fresh, struct err *reterr)
{
	const struct kbs_config *c = fresh->config;
	struct ratelimit *limit = ratelimit_new(c->husk.auth_rate, c->husk.auth_burst);
	struct ratelimit *request_limit =
		ratelimit_new(c->husk.request_rate, c->husk.request_burst);
	int r = limit && request_limit ? 0 : -ENOMEM;

	if (r == 0 && fresh->certificate && fresh->certificate[0])
		r = http_server_set_tls(f->server, slice_str(fresh->certificate),
			slice_str(fresh->private_key), reterr);
	if (r < 0) {
		ratelimit_free(limit);
		ratelimit_free(request_limit);
		return r;
	}
	ratelimit_free(f->limit);
	ratelimit_free(f->request_limit);
	f->limit = limit;
	f->request_limit = request_limit;
	role_log(c, "husk-kbs-front");
	role_reload_done(&f->reload);
	f->reload = *fresh;
	f->config = fresh->config;
	return 0;
}

static void on_control(evutil_socket_t sock, short what, void *cookie)
{
	struct front *f = cookie;
	struct reload fresh = {0};
	struct err e = {0};
	uint32_t tag = 0;
	int fd = -1;
	int r = ipc_recv_fd(sock, &fd, &tag);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		event_base_loopbreak(f->base); /* the supervisor is gone */
		return;
	}
	r = role_reload_read(fd, &fresh, &e);
	if (r == 0)
		r = apply_reload(f, &fresh, &e);
	if (r < 0) {
		role_reload_done(&fresh);
		log_error("front.reload.refused", LOG_STR("reason", err_text(&e, r)));
	} else {
		log_info("front.reload", LOG_STR("effect", "certificate and limits are in use"));
	}
}

static int listen_all(struct front *f, struct err *reterr)
{
	const struct kbs_config *c = f->config;
	const struct http_server_options options = {
		.certificate = c->http.certificate,
		.private_key = c->http.private_key,
		.tls13_only = streq(c->http.tls_min_version, "1.3"),
		.header_max = HEADER_MAX,
		.body_max = (size_t)c->http.body_max_mib << 20,
		.idle_s = IDLE_S,
		.request_s = REQUEST_S,
		/* Unfinished requests take a quarter of what the front may have at most. */
		.buffered_max = ((size_t)c->husk.memory_max_mib << 20) / 4,
	};
	int r = http_server_new(f->base, &options, on_request, f, &f->server, reterr);

	for (size_t i = 0; r == 0 && i < c->http.sockets.count; i++) {
		uint16_t port = 0;

		r = http_server_listen(f->server, c->http.sockets.items[i], &port, reterr);
		if (r == 0)
			log_info("kbs.listen", LOG_STR("address", c->http.sockets.items[i]),
				LOG_U64("port", port),
				LOG_STR("scheme", c->http.insecure_http ? "http" : "https"));
	}
	return r;
}

/* Accepting stops at this many descriptors; the listener then waits for one to become free. */
static int limit_connections(const struct kbs_config *c, struct err *reterr)
{
	const rlim_t want = (rlim_t)c->husk.connections_max + FDS_OWN;
	struct rlimit limit = {want, want};
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < want)
		limit = (struct rlimit){now.rlim_max, now.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return err_set(reterr, -errno, "cannot limit descriptors: %m");
	return 0;
}

static int start(struct front *f, struct err *reterr)
{
	static const struct timeval tick = {1, 0};
	const struct kbs_config *c = f->config;
	struct event *timer, *term, *control;
	int r;

	f->base = event_base_new();
	f->limit = ratelimit_new(c->husk.auth_rate, c->husk.auth_burst);
	f->request_limit = ratelimit_new(c->husk.request_rate, c->husk.request_burst);
	f->pending_count = c->husk.connections_max;
	f->pending = calloc(f->pending_count, sizeof(*f->pending));
	if (!f->base || !f->limit || !f->request_limit || !f->pending)
		return -ENOMEM;
	f->vault = ipc_new(
		f->base, ROLE_FD_LINK, IPC_MESSAGE_MAX, on_vault_message, on_vault_closed, f);
	timer = event_new(f->base, -1, EV_PERSIST, on_tick, f);
	term = evsignal_new(f->base, SIGTERM, on_term, f);
	control = event_new(f->base, ROLE_FD_CONTROL, EV_READ | EV_PERSIST, on_control, f);
	if (!f->vault || !timer || !term || !control)
		return -ENOMEM;
	event_add(timer, &tick);
	event_add(term, NULL);
	event_add(control, NULL);
	r = listen_all(f, reterr);
	if (r == 0)
		r = limit_connections(c, reterr);
	if (r == 0)
		r = role_confine(c, "front", NULL, 0, SANDBOX_EVENTS | SANDBOX_SOCKETS, reterr);
	return r;
}

int role_front(const struct kbs_config *c)
{
	struct front f = {.config = c};
	struct err e = {0};
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = start(&f, &e);
	if (r == 0)
		r = role_ready();
	if (r < 0) {
		log_error("front.start", LOG_STR("reason", err_text(&e, r)));
		return 1;
	}
	event_base_dispatch(f.base);
	return f.exit_code;
}
