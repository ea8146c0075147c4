/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers: front, vault and verifier of the key broker (attacker: any client; for reference values
 * and policies an admin). First byte: which message; the rest: its bytes. Properties: what is
 * accepted holds its limits, and no attestation is accepted with a nonce that was not expected.
 */
#include "base/str.h"
#include "trustee/as/as.h"
#include "fmt/resource_path.h"
#include "trustee/kbs/rcar.h"
#include "trustee/kbs/route.h"
#include "trustee/kbs/wire.h"
#include "trustee/rvps/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A nonce that no input can hold: it is not valid JSON text. */
#define NONCE "\x01 never sent"

static void try_auth(struct slice in)
{
	enum as_protocol protocol;
	unsigned hashes;
	char tee[SESSION_TEE_SIZE];

	if (rcar_read_auth(in, "0.1.0", tee, &protocol, &hashes, NULL) == 0 && !*tee)
		abort();
}

static void try_evaluate(struct slice in)
{
	static struct as *as;
	const struct as_evaluation request = {.body = in, .now = 1700000000};
	json_t *outcome = NULL;

	if (!as)
		as = as_new();
	/* Without a policy nothing can be appraised. */
	if (as_evaluate(as, &request, &outcome, NULL) == 0 &&
		json_is_true(json_object_get(outcome, "accepted")))
		abort();
	json_decref(outcome);
}

/* For another service: what is passed on must hold the session's nonce. */
static void try_prepare(struct slice in, const char *tee)
{
	const struct as_request request = {.tee = tee, .nonce = NONCE, .body = in};
	json_t *outcome = NULL, *ids = json_array();

	if (as_prepare(&request, &outcome, NULL) == 0 &&
		json_is_true(json_object_get(outcome, "accepted")))
		abort();
	json_decref(outcome);
	outcome = NULL;
	if (as_prepare_intel(&request, ids, true, &outcome, NULL) == 0 &&
		json_is_true(json_object_get(outcome, "accepted")))
		abort();
	json_decref(outcome);
	json_decref(ids);
}

static void try_attest(struct slice in, const char *tee, enum as_protocol protocol)
{
	static struct as *as;
	const struct as_request request = {
		.tee = tee, .nonce = NONCE, .body = in, .protocol = protocol, .now = 1700000000};
	json_t *outcome = NULL;

	if (!as)
		as = as_new();
	if (as_attest(as, &request, &outcome, NULL) == 0 &&
		json_is_true(json_object_get(outcome, "accepted")))
		abort();
	json_decref(outcome);
}

static void try_reference(struct slice in)
{
	json_t *records = NULL;

	if (rvps_extract(in, NULL, 1700000000, &records, NULL) == 0 &&
		json_array_size(records) > RVPS_NAMES_MAX)
		abort();
	json_decref(records);
}

/* Of a query that is taken, a policy sees what a plugin reads. */
static void try_query(const struct kbs_target *t, const char *version)
{
	json_t *map = NULL, *path = kbs_path_list(t->tail);
	char again[64];

	if (kbs_query_map(t->query, &map) == 0 &&
		kbs_query_get(t->query, "version", again, sizeof(again)) == 0 &&
		!streq_null(json_string_value(json_object_get(map, "version")), version))
		abort();
	json_decref(map);
	json_decref(path);
}

static void try_target(struct slice in)
{
	static const char *const methods[] = {"GET", "POST", "DELETE", "PUT"};
	struct kbs_target t;
	char value[64];

	for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
		kbs_route_parse(methods[i], in, &t);
		(void)!kbs_query_get(t.query, "version", value, sizeof(value));
		try_query(&t, value);
		if (t.route == ROUTE_RESOURCE_GET && resource_path_valid(slice_str(t.tail)) &&
			(strstr(t.tail, "..") == t.tail || strstr(t.tail, "/..")))
			abort();
	}
}

static void try_headers(struct slice in)
{
	cleanup(free_ptr) char *text = slice_strdup(in);
	char id[SESSION_ID_SIZE];

	if (!text)
		return;
	rcar_cookie(text, id);
	if (*id && strlen(id) != SESSION_ID_SIZE - 1)
		abort();
	(void)rcar_bearer(text);
}

static void try_wire(struct slice in)
{
	json_t *header = NULL;
	struct slice body;

	if (wire_unpack(in, &header, &body) == 0 && !json_is_object(header))
		abort();
	json_decref(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data + 1, size ? size - 1 : 0);

	if (size == 0)
		return 0;
	switch (data[0] % 10) {
	case 0:
		try_auth(in);
		break;
	case 1:
		try_attest(in, "sample", AS_PROTOCOL_0_4_0);
		break;
	case 2:
		try_attest(in, "tpm", AS_PROTOCOL_0_4_0);
		try_prepare(in, "tdx");
		break;
	case 3:
		try_reference(in);
		break;
	case 4:
		try_target(in);
		break;
	case 5:
		try_headers(in);
		break;
	case 6:
		try_wire(in);
		break;
	case 7:
		try_attest(in, "sample", AS_PROTOCOL_0_1_0);
		break;
	case 8:
		try_attest(in, "sample", AS_PROTOCOL_0_3_0);
		break;
	default:
		try_evaluate(in);
		break;
	}
	return 0;
}
