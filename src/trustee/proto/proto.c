/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/proto/proto-internal.h"

#include "attestation.pb-c.h"
#include "base/str.h"
#include "fmt/json.h"
#include "health.pb-c.h"
#include "reference.pb-c.h"

#define TEXT_MAX ((size_t)64 << 20)

/*
 * protobuf-c allocates what a message says it holds: an empty sub-message is two bytes on the wire
 * and a hundred in memory. The budget is for one message.
 */
struct budget {
	size_t left;
};

static void *budget_alloc(void *cookie, size_t size)
{
	struct budget *b = cookie;

	if (size > b->left)
		return NULL;
	b->left -= size;
	return malloc(size ? size : 1);
}

static void budget_free(void *cookie, void *p)
{
	free(p);
}

ProtobufCMessage *proto_unpack(
	const ProtobufCMessageDescriptor *type, struct slice in, struct err *reterr)
{
	static const uint8_t none[1];
	struct budget budget = {PROTO_MEMORY_MAX};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
	ProtobufCMessage *m =
		protobuf_c_message_unpack(type, &allocator, in.size, in.size ? in.data : none);

	if (!m)
		(void)!err_set(reterr, -EBADMSG, "malformed %s", type->short_name);
	return m;
}

void proto_message_free(ProtobufCMessage *m)
{
	ProtobufCAllocator allocator = {budget_alloc, budget_free, NULL};

	protobuf_c_message_free_unpacked(m, &allocator);
}

void proto_pack(struct buf *out, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *room = buf_reserve(out, size);

	if (room)
		buf_commit(out, protobuf_c_message_pack(m, room));
}

/* The generated types want char * where they only read. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

static int set_text(json_t *o, const char *name, const char *value, struct err *reterr)
{
	if (!utf8_valid(slice_str(value)))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not UTF-8", name);
	return json_object_set_new(o, name, json_string(value)) < 0 ? -ENOMEM : 0;
}

/* {name: {member: value}} */
static int set_choice(
	json_t *o, const char *name, const char *member, const char *value, struct err *reterr)
{
	json_t *inner = json_object();
	int r = set_text(inner, member, value, reterr);

	if (json_object_set_new(o, name, inner) < 0)
		return -ENOMEM;
	return r;
}

static int set_structured(json_t *o, const char *value, struct err *reterr)
{
	json_t *inner = json_object(), *parsed = NULL;
	int r = json_parse(slice_str(value), TEXT_MAX, &parsed, reterr);

	if (r == 0 && json_object_set_new(inner, "structured", parsed) < 0)
		r = -ENOMEM;
	if (json_object_set_new(o, "runtime_data", inner) < 0)
		r = -ENOMEM;
	return r < 0 ? err_wrap(reterr, r, "structured_runtime_data") : 0;
}

static int read_individual(
	const Attestation__IndividualAttestationRequest *q, json_t *o, struct err *reterr)
{
	int r = set_text(o, "tee", q->tee, reterr);

	if (r == 0)
		r = set_text(o, "evidence", q->evidence, reterr);
	if (r == 0 && *q->runtime_data_hash_algorithm)
		r = set_text(
			o, "runtime_data_hash_algorithm", q->runtime_data_hash_algorithm, reterr);
	if (r < 0)
		return r;
	switch ((int)q->runtime_data_case) {
	case ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__RUNTIME_DATA_RAW_RUNTIME_DATA:
		r = set_choice(o, "runtime_data", "raw", q->raw_runtime_data, reterr);
		break;
	case ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__RUNTIME_DATA_STRUCTURED_RUNTIME_DATA:
		r = set_structured(o, q->structured_runtime_data, reterr);
		break;
	default:
		break;
	}
	if (r < 0)
		return r;
	switch ((int)q->init_data_case) {
	case ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__INIT_DATA_INIT_DATA_DIGEST:
		return set_choice(o, "init_data", "init_data_digest", q->init_data_digest, reterr);
	case ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__INIT_DATA_INIT_DATA_TOML:
		return set_choice(o, "init_data", "init_data_toml", q->init_data_toml, reterr);
	default:
		return 0;
	}
}

