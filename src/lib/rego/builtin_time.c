/* SPDX-License-Identifier: Apache-2.0 */
/* time.* */
#include "rego/datetime.h"
#include "rego/eval.h"

/* Zones that this evaluator has used. */
struct zone_cache {
	struct zone_cache *next;
	rv name;
	const struct zone *zone;
};

/* A moment, its zone and a layout, as the functions take them. */
struct when {
	int64_t second;
	int32_t ns;
	const struct zone *zone;
	struct slice layout;
};

static const struct zone *load_zone(struct call *c, rv name, bool *ok)
{
	struct rego_eval *ev = c->ev;
	for (const struct zone_cache *z = ev->zones; z; z = z->next)
		if (value_eq(z->name, name)) {
			*ok = true;
			return z->zone;
		}
	*ok = false;
	if (strstr(name->text, "..") || name->text[0] == '/' || name->text[0] == '\\') {
		call_fail(c, "time: invalid location name");
		return NULL;
	}
	struct buf bytes = buf_init((size_t)1 << 20);
	const struct zone *zone = NULL;
	int r = ev->options.time_zone && !memchr(name->text, '\0', name->count)
			? ev->options.time_zone(ev->options.cookie, name->text, &bytes)
			: -ENOENT;
	/* Allocating may jump away, so the file's bytes move into the arena first. */
	struct slice copy = {.size = bytes.size};
	copy.data = r == 0 ? arena_copy(c->m->arena, buf_slice(&bytes)) : NULL;
	buf_done(&bytes);
	*ok = r == 0 && copy.data && zone_parse(copy, mem_alloc(c->m, zone_size(copy)), &zone) == 0;
	if (!*ok) {
		call_fail(c, "unknown time zone %s", name->text);
		return NULL;
	}
	struct zone_cache *entry = mem_new(c->m, struct zone_cache);
	*entry = (struct zone_cache){ev->zones, name, zone};
	ev->zones = entry;
	return zone;
}

static bool set_zone(struct call *c, rv name, struct when *w)
{
	bool ok = true;
	if (name->type != REGO_STRING) {
		call_type_error(c, 1, "string", name);
		return false;
	}
	/* There is no local time here. */
	if (name->count && !value_str_is(name, "UTC") && !value_str_is(name, "Local"))
		w->zone = load_zone(c, name, &ok);
	return ok;
}

/* A number of nanoseconds, or an array of it, a zone and a layout. */
static bool read_when(struct call *c, rv arg, struct when *w)
{
	int64_t ns;
	rv number = arg;
	*w = (struct when){0};
	if ((arg->type != REGO_NUMBER && arg->type != REGO_ARRAY) ||
		(arg->type == REGO_ARRAY && arg->count == 0)) {
		call_type_error(c, 1, "either number (ns) or [number (ns), string (tz)]", arg);
		return false;
	}
	if (arg->type == REGO_ARRAY) {
		number = arg->item[0];
		if (number->type != REGO_NUMBER) {
			call_type_error(c, 1, "number", number);
			return false;
		}
		if (arg->count > 1 && !set_zone(c, arg->item[1], w))
			return false;
		if (arg->count > 2 && arg->item[2]->type != REGO_STRING) {
			call_type_error(c, 1, "string", arg->item[2]);
			return false;
		}
		if (arg->count > 2)
			w->layout = value_slice(arg->item[2]);
	}
	if (!num_to_i64(number, &ns)) {
		call_fail(c, "timestamp too big");
		return false;
	}
	int32_t rest = (int32_t)(ns % NS_PER_S);
	w->second = ns / NS_PER_S - (rest < 0);
	w->ns = rest < 0 ? rest + (int32_t)NS_PER_S : rest;
	return true;
}

static struct broken_time broken(const struct when *w)
{
	return time_break(w->second, w->ns, w->zone);
}

static rv nanoseconds(struct call *c, int64_t second, int32_t ns)
{
	/* The lowest moment is not a whole second: count down from above it. */
	__int128 v = (__int128)second * NS_PER_S + ns;
	if (v < INT64_MIN || v > INT64_MAX)
		return call_fail(c, "time outside of valid range");
	return value_int(c->m, (int64_t)v);
}

static rv int_array(struct call *c, const int64_t *v, size_t count)
{
	rv item[6];
	for (size_t i = 0; i < count; i++)
		item[i] = value_int(c->m, v[i]);
	return value_array(c->m, item, count);
}

