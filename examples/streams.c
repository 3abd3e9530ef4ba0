/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * streams.c - give a family of topics a stream of its own.
 *
 * Each stream is a ring with its own capacity, its own rule for when it is full
 * and its own numbering.  A flood in one does not touch the others: here a
 * camera fills its stream, is refused, and an alarm still gets through.
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define FRAMES 64u

static int
fail(const char *what, int code)
{
	fprintf(stderr, "streams: %s: %s: %s\n", what, evbus_strerror(code),
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

int
main(void)
{
	const struct evbus_stream_options options = {
		.capacity = FRAMES,
		.slot_size = 256,	/* 224 bytes of payload stay inline */
		.on_full = EVBUS_ON_FULL_FAIL
	};
	struct evbus_stream_stats stats;
	struct evbus *bus;
	struct evbus_stream *camera;
	struct evbus_topic *frame, *alarm;
	struct evbus_reader *reader;
	char picture[200] = "a picture";
	unsigned count = 0, published = 0;
	int result;

	result = evbus_open(&bus, NULL);
	if (result < 0)
		return fail("open", result);

	/* Streams first: topics choose theirs when they are opened. */
	if (evbus_stream_open(bus, "camera.>", &options, &camera) < 0 ||
	    evbus_topic_open(bus, "camera.front.frame", NULL, &frame) < 0 ||
	    evbus_topic_open(bus, "alarm.front", NULL, &alarm) < 0 ||
	    evbus_reader_open(bus, NULL, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "camera.>", count_event, &count,
	    NULL) < 0)
		return fail("set up", EVBUS_EINVAL);

	while ((result = evbus_publish(frame, picture, sizeof picture)) == 0)
		published++;
	printf("%u frames published, then: %s\n", published,
	    evbus_strerror(result));
	if (result != EVBUS_EFULL || published != FRAMES)
		return fail("not full after its capacity", result);

	result = evbus_publish(alarm, "smoke", sizeof "smoke");
	printf("the alarm: %s\n", result == 0 ? "published" : "refused");
	if (result < 0)
		return fail("publish", result);

	while ((result = evbus_poll(reader, 16)) > 0)
		continue;
	if (result < 0 || evbus_stream_stats(camera, &stats) < 0)
		return fail("poll", result);
	printf("the camera's stream: capacity %llu, tail %llu, refused %llu\n",
	    (unsigned long long)stats.capacity,
	    (unsigned long long)stats.tail, (unsigned long long)stats.refused);

	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || count != FRAMES || stats.tail != FRAMES ||
	    stats.refused != 1)
		return fail("the counts do not add up", 0);
	return 0;
}
