/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_loop.c - why: a program that has a loop of its own gets all that a
 * worker would have given it, on its own thread, when its loop tells it to, and
 * sleeps in that loop otherwise: no event may wait until another one comes, and
 * nothing may call the loop for nothing (D1, F5, L3, S3, S4, S6).
 */
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "fault_alloc.h"
#include "run/worker.h"

#define EVENTS	20000u

static struct evbus *
open_own(uint32_t capacity)
{
	struct evbus_options options = { .own_loop = 1,
	    .stream = { .capacity = capacity } };

	return fixture_open_small(&options);
}

static void
subscribe(struct evbus *bus, const char *pattern, evbus_handler handler,
    void *arg)
{
	assert_true(evbus_subscribe(bus, pattern, handler, arg, NULL) > 0);
}

static void
publish(struct evbus_topic *topic, unsigned n)
{
	while (n-- > 0)
		assert_int_equal(evbus_publish(topic, "x", 1), 0);
}

/* Run until nothing is there and the descriptor says so; sequences passed. */
static unsigned
settle(struct evbus *bus)
{
	unsigned passed = 0;
	int n, i;

	/* What it is nudged of, it is told once more. */
	for (i = 0; i < 3; i++)
		while ((n = evbus_run_once(bus, 256)) > 0)
			passed += (unsigned)n;
	assert_int_equal(n, 0);
	return passed;
}

static int
watch(int fd, uint32_t trigger)
{
	struct epoll_event event = { .events = EPOLLIN | trigger };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

/* Would a level-triggered loop be called now? */
static int
is_readable(int fd)
{
	struct epoll_event event;
	int epoll = watch(fd, 0), n = epoll_wait(epoll, &event, 1, 0);

	close(epoll);
	return n;
}

/* What the system says that the descriptor counts. */
static unsigned
count_of(int fd)
{
	char path[64], line[128];
	unsigned count = UINT_MAX;
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "eventfd-count: %x", &count);
	(void)fclose(file);
	return count;
}

/* ---- What runs, and where ------------------------------------------------ */

static void
note_thread(atomic_long *thread)
{
	atomic_store(thread, (long)syscall(SYS_gettid));
}

static enum evbus_verdict
handle_here(const struct evbus_event *event, void *arg)
{
	(void)event;
	note_thread(arg);
	return EVBUS_DONE;
}

static void
loop_runs_on_the_callers_thread_and_starts_none_S6(void **state)
{
	unsigned threads = fixture_threads();
	struct evbus *bus = open_own(64);
	struct evbus_reader_options same = { .worker = "evbus" };
	struct evbus_reader *reader;
	atomic_long thread = 0, thread_too = 0;

	(void)state;
	assert_true(evbus_fd(bus) >= 0);
	subscribe(bus, "a", handle_here, &thread);
	reader = fixture_reader(bus, &same);
	assert_true(evbus_reader_subscribe(reader, "a", handle_here,
	    &thread_too, NULL) > 0);
	publish(fixture_topic(bus, "a"), 1);
	assert_int_equal(atomic_load(&thread), 0);
	assert_int_equal(evbus_run_once(bus, 16), 2);
	assert_int_equal(atomic_load(&thread), syscall(SYS_gettid));
	assert_int_equal(atomic_load(&thread_too), syscall(SYS_gettid));
	assert_int_equal(fixture_threads(), threads);
	/* It is the loop that runs it, and nobody else. */
	fixture_refused(evbus_poll(reader, 1), EVBUS_EOWNER);
	fixture_says("evbus_run_once()");
	fixture_refused(evbus_wait(reader, 0), EVBUS_EOWNER);
	fixture_refused(evbus_reader_fd(reader), EVBUS_EOWNER);
	assert_null(evbus_next(reader));
	fixture_refused(evbus_worker_open(bus, "evbus", NULL), EVBUS_EOWNER);
	fixture_refused(evbus_worker_close(bus, "evbus", 0), EVBUS_EOWNER);
	fixture_end(bus, 0);
}

