/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_thread.c - why: every thread has one record per bus, and there are only
 * max_publishers of them.  A record that is not given back when its thread ends
 * makes a long-running program refuse its threads one day; claims that such a
 * thread left open would stop every reader for ever (S5).
 */
#include "bus_fixture.h"

#define LIMIT 4

struct crowd {
	struct evbus *bus[5];
	unsigned buses;
	struct evbus_topic *topic;
	pthread_barrier_t barrier;
	atomic_uint refused;
	atomic_uint accepted;
	atomic_uint publisher;		/* last number seen */
};

static struct evbus *
open_limited(void)
{
	struct evbus_options options = { .max_publishers = LIMIT };

	return fixture_open(&options);
}

static void
publish_once(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;
	unsigned i;

	for (i = 0; i < crowd->buses; i++)
		fixture_check(thread, evbus_publish_name(crowd->bus[i], "a",
		    "x", 1) == 0);
}

static void
threads_one_after_another_may_be_more_than_max_publishers(void **state)
{
	struct fixture_thread thread;
	struct crowd crowd = { .buses = 1 };
	struct evbus_stream_stats stats;
	int i;

	(void)state;
	crowd.bus[0] = open_limited();
	for (i = 0; i < 20 * LIMIT; i++) {
		fixture_start(&thread, publish_once, &crowd);
		fixture_join(&thread);
	}
	assert_int_equal(evbus_stream_stats(evbus_stream_default(
	    crowd.bus[0]), &stats), 0);
	assert_int_equal(stats.tail, 20 * LIMIT);
	fixture_end(crowd.bus[0], 0);
}

/* A thread's records on all of its buses end with it. */
static void
threads_of_many_buses_give_back_every_record(void **state)
{
	struct fixture_thread thread;
	struct crowd crowd = { .buses = 5 };
	unsigned i;

	(void)state;
	for (i = 0; i < crowd.buses; i++)
		crowd.bus[i] = open_limited();
	for (i = 0; i < 5 * LIMIT; i++) {
		fixture_start(&thread, publish_once, &crowd);
		fixture_join(&thread);
	}
	for (i = 0; i < crowd.buses; i++)
		fixture_end(crowd.bus[i], 0);
}

static void
publish_at_once(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;
	int result;

	(void)pthread_barrier_wait(&crowd->barrier);
	result = evbus_publish(crowd->topic, "x", 1);
	fixture_check(thread, result == 0 || result == EVBUS_ELIMIT);
	if (result == EVBUS_ELIMIT) {
		fixture_check(thread, strstr(evbus_errmsg(),
		    "max_publishers") != NULL);
		atomic_fetch_add(&crowd->refused, 1);
	}
	/* All live until all have asked. */
	(void)pthread_barrier_wait(&crowd->barrier);
	if (result == 0)
		fixture_check(thread, evbus_publish(crowd->topic, "x", 1) ==
		    0);
}

static void
threads_at_once_beyond_max_publishers_are_elimit(void **state)
{
	struct fixture_thread thread[LIMIT + 2];
	struct crowd crowd = { 0 };
	int i;

	(void)state;
	crowd.bus[0] = open_limited();
	crowd.topic = fixture_topic(crowd.bus[0], "a");
	assert_int_equal(pthread_barrier_init(&crowd.barrier, NULL,
	    LIMIT + 2), 0);
	for (i = 0; i < LIMIT + 2; i++)
		fixture_start(&thread[i], publish_at_once, &crowd);
	for (i = 0; i < LIMIT + 2; i++)
		fixture_join(&thread[i]);
	/* This thread has a record too. */
	assert_int_equal(atomic_load(&crowd.refused), 3);
	crowd.buses = 1;
	fixture_start(&thread[0], publish_once, &crowd);
	fixture_join(&thread[0]);
	pthread_barrier_destroy(&crowd.barrier);
	fixture_end(crowd.bus[0], 0);
}

/* All calls that need a record say so; none of them hangs or crashes. */
static void
call_without_a_record(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;
	struct evbus *bus = crowd->bus[0];
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct evbus_claim claim;
	struct iovec payload = { thread->failure, 1 };

	fixture_check(thread, evbus_publish(crowd->topic, "x", 1) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_publish_batch(crowd->topic, &payload,
	    1) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_publish_with(crowd->topic, "x", 1,
	    NULL) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_claim(crowd->topic, 1, 0, &claim) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_topic_open(bus, "new", NULL, &topic) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_stream_open(bus, "new", NULL, &stream) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_reader_open(bus, NULL, &reader) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_subscribe(bus, "a", fixture_count,
	    &crowd->accepted, NULL) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_flush(bus, 0) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_close(bus, 0, NULL) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_publisher_set_name(bus, "n") ==
	    EVBUS_ELIMIT);
}

static void
calls_of_a_thread_without_a_record_are_elimit(void **state)
{
	struct evbus_options options = { .max_publishers = 1 };
	struct fixture_thread thread;
	struct crowd crowd = { 0 };

	(void)state;
	crowd.bus[0] = fixture_open(&options);
	crowd.topic = fixture_topic(crowd.bus[0], "a");
	fixture_start(&thread, call_without_a_record, &crowd);
	fixture_join(&thread);
	/* The worker of a subscription needs a record as well. */
	fixture_refused(evbus_subscribe(crowd.bus[0], "a", fixture_count,
	    &crowd.accepted, NULL), EVBUS_ELIMIT);
	assert_int_equal(evbus_publish(crowd.topic, "x", 1), 0);
	fixture_end(crowd.bus[0], 0);
}

/* ---- Claims of threads that end ------------------------------------------ */

