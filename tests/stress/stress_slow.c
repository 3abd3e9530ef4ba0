/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_slow.c - why: a reader that is slow, or stands still, decides what
 * happens to everybody else (S1).
 *
 * Round after round, with another capacity and other numbers of publishers:
 * the lossless reader goes on only when every publisher waits for it.  Then the
 * ring holds exactly its capacity, never more, and each step of the reader lets
 * as many events in; all arrive, once and in order.  A publisher that does not
 * wait is refused at exactly the capacity.  The lossy reader beside looks now
 * and then, holds nobody up, and is told of every event that it lost (D2).
 * So does one with max_lag, from when it is demoted.
 */
#include <sched.h>

#include "stress/limit.h"
#include "support/event_check.h"

#define PUBLISHERS	3u

struct publisher {
	struct evbus_topic *topic;
	uint64_t base;			/* first number; others count on */
	uint64_t events;
	unsigned *alive;		/* atomic */
};

struct view {
	uint64_t next[PUBLISHERS];
	uint64_t events;
	uint64_t lost;
	int lossy;
};

#define NUMBER(publisher, n) ((uint64_t)(publisher) << 32 | (n))

static void *
publish(void *arg)
{
	struct publisher *publisher = arg;
	uint64_t i, number;

	for (i = 0; i < publisher->events; i++) {
		number = publisher->base + i;
		CHECK_INT(evbus_publish(publisher->topic, &number,
		    sizeof number), 0);
	}
	(void)__atomic_add_fetch(publisher->alive, (unsigned)-1,
	    __ATOMIC_RELEASE);
	return NULL;
}

static enum evbus_verdict
see(const struct evbus_event *event, void *arg)
{
	struct view *view = arg;
	uint64_t number = event_number(event), p = number >> 32;

	number &= 0xffffffffu;
	CHECK(p < PUBLISHERS);
	if (p < PUBLISHERS) {
		CHECK(view->lossy ? number >= view->next[p] :
		    number == view->next[p]);
		view->next[p] = number + 1;
	}
	view->events++;
	view->lost += event->lost;
	return EVBUS_DONE;
}

/* 1: all who still publish wait, and the ring is full; 0: nobody publishes. */
static int
until_all_wait(struct evbus_stream *stream, struct evbus_reader *reader,
    const unsigned *alive)
{
	struct evbus_stream_stats stats;
	uint64_t at = 0;
	unsigned publishing;

	CHECK_INT(evbus_reader_position(reader, stream, &at), 0);
	do {
		(void)sched_yield();
		publishing = __atomic_load_n(alive, __ATOMIC_ACQUIRE);
		stats = event_stream_stats(stream);
		CHECK(stats.tail <= at + stats.capacity);
		CHECK(stats.waiting <= PUBLISHERS);
	} while (publishing > 0 && event_check_failed() == 0 &&
	    (stats.waiting < publishing || stats.tail < at + stats.capacity));
	return publishing > 0;
}

