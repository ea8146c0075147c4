/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A remote process: one call at a time to other services, as the vault says. It parses what those
 * services answer; it has no store and no key but the API key of Intel Trust Authority. A crash fails
 * the call at hand and the supervisor starts another.
 */
#include <event2/event.h>

#include "base/fd.h"
#include "base/str.h"
#include "fmt/json.h"
#include "net/grpc_client.h"
#include "net/http_client.h"
#include "net/ipc.h"
#include "trustee/kbs/role-work.h"
#include "trustee/kbs/role.h"
#include "trustee/kbs/wire.h"
#include "trustee/proto/proto.h"

#define CALL_MS 30000
#define VALUE_MS 10000
#define ANSWER_MAX ((size_t)16 << 20)
#define CHALLENGE_MAX ((size_t)64 << 10)
#define PEM_MAX ((size_t)1 << 20)
#define NAMES_MAX 512

struct remote {
	const struct kbs_config *config;
	struct event_base *base;
	struct grpc_client *as;	  /* NULL unless attestation is by gRPC */
	struct grpc_client *rvps; /* NULL: through @as */
	struct http_client *http; /* NULL unless attestation is Intel's */
};

static int evaluate(struct remote *m, struct slice body, json_t *answer, struct err *reterr)
{
	cleanup_with(buf_done) struct buf message = buf_init(ANSWER_MAX);
	cleanup_with(buf_done) struct buf reply = buf_init_secret(0), token = buf_init_secret(0);
	cleanup(json_decref) json_t *request = NULL;
	int r = json_parse(body, IPC_MESSAGE_MAX, &request, reterr);

	if (r == 0)
		r = proto_put_evaluate(&message, request, reterr);
	if (r == 0)
		r = grpc_client_wait(m->as, PROTO_AS "AttestationEvaluate", buf_slice(&message),
			CALL_MS, &reply, reterr);
	if (r == 0)
		r = proto_read_token(buf_slice(&reply), &token, reterr);
	return r < 0 ? r : json_set_str(answer, "token", buf_str(&token));
}

static int challenge(struct remote *m, const json_t *header, json_t *answer, struct err *reterr)
{
	cleanup_with(buf_done) struct buf message = buf_init(0), reply = buf_init(0);
	cleanup_with(buf_done) struct buf text = buf_init(CHALLENGE_MAX);
	int r;

	proto_put_challenge_request(&message, wire_str(header, "tee"), wire_str(header, "params"));
	r = grpc_client_wait(m->as, PROTO_AS "GetAttestationChallenge", buf_slice(&message),
		CALL_MS, &reply, reterr);
	if (r == 0)
		r = proto_read_challenge_answer(buf_slice(&reply), &text, reterr);
	if (r == 0)
		r = buf_error(&text);
	return r < 0 ? r : json_set_str(answer, "challenge", buf_str(&text));
}

/* Intel's answers are {"token": ...}, its errors {"error": ...}. */
static int read_intel(const struct http_answer *a, json_t *answer, struct err *reterr)
{
	cleanup(json_decref) json_t *body =
		json_loadb((const char *)a->body.data, a->body.size, JSON_REJECT_DUPLICATES, NULL);
	const char *token = json_string_value(json_object_get(body, "token"));
	const char *error = json_string_value(json_object_get(body, "error"));

	if (a->status != 200)
		return err_set(reterr, -EACCES, "Intel Trust Authority answers HTTP %d%s%.200s",
			a->status, error ? ": " : "", error ? error : "");
	if (!token)
		return err_set(reterr, -EBADMSG, "Intel Trust Authority's answer has no token");
	return json_set_str(answer, "token", token);
}

static int intel(struct remote *m, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	const struct http_field fields[] = {
		{"Content-Type", "application/json"},
		{"Accept", "application/json"},
		{"x-api-key", m->config->as.api_key},
	};
	struct http_answer a = {0};
	char url[2048];
	int n = snprintf(url, sizeof(url), "%s/appraisal/v2/attest%s", m->config->as.base_url,
		wire_str(header, "suffix"));
	const struct http_call call = {.method = "POST",
		.url = url,
		.fields = fields,
		.field_count = ARRAY_COUNT(fields),
		.body = body,
		.answer_max = ANSWER_MAX};
	int r;

	if (n < 0 || (size_t)n >= sizeof(url))
		return err_set(reterr, -E2BIG, "base_url is too long");
	r = http_client_call(m->http, &call, &a, reterr);
	if (r == 0)
		r = read_intel(&a, answer, reterr);
	http_answer_done(&a);
	return r;
}

/* --- reference values: all names at once over one connection --- */

struct query {
	struct remote *m;
	json_t *values; /* name to value or null */
	const char *name;
	size_t *left;
	int *error;
	struct err *reterr;
};

static void on_value(void *cookie, enum grpc_status status, const char *text, struct slice reply)
{
	struct query *q = cookie;
	json_t *value = NULL;
	int r = grpc_errno(status);

	if (status != GRPC_OK)
		(void)!err_set(q->reterr, r, "%s: %.300s", grpc_status_name(status), text);
	else
		r = proto_read_value(reply, &value, q->reterr);
	if (r == 0 && json_object_set_new(q->values, q->name, value ? value : json_null()) < 0)
		r = -ENOMEM;
	if (r < 0)
		*q->error = r;
	(*q->left)--;
}

static struct grpc_client *rvps_of(const struct remote *m)
{
	return m->rvps ? m->rvps : m->as;
}