/* Beside it workers of other names have threads. */
static void
loop_beside_a_worker(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_reader_options other = { .worker = "w" };
	struct evbus_reader *reader = fixture_reader(bus, &other);
	atomic_uint count = 0, count_too = 0;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	assert_true(evbus_reader_subscribe(reader, "a", fixture_count,
	    &count_too, NULL) > 0);
	publish(fixture_topic(bus, "a"), 10);
	assert_true(fixture_until_count(&count_too, 10));
	assert_int_equal(atomic_load(&count), 0);
	assert_int_equal(settle(bus), 10);
	fixture_end(bus, 0);
}

static void
loop_of_a_bus_without_it_is_refused(void **state)
{
	struct evbus *bus = fixture_open_small(NULL);

	(void)state;
	fixture_refused(evbus_fd(bus), EVBUS_EINVAL);
	fixture_says("own_loop");
	fixture_refused(evbus_run_once(bus, 1), EVBUS_EINVAL);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	fixture_end(bus, 0);
}

/* Each reader has its turn, whatever the budget and who has most. */
static void
loop_budget_is_kept_and_readers_take_turns_S1(void **state)
{
	struct evbus *bus = open_own(1024);
	struct evbus_reader_options same = { .worker = "evbus" };
	struct evbus_reader *reader;
	atomic_uint many = 0, few = 0;
	struct evbus_topic *a = fixture_topic(bus, "a");
	struct evbus_topic *b = fixture_topic(bus, "b");
	unsigned i;

	(void)state;
	subscribe(bus, "a", fixture_count, &many);
	reader = fixture_reader(bus, &same);
	assert_true(evbus_reader_subscribe(reader, "b", fixture_count, &few,
	    NULL) > 0);
	publish(b, 1);
	publish(a, 600);
	for (i = 0; i < 4 && atomic_load(&few) == 0; i++)
		assert_int_equal(evbus_run_once(bus, 10), 10);
	/* Not behind the 600 of the other reader. */
	assert_true(atomic_load(&few) == 1 && i <= 2);
	assert_true(is_readable(evbus_fd(bus)));
	assert_int_equal(evbus_run_once(bus, UINT32_MAX), 1202 - 10 * i);
	assert_int_equal(atomic_load(&many), 600);
	assert_int_equal(evbus_run_once(bus, UINT32_MAX), 0);
	fixture_end(bus, 0);
}

static enum evbus_verdict
answer_retry(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_RETRY;
}

static void
loop_tells_a_refused_verdict_and_goes_on(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_topic *topic = fixture_topic(bus, "a");

	(void)state;
	subscribe(bus, "a", answer_retry, NULL);
	publish(topic, 1);
	fixture_refused(evbus_run_once(bus, 16), EVBUS_EVERDICT);
	assert_int_equal(settle(bus), 0);
	assert_int_equal(is_readable(evbus_fd(bus)), 0);
	fixture_end(bus, 0);
}

/* ---- Who is refused ------------------------------------------------------ */

struct inside {
	struct evbus *bus;
	struct evbus_topic *topic;
	int run;
	int64_t timeout;
	int flush;
	int fd;
	void *arg;
};

static enum evbus_verdict
call_inside(const struct evbus_event *event, void *arg)
{
	struct inside *inside = arg;

	(void)event;
	inside->run = evbus_run_once(inside->bus, 1);
	inside->timeout = evbus_timeout_ns(inside->bus);
	inside->fd = evbus_fd(inside->bus);
	inside->flush = evbus_flush(inside->bus, FIXTURE_LONG);
	return EVBUS_DONE;
}

static void
loop_inside_its_handler_is_edeadlk_S3(void **state)
{
	struct evbus *bus = open_own(64);
	struct inside inside = { .bus = bus };

	(void)state;
	subscribe(bus, "a", call_inside, &inside);
	publish(fixture_topic(bus, "a"), 1);
	assert_int_equal(evbus_run_once(bus, 16), 1);
	assert_int_equal(inside.run, EVBUS_EDEADLK);
	assert_int_equal(inside.timeout, 0);
	assert_int_equal(inside.fd, evbus_fd(bus));
	assert_int_equal(inside.flush, EVBUS_EDEADLK);
	fixture_end(bus, 0);
}

