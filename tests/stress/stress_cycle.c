/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_cycle.c - why: starting and closing are where threads meet a bus that
 * is not quite there, or not there any more (L3).
 *
 * Over and over (10,000 times in the 30 s of `make stress`): open a bus, let a
 * random number of threads publish and read, close it at a random moment.  What
 * was accepted has arrived, each answer is one that the manual names, the close
 * comes to an end and the bus can be freed.
 */
#include <sched.h>

#include "stress/limit.h"
#include "support/event_check.h"

#define THREADS		6u
#define A_SECOND	334u		/* cycles */

struct cycle {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;	/* read by a thread; or NULL */
	uint64_t accepted;		/* atomic */
	uint64_t seen;			/* atomic: by one reader */
	uint64_t worked;		/* atomic: by the worker */
};

static enum evbus_verdict
count(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)__atomic_add_fetch((uint64_t *)arg, 1, __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

static void *
publish(void *arg)
{
	struct cycle *cycle = arg;
	uint64_t number = 0;
	int result;

	while ((result = evbus_publish(cycle->topic, &number,
	    sizeof number)) == 0)
		number++;
	CHECK_INT(result, EVBUS_ECLOSED);
	(void)__atomic_add_fetch(&cycle->accepted, number, __ATOMIC_RELAXED);
	return NULL;
}

/* As long as no other thread has run the reader, close may: then it is busy. */
static void *
consume(void *arg)
{
	struct cycle *cycle = arg;
	int result;

	do {
		result = evbus_wait(cycle->reader, EVBUS_FOREVER);
		if (result == 1)
			result = evbus_poll(cycle->reader, 16);
	} while (result >= 0 || result == EVBUS_EBUSY);
	CHECK_INT(result, EVBUS_ECLOSED);
	return NULL;
}

/* The close comes when the first, some, or many events have gone by. */
static void
await_moment(struct cycle *cycle, uint64_t dice, int publishing)
{
	struct evbus_stream *stream = evbus_stream_default(cycle->bus);
	uint64_t after = dice % 4 == 0 ? 0 : dice >> 8 & 255;

	while (publishing && event_stream_stats(stream).tail < after)
		(void)sched_yield();
}

static uint64_t
one_cycle(uint64_t *seed)
{
	struct evbus_options options = { .max_topics = 4, .max_readers = 4,
	    .max_publishers = 16, .max_streams = 2 };
	struct cycle cycle = { 0 };
	struct evbus_report report;
	pthread_t thread[THREADS + 1];
	unsigned threads, n = 0, i;
	uint64_t dice;

	dice = event_random(seed);
	options.stream.capacity = 2u << dice % 6;
	options.stream.max_payload = 32;
	options.stream.timeout_ns = EVBUS_FOREVER;
	assert_int_equal(evbus_open(&cycle.bus, &options), 0);
	cycle.topic = event_topic(cycle.bus, "cycle");
	/* Two lossless readers, one, or none: then nothing is counted. */
	if (dice & 64) {
		cycle.reader = event_reader(cycle.bus, 0, EVBUS_START_NOW);
		(void)event_subscribe(cycle.reader, "cycle", count,
		    &cycle.seen);
		thread[n++] = event_thread(consume, &cycle);
	}
	if (dice & 128)
		assert_true(evbus_subscribe(cycle.bus, "cycle", count,
		    &cycle.worked, NULL) > 0);
	threads = (unsigned)(dice >> 16) % THREADS;
	for (i = 0; i < threads; i++)
		thread[n++] = event_thread(publish, &cycle);
	await_moment(&cycle, event_random(seed), threads > 0);
	CHECK_INT(evbus_close(cycle.bus, EVENT_LONG, &report), 0);
	for (i = 0; i < n; i++)
		event_join(thread[i]);
	CHECK_INT(report.left, 0);
	CHECK_INT(report.running, 0);
	CHECK_INT(cycle.seen, dice & 64 ? cycle.accepted : 0);
	CHECK_INT(cycle.worked, dice & 128 ? cycle.accepted : 0);
	CHECK_INT(evbus_publish(cycle.topic, "x", 1), EVBUS_ECLOSED);
	assert_int_equal(evbus_free(cycle.bus), 0);
	event_check_done();
	return cycle.accepted;
}

static void
buses_start_and_close_at_any_moment(void **state)
{
	uint64_t seed = event_seed(), events = 0;
	int64_t now = stress_now(), time = stress_until() - now;
	unsigned i, cycles = (unsigned)(time / EVENT_SECOND + 1) * A_SECOND;

	(void)state;
	/* Fewer only on a machine that has much else to do. */
	for (i = 0; i < cycles && stress_now() < now + 4 * time; i++)
		events += one_cycle(&seed);
	(void)printf("%u cycles, %llu events\n", i,
	    (unsigned long long)events);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buses_start_and_close_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
