/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * after.c - write it down first, then act on it.
 *
 * Two modules get every order: one writes it into a journal, one ships it.
 * Nothing may be shipped that is not in the journal.  Neither knows of the
 * other: the one that ships is opened to stand after the journal, and sees an
 * order when the journal is done with it.  Each has a thread of its own.
 */
#include <stdatomic.h>
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define ORDERS 1000u

static atomic_uint written;	/* orders in the journal */
static unsigned shipped, early;

static int
fail(const char *what, int code)
{
	fprintf(stderr, "after: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
write_down(const struct evbus_event *event, void *arg)
{
	const unsigned *order = event->data;

	(void)arg;
	atomic_store(&written, *order + 1);
	return EVBUS_DONE;
}

static enum evbus_verdict
ship(const struct evbus_event *event, void *arg)
{
	const unsigned *order = event->data;

	(void)arg;
	if (*order >= atomic_load(&written))
		early++;
	shipped++;
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus_reader_options journal = { .name = "journal",
	    .worker = "journal" };
	struct evbus_reader_options shipping = { .name = "shipping",
	    .worker = "shipping" };
	struct evbus_reader *first, *second;
	struct evbus_topic *topic;
	struct evbus *bus;
	int64_t id;
	unsigned i;
	int result;

	result = evbus_open(&bus, NULL);
	if (result != 0)
		return fail("open", result);
	result = evbus_topic_open(bus, "orders", NULL, &topic);
	if (result != 0)
		return fail("topic", result);
	result = evbus_reader_open(bus, &journal, &first);
	if (result != 0)
		return fail("journal", result);
	shipping.after = &first;
	shipping.after_count = 1;
	result = evbus_reader_open(bus, &shipping, &second);
	if (result != 0)
		return fail("shipping", result);
	/* The journal first: it is to have all that is shipped. */
	id = evbus_reader_subscribe(first, "orders", write_down, NULL, NULL);
	if (id > 0)
		id = evbus_reader_subscribe(second, "orders", ship, NULL,
		    NULL);
	if (id < 0)
		return fail("subscribe", (int)id);

	for (i = 0; i < ORDERS; i++) {
		result = evbus_publish(topic, &i, sizeof i);
		if (result != 0)
			return fail("publish", result);
	}
	/* Closing keeps the order as well. */
	result = evbus_close(bus, 10 * SECOND, NULL);
	if (result != 0)
		return fail("close", result);
	printf("%u orders written, %u shipped, %u too early\n",
	    atomic_load(&written), shipped, early);
	if (shipped != ORDERS || early != 0)
		return 1;
	return evbus_free(bus) == 0 ? 0 : 1;
}
