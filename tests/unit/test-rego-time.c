/* SPDX-License-Identifier: Apache-2.0 */
/* time.*: layouts, zones, durations, calendar. */
#include "rego-table.h"

/* clang-format off: one row a line */
/* Go layouts, named ones, zones with rules beyond the last transition, and bad arguments */
static const struct rego_row format_rows[] = {
	{"time.format([1700000000123456789, \"America/New_York\", \"Mon Jan _2 15:04:05.000 2006 MST -0700 Z07:00 pm PM 3 03 002 __2 06 1 2\"])",
		"\"Tue Nov 14 17:13:20.123 2023 EST -0500 -05:00 pm PM 5 05 318 318 23 11 14\"",
		NULL},
	{"time.format([1700000000123456000, \"Asia/Kolkata\", \"2006-01-02T15:04:05.999999999Z07:00:00 -070000 Z0700 Z07 -07\"])",
		"\"2023-11-15T03:43:20.123456+05:30:00 +053000 +0530 +05 +05\"", NULL},
	{"time.format([0, \"Europe/London\", \"RFC850\"])", "\"Thursday, 01-Jan-70 01:00:00 BST\"",
		NULL},
	{"time.format([-1, \"\", \"RFC3339Nano\"])", "\"1969-12-31T23:59:59.999999999Z\"", NULL},
	{"time.format([1e18, \"Etc/GMT+5\"])", "\"2001-09-08T20:46:40-05:00\"", NULL},
	{"time.format([4102444800000000000, \"Europe/Berlin\", \"UnixDate\"])",
		"\"Fri Jan  1 01:00:00 CET 2100\"", NULL},
	{"time.format([4089148800000000000, \"Europe/Berlin\", \"UnixDate\"])",
		"\"Fri Jul 31 04:40:00 CEST 2099\"", NULL},
	{"time.format([4089148800000000000, \"America/Sao_Paulo\", \"UnixDate\"])",
		"\"Thu Jul 30 23:40:00 -03 2099\"", NULL},
	{"time.format([4089148800000000000, \"Australia/Lord_Howe\", \"UnixDate\"])",
		"\"Fri Jul 31 13:10:00 +1030 2099\"", NULL},
	{"time.format([-9e18, \"Europe/Berlin\", \"2006-01-02T15:04:05.99 MST -07:00:00\"])",
		"\"1684-10-19T08:53:28 LMT +00:53:28\"", NULL},
	{"time.format([-9223372036854775808, \"America/Los_Angeles\", \"RubyDate\"])",
		"\"Mon Sep 20 16:19:45 -0752 1677\"", NULL},
	{"time.format([9223372036854775807, \"America/Los_Angeles\", \"January Monday Janx Monx MSTT _2006 2006-002 15h4m5s\"])",
		"\"April Friday Janx Monx PDTT _2262 2262-101 16h47m16s\"", NULL},
	{"time.format(1e18)", "\"2001-09-09T01:46:40Z\"", NULL},
	{"time.format([1,\"../etc/passwd\"])", NULL, "time: invalid location name"},
	{"time.format([1,\"/etc/passwd\"])", NULL, "time: invalid location name"},
	{"time.format([1,\"Local\"])", "\"1970-01-01T00:00:00.000000001Z\"", NULL},
	{"time.format(1.5)", NULL, "timestamp too big"},
	{"time.format(1e30)", NULL, "timestamp too big"},
};

