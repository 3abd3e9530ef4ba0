/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_subscribe.c - why: evbus_subscribe() is the first call that a user makes
 * and the only one that starts a thread without being given a name for it (S6).
 * From then on user code runs on that thread, and whatever it calls must not
 * meet a lock that the library holds (S2).
 */
#include <sched.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

static void
subscribe_starts_one_thread_and_nothing_before_it_does_S6(void **state)
{
	unsigned threads = fixture_threads();
	struct evbus_stream *stream;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	struct evbus *bus;

	(void)state;
	bus = fixture_open(NULL);
	assert_int_equal(evbus_stream_open(bus, "s", NULL, &stream), 0);
	reader = fixture_subscribed(bus, "a", fixture_count, &count);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(evbus_flush(bus, 0), 0);
	/* What is refused starts none either. */
	fixture_refused(evbus_subscribe(bus, "not a pattern", fixture_count,
	    &count, NULL), EVBUS_EPATTERN);
	fixture_refused(evbus_subscribe(bus, "a", NULL, NULL, NULL),
	    EVBUS_EINVAL);
	assert_int_equal(fixture_threads(), threads);
	assert_true(evbus_subscribe(bus, "a", fixture_count, &count, NULL) >
	    0);
	assert_int_equal(fixture_threads(), threads + 1);
	assert_true(evbus_subscribe(bus, "b", fixture_count, &count, NULL) >
	    0);
	assert_int_equal(fixture_threads(), threads + 1);
	fixture_end(bus, 0);
	assert_true(fixture_until_threads(threads));
}

struct race {
	struct evbus *bus;
	pthread_barrier_t barrier;
	atomic_uint count;
};

static void
subscribe_first(struct fixture_thread *thread)
{
	struct race *race = thread->arg;

	(void)pthread_barrier_wait(&race->barrier);
	fixture_check(thread, evbus_subscribe(race->bus, "a", fixture_count,
	    &race->count, NULL) > 0);
}

static void
subscribe_by_several_threads_at_once_makes_one_reader(void **state)
{
	struct fixture_thread thread[3];
	struct evbus_report report;
	struct race race;
	int round, i;

	(void)state;
	for (round = 0; round < 20; round++) {
		memset(&race, 0, sizeof race);
		race.bus = fixture_open_small(NULL);
		assert_int_equal(pthread_barrier_init(&race.barrier, NULL, 3),
		    0);
		for (i = 0; i < 3; i++)
			fixture_start(&thread[i], subscribe_first, &race);
		for (i = 0; i < 3; i++)
			fixture_join(&thread[i]);
		assert_int_equal(evbus_publish_name(race.bus, "a", "x", 1),
		    0);
		assert_int_equal(evbus_close(race.bus, FIXTURE_LONG, &report),
		    0);
		assert_int_equal(atomic_load(&race.count), 3);
		assert_int_equal(report.readers, 1);
		assert_string_equal(report.reader[0].name, "bus");
		pthread_barrier_destroy(&race.barrier);
		fixture_free(race.bus);
	}
}

/* Without memory for reader or worker it is refused, and works later. */
static void
subscribe_without_memory_is_enomem_and_starts_nothing(void **state)
{
	struct evbus_options options = { 0 };
	unsigned threads = fixture_threads();
	struct fault_alloc fault;
	struct evbus *bus;
	atomic_uint count = 0;
	int64_t id;
	size_t k;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	for (k = 1, id = 0; id <= 0; k++) {
		bus = fixture_open_small(&options);
		fault_alloc_arm(&fault, k, 1);
		id = evbus_subscribe(bus, "a", fixture_count, &count, NULL);
		if (id < 0)
			fixture_refused(id, EVBUS_ENOMEM);
		fault_alloc_arm(&fault, 0, 0);
		assert_true(id > 0 || evbus_subscribe(bus, "a", fixture_count,
		    &count, NULL) > 0);
		atomic_store(&count, 0);
		assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
		fixture_end(bus, 0);
		assert_int_equal(atomic_load(&count), 1);
		assert_int_equal(fault_alloc_blocks(&fault), 0);
		assert_true(fixture_until_threads(threads));
	}
	assert_true(k > 5);
}