static void
run_loop(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_run_once(thread->arg, 16) == 1);
}

static void
loop_of_two_threads_at_once_is_ebusy(void **state)
{
	struct evbus *bus = open_own(64);
	struct fixture_thread thread;
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	subscribe(bus, "a", fixture_holding, &hold);
	publish(fixture_topic(bus, "a"), 1);
	fixture_start(&thread, run_loop, bus);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_run_once(bus, 16), EVBUS_EBUSY);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	fixture_refused(evbus_free(bus), EVBUS_EBUSY);
	fixture_hold_open(&hold);
	fixture_join(&thread);
	/* One after the other is fine. */
	assert_int_equal(settle(bus), 0);
	fixture_end(bus, 0);
}

/* ---- Waits that only the loop could end (S3) ----------------------------- */

static void
publish_by_the_loops_thread_to_a_full_stream_is_edeadlk_S3(void **state)
{
	struct evbus *bus = open_own(8);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_reader_options same = { .worker = "evbus" };
	atomic_uint count = 0;
	struct evbus_reader *late;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	assert_int_equal(settle(bus), 0);
	publish(topic, 8);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	fixture_refused(evbus_flush(bus, FIXTURE_LONG), EVBUS_EDEADLK);
	assert_int_equal(settle(bus), 8);
	/* Also for a reader that came after the loop was run last. */
	late = fixture_reader(bus, &same);
	assert_true(evbus_reader_subscribe(late, "a", fixture_count, &count,
	    NULL) > 0);
	publish(topic, 8);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	assert_int_equal(settle(bus), 16);
	fixture_end(bus, 0);
}

static void
run_and_stay(struct fixture_thread *thread)
{
	struct inside *inside = thread->arg;
	struct fixture_hold *hold = (struct fixture_hold *)inside->arg;

	fixture_check(thread, evbus_run_once(inside->bus, 16) == 0);
	(void)fixture_holding(NULL, hold);
}

static enum evbus_verdict
publish_inside(const struct evbus_event *event, void *arg)
{
	struct inside *inside = arg;

	(void)event;
	inside->run = evbus_publish(inside->topic, "x", 1);
	return EVBUS_DONE;
}

/*
 * Who runs it owns all of its readers, from the first on that he runs, though
 * another thread that lives ran it before: also one whose turn is still to
 * come, and one that has just been opened.
 */
static void
loop_that_is_taken_over_is_owned_by_who_runs_it_S3(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_reader_options same = { .worker = "evbus" };
	struct evbus_stream_options small = { .capacity = 8 };
	struct fixture_hold hold;
	struct inside inside = { .bus = bus, .arg = &hold };
	struct fixture_thread thread;
	struct evbus_stream *stream;
	struct evbus_reader *behind;
	atomic_uint count = 0;

	(void)state;
	fixture_hold_init(&hold);
	assert_int_equal(evbus_stream_open(bus, "s", &small, &stream), 0);
	inside.topic = fixture_topic(bus, "s");
	subscribe(bus, "a", publish_inside, &inside);
	behind = fixture_reader(bus, &same);
	assert_true(evbus_reader_subscribe(behind, "s", fixture_count, &count,
	    NULL) > 0);
	fixture_start(&thread, run_and_stay, &inside);
	fixture_hold_entered(&hold);
	publish(inside.topic, 8);
	publish(fixture_topic(bus, "a"), 1);
	assert_int_equal(evbus_run_once(bus, 1), 1);
	assert_int_equal(inside.run, EVBUS_EDEADLK);
	(void)settle(bus);
	assert_int_equal(evbus_reader_close(behind, FIXTURE_LONG), 0);
	behind = fixture_reader(bus, &same);
	assert_true(evbus_reader_subscribe(behind, "s", fixture_count, &count,
	    NULL) > 0);
	publish(inside.topic, 8);
	fixture_refused(evbus_publish(inside.topic, "x", 1), EVBUS_EDEADLK);
	fixture_hold_open(&hold);
	fixture_join(&thread);
	fixture_end(bus, 0);
}

