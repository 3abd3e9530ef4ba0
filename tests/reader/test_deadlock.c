/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_deadlock.c - why: a wait that only the caller could end would be a
 * program that stands still for ever, in the field, with nothing to be seen.
 * It must be EVBUS_EDEADLK, and at once (S3), not EVBUS_ETIMEDOUT later.
 *
 * One thread that has never polled is prog_deadlock.c's, since it needs a
 * process of one thread.
 */
#include "support/event_check.h"

#define A_WHILE (5 * EVENT_SECOND)

static struct evbus *
forever_bus(uint32_t capacity)
{
	struct evbus_stream_options options = { .capacity = capacity,
	    .pool_blocks = 2, .timeout_ns = A_WHILE };

	return event_bus(&options);
}

static uint64_t
deadlocks(struct evbus *bus)
{
	return event_stream_stats(evbus_stream_default(bus)).deadlocks;
}

/* ---- One thread --------------------------------------------------------- */

static void
own_reader_polled_before_publish_edeadlk(void **state)
{
	struct evbus_publish_options options = { .set_timeout = 1,
	    .timeout_ns = A_WHILE };
	struct evbus *bus = forever_bus(4);
	struct evbus_topic *topic = event_topic(bus, "own");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct iovec iov[2] = { { (void *)(uintptr_t)"a", 1 },
	    { (void *)(uintptr_t)"b", 1 } };
	struct evbus_claim claim;

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_poll(reader, 1), 0);
	event_publish(topic, 0, 4);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(evbus_publish_with(topic, "x", 1, &options),
	    EVBUS_EDEADLK);
	assert_int_equal(evbus_publish_batch(topic, iov, 2), EVBUS_EDEADLK);
	assert_int_equal(evbus_claim(topic, 1, A_WHILE, &claim),
	    EVBUS_EDEADLK);
	assert_int_equal(evbus_try_publish(topic, "x", 1), EVBUS_EFULL);
	assert_non_null(strstr(evbus_strerror(EVBUS_EDEADLK), "caller"));
	assert_int_equal(deadlocks(bus), 4);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 4);
	assert_int_equal(evbus_poll(reader, 3), 3);
	event_publish(topic, 4, 3);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(event_drain(reader), 4);
	event_check_equation(reader);
	event_bus_close(bus);
}

static void
own_reader_waited_or_next_before_publish_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(2);
	struct evbus_topic *topic = event_topic(bus, "own");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_wait(reader, 0), 0);
	event_publish(topic, 0, 2);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	/* The held event is still in the way. */
	assert_non_null(evbus_next(reader));
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	evbus_done(reader);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	event_bus_close(bus);
}

struct in_handler {
	struct evbus *bus;
	struct evbus_topic *topic;
	int result;
};

static enum evbus_verdict
publish_until_refused(const struct evbus_event *event, void *arg)
{
	struct in_handler *in = arg;

	if (event->sequence > 0)
		return EVBUS_DONE;
	while ((in->result = evbus_publish(in->topic, "x", 1)) == 0)
		;
	CHECK_INT(evbus_flush(in->bus, A_WHILE), EVBUS_EDEADLK);
	CHECK_INT(evbus_close(in->bus, A_WHILE, NULL), EVBUS_EDEADLK);
	return EVBUS_DONE;
}

static void
handler_publishes_into_own_full_stream_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(8);
	struct in_handler in = { bus, event_topic(bus, "in"), 0 };
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, ">", publish_until_refused, &in);
	event_publish(in.topic, 0, 1);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_int_equal(in.result, EVBUS_EDEADLK);
	assert_int_equal(event_stream_stats(evbus_stream_default(bus)).tail, 8);
	assert_int_equal(event_drain(reader), 7);
	event_bus_close(bus);
}

static void
flush_with_own_reader_behind_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(8);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_int_equal(evbus_flush(bus, A_WHILE), 0);
	event_publish(event_topic(bus, "f"), 0, 2);
	assert_int_equal(evbus_flush(bus, A_WHILE), EVBUS_EDEADLK);
	assert_int_equal(event_drain(reader), 2);
	assert_int_equal(evbus_flush(bus, A_WHILE), 0);
	event_bus_close(bus);
}

/* ---- Own claims --------------------------------------------------------- */

static void
own_claim_without_readers_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(4);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_claim claim;

	(void)state;
	event_publish(topic, 0, 10);
	assert_int_equal(evbus_claim(topic, 8, 0, &claim), 0);
	event_publish(topic, 0, 3);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(deadlocks(bus), 1);
	evbus_abort(&claim);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	event_bus_close(bus);
}

struct poller {
	struct evbus_reader *reader;
	struct event_step step;
	uint64_t until;
};

