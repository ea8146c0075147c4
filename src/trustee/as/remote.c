/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's remote service, for a process that has no network: questions go out beside a refusal, and
 * the same evidence comes back with the answers, which are verified here like any other evidence.
 */
#include "base/enc.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "evidence/nvidia_nras.h"
#include "fmt/json.h"
#include "trustee/as/internal.h"

#define QUESTIONS_MAX 32
#define ID_SIZE 65

/* What tells a question from others: its endpoint and its body. */
static int question_id(const char *endpoint, struct slice body, char id[ID_SIZE])
{
	cleanup_with(buf_done) struct buf text = buf_init(body.size + 64);
	struct digest d = {0};

	buf_put_str(&text, endpoint);
	buf_put_u8(&text, '\n');
	buf_put_slice(&text, body);
	int r = buf_error(&text);
	if (r == 0)
		r = hash_once(HASH_SHA256, buf_slice(&text), &d);
	if (r == 0)
		hex_str(digest_slice(&d), id, ID_SIZE);
	return r;
}

/* Not an error of the evidence: all of its devices are asked about in one round. */
static int note_question(struct as *as, const char *id, const char *endpoint, struct slice body)
{
	json_t *question;

	if (json_array_size(as->questions) >= QUESTIONS_MAX)
		return -E2BIG;
	question = json_pack("{s:s, s:s, s:s%}", "id", id, "endpoint", endpoint, "body",
		(const char *)body.data, body.size);
	return json_array_append_new(as->questions, question) < 0 ? -ENOMEM : -EINPROGRESS;
}

static int ask(
	void *ctx, const char *endpoint, struct slice body, struct buf *answer, struct err *reterr)
{
	struct as *as = ctx;
	const char *failed = json_string_value(json_object_get(as->nras, "error"));
	const json_t *answers = json_object_get(as->nras, "answers");
	const char *text;
	char id[ID_SIZE];

	if (failed)
		return err_set(reterr, -EPROTO, "NRAS: %.400s", failed);
	int r = question_id(endpoint, body, id);
	if (r < 0)
		return r;
	if (!answers)
		return note_question(as, id, endpoint, body);
	text = json_string_value(json_object_get(answers, id));
	if (!text)
		return err_set(reterr, -EPROTO, "NRAS: there is no answer about this device");
	buf_put_str(answer, text);
	return buf_error(answer);
}

int as_use_nras(struct as *as, const json_t *nras, json_t *questions, struct err *reterr)
{
	const char *keys = json_string_value(json_object_get(nras, "keys"));

	if (!as)
		return 0;
	json_decref(as->nras_keys);
	as->nras_keys = NULL;
	as->nras = nras;
	as->questions = questions;
	int r = keys ? json_parse(slice_str(keys), NRAS_ANSWER_MAX, &as->nras_keys, reterr) : 0;
	as->remote = (struct evidence_remote){ask, as, as->nras_keys};
	return r < 0 ? err_wrap(reterr, r, "keys of NRAS") : 0;
}
