/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_epoll.c - a program with a loop of its own, epoll(7), handles the
 * events that another thread publishes, on its own thread.
 *
 * Level-triggered; with the argument "edge" edge-triggered: then what is there is
 * run until nothing is left.  Between two events the program sleeps for as long
 * as evbus_timeout_ns() says.  See evbus_fd(3).
 */
#include <sys/epoll.h>

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <unistd.h>

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

/* How long epoll_wait() may sleep: in milliseconds, rounded up. */
static int
sleep_ms(struct evbus *bus)
{
	int64_t ns = evbus_timeout_ns(bus);

	if (ns == EVBUS_FOREVER)
		return -1;
	return ns / 1000000 >= INT_MAX ? INT_MAX :
	    (int)((ns + 999999) / 1000000);
}

static int
loop(struct evbus *bus, int edge)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), n = 0;

	if (edge)
		event.events |= EPOLLET;
	if (epoll < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, evbus_fd(bus), &event) != 0)
		return 1;
	while (n >= 0 && next < EVENTS) {
		(void)epoll_wait(epoll, &event, 1, sleep_ms(bus));
		do
			n = evbus_run_once(bus, BUDGET);
		while (edge && n > 0);
	}
	(void)close(epoll);
	return n < 0;
}

int
main(int argc, char **argv)
{
	struct evbus_options options = { .own_loop = 1 };
	struct evbus_topic *topic;
	struct evbus *bus;
	pthread_t thread;
	int edge = argc > 1 && strcmp(argv[1], "edge") == 0;
	int failed;

	if (evbus_open(&bus, &options) < 0 ||
	    evbus_topic_open(bus, "numbers", NULL, &topic) < 0 ||
	    evbus_subscribe(bus, "numbers", on_number, NULL, NULL) < 0 ||
	    pthread_create(&thread, NULL, publish_all, topic) != 0) {
		fprintf(stderr, "loop_epoll: %s\n", evbus_errmsg());
		return 1;
	}
	failed = loop(bus, edge);
	(void)pthread_join(thread, NULL);
	if (evbus_close(bus, 1000000000, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "loop_epoll: %s\n", evbus_errmsg());
		failed = 1;
	}
	printf("loop_epoll, %s: %u of %u\n", edge ? "edge" : "level",
	    next - wrong, EVENTS);
	return failed || wrong > 0 || next != EVENTS;
}
