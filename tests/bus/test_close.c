/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_close.c - why: the end of a program is where events get lost, threads
 * hang and memory is used after it was freed.  L3, piece by piece: publishes
 * are refused and waiting ones woken, handlers go on and may publish, readers
 * of the caller are run, it always returns and reports, and every handle
 * answers EVBUS_ECLOSED (all of them: test_calls.c).
 */
#include <sched.h>

#include "bus_fixture.h"
#include "fault_alloc.h"

#define THREADS 3

/*
 * Is the bus still open?  Opening a stream without a pattern is refused for
 * that only where it is not refused for the closing before.
 */
static int
is_closing(void *bus)
{
	struct evbus_stream *stream;

	return evbus_stream_open(bus, NULL, NULL, &stream) == EVBUS_ECLOSED;
}

static int64_t
on_worker(struct evbus *bus, const char *worker, const char *pattern,
    evbus_handler handler, void *arg)
{
	struct evbus_reader_options options = { .name = worker,
	    .worker = worker };

	return evbus_reader_subscribe(fixture_reader(bus, &options), pattern,
	    handler, arg, NULL);
}

/* ---- Draining ------------------------------------------------------------ */

static void
poll_until_closed(struct fixture_thread *thread)
{
	struct evbus_reader *reader = thread->arg;
	int n;

	do {
		n = evbus_poll(reader, 3);
		if (n == 0)
			n = evbus_wait(reader, EVBUS_FOREVER);
	} while (n >= 0);
	fixture_check(thread, n == EVBUS_ECLOSED);
}

/* Readers of a worker, of the caller, and of another thread. */
static void
close_delivers_all_that_was_published_L3(void **state)
{
	atomic_uint count[3] = { 0 };
	struct evbus_reader *own, *others;
	struct fixture_thread thread;
	struct evbus_topic *topic;
	struct evbus *bus;
	int i;

	(void)state;
	bus = fixture_open(NULL);
	topic = fixture_topic(bus, "a");
	assert_true(on_worker(bus, "w", "a", fixture_count, &count[0]) > 0);
	own = fixture_subscribed(bus, "a", fixture_count, &count[1]);
	others = fixture_subscribed(bus, "a", fixture_count, &count[2]);
	assert_int_equal(evbus_poll(own, 1), 0);
	fixture_start(&thread, poll_until_closed, others);
	assert_true(fixture_until_parked(others, 0));
	for (i = 0; i < 1000; i++)
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(atomic_load(&count[i]), 1000);
	fixture_join(&thread);
	fixture_free(bus);
}

static void
poll_once(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_poll(thread->arg, 1) == 1);
}

/* A reader whose thread has ended, and one that nobody ever ran. */
static void
close_runs_readers_whose_thread_has_ended_L3(void **state)
{
	atomic_uint count[2] = { 0 };
	struct fixture_thread thread;
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	struct evbus *bus;
	int i;

	(void)state;
	bus = fixture_open_small(NULL);
	topic = fixture_topic(bus, "a");
	reader = fixture_subscribed(bus, "a", fixture_count, &count[0]);
	(void)fixture_subscribed(bus, "a", fixture_count, &count[1]);
	for (i = 0; i < 10; i++)
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	fixture_start(&thread, poll_once, reader);
	fixture_join(&thread);
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count[0]), 10);
	assert_int_equal(atomic_load(&count[1]), 10);
}

struct chain {
	struct evbus *bus;
	struct evbus_topic *topic;
	atomic_uint calls;
	atomic_uint while_closing;
	atomic_int failure;
};

/* Each event publishes the next smaller one, from the closing on. */
static enum evbus_verdict
publish_smaller(const struct evbus_event *event, void *arg)
{
	struct chain *chain = arg;
	unsigned left;
	int error;

	memcpy(&left, event->data, sizeof left);
	if (!fixture_until(is_closing, chain->bus))
		atomic_store(&chain->failure, 1);
	atomic_fetch_add(&chain->calls, 1);
	if (left == 0)
		return EVBUS_DONE;
	left--;
	error = evbus_publish(chain->topic, &left, sizeof left);
	if (error == 0)
		atomic_fetch_add(&chain->while_closing, 1);
	else
		atomic_store(&chain->failure, error);
	return EVBUS_DONE;
}

