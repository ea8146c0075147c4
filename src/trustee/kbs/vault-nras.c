/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's remote attestation service: a verifier says what is to be asked, a fetcher asks, and a
 * verifier gets the same evidence with the answers. Nothing of it is parsed here.
 */
#include "trustee/kbs/vault-internal.h"

int vault_nras_begin(const struct vault *v, json_t *header)
{
	if (!v->config->as.nvidia_remote)
		return 0;
	return json_object_set_new(header, "nras", json_object()) < 0 ? -ENOMEM : 0;
}

int vault_nras_ask(struct vault *v, json_t *questions, pool_done_fn done, void *cookie)
{
	json_t *header = json_pack("{s:O}", "questions", questions);

	return pool_submit(v->fetchers, header, SLICE_EMPTY, vault_now_ms(v), done, cookie);
}

int vault_nras_answer(const struct vault *v, json_t *header, int error, const json_t *result)
{
	const char *reason = wire_str(result, "reason");
	json_t *nras = json_object_get(result, "nras");

	if (error == 0 && json_is_object(nras))
		json_incref(nras);
	else
		nras = json_pack("{s:s}", "error",
			error == -EPIPE	      ? "the process that asks it ended"
			: reason[0]	      ? reason
			: error == -EAGAIN    ? "too many questions are under way"
			: error == -ETIMEDOUT ? "no answer in time"
					      : strerror(-error));
	/* Its tokens are younger than the request. */
	if (json_object_set_new(header, "nras", nras) < 0 ||
		json_object_set_new(header, "now", json_integer(vault_now(v))) < 0)
		return -ENOMEM;
	return 0;
}
