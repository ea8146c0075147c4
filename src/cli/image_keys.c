/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_keys.h"

#include "base/clock.h"
#include "base/fd.h"
#include "oci/simple_signing.h"

#define KEY_FILE_MAX (1u << 20)

void image_recipient_done(struct image_recipient *r)
{
	pkey_free(r->key);
	buf_done(&r->pgp);
}

int image_recipient_load(const struct cli *cli, struct image_recipient *ret, struct err *reterr)
{
	cleanup_with(buf_done) struct buf bytes = buf_init_secret(KEY_FILE_MAX);
	const char *key = cli_opt(cli, "private-key"), *pgp = cli_opt(cli, "pgp-key");
	int r = 0;

	*ret = (struct image_recipient){.pgp = buf_init_secret(KEY_FILE_MAX)};
	if (key) {
		r = file_read(key, KEY_FILE_MAX, &bytes, reterr);
		if (r == 0)
			r = pkey_from_any(buf_slice(&bytes), &ret->key, reterr);
		if (r == 0 && !pkey_is_private(ret->key))
			r = err_set(reterr, -EBADMSG, "'%s' is no private key", key);
	}
	if (r == 0 && pgp)
		r = file_read(pgp, KEY_FILE_MAX, &ret->pgp, reterr);
	ret->r = (struct ocicrypt_recipient){ret->key, &oci_pgp_rnp, buf_slice(&ret->pgp)};
	return r;
}

static int read_signature(void *user, const struct oci_ref *ref, const struct oci_digest *manifest,
	unsigned n, struct buf *out, struct err *reterr)
{
	const char *folder = user;
	char path[4096], digest[OCI_DIGEST_TEXT_SIZE];
	int r = -ENOENT;

	for (int with_registry = 1; r == -ENOENT && with_registry >= 0; with_registry--) {
		snprintf(path, sizeof(path), "%.2000s/%s%s%s@sha256=%s/signature-%u", folder,
			with_registry ? ref->registry : "", with_registry ? "/" : "",
			ref->repository, oci_digest_hex(manifest, digest), n);
		r = file_read(path, SIMPLE_SIGNATURE_MAX, out, reterr);
	}
	return r;
}

struct oci_simple image_lookaside(const char *folder)
{
	return (struct oci_simple){
		&oci_pgp_rnp, clock_unix_s(), read_signature, (void *)(uintptr_t)folder};
}
