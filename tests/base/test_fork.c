/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fork.c - why: S6.  Programs fork, often while their other threads stand
 * in the middle of a publish or hold the bus's lock.  The child must neither
 * hang on what those threads held nor write a byte that its parent reads; and
 * it may open a bus of its own.  (Every call in the child: test_calls.c.)
 */
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "bus_fixture.h"

#define FORKS 50

/* What a child found; its exit status. */
enum {
	CHILD_FINE,
	CHILD_PUBLISH,
	CHILD_CALLS,
	CHILD_EVENT,
	CHILD_OWN_BUS
};

struct world {
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_topic *single;
	struct evbus_reader *reader;
	atomic_uint stop;
	atomic_uint under_way;
	atomic_uint worked;
};

static int
publish_in_child(struct world *world)
{
	static const char large[1000];
	int i;

	for (i = 0; i < 200; i++)
		if (evbus_publish(world->topic, "child", 5) !=
		    EVBUS_EFORKED ||
		    evbus_try_publish(world->topic, "child", 5) !=
		    EVBUS_EFORKED ||
		    evbus_publish(world->single, "child", 5) !=
		    EVBUS_EFORKED ||
		    evbus_publish(world->topic, large, sizeof large) !=
		    EVBUS_EFORKED ||
		    evbus_publish_name(world->bus, "child", "x", 1) !=
		    EVBUS_EFORKED)
			return CHILD_PUBLISH;
	return CHILD_FINE;
}

static int
call_in_child(struct world *world)
{
	struct evbus_stream_stats stats;
	struct evbus_report report;
	atomic_uint count = 0;

	if (evbus_poll(world->reader, 10) != EVBUS_EFORKED ||
	    evbus_wait(world->reader, EVBUS_FOREVER) != EVBUS_EFORKED ||
	    evbus_next(world->reader) != NULL ||
	    evbus_subscribe(world->bus, "a", fixture_count, &count, NULL) !=
	    EVBUS_EFORKED ||
	    evbus_flush(world->bus, EVBUS_FOREVER) != EVBUS_EFORKED ||
	    evbus_close(world->bus, EVBUS_FOREVER, &report) !=
	    EVBUS_EFORKED ||
	    evbus_stream_stats(evbus_stream_default(world->bus), &stats) !=
	    EVBUS_EFORKED ||
	    evbus_free(world->bus) != EVBUS_EFORKED)
		return CHILD_CALLS;
	return strstr(evbus_errmsg(), "fork") != NULL ? CHILD_FINE :
	    CHILD_CALLS;
}

/* Forks; the child makes sure that it dies even if something hangs. */
static pid_t
fork_guarded(void)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		(void)alarm(60);
	return pid;
}

static void
assert_child_fine(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		fail_msg("the child was killed by signal %d",
		    WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), CHILD_FINE);
}

static void
open_world(struct world *world)
{
	struct evbus_options options = { .stream = { .capacity = 256 } };
	struct evbus_stream_options one = { .producers = EVBUS_PRODUCERS_ONE };
	struct evbus_stream *stream;

	memset(world, 0, sizeof *world);
	world->bus = fixture_open(&options);
	assert_int_equal(evbus_stream_open(world->bus, "one", &one, &stream),
	    0);
	world->topic = fixture_topic(world->bus, "a");
	world->single = fixture_topic(world->bus, "one");
	world->reader = fixture_subscribed(world->bus, ">", NULL, NULL);
}

/* S6: not a byte of the parent's can be written. */
static void
fork_leaves_every_byte_of_the_parents_S6(void **state)
{
	struct evbus_stream_stats before, after;
	const struct evbus_event *event;
	struct evbus_stream *stream;
	struct world world;
	int i, value;
	pid_t pid;

	(void)state;
	open_world(&world);
	stream = evbus_stream_default(world.bus);
	for (i = 0; i < 100; i++)
		assert_int_equal(evbus_publish(world.topic, &i, sizeof i), 0);
	assert_int_equal(evbus_publish(world.single, "1", 1), 0);
	assert_int_equal(evbus_stream_stats(stream, &before), 0);
	pid = fork_guarded();
	if (pid == 0) {
		i = publish_in_child(&world);
		_exit(i != CHILD_FINE ? i : call_in_child(&world));
	}
	assert_child_fine(pid);
	assert_int_equal(evbus_stream_stats(stream, &after), 0);
	assert_memory_equal(&before, &after, sizeof before);
	/* Streams take turns (O3). */
	for (i = 0; (event = evbus_next(world.reader)) != NULL;) {
		if (event->stream != 1) {
			assert_memory_equal(event->data, "1", 1);
			continue;
		}
		memcpy(&value, event->data, sizeof value);
		assert_int_equal(value, i);
		assert_int_equal(event->sequence, i);
		assert_string_equal(evbus_topic_name(event->topic), "a");
		i++;
	}
	assert_int_equal(i, 100);
	fixture_end(world.bus, 0);
}

