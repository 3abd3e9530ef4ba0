/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_check.c - see event_check.h.
 */
#include <inttypes.h>
#include <sched.h>
#include <time.h>

#include "event_check.h"

#define FAILURES_TOLD 8

static pthread_mutex_t failures_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned failures;

void
event_check_fail(const char *file, int line, const char *what, int64_t seen,
    int64_t wanted)
{
	(void)pthread_mutex_lock(&failures_lock);
	if (failures++ < FAILURES_TOLD)
		(void)fprintf(stderr, "%s:%d: not true: %s (%" PRId64
		    ", wanted %" PRId64 ")\n", file, line, what, seen, wanted);
	(void)pthread_mutex_unlock(&failures_lock);
}

unsigned
event_check_failed(void)
{
	unsigned n;

	(void)pthread_mutex_lock(&failures_lock);
	n = failures;
	(void)pthread_mutex_unlock(&failures_lock);
	return n;
}

void
event_check_done(void)
{
	unsigned n = event_check_failed();

	(void)pthread_mutex_lock(&failures_lock);
	failures = 0;
	(void)pthread_mutex_unlock(&failures_lock);
	if (n > 0)
		fail_msg("%u checks failed", n);
}

uint64_t
event_seed(void)
{
	const char *text = getenv("EVBUS_TEST_SEED");
	struct timespec now;
	uint64_t seed;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seed = text != NULL ? strtoull(text, NULL, 0) :
	    (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
	(void)printf("EVBUS_TEST_SEED=%" PRIu64 "\n", seed);
	return seed;
}

/* splitmix64 (S. Vigna, public domain). */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t
event_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(*state);
}

struct evbus *
event_bus(const struct evbus_stream_options *stream)
{
	struct evbus_options options = { .name = "test" };
	struct evbus *bus = NULL;

	if (stream != NULL)
		options.stream = *stream;
	assert_int_equal(evbus_open(&bus, &options), 0);
	assert_non_null(bus);
	return bus;
}

struct evbus *
event_bus_of(uint32_t capacity)
{
	struct evbus_stream_options options = { .capacity = capacity };

	return event_bus(&options);
}

void
event_bus_close(struct evbus *bus)
{
	struct evbus_report report;

	assert_int_equal(evbus_close(bus, 20 * EVENT_SECOND, &report), 0);
	assert_int_equal(report.left, 0);
	assert_int_equal(report.open_claims, 0);
	assert_int_equal(report.running, 0);
	assert_int_equal(evbus_free(bus), 0);
	event_check_done();
}

struct evbus_topic *
event_topic(struct evbus *bus, const char *name)
{
	struct evbus_topic *topic = NULL;

	assert_int_equal(evbus_topic_open(bus, name, NULL, &topic), 0);
	return topic;
}

struct evbus_stream *
event_stream(struct evbus *bus, const char *pattern,
    const struct evbus_stream_options *options)
{
	struct evbus_stream *stream = NULL;

	assert_int_equal(evbus_stream_open(bus, pattern, options, &stream), 0);
	return stream;
}

struct evbus_reader *
event_reader(struct evbus *bus, int lossy, enum evbus_start start)
{
	struct evbus_reader_options options = { .lossy = lossy,
	    .start = start };
	struct evbus_reader *reader = NULL;

	assert_int_equal(evbus_reader_open(bus, &options, &reader), 0);
	return reader;
}

int64_t
event_subscribe(struct evbus_reader *reader, const char *pattern,
    evbus_handler handler, void *arg)
{
	int64_t id = evbus_reader_subscribe(reader, pattern, handler, arg,
	    NULL);

	assert_true(id > 0);
	return id;
}

uint64_t
event_drain(struct evbus_reader *reader)
{
	uint64_t passed = 0;
	int n;

	while ((n = evbus_poll(reader, 64)) > 0)
		passed += (uint64_t)n;
	CHECK_INT(n, 0);
	return passed;
}

void
event_publish(struct evbus_topic *topic, uint64_t first, unsigned n)
{
	for (; n > 0; n--, first++)
		CHECK_INT(evbus_publish(topic, &first, sizeof first), 0);
}