/* ---- S2 ------------------------------------------------------------------ */

/*
 * User code that makes every kind of call that takes a lock, and then waits for
 * another thread that makes them too: with a lock held the one would never
 * return, or the other would never come.
 */
struct calls {
	struct evbus *bus;
	atomic_uint wanted;	/* the other thread is asked */
	atomic_uint done;	/* and has done it */
	atomic_uint runs;
	atomic_uint stop;
	atomic_int failure;	/* line */
	unsigned names;
};

#define CALLS_CHECK(calls, condition) do { \
	int none = 0; \
	if (!(condition)) \
		(void)atomic_compare_exchange_strong(&(calls)->failure, \
		    &none, __LINE__); \
} while (0)

static void
call_all_that_lock(struct calls *calls, const char *prefix, unsigned n)
{
	struct evbus_stream_options small = { .capacity = 16 };
	static atomic_uint ignored;
	struct evbus_reader *reader;
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	char name[40];
	int64_t id;

	(void)snprintf(name, sizeof name, "%s.n%u", prefix, n);
	CALLS_CHECK(calls, evbus_stream_open(calls->bus, name, &small,
	    &stream) == 0);
	CALLS_CHECK(calls, evbus_topic_open(calls->bus, name, NULL, &topic) ==
	    0);
	CALLS_CHECK(calls, evbus_publish(topic, "x", 1) == 0);
	CALLS_CHECK(calls, evbus_reader_open(calls->bus, NULL, &reader) == 0);
	id = evbus_reader_subscribe(reader, name, NULL, NULL, NULL);
	CALLS_CHECK(calls, id > 0);
	CALLS_CHECK(calls, evbus_unsubscribe(calls->bus, id, FIXTURE_LONG) ==
	    0);
	CALLS_CHECK(calls, evbus_reader_close(reader, FIXTURE_LONG) == 0);
	id = evbus_subscribe(calls->bus, name, fixture_count, &ignored, NULL);
	CALLS_CHECK(calls, id > 0);
	CALLS_CHECK(calls, evbus_publish_name(calls->bus, name, "x", 1) == 0);
	CALLS_CHECK(calls, evbus_unsubscribe(calls->bus, id, FIXTURE_LONG) ==
	    0);
	CALLS_CHECK(calls, evbus_publisher_set_name(calls->bus, "named") ==
	    0);
}

static int
is_done(void *arg)
{
	struct calls *calls = arg;

	return atomic_load(&calls->done) >= atomic_load(&calls->wanted);
}

/* What every callback does. */
static void
call_from_user_code(struct calls *calls, const char *prefix)
{
	atomic_fetch_add(&calls->runs, 1);
	call_all_that_lock(calls, prefix, ++calls->names);
	atomic_fetch_add(&calls->wanted, 1);
	CALLS_CHECK(calls, fixture_until(is_done, calls));
}

static void
call_for_others(struct fixture_thread *thread)
{
	struct calls *calls = thread->arg;
	unsigned n = 0;

	while (atomic_load(&calls->stop) == 0) {
		if (atomic_load(&calls->wanted) == n) {
			sched_yield();
			continue;
		}
		call_all_that_lock(calls, "other", ++n);
		atomic_store(&calls->done, n);
	}
	fixture_check(thread, n > 0);
}

static enum evbus_verdict
handle(const struct evbus_event *event, void *arg)
{
	(void)event;
	call_from_user_code(arg, "handler");
	return EVBUS_DONE;
}

static enum evbus_verdict
handle_and_stop(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_STOP;
}

static void
closed(void *arg)
{
	call_from_user_code(arg, "closed");
}

static void
release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	call_from_user_code(arg, "release");
}

static struct evbus_topic *
begin_calls(struct calls *calls, struct fixture_thread *thread)
{
	struct evbus_options options = { .stream = { .capacity = 8,
	    .max_references = 2 }, .max_streams = 200 };

	memset(calls, 0, sizeof *calls);
	calls->bus = fixture_open(&options);
	fixture_start(thread, call_for_others, calls);
	return fixture_topic(calls->bus, "a");
}