/* Nobody has run it yet, and there is nobody else. */
static void
publish_before_the_loop_was_run_is_edeadlk_S3(void **state)
{
	struct evbus *bus = open_own(8);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	atomic_uint count = 0;

	(void)state;
	if (fixture_threads() != 1)
		skip();		/* a sanitizer has a thread of its own */
	subscribe(bus, "a", fixture_count, &count);
	publish(topic, 8);
	fixture_refused(evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	fixture_end(bus, 0);
	assert_int_equal(atomic_load(&count), 8);
}

/* Another thread that publishes waits for room, with its time limit (S4). */
static void
publish_more(struct fixture_thread *thread)
{
	struct evbus_topic *topic = thread->arg;
	unsigned i;

	for (i = 0; i < EVENTS; i++)
		fixture_check(thread, evbus_publish(topic, &i, sizeof i) == 0);
}

struct order {
	unsigned next;
	unsigned wrong;
};

static enum evbus_verdict
check_order(const struct evbus_event *event, void *arg)
{
	struct order *order = arg;
	unsigned n;

	memcpy(&n, event->data, sizeof n);
	order->wrong += n != order->next;
	order->next = n + 1;
	return EVBUS_DONE;
}

/* All come, in order, by epoll and nothing else; a wait that gets no event in
 * this time would be a lost wake-up. */
static void
deliver_all(uint32_t trigger, unsigned budget)
{
	struct evbus *bus = open_own(64);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct order order = { 0, 0 };
	struct fixture_thread thread;
	struct epoll_event event;
	int epoll, n;

	subscribe(bus, "a", check_order, &order);
	epoll = watch(evbus_fd(bus), trigger);
	fixture_start(&thread, publish_more, topic);
	while (order.next < EVENTS) {
		n = epoll_wait(epoll, &event, 1, 60000);
		assert_int_equal(n, 1);
		do
			n = evbus_run_once(bus, budget);
		while (trigger != 0 && n > 0);
		assert_true(n >= 0);
	}
	fixture_join(&thread);
	assert_int_equal(order.wrong, 0);
	assert_int_equal(settle(bus), 0);
	assert_int_equal(is_readable(evbus_fd(bus)), 0);
	close(epoll);
	fixture_end(bus, 0);
}

static void
loop_by_epoll_level_gets_all_D1(void **state)
{
	(void)state;
	deliver_all(0, 256);
	deliver_all(0, 7);
}

static void
loop_by_epoll_edge_gets_all_D1(void **state)
{
	(void)state;
	deliver_all(EPOLLET, 256);
	deliver_all(EPOLLET, 7);
}

/* ---- The descriptor ------------------------------------------------------ */

static void
fd_counts_one_for_many_events_F5(void **state)
{
	struct evbus *bus = open_own(1024);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	struct evbus_stream_stats stats;
	atomic_uint count = 0;
	uint64_t wakes;
	unsigned i;
	int fd;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	fd = evbus_fd(bus);
	(void)settle(bus);
	assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
	    &stats), 0);
	wakes = stats.wakes;
	for (i = 1; i <= 5; i++) {
		assert_int_equal(count_of(fd), 0);
		publish(topic, 1000);
		assert_int_equal(count_of(fd), 1);
		assert_int_equal(evbus_run_once(bus, 600), 600);
		assert_int_equal(count_of(fd), 1);
		assert_int_equal(settle(bus), 400);
		assert_int_equal(evbus_stream_stats(evbus_stream_default(bus),
		    &stats), 0);
		assert_int_equal(stats.wakes, wakes + i);
	}
	fixture_end(bus, 0);
}

