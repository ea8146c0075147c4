/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the gRPC services. Callers: fronts of husk-as and husk-rvps (attacker: whoever reaches
 * their ports), and the clients of remote services (attacker: the service). First byte: which
 * message. Property: what was read and written again reads the same.
 */
#include <stdlib.h>

#include "fmt/json.h"
#include "trustee/proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(struct slice in)
{
	cleanup_with(buf_done) struct buf out = buf_init(0);
	cleanup(json_decref) json_t *first = NULL, *second = NULL;

	if (proto_read_evaluate(in, &first, NULL) < 0 || proto_put_evaluate(&out, first, NULL) < 0)
		return;
	if (proto_read_evaluate(buf_slice(&out), &second, NULL) < 0 || !json_equal(first, second))
		abort();
}

static void plugin(struct slice in)
{
	cleanup_with(buf_done) struct buf body = buf_init(0);
	int32_t status = 0;
	bool flag = false;

	(void)!proto_read_plugin_answer(in, &status, &body, NULL);
	(void)!proto_read_plugin_admin(in, &flag, NULL);
	(void)!proto_read_plugin_encrypted(in, &flag, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data + 1, size ? size - 1 : 0);
	cleanup_with(buf_done) struct buf text = buf_init(0);
	cleanup(json_decref) json_t *j = NULL;

	if (size == 0)
		return 0;
	switch (data[0] % 9) {
	case 0:
		evaluate(in);
		break;
	case 1:
		(void)!proto_read_policy(in, &j, NULL);
		break;
	case 2:
		(void)!proto_read_challenge(in, &j, NULL);
		break;
	case 3:
		(void)!proto_read_query(in, &text, NULL);
		break;
	case 4:
		(void)!proto_read_register(in, &text, NULL);
		break;
	case 5:
		(void)!proto_read_health(in, &text, NULL);
		break;
	case 6:
		(void)!proto_read_value(in, &j, NULL);
		break;
	case 7:
		plugin(in);
		break;
	default:
		(void)!proto_read_token(in, &text, NULL);
		(void)!proto_read_challenge_answer(in, &text, NULL);
		break;
	}
	return 0;
}
