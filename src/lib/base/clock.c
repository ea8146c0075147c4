/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/parse.h"

static uint64_t read_ms(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

int64_t clock_unix_s(void)
{
	return (int64_t)time(NULL);
}

/* @value with leading zeros, then @after. */
static void digits(char *dst, unsigned value, unsigned count, char after)
{
	dst[count] = after;
	for (; count > 0; value /= 10)
		dst[--count] = (char)('0' + value % 10);
}

const char *rfc3339_format(int64_t unix_s, char dst[RFC3339_SIZE])
{
	struct tm tm;
	time_t t = (time_t)unix_s;
	dst[0] = 0;
	if (!gmtime_r(&t, &tm))
		return dst;
	if (tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		strftime(dst, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
		return dst;
	}
	/* Claims have several; this is a tenth of what strftime() takes. */
	digits(dst, (unsigned)tm.tm_year + 1900, 4, '-');
	digits(dst + 5, (unsigned)tm.tm_mon + 1, 2, '-');
	digits(dst + 8, (unsigned)tm.tm_mday, 2, 'T');
	digits(dst + 11, (unsigned)tm.tm_hour, 2, ':');
	digits(dst + 14, (unsigned)tm.tm_min, 2, ':');
	digits(dst + 17, (unsigned)tm.tm_sec, 2, 'Z');
	dst[20] = 0;
	return dst;
}

static int number(struct slice s, size_t at, size_t size, uint32_t min, uint32_t max, int *ret)
{
	uint32_t v;
	if (slice_cut(s, at, size).size != size ||
		parse_u32(slice_cut(s, at, size), min, max, &v) < 0)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static bool is_char(struct slice s, size_t at, const char *any)
{
	return at < s.size && s.data[at] != 0 && strchr(any, s.data[at]) != NULL;
}

int rfc3339_parse(struct slice s, int64_t *ret_unix_s)
{
	struct tm tm = {0};
	int year, month, hour_off = 0, min_off = 0;

	if (number(s, 0, 4, 0, 9999, &year) < 0 || !is_char(s, 4, "-") ||
		number(s, 5, 2, 1, 12, &month) < 0 || !is_char(s, 7, "-") ||
		number(s, 8, 2, 1, 31, &tm.tm_mday) < 0 || !is_char(s, 10, "Tt ") ||
		number(s, 11, 2, 0, 23, &tm.tm_hour) < 0 || !is_char(s, 13, ":") ||
		number(s, 14, 2, 0, 59, &tm.tm_min) < 0 || !is_char(s, 16, ":") ||
		number(s, 17, 2, 0, 60, &tm.tm_sec) < 0)
		return -EINVAL;
	size_t at = 19;
	if (is_char(s, at, ".")) {
		size_t from = ++at;
		while (at < s.size && s.data[at] >= '0' && s.data[at] <= '9')
			at++;
		if (at == from)
			return -EINVAL;
	}
	int sign = 0;
	if (is_char(s, at, "Zz")) {
		at++;
	} else if (is_char(s, at, "+-")) {
		sign = s.data[at] == '+' ? 1 : -1;
		if (number(s, at + 1, 2, 0, 23, &hour_off) < 0 || !is_char(s, at + 3, ":") ||
			number(s, at + 4, 2, 0, 59, &min_off) < 0)
			return -EINVAL;
		at += 6;
	} else {
		return -EINVAL;
	}
	if (at != s.size)
		return -EINVAL;
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (tm.tm_mday > days[month - 1] + (month == 2 && leap ? 1 : 0))
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*ret_unix_s = (int64_t)timegm(&tm) - (int64_t)sign * (hour_off * 3600 + min_off * 60);
	return 0;
}
