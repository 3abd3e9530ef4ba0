/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - publish later, or every so often.
 *
 * A request for a table waits for its answer five milliseconds: a timer
 * publishes "given up" unless it is cancelled before.  Another one ticks.  Both
 * come as events, in turn with all others: nothing here needs a lock.
 */
#include <stdio.h>
#include <string.h>

#include <evbus.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

struct desk {
	struct evbus *bus;
	int64_t patience;	/* the timer's id */
	int ticks;
	int given_up;
	int answered;
};

static int
fail(const char *what, int64_t code)
{
	fprintf(stderr, "timer: %s: %s: %s\n", what, evbus_strerror((int)code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_event(const struct evbus_event *event, void *arg)
{
	const char *name = evbus_topic_name(event->topic);
	struct desk *desk = arg;

	printf("%s\n", name);
	if (strcmp(name, "table.tick") == 0) {
		desk->ticks++;
	} else if (strcmp(name, "table.given_up") == 0) {
		desk->given_up++;
	} else {
		desk->answered++;
		/* In time: the timer publishes nothing any more. */
		evbus_timer_cancel(desk->bus, desk->patience);
	}
	return EVBUS_DONE;
}

static struct evbus_topic *
topic_of(struct evbus *bus, const char *name)
{
	struct evbus_topic *topic;

	return evbus_topic_open(bus, name, NULL, &topic) < 0 ? NULL : topic;
}

int
main(void)
{
	struct evbus_topic *tick, *given_up, *answer;
	struct evbus_reader *reader;
	struct desk desk = { 0 };
	struct evbus *bus;
	int64_t result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	desk.bus = bus;
	tick = topic_of(bus, "table.tick");
	given_up = topic_of(bus, "table.given_up");
	answer = topic_of(bus, "table.answer");
	if (tick == NULL || given_up == NULL || answer == NULL ||
	    (result = evbus_reader_open(bus, NULL, &reader)) < 0 ||
	    (result = evbus_reader_subscribe(reader, "table.>", on_event,
	    &desk, NULL)) < 0)
		return fail("set up", result);

	/* The first request is not answered in time, the second one is. */
	desk.patience = evbus_publish_after(given_up, NULL, 0, 5 * MS);
	result = evbus_publish_every(tick, NULL, 0, 2 * MS);
	if (desk.patience < 0 || result < 0)
		return fail("arm", result);
	while (desk.given_up == 0 || desk.ticks < 3)
		if (evbus_wait(reader, SECOND) <= 0 ||
		    evbus_poll(reader, 16) < 0)
			return fail("wait", 0);
	desk.patience = evbus_publish_after(given_up, NULL, 0, SECOND);
	if (desk.patience < 0)
		return fail("arm again", desk.patience);
	result = evbus_publish(answer, NULL, 0);
	if (result < 0)
		return fail("publish", result);
	while (desk.answered == 0)
		if (evbus_poll(reader, 16) < 0)
			return fail("poll", 0);

	/* The tick is still armed: the close drops it and does not wait. */
	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || desk.given_up != 1 || desk.answered != 1)
		return fail("not one given up and one answered", 0);
	return 0;
}
