/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Between gRPC calls and the requests that the vault knows. Pure functions. */
#include "base/buf.h"
#include "net/grpc.h"

enum service_op {
	SERVICE_OP_NONE,
	SERVICE_OP_EVALUATE,
	SERVICE_OP_POLICY,
	SERVICE_OP_CHALLENGE,
	SERVICE_OP_QUERY,
	SERVICE_OP_REGISTER,
	SERVICE_OP_HEALTH,
};

/**
 * service_grpc_request() - from a call to method, target and body for the vault
 * @with_as: whether the attestation service is served, too
 * @target, @body: appended to
 *
 * Return: GRPC_OK; GRPC_UNIMPLEMENTED (no such method), GRPC_INVALID_ARGUMENT (@reterr says what),
 * GRPC_NOT_FOUND (health of an unknown service).
 */
must_check enum grpc_status service_grpc_request(const char *path, struct slice message,
	bool with_as, enum service_op *ret_op, const char **ret_method, struct buf *target,
	struct buf *body, struct err *reterr);
/**
 * service_grpc_answer() - from the vault's answer to a message or an error
 * @out: the message, appended to
 * @text: what the error says
 */
must_check enum grpc_status service_grpc_answer(enum service_op op, int http_status,
	struct slice body, struct buf *out, char text[GRPC_TEXT_MAX]);
/** service_error_text() - the detail of an error body, for a person */
void service_error_text(struct slice body, char text[GRPC_TEXT_MAX]);
