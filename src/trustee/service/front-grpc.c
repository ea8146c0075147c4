/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/service/front-grpc.h"

#include <jansson.h>

#include "base/str.h"
#include "fmt/json.h"
#include "trustee/proto/proto.h"

static const struct {
	const char *path;
	enum service_op op;
	bool as_only;
	const char *method, *target;
} g_methods[] = {
	{PROTO_AS "AttestationEvaluate", SERVICE_OP_EVALUATE, true, "POST", "/attestation"},
	{PROTO_AS "SetAttestationPolicy", SERVICE_OP_POLICY, true, "POST", "/policy"},
	{PROTO_AS "GetAttestationChallenge", SERVICE_OP_CHALLENGE, true, "POST", "/challenge"},
	{PROTO_RVPS "QueryReferenceValue", SERVICE_OP_QUERY, false, "GET", "/reference-value/"},
	{PROTO_RVPS "RegisterReferenceValue", SERVICE_OP_REGISTER, false, "POST",
		"/reference-value"},
	{PROTO_HEALTH "Check", SERVICE_OP_HEALTH, false, "GET", "/healthz"},
};

static int put_json(struct buf *body, json_t *value)
{
	int r = json_write(value, body);

	json_decref(value);
	return r;
}

static int read_health(struct slice message, bool with_as, struct err *reterr)
{
	cleanup_with(buf_done) struct buf name = buf_init(256);
	int r = proto_read_health(message, &name, reterr);
	const char *s = buf_str(&name);

	if (r < 0 || !*s || streq(s, "reference.ReferenceValueProviderService") ||
		(with_as && streq(s, "attestation.AttestationService")))
		return r;
	return err_set(reterr, -ENOENT, "unknown service");
}

static int read_query(struct slice message, struct buf *target, struct err *reterr)
{
	cleanup_with(buf_done) struct buf id = buf_init(4096);
	int r = proto_read_query(message, &id, reterr);

	if (r < 0)
		return r;
	/* It becomes part of a target: nothing that would end the path there. */
	if (id.size == 0 || strpbrk(buf_str(&id), "?# \r\n"))
		return err_set(reterr, -EBADMSG,
			"a reference value's id has no blanks, '?' and '#', and is not empty");
	buf_put_slice(target, buf_slice(&id));
	return buf_error(target);
}

static int read_message(enum service_op op, struct slice message, bool with_as, struct buf *target,
	struct buf *body, struct err *reterr)
{
	json_t *value = NULL;
	int r;

	switch (op) {
	case SERVICE_OP_EVALUATE:
		r = proto_read_evaluate(message, &value, reterr);
		return r < 0 ? r : put_json(body, value);
	case SERVICE_OP_POLICY:
		r = proto_read_policy(message, &value, reterr);
		return r < 0 ? r : put_json(body, value);
	case SERVICE_OP_CHALLENGE:
		r = proto_read_challenge(message, &value, reterr);
		return r < 0 ? r : put_json(body, value);
	case SERVICE_OP_QUERY:
		return read_query(message, target, reterr);
	case SERVICE_OP_REGISTER:
		return proto_read_register(message, body, reterr);
	case SERVICE_OP_HEALTH:
		return read_health(message, with_as, reterr);
	default:
		return -EINVAL;
	}
}

enum grpc_status service_grpc_request(const char *path, struct slice message, bool with_as,
	enum service_op *ret_op, const char **ret_method, struct buf *target, struct buf *body,
	struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_methods); i++) {
		int r;

		if (!streq(g_methods[i].path, path) || (g_methods[i].as_only && !with_as))
			continue;
		*ret_op = g_methods[i].op;
		*ret_method = g_methods[i].method;
		buf_put_str(target, g_methods[i].target);
		r = read_message(g_methods[i].op, message, with_as, target, body, reterr);
		return r == 0	      ? GRPC_OK
		       : r == -ENOENT ? GRPC_NOT_FOUND
		       : r == -ENOMEM ? GRPC_RESOURCE_EXHAUSTED
				      : GRPC_INVALID_ARGUMENT;
	}
	(void)!err_set(reterr, -EOPNOTSUPP, "unknown method %.200s", path);
	return GRPC_UNIMPLEMENTED;
}

void service_error_text(struct slice body, char text[GRPC_TEXT_MAX])
{
	json_t *error = body.size ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(error, "detail"));

	snprintf(text, GRPC_TEXT_MAX, "%s", detail ? detail : "refused");
	json_decref(error);
}

enum grpc_status service_grpc_answer(enum service_op op, int http_status, struct slice body,
	struct buf *out, char text[GRPC_TEXT_MAX])
{
	cleanup(free_ptr) char *copy = slice_strdup(body);

	text[0] = '\0';
	if (op == SERVICE_OP_HEALTH) {
		proto_put_health(out, http_status == 200);
		return GRPC_OK;
	}
	if (op == SERVICE_OP_QUERY && http_status == 404) {
		proto_put_value(out, NULL);
		return GRPC_OK;
	}
	if (http_status != 200 || !copy) {
		service_error_text(body, text);
		return http_status == 503   ? GRPC_UNAVAILABLE
		       : http_status == 429 ? GRPC_RESOURCE_EXHAUSTED
					    : GRPC_ABORTED;
	}
	if (op == SERVICE_OP_EVALUATE)
		proto_put_token(out, copy);
	else if (op == SERVICE_OP_CHALLENGE)
		proto_put_challenge(out, copy);
	else if (op == SERVICE_OP_QUERY)
		proto_put_value(out, copy);
	/* The other answers are empty messages. */
	return buf_error(out) < 0 ? GRPC_INTERNAL : GRPC_OK;
}
