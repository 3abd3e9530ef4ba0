/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - start in the past, as far as the ring still holds it.
 *
 * A reader starts with the next event, with the oldest one that is still held,
 * or at a sequence.  A lossless reader is refused a sequence that is gone:
 * it would begin with a loss.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define CAPACITY 16u
#define EVENTS 40u

static int
fail(const char *what, int code)
{
	fprintf(stderr, "replay: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

/* Count what a reader that starts there is given, and the first of it. */
static int
read_from(struct evbus *bus, enum evbus_start start, uint64_t sequence,
    unsigned *count, uint64_t *first)
{
	struct evbus_reader_options options = {
		.start = start,
		.sequence = sequence
	};
	const struct evbus_event *event;
	struct evbus_reader *reader;
	int64_t id;
	int result = evbus_reader_open(bus, &options, &reader);

	*count = 0;
	*first = 0;
	if (result < 0)
		return result;
	id = evbus_reader_subscribe(reader, "log", NULL, NULL, NULL);
	while (id > 0 && (event = evbus_next(reader)) != NULL)
		if ((*count)++ == 0)
			*first = event->sequence;
	evbus_done(reader);
	result = evbus_reader_close(reader, SECOND);
	return id < 0 ? (int)id : result;
}

static int
show(struct evbus *bus, const char *what, enum evbus_start start,
    uint64_t sequence, unsigned wanted)
{
	unsigned count;
	uint64_t first;
	int result = read_from(bus, start, sequence, &count, &first);

	if (result < 0)
		return fail(what, result);
	printf("%-12s %2u events", what, count);
	if (count > 0)
		printf(", the first is %llu", (unsigned long long)first);
	printf("\n");
	return count == wanted ? 0 : fail("a wrong number of events", 0);
}

int
main(void)
{
	const struct evbus_options options = { .stream.capacity = CAPACITY };
	struct evbus *bus;
	struct evbus_topic *topic;
	unsigned count, i;
	uint64_t first;
	int result;

	result = evbus_open(&bus, &options);
	if (result >= 0)
		result = evbus_topic_open(bus, "log", NULL, &topic);
	for (i = 0; i < EVENTS && result >= 0; i++)
		result = evbus_publish(topic, &i, sizeof i);
	if (result < 0)
		return fail("publish", result);
	printf("%u events published, %u held\n", EVENTS, CAPACITY);
	if (show(bus, "now", EVBUS_START_NOW, 0, 0) ||
	    show(bus, "oldest", EVBUS_START_OLDEST, 0, CAPACITY) ||
	    show(bus, "sequence 35", EVBUS_START_SEQUENCE, 35, EVENTS - 35))
		return 1;
	result = read_from(bus, EVBUS_START_SEQUENCE, 3, &count, &first);
	printf("sequence 3   %s\n", evbus_errmsg());
	if (result != EVBUS_EGONE)
		return fail("sequence 3 is still there", result);
	result = evbus_close(bus, SECOND, NULL);
	if (result >= 0)
		result = evbus_free(bus);
	return result < 0 ? fail("close", result) : 0;
}
