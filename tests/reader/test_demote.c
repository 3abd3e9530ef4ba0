/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_demote.c - why: a lossless reader that lags makes publishers wait; with
 * max_lag or stall_ns that ends by demotion (S1).  Until then it must lose
 * nothing (D1), from then on harm nobody and know what it lost (D2), and what
 * it holds must stay whole all the while (L1).
 */
#include <sys/uio.h>

#include <time.h>

#include "bus_fixture.h"

#define CAPACITY 8
#define STALL (20 * FIXTURE_MS)

static struct evbus *
open_bus_of(uint32_t capacity)
{
	struct evbus_options options = { .stream = { .capacity = capacity,
	    .pool_blocks = 4, .max_payload = 4096 } };

	return fixture_open(&options);
}

static struct evbus *
open_bus(void)
{
	return open_bus_of(CAPACITY);
}

static struct evbus_reader *
open_reader(struct evbus *bus, uint64_t max_lag, int64_t stall_ns)
{
	struct evbus_reader_options options = { .max_lag = max_lag,
	    .stall_ns = stall_ns };
	struct evbus_reader *reader = fixture_reader(bus, &options);

	assert_true(evbus_reader_subscribe(reader, ">", NULL, NULL, NULL) > 0);
	return reader;
}

static struct evbus_reader_stats
stats_of(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats;

	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	assert_int_equal(stats.passed, stats.delivered + stats.skipped +
	    stats.holes + stats.lost);
	return stats;
}

/* Publish the numbers from `from` on. */
static void
publish(struct evbus_topic *topic, uint64_t from, unsigned n)
{
	for (; n > 0; n--, from++)
		assert_int_equal(evbus_try_publish(topic, &from, sizeof from),
		    0);
}

static uint64_t
number_of(const struct evbus_event *event)
{
	uint64_t number;

	assert_non_null(event);
	assert_int_equal(event->size, sizeof number);
	memcpy(&number, event->data, sizeof number);
	return number;
}

/* Take n events, the numbers from `from` on. */
static void
take(struct evbus_reader *reader, uint64_t from, unsigned n)
{
	for (; n > 0; n--, from++)
		assert_int_equal(number_of(evbus_next(reader)), from);
	evbus_done(reader);
}

static int64_t
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * FIXTURE_SECOND + (int64_t)at.tv_nsec;
}

/* As far as it may be behind, and not one event further. */
static void
max_lag_is_where_the_reader_becomes_lossy_S1_D2(void **state)
{
	struct evbus *bus = open_bus_of(64);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 5, 0);
	const struct evbus_event *event;
	unsigned i;

	(void)state;
	/* Once round, so that the room promised at the start is used up. */
	for (i = 0; i < 65; i += 5) {
		publish(topic, i, 5);
		take(reader, i, 5);
	}
	publish(topic, 65, 5);
	assert_int_equal(stats_of(reader).demoted, 0);
	assert_int_equal(stats_of(reader).lag, 5);
	publish(topic, 70, 1);
	assert_int_equal(stats_of(reader).demoted, 1);
	/* Nothing is lost before the ring comes round. */
	take(reader, 65, 6);
	publish(topic, 71, 3 * 64);
	event = evbus_next(reader);
	assert_int_equal(number_of(event), 71 + 2 * 64);
	assert_int_equal(event->lost, 2 * 64);
	assert_int_equal(stats_of(reader).lost, 2 * 64);
	fixture_end(bus, 0);
}

/* A limit beyond the ring is the ring: demoted instead of waited for. */
static void
max_lag_of_the_ring_never_makes_a_publisher_wait_S1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, UINT64_MAX, 0);
	struct evbus_stream_stats counts;

	(void)state;
	publish(topic, 0, CAPACITY);
	assert_int_equal(stats_of(reader).demoted, 0);
	publish(topic, CAPACITY, 1);
	assert_int_equal(stats_of(reader).demoted, 1);
	take(reader, 1, CAPACITY);
	assert_int_equal(stats_of(reader).lost, 1);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &counts), 0);
	assert_int_equal(counts.waits, 0);
	assert_int_equal(counts.refused, 0);
	fixture_end(bus, 0);
}

