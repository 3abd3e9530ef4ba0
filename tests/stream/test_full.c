/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_full.c - why: a full stream is where a bus shows its manners.  It waits
 * no longer than it was told (S4), refuses without having used a sequence, lets
 * go whoever waits as soon as there is room, and counts all of it.
 */
#include <sched.h>

#include "bus_fixture.h"

#define CAPACITY 4
#define PUBLISHERS 3

struct full {
	struct evbus *bus;
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	atomic_uint polled;
	atomic_uint go;
	atomic_uint accepted;
};

/* The reader is another thread's, so that waiting for it is no deadlock. */
static void
own_reader(struct fixture_thread *thread)
{
	struct full *full = thread->arg;

	fixture_check(thread, evbus_poll(full->reader, 1) == 0);
	atomic_store(&full->polled, 1);
	while (atomic_load(&full->go) == 0)
		sched_yield();
	while (evbus_wait(full->reader, EVBUS_FOREVER) == 1)
		fixture_check(thread, evbus_poll(full->reader, 1) >= 0);
}

static void
fill(struct full *full, struct fixture_thread *thread,
    const struct evbus_stream_options *stream)
{
	struct evbus_options options = { .stream = *stream };
	int i;

	memset(full, 0, sizeof *full);
	options.stream.capacity = CAPACITY;
	full->bus = fixture_open(&options);
	full->stream = evbus_stream_default(full->bus);
	full->topic = fixture_topic(full->bus, "a");
	full->reader = fixture_subscribed(full->bus, "a", NULL, NULL);
	fixture_start(thread, own_reader, full);
	assert_true(fixture_until_count(&full->polled, 1));
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(evbus_publish(full->topic, "x", 1), 0);
}

static void
empty(struct full *full, struct fixture_thread *thread)
{
	atomic_store(&full->go, 1);
	assert_int_equal(evbus_close(full->bus, FIXTURE_LONG, NULL), 0);
	fixture_join(thread);
	fixture_free(full->bus);
}

/* S4: each call takes its own limit, or the stream's. */
static void
publish_to_a_full_stream_ends_at_its_time_limit_S4(void **state)
{
	struct evbus_stream_options options = { .timeout_ns = 2 * FIXTURE_MS };
	struct evbus_publish_options with = { .set_timeout = 1 };
	struct evbus_stream_stats before, stats;
	struct fixture_thread thread;
	struct iovec batch[2] = { { &with, 1 }, { &with, 1 } };
	struct evbus_claim claim;
	struct full full;

	(void)state;
	fill(&full, &thread, &options);
	assert_int_equal(evbus_stream_stats(full.stream, &before), 0);
	assert_int_equal(evbus_try_publish(full.topic, "x", 1), EVBUS_EFULL);
	assert_int_equal(evbus_publish(full.topic, "x", 1), EVBUS_ETIMEDOUT);
	/* Who, and which line of code subscribed (S1). */
	fixture_says("subscribed at tests/support/bus_fixture.c:");
	assert_int_equal(evbus_publish_batch(full.topic, batch, 2),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(evbus_publish_with(full.topic, "x", 1, &with),
	    EVBUS_EFULL);
	with.timeout_ns = FIXTURE_MS;
	assert_int_equal(evbus_publish_with(full.topic, "x", 1, &with),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(evbus_claim(full.topic, 1, 0, &claim), EVBUS_EFULL);
	assert_int_equal(evbus_claim(full.topic, 1, FIXTURE_MS, &claim),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(evbus_publish_name(full.bus, "a", "x", 1),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(evbus_stream_stats(full.stream, &stats), 0);
	/* Refused and timed out mean that no sequence was used. */
	assert_int_equal(stats.tail, before.tail);
	assert_int_equal(stats.refused - before.refused, 3);
	assert_int_equal(stats.timedout - before.timedout, 5);
	assert_int_equal(stats.waits - before.waits, 5);
	assert_true(stats.wait_ns - before.wait_ns >= 8 * (uint64_t)FIXTURE_MS);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.holes, 0);
	empty(&full, &thread);
}

static void
publish_with_on_full_fail_never_waits(void **state)
{
	struct evbus_stream_options options = { .on_full = EVBUS_ON_FULL_FAIL,
	    .timeout_ns = EVBUS_FOREVER };
	struct evbus_stream_stats stats;
	struct fixture_thread thread;
	struct iovec batch = { &options, 1 };
	struct full full;

	(void)state;
	fill(&full, &thread, &options);
	assert_int_equal(evbus_publish(full.topic, "x", 1), EVBUS_EFULL);
	assert_int_equal(evbus_publish_batch(full.topic, &batch, 1),
	    EVBUS_EFULL);
	assert_int_equal(evbus_publish_with(full.topic, "x", 1, NULL),
	    EVBUS_EFULL);
	assert_int_equal(evbus_stream_stats(full.stream, &stats), 0);
	assert_int_equal(stats.waits, 0);
	assert_int_equal(stats.refused, 3);
	empty(&full, &thread);
}

static void
publish_and_wait(struct fixture_thread *thread)
{
	struct full *full = thread->arg;

	fixture_check(thread, evbus_publish(full->topic, "x", 1) == 0);
	atomic_fetch_add(&full->accepted, 1);
}

/* All that wait are let go as room appears, whoever polls in what steps. */
static void
publishers_that_wait_go_on_when_there_is_room(void **state)
{
	struct evbus_stream_options options = { .timeout_ns = EVBUS_FOREVER };
	struct fixture_thread thread, publisher[PUBLISHERS];
	struct evbus_stream_stats stats;
	struct full full;
	int round, i;

	(void)state;
	for (round = 0; round < 20; round++) {
		fill(&full, &thread, &options);
		for (i = 0; i < PUBLISHERS; i++)
			fixture_start(&publisher[i], publish_and_wait, &full);
		assert_true(fixture_until_waiting(full.stream, PUBLISHERS));
		assert_int_equal(atomic_load(&full.accepted), 0);
		atomic_store(&full.go, 1);
		for (i = 0; i < PUBLISHERS; i++)
			fixture_join(&publisher[i]);
		assert_int_equal(evbus_stream_stats(full.stream, &stats), 0);
		assert_int_equal(stats.tail, CAPACITY + PUBLISHERS);
		assert_int_equal(stats.waiting, 0);
		assert_true(stats.space_wakes > 0);
		empty(&full, &thread);
	}
}

/* The reader in the way leaves: they go on as well. */
static void
publishers_that_wait_go_on_when_the_reader_closes(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = EVBUS_FOREVER } };
	struct fixture_thread publisher[PUBLISHERS];
	struct full full = { 0 };
	int i;

	(void)state;
	full.bus = fixture_open(&options);
	full.topic = fixture_topic(full.bus, "a");
	full.reader = fixture_subscribed(full.bus, "a", NULL, NULL);
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(evbus_publish(full.topic, "x", 1), 0);
	for (i = 0; i < PUBLISHERS; i++)
		fixture_start(&publisher[i], publish_and_wait, &full);
	assert_true(fixture_until_waiting(evbus_stream_default(full.bus),
	    PUBLISHERS));
	assert_int_equal(evbus_reader_close(full.reader, 0), 0);
	for (i = 0; i < PUBLISHERS; i++)
		fixture_join(&publisher[i]);
	fixture_end(full.bus, 0);
}

/* S1: the other streams of the bus do not notice. */
static void
full_stream_holds_up_no_other_stream_S1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .on_full = EVBUS_ON_FULL_FAIL } };
	struct evbus_stream_options other = { .capacity = 64,
	    .on_full = EVBUS_ON_FULL_FAIL };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *full, *free_topic;
	struct evbus_reader *reader;
	struct evbus_stream *stream;
	int i;

	(void)state;
	assert_int_equal(evbus_stream_open(bus, "other", &other, &stream), 0);
	full = fixture_topic(bus, "full");
	free_topic = fixture_topic(bus, "other");
	(void)fixture_subscribed(bus, "full", NULL, NULL);
	reader = fixture_subscribed(bus, "other", NULL, NULL);
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(evbus_publish(full, "x", 1), 0);
	for (i = 0; i < 500; i++) {
		assert_int_equal(evbus_publish(full, "x", 1), EVBUS_EFULL);
		assert_int_equal(evbus_publish(free_topic, "x", 1), 0);
		assert_int_equal(evbus_poll(reader, 4), 1);
	}
	fixture_end(bus, 0);
}

