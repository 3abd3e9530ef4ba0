/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_count.c - does the work of a publish depend on how many subscriptions
 * and topics there are (F1)?  count.sh runs this under callgrind, which counts
 * only where it is asked to: in a loop of 1000 calls.
 *
 *	prog_count publish SUBSCRIPTIONS TOPICS
 *	prog_count open PATTERNS
 *
 * Without callgrind it prints times instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <evbus/bus.h>
#include <evbus/publish.h>
#include <evbus/reader.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_START_INSTRUMENTATION ((void)0)
#define CALLGRIND_STOP_INSTRUMENTATION ((void)0)
#define CALLGRIND_TOGGLE_COLLECT ((void)0)
#define RUNNING_ON_VALGRIND 0
#define WITHOUT_CALLGRIND 1
#else
#define WITHOUT_CALLGRIND 0
#endif

#define CALLS 1000u

static struct evbus *bus;

static void
need(int64_t result, const char *what)
{
	if (result >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, evbus_errmsg());
	exit(1);
}

static double
seconds(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct evbus_topic *
topic_of(const char *format, unsigned i)
{
	struct evbus_topic *topic = NULL;
	char name[64];

	(void)snprintf(name, sizeof name, format, i, i);
	need(evbus_topic_open(bus, name, NULL, &topic), "topic_open");
	return topic;
}

static enum evbus_verdict
ignore(const struct evbus_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return EVBUS_DONE;
}

/*
 * Patterns of every shape; the one of number 0 is plain.  Few of the last kind:
 * each goes through all names that stand in its star's place.
 */
static void
subscribe(struct evbus_reader *reader, unsigned i)
{
	static const char *const shapes[] = { "plain.%u.x", "one.%u.*",
	    "all.%u.>", "star.*.n%u" };
	char pattern[64];

	(void)snprintf(pattern, sizeof pattern,
	    shapes[i % 4 == 3 && i % 100 != 3 ? 1 : i % 4], i);
	need(evbus_reader_subscribe(reader, pattern, ignore, NULL, NULL),
	    "subscribe");
}

static void
open_bus(void)
{
	struct evbus_options options = { .max_topics = 1100000 };

	need(evbus_open(&bus, &options), "open");
}

static void
close_bus(void)
{
	need(evbus_close(bus, EVBUS_FOREVER, NULL), "close");
	need(evbus_free(bus), "free");
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The calls that are counted. */
static EVBUS_NOINLINE void
publish_calls(struct evbus_topic *topic)
{
	uint64_t i;

	for (i = 0; i < CALLS; i++)
		need(evbus_publish(topic, &i, sizeof i), "publish");
}

static void
count_publish(unsigned subscriptions, unsigned topics)
{
	static const char *const shapes[] = { "plain.%u.x", "one.%u.y",
	    "all.%u.a.b", "star.m%u.n%u" };
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	double since = seconds();
	unsigned i;

	open_bus();
	need(evbus_reader_open(bus, NULL, &reader), "reader_open");
	/* Half of them before the topics, half after. */
	for (i = 0; i < (subscriptions + 1) / 2; i++)
		subscribe(reader, i);
	topic = topic_of("plain.%u.x", 0);
	for (i = 1; i < topics; i++)
		(void)topic_of(shapes[i % 4], i);
	for (; i < topics + subscriptions / 2; i++)
		subscribe(reader, i - topics + (subscriptions + 1) / 2);
	(void)printf("set up in %.2f s\n", seconds() - since);
	publish_calls(topic);
	need(evbus_poll(reader, 2 * CALLS), "poll");
	since = seconds();
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_TOGGLE_COLLECT;
	publish_calls(topic);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_STOP_INSTRUMENTATION;
	(void)printf("%.1f ns a publish\n",
	    (seconds() - since) * 1e9 / CALLS);
	need(evbus_poll(reader, 2 * CALLS), "poll");
	if (RUNNING_ON_VALGRIND)
		return;		/* it has counted; closing takes long there */
	since = seconds();
	close_bus();
	(void)printf("closed in %.2f s\n", seconds() - since);
}

static void
count_open(unsigned patterns)
{
	struct evbus_reader *reader;
	double time[CALLS], since;
	unsigned i;

	open_bus();
	need(evbus_reader_open(bus, NULL, &reader), "reader_open");
	for (i = 0; i < patterns; i++)
		subscribe(reader, i);
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_TOGGLE_COLLECT;
	for (i = 0; i < CALLS; i++) {
		since = seconds();
		/* Of 10,000 patterns one matches, of ten mostly none. */
		(void)topic_of(i % 2 ? "one.%u.y" : "all.%u.a.b",
		    4 * i + 2 - i % 2);
		time[i] = seconds() - since;
	}
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_STOP_INSTRUMENTATION;
	qsort(time, CALLS, sizeof time[0], by_value);
	(void)printf("%u patterns: median %.2f us a topic_open\n", patterns,
	    time[CALLS / 2] * 1e6);
	close_bus();
}

/* A million topics: opened, and found again. */
static void
million(void)
{
	static struct evbus_topic *topic[1000000];
	double since = seconds();
	unsigned i;

	open_bus();
	for (i = 0; i < 1000000; i++)
		topic[i] = topic_of("million.%u", i);
	(void)printf("1000000 topics opened in %.2f s\n", seconds() - since);
	since = seconds();
	for (i = 0; i < 1000000; i++)
		if (topic_of("million.%u", i) != topic[i] ||
		    (uint32_t)strtoul(evbus_topic_name(topic[i]) + 8, NULL,
		    10) != i) {
			(void)fprintf(stderr, "topic %u is another now\n", i);
			exit(1);
		}
	(void)printf("and found in %.2f s\n", seconds() - since);
	close_bus();
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "million") == 0)
		million();
	else if (argc == 4 && strcmp(argv[1], "publish") == 0)
		count_publish((unsigned)atoi(argv[2]),
		    (unsigned)atoi(argv[3]));
	else if (argc == 3 && strcmp(argv[1], "open") == 0)
		count_open((unsigned)atoi(argv[2]));
	else if (argc == 2 && strcmp(argv[1], "callgrind") == 0)
		return WITHOUT_CALLGRIND;
	else
		return 2;
	return 0;
}
