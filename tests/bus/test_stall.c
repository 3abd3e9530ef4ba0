/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stall.c - why: a living thread that has claimed and stands still holds
 * up its stream (S5).  That must be seen, must never be ended by time alone,
 * and must cost nothing once the thread goes on: no event is lost, none is
 * seen early.
 */
#include "event_check.h"

#define CAPACITY	8u
#define SHORT		(20 * INT64_C(1000000))

/* A thread that claims, stands still, and commits when it is told to. */
struct staller {
	struct evbus_topic *topic;
	struct event_step step;		/* 1: claimed; 2: go on */
	pthread_t thread;
	uint64_t number;
	int commits;			/* else it aborts */
	int result;			/* of the commit */
};

static void *
stall(void *arg)
{
	struct staller *staller = arg;
	struct evbus_claim claim;

	CHECK_INT(evbus_claim(staller->topic, sizeof staller->number,
	    EVENT_LONG, &claim), 0);
	event_step_to(&staller->step, 1);
	event_step_wait(&staller->step, 2);
	memcpy(claim.data, &staller->number, sizeof staller->number);
	if (staller->commits)
		staller->result = evbus_commit(&claim, sizeof staller->number);
	else
		evbus_abort(&claim);
	return NULL;
}

static void
start(struct staller *staller, struct evbus_topic *topic, uint64_t number)
{
	static const struct event_step fresh = EVENT_STEP_INIT;

	staller->topic = topic;
	staller->step = fresh;
	staller->number = number;
	staller->commits = 1;
	staller->result = 1;
	staller->thread = event_thread(stall, staller);
	event_step_wait(&staller->step, 1);
}

static void
go_on(struct staller *staller)
{
	event_step_to(&staller->step, 2);
	event_join(staller->thread);
}

static void
check_numbers(const struct event_log *log, uint64_t count)
{
	uint64_t i;

	assert_int_equal(log->count, count);
	assert_int_equal(log->lost, 0);
	for (i = 0; i < count; i++)
		assert_int_equal(event_number(&log->seen[i].event), i);
}

static void *
flush_in_vain(void *arg)
{
	CHECK_INT(evbus_flush(arg, SHORT), EVBUS_ETIMEDOUT);
	CHECK_INT(strstr(evbus_errmsg(), " has not committed it") != NULL, 1);
	CHECK(strstr(evbus_errmsg(), "stream \">\"") != NULL);
	/* Who, and what. */
	CHECK(strstr(evbus_errmsg(), "claimed sequence 10 ") != NULL);
	return NULL;
}

static void
stall_with_readers_is_reported_and_loses_nothing_S5(void **state)
{
	struct evbus *bus = event_bus_of(1024);
	struct evbus_topic *topic = event_topic(bus, "stall");
	struct evbus_reader *lossless = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_reader *lossy = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *first = event_log(), *second = event_log();
	struct staller staller;

	(void)state;
	(void)event_subscribe(lossless, "stall", event_log_handler, first);
	(void)event_subscribe(lossy, "stall", event_log_handler, second);
	event_publish(topic, 0, 10);
	start(&staller, topic, 10);
	event_publish(topic, 11, 89);
	/* All before it, and nothing behind it. */
	assert_int_equal(event_drain(lossless), 10);
	assert_int_equal(event_drain(lossy), 10);
	/* Time ends the wait, and not the claim; the sentence says where.  Who
	 * runs the reader itself is told at once (S3). */
	event_join(event_thread(flush_in_vain, bus));
	assert_int_equal(evbus_flush(bus, EVENT_LONG), EVBUS_EDEADLK);
	assert_int_equal(event_drain(lossless), 0);
	assert_int_equal(evbus_wait(lossless, SHORT), 0);
	assert_int_equal(event_reader_stats(lossless).lag, 90);
	go_on(&staller);
	assert_int_equal(staller.result, 0);
	assert_int_equal(event_drain(lossless), 90);
	assert_int_equal(event_drain(lossy), 90);
	assert_int_equal(evbus_flush(bus, EVENT_LONG), 0);
	check_numbers(first, 100);
	check_numbers(second, 100);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).holes,
	    0);
	event_bus_close(bus);
	free(first);
	free(second);
}

