/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_signal.c - why: a program has timers, profilers and children, and their
 * signals interrupt every thread at any moment, system calls too.  Nothing may
 * be lost, no wait may end early, and no call may answer anything that its page
 * does not name.
 *
 * Each thread has a timer of its own that interrupts it a thousand times a
 * second, once with SA_RESTART and once without.  The handler makes the calls
 * that evbus(7) allows in one.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "event_check.h"

#define MS		INT64_C(1000000)
#define SIGNALS		150u		/* that each thread is to get */

static struct evbus *the_bus;
static struct evbus_topic *the_topic;
static __thread volatile sig_atomic_t interrupts;
static unsigned wrong;			/* atomic: in the handler */

static void
interrupt(int number)
{
	struct evbus *bus = __atomic_load_n(&the_bus, __ATOMIC_RELAXED);
	int saved = errno, good = 1;

	(void)number;
	interrupts = interrupts + 1;
	if (bus != NULL) {
		good = evbus_stream_default(bus) != NULL &&
		    strcmp(evbus_topic_name(the_topic), "signal.topic") == 0 &&
		    evbus_publisher_name(bus, 1)[0] != '\0';
	}
	good &= evbus_topic_valid("a.b") == 1 &&
	    evbus_pattern_valid("a.>") == 1 &&
	    evbus_topic_match("a.*", "a.b") == 1 &&
	    strcmp(evbus_errname(EVBUS_EFULL), "EVBUS_EFULL") == 0 &&
	    evbus_strerror(EVBUS_EFULL)[0] != '\0';
	if (!good)
		(void)__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	errno = saved;
}

/* Interrupt the calling thread from now on. */
static timer_t
start_timer(void)
{
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	struct sigevent event = { 0 };
	timer_t timer;

	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	CHECK_INT(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_INT(timer_settime(timer, 0, &every, NULL), 0);
	return timer;
}

static int64_t
now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * EVENT_SECOND + time.tv_nsec;
}

static void *
publish(void *arg)
{
	uint64_t *published = arg;
	timer_t timer = start_timer();

	while (interrupts < (sig_atomic_t)SIGNALS &&
	    event_check_failed() == 0) {
		CHECK_INT(evbus_publish(the_topic, published,
		    sizeof *published), 0);
		(*published)++;
	}
	CHECK_INT(timer_delete(timer), 0);
	return NULL;
}

struct consumer {
	struct evbus_reader *reader;
	uint64_t events;
};

static enum evbus_verdict
count(const struct evbus_event *event, void *arg)
{
	uint64_t *events = arg;

	(void)event;
	(void)__atomic_add_fetch(events, 1, __ATOMIC_RELAXED);
	return EVBUS_DONE;
}

/* No limit: it must not end before there is something. */
static void *
consume(void *arg)
{
	struct consumer *consumer = arg;
	timer_t timer = start_timer();
	int result;

	while ((result = evbus_wait(consumer->reader, EVBUS_FOREVER)) == 1) {
		result = evbus_poll(consumer->reader, 3);
		if (result < 0)
			break;
	}
	CHECK_INT(result, EVBUS_ECLOSED);
	CHECK_INT(timer_delete(timer), 0);
	return NULL;
}

/* On a full stream. */
static void *
publish_in_vain(void *arg)
{
	struct evbus_topic *topic = arg;
	timer_t timer = start_timer();
	int64_t begin;
	int i;

	for (i = 0; i < 5; i++) {
		begin = now();
		CHECK_INT(evbus_publish(topic, "x", 1), EVBUS_ETIMEDOUT);
		CHECK(now() - begin >= 10 * MS);
	}
	CHECK_INT(timer_delete(timer), 0);
	return NULL;
}

/* A wait in vain takes as long as it was asked to; the same for a publish. */
static void
wait_in_vain(struct evbus *bus)
{
	struct evbus_stream_options options = { .capacity = 2,
	    .timeout_ns = 10 * MS };
	struct evbus_reader *reader = event_reader(bus, 0, EVBUS_START_NOW);
	struct evbus_topic *topic;
	int64_t begin;
	int i;

	(void)event_stream(bus, "elsewhere", &options);
	topic = event_topic(bus, "elsewhere");
	(void)event_subscribe(reader, "elsewhere", NULL, NULL);
	for (i = 0; i < 5; i++) {
		begin = now();
		CHECK_INT(evbus_wait(reader, 10 * MS), 0);
		CHECK(now() - begin >= 10 * MS);
	}
	event_publish(topic, 0, 2);
	event_join(event_thread(publish_in_vain, topic));
	CHECK_INT(event_drain(reader), 2);
	CHECK_INT(evbus_reader_close(reader, EVENT_LONG), 0);
}

/* Come and go, flush, wait; until the publishers have ended. */
static void
keep_busy(struct evbus *bus, struct evbus_reader *reader, uint64_t *events)
{
	int64_t id;
	int i;

	for (i = 0; i < 10 || interrupts < (sig_atomic_t)SIGNALS; i++) {
		id = event_subscribe(reader, "signal.>", count, events);
		CHECK_INT(evbus_flush(bus, EVENT_LONG), 0);
		CHECK_INT(evbus_unsubscribe(bus, id, EVENT_LONG), 0);
	}
}

static void
run(int flags)
{
	struct evbus_stream_options options = { .capacity = 4,
	    .timeout_ns = EVENT_LONG };
	struct sigaction action = { 0 };
	struct consumer consumer = { 0 };
	uint64_t published[2] = { 0, 0 }, worked = 0, extra = 0;
	pthread_t thread[3];
	struct evbus *bus;
	timer_t timer;
	unsigned i;

	interrupts = 0;
	action.sa_handler = interrupt;
	action.sa_flags = flags;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	timer = start_timer();
	bus = event_bus(&options);
	the_topic = event_topic(bus, "signal.topic");
	__atomic_store_n(&the_bus, bus, __ATOMIC_RELAXED);
	consumer.reader = event_reader(bus, 0, EVBUS_START_NOW);
	(void)event_subscribe(consumer.reader, "signal.topic", count,
	    &consumer.events);
	assert_true(evbus_subscribe(bus, "signal.topic", count, &worked,
	    NULL) > 0);
	thread[0] = event_thread(consume, &consumer);
	thread[1] = event_thread(publish, &published[0]);
	thread[2] = event_thread(publish, &published[1]);
	keep_busy(bus, consumer.reader, &extra);
	wait_in_vain(bus);
	event_join(thread[1]);
	event_join(thread[2]);
	__atomic_store_n(&the_bus, NULL, __ATOMIC_RELAXED);
	CHECK_INT(evbus_close(bus, EVENT_LONG, NULL), 0);
	event_join(thread[0]);
	CHECK_INT(timer_delete(timer), 0);
	for (i = 0; i < 2; i++)
		CHECK(published[i] > 0);
	CHECK_INT(consumer.events, published[0] + published[1]);
	CHECK_INT(worked, published[0] + published[1]);
	CHECK_INT(wrong, 0);
	assert_int_equal(evbus_free(bus), 0);
	event_check_done();
}

static void
signals_that_restart_calls_change_nothing(void **state)
{
	(void)state;
	run(SA_RESTART);
}

static void
signals_that_interrupt_calls_change_nothing(void **state)
{
	(void)state;
	run(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_that_restart_calls_change_nothing),
		cmocka_unit_test(signals_that_interrupt_calls_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
