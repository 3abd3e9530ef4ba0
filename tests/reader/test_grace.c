/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_grace.c - why: what a reader may still hold must not be freed, and what
 * it cannot hold any more must be; a reader is finished once, whoever comes;
 * and who spins sees what comes meanwhile.  Each of these is decided by what
 * the reader did between two looks, so the tests put it between them.
 */
#include <sched.h>

#include "bus_fixture.h"

#include "bus/bus.h"

/* ---- Lists that were replaced (GRACE) ------------------------------------ */

struct replacing {
	struct evbus *bus;
	struct evbus_reader *reader;
	unsigned calls;
	unsigned retired[3];
};

static unsigned
retired(const struct evbus_reader *reader)
{
	const struct evbus__retired *at;
	unsigned n = 0;

	for (at = reader->retired; at != NULL; at = at->next)
		n++;
	return n;
}

/* Each subscription makes a new list, and sweeps. */
static void
subscribe(struct replacing *replacing)
{
	assert_true(evbus_reader_subscribe(replacing->reader, "a", NULL, NULL,
	    NULL) > 0);
}

static enum evbus_verdict
replace_list(const struct evbus_event *event, void *arg)
{
	struct replacing *replacing = arg;

	(void)event;
	subscribe(replacing);
	replacing->retired[replacing->calls++] = retired(replacing->reader);
	return EVBUS_DONE;
}

/* Lists are kept while the poll goes on in which they were seen first, and
 * freed in the next. */
static void
lists_are_kept_for_the_poll_that_may_hold_them(void **state)
{
	struct replacing replacing = { .bus = fixture_open(NULL) };
	struct evbus_topic *topic = fixture_topic(replacing.bus, "a");
	int i;

	(void)state;
	replacing.reader = fixture_subscribed(replacing.bus, "a",
	    replace_list, &replacing);
	for (i = 0; i < 3; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	/* Two in one poll: the second sweep sees the same run as the first. */
	assert_int_equal(evbus_poll(replacing.reader, 2), 2);
	assert_int_equal(replacing.calls, 2);
	assert_int_equal(replacing.retired[0], 1);
	assert_int_equal(replacing.retired[1], 2);
	/* In another: those two go, the new one stays. */
	assert_int_equal(evbus_poll(replacing.reader, 1), 1);
	assert_int_equal(replacing.retired[2], 1);
	/* Nobody is inside. */
	subscribe(&replacing);
	assert_int_equal(retired(replacing.reader), 0);
	fixture_end(replacing.bus, 0);
}

/* The same events, and each time another list: it is looked at anew. */
static void
events_of_one_stretch_see_a_list_that_a_handler_changed(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct replacing replacing = { .bus = bus };
	atomic_uint count = 0;
	int i;

	(void)state;
	replacing.reader = fixture_subscribed(bus, "a", fixture_count, &count);
	for (i = 0; i < 8; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	/* Fed: one, two, four at once. */
	assert_int_equal(evbus_poll(replacing.reader, 7), 7);
	assert_true(evbus_reader_subscribe(replacing.reader, "a",
	    replace_list, &replacing, NULL) > 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_poll(replacing.reader, 9), 4);
	assert_int_equal(replacing.calls, 3);
	assert_int_equal(atomic_load(&count), 11);
	fixture_end(bus, 0);
}

/* The one handler of a topic, in the middle of a stretch. */
static enum evbus_verdict
subscribe_elsewhere(const struct evbus_event *event, void *arg)
{
	struct replacing *replacing = arg;

	(void)event;
	if (replacing->calls++ == 0)
		assert_true(evbus_reader_subscribe(replacing->reader, "b",
		    NULL, NULL, NULL) > 0);
	return EVBUS_DONE;
}

static void
change_of_another_list_is_no_end_of_a_stretch(void **state)
{
	struct replacing replacing = { .bus = fixture_open(NULL) };
	struct evbus_topic *topic = fixture_topic(replacing.bus, "a");
	int i;

	(void)state;
	(void)fixture_topic(replacing.bus, "b");
	replacing.reader = fixture_subscribed(replacing.bus, "a",
	    subscribe_elsewhere, &replacing);
	replacing.calls = 1;
	for (i = 0; i < 16; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_poll(replacing.reader, 7), 7);
	replacing.calls = 0;
	assert_int_equal(evbus_poll(replacing.reader, 9), 9);
	assert_int_equal(replacing.calls, 9);
	fixture_end(replacing.bus, 0);
}

/* ---- Ends ---------------------------------------------------------------- */

struct ending {
	struct evbus_reader *reader;
	int polled;
	unsigned closed;
};

static void
poll_closed(void *arg)
{
	struct ending *ending = arg;

	ending->closed++;
	ending->polled = evbus_poll(ending->reader, 1);
}

/* on_closed is run by who finishes the reader; who polls it there comes by the
 * same end, and must not finish it again (L2). */
static void
reader_polled_by_its_own_on_closed_is_finished_once_L2(void **state)
{
	struct evbus_subscribe_options options = { .on_closed = poll_closed };
	struct evbus *bus = fixture_open(NULL);
	struct ending ending = { 0 };

	(void)state;
	ending.reader = fixture_reader(bus, NULL);
	assert_true(evbus_reader_subscribe(ending.reader, "a", NULL, &ending,
	    &options) > 0);
	assert_int_equal(evbus_reader_close(ending.reader, 0), 0);
	assert_int_equal(ending.closed, 1);
	assert_int_equal(ending.polled, EVBUS_ECLOSED);
	fixture_refused(evbus_reader_close(ending.reader, 0), EVBUS_ECLOSED);
	assert_int_equal(ending.closed, 1);
	fixture_end(bus, 0);
}

/* ---- Limits -------------------------------------------------------------- */

/* There are as many ids as 2^30 subscriptions; the limit is moved to where a
 * test can come. */
static void
subscribe_beyond_the_limit_is_refused_and_ends_make_room(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	struct evbus__readers *readers = bus->context.readers;
	int64_t id = 0;
	unsigned i;

	(void)state;
	assert_int_equal(readers->max_subscriptions, UINT32_C(1) << 30);
	readers->max_subscriptions = 32;
	for (i = 0; i < 32; i++) {
		id = evbus_reader_subscribe(reader, "a", NULL, NULL, NULL);
		assert_true(id > 0);
	}
	fixture_refused(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL),
	    EVBUS_ELIMIT);
	fixture_says("32 subscriptions");
	assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) > 0);
	fixture_end(bus, 0);
}

