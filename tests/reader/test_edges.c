/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_edges.c - why: the rare ways through the calls of readers: a thread that
 * gets no record, a slot that a worker still holds, a list that could not be
 * shortened, a sleep that ends for no reason.  Each has a defined answer, and
 * nobody comes by there by chance.
 */
#include <sched.h>
#include <signal.h>

#include "bus_fixture.h"
#include "fault_alloc.h"
#include "reader/reader.h"

/* ---- A thread too many --------------------------------------------------- */

struct late {
	struct evbus *bus;
	struct evbus_reader *reader;
	int64_t id;
};

static void
late_comer(struct fixture_thread *thread)
{
	struct late *late = thread->arg;
	struct evbus_reader *reader;
	struct evbus_topic *topic;

	fixture_check(thread, evbus_poll(late->reader, 1) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_next(late->reader) == NULL);
	fixture_check(thread, strstr(evbus_errmsg(), "max_publishers") != NULL);
	evbus_done(late->reader);
	fixture_check(thread, evbus_wait(late->reader, 0) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_reader_open(late->bus, NULL, &reader) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_reader_subscribe(late->reader, "b", NULL,
	    NULL, NULL) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_unsubscribe(late->bus, late->id, 0) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_reader_close(late->reader, 0) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_topic_open(late->bus, "new", NULL,
	    &topic) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_flush(late->bus, 0) == EVBUS_ELIMIT);
}

/* M2: refused, and nothing was changed by it. */
static void
thread_without_a_record_is_refused_by_every_call_M2(void **state)
{
	struct evbus_options options = { .max_publishers = 1 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct fixture_thread thread;
	atomic_uint count = 0;
	struct late late = { .bus = bus };

	(void)state;
	late.reader = fixture_reader(bus, NULL);
	late.id = evbus_reader_subscribe(late.reader, "a", fixture_count,
	    &count, NULL);
	assert_true(late.id > 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_start(&thread, late_comer, &late);
	fixture_join(&thread);
	assert_int_equal(evbus_poll(late.reader, 9), 1);
	assert_int_equal(atomic_load(&count), 1);
	assert_int_equal(evbus_unsubscribe(bus, late.id, 0), 0);
	fixture_end(bus, 0);
}

/* ---- Slots --------------------------------------------------------------- */

/* A closed reader's slot is not used again while its worker may look at it. */
static void
slot_that_a_busy_worker_holds_is_not_used_again(void **state)
{
	struct evbus_options options = { .max_readers = 3 };
	struct evbus_reader_options on_worker = { .worker = "w" };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *busy = fixture_reader(bus, &on_worker);
	struct evbus_reader *closed = fixture_reader(bus, &on_worker);
	struct evbus_reader *plain = fixture_reader(bus, NULL), *reader;
	struct fixture_hold hold;
	unsigned tries = 0;
	int result;

	(void)state;
	fixture_hold_init(&hold);
	assert_true(evbus_reader_subscribe(busy, "a", fixture_holding, &hold,
	    NULL) > 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_hold_entered(&hold);
	assert_int_equal(evbus_reader_close(closed, FIXTURE_LONG), 0);
	assert_int_equal(evbus_reader_close(plain, FIXTURE_LONG), 0);
	/* The first in the row is passed over. */
	assert_int_equal(evbus_reader_open(bus, NULL, &reader), 0);
	assert_ptr_equal(reader, plain);
	fixture_refused(evbus_reader_open(bus, NULL, &reader), EVBUS_ELIMIT);
	/* One that is given back behind it is found, too. */
	assert_int_equal(evbus_reader_close(plain, FIXTURE_LONG), 0);
	assert_int_equal(evbus_reader_open(bus, NULL, &reader), 0);
	assert_ptr_equal(reader, plain);
	fixture_hold_open(&hold);
	/* Now the worker comes by, and lets it go. */
	do {
		result = evbus_reader_open(bus, NULL, &reader);
		assert_true(result == 0 || result == EVBUS_ELIMIT);
		sched_yield();
	} while (result != 0 && tries++ < 10000000);
	assert_int_equal(result, 0);
	assert_ptr_equal(reader, closed);
	fixture_end(bus, 0);
}

/* ---- Ends of subscriptions ----------------------------------------------- */

/* L2: what is dead is not returned, though its list could not be made anew. */
static void
next_passes_dead_subscriptions_left_without_memory_L2(void **state)
{
	struct evbus_options options = { 0 };
	struct fault_alloc fault;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct evbus_reader_stats stats;
	struct evbus *bus;
	int64_t id[2];
	int i;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "a");
	reader = fixture_reader(bus, NULL);
	for (i = 0; i < 2; i++) {
		id[i] = evbus_reader_subscribe(reader, "a", NULL, NULL, NULL);
		assert_true(id[i] > 0);
	}
	fault_alloc_arm(&fault, 1, 1);
	for (i = 0; i < 2; i++) {
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_non_null(evbus_next(reader));
		evbus_done(reader);
		assert_int_equal(evbus_unsubscribe(bus, id[i], 0), 0);
		fixture_refused(evbus_unsubscribe(bus, id[i], 0),
		    EVBUS_ENOENT);
	}
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_null(evbus_next(reader));
	fault_alloc_arm(&fault, 0, 0);
	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.delivered, 2);
	assert_int_equal(stats.skipped, 1);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

static void
unsubscribe_of_what_never_was_is_enoent(void **state)
{
	static const int64_t never[] = { 0, -1, 1, INT64_C(1) << 32,
	    INT64_C(1) << 32 | 17, INT64_C(1) << 32 | UINT32_MAX, INT64_MAX };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	size_t i;

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) > 0);
	for (i = 0; i < sizeof never / sizeof never[0]; i++)
		fixture_refused(evbus_unsubscribe(bus, never[i], 0),
		    EVBUS_ENOENT);
	fixture_end(bus, 0);
}

