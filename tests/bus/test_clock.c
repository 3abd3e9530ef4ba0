/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_clock.c - why: people set clocks back, and machines stand still.
 *
 * The clocks of this program are the test's.  The time of day jumps by a day,
 * ahead and back, at every look: nothing may look at it.  The monotonic clock
 * can be stopped: then events still wake who waits for them, and when it goes
 * on, waits end in time.
 */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "event_check.h"

#define MS	INT64_C(1000000)
#define DAY	86400

static unsigned looks;			/* atomic: at the time of day */
static int64_t stopped;			/* atomic: monotonic; 0: it goes */

static int
real(clockid_t clock, struct timespec *time)
{
	return (int)syscall(SYS_clock_gettime, clock, time);
}

static void
jump(time_t *seconds)
{
	unsigned n = __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);

	*seconds += n % 2 ? -DAY : DAY;
}

/* ---- In the place of the C library's ------------------------------------- */

int
clock_gettime(clockid_t clock, struct timespec *time)
{
	int64_t at = __atomic_load_n(&stopped, __ATOMIC_ACQUIRE);
	int result = real(clock, time);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		jump(&time->tv_sec);
	else if (clock == CLOCK_MONOTONIC && at != 0) {
		time->tv_sec = (time_t)(at / EVENT_SECOND);
		time->tv_nsec = (long)(at % EVENT_SECOND);
	}
	return result;
}

int
gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	(void)real(CLOCK_REALTIME, &t);
	jump(&t.tv_sec);
	time->tv_sec = t.tv_sec;
	time->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *at)
{
	struct timespec t;

	(void)real(CLOCK_REALTIME, &t);
	jump(&t.tv_sec);
	if (at != NULL)
		*at = t.tv_sec;
	return t.tv_sec;
}

/* -------------------------------------------------------------------------- */

static int64_t
now(void)
{
	struct timespec time;

	(void)real(CLOCK_MONOTONIC, &time);
	return time.tv_sec * EVENT_SECOND + time.tv_nsec;
}

static enum evbus_verdict
count(const struct evbus_event *event, void *arg)
{
	uint64_t *events = arg;

	(void)event;
	(void)__atomic_add_fetch(events, 1, __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

/* Each call that takes a time, or keeps one. */
static void
time_of_day_is_not_looked_at(void **state)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .times = EVBUS_TIMES_PRECISE, .timeout_ns = 20 * MS };
	struct evbus *bus = event_bus(&options);
	struct evbus_topic *topic = event_topic(bus, "time");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	uint64_t worked = 0;
	int64_t id, begin, times[2];
	int i;

	(void)state;
	assert_int_equal(__atomic_exchange_n(&looks, 0, __ATOMIC_RELAXED), 0);
	id = event_subscribe(reader, "time", event_log_handler, log);
	assert_true(evbus_subscribe(bus, "time", count, &worked, NULL) > 0);
	for (i = 0; i < 2; i++) {
		times[0] = now();
		event_publish(topic, (uint64_t)i, 1);
		times[1] = now();
		assert_int_equal(evbus_wait(reader, EVENT_LONG), 1);
		assert_int_equal(event_drain(reader), 1);
		assert_true(log->seen[i].event.time >= times[0] &&
		    log->seen[i].event.time <= times[1]);
	}
	begin = now();
	assert_int_equal(evbus_wait(reader, 20 * MS), 0);
	assert_true(now() - begin >= 20 * MS);
	assert_int_equal(evbus_flush(bus, EVENT_LONG), 0);
	assert_int_equal(evbus_unsubscribe(bus, id, EVENT_LONG), 0);
	assert_int_equal(evbus_reader_close(reader, EVENT_LONG), 0);
	event_bus_close(bus);
	assert_int_equal(worked, 2);
	assert_int_equal(__atomic_load_n(&looks, __ATOMIC_RELAXED), 0);
	free(log);
}

struct sleeper {
	struct evbus_reader *reader;
	struct event_step step;
	int64_t timeout_ns;
	int result;
};

static void *
sleep_until(void *arg)
{
	struct sleeper *sleeper = arg;

	event_step_to(&sleeper->step, 1);
	sleeper->result = evbus_wait(sleeper->reader, sleeper->timeout_ns);
	return NULL;
}

static pthread_t
start_sleeper(struct sleeper *sleeper, struct evbus_reader *reader,
    int64_t timeout_ns)
{
	static const struct event_step fresh = EVENT_STEP_INIT;
	pthread_t thread;

	sleeper->reader = reader;
	sleeper->step = fresh;
	sleeper->timeout_ns = timeout_ns;
	thread = event_thread(sleep_until, sleeper);
	event_step_wait(&sleeper->step, 1);
	return thread;
}

static void
monotonic_that_stands_still_loses_no_event(void **state)
{
	struct evbus *bus = event_bus_of(64);
	struct evbus_topic *topic = event_topic(bus, "time");
	struct evbus_reader_options options = { .spin_ns = -1 };
	struct evbus_reader *reader;
	struct sleeper sleeper;
	uint64_t worked = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	(void)event_subscribe(reader, "time", NULL, NULL);
	assert_true(evbus_subscribe(bus, "time", count, &worked, NULL) > 0);
	__atomic_store_n(&stopped, now(), __ATOMIC_RELEASE);
	/* Woken by an event, in the middle of a wait and while time stands. */
	thread = start_sleeper(&sleeper, reader, EVENT_LONG);
	event_publish(topic, 0, 1);
	event_join(thread);
	assert_int_equal(sleeper.result, 1);
	event_publish(topic, 1, 20);
	while (__atomic_load_n(&worked, __ATOMIC_RELAXED) < 21)
		assert_int_equal(event_check_failed(), 0);
	assert_int_equal(event_drain(reader), 21);
	/* The clock goes on: the limit is reached, neither early nor never. */
	thread = start_sleeper(&sleeper, reader, 20 * MS);
	__atomic_store_n(&stopped, 0, __ATOMIC_RELEASE);
	event_join(thread);
	assert_int_equal(sleeper.result, 0);
	event_bus_close(bus);
}

static int64_t
crazy_clock(void *arg)
{
	uint64_t *seed = arg;

	return (int64_t)(event_random(seed) >> 1);
}

/* A clock of the program's own only says what events carry. */
static void
clock_of_the_program_decides_no_wait(void **state)
{
	uint64_t seed = 1;
	struct evbus_options options = { .clock = crazy_clock,
	    .clock_arg = &seed };
	struct evbus_reader *reader;
	struct evbus *bus = NULL;
	int64_t begin;

	(void)state;
	options.stream.capacity = 4;
	options.stream.times = EVBUS_TIMES_PRECISE;
	assert_int_equal(evbus_open(&bus, &options), 0);
	reader = event_reader(bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(reader, "time", NULL, NULL);
	event_publish(event_topic(bus, "time"), 0, 3);
	assert_int_equal(event_drain(reader), 3);
	begin = now();
	assert_int_equal(evbus_wait(reader, 20 * MS), 0);
	assert_true(now() - begin >= 20 * MS);
	assert_true(now() - begin < 20 * EVENT_SECOND);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_of_day_is_not_looked_at),
		cmocka_unit_test(monotonic_that_stands_still_loses_no_event),
		cmocka_unit_test(clock_of_the_program_decides_no_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
