/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker's front decides by itself: whose evidence goes on, whose waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trustee/kbs/front-queue.h"

static void expect_next(struct front_queue *q, uint32_t want)
{
	uint32_t slot = UINT32_MAX;

	assert_true(front_queue_next(q, &slot));
	assert_int_equal(slot, want);
}

static void expect_none(struct front_queue *q)
{
	uint32_t slot = 0;

	assert_false(front_queue_next(q, &slot));
}

static void test_order(void **state)
{
	cleanup(front_queue_free) struct front_queue *q = front_queue_new(8, 100);

	assert_non_null(q);
	expect_none(q);
	assert_true(front_queue_enter(q, 0, 60));
	assert_true(front_queue_enter(q, 1, 40));
	assert_false(front_queue_enter(q, 2, 1));
	/* A small one does not overtake. */
	assert_false(front_queue_enter(q, 3, 0));
	assert_false(front_queue_enter(q, 4, 90));
	expect_none(q);
	front_queue_leave(q, 0);
	expect_next(q, 2);
	expect_next(q, 3);
	expect_none(q);
	assert_false(front_queue_enter(q, 0, 1));
	front_queue_leave(q, 1);
	expect_next(q, 4);
	expect_next(q, 0);
	expect_none(q);
}

static void test_large(void **state)
{
	cleanup(front_queue_free) struct front_queue *q = front_queue_new(4, 100);

	/* More than may be under way goes alone. */
	assert_true(front_queue_enter(q, 0, 1000));
	assert_false(front_queue_enter(q, 1, 1));
	assert_false(front_queue_enter(q, 2, SIZE_MAX));
	assert_false(front_queue_enter(q, 3, 1));
	front_queue_leave(q, 0);
	expect_next(q, 1);
	expect_none(q);
	front_queue_leave(q, 1);
	expect_next(q, 2);
	expect_none(q);
	front_queue_leave(q, 2);
	expect_next(q, 3);
}

static void test_leave(void **state)
{
	cleanup(front_queue_free) struct front_queue *q = front_queue_new(5, 10);

	front_queue_leave(q, 3); /* was never there */
	front_queue_leave(q, 5);
	assert_true(front_queue_enter(q, 5, 10));
	assert_true(front_queue_enter(q, 0, 10));
	for (uint32_t i = 1; i < 5; i++)
		assert_false(front_queue_enter(q, i, 10));
	/* Out of the middle, the end and the beginning of those that wait. */
	front_queue_leave(q, 2);
	front_queue_leave(q, 4);
	front_queue_leave(q, 4);
	front_queue_leave(q, 1);
	expect_none(q);
	front_queue_leave(q, 0);
	expect_next(q, 3);
	expect_none(q);
	/* A slot that is used again begins anew. */
	assert_true(front_queue_enter(q, 3, 5));
	assert_true(front_queue_enter(q, 0, 5));
	assert_false(front_queue_enter(q, 1, 1));
	front_queue_leave(q, 1);
	front_queue_leave(q, 3);
	front_queue_leave(q, 0);
	assert_true(front_queue_enter(q, 1, 10));
}

/* Whatever happens, all are served, and never more bytes at once than said. */
static void test_all_are_served(void **state)
{
	enum { SLOTS = 16, MAX = 50 };
	cleanup(front_queue_free) struct front_queue *q = front_queue_new(SLOTS, MAX);
	size_t bytes[SLOTS] = {0}, sum = 0, served = 0, entered = 0;
	int at[SLOTS] = {0}; /* 1 waits, 2 is under way */
	uint32_t seed = 1, slot;

	for (int step = 0; step < 200000; step++) {
		seed = seed * 1664525 + 1013904223;
		slot = seed >> 28;
		if (at[slot] == 0) {
			bytes[slot] = seed >> 8 & 31;
			entered++;
			at[slot] = front_queue_enter(q, slot, bytes[slot]) ? 2 : 1;
			sum += at[slot] == 2 ? bytes[slot] : 0;
		} else if (at[slot] == 2 || (seed >> 20 & 7) == 0) {
			front_queue_leave(q, slot);
			sum -= at[slot] == 2 ? bytes[slot] : 0;
			served++;
			at[slot] = 0;
		}
		while (front_queue_next(q, &slot)) {
			assert_int_equal(at[slot], 1);
			at[slot] = 2;
			sum += bytes[slot];
		}
		assert_true(sum <= MAX);
	}
	for (slot = 0; slot < SLOTS; slot++)
		served += at[slot] != 0;
	assert_int_equal(served, entered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_all_are_served),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
