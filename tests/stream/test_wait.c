/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_wait.c - why: whether a wait for space is a deadlock hangs on who stands
 * in the way.  A claim behind the gate does not, a pin of another thread's
 * reader does not (S3 without false alarms); and a wait ends at its time limit
 * while the bus closes as well (S4).
 */
#include <sched.h>

#include "bus_fixture.h"
#include "base/context.h"

#define CAPACITY 8

struct others {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;	/* the other thread's */
	int large;			/* it holds an event */
	atomic_uint polled;
	atomic_uint go;
};

static void
own_reader(struct fixture_thread *thread)
{
	struct others *others = thread->arg;

	if (others->large)
		fixture_check(thread, evbus_next(others->reader) != NULL);
	else
		fixture_check(thread, evbus_poll(others->reader, 1) == 0);
	atomic_store(&others->polled, 1);
	while (atomic_load(&others->go) == 0)
		sched_yield();
	evbus_done(others->reader);
}

/* S3: a claim that the gate need not pass is in nobody's way. */
static void
own_claim_behind_the_gate_is_no_deadlock_S3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = 5 * FIXTURE_MS } };
	struct others others = { 0 };
	struct fixture_thread thread;
	struct evbus_claim claim;
	int i;

	(void)state;
	others.bus = fixture_open(&options);
	others.topic = fixture_topic(others.bus, "a");
	others.reader = fixture_subscribed(others.bus, "a", NULL, NULL);
	fixture_start(&thread, own_reader, &others);
	assert_true(fixture_until_count(&others.polled, 1));
	for (i = 0; i < CAPACITY - 1; i++)
		assert_int_equal(evbus_publish(others.topic, "x", 1), 0);
	assert_int_equal(evbus_claim(others.topic, 1, 0, &claim), 0);
	/* The other's reader is in the way, and that alone. */
	fixture_refused(evbus_publish(others.topic, "x", 1), EVBUS_ETIMEDOUT);
	evbus_abort(&claim);
	atomic_store(&others.go, 1);
	fixture_join(&thread);
	assert_int_equal(fixture_drain(others.reader), CAPACITY);
	assert_int_equal(evbus_publish(others.topic, "x", 1), 0);
	fixture_end(others.bus, 0);
}

/* S3: the same for a payload that another thread's lossy reader holds. */
static void
pin_of_another_threads_reader_is_no_deadlock_S3(void **state)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .max_payload = 500, .pool_blocks = 1,
	    .timeout_ns = 5 * FIXTURE_MS } };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct others others = { .large = 1 };
	struct fixture_thread thread;
	static char large[500];

	(void)state;
	others.bus = fixture_open(&options);
	others.topic = fixture_topic(others.bus, "a");
	others.reader = fixture_reader(others.bus, &lossy);
	assert_true(evbus_reader_subscribe(others.reader, "a", NULL, NULL,
	    NULL) > 0);
	assert_int_equal(evbus_publish(others.topic, large, sizeof large), 0);
	fixture_start(&thread, own_reader, &others);
	assert_true(fixture_until_count(&others.polled, 1));
	fixture_refused(evbus_publish(others.topic, large, sizeof large),
	    EVBUS_ETIMEDOUT);
	atomic_store(&others.go, 1);
	fixture_join(&thread);
	assert_int_equal(evbus_publish(others.topic, large, sizeof large), 0);
	fixture_end(others.bus, 0);
}

struct closing {
	struct others others;
	struct evbus_topic *full;
	struct evbus_publish_options options;
	int result;
	int64_t took;
};

static enum evbus_verdict
publish_while_closing(const struct evbus_event *event, void *arg)
{
	struct closing *closing = arg;
	int64_t since = evbus__deadline(0);

	(void)event;
	closing->result = evbus_publish_with(closing->full, "x", 1,
	    &closing->options);
	closing->took = evbus__deadline(0) - since;
	return EVBUS_DONE;
}

