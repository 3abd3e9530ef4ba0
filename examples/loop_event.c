/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_event.c - a program with a loop of its own, libevent, handles the
 * events that another thread publishes, on its own thread.
 *
 * EV_PERSIST without EV_ET: it calls again while events remain.  See evbus_fd(3).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include <evbus.h>

#define EVENTS	300000u
#define BUDGET	256u		/* so that others have their turn as well */

static uint32_t next;		/* number of the event to come */
static uint32_t wrong;
static struct event_base *base;

static enum evbus_verdict
on_number(const struct evbus_event *event, void *arg)
{
	uint32_t number;

	(void)arg;
	memcpy(&number, event->data, sizeof number);
	if (number != next)
		wrong++;
	next = number + 1;
	return EVBUS_DONE;
}

static void *
publish_all(void *topic)
{
	uint32_t i;

	for (i = 0; i < EVENTS; i++)
		if (evbus_publish(topic, &i, sizeof i) < 0) {
			fprintf(stderr, "publish: %s\n", evbus_errmsg());
			break;
		}
	return NULL;
}

static void
on_readable(evutil_socket_t fd, short what, void *bus)
{
	(void)fd;
	(void)what;
	if (evbus_run_once(bus, BUDGET) < 0 || next >= EVENTS)
		(void)event_base_loopbreak(base);
}

static int
loop(struct evbus *bus)
{
	struct event *event;

	base = event_base_new();
	if (base == NULL)
		return 1;
	event = event_new(base, evbus_fd(bus), EV_READ | EV_PERSIST,
	    on_readable, bus);
	if (event == NULL || event_add(event, NULL) != 0)
		return 1;
	(void)event_base_dispatch(base);
	event_free(event);
	event_base_free(base);
	return 0;
}

int
main(void)
{
	struct evbus_options options = { .own_loop = 1 };
	struct evbus_topic *topic;
	struct evbus *bus;
	pthread_t thread;
	int failed;

	if (evbus_open(&bus, &options) < 0 ||
	    evbus_topic_open(bus, "numbers", NULL, &topic) < 0 ||
	    evbus_subscribe(bus, "numbers", on_number, NULL, NULL) < 0 ||
	    pthread_create(&thread, NULL, publish_all, topic) != 0) {
		fprintf(stderr, "loop_event: %s\n", evbus_errmsg());
		return 1;
	}
	failed = loop(bus);
	(void)pthread_join(thread, NULL);
	if (evbus_close(bus, 1000000000, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "loop_event: %s\n", evbus_errmsg());
		failed = 1;
	}
	printf("loop_event: %u of %u\n", next - wrong, EVENTS);
	return failed || wrong > 0 || next != EVENTS;
}