static void
close_a_chain(int worker)
{
	struct chain chain = { 0 };
	unsigned left = 100;
	struct evbus *bus;

	bus = chain.bus = fixture_open_small(NULL);
	chain.topic = fixture_topic(bus, "a");
	if (worker)
		assert_true(on_worker(bus, "w", "a", publish_smaller, &chain) >
		    0);
	else
		(void)fixture_subscribed(bus, "a", publish_smaller, &chain);
	assert_int_equal(evbus_publish(chain.topic, &left, sizeof left), 0);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(atomic_load(&chain.failure), 0);
	assert_int_equal(atomic_load(&chain.while_closing), 100);
	assert_int_equal(atomic_load(&chain.calls), 101);
	fixture_free(bus);
}

static void
close_delivers_what_handlers_publish_meanwhile_L3(void **state)
{
	(void)state;
	close_a_chain(1);
	close_a_chain(0);
}

/* ---- Publishers ---------------------------------------------------------- */

struct traffic {
	struct evbus *bus;
	struct evbus_topic *topic;
	atomic_uint accepted;
	atomic_uint delivered;
	atomic_uint started;
};

static void
publish_until_closed(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	unsigned accepted = 0;
	int error;

	atomic_fetch_add(&traffic->started, 1);
	do {
		error = evbus_publish(traffic->topic, "x", 1);
		accepted += error == 0;
	} while (error == 0);
	fixture_check(thread, error == EVBUS_ECLOSED);
	atomic_fetch_add(&traffic->accepted, accepted);
}

/* What was accepted is delivered, and nothing else. */
static void
close_while_threads_publish_keeps_what_was_accepted_L3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 64,
	    .timeout_ns = EVBUS_FOREVER } };
	struct fixture_thread thread[THREADS];
	struct evbus_reader *lossy;
	struct evbus_reader_options lossy_options = { .lossy = 1 };
	struct evbus_report report;
	struct traffic traffic;
	int round, i;

	(void)state;
	for (round = 0; round < 30; round++) {
		memset(&traffic, 0, sizeof traffic);
		traffic.bus = fixture_open_small(&options);
		traffic.topic = fixture_topic(traffic.bus, "a");
		assert_true(on_worker(traffic.bus, "w", ">", fixture_count,
		    &traffic.delivered) > 0);
		lossy = fixture_reader(traffic.bus, &lossy_options);
		assert_true(evbus_reader_subscribe(lossy, ">", NULL, NULL,
		    NULL) > 0);
		for (i = 0; i < THREADS; i++)
			fixture_start(&thread[i], publish_until_closed,
			    &traffic);
		assert_true(fixture_until_count(&traffic.started, THREADS));
		assert_true(fixture_until_count(&traffic.delivered,
		    (unsigned)round * 7));
		assert_int_equal(evbus_close(traffic.bus, FIXTURE_LONG,
		    &report), 0);
		for (i = 0; i < THREADS; i++)
			fixture_join(&thread[i]);
		assert_int_equal(atomic_load(&traffic.delivered),
		    atomic_load(&traffic.accepted));
		assert_int_equal(report.open_claims, 0);
		assert_int_equal(report.running, 0);
		fixture_free(traffic.bus);
	}
}

static void
publish_and_be_refused(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;

	fixture_check(thread, evbus_publish(traffic->topic, "x", 1) ==
	    EVBUS_ECLOSED);
	fixture_check(thread, strstr(evbus_errmsg(), "the bus is") != NULL);
}

static void
claim_and_be_refused(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	struct evbus_claim claim;

	fixture_check(thread, evbus_claim(traffic->topic, 1, EVBUS_FOREVER,
	    &claim) == EVBUS_ECLOSED);
}

static void
flush_and_be_refused(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	int error;

	atomic_fetch_add(&traffic->started, 1);
	error = evbus_flush(traffic->bus, EVBUS_FOREVER);
	fixture_check(thread, error == EVBUS_ECLOSED);
}

static void
close_for_long(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;

	fixture_check(thread, evbus_close(traffic->bus, FIXTURE_LONG, NULL) ==
	    0);
}

