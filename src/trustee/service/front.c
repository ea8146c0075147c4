/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of husk-as and husk-rvps: gRPC and REST in, messages to the vault, answers out. It
 * parses frames and protocol buffers, holds no key but TLS's own, and opens no file.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/ipc.h"
#include "trustee/kbs/front-core.h"
#include "trustee/kbs/wire.h"
#include "trustee/service/front-grpc.h"

#define HEADER_MAX ((size_t)16 << 10)
#define IDLE_S 60				      /* relying parties keep their connections */
#define REST_ERROR "An internal error occured: \n0: " /* as Trustee's REST clients know it */

struct pending {
	struct grpc_call *call; /* one of the two; both NULL: the slot is free */
	struct http_request *request;
	enum service_op op;
	uint32_t generation;
	int64_t since_ms;
};

struct front {
	struct front_core core;
	struct grpc_server *grpc;
	struct http_server *rest; /* NULL when there is no REST socket */
	struct pending *pending;
	uint32_t pending_count;
};

static bool with_as(const struct front *f)
{
	return f->core.config->husk.service == SERVICE_AS;
}

/* --- answers --- */

static void answer_http(
	struct http_request *request, int status, const char *type, struct slice body)
{
	const struct http_header headers[] = {
		{"Content-Type", type},
		{"Cache-Control", "no-store"},
	};

	http_request_reply(request, status, headers, ARRAY_COUNT(headers), body);
}

/* Refusals are 500 with a text, as Trustee's; what does not exist keeps its own status. */
static void answer_rest(struct pending *p, int status, const char *type, struct slice body)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	char text[GRPC_TEXT_MAX];

	if (status == 200) {
		answer_http(p->request, 200, type, body);
		return;
	}
	service_error_text(body, text);
	buf_printf(&out, REST_ERROR "%s", text);
	answer_http(p->request, status == 401 ? 500 : status, "text/plain; charset=utf-8",
		buf_slice(&out));
}

static void answer_grpc(struct pending *p, int status, const char *type, struct slice body)
{
	cleanup_with(buf_done) struct buf out = buf_init_secret(0);
	char text[GRPC_TEXT_MAX];
	enum grpc_status code;

	if (grpc_call_is_get(p->call)) {
		grpc_call_reply_http(p->call, status, type[0] ? type : "text/plain", body);
		return;
	}
	code = service_grpc_answer(p->op, status, body, &out, text);
	if (code == GRPC_OK)
		grpc_call_reply(p->call, buf_slice(&out));
	else
		grpc_call_fail(p->call, code, text);
}

static size_t open_calls(const void *cookie)
{
	const struct front *f = cookie;

	return grpc_server_open_calls(f->grpc) + (f->rest ? http_server_open_requests(f->rest) : 0);
}

static void finish(
	struct front *f, struct pending *p, int status, const char *type, struct slice body)
{
	if (p->call)
		answer_grpc(p, status, type, body);
	else
		answer_rest(p, status, type, body);
	p->call = NULL;
	p->request = NULL;
	p->generation++;
	front_answered(&f->core);
}

static bool in_use(const struct pending *p)
{
	return p->call || p->request;
}

/* A late answer to a request that timed out finds another generation. */
static void answer(
	void *cookie, uint32_t index, uint32_t generation, const json_t *header, struct slice body)
{
	struct front *f = cookie;

	if (index < f->pending_count && in_use(&f->pending[index]) &&
		f->pending[index].generation == generation)
		finish(f, &f->pending[index], (int)wire_int(header, "status"),
			wire_str(header, "type"), body);
}

/* --- requests --- */

static void submit(struct front *f, const struct pending *what, const char *method,
	const char *target, const char *peer, struct slice body)
{
	static const char busy[] = "{\"detail\":\"too many requests are under way\"}";
	static const char bad[] = "{\"detail\":\"the request cannot be taken\"}";
	struct pending copy = *what, *p = NULL;
	uint32_t i = 0;
	int r;

	while (i < f->pending_count && in_use(&f->pending[i]))
		i++;
	if (i == f->pending_count) {
		finish(f, &copy, 503, "", slice_str(busy));
		return;
	}
	p = &f->pending[i];
	copy.generation = p->generation;
	copy.since_ms = (int64_t)clock_mono_ms();
	*p = copy;
	r = front_forward(&f->core,
		json_pack("{s:s, s:s, s:s}", "method", method, "target", target, "peer", peer), i,
		p->generation, body);
	if (r < 0)
		finish(f, p, r == -EBADMSG ? 401 : 503, "", slice_str(bad));
}

static void on_rest(void *cookie, struct http_request *request)
{
	const struct pending p = {.request = request};

	submit(cookie, &p, http_request_method(request), http_request_target(request),
		http_request_peer(request), http_request_body(request));
}

