/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_timer.c - why: who arms a timer and goes his way relies on the bus: on
 * the worker that starts, wakes in time and sleeps otherwise, on limits that
 * hold, and on a close that tells what it dropped.
 */
#include <sched.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

#include "bus/bus.h"

#define HOUR	(3600 * FIXTURE_SECOND)

static struct evbus_timer_stats
stats_of(struct evbus *bus)
{
	struct evbus_timer_stats stats;

	assert_int_equal(evbus_timer_stats(bus, &stats), 0);
	return stats;
}

static void
count_on_worker(struct evbus *bus, atomic_uint *count)
{
	atomic_init(count, 0);
	assert_true(evbus_subscribe(bus, ">", fixture_count, count, NULL) > 0);
}

/* ---- The worker ---------------------------------------------------------- */

static void
first_timer_starts_the_worker_and_it_fires_S6(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	struct evbus_reader *reader;
	unsigned before = fixture_threads();
	atomic_uint count;

	(void)state;
	atomic_init(&count, 0);
	reader = fixture_subscribed(bus, ">", fixture_count, &count);
	assert_true(evbus_publish_after(topic, "x", 1, FIXTURE_MS) > 0);
	assert_true(fixture_until_threads(before + 1));
	assert_int_equal(evbus_wait(reader, FIXTURE_LONG), 1);
	assert_int_equal(evbus_poll(reader, 9), 1);
	/* The same worker is evbus_subscribe()'s. */
	count_on_worker(bus, &count);
	assert_int_equal(bus->workers, 1);
	assert_true(evbus_publish_every(topic, "x", 1, FIXTURE_MS / 2) > 0);
	assert_true(fixture_until_count(&count, 5));
	fixture_end(bus, 0);
}

static uint64_t
parks_of(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats;

	assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	return stats.parks;
}

/* Asleep until the far one, it must be woken for the near one. */
static void
nearer_timer_wakes_the_worker_that_sleeps_for_a_far_one(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	atomic_uint count;
	unsigned i;
	uint64_t parks;

	(void)state;
	count_on_worker(bus, &count);
	assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
	for (i = 1; i < 50; i++) {
		parks = parks_of(bus->reader);
		assert_true(evbus_publish_after(topic, "x", 1,
		    i % 2 ? 0 : 10000) > 0);
		assert_true(fixture_until_count(&count, i));
		assert_true(fixture_until_parked(bus->reader, parks));
	}
	assert_int_equal(stats_of(bus).fired, 49);
	fixture_end(bus, 0);
}

/* One look at the clock for each time it sleeps; so none while it sleeps. */
static atomic_llong stepped;
static atomic_uint looks;

static int64_t
show_stepped(void *arg)
{
	(void)arg;
	atomic_fetch_add(&looks, 1);
	return atomic_load(&stepped);
}

static void
armed_timer_is_slept_for_by_the_systems_clock_F5(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	int64_t at;

	(void)state;
	assert_int_equal(evbus__timers_due(&bus->context), EVBUS_FOREVER);
	at = evbus_clock_now(bus) + HOUR;
	assert_true(evbus_publish_at(topic, "x", 1, at) > 0);
	/* No look in between. */
	assert_true(evbus__timers_due(&bus->context) == at);
	fixture_end(bus, 0);
}

static void
clock_of_the_options_is_looked_at_now_and_then_or_when_told(void **state)
{
	struct evbus_options options = { .clock = show_stepped };
	struct evbus_topic *topic;
	struct evbus *bus;
	atomic_uint count;
	unsigned before;

	(void)state;
	atomic_store(&stepped, 1);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "t");
	assert_int_equal(evbus_clock_changed(bus), 0);
	count_on_worker(bus, &count);
	assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
	assert_true(evbus_publish_after(topic, "x", 1, 2 * HOUR) > 0);
	assert_int_equal(evbus_clock_now(bus), 1);
	atomic_fetch_add(&stepped, HOUR);
	assert_int_equal(evbus_clock_changed(bus), 0);
	assert_true(fixture_until_count(&count, 1));
	/* Nobody tells. */
	atomic_fetch_add(&stepped, HOUR);
	assert_true(fixture_until_count(&count, 2));
	/* With no timer it is not looked at. */
	assert_int_equal(stats_of(bus).armed, 0);
	before = atomic_load(&looks);
	assert_int_equal(evbus__timers_due(&bus->context), EVBUS_FOREVER);
	assert_int_equal(atomic_load(&looks), before);
	fixture_end(bus, 0);
}

