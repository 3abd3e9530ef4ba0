/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validator.c - let nothing onto a topic that is not valid.
 *
 * The module that owns a topic opens it first, with a function that looks at
 * each payload in the publisher's thread.  What it rejects is not published,
 * and the publisher is told at once; subscribers need not check again.
 */
#include <stdint.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)

struct order {
	int64_t price;
	int64_t quantity;
};

enum { WRONG_SIZE = 1, NO_PRICE = 2, NO_QUANTITY = 3 };

static int
fail(const char *what, int code)
{
	fprintf(stderr, "validator: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static int
check_order(const void *data, size_t size, void *arg)
{
	const struct order *order = data;

	(void)arg;
	if (size != sizeof *order)
		return WRONG_SIZE;
	if (order->price <= 0)
		return NO_PRICE;
	return order->quantity <= 0 ? NO_QUANTITY : 0;
}

static enum evbus_verdict
on_order(const struct evbus_event *event, void *arg)
{
	const struct order *order = event->data;

	printf("%lld at %lld\n", (long long)order->quantity,
	    (long long)order->price);
	++*(unsigned *)arg;
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus_topic_options options = { .validate = check_order };
	struct order good = { 101, 5 }, bad = { 101, -5 };
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	struct evbus *bus;
	unsigned count = 0;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if ((result = evbus_topic_open(bus, "orders.new", &options,
	    &topic)) < 0 ||
	    (result = evbus_reader_open(bus, NULL, &reader)) < 0 ||
	    evbus_reader_subscribe(reader, "orders.>", on_order, &count,
	    NULL) < 0)
		return fail("set up", result);

	result = evbus_publish(topic, &good, sizeof good);
	if (result < 0)
		return fail("publish", result);
	result = evbus_publish(topic, &bad, sizeof bad);
	if (result != EVBUS_EREJECTED)
		return fail("the bad order went through", result);
	printf("%s\n", evbus_errmsg());

	result = evbus_poll(reader, 16);
	if (result < 0)
		return fail("poll", result);
	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || count != 1)
		return fail("not one order", 0);
	return 0;
}