static void
claim_and_end(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;
	struct evbus_claim claim;
	int i;

	for (i = 0; i < 3; i++)
		fixture_check(thread, evbus_claim(crowd->topic,
		    i == 2 ? 500 : 8, 0, &claim) == 0);
}

/* S5: open claims become counted holes, and their blocks come back. */
static void
thread_that_ends_with_open_claims_leaves_counted_holes_S5(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 16,
	    .pool_blocks = 2 } };
	struct fixture_thread thread;
	struct crowd crowd = { 0 };
	struct evbus_stream_stats stats;
	struct evbus_reader_stats counts;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	int i;

	(void)state;
	crowd.bus[0] = fixture_open(&options);
	crowd.topic = fixture_topic(crowd.bus[0], "a");
	reader = fixture_subscribed(crowd.bus[0], "a", fixture_count, &count);
	for (i = 0; i < 10; i++) {
		fixture_start(&thread, claim_and_end, &crowd);
		fixture_join(&thread);
		assert_int_equal(evbus_publish(crowd.topic, "x", 1), 0);
		assert_int_equal(fixture_drain(reader), 4);
	}
	assert_int_equal(atomic_load(&count), 10);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(
	    crowd.bus[0]), &stats), 0);
	assert_int_equal(stats.holes, 30);
	assert_int_equal(stats.outside_taken, stats.outside_given);
	assert_int_equal(evbus_reader_stats(reader, &counts), 0);
	assert_int_equal(counts.holes, 30);
	assert_int_equal(counts.delivered, 10);
	fixture_end(crowd.bus[0], 0);
}

/* ---- Names --------------------------------------------------------------- */

static void
name_and_publish(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;

	fixture_check(thread, evbus_publisher_set_name(crowd->bus[0],
	    "feed") == 0);
	fixture_check(thread, evbus_publish(crowd->topic, "x", 1) == 0);
}

static void
thread_names_are_told_by_its_events(void **state)
{
	struct fixture_thread thread;
	struct crowd crowd = { 0 };
	const struct evbus_event *event;
	struct evbus_reader *reader;
	struct evbus *bus;

	(void)state;
	bus = crowd.bus[0] = fixture_open(NULL);
	crowd.topic = fixture_topic(bus, "a");
	reader = fixture_subscribed(bus, "a", NULL, NULL);
	assert_int_equal(evbus_publish(crowd.topic, "x", 1), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_string_equal(evbus_publisher_name(bus, event->publisher),
	    "thread-1");
	fixture_start(&thread, name_and_publish, &crowd);
	fixture_join(&thread);
	event = evbus_next(reader);
	assert_non_null(event);
	assert_int_equal(event->publisher, 2);
	assert_string_equal(evbus_publisher_name(bus, 2), "feed");
	assert_string_equal(evbus_publisher_name(bus, 3), "?");
	evbus_done(reader);
	fixture_end(bus, 0);
}

/* ---- A key destructor of the program's that publishes -------------------- */

static pthread_key_t key;
static struct crowd *key_crowd;

static void
publish_at_exit(void *value)
{
	if (evbus_publish(value, "late", 4) == 0)
		atomic_fetch_add(&key_crowd->accepted, 1);
}

static void
publish_and_leave_a_key(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;

	fixture_check(thread, evbus_publish(crowd->topic, "x", 1) == 0);
	fixture_check(thread, pthread_setspecific(key, crowd->topic) == 0);
}

/* Its own record may be gone already; it gets another, and that ends too. */
static void
thread_that_publishes_while_it_ends_leaves_no_record(void **state)
{
	struct fixture_thread thread;
	struct crowd crowd = { 0 };
	int i;

	(void)state;
	key_crowd = &crowd;
	assert_int_equal(pthread_key_create(&key, publish_at_exit), 0);
	crowd.bus[0] = open_limited();
	crowd.topic = fixture_topic(crowd.bus[0], "a");
	for (i = 0; i < 5 * LIMIT; i++) {
		fixture_start(&thread, publish_and_leave_a_key, &crowd);
		fixture_join(&thread);
	}
	assert_int_equal(atomic_load(&crowd.accepted), 5 * LIMIT);
	(void)pthread_key_delete(key);
	fixture_end(crowd.bus[0], 0);
}

static void
publish_and_tell(struct fixture_thread *thread)
{
	struct crowd *crowd = thread->arg;

	fixture_check(thread, evbus_publish_name(crowd->bus[0], "a", "x",
	    1) == 0);
	atomic_fetch_add(&crowd->accepted, 1);
}

/* They are done with the bus, but their records end with them. */
static void
threads_that_end_while_a_bus_is_freed_harm_nothing(void **state)
{
	struct fixture_thread thread[3];
	struct crowd crowd;
	int round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		memset(&crowd, 0, sizeof crowd);
		crowd.bus[0] = fixture_open_small(NULL);
		for (i = 0; i < 3; i++)
			fixture_start(&thread[i], publish_and_tell, &crowd);
		assert_true(fixture_until_count(&crowd.accepted, 3));
		fixture_end(crowd.bus[0], 0);
		for (i = 0; i < 3; i++)
			fixture_join(&thread[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    threads_one_after_another_may_be_more_than_max_publishers),
		cmocka_unit_test(threads_of_many_buses_give_back_every_record),
		cmocka_unit_test(
		    threads_at_once_beyond_max_publishers_are_elimit),
		cmocka_unit_test(calls_of_a_thread_without_a_record_are_elimit),
		cmocka_unit_test(
		    thread_that_ends_with_open_claims_leaves_counted_holes_S5),
		cmocka_unit_test(thread_names_are_told_by_its_events),
		cmocka_unit_test(
		    thread_that_publishes_while_it_ends_leaves_no_record),
		cmocka_unit_test(
		    threads_that_end_while_a_bus_is_freed_harm_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
