/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_uring.c - a program with a loop of its own, io_uring, handles the
 * events that another thread publishes, on its own thread.
 *
 * A poll is submitted anew after each run: it completes at once while events
 * remain.  Exit status 77: the kernel has no io_uring for us.  See evbus_fd(3).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <liburing.h>
#include <poll.h>

#include <evbus.h>

#define EVENTS	300000u
#define BUDGET	256u		/* so that others have their turn as well */

static uint32_t next;		/* number of the event to come */
static uint32_t wrong;
static struct io_uring ring;

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
wait_readable(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int error;

	if (sqe == NULL)
		return -1;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	error = io_uring_submit(&ring);
	if (error >= 0)
		error = io_uring_wait_cqe(&ring, &cqe);
	if (error >= 0) {
		error = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	return error;
}

static int
loop(struct evbus *bus)
{
	int fd = evbus_fd(bus), failed = 0;

	while (!failed && next < EVENTS)
		failed = wait_readable(fd) < 0 ||
		    evbus_run_once(bus, BUDGET) < 0;
	io_uring_queue_exit(&ring);
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

	if (io_uring_queue_init(8, &ring, 0) < 0) {
		printf("the kernel does not let us use io_uring\n");
		return 77;
	}
	if (evbus_open(&bus, &options) < 0 ||
	    evbus_topic_open(bus, "numbers", NULL, &topic) < 0 ||
	    evbus_subscribe(bus, "numbers", on_number, NULL, NULL) < 0 ||
	    pthread_create(&thread, NULL, publish_all, topic) != 0) {
		fprintf(stderr, "loop_uring: %s\n", evbus_errmsg());
		return 1;
	}
	failed = loop(bus);
	(void)pthread_join(thread, NULL);
	if (evbus_close(bus, 1000000000, NULL) < 0 || evbus_free(bus) < 0) {
		fprintf(stderr, "loop_uring: %s\n", evbus_errmsg());
		failed = 1;
	}
	printf("loop_uring: %u of %u\n", next - wrong, EVENTS);
	return failed || wrong > 0 || next != EVENTS;
}
