/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim.c - write an event where readers will read it, without a copy.
 *
 * evbus_claim() takes a place and says where to write; evbus_commit() makes the
 * event visible; evbus_abort() gives the place up, and readers pass a hole.
 * Readers stop before an open claim, so do little between the two, and nothing
 * that waits.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)

struct position {
	double latitude;
	double longitude;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "claim: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_position(const struct evbus_event *event, void *arg)
{
	const struct position *position = event->data;
	unsigned *count = arg;

	printf("%.2f %.2f\n", position->latitude, position->longitude);
	(*count)++;
	return EVBUS_DONE;
}

/* What came in may turn out to be no position. */
static int
publish_position(struct evbus_topic *topic, const char *text)
{
	struct evbus_claim claim;
	struct position *position;
	int result;

	result = evbus_claim(topic, sizeof *position, SECOND, &claim);
	if (result < 0)
		return result;
	position = claim.data;
	if (sscanf(text, "%lf %lf", &position->latitude,
	    &position->longitude) == 2)
		return evbus_commit(&claim, sizeof *position);
	evbus_abort(&claim);
	return 0;
}

int
main(void)
{
	struct evbus *bus;
	struct evbus_topic *topic;
	struct evbus_reader *reader;
	struct evbus_reader_stats stats;
	unsigned count = 0;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "bike.position", NULL, &topic) < 0 ||
	    evbus_reader_open(bus, NULL, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "bike.position", on_position,
	    &count, NULL) < 0)
		return fail("set up", EVBUS_EINVAL);

	if ((result = publish_position(topic, "56.16 10.20")) < 0 ||
	    (result = publish_position(topic, "no signal")) < 0 ||
	    (result = publish_position(topic, "56.17 10.21")) < 0)
		return fail("publish", result);
	while ((result = evbus_poll(reader, 16)) > 0)
		continue;
	if (result < 0 || evbus_reader_stats(reader, &stats) < 0)
		return fail("poll", result);
	printf("%llu positions, %llu hole\n",
	    (unsigned long long)stats.delivered,
	    (unsigned long long)stats.holes);

	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || count != 2 || stats.delivered != 2 ||
	    stats.holes != 1)
		return fail("not two positions and a hole", 0);
	return 0;
}