/* They are woken while the reader that holds them up still stands. */
static void
close_wakes_publishers_of_a_full_stream_L3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .timeout_ns = EVBUS_FOREVER } };
	struct fixture_thread thread[THREADS], closer;
	struct fixture_hold hold;
	struct traffic traffic = { 0 };
	struct evbus_stream *stream;
	struct evbus_stream_stats stats;
	int i;

	(void)state;
	fixture_hold_init(&hold);
	traffic.bus = fixture_open_small(&options);
	stream = evbus_stream_default(traffic.bus);
	traffic.topic = fixture_topic(traffic.bus, "a");
	assert_true(evbus_subscribe(traffic.bus, "a", fixture_holding, &hold,
	    NULL) > 0);
	assert_int_equal(evbus_publish(traffic.topic, "1", 1), 0);
	fixture_hold_entered(&hold);
	assert_int_equal(evbus_publish(traffic.topic, "2", 1), 0);
	fixture_start(&thread[0], publish_and_be_refused, &traffic);
	fixture_start(&thread[1], claim_and_be_refused, &traffic);
	fixture_start(&thread[2], flush_and_be_refused, &traffic);
	assert_true(fixture_until_waiting(stream, 2));
	assert_true(fixture_until_count(&traffic.started, 1));
	fixture_start(&closer, close_for_long, &traffic);
	for (i = 0; i < THREADS; i++)
		fixture_join(&thread[i]);
	fixture_hold_open(&hold);
	fixture_join(&closer);
	assert_int_equal(hold.entered, 2);
	assert_int_equal(evbus_stream_stats(stream, &stats), 0);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.tail, 2);
	fixture_free(traffic.bus);
}

/* ---- Readers that wait --------------------------------------------------- */

static void
wait_until_closed(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_wait(thread->arg, EVBUS_FOREVER) ==
	    EVBUS_ECLOSED);
}

static void
close_wakes_readers_that_wait_L3(void **state)
{
	struct evbus_reader_options options[2] = { { .spin_ns = -1 },
	    { .lossy = 1, .spin_ns = -1 } };
	struct fixture_thread thread[2];
	struct evbus_reader *reader[2];
	struct evbus *bus;
	int i;

	(void)state;
	bus = fixture_open_small(NULL);
	for (i = 0; i < 2; i++) {
		reader[i] = fixture_reader(bus, &options[i]);
		/* The second has no subscription at all. */
		if (i == 0)
			assert_true(evbus_reader_subscribe(reader[i], ">",
			    NULL, NULL, NULL) > 0);
		fixture_start(&thread[i], wait_until_closed, reader[i]);
		assert_true(fixture_until_parked(reader[i], 0));
	}
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
	fixture_join(&thread[0]);
	fixture_join(&thread[1]);
	fixture_free(bus);
}

/* evbus_free() is refused until the thread has left evbus_wait(). */
static void
free_while_a_reader_wakes_up_waits_for_it(void **state)
{
	struct evbus_reader_options options = { .spin_ns = -1 };
	struct fixture_thread thread;
	struct evbus_reader *reader;
	struct evbus *bus;
	int round;

	(void)state;
	for (round = 0; round < 100; round++) {
		bus = fixture_open_small(NULL);
		reader = fixture_reader(bus, &options);
		fixture_start(&thread, wait_until_closed, reader);
		assert_true(fixture_until_parked(reader, 0));
		assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
		fixture_free(bus);
		fixture_join(&thread);
	}
}

/* The same for publishers that waited for room. */
static void
free_while_a_publisher_wakes_up_waits_for_it(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .timeout_ns = EVBUS_FOREVER } };
	struct fixture_thread thread;
	struct traffic traffic = { 0 };
	int round;

	(void)state;
	for (round = 0; round < 100; round++) {
		traffic.bus = fixture_open_small(&options);
		traffic.topic = fixture_topic(traffic.bus, "a");
		(void)fixture_subscribed(traffic.bus, "a", NULL, NULL);
		assert_int_equal(evbus_publish(traffic.topic, "1", 1), 0);
		assert_int_equal(evbus_publish(traffic.topic, "2", 1), 0);
		fixture_start(&thread, publish_and_be_refused, &traffic);
		assert_true(fixture_until_waiting(
		    evbus_stream_default(traffic.bus), 1));
		assert_int_equal(evbus_close(traffic.bus, FIXTURE_LONG, NULL),
		    0);
		fixture_free(traffic.bus);
		fixture_join(&thread);
	}
}

