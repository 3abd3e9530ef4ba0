/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_set.c - why: cursors join and leave while events flow.  A cursor that is
 * forgotten lets its events be overwritten (D1); one that stays behind stops
 * every publisher for ever; both show only under traffic, or when there is no
 * memory to take one out.
 */
#include <sched.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

#define CAPACITY 16

struct flow {
	struct evbus *bus;
	struct evbus_topic *topic;
	atomic_uint stop;
	atomic_uint started;
};

static void
publish_numbers(struct fixture_thread *thread)
{
	struct flow *flow = thread->arg;
	uint64_t n = 0;

	while (atomic_load(&flow->stop) == 0) {
		fixture_check(thread, evbus_publish(flow->topic, &n,
		    sizeof n) == 0);
		if (n++ == 0)
			atomic_fetch_add(&flow->started, 1);
	}
}

/* D1: from its first event on, a reader that joined misses none. */
static void
join_and_leave(struct fixture_thread *thread, struct flow *flow, int lossy,
    unsigned round)
{
	struct evbus_reader_options options = { .lossy = lossy,
	    .start = round % 2 ? EVBUS_START_OLDEST : EVBUS_START_NOW };
	const struct evbus_event *event;
	struct evbus_reader *reader;
	uint64_t n, next = 0, seen = 0;

	fixture_check(thread, evbus_reader_open(flow->bus, &options,
	    &reader) == 0);
	fixture_check(thread, evbus_reader_subscribe(reader, "a", NULL, NULL,
	    NULL) > 0);
	while (seen < 10 + round % 7 && thread->failure[0] == '\0' &&
	    atomic_load(&flow->stop) == 0) {
		event = evbus_next(reader);
		if (event == NULL) {
			fixture_check(thread, evbus_wait(reader,
			    FIXTURE_LONG) == 1);
			continue;
		}
		memcpy(&n, event->data, sizeof n);
		fixture_check(thread, n == event->sequence);
		/* The first event may tell of what was lost before it. */
		if (seen > 0)
			fixture_check(thread, n == next + event->lost);
		if (!lossy)
			fixture_check(thread, event->lost == 0);
		next = n + 1;
		seen++;
	}
	fixture_check(thread, evbus_reader_close(reader, FIXTURE_LONG) == 0);
}

static void
join_and_leave_often(struct fixture_thread *thread)
{
	struct flow *flow = thread->arg;
	unsigned round;

	for (round = 0; round < 150; round++)
		join_and_leave(thread, flow, round % 5 == 4, round);
}

static void
readers_that_come_and_go_under_traffic_miss_nothing_D1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = EVBUS_FOREVER } };
	struct fixture_thread publisher, reader[2];
	struct evbus_stream_stats stats;
	struct flow flow = { 0 };

	(void)state;
	flow.bus = fixture_open(&options);
	flow.topic = fixture_topic(flow.bus, "a");
	fixture_start(&publisher, publish_numbers, &flow);
	assert_true(fixture_until_count(&flow.started, 1));
	fixture_start(&reader[0], join_and_leave_often, &flow);
	fixture_start(&reader[1], join_and_leave_often, &flow);
	fixture_join(&reader[0]);
	fixture_join(&reader[1]);
	atomic_store(&flow.stop, 1);
	fixture_join(&publisher);
	/* Nobody is in the way any more. */
	assert_int_equal(evbus_stream_stats(evbus_stream_default(flow.bus),
	    &stats), 0);
	assert_int_equal(stats.waiting, 0);
	fixture_end(flow.bus, 0);
}

/* Without memory to take a cursor out, it stays in but holds nobody. */
static void
cursor_that_leaves_without_memory_holds_nobody(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .on_full = EVBUS_ON_FULL_FAIL }, .max_readers = 1 };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct fault_alloc fault;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	struct evbus *bus;
	int round, i;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "a");
	for (round = 0; round < 4; round++) {
		/* The one slot: the very cursor that could not leave. */
		reader = fixture_subscribed(bus, "a", fixture_count, &count);
		for (i = 0; i < CAPACITY; i++)
			assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EFULL);
		assert_int_equal(fixture_drain(reader), CAPACITY);
		fault_alloc_arm(&fault, 1, 1);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
		fault_alloc_arm(&fault, 0, 0);
		for (i = 0; i < 3 * CAPACITY; i++)
			assert_int_equal(evbus_publish(topic, "x", 1), 0);
		/* It comes back as a lossy one: it must not gate. */
		reader = fixture_reader(bus, &lossy);
		assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL,
		    NULL) > 0);
		for (i = 0; i < 3 * CAPACITY; i++)
			assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	assert_int_equal(atomic_load(&count), 4 * CAPACITY);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    readers_that_come_and_go_under_traffic_miss_nothing_D1),
		cmocka_unit_test(
		    cursor_that_leaves_without_memory_holds_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