/* S4, L3: a handler that waits for space during the close gets its answer. */
static void
wait_inside_a_handler_during_close_keeps_its_time_limit_S4(void **state)
{
	struct evbus_stream_options small = { .capacity = CAPACITY };
	struct closing closing = { .options = { .set_timeout = 1,
	    .timeout_ns = 5 * FIXTURE_MS } };
	struct others *others = &closing.others;
	struct fixture_thread thread;
	struct evbus_stream *stream;
	struct evbus_reader *own;
	int i;

	(void)state;
	others->bus = fixture_open(NULL);
	assert_int_equal(evbus_stream_open(others->bus, "full.>", &small,
	    &stream), 0);
	closing.full = fixture_topic(others->bus, "full.a");
	others->reader = fixture_subscribed(others->bus, "full.a", NULL, NULL);
	own = fixture_subscribed(others->bus, "own", publish_while_closing,
	    &closing);
	assert_int_equal(evbus_poll(own, 1), 0);
	fixture_start(&thread, own_reader, others);
	assert_true(fixture_until_count(&others->polled, 1));
	for (i = 0; i < CAPACITY; i++)
		assert_int_equal(evbus_publish(closing.full, "x", 1), 0);
	assert_int_equal(evbus_publish(fixture_topic(others->bus, "own"), "x",
	    1), 0);
	/* The full stream's events are nobody's to read: they are left. */
	fixture_refused(evbus_close(others->bus, 50 * FIXTURE_MS, NULL),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(closing.result, EVBUS_ETIMEDOUT);
	assert_true(closing.took >= 5 * FIXTURE_MS);
	atomic_store(&others->go, 1);
	fixture_join(&thread);
	fixture_free(others->bus);
}

/* ---- Who comes first ----------------------------------------------------- */

struct race {
	struct evbus_topic *topic;
	pthread_barrier_t *barrier;
	atomic_uint published;
	atomic_uint refused;
};

static void
publish_first(struct fixture_thread *thread)
{
	static char large[8192];
	struct race *race = thread->arg;
	int result;

	/* Its record is made before. */
	fixture_check(thread, evbus_publish(race->topic, large, sizeof large) ==
	    EVBUS_EMSGSIZE);
	(void)pthread_barrier_wait(race->barrier);
	result = evbus_publish(race->topic, "x", 1);
	fixture_check(thread, result == 0 || result == EVBUS_EOWNER);
	atomic_fetch_add(result == 0 ? &race->published : &race->refused, 1);
	/* The owner's end would make room for the other. */
	(void)pthread_barrier_wait(race->barrier);
}

/* O2: of two that come at once to a single-producer stream, one owns it. */
static void
two_that_come_at_once_one_owns_the_stream_O2(void **state)
{
	struct evbus_options options = { .stream = { .capacity = 2,
	    .producers = EVBUS_PRODUCERS_ONE } };
	pthread_barrier_t barrier;
	struct fixture_thread thread[2];
	struct evbus *bus;
	int round, i;

	(void)state;
	assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
	for (round = 0; round < 200; round++) {
		struct race race = { .barrier = &barrier };

		bus = fixture_open_small(&options);
		race.topic = fixture_topic(bus, "a");
		for (i = 0; i < 2; i++)
			fixture_start(&thread[i], publish_first, &race);
		for (i = 0; i < 2; i++)
			fixture_join(&thread[i]);
		assert_int_equal(atomic_load(&race.published), 1);
		assert_int_equal(atomic_load(&race.refused), 1);
		fixture_end(bus, 0);
	}
	(void)pthread_barrier_destroy(&barrier);
}

/* ---- Memory -------------------------------------------------------------- */

/* M2: whichever part of a stream does not fit, nothing of it is taken. */
static void
stream_that_does_not_fit_takes_nothing_M2(void **state)
{
	struct evbus_stream_options stream[3] = {
		/* Its slots do not fit; its references; its blocks. */
		{ .capacity = 4096 },
		{ .capacity = 2, .max_payload = 32, .max_references = 1 << 20 },
		{ .capacity = 2, .max_references = 1, .pool_blocks = 2,
		    .max_payload = 1 << 20 },
	};
	struct evbus_stream_options fits = { .capacity = 16 };
	struct evbus_options options = { .stream = { .capacity = 16 },
	    .ring_memory = 128 << 10 };
	struct evbus *bus = fixture_open(&options);
	struct evbus_stream *result;
	int round, i;

	(void)state;
	for (round = 0; round < 3; round++)
		for (i = 0; i < 3; i++) {
			fixture_refused(evbus_stream_open(bus, "s", &stream[i],
			    &result), EVBUS_ELIMIT);
			fixture_says("ring_memory");
			assert_null(result);
		}
	assert_int_equal(evbus_stream_open(bus, "s", &fits, &result), 0);
	assert_int_equal(evbus_publish(fixture_topic(bus, "s"), "x", 1), 0);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_claim_behind_the_gate_is_no_deadlock_S3),
		cmocka_unit_test(
		    pin_of_another_threads_reader_is_no_deadlock_S3),
		cmocka_unit_test(
		    wait_inside_a_handler_during_close_keeps_its_time_limit_S4),
		cmocka_unit_test(
		    two_that_come_at_once_one_owns_the_stream_O2),
		cmocka_unit_test(stream_that_does_not_fit_takes_nothing_M2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
