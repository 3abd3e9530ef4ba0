/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_uv.c - a program with a loop of its own, libuv, handles the
 * events that another thread publishes, on its own thread.
 *
 * Its uv_poll_t is level-triggered: it calls again while events remain.  See evbus_fd(3).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>

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

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	if (status < 0 || evbus_run_once(poll->data, BUDGET) < 0 ||
	    next >= EVENTS)
		uv_stop(poll->loop);
}

static int
loop(struct evbus *bus)
{
	uv_poll_t poll;
	uv_loop_t uv;

	if (uv_loop_init(&uv) != 0)
		return 1;
	poll.data = bus;
	if (uv_poll_init(&uv, &poll, evbus_fd(bus)) != 0 ||
	    uv_poll_start(&poll, UV_READABLE, on_readable) != 0)
		return 1;
	(void)uv_run(&uv, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&poll, NULL);
	(void)uv_run(&uv, UV_RUN_DEFAULT);
	return uv_loop_close(&uv) != 0;
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
		fprintf(stderr, "loop_uv: %s\n", evbus_errmsg());
		return 1;
	}
	failed = loop(bus);
	(void)pthread_join(thread, NULL);
	if (evbus_close(bus, 1000000000, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "loop_uv: %s\n", evbus_errmsg());
		failed = 1;
	}
	printf("loop_uv: %u of %u\n", next - wrong, EVENTS);
	return failed || wrong > 0 || next != EVENTS;
}
