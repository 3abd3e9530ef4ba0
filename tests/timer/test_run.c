/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_run.c - why: a timer that fires early, twice or never is worse than
 * none, and clocks jump.  Here the clock is the test's, and so is the runner:
 * no thread, no sleep.
 */
#include "support/event_check.h"

#include "bus/bus.h"
#include "timer/timer.h"

#define S	EVENT_SECOND

static int64_t now;

static int64_t
show_now(void *arg)
{
	(void)arg;
	return now;
}

static int
no_start(struct evbus__context *context)
{
	(void)context;
	return 0;
}

static void
no_nudge(struct evbus__context *context)
{
	(void)context;
}

static int logged;

static void
note_log(int code, const char *message, void *arg)
{
	(void)message;
	(void)arg;
	logged = code;
}

/* A bus whose clock stands at `now`, and whose timers are run by the test. */
static struct evbus *
open_bus_for(uint32_t max_timers, uint32_t threads)
{
	struct evbus_options options = {
		.stream = { .capacity = 8, .on_full = EVBUS_ON_FULL_FAIL },
		.max_timers = max_timers,
		.max_publishers = threads,
		.clock = show_now,
		.log = note_log,
	};
	struct evbus *bus;

	now = 100 * S;
	logged = 0;
	assert_int_equal(evbus_open(&bus, &options), 0);
	bus->context.timers->start = no_start;
	bus->context.timers->nudge = no_nudge;
	return bus;
}

static struct evbus *
open_bus(uint32_t max_timers)
{
	return open_bus_for(max_timers, 0);
}

static unsigned
run(struct evbus *bus)
{
	return evbus__timers_run(&bus->context, 1000);
}

/* Run when the clock shows that. */
static unsigned
run_at(struct evbus *bus, int64_t at)
{
	now = at;
	return run(bus);
}

static struct evbus_timer_stats
stats_of(struct evbus *bus)
{
	struct evbus_timer_stats stats;

	assert_int_equal(evbus_timer_stats(bus, &stats), 0);
	return stats;
}

/* A timer with a number for its payload. */
static int64_t
at(struct evbus_topic *topic, uint64_t number, int64_t time)
{
	int64_t id = evbus_publish_at(topic, &number, sizeof number, time);

	assert_true(id > 0);
	return id;
}

/* The numbers that came, in their order. */
static unsigned
take(struct evbus_reader *reader, uint64_t *number)
{
	const struct evbus_event *event;
	unsigned n = 0;

	while ((event = evbus_next(reader)) != NULL) {
		assert_int_equal(event->size, sizeof *number);
		memcpy(&number[n++], event->data, sizeof *number);
	}
	evbus_done(reader);
	return n;
}

static struct evbus_reader *
reader_of(struct evbus *bus)
{
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)event_subscribe(reader, ">", NULL, NULL);
	return reader;
}

/* ---- When ---------------------------------------------------------------- */

static void
timer_fires_once_at_its_time_and_not_before(void **state)
{
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = reader_of(bus);
	uint64_t word = 7, got[8];

	(void)state;
	(void)at(topic, 1, 103 * S);
	assert_true(evbus_publish_after(topic, &word, sizeof word, 5 * S) > 0);
	/* The payload was copied. */
	word = 8;
	assert_int_equal(evbus__timers_run(&bus->context, 9), 0);
	assert_int_equal(run_at(bus, 103 * S - 1), 0);
	assert_int_equal(run_at(bus, 103 * S), 1);
	assert_int_equal(run(bus), 0);
	assert_int_equal(run_at(bus, 105 * S - 1), 0);
	assert_int_equal(run_at(bus, 200 * S), 1);
	assert_int_equal(take(reader, got), 2);
	assert_int_equal(got[0], 1);
	assert_int_equal(got[1], 7);
	/* What has passed is due at once; a time that never comes is none. */
	(void)at(topic, 9, 0);
	assert_true(evbus_publish_after(topic, &word, 8, INT64_MAX) > 0);
	assert_int_equal(run(bus), 1);
	assert_int_equal(stats_of(bus).armed, 1);
	assert_int_equal(stats_of(bus).fired, 3);
	event_bus_close(bus);
}

