/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Messages of the gRPC services (proto/), in both directions. Requests become the JSON that the REST
 * interface takes, so that one reader behind them serves both. Pure functions; unknown fields are
 * skipped, as protocol buffers want; text must be UTF-8.
 *
 * Limits: PROTO_MEMORY_MAX bytes are allocated for one message at most, whatever it claims to hold.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define PROTO_MEMORY_MAX ((size_t)96 << 20)

#define PROTO_AS "/attestation.AttestationService/"
#define PROTO_RVPS "/reference.ReferenceValueProviderService/"
#define PROTO_HEALTH "/grpc.health.v1.Health/"
#define PROTO_PLUGIN "/kbs.plugin.v1.KbsPlugin/"

/* Requests in. Return of all: 0, -EBADMSG (with the field), -ENOMEM. @ret: new reference. */

/** proto_read_evaluate() - AttestationRequest to the JSON of as_evaluate() */
must_check int proto_read_evaluate(struct slice in, json_t **ret, struct err *reterr);
/** proto_read_policy() - SetPolicyRequest to {"policy_id", "policy"} */
must_check int proto_read_policy(struct slice in, json_t **ret, struct err *reterr);
/** proto_read_challenge() - ChallengeRequest to the object of its map; no key may come twice */
must_check int proto_read_challenge(struct slice in, json_t **ret, struct err *reterr);
/** proto_read_query() - the id in a ReferenceValueQueryRequest, appended to @id */
must_check int proto_read_query(struct slice in, struct buf *id, struct err *reterr);
/** proto_read_register() - the message in a ReferenceValueRegisterRequest, appended to @message */
must_check int proto_read_register(struct slice in, struct buf *message, struct err *reterr);
/** proto_read_health() - the service that a HealthCheckRequest asks for, "" for all */
must_check int proto_read_health(struct slice in, struct buf *service, struct err *reterr);

/* Answers out, appended to @out. */
void proto_put_token(struct buf *out, const char *token);
void proto_put_challenge(struct buf *out, const char *challenge);
/** proto_put_value() - @value: JSON text; NULL for none */
void proto_put_value(struct buf *out, const char *value);
/** proto_put_health() - SERVING or NOT_SERVING */
void proto_put_health(struct buf *out, bool serving);

/* Requests out and answers in: what a client needs. */

/** proto_put_evaluate() - from the JSON of as_evaluate(). Return: 0, -EBADMSG, -ENOMEM. */
must_check int proto_put_evaluate(struct buf *out, const json_t *request, struct err *reterr);
void proto_put_policy(struct buf *out, const char *id, const char *policy);
void proto_put_query(struct buf *out, const char *id);
void proto_put_register(struct buf *out, struct slice message);
void proto_put_challenge_request(struct buf *out, const char *tee, const char *params);
/** proto_read_token() - the token, appended to @token */
must_check int proto_read_token(struct slice in, struct buf *token, struct err *reterr);
/** proto_read_challenge_answer() - the challenge, appended to @text */
must_check int proto_read_challenge_answer(struct slice in, struct buf *text, struct err *reterr);
/** proto_read_value() - the value as JSON; NULL in @ret when there is none */
must_check int proto_read_value(struct slice in, json_t **ret, struct err *reterr);

/* Plugins of the broker that are programs of their own. */

/**
 * proto_put_plugin() - PluginRequest, of all three calls
 * @path: array of strings
 * @query: object of strings
 */
must_check int proto_put_plugin(struct buf *out, const char *method, const json_t *path,
	const json_t *query, struct slice body);
/** proto_read_plugin_answer() - status as of HTTP (0: 200), and the body appended to @body */
must_check int proto_read_plugin_answer(
	struct slice in, int32_t *ret_status, struct buf *body, struct err *reterr);
/** proto_read_plugin_admin() - whether an admin must ask */
must_check int proto_read_plugin_admin(struct slice in, bool *ret, struct err *reterr);
/** proto_read_plugin_encrypted() - whether the answer is to be encrypted to the guest */
must_check int proto_read_plugin_encrypted(struct slice in, bool *ret, struct err *reterr);