int proto_read_evaluate(struct slice in, json_t **ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&attestation__attestation_request__descriptor, in, reterr);
	const Attestation__AttestationRequest *q = (const void *)m;
	cleanup(json_decref) json_t *root = json_object();
	json_t *list = json_array(), *ids = json_array();
	int r = 0;

	if (json_object_set_new(root, "verification_requests", list) < 0 ||
		json_object_set_new(root, "policy_ids", ids) < 0)
		return -ENOMEM;
	if (!m)
		return -EBADMSG;
	for (size_t i = 0; r == 0 && i < q->n_policy_ids; i++) {
		if (!utf8_valid(slice_str(q->policy_ids[i])))
			r = err_set(reterr, -EBADMSG, "policy_ids is not UTF-8");
		else if (json_array_append_new(ids, json_string(q->policy_ids[i])) < 0)
			r = -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < q->n_verification_requests; i++) {
		json_t *o = json_object();

		r = json_array_append_new(list, o) < 0
			    ? -ENOMEM
			    : read_individual(q->verification_requests[i], o, reterr);
	}
	if (r == 0)
		*ret = json_incref(root);
	return r;
}

int proto_read_policy(struct slice in, json_t **ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&attestation__set_policy_request__descriptor, in, reterr);
	const Attestation__SetPolicyRequest *q = (const void *)m;
	cleanup(json_decref) json_t *o = json_object();

	if (!m)
		return -EBADMSG;
	int r = set_text(o, "policy_id", q->policy_id, reterr);
	if (r == 0)
		r = set_text(o, "policy", q->policy, reterr);
	if (r == 0)
		*ret = json_incref(o);
	return r;
}

int proto_read_challenge(struct slice in, json_t **ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&attestation__challenge_request__descriptor, in, reterr);
	const Attestation__ChallengeRequest *q = (const void *)m;
	cleanup(json_decref) json_t *o = json_object();
	int r = m ? 0 : -EBADMSG;

	for (size_t i = 0; r == 0 && i < q->n_inner; i++) {
		const char *key = q->inner[i]->key;

		if (!utf8_valid(slice_str(key)))
			r = err_set(reterr, -EBADMSG, "a name is not UTF-8");
		else if (json_object_get(o, key))
			r = err_set(reterr, -EBADMSG, "a name comes twice");
		else
			r = set_text(o, key, q->inner[i]->value, reterr);
	}
	if (r == 0)
		*ret = json_incref(o);
	return r;
}

static int take_text(const char *value, const char *name, struct buf *out, struct err *reterr)
{
	if (!utf8_valid(slice_str(value)))
		return err_at(reterr, -EBADMSG, ERR_NO_OFFSET, name, "%s is not UTF-8", name);
	buf_put_str(out, value);
	return buf_error(out);
}

int proto_read_query(struct slice in, struct buf *id, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&reference__reference_value_query_request__descriptor, in, reterr);

	return m ? take_text(((const Reference__ReferenceValueQueryRequest *)(const void *)m)
				     ->reference_value_id,
			   "reference_value_id", id, reterr)
		 : -EBADMSG;
}

int proto_read_register(struct slice in, struct buf *message, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&reference__reference_value_register_request__descriptor, in, reterr);

	return m ? take_text(((const Reference__ReferenceValueRegisterRequest *)(const void *)m)
				     ->message,
			   "message", message, reterr)
		 : -EBADMSG;
}

int proto_read_health(struct slice in, struct buf *service, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&grpc__health__v1__health_check_request__descriptor, in, reterr);

	return m ? take_text(
			   ((const Grpc__Health__V1__HealthCheckRequest *)(const void *)m)->service,
			   "service", service, reterr)
		 : -EBADMSG;
}

