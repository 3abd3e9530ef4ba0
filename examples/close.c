/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * close.c - end with nothing lost, or know what was left.
 *
 * evbus_close() refuses new events, lets the readers finish and then closes;
 * the caller's own readers are run by it.  It always returns, at the latest at
 * its timeout, with a report: here of a reader whose thread was busy.
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
#define EVENTS 5u

enum { OPENED = 1, CLOSED = 2 };

struct other {
	struct evbus *bus;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int step;			/* OPENED, CLOSED */
	int failed;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "close: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_event(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_DONE;
}

/* Go on when the step is reached; `done` is the step that this ends. */
static void
meet(struct other *other, int done, int wanted)
{
	pthread_mutex_lock(&other->lock);
	if (done > other->step)
		other->step = done;
	pthread_cond_broadcast(&other->changed);
	while (other->step < wanted)
		pthread_cond_wait(&other->changed, &other->lock);
	pthread_mutex_unlock(&other->lock);
}

/* A thread that polls its reader once and then has no time for it. */
static void *
run_other(void *arg)
{
	const struct evbus_reader_options options = { .name = "busy" };
	struct other *other = arg;
	struct evbus_reader *reader;

	if (evbus_reader_open(other->bus, &options, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "work", on_event, NULL, NULL) < 0 ||
	    evbus_poll(reader, 1) != 0)
		other->failed = 1;
	meet(other, OPENED, CLOSED);
	return NULL;
}

static int
open_and_publish(struct evbus **bus, struct evbus_topic **topic,
    struct other *other)
{
	const struct evbus_reader_options options = { .name = "main" };
	struct evbus_reader *reader;
	unsigned i;

	if (evbus_open(bus, NULL) < 0 ||
	    evbus_topic_open(*bus, "work", NULL, topic) < 0 ||
	    evbus_reader_open(*bus, &options, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "work", on_event, NULL, NULL) < 0)
		return fail("set up", EVBUS_EINVAL);
	if (other != NULL) {
		other->bus = *bus;
		if (pthread_create(&other->thread, NULL, run_other,
		    other) != 0)
			return fail("the other thread", EVBUS_ENOMEM);
		meet(other, 0, OPENED);
		if (other->failed)
			return fail("the other reader", EVBUS_EINVAL);
	}
	for (i = 0; i < EVENTS; i++)
		if (evbus_publish(*topic, &i, sizeof i) < 0)
			return fail("publish", EVBUS_EFULL);
	return 0;
}

static void
print_report(int result, const struct evbus_report *report)
{
	unsigned i;

	printf("%s: %llu delivered, %llu left\n", evbus_errname(result),
	    (unsigned long long)report->delivered,
	    (unsigned long long)report->left);
	for (i = 0; i < report->readers; i++)
		printf("  %-9s %llu delivered, %llu left\n",
		    report->reader[i].name,
		    (unsigned long long)report->reader[i].delivered,
		    (unsigned long long)report->reader[i].left);
}

static int
show(struct other *other, int64_t timeout_ns, int wanted, uint64_t left)
{
	struct evbus_report report;
	struct evbus_topic *topic;
	struct evbus *bus;
	int result;

	if (open_and_publish(&bus, &topic, other))
		return 1;
	result = evbus_close(bus, timeout_ns, &report);
	print_report(result, &report);
	if (result != wanted || report.delivered != EVENTS ||
	    report.left != left)
		return fail("an unexpected report", result);
	if (other != NULL) {
		meet(other, CLOSED, CLOSED);
		pthread_join(other->thread, NULL);
	}

	/* Closed is closed, for every handle, until the memory is freed. */
	if (evbus_publish(topic, "late", sizeof "late") != EVBUS_ECLOSED ||
	    evbus_close(bus, SECOND, NULL) != EVBUS_ECLOSED)
		return fail("not closed", 0);
	result = evbus_free(bus);
	return result < 0 ? fail("free", result) : 0;
}

int
main(void)
{
	struct other other = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER
	};

	if (show(NULL, SECOND, 0, 0) ||
	    show(&other, 50 * MILLISECOND, EVBUS_ETIMEDOUT, EVENTS))
		return 1;
	return 0;
}
