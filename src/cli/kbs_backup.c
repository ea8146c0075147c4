/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kbs_backup.h"

#include "crypto/jose.h"
#include "fmt/json.h"

#define BACKUP_MAX ((size_t)64 << 20)

int kbs_backup_fetch(
	struct kbs_admin *a, const char *recipient_pem, struct buf *ret, struct err *reterr)
{
	cleanup(json_decref) json_t *message = json_object();
	cleanup_with(buf_done) struct buf body = buf_init(0);

	int r = json_set_str(message, "recipient", recipient_pem);
	if (r == 0)
		r = json_write(message, &body);
	return r < 0 ? r
		     : kbs_admin_call(a, "POST", "admin/backup", "application/json",
			       buf_slice(&body), ret, reterr);
}

int kbs_backup_read(struct kbs_admin *a, json_t **ret, struct err *reterr)
{
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *jwe = NULL;
	cleanup_with(secret_done) struct secret plain = {0};
	cleanup_with(buf_done) struct buf pem = buf_init(0), text = buf_init(BACKUP_MAX);

	int r = pkey_generate(KEY_P256, 0, &key);
	if (r == 0)
		r = pkey_to_pem_public(key, &pem);
	if (r == 0)
		r = kbs_backup_fetch(a, buf_str(&pem), &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), BACKUP_MAX, &jwe, reterr);
	if (r == 0)
		r = jwe_decrypt(key, jwe, &plain, reterr);
	return r < 0 ? r : json_parse(secret_slice(&plain), BACKUP_MAX, ret, reterr);
}
