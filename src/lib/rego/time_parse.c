/* SPDX-License-Identifier: Apache-2.0 */
/* Reading times by a layout, and durations: what Go's time.Parse and time.ParseDuration accept. */
#include "rego/datetime.h"

struct parsed {
	struct slice value; /* what is left */
	int64_t year;
	int month, day, yday; /* -1: not given */
	int hour, minute, second;
	int32_t ns;
	int32_t offset;
	bool pm, am;
	const char *range; /* what is out of range */
};

static bool digit_at(struct slice s, size_t at)
{
	return at < s.size && s.data[at] >= '0' && s.data[at] <= '9';
}

static struct slice from(struct slice s, size_t at)
{
	return slice_cut(s, at, s.size - MIN(at, s.size));
}

static struct slice without_spaces(struct slice s)
{
	while (s.size && s.data[0] == ' ')
		s = from(s, 1);
	return s;
}

/* Literal text of the layout; any run of spaces matches any other, even an empty one at the end. */
static bool skip(struct slice *value, struct slice prefix)
{
	while (prefix.size) {
		if (prefix.data[0] == ' ') {
			if (value->size && value->data[0] != ' ')
				return false;
			prefix = without_spaces(prefix);
			*value = without_spaces(*value);
			continue;
		}
		if (!value->size || value->data[0] != prefix.data[0])
			return false;
		prefix = from(prefix, 1);
		*value = from(*value, 1);
	}
	return true;
}

/* One or two digits; exactly two when @fixed. */
static bool two(struct slice *s, bool fixed, int *ret)
{
	if (!digit_at(*s, 0) || (fixed && !digit_at(*s, 1)))
		return false;
	size_t n = digit_at(*s, 1) ? 2 : 1;
	*ret = s->data[0] - '0';
	if (n == 2)
		*ret = *ret * 10 + (s->data[1] - '0');
	*s = from(*s, n);
	return true;
}

static bool three(struct slice *s, bool fixed, int *ret)
{
	size_t n = 0;
	for (*ret = 0; n < 3 && digit_at(*s, n); n++)
		*ret = *ret * 10 + (s->data[n] - '0');
	if (n == 0 || (fixed && n != 3))
		return false;
	*s = from(*s, n);
	return true;
}

