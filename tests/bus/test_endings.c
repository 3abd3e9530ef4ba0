/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_endings.c - why: when a bus ends in the middle of something, each kind
 * of rest is told for itself, nothing is freed that somebody may look at, and
 * who comes too late is refused, even between two looks of one call (L3).
 */
#include <sched.h>

#include "bus_fixture.h"

#include "bus/bus.h"
#include "reader/reader.h"

/* ---- What is left -------------------------------------------------------- */

struct rest {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct fixture_hold hold;
	atomic_uint ready, go;
};

static void
wait_to_go(struct rest *rest)
{
	atomic_store(&rest->ready, 1);
	while (atomic_load(&rest->go) == 0)
		sched_yield();
}

/* Somebody else's reader, that has not come to its event yet. */
static void
reader_behind(struct fixture_thread *thread)
{
	struct rest *rest = thread->arg;

	fixture_check(thread, evbus_poll(rest->reader, 1) == 0);
	fixture_check(thread, evbus_publish(rest->topic, "x", 1) == 0);
	wait_to_go(rest);
}

static void
claim_open(struct fixture_thread *thread)
{
	struct rest *rest = thread->arg;
	struct evbus_claim claim;

	fixture_check(thread, evbus_claim(rest->topic, 1, 0, &claim) == 0);
	wait_to_go(rest);
	evbus_abort(&claim);
}

static void
handler_running(struct fixture_thread *thread)
{
	struct rest *rest = thread->arg;

	fixture_check(thread, evbus_publish(rest->topic, "x", 1) == 0);
	fixture_check(thread, evbus_poll(rest->reader, 1) == 1);
}

static struct evbus_report
close_beside(void (*body)(struct fixture_thread *), int lossy)
{
	struct evbus_reader_options options = { .lossy = lossy };
	struct evbus_report report;
	struct fixture_thread thread;
	struct rest rest = { .bus = fixture_open(NULL) };

	rest.topic = fixture_topic(rest.bus, "a");
	rest.reader = fixture_reader(rest.bus, &options);
	fixture_hold_init(&rest.hold);
	assert_true(evbus_reader_subscribe(rest.reader, "a", fixture_holding,
	    &rest.hold, NULL) > 0);
	fixture_start(&thread, body, &rest);
	if (body == handler_running)
		fixture_hold_entered(&rest.hold);
	else
		assert_true(fixture_until_count(&rest.ready, 1));
	fixture_refused(evbus_close(rest.bus, 0, &report), EVBUS_ETIMEDOUT);
	atomic_store(&rest.go, 1);
	fixture_hold_open(&rest.hold);
	fixture_join(&thread);
	fixture_free(rest.bus);
	return report;
}

static void
close_tells_events_claims_and_handlers_each_for_itself_L3(void **state)
{
	struct evbus_report report;

	(void)state;
	report = close_beside(reader_behind, 0);
	assert_int_equal(report.left, 1);
	assert_int_equal(report.open_claims, 0);
	assert_int_equal(report.running, 0);
	report = close_beside(claim_open, 1);
	assert_int_equal(report.left, 0);
	assert_int_equal(report.open_claims, 1);
	assert_int_equal(report.running, 0);
	report = close_beside(handler_running, 1);
	assert_int_equal(report.left, 0);
	assert_int_equal(report.open_claims, 0);
	assert_int_equal(report.running, 1);
}

static void
set_running(struct evbus_reader *reader, uint32_t running)
{
	EVBUS_STORE(&reader->entry->running, running, RELEASE);
}

/*
 * A thread that looks whether there is something to read runs no handler: the
 * bus is closed, though it could not wait for it.  But its memory stays until
 * that thread has left and, as it leaves, finished the reader.
 */
static void
close_beside_a_look_is_done_and_free_waits_for_it_L3(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	struct evbus_report report;
	uint32_t running = reader->entry->running;

	(void)state;
	set_running(reader, running + 1);
	assert_int_equal(evbus_close(bus, 0, &report), 0);
	assert_int_equal(report.readers, 1);
	assert_int_equal(report.running, 0);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	set_running(reader, running + 2);
	/* It has left, and is about to finish. */
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	evbus__reader_finish(reader);
	/* Another looks once more. */
	set_running(reader, running + 3);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	set_running(reader, running + 4);
	assert_int_equal(evbus_free(bus), 0);
}