/* ---- Time limits and the report ------------------------------------------ */

static const struct evbus_reader_report *
row_of(const struct evbus_report *report, const char *name)
{
	unsigned i;

	for (i = 0; i < report->readers; i++)
		if (strcmp(report->reader[i].name, name) == 0)
			return &report->reader[i];
	fail_msg("no reader \"%s\" in the report", name);
	return NULL;
}

static void
close_with_a_stuck_handler_times_out_and_reports_L3(void **state)
{
	struct evbus_reader_options idle = { .name = "idle" };
	const struct evbus_reader_report *row;
	struct evbus_report report;
	struct fixture_hold hold;
	struct evbus_topic *topic;
	atomic_uint count = 0;
	struct evbus *bus;
	int i;

	(void)state;
	fixture_hold_init(&hold);
	bus = fixture_open_small(NULL);
	topic = fixture_topic(bus, "a");
	assert_true(on_worker(bus, "stuck", "a", fixture_holding, &hold) > 0);
	assert_true(on_worker(bus, "fine", "a", fixture_count, &count) > 0);
	(void)fixture_reader(bus, &idle);
	for (i = 0; i < 5; i++)
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	fixture_hold_entered(&hold);
	assert_true(fixture_until_count(&count, 5));
	fixture_refused(evbus_close(bus, 5 * FIXTURE_MS, &report),
	    EVBUS_ETIMEDOUT);
	fixture_says("5 events left");
	fixture_says("1 handlers still running");
	assert_int_equal(report.readers, 3);
	assert_int_equal(report.running, 1);
	assert_int_equal(report.left, 5);
	assert_int_equal(report.lost, 0);
	assert_int_equal(report.open_claims, 0);
	assert_int_equal(report.delivered, 5);
	row = row_of(&report, "stuck");
	assert_int_equal(row->running, 1);
	assert_int_equal(row->left, 5);
	assert_int_equal(row->delivered, 0);
	row = row_of(&report, "fine");
	assert_int_equal(row->running, 0);
	assert_int_equal(row->left, 0);
	assert_int_equal(row->delivered, 5);
	assert_int_equal(row_of(&report, "idle")->left, 0);
	/* All answer ECLOSED although a handler still runs. */
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_ECLOSED);
	fixture_refused(evbus_close(bus, 0, NULL), EVBUS_ECLOSED);
	/* Free is refused as long as it does. */
	for (i = 0; i < 3; i++)
		fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	fixture_hold_open(&hold);
	fixture_free(bus);
	/* No handler was called after the close. */
	assert_int_equal(hold.entered, 1);
}

/* A handler on a thread of the program, not joined before the free. */
static void
poll_one_event(struct fixture_thread *thread)
{
	int n = evbus_poll(thread->arg, 1);

	fixture_check(thread, n == 1);
}

static void
free_while_a_handler_runs_is_ebusy_and_then_0(void **state)
{
	struct fixture_thread thread;
	struct evbus_reader *reader;
	struct evbus_report report;
	struct fixture_hold hold;
	struct evbus *bus;
	int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		fixture_hold_init(&hold);
		bus = fixture_open_small(NULL);
		reader = fixture_subscribed(bus, "a", fixture_holding, &hold);
		assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
		fixture_start(&thread, poll_one_event, reader);
		fixture_hold_entered(&hold);
		assert_int_equal(evbus_close(bus, 0, &report),
		    EVBUS_ETIMEDOUT);
		assert_int_equal(report.running, 1);
		assert_int_equal(evbus_free(bus), EVBUS_EBUSY);
		fixture_hold_open(&hold);
		fixture_free(bus);
		fixture_join(&thread);
	}
}

