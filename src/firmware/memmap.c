/* SPDX-License-Identifier: Apache-2.0 */
#include "memmap.h"

static int insert(struct memmap *m, size_t at, struct memmap_range r, const char **ret_why)
{
	if (m->count == MEMMAP_MAX)
		return fw_why(ret_why, -E2BIG, "the memory map has too many ranges");
	memmove(m->ranges + at + 1, m->ranges + at, (m->count - at) * sizeof(r));
	m->ranges[at] = r;
	m->count++;
	return 0;
}

static int add_ram(struct memmap *m, struct memmap_range r, const char **ret_why)
{
	size_t at = 0;
	while (at < m->count && m->ranges[at].start < r.start)
		at++;
	if ((at > 0 && m->ranges[at - 1].end > r.start) ||
		(at < m->count && m->ranges[at].start < r.end))
		return fw_why(ret_why, -EBADMSG, "two RAM ranges of the memory map overlap");
	return insert(m, at, r, ret_why);
}

/* Removes [start, end) from the map; a range around it falls into two. */
static int cut(struct memmap *m, uint64_t start, uint64_t end, const char **ret_why)
{
	for (size_t i = 0; i < m->count;) {
		struct memmap_range *r = &m->ranges[i];
		if (r->end <= start || r->start >= end) {
			i++;
			continue;
		}
		struct memmap_range upper = {end, r->end, r->type};
		bool keeps_lower = r->start<start, keeps_upper = upper.end> upper.start;
		if (keeps_lower)
			r->end = start;
		if (keeps_lower && keeps_upper)
			return insert(m, i + 1, upper, ret_why);
		if (keeps_lower) {
			i++;
		} else if (keeps_upper) {
			*r = upper;
			i++;
		} else {
			memmove(r, r + 1, (m->count - i - 1) * sizeof(*r));
			m->count--;
		}
	}
	return 0;
}

int memmap_reserve(struct memmap *m, uint64_t start, uint64_t end, const char **ret_why)
{
	if (end <= start)
		return fw_why(ret_why, -EINVAL, "a reserved range is empty");
	int r = cut(m, start, end, ret_why);
	if (r < 0)
		return r;
	size_t at = 0;
	while (at < m->count && m->ranges[at].start < start)
		at++;
	return insert(m, at, (struct memmap_range){start, end, MEMMAP_RESERVED}, ret_why);
}

static int parse_entry(const uint8_t *p, struct memmap_range *ret, const char **ret_why)
{
	uint64_t start = get_u64le(p), size = get_u64le(p + 8);
	if (size == 0 || start >= MEMMAP_PHYSICAL_END || size > MEMMAP_PHYSICAL_END - start)
		return fw_why(ret_why, -EBADMSG, "a range of the memory map is empty or wraps");
	*ret = (struct memmap_range){start, start + size, get_u32le(p + 16)};
	return 0;
}

static int parse_type(
	struct memmap *m, const uint8_t *e820, size_t size, bool ram, const char **ret_why)
{
	for (size_t at = 0; at < size; at += MEMMAP_ENTRY_SIZE) {
		struct memmap_range range;
		int r = parse_entry(e820 + at, &range, ret_why);
		if (r == 0 && ram && range.type == MEMMAP_RAM)
			r = add_ram(m, range, ret_why);
		/* Types that are not RAM all mean the same to us: keep off. */
		if (r == 0 && !ram && range.type != MEMMAP_RAM)
			r = memmap_reserve(m, range.start, range.end, ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

int memmap_parse(struct memmap *m, const uint8_t *e820, size_t size, const char **ret_why)
{
	memset(m, 0, sizeof(*m));
	if (size == 0 || size % MEMMAP_ENTRY_SIZE)
		return fw_why(ret_why, -EBADMSG, "the size of etc/e820 is not a multiple of 20");
	int r = parse_type(m, e820, size, true, ret_why);
	if (r == 0)
		r = parse_type(m, e820, size, false, ret_why);
	if (r < 0)
		return r;
	if (m->count == 0 || m->ranges[0].start != 0 || m->ranges[0].type != MEMMAP_RAM ||
		m->ranges[0].end < MEMMAP_LOW_RAM_MIN)
		return fw_why(ret_why, -EBADMSG, "the guest has less than 64 MiB of memory at 0");
	m->low_top = MIN(m->ranges[0].end, 1ull << 32);
	return 0;
}

int memmap_take_top(struct memmap *m, uint64_t size, uint64_t align, uint64_t floor,
	uint64_t *ret_start, const char **ret_why)
{
	if (size == 0 || size > m->low_top || ((m->low_top - size) & ~(align - 1)) < floor)
		return fw_why(ret_why, -ENOMEM, "the guest has too little memory");
	uint64_t start = (m->low_top - size) & ~(align - 1);
	int r = memmap_reserve(m, start, m->low_top, ret_why);
	if (r < 0)
		return r;
	m->low_top = start;
	*ret_start = start;
	return 0;
}

bool memmap_is_ram(const struct memmap *m, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->ranges[i].type == MEMMAP_RAM && m->ranges[i].start <= start &&
			end <= m->ranges[i].end)
			return start < end;
	return false;
}

size_t memmap_write(const struct memmap *m, uint8_t *dst)
{
	for (size_t i = 0; i < m->count; i++, dst += MEMMAP_ENTRY_SIZE) {
		put_u64le(dst, m->ranges[i].start);
		put_u64le(dst + 8, m->ranges[i].end - m->ranges[i].start);
		put_u32le(dst + 16, m->ranges[i].type);
	}
	return m->count;
}