/* D1: the others lose nothing, and are waited for as before. */
static void
max_lag_of_one_reader_is_nothing_to_another_D1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *demotable = open_reader(bus, CAPACITY, 0);
	struct evbus_reader *plain = open_reader(bus, 0, 0);
	uint64_t number = CAPACITY;

	(void)state;
	publish(topic, 0, CAPACITY);
	assert_int_equal(evbus_try_publish(topic, &number, sizeof number),
	    EVBUS_EFULL);
	/* The publish would have put it too far behind. */
	assert_int_equal(stats_of(demotable).demoted, 1);
	take(plain, 0, CAPACITY);
	publish(topic, CAPACITY, CAPACITY);
	take(plain, CAPACITY, CAPACITY);
	assert_int_equal(stats_of(plain).demoted, 0);
	assert_int_equal(stats_of(plain).lost, 0);
	take(demotable, CAPACITY, CAPACITY);
	assert_int_equal(stats_of(demotable).lost, CAPACITY);
	fixture_end(bus, 0);
}

/* A publisher that may wait is not held up for longer. */
static void
stall_ends_a_wait_S1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	uint64_t number = CAPACITY;
	int64_t since;

	(void)state;
	publish(topic, 0, CAPACITY);
	since = now();
	/* Its own reader, too: time ends the wait (S3). */
	assert_int_equal(evbus_publish(topic, &number, sizeof number), 0);
	assert_true(now() - since >= STALL);
	assert_int_equal(stats_of(reader).demoted, 1);
	publish(topic, CAPACITY + 1, CAPACITY - 1);
	take(reader, CAPACITY, CAPACITY);
	fixture_end(bus, 0);
}

/* Nor one that only tries; the time counts from its first refusal. */
static void
stall_ends_refusals_S1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	uint64_t number = CAPACITY;
	int64_t since;

	(void)state;
	publish(topic, 0, CAPACITY);
	since = now();
	assert_int_equal(evbus_try_publish(topic, &number, sizeof number),
	    EVBUS_EFULL);
	while (evbus_try_publish(topic, &number, sizeof number) != 0)
		assert_int_equal(stats_of(reader).demoted, 0);
	assert_true(now() - since >= STALL);
	assert_int_equal(stats_of(reader).demoted, 1);
	fixture_end(bus, 0);
}

/* One that goes on, however slowly, has not stalled (D1). */
static void
stall_is_not_slowness_D1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	uint64_t number;
	int64_t until = now() + 3 * STALL;

	(void)state;
	publish(topic, 0, CAPACITY);
	for (number = CAPACITY; now() < until; number++) {
		assert_int_equal(evbus_try_publish(topic, &number,
		    sizeof number), EVBUS_EFULL);
		take(reader, number - CAPACITY, 1);
		publish(topic, number, 1);
	}
	/* Unless this thread was itself kept from running for so long. */
	if (stats_of(reader).demoted == 0)
		take(reader, number - CAPACITY, CAPACITY);
	fixture_end(bus, 0);
}

static void
publish_one(struct fixture_thread *thread)
{
	uint64_t number = CAPACITY;

	fixture_check(thread, evbus_publish(thread->arg, &number,
	    sizeof number) == 0);
}

/* A wait that the reader itself ends. */
static void
stall_that_is_not_reached_loses_nothing_D1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, FIXTURE_LONG * 60);
	struct fixture_thread thread;

	(void)state;
	publish(topic, 0, CAPACITY);
	fixture_start(&thread, publish_one, topic);
	assert_true(fixture_until_waiting(evbus_stream_default(bus), 1));
	take(reader, 0, 1);
	fixture_join(&thread);
	assert_int_equal(stats_of(reader).demoted, 0);
	take(reader, 1, CAPACITY);
	assert_int_equal(stats_of(reader).lost, 0);
	fixture_end(bus, 0);
}

/* L1: what it holds is its own, in a slot or outside. */
static void
demoted_reader_keeps_what_it_holds_L1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, CAPACITY, 0);
	const struct evbus_event *event;
	unsigned char large[1000];
	unsigned i;

	(void)state;
	publish(topic, 0, 1);
	event = evbus_next(reader);
	publish(topic, 1, 4 * CAPACITY);
	assert_int_equal(number_of(event), 0);
	take(reader, 3 * CAPACITY + 1, CAPACITY);
	assert_int_equal(stats_of(reader).demoted, 1);

	memset(large, 'l', sizeof large);
	assert_int_equal(evbus_try_publish(topic, large, sizeof large), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	memset(large, 'x', sizeof large);
	for (i = 0; i < 3 * CAPACITY; i++)
		(void)evbus_try_publish(topic, large, sizeof large);
	publish(topic, 0, CAPACITY);
	assert_int_equal(event->size, sizeof large);
	for (i = 0; i < event->size; i++)
		assert_int_equal(((const unsigned char *)event->data)[i], 'l');
	fixture_end(bus, 0);
}