void proto_put_token(struct buf *out, const char *token)
{
	Attestation__AttestationResponse m = ATTESTATION__ATTESTATION_RESPONSE__INIT;

	m.attestation_token = text(token);
	proto_pack(out, &m.base);
}

void proto_put_challenge(struct buf *out, const char *challenge)
{
	Attestation__ChallengeResponse m = ATTESTATION__CHALLENGE_RESPONSE__INIT;

	m.attestation_challenge = text(challenge);
	proto_pack(out, &m.base);
}

void proto_put_value(struct buf *out, const char *value)
{
	Reference__ReferenceValueQueryResponse m = REFERENCE__REFERENCE_VALUE_QUERY_RESPONSE__INIT;

	if (value) {
		m.found_case =
			REFERENCE__REFERENCE_VALUE_QUERY_RESPONSE__FOUND_REFERENCE_VALUE_RESULTS;
		m.reference_value_results = text(value);
	}
	proto_pack(out, &m.base);
}

void proto_put_health(struct buf *out, bool serving)
{
	Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	m.status = serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			   : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	proto_pack(out, &m.base);
}

/* --- the other direction --- */

struct individual {
	Attestation__IndividualAttestationRequest q;
	char *structured; /* owned */
};

static int fill_individual(const json_t *o, struct individual *i, struct err *reterr)
{
	const json_t *runtime = json_object_get(o, "runtime_data");
	const json_t *init = json_object_get(o, "init_data");
	const json_t *raw = json_object_get(runtime, "raw");
	const json_t *structured = json_object_get(runtime, "structured");
	const json_t *digest = json_object_get(init, "init_data_digest");
	const json_t *toml = json_object_get(init, "init_data_toml");

	attestation__individual_attestation_request__init(&i->q);
	i->q.tee = text(json_string_value(json_object_get(o, "tee")));
	i->q.evidence = text(json_string_value(json_object_get(o, "evidence")));
	i->q.runtime_data_hash_algorithm =
		text(json_string_value(json_object_get(o, "runtime_data_hash_algorithm")));
	if (raw) {
		i->q.runtime_data_case =
			ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__RUNTIME_DATA_RAW_RUNTIME_DATA;
		i->q.raw_runtime_data = text(json_string_value(raw));
	} else if (structured) {
		i->structured = json_dumps(structured, JSON_COMPACT | JSON_ENCODE_ANY);
		if (!i->structured)
			return -ENOMEM;
		i->q.runtime_data_case =
			ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__RUNTIME_DATA_STRUCTURED_RUNTIME_DATA;
		i->q.structured_runtime_data = i->structured;
	}
	if (digest) {
		i->q.init_data_case =
			ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__INIT_DATA_INIT_DATA_DIGEST;
		i->q.init_data_digest = text(json_string_value(digest));
	} else if (toml) {
		i->q.init_data_case =
			ATTESTATION__INDIVIDUAL_ATTESTATION_REQUEST__INIT_DATA_INIT_DATA_TOML;
		i->q.init_data_toml = text(json_string_value(toml));
	}
	return *i->q.tee && *i->q.evidence
		       ? 0
		       : err_set(reterr, -EBADMSG, "a request needs tee and evidence");
}

