/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stalled.c - be told which reader holds everybody up.
 *
 * A module looks away, and the ring is full: publishers wait for it.  The bus
 * says so, once, on a topic of its own, with the reader's name and the line
 * that subscribed; and once more when it goes on.
 */
#include <stdio.h>
#include <string.h>

#include <evbus.h>

#define MS INT64_C(1000000)
#define CAPACITY 8u

static unsigned stalled, recovered;

static int
fail(const char *what, int code)
{
	fprintf(stderr, "stalled: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_report(const struct evbus_event *event, void *arg)
{
	struct evbus_stall stall;

	(void)arg;
	if (event->size < sizeof stall)
		return EVBUS_DONE;	/* of an older library */
	memcpy(&stall, event->data, sizeof stall);
	printf("%s: \"%s\", subscribed at line %u, after %lld ms, %llu events "
	    "behind\n", evbus_topic_name(event->topic), stall.reader,
	    stall.line, (long long)(stall.held_ns / MS),
	    (unsigned long long)stall.lag);
	if (strcmp(evbus_topic_name(event->topic),
	    "$bus.reader.stalled") == 0)
		stalled++;
	else
		recovered++;
	return EVBUS_DONE;
}

/* A reader that makes publishers wait for 40 ms, but for no longer. */
static int
run(struct evbus *bus)
{
	struct evbus_reader_options options = { .name = "ledger",
	    .stall_ns = 40 * MS };
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	int64_t id;
	uint32_t i;
	int result;

	result = evbus_topic_open(bus, "orders", NULL, &topic);
	if (result != 0)
		return fail("topic", result);
	result = evbus_reader_open(bus, &options, &reader);
	if (result != 0)
		return fail("reader", result);
	id = evbus_reader_subscribe(reader, "orders", NULL, NULL, NULL);
	if (id < 0)
		return fail("subscribe", (int)id);
	for (i = 0; i <= CAPACITY; i++) {
		result = evbus_publish(topic, &i, sizeof i);
		if (result != 0)
			return fail("publish", result);
	}
	while ((result = evbus_poll(reader, 64)) > 0)
		continue;
	return result < 0 ? fail("poll", result) : 0;
}

int
main(void)
{
	struct evbus_options options = { .stream.capacity = CAPACITY,
	    .stall_report_ns = 10 * MS };
	struct evbus_reader_options lossy = { .name = "watch", .lossy = 1 };
	struct evbus_reader *watch;
	struct evbus *bus;
	int64_t id;
	int result;

	result = evbus_open(&bus, &options);
	if (result != 0)
		return fail("open", result);
	/* Who watches is to hold nobody up himself. */
	result = evbus_reader_open(bus, &lossy, &watch);
	if (result != 0)
		return fail("reader", result);
	id = evbus_reader_subscribe(watch, "$bus.reader.*", on_report, NULL,
	    NULL);
	if (id < 0)
		return fail("subscribe", (int)id);
	if (run(bus) != 0)
		return 1;
	while ((result = evbus_poll(watch, 64)) > 0)
		continue;
	if (result < 0)
		return fail("poll", result);
	if (stalled != 1 || recovered != 1)
		return 1;
	result = evbus_close(bus, 1000 * MS, NULL);
	if (result != 0)
		return fail("close", result);
	return evbus_free(bus) == 0 ? 0 : 1;
}