/* Readers that nobody runs: with no time at all, what is left is counted. */
static void
close_without_time_reports_what_is_left_L3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 8 } };
	struct evbus_reader_options lossy = { .name = "lossy", .lossy = 1 };
	const struct evbus_reader_report *row;
	struct evbus_report report;
	struct evbus_reader *reader, *slow;
	struct evbus_topic *topic;
	struct evbus *bus;
	int i;

	(void)state;
	bus = fixture_open_small(&options);
	topic = fixture_topic(bus, "a");
	reader = fixture_reader(bus, &lossy);
	assert_true(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) >
	    0);
	for (i = 0; i < 20; i++)
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	assert_non_null(evbus_next(reader));
	evbus_done(reader);
	lossy.name = "slow";
	lossy.lossy = 0;
	slow = fixture_reader(bus, &lossy);
	assert_true(evbus_reader_subscribe(slow, "a", NULL, NULL, NULL) > 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(evbus_publish(topic, &i, sizeof i), 0);
	assert_non_null(evbus_next(slow));
	assert_int_equal(evbus_close(bus, 0, &report), 0);
	/* The caller ran it, so close has run it too. */
	row = row_of(&report, "slow");
	assert_int_equal(row->left, 0);
	assert_int_equal(row->lossy, 0);
	row = row_of(&report, "lossy");
	assert_int_equal(row->lossy, 1);
	assert_int_equal(row->lost, report.lost);
	assert_true(row->lost >= 12);
	assert_int_equal(report.readers, 2);
	/* The array is the bus's and holds until the free. */
	assert_string_equal(report.reader[0].name, "lossy");
	fixture_free(bus);
}

static void
hold_reader(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	struct evbus_reader *reader = fixture_subscribed(traffic->bus, "a",
	    NULL, NULL);

	fixture_check(thread, evbus_poll(reader, 1) == 0);
	atomic_fetch_add(&traffic->started, 1);
	/* Lives on, but does not come to poll. */
	while (atomic_load(&traffic->accepted) == 0)
		sched_yield();
}

static void
close_with_a_reader_that_another_thread_neglects_times_out(void **state)
{
	struct traffic traffic = { 0 };
	struct fixture_thread thread;
	struct evbus_report report;

	(void)state;
	traffic.bus = fixture_open_small(NULL);
	fixture_start(&thread, hold_reader, &traffic);
	assert_true(fixture_until_count(&traffic.started, 1));
	assert_int_equal(evbus_publish_name(traffic.bus, "a", "x", 1), 0);
	assert_int_equal(evbus_close(traffic.bus, 3 * FIXTURE_MS, &report),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(report.left, 1);
	assert_int_equal(report.running, 0);
	atomic_store(&traffic.accepted, 1);
	fixture_join(&thread);
	fixture_free(traffic.bus);
}

/* ---- Claims -------------------------------------------------------------- */

static void
close_with_an_open_claim_of_its_own_is_edeadlk(void **state)
{
	struct evbus_topic *topic;
	struct evbus_claim claim;
	atomic_uint count = 0;
	struct evbus *bus;

	(void)state;
	bus = fixture_open_small(NULL);
	topic = fixture_topic(bus, "a");
	(void)fixture_subscribed(bus, "a", fixture_count, &count);
	assert_int_equal(evbus_claim(topic, 1, 0, &claim), 0);
	fixture_refused(evbus_close(bus, EVBUS_FOREVER, NULL),
	    EVBUS_EDEADLK);
	/* Nothing was done. */
	assert_int_equal(evbus_commit(&claim, 1), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count), 2);
}

static void
claim_and_commit_late(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	struct evbus_claim claim;

	fixture_check(thread, evbus_claim(traffic->topic, 1, 0, &claim) == 0);
	atomic_fetch_add(&traffic->started, 1);
	while (atomic_load(&traffic->accepted) == 0)
		sched_yield();
	fixture_check(thread, evbus_commit(&claim, 1) == EVBUS_ECLOSED);
	atomic_fetch_add(&traffic->started, 1);
}

/* S5: the close ends it; an event that was not published is told. */
static void
close_with_an_open_claim_times_out_and_refuses_commit_S5(void **state)
{
	struct traffic traffic = { 0 };
	struct fixture_thread thread;
	struct evbus_report report;

	(void)state;
	traffic.bus = fixture_open_small(NULL);
	traffic.topic = fixture_topic(traffic.bus, "a");
	(void)fixture_subscribed(traffic.bus, "a", fixture_count,
	    &traffic.delivered);
	fixture_start(&thread, claim_and_commit_late, &traffic);
	assert_true(fixture_until_count(&traffic.started, 1));
	fixture_refused(evbus_close(traffic.bus, 3 * FIXTURE_MS, &report),
	    EVBUS_ETIMEDOUT);
	fixture_says("1 open claims");
	assert_int_equal(report.open_claims, 1);
	atomic_store(&traffic.accepted, 1);
	fixture_join(&thread);
	assert_int_equal(atomic_load(&traffic.delivered), 0);
	fixture_free(traffic.bus);
}

