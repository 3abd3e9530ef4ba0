/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lossy.c - a reader that holds nobody up, and is told what it missed.
 *
 * The publisher goes round the ring several times while the reader looks away.
 * What was overwritten is lost; the next event says how many, and in the
 * counters nothing is missing:
 *
 *	delivered + skipped + holes + lost = passed
 */
#include <stdio.h>

#include <evbus.h>

#define SECOND INT64_C(1000000000)
#define CAPACITY 64u
#define EVENTS 1000u

struct watcher {
	uint32_t next;			/* the number that comes next */
	uint64_t lost;
	int wrong;
};

static int
fail(const char *what, int code)
{
	fprintf(stderr, "lossy: %s: %s: %s\n", what, evbus_strerror(code),
	    evbus_errmsg());
	return 1;
}

static enum evbus_verdict
on_price(const struct evbus_event *event, void *arg)
{
	const uint32_t *number = event->data;
	struct watcher *watcher = arg;

	if (event->lost > 0)
		printf("%llu events went by before number %u\n",
		    (unsigned long long)event->lost, *number);
	watcher->lost += event->lost;
	if (*number != watcher->next + event->lost)
		watcher->wrong = 1;
	watcher->next = *number + 1;
	return EVBUS_DONE;
}

int
main(void)
{
	struct evbus_options options = { .stream.capacity = CAPACITY };
	struct evbus_reader_options lossy = { .lossy = 1 };
	struct evbus_reader_stats stats;
	struct watcher watcher = { .next = 0 };
	struct evbus *bus;
	struct evbus_topic *price;
	struct evbus_reader *reader;
	uint32_t i;
	int result;

	result = evbus_open(&bus, &options);
	if (result < 0)
		return fail("open", result);
	if (evbus_topic_open(bus, "price", NULL, &price) < 0 ||
	    evbus_reader_open(bus, &lossy, &reader) < 0 ||
	    evbus_reader_subscribe(reader, "price", on_price, &watcher,
	    NULL) < 0)
		return fail("set up", EVBUS_EINVAL);

	for (i = 0; i < EVENTS; i++) {
		result = evbus_try_publish(price, &i, sizeof i);
		if (result < 0)		/* no reader can make it full */
			return fail("publish", result);
	}
	while ((result = evbus_poll(reader, 16)) > 0)
		continue;
	if (result < 0 || evbus_reader_stats(reader, &stats) < 0)
		return fail("poll", result);
	printf("delivered %llu, lost %llu, passed %llu\n",
	    (unsigned long long)stats.delivered,
	    (unsigned long long)stats.lost, (unsigned long long)stats.passed);

	result = evbus_close(bus, SECOND, NULL);
	if (result < 0)
		return fail("close", result);
	if (evbus_free(bus) < 0 || watcher.wrong || watcher.next != EVENTS ||
	    stats.lost != watcher.lost || stats.lost < EVENTS - CAPACITY ||
	    stats.passed != EVENTS || stats.delivered + stats.skipped +
	    stats.holes + stats.lost != stats.passed)
		return fail("the counts do not add up", 0);
	return 0;
}
