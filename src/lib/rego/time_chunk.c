/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of Go's time package: the reference time "Mon Jan 2 15:04:05 2006 MST -0700" in any form. */
#include "rego/datetime.h"

const char *const time_months[12] = {"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"};
const char *const time_days[7] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

const char *time_weekday_name(int weekday)
{
	return time_days[weekday];
}

struct element {
	const char *text;
	enum time_std std;
	bool z, colon, minutes, seconds;
	bool word; /* must not be followed by a lower-case letter */
};

/* Longer elements precede those that they begin with. */
static const struct element g_elements[] = {
	{"January", STD_LONG_MONTH},
	{"Jan", STD_MONTH, .word = true},
	{"Monday", STD_LONG_WEEKDAY},
	{"Mon", STD_WEEKDAY, .word = true},
	{"MST", STD_ZONE_NAME},
	{"002", STD_ZERO_YEARDAY},
	{"01", STD_ZERO_MONTH},
	{"02", STD_ZERO_DAY},
	{"03", STD_ZERO_HOUR12},
	{"04", STD_ZERO_MINUTE},
	{"05", STD_ZERO_SECOND},
	{"06", STD_YEAR},
	{"15", STD_HOUR},
	{"1", STD_NUM_MONTH},
	{"2006", STD_LONG_YEAR},
	{"2", STD_DAY},
	{"__2", STD_UNDER_YEARDAY},
	{"_2", STD_UNDER_DAY},
	{"3", STD_HOUR12},
	{"4", STD_MINUTE},
	{"5", STD_SECOND},
	{"PM", STD_PM_UPPER},
	{"pm", STD_PM_LOWER},
	{"-070000", STD_OFFSET, .minutes = true, .seconds = true},
	{"-07:00:00", STD_OFFSET, .colon = true, .minutes = true, .seconds = true},
	{"-0700", STD_OFFSET, .minutes = true},
	{"-07:00", STD_OFFSET, .colon = true, .minutes = true},
	{"-07", STD_OFFSET},
	{"Z070000", STD_OFFSET, .z = true, .minutes = true, .seconds = true},
	{"Z07:00:00", STD_OFFSET, .z = true, .colon = true, .minutes = true, .seconds = true},
	{"Z0700", STD_OFFSET, .z = true, .minutes = true},
	{"Z07:00", STD_OFFSET, .z = true, .colon = true, .minutes = true},
	{"Z07", STD_OFFSET, .z = true},
};

static bool lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static const struct element *element_at(struct slice s, size_t at)
{
	for (size_t i = 0; i < ARRAY_COUNT(g_elements); i++) {
		const struct element *e = &g_elements[i];
		size_t n = strlen(e->text);
		if (e->text[0] != (char)s.data[at] || s.size - at < n ||
			memcmp(s.data + at, e->text, n) != 0)
			continue;
		if (e->word && at + n < s.size && lower(s.data[at + n]))
			continue;
		return e;
	}
	return NULL;
}

static struct time_chunk cut(struct slice s, size_t at, size_t size, enum time_std std)
{
	return (struct time_chunk){.prefix = slice_cut(s, 0, at),
		.text = slice_cut(s, at, size),
		.rest = slice_cut(s, at + size, s.size - at - size),
		.std = std};
}

/* A fraction: a run of 0 or of 9 behind a point or comma, with no digit after it. */
static size_t fraction_at(struct slice s, size_t at)
{
	if ((s.data[at] != '.' && s.data[at] != ',') || at + 1 >= s.size ||
		(s.data[at + 1] != '0' && s.data[at + 1] != '9'))
		return 0;
	size_t end = at + 1;
	while (end < s.size && s.data[end] == s.data[at + 1])
		end++;
	bool digit = end < s.size && s.data[end] >= '0' && s.data[end] <= '9';
	return digit ? 0 : end - at;
}

struct time_chunk time_next(struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		size_t n = fraction_at(s, i);
		if (n > 0) {
			struct time_chunk c = cut(
				s, i, n, s.data[i + 1] == '0' ? STD_FRACTION_0 : STD_FRACTION_9);
			c.digits = (unsigned)n - 1;
			return c;
		}
		const struct element *e = element_at(s, i);
		if (!e)
			continue;
		/* "_2006" is a blank and a year. */
		if (e->std == STD_UNDER_DAY && s.size - i >= 5 &&
			memcmp(s.data + i + 1, "2006", 4) == 0)
			return cut(s, i + 1, 4, STD_LONG_YEAR);
		struct time_chunk c = cut(s, i, strlen(e->text), e->std);
		c.z = e->z;
		c.colon = e->colon;
		c.minutes = e->minutes;
		c.seconds = e->seconds;
		return c;
	}
	return cut(s, s.size, 0, STD_NONE);
}

/* --- formatting --- */