struct evbus_stream_stats
event_stream_stats(const struct evbus_stream *stream)
{
	struct evbus_stream_stats stats = { 0 };

	CHECK_INT(evbus_stream_stats(stream, &stats), 0);
	return stats;
}

struct evbus_reader_stats
event_reader_stats(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats = { 0 };

	CHECK_INT(evbus_reader_stats(reader, &stats), 0);
	return stats;
}

void
event_check_equation(const struct evbus_reader *reader)
{
	struct evbus_reader_stats stats = event_reader_stats(reader);

	CHECK_INT(stats.delivered + stats.skipped + stats.holes + stats.lost,
	    stats.passed);
}

void
event_until_waiting(const struct evbus_stream *stream, unsigned n)
{
	while (event_stream_stats(stream).waiting < n)
		(void)sched_yield();
}

struct event_log *
event_log(void)
{
	struct event_log *log = calloc(1, sizeof *log);

	assert_non_null(log);
	return log;
}

enum evbus_verdict
event_log_handler(const struct evbus_event *event, void *arg)
{
	struct event_log *log = arg;
	struct event_seen *seen;
	size_t size;

	CHECK_INT(log->closed, 0);
	if (log->count < EVENT_LOG_MAX) {
		seen = &log->seen[log->count];
		seen->event = *event;
		size = event->size < EVENT_LOG_DATA ? event->size :
		    EVENT_LOG_DATA;
		if (size > 0)
			memcpy(seen->data, event->data, size);
		seen->event.data = seen->data;
	}
	log->count++;
	log->lost += event->lost;
	return log->verdict;
}

void
event_log_closed(void *arg)
{
	struct event_log *log = arg;

	log->closed++;
}

uint64_t
event_number(const struct evbus_event *event)
{
	uint64_t number = UINT64_MAX;

	CHECK_INT(event->size, sizeof number);
	if (event->size == sizeof number)
		memcpy(&number, event->data, sizeof number);
	return number;
}

static uint64_t
word_of(uint32_t producer, uint64_t number, size_t size, size_t at)
{
	return mix(number ^ (uint64_t)producer << 40 ^ (uint64_t)size << 48) +
	    at * UINT64_C(0x9e3779b97f4a7c15);
}

void
event_fill(void *data, size_t size, uint32_t producer, uint64_t number)
{
	unsigned char *bytes = data;
	uint32_t whole = (uint32_t)size;
	uint64_t word;
	size_t at, n;

	memcpy(bytes, &number, 8);
	memcpy(bytes + 8, &producer, 4);
	memcpy(bytes + 12, &whole, 4);
	for (at = EVENT_FILL_MIN; at < size; at += n) {
		n = size - at < sizeof word ? size - at : sizeof word;
		word = word_of(producer, number, size, at);
		memcpy(bytes + at, &word, n);
	}
}

int
event_whole(const void *data, size_t size, uint32_t *producer, uint64_t *number)
{
	const unsigned char *bytes = data;
	uint32_t whole;
	uint64_t word;
	size_t at, n;

	if (size < EVENT_FILL_MIN)
		return 0;
	memcpy(number, bytes, 8);
	memcpy(producer, bytes + 8, 4);
	memcpy(&whole, bytes + 12, 4);
	if (whole != size)
		return 0;
	for (at = EVENT_FILL_MIN; at < size; at += n) {
		n = size - at < sizeof word ? size - at : sizeof word;
		word = word_of(*producer, *number, size, at);
		if (memcmp(bytes + at, &word, n) != 0)
			return 0;
	}
	return 1;
}

void
event_step_to(struct event_step *step, int value)
{
	(void)pthread_mutex_lock(&step->mutex);
	step->value = value;
	(void)pthread_cond_broadcast(&step->changed);
	(void)pthread_mutex_unlock(&step->mutex);
}

void
event_step_wait(struct event_step *step, int value)
{
	(void)pthread_mutex_lock(&step->mutex);
	while (step->value < value)
		(void)pthread_cond_wait(&step->changed, &step->mutex);
	(void)pthread_mutex_unlock(&step->mutex);
}

pthread_t
event_thread(void *(*body)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
	return thread;
}

void
event_join(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
}
