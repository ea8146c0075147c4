/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trustee's store of CCA trust anchors: [{"pkey": JWK, "implementation-id", "instance-id"}, ...],
 * both ids in hex.
 */
#include "base/enc.h"
#include "evidence/cca.h"
#include "evidence/collateral_internal.h"
#include "fmt/json.h"

static int load_anchor(struct collateral_store *s, const json_t *row, struct err *reterr)
{
	cleanup_with(buf_done) struct buf implementation = buf_init(64), instance = buf_init(64),
					  jwk = buf_init(COLLATERAL_ITEM_MAX);
	char key[COLLATERAL_KEY_SIZE];
	json_t *pkey = NULL;

	int r = json_get_hex(row, "implementation-id", &implementation, reterr);
	if (r == 0)
		r = json_get_hex(row, "instance-id", &instance, reterr);
	if (r == 0)
		r = json_get_object(row, "pkey", &pkey, reterr);
	if (r == 0 && (implementation.size != CCA_IMPLEMENTATION_ID_SIZE ||
			      instance.size != CCA_INSTANCE_ID_SIZE))
		r = err_set(reterr, -EBADMSG, "an id does not have its size (32 and 33 bytes)");
	if (r == 0)
		r = json_write(pkey, &jwk);
	if (r < 0)
		return r;
	cca_collateral_key(buf_slice(&implementation), buf_slice(&instance), key);
	return collateral_store_put(s, key, buf_slice(&jwk));
}

int collateral_load_cca(struct collateral_store *s, const json_t *rows, struct err *reterr)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		int r = load_anchor(s, json_array_get(rows, i), reterr);
		if (r < 0)
			return err_wrap(reterr, r, "CCA trust anchor %zu", i);
	}
	return 0;
}