static int values(struct remote *m, const json_t *header, json_t *answer, struct err *reterr)
{
	const json_t *names = json_object_get(header, "names");
	size_t count = json_array_size(names), left = 0;
	cleanup(free_ptr) struct query *queries = calloc(count + 1, sizeof(*queries));
	json_t *found = json_object();
	int error = count > NAMES_MAX ? -E2BIG : 0;

	if (!queries || json_set_take(answer, "values", found) < 0)
		return -ENOMEM;
	for (size_t i = 0; error == 0 && i < count; i++) {
		cleanup_with(buf_done) struct buf message = buf_init(0);
		const char *name = json_string_value(json_array_get(names, i));

		queries[i] = (struct query){m, found, name, &left, &error, reterr};
		proto_put_query(&message, name);
		error = grpc_client_call(rvps_of(m), PROTO_RVPS "QueryReferenceValue",
			buf_slice(&message), VALUE_MS, on_value, &queries[i]);
		left += error == 0;
	}
	while (left > 0) {
		if (event_base_loop(m->base, EVLOOP_ONCE) < 0)
			return -EIO;
	}
	return error;
}

static int set_policy(struct remote *m, const json_t *header, struct err *reterr)
{
	cleanup_with(buf_done) struct buf message = buf_init(0), reply = buf_init(0);

	proto_put_policy(&message, wire_str(header, "id"), wire_str(header, "policy"));
	return grpc_client_wait(m->as, PROTO_AS "SetAttestationPolicy", buf_slice(&message),
		CALL_MS, &reply, reterr);
}

static int register_value(struct remote *m, struct slice body, struct err *reterr)
{
	cleanup_with(buf_done) struct buf message = buf_init(0), reply = buf_init(0);

	proto_put_register(&message, body);
	return grpc_client_wait(rvps_of(m), PROTO_RVPS "RegisterReferenceValue",
		buf_slice(&message), CALL_MS, &reply, reterr);
}

static int serve(struct role_work *w, const json_t *header, struct slice body, json_t *answer,
	struct err *reterr)
{
	struct remote *m = w->cookie;
	const char *op = wire_str(header, "op");

	if (streq(op, "evaluate") && m->as)
		return evaluate(m, body, answer, reterr);
	if (streq(op, "challenge") && m->as)
		return challenge(m, header, answer, reterr);
	if (streq(op, "intel") && m->http)
		return intel(m, header, body, answer, reterr);
	if (streq(op, "values") && rvps_of(m))
		return values(m, header, answer, reterr);
	if (streq(op, "policy") && m->as)
		return set_policy(m, header, reterr);
	if (streq(op, "register") && rvps_of(m))
		return register_value(m, body, reterr);
	return -EOPNOTSUPP;
}

static int read_pem(const char *path, struct buf *out, struct err *reterr)
{
	return path ? file_read(path, PEM_MAX, out, reterr) : 0;
}

/* Trustee's addresses come with or without a scheme. */
static int connect_to(struct remote *m, const char *address, const struct grpc_client_options *with,
	struct grpc_client **ret, struct err *reterr)
{
	struct grpc_client_options o = *with;
	char url[512];

	if (snprintf(url, sizeof(url), "%s%s", strstr(address, "://") ? "" : "http://", address) >=
		(int)sizeof(url))
		return err_set(reterr, -E2BIG, "%s: the address is too long", address);
	o.url = url;
	o.message_max = ANSWER_MAX;
	return grpc_client_new(m->base, &o, ret, reterr);
}

static int set_up(struct remote *m, struct err *reterr)
{
	const struct kbs_config *c = m->config;
	cleanup_with(buf_done) struct buf roots = buf_init(PEM_MAX), cert = buf_init(PEM_MAX);
	cleanup_with(buf_done) struct buf key = buf_init_secret(PEM_MAX);
	int r = read_pem(c->husk.remote_ca, &roots, reterr);

	m->base = event_base_new();
	if (!m->base)
		return -ENOMEM;
	if (r == 0)
		r = read_pem(c->husk.remote_certificate, &cert, reterr);
	if (r == 0)
		r = read_pem(c->husk.remote_key, &key, reterr);
	const struct grpc_client_options o = {.roots_pem = buf_slice(&roots),
		.certificate_pem = buf_slice(&cert),
		.key_pem = buf_slice(&key)};
	const struct http_client_options h = {
		.roots_pem = buf_slice(&roots), .total_timeout_ms = CALL_MS};
	if (r == 0 && c->as.mode == AS_GRPC)
		r = connect_to(m, c->as.address, &o, &m->as, reterr);
	if (r == 0 && c->as.rvps_address)
		r = connect_to(m, c->as.rvps_address, &o, &m->rvps, reterr);
	if (r == 0 && c->as.mode == AS_INTEL)
		r = http_client_new(&h, &m->http, reterr);
	return r;
}

int role_remote(const struct kbs_config *c)
{
	struct remote m = {.config = c};
	struct role_work work = {.name = "remote", .serve = serve, .cookie = &m};
	struct err e = {0};
	int r = set_up(&m, &e);

	if (r == 0)
		r = role_confine_network(c, "remote", NULL, 0, &e);
	r = role_work(&work, r, &e);
	grpc_client_free(m.as);
	grpc_client_free(m.rvps);
	http_client_free(m.http);
	if (m.base)
		event_base_free(m.base);
	return r;
}