static void on_call(void *cookie, struct grpc_call *call)
{
	struct front *f = cookie;
	cleanup_with(buf_done) struct buf target = buf_init(8192);
	cleanup_with(buf_done) struct buf body = buf_init_secret(IPC_MESSAGE_MAX / 2);
	struct pending p = {.call = call};
	const char *method = "GET";
	enum grpc_status status;
	struct err e = {0};

	if (grpc_call_is_get(call)) {
		submit(f, &p, "GET", grpc_call_path(call), grpc_call_peer(call), SLICE_EMPTY);
		return;
	}
	status = service_grpc_request(grpc_call_path(call), grpc_call_message(call), with_as(f),
		&p.op, &method, &target, &body, &e);
	if (status != GRPC_OK)
		grpc_call_fail(call, status, err_text(&e, -EINVAL));
	else
		submit(f, &p, method, buf_str(&target), grpc_call_peer(call), buf_slice(&body));
}

static void tick(void *cookie)
{
	static const char late[] = "{\"detail\":\"no answer in time\"}";
	struct front *f = cookie;
	int64_t now = (int64_t)clock_mono_ms();

	for (uint32_t i = 0; i < f->pending_count; i++) {
		struct pending *p = &f->pending[i];

		if (in_use(p) && now - p->since_ms > FRONT_ANSWER_WAIT_MS)
			finish(f, p, 503, "", slice_str(late));
	}
}

static void pause_accepting(void *cookie)
{
	struct front *f = cookie;

	grpc_server_pause(f->grpc);
	if (f->rest)
		http_server_pause(f->rest);
}

static int set_tls(void *cookie, const struct tls_pem *pem, struct err *reterr)
{
	struct front *f = cookie;
	int r = grpc_server_set_tls(f->grpc, pem, reterr);

	return r == 0 && f->rest ? http_server_set_tls(f->rest, pem, reterr) : r;
}

/* --- start --- */

static void log_listen(const struct front *f, const char *address, uint16_t port, const char *what)
{
	log_info("service.listen", LOG_STR("address", address), LOG_U64("port", port),
		LOG_STR("protocol", what),
		LOG_STR("tls", f->core.config->http.certificate ? "yes" : "no"));
}

static int listen_grpc(struct front *f, struct err *reterr)
{
	const struct kbs_config *c = f->core.config;
	const struct grpc_server_options options = {
		.certificate = c->http.certificate,
		.private_key = c->http.private_key,
		.client_ca = c->husk.client_ca,
		.message_max = (size_t)c->http.body_max_mib << 20,
		.connections_max = c->husk.connections_max / 2,
		.idle_s = IDLE_S,
	};
	int r = grpc_server_new(f->core.base, &options, on_call, f, &f->grpc, reterr);

	for (size_t i = 0; r == 0 && i < c->husk.grpc_sockets.count; i++) {
		uint16_t port = 0;

		r = grpc_server_listen(f->grpc, c->husk.grpc_sockets.items[i], &port, reterr);
		if (r == 0)
			log_listen(f, c->husk.grpc_sockets.items[i], port, "grpc");
	}
	return r;
}

static int listen_rest(struct front *f, struct err *reterr)
{
	const struct kbs_config *c = f->core.config;
	const struct http_server_options options = {
		.certificate = c->http.certificate,
		.private_key = c->http.private_key,
		.client_ca = c->husk.client_ca,
		.header_max = HEADER_MAX,
		.body_max = (size_t)c->http.body_max_mib << 20,
		.idle_s = IDLE_S,
	};
	int r;

	if (c->husk.rest_sockets.count == 0)
		return 0;
	r = http_server_new(f->core.base, &options, on_rest, f, &f->rest, reterr);
	for (size_t i = 0; r == 0 && i < c->husk.rest_sockets.count; i++) {
		uint16_t port = 0;

		r = http_server_listen(f->rest, c->husk.rest_sockets.items[i], &port, reterr);
		if (r == 0)
			log_listen(f, c->husk.rest_sockets.items[i], port, "rest");
	}
	return r;
}

/* REST has no limit of its own: its share is what the descriptors leave. */
static int listen_all(void *cookie, struct err *reterr)
{
	struct front *f = cookie;
	int r;

	f->pending_count = f->core.config->husk.connections_max;
	f->pending = calloc(f->pending_count, sizeof(*f->pending));
	if (!f->pending)
		return -ENOMEM;
	r = listen_grpc(f, reterr);
	return r == 0 ? listen_rest(f, reterr) : r;
}

int role_front(const struct kbs_config *c)
{
	static const struct front_ops ops = {
		.listen = listen_all,
		.answer = answer,
		.tick = tick,
		.pause = pause_accepting,
		.open = open_calls,
		.set_tls = set_tls,
		.reloaded = "certificates are in use",
	};
	static struct front f; /* for the life of the process, with all that hangs on it */

	f.core = (struct front_core){.config = c, .ops = &ops, .cookie = &f};
	return front_run(&f.core);
}
