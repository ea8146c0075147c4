/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the COSE working group: "sign" and "sign0" examples with their keys. */
#include "crypto/cose.h"

#include "base/enc.h"
#include "base/str.h"
#include "fmt/json.h"
#include "vectors.h"

/* Keys of the examples hold their private part: only the public one is of use here. */
static int public_key(const json_t *jwk, struct pkey **ret, struct err *reterr)
{
	cleanup(json_decref) json_t *copy = json_copy((json_t *)(uintptr_t)jwk);

	json_object_del(copy, "d");
	return pkey_from_jwk(copy, ret, reterr);
}

static int verify_signer(
	const struct cose *c, size_t index, const json_t *signer, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup_with(buf_done) struct buf external = buf_init(0);

	int r = public_key(json_object_get(signer, "key"), &key, reterr);
	if (r == 0 && json_object_get(signer, "external"))
		r = json_get_hex(signer, "external", &external, reterr);
	return r == 0 ? cose_verify(c, index, key, buf_slice(&external), reterr) : r;
}

static int verify(const json_t *input, struct slice message, struct cose *c, struct err *reterr)
{
	const json_t *one = json_object_get(input, "sign0");
	const json_t *signers = json_object_get(json_object_get(input, "sign"), "signers");

	int r = cose_parse(message, c, reterr);
	if (r < 0)
		return r;
	if (c->is_sign1 != (one != NULL) || (!one && json_array_size(signers) != c->signer_count))
		return err_set(reterr, -EBADMSG, "the message is of another kind");
	for (size_t i = 0; r == 0 && i < c->signer_count; i++)
		r = verify_signer(c, i, one ? one : json_array_get(signers, i), reterr);
	return r;
}

static int run_item(struct vector *v, const json_t *item)
{
	cleanup_with(buf_done) struct buf message = buf_init(0);
	const json_t *input = json_object_get(json_object_get(item, "example"), "input");
	const char *plain = json_string_value(json_object_get(input, "plaintext"));
	struct cose c = {0};
	struct err e = {0};

	if (json_get_hex(item, "message_hex", &message, &e) < 0 || !input)
		return vector_fail(v, "the item has no message: %s", e.text);
	int r = verify(input, buf_slice(&message), &c, &e);
	if (json_is_true(json_object_get(item, "accept")) != (r == 0))
		return vector_fail(v, r == 0 ? "was accepted" : "was refused: %s", e.text);
	return r < 0 || !plain || slice_eq_str(c.payload, plain)
		       ? 0
		       : vector_fail(v, "the content is another one");
}

int vector_cose(struct vector *v)
{
	cleanup(json_decref) json_t *items = vector_pack(v);
	const json_t *item;
	size_t i;

	if (!items)
		return -1;
	json_array_foreach (items, i, item) {
		if (run_item(v, item) < 0)
			return vector_item(v, item);
	}
	return 0;
}