static void
fd_is_readable_while_events_remain(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	atomic_uint count = 0;
	int fd;

	(void)state;
	fd = evbus_fd(bus);
	assert_true(is_readable(fd));
	assert_int_equal(evbus_timeout_ns(bus), EVBUS_FOREVER);
	assert_int_equal(evbus_run_once(bus, 1), 0);
	assert_int_equal(is_readable(fd), 0);
	subscribe(bus, "a", fixture_count, &count);
	/* A reader that came is something to look at. */
	assert_true(is_readable(fd));
	assert_int_equal(evbus_timeout_ns(bus), 0);
	(void)settle(bus);
	assert_int_equal(is_readable(fd), 0);
	assert_int_equal(evbus_timeout_ns(bus), EVBUS_FOREVER);
	publish(topic, 3);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	for (; atomic_load(&count) < 3;) {
		assert_true(is_readable(fd));
		assert_int_equal(evbus_run_once(bus, 1), 1);
	}
	/* The budget may have hidden more. */
	assert_true(is_readable(fd));
	assert_int_equal(evbus_run_once(bus, 1), 0);
	assert_int_equal(is_readable(fd), 0);
	/* Run for another reason, while one is about to wake it. */
	publish(topic, 1);
	assert_int_equal(evbus_run_once(bus, 16), 1);
	assert_int_equal(is_readable(fd), 0);
	fixture_end(bus, 0);
}

/* Called when nothing is there, it calls nobody: not itself, above all. */
static void
fd_of_an_idle_loop_stays_as_it_is_F5(void **state)
{
	struct evbus *bus = open_own(64);
	struct epoll_event event;
	int epoll, i;

	(void)state;
	(void)settle(bus);
	epoll = watch(evbus_fd(bus), EPOLLET);
	for (i = 0; i < 100; i++)
		assert_int_equal(evbus_run_once(bus, 16), 0);
	/* Each addition would be an edge. */
	assert_int_equal(epoll_wait(epoll, &event, 1, 0), 0);
	close(epoll);
	fixture_end(bus, 0);
}

static void
close_reader(struct fixture_thread *thread)
{
	fixture_check(thread, evbus_reader_close(thread->arg,
	    FIXTURE_LONG) == 0);
}

/* What comes and goes while the loop sleeps, without an event. */
static void
fd_tells_of_readers_and_streams_that_come_and_go(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_reader_options same = { .worker = "evbus" };
	struct evbus_stream_options small = { .capacity = 64 };
	struct evbus_stream *stream;
	struct fixture_thread thread;
	struct evbus_reader *reader;
	atomic_uint count = 0;
	int fd = evbus_fd(bus), i;

	(void)state;
	for (i = 0; i < 3; i++) {
		(void)settle(bus);
		reader = fixture_reader(bus, &same);
		assert_true(is_readable(fd));
		(void)settle(bus);
		assert_true(evbus_reader_subscribe(reader, "s", fixture_count,
		    &count, NULL) > 0);
		assert_true(is_readable(fd));
		(void)settle(bus);
		assert_int_equal(is_readable(fd), 0);
		if (i == 0) {
			assert_int_equal(evbus_stream_open(bus, "s",
			    &small, &stream), 0);
			assert_true(is_readable(fd));
			(void)settle(bus);
		}
		assert_int_equal(evbus_publish_name(bus, "s", "x", 1), 0);
		assert_true(is_readable(fd));
		assert_int_equal(settle(bus), 1);
		fixture_start(&thread, close_reader, reader);
		fixture_join(&thread);
		assert_true(is_readable(fd));
	}
	assert_int_equal(atomic_load(&count), 3);
	fixture_end(bus, 0);
}

/* ---- The end ------------------------------------------------------------- */

static void
close_runs_the_loop_of_its_own_thread_L3(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_report report;
	atomic_uint count = 0;
	int fd = evbus_fd(bus);

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	(void)settle(bus);
	publish(fixture_topic(bus, "a"), 5);
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, &report), 0);
	assert_int_equal(report.delivered, 5);
	assert_int_equal(atomic_load(&count), 5);
	/* Its loop learns of it, for as long as it looks. */
	assert_true(is_readable(fd));
	fixture_refused(evbus_run_once(bus, 1), EVBUS_ECLOSED);
	fixture_refused(evbus_fd(bus), EVBUS_ECLOSED);
	assert_int_equal(evbus_timeout_ns(bus), 0);
	assert_true(is_readable(fd));
	fixture_free(bus);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Nothing but the end of the bus is there to tell of. */