static void
timers_fire_in_the_order_of_their_times_then_of_arming(void **state)
{
	static const int64_t times[] = { 5, 3, 9, 3, 5, 1, 3 };
	static const uint64_t order[] = { 5, 1, 3, 6, 0, 4, 2 };
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = reader_of(bus);
	uint64_t got[8];
	unsigned i;

	(void)state;
	for (i = 0; i < EVENT_COUNT(times); i++)
		(void)at(topic, i, 100 * S + times[i]);
	now += 10;
	/* A budget is kept. */
	assert_int_equal(evbus__timers_run(&bus->context, 2), 2);
	assert_int_equal(evbus__timers_run(&bus->context, 9), 5);
	assert_int_equal(take(reader, got), EVENT_COUNT(order));
	for (i = 0; i < EVENT_COUNT(order); i++)
		assert_int_equal(got[i], order[i]);
	event_bus_close(bus);
}

/* A handler's timer is caused by the event that was being handled. */
static enum evbus_verdict
arm_one(const struct evbus_event *event, void *arg)
{
	if (event->size == 1)
		CHECK(evbus_publish_after(arg, "two", 2, 0) > 0);
	else
		CHECK_INT(event->cause, EVBUS_CAUSE(1, 0));
	return EVBUS_DONE;
}

static void
timer_of_a_handler_keeps_the_cause(void **state)
{
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, ">", arm_one, topic);
	assert_int_equal(evbus_publish(topic, "1", 1), 0);
	assert_int_equal(evbus_poll(reader, 9), 1);
	assert_int_equal(run(bus), 1);
	assert_int_equal(evbus_poll(reader, 9), 1);
	event_bus_close(bus);
}

/* A thread that has no place on the bus. */
static void *
without_a_record(void *arg)
{
	struct evbus_topic *topic = arg;
	struct evbus *bus = topic->stream->bus;

	CHECK_INT(evbus_publish_after(topic, "x", 1, 0), EVBUS_ELIMIT);
	CHECK_INT(evbus_timer_cancel(bus, 1), EVBUS_ELIMIT);
	CHECK_INT(evbus_clock_changed(bus), EVBUS_ELIMIT);
	CHECK_INT(evbus__timers_run(&bus->context, 9), 0);
	return NULL;
}

static void
thread_beyond_max_publishers_is_elimit(void **state)
{
	struct evbus *bus = open_bus_for(0, 1);
	struct evbus_topic *topic = event_topic(bus, "t");

	(void)state;
	(void)at(topic, 1, 0);
	event_join(event_thread(without_a_record, topic));
	event_check_done();
	assert_int_equal(run(bus), 1);
	event_bus_close(bus);
}

/* ---- Every so often ------------------------------------------------------ */

static void
every_makes_one_event_of_many_missed_periods(void **state)
{
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = reader_of(bus);
	uint64_t word = 1, got[8];
	int64_t id;

	(void)state;
	id = evbus_publish_every(topic, &word, sizeof word, 10 * S);
	assert_true(id > 0);
	assert_int_equal(run_at(bus, 110 * S - 1), 0);
	assert_int_equal(run_at(bus, 110 * S), 1);
	assert_int_equal(run_at(bus, 120 * S), 1);
	assert_int_equal(stats_of(bus).missed, 0);
	/* 130 is fired late, 140 and 150 are missed, 160 is the next. */
	assert_int_equal(run_at(bus, 159 * S), 1);
	assert_int_equal(run(bus), 0);
	assert_int_equal(stats_of(bus).missed, 2);
	assert_int_equal(run_at(bus, 160 * S), 1);
	/* A step back: it waits, and no time comes twice. */
	assert_int_equal(run_at(bus, 50 * S), 0);
	assert_int_equal(run_at(bus, 160 * S), 0);
	assert_int_equal(run_at(bus, 170 * S - 1), 0);
	assert_int_equal(run_at(bus, 170 * S), 1);
	/* To the end of time, and what lies behind it does not come. */
	assert_int_equal(run_at(bus, INT64_MAX - 1), 1);
	assert_int_equal(run(bus), 0);
	assert_int_equal(take(reader, got), 6);
	assert_int_equal(evbus_timer_cancel(bus, id), 0);
	assert_int_equal(stats_of(bus).armed, 0);
	event_bus_close(bus);
}

