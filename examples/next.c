/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * next.c - take events one by one, without handlers.
 *
 * A subscription without a handler marks what evbus_next() returns.  An event
 * and its payload hold until the next evbus_next() or evbus_done(); only then
 * may a publisher use its place again, so evbus_done() ends each round.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)

static int
fail(const char *what, int code)
{
	fprintf(stderr, "next: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

int
main(void)
{
	static const int readings[] = { 21, 22, 19, 24 };
	struct evbus *bus;
	struct evbus_topic *celsius, *other;
	struct evbus_reader *reader;
	const struct evbus_event *event;
	size_t i, count = 0;
	int sum = 0, result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "kitchen.celsius", NULL, &celsius) < 0 ||
	    evbus_topic_open(bus, "kitchen.door", NULL, &other) < 0 ||
	    evbus_reader_open(bus, NULL, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "*.celsius", NULL, NULL, NULL) < 0)
		return fail("set up", EVBUS_EINVAL);

	for (i = 0; i < sizeof readings / sizeof *readings; i++)
		if (evbus_publish(celsius, &readings[i],
		    sizeof readings[i]) < 0 ||
		    evbus_publish(other, "open", sizeof "open") < 0)
			return fail("publish", EVBUS_EFULL);

	if (evbus_wait(reader, SECOND) != 1)
		return fail("wait", EVBUS_ETIMEDOUT);
	while ((event = evbus_next(reader)) != NULL) {
		printf("%s %d\n", evbus_topic_name(event->topic),
		    *(const int *)event->data);
		sum += *(const int *)event->data;
		count++;
	}
	evbus_done(reader);

	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || count != 4 || sum != 86)
		return fail("a reading is missing", 0);
	return 0;
}