static uint64_t
one_round(uint64_t *seed)
{
	struct evbus_stream_options options = { .timeout_ns = EVENT_LONG };
	struct view slow = { .lossy = 0 }, loser = { .lossy = 1 };
	struct publisher publisher[PUBLISHERS];
	pthread_t thread[PUBLISHERS];
	struct evbus_reader_options demotable = { 0 };
	struct evbus_reader *reader, *lossy, *late;
	struct view laggard = { .lossy = 1 };
	unsigned publishers, alive, i;
	struct evbus_topic *topic;
	struct evbus_stream *stream;
	struct evbus *bus;
	uint64_t all = 0;

	options.capacity = 2u << event_random(seed) % 6;
	publishers = alive = 1 + (unsigned)event_random(seed) % PUBLISHERS;
	bus = event_bus(&options);
	stream = evbus_stream_default(bus);
	topic = event_topic(bus, "slow");
	reader = event_reader(bus, 0, EVBUS_START_NOW);
	lossy = event_reader(bus, 1, EVBUS_START_NOW);
	(void)event_subscribe(reader, "slow", see, &slow);
	(void)event_subscribe(lossy, "slow", see, &loser);
	demotable.max_lag = options.capacity / 2;
	assert_int_equal(evbus_reader_open(bus, &demotable, &late), 0);
	(void)event_subscribe(late, "slow", see, &laggard);
	for (i = 0; i < publishers; i++) {
		publisher[i].topic = topic;
		publisher[i].base = NUMBER(i, 0);
		publisher[i].events = event_random(seed) % 400;
		publisher[i].alive = &alive;
		all += publisher[i].events;
		thread[i] = event_thread(publish, &publisher[i]);
	}
	while (until_all_wait(stream, reader, &alive)) {
		/* None, where one that was claimed is not yet committed. */
		CHECK(evbus_poll(reader, 1 + (unsigned)event_random(seed) %
		    (options.capacity + 2)) >= 0);
		if (event_random(seed) % 8 == 0)
			(void)evbus_poll(lossy, 1 +
			    (unsigned)event_random(seed) % 64);
		if (event_random(seed) % 8 == 0)
			(void)evbus_poll(late, 1 +
			    (unsigned)event_random(seed) % 64);
	}
	for (i = 0; i < publishers; i++)
		event_join(thread[i]);
	(void)event_drain(reader);
	(void)event_drain(lossy);
	(void)event_drain(late);
	CHECK_INT(laggard.events + event_reader_stats(late).lost, all);
	event_check_equation(late);
	CHECK_INT(slow.events, all);
	CHECK_INT(slow.lost, 0);
	CHECK_INT(loser.events + event_reader_stats(lossy).lost, all);
	event_check_equation(reader);
	event_check_equation(lossy);
	event_bus_close(bus);
	return all;
}

static void
slow_readers_hold_up_as_far_as_they_may(void **state)
{
	uint64_t seed = event_seed(), events = 0;
	int64_t until = stress_until();
	unsigned rounds = 0;

	(void)state;
	do {
		events += one_round(&seed);
		rounds++;
	} while (stress_now() < until);
	(void)printf("%u rounds, %llu events\n", rounds,
	    (unsigned long long)events);
}

/* No thread but this one: the numbers are exact. */
static void
stopped_readers_cost_what_the_ring_holds(void **state)
{
	struct evbus_reader *reader, *lossy;
	struct view slow = { .lossy = 0 }, loser = { .lossy = 1 };
	uint64_t seed = event_seed(), number, published = 0;
	struct evbus_topic *topic;
	uint32_t capacity;
	struct evbus *bus;
	unsigned room, i;

	(void)state;
	for (capacity = 2; capacity <= 256; capacity *= 2) {
		bus = event_bus_of(capacity);
		topic = event_topic(bus, "slow");
		reader = event_reader(bus, 0, EVBUS_START_NOW);
		lossy = event_reader(bus, 1, EVBUS_START_NOW);
		memset(&slow, 0, sizeof slow);
		memset(&loser, 0, sizeof loser);
		loser.lossy = 1;
		(void)event_subscribe(reader, "slow", see, &slow);
		(void)event_subscribe(lossy, "slow", see, &loser);
		published = 0;
		room = capacity;
		for (i = 0; i < 50; i++) {
			for (; room > 0; room--) {
				number = published++;
				assert_int_equal(evbus_try_publish(topic,
				    &number, sizeof number), 0);
			}
			number = UINT64_MAX;
			assert_int_equal(evbus_try_publish(topic, &number,
			    sizeof number), EVBUS_EFULL);
			room = (unsigned)event_random(&seed) % (capacity + 1);
			if (room > 0)
				assert_int_equal(evbus_poll(reader, room),
				    room);
		}
		(void)event_drain(reader);
		(void)event_drain(lossy);
		assert_int_equal(slow.events, published);
		assert_int_equal(loser.events + loser.lost, published);
		/* What was still held is not lost. */
		assert_true(loser.events > 0 && loser.events <= capacity);
		event_bus_close(bus);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_readers_cost_what_the_ring_holds),
		cmocka_unit_test(slow_readers_hold_up_as_far_as_they_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
