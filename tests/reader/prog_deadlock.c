/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_deadlock.c - a process of one thread publishes more than fits and only
 * then means to poll (S3).  deadlock.sh runs it; exit status 0 is good.
 */
#include <stdio.h>

#include <evbus/bus.h>
#include <evbus/publish.h>
#include <evbus/reader.h>

#define CAPACITY 8

static int failed;

static void
expect(const char *what, int64_t seen, int64_t wanted)
{
	if (seen == wanted)
		return;
	(void)fprintf(stderr, "%s: %lld, wanted %lld (%s)\n", what,
	    (long long)seen, (long long)wanted, evbus_errmsg());
	failed = 1;
}

int
main(void)
{
	struct evbus_options options = { .stream = { .capacity = CAPACITY,
	    .timeout_ns = EVBUS_FOREVER } };
	struct evbus *bus;
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	int i;

	expect("open", evbus_open(&bus, &options), 0);
	expect("reader", evbus_reader_open(bus, NULL, &reader), 0);
	expect("topic", evbus_topic_open(bus, "a", NULL, &topic), 0);
	expect("subscribe", evbus_reader_subscribe(reader, "a", NULL, NULL,
	    NULL) > 0, 1);
	for (i = 0; i < CAPACITY; i++)
		expect("publish", evbus_publish(topic, "x", 1), 0);
	expect("one more", evbus_publish(topic, "x", 1), EVBUS_EDEADLK);
	expect("flush", evbus_flush(bus, EVBUS_FOREVER), EVBUS_EDEADLK);
	expect("poll", evbus_poll(reader, 100), CAPACITY);
	expect("publish", evbus_publish(topic, "x", 1), 0);
	/* What is last run by the caller, or by nobody, close runs. */
	expect("close", evbus_close(bus, EVBUS_FOREVER, NULL), 0);
	expect("free", evbus_free(bus), 0);
	return failed;
}