int proto_put_evaluate(struct buf *out, const json_t *request, struct err *reterr)
{
	Attestation__AttestationRequest m = ATTESTATION__ATTESTATION_REQUEST__INIT;
	const json_t *list = json_object_get(request, "verification_requests");
	const json_t *ids = json_object_get(request, "policy_ids");
	size_t count = json_array_size(list), id_count = json_array_size(ids);
	cleanup(free_ptr) struct individual *items = calloc(count + 1, sizeof(*items));
	cleanup(free_ptr) Attestation__IndividualAttestationRequest **pointers =
		calloc(count + 1, sizeof(*pointers));
	cleanup(free_ptr) char **names = calloc(id_count + 1, sizeof(*names));
	int r = items && pointers && names ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < id_count; i++)
		names[i] = text(json_string_value(json_array_get(ids, i)));
	for (size_t i = 0; r == 0 && i < count; i++) {
		pointers[i] = &items[i].q;
		r = fill_individual(json_array_get(list, i), &items[i], reterr);
	}
	m.verification_requests = pointers;
	m.n_verification_requests = count;
	m.policy_ids = names;
	m.n_policy_ids = id_count;
	if (r == 0)
		proto_pack(out, &m.base);
	for (size_t i = 0; items && i < count; i++)
		free(items[i].structured);
	return r < 0 ? r : buf_error(out);
}

void proto_put_policy(struct buf *out, const char *id, const char *policy)
{
	Attestation__SetPolicyRequest m = ATTESTATION__SET_POLICY_REQUEST__INIT;

	m.policy_id = text(id);
	m.policy = text(policy);
	proto_pack(out, &m.base);
}

void proto_put_query(struct buf *out, const char *id)
{
	Reference__ReferenceValueQueryRequest m = REFERENCE__REFERENCE_VALUE_QUERY_REQUEST__INIT;

	m.reference_value_id = text(id);
	proto_pack(out, &m.base);
}

void proto_put_register(struct buf *out, struct slice message)
{
	Reference__ReferenceValueRegisterRequest m =
		REFERENCE__REFERENCE_VALUE_REGISTER_REQUEST__INIT;
	cleanup(free_ptr) char *copy = slice_strdup(message);

	m.message = text(copy);
	proto_pack(out, &m.base);
}

void proto_put_challenge_request(struct buf *out, const char *tee, const char *params)
{
	Attestation__ChallengeRequest m = ATTESTATION__CHALLENGE_REQUEST__INIT;
	Attestation__ChallengeRequest__InnerEntry entries[2] = {
		ATTESTATION__CHALLENGE_REQUEST__INNER_ENTRY__INIT,
		ATTESTATION__CHALLENGE_REQUEST__INNER_ENTRY__INIT,
	};
	Attestation__ChallengeRequest__InnerEntry *list[2] = {&entries[0], &entries[1]};

	entries[0].key = text("tee");
	entries[0].value = text(tee);
	entries[1].key = text("tee_params");
	entries[1].value = text(params);
	m.inner = list;
	m.n_inner = ARRAY_COUNT(list);
	proto_pack(out, &m.base);
}

int proto_read_token(struct slice in, struct buf *token, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&attestation__attestation_response__descriptor, in, reterr);

	return m ? take_text(((const Attestation__AttestationResponse *)(const void *)m)
				     ->attestation_token,
			   "attestation_token", token, reterr)
		 : -EBADMSG;
}

int proto_read_challenge_answer(struct slice in, struct buf *text_out, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&attestation__challenge_response__descriptor, in, reterr);

	return m ? take_text(((const Attestation__ChallengeResponse *)(const void *)m)
				     ->attestation_challenge,
			   "attestation_challenge", text_out, reterr)
		 : -EBADMSG;
}

int proto_read_value(struct slice in, json_t **ret, struct err *reterr)
{
	cleanup(proto_message_free) ProtobufCMessage *m =
		proto_unpack(&reference__reference_value_query_response__descriptor, in, reterr);
	const Reference__ReferenceValueQueryResponse *q = (const void *)m;

	*ret = NULL;
	if (!m)
		return -EBADMSG;
	if (q->found_case !=
		REFERENCE__REFERENCE_VALUE_QUERY_RESPONSE__FOUND_REFERENCE_VALUE_RESULTS)
		return 0;
	*ret = json_loads(
		q->reference_value_results, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	return *ret ? 0 : err_set(reterr, -EBADMSG, "reference_value_results is not JSON");
}
