/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_watch.c - why: the watch in its smallest form: for each time that it is
 * armed the descriptor is counted up once, by whom ever, and what is owed is
 * known, also where a waker is slow (F5).
 */
#include <unistd.h>

#include "ring/watch.h"
#include "support/event_check.h"

/* A waker that has taken the word, and not yet added to the count. */
static void
take(struct evbus__park *park)
{
	assert_true(EVBUS_XCHG(&park->word, EVBUS__PARK_AWAKE, RELAXED) >=
	    EVBUS__PARK_EVENT);
}

static void
open_watch(struct evbus__watch *watch, struct evbus__park *park)
{
	memset(watch, 0, sizeof *watch);
	memset(park, 0, sizeof *park);
	assert_int_equal(evbus__watch_open(watch), 0);
	assert_int_equal(evbus__watch_open(watch), 0);
}

static void
opened_it_is_readable_and_armed_it_is_not(void **state)
{
	struct evbus__watch watch;
	struct evbus__park park;

	(void)state;
	open_watch(&watch, &park);
	assert_false(evbus__watch_stands(&watch, &park));
	/* It is readable as it is. */
	evbus__watch_show(&watch, &park);
	assert_int_equal(watch.owed, 1);
	evbus__watch_arm(&watch, &park);
	assert_true(evbus__watch_stands(&watch, &park));
	assert_int_equal(evbus__os_event_clear(watch.fd), 0);
	evbus__watch_close(&watch);
	evbus__watch_close(&watch);
}

static void
wake_of_an_armed_one_counts_once(void **state)
{
	struct evbus__watch watch;
	struct evbus__park park;

	(void)state;
	open_watch(&watch, &park);
	evbus__watch_arm(&watch, &park);
	assert_int_equal(evbus__park_wake(&park), 1);
	assert_int_equal(evbus__park_wake(&park), 0);
	assert_false(evbus__watch_stands(&watch, &park));
	/* The waker's is enough. */
	evbus__watch_show(&watch, &park);
	assert_int_equal(watch.owed, 1);
	assert_int_equal(evbus__os_event_clear(watch.fd), 1);
	evbus__watch_close(&watch);
}

static void
show_of_an_armed_one_counts_once(void **state)
{
	struct evbus__watch watch;
	struct evbus__park park;

	(void)state;
	open_watch(&watch, &park);
	evbus__watch_arm(&watch, &park);
	evbus__watch_show(&watch, &park);
	evbus__watch_show(&watch, &park);
	assert_int_equal(evbus__park_wake(&park), 0);
	assert_int_equal(evbus__os_event_clear(watch.fd), 1);
	evbus__watch_close(&watch);
}

static void
slow_waker_is_owed_until_its_addition_is_cleared(void **state)
{
	struct evbus__watch watch;
	struct evbus__park park;

	(void)state;
	open_watch(&watch, &park);
	evbus__watch_arm(&watch, &park);
	take(&park);
	evbus__watch_arm(&watch, &park);
	assert_int_equal(watch.owed, 1);
	assert_false(evbus__watch_stands(&watch, &park));
	evbus__os_event_signal(watch.fd);	/* now it does */
	evbus__watch_arm(&watch, &park);
	assert_int_equal(watch.owed, 0);
	assert_true(evbus__watch_stands(&watch, &park));
	/* Shown, it is known that one is about to. */
	take(&park);
	evbus__watch_show(&watch, &park);
	evbus__watch_show(&watch, &park);
	assert_int_equal(watch.owed, 1);
	assert_int_equal(evbus__os_event_clear(watch.fd), 0);
	evbus__watch_close(&watch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_it_is_readable_and_armed_it_is_not),
		cmocka_unit_test(wake_of_an_armed_one_counts_once),
		cmocka_unit_test(show_of_an_armed_one_counts_once),
		cmocka_unit_test(
		    slow_waker_is_owed_until_its_addition_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
