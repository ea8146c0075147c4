/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What `husk image` gets from files that a person names: private keys, stored signatures. */
#include "cli/cli.h"
#include "oci/image.h"
#include "oci/ocicrypt_recipient.h"

/** struct image_recipient - keys of --private-key and --pgp-key; release with image_recipient_done() */
struct image_recipient {
	struct pkey *key;
	struct buf pgp;
	struct ocicrypt_recipient r;
};
void image_recipient_done(struct image_recipient *r);
/** image_recipient_load() - Return: 0 (also when no option was given), errno of the file, -EBADMSG */
must_check int image_recipient_load(
	const struct cli *cli, struct image_recipient *ret, struct err *reterr);

/** image_lookaside() - simple signatures in the folder of --lookaside, laid out as containers/image
 * does: REPOSITORY@sha256=HEX/signature-N, with or without the registry in front; borrows @folder */
struct oci_simple image_lookaside(const char *folder);
