/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"
#include "base/rd.h"
#include "base/str.h"
#include "oci/tar_internal.h"

int tar_fail(const struct tar_reader *r, int code, const char *what, struct err *reterr)
{
	return err_at(reterr, code, (size_t)r->offset, "tar", "tar: %s (at byte %llu)", what,
		(unsigned long long)r->offset);
}

static void overrides_reset(struct tar_overrides *o)
{
	struct buf path = o->path, link = o->link, xattrs = o->xattr_bytes;

	buf_clear(&path);
	buf_clear(&link);
	buf_clear(&xattrs);
	*o = (struct tar_overrides){.path = path, .link = link, .xattr_bytes = xattrs};
}

struct tar_reader *tar_reader_new(const struct tar_sink *sink, void *user)
{
	struct tar_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->sink = sink;
	r->user = user;
	r->meta = buf_init(TAR_META_MAX);
	r->over.path = buf_init(TAR_PATH_MAX);
	r->over.link = buf_init(TAR_PATH_MAX);
	r->over.xattr_bytes = buf_init(TAR_META_MAX);
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (!r)
		return;
	buf_done(&r->meta);
	buf_done(&r->over.path);
	buf_done(&r->over.link);
	buf_done(&r->over.xattr_bytes);
	free(r);
}

/* A numeric header field: octal text, blank as 0, or GNU base-256 when the top bit is set. */
static int number(const uint8_t *field, size_t size, uint64_t *ret)
{
	struct slice s = slice_of(field, size);

	if (field[0] & 0x80) {
		uint64_t v = field[0] & 0x7f;
		if (field[0] & 0x40) /* negative */
			return -ERANGE;
		for (size_t i = 1; i < size; i++) {
			if (v >> 55)
				return -ERANGE;
			v = v << 8 | field[i];
		}
		*ret = v;
		return 0;
	}
	while (s.size && s.data[0] == ' ')
		s = slice_cut(s, 1, SIZE_MAX);
	const uint8_t *nul = s.size ? memchr(s.data, 0, s.size) : NULL;
	if (nul)
		s.size = (size_t)(nul - s.data);
	while (s.size && s.data[s.size - 1] == ' ')
		s.size--;
	if (s.size == 0) {
		*ret = 0;
		return 0;
	}
	return parse_octal(s, ret);
}

static bool checksum_ok(const uint8_t block[TAR_BLOCK_SIZE])
{
	uint64_t want, sum_unsigned = 0;
	int64_t sum_signed = 0;

	if (number(block + 148, 8, &want) < 0)
		return false;
	for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
		uint8_t c = i >= 148 && i < 156 ? ' ' : block[i];
		sum_unsigned += c;
		sum_signed += (int8_t)c; /* written by some historic tars */
	}
	return want == sum_unsigned || (sum_signed >= 0 && want == (uint64_t)sum_signed);
}

