/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_worker.c - why: workers are the threads that the bus owns.  Who shares
 * one shares its time (S1), so names must mean what they say; readers come and
 * go while the worker runs them, and must neither be forgotten nor be run when
 * they are gone.
 */
#include <unistd.h>

#include <sys/syscall.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

struct seen {
	atomic_uint calls;
	atomic_long thread;
	atomic_uint others;	/* calls on another thread than the first */
};

static enum evbus_verdict
note_thread(const struct evbus_event *event, void *arg)
{
	struct seen *seen = arg;
	long self = (long)syscall(SYS_gettid), none = 0;

	(void)event;
	if (!atomic_compare_exchange_strong(&seen->thread, &none, self) &&
	    none != self)
		atomic_fetch_add(&seen->others, 1);
	atomic_fetch_add(&seen->calls, 1);
	return EVBUS_DONE;
}

static struct evbus_reader *
open_on(struct evbus *bus, const char *worker)
{
	struct evbus_reader_options options = { .worker = worker };

	return fixture_reader(bus, &options);
}

static int64_t
subscribe_on(struct evbus *bus, const char *worker, const char *pattern,
    evbus_handler handler, void *arg)
{
	int64_t id = evbus_reader_subscribe(open_on(bus, worker), pattern,
	    handler, arg, NULL);

	assert_true(id > 0);
	return id;
}

static void
worker_of_one_name_is_one_thread_and_of_another_another(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	unsigned threads = fixture_threads();
	struct seen seen[4];
	int i, j;

	(void)state;
	memset(seen, 0, sizeof seen);
	(void)subscribe_on(bus, "one", "a", note_thread, &seen[0]);
	(void)subscribe_on(bus, "one", "a", note_thread, &seen[1]);
	assert_int_equal(fixture_threads(), threads + 1);
	(void)subscribe_on(bus, "two", "a", note_thread, &seen[2]);
	assert_true(evbus_subscribe(bus, "a", note_thread, &seen[3], NULL) >
	    0);
	assert_int_equal(fixture_threads(), threads + 3);
	for (i = 0; i < 500; i++)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(atomic_load(&seen[i].calls), 500);
		assert_int_equal(atomic_load(&seen[i].others), 0);
		assert_true(atomic_load(&seen[i].thread) !=
		    (long)syscall(SYS_gettid));
	}
	assert_true(atomic_load(&seen[0].thread) ==
	    atomic_load(&seen[1].thread));
	for (i = 1; i < 4; i++)
		for (j = i + 1; j < 4; j++)
			assert_true(atomic_load(&seen[i].thread) !=
			    atomic_load(&seen[j].thread));
	fixture_end(bus, 0);
	assert_true(fixture_until_threads(threads));
}

static void
worker_names_of_bad_length_are_refused(void **state)
{
	struct evbus_reader_options options[3] = { { .worker = "" },
	    { .worker = "thirty-two-bytes-are-one-too-far" },
	    { .name = "thirty-two-bytes-are-one-too-far" } };
	struct evbus *bus = fixture_open(NULL);
	unsigned threads = fixture_threads();
	struct evbus_reader *reader;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fixture_refused(evbus_reader_open(bus, &options[i], &reader),
		    EVBUS_EINVAL);
		fixture_says("bytes");
		assert_null(reader);
	}
	assert_int_equal(fixture_threads(), threads);
	(void)open_on(bus, "thirty-one-bytes-are-the-limit!");
	fixture_end(bus, 0);
}

#define WORKERS 64

static void
workers_beyond_64_are_elimit_and_64_all_work(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader_options options = { 0 };
	unsigned threads = fixture_threads();
	struct evbus_reader *reader;
	atomic_uint count = 0;
	char name[32];
	int i;

	(void)state;
	options.worker = name;
	for (i = 0; i < WORKERS; i++) {
		(void)snprintf(name, sizeof name, "w%d", i);
		(void)subscribe_on(bus, name, "a", fixture_count, &count);
	}
	(void)snprintf(name, sizeof name, "one-more");
	fixture_refused(evbus_reader_open(bus, &options, &reader),
	    EVBUS_ELIMIT);
	fixture_says("64 workers");
	assert_null(reader);
	assert_true(evbus_subscribe(bus, "a", fixture_count, &count, NULL) ==
	    EVBUS_ELIMIT);
	/* A name that runs already is still fine. */
	(void)subscribe_on(bus, "w7", "a", fixture_count, &count);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(atomic_load(&count), WORKERS + 1);
	assert_int_equal(fixture_threads(), threads + WORKERS);
	fixture_end(bus, 0);
	assert_true(fixture_until_threads(threads));
}

