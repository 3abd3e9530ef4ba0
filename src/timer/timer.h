/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.h - layer 5: the timers of a bus.
 *
 *	      arm			    due
 *	free -----> heap ----------------------------> firing
 *	  ^		^	     due, but its stream  |	| full
 *	  |		|	     is known to be full  v	v
 *	  |		+---------- every ------------+	late --> (next run)
 *	  +-------------------- once, cancelled ------+
 *
 * Every timer is in one of four states; all of them, the heap and the lists
 * are changed under the timers' lock only, which is never held while a clock
 * hook, a validator or a log hook runs (S2).  While it is firing it belongs to
 * the runner: its payload is read without the lock, and nobody frees it.
 *
 * One thread at a time runs them (`runner`), whoever it is: so timers of one
 * stream are published in the order of their times, also where some were late.
 *
 * TIMER (cancel).  A timer that is not firing is freed under the lock: then no
 * run can take it.  One that is firing is marked, and its runner frees it.
 *
 * TIMER (close).  Armed under the lock, where the state is looked at once
 * more: whoever armed before close took the lock is counted.  Fired by a
 * publish from outside of handlers, which a closing bus refuses, inside its
 * section (CLOSE): then the timer is kept as late and counted as dropped.
 * Close counts when no runner is left, and none begins that does not see the
 * state under the lock: so none is counted and published.
 *
 * TIMER (arm).  `due` is written under the lock, then the runner is nudged
 * (NUDGE in ring/park.c): a runner that read the old `due` before it went to
 * sleep finds the nudge before it sleeps, or is woken by it; the nudge's
 * acquire shows it the new one.
 */
#ifndef EVBUS_SRC_TIMER_H
#define EVBUS_SRC_TIMER_H

#include <evbus/timer.h>

#include "publish/publish.h"

#define EVBUS__TIMER_NEVER	INT64_MAX

enum evbus__timer_state {
	EVBUS__TIMER_FREE,
	EVBUS__TIMER_HEAP,
	EVBUS__TIMER_LATE,	/* in the list `late`, or a runner's */
	EVBUS__TIMER_FIRING
};

struct evbus__timer {
	struct evbus__timer *next;	/* free and late: a ring */
	struct evbus__timer *previous;
	struct evbus_topic *topic;
	int64_t due;			/* on the bus's clock; 0 or more */
	int64_t period;			/* 0: once */
	uint64_t order;			/* of arming, among equal times */
	uint64_t cause;
	uint32_t size;
	uint32_t place;			/* in the heap */
	uint32_t generation;
	uint8_t state;
	uint8_t cancelled;		/* while firing */
};

struct evbus__timers {
	struct evbus__mutex lock;
	struct evbus__context *context;
	uint32_t max;
	uint32_t payload;		/* bytes that each may keep */

	/* Atomic, written under the lock: what a runner looks at first. */
	int64_t due;			/* of the heap's first */
	uint32_t waiting;		/* timers that are late */
	uint32_t runner;		/* publisher id; 0: none */

	/* Under the lock. */
	struct evbus__timer *timer;	/* [max]; NULL: none was armed yet */
	struct evbus__timer **heap;	/* [max] */
	unsigned char *bytes;		/* payloads, a stride apart */
	uint32_t heaped;
	uint32_t started;		/* there is a runner to be nudged */
	uint64_t order;
	struct evbus__timer free;	/* heads of rings */
	struct evbus__timer late;
	struct evbus_timer_stats stats;

	/* Given by the layer above: see that there is somebody who runs them;
	 * let him look again.  No lock of the timers is held. */
	int (*start)(struct evbus__context *);
	void (*nudge)(struct evbus__context *);
};

/* timer.c */
int evbus__timers_init(struct evbus__context *, uint32_t max,
    uint32_t payload);
void evbus__timers_destroy(struct evbus__context *);
/* A timer that is in no list ends; the lock is held. */
void evbus__timer_free(struct evbus__timers *, struct evbus__timer *);
unsigned char *evbus__timer_bytes(const struct evbus__timers *,
    const struct evbus__timer *);

/* heap.c; the lock is held. */
void evbus__heap_insert(struct evbus__timers *, struct evbus__timer *);
void evbus__heap_remove(struct evbus__timers *, struct evbus__timer *);

/* A ring of timers; the lock is held. */
static inline void
evbus__ring_init(struct evbus__timer *head)
{
	head->next = head->previous = head;
}

static inline int
evbus__ring_empty(const struct evbus__timer *head)
{
	return head->next == head;
}

static inline void
evbus__ring_append(struct evbus__timer *head, struct evbus__timer *timer)
{
	timer->next = head;
	timer->previous = head->previous;
	head->previous->next = timer;
	head->previous = timer;
}

static inline void
evbus__ring_remove(struct evbus__timer *timer)
{
	timer->previous->next = timer->next;
	timer->next->previous = timer->previous;
}

/* run.c: fire what is due, up to `budget` events; how many were published. */
unsigned evbus__timers_run(struct evbus__context *, unsigned budget);
/* When to run them next, on the system's clock; EVBUS_FOREVER: not at all. */
int64_t evbus__timers_due(struct evbus__context *);
/* For close: who runs them now, or 0; and how many are armed. */
uint32_t evbus__timers_runner(struct evbus__context *);
uint64_t evbus__timers_left(struct evbus__context *);

#endif /* EVBUS_SRC_TIMER_H */
