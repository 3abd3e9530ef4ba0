/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wait.c - why: an idle program sleeps (F5), and a sleeper that is not
 * woken is a program that stands still.
 */
#include <sched.h>
#include <time.h>

#include "support/event_check.h"

static int64_t
now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * EVENT_SECOND + time.tv_nsec;
}

/* Spins, the default, and none. */
static const int64_t spins[] = { 0, -1, 1000000 };

static struct evbus_reader *
reader_with(struct evbus *bus, int64_t spin_ns, int lossy)
{
	struct evbus_reader_options options = { .spin_ns = spin_ns,
	    .lossy = lossy };
	struct evbus_reader *reader = NULL;

	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	return reader;
}

static void
wait_time_limit_0_short_and_bad(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader;
	int64_t since;
	unsigned i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(spins); i++) {
		reader = reader_with(bus, spins[i], 0);
		(void)event_subscribe(reader, ">", NULL, NULL);
		assert_int_equal(evbus_wait(reader, 0), 0);
		since = now();
		assert_int_equal(evbus_wait(reader, 2000000), 0);
		assert_true(now() - since >= 2000000);
		assert_int_equal(evbus_wait(reader, -2), EVBUS_EINVAL);
		event_publish(event_topic(bus, "wait"), 0, 1);
		assert_int_equal(evbus_wait(reader, 0), 1);
		assert_int_equal(evbus_wait(reader, EVBUS_FOREVER), 1);
		assert_int_equal(evbus_reader_close(reader, 0), 0);
	}
	assert_int_equal(evbus_wait(NULL, 0), EVBUS_EINVAL);
	event_bus_close(bus);
}

/* With nothing subscribed there is nothing to wait for, but the limit. */
static void
wait_without_subscription_times_out(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	assert_int_equal(evbus_wait(reader, 0), 0);
	assert_int_equal(evbus_wait(reader, 1000000), 0);
	event_bus_close(bus);
}

/* A reader of a worker's is the worker's. */
static void
wait_for_a_workers_reader_eowner(void **state)
{
	struct evbus_reader_options options = { .worker = "w" };
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = NULL;

	(void)state;
	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	assert_int_equal(evbus_wait(reader, 0), EVBUS_EOWNER);
	event_bus_close(bus);
}

struct pong {
	struct evbus_reader *reader;
	struct evbus_topic *answer;
	unsigned n;
};

static void *
answer_all(void *arg)
{
	struct pong *pong = arg;
	unsigned i;

	for (i = 0; i < pong->n; i++) {
		CHECK_INT(evbus_wait(pong->reader, EVENT_LONG), 1);
		CHECK_INT(evbus_poll(pong->reader, 1), 1);
		event_publish(pong->answer, i, 1);
	}
	return NULL;
}

/* Ping and pong, each asleep when the other publishes: no wake-up is lost. */
static void
wait_ping_pong_no_lost_wake_up(void **state)
{
	struct evbus *bus;
	struct evbus_reader *reader;
	struct evbus_topic *ask;
	struct pong pong;
	pthread_t thread;
	unsigned i, k;

	(void)state;
	for (k = 0; k < 2 * EVENT_COUNT(spins); k++) {
		bus = event_bus(NULL);
		/* Two streams: neither reader sees what it publishes. */
		(void)event_stream(bus, "answer", NULL);
		ask = event_topic(bus, "ask");
		pong.answer = event_topic(bus, "answer");
		pong.n = 5000;
		reader = reader_with(bus, spins[k / 2], (int)k % 2);
		pong.reader = reader_with(bus, spins[k / 2], 0);
		(void)event_subscribe(reader, "answer", NULL, NULL);
		(void)event_subscribe(pong.reader, "ask", NULL, NULL);
		thread = event_thread(answer_all, &pong);
		for (i = 0; i < pong.n; i++) {
			event_publish(ask, i, 1);
			CHECK_INT(evbus_wait(reader, EVENT_LONG), 1);
			CHECK_INT(evbus_poll(reader, 1), 1);
		}
		event_join(thread);
		event_bus_close(bus);
	}
}

struct waiting {
	struct evbus *bus;
	struct evbus_reader *reader;
	struct event_step step;
	int result;
};