static void
end_calls(struct calls *calls, struct fixture_thread *thread, unsigned runs)
{
	assert_true(fixture_until_count(&calls->done, runs));
	assert_true(fixture_until(is_done, calls));
	assert_int_equal(evbus_flush(calls->bus, FIXTURE_LONG), 0);
	atomic_store(&calls->stop, 1);
	fixture_join(thread);
	if (atomic_load(&calls->failure) != 0)
		fail_msg("line %d", atomic_load(&calls->failure));
	fixture_end(calls->bus, 0);
}

static void
handler_of_a_worker_runs_without_a_lock_S2(void **state)
{
	struct fixture_thread thread;
	struct calls calls;
	struct evbus_topic *topic = begin_calls(&calls, &thread);
	int i;

	(void)state;
	assert_true(evbus_subscribe(calls.bus, "a", handle, &calls, NULL) >
	    0);
	for (i = 0; i < 5; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	end_calls(&calls, &thread, 5);
}

static void
handler_of_a_polled_reader_runs_without_a_lock_S2(void **state)
{
	struct fixture_thread thread;
	struct calls calls;
	struct evbus_topic *topic = begin_calls(&calls, &thread);
	struct evbus_reader *reader = fixture_subscribed(calls.bus, "a",
	    handle, &calls);

	(void)state;
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	end_calls(&calls, &thread, 1);
}

/* By each of the ways in which a subscription ends. */
static void
on_closed_runs_without_a_lock_S2(void **state)
{
	struct evbus_subscribe_options options = { closed };
	struct evbus_reader_options on_worker = { .worker = "w" };
	struct fixture_thread thread;
	struct calls calls;
	struct evbus_topic *topic = begin_calls(&calls, &thread);
	struct evbus_reader *reader;
	int64_t id;

	(void)state;
	id = evbus_subscribe(calls.bus, "a", fixture_count, &calls, &options);
	assert_true(id > 0);
	assert_int_equal(evbus_unsubscribe(calls.bus, id, FIXTURE_LONG), 0);
	assert_true(fixture_until_count(&calls.done, 1));
	reader = fixture_reader(calls.bus, NULL);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, &calls,
	    &options) > 0);
	assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
	assert_true(fixture_until_count(&calls.done, 2));
	reader = fixture_reader(calls.bus, &on_worker);
	assert_true(evbus_reader_subscribe(reader, "a", handle_and_stop,
	    &calls, &options) > 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	end_calls(&calls, &thread, 3);
}

static void
release_function_runs_without_a_lock_S2(void **state)
{
	struct evbus_publish_options by_reference = { .release = release };
	struct fixture_thread thread;
	struct calls calls;
	struct evbus_topic *topic = begin_calls(&calls, &thread);
	struct evbus_reader *reader = fixture_subscribed(calls.bus, "a", NULL,
	    NULL);
	int i;

	(void)state;
	by_reference.release_arg = &calls;
	/* Inside a publish that needs its entry, and inside a flush. */
	for (i = 0; i < 6; i++) {
		assert_int_equal(evbus_publish_with(topic, "data", 4,
		    &by_reference), 0);
		assert_int_equal(evbus_poll(reader, 1), 1);
	}
	assert_true(atomic_load(&calls.runs) >= 4);
	assert_int_equal(evbus_flush(calls.bus, FIXTURE_LONG), 0);
	end_calls(&calls, &thread, 6);
	assert_int_equal(atomic_load(&calls.runs), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    subscribe_starts_one_thread_and_nothing_before_it_does_S6),
		cmocka_unit_test(
		    subscribe_by_several_threads_at_once_makes_one_reader),
		cmocka_unit_test(
		    subscribe_without_memory_is_enomem_and_starts_nothing),
		cmocka_unit_test(handler_of_a_worker_runs_without_a_lock_S2),
		cmocka_unit_test(
		    handler_of_a_polled_reader_runs_without_a_lock_S2),
		cmocka_unit_test(on_closed_runs_without_a_lock_S2),
		cmocka_unit_test(release_function_runs_without_a_lock_S2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