/* A single-producer stream belongs to its first thread, and goes to the next
 * when that has ended. */
static void
publish_as_owner(struct fixture_thread *thread)
{
	struct full *full = thread->arg;

	fixture_check(thread, evbus_publish(full->topic, "x", 1) == 0);
	fixture_check(thread, evbus_publish(full->topic, "x", 1) == 0);
}

static void
publish_not_as_owner(struct fixture_thread *thread)
{
	struct full *full = thread->arg;
	struct evbus_claim claim;

	fixture_check(thread, evbus_publish(full->topic, "x", 1) ==
	    EVBUS_EOWNER);
	fixture_check(thread, evbus_try_publish(full->topic, "x", 1) ==
	    EVBUS_EOWNER);
	fixture_check(thread, evbus_claim(full->topic, 1, 0, &claim) ==
	    EVBUS_EOWNER);
}

static void
single_producer_stream_has_one_owner_until_it_ends(void **state)
{
	struct evbus_options options = { .stream = {
	    .producers = EVBUS_PRODUCERS_ONE } };
	struct fixture_thread thread;
	struct evbus_stream_stats stats;
	struct full full = { 0 };

	(void)state;
	full.bus = fixture_open(&options);
	full.topic = fixture_topic(full.bus, "a");
	fixture_start(&thread, publish_as_owner, &full);
	fixture_join(&thread);
	fixture_start(&thread, publish_as_owner, &full);
	fixture_join(&thread);
	assert_int_equal(evbus_publish(full.topic, "x", 1), 0);
	fixture_start(&thread, publish_not_as_owner, &full);
	fixture_join(&thread);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(full.bus),
	    &stats), 0);
	assert_int_equal(stats.tail, 5);
	fixture_end(full.bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    publish_to_a_full_stream_ends_at_its_time_limit_S4),
		cmocka_unit_test(publish_with_on_full_fail_never_waits),
		cmocka_unit_test(publishers_that_wait_go_on_when_there_is_room),
		cmocka_unit_test(
		    publishers_that_wait_go_on_when_the_reader_closes),
		cmocka_unit_test(full_stream_holds_up_no_other_stream_S1),
		cmocka_unit_test(
		    single_producer_stream_has_one_owner_until_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