/* ---- Waiting ------------------------------------------------------------- */

static int
has_looked_twice(void *arg)
{
	const struct evbus_reader *reader = arg;

	/* Each look enters and leaves; that evbus_wait() began is one more. */
	return EVBUS_LOAD(&reader->entry->running, ACQUIRE) >= 6;
}

struct spinning {
	struct evbus_reader *reader;
	struct evbus_topic *topic;
};

static void
publish_to_who_spins(struct fixture_thread *thread)
{
	struct spinning *spinning = thread->arg;

	fixture_check(thread, fixture_until(has_looked_twice,
	    spinning->reader));
	fixture_check(thread, evbus_publish(spinning->topic, "x", 1) == 0);
}

static void
wait_that_spins_sees_an_event_without_sleeping(void **state)
{
	struct evbus_reader_options options = { .spin_ns = FIXTURE_LONG };
	struct evbus *bus = fixture_open(NULL);
	struct spinning spinning = { .topic = fixture_topic(bus, "a") };
	struct evbus_reader_stats stats;
	struct fixture_thread thread;

	(void)state;
	spinning.reader = fixture_reader(bus, &options);
	assert_true(evbus_reader_subscribe(spinning.reader, "a", NULL, NULL,
	    NULL) > 0);
	assert_int_equal(EVBUS_LOAD(&spinning.reader->entry->running,
	    RELAXED), 0);
	fixture_start(&thread, publish_to_who_spins, &spinning);
	assert_int_equal(evbus_wait(spinning.reader, EVBUS_FOREVER), 1);
	fixture_join(&thread);
	assert_int_equal(evbus_reader_stats(spinning.reader, &stats), 0);
	assert_int_equal(stats.parks, 0);
	fixture_end(bus, 0);
}

/* A worker whose readers have all been closed. */
static void
wait_for_no_reader_at_all_ends_at_its_time_limit_S4(void **state)
{
	struct evbus__park park = { 0 };

	(void)state;
	assert_int_equal(evbus__wait_any(&park, NULL, 0, 1,
	    evbus__deadline(FIXTURE_MS)), 0);
	evbus__park_nudge(&park);
	assert_int_equal(evbus__wait_any(&park, NULL, 0, -1, EVBUS_FOREVER),
	    2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lists_are_kept_for_the_poll_that_may_hold_them),
		cmocka_unit_test(
		    events_of_one_stretch_see_a_list_that_a_handler_changed),
		cmocka_unit_test(change_of_another_list_is_no_end_of_a_stretch),
		cmocka_unit_test(
		    reader_polled_by_its_own_on_closed_is_finished_once_L2),
		cmocka_unit_test(
		    subscribe_beyond_the_limit_is_refused_and_ends_make_room),
		cmocka_unit_test(
		    wait_that_spins_sees_an_event_without_sleeping),
		cmocka_unit_test(
		    wait_for_no_reader_at_all_ends_at_its_time_limit_S4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
