/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - layer 4: the bus's own topics, in a stream of their own.
 *
 * Opened, under the bus's lock, for the first subscription that may match one;
 * before that nothing is told and nothing is spent.  Who tells never waits, and
 * never gets in his own way: the stream is another one than what it tells of.
 * Its events have no time of the bus's clock, which is user code.
 */
#include <evbus/publish.h>

#include "reader/reader.h"

#define PATTERN		"$bus.>"
#define CAPACITY	64u

_Static_assert(sizeof(struct evbus_stall) + sizeof(struct evbus_header) <= 256,
    "a report fits its slot");

static void
tell(struct evbus__context *context, const struct evbus_stall *stall, int over)
{
	const struct evbus__readers *readers = context->readers;
	struct evbus_topic *topic = over ? readers->recovered :
	    readers->stalled;

	/* Not while the bus closes: that is told by the close's report. */
	if (EVBUS_LOAD(&context->state, RELAXED) == EVBUS__OPEN)
		(void)evbus_try_publish(topic, stall, sizeof *stall);
}

int
evbus__reports_open(struct evbus__context *context,
    struct evbus_publisher *self)
{
	struct evbus_stream_options options = {
		.capacity = CAPACITY,
		.slot_size = 256,
		.max_payload = sizeof(struct evbus_stall),
		.on_full = EVBUS_ON_FULL_FAIL,
		.times = EVBUS_TIMES_NONE,
	};
	struct evbus__readers *readers = context->readers;
	struct evbus__streams *streams = context->streams;
	struct evbus__stream *stream;
	int error = 0;

	if (streams->tell != NULL)
		return 0;
	if (!readers->reports) {
		/* They are fine: it completes them. */
		(void)evbus__stream_options_check(&options);
		error = evbus__stream_make(context, PATTERN, &options, &stream);
		if (error != 0)
			return error;
		readers->reports = 1;
	}
	error = evbus__topic_own(context, self, "$bus.reader.stalled",
	    &readers->stalled);
	if (error == 0)
		error = evbus__topic_own(context, self, "$bus.reader.recovered",
		    &readers->recovered);
	if (error == 0)
		/* Release, partner evbus__stall_due(): the topics. */
		EVBUS_STORE(&streams->tell, tell, RELEASE);
	return error;
}

int
evbus__reports_wanted(const char *pattern)
{
	return evbus__pattern_overlaps(PATTERN, pattern);
}
