/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_context.c - why: the hooks are how a program takes the library into its
 * own world: its memory, its clock, its log.  Each must be used for what it is
 * for, with the argument that was given, and never behind its back.
 */
#include "bus_fixture.h"
#include "fault_alloc.h"

#include "base/context.h"

/* ---- Allocator ----------------------------------------------------------- */

/* Whatever alignment the hook gives, the library's own is right. */
static void
alloc_with_a_careless_allocator_is_aligned_and_zeroed(void **state)
{
	struct evbus__context context = { 0 };
	struct evbus_allocator hooks;
	struct fault_alloc fault;
	unsigned char *p;
	size_t size, i;

	(void)state;
	fault_alloc_init(&fault);
	hooks = fault_alloc_hooks(&fault);
	context.alloc = hooks.alloc;
	context.free = hooks.free;
	context.alloc_arg = hooks.arg;
	for (size = 1; size < 5000; size = size * 3 + 1) {
		p = evbus__alloc(&context, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % EVBUS_LINE, 0);
		for (i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		evbus__free(&context, p, size);
	}
	evbus__free(&context, NULL, 10);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

static void
allocator_gets_every_block_back_with_its_size(void **state)
{
	struct evbus_options options = { 0 };
	struct fault_alloc fault;
	struct evbus *bus;
	atomic_uint count = 0;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	bus = fixture_open(&options);
	assert_true(fault_alloc_blocks(&fault) > 5);
	(void)fixture_subscribed(bus, ">", fixture_count, &count);
	assert_int_equal(evbus_publish_name(bus, "a.b", "x", 1), 0);
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count), 1);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
	assert_int_equal(fault_alloc_wrong(&fault), 0);
}

/* ---- Clock --------------------------------------------------------------- */

struct fake_clock {
	atomic_llong now;
	atomic_uint readings;
};

static int64_t
read_fake_clock(void *arg)
{
	struct fake_clock *fake = arg;

	atomic_fetch_add(&fake->readings, 1);
	return (int64_t)atomic_load(&fake->now);
}

static int64_t
time_of_next(struct evbus_reader *reader)
{
	const struct evbus_event *event = evbus_next(reader);

	assert_non_null(event);
	return event->time;
}

static struct evbus *
open_with_clock(struct fake_clock *fake, enum evbus_times times)
{
	struct evbus_options options = { .stream = { .times = times },
	    .clock = read_fake_clock };

	memset(fake, 0, sizeof *fake);
	atomic_store(&fake->now, 1000);
	options.clock_arg = fake;
	return fixture_open(&options);
}

static void
clock_of_precise_times_is_read_at_each_event(void **state)
{
	struct fake_clock fake;
	struct evbus *bus = open_with_clock(&fake, EVBUS_TIMES_PRECISE);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	struct evbus_claim claim;
	int i;

	(void)state;
	for (i = 0; i < 300; i++) {
		atomic_store(&fake.now, 5000 + 7 * i);
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	}
	for (i = 0; i < 300; i++)
		assert_int_equal(time_of_next(reader), 5000 + 7 * i);
	/* The slow ways as well. */
	atomic_store(&fake.now, 9000);
	assert_int_equal(evbus_publish_with(topic, "x", 1, NULL), 0);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	assert_int_equal(evbus_commit(&claim, 1), 0);
	assert_int_equal(time_of_next(reader), 9000);
	assert_int_equal(time_of_next(reader), 9000);
	fixture_end(bus, 0);
}

/* F7: at every 64th event of the publisher, and not in between. */
static void
clock_of_sampled_times_is_read_at_every_64th_event_F7(void **state)
{
	struct fake_clock fake;
	struct evbus *bus = open_with_clock(&fake, EVBUS_TIMES_SAMPLED);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	unsigned before;
	int i;

	(void)state;
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	before = atomic_load(&fake.readings);
	for (i = 1; i < 640; i++) {
		atomic_store(&fake.now, 1000 + i);
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	}
	assert_int_equal(atomic_load(&fake.readings) - before, 9);
	for (i = 0; i < 640; i++)
		assert_int_equal(time_of_next(reader), 1000 + i / 64 * 64);
	fixture_end(bus, 0);
}

