/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_watch.c - why: a program that polls one reader of its own sleeps in its
 * loop and not in evbus_wait(); the descriptor must be readable while there is
 * something to poll and when the reader ends, and not otherwise (D1, F5).
 */
#include <sys/epoll.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include "bus_fixture.h"

#define EVENTS	20000u

static int
is_readable(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), n;

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	n = epoll_wait(epoll, &event, 1, 0);
	close(epoll);
	return n;
}

/* Poll until nothing is there and the descriptor says so. */
static unsigned
settle(struct evbus_reader *reader)
{
	unsigned passed = 0;
	int i;

	for (i = 0; i < 3; i++)
		passed += fixture_drain(reader);
	return passed;
}

static void
reader_fd_is_readable_while_there_is_something(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_stream_stats stats;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	uint64_t wakes;
	int fd;

	(void)state;
	reader = fixture_subscribed(bus, "a", fixture_count, &count);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	fd = evbus_reader_fd(reader);
	assert_true(fd >= 0);
	assert_int_equal(evbus_reader_fd(reader), fd);
	assert_true(is_readable(fd));
	assert_int_equal(settle(reader), 1);
	assert_int_equal(is_readable(fd), 0);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &stats), 0);
	wakes = stats.wakes;
	while (stats.tail < 20) {
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
		    &stats), 0);
	}
	/* One wake-up for all of them. */
	assert_int_equal(stats.wakes, wakes + 1);
	while (atomic_load(&count) < 20) {
		assert_true(is_readable(fd));
		assert_int_equal(evbus_poll(reader, 1), 1);
	}
	assert_true(is_readable(fd));
	assert_int_equal(evbus_poll(reader, 1), 0);
	assert_int_equal(is_readable(fd), 0);
	/* Polled for another reason. */
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_publish(topic, "x", 1), 0);
	assert_int_equal(evbus_poll(reader, 1), 1);
	assert_true(is_readable(fd));
	assert_int_equal(settle(reader), 1);
	assert_int_equal(is_readable(fd), 0);
	fixture_end(bus, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* It watches here, so it does not sleep there. */
static void
wait_for_a_watched_reader_is_ebusy(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_reader *reader = fixture_reader(bus, NULL);

	(void)state;
	assert_int_equal(evbus_wait(reader, 0), 0);
	assert_true(evbus_reader_fd(reader) >= 0);
	fixture_refused(evbus_wait(reader, 0), EVBUS_EBUSY);
	fixture_refused(evbus_wait(reader, EVBUS_FOREVER), EVBUS_EBUSY);
	fixture_end(bus, 0);
}

static enum evbus_verdict
watch_itself(const struct evbus_event *event, void *arg)
{
	int *result = arg;

	(void)event;
	result[1] = evbus_reader_fd(*(struct evbus_reader **)(void *)
	    (result + 2));
	return EVBUS_DONE;
}

static void
reader_fd_is_refused_inside_its_handler_and_for_a_workers_reader(void **state)
{
	struct evbus_reader_options on_worker = { .worker = "w" };
	struct evbus *bus = fixture_open_small(NULL);
	struct {
		int unused, result;
		struct evbus_reader *reader;
	} inside = { 0 };

	(void)state;
	inside.reader = fixture_subscribed(bus, "a", watch_itself, &inside);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_poll(inside.reader, 1), 1);
	assert_int_equal(inside.result, EVBUS_EDEADLK);
	fixture_refused(evbus_reader_fd(fixture_reader(bus, &on_worker)),
	    EVBUS_EOWNER);
	fixture_end(bus, 0);
}

static void
watch_without_a_record(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_reader_fd(thread->arg) == EVBUS_ELIMIT);
}

static void
reader_fd_of_one_thread_too_many_is_elimit(void **state)
{
	struct evbus_options options = { .max_publishers = 1 };
	struct evbus *bus = fixture_open_small(&options);
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	struct fixture_thread thread;

	(void)state;
	fixture_start(&thread, watch_without_a_record, reader);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

static void
publish_all(struct fixture_thread *thread)
{
	unsigned i;

	for (i = 0; i < EVENTS; i++)
		fixture_check(thread, evbus_publish(thread->arg, &i,
		    sizeof i) == 0);
}

static void
await(int epoll)
{
	struct epoll_event event;

	/* No event in this time would be a lost wake-up. */
	assert_int_equal(epoll_wait(epoll, &event, 1, 60000), 1);
}

/* By evbus_next(), edge-triggered: all of them, in order. */
static void
next_of_a_watched_reader_gets_all_D1(void **state)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_subscribed(bus, "a", NULL, NULL);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	const struct evbus_event *event;
	struct fixture_thread thread;
	unsigned n, next = 0;

	(void)state;
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD,
	    evbus_reader_fd(reader), &edge), 0);
	fixture_start(&thread, publish_all, topic);
	while (next < EVENTS) {
		await(epoll);
		while ((event = evbus_next(reader)) != NULL) {
			memcpy(&n, event->data, sizeof n);
			assert_int_equal(n, next++);
		}
	}
	fixture_join(&thread);
	close(epoll);
	fixture_end(bus, 0);
}

