/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * park.h - layer 1: how a thread that runs readers sleeps and is woken.
 *
 * An event count with an asymmetric fence.  Who may run with whom: one thread
 * parks at a place; any number wake it.
 *
 *	sleeper					producer
 *	word = 1				commit (stamp)
 *	attention |= 1 on each stream		light fence
 *	heavy fence				attention != 0?
 *	look at the stamps once more		  attention := 0
 *	sleep while word == 1			  word 1 -> 0: futex wake
 *
 * The fences make one of them see the other (WAKE).  attention is set by a
 * read-modify-write and never by a plain store: the waker takes it with one
 * exchange, and only an unbroken chain of read-modify-writes makes the words
 * of all that set it visible to that exchange.
 *
 * What the word is says how the sleeper is woken: a thread by a futex call, the
 * loop of a program by its descriptor (ring/watch.h).  The waker learns it by
 * the exchange that takes the word.
 *
 * After "Eventcounts" (D. Vyukov); the asymmetric fence after "sys_membarrier"
 * (M. Desnoyers).
 */
#ifndef EVBUS_SRC_PARK_H
#define EVBUS_SRC_PARK_H

#include "base/context.h"

struct evbus_ring_ctl;

/* What the word is; from EVBUS__PARK_EVENT on: armed for descriptor n - 2. */
enum {
	EVBUS__PARK_AWAKE,
	EVBUS__PARK_SLEEPS,	/* or is about to */
	EVBUS__PARK_EVENT
};

/* In the mapping; a line of its own. */
struct evbus__park {
	uint32_t word EVBUS_ALIGNED(EVBUS_LINE);
	uint32_t nudged;	/* look again, whatever the streams say */
};
_Static_assert(sizeof(struct evbus__park) == EVBUS_LINE, "own line");

/* The sleeper: announce; then mark each stream; then the heavy fence. */
void evbus__park_arm(struct evbus__park *);
void evbus__park_mark(struct evbus_ring_ctl *);
/* Sleep until woken or deadline; then, or instead, disarm. */
int evbus__park_sleep(struct evbus__park *, int64_t deadline_ns);
void evbus__park_disarm(struct evbus__park *);
/* Was it nudged since the last call? */
int evbus__park_nudged(struct evbus__park *);

/* Any thread: wake the sleeper if there is one; 1: a system call was made. */
int evbus__park_wake(struct evbus__park *);
/* Wake it and make it look again. */
void evbus__park_nudge(struct evbus__park *);

#endif /* EVBUS_SRC_PARK_H */