static bool all_zero(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static struct slice text_field(const uint8_t *field, size_t size)
{
	const uint8_t *nul = memchr(field, 0, size);
	return slice_of(field, nul ? (size_t)(nul - field) : size);
}

static int meta_done(struct tar_reader *r, struct err *reterr)
{
	struct slice body = buf_slice(&r->meta);
	int rc = buf_error(&r->meta);

	if (rc < 0)
		return rc;
	r->meta_pending = true;
	if (r->meta_type == 'x')
		return tar_pax_parse(r, body, reterr);
	body = text_field(body.data ? body.data : (const uint8_t *)"", body.size);
	if (r->meta_type == 'L')
		return tar_set_text(r, &r->over.path, &r->over.has_path, body, reterr);
	return tar_set_text(r, &r->over.link, &r->over.has_link, body, reterr);
}

static int read_path(struct tar_reader *r, const uint8_t *h, struct err *reterr)
{
	const struct tar_overrides *o = &r->over;
	struct slice name = text_field(h, 100), prefix = SLICE_EMPTY;

	if (memcmp(h + 257,
		    "ustar\0"
		    "00",
		    8) == 0)
		prefix = text_field(h + 345, 155);
	if (o->has_path)
		name = buf_slice(&o->path);
	if (o->has_path || prefix.size == 0) {
		if (str_copy_slice(r->path, sizeof(r->path), name) < 0)
			return tar_fail(r, -E2BIG, "a name is longer than 4095 bytes", reterr);
	} else {
		snprintf(r->path, sizeof(r->path), "%.*s/%.*s", SLICE_ARG(prefix), SLICE_ARG(name));
	}
	struct slice link = o->has_link ? buf_slice(&o->link) : text_field(h + 157, 100);
	if (str_copy_slice(r->link, sizeof(r->link), link) < 0)
		return tar_fail(r, -E2BIG, "a link target is longer than 4095 bytes", reterr);
	if (r->path[0] == 0)
		return tar_fail(r, -EBADMSG, "an entry has no name", reterr);
	return 0;
}

static int read_numbers(
	struct tar_reader *r, const uint8_t *h, struct tar_entry *e, struct err *reterr)
{
	const struct tar_overrides *o = &r->over;
	uint64_t mode, uid = o->uid, gid = o->gid, mtime = 0, major = 0, minor = 0;

	if (number(h + 100, 8, &mode) < 0 || (!o->has_uid && number(h + 108, 8, &uid) < 0) ||
		(!o->has_gid && number(h + 116, 8, &gid) < 0) ||
		(!o->has_mtime && number(h + 136, 12, &mtime) < 0) ||
		number(h + 329, 8, &major) < 0 || number(h + 337, 8, &minor) < 0)
		return tar_fail(r, -EBADMSG, "bad number in a header", reterr);
	/* (uid_t)-1 means "leave as it is" to chown, so it is no owner. */
	if (uid >= UINT32_MAX || gid >= UINT32_MAX || major > 0xfff || minor > 0xfffff ||
		mtime > INT64_MAX / 2)
		return tar_fail(r, -E2BIG, "a number in a header is out of range", reterr);
	e->mode = (uint32_t)(mode & 07777);
	e->uid = (uint32_t)uid;
	e->gid = (uint32_t)gid;
	e->mtime_s = o->has_mtime ? o->mtime_s : (int64_t)mtime;
	e->mtime_ns = o->has_mtime ? o->mtime_ns : 0;
	e->dev_major = (uint32_t)major;
	e->dev_minor = (uint32_t)minor;
	return 0;
}

static int read_type(struct tar_reader *r, uint8_t flag, enum tar_type *ret, struct err *reterr)
{
	switch (flag) {
	case '0':
	case '7': /* contiguous file: a file */
		*ret = TAR_FILE;
		return 0;
	case 0: /* before POSIX a directory was a file whose name ends in a slash */
		*ret = str_ends(r->path, "/") ? TAR_DIR : TAR_FILE;
		return 0;
	case '1':
		*ret = TAR_HARDLINK;
		return 0;
	case '2':
		*ret = TAR_SYMLINK;
		return 0;
	case '3':
		*ret = TAR_CHAR_DEVICE;
		return 0;
	case '4':
		*ret = TAR_BLOCK_DEVICE;
		return 0;
	case '5':
		*ret = TAR_DIR;
		return 0;
	case '6':
		*ret = TAR_FIFO;
		return 0;
	case 'S':
		return tar_fail(r, -EOPNOTSUPP, "sparse entries are refused", reterr);
	default:
		return tar_fail(r, -EOPNOTSUPP, "unknown entry type", reterr);
	}
}

static void set_body(struct tar_reader *r, enum tar_state state, uint64_t size)
{
	r->state = state;
	r->left = size;
	r->padding = (size_t)((TAR_BLOCK_SIZE - size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE);
}

static int finish_entry(struct tar_reader *r, struct err *reterr)
{
	int rc = r->sink->entry_end(r->user, reterr);

	overrides_reset(&r->over);
	r->meta_pending = false;
	return rc;
}

static int start_entry(struct tar_reader *r, const uint8_t *h, uint64_t size, struct err *reterr)
{
	struct tar_xattr *xattrs = r->xattrs;
	struct tar_entry e = {.path = r->path, .link = r->link, .xattrs = xattrs};
	const struct tar_overrides *o = &r->over;

	int rc = read_path(r, h, reterr);
	if (rc == 0)
		rc = read_type(r, h[156], &e.type, reterr);
	if (rc == 0)
		rc = read_numbers(r, h, &e, reterr);
	if (rc < 0)
		return rc;
	if (o->has_size)
		size = o->size;
	if (e.type != TAR_FILE && size != 0)
		return tar_fail(r, -EBADMSG, "only files may have data", reterr);
	if ((e.type == TAR_HARDLINK || e.type == TAR_SYMLINK) && r->link[0] == 0)
		return tar_fail(r, -EBADMSG, "a link has no target", reterr);
	e.size = size;
	e.xattr_count = o->xattr_count;
	for (size_t i = 0; i < o->xattr_count; i++) {
		const uint8_t *base = o->xattr_bytes.data;
		xattrs[i].name = (const char *)base + o->xattr_at[i].name;
		xattrs[i].value = slice_of(base + o->xattr_at[i].value, o->xattr_at[i].value_size);
	}
	rc = r->sink->entry(r->user, &e, reterr);
	if (rc < 0)
		return rc;
	if (size == 0) {
		r->state = TAR_STATE_HEADER;
		return finish_entry(r, reterr);
	}
	set_body(r, TAR_STATE_DATA, size);
	return 0;
}

static int header_done(struct tar_reader *r, struct err *reterr)
{
	const uint8_t *h = r->block;
	uint64_t size;

	r->block_used = 0;
	if (all_zero(h, TAR_BLOCK_SIZE)) {
		if (++r->zero_blocks == 2)
			r->state = TAR_STATE_TRAILING;
		return 0;
	}
	if (r->zero_blocks)
		return tar_fail(r, -EBADMSG, "an entry follows a zero block", reterr);
	if (!checksum_ok(h))
		return tar_fail(r, -EBADMSG, "the header checksum is wrong", reterr);
	if (number(h + 124, 12, &size) < 0)
		return tar_fail(r, -EBADMSG, "bad size in a header", reterr);
	if (size > TAR_FILE_MAX)
		return tar_fail(r, -E2BIG, "an entry claims more than 1 TiB", reterr);
	if (h[156] == 'x' || h[156] == 'L' || h[156] == 'K') {
		if (size == 0 || size > TAR_META_MAX)
			return tar_fail(r, -E2BIG, "bad size of an extended header", reterr);
		buf_clear(&r->meta);
		r->meta_type = h[156];
		set_body(r, TAR_STATE_META, size);
		return 0;
	}
	if (h[156] ==
		'g') { /* Defaults for all entries; no layer reader in the field applies them. */
		if (size > TAR_META_MAX)
			return tar_fail(r, -E2BIG, "bad size of a global header", reterr);
		set_body(r, TAR_STATE_SKIP, size);
		if (size == 0)
			r->state = TAR_STATE_HEADER;
		return 0;
	}
	return start_entry(r, h, size, reterr);
}

/* The body is complete: what comes next depends on whose body it was. */
static int body_done(struct tar_reader *r, struct err *reterr)
{
	enum tar_state was = r->state;

	r->state = r->padding ? TAR_STATE_PADDING : TAR_STATE_HEADER;
	if (was == TAR_STATE_META)
		return meta_done(r, reterr);
	if (was == TAR_STATE_DATA)
		return finish_entry(r, reterr);
	return 0;
}

static int feed_body(struct tar_reader *r, struct slice *data, struct err *reterr)
{
	struct slice piece = slice_cut(*data, 0, (size_t)MIN(r->left, (uint64_t)SIZE_MAX));
	int rc = 0;

	if (r->state == TAR_STATE_DATA)
		rc = r->sink->data(r->user, piece, reterr);
	else if (r->state == TAR_STATE_META)
		buf_put_slice(&r->meta, piece);
	if (rc < 0)
		return rc;
	*data = slice_cut(*data, piece.size, SIZE_MAX);
	r->left -= piece.size;
	r->offset += piece.size;
	return r->left == 0 ? body_done(r, reterr) : 0;
}

static int feed_once(struct tar_reader *r, struct slice *data, struct err *reterr)
{
	size_t n;

	switch (r->state) {
	case TAR_STATE_HEADER:
		n = MIN(data->size, TAR_BLOCK_SIZE - r->block_used);
		memcpy(r->block + r->block_used, data->data, n);
		r->block_used += n;
		*data = slice_cut(*data, n, SIZE_MAX);
		r->offset += n;
		return r->block_used == TAR_BLOCK_SIZE ? header_done(r, reterr) : 0;
	case TAR_STATE_META:
	case TAR_STATE_SKIP:
	case TAR_STATE_DATA:
		return feed_body(r, data, reterr);
	case TAR_STATE_PADDING:
		n = MIN(data->size, r->padding);
		r->padding -= n;
		*data = slice_cut(*data, n, SIZE_MAX);
		r->offset += n;
		if (r->padding == 0)
			r->state = TAR_STATE_HEADER;
		return 0;
	case TAR_STATE_TRAILING:
		if (!all_zero(data->data, data->size))
			return tar_fail(r, -EBADMSG, "data after the end of the archive", reterr);
		r->offset += data->size;
		*data = SLICE_EMPTY;
		return 0;
	}
	return -EINVAL;
}

int tar_reader_feed(struct tar_reader *r, struct slice data, struct err *reterr)
{
	while (data.size > 0) {
		int rc = feed_once(r, &data, reterr);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int tar_reader_finish(struct tar_reader *r, struct err *reterr)
{
	/* Some writers drop the padding of the last file, none a part of a header or of data. */
	bool between = r->state == TAR_STATE_TRAILING || r->state == TAR_STATE_PADDING ||
		       (r->state == TAR_STATE_HEADER && r->block_used == 0);

	if (!between || r->meta_pending)
		return tar_fail(r, -ENODATA, "the archive ends inside an entry", reterr);
	return 0;
}