/* A reader that loses is as readable as others, and one that was lapped. */
static void
poll_of_a_watched_lossy_reader_counts_all_D2(void **state)
{
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct epoll_event level = { .events = EPOLLIN };
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader *reader = fixture_reader(bus, &lossy);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct evbus_reader_stats stats;
	struct fixture_thread thread;
	atomic_uint count = 0;

	(void)state;
	assert_true(evbus_reader_subscribe(reader, "a", fixture_count, &count,
	    NULL) > 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD,
	    evbus_reader_fd(reader), &level), 0);
	fixture_start(&thread, publish_all, topic);
	do {
		await(epoll);
		assert_true(evbus_poll(reader, 16) >= 0);
		assert_int_equal(evbus_reader_stats(reader, &stats), 0);
	} while (stats.passed < EVENTS);
	fixture_join(&thread);
	assert_int_equal(stats.delivered + stats.lost, EVENTS);
	close(epoll);
	fixture_end(bus, 0);
}

static enum evbus_verdict
answer_dead(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_DEAD;
}

static void
refused_verdict_leaves_it_readable(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_reader *reader = fixture_subscribed(bus, "a", answer_dead,
	    NULL);
	int fd = evbus_reader_fd(reader);

	(void)state;
	(void)settle(reader);
	assert_int_equal(evbus_publish_name(bus, "a", "x", 1), 0);
	assert_int_equal(evbus_publish_name(bus, "b", "x", 1), 0);
	fixture_refused(evbus_poll(reader, 16), EVBUS_EVERDICT);
	assert_true(is_readable(fd));
	assert_int_equal(settle(reader), 1);
	assert_int_equal(is_readable(fd), 0);
	fixture_end(bus, 0);
}

static void
close_it(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_reader_close(thread->arg,
	    FIXTURE_LONG) == 0);
}

/* Its end is told, and a reader in its place begins anew. */
static void
close_is_told_and_the_place_is_used_again(void **state)
{
	struct evbus_options one = { .max_readers = 1 };
	struct evbus *bus = fixture_open(&one);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct fixture_thread thread;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	int fd, i;

	(void)state;
	for (i = 0; i < 4; i++) {
		reader = fixture_subscribed(bus, "a", fixture_count, &count);
		if (i == 2) {
			/* Not watched: it waits as any other. */
			assert_int_equal(evbus_wait(reader, 0), 0);
			assert_int_equal(evbus_publish(topic, "x", 1), 0);
			assert_int_equal(evbus_wait(reader, FIXTURE_LONG), 1);
			assert_int_equal(evbus_poll(reader, 16), 1);
			assert_int_equal(evbus_reader_close(reader, 0), 0);
			continue;
		}
		fd = evbus_reader_fd(reader);
		(void)settle(reader);
		assert_int_equal(is_readable(fd), 0);
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
		assert_true(is_readable(fd));
		assert_int_equal(settle(reader), 1);
		fixture_start(&thread, close_it, reader);
		fixture_join(&thread);
		assert_true(is_readable(fd));
		fixture_refused(evbus_poll(reader, 1), EVBUS_ECLOSED);
	}
	assert_int_equal(atomic_load(&count), 4);
	fixture_end(bus, 0);
}

static void
close_of_the_bus_is_told(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);
	struct evbus_reader *reader = fixture_reader(bus, NULL);
	int fd = evbus_reader_fd(reader);

	(void)state;
	(void)settle(reader);
	assert_int_equal(is_readable(fd), 0);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	assert_true(is_readable(fd));
	fixture_refused(evbus_poll(reader, 1), EVBUS_ECLOSED);
	fixture_refused(evbus_reader_fd(reader), EVBUS_ECLOSED);
	fixture_free(bus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    reader_fd_is_readable_while_there_is_something),
		cmocka_unit_test(wait_for_a_watched_reader_is_ebusy),
		cmocka_unit_test(
		    reader_fd_is_refused_inside_its_handler_and_for_a_workers_reader),
		cmocka_unit_test(reader_fd_of_one_thread_too_many_is_elimit),
		cmocka_unit_test(next_of_a_watched_reader_gets_all_D1),
		cmocka_unit_test(poll_of_a_watched_lossy_reader_counts_all_D2),
		cmocka_unit_test(refused_verdict_leaves_it_readable),
		cmocka_unit_test(close_is_told_and_the_place_is_used_again),
		cmocka_unit_test(close_of_the_bus_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
