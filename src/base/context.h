/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context.h - layer 0: what every layer of one bus shares: allocator, clock,
 * log, state, locks, the mapping, the table of publishers.  struct evbus
 * begins with it.
 *
 * Locks, in the order in which they are taken; none is held while user code
 * runs (S2), allocator and log hooks aside:
 *	evbus__fork_lock	list of buses of the process (thread.c)
 *	context->lock		the control plane: topics, streams, readers,
 *				subscriptions, records of threads
 *	context->wait_lock	notes of who waits for whom (stream/deadlock.c)
 *	retained->lock		the newest event of a topic (topic/retain.h)
 *	timers->lock		timers (timer/timer.h); none is taken inside
 */
#ifndef EVBUS_SRC_CONTEXT_H
#define EVBUS_SRC_CONTEXT_H

#include <evbus/error.h>
#include <evbus/publisher.h>

#include "base/epoch.h"
#include "base/os.h"

enum evbus__state {
	EVBUS__OPEN = 1,
	EVBUS__CLOSING = 2,	/* only handlers may publish */
	EVBUS__CLOSED = 3,
	EVBUS__FORKED = 4,	/* a child of fork: dead */
	EVBUS__ENDING = 5	/* closing, and nobody may publish: the last look */
};

struct evbus__map;		/* base/map.h */
struct evbus__thread;		/* base/thread.h */
struct evbus__streams;		/* stream/stream.h */
struct evbus__topics;		/* topic/topic.h */
struct evbus__readers;		/* reader/reader.h */
struct evbus__timers;		/* timer/timer.h */

struct evbus__context {
	uint32_t magic;
	uint32_t state;		/* enum evbus__state; atomic */
	uint64_t serial;	/* unique in the process, never reused */
	uint8_t self;		/* index in evbus__tls.self */
	uint8_t fence_full;

	void *(*alloc)(size_t, void *);
	void (*free)(void *, size_t, void *);
	void *alloc_arg;
	int64_t (*clock)(void *);
	void *clock_arg;
	void (*log)(int, const char *, void *);
	void *log_arg;

	struct evbus__mutex lock;
	struct evbus__mutex wait_lock;
	struct evbus__epoch epoch;
	struct evbus__map *map;
	struct evbus__streams *streams;
	struct evbus__topics *topics;
	struct evbus__readers *readers;
	struct evbus__timers *timers;

	uint32_t max_publishers;
	struct evbus_publisher *publishers;	/* [1 .. max_publishers] */
	struct evbus__thread **threads;		/* private halves, same index */
	/* A thread ends: close its claims (given by layer 2). */
	void (*thread_ended)(struct evbus__context *, struct evbus_publisher *);

	struct evbus__context *next;		/* all buses of the process */
};

/* Zeroed memory, EVBUS_LINE aligned, from the bus's allocator, or NULL. */
void *evbus__alloc_aligned(void *(*)(size_t, void *), void *arg, size_t size);
void evbus__free_aligned(void (*)(void *, size_t, void *), void *arg, void *,
    size_t size);
void *evbus__alloc(struct evbus__context *, size_t size);
void evbus__free(struct evbus__context *, void *, size_t size);
int64_t evbus__now(struct evbus__context *);
/* Tell the log hook, if there is one. */
void evbus__log(struct evbus__context *, int code, const char *format, ...)
    EVBUS_PRINTF(3, 4);

/* Keep a sentence for evbus_errmsg() and return the code. */
int evbus__fail(int code, const char *format, ...) EVBUS_PRINTF(2, 3);

/* The code of this thread's last refusal. */
int evbus__failed(void);
/* The struct and the inlines are those of this library: 0 or EVBUS_EVERSION. */
int evbus__check_options(const char *what, size_t given, size_t expected);
int evbus__check_layout(unsigned layout);

/* deadline = now + timeout, saturating; EVBUS_FOREVER stays.  Uses the
 * operating system's clock, as futexes do. */
int64_t evbus__deadline(int64_t timeout_ns);
/* 0, or EVBUS_EINVAL with its sentence. */
int evbus__check_timeout(int64_t timeout_ns);
int evbus__has_passed(int64_t deadline);
/* The deadline of a wait in pieces: so far from now, but not beyond. */
int64_t evbus__slice(int64_t slice_ns, int64_t deadline);

#endif /* EVBUS_SRC_CONTEXT_H */