/* ---- Limits -------------------------------------------------------------- */

static void
arming_beyond_a_limit_is_refused_and_loses_nothing_M2(void **state)
{
	static const char large[5000];
	struct evbus_options options = { .max_timers = 3,
	    .timer_payload = 100, .stream = { .max_payload = 60 } };
	struct evbus_stream_options wide = { .max_payload = 4096 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *topic = fixture_topic(bus, "t"), *other;
	struct evbus_stream *stream;
	int64_t id[3];
	int i;

	(void)state;
	/* As evbus(7) has it. */
	assert_int_equal(sizeof(struct evbus__timer) + sizeof(void *), 80);
	assert_int_equal(evbus_stream_open(bus, "w", &wide, &stream), 0);
	other = fixture_topic(bus, "w");
	fixture_refused(evbus_publish_after(topic, large, 61, HOUR),
	    EVBUS_EMSGSIZE);
	fixture_says("max_payload is 60");
	fixture_refused(evbus_publish_every(other, large, 101, HOUR),
	    EVBUS_EMSGSIZE);
	fixture_says("timer_payload is 100");
	fixture_refused(evbus_publish_at(topic, "x", 1, -1), EVBUS_EINVAL);
	fixture_says("at_ns is -1");
	fixture_refused(evbus_publish_after(topic, "x", 1, -1), EVBUS_EINVAL);
	fixture_refused(evbus_publish_every(topic, "x", 1, 0), EVBUS_EINVAL);
	fixture_says("period_ns is 0; it must be 1");
	fixture_refused(evbus_publish_after(NULL, "x", 1, 0), EVBUS_EINVAL);
	fixture_refused(evbus_publish_after(topic, NULL, 1, 0), EVBUS_EINVAL);
	assert_int_equal(bus->workers, 0);
	fixture_refused(evbus_timer_cancel(bus, 1), EVBUS_ENOENT);
	for (i = 0; i < 3; i++)
		id[i] = evbus_publish_after(i == 1 ? other : topic, large,
		    i == 1 ? 100 : 0, HOUR);
	assert_true(id[0] > 0 && id[1] > 0 && id[2] > 0);
	fixture_refused(evbus_publish_after(topic, "x", 1, 0), EVBUS_ELIMIT);
	fixture_says("3 timers");
	assert_int_equal(stats_of(bus).armed, 3);
	assert_int_equal(evbus_timer_cancel(bus, id[1]), 0);
	/* Its place, and not its id. */
	assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
	fixture_refused(evbus_timer_cancel(bus, id[1]), EVBUS_ENOENT);
	fixture_refused(evbus_timer_cancel(bus, 0), EVBUS_ENOENT);
	fixture_refused(evbus_timer_cancel(bus, -5), EVBUS_ENOENT);
	fixture_refused(evbus_timer_cancel(bus, 4), EVBUS_ENOENT);
	fixture_refused(evbus_timer_cancel(bus, id[0] & ~INT64_C(0xffffffff)),
	    EVBUS_ENOENT);
	assert_int_equal(stats_of(bus).armed, 3);
	fixture_end(bus, 0);
}

static void
calls_on_nothing_are_einval(void **state)
{
	struct evbus_timer_stats stats;
	struct evbus *bus = fixture_open(NULL);

	(void)state;
	fixture_refused(evbus_timer_cancel(NULL, 1), EVBUS_EINVAL);
	fixture_refused(evbus_timer_stats(NULL, &stats), EVBUS_EINVAL);
	fixture_refused(evbus_timer_stats(bus, NULL), EVBUS_EINVAL);
	fixture_refused(evbus_clock_now(NULL), EVBUS_EINVAL);
	fixture_refused(evbus_clock_changed(NULL), EVBUS_EINVAL);
	fixture_end(bus, 0);
}

static void
options_of_timers_have_limits(void **state)
{
	struct evbus_options many = { .max_timers = (1u << 20) + 1 };
	struct evbus_options large = { .timer_payload = (1u << 24) + 1 };
	struct evbus *bus;

	(void)state;
	fixture_refused(evbus_open(&bus, &many), EVBUS_EINVAL);
	fixture_says("max_timers is 1048577; the limit is 1048576");
	fixture_refused(evbus_open(&bus, &large), EVBUS_EINVAL);
	fixture_says("timer_payload is 16777217");
}

/* After the first timer, none allocates: neither armed nor fired. */
static void
timers_allocate_nothing_after_the_first_M1(void **state)
{
	struct evbus_options options = { .max_timers = 64 };
	struct fault_alloc alloc;
	struct evbus_topic *topic;
	struct evbus *bus;
	atomic_uint count;
	size_t before;
	unsigned i;

	(void)state;
	fault_alloc_init(&alloc);
	options.allocator = fault_alloc_hooks(&alloc);
	bus = fixture_open(&options);
	topic = fixture_topic(bus, "t");
	count_on_worker(bus, &count);
	assert_true(evbus_publish_after(topic, "x", 1, 0) > 0);
	assert_true(fixture_until_count(&count, 1));
	fault_alloc_arm(&alloc, 1, 1);
	before = fault_alloc_activity(&alloc);
	for (i = 0; i < 1000; i++) {
		assert_true(evbus_publish_after(topic, "x", 1, 0) > 0);
		assert_int_equal(evbus_timer_cancel(bus, evbus_publish_every(
		    topic, "x", 1, HOUR)), 0);
		if (i % 32 == 0)
			assert_true(fixture_until_count(&count, i));
	}
	assert_true(fixture_until_count(&count, 1001));
	assert_int_equal(fault_alloc_activity(&alloc), before);
	fault_alloc_arm(&alloc, 0, 0);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&alloc), 0);
	assert_int_equal(fault_alloc_wrong(&alloc), 0);
}

