/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tar archives as streams, both directions, in the dialects that container layers use: POSIX ustar
 * and pax, GNU long names and base-256 numbers.
 *
 * Theory of operation. The reader is pushed: tar_reader_feed() takes whatever bytes there are and
 * calls the sink for each entry, piece of data and end of entry. It holds one header block and one
 * bounded extended header, so its memory does not depend on the archive. Names are bytes; nothing
 * is converted between character sets. The reader judges form only; what an entry may do to a file
 * system is decided in unpack.h.
 *
 * Attacker: the archive is foreign. Where readers in the field disagree about the meaning of an
 * archive (links with a body, sparse files, data after the end) it is refused, so that nobody can
 * show one tree to a scanner and another one to husk.
 *
 * Spec: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual,
 * "Basic Tar Format".
 */
#include "base/buf.h"

#define TAR_BLOCK_SIZE 512u
#define TAR_PATH_MAX 4095u		 /* bytes of a name or link target */
#define TAR_META_MAX (1u << 20)		 /* bytes of one extended header */
#define TAR_XATTR_COUNT_MAX 64u		 /* extended attributes of one entry */
#define TAR_FILE_MAX ((uint64_t)1 << 40) /* bytes that one header may claim */

enum tar_type {
	TAR_FILE = 1,
	TAR_HARDLINK,
	TAR_SYMLINK,
	TAR_CHAR_DEVICE,
	TAR_BLOCK_DEVICE,
	TAR_DIR,
	TAR_FIFO,
};

struct tar_xattr {
	const char *name;
	struct slice value;
};

/**
 * struct tar_entry - one entry; everything is borrowed until the sink's entry_end() returns
 * @path: as in the archive, not cleaned; never "" and without NUL
 * @link: target of hard and symbolic links, else ""
 * @mode: permission bits including set-user-ID and kin (07777)
 * @size: bytes of data that follow; 0 unless @type is TAR_FILE
 */
struct tar_entry {
	enum tar_type type;
	const char *path;
	const char *link;
	uint32_t mode;
	uint32_t uid, gid;
	uint64_t size;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t dev_major, dev_minor;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
};

/**
 * struct tar_sink - receives what the reader finds
 *
 * Each returns 0 to go on, or a negative errno that tar_reader_feed() hands on. data() is called
 * only for files, entry_end() after the data of every entry of any type.
 */
struct tar_sink {
	int (*entry)(void *user, const struct tar_entry *entry, struct err *reterr);
	int (*data)(void *user, struct slice data, struct err *reterr);
	int (*entry_end)(void *user, struct err *reterr);
};

struct tar_reader;

/**
 * tar_reader_new() - @sink and @user are borrowed for the life of the reader
 * Return: NULL on ENOMEM.
 */
struct tar_reader *tar_reader_new(const struct tar_sink *sink, void *user);
void tar_reader_free(struct tar_reader *r);
DEFINE_CLEANUP(struct tar_reader *, tar_reader_free);
/**
 * tar_reader_feed() - the next bytes of the archive
 * Return: 0; -EBADMSG malformed; -E2BIG over a limit; -EOPNOTSUPP sparse or unknown entry type;
 * -ENOMEM; or what the sink returned. After a failure only tar_reader_free() may be called.
 */
must_check int tar_reader_feed(struct tar_reader *r, struct slice data, struct err *reterr);
/**
 * tar_reader_finish() - the archive has ended
 * Return: 0; -ENODATA in the middle of an entry. A missing end marker between entries is accepted:
 * the digest of the layer covers the length.
 */
must_check int tar_reader_finish(struct tar_reader *r, struct err *reterr);

/**
 * tar_write_entry() - append the header blocks of an entry to @out
 *
 * Values that ustar cannot hold go into a pax extended header, in a fixed order, so equal entries
 * give equal bytes. The caller then writes exactly entry->size bytes and tar_write_padding().
 * Return: 0; -EINVAL a field is impossible; the buffer's error.
 */
must_check int tar_write_entry(struct buf *out, const struct tar_entry *entry);
/** tar_write_padding() - zeros that fill the last block of a file of @size bytes */
void tar_write_padding(struct buf *out, uint64_t size);
/** tar_write_end() - the two zero blocks */
void tar_write_end(struct buf *out);
