/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front process: HTTP in, messages to the vault, HTTP out.
 *
 * It answers by itself only what needs no secret: unknown paths, handshakes over the rate limit,
 * malformed handshake requests. All else goes to the vault with what the client showed (cookie,
 * bearer token, body), unjudged.
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "net/http_server.h"
#include "trustee/kbs/console.h"
#include "trustee/kbs/front-core.h"
#include "trustee/kbs/front-queue.h"
#include "trustee/kbs/http-metrics.h"
#include "trustee/kbs/openapi.h"
#include "trustee/kbs/ratelimit.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/reply.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/wire.h"

#define HEADER_MAX ((size_t)160 << 10) /* bearer tokens carry evidence */
#define IDLE_S 15
#define REQUEST_S 60
#define GUESTS_BYTES_MAX ((size_t)512 << 10) /* of requests in the vault's hands at once */
#define CALL_BYTES 4096			     /* what one takes there beside its body */

/* What a request for a nonce says; of others nothing. */
struct auth {
	char tee[SESSION_TEE_SIZE];
	enum as_protocol protocol;
	unsigned hashes;
};

struct pending {
	struct http_request *request; /* NULL: the slot is free */
	uint32_t generation;
	int64_t since_ms;
	bool counted;
	bool metrics;
	char id[REQUEST_ID_SIZE];
	struct auth auth;
};

struct limits {
	struct ratelimit *handshakes, *requests;
};

struct front {
	struct front_core core;
	struct http_server *server;
	struct limits limits, prepared;
	struct http_metrics metrics;
	struct pending *pending;    /* one slot per connection: HTTP/1.1 answers in order */
	struct front_queue *guests; /* those that must wait for each other */
	uint32_t pending_count;
};

/* Headers of an answer; NULL and "" leave one out. */
struct answer {
	const char *type, *cookie, *etag, *content_type, *request_id;
	const char *allow;
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
		{"Allow", h->allow},
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
	char allow[ROUTE_ALLOW_SIZE] = "";
	struct answer h = {.request_id = id, .allow = allow};
	struct reply reply;

	reply_init(&reply);
	reply_fail(&reply, error, "%s", detail);
	if (error == REPLY_METHOD)
		kbs_route_allowed(slice_str(http_request_target(request)), allow);
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
	front_queue_leave(f->guests, (uint32_t)(p - f->pending));
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
	front_answered(&f->core);
}

static void forward_waiting(struct front *f);

/* A late answer to a request that timed out finds another generation. */
static void answer(
	void *cookie, uint32_t index, uint32_t generation, const json_t *header, struct slice body)
{
	struct front *f = cookie;
	cleanup_with(buf_done) struct buf metrics = buf_init(REPLY_BODY_MAX);
	const struct answer h = {.type = wire_str(header, "type"),
		.cookie = wire_str(header, "cookie"),
		.etag = wire_str(header, "etag"),
		.content_type = wire_str(header, "content_type")};
	struct pending *p;

	if (index >= f->pending_count || !f->pending[index].request ||
		f->pending[index].generation != generation)
		return;
	p = &f->pending[index];
	if (json_is_true(json_object_get(header, "waits"))) {
		front_queue_leave(f->guests, index);
		forward_waiting(f);
		return;
	}
	if (p->metrics) {
		buf_put_slice(&metrics, body);
		http_metrics_write(&f->metrics, &metrics);
		body = buf_slice(&metrics);
	}
	finish(f, p, (int)wire_int(header, "status"), &h, body);
	forward_waiting(f);
}

static const char *header_of(const struct http_request *request, const char *name)
{
	const char *value = http_request_header(request, name);

	return value ? value : "";
}

static json_t *header_for(const struct pending *p)
{
	struct http_request *request = p->request;
	const struct slice bearer = rcar_bearer(http_request_header(request, "Authorization"));
	char cookie[SESSION_ID_SIZE];

	rcar_cookie(http_request_header(request, "Cookie"), cookie);
	/* NULL for a header that is not UTF-8. */
	return json_pack("{s:i, s:i, s:s, s:s, s:s, s:s, s:s%, s:s, s:s, s:s, s:s, s:s}",
		"protocol", (int)p->auth.protocol, "hashes", (int)p->auth.hashes, "method",
		http_request_method(request), "target", http_request_target(request), "peer",
		http_request_peer(request), "cookie", cookie, "bearer",
		bearer.data ? (const char *)bearer.data : "", bearer.size, "tee", p->auth.tee,
		"type", header_of(request, "Content-Type"), "if_match",
		header_of(request, "If-Match"), "if_none_match",
		header_of(request, "If-None-Match"), "request", p->id);
}

static void forward(struct front *f, struct pending *p)
{
	struct answer h = {0};
	struct reply reply;
	int r = front_forward(&f->core, header_for(p), (uint32_t)(p - f->pending), p->generation,
		http_request_body(p->request));

	if (r == 0)
		return;
	reply_init(&reply);
	reply_fail(&reply, r == -EBADMSG ? REPLY_INVALID_PATH : REPLY_UNAVAILABLE,
		r == -EBADMSG ? "a request header is not UTF-8" : "cannot take the request");
	h.type = reply.type;
	finish(f, p, reply.status, &h, buf_slice(&reply.body));
	reply_done(&reply);
}