static void
close_is_told_to_a_loop_without_readers_L3(void **state)
{
	struct evbus *bus = open_own(64);
	int fd = evbus_fd(bus);

	(void)state;
	(void)settle(bus);
	assert_int_equal(is_readable(fd), 0);
	assert_int_equal(evbus_close(bus, 0, NULL), 0);
	assert_true(is_readable(fd));
	fixture_free(bus);
}

static void
loop_until_closed(struct fixture_thread *thread)
{
	struct evbus *bus = thread->arg;
	struct epoll_event event;
	int epoll = watch(evbus_fd(bus), 0), n;

	do {
		fixture_check(thread,
		    epoll_wait(epoll, &event, 1, 60000) == 1);
		n = evbus_run_once(bus, 3);
	} while (n >= 0);
	fixture_check(thread, n == EVBUS_ECLOSED);
	close(epoll);
}

static void
close_waits_for_the_loop_of_another_thread_L3(void **state)
{
	struct evbus *bus = open_own(64);
	struct fixture_thread thread;
	struct evbus_report report;
	atomic_uint count = 0;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	fixture_start(&thread, loop_until_closed, bus);
	publish(fixture_topic(bus, "a"), 50);
	assert_true(fixture_until_count(&count, 1));
	assert_int_equal(evbus_close(bus, FIXTURE_LONG, &report), 0);
	assert_int_equal(report.left, 0);
	assert_int_equal(atomic_load(&count), 50);
	fixture_join(&thread);
	fixture_free(bus);
}