/* Run a reader, with pauses where it is told to. */
static void *
poll_until(void *arg)
{
	struct poller *poller = arg;
	uint64_t passed = 0;
	int n;

	CHECK_INT(evbus_poll(poller->reader, 1), 0);
	event_step_to(&poller->step, 1);
	while (passed < poller->until) {
		CHECK_INT(evbus_wait(poller->reader, EVENT_LONG), 1);
		n = evbus_poll(poller->reader, 4);
		CHECK(n >= 0);
		passed += (uint64_t)n;
	}
	return NULL;
}

static void
own_claim_with_another_threads_reader_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(4);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct poller poller = { event_reader(bus, 0, EVBUS_START_NOW),
	    EVENT_STEP_INIT, 6 };
	struct evbus_claim claim;
	pthread_t thread;

	(void)state;
	(void)event_subscribe(poller.reader, ">", NULL, NULL);
	thread = event_thread(poll_until, &poller);
	event_step_wait(&poller.step, 1);
	event_publish(topic, 0, 1);
	assert_int_equal(evbus_claim(topic, 8, A_WHILE, &claim), 0);
	event_publish(topic, 0, 3);
	assert_int_equal(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(evbus_flush(bus, A_WHILE), EVBUS_EDEADLK);
	memset(claim.data, 0, 8);
	assert_int_equal(evbus_commit(&claim, 8), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	event_join(thread);
	assert_int_equal(event_drain(poller.reader), 0);
	event_bus_close(bus);
}

/* The pool's blocks all lie in claims of the caller's. */
static void
own_claims_hold_the_pool_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(64);
	struct evbus_topic *topic = event_topic(bus, "claim");
	struct evbus_claim claim[2], more;
	static const char large[1000];

	(void)state;
	assert_int_equal(evbus_claim(topic, 1000, 0, &claim[0]), 0);
	assert_int_equal(evbus_claim(topic, 1000, 0, &claim[1]), 0);
	assert_int_equal(evbus_publish(topic, large, sizeof large),
	    EVBUS_EDEADLK);
	assert_int_equal(evbus_claim(topic, 1000, A_WHILE, &more),
	    EVBUS_EDEADLK);
	evbus_abort(&claim[0]);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	evbus_abort(&claim[1]);
	event_bus_close(bus);
}

/* The pool's blocks are all pinned by lossy readers that the caller runs. */
static void
own_lossy_readers_hold_the_pool_edeadlk(void **state)
{
	struct evbus *bus = forever_bus(64);
	struct evbus_topic *topic = event_topic(bus, "pin");
	struct evbus_reader *reader[2];
	static char large[1000];
	struct iovec iov[2] = { { large, 1000 }, { large, 1000 } };
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		reader[i] = event_reader(bus, 1, EVBUS_START_NOW);
		(void)event_subscribe(reader[i], ">", NULL, NULL);
	}
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_non_null(evbus_next(reader[0]));
	assert_int_equal(evbus_publish_batch(topic, iov, 2), EVBUS_EDEADLK);
	(void)event_drain(reader[1]);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	assert_non_null(evbus_next(reader[1]));
	assert_int_equal(evbus_publish(topic, large, sizeof large),
	    EVBUS_EDEADLK);
	evbus_done(reader[0]);
	assert_int_equal(evbus_publish(topic, large, sizeof large), 0);
	evbus_done(reader[1]);
	event_bus_close(bus);
}

/* ---- Workers ------------------------------------------------------------ */

struct on_worker {
	struct evbus *bus;
	struct evbus_topic *into;
	struct evbus_reader *late;	/* opened in the handler */
	struct event_log *log;
	struct event_step step;
	int open_late;
	int result;
};

static enum evbus_verdict
fill_other_stream(const struct evbus_event *event, void *arg)
{
	struct on_worker *on = arg;
	struct evbus_reader_options options = { .worker = "w" };

	(void)event;
	if (on->open_late) {
		CHECK_INT(evbus_reader_open(on->bus, &options, &on->late), 0);
		CHECK(evbus_reader_subscribe(on->late, "into.>",
		    event_log_handler, on->log, NULL) > 0);
	}
	while ((on->result = evbus_publish(on->into, "x", 1)) == 0)
		;
	event_step_to(&on->step, 1);
	return EVBUS_DONE;
}

