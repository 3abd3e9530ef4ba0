/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patterns.c - subscribe to families of topics.
 *
 * A topic is a dotted name.  In a pattern `*` stands for one whole token and a
 * last `>` for one or more.  It does not matter whether a topic is opened
 * before or after the subscriptions that match it.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define PATTERNS 5
#define TOPICS 4

static const char *const pattern[PATTERNS] = {
	"orders.eu.created", "orders.*.created", "orders.eu.*", "orders.>", ">"
};

static const char *const topic[TOPICS] = {
	"orders.eu.created", "orders.us.created", "orders.eu.line.added",
	"stock"
};

/* What each pattern is to get of one event on each topic. */
static const unsigned expected[PATTERNS] = { 1, 2, 1, 3, 4 };

static int
fail(const char *what, int code)
{
	fprintf(stderr, "patterns: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
count_event(const struct evbus_event *event, void *arg)
{
	unsigned *count = arg;

	(void)event;
	(*count)++;
	return EVBUS_DONE;
}

static int
show_matches(unsigned *count)
{
	int i, j, matches, wrong = 0;

	for (i = 0; i < PATTERNS; i++) {
		printf("%-18s %u:", pattern[i], count[i]);
		matches = 0;
		for (j = 0; j < TOPICS; j++) {
			if (!evbus_topic_match(pattern[i], topic[j]))
				continue;
			printf(" %s", topic[j]);
			matches++;
		}
		printf("\n");
		wrong |= count[i] != expected[i] ||
		    matches != (int)expected[i];
	}
	return wrong;
}

int
main(void)
{
	unsigned count[PATTERNS] = { 0 };
	struct evbus *bus;
	struct evbus_topic *early;
	struct evbus_reader *reader;
	int result, i;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	result = evbus_topic_open(bus, topic[0], NULL, &early);
	if (result < 0)
		return fail("topic", result);
	result = evbus_reader_open(bus, NULL, &reader);
	if (result < 0)
		return fail("reader", result);
	for (i = 0; i < PATTERNS; i++)
		if (evbus_reader_subscribe(reader, pattern[i], count_event,
		    &count[i], NULL) < 0)
			return fail(pattern[i], EVBUS_EPATTERN);

	/* By name: this opens a topic that is not open yet. */
	for (i = 0; i < TOPICS; i++) {
		result = evbus_publish_name(bus, topic[i], "", 0);
		if (result < 0)
			return fail(topic[i], result);
	}
	while ((result = evbus_poll(reader, 16)) > 0)
		continue;
	if (result < 0)
		return fail("poll", result);
	if (show_matches(count))
		return fail("a pattern got what it should not", 0);
	result = evbus_close(bus, SECOND, NULL);
	if (result >= 0)
		result = evbus_free(bus);
	return result < 0 ? fail("close", result) : 0;
}