struct ends {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;	/* run by its own thread */
	struct fixture_hold hold[2];	/* in its handlers, in this order */
	int64_t id[3];
	atomic_uint closed[3];
	atomic_uint waited;
	int result;			/* of the third's end */
};

static void
count_closed(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static enum evbus_verdict
hold_first(const struct evbus_event *event, void *arg)
{
	return fixture_holding(event, &((struct ends *)arg)->hold[0]);
}

static enum evbus_verdict
hold_second(const struct evbus_event *event, void *arg)
{
	return fixture_holding(event, &((struct ends *)arg)->hold[1]);
}

static void
run_reader(struct fixture_thread *thread)
{
	struct ends *ends = thread->arg;

	fixture_check(thread, evbus_wait(ends->reader, FIXTURE_LONG) == 1);
	fixture_check(thread, evbus_poll(ends->reader, 1) == 1);
}

static void
wait_for_first(struct fixture_thread *thread)
{
	struct ends *ends = thread->arg;

	fixture_check(thread, evbus_unsubscribe(ends->bus, ends->id[0],
	    FIXTURE_LONG) == 0);
	fixture_check(thread, atomic_load(&ends->closed[0]) == 1);
	atomic_store(&ends->waited, 1);
}

/* Ended by the waiter; its handler runs, so that its memory stays. */
static int
is_dead(void *subscription)
{
	return EVBUS_LOAD(&((struct evbus__subscription *)subscription)->dead,
	    ACQUIRE) != 0;
}

static enum evbus_verdict
end_third(const struct evbus_event *event, void *arg)
{
	struct ends *ends = arg;

	(void)event;
	ends->result = evbus_unsubscribe(ends->bus, ends->id[2], 0);
	return EVBUS_DONE;
}

static void
ends_open(struct ends *ends)
{
	int i;

	memset(ends, 0, sizeof *ends);
	ends->bus = fixture_open(NULL);
	ends->topic = fixture_topic(ends->bus, "a");
	ends->reader = fixture_reader(ends->bus, NULL);
	for (i = 0; i < 3; i++) {
		struct evbus_subscribe_options options = { count_closed };
		void *arg = ends;

		if (i == 2)
			arg = &ends->closed[2];
		if (i < 2)
			fixture_hold_init(&ends->hold[i]);
		/* on_closed has the handler's argument: one each. */
		ends->id[i] = evbus_reader_subscribe(ends->reader, "a",
		    i == 0 ? hold_first : i == 1 ? hold_second : NULL,
		    arg, i < 2 ? NULL : &options);
		assert_true(ends->id[i] > 0);
	}
}

/*
 * L2: who waits for a subscription's end takes that one out, and leaves the
 * others, which may be running, to who runs the reader.
 */
static void
unsubscribe_ends_its_own_before_the_run_is_over_L2(void **state)
{
	struct fixture_thread runner, waiter;
	struct evbus__subscription *first;
	struct evbus_reader *other;
	struct evbus_topic *topic;
	struct ends ends;

	(void)state;
	ends_open(&ends);
	first = evbus__subscription_find(ends.reader->context->readers,
	    ends.id[0]);
	assert_non_null(first);
	atomic_store(&ends.closed[0], 1);	/* has no on_closed */
	topic = fixture_topic(ends.bus, "b");
	other = fixture_subscribed(ends.bus, "b", end_third, &ends);
	fixture_start(&runner, run_reader, &ends);
	assert_int_equal(evbus_publish(ends.topic, "x", 1), 0);
	fixture_hold_entered(&ends.hold[0]);
	fixture_start(&waiter, wait_for_first, &ends);
	assert_true(fixture_until(is_dead, first));
	/* A second one comes before it, from a handler that never waits. */
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	ends.result = 1;
	assert_int_equal(fixture_drain(other), 2);
	assert_int_equal(ends.result, 0);
	assert_int_equal(atomic_load(&ends.closed[2]), 0);
	fixture_hold_open(&ends.hold[0]);
	fixture_hold_entered(&ends.hold[1]);
	/* The reader still runs, and the first has ended; the third has not. */
	fixture_join(&waiter);
	assert_int_equal(atomic_load(&ends.waited), 1);
	assert_int_equal(atomic_load(&ends.closed[2]), 0);
	fixture_hold_open(&ends.hold[1]);
	fixture_join(&runner);
	assert_int_equal(atomic_load(&ends.closed[2]), 1);
	fixture_end(ends.bus, 0);
}

/* S4: a time limit shorter than a look, and one of a few looks. */
static void
unsubscribe_keeps_short_time_limits_S4(void **state)
{
	static const int64_t limit[2] = { FIXTURE_MS / 2, 7 * FIXTURE_MS / 2 };
	struct fixture_thread runner;
	struct ends ends;
	int64_t since;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ends_open(&ends);
		fixture_start(&runner, run_reader, &ends);
		assert_int_equal(evbus_publish(ends.topic, "x", 1), 0);
		fixture_hold_entered(&ends.hold[0]);
		since = evbus__os_now();
		fixture_refused(evbus_unsubscribe(ends.bus, ends.id[0],
		    limit[i]), EVBUS_ETIMEDOUT);
		assert_true(evbus__os_now() - since >= limit[i]);
		fixture_hold_open(&ends.hold[1]);
		fixture_hold_open(&ends.hold[0]);
		fixture_join(&runner);
		fixture_end(ends.bus, 0);
	}
}

