/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Moments, time zones and Go's time layouts, for the time.* built-ins. The proleptic Gregorian
 * calendar without leap seconds, as in Go.
 */
#include "base/buf.h"

#define NS_PER_S 1000000000LL

/* Days since 1970-01-01; @month and @day may be out of their usual range. */
int64_t civil_to_days(int64_t year, int64_t month, int64_t day);
void civil_from_days(int64_t days, int64_t *year, int *month, int *day);
bool civil_is_leap(int64_t year);
int civil_month_days(int64_t year, int month);

/* --- time zones (RFC 8536) --- */

struct zone; /* UTC is NULL */

struct zone_span {
	int32_t offset;	    /* seconds east of Greenwich */
	char abbr[8];	    /* "" when there is none */
	int64_t start, end; /* seconds since 1970 for which this holds */
};

/* Room for a parsed zone. */
size_t zone_size(struct slice tzif);
/**
 * zone_parse() - read TZif data into @mem of zone_size() bytes
 * Return: 0, -EBADMSG.
 */
must_check int zone_parse(struct slice tzif, void *mem, const struct zone **ret);
/* What holds at @second in a zone; NULL is UTC. */
struct zone_span zone_lookup(const struct zone *z, int64_t second);
/* The second at which clocks of the zone show these seconds since 1970-01-01 00:00. */
int64_t zone_from_local(const struct zone *z, int64_t local);

/* --- layouts --- */

struct broken_time {
	int64_t year;
	int month, day, yday; /* 1..12, 1..31, 1..366 */
	int weekday;	      /* 0 is Sunday */
	int hour, minute, second;
	int32_t ns;
	int32_t offset;
	char abbr[8];
};
struct broken_time time_break(int64_t second, int32_t ns, const struct zone *z);
const char *time_weekday_name(int weekday);

/** time_format() - append @t in Go's @layout */
void time_format(struct buf *out, const struct broken_time *t, struct slice layout);
/**
 * time_parse() - read @value by Go's @layout; zones by name other than UTC count as UTC
 * Return: 0 with seconds and nanoseconds since 1970, or -EBADMSG with Go's message in @reterr.
 */
must_check int time_parse(struct slice layout, struct slice value, int64_t *ret_second,
	int32_t *ret_ns, struct err *reterr);
/** time_parse_duration() - "1h30m", with the units d, w and y too. Return: 0, -EBADMSG. */
must_check int time_parse_duration(struct slice text, int64_t *ret_ns, struct err *reterr);

/* time_chunk.c: what the next element of a layout is */
enum time_std {
	STD_NONE,
	STD_LONG_MONTH,
	STD_MONTH,
	STD_NUM_MONTH,
	STD_ZERO_MONTH,
	STD_LONG_WEEKDAY,
	STD_WEEKDAY,
	STD_DAY,
	STD_UNDER_DAY,
	STD_ZERO_DAY,
	STD_UNDER_YEARDAY,
	STD_ZERO_YEARDAY,
	STD_HOUR,
	STD_HOUR12,
	STD_ZERO_HOUR12,
	STD_MINUTE,
	STD_ZERO_MINUTE,
	STD_SECOND,
	STD_ZERO_SECOND,
	STD_LONG_YEAR,
	STD_YEAR,
	STD_PM_UPPER,
	STD_PM_LOWER,
	STD_ZONE_NAME,
	STD_OFFSET, /* see struct time_chunk */
	STD_FRACTION_0,
	STD_FRACTION_9,
};
struct time_chunk {
	struct slice prefix; /* literal text before it */
	struct slice text;   /* the element */
	struct slice rest;
	enum time_std std;
	bool z, colon, minutes, seconds; /* of STD_OFFSET */
	unsigned digits;		 /* of a fraction */
};
struct buf;
/* Text in double quotes, as Go's time package shows it in messages. */
void time_quote(struct buf *out, struct slice s);
struct time_chunk time_next(struct slice layout);
extern const char *const time_months[12];
extern const char *const time_days[7];