/* The one that waits for its slot. */
static void *
publish_behind(void *arg)
{
	struct evbus_topic *topic = arg;
	uint64_t number = CAPACITY;

	CHECK_INT(evbus_publish(topic, &number, sizeof number), 0);
	return NULL;
}

static void
stall_fills_the_ring_and_then_lets_publishers_go_on_S5(void **state)
{
	struct evbus_stream_options options = { .capacity = CAPACITY,
	    .timeout_ns = EVENT_LONG };
	struct evbus_publish_options impatient = { .timeout_ns = SHORT,
	    .set_timeout = 1 };
	struct evbus *bus = event_bus(&options);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_topic *topic = event_topic(bus, "stall");
	struct evbus_reader *reader = event_reader(bus, 1, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct staller staller;
	pthread_t waiting;
	uint64_t number = 99;

	(void)state;
	/* Nobody gates but the claim itself. */
	(void)event_subscribe(reader, "stall", event_log_handler, log);
	start(&staller, topic, 0);
	event_publish(topic, 1, CAPACITY - 1);
	assert_int_equal(evbus_try_publish(topic, &number, sizeof number),
	    EVBUS_EFULL);
	assert_int_equal(evbus_publish_with(topic, &number, sizeof number,
	    &impatient), EVBUS_ETIMEDOUT);
	assert_non_null(strstr(evbus_errmsg(), "claimed sequence 0 "));
	waiting = event_thread(publish_behind, topic);
	event_until_waiting(stream, 1);
	assert_int_equal(event_drain(reader), 0);
	assert_int_equal(event_stream_stats(stream).tail, CAPACITY);
	go_on(&staller);
	assert_int_equal(staller.result, 0);
	event_join(waiting);
	(void)event_drain(reader);
	/* The waiting one may have overwritten the first, and no other. */
	assert_true(log->count + log->lost == CAPACITY + 1);
	assert_true(log->lost <= 1);
	assert_int_equal(event_number(&log->seen[log->count - 1].event),
	    CAPACITY);
	event_check_equation(reader);
	event_bus_close(bus);
	free(log);
}

/* Several stand still; they go on in the other order, one gives up. */
static void
stalls_of_many_threads_end_in_any_order_S5(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "stall");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct staller staller[4];
	unsigned i;

	(void)state;
	(void)event_subscribe(reader, "stall", event_log_handler, log);
	for (i = 0; i < 4; i++) {
		start(&staller[i], topic, i * 2);
		event_publish(topic, i * 2 + 1, 1);
	}
	staller[2].commits = 0;
	for (i = 4; i-- > 0;) {
		assert_int_equal(event_drain(reader), 0);
		assert_int_equal(log->count, 0);
		go_on(&staller[i]);
	}
	assert_int_equal(event_drain(reader), 8);
	assert_int_equal(log->count, 7);
	for (i = 0; i < 7; i++)
		assert_int_equal(event_number(&log->seen[i].event),
		    i < 4 ? i : i + 1);
	assert_int_equal(event_reader_stats(reader).holes, 1);
	event_bus_close(bus);
	free(log);
}

/* L3: close tells of the claim; its commit is refused, and harmless. */
static void
stall_over_a_close_is_reported_and_refused_L3(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "stall");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	struct evbus_report report;
	struct staller staller;

	(void)state;
	(void)event_subscribe(reader, "stall", event_log_handler, log);
	event_publish(topic, 0, 1);
	start(&staller, topic, 1);
	event_publish(topic, 2, 3);
	assert_int_equal(evbus_close(bus, SHORT, &report), EVBUS_ETIMEDOUT);
	assert_non_null(strstr(evbus_errmsg(), "1 open claims"));
	assert_int_equal(report.open_claims, 1);
	assert_int_equal(report.left, 4);
	assert_int_equal(log->count, 1);
	go_on(&staller);
	assert_int_equal(staller.result, EVBUS_ECLOSED);
	assert_int_equal(log->count, 1);
	assert_int_equal(evbus_free(bus), 0);
	event_check_done();
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    stall_with_readers_is_reported_and_loses_nothing_S5),
		cmocka_unit_test(
		    stall_fills_the_ring_and_then_lets_publishers_go_on_S5),
		cmocka_unit_test(stalls_of_many_threads_end_in_any_order_S5),
		cmocka_unit_test(stall_over_a_close_is_reported_and_refused_L3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