static void
two_readers_on_worker(int open_late)
{
	struct evbus_reader_options options = { .worker = "w" };
	struct evbus_stream_options small = { .capacity = 4,
	    .timeout_ns = A_WHILE };
	struct evbus *bus = forever_bus(64);
	struct evbus_stream *stream = event_stream(bus, "into.>", &small);
	struct on_worker on = { .bus = bus, .into = event_topic(bus, "into.x"),
	    .log = event_log(), .step = EVENT_STEP_INIT,
	    .open_late = open_late };
	struct evbus_reader *from = NULL, *into = NULL;

	assert_int_equal(evbus_reader_open(bus, &options, &from), 0);
	if (!open_late) {
		assert_int_equal(evbus_reader_open(bus, &options, &into), 0);
		(void)event_subscribe(into, "into.>", event_log_handler,
		    on.log);
		event_publish(on.into, 0, 1);
		assert_int_equal(evbus_flush(bus, A_WHILE), 0);
	}
	(void)event_subscribe(from, "from", fill_other_stream, &on);
	event_publish(event_topic(bus, "from"), 0, 1);
	event_step_wait(&on.step, 1);
	assert_int_equal(on.result, EVBUS_EDEADLK);
	assert_int_equal(event_stream_stats(stream).deadlocks, 1);
	assert_int_equal(evbus_flush(bus, A_WHILE), 0);
	event_bus_close(bus);
	assert_int_equal(on.log->count, open_late ? 4 : 5);
	free(on.log);
}

static void
two_readers_on_one_worker_edeadlk(void **state)
{
	(void)state;
	two_readers_on_worker(0);
}

/* The other reader was opened just now: the worker has never run it. */
static void
two_readers_on_one_worker_other_never_run_edeadlk(void **state)
{
	(void)state;
	two_readers_on_worker(1);
}

/* ---- Two threads -------------------------------------------------------- */

struct side {
	struct evbus_reader *own;
	struct evbus_topic *other;
	pthread_barrier_t *barrier;
	unsigned refused;
	uint64_t passed;
};

#define CYCLE_EVENTS 20u

/* Publish to the other side, and read only when refused. */
static void *
run_side(void *arg)
{
	struct side *side = arg;
	unsigned sent = 0;
	int result;

	CHECK_INT(evbus_poll(side->own, 1), 0);
	(void)pthread_barrier_wait(side->barrier);
	while (sent < CYCLE_EVENTS) {
		result = evbus_publish(side->other, "x", 1);
		if (result == 0) {
			sent++;
			continue;
		}
		CHECK_INT(result, EVBUS_EDEADLK);
		if (result != EVBUS_EDEADLK)
			break;
		side->refused++;
		side->passed += event_drain(side->own);
	}
	while (side->passed < CYCLE_EVENTS) {
		CHECK_INT(evbus_wait(side->own, EVENT_LONG), 1);
		side->passed += event_drain(side->own);
	}
	return NULL;
}

static void
cycle_over_two_streams_one_gets_edeadlk_other_goes_on(void **state)
{
	struct evbus_stream_options small = { .capacity = 4,
	    .timeout_ns = A_WHILE };
	struct evbus_stream *stream[2];
	struct evbus *bus;
	struct side side[2];
	pthread_barrier_t barrier;
	pthread_t thread[2];
	unsigned round;
	uint64_t refused;

	(void)state;
	for (round = 0; round < 50; round++) {
		bus = forever_bus(64);
		stream[0] = event_stream(bus, "left.>", &small);
		stream[1] = event_stream(bus, "right.>", &small);
		memset(side, 0, sizeof side);
		assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
		side[0].own = event_reader(bus, 0, EVBUS_START_NOW);
		side[1].own = event_reader(bus, 0, EVBUS_START_NOW);
		(void)event_subscribe(side[0].own, "left.x", NULL, NULL);
		(void)event_subscribe(side[1].own, "right.x", NULL, NULL);
		side[0].other = event_topic(bus, "right.x");
		side[1].other = event_topic(bus, "left.x");
		side[0].barrier = side[1].barrier = &barrier;
		thread[0] = event_thread(run_side, &side[0]);
		thread[1] = event_thread(run_side, &side[1]);
		event_join(thread[0]);
		event_join(thread[1]);
		refused = event_stream_stats(stream[0]).deadlocks +
		    event_stream_stats(stream[1]).deadlocks;
		assert_int_equal(refused, side[0].refused + side[1].refused);
		/* Both fill up before anybody reads. */
		assert_true(refused >= 1);
		(void)pthread_barrier_destroy(&barrier);
		event_bus_close(bus);
	}
}

/* ---- Unsubscribe and close ---------------------------------------------- */

struct blocked {
	struct evbus *bus;
	struct evbus_topic *into;
	struct evbus_reader *outer;
	struct event_step step;
	int refused;		/* the handler's publish */
};