/* The default worker is one of the names. */
static void
worker_named_evbus_is_the_default_one(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct seen seen[2];

	(void)state;
	memset(seen, 0, sizeof seen);
	(void)subscribe_on(bus, "evbus", "a", note_thread, &seen[0]);
	assert_true(evbus_subscribe(bus, "a", note_thread, &seen[1], NULL) >
	    0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_true(atomic_load(&seen[0].thread) ==
	    atomic_load(&seen[1].thread));
	fixture_end(bus, 0);
}

static void
reader_of_a_worker_is_refused_to_others(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader = open_on(bus, "w");

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) >
	    0);
	fixture_refused(evbus_wait(reader, 0), EVBUS_EOWNER);
	fixture_refused(evbus_poll(reader, 1), EVBUS_EOWNER);
	assert_null(evbus_next(reader));
	fixture_says("worker");
	fixture_end(bus, 0);
}

/* ---- Readers that come and go -------------------------------------------- */

struct closing {
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	atomic_uint calls;
	atomic_uint closed;
	atomic_int result;
};

static void
count_closed(void *arg)
{
	struct closing *closing = arg;

	atomic_fetch_add(&closing->closed, 1);
}

static enum evbus_verdict
close_own_reader(const struct evbus_event *event, void *arg)
{
	struct closing *closing = arg;

	(void)event;
	atomic_store(&closing->result, evbus_reader_close(closing->reader,
	    EVBUS_FOREVER));
	atomic_fetch_add(&closing->calls, 1);
	return EVBUS_DONE;
}

/* L2: inside a handler it never waits, and no new call starts after it. */
static void
reader_closed_inside_its_own_handler_on_a_worker_ends_L2(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 16 } };
	struct evbus_subscribe_options ended = { count_closed };
	struct evbus *bus = fixture_open(&options);
	struct closing closing;
	int round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		memset(&closing, 0, sizeof closing);
		closing.topic = fixture_topic(bus, "a");
		closing.reader = open_on(bus, "w");
		assert_true(evbus_reader_subscribe(closing.reader, "a",
		    close_own_reader, &closing, &ended) > 0);
		/* More than the ring holds: nobody stays in the way. */
		for (i = 0; i < 40; i++)
			assert_int_equal(evbus_publish(closing.topic, "x", 1),
			    0);
		assert_true(fixture_until_count(&closing.closed, 1));
		assert_int_equal(atomic_load(&closing.result), 0);
		assert_int_equal(atomic_load(&closing.calls), 1);
	}
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&closing.closed), 1);
}

struct opening {
	struct evbus *bus;
	struct evbus_reader *reader;
};

static int
is_reopened(void *arg)
{
	struct opening *opening = arg;
	struct evbus_reader_options options = { .worker = "w" };

	return evbus_reader_open(opening->bus, &options, &opening->reader) ==
	    0;
}

