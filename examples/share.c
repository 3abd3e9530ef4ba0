/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - readers that share the work, one of which goes home early.
 *
 * Three workers are members of one group: each parcel is packed by one of them.
 * The first to be asked leaves in the middle of a parcel; that one and what else
 * lies on its table goes to the others, and says so.
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define WORKERS 3u
#define PARCELS 300u

struct worker {
	struct evbus_reader *reader;
	pthread_t thread;
	unsigned leaves_at;	/* it goes home in this parcel; 0: it stays */
	unsigned packed;
	unsigned again;		/* of these, begun by another */
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "share: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_parcel(const struct evbus_event *event, void *arg)
{
	struct worker *worker = arg;

	if (worker->leaves_at != 0 &&
	    worker->packed + 1 == worker->leaves_at)
		pthread_exit(NULL);
	worker->packed++;
	if (event->flags & EVBUS_EVENT_REDELIVERED)
		worker->again++;
	return EVBUS_DONE;
}

static void *
work(void *arg)
{
	struct worker *worker = arg;

	/* Until the bus is closed. */
	while (evbus_wait(worker->reader, EVBUS_FOREVER) == 1)
		(void)evbus_poll(worker->reader, 16);
	return NULL;
}

static int
hire(struct evbus *bus, struct worker *worker)
{
	struct evbus_reader_options options = { .group = "packers" };
	int64_t id;
	int result;

	result = evbus_reader_open(bus, &options, &worker->reader);
	if (result != 0)
		return fail("reader", result);
	id = evbus_reader_subscribe(worker->reader, "parcel", on_parcel,
	    worker, NULL);
	if (id < 0)
		return fail("subscribe", (int)id);
	return pthread_create(&worker->thread, NULL, work, worker) != 0;
}

int
main(void)
{
	struct worker worker[WORKERS] = { { .leaves_at = 3 } };
	struct evbus_group_stats stats;
	struct evbus_topic *topic;
	struct evbus *bus;
	unsigned i, packed = 0;
	int result;

	result = evbus_open(&bus, NULL);
	if (result != 0)
		return fail("open", result);
	result = evbus_topic_open(bus, "parcel", NULL, &topic);
	if (result != 0)
		return fail("topic", result);
	for (i = 0; i < WORKERS; i++)
		if (hire(bus, &worker[i]) != 0)
			return 1;
	for (i = 0; i < PARCELS; i++) {
		result = evbus_publish(topic, &i, sizeof i);
		if (result != 0)
			return fail("publish", result);
	}
	/* All were packed, whoever did it. */
	result = evbus_flush(bus, 10 * SECOND);
	if (result != 0)
		return fail("flush", result);
	result = evbus_group_stats(bus, "packers", &stats);
	if (result != 0)
		return fail("stats", result);
	result = evbus_close(bus, 10 * SECOND, NULL);
	if (result != 0)
		return fail("close", result);
	for (i = 0; i < WORKERS; i++) {
		(void)pthread_join(worker[i].thread, NULL);
		packed += worker[i].packed;
	}
	printf("%u of %u parcels packed once, %llu of them begun by another\n",
	    packed, PARCELS, (unsigned long long)stats.redelivered);
	if (packed != PARCELS || stats.delivered != PARCELS)
		return 1;
	return evbus_free(bus) == 0 ? 0 : 1;
}