/* ---- Looking ------------------------------------------------------------- */

struct inside {
	struct evbus_reader *reader;
	int ready;
	unsigned calls;
};

static enum evbus_verdict
look_inside(const struct evbus_event *event, void *arg)
{
	struct inside *inside = arg;

	(void)event;
	inside->ready += evbus__reader_ready(inside->reader);
	inside->calls++;
	return EVBUS_DONE;
}

/* GRACE: who only looks does not enter a reader that is run. */
static void
look_at_a_reader_that_is_run_finds_nothing(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct inside inside = { 0 };

	(void)state;
	inside.reader = fixture_subscribed(bus, "a", look_inside, &inside);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus__reader_ready(inside.reader), 1);
	assert_int_equal(evbus_poll(inside.reader, 2), 2);
	assert_int_equal(inside.calls, 2);
	assert_int_equal(inside.ready, 0);
	fixture_end(bus, 0);
}

/* A worker's reader is the worker's: done changes nothing, without a code. */
static void
done_with_a_workers_reader_does_nothing(void **state)
{
	struct evbus_reader_options options = { .worker = "w" };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_reader(bus, &options);
	struct evbus_reader_stats stats;
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	assert_true(evbus_reader_subscribe(reader, "a", fixture_holding, &hold,
	    NULL) > 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_hold_entered(&hold);
	evbus_done(reader);
	evbus_done(NULL);
	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.passed, 0);
	fixture_hold_open(&hold);
	fixture_end(bus, 0);
}