/* No memory for the worker: refused, and the next one works. */
static void
timer_without_memory_is_enomem_and_works_later(void **state)
{
	struct fault_alloc alloc;
	struct evbus_options options = { 0 };
	struct evbus_topic *topic;
	struct evbus *bus;
	size_t k;
	int64_t id;

	(void)state;
	fault_alloc_init(&alloc);
	options.allocator = fault_alloc_hooks(&alloc);
	for (k = 1;; k++) {
		bus = fixture_open_small(&options);
		topic = fixture_topic(bus, "t");
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		fault_alloc_arm(&alloc, k, 0);
		id = evbus_publish_after(topic, "x", 1, HOUR);
		fault_alloc_arm(&alloc, 0, 0);
		if (id > 0)
			break;
		assert_int_equal(id, EVBUS_ENOMEM);
		assert_int_equal(stats_of(bus).armed, 0);
		assert_true(evbus_publish_after(topic, "x", 1, HOUR) > 0);
		fixture_end(bus, 0);
	}
	assert_true(k > 3);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&alloc), 0);
}

/* Sixteen terabytes each: sooner or later there is no address space left. */
static void
timers_without_address_space_are_enomem(void **state)
{
	struct evbus_options options = { .max_timers = 1u << 20,
	    .timer_payload = 1u << 24 };
	struct evbus *bus[20];
	struct evbus_topic *topic;
	int64_t id = 1;
	unsigned n;

	(void)state;
	for (n = 0; n < 20 && id > 0; n++) {
		bus[n] = fixture_open_small(&options);
		topic = fixture_topic(bus[n], "t");
		id = evbus_publish_after(topic, "x", 1, HOUR);
	}
	fixture_refused(id, EVBUS_ENOMEM);
	fixture_says("1048576 timers");
	while (n > 0)
		fixture_end(bus[--n], 0);
}

/* ---- Many threads --------------------------------------------------------- */

#define ARMERS	3
#define ROUNDS	2000u

