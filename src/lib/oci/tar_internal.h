/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the reader of tar archives and that of their extended headers share. */
#include "oci/tar.h"

enum tar_state {
	TAR_STATE_HEADER,   /* collecting a header block */
	TAR_STATE_META,	    /* collecting an extended header's body */
	TAR_STATE_SKIP,	    /* dropping the body of a global header */
	TAR_STATE_DATA,	    /* passing file data on */
	TAR_STATE_PADDING,  /* dropping what fills the last block */
	TAR_STATE_TRAILING, /* after the end marker: only zeros may follow */
};

/* What extended headers say about the entry that follows them. */
struct tar_overrides {
	struct buf path, link;
	bool has_path, has_link, has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	struct buf xattr_bytes; /* name NUL value, one after the other */
	size_t xattr_count;
	struct {
		size_t name, value, value_size;
	} xattr_at[TAR_XATTR_COUNT_MAX];
};

struct tar_reader {
	const struct tar_sink *sink;
	void *user;
	enum tar_state state;
	uint8_t block[TAR_BLOCK_SIZE];
	size_t block_used;
	unsigned zero_blocks;
	uint64_t left;	   /* bytes of the current body still to come */
	size_t padding;	   /* bytes that fill its last block */
	uint64_t offset;   /* bytes consumed so far, for errors */
	uint8_t meta_type; /* 'x', 'L', 'K' */
	bool meta_pending; /* an extended header waits for its entry */
	struct buf meta;
	struct tar_overrides over;
	struct tar_xattr xattrs[TAR_XATTR_COUNT_MAX];
	char path[TAR_PATH_MAX + 1], link[TAR_PATH_MAX + 1];
};

int tar_fail(const struct tar_reader *r, int code, const char *what, struct err *reterr);
/* tar_pax.c: records "LENGTH KEY=VALUE\n" into ->over. Return: 0, -EBADMSG, -E2BIG, -EOPNOTSUPP. */
must_check int tar_pax_parse(struct tar_reader *r, struct slice body, struct err *reterr);
/* A name from an extended header; *has is then set. */
must_check int tar_set_text(
	struct tar_reader *r, struct buf *dst, bool *has, struct slice v, struct err *reterr);