/* The claim of another thread is waited for. */
static void
claim_and_commit(struct fixture_thread *thread)
{
	struct traffic *traffic = thread->arg;
	struct evbus_claim claim;

	fixture_check(thread, evbus_claim(traffic->topic, 1, 0, &claim) == 0);
	atomic_fetch_add(&traffic->started, 1);
	fixture_check(thread, fixture_until(is_closing, traffic->bus));
	fixture_check(thread, evbus_commit(&claim, 1) == 0);
}

static void
close_waits_for_the_commit_of_another_thread_L3(void **state)
{
	struct traffic traffic = { 0 };
	struct fixture_thread thread;

	(void)state;
	traffic.bus = fixture_open_small(NULL);
	traffic.topic = fixture_topic(traffic.bus, "a");
	(void)fixture_subscribed(traffic.bus, "a", fixture_count,
	    &traffic.delivered);
	fixture_start(&thread, claim_and_commit, &traffic);
	assert_true(fixture_until_count(&traffic.started, 1));
	assert_int_equal(evbus_close(traffic.bus, FIXTURE_LONG, NULL), 0);
	fixture_join(&thread);
	assert_int_equal(atomic_load(&traffic.delivered), 1);
	fixture_free(traffic.bus);
}

/* ---- Who closes ---------------------------------------------------------- */

static void
close_twice_is_eclosed(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);

	(void)state;
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	fixture_refused(evbus_close(bus, 0, NULL), EVBUS_ECLOSED);
	fixture_refused(evbus_close(bus, EVBUS_FOREVER, NULL),
	    EVBUS_ECLOSED);
	fixture_free(bus);
}

struct closers {
	struct evbus *bus;
	pthread_barrier_t barrier;
	atomic_uint closed;
	atomic_uint refused;
};

static void
close_at_once(struct fixture_thread *thread)
{
	struct closers *closers = thread->arg;
	int result;

	(void)pthread_barrier_wait(&closers->barrier);
	result = evbus_close(closers->bus, FIXTURE_LONG, NULL);
	fixture_check(thread, result == 0 || result == EVBUS_ECLOSED);
	atomic_fetch_add(result == 0 ? &closers->closed : &closers->refused,
	    1);
}

static void
close_by_several_threads_at_once_is_done_by_one(void **state)
{
	struct fixture_thread thread[THREADS];
	struct closers closers;
	int round, i;

	(void)state;
	for (round = 0; round < 20; round++) {
		memset(&closers, 0, sizeof closers);
		closers.bus = fixture_open_small(NULL);
		assert_int_equal(pthread_barrier_init(&closers.barrier, NULL,
		    THREADS), 0);
		for (i = 0; i < THREADS; i++)
			fixture_start(&thread[i], close_at_once, &closers);
		for (i = 0; i < THREADS; i++)
			fixture_join(&thread[i]);
		assert_int_equal(atomic_load(&closers.closed), 1);
		assert_int_equal(atomic_load(&closers.refused), THREADS - 1);
		pthread_barrier_destroy(&closers.barrier);
		fixture_free(closers.bus);
	}
}

static enum evbus_verdict
close_inside(const struct evbus_event *event, void *arg)
{
	struct traffic *traffic = arg;

	(void)event;
	if (evbus_close(traffic->bus, EVBUS_FOREVER, NULL) == EVBUS_EDEADLK &&
	    evbus_flush(traffic->bus, EVBUS_FOREVER) == EVBUS_EDEADLK &&
	    evbus_publish_name(traffic->bus, "b", "x", 1) == 0)
		atomic_fetch_add(&traffic->accepted, 1);
	atomic_fetch_add(&traffic->delivered, 1);
	return EVBUS_DONE;
}

/* S3: on a worker too. */
static void
close_inside_a_handler_of_a_worker_is_edeadlk_S3(void **state)
{
	struct traffic traffic = { 0 };

	(void)state;
	traffic.bus = fixture_open_small(NULL);
	assert_true(evbus_subscribe(traffic.bus, "a", close_inside, &traffic,
	    NULL) > 0);
	assert_int_equal(evbus_publish_name(traffic.bus, "a", "x", 1), 0);
	assert_true(fixture_until_count(&traffic.delivered, 1));
	assert_int_equal(atomic_load(&traffic.accepted), 1);
	fixture_end(traffic.bus, 0);
}