/* Slots of closed readers are used again, as soon as the worker lets go. */
static void
readers_of_a_worker_reopened_after_close_work(void **state)
{
	struct evbus_options options = { .max_readers = 2 };
	struct opening opening;
	atomic_uint count = 0;
	struct fault_alloc fault;
	unsigned i;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	opening.bus = fixture_open(&options);
	for (i = 0; i < 200; i++) {
		assert_true(fixture_until(is_reopened, &opening));
		assert_true(evbus_reader_subscribe(opening.reader, "a",
		    fixture_count, &count, NULL) > 0);
		assert_int_equal(evbus_publish_name(opening.bus, "a", "x", 1),
		    0);
		assert_int_equal(evbus_flush(opening.bus, FIXTURE_LONG), 0);
		assert_int_equal(atomic_load(&count), i + 1);
		assert_int_equal(evbus_reader_close(opening.reader,
		    FIXTURE_LONG), 0);
	}
	fixture_end(opening.bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

/* A stale handle is told, and not taken for the reader that has its slot. */
static void
reader_handle_after_close_is_eclosed(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_reader *reader = open_on(bus, "w");
	struct evbus_reader_stats stats;

	(void)state;
	assert_int_equal(evbus_reader_close(reader, FIXTURE_LONG), 0);
	fixture_refused(evbus_reader_close(reader, 0), EVBUS_ECLOSED);
	fixture_refused(evbus_reader_stats(reader, &stats), EVBUS_ECLOSED);
	fixture_refused(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL),
	    EVBUS_ECLOSED);
	fixture_end(bus, 0);
}

/* ---- Sharing ------------------------------------------------------------- */

/* S1: readers of one worker take turns, whatever one of them has to do. */
static void
worker_gives_each_of_its_readers_a_turn_S1(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 4096 } };
	struct evbus *bus = fixture_open(&options);
	struct evbus_topic *busy = fixture_topic(bus, "busy");
	struct evbus_stream *stream;
	atomic_uint much = 0, little = 0;
	int i;

	(void)state;
	assert_int_equal(evbus_stream_open(bus, "rare", NULL, &stream), 0);
	(void)subscribe_on(bus, "w", "busy", fixture_count, &much);
	(void)subscribe_on(bus, "w", "rare", fixture_count, &little);
	for (i = 0; i < 20000; i++) {
		assert_int_equal(evbus_publish(busy, "x", 1), 0);
		if (i % 1000 == 0)
			assert_int_equal(evbus_publish_name(bus, "rare", "x",
			    1), 0);
	}
	assert_int_equal(evbus_flush(bus, FIXTURE_LONG), 0);
	assert_int_equal(atomic_load(&much), 20000);
	assert_int_equal(atomic_load(&little), 20);
	fixture_end(bus, 0);
}

static enum evbus_verdict
publish_on(const struct evbus_event *event, void *arg)
{
	(void)event;
	return evbus_publish(arg, "y", 1) == 0 ? EVBUS_DONE : EVBUS_RETRY;
}

/* Events from a handler on a worker bear its name, and their cause. */
static void
worker_name_is_the_publishers_name_of_its_events(void **state)
{
	struct evbus *bus = fixture_open(NULL);
	struct evbus_topic *first = fixture_topic(bus, "a");
	struct evbus_topic *second = fixture_topic(bus, "b");
	const struct evbus_event *event;
	struct evbus_reader *reader;

	(void)state;
	reader = fixture_subscribed(bus, "b", NULL, NULL);
	(void)subscribe_on(bus, "worker-bee", "a", publish_on, second);
	assert_int_equal(evbus_publish(second, "0", 1), 0);
	assert_non_null(evbus_next(reader));
	assert_int_equal(evbus_publish(first, "x", 1), 0);
	assert_int_equal(evbus_wait(reader, FIXTURE_LONG), 1);
	event = evbus_next(reader);
	while (event == NULL && evbus_wait(reader, FIXTURE_LONG) == 1)
		event = evbus_next(reader);
	assert_non_null(event);
	assert_string_equal(evbus_publisher_name(bus, event->publisher),
	    "worker-bee");
	assert_int_equal(EVBUS_CAUSE_STREAM(event->cause), 1);
	evbus_done(reader);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    worker_of_one_name_is_one_thread_and_of_another_another),
		cmocka_unit_test(worker_names_of_bad_length_are_refused),
		cmocka_unit_test(workers_beyond_64_are_elimit_and_64_all_work),
		cmocka_unit_test(worker_named_evbus_is_the_default_one),
		cmocka_unit_test(reader_of_a_worker_is_refused_to_others),
		cmocka_unit_test(
		    reader_closed_inside_its_own_handler_on_a_worker_ends_L2),
		cmocka_unit_test(readers_of_a_worker_reopened_after_close_work),
		cmocka_unit_test(reader_handle_after_close_is_eclosed),
		cmocka_unit_test(worker_gives_each_of_its_readers_a_turn_S1),
		cmocka_unit_test(
		    worker_name_is_the_publishers_name_of_its_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