static void
clock_below_zero_fires_nothing_early(void **state)
{
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");

	(void)state;
	now = -50 * S;
	assert_int_equal(evbus_clock_now(bus), -50 * S);
	assert_true(evbus_publish_after(topic, "x", 1, 10 * S) > 0);
	assert_int_equal(run(bus), 0);
	assert_true(evbus__timers_due(&bus->context) > evbus__os_now());
	assert_int_equal(run_at(bus, 10 * S - 1), 0);
	now = 10 * S;
	assert_true(evbus__timers_due(&bus->context) <= evbus__os_now());
	assert_int_equal(run_at(bus, 10 * S), 1);
	event_bus_close(bus);
}

/* ---- A full stream ------------------------------------------------------- */

static void
timer_of_a_full_stream_is_late_and_not_lost(void **state)
{
	static const struct evbus_stream_options small = { .capacity = 2,
	    .on_full = EVBUS_ON_FULL_FAIL };
	struct evbus *bus = open_bus(0);
	struct evbus_stream *stream = event_stream(bus, "full.>", &small);
	struct evbus_topic *full = event_topic(bus, "full.a");
	struct evbus_topic *other = event_topic(bus, "other");
	struct evbus_reader *reader = reader_of(bus);
	uint64_t got[16];
	int64_t third;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++)
		third = at(full, i, 100 * S + i);
	for (i = 5; i < 7; i++)
		(void)at(other, i, 100 * S + i);
	now += 100;
	/* Two fit, one was tried; the others of this stream were not. */
	assert_int_equal(run(bus), 4);
	assert_int_equal(event_stream_stats(stream).refused, 1);
	assert_int_equal(stats_of(bus).late, 3);
	assert_int_equal(stats_of(bus).armed, 3);
	/* Not in a tight loop, and not too late either. */
	assert_true(evbus__timers_due(&bus->context) > evbus__os_now());
	assert_true(evbus__timers_due(&bus->context) < evbus__os_now() + S);
	assert_int_equal(run(bus), 0);
	assert_int_equal(stats_of(bus).late, 3);
	/* A late one can be cancelled. */
	assert_int_equal(evbus_timer_cancel(bus, third), 0);
	assert_int_equal(evbus_timer_cancel(bus, third), EVBUS_ENOENT);
	assert_int_equal(take(reader, got), 4);
	/* One that comes due stands behind those that are late. */
	(void)at(full, 7, 0);
	assert_int_equal(evbus__timers_run(&bus->context, 1), 1);
	assert_int_equal(run(bus), 1);
	assert_int_equal(run(bus), 0);
	assert_int_equal(take(reader, got), 2);
	assert_int_equal(got[0], 2);
	assert_int_equal(got[1], 3);
	assert_int_equal(run(bus), 1);
	assert_int_equal(take(reader, got), 1);
	assert_int_equal(got[0], 7);
	assert_int_equal(run(bus), 0);
	assert_int_equal(evbus__timers_due(&bus->context), EVBUS_FOREVER);
	event_bus_close(bus);
}

/* One that was late for long has missed its other times. */
static void
every_that_was_late_makes_one_event(void **state)
{
	struct evbus *bus = open_bus(0);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = reader_of(bus);
	uint64_t word = 1, got[16];
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		assert_int_equal(evbus_publish(topic, &word, sizeof word), 0);
	assert_true(evbus_publish_every(topic, &word, sizeof word, S) > 0);
	assert_int_equal(run_at(bus, 101 * S), 0);
	assert_int_equal(run_at(bus, 105 * S), 0);
	assert_int_equal(take(reader, got), 8);
	assert_int_equal(run_at(bus, 106 * S), 1);
	assert_int_equal(run(bus), 0);
	assert_int_equal(stats_of(bus).missed, 5);
	assert_int_equal(stats_of(bus).late, 1);
	assert_int_equal(run_at(bus, 107 * S), 1);
	event_bus_close(bus);
}

/* ---- Refusals at its time ------------------------------------------------ */

struct acting {
	struct evbus *bus;
	struct evbus_topic *topic;
	int64_t id;
	int (*act)(struct acting *);
	int result;
	unsigned calls;
	int answer;
};

/* Acts at the second call, which is the timer's. */
static int
acts(const void *data, size_t size, void *arg)
{
	struct acting *acting = arg;

	(void)data;
	(void)size;
	if (acting->calls++ == 1 && acting->act != NULL)
		acting->result = acting->act(acting);
	return acting->calls > 1 ? acting->answer : 0;
}

