/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * large.c - payloads that do not fit a slot.
 *
 * Up to max_payload they are copied to a block of the stream's pool, with the
 * same evbus_publish().  Those that are too large to copy are passed by
 * reference: the publisher gives them away and gets them back through its
 * release function, exactly once, when no reader needs them any more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define PAGE 3000u			/* more than a slot, by copy */
#define PICTURE 1000000u			/* by reference */

static int
fail(const char *what, int code)
{
	fprintf(stderr, "large: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_large(const struct evbus_event *event, void *arg)
{
	const unsigned char *data = event->data;
	unsigned *good = arg;
	uint32_t i = 0;

	while (i < event->size && data[i] == 'x')
		i++;
	printf("%s: %u bytes%s\n", evbus_topic_name(event->topic), event->size,
	    event->flags & EVBUS_EVENT_OUTSIDE ? ", outside the ring" : "");
	if (i == event->size)
		(*good)++;
	return EVBUS_DONE;
}

/* Any thread that is inside a call of the bus may run this. */
static void
release(const void *data, size_t size, void *arg)
{
	unsigned *released = arg;

	printf("released: %zu bytes\n", size);
	free((void *)(uintptr_t)data);
	(*released)++;
}

static int
publish_picture(struct evbus_topic *topic, unsigned *released)
{
	struct evbus_publish_options options = {
		.release = release,
		.release_arg = released
	};
	char *picture = malloc(PICTURE);
	int result;

	if (picture == NULL)
		return EVBUS_ENOMEM;
	memset(picture, 'x', PICTURE);
	result = evbus_publish_with(topic, picture, PICTURE, &options);
	if (result < 0)			/* then it is still ours */
		free(picture);
	return result;
}

int
main(void)
{
	struct evbus *bus;
	struct evbus_topic *page, *picture;
	struct evbus_reader *reader;
	char text[PAGE];
	unsigned good = 0, released = 0;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "scan.page", NULL, &page) < 0 ||
	    evbus_topic_open(bus, "scan.picture", NULL, &picture) < 0 ||
	    evbus_reader_open(bus, NULL, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "scan.*", on_large, &good,
	    NULL) < 0)
		return fail("set up", EVBUS_EINVAL);

	memset(text, 'x', sizeof text);
	result = evbus_publish(page, text, sizeof text);
	if (result >= 0) {
		memset(text, ' ', sizeof text);	/* it was copied */
		result = publish_picture(picture, &released);
	}
	if (result < 0)
		return fail("publish", result);
	while ((result = evbus_poll(reader, 16)) > 0)
		continue;
	if (result < 0)
		return fail("poll", result);

	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || good != 2 || released != 1)
		return fail("not read twice and released once", 0);
	return 0;
}