static void put_int(struct buf *out, int64_t v, unsigned width, char pad)
{
	char digits[24];
	unsigned n = 0;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	if (v < 0)
		buf_put_u8(out, '-');
	do
		digits[n++] = (char)('0' + u % 10);
	while (u /= 10);
	for (unsigned i = n; i < width; i++)
		buf_put_u8(out, (uint8_t)pad);
	while (n > 0)
		buf_put_u8(out, (uint8_t)digits[--n]);
}

static void put_offset(struct buf *out, int32_t offset, const struct time_chunk *c)
{
	if (c->z && offset == 0) {
		buf_put_u8(out, 'Z');
		return;
	}
	int32_t zone = offset / 60, seconds = offset < 0 ? -offset : offset;
	buf_put_u8(out, zone < 0 ? '-' : '+');
	if (zone < 0)
		zone = -zone;
	put_int(out, zone / 60, 2, '0');
	if (c->colon)
		buf_put_u8(out, ':');
	if (c->minutes)
		put_int(out, zone % 60, 2, '0');
	if (c->seconds) {
		if (c->colon)
			buf_put_u8(out, ':');
		put_int(out, seconds % 60, 2, '0');
	}
}

static void put_fraction(struct buf *out, int32_t ns, const struct time_chunk *c)
{
	char digits[16];
	unsigned n = c->digits;
	snprintf(digits, sizeof(digits), "%09d", ns);
	if (c->std == STD_FRACTION_9) {
		n = MIN(n, 9u);
		while (n > 0 && digits[n - 1] == '0')
			n--;
		if (n == 0)
			return;
	}
	buf_put_u8(out, c->text.data[0]);
	for (unsigned i = 0; i < n; i++)
		buf_put_u8(out, i < 9 ? (uint8_t)digits[i] : '0');
}

static void put_name(struct buf *out, const char *name, bool whole)
{
	buf_put(out, name, whole ? strlen(name) : 3);
}

static void put_zone_name(struct buf *out, const struct broken_time *t)
{
	if (t->abbr[0]) {
		buf_put_str(out, t->abbr);
		return;
	}
	put_offset(out, t->offset, &(struct time_chunk){.minutes = true});
}

static int twelve(int hour)
{
	return hour % 12 ? hour % 12 : 12;
}

static void put_chunk(struct buf *out, const struct broken_time *t, const struct time_chunk *c)
{
	switch (c->std) {
	case STD_LONG_MONTH:
	case STD_MONTH:
		put_name(out, time_months[t->month - 1], c->std == STD_LONG_MONTH);
		break;
	case STD_LONG_WEEKDAY:
	case STD_WEEKDAY:
		put_name(out, time_days[t->weekday], c->std == STD_LONG_WEEKDAY);
		break;
	case STD_NUM_MONTH:
	case STD_ZERO_MONTH:
		put_int(out, t->month, c->std == STD_ZERO_MONTH ? 2 : 0, '0');
		break;
	case STD_DAY:
	case STD_ZERO_DAY:
		put_int(out, t->day, c->std == STD_ZERO_DAY ? 2 : 0, '0');
		break;
	case STD_UNDER_DAY:
		put_int(out, t->day, 2, ' ');
		break;
	case STD_UNDER_YEARDAY:
	case STD_ZERO_YEARDAY:
		put_int(out, t->yday, 3, c->std == STD_ZERO_YEARDAY ? '0' : ' ');
		break;
	case STD_HOUR:
		put_int(out, t->hour, 2, '0');
		break;
	case STD_HOUR12:
	case STD_ZERO_HOUR12:
		put_int(out, twelve(t->hour), c->std == STD_ZERO_HOUR12 ? 2 : 0, '0');
		break;
	case STD_MINUTE:
	case STD_ZERO_MINUTE:
		put_int(out, t->minute, c->std == STD_ZERO_MINUTE ? 2 : 0, '0');
		break;
	case STD_SECOND:
	case STD_ZERO_SECOND:
		put_int(out, t->second, c->std == STD_ZERO_SECOND ? 2 : 0, '0');
		break;
	case STD_LONG_YEAR:
		put_int(out, t->year, 4, '0');
		break;
	case STD_YEAR:
		put_int(out, t->year < 0 ? 0 : t->year % 100, 2, '0');
		break;
	case STD_PM_UPPER:
		buf_put_str(out, t->hour >= 12 ? "PM" : "AM");
		break;
	case STD_PM_LOWER:
		buf_put_str(out, t->hour >= 12 ? "pm" : "am");
		break;
	case STD_ZONE_NAME:
		put_zone_name(out, t);
		break;
	case STD_OFFSET:
		put_offset(out, t->offset, c);
		break;
	default:
		put_fraction(out, t->ns, c);
	}
}

void time_format(struct buf *out, const struct broken_time *t, struct slice layout)
{
	for (;;) {
		struct time_chunk c = time_next(layout);
		buf_put_slice(out, c.prefix);
		if (c.std == STD_NONE)
			return;
		put_chunk(out, t, &c);
		layout = c.rest;
	}
}