/* A child writes over the whole of an event that it had in its hands. */
static void
fork_with_an_event_in_hand_leaves_it_to_the_parent_S6(void **state)
{
	const struct evbus_event *event;
	struct evbus_claim claim;
	struct world world;
	pid_t pid;
	int result;

	(void)state;
	open_world(&world);
	assert_int_equal(evbus_publish(world.topic, "before", 7), 0);
	assert_int_equal(evbus_claim(world.topic, 7, 0, &claim), 0);
	event = evbus_next(world.reader);
	assert_non_null(event);
	pid = fork_guarded();
	if (pid == 0) {
		memset(claim.data, 'c', 7);
		result = strcmp(event->data, "") == 0 ? CHILD_FINE :
		    CHILD_EVENT;
		if (evbus_commit(&claim, 7) != EVBUS_EFORKED)
			result = CHILD_CALLS;
		evbus_done(world.reader);
		_exit(result);
	}
	assert_child_fine(pid);
	assert_string_equal(event->data, "before");
	memcpy(claim.data, "parent", 7);
	assert_int_equal(evbus_commit(&claim, 7), 0);
	event = evbus_next(world.reader);
	assert_non_null(event);
	assert_string_equal(event->data, "parent");
	fixture_end(world.bus, 0);
}

/* ---- While other threads work -------------------------------------------- */

static void
publish_until_stopped(struct fixture_thread *thread)
{
	struct world *world = thread->arg;
	unsigned n = 0;

	while (atomic_load(&world->stop) == 0) {
		fixture_check(thread, evbus_publish(world->topic, "x", 1) ==
		    0);
		if (n++ == 0)
			atomic_fetch_add(&world->under_way, 1);
	}
}

/* Holds the bus's lock most of the time. */
static void
open_until_stopped(struct fixture_thread *thread)
{
	struct world *world = thread->arg;
	struct evbus_reader *reader;
	char name[32];
	unsigned n = 0;

	while (atomic_load(&world->stop) == 0) {
		(void)snprintf(name, sizeof name, "open.n%u", n % 5000);
		fixture_check(thread, evbus_publish_name(world->bus, name,
		    "x", 1) == 0);
		fixture_check(thread, evbus_reader_open(world->bus, NULL,
		    &reader) == 0);
		fixture_check(thread, evbus_reader_subscribe(reader, "open.*",
		    NULL, NULL, NULL) > 0);
		fixture_check(thread, evbus_reader_close(reader,
		    FIXTURE_LONG) == 0);
		if (n++ == 0)
			atomic_fetch_add(&world->under_way, 1);
	}
}

/* Its threads begin and end: the list of the process's buses is locked. */
static void
end_at_once(struct fixture_thread *thread)
{
	struct world *world = thread->arg;

	fixture_check(thread, evbus_publish(world->topic, "x", 1) == 0);
}

static void
begin_and_end_until_stopped(struct fixture_thread *thread)
{
	struct world *world = thread->arg;
	struct fixture_thread child;
	unsigned n = 0;

	while (atomic_load(&world->stop) == 0) {
		memset(&child, 0, sizeof child);
		child.body = end_at_once;
		fixture_start(&child, end_at_once, world);
		(void)pthread_join(child.thread, NULL);
		fixture_check(thread, child.failure[0] == '\0');
		if (n++ == 0)
			atomic_fetch_add(&world->under_way, 1);
	}
}

static int
use_own_bus(void)
{
	struct evbus_reader *reader;
	struct evbus *bus;

	if (evbus_open(&bus, NULL) != 0 ||
	    evbus_reader_open(bus, NULL, &reader) != 0 ||
	    evbus_reader_subscribe(reader, "a", NULL, NULL, NULL) < 0 ||
	    evbus_publish_name(bus, "a", "x", 1) != 0 ||
	    evbus_poll(reader, 10) != 1 ||
	    evbus_close(bus, FIXTURE_LONG, NULL) != 0 || evbus_free(bus) != 0)
		return CHILD_OWN_BUS;
	return CHILD_FINE;
}

/*
 * S6, with threads that publish, hold locks, begin and end.  Other buses push
 * this thread's record out of its cache, so that the child looks for it.
 */
