/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A backup of a key broker's store, see docs/kbs-api.md. */
#include "cli/kbs_admin.h"

/** kbs_backup_fetch() - the store as a JWE for the owner of @recipient_pem, appended to @ret */
must_check int kbs_backup_fetch(
	struct kbs_admin *a, const char *recipient_pem, struct buf *ret, struct err *reterr);
/** kbs_backup_read() - likewise in the clear, with a key that lives for this call; new reference */
must_check int kbs_backup_read(struct kbs_admin *a, json_t **ret, struct err *reterr);
