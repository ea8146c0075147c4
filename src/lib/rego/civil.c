/* SPDX-License-Identifier: Apache-2.0 */
#include "rego/datetime.h"

/* Eras of 400 years have the same number of days; years begin in March, so leap days come last. */
int64_t civil_to_days(int64_t year, int64_t month, int64_t day)
{
	year += (month - 1) / 12;
	month = (month - 1) % 12;
	if (month < 0) {
		month += 12;
		year--;
	}
	month++;
	if (month <= 2)
		year--;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

bool civil_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_month_days(int64_t year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && civil_is_leap(year));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct broken_time time_break(int64_t second, int32_t ns, const struct zone *z)
{
	struct zone_span span = zone_lookup(z, second);
	struct broken_time t = {.ns = ns, .offset = span.offset};
	int64_t local = second + span.offset, days = floor_div(local, 86400);
	int of_day = (int)(local - days * 86400);
	memcpy(t.abbr, span.abbr, sizeof(t.abbr));
	civil_from_days(days, &t.year, &t.month, &t.day);
	t.yday = (int)(days - civil_to_days(t.year, 1, 1)) + 1;
	t.weekday = (int)(((days + 4) % 7 + 7) % 7);
	t.hour = of_day / 3600;
	t.minute = of_day / 60 % 60;
	t.second = of_day % 60;
	return t;
}