struct armer {
	struct evbus_topic *topic;
	uint64_t seed;
	unsigned armed;
	unsigned cancelled;		/* evbus_timer_cancel() said 0 */
};

static void
arm_and_cancel(struct fixture_thread *thread)
{
	struct armer *armer = thread->arg;
	struct evbus *bus = armer->topic->stream->bus;
	int64_t id;
	unsigned i;
	int result;

	for (i = 0; i < ROUNDS; i++) {
		armer->seed = armer->seed * 6364136223846793005u + 1;
		id = evbus_publish_after(armer->topic, &i, sizeof i,
		    (int64_t)(armer->seed >> 33) % 50000);
		if (!fixture_check(thread, id > 0))
			return;
		armer->armed++;
		if (armer->seed >> 62 == 0)
			continue;
		while ((result = evbus_timer_cancel(bus, id)) == EVBUS_EBUSY)
			(void)sched_yield();
		fixture_check(thread, result == 0 || result == EVBUS_ENOENT);
		armer->cancelled += result == 0;
	}
}

static int
none_is_armed(void *bus)
{
	struct evbus_timer_stats stats;

	return evbus_timer_stats(bus, &stats) == 0 && stats.armed == 0;
}

/* Every timer came once, or its cancel said that it never will. */
static void
timers_of_many_threads_come_once_or_are_cancelled(void **state)
{
	struct evbus_options options = { .max_timers = ARMERS * ROUNDS };
	struct fixture_thread thread[ARMERS];
	struct armer armer[ARMERS] = { { 0 } };
	struct evbus *bus = fixture_open(&options);
	unsigned i, armed = 0, cancelled = 0;
	struct evbus_timer_stats stats;
	atomic_uint count;

	(void)state;
	count_on_worker(bus, &count);
	for (i = 0; i < ARMERS; i++) {
		armer[i].topic = fixture_topic(bus, i == 0 ? "a" : "b");
		armer[i].seed = 77 + i;
		fixture_start(&thread[i], arm_and_cancel, &armer[i]);
	}
	for (i = 0; i < ARMERS; i++) {
		fixture_join(&thread[i]);
		armed += armer[i].armed;
		cancelled += armer[i].cancelled;
	}
	assert_true(fixture_until(none_is_armed, bus));
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	stats = stats_of(bus);
	assert_int_equal(stats.fired + stats.cancelled, armed);
	/* EBUSY first, and then it did not come. */
	assert_true(stats.cancelled >= cancelled);
	assert_int_equal(atomic_load(&count), stats.fired);
	fixture_end(bus, 0);
}

/* ---- Close --------------------------------------------------------------- */

static void
close_drops_armed_timers_and_tells_how_many_L3(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "t");
	struct evbus_report report;
	atomic_uint count;
	int64_t id;

	(void)state;
	count_on_worker(bus, &count);
	id = evbus_publish_after(topic, "x", 1, HOUR);
	assert_true(id > 0);
	assert_true(evbus_publish_every(topic, "x", 1, HOUR) > 0);
	assert_true(evbus_publish_after(topic, "x", 1, 0) > 0);
	assert_true(fixture_until_count(&count, 1));
	/* Nobody waits for an hour; nor does a flush. */
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(evbus_close(bus, EVBUS_FOREVER, &report), 0);
	assert_int_equal(report.timers, 2);
	assert_int_equal(report.left, 0);
	fixture_refused(evbus_publish_after(topic, "x", 1, 0), EVBUS_ECLOSED);
	fixture_refused(evbus_timer_cancel(bus, id), EVBUS_ECLOSED);
	fixture_refused(evbus_clock_changed(bus), EVBUS_ECLOSED);
	/* Who comes behind the close starts no thread. */
	fixture_refused(evbus__worker_time(&bus->context), EVBUS_ECLOSED);
	assert_int_equal(stats_of(bus).armed, 2);
	assert_int_equal(stats_of(bus).fired, 1);
	fixture_free(bus);
}

/* A closing bus takes no timer, not even a handler's; nor fires one. */
static struct {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct fixture_hold hold;
	int64_t result;
} closing;