/* A block outside the ring that a stalled reader has not passed comes back. */
static void
stall_gives_blocks_outside_the_ring_back_S1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	unsigned char large[1000] = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(evbus_publish(topic, large, sizeof large),
		    0);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_int_equal(stats_of(reader).demoted, 1);
	for (i = 0; i < 4; i++)
		assert_int_equal(evbus_try_publish(topic, large,
		    sizeof large), 0);
	fixture_end(bus, 0);
}

/* The same for who only tries. */
static void
stall_gives_blocks_back_to_who_tries_S1(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	unsigned char large[1000] = { 0 };
	int64_t since = now(), until = since + FIXTURE_LONG;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(evbus_publish(topic, large, sizeof large),
		    0);
	while (evbus_try_publish(topic, large, sizeof large) != 0)
		assert_true(now() < until);
	assert_true(now() - since >= STALL);
	assert_int_equal(stats_of(reader).demoted, 1);
	fixture_end(bus, 0);
}

/* A lossless reader of this thread's, and no more when it is demoted. */
static void
demoted_reader_does_not_hold_flush_S3(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, CAPACITY, 0);

	(void)state;
	/* Known to be run by this thread, whatever others there are. */
	assert_int_equal(evbus_poll(reader, 1), 0);
	publish(topic, 0, CAPACITY);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	publish(topic, CAPACITY, 1);
	assert_int_equal(stats_of(reader).demoted, 1);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
	/* Time does not end a flush. */
	reader = open_reader(bus, 0, 1);
	assert_int_equal(evbus_poll(reader, 1), 0);
	publish(topic, 0, 1);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	fixture_end(bus, 0);
}

struct other {
	struct evbus *bus;
	struct evbus_reader *reader;
	atomic_uint opened;
	atomic_uint closed;
};

/* Another thread's reader, which it does not poll again. */
static void
open_and_stand(struct fixture_thread *thread)
{
	struct other *other = thread->arg;
	struct evbus_reader_options lag = { .max_lag = CAPACITY };

	fixture_check(thread, evbus_reader_open(other->bus, &lag,
	    &other->reader) == 0 && evbus_reader_subscribe(other->reader, ">",
	    NULL, NULL, NULL) > 0 && evbus_poll(other->reader, 1) == 0);
	atomic_store(&other->opened, 1);
	fixture_check(thread, fixture_until_count(&other->closed, 1));
}

static void
demoted_reader_of_another_thread_does_not_hold_close_L3(void **state)
{
	struct other other = { .bus = open_bus() };
	struct evbus_topic *topic = fixture_topic(other.bus, "a");
	struct fixture_thread thread;
	struct evbus_report report;

	(void)state;
	fixture_start(&thread, open_and_stand, &other);
	assert_true(fixture_until_count(&other.opened, 1));
	publish(topic, 0, CAPACITY + 1);
	assert_int_equal(stats_of(other.reader).demoted, 1);
	assert_int_equal(evbus_close(other.bus, 0, &report), 0);
	assert_int_equal(report.left, 0);
	assert_int_equal(report.readers, 1);
	assert_int_equal(report.reader[0].left, CAPACITY + 1);
	atomic_store(&other.closed, 1);
	fixture_join(&thread);
	fixture_free(other.bus);
}

static void
flush_long(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_flush(thread->arg, FIXTURE_LONG) == 0);
}

static int
is_waited_for(void *ctl)
{
	return EVBUS_LOAD(&((struct evbus_ring_ctl *)ctl)->waiters,
	    RELAXED) != 0;
}

/*
 * Who flushes is woken by a demotion, also where no publish follows it: a lossy
 * reader holds one of the blocks.
 */
static void
demotion_wakes_who_flushes_S1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .pool_blocks = 4, .max_payload = 4096,
	    .on_full = EVBUS_ON_FULL_FAIL } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus_reader *reader = open_reader(bus, 0, STALL);
	struct evbus_reader *holder = fixture_reader(bus, &lossy);
	unsigned char large[1000] = { 0 };
	struct fixture_thread thread;
	struct iovec item[4];
	int i;

	(void)state;
	assert_true(evbus_reader_subscribe(holder, ">", NULL, NULL, NULL) >
	    0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(evbus_publish(topic, large, sizeof large),
		    0);
		item[i].iov_base = large;
		item[i].iov_len = sizeof large;
	}
	assert_non_null(evbus_next(holder));
	fixture_start(&thread, flush_long, bus);
	assert_true(fixture_until(is_waited_for,
	    evbus_stream_default(bus)->ctl));
	while (stats_of(reader).demoted == 0)
		assert_int_equal(evbus_publish_batch(topic, item, 4),
		    EVBUS_EFULL);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