/* what time.parse_ns accepts, and for the rest the message that says where it stopped */
static const struct rego_row parse_rows[] = {
	{"time.parse_ns(\"2006-01-02\", \"2020-02-30\")", NULL,
		"parsing time \"2020-02-30\": day out of range"},
	{"time.parse_ns(\"2006-01-02\", \"2020-13-01\")", NULL,
		"parsing time \"2020-13-01\": month out of range"},
	{"time.parse_ns(\"2006-01-02\", \"abc\")", NULL,
		"parsing time \"abc\" as \"2006-01-02\": cannot parse \"abc\" as \"2006\""},
	{"time.parse_ns(\"2006-01-02\", \"2020-01-01x\")", NULL,
		"parsing time \"2020-01-01x\": extra text: \"x\""},
	{"time.parse_ns(\"RFC822Z\", \"02 Jan 16 15:04 +0130\")", "1451741640000000000", NULL},
	{"time.parse_ns(\"RFC822\", \"02 Jan 16 15:04 CEST\")", "1451747040000000000", NULL},
	{"time.parse_ns(\"RFC822\", \"02 Jan 16 15:04 GMT+3\")", "1451747040000000000", NULL},
	{"time.parse_ns(\"RFC822\", \"02 Jan 16 15:04 ABCDEF\")", NULL,
		"parsing time \"02 Jan 16 15:04 ABCDEF\" as \"02 Jan 06 15:04 MST\": cannot parse \"ABCDEF\" as \"MST\""},
	{"time.parse_ns(\"RFC850\", \"Monday, 02-Jan-06 15:04:05 UTC\")", "1136214245000000000",
		NULL},
	{"time.parse_ns(\"RFC1123\", \"mon, 02 JAN 2006 15:04:05 MST\")", "1136214245000000000",
		NULL},
	{"time.parse_ns(\"RFC3339\", \"2020-01-01T1:02:03Z\")", "1577840523000000000", NULL},
	{"time.parse_ns(\"RFC3339\", \"2020-01-01T01:02:03.123456789123+02:00\")",
		"1577833323123456789", NULL},
	{"time.parse_ns(\"RFC3339\", \"2020-01-01T01:02:60Z\")", NULL,
		"parsing time \"2020-01-01T01:02:60Z\": second out of range"},
	{"time.parse_ns(\"RFC3339\", \"2020-01-01T24:02:00Z\")", NULL,
		"parsing time \"2020-01-01T24:02:00Z\": hour out of range"},
	{"time.parse_ns(\"RFC3339\", \"2020-01-01T20:02:00+25:00\")", NULL,
		"parsing time \"2020-01-01T20:02:00+25:00\": time zone offset hour out of range"},
	{"time.parse_ns(\"2006-01-02 15:04:05.000\", \"2020-01-01 01:02:03.12\")", NULL,
		"parsing time \"2020-01-01 01:02:03.12\" as \"2006-01-02 15:04:05.000\": cannot parse \".12\" as \".000\""},
	{"time.parse_ns(\"2006-01-02 15:04:05.000\", \"2020-01-01 01:02:03,123\")",
		"1577840523123000000", NULL},
	{"time.parse_ns(\"2006-002\", \"2020-366\")", "1609372800000000000", NULL},
	{"time.parse_ns(\"2006-002\", \"2021-366\")", NULL,
		"parsing time \"2021-366\": day-of-year out of range"},
	{"time.parse_ns(\"2006 002 Jan\", \"2020 060 Mar\")", NULL,
		"parsing time \"2020 060 Mar\": day-of-year does not match month"},
	{"time.parse_ns(\"3:04PM\", \"12:30AM\")", NULL, "time outside of valid range"},
	{"time.parse_ns(\"3:04PM 2006\", \"11:30PM 1999\")", "915233400000000000", NULL},
	{"time.parse_ns(\"03:04pm 2006\", \"11:30PM 1999\")", NULL,
		"parsing time \"11:30PM 1999\" as \"03:04pm 2006\": cannot parse \"PM 1999\" as \"pm\""},
	{"time.parse_ns(\"\", \"\")", NULL, "time outside of valid range"},
	{"time.parse_ns(\"\", \"x\")", NULL, "parsing time \"x\": extra text: \"x\""},
	{"time.parse_ns(\"Jan  2 2006\", \"Jan 2 2006\")", "1136160000000000000", NULL},
	{"time.parse_ns(\"Jan _2 2006\", \"Feb  3 2021\")", "1612310400000000000", NULL},
	{"time.parse_ns(\"January 2, 2006\", \"MARCH 13, 1970\")", "6134400000000000", NULL},
	{"time.parse_ns(\"06-1-2\", \"69-1-1\")", "-31536000000000000", NULL},
	{"time.parse_ns(\"06-1-2\", \"68-12-31\")", "3124137600000000000", NULL},
	{"time.parse_ns(\"ANSIC\", \"Mon Jan  2 15:04:05 1600\")", NULL,
		"time outside of valid range"},
	{"time.parse_rfc3339_ns(\"2017-11-21T23:21:24.000-08:00\")", "1511335284000000000", NULL},
	{"time.parse_rfc3339_ns(\"0000-01-01T00:00:00Z\")", NULL, "time outside of valid range"},
	{"time.parse_rfc3339_ns(\"2017-11-21\")", NULL,
		"parsing time \"2017-11-21\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\""},
};

