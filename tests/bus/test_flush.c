/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flush.c - why: a program flushes before it relies on what its modules
 * have done.  0 must mean that the handlers have returned; a flush that only
 * the caller could end must not hang (S3), and one that somebody else holds up
 * ends at its time limit (S4).
 */
#include <sched.h>

#include "bus_fixture.h"

/* Plain, not atomic: the flush is what orders it. */
static enum evbus_verdict
add_up(const struct evbus_event *event, void *arg)
{
	unsigned value;

	memcpy(&value, event->data, sizeof value);
	*(unsigned *)arg += value;
	return EVBUS_DONE;
}

static void
flush_returns_when_handlers_have_returned(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	unsigned sum = 0, expected = 0, i;

	(void)state;
	assert_true(evbus_subscribe(bus, "a", add_up, &sum, NULL) > 0);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
		expected += i;
		if (i % 50 == 0) {
			assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
			assert_int_equal(sum, expected);
		}
	}
	assert_int_equal(evbus_flush(bus, EVBUS_FOREVER), 0);
	assert_int_equal(sum, expected);
	fixture_end(bus, 0);
}

static void
flush_of_several_streams_waits_for_each(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_stream *stream;
	unsigned sum[2] = { 0, 0 }, one = 1;

	(void)state;
	assert_int_equal(evbus_stream_open(bus, "b.>", NULL, &stream), 0);
	assert_true(evbus_subscribe(bus, "a.>", add_up, &sum[0], NULL) > 0);
	assert_true(evbus_subscribe(bus, "b.>", add_up, &sum[1], NULL) > 0);
	assert_int_equal(evbus_publish_name(bus, "a.x", &one, sizeof one), 0);
	assert_int_equal(evbus_publish_name(bus, "b.x", &one, sizeof one), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(sum[0], 1);
	assert_int_equal(sum[1], 1);
	fixture_end(bus, 0);
}

static void
flush_without_readers_or_with_lossy_ones_is_0_at_once(void **state)
{
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader;

	(void)state;
	assert_int_equal(evbus_flush(bus, 0), 0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_flush(bus, EVBUS_FOREVER), 0);
	reader = fixture_reader(bus, &lossy);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) >
	    0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_flush(bus, EVBUS_FOREVER), 0);
	fixture_end(bus, 0);
}

/* S4. */
static void
flush_behind_a_slow_handler_is_etimedout_S4(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	assert_true(evbus_subscribe(bus, "a", fixture_holding, &hold, NULL) >
	    0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_flush(bus, 0), EVBUS_ETIMEDOUT);
	fixture_refused(evbus_flush(bus, FIXTURE_MS), EVBUS_ETIMEDOUT);
	fixture_says("still behind after 1000000 ns");
	/* Who, and which line of code subscribed (S1). */
	fixture_says("subscribed at tests/bus/test_flush.c:");
	fixture_says("is at sequence 0");
	fixture_hold_open(&hold);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

/* S3: at once, whatever the time limit. */
static void
flush_behind_a_reader_of_the_caller_is_edeadlk_S3(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader;
	atomic_uint count = 0;

	(void)state;
	reader = fixture_subscribed(bus, "a", fixture_count, &count);
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_refused(evbus_flush(bus, EVBUS_FOREVER), EVBUS_EDEADLK);
	assert_int_equal(fixture_drain(reader), 1);
	assert_int_equal(evbus_flush(bus, EVBUS_FOREVER), 0);
	fixture_end(bus, 0);
}

static void
flush_behind_an_open_claim_of_the_caller_is_edeadlk_S3(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_claim claim;
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_subscribe(bus, "a", fixture_count, &count, NULL) >
	    0);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	fixture_refused(evbus_flush(bus, EVBUS_FOREVER), EVBUS_EDEADLK);
	evbus_abort(&claim);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_end(bus, 0);
}

struct flushing {
	struct evbus *bus;
	atomic_uint runs;
	int result;
};

static enum evbus_verdict
flush_inside(const struct evbus_event *event, void *arg)
{
	struct flushing *flushing = arg;

	(void)event;
	flushing->result = evbus_flush(flushing->bus, EVBUS_FOREVER);
	atomic_fetch_add(&flushing->runs, 1);
	return EVBUS_DONE;
}

static void
flush_inside_a_handler_is_edeadlk_S3(void **state)
{
	struct flushing flushing = { 0 };

	(void)state;
	flushing.bus = fixture_open(NULL);
	assert_true(evbus_subscribe(flushing.bus, "a", flush_inside,
	    &flushing, NULL) > 0);
	assert_int_equal(evbus_publish_name(flushing.bus, "a", "x", 1), 0);
	assert_true(fixture_until_count(&flushing.runs, 1));
	assert_int_equal(flushing.result, EVBUS_EDEADLK);
	fixture_end(flushing.bus, 0);
}

struct laggard {
	struct evbus_reader *reader;
	atomic_uint polled;
	atomic_uint go;
};

static void
poll_late(struct fixture_thread *thread)
{
	struct laggard *laggard = thread->arg;

	fixture_check(thread, evbus_poll(laggard->reader, 1) == 0);
	atomic_store(&laggard->polled, 1);
	while (atomic_load(&laggard->go) == 0)
		sched_yield();
	fixture_check(thread, evbus_poll(laggard->reader, 1) == 1);
}

/* Another thread's reader is waited for, and no deadlock is seen in it. */
static void
flush_behind_a_reader_of_another_thread_waits(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct laggard laggard = { 0 };
	struct fixture_thread thread;

	(void)state;
	laggard.reader = fixture_subscribed(bus, "a", NULL, NULL);
	fixture_start(&thread, poll_late, &laggard);
	assert_true(fixture_until_count(&laggard.polled, 1));
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_refused(evbus_flush(bus, FIXTURE_MS), EVBUS_ETIMEDOUT);
	atomic_store(&laggard.go, 1);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

static void
give_back(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	++*(unsigned *)arg;
}

/* What no reader needs any more comes back inside the flush. */
static void
flush_gives_payloads_by_reference_back(void **state)
{
	struct evbus_publish_options by_reference = { .release = give_back };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	unsigned given = 0;

	(void)state;
	by_reference.release_arg = &given;
	assert_int_equal(evbus_publish_with(topic, "data", 4, &by_reference),
	    0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(evbus_flush(bus, 0), 0);
	assert_int_equal(given, 1);
	fixture_end(bus, 0);
	assert_int_equal(given, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flush_returns_when_handlers_have_returned),
		cmocka_unit_test(flush_of_several_streams_waits_for_each),
		cmocka_unit_test(
		    flush_without_readers_or_with_lossy_ones_is_0_at_once),
		cmocka_unit_test(flush_behind_a_slow_handler_is_etimedout_S4),
		cmocka_unit_test(
		    flush_behind_a_reader_of_the_caller_is_edeadlk_S3),
		cmocka_unit_test(
		    flush_behind_an_open_claim_of_the_caller_is_edeadlk_S3),
		cmocka_unit_test(flush_inside_a_handler_is_edeadlk_S3),
		cmocka_unit_test(flush_behind_a_reader_of_another_thread_waits),
		cmocka_unit_test(flush_gives_payloads_by_reference_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