struct sleeper {
	struct evbus_reader *reader;
	int64_t timeout_ns;
};

static void
sleep_until_event(struct fixture_thread *thread)
{
	struct sleeper *sleeper = thread->arg;

	fixture_check(thread, evbus_wait(sleeper->reader,
	    sleeper->timeout_ns) == 1);
}

static void
nothing(int signal)
{
	(void)signal;
}

/* F5: a sleep that a signal ends goes on, with a time limit and without. */
static void
wait_interrupted_by_signals_sleeps_on_F5(void **state)
{
	static const int64_t limit[2] = { EVBUS_FOREVER, FIXTURE_LONG };
	struct sigaction action = { .sa_handler = nothing }, before;
	struct evbus_reader_options options = { .spin_ns = -1 };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct sleeper sleeper = { fixture_reader(bus, &options), 0 };
	struct fixture_thread thread;
	struct evbus_reader_stats stats;
	uint64_t parks;
	int i, k;

	(void)state;
	assert_true(evbus_reader_subscribe(sleeper.reader, "a", NULL, NULL,
	    NULL) > 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	for (i = 0; i < 2; i++) {
		sleeper.timeout_ns = limit[i];
		assert_int_equal(evbus_reader_stats(sleeper.reader, &stats),
		    0);
		parks = stats.parks;
		fixture_start(&thread, sleep_until_event, &sleeper);
		for (k = 0; k < 5; k++) {
			assert_true(fixture_until_parked(sleeper.reader,
			    parks));
			parks++;
			/* It may not sleep yet: until it has been woken. */
			do {
				assert_int_equal(pthread_kill(thread.thread,
				    SIGUSR1), 0);
				sched_yield();
				assert_int_equal(evbus_reader_stats(
				    sleeper.reader, &stats), 0);
			} while (stats.parks <= parks);
			parks = stats.parks - 1;
		}
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		fixture_join(&thread);
		assert_non_null(evbus_next(sleeper.reader));
		evbus_done(sleeper.reader);
	}
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    thread_without_a_record_is_refused_by_every_call_M2),
		cmocka_unit_test(
		    slot_that_a_busy_worker_holds_is_not_used_again),
		cmocka_unit_test(
		    next_passes_dead_subscriptions_left_without_memory_L2),
		cmocka_unit_test(unsubscribe_of_what_never_was_is_enoent),
		cmocka_unit_test(
		    unsubscribe_ends_its_own_before_the_run_is_over_L2),
		cmocka_unit_test(unsubscribe_keeps_short_time_limits_S4),
		cmocka_unit_test(look_at_a_reader_that_is_run_finds_nothing),
		cmocka_unit_test(done_with_a_workers_reader_does_nothing),
		cmocka_unit_test(wait_interrupted_by_signals_sleeps_on_F5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