/* A publish that came too late has seen so, and is about to leave. */
static void
free_waits_for_a_publisher_that_is_refused_L3(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_publisher *self = evbus__self(&bus->context);
	uint64_t section = self->section;

	(void)state;
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	EVBUS_STORE(&self->section, section + 1, RELEASE);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	EVBUS_STORE(&self->section, section, RELEASE);
	assert_int_equal(evbus_free(bus), 0);
}

/* ---- Between two looks of a call ----------------------------------------- */

/*
 * A thread's first call makes its record, for which it asks the allocator: by
 * then it has seen the bus open.
 */
struct closing {
	struct evbus *bus;
	int armed;
	int stream, reader, subscription, topic;
};

static void *
alloc_and_close(size_t size, void *arg)
{
	struct closing *closing = arg;

	if (closing->armed) {
		closing->armed = 0;
		EVBUS_STORE(&closing->bus->context.state, EVBUS__CLOSING,
		    RELEASE);
	}
	return malloc(size);
}

static void
free_any(void *p, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	free(p);
}

static void
open_again(struct closing *closing)
{
	EVBUS_STORE(&closing->bus->context.state, EVBUS__OPEN, RELEASE);
}

static void
open_stream(struct fixture_thread *thread)
{
	struct closing *closing = thread->arg;
	struct evbus_stream *stream;

	closing->armed = 1;
	fixture_check(thread, evbus_stream_open(closing->bus, "b.>", NULL,
	    &stream) == EVBUS_ECLOSED);
	fixture_check(thread, stream == NULL);
	fixture_check(thread, !closing->armed);
}

static void
open_reader(struct fixture_thread *thread)
{
	struct closing *closing = thread->arg;
	struct evbus_reader *reader;

	closing->armed = 1;
	fixture_check(thread, evbus_reader_open(closing->bus, NULL, &reader) ==
	    EVBUS_ECLOSED);
	fixture_check(thread, reader == NULL);
	fixture_check(thread, !closing->armed);
}

static void
open_on_a_bus_that_closes_meanwhile_is_refused_L3(void **state)
{
	struct closing closing = { 0 };
	struct evbus_options options = {
		.allocator = { alloc_and_close, free_any, &closing },
	};
	struct fixture_thread threads[2];

	(void)state;
	closing.bus = fixture_open(&options);
	/* Both at once, so that each needs a record of its own. */
	fixture_start(&threads[0], open_stream, &closing);
	fixture_join(&threads[0]);
	open_again(&closing);
	assert_non_null(evbus__self(&closing.bus->context));
	fixture_start(&threads[1], open_reader, &closing);
	fixture_join(&threads[1]);
	open_again(&closing);
	assert_int_equal(closing.bus->context.streams->count, 1);
	fixture_end(closing.bus, 0);
}

/* ---- Streams in turn ----------------------------------------------------- */

static void
flush_that_fails_at_one_stream_looks_at_no_other(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_stream *stream;
	struct evbus_reader *reader;

	(void)state;
	assert_int_equal(evbus_stream_open(bus, "b.>", NULL, &stream), 0);
	reader = fixture_subscribed(bus, ">", NULL, NULL);
	/* From now on it is this thread's. */
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b.c", "x", 1), 0);
	fixture_refused(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	fixture_says("\">\"");
	assert_int_equal(fixture_drain(reader), 2);
	assert_int_equal(evbus_flush(bus, 0), 0);
	fixture_end(bus, 0);
}

/* ---- Names --------------------------------------------------------------- */

static void
bus_with_an_empty_name_has_the_default_one(void **state)
{
	struct evbus_options options = { .name = "" };
	struct evbus *bus = fixture_open(&options);

	(void)state;
	assert_string_equal(bus->options.name, "evbus");
	fixture_end(bus, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    close_tells_events_claims_and_handlers_each_for_itself_L3),
		cmocka_unit_test(
		    close_beside_a_look_is_done_and_free_waits_for_it_L3),
		cmocka_unit_test(free_waits_for_a_publisher_that_is_refused_L3),
		cmocka_unit_test(
		    open_on_a_bus_that_closes_meanwhile_is_refused_L3),
		cmocka_unit_test(
		    flush_that_fails_at_one_stream_looks_at_no_other),
		cmocka_unit_test(bus_with_an_empty_name_has_the_default_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