static struct evbus *
open_acting(struct acting *acting, int (*act)(struct acting *))
{
	struct evbus_topic_options options = { .validate = acts,
	    .validate_arg = acting };

	memset(acting, 0, sizeof *acting);
	acting->act = act;
	acting->bus = open_bus(0);
	assert_int_equal(evbus_topic_open(acting->bus, "t", &options,
	    &acting->topic), 0);
	return acting->bus;
}

static void
payload_rejected_at_its_time_is_counted_and_told(void **state)
{
	struct acting acting;
	struct evbus *bus = open_acting(&acting, NULL);

	(void)state;
	acting.answer = 5;
	assert_true(evbus_publish_after(acting.topic, "x", 1, 0) > 0);
	assert_int_equal(run(bus), 0);
	assert_int_equal(logged, EVBUS_EREJECTED);
	assert_int_equal(stats_of(bus).failed, 1);
	assert_int_equal(stats_of(bus).armed, 0);
	assert_int_equal(run(bus), 0);
	/* What is rejected when it is armed is not armed. */
	assert_int_equal(evbus_publish_after(acting.topic, "x", 1, 0),
	    EVBUS_EREJECTED);
	assert_int_equal(stats_of(bus).armed, 0);
	/* A periodic one goes on. */
	acting.calls = 0;
	assert_true(evbus_publish_every(acting.topic, "x", 1, S) > 0);
	assert_int_equal(run_at(bus, 101 * S), 0);
	acting.answer = 0;
	assert_int_equal(run_at(bus, 102 * S), 1);
	assert_int_equal(stats_of(bus).failed, 2);
	event_bus_close(bus);
}

/* ---- Cancel, run and close while it is being fired ----------------------- */

static int
cancel_it(struct acting *acting)
{
	return evbus_timer_cancel(acting->bus, acting->id);
}

static void
cancel_of_a_timer_that_is_being_fired_is_ebusy(void **state)
{
	struct acting acting;
	struct evbus *bus = open_acting(&acting, cancel_it);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	int i;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	acting.id = evbus_publish_every(acting.topic, "x", 1, S);
	assert_int_equal(run_at(bus, 101 * S), 1);
	assert_int_equal(acting.result, EVBUS_EBUSY);
	/* This event came, and none after it. */
	assert_int_equal(run_at(bus, 900 * S), 0);
	assert_int_equal(evbus_timer_cancel(bus, acting.id), EVBUS_ENOENT);
	assert_int_equal(stats_of(bus).armed, 0);
	assert_int_equal(stats_of(bus).cancelled, 1);
	/* It came: it was not cancelled. */
	acting.calls = 0;
	acting.id = evbus_publish_after(acting.topic, "x", 1, 0);
	assert_int_equal(run(bus), 1);
	assert_int_equal(acting.result, EVBUS_EBUSY);
	assert_int_equal(stats_of(bus).cancelled, 1);
	/* Where the stream is full it does not come any more. */
	for (i = 0; i < 6; i++)
		assert_int_equal(evbus_publish(acting.topic, "y", 1), 0);
	acting.calls = 0;
	acting.id = evbus_publish_after(acting.topic, "x", 1, 0);
	assert_int_equal(run(bus), 0);
	assert_int_equal(acting.result, EVBUS_EBUSY);
	assert_int_equal(stats_of(bus).armed, 0);
	assert_int_equal(stats_of(bus).cancelled, 2);
	event_bus_close(bus);
}

static int
run_it(struct acting *acting)
{
	/* Nothing to do, and no hurry to look again. */
	return (int)run(acting->bus) +
	    (evbus__timers_due(&acting->bus->context) <= evbus__os_now());
}

static void
timers_are_run_by_one_at_a_time(void **state)
{
	struct acting acting;
	struct evbus *bus = open_acting(&acting, run_it);

	(void)state;
	acting.result = -1;
	assert_true(evbus_publish_after(acting.topic, "x", 1, 0) > 0);
	(void)at(event_topic(bus, "u"), 1, 0);
	assert_int_equal(run(bus), 2);
	assert_int_equal(acting.result, 0);
	event_bus_close(bus);
}

static int
close_it(struct acting *acting)
{
	return evbus_close(acting->bus, EVBUS_FOREVER, NULL);
}

