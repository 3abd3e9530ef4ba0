/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello.c - the smallest program: one event from a publisher to a handler.
 * It is C11 and C++17.
 *
 * The handler runs on a thread of the bus, which evbus_subscribe() starts;
 * evbus_close() returns when all that was published is handled.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)

static enum evbus_verdict
on_greeting(const struct evbus_event *event, void *arg)
{
	(void)arg;
	printf("%s: %s\n", evbus_topic_name(event->topic),
	    (const char *)event->data);
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus *bus;
	struct evbus_topic *topic;

	if (evbus_open(&bus, NULL) < 0 ||
	    evbus_subscribe(bus, "greetings.>", on_greeting, NULL, NULL) < 0 ||
	    evbus_topic_open(bus, "greetings.world", NULL, &topic) < 0 ||
	    evbus_publish(topic, "hello", sizeof "hello") < 0 ||
	    evbus_close(bus, SECOND, NULL) < 0 ||
	    evbus_free(bus) < 0) {
		fprintf(stderr, "hello: %s\n", evbus_errmsg());
		return 1;
	}
	return 0;
}