/* A reader's place in the tables is used again: the next one is lossless. */
static void
demotion_ends_with_the_reader(void **state)
{
	struct evbus_options options = { .max_readers = 1,
	    .stream = { .capacity = CAPACITY } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = open_reader(bus, CAPACITY, 0);
	uint64_t number = 0;

	(void)state;
	publish(topic, 0, CAPACITY + 1);
	assert_int_equal(stats_of(reader).demoted, 1);
	assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
	reader = open_reader(bus, 0, FIXTURE_LONG);
	assert_int_equal(stats_of(reader).demoted, 0);
	publish(topic, 0, CAPACITY);
	assert_int_equal(evbus_try_publish(topic, &number, sizeof number),
	    EVBUS_EFULL);
	take(reader, 0, CAPACITY);
	fixture_end(bus, 0);
}

/* Also where there is one producer, and from copies through handlers. */
static void
max_lag_of_a_single_producer_stream_and_polls_D2(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .producers = EVBUS_PRODUCERS_ONE } };
	struct evbus_reader_options lag = { .max_lag = CAPACITY };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_reader(bus, &lag);
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a", fixture_count, &count,
	    NULL) > 0);
	publish(topic, 0, CAPACITY);
	assert_int_equal(evbus_poll(reader, 3), 3);
	publish(topic, 0, 3);
	assert_int_equal(stats_of(reader).demoted, 0);
	assert_int_equal(evbus_poll(reader, 100), CAPACITY);
	publish(topic, 0, 2 * CAPACITY);
	assert_int_equal(stats_of(reader).demoted, 1);
	assert_int_equal(evbus_poll(reader, 100), 2 * CAPACITY);
	assert_int_equal(atomic_load(&count), CAPACITY + 3 + CAPACITY);
	assert_int_equal(stats_of(reader).lost, CAPACITY);
	fixture_end(bus, 0);
}

static void
options_that_make_no_sense_are_refused(void **state)
{
	struct evbus *bus = open_bus();
	struct evbus_reader_options lossy = { .lossy = 1, .max_lag = 1 };
	struct evbus_reader_options stalls = { .lossy = 1, .stall_ns = 1 };
	struct evbus_reader_options negative = { .stall_ns = -1 };
	struct evbus_reader *reader;

	(void)state;
	fixture_refused(evbus_reader_open(bus, &lossy, &reader),
	    EVBUS_EINVAL);
	fixture_refused(evbus_reader_open(bus, &stalls, &reader),
	    EVBUS_EINVAL);
	fixture_refused(evbus_reader_open(bus, &negative, &reader),
	    EVBUS_EINVAL);
	fixture_says("stall_ns");
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    max_lag_is_where_the_reader_becomes_lossy_S1_D2),
		cmocka_unit_test(
		    max_lag_of_the_ring_never_makes_a_publisher_wait_S1),
		cmocka_unit_test(
		    max_lag_of_one_reader_is_nothing_to_another_D1),
		cmocka_unit_test(stall_ends_a_wait_S1),
		cmocka_unit_test(stall_ends_refusals_S1),
		cmocka_unit_test(stall_is_not_slowness_D1),
		cmocka_unit_test(
		    stall_that_is_not_reached_loses_nothing_D1),
		cmocka_unit_test(demoted_reader_keeps_what_it_holds_L1),
		cmocka_unit_test(
		    stall_gives_blocks_outside_the_ring_back_S1),
		cmocka_unit_test(stall_gives_blocks_back_to_who_tries_S1),
		cmocka_unit_test(demoted_reader_does_not_hold_flush_S3),
		cmocka_unit_test(
		    demoted_reader_of_another_thread_does_not_hold_close_L3),
		cmocka_unit_test(demotion_wakes_who_flushes_S1),
		cmocka_unit_test(demotion_ends_with_the_reader),
		cmocka_unit_test(
		    max_lag_of_a_single_producer_stream_and_polls_D2),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
