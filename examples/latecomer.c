/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latecomer.c - who comes late learns how things stand, and misses nothing.
 *
 * Each sensor has a topic that retains its newest event.  A display that is
 * opened long after gets one event of each, flagged, and then all that follow;
 * there is no moment between the two at which a reading could be missed.
 */
#include <stdio.h>
#include <string.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define SENSORS 3u

static const char *const name[SENSORS] = {
	"sensor.cellar", "sensor.roof", "sensor.yard"
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "latecomer: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

struct display {
	unsigned standing;		/* how things stood */
	unsigned following;
};

static enum evbus_verdict
on_reading(const struct evbus_event *event, void *arg)
{
	struct display *display = arg;
	int degrees;

	memcpy(&degrees, event->data, sizeof degrees);
	printf("%-8s %-13s %3d degrees\n",
	    event->flags & EVBUS_EVENT_RETAINED ? "it was" : "now",
	    evbus_topic_name(event->topic), degrees);
	if (event->flags & EVBUS_EVENT_RETAINED)
		display->standing++;
	else
		display->following++;
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus_topic_options retain = { .retain = 1 };
	struct evbus_reader_options late = { .start = EVBUS_START_RETAINED };
	struct evbus_topic *sensor[SENSORS];
	struct display display = { 0, 0 };
	struct evbus_reader *reader;
	struct evbus *bus;
	unsigned i;
	int degrees, result = 0;
	int64_t id;

	result = evbus_open(&bus, NULL);
	for (i = 0; i < SENSORS && result == 0; i++)
		result = evbus_topic_open(bus, name[i], &retain, &sensor[i]);
	if (result != 0)
		return fail("open", result);

	/* Far more readings than the ring holds; nobody reads them. */
	for (i = 0; i < 10000 && result == 0; i++) {
		degrees = (int)(i % 40);
		result = evbus_publish(sensor[i % SENSORS], &degrees,
		    sizeof degrees);
	}
	if (result != 0)
		return fail("publish", result);

	result = evbus_reader_open(bus, &late, &reader);
	if (result != 0)
		return fail("reader", result);
	id = evbus_reader_subscribe(reader, "sensor.*", on_reading, &display,
	    NULL);
	if (id < 0)
		return fail("subscribe", (int)id);
	degrees = 21;
	result = evbus_publish(sensor[0], &degrees, sizeof degrees);
	if (result != 0)
		return fail("publish", result);
	while ((result = evbus_poll(reader, 16)) > 0)
		;
	if (result < 0)
		return fail("poll", result);
	result = evbus_close(bus, SECOND, NULL);
	if (result != 0)
		return fail("close", result);
	(void)evbus_free(bus);
	return display.standing == SENSORS && display.following == 1 ? 0 : 1;
}
