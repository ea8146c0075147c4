/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TZif files (RFC 8536): transitions in order, kinds of local time, abbreviations, and a rule in
 * POSIX notation for the time after the last transition.
 */
#include "rego/datetime.h"

#define TRANSITIONS_MAX 4096

struct kind {
	int32_t offset;
	bool dst;
	char abbr[8];
};

/* When a rule switches: the day of the year in one of three notations, and the second of it. */
struct rule {
	char form; /* 'J': 1..365 without leap days, 'N': 0..365, 'M': month.week.weekday */
	int day, week, month;
	int32_t second;
};

struct tail {
	bool present, has_dst;
	struct kind std, dst;
	struct rule start, end;
};

struct zone {
	size_t count, kind_count, first; /* first: the kind before all transitions */
	struct tail tail;
	const int64_t *at;
	const uint8_t *kind_of;
	const struct kind *kind;
};

struct header {
	uint8_t version;
	uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

/* --- reading --- */

struct cursor {
	struct slice s;
	bool bad;
};

static struct slice take(struct cursor *c, size_t size)
{
	if (c->bad || size > c->s.size) {
		c->bad = true;
		return SLICE_EMPTY;
	}
	struct slice part = slice_cut(c->s, 0, size);
	c->s = slice_cut(c->s, size, c->s.size - size);
	return part;
}

static uint64_t be(struct slice s)
{
	uint64_t v = 0;
	for (size_t i = 0; i < s.size; i++)
		v = v << 8 | s.data[i];
	return v;
}

static bool read_header(struct cursor *c, struct header *h)
{
	struct slice magic = take(c, 4), version = take(c, 16);
	uint32_t *const to[] = {
		&h->isutcnt, &h->isstdcnt, &h->leapcnt, &h->timecnt, &h->typecnt, &h->charcnt};
	for (size_t i = 0; i < ARRAY_COUNT(to); i++)
		*to[i] = (uint32_t)be(take(c, 4));
	if (c->bad || !slice_eq_str(magic, "TZif"))
		return false;
	h->version = version.data[0];
	return h->timecnt <= TRANSITIONS_MAX && h->typecnt >= 1 && h->typecnt <= 256 &&
	       h->charcnt <= 4096 && h->leapcnt <= 4096 && h->isutcnt <= 256 && h->isstdcnt <= 256;
}

static void skip_block(struct cursor *c, const struct header *h, size_t time_size)
{
	take(c, h->timecnt * (time_size + 1));
	take(c, h->typecnt * (size_t)6 + h->charcnt);
	take(c, h->leapcnt * (time_size + 4));
	take(c, h->isstdcnt + (size_t)h->isutcnt);
}

size_t zone_size(struct slice tzif)
{
	/* No part of the file needs more than 16 bytes per byte here. */
	return sizeof(struct zone) + 64 + 16 * MIN(tzif.size, (size_t)1 << 20);
}

static void copy_abbr(char dst[8], struct slice names, size_t at)
{
	size_t n = 0;
	while (n < 7 && at + n < names.size && names.data[at + n]) {
		dst[n] = (char)names.data[at + n];
		n++;
	}
	dst[n] = '\0';
}

static bool read_block(
	struct cursor *c, const struct header *h, size_t time_size, struct zone *z, uint8_t *mem)
{
	int64_t *at = (int64_t *)(void *)mem;
	struct kind *kind = (struct kind *)(void *)(mem + h->timecnt * sizeof(*at));
	uint8_t *kind_of = (uint8_t *)(kind + h->typecnt);
	struct slice times = take(c, h->timecnt * time_size), kinds = take(c, h->timecnt);
	struct slice infos = take(c, h->typecnt * (size_t)6), names = take(c, h->charcnt);
	take(c, h->leapcnt * (time_size + 4));
	take(c, h->isstdcnt + (size_t)h->isutcnt);
	if (c->bad || kinds.size != h->timecnt)
		return false;
	for (size_t i = 0; i < h->timecnt; i++) {
		uint64_t v = be(slice_cut(times, i * time_size, time_size));
		at[i] = time_size == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
		kind_of[i] = kinds.data[i];
		if (kind_of[i] >= h->typecnt || (i > 0 && at[i] <= at[i - 1]))
			return false;
	}
	for (size_t i = 0; i < h->typecnt; i++) {
		struct slice info = slice_cut(infos, 6 * i, 6);
		if (info.size < 6)
			return false;
		kind[i].offset = (int32_t)(uint32_t)be(slice_cut(info, 0, 4));
		kind[i].dst = info.data[4];
		copy_abbr(kind[i].abbr, names, info.data[5]);
		if (kind[i].offset < -90000 || kind[i].offset > 93600)
			return false;
	}
	z->count = h->timecnt;
	z->kind_count = h->typecnt;
	z->at = at;
	z->kind = kind;
	z->kind_of = kind_of;
	return true;
}

/* Before the first transition: the first kind that is standard time. */
static size_t first_kind(const struct zone *z)
{
	if (z->count > 0 && z->kind[z->kind_of[0]].dst)
		for (size_t i = z->kind_of[0]; i-- > 0;)
			if (!z->kind[i].dst)
				return i;
	for (size_t i = 0; i < z->kind_count; i++)
		if (!z->kind[i].dst)
			return i;
	return 0;
}

/* --- the rule at the end: "CET-1CEST,M3.5.0,M10.5.0/3" --- */

static bool rule_name(struct cursor *c, char dst[8])
{
	size_t n = 0, quoted = c->s.size && c->s.data[0] == '<';
	if (quoted)
		take(c, 1);
	while (n < c->s.size) {
		uint8_t ch = c->s.data[n];
		bool letter = (ch | 0x20) >= 'a' && (ch | 0x20) <= 'z';
		bool other = quoted && ((ch >= '0' && ch <= '9') || ch == '+' || ch == '-');
		if (!letter && !other)
			break;
		n++;
	}
	struct slice name = take(c, n);
	copy_abbr(dst, name, 0);
	if (quoted)
		return n >= 3 && slice_eq_str(take(c, 1), ">");
	return n >= 3;
}

static bool number(struct cursor *c, int max, int *ret)
{
	int v = 0;
	size_t n = 0;
	while (n < c->s.size && c->s.data[n] >= '0' && c->s.data[n] <= '9' && v <= max)
		v = v * 10 + (c->s.data[n++] - '0');
	take(c, n);
	*ret = v;
	return n > 0 && v <= max;
}

static bool accept(struct cursor *c, char ch)
{
	if (c->s.size == 0 || c->s.data[0] != (uint8_t)ch)
		return false;
	take(c, 1);
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool read_clock(struct cursor *c, int32_t *ret)
{
	bool negative = accept(c, '-');
	int hour, minute = 0, second = 0;
	if (!negative)
		accept(c, '+');
	if (!number(c, 167, &hour) ||
		(accept(c, ':') &&
			(!number(c, 59, &minute) || (accept(c, ':') && !number(c, 59, &second)))))
		return false;
	*ret = hour * 3600 + minute * 60 + second;
	if (negative)
		*ret = -*ret;
	return true;
}

static bool rule_date(struct cursor *c, struct rule *r)
{
	*r = (struct rule){.second = 7200};
	if (!accept(c, ','))
		return false;
	bool ok;
	if (accept(c, 'M')) {
		r->form = 'M';
		ok = number(c, 12, &r->month) && r->month > 0 && accept(c, '.') &&
		     number(c, 5, &r->week) && r->week > 0 && accept(c, '.') &&
		     number(c, 6, &r->day);
	} else {
		r->form = accept(c, 'J') ? 'J' : 'N';
		ok = number(c, 365, &r->day);
	}
	return ok && (!accept(c, '/') || read_clock(c, &r->second));
}

static bool read_tail(struct slice text, struct tail *t)
{
	struct cursor c = {text, false};
	int32_t west;
	if (!rule_name(&c, t->std.abbr) || !read_clock(&c, &west))
		return false;
	t->std.offset = -west;
	t->present = true;
	if (c.s.size == 0)
		return true;
	if (!rule_name(&c, t->dst.abbr))
		return false;
	t->dst.dst = t->has_dst = true;
	t->dst.offset = t->std.offset + 3600;
	if (c.s.size && c.s.data[0] != ',') {
		if (!read_clock(&c, &west))
			return false;
		t->dst.offset = -west;
	}
	return rule_date(&c, &t->start) && rule_date(&c, &t->end) && c.s.size == 0;
}

int zone_parse(struct slice tzif, void *mem, const struct zone **ret)
{
	struct zone *z = mem;
	struct cursor c = {tzif, tzif.size > (size_t)1 << 20};
	struct header h = {0};
	*z = (struct zone){0};
	if (!read_header(&c, &h))
		return -EBADMSG;
	size_t time_size = 4;
	if (h.version >= '2') {
		skip_block(&c, &h, 4);
		time_size = 8;
		if (!read_header(&c, &h))
			return -EBADMSG;
	}
	if (!read_block(&c, &h, time_size, z, (uint8_t *)mem + sizeof(*z)))
		return -EBADMSG;
	z->first = first_kind(z);
	if (time_size == 8 && accept(&c, '\n')) {
		const void *end = c.s.size ? memchr(c.s.data, '\n', c.s.size) : NULL;
		size_t n = end ? (size_t)((const uint8_t *)end - c.s.data) : 0;
		/* A rule that cannot be read leaves the last kind in force. */
		if (n > 0 && !read_tail(slice_cut(c.s, 0, n), &z->tail))
			z->tail = (struct tail){0};
	}
	*ret = z;
	return 0;
}

/* --- looking up --- */

/* Days from the start of @year to the day of a rule. */
static int64_t rule_day(const struct rule *r, int64_t year)
{
	int64_t start = civil_to_days(year, 1, 1);
	if (r->form == 'N')
		return r->day;
	if (r->form == 'J')
		return r->day - 1 + (civil_is_leap(year) && r->day >= 60);
	int64_t first = civil_to_days(year, r->month, 1);
	int weekday = (int)(((first + 4) % 7 + 7) % 7);
	int day = (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
	while (day >= civil_month_days(year, r->month))
		day -= 7;
	return first + day - start;
}

static struct zone_span span_of(const struct kind *k, int64_t start, int64_t end)
{
	struct zone_span s = {.offset = k->offset, .start = start, .end = end};
	memcpy(s.abbr, k->abbr, sizeof(s.abbr));
	return s;
}

static struct zone_span by_rule(const struct tail *t, int64_t second, int64_t from)
{
	int64_t year, days = (second + t->std.offset) / 86400;
	int month, day;
	if (!t->has_dst)
		return span_of(&t->std, from, INT64_MAX);
	civil_from_days(days - ((second + t->std.offset) % 86400 < 0), &year, &month, &day);
	/* The switches around: those of this year, and of its neighbours. */
	int64_t at[6];
	const struct kind *kind[6];
	for (size_t i = 0; i < ARRAY_COUNT(at); i += 2) {
		int64_t y = year - 1 + (int64_t)(i / 2);
		int64_t start = civil_to_days(y, 1, 1);
		int64_t on =
			(start + rule_day(&t->start, y)) * 86400 + t->start.second - t->std.offset;
		int64_t off =
			(start + rule_day(&t->end, y)) * 86400 + t->end.second - t->dst.offset;
		bool on_first = on < off;
		at[i] = on_first ? on : off;
		kind[i] = on_first ? &t->dst : &t->std;
		at[i + 1] = on_first ? off : on;
		kind[i + 1] = on_first ? &t->std : &t->dst;
	}
	for (size_t i = ARRAY_COUNT(at) - 1; i-- > 0;)
		if (at[i] <= second)
			return span_of(kind[i], at[i] > from ? at[i] : from, at[i + 1]);
	return span_of(&t->std, from, at[0]);
}

struct zone_span zone_lookup(const struct zone *z, int64_t second)
{
	static const struct kind utc = {.abbr = "UTC"};
	if (!z)
		return span_of(&utc, INT64_MIN, INT64_MAX);
	if (z->count == 0 || second < z->at[0]) {
		if (z->count == 0 && z->tail.present)
			return by_rule(&z->tail, second, INT64_MIN);
		return span_of(&z->kind[z->first], INT64_MIN, z->count ? z->at[0] : INT64_MAX);
	}
	size_t low = 0, high = z->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (z->at[middle] <= second)
			low = middle;
		else
			high = middle;
	}
	if (low + 1 == z->count && z->tail.present)
		return by_rule(&z->tail, second, z->at[low]);
	return span_of(&z->kind[z->kind_of[low]], z->at[low],
		low + 1 < z->count ? z->at[low + 1] : INT64_MAX);
}

int64_t zone_from_local(const struct zone *z, int64_t local)
{
	struct zone_span s = zone_lookup(z, local);
	int64_t second = local - s.offset;
	if (second < s.start || second >= s.end)
		s = zone_lookup(z, second);
	return local - s.offset;
}
