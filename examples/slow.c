/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slow.c - a reader that may hold others up, but not for ever.
 *
 * It is to get every event, and publishers wait for it when the ring is full.
 * But once they have waited ten milliseconds at one place of its cursor, the
 * reader is made lossy instead: it harms nobody any more, and is told what it
 * missed.
 */
#include <stdio.h>

#include <evbus.h>

#define MS INT64_C(1000000)
#define CAPACITY 16u
#define EVENTS 48u

static int
fail(const char *what, int code)
{
	fprintf(stderr, "slow: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_number(const struct evbus_event *event, void *arg)
{
	const uint32_t *number = event->data;

	(void)arg;
	if (event->lost > 0)
		printf("%llu events went by before number %u\n",
		    (unsigned long long)event->lost, *number);
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus_options options = { .stream.capacity = CAPACITY };
	struct evbus_reader_options patient = { .name = "archive",
	    .stall_ns = 10 * MS };
	struct evbus_reader_stats stats;
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	struct evbus *bus;
	int64_t id;
	uint32_t i;
	int result;

	result = evbus_open(&bus, &options);
	if (result != 0)
		return fail("open", result);
	result = evbus_topic_open(bus, "numbers", NULL, &topic);
	if (result != 0)
		return fail("topic", result);
	result = evbus_reader_open(bus, &patient, &reader);
	if (result != 0)
		return fail("reader", result);
	id = evbus_reader_subscribe(reader, "numbers", on_number, NULL, NULL);
	if (id < 0)
		return fail("subscribe", (int)id);

	/* The reader looks away.  Number 16 waits for it, once. */
	for (i = 0; i < EVENTS; i++) {
		result = evbus_publish(topic, &i, sizeof i);
		if (result != 0)
			return fail("publish", result);
	}
	while ((result = evbus_poll(reader, 64)) > 0)
		continue;
	if (result < 0)
		return fail("poll", result);

	result = evbus_reader_stats(reader, &stats);
	if (result != 0)
		return fail("stats", result);
	printf("%s: %llu delivered, %llu lost, made lossy in %llu stream\n",
	    stats.name, (unsigned long long)stats.delivered,
	    (unsigned long long)stats.lost, (unsigned long long)stats.demoted);
	if (stats.demoted != 1 || stats.delivered + stats.lost != EVENTS)
		return 1;
	result = evbus_close(bus, 1000 * MS, NULL);
	if (result != 0)
		return fail("close", result);
	return evbus_free(bus) == 0 ? 0 : 1;
}