static bool name_of(struct parsed *p, const char *const *names, int count, bool whole, int *ret)
{
	for (int i = 0; i < count; i++) {
		size_t n = whole ? strlen(names[i]) : 3;
		if (p->value.size >= n &&
			strncasecmp((const char *)p->value.data, names[i], n) == 0) {
			p->value = from(p->value, n);
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool point(struct slice s)
{
	return s.size && (s.data[0] == '.' || s.data[0] == ',');
}

/* A point and digits, @size bytes in all; beyond nanoseconds they are dropped. */
static bool fraction(struct parsed *p, size_t size)
{
	if (!point(p->value) || p->value.size < size || size < 2)
		return false;
	int32_t ns = 0;
	for (size_t i = 1; i < 10; i++) {
		if (i < size && !digit_at(p->value, i))
			return false;
		ns = ns * 10 + (i < size ? p->value.data[i] - '0' : 0);
	}
	p->ns = ns;
	p->value = from(p->value, size);
	return true;
}

static size_t fraction_size(struct slice s)
{
	size_t n = 1;
	while (digit_at(s, n))
		n++;
	return n;
}

static bool ranged(struct parsed *p, int v, int low, int high, const char *what)
{
	if (v < low || v > high)
		p->range = what;
	return true;
}

static bool read_second(struct parsed *p, const struct time_chunk *c)
{
	if (!two(&p->value, c->std == STD_ZERO_SECOND, &p->second))
		return false;
	if (p->second > 59)
		return ranged(p, p->second, 0, 59, "second");
	/* A fraction may follow even where the layout has none. */
	if (!point(p->value) || !digit_at(p->value, 1))
		return true;
	enum time_std next = time_next(c->rest).std;
	if (next == STD_FRACTION_0 || next == STD_FRACTION_9)
		return true;
	return fraction(p, fraction_size(p->value));
}

static bool read_offset(struct parsed *p, const struct time_chunk *c)
{
	struct slice s = p->value;
	int hour = 0, minute = 0, second = 0;
	if (c->z && s.size && s.data[0] == 'Z') {
		p->value = from(s, 1);
		p->offset = 0;
		return true;
	}
	size_t need = c->seconds ? (c->colon ? 9 : 7) : c->colon ? 6 : c->minutes ? 5 : 3;
	if (s.size < need || (c->colon && s.data[3] != ':') ||
		(c->colon && c->seconds && s.data[6] != ':'))
		return false;
	size_t step = c->colon ? 3 : 2;
	struct slice part = slice_cut(s, 1, 2);
	if (!two(&part, true, &hour))
		return false;
	part = slice_cut(s, 1 + step, 2);
	if (c->minutes && !two(&part, true, &minute))
		return false;
	part = slice_cut(s, 1 + 2 * step, 2);
	if (c->seconds && !two(&part, true, &second))
		return false;
	p->value = from(s, need);
	ranged(p, hour, 0, 24, "time zone offset hour");
	ranged(p, minute, 0, 60, "time zone offset minute");
	ranged(p, second, 0, 60, "time zone offset second");
	p->offset = (hour * 60 + minute) * 60 + second;
	if (s.data[0] == '-')
		p->offset = -p->offset;
	return s.data[0] == '-' || s.data[0] == '+';
}

/* "+3", "-04": bytes of a signed number of hours; 0 when it is none. */
static size_t signed_hours(struct slice s)
{
	if (!s.size || (s.data[0] != '+' && s.data[0] != '-'))
		return 0;
	int hours = 0;
	size_t n = 1;
	for (; digit_at(s, n) && n < 10; n++)
		hours = hours * 10 + (s.data[n] - '0');
	return n == 1 || hours > 23 ? 0 : n;
}

/* Bytes of an abbreviation of a time zone; 0 when there is none. */
static size_t zone_name_size(struct slice s)
{
	if (s.size < 3)
		return 0;
	if (s.size >= 4 && (memcmp(s.data, "ChST", 4) == 0 || memcmp(s.data, "MeST", 4) == 0))
		return 4;
	if (memcmp(s.data, "GMT", 3) == 0)
		return 3 + signed_hours(from(s, 3));
	if (s.data[0] == '+' || s.data[0] == '-')
		return signed_hours(s);
	size_t n = 0;
	while (n < 6 && n < s.size && s.data[n] >= 'A' && s.data[n] <= 'Z')
		n++;
	if (n == 5)
		return s.data[4] == 'T' ? 5 : 0;
	if (n == 4)
		return s.data[3] == 'T' || memcmp(s.data, "WITA", 4) == 0 ? 4 : 0;
	return n == 3 ? 3 : 0;
}

static bool read_half(struct parsed *p, bool upper)
{
	if (p->value.size < 2)
		return false;
	p->pm = memcmp(p->value.data, upper ? "PM" : "pm", 2) == 0;
	p->am = memcmp(p->value.data, upper ? "AM" : "am", 2) == 0;
	p->value = from(p->value, 2);
	return p->pm || p->am;
}

static bool read_year(struct parsed *p, size_t digits)
{
	if (p->value.size < digits)
		return false;
	p->year = 0;
	for (size_t i = 0; i < digits; i++) {
		if (!digit_at(p->value, i))
			return false;
		p->year = p->year * 10 + (p->value.data[i] - '0');
	}
	p->value = from(p->value, digits);
	if (digits == 2)
		p->year += p->year >= 69 ? 1900 : 2000;
	return true;
}

static bool read_day(struct parsed *p, enum time_std std)
{
	if (std == STD_UNDER_DAY && p->value.size && p->value.data[0] == ' ')
		p->value = from(p->value, 1);
	return two(&p->value, std == STD_ZERO_DAY, &p->day);
}

static bool read_yday(struct parsed *p, enum time_std std)
{
	for (int i = 0; i < 2 && std == STD_UNDER_YEARDAY; i++)
		if (p->value.size && p->value.data[0] == ' ')
			p->value = from(p->value, 1);
	return three(&p->value, std == STD_ZERO_YEARDAY, &p->yday);
}

static bool read_fraction(struct parsed *p, const struct time_chunk *c)
{
	if (c->std == STD_FRACTION_0)
		return fraction(p, 1 + (size_t)c->digits);
	if (!point(p->value) || !digit_at(p->value, 1))
		return true; /* left out */
	return fraction(p, fraction_size(p->value));
}

static bool read_chunk(struct parsed *p, const struct time_chunk *c)
{
	int unused;
	switch (c->std) {
	case STD_YEAR:
		return read_year(p, 2);
	case STD_LONG_YEAR:
		return read_year(p, 4);
	case STD_MONTH:
	case STD_LONG_MONTH:
		return name_of(p, time_months, 12, c->std == STD_LONG_MONTH, &p->month) &&
		       ++p->month > 0;
	case STD_NUM_MONTH:
	case STD_ZERO_MONTH:
		return two(&p->value, c->std == STD_ZERO_MONTH, &p->month) &&
		       ranged(p, p->month, 1, 12, "month");
	case STD_WEEKDAY:
	case STD_LONG_WEEKDAY:
		return name_of(p, time_days, 7, c->std == STD_LONG_WEEKDAY, &unused);
	case STD_DAY:
	case STD_UNDER_DAY:
	case STD_ZERO_DAY:
		return read_day(p, c->std);
	case STD_UNDER_YEARDAY:
	case STD_ZERO_YEARDAY:
		return read_yday(p, c->std);
	case STD_HOUR:
		return two(&p->value, false, &p->hour) && ranged(p, p->hour, 0, 23, "hour");
	case STD_HOUR12:
	case STD_ZERO_HOUR12:
		return two(&p->value, c->std == STD_ZERO_HOUR12, &p->hour) &&
		       ranged(p, p->hour, 0, 12, "hour");
	case STD_MINUTE:
	case STD_ZERO_MINUTE:
		return two(&p->value, c->std == STD_ZERO_MINUTE, &p->minute) &&
		       ranged(p, p->minute, 0, 59, "minute");
	case STD_SECOND:
	case STD_ZERO_SECOND:
		return read_second(p, c);
	case STD_PM_UPPER:
	case STD_PM_LOWER:
		return read_half(p, c->std == STD_PM_UPPER);
	case STD_OFFSET:
		return read_offset(p, c);
	case STD_ZONE_NAME: {
		size_t n = zone_name_size(p->value);
		p->value = from(p->value, n);
		return n > 0;
	}
	default:
		return read_fraction(p, c);
	}
}

void time_quote(struct buf *out, struct slice s)
{
	buf_put_u8(out, '"');
	for (size_t i = 0; i < s.size; i++) {
		uint8_t c = s.data[i];
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x80)
			buf_printf(out, "\\x%02x", c);
		else
			buf_put_u8(out, c);
	}
	buf_put_u8(out, '"');
}

static int fail(struct err *e, struct slice value, const char *message)
{
	cleanup_with(buf_done) struct buf text = {0};
	time_quote(&text, value);
	return err_set(e, -EBADMSG, "parsing time %s: %s", buf_str(&text), message);
}

static int mismatch(struct err *e, struct slice layout, struct slice value,
	struct slice layout_part, struct slice value_part)
{
	cleanup_with(buf_done) struct buf text = {0};
	time_quote(&text, value);
	buf_put_str(&text, " as ");
	time_quote(&text, layout);
	buf_put_str(&text, ": cannot parse ");
	time_quote(&text, value_part);
	buf_put_str(&text, " as ");
	time_quote(&text, layout_part);
	return err_set(e, -EBADMSG, "parsing time %s", buf_str(&text));
}

/* The day of the year gives month and day, or has to agree with them. */
static const char *use_yday(struct parsed *p)
{
	int yday = p->yday, month = 1;
	if (yday < 1 || yday > 365 + civil_is_leap(p->year))
		return "day-of-year out of range";
	while (yday > civil_month_days(p->year, month))
		yday -= civil_month_days(p->year, month++);
	if (p->month >= 0 && p->month != month)
		return "day-of-year does not match month";
	if (p->day >= 0 && p->day != yday)
		return "day-of-year does not match day";
	p->month = month;
	p->day = yday;
	return NULL;
}

static const char *complete(struct parsed *p)
{
	if (p->pm && p->hour < 12)
		p->hour += 12;
	else if (p->am && p->hour == 12)
		p->hour = 0;
	const char *why = p->yday >= 0 ? use_yday(p) : NULL;
	if (why)
		return why;
	if (p->month < 0)
		p->month = 1;
	if (p->day < 0)
		p->day = 1;
	return p->day < 1 || p->day > civil_month_days(p->year, p->month) ? "day out of range"
									  : NULL;
}

int time_parse(struct slice layout, struct slice value, int64_t *ret_second, int32_t *ret_ns,
	struct err *reterr)
{
	struct parsed p = {.value = value, .month = -1, .day = -1, .yday = -1};
	char text[96];
	for (struct slice rest = layout;;) {
		struct time_chunk c = time_next(rest);
		struct slice hold;
		if (!skip(&p.value, c.prefix))
			return mismatch(reterr, layout, value, c.prefix, p.value);
		if (c.std == STD_NONE)
			break;
		hold = p.value;
		bool ok = read_chunk(&p, &c);
		if (p.range) {
			snprintf(text, sizeof(text), "%s out of range", p.range);
			return fail(reterr, value, text);
		}
		if (!ok)
			return mismatch(reterr, layout, value, c.text, hold);
		rest = c.rest;
	}
	if (p.value.size) {
		cleanup_with(buf_done) struct buf extra = {0};
		buf_put_str(&extra, "extra text: ");
		time_quote(&extra, p.value);
		return fail(reterr, value, buf_str(&extra));
	}
	const char *why = complete(&p);
	if (why)
		return fail(reterr, value, why);
	*ret_second = civil_to_days(p.year, p.month, p.day) * 86400 + p.hour * 3600 +
		      p.minute * 60 + p.second - p.offset;
	*ret_ns = p.ns;
	return 0;
}