static enum evbus_verdict
publish_into_full(const struct evbus_event *event, void *arg)
{
	struct blocked *blocked = arg;
	int result;

	(void)event;
	event_step_to(&blocked->step, 2);
	result = evbus_publish(blocked->into, "x", 1);
	CHECK(result == 0 || result == EVBUS_EDEADLK);
	blocked->refused = result == EVBUS_EDEADLK;
	return EVBUS_DONE;
}

static void *
poll_outer(void *arg)
{
	struct blocked *blocked = arg;

	event_step_wait(&blocked->step, 1);
	CHECK_INT(evbus_poll(blocked->outer, 1), 1);
	return NULL;
}

/*
 * Its handler waits for room that only our reader can make; we wait for the
 * handler.  One of the two must be told.
 */
static void
unsubscribe_or_close(int close_reader)
{
	struct evbus_stream_options small = { .capacity = 2,
	    .timeout_ns = A_WHILE };
	struct evbus *bus = forever_bus(64);
	struct blocked blocked = { .bus = bus, .step = EVENT_STEP_INIT };
	struct evbus_reader *inner;
	pthread_t thread;
	int64_t id;
	int result;

	(void)event_stream(bus, "into.>", &small);
	blocked.into = event_topic(bus, "into.x");
	inner = event_reader(bus, 0, EVBUS_START_NOW);
	blocked.outer = event_reader(bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(inner, "into.>", NULL, NULL);
	id = event_subscribe(blocked.outer, "from", publish_into_full,
	    &blocked);
	thread = event_thread(poll_outer, &blocked);
	assert_int_equal(evbus_poll(inner, 1), 0);
	event_publish(blocked.into, 0, 2);
	event_publish(event_topic(bus, "from"), 0, 1);
	event_step_to(&blocked.step, 1);
	event_step_wait(&blocked.step, 2);
	result = close_reader ?
	    evbus_reader_close(blocked.outer, A_WHILE) :
	    evbus_unsubscribe(bus, id, A_WHILE);
	if (result != 0) {
		assert_int_equal(result, EVBUS_EDEADLK);
		assert_true(event_drain(inner) >= 2);
	}
	event_join(thread);
	assert_int_equal(blocked.refused, result == 0);
	(void)event_drain(inner);
	event_bus_close(bus);
}

static void
unsubscribe_handler_waits_for_our_reader_edeadlk(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++)
		unsubscribe_or_close(0);
}

static void
reader_close_handler_waits_for_our_reader_edeadlk(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++)
		unsubscribe_or_close(1);
}

/* No false alarm: who waits for another live thread just waits. */
static void *
publish_three(void *arg)
{
	event_publish(arg, 0, 3);
	return NULL;
}

static void
reader_of_another_thread_no_false_alarm(void **state)
{
	struct evbus *bus = forever_bus(2);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	pthread_t thread[2];

	(void)state;
	(void)event_subscribe(reader, ">", NULL, NULL);
	assert_int_equal(evbus_poll(reader, 1), 0);
	thread[0] = event_thread(publish_three, event_topic(bus, "a"));
	thread[1] = event_thread(publish_three, event_topic(bus, "b"));
	event_until_waiting(stream, 2);
	while (event_stream_stats(stream).tail < 6)
		(void)event_drain(reader);
	event_join(thread[0]);
	event_join(thread[1]);
	(void)event_drain(reader);
	assert_int_equal(deadlocks(bus), 0);
	event_bus_close(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_reader_polled_before_publish_edeadlk),
		cmocka_unit_test(
		    own_reader_waited_or_next_before_publish_edeadlk),
		cmocka_unit_test(
		    handler_publishes_into_own_full_stream_edeadlk),
		cmocka_unit_test(flush_with_own_reader_behind_edeadlk),
		cmocka_unit_test(own_claim_without_readers_edeadlk),
		cmocka_unit_test(own_claim_with_another_threads_reader_edeadlk),
		cmocka_unit_test(own_claims_hold_the_pool_edeadlk),
		cmocka_unit_test(own_lossy_readers_hold_the_pool_edeadlk),
		cmocka_unit_test(two_readers_on_one_worker_edeadlk),
		cmocka_unit_test(
		    two_readers_on_one_worker_other_never_run_edeadlk),
		cmocka_unit_test(
		    cycle_over_two_streams_one_gets_edeadlk_other_goes_on),
		cmocka_unit_test(
		    unsubscribe_handler_waits_for_our_reader_edeadlk),
		cmocka_unit_test(
		    reader_close_handler_waits_for_our_reader_edeadlk),
		cmocka_unit_test(reader_of_another_thread_no_false_alarm),
	};

	return cmocka_run_group_tests_name("deadlock", tests, NULL, NULL);
}