static void
fork_while_other_threads_work_gives_a_harmless_child_S6(void **state)
{
	struct fixture_thread thread[3];
	struct evbus *other[4];
	struct evbus_stream_stats stats;
	struct evbus_reader_stats counts;
	struct world world;
	int i, k, result;
	pid_t pid;

	(void)state;
	open_world(&world);
	assert_int_equal(evbus_reader_close(world.reader, 0), 0);
	assert_true(evbus_subscribe(world.bus, ">", fixture_count,
	    &world.worked, NULL) > 0);
	world.reader = fixture_reader(world.bus, NULL);
	for (i = 0; i < 4; i++)
		other[i] = fixture_open_small(NULL);
	fixture_start(&thread[0], publish_until_stopped, &world);
	fixture_start(&thread[1], open_until_stopped, &world);
	fixture_start(&thread[2], begin_and_end_until_stopped, &world);
	assert_true(fixture_until_count(&world.under_way, 3));
	for (i = 0; i < FORKS; i++) {
		for (k = 0; k < 4; k++)
			assert_int_equal(evbus_publisher_set_name(other[k],
			    "main"), 0);
		pid = fork_guarded();
		if (pid == 0) {
			/* The first of them with the record still unknown. */
			result = i % 2 ? publish_in_child(&world) :
			    call_in_child(&world);
			if (result == CHILD_FINE)
				result = i % 2 ? call_in_child(&world) :
				    publish_in_child(&world);
			if (result == CHILD_FINE && i % 5 == 0)
				result = use_own_bus();
			_exit(result);
		}
		assert_child_fine(pid);
	}
	atomic_store(&world.stop, 1);
	for (i = 0; i < 3; i++)
		fixture_join(&thread[i]);
	assert_int_equal(evbus_flush(world.bus, FIXTURE_LONG), 0);
	/* The parent has lost nothing and got nothing. */
	assert_int_equal(evbus_stream_stats(evbus_stream_default(world.bus),
	    &stats), 0);
	assert_int_equal(stats.holes, 0);
	assert_int_equal(atomic_load(&world.worked), stats.tail);
	assert_int_equal(evbus_reader_stats(world.reader, &counts), 0);
	fixture_end(world.bus, 0);
	for (k = 0; k < 4; k++)
		fixture_end(other[k], 0);
}

/* ---- Inside a handler ---------------------------------------------------- */

static enum evbus_verdict
fork_in_handler(const struct evbus_event *event, void *arg)
{
	pid_t *pid = arg;

	(void)event;
	if (*pid < 0)
		*pid = fork_guarded();
	return EVBUS_DONE;
}

/* The child returns from the handler, and from the poll. */
static void
fork_inside_a_handler_lets_the_child_return_S6(void **state)
{
	struct world world;
	pid_t pid = -1;
	int i, n;

	(void)state;
	open_world(&world);
	assert_true(evbus_reader_subscribe(world.reader, "a", fork_in_handler,
	    &pid, NULL) > 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	n = evbus_poll(world.reader, 4);
	if (pid == 0)
		_exit(evbus_poll(world.reader, 10) == EVBUS_EFORKED ?
		    CHILD_FINE : CHILD_CALLS);
	assert_int_equal(n, 4);
	assert_child_fine(pid);
	assert_int_equal(fixture_drain(world.reader), 6);
	fixture_end(world.bus, 0);
}

/* A child's threads end, and the child exits, without touching the bus. */
static void
publish_forked(struct fixture_thread *thread)
{
	struct world *world = thread->arg;

	fixture_check(thread, evbus_publish(world->topic, "x", 1) ==
	    EVBUS_EFORKED);
}

static void
fork_whose_child_has_threads_is_harmless_S6(void **state)
{
	struct fixture_thread thread;
	struct world world;
	pid_t pid;

	(void)state;
	open_world(&world);
	assert_int_equal(evbus_publish(world.topic, "x", 1), 0);
	pid = fork_guarded();
	if (pid == 0) {
		memset(&thread, 0, sizeof thread);
		fixture_start(&thread, publish_forked, &world);
		(void)pthread_join(thread.thread, NULL);
		_exit(thread.failure[0] == '\0' ? CHILD_FINE : CHILD_PUBLISH);
	}
	assert_child_fine(pid);
	assert_int_equal(fixture_drain(world.reader), 1);
	fixture_end(world.bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_leaves_every_byte_of_the_parents_S6),
		cmocka_unit_test(
		    fork_with_an_event_in_hand_leaves_it_to_the_parent_S6),
		cmocka_unit_test(
		    fork_while_other_threads_work_gives_a_harmless_child_S6),
		cmocka_unit_test(
		    fork_inside_a_handler_lets_the_child_return_S6),
		cmocka_unit_test(fork_whose_child_has_threads_is_harmless_S6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
