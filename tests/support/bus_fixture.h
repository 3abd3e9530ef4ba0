/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus_fixture.h - what tests of a whole bus share: opening and closing it,
 * handlers that count or stand still until they are let go, threads whose
 * failures are collected, waiting for a condition without sleeping, and the
 * table of all calls.
 *
 * A test includes cmocka's headers through this one.
 */
#ifndef EVBUS_TESTS_BUS_FIXTURE_H
#define EVBUS_TESTS_BUS_FIXTURE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <evbus/bus.h>
#include <evbus/group.h>
#include <evbus/publish.h>
#include <evbus/reader.h>
#include <evbus/stall.h>
#include <evbus/timer.h>
#include <evbus/topic.h>
#include <evbus/worker.h>

#define FIXTURE_MS INT64_C(1000000)
#define FIXTURE_SECOND INT64_C(1000000000)
/* Longer than anything here takes on a loaded machine. */
#define FIXTURE_LONG (60 * FIXTURE_SECOND)

/* ---- A bus --------------------------------------------------------------- */

/* Asserts that it works. */
struct evbus *fixture_open(const struct evbus_options *);
/* The same with options that make it small: for tests that open many. */
struct evbus *fixture_open_small(const struct evbus_options *);
struct evbus_topic *fixture_topic(struct evbus *, const char *name);
struct evbus_reader *fixture_reader(struct evbus *,
    const struct evbus_reader_options *);
/* A reader of the caller's with one subscription. */
struct evbus_reader *fixture_subscribed(struct evbus *, const char *pattern,
    evbus_handler, void *arg);
/* Close for good, asserting `expected`, and free. */
void fixture_end(struct evbus *, int expected);
/* Free as soon as nobody is inside. */
void fixture_free(struct evbus *);
/* Poll until nothing is there; how many sequences. */
unsigned fixture_drain(struct evbus_reader *);

/* The code is as expected and a sentence was left that is not the bare text. */
#define fixture_refused(result, code) \
	fixture_refused_at((int64_t)(result), (code), #result, __FILE__, \
	    __LINE__)
void fixture_refused_at(int64_t result, int code, const char *text,
    const char *file, int line);
/* The last sentence has this text in it. */
#define fixture_says(text) fixture_says_at((text), __FILE__, __LINE__)
void fixture_says_at(const char *text, const char *file, int line);

/* ---- Handlers ------------------------------------------------------------ */

/* arg: atomic_uint; counts. */
enum evbus_verdict fixture_count(const struct evbus_event *, void *arg);

/* arg: struct fixture_hold; stands still from its first event on. */
struct fixture_hold {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int entered;		/* how often */
	int open;
};
void fixture_hold_init(struct fixture_hold *);
enum evbus_verdict fixture_holding(const struct evbus_event *, void *arg);
void fixture_hold_entered(struct fixture_hold *);	/* wait for it */
void fixture_hold_open(struct fixture_hold *);		/* let go */

/* ---- Threads ------------------------------------------------------------- */

/* What went wrong in threads; asserted by fixture_join(). */
struct fixture_thread {
	pthread_t thread;
	void (*body)(struct fixture_thread *);
	void *arg;
	char failure[256];	/* the first; empty: none */
};
void fixture_start(struct fixture_thread *,
    void (*body)(struct fixture_thread *), void *arg);
void fixture_join(struct fixture_thread *);
/* Note a failure of a thread, with the text of the condition. */
#define fixture_check(thread, condition) \
	fixture_check_at((thread), (condition) != 0, #condition, __FILE__, \
	    __LINE__)
int fixture_check_at(struct fixture_thread *, int holds, const char *text,
    const char *file, int line);

/* Yield until the condition holds; 0 after a very long time. */
int fixture_until(int (*holds)(void *), void *arg);
/* The same for a counter that reaches a value. */
int fixture_until_count(atomic_uint *, unsigned at_least);
/* The same for publishers that wait on a stream. */
int fixture_until_waiting(const struct evbus_stream *, unsigned publishers);
/* The same for a reader that has gone to sleep once more than before. */
int fixture_until_parked(const struct evbus_reader *, uint64_t parks);

/* Threads of this process, as the system counts them; one that was joined may
 * be counted for a moment more, which the second waits for. */
unsigned fixture_threads(void);
int fixture_until_threads(unsigned);

/* ---- All calls ----------------------------------------------------------- */

/* Handles on which every public call is made. */
struct fixture_world {
	struct evbus *bus;
	struct evbus_stream *stream;
	struct evbus_topic *topic;
	struct evbus_reader *reader;	/* polled by the test */
	int64_t subscription;
	struct evbus_claim claim;	/* open, if claimed */
	int claimed;
	unsigned names;			/* used so far */
};

/* Results of calls that return no code, beside the negative codes. */
enum {
	FIXTURE_NOTHING = 1000,	/* NULL, "" or no result at all */
	FIXTURE_SOMETHING,	/* a pointer or a text */
	FIXTURE_YES,		/* 0 or more */
	FIXTURE_UNSAID		/* is not looked at */
};

/* As the table in evbus(7) has it. */
struct fixture_call {
	const char *name;
	int64_t (*call)(struct fixture_world *);
	int inside;		/* in a handler of the same reader */
	int closed;
	int forked;
};
extern const struct fixture_call fixture_calls[];
extern const size_t fixture_calls_count;

void fixture_world_open(struct fixture_world *);
/* Does the result agree?  Any thread or process; 1 or 0. */
int fixture_call_agrees(int64_t result, int expected);

#endif /* EVBUS_TESTS_BUS_FIXTURE_H */