/* Not run at all: closed at the time limit, with what is left (S4). */
static void
close_of_a_loop_that_nobody_runs_times_out_S4(void **state)
{
	struct evbus *bus = open_own(64);
	struct fixture_thread thread;
	struct evbus_report report;
	struct fixture_hold hold;

	(void)state;
	fixture_hold_init(&hold);
	subscribe(bus, "a", fixture_holding, &hold);
	publish(fixture_topic(bus, "a"), 1);
	fixture_start(&thread, run_loop, bus);
	fixture_hold_entered(&hold);
	fixture_refused(evbus_close(bus, FIXTURE_MS, &report),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(report.running, 1);
	fixture_hold_open(&hold);
	fixture_join(&thread);
	fixture_free(bus);
}

/* Somebody is inside the loop who never ran it: close leaves it to him. */
static void
close_does_not_enter_a_loop_that_is_entered_L3(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_report report;
	atomic_uint count = 0;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	publish(fixture_topic(bus, "a"), 1);
	bus->loop->inside = 1;
	fixture_refused(evbus_close(bus, FIXTURE_MS, &report),
	    EVBUS_ETIMEDOUT);
	assert_int_equal(report.left, 1);
	bus->loop->inside = 0;
	fixture_free(bus);
}

/* ---- What there is no room for ------------------------------------------- */

static void
call_without_a_record(struct fixture_thread *thread)
{
	struct evbus *bus = thread->arg;

	fixture_check(thread, evbus_run_once(bus, 1) == EVBUS_ELIMIT);
	fixture_check(thread, evbus_timeout_ns(bus) == 0);
	fixture_check(thread, evbus_worker_open(bus, "w", NULL) ==
	    EVBUS_ELIMIT);
	fixture_check(thread, evbus_worker_close(bus, "w", 0) ==
	    EVBUS_ELIMIT);
}

static void
call_of_one_thread_too_many_is_elimit(void **state)
{
	struct evbus_options options = { .own_loop = 1, .max_publishers = 1 };
	struct evbus *bus = fixture_open_small(&options);
	struct fixture_thread thread;

	(void)state;
	(void)settle(bus);
	fixture_start(&thread, call_without_a_record, bus);
	fixture_join(&thread);
	/* A worker would be one more, too. */
	fixture_refused(evbus_worker_open(bus, "w", NULL), EVBUS_ELIMIT);
	fixture_end(bus, 0);
}

static void
open_of_a_loop_without_memory_is_enomem(void **state)
{
	struct evbus_options options = { .own_loop = 1 };
	struct fault_alloc fault;
	struct evbus *bus = NULL;
	size_t k;

	(void)state;
	fault_alloc_init(&fault);
	options.allocator = fault_alloc_hooks(&fault);
	for (k = 1; bus == NULL; k++) {
		fault_alloc_arm(&fault, k, 1);
		if (evbus_open(&bus, &options) != 0)
			assert_int_equal(fault_alloc_blocks(&fault), 0);
	}
	fault_alloc_arm(&fault, 0, 0);
	assert_true(k > 5);
	fixture_end(bus, 0);
	assert_int_equal(fault_alloc_blocks(&fault), 0);
}

/* ---- fork ---------------------------------------------------------------- */

static void
child_of_fork_does_not_touch_the_parents_descriptor_S6(void **state)
{
	struct evbus *bus = open_own(64);
	struct evbus_topic *topic = fixture_topic(bus, "a");
	atomic_uint count = 0;
	int fd = evbus_fd(bus), status;
	pid_t child;

	(void)state;
	subscribe(bus, "a", fixture_count, &count);
	(void)settle(bus);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		status = evbus_publish(topic, "x", 1) == EVBUS_EFORKED &&
		    evbus_run_once(bus, 1) == EVBUS_EFORKED &&
		    evbus_fd(bus) == EVBUS_EFORKED &&
		    evbus_timeout_ns(bus) == 0 &&
		    evbus_close(bus, 0, NULL) == EVBUS_EFORKED &&
		    evbus_free(bus) == EVBUS_EFORKED;
		_exit(!status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count_of(fd), 0);
	publish(topic, 1);
	assert_int_equal(count_of(fd), 1);
	assert_int_equal(settle(bus), 1);
	fixture_end(bus, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    loop_runs_on_the_callers_thread_and_starts_none_S6),
		cmocka_unit_test(loop_beside_a_worker),
		cmocka_unit_test(loop_of_a_bus_without_it_is_refused),
		cmocka_unit_test(
		    loop_budget_is_kept_and_readers_take_turns_S1),
		cmocka_unit_test(loop_tells_a_refused_verdict_and_goes_on),
		cmocka_unit_test(loop_inside_its_handler_is_edeadlk_S3),
		cmocka_unit_test(loop_of_two_threads_at_once_is_ebusy),
		cmocka_unit_test(
		    publish_by_the_loops_thread_to_a_full_stream_is_edeadlk_S3),
		cmocka_unit_test(
		    loop_that_is_taken_over_is_owned_by_who_runs_it_S3),
		cmocka_unit_test(
		    publish_before_the_loop_was_run_is_edeadlk_S3),
		cmocka_unit_test(loop_by_epoll_level_gets_all_D1),
		cmocka_unit_test(loop_by_epoll_edge_gets_all_D1),
		cmocka_unit_test(fd_counts_one_for_many_events_F5),
		cmocka_unit_test(fd_is_readable_while_events_remain),
		cmocka_unit_test(fd_of_an_idle_loop_stays_as_it_is_F5),
		cmocka_unit_test(
		    fd_tells_of_readers_and_streams_that_come_and_go),
		cmocka_unit_test(close_runs_the_loop_of_its_own_thread_L3),
		cmocka_unit_test(close_is_told_to_a_loop_without_readers_L3),
		cmocka_unit_test(
		    close_waits_for_the_loop_of_another_thread_L3),
		cmocka_unit_test(
		    close_of_a_loop_that_nobody_runs_times_out_S4),
		cmocka_unit_test(
		    close_does_not_enter_a_loop_that_is_entered_L3),
		cmocka_unit_test(call_of_one_thread_too_many_is_elimit),
		cmocka_unit_test(open_of_a_loop_without_memory_is_enomem),
		cmocka_unit_test(
		    child_of_fork_does_not_touch_the_parents_descriptor_S6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