static void
close_in_on_closed(void *arg)
{
	struct traffic *traffic = arg;

	if (evbus_close(traffic->bus, EVBUS_FOREVER, NULL) == EVBUS_EDEADLK)
		atomic_fetch_add(&traffic->accepted, 1);
	atomic_fetch_add(&traffic->delivered, 1);
}

static enum evbus_verdict
stop_at_once(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_STOP;
}

/* S3: a worker's thread cannot wait for its own end. */
static void
close_in_on_closed_of_a_worker_is_edeadlk_S3(void **state)
{
	struct evbus_subscribe_options options = { close_in_on_closed };
	struct traffic traffic = { 0 };

	(void)state;
	traffic.bus = fixture_open_small(NULL);
	assert_true(evbus_subscribe(traffic.bus, "a", stop_at_once, &traffic,
	    &options) > 0);
	assert_int_equal(evbus_publish_name(traffic.bus, "a", "x", 1), 0);
	assert_true(fixture_until_count(&traffic.delivered, 1));
	assert_int_equal(atomic_load(&traffic.accepted), 1);
	fixture_end(traffic.bus, 0);
}

static void
stand_still(void *arg)
{
	(void)fixture_holding(NULL, arg);
}

/* It always returns, even if an on_closed does not, and free waits for it. */
static void
close_while_on_closed_stands_still_on_a_worker_returns_L3(void **state)
{
	struct evbus_subscribe_options options = { stand_still };
	struct fixture_hold hold;
	struct evbus *bus;

	(void)state;
	fixture_hold_init(&hold);
	bus = fixture_open_small(NULL);
	assert_true(evbus_subscribe(bus, "a", stop_at_once, &hold, &options) >
	    0);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	fixture_hold_entered(&hold);
	assert_int_equal(evbus_close(bus, FIXTURE_MS, NULL), 0);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	fixture_hold_open(&hold);
	fixture_free(bus);
}

/* ---- Everything at once -------------------------------------------------- */

static void
count_closed(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* L2, L3: on_closed runs exactly once for each subscription. */
static void
close_runs_every_on_closed_once_L3(void **state)
{
	struct evbus_subscribe_options options = { count_closed };
	struct evbus_reader *reader;
	atomic_uint closed = 0;
	struct evbus *bus;
	int64_t id;
	int i;

	(void)state;
	bus = fixture_open_small(NULL);
	reader = fixture_reader(bus, NULL);
	for (i = 0; i < 20; i++) {
		assert_true(evbus_reader_subscribe(reader, "a", NULL, &closed,
		    &options) > 0);
		assert_true(evbus_subscribe(bus, "b", fixture_count, &closed,
		    &options) > 0);
	}
	id = evbus_subscribe(bus, "c", fixture_count, &closed, &options);
	assert_int_equal(evbus_unsubscribe(bus, id, FIXTURE_LONG), 0);
	assert_int_equal(atomic_load(&closed), 1);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, NULL), 0);
	assert_int_equal(atomic_load(&closed), 41);
	fixture_free(bus);
	assert_int_equal(atomic_load(&closed), 41);
}

static void
give_back(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* Payloads by reference come back, each once, whether read or not. */
static void
close_gives_payloads_by_reference_back(void **state)
{
	struct evbus_publish_options by_reference = { .release = give_back };
	struct evbus_topic *topic;
	atomic_uint given = 0;
	struct evbus *bus;
	int i;

	(void)state;
	by_reference.release_arg = &given;
	bus = fixture_open_small(NULL);
	topic = fixture_topic(bus, "a");
	(void)fixture_subscribed(bus, "a", NULL, NULL);
	for (i = 0; i < 10; i++)
		assert_int_equal(evbus_publish_with(topic, "data", 4,
		    &by_reference), 0);
	assert_int_equal(atomic_load(&given), 0);
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&given), 10);
}

struct life {
	struct evbus *bus;
	atomic_uint started;
	atomic_uint count;
	atomic_uint ended;
};

static int
is_under_way(void *arg)
{
	struct life *life = arg;

	return atomic_load(&life->count) >= 100 ||
	    atomic_load(&life->ended) > 0;
}