/* fractions, overflow, units, and the longer units d, w and y */
static const struct rego_row duration_rows[] = {
	{"time.parse_duration_ns(\"1h15m30.918273645s\")", "4530918273645", NULL},
	{"time.parse_duration_ns(\"\")", NULL, "time: invalid duration \"\""},
	{"time.parse_duration_ns(\"1\")", NULL, "time: missing unit in duration \"1\""},
	{"time.parse_duration_ns(\"0\")", "0", NULL},
	{"time.parse_duration_ns(\"-0\")", "0", NULL},
	{"time.parse_duration_ns(\"1x\")", NULL, "time: unknown unit \"x\" in duration \"1x\""},
	{"time.parse_duration_ns(\"-1.5h\")", "-5400000000000", NULL},
	{"time.parse_duration_ns(\".5s\")", "500000000", NULL},
	{"time.parse_duration_ns(\".s\")", NULL, "time: invalid duration \".s\""},
	{"time.parse_duration_ns(\"1\302\265s2\316\274s3us4ns5ms\")", "5006004", NULL},
	{"time.parse_duration_ns(\"2540400h10m10.000000000s\")", "9145440610000000000", NULL},
	{"time.parse_duration_ns(\"9223372036854775807ns\")", "9223372036854775807", NULL},
	{"time.parse_duration_ns(\"9223372036854775808ns\")", NULL,
		"time: invalid duration \"9223372036854775808ns\""},
	{"time.parse_duration_ns(\"-9223372036854775808ns\")", "-9223372036854775808", NULL},
	{"time.parse_duration_ns(\"1d\")", "86400000000000", NULL},
	{"time.parse_duration_ns(\"1.5w2d3h\")", "1090800000000000", NULL},
	{"time.parse_duration_ns(\"1y\")", "31536000000000000", NULL},
	{"time.parse_duration_ns(\"-1y1ns\")", "-31536000000000001", NULL},
	{"time.parse_duration_ns(\"300y\")", NULL, "time: invalid duration \"300y\""},
	{"time.parse_duration_ns(\"1dd\")", NULL, "time: invalid duration \"1dd\""},
	{"time.parse_duration_ns(\"d\")", NULL, "time: invalid duration \"d\""},
	{"time.parse_duration_ns(\"0.1d\")", "8640000000000", NULL},
	{"time.parse_duration_ns(\"1.1.1d\")", NULL, "time: invalid duration \"1.1.1d\""},
	{"time.parse_duration_ns(\"1d1x\")", NULL, "time: unknown unit \"x\" in duration \"1d1x\""},
	{"time.parse_duration_ns(\"+5s\")", "5000000000", NULL},
	{"time.parse_duration_ns(\"1day\")", NULL, "time: invalid duration \"1day\""},
	{"time.parse_duration_ns(\"0.3333333333333333333h\")", "1200000000000", NULL},
	{"time.parse_duration_ns(\"0.100000000000000000000h\")", "360000000000", NULL},
	{"time.parse_duration_ns(\"18446744073709551615ns\")", NULL,
		"time: invalid duration \"18446744073709551615ns\""},
	{"time.parse_duration_ns(\"1w1\302\265s\")", "604800000001000", NULL},
	{"time.parse_duration_ns(\"1d1\316\274s\")", NULL,
		"time: invalid duration \"1d1\316\274s\""},
};

/* parts, sums and differences of moments */
static const struct rego_row calendar_rows[] = {
	{"time.clock([1e18,\"Asia/Kathmandu\"])", "[7,31,40]", NULL},
	{"time.weekday(-1)", "\"Wednesday\"", NULL},
	{"time.add_date(1585852421593912000, 3, 9, 12)", "1705257221593912000", NULL},
	{"time.add_date(1.0e18, 1.5, 0, 0)", NULL,
		"operand 2 must be integer number but got floating-point number"},
	{"time.add_date(0, 1000000000000000000, 0, 0)", NULL, "time outside of valid range"},
	{"time.add_date(0, 0, 0, -200000)", NULL, "time outside of valid range"},
	{"time.diff(1e18, [0,\"Europe/Berlin\"])", "[31,8,8,1,46,40]", NULL},
	{"time.diff([1711846800000000000,\"Europe/Berlin\"],1700000000000000000)",
		"[0,4,16,3,46,40]", NULL},
	{"time.diff(0,0)", "[0,0,0,0,0,0]", NULL},
};

/* clang-format on */

static void test_format(void **state)
{
	check_rows(format_rows, ARRAY_COUNT(format_rows), NULL);
}

static void test_parse(void **state)
{
	check_rows(parse_rows, ARRAY_COUNT(parse_rows), NULL);
}

static void test_duration(void **state)
{
	check_rows(duration_rows, ARRAY_COUNT(duration_rows), NULL);
}

static void test_calendar(void **state)
{
	check_rows(calendar_rows, ARRAY_COUNT(calendar_rows), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
