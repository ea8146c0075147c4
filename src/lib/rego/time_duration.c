/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "rego/datetime.h"
#include "rego/text.h"

#define HOUR_NS (3600 * (uint64_t)NS_PER_S)
#define MAX_NS ((uint64_t)1 << 63)

static const struct unit {
	const char *name;
	uint64_t ns;
	bool extended; /* not Go's own */
} g_units[] = {
	{"ns", 1, false},
	{"us", 1000, false},
	{"\xc2\xb5s", 1000, false},
	{"\xce\xbcs", 1000, false},
	{"ms", 1000000, false},
	{"s", NS_PER_S, false},
	{"m", 60 * (uint64_t)NS_PER_S, false},
	{"h", HOUR_NS, false},
	{"d", 24 * HOUR_NS, true},
	{"w", 7 * 24 * HOUR_NS, true},
	{"y", 365 * 24 * HOUR_NS, true},
};

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A number "12.5": whole part, fraction, and the power of ten below the fraction. */
struct amount {
	uint64_t whole, part;
	double scale;
	struct slice text;
};

static bool read_amount(struct slice *s, struct amount *a)
{
	size_t at = 0, digits = 0;
	*a = (struct amount){.scale = 1};
	for (; at < s->size && digit(s->data[at]); at++, digits++) {
		if (a->whole > MAX_NS / 10)
			return false;
		a->whole = a->whole * 10 + (s->data[at] - '0');
		if (a->whole > MAX_NS)
			return false;
	}
	if (at < s->size && s->data[at] == '.') {
		bool full = false;
		for (at++; at < s->size && digit(s->data[at]); at++, digits++) {
			uint64_t next = a->part * 10 + (s->data[at] - '0');
			full |= a->part > (MAX_NS - 1) / 10 || next > MAX_NS;
			if (full)
				continue; /* what is beyond the precision */
			a->part = next;
			a->scale *= 10;
		}
	}
	a->text = slice_cut(*s, 0, at);
	*s = slice_cut(*s, at, s->size - at);
	return digits > 0;
}

static const struct unit *read_unit(struct slice *s, bool extended, struct slice *ret)
{
	size_t n = 0;
	while (n < s->size && s->data[n] != '.' && !digit(s->data[n]))
		n++;
	*ret = slice_cut(*s, 0, n);
	*s = slice_cut(*s, n, s->size - n);
	for (size_t i = 0; i < ARRAY_COUNT(g_units); i++)
		if ((extended || !g_units[i].extended) && slice_eq_str(*ret, g_units[i].name))
			return &g_units[i];
	return NULL;
}

/*
 * Days, weeks and years become hours in floating point first, with the fewest digits that read back:
 * so OPA defines them.
 */
static bool to_hours(struct amount *a, const struct unit *u)
{
	char text[400];
	if (a->text.size >= sizeof(text))
		return false;
	memcpy(text, a->text.data, a->text.size);
	text[a->text.size] = '\0';
	uint64_t per_unit = u->ns / HOUR_NS; /* exact: the units here are whole hours */
	double hours = strtod(text, NULL) * (double)per_unit;
	if (hours >= 1e16)
		return false;
	for (int digits = 0; digits < 340; digits++) {
		snprintf(text, sizeof(text), "%.*f", digits, hours);
		if (strtod(text, NULL) == hours)
			break;
	}
	struct slice s = {(const uint8_t *)text, strlen(text)};
	bool good = read_amount(&s, a);
	a->text = SLICE_EMPTY; /* it would point into this function */
	return good;
}

/* With days and longer units about, a unit is one letter, or one of Go's names (one "micro"). */
static bool extended_unit(struct slice name)
{
	if (name.size == 1)
		return name.data[0] >= 'a' && name.data[0] <= 'z';
	return slice_eq_str(name, "ms") || slice_eq_str(name, "us") || slice_eq_str(name, "ns") ||
	       slice_eq_str(name, "\xc2\xb5s");
}

/* Go quotes ASCII only, OPA's parser of days, weeks and years all that can be seen. */
static int invalid(struct err *e, bool extended, const char *what, struct slice text)
{
	cleanup_with(buf_done) struct buf quoted = {0};
	if (extended)
		print_quoted(&quoted, slice_cut(text, 0, QUOTED_MAX));
	else
		time_quote(&quoted, slice_cut(text, 0, QUOTED_MAX));
	return err_set(e, -EBADMSG, "time: %s %s", what, buf_str(&quoted));
}

static bool add(uint64_t *total, const struct amount *a, uint64_t unit)
{
	uint64_t v;
	if (a->whole > MAX_NS / unit)
		return false;
	v = a->whole * unit;
	if (a->part > 0) {
		v += (uint64_t)((double)a->part * ((double)unit / a->scale));
		if (v > MAX_NS)
			return false;
	}
	*total += v;
	return *total <= MAX_NS;
}

int time_parse_duration(struct slice text, int64_t *ret_ns, struct err *reterr)
{
	struct slice s = text, name;
	uint64_t total = 0;
	bool extended = false;
	for (size_t i = 0; i < s.size; i++)
		extended |= s.data[i] == 'd' || s.data[i] == 'w' || s.data[i] == 'y';
	bool negative = s.size && s.data[0] == '-';
	if (s.size && (s.data[0] == '-' || s.data[0] == '+'))
		s = slice_cut(s, 1, s.size - 1);
	*ret_ns = 0;
	if (slice_eq_str(s, "0"))
		return 0;
	if (s.size == 0)
		return invalid(reterr, extended, "invalid duration", text);
	while (s.size) {
		struct amount a;
		if (!read_amount(&s, &a))
			return invalid(reterr, extended, "invalid duration", text);
		const struct unit *u = read_unit(&s, extended, &name);
		if (extended && !extended_unit(name))
			return invalid(reterr, extended, "invalid duration", text);
		if (name.size == 0)
			return invalid(reterr, extended, "missing unit in duration", text);
		if (!u)
			return err_set(reterr, -EBADMSG,
				"time: unknown unit \"%.*s\" in duration \"%.*s\"",
				(int)MIN(name.size, (size_t)60), name.data,
				(int)MIN(text.size, (size_t)200), text.data);
		if (u->extended && !to_hours(&a, u))
			return invalid(reterr, extended, "invalid duration", text);
		if (!add(&total, &a, u->extended ? HOUR_NS : u->ns))
			return invalid(reterr, extended, "invalid duration", text);
	}
	if (!negative && total > MAX_NS - 1)
		return invalid(reterr, extended, "invalid duration", text);
	*ret_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
	return 0;
}