static enum evbus_verdict
arm_when_let_go(const struct evbus_event *event, void *arg)
{
	(void)fixture_holding(event, arg);
	closing.result = evbus_publish_after(closing.topic, "x", 1, 0);
	return EVBUS_DONE;
}

static void
close_it(struct fixture_thread *thread)
{
	struct evbus_report *report = thread->arg;

	fixture_check(thread, evbus_close(closing.bus, FIXTURE_LONG,
	    report) == 0);
}

static int
is_closing(void *bus)
{
	return evbus_flush(bus, 0) == EVBUS_ECLOSED;
}

static void
closing_bus_takes_no_timer_and_fires_none_L3(void **state)
{
	struct fixture_thread closer;
	struct evbus_report report;

	(void)state;
	closing.bus = fixture_open(NULL);
	closing.topic = fixture_topic(closing.bus, "t");
	fixture_hold_init(&closing.hold);
	assert_true(evbus_subscribe(closing.bus, ">", arm_when_let_go,
	    &closing.hold, NULL) > 0);
	assert_int_equal(evbus_publish(closing.topic, "x", 1), 0);
	fixture_hold_entered(&closing.hold);
	/* The worker that would fire it stands in the handler. */
	assert_true(evbus_publish_after(closing.topic, "x", 1, 0) > 0);
	fixture_start(&closer, close_it, &report);
	assert_true(fixture_until(is_closing, closing.bus));
	fixture_hold_open(&closing.hold);
	fixture_join(&closer);
	assert_int_equal(closing.result, EVBUS_ECLOSED);
	assert_int_equal(report.timers, 1);
	assert_int_equal(report.delivered, 1);
	fixture_free(closing.bus);
}

/* Its validator stands still on the worker: close waits for it, and says so. */
static int
hold_second(const void *data, size_t size, void *arg)
{
	static atomic_uint calls;

	(void)size;
	if (data != NULL && atomic_fetch_add(&calls, 1) == 1)
		(void)fixture_holding(NULL, arg);
	return 0;
}

static void
close_does_not_outwait_a_timers_validator_S4(void **state)
{
	struct fixture_hold hold;
	struct evbus_topic_options options = { .validate = hold_second,
	    .validate_arg = &hold };
	struct evbus *bus = fixture_open(NULL);
	struct evbus_report report;
	struct evbus_topic *topic;

	(void)state;
	fixture_hold_init(&hold);
	assert_int_equal(evbus_topic_open(bus, "t", &options, &topic), 0);
	assert_true(evbus_publish_after(topic, "x", 1, 0) > 0);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_close(bus, 0, &report), EVBUS_ETIMEDOUT);
	assert_int_equal(report.running, 1);
	assert_int_equal(report.timers, 1);
	assert_int_equal(evbus_free(bus), EVBUS_EBUSY);
	fixture_hold_open(&hold);
	fixture_free(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_timer_starts_the_worker_and_it_fires_S6),
		cmocka_unit_test(
		    nearer_timer_wakes_the_worker_that_sleeps_for_a_far_one),
		cmocka_unit_test(
		    armed_timer_is_slept_for_by_the_systems_clock_F5),
		cmocka_unit_test(
		    clock_of_the_options_is_looked_at_now_and_then_or_when_told),
		cmocka_unit_test(
		    arming_beyond_a_limit_is_refused_and_loses_nothing_M2),
		cmocka_unit_test(calls_on_nothing_are_einval),
		cmocka_unit_test(options_of_timers_have_limits),
		cmocka_unit_test(timers_allocate_nothing_after_the_first_M1),
		cmocka_unit_test(
		    timer_without_memory_is_enomem_and_works_later),
		cmocka_unit_test(
		    timers_of_many_threads_come_once_or_are_cancelled),
		cmocka_unit_test(timers_without_address_space_are_enomem),
		cmocka_unit_test(
		    close_drops_armed_timers_and_tells_how_many_L3),
		cmocka_unit_test(closing_bus_takes_no_timer_and_fires_none_L3),
		cmocka_unit_test(close_does_not_outwait_a_timers_validator_S4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
