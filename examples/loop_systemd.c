/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_systemd.c - a program with a loop of its own, sd-event, handles the
 * events that another thread publishes, on its own thread.
 *
 * EPOLLIN without EPOLLET: it calls again while events remain.  See evbus_fd(3).
 */
#include <sys/epoll.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-event.h>

#include <evbus.h>

#define EVENTS	300000u
#define BUDGET	256u		/* so that others have their turn as well */

static uint32_t next;		/* number of the event to come */
static uint32_t wrong;

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

static int
on_readable(sd_event_source *source, int fd, uint32_t revents, void *bus)
{
	(void)fd;
	(void)revents;
	if (evbus_run_once(bus, BUDGET) < 0 || next >= EVENTS)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	return 0;
}

static int
loop(struct evbus *bus)
{
	sd_event_source *source = NULL;
	sd_event *event = NULL;
	int failed;

	failed = sd_event_new(&event) < 0 ||
	    sd_event_add_io(event, &source, evbus_fd(bus), EPOLLIN,
	    on_readable, bus) < 0 ||
	    sd_event_loop(event) < 0;
	(void)sd_event_source_unref(source);
	(void)sd_event_unref(event);
	return failed;
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
		fprintf(stderr, "loop_systemd: %s\n", evbus_errmsg());
		return 1;
	}
	failed = loop(bus);
	(void)pthread_join(thread, NULL);
	if (evbus_close(bus, 1000000000, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "loop_systemd: %s\n", evbus_errmsg());
		failed = 1;
	}
	printf("loop_systemd: %u of %u\n", next - wrong, EVENTS);
	return failed || wrong > 0 || next != EVENTS;
}
