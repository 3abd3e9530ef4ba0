/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event_check.h - helpers of the tests of publishing and reading.
 *
 * CHECK() may stand in any thread and in any handler: what fails is collected,
 * and asserted in the main thread by event_bus_close() or event_check_done().
 * A test includes cmocka's headers through this one.
 */
#ifndef EVENT_CHECK_H
#define EVENT_CHECK_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <evbus/bus.h>
#include <evbus/publish.h>
#include <evbus/reader.h>

#define EVENT_COUNT(a)	(sizeof(a) / sizeof *(a))
#define EVENT_SECOND	INT64_C(1000000000)
/* Longer than any run of a test: a time limit that is not to be reached. */
#define EVENT_LONG	(1000 * EVENT_SECOND)

/* ---- Checks ------------------------------------------------------------- */

#define CHECK(c) \
	((c) ? (void)0 : event_check_fail(__FILE__, __LINE__, #c, 0, 1))
#define CHECK_INT(a, b) do { \
	int64_t check_a = (int64_t)(a), check_b = (int64_t)(b); \
	if (check_a != check_b) \
		event_check_fail(__FILE__, __LINE__, #a " == " #b, check_a, \
		    check_b); \
} while (0)

void event_check_fail(const char *file, int line, const char *what,
    int64_t seen, int64_t wanted);
/* How many checks have failed since the last event_check_done(). */
unsigned event_check_failed(void);
/* Assert, in the main thread, that no check has failed. */
void event_check_done(void);

/* The random numbers' seed: EVBUS_TEST_SEED, or a new one; printed. */
uint64_t event_seed(void);
uint64_t event_random(uint64_t *state);

/* ---- A bus -------------------------------------------------------------- */

/* A bus with these options of its default stream; NULL: all defaults. */
struct evbus *event_bus(const struct evbus_stream_options *);
/* One of this capacity; all else is default. */
struct evbus *event_bus_of(uint32_t capacity);
/* Close, free, and assert that no check has failed. */
void event_bus_close(struct evbus *);

struct evbus_topic *event_topic(struct evbus *, const char *name);
struct evbus_stream *event_stream(struct evbus *, const char *pattern,
    const struct evbus_stream_options *);
/* A reader; all but the fields named is default. */
struct evbus_reader *event_reader(struct evbus *, int lossy,
    enum evbus_start);
int64_t event_subscribe(struct evbus_reader *, const char *pattern,
    evbus_handler, void *arg);
/* Poll until nothing is there; how many sequences were passed. */
uint64_t event_drain(struct evbus_reader *);
/* Publish n events of 8 bytes that count from `first`. */
void event_publish(struct evbus_topic *, uint64_t first, unsigned n);

struct evbus_stream_stats event_stream_stats(const struct evbus_stream *);
struct evbus_reader_stats event_reader_stats(const struct evbus_reader *);
/* D2: delivered + skipped + holes + lost = cursor - start. */
void event_check_equation(const struct evbus_reader *);
/* Yield until n publishers wait for space in the stream. */
void event_until_waiting(const struct evbus_stream *, unsigned n);

/* ---- A handler that writes down what it sees ---------------------------- */

#define EVENT_LOG_MAX	512
#define EVENT_LOG_DATA	64

struct event_seen {
	struct evbus_event event;	/* data points into `data` */
	unsigned char data[EVENT_LOG_DATA];	/* its first bytes */
};

struct event_log {
	uint64_t count;			/* events */
	uint64_t lost;			/* sum of event->lost */
	int closed;			/* calls of on_closed */
	enum evbus_verdict verdict;	/* what the handler answers */
	struct event_seen seen[EVENT_LOG_MAX];	/* the first ones */
};

struct event_log *event_log(void);	/* free() it */
enum evbus_verdict event_log_handler(const struct evbus_event *, void *log);
void event_log_closed(void *log);
/* The number that an event of event_publish() carries. */
uint64_t event_number(const struct evbus_event *);

/* ---- Payloads that tell whether they are whole -------------------------- */

#define EVENT_FILL_MIN	16

/* Every byte depends on producer, number and size; size >= EVENT_FILL_MIN. */
void event_fill(void *data, size_t size, uint32_t producer, uint64_t number);
/* 1: whole, and whose; 0: not as event_fill() made it. */
int event_whole(const void *data, size_t size, uint32_t *producer,
    uint64_t *number);

/* ---- Threads ------------------------------------------------------------ */

/* A number that only grows, and that threads wait for. */
struct event_step {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int value;
};
#define EVENT_STEP_INIT \
	{ PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

void event_step_to(struct event_step *, int value);
void event_step_wait(struct event_step *, int value);

pthread_t event_thread(void *(*body)(void *), void *arg);
void event_join(pthread_t);

#endif /* EVENT_CHECK_H */
