/* SPDX-License-Identifier: Apache-2.0 */
#include "trustee/kbs/restore.h"

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/jose.h"
#include "fmt/json.h"
#include "trustee/kbs/vault.h"
#include "trustee/store/store.h"

#define BACKUP_MAX ((size_t)128 << 20)
#define KEY_MAX ((size_t)64 << 10)

static int read_backup(const char *file, const char *key_file, json_t **ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf text = buf_init(BACKUP_MAX);
	cleanup_with(buf_done) struct buf pem = buf_init_secret(KEY_MAX);
	cleanup_with(secret_done) struct secret plain = {0};
	cleanup(pkey_free) struct pkey *key = NULL;
	cleanup(json_decref) json_t *jwe = NULL;
	int r = file_read(key_file, KEY_MAX, &pem, reterr);

	if (r == 0)
		r = pkey_from_pem(buf_slice(&pem), &key, reterr);
	if (r == 0)
		r = file_read(file, BACKUP_MAX, &text, reterr);
	if (r == 0)
		r = json_parse(buf_slice(&text), BACKUP_MAX, &jwe, reterr);
	if (r == 0)
		r = jwe_decrypt(key, jwe, &plain, reterr);
	if (r == 0)
		r = json_parse(secret_slice(&plain), BACKUP_MAX, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "backup %s", file) : 0;
}

int restore_run(
	const struct kbs_config *c, const char *file, const char *key_file, struct err *reterr)
{
	const struct store_change by = {
		.actor = "system", .peer = "", .now = clock_unix_s(), .tenant = ""};
	cleanup(store_close) struct store *s = NULL;
	cleanup(json_decref) json_t *doc = NULL;
	int r = read_backup(file, key_file, &doc, reterr);

	if (r == 0)
		r = vault_open_store(c, &s, reterr);
	return r < 0 ? r : store_restore(s, &by, doc, reterr);
}
