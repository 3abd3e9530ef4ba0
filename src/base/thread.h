/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h - layer 0: who is calling: a thread's record on a bus.
 */
#ifndef EVBUS_SRC_THREAD_H
#define EVBUS_SRC_THREAD_H

#include "base/context.h"

/*
 * The private half of a publisher record: what must not lie in the mapping.
 * Made at the record's first use, used again by later threads, freed with the
 * bus.
 */
struct evbus__thread {
	struct evbus__epoch_record epoch;
	struct evbus_publisher *publisher;
	const void *tls;		/* which thread; NULL: none */
};

/* What a publisher waits for (wait_kind). */
enum {
	EVBUS__WAIT_NONE,
	EVBUS__WAIT_SPACE,	/* wait_what: stream; wait_need: gate */
	EVBUS__WAIT_POOL,	/* the same, for what lies outside the slots */
	EVBUS__WAIT_FLUSH,	/* the same; nobody is demoted for it */
	EVBUS__WAIT_READER	/* wait_what: reader whose handler must end */
};

/*
 * The calling thread's record; made at its first call.  NULL, with a sentence:
 * max_publishers threads have one already (EVBUS_ELIMIT), no memory.
 */
struct evbus_publisher *evbus__self_other(struct evbus__context *);

static inline struct evbus_publisher *
evbus__self(struct evbus__context *context)
{
	const struct evbus__self *last = &EVBUS__TLS()->last;

	if (evbus_likely(last->serial == context->serial))
		return last->publisher;
	return evbus__self_other(context);
}

/*
 * A record for a thread that is about to start, so that it cannot be without
 * one: reserved, or given up, under the bus's lock; the thread takes it first.
 */
struct evbus_publisher *evbus__thread_reserve(struct evbus__context *);
void evbus__thread_give_up(struct evbus_publisher *);
void evbus__thread_adopt(struct evbus__context *, struct evbus_publisher *);
/* Who adopted one ends it himself, with all other records of his thread. */
void evbus__thread_end(void);

/* The private half of a record. */
struct evbus__thread *evbus__thread_of(const struct evbus__context *,
    const struct evbus_publisher *);

/* The record of an id (generation and number), or NULL if that thread ended. */
struct evbus_publisher *evbus__publisher_by_id(const struct evbus__context *,
    uint32_t id);

/*
 * A thread is inside an out-of-line call: evbus_free() waits for nobody, but
 * answers EVBUS_EBUSY.  Entered before the state is read, left last of all.
 * CLOSE: partner evbus__somebody_inside(), behind the heavy fences of close.
 */
static inline void
evbus__call_enter(const struct evbus__context *context,
    struct evbus_publisher *publisher)
{
	EVBUS_STORE(&publisher->calls, publisher->calls + 1, RELAXED);
	EVBUS_FENCE_LIGHT(context->fence_full);			/* CLOSE */
}

static inline void
evbus__call_leave(struct evbus_publisher *publisher)
{
	EVBUS_STORE(&publisher->calls, publisher->calls - 1, RELEASE);
}

/* Make the bus known to the process (thread exit, fork), or forget it. */
int evbus__process_add(struct evbus__context *);
void evbus__process_remove(struct evbus__context *);

/* 0, or why this bus takes no calls now: EVBUS_ECLOSED, EVBUS_EFORKED. */
int evbus__check_open(const struct evbus__context *);
/* Only whether this is a child of fork(): for counters. */
int evbus__check_fork(const struct evbus__context *);
/* For a call that is fine while the bus is closing. */
int evbus__check_alive(const struct evbus__context *);

#endif /* EVBUS_SRC_THREAD_H */
