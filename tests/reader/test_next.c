/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_next.c - why: what evbus_next() returned is used while producers go on.
 * It must not change under the user's hands until he says that he is done
 * (L1), for each of the three places in which a payload can lie.
 */
#include <sched.h>

#include "support/event_check.h"

#define CAPACITY 8u

static unsigned char data[2000];

static int
publish_filled(struct evbus_topic *topic, size_t size, uint64_t number)
{
	event_fill(data, size, 1, number);
	return evbus_try_publish(topic, data, size);
}

static void
check_event(const struct evbus_event *event, size_t size, uint64_t number)
{
	uint32_t producer;
	uint64_t seen = 0;

	CHECK_INT(event->size, size);
	CHECK(event_whole(event->data, event->size, &producer, &seen));
	CHECK_INT(seen, number);
}

static struct evbus *
next_bus(void)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .pool_blocks = 3 };

	return event_bus(&options);
}

/* Lossless: the very slot, and publishers are held before it. */
static void
lossless_held_in_place_until_done(void **state)
{
	struct evbus *bus = next_bus();
	struct evbus_topic *topic = event_topic(bus, "held");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	const struct evbus_event *event;
	uint64_t position = 99, i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(publish_filled(topic, 32, i), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	for (i = 0; i < 100; i++)
		assert_int_equal(publish_filled(topic, 32, 99), EVBUS_EFULL);
	check_event(event, 32, 0);
	assert_int_equal(evbus_reader_position(reader,
	    evbus_stream_default(bus), &position), 0);
	assert_int_equal(position, 0);
	/* The next one: the first is done with. */
	event = evbus_next(reader);
	assert_int_equal(publish_filled(topic, 32, CAPACITY), 0);
	assert_int_equal(publish_filled(topic, 32, 99), EVBUS_EFULL);
	check_event(event, 32, 1);
	evbus_done(reader);
	evbus_done(reader);
	assert_int_equal(publish_filled(topic, 32, CAPACITY + 1), 0);
	/* A poll is done with it, too. */
	check_event(evbus_next(reader), 32, 2);
	assert_int_equal(evbus_poll(reader, 1), 1);
	check_event(evbus_next(reader), 32, 4);
	event_check_equation(reader);
	evbus_done(reader);
	assert_int_equal(event_reader_stats(reader).delivered, 4);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* Lossless, outside: its block is not given to anybody. */
static void
lossless_outside_held_under_pressure(void **state)
{
	struct evbus *bus = next_bus();
	struct evbus_topic *topic = event_topic(bus, "held");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	const struct evbus_event *event;
	uint64_t i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (i = 0; i < 3; i++)
		assert_int_equal(publish_filled(topic, 2000, i), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	for (i = 0; i < 100; i++)
		assert_int_equal(publish_filled(topic, 2000, 99), EVBUS_EFULL);
	check_event(event, 2000, 0);
	event = evbus_next(reader);
	assert_int_equal(publish_filled(topic, 2000, 3), 0);
	assert_int_equal(publish_filled(topic, 2000, 99), EVBUS_EFULL);
	check_event(event, 2000, 1);
	evbus_done(reader);
	event_bus_close(bus);
}

/* Lossy: a copy, which the producers' laps do not touch. */
static void
lossy_held_copy_stays_while_lapped(void **state)
{
	struct evbus *bus = next_bus();
	struct evbus_topic *topic = event_topic(bus, "held");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	const struct evbus_event *event;
	uint64_t i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(publish_filled(topic, 32, 0), 0);
	event = evbus_next(reader);
	assert_non_null(event);
	for (i = 1; i < 10 * CAPACITY; i++) {
		assert_int_equal(publish_filled(topic, 32, i), 0);
		check_event(event, 32, 0);
	}
	event = evbus_next(reader);
	assert_non_null(event);
	check_event(event, 32, 9 * CAPACITY);
	assert_int_equal(event->lost, 9 * CAPACITY - 1);
	evbus_done(reader);
	event_check_equation(reader);
	event_bus_close(bus);
}

/* Lossy, outside: pinned until done, and only that one. */
static void
lossy_outside_pinned_under_pressure(void **state)
{
	struct evbus *bus = next_bus();
	struct evbus_topic *topic = event_topic(bus, "held");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct evbus_stream *stream = evbus_stream_default(bus);
	const struct evbus_event *event;
	const void *held;
	uint64_t i, round, number = 0;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	for (round = 0; round < 20; round++) {
		assert_int_equal(publish_filled(topic, 2000, number), 0);
		while ((event = evbus_next(reader)) != NULL &&
		    event->sequence != number)
			;
		assert_non_null(event);
		held = event->data;
		for (i = 1; i < 30; i++) {
			assert_int_equal(publish_filled(topic, 2000,
			    number + i), 0);
			CHECK(event->data == held);
			check_event(event, 2000, number);
		}
		number += 30;
	}
	evbus_done(reader);
	(void)event_drain(reader);
	event_check_equation(reader);
	/* All come back. */
	assert_int_equal(evbus_flush(bus, 0), 0);
	assert_int_equal(event_stream_stats(stream).outside_taken,
	    event_stream_stats(stream).outside_given);
	event_bus_close(bus);
}

struct holder {
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	struct event_step step;
	size_t size;
	int released;		/* atomic */
};

static void
count_release(const void *payload, size_t size, void *arg)
{
	struct holder *holder = arg;

	(void)payload;
	(void)size;
	(void)__atomic_add_fetch(&holder->released, 1, __ATOMIC_RELEASE);
}

/* Hold an event while the bus is being closed. */
static void *
hold_through_close(void *arg)
{
	struct holder *holder = arg;
	const struct evbus_event *event = evbus_next(holder->reader);
	int i;

	CHECK(event != NULL);
	event_step_to(&holder->step, 1);
	while (evbus_publish(holder->topic, "x", 1) != EVBUS_ECLOSED)
		(void)sched_yield();
	for (i = 0; i < 50 && event != NULL; i++) {
		check_event(event, holder->size, 0);
		CHECK_INT(__atomic_load_n(&holder->released, __ATOMIC_ACQUIRE),
		    0);
		(void)sched_yield();
	}
	evbus_done(holder->reader);
	return NULL;
}

/* A copy stays; a payload outside is waited for. */
static void
lossy_held_event_stays_through_close(void **state)
{
	struct holder holder = { .step = EVENT_STEP_INIT };
	struct evbus_publish_options with = { .release = count_release,
	    .release_arg = &holder };
	struct evbus *bus;
	pthread_t thread;
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		bus = next_bus();
		holder.topic = event_topic(bus, "held");
		holder.reader = event_reader(bus, 1, EVBUS_START_NOW);
		holder.step.value = 0;
		holder.released = 0;
		holder.size = i % 3 == 0 ? 32 : 2000;
		(void)event_subscribe(holder.reader, ">", NULL, NULL);
		event_fill(data, holder.size, 1, 0);
		if (i % 3 == 2)
			assert_int_equal(evbus_publish_with(holder.topic, data,
			    holder.size, &with), 0);
		else
			assert_int_equal(evbus_publish(holder.topic, data,
			    holder.size), 0);
		thread = event_thread(hold_through_close, &holder);
		event_step_wait(&holder.step, 1);
		assert_int_equal(evbus_close(bus, EVENT_LONG, NULL), 0);
		assert_int_equal(holder.released, i % 3 == 2);
		event_join(thread);
		assert_int_equal(evbus_free(bus), 0);
		event_check_done();
	}
}

/* Holes and what nobody wants are passed, and counted. */
static void
next_passes_holes_and_unwanted(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *wanted = event_topic(bus, "wanted");
	struct evbus_topic *other = event_topic(bus, "other");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_reader_stats stats;
	struct evbus_claim claim;
	int64_t id;
	uint64_t i;

	(void)state;
	assert_null(evbus_next(NULL));
	evbus_done(NULL);
	assert_null(evbus_next(reader));
	id = event_subscribe(reader, "wanted", NULL, NULL);
	for (i = 0; i < 5; i++) {
		event_publish(other, 0, 2);
		assert_int_equal(evbus_claim(wanted, 8, 0, &claim), 0);
		evbus_abort(&claim);
		event_publish(wanted, i, 1);
	}
	for (i = 0; i < 4; i++)
		CHECK_INT(event_number(evbus_next(reader)), i);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
	assert_null(evbus_next(reader));
	stats = event_reader_stats(reader);
	assert_int_equal(stats.delivered, 4);
	assert_int_equal(stats.holes, 5);
	assert_int_equal(stats.skipped, 11);
	assert_int_equal(stats.calls, 0);
	event_check_equation(reader);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lossless_held_in_place_until_done),
		cmocka_unit_test(lossless_outside_held_under_pressure),
		cmocka_unit_test(lossy_held_copy_stays_while_lapped),
		cmocka_unit_test(lossy_outside_pinned_under_pressure),
		cmocka_unit_test(lossy_held_event_stays_through_close),
		cmocka_unit_test(next_passes_holes_and_unwanted),
	};

	return cmocka_run_group_tests_name("next", tests, NULL, NULL);
}
