/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_own_loop.c - why: a program with a loop of its own has no worker that
 * would sleep for a timer: the loop is told how long it may sleep, is woken
 * for a nearer timer, and fires them.
 */
#include <poll.h>

#include "bus_fixture.h"

#include <evbus/worker.h>

#include "bus/bus.h"

#define HOUR	(3600 * FIXTURE_SECOND)

static int64_t now;

static int64_t
show_now(void *arg)
{
	(void)arg;
	return now;
}

static struct evbus *
open_loop(int64_t (*clock)(void *))
{
	struct evbus_options options = { .own_loop = 1, .clock = clock };

	now = FIXTURE_SECOND;
	return fixture_open(&options);
}

static int
is_readable(struct evbus *bus)
{
	struct pollfd fd = { .fd = evbus_fd(bus), .events = POLLIN };

	assert_true(fd.fd >= 0);
	return poll(&fd, 1, 0);
}

/* It was nudged: a look for what, and one that finds nothing. */
static void
settle(struct evbus *bus)
{
	int i;

	for (i = 0; i < 3 && is_readable(bus); i++)
		assert_int_equal(evbus_run_once(bus, 100), 0);
	assert_int_equal(is_readable(bus), 0);
}

static void
loop_fires_timers_and_starts_no_thread_S6(void **state)
{
	struct evbus *bus = open_loop(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	unsigned threads = fixture_threads();
	atomic_uint count;

	(void)state;
	atomic_init(&count, 0);
	assert_true(evbus_subscribe(bus, "t", fixture_count, &count, NULL) >
	    0);
	settle(bus);
	assert_true(evbus_timeout_ns(bus) == EVBUS_FOREVER);
	/* The descriptor tells of a nearer timer than the loop knows of. */
	assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
	assert_int_equal(is_readable(bus), 1);
	settle(bus);
	assert_true(evbus_timeout_ns(bus) > HOUR / 2);
	assert_true(evbus_timeout_ns(bus) <= HOUR);
	assert_true(evbus_publish_after(topic, "x", 1, 0) > 0);
	assert_int_equal(is_readable(bus), 1);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	/* The timer, and the event that it made. */
	assert_int_equal(evbus_run_once(bus, 100), 2);
	assert_int_equal(atomic_load(&count), 1);
	assert_int_equal(evbus_run_once(bus, 100), 0);
	assert_int_equal(fixture_threads(), threads);
	fixture_end(bus, 0);
}

static void
budget_of_the_loop_holds_for_timers_too(void **state)
{
	struct evbus *bus = open_loop(show_now);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true(evbus_publish_after(topic, "x", 1, 1000) > 0);
	assert_int_equal(evbus_run_once(bus, 2), 0);
	/* By a clock of the options it is never long. */
	assert_true(evbus_timeout_ns(bus) <= 10 * FIXTURE_MS);
	now += 1000;
	assert_int_equal(evbus_timeout_ns(bus), 0);
	assert_int_equal(evbus_run_once(bus, 2), 2);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	assert_int_equal(evbus_run_once(bus, 2), 1);
	assert_true(evbus_timeout_ns(bus) == EVBUS_FOREVER);
	fixture_end(bus, 0);
}

/* Nobody could nudge a worker that is gone. */
static void
worker_that_runs_timers_ends_with_the_bus(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	int64_t id;

	(void)state;
	assert_int_equal(evbus_worker_open(bus, "evbus", NULL), 0);
	assert_int_equal(evbus_worker_close(bus, "evbus", FIXTURE_LONG), 0);
	id = evbus_publish_after(topic, "x", 1, HOUR);
	assert_true(id > 0);
	fixture_refused(evbus_worker_close(bus, "evbus", FIXTURE_LONG),
	    EVBUS_EBUSY);
	fixture_says("timers");
	assert_int_equal(evbus_timer_cancel(bus, id), 0);
	fixture_refused(evbus_worker_close(bus, "evbus", FIXTURE_LONG),
	    EVBUS_EBUSY);
	assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_fires_timers_and_starts_no_thread_S6),
		cmocka_unit_test(budget_of_the_loop_holds_for_timers_too),
		cmocka_unit_test(worker_that_runs_timers_ends_with_the_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