static struct slice named_layout(struct slice layout)
{
	static const char *const names[][2] = {
		{"ANSIC", "Mon Jan _2 15:04:05 2006"},
		{"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
		{"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
		{"RFC822", "02 Jan 06 15:04 MST"},
		{"RFC822Z", "02 Jan 06 15:04 -0700"},
		{"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
		{"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
		{"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
		{"RFC3339", "2006-01-02T15:04:05Z07:00"},
		{"RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (slice_eq_str(layout, names[i][0]))
			return slice_str(names[i][1]);
	return layout;
}

static rv parse(struct call *c, struct slice layout, struct slice value)
{
	struct err e = {0};
	int64_t second;
	int32_t ns;
	if (time_parse(layout, value, &second, &ns, &e) < 0)
		return call_fail(c, "%s", err_text(&e, 0));
	return nanoseconds(c, second, ns);
}

static rv parse_ns(struct call *c, const rv *arg, uint32_t count)
{
	if (!arg_is(c, arg, 1, REGO_STRING) || !arg_is(c, arg, 2, REGO_STRING))
		return NULL;
	return parse(c, named_layout(value_slice(arg[0])), value_slice(arg[1]));
}

static rv parse_rfc3339_ns(struct call *c, const rv *arg, uint32_t count)
{
	return arg_is(c, arg, 1, REGO_STRING)
		       ? parse(c, SLICE_LIT("2006-01-02T15:04:05Z07:00"), value_slice(arg[0]))
		       : NULL;
}

static rv parse_duration_ns(struct call *c, const rv *arg, uint32_t count)
{
	struct err e = {0};
	int64_t ns;
	if (!arg_is(c, arg, 1, REGO_STRING))
		return NULL;
	if (time_parse_duration(value_slice(arg[0]), &ns, &e) < 0)
		return call_fail(c, "%s", err_text(&e, 0));
	return value_int(c->m, ns);
}

static rv format(struct call *c, const rv *arg, uint32_t count)
{
	struct when w;
	if (!read_when(c, arg[0], &w))
		return NULL;
	struct slice layout =
		w.layout.size ? named_layout(w.layout) : named_layout(SLICE_LIT("RFC3339Nano"));
	struct broken_time t = broken(&w);
	struct buf text = buf_init(mem_room(c->m));
	time_format(&text, &t, layout);
	char *copy = buf_error(&text) ? NULL : arena_copy(c->m->arena, buf_slice(&text));
	size_t size = text.size;
	buf_done(&text);
	if (!copy)
		mem_escape(c->m, REGO_ERR_MEMORY);
	return value_string(c->m, slice_of(copy, size));
}

static rv date(struct call *c, const rv *arg, uint32_t count)
{
	struct when w;
	if (!read_when(c, arg[0], &w))
		return NULL;
	struct broken_time t = broken(&w);
	return int_array(c, (int64_t[]){t.year, t.month, t.day}, 3);
}

static rv clock_fn(struct call *c, const rv *arg, uint32_t count)
{
	struct when w;
	if (!read_when(c, arg[0], &w))
		return NULL;
	struct broken_time t = broken(&w);
	return int_array(c, (int64_t[]){t.hour, t.minute, t.second}, 3);
}

static rv weekday(struct call *c, const rv *arg, uint32_t count)
{
	struct when w;
	if (!read_when(c, arg[0], &w))
		return NULL;
	return value_cstr(c->m, time_weekday_name(broken(&w).weekday));
}

/* Years that cannot lead back into the range of nanoseconds by any number of days below. */
#define FAR_YEARS 100000000000LL

static bool near(int64_t v)
{
	return v > -FAR_YEARS && v < FAR_YEARS;
}

static rv add_date(struct call *c, const rv *arg, uint32_t count)
{
	struct when w;
	int64_t years, months, days;
	if (!read_when(c, arg[0], &w) || !arg_int(c, arg, 2, &years) ||
		!arg_int(c, arg, 3, &months) || !arg_int(c, arg, 4, &days))
		return NULL;
	if (!near(years) || !near(months) || !near(days))
		return call_fail(c, "time outside of valid range");
	struct broken_time t = broken(&w);
	int64_t day = civil_to_days(t.year + years, t.month + months, t.day + days);
	if (!near(day))
		return call_fail(c, "time outside of valid range");
	int64_t local = day * 86400 + t.hour * 3600 + t.minute * 60 + t.second;
	return nanoseconds(c, zone_from_local(w.zone, local), w.ns);
}

static rv diff(struct call *c, const rv *arg, uint32_t count)
{
	struct when a, b;
	if (!read_when(c, arg[0], &a) || !read_when(c, arg[1], &b))
		return NULL;
	b.zone = a.zone;
	if (a.second > b.second || (a.second == b.second && a.ns > b.ns)) {
		struct when t = a;
		a = b;
		b = t;
	}
	struct broken_time x = broken(&a), y = broken(&b);
	int64_t v[] = {y.year - x.year, y.month - x.month, y.day - x.day, y.hour - x.hour,
		y.minute - x.minute, y.second - x.second};
	const int64_t size[] = {0, 12, civil_month_days(x.year, x.month), 24, 60, 60};
	for (size_t i = 5; i > 0; i--)
		if (v[i] < 0) {
			v[i] += size[i];
			v[i - 1]--;
		}
	return int_array(c, v, 6);
}

static rv now_ns(struct call *c, const rv *arg, uint32_t count)
{
	return value_int(c->m, c->ev->options.now_ns);
}

static const struct builtin items[] = {
	{.name = "time.now_ns", .arity = 0, .fn = now_ns},
	{.name = "time.parse_ns", .arity = 2, .fn = parse_ns},
	{.name = "time.parse_rfc3339_ns", .arity = 1, .fn = parse_rfc3339_ns},
	{.name = "time.parse_duration_ns", .arity = 1, .fn = parse_duration_ns},
	{.name = "time.format", .arity = 1, .fn = format},
	{.name = "time.date", .arity = 1, .fn = date},
	{.name = "time.clock", .arity = 1, .fn = clock_fn},
	{.name = "time.weekday", .arity = 1, .fn = weekday},
	{.name = "time.add_date", .arity = 4, .fn = add_date},
	{.name = "time.diff", .arity = 2, .fn = diff},
};
const struct builtin_table builtin_time_table = {items, ARRAY_COUNT(items)};
