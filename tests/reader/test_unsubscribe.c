/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_unsubscribe.c - why: after an unsubscribe the program frees what its
 * handler works on.  So "it will not run again" must be true in every
 * situation in which one can unsubscribe (L2), and on_closed must come
 * exactly once and last.
 */
#include <sched.h>

#include "support/event_check.h"

static int64_t
subscribe_closed(struct evbus_reader *reader, const char *pattern,
    evbus_handler handler, void *arg, void (*on_closed)(void *))
{
	struct evbus_subscribe_options options = { on_closed };
	int64_t id = evbus_reader_subscribe(reader, pattern, handler, arg,
	    &options);

	assert_true(id > 0);
	return id;
}

/* ---- Outside of handlers ------------------------------------------------ */

struct slow {
	struct evbus *bus;
	struct evbus_reader *reader;
	struct event_step step;	/* 1: inside; 2: go on */
	int64_t id;
	int calls;
	int done;		/* atomic; the handler has done its last */
	int closed;
};

static enum evbus_verdict
slow_handler(const struct evbus_event *event, void *arg)
{
	struct slow *slow = arg;
	int i;

	(void)event;
	CHECK_INT(slow->closed, 0);
	slow->calls++;
	event_step_to(&slow->step, 1);
	event_step_wait(&slow->step, 2);
	for (i = 0; i < 100; i++)
		(void)sched_yield();
	__atomic_store_n(&slow->done, 1, __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

static void
slow_closed(void *arg)
{
	struct slow *slow = arg;

	CHECK_INT(__atomic_load_n(&slow->done, __ATOMIC_RELAXED), 1);
	slow->closed++;
}

static void *
poll_slow(void *arg)
{
	struct slow *slow = arg;

	CHECK_INT(evbus_poll(slow->reader, 1), 1);
	return NULL;
}

static pthread_t
start_slow(struct slow *slow)
{
	pthread_t thread;

	memset(slow, 0, sizeof *slow);
	slow->bus = event_bus(NULL);
	slow->step = (struct event_step)EVENT_STEP_INIT;
	slow->reader = event_reader(slow->bus, 0, EVBUS_START_NOW);
	slow->id = subscribe_closed(slow->reader, ">", slow_handler, slow,
	    slow_closed);
	event_publish(event_topic(slow->bus, "slow"), 0, 2);
	thread = event_thread(poll_slow, slow);
	event_step_wait(&slow->step, 1);
	return thread;
}

static void *
unsubscribe_slow(void *arg)
{
	struct slow *slow = arg;

	event_step_to(&slow->step, 2);
	CHECK_INT(evbus_unsubscribe(slow->bus, slow->id, EVBUS_FOREVER), 0);
	CHECK_INT(__atomic_load_n(&slow->done, __ATOMIC_RELAXED), 1);
	CHECK_INT(slow->closed, 1);
	return NULL;
}

static void
unsubscribe_waits_for_the_running_handler(void **state)
{
	struct slow slow;
	pthread_t thread;
	unsigned i;

	(void)state;
	for (i = 0; i < 30; i++) {
		thread = start_slow(&slow);
		event_join(event_thread(unsubscribe_slow, &slow));
		event_join(thread);
		assert_int_equal(evbus_poll(slow.reader, 10), 1);
		assert_int_equal(slow.calls, 1);
		event_bus_close(slow.bus);
		assert_int_equal(slow.closed, 1);
	}
}

static void
unsubscribe_time_limit_etimedout_and_ended_all_the_same(void **state)
{
	struct slow slow;
	pthread_t thread;

	(void)state;
	thread = start_slow(&slow);
	assert_int_equal(evbus_unsubscribe(slow.bus, slow.id, 0),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(slow.closed, 0);
	assert_int_equal(evbus_unsubscribe(slow.bus, slow.id, 0),
	    EVBUS_ENOENT);
	event_step_to(&slow.step, 2);
	event_join(thread);
	assert_int_equal(slow.closed, 1);
	assert_int_equal(evbus_poll(slow.reader, 10), 1);
	assert_int_equal(slow.calls, 1);
	event_bus_close(slow.bus);
	assert_int_equal(slow.closed, 1);
}

static void
unsubscribe_twice_or_unknown_enoent(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct event_log *log = event_log();
	int64_t id, next;

	(void)state;
	id = subscribe_closed(reader, "a", event_log_handler, log,
	    event_log_closed);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
	assert_int_equal(log->closed, 1);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), EVBUS_ENOENT);
	/* The place may be another's now; the id is not. */
	next = subscribe_closed(reader, "a", event_log_handler, log,
	    event_log_closed);
	assert_true(next != id);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_unsubscribe(bus, 0, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_unsubscribe(bus, -1, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_unsubscribe(bus, INT64_MAX, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_unsubscribe(bus, INT64_MIN, 0), EVBUS_ENOENT);
	assert_int_equal(evbus_unsubscribe(NULL, next, 0), EVBUS_EINVAL);
	assert_int_equal(evbus_unsubscribe(bus, next, -2), EVBUS_EINVAL);
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	assert_int_equal(log->closed, 2);
	assert_int_equal(evbus_unsubscribe(bus, next, 0), EVBUS_ENOENT);
	event_bus_close(bus);
	assert_int_equal(log->closed, 2);
	free(log);
}

/* ---- Inside handlers ---------------------------------------------------- */

struct inside {
	struct evbus *bus;
	struct evbus_reader *reader;	/* to be closed */
	int64_t id;			/* to be ended */
	int in;				/* inside of the handler */
	int calls;
	int closed;
	enum evbus_verdict verdict;
};

static void
inside_closed(void *arg)
{
	struct inside *inside = arg;

	CHECK_INT(inside->in, 0);
	inside->closed++;
}

static enum evbus_verdict
unsubscribe_inside(const struct evbus_event *event, void *arg)
{
	struct inside *inside = arg;

	(void)event;
	CHECK_INT(inside->closed, 0);
	inside->in = 1;
	inside->calls++;
	if (inside->id != 0) {
		CHECK_INT(evbus_unsubscribe(inside->bus, inside->id,
		    EVBUS_FOREVER), 0);
		CHECK_INT(evbus_unsubscribe(inside->bus, inside->id,
		    EVBUS_FOREVER), EVBUS_ENOENT);
	}
	if (inside->reader != NULL) {
		CHECK_INT(evbus_reader_close(inside->reader, EVBUS_FOREVER),
		    0);
		CHECK_INT(evbus_reader_close(inside->reader, EVBUS_FOREVER),
		    EVBUS_ECLOSED);
	}
	inside->in = 0;
	return inside->verdict;
}

static void
unsubscribe_in_own_handler_no_more_calls(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside inside = { .bus = bus };
	struct event_log *log = event_log();

	(void)state;
	inside.id = subscribe_closed(reader, "a", unsubscribe_inside, &inside,
	    inside_closed);
	(void)event_subscribe(reader, "a", event_log_handler, log);
	event_publish(topic, 0, 5);
	assert_int_equal(evbus_poll(reader, 10), 5);
	assert_int_equal(inside.calls, 1);
	assert_int_equal(inside.closed, 1);
	assert_int_equal(log->count, 5);
	event_bus_close(bus);
	assert_int_equal(inside.closed, 1);
	free(log);
}

/* Two handlers of one reader: the second of the same event is not called. */
static void
unsubscribe_in_sibling_handler_not_even_for_this_event(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside first = { .bus = bus };
	struct event_log *log = event_log();

	(void)state;
	(void)event_subscribe(reader, "a", unsubscribe_inside, &first);
	first.id = subscribe_closed(reader, "a", event_log_handler, log,
	    event_log_closed);
	event_publish(event_topic(bus, "a"), 0, 1);
	assert_int_equal(evbus_poll(reader, 10), 1);
	assert_int_equal(first.calls, 1);
	assert_int_equal(log->count, 0);
	assert_int_equal(log->closed, 1);
	first.id = 0;
	event_bus_close(bus);
	free(log);
}

static void
unsubscribe_in_another_readers_handler_never_waits(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *here = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_reader *there = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside inside = { .bus = bus };
	struct event_log *log = event_log();

	(void)state;
	inside.id = subscribe_closed(there, "a", event_log_handler, log,
	    event_log_closed);
	(void)event_subscribe(here, "a", unsubscribe_inside, &inside);
	event_publish(topic, 0, 1);
	assert_int_equal(evbus_poll(here, 10), 1);
	/* Nobody ran it: it is over at once. */
	assert_int_equal(log->closed, 1);
	assert_int_equal(evbus_poll(there, 10), 1);
	assert_int_equal(log->count, 0);
	inside.id = 0;
	event_bus_close(bus);
	assert_int_equal(log->closed, 1);
	free(log);
}

/* The other reader's handler runs, and waits until we have returned. */
static void
unsubscribe_inside_while_the_handler_runs_never_waits(void **state)
{
	struct slow slow;
	struct inside inside = { 0 };
	struct evbus_reader *here;
	pthread_t thread;

	(void)state;
	thread = start_slow(&slow);
	inside.bus = slow.bus;
	inside.id = slow.id;
	here = event_reader(slow.bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(here, "b", unsubscribe_inside, &inside);
	event_publish(event_topic(slow.bus, "b"), 0, 1);
	assert_int_equal(evbus_poll(here, 10), 1);
	assert_int_equal(inside.calls, 1);
	assert_int_equal(slow.closed, 0);
	event_step_to(&slow.step, 2);
	event_join(thread);
	assert_int_equal(slow.closed, 1);
	assert_int_equal(slow.calls, 1);
	assert_true(event_drain(slow.reader) >= 1);
	assert_int_equal(slow.calls, 1);
	event_bus_close(slow.bus);
}

/* ---- Verdicts ----------------------------------------------------------- */

static void
verdict_stop_ends_the_subscription(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside inside = { .bus = bus, .verdict = EVBUS_STOP };
	int64_t id;

	(void)state;
	id = subscribe_closed(reader, ">", unsubscribe_inside, &inside,
	    inside_closed);
	event_publish(event_topic(bus, "a"), 0, 5);
	assert_int_equal(evbus_poll(reader, 10), 5);
	assert_int_equal(inside.calls, 1);
	assert_int_equal(inside.closed, 1);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), EVBUS_ENOENT);
	assert_int_equal(event_reader_stats(reader).delivered, 1);
	assert_int_equal(event_reader_stats(reader).skipped, 4);
	assert_int_equal(event_reader_stats(reader).verdicts, 0);
	event_bus_close(bus);
	assert_int_equal(inside.closed, 1);
}

static void
verdict_stop_after_own_unsubscribe_once(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside inside = { .bus = bus, .verdict = EVBUS_STOP };

	(void)state;
	inside.id = subscribe_closed(reader, ">", unsubscribe_inside, &inside,
	    inside_closed);
	event_publish(event_topic(bus, "a"), 0, 2);
	assert_int_equal(evbus_poll(reader, 10), 2);
	assert_int_equal(inside.calls, 1);
	assert_int_equal(inside.closed, 1);
	event_bus_close(bus);
	assert_int_equal(inside.closed, 1);
}

/* ---- Readers ------------------------------------------------------------ */

static void
reader_close_in_own_handler(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_stream *stream = evbus_stream_default(bus);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct inside inside = { .bus = bus, .reader = reader };
	struct event_log *log = event_log();

	(void)state;
	(void)subscribe_closed(reader, "a", unsubscribe_inside, &inside,
	    inside_closed);
	(void)subscribe_closed(reader, ">", event_log_handler, log,
	    event_log_closed);
	event_publish(event_topic(bus, "b"), 0, 2);
	event_publish(event_topic(bus, "a"), 0, 1);
	event_publish(event_topic(bus, "b"), 0, 2);
	assert_true(evbus_poll(reader, 10) > 0);
	assert_int_equal(inside.calls, 1);
	assert_int_equal(inside.closed, 1);
	assert_true(log->count <= 3);
	assert_int_equal(log->closed, 1);
	assert_int_equal(evbus_poll(reader, 10), EVBUS_ECLOSED);
	assert_null(evbus_next(reader));
	assert_int_equal(evbus_wait(reader, 0), EVBUS_ECLOSED);
	assert_int_equal(evbus_reader_subscribe(reader, "a", NULL, NULL, NULL),
	    EVBUS_ECLOSED);
	assert_int_equal(evbus_reader_close(reader, 0), EVBUS_ECLOSED);
	/* It holds nobody any more. */
	event_publish(event_topic(bus, "a"), 0, 5000);
	assert_int_equal(event_stream_stats(stream).waits, 0);
	event_bus_close(bus);
	assert_int_equal(inside.closed + log->closed, 2);
	free(log);
}

static void *
close_slow(void *arg)
{
	struct slow *slow = arg;

	event_step_to(&slow->step, 2);
	CHECK_INT(evbus_reader_close(slow->reader, EVBUS_FOREVER), 0);
	CHECK_INT(__atomic_load_n(&slow->done, __ATOMIC_RELAXED), 1);
	CHECK_INT(slow->closed, 1);
	return NULL;
}

static void
reader_close_waits_for_the_running_handler(void **state)
{
	struct slow slow;
	pthread_t thread;
	unsigned i;

	(void)state;
	for (i = 0; i < 30; i++) {
		thread = start_slow(&slow);
		event_join(event_thread(close_slow, &slow));
		event_join(thread);
		assert_int_equal(slow.calls, 1);
		event_bus_close(slow.bus);
		assert_int_equal(slow.closed, 1);
	}
}

static void
reader_close_time_limit_closes_after_the_handler(void **state)
{
	struct slow slow;
	pthread_t thread;

	(void)state;
	thread = start_slow(&slow);
	assert_int_equal(evbus_reader_close(slow.reader, 0), EVBUS_ETIMEDOUT);
	assert_int_equal(slow.closed, 0);
	event_step_to(&slow.step, 2);
	event_join(thread);
	assert_int_equal(slow.closed, 1);
	assert_int_equal(slow.calls, 1);
	assert_int_equal(evbus_poll(slow.reader, 1), EVBUS_ECLOSED);
	event_bus_close(slow.bus);
	assert_int_equal(slow.closed, 1);
}

/* A held event does not keep its reader from closing. */
static void
reader_close_with_held_event(void **state)
{
	struct evbus *bus = event_bus_of(2);
	struct evbus_topic *topic = event_topic(bus, "a");
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);

	(void)state;
	(void)event_subscribe(reader, "a", NULL, NULL);
	event_publish(topic, 0, 2);
	assert_non_null(evbus_next(reader));
	assert_int_equal(evbus_reader_close(reader, 0), 0);
	event_publish(topic, 0, 5);
	event_bus_close(bus);
}

/* ---- S2: no lock is held while on_closed runs --------------------------- */

struct busy {
	struct evbus *bus;
	struct evbus_reader *reader;
	int64_t other;
	int closed;
};

static void
busy_closed(void *arg)
{
	struct busy *busy = arg;
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	int64_t id;

	busy->closed++;
	CHECK_INT(evbus_topic_open(busy->bus, "made.here", NULL, &topic), 0);
	CHECK_INT(evbus_publish(topic, "x", 1), 0);
	CHECK_INT(evbus_reader_open(busy->bus, NULL, &reader), 0);
	id = evbus_reader_subscribe(reader, "made.*", NULL, NULL, NULL);
	CHECK(id > 0);
	CHECK_INT(evbus_unsubscribe(busy->bus, busy->other, 0), 0);
	CHECK_INT(evbus_reader_close(reader, 0), 0);
}

static void
on_closed_may_call_the_bus(void **state)
{
	struct evbus *bus = event_bus(NULL);
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct busy busy = { .bus = bus, .reader = reader };
	struct event_log *log = event_log();
	int64_t id;

	(void)state;
	id = subscribe_closed(reader, "a", NULL, &busy, busy_closed);
	busy.other = subscribe_closed(reader, "a", event_log_handler, log,
	    event_log_closed);
	assert_int_equal(evbus_unsubscribe(bus, id, 0), 0);
	assert_int_equal(busy.closed, 1);
	assert_int_equal(log->closed, 1);
	event_bus_close(bus);
	assert_int_equal(busy.closed, 1);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsubscribe_waits_for_the_running_handler),
		cmocka_unit_test(
		    unsubscribe_time_limit_etimedout_and_ended_all_the_same),
		cmocka_unit_test(unsubscribe_twice_or_unknown_enoent),
		cmocka_unit_test(unsubscribe_in_own_handler_no_more_calls),
		cmocka_unit_test(
		    unsubscribe_in_sibling_handler_not_even_for_this_event),
		cmocka_unit_test(
		    unsubscribe_in_another_readers_handler_never_waits),
		cmocka_unit_test(
		    unsubscribe_inside_while_the_handler_runs_never_waits),
		cmocka_unit_test(verdict_stop_ends_the_subscription),
		cmocka_unit_test(verdict_stop_after_own_unsubscribe_once),
		cmocka_unit_test(reader_close_in_own_handler),
		cmocka_unit_test(reader_close_waits_for_the_running_handler),
		cmocka_unit_test(
		    reader_close_time_limit_closes_after_the_handler),
		cmocka_unit_test(reader_close_with_held_event),
		cmocka_unit_test(on_closed_may_call_the_bus),
	};

	return cmocka_run_group_tests_name("unsubscribe", tests, NULL, NULL);
}