static void
clock_of_a_stream_without_times_is_not_read(void **state)
{
	struct fake_clock fake;
	struct evbus *bus = open_with_clock(&fake, EVBUS_TIMES_NONE);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	unsigned before;
	int i;

	(void)state;
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	before = atomic_load(&fake.readings);
	for (i = 1; i < 200; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(atomic_load(&fake.readings), before);
	for (i = 0; i < 200; i++)
		assert_int_equal(time_of_next(reader), 0);
	fixture_end(bus, 0);
}

/* Time limits follow the system's clock, whatever the hook says. */
static void
clock_that_stands_still_does_not_stop_time_limits_S4(void **state)
{
	struct fake_clock fake;
	struct evbus *bus = open_with_clock(&fake, EVBUS_TIMES_SAMPLED);
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);

	(void)state;
	assert_int_equal(evbus_wait(reader, 2 * FIXTURE_MS), 0);
	fixture_end(bus, 0);
}

/* ---- Log ----------------------------------------------------------------- */

struct log {
	pthread_mutex_t lock;
	atomic_uint lines;
	int code;
	char text[256];
};

static void
keep_line(int code, const char *text, void *arg)
{
	struct log *log = arg;

	pthread_mutex_lock(&log->lock);
	log->code = code;
	(void)snprintf(log->text, sizeof log->text, "%s", text);
	pthread_mutex_unlock(&log->lock);
	atomic_fetch_add(&log->lines, 1);
}

static enum evbus_verdict
answer_retry(const struct evbus_event *event, void *arg)
{
	(void)event;
	atomic_fetch_add((atomic_uint *)arg, 1);
	return EVBUS_RETRY;
}

static void
log_is_told_of_a_refused_verdict_on_a_worker(void **state)
{
	struct evbus_options options = { .log = keep_line };
	struct evbus *bus;
	atomic_uint count = 0;
	struct log log = { .code = 0 };

	(void)state;
	pthread_mutex_init(&log.lock, NULL);
	options.log_arg = &log;
	bus = fixture_open(&options);
	assert_true(evbus_subscribe(bus, "a", answer_retry, &count, NULL) >
	    0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_true(fixture_until_count(&log.lines, 1));
	pthread_mutex_lock(&log.lock);
	assert_int_equal(log.code, EVBUS_EVERDICT);
	/* It names where the handler was subscribed, and what it answered. */
	assert_non_null(strstr(log.text, "test_context.c"));
	assert_non_null(strstr(log.text, "1"));
	pthread_mutex_unlock(&log.lock);
	/* The worker goes on. */
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_true(fixture_until_count(&log.lines, 2));
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count), 2);
}

static void
log_of_a_line_too_long_is_cut(void **state)
{
	struct evbus__context context = { 0 };
	struct log log = { .code = 0 };
	char text[600];

	(void)state;
	pthread_mutex_init(&log.lock, NULL);
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	evbus__log(&context, EVBUS_EINVAL, "%s", text);
	context.log = keep_line;
	context.log_arg = &log;
	evbus__log(&context, EVBUS_EINVAL, "%s", text);
	assert_int_equal(atomic_load(&log.lines), 1);
	assert_int_equal(log.code, EVBUS_EINVAL);
	assert_int_equal(strlen(log.text), 255);
}

/* ---- Deadlines ----------------------------------------------------------- */

static void
deadline_of_any_time_limit_saturates(void **state)
{
	int64_t now = evbus__os_now();

	(void)state;
	assert_true(evbus__deadline(EVBUS_FOREVER) == EVBUS_FOREVER);
	assert_true(evbus__deadline(INT64_MAX) == INT64_MAX);
	assert_true(evbus__deadline(INT64_MAX - 1) == INT64_MAX);
	assert_true(evbus__deadline(0) >= now);
	assert_true(evbus__deadline(FIXTURE_LONG) >= now + FIXTURE_LONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    alloc_with_a_careless_allocator_is_aligned_and_zeroed),
		cmocka_unit_test(allocator_gets_every_block_back_with_its_size),
		cmocka_unit_test(clock_of_precise_times_is_read_at_each_event),
		cmocka_unit_test(
		    clock_of_sampled_times_is_read_at_every_64th_event_F7),
		cmocka_unit_test(clock_of_a_stream_without_times_is_not_read),
		cmocka_unit_test(
		    clock_that_stands_still_does_not_stop_time_limits_S4),
		cmocka_unit_test(log_is_told_of_a_refused_verdict_on_a_worker),
		cmocka_unit_test(log_of_a_line_too_long_is_cut),
		cmocka_unit_test(deadline_of_any_time_limit_saturates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