static void *
wait_for_ever(void *arg)
{
	struct waiting *waiting = arg;

	event_step_to(&waiting->step, 1);
	waiting->result = evbus_wait(waiting->reader, EVBUS_FOREVER);
	return NULL;
}

/* The same, of a reader that it opened: close runs those of its own caller. */
static void *
open_and_wait(void *arg)
{
	struct waiting *waiting = arg;

	waiting->reader = reader_with(waiting->bus, -1, 0);
	(void)event_subscribe(waiting->reader, ">", NULL, NULL);
	return wait_for_ever(waiting);
}

static void
until_parked(const struct evbus_reader *reader)
{
	while (event_reader_stats(reader).parks == 0)
		(void)sched_yield();
}

static void
wait_ended_by_close(int close_reader)
{
	struct waiting waiting = { .step = EVENT_STEP_INIT };
	pthread_t thread;
	unsigned i;

	for (i = 0; i < 50; i++) {
		waiting.bus = event_bus(NULL);
		waiting.step.value = 0;
		thread = event_thread(open_and_wait, &waiting);
		event_step_wait(&waiting.step, 1);
		if (i % 2)
			until_parked(waiting.reader);
		if (close_reader)
			assert_int_equal(evbus_reader_close(waiting.reader,
			    EVENT_LONG), 0);
		else
			assert_int_equal(evbus_close(waiting.bus, EVENT_LONG,
			    NULL), 0);
		event_join(thread);
		assert_int_equal(waiting.result, EVBUS_ECLOSED);
		if (close_reader)
			event_bus_close(waiting.bus);
		else
			assert_int_equal(evbus_free(waiting.bus), 0);
	}
	event_check_done();
}

static void
wait_reader_closed_eclosed(void **state)
{
	(void)state;
	wait_ended_by_close(1);
}

static void
wait_bus_closed_eclosed(void **state)
{
	(void)state;
	wait_ended_by_close(0);
}

/* Asleep, when a subscription joins a stream that it knew nothing of. */
static void
wait_sees_streams_that_join_meanwhile(void **state)
{
	struct waiting waiting = { .step = EVENT_STEP_INIT };
	pthread_t thread;

	(void)state;
	waiting.bus = event_bus(NULL);
	(void)event_stream(waiting.bus, "late.>", NULL);
	waiting.reader = reader_with(waiting.bus, -1, 0);
	thread = event_thread(wait_for_ever, &waiting);
	until_parked(waiting.reader);
	(void)event_subscribe(waiting.reader, "late.*", NULL, NULL);
	event_publish(event_topic(waiting.bus, "late.x"), 0, 1);
	event_join(thread);
	assert_int_equal(waiting.result, 1);
	assert_int_equal(evbus_poll(waiting.reader, 10), 1);
	event_bus_close(waiting.bus);
}

/* F5: one call wakes it, however many events arrive. */
static void
wait_parked_reader_woken_once(void **state)
{
	struct waiting waiting = { .step = EVENT_STEP_INIT };
	struct evbus_stream *stream;
	pthread_t thread;

	(void)state;
	waiting.bus = event_bus(NULL);
	stream = evbus_stream_default(waiting.bus);
	waiting.reader = reader_with(waiting.bus, -1, 0);
	(void)event_subscribe(waiting.reader, ">", NULL, NULL);
	thread = event_thread(wait_for_ever, &waiting);
	until_parked(waiting.reader);
	event_publish(event_topic(waiting.bus, "many"), 0, 1000);
	event_join(thread);
	assert_int_equal(waiting.result, 1);
	assert_true(event_stream_stats(stream).wakes <= 1);
	event_publish(event_topic(waiting.bus, "many"), 0, 1000);
	assert_true(event_stream_stats(stream).wakes <= 1);
	assert_int_equal(event_drain(waiting.reader), 2000);
	event_bus_close(waiting.bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_time_limit_0_short_and_bad),
		cmocka_unit_test(wait_without_subscription_times_out),
		cmocka_unit_test(wait_for_a_workers_reader_eowner),
		cmocka_unit_test(wait_ping_pong_no_lost_wake_up),
		cmocka_unit_test(wait_reader_closed_eclosed),
		cmocka_unit_test(wait_bus_closed_eclosed),
		cmocka_unit_test(wait_sees_streams_that_join_meanwhile),
		cmocka_unit_test(wait_parked_reader_woken_once),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
