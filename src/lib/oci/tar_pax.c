/* SPDX-License-Identifier: Apache-2.0 */
/* Extended headers (POSIX pax): what they say about the entry that follows. */
#include "base/parse.h"
#include "base/str.h"
#include "oci/tar_internal.h"

/* Decimal seconds with an optional sign and fraction. */
static int parse_time(struct slice s, int64_t *ret_s, uint32_t *ret_ns)
{
	const uint8_t *dot = s.size ? memchr(s.data, '.', s.size) : NULL;
	struct slice whole = dot ? slice_of(s.data, (size_t)(dot - s.data)) : s;
	uint32_t ns = 0, scale = 100000000;
	int64_t sec;

	int r = parse_i64(whole, INT64_MIN / 2, INT64_MAX / 2, &sec);
	if (r < 0)
		return r;
	for (const uint8_t *p = dot ? dot + 1 : NULL; p && p < s.data + s.size; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		ns += (uint32_t)(*p - '0') * scale;
		scale /= 10;
	}
	if (whole.data[0] == '-' && ns) {
		sec--;
		ns = 1000000000 - ns;
	}
	*ret_s = sec;
	*ret_ns = ns;
	return 0;
}

static int add_xattr(
	struct tar_reader *r, struct slice name, struct slice value, struct err *reterr)
{
	struct tar_overrides *o = &r->over;

	if (name.size == 0 || name.size > 255 || memchr(name.data, 0, name.size))
		return tar_fail(r, -EBADMSG, "bad name of an extended attribute", reterr);
	if (o->xattr_count == TAR_XATTR_COUNT_MAX)
		return tar_fail(r, -E2BIG, "too many extended attributes", reterr);
	o->xattr_at[o->xattr_count].name = o->xattr_bytes.size;
	buf_put_slice(&o->xattr_bytes, name);
	buf_put_u8(&o->xattr_bytes, 0);
	o->xattr_at[o->xattr_count].value = o->xattr_bytes.size;
	o->xattr_at[o->xattr_count].value_size = value.size;
	o->xattr_count++;
	buf_put_slice(&o->xattr_bytes, value);
	return buf_error(&o->xattr_bytes);
}

int tar_set_text(
	struct tar_reader *r, struct buf *dst, bool *has, struct slice v, struct err *reterr)
{
	if (v.size == 0 || memchr(v.data, 0, v.size))
		return tar_fail(r, -EBADMSG, "bad name in an extended header", reterr);
	if (v.size > TAR_PATH_MAX)
		return tar_fail(r, -E2BIG, "a name is longer than 4095 bytes", reterr);
	buf_clear(dst);
	buf_put_slice(dst, v);
	*has = true;
	return buf_error(dst);
}

static int pax_record(
	struct tar_reader *r, struct slice key, struct slice value, struct err *reterr)
{
	static const char xattr_prefix[] = "SCHILY.xattr.";
	struct tar_overrides *o = &r->over;
	int rc = 0;

	if (slice_eq_str(key, "path"))
		return tar_set_text(r, &o->path, &o->has_path, value, reterr);
	if (slice_eq_str(key, "linkpath"))
		return tar_set_text(r, &o->link, &o->has_link, value, reterr);
	if (slice_starts(key, slice_str(xattr_prefix)))
		return add_xattr(
			r, slice_cut(key, sizeof(xattr_prefix) - 1, SIZE_MAX), value, reterr);
	if (slice_starts(key, SLICE_LIT("GNU.sparse.")))
		return tar_fail(r, -EOPNOTSUPP, "sparse entries are refused", reterr);
	if (slice_eq_str(key, "size")) {
		rc = parse_u64(value, 0, TAR_FILE_MAX, &o->size);
		o->has_size = true;
	} else if (slice_eq_str(key, "uid")) {
		rc = parse_u64(value, 0, UINT32_MAX - 1, &o->uid);
		o->has_uid = true;
	} else if (slice_eq_str(key, "gid")) {
		rc = parse_u64(value, 0, UINT32_MAX - 1, &o->gid);
		o->has_gid = true;
	} else if (slice_eq_str(key, "mtime")) {
		rc = parse_time(value, &o->mtime_s, &o->mtime_ns);
		o->has_mtime = true;
	}
	if (rc < 0)
		return tar_fail(r, rc == -ERANGE ? -E2BIG : -EBADMSG,
			"bad number in an extended header", reterr);
	return 0;
}

/* Records are "LENGTH KEY=VALUE\n", where LENGTH counts the whole record. */
int tar_pax_parse(struct tar_reader *r, struct slice body, struct err *reterr)
{
	while (body.size > 0) {
		const uint8_t *blank = memchr(body.data, ' ', MIN(body.size, (size_t)8));
		uint32_t size;
		if (!blank)
			return tar_fail(r, -EBADMSG, "bad extended header record", reterr);
		size_t digits = (size_t)(blank - body.data);
		if (parse_u32(slice_of(body.data, digits), 0, TAR_META_MAX, &size) < 0 ||
			size < digits + 3 || size > body.size || body.data[size - 1] != '\n')
			return tar_fail(r, -EBADMSG, "bad extended header record", reterr);
		struct slice rec = slice_of(body.data + digits + 1, size - digits - 2);
		const uint8_t *eq = memchr(rec.data, '=', rec.size);
		if (!eq)
			return tar_fail(r, -EBADMSG, "extended header record without '='", reterr);
		size_t key_size = (size_t)(eq - rec.data);
		int rc = pax_record(r, slice_of(rec.data, key_size),
			slice_cut(rec, key_size + 1, SIZE_MAX), reterr);
		if (rc < 0)
			return rc;
		body = slice_cut(body, size, SIZE_MAX);
	}
	return 0;
}