static void
open_and_close_things(struct fixture_thread *thread)
{
	struct life *life = thread->arg;
	struct evbus_reader_options options = { .worker = "w" };
	struct evbus_reader *reader;
	char name[32];
	int64_t id = 0;
	int error, i;

	atomic_fetch_add(&life->started, 1);
	for (i = 0, error = 0; error == 0; i++) {
		(void)snprintf(name, sizeof name, "t%p.n%d",
		    (void *)&thread->thread, i);
		error = evbus_publish_name(life->bus, name, name, 5);
		if (error == 0)
			error = evbus_reader_open(life->bus, i % 2 ? NULL :
			    &options, &reader);
		if (error == 0)
			id = evbus_reader_subscribe(reader, ">", fixture_count,
			    &life->count, NULL);
		if (error == 0 && id < 0)
			error = (int)id;
		if (error == 0 && i % 3 == 0)
			error = evbus_unsubscribe(life->bus, id, FIXTURE_LONG);
		/* The close ended it just before. */
		if (error == EVBUS_ENOENT)
			error = 0;
		if (error == 0)
			error = evbus_reader_close(reader, FIXTURE_LONG);
	}
	fixture_check(thread, error == EVBUS_ECLOSED);
	atomic_fetch_add(&life->ended, 1);
}

static void
close_while_threads_open_and_close_things_leaves_nothing(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 1024 } };
	struct fixture_thread thread[THREADS];
	struct fault_alloc fault;
	struct life life;
	int round, i, result;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	for (round = 0; round < 10; round++) {
		memset(&life, 0, sizeof life);
		life.bus = fixture_open(&options);
		for (i = 0; i < THREADS; i++)
			fixture_start(&thread[i], open_and_close_things,
			    &life);
		assert_true(fixture_until_count(&life.started, THREADS));
		assert_true(fixture_until(is_under_way, &life));
		result = evbus_close(life.bus, FIXTURE_LONG, NULL);
		assert_int_equal(result, 0);
		for (i = 0; i < THREADS; i++)
			fixture_join(&thread[i]);
		fixture_free(life.bus);
		assert_int_equal(fault_alloc_blocks(&fault), 0);
		assert_int_equal(fault_alloc_wrong(&fault), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_delivers_all_that_was_published_L3),
		cmocka_unit_test(close_runs_readers_whose_thread_has_ended_L3),
		cmocka_unit_test(
		    close_delivers_what_handlers_publish_meanwhile_L3),
		cmocka_unit_test(
		    close_while_threads_publish_keeps_what_was_accepted_L3),
		cmocka_unit_test(close_wakes_publishers_of_a_full_stream_L3),
		cmocka_unit_test(close_wakes_readers_that_wait_L3),
		cmocka_unit_test(free_while_a_reader_wakes_up_waits_for_it),
		cmocka_unit_test(free_while_a_publisher_wakes_up_waits_for_it),
		cmocka_unit_test(
		    close_with_a_stuck_handler_times_out_and_reports_L3),
		cmocka_unit_test(free_while_a_handler_runs_is_ebusy_and_then_0),
		cmocka_unit_test(close_without_time_reports_what_is_left_L3),
		cmocka_unit_test(
		    close_with_a_reader_that_another_thread_neglects_times_out),
		cmocka_unit_test(
		    close_with_an_open_claim_of_its_own_is_edeadlk),
		cmocka_unit_test(
		    close_with_an_open_claim_times_out_and_refuses_commit_S5),
		cmocka_unit_test(
		    close_waits_for_the_commit_of_another_thread_L3),
		cmocka_unit_test(close_twice_is_eclosed),
		cmocka_unit_test(
		    close_by_several_threads_at_once_is_done_by_one),
		cmocka_unit_test(
		    close_inside_a_handler_of_a_worker_is_edeadlk_S3),
		cmocka_unit_test(close_in_on_closed_of_a_worker_is_edeadlk_S3),
		cmocka_unit_test(
		    close_while_on_closed_stands_still_on_a_worker_returns_L3),
		cmocka_unit_test(close_runs_every_on_closed_once_L3),
		cmocka_unit_test(close_gives_payloads_by_reference_back),
		cmocka_unit_test(
		    close_while_threads_open_and_close_things_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