static void
close_by_a_timers_validator_is_edeadlk_S3(void **state)
{
	struct acting acting;
	struct evbus *bus = open_acting(&acting, close_it);

	(void)state;
	assert_true(evbus_publish_after(acting.topic, "x", 1, 0) > 0);
	assert_int_equal(run(bus), 1);
	assert_int_equal(acting.result, EVBUS_EDEADLK);
	event_bus_close(bus);
}

/* ---- Any order ----------------------------------------------------------- */

#define TIMERS	40u
#define STEPS	20000u

struct naive {
	int64_t id, due, period;
	uint64_t order;
};

/* The first that is due, or NULL. */
static struct naive *
first_due(struct naive *naive)
{
	struct naive *first = NULL;
	unsigned i;

	for (i = 0; i < TIMERS; i++)
		if (naive[i].id != 0 && naive[i].due <= now && (first == NULL ||
		    naive[i].due < first->due || (naive[i].due == first->due &&
		    naive[i].order < first->order)))
			first = &naive[i];
	return first;
}

static void
arm_naive(struct evbus_topic *topic, struct naive *naive, uint64_t number,
    uint64_t *seed)
{
	int64_t in = (int64_t)(event_random(seed) % 50);

	naive->period = event_random(seed) % 4 == 0 ? in + 1 : 0;
	naive->due = now + in + (naive->period != 0);
	naive->order = number;
	naive->id = naive->period != 0 ? evbus_publish_every(topic, &number,
	    sizeof number, naive->period) :
	    evbus_publish_at(topic, &number, sizeof number, naive->due);
	assert_true(naive->id > 0);
}

static void
check_naive(struct evbus *bus, struct evbus_reader *reader,
    struct naive *naive)
{
	struct naive *due;
	uint64_t got[8];

	while ((due = first_due(naive)) != NULL) {
		assert_int_equal(evbus__timers_run(&bus->context, 1), 1);
		assert_int_equal(take(reader, got), 1);
		assert_int_equal(got[0], due->order);
		if (due->period == 0)
			due->id = 0;
		while (due->period != 0 && due->due <= now)
			due->due += due->period;
	}
	assert_int_equal(run(bus), 0);
}

static void
timers_armed_and_cancelled_at_random_fire_as_a_naive_list(void **state)
{
	struct evbus *bus = open_bus(TIMERS);
	struct evbus_topic *topic = event_topic(bus, "t");
	struct evbus_reader *reader = reader_of(bus);
	struct naive naive[TIMERS] = { { 0 } }, *one;
	uint64_t seed = event_seed(), armed = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < STEPS; i++) {
		one = &naive[event_random(&seed) % TIMERS];
		if (one->id == 0) {
			arm_naive(topic, one, i, &seed);
		} else if (event_random(&seed) % 3 == 0) {
			assert_int_equal(evbus_timer_cancel(bus, one->id), 0);
			assert_int_equal(evbus_timer_cancel(bus, one->id),
			    EVBUS_ENOENT);
			one->id = 0;
		}
		now += (int64_t)(event_random(&seed) % 5);
		check_naive(bus, reader, naive);
	}
	for (i = 0; i < TIMERS; i++)
		armed += naive[i].id != 0;
	assert_int_equal(stats_of(bus).armed, armed);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_fires_once_at_its_time_and_not_before),
		cmocka_unit_test(
		    timers_fire_in_the_order_of_their_times_then_of_arming),
		cmocka_unit_test(timer_of_a_handler_keeps_the_cause),
		cmocka_unit_test(thread_beyond_max_publishers_is_elimit),
		cmocka_unit_test(every_makes_one_event_of_many_missed_periods),
		cmocka_unit_test(clock_below_zero_fires_nothing_early),
		cmocka_unit_test(timer_of_a_full_stream_is_late_and_not_lost),
		cmocka_unit_test(every_that_was_late_makes_one_event),
		cmocka_unit_test(
		    payload_rejected_at_its_time_is_counted_and_told),
		cmocka_unit_test(
		    cancel_of_a_timer_that_is_being_fired_is_ebusy),
		cmocka_unit_test(timers_are_run_by_one_at_a_time),
		cmocka_unit_test(close_by_a_timers_validator_is_edeadlk_S3),
		cmocka_unit_test(
		    timers_armed_and_cancelled_at_random_fire_as_a_naive_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
