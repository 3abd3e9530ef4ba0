/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - handle events on a thread of your own.
 *
 * A reader is a place in the streams of a bus.  The thread that runs it waits
 * until there is something and then polls: its handlers run inside
 * evbus_poll(), on that thread and on no other.
 */
#include <pthread.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define NUMBERS 10000u

struct adder {
	struct evbus_reader *reader;
	uint64_t sum;
	int over;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "poll: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_number(const struct evbus_event *event, void *arg)
{
	struct adder *adder = arg;

	adder->sum += *(const uint32_t *)event->data;
	return EVBUS_DONE;
}

static enum evbus_verdict
on_end(const struct evbus_event *event, void *arg)
{
	struct adder *adder = arg;

	(void)event;
	adder->over = 1;
	return EVBUS_DONE;
}

static void *
run(void *arg)
{
	struct adder *adder = arg;
	int result = 0;

	while (!adder->over && result >= 0) {
		result = evbus_poll(adder->reader, 64);
		if (result == 0)	/* nothing there */
			result = evbus_wait(adder->reader, SECOND);
	}
	return NULL;
}

int
main(void)
{
	struct evbus *bus;
	struct evbus_topic *number, *end;
	struct adder adder = { .sum = 0 };
	pthread_t thread;
	uint32_t i;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "sum.number", NULL, &number) < 0 ||
	    evbus_topic_open(bus, "sum.end", NULL, &end) < 0 ||
	    evbus_reader_open(bus, NULL, &adder.reader) < 0 ||
	    evbus_reader_subscribe(adder.reader, "sum.number", on_number,
	    &adder, NULL) < 0 ||
	    evbus_reader_subscribe(adder.reader, "sum.end", on_end, &adder,
	    NULL) < 0)
		return fail("set up", EVBUS_EINVAL);
	if (pthread_create(&thread, NULL, run, &adder) != 0)
		return 1;

	/* When the stream is full, this waits for the other thread. */
	for (i = 1; i <= NUMBERS && result >= 0; i++)
		result = evbus_publish(number, &i, sizeof i);
	if (result >= 0)
		result = evbus_publish(end, "", 0);
	if (result < 0)
		return fail("publish", result);
	pthread_join(thread, NULL);

	printf("the sum of 1 to %u is %llu\n", NUMBERS,
	    (unsigned long long)adder.sum);
	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || adder.sum !=
	    (uint64_t)NUMBERS * (NUMBERS + 1) / 2)
		return fail("a wrong sum", 0);
	return 0;
}
