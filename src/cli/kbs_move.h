/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Moving from Trustee: what the readers of its present and of its former folders share. */
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/kbs_admin.h"

#define KBS_MOVE_FILE_MAX ((size_t)16 << 20)

struct move {
	struct cli *cli;
	struct kbs_admin *admin;
	unsigned done, skipped;
};

enum kbs_move_space {
	KBS_MOVE_RESOURCE,
	KBS_MOVE_REFERENCE,
	KBS_MOVE_ATTESTATION,
	KBS_MOVE_KBS,
};

/** kbs_move_entry() - import one value under its key. Return: 0, negative errno. */
must_check int kbs_move_entry(struct move *m, enum kbs_move_space ns, const char *key,
	struct slice content, struct err *reterr);
/** kbs_move_read() - a file of the folder @dir, not through a link, appended */
must_check int kbs_move_read(int dir, const char *name, struct buf *out, struct err *reterr);

/** kbs_move_file() - import one file of the folder @dir under @key. Return: 0, negative errno. */
must_check int kbs_move_file(struct move *m, enum kbs_move_space ns, int dir, const char *name,
	const char *key, struct err *reterr);

/** kbs_move_is_old() - whether @root is the folder of a Trustee without key-value storage */
bool kbs_move_is_old(int root);
/** kbs_move_old() - import all of it. Return: 0, negative errno. */
must_check int kbs_move_old(struct move *m, int root, struct err *reterr);
/** kbs_move_old_resources() - import the folders TYPE/TAG below the folder @repository of @dir */
must_check int kbs_move_old_resources(
	struct move *m, int dir, const char *repository, struct err *reterr);
