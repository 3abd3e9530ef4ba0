/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - let threads of the bus run your readers.
 *
 * A reader that names a worker is run by that worker's thread; readers that
 * name the same one share it, and are never run at the same time.  A slow
 * handler delays only the readers of its own worker.  Each worker is told
 * where and how it runs: here, on the processor that has the fewest.
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define READERS 3
#define EVENTS 1000u

/* Written by its worker's thread alone; main looks after evbus_close(). */
struct counter {
	const char *name;
	const char *worker;
	unsigned count;
	pthread_t thread;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "worker: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_event(const struct evbus_event *event, void *arg)
{
	struct counter *counter = arg;

	(void)event;
	counter->thread = pthread_self();
	counter->count++;
	return EVBUS_DONE;
}

static int
open_reader(struct evbus *bus, struct counter *counter)
{
	struct evbus_reader_options options = {
		.name = counter->name,
		.worker = counter->worker
	};
	struct evbus_reader *reader;
	int result = evbus_reader_open(bus, &options, &reader);

	if (result < 0)
		return result;
	return evbus_reader_subscribe(reader, "jobs.>", on_event, counter,
	    NULL) < 0 ? EVBUS_EINVAL : 0;
}

int
main(void)
{
	struct counter counter[READERS] = {
		{ .name = "index", .worker = "disk" },
		{ .name = "backup", .worker = "disk" },
		{ .name = "mail", .worker = "network" }
	};
	/* The readers of one worker take turns of so many events. */
	struct evbus_worker_options options = { .spread = 1, .batch = 64 };
	struct evbus *bus;
	struct evbus_topic *topic;
	unsigned i;
	int result, wrong = 0;

	result = evbus_open(&bus, NULL);
	if (result >= 0)
		result = evbus_worker_open(bus, "disk", &options);
	if (result >= 0)
		result = evbus_worker_open(bus, "network", &options);
	for (i = 0; i < READERS && result >= 0; i++)
		result = open_reader(bus, &counter[i]);
	if (result >= 0)
		result = evbus_topic_open(bus, "jobs.new", NULL, &topic);
	for (i = 0; i < EVENTS && result >= 0; i++)
		result = evbus_publish(topic, &i, sizeof i);
	if (result < 0)
		return fail("publish", result);

	/* Until every reader has passed all that was published. */
	result = evbus_flush(bus, SECOND);
	if (result < 0)
		return fail("flush", result);
	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	for (i = 0; i < READERS; i++) {
		printf("%-6s on worker %-7s handled %u\n", counter[i].name,
		    counter[i].worker, counter[i].count);
		wrong |= counter[i].count != EVENTS;
	}
	wrong |= !pthread_equal(counter[0].thread, counter[1].thread);
	wrong |= pthread_equal(counter[0].thread, counter[2].thread);
	if (evbus_free(bus) < 0 || wrong)
		return fail("not one thread for each worker", 0);
	return 0;
}