/* What can go on, since other requests were answered. */
static void forward_waiting(struct front *f)
{
	uint32_t slot;

	while (front_queue_next(f->guests, &slot))
		forward(f, &f->pending[slot]);
}

/* Return: true when the request was answered here. */
static bool answer_locally(struct front *f, struct http_request *request,
	const struct kbs_target *target, struct auth *ret)
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
		if (!ratelimit_take(f->limits.handshakes, http_request_peer(request),
			    (int64_t)clock_mono_ms())) {
			answer_error(request, REPLY_TOO_MANY,
				"too many handshakes from this address, try again later");
			return true;
		}
		r = rcar_read_auth(http_request_body(request), f->core.config->husk.protocol_min,
			ret->tee, &ret->protocol, &ret->hashes, &e);
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

/* Administrators and health checks do not stand in the queue. */
static bool is_guests(const struct kbs_target *t)
{
	return t->route == ROUTE_AUTH || t->need == NEED_SESSION || t->need == NEED_TOKEN;
}

static void on_request(void *cookie, struct http_request *request)
{
	struct front *f = cookie;
	struct auth auth = {.protocol = AS_PROTOCOL_0_4_0};
	struct kbs_target target;
	struct pending *p;
	uint32_t index = 0;

	kbs_route_parse(
		http_request_method(request), slice_str(http_request_target(request)), &target);
	if (!ratelimit_take(
		    f->limits.requests, http_request_peer(request), (int64_t)clock_mono_ms())) {
		answer_error(request, REPLY_TOO_MANY, "too many requests from this address");
		return;
	}
	if (answer_locally(f, request, &target, &auth))
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
	p->auth = auth;
	if (!is_guests(&target) ||
		front_queue_enter(f->guests, index, CALL_BYTES + http_request_body(request).size))
		forward(f, p);
}

static void tick(void *cookie)
{
	struct front *f = cookie;
	int64_t now = (int64_t)clock_mono_ms();

	for (uint32_t i = 0; i < f->pending_count; i++) {
		struct pending *p = &f->pending[i];
		static const char late[] = "{\"type\":\"https://github.com/confidential-containers/"
					   "kbs/errors/ServiceUnavailable\",\"detail\":\"no answer "
					   "in time\"}";

		if (p->request && now - p->since_ms > FRONT_ANSWER_WAIT_MS)
			finish(f, p, 503, &(struct answer){.type = REPLY_JSON}, slice_str(late));
	}
	forward_waiting(f);
}

static void pause_accepting(void *cookie)
{
	struct front *f = cookie;

	http_server_pause(f->server);
}

static size_t open_requests(const void *cookie)
{
	const struct front *f = cookie;

	return http_server_open_requests(f->server);
}

static int set_tls(void *cookie, const struct tls_pem *pem, struct err *reterr)
{
	struct front *f = cookie;

	return http_server_set_tls(f->server, pem, reterr);
}

static void limits_done(struct limits *l)
{
	ratelimit_free(l->handshakes);
	ratelimit_free(l->requests);
	*l = (struct limits){0};
}

static int prepare_limits(void *cookie, const struct kbs_config *c, struct err *reterr)
{
	struct front *f = cookie;

	limits_done(&f->prepared);
	f->prepared.handshakes = ratelimit_new(c->husk.auth_rate, c->husk.auth_burst);
	f->prepared.requests = ratelimit_new(c->husk.request_rate, c->husk.request_burst);
	return f->prepared.handshakes && f->prepared.requests ? 0 : -ENOMEM;
}

static void use_limits(void *cookie)
{
	struct front *f = cookie;

	limits_done(&f->limits);
	f->limits = f->prepared;
	f->prepared = (struct limits){0};
}

static int listen_all(void *cookie, struct err *reterr)
{
	struct front *f = cookie;
	const struct kbs_config *c = f->core.config;
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
	int r = prepare_limits(f, c, reterr);

	if (r < 0)
		return r;
	use_limits(f);
	f->pending_count = c->husk.connections_max;
	f->pending = calloc(f->pending_count, sizeof(*f->pending));
	f->guests = front_queue_new(f->pending_count, GUESTS_BYTES_MAX);
	r = f->pending && f->guests
		    ? http_server_new(f->core.base, &options, on_request, f, &f->server, reterr)
		    : -ENOMEM;
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

int role_front(const struct kbs_config *c)
{
	static const struct front_ops ops = {
		.listen = listen_all,
		.answer = answer,
		.tick = tick,
		.pause = pause_accepting,
		.open = open_requests,
		.set_tls = set_tls,
		.prepare = prepare_limits,
		.commit = use_limits,
		.reloaded = "certificate and limits are in use",
	};
	static struct front f; /* for the life of the process, with all that hangs on it */

	f.core = (struct front_core){.config = c, .ops = &ops, .cookie = &f};
	return front_run(&f.core);
}
