/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.c - layer 5: armed timers by their times: a binary heap of pointers.
 *
 *	           0
 *	     1           2		no timer stands before its parent;
 *	  3     4     5     6		parent of i: (i - 1) / 2
 *
 * Equal times go by the order of arming.  Each timer knows its place, so that
 * one in the middle can be taken out.
 */
#include "timer/timer.h"

static int
is_before(const struct evbus__timer *a, const struct evbus__timer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
put(struct evbus__timers *timers, uint32_t place, struct evbus__timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place;
}

/* The place is empty: from there up to where the timer belongs. */
static void
sift_up(struct evbus__timers *timers, uint32_t place,
    struct evbus__timer *timer)
{
	uint32_t parent;

	for (; place > 0; place = parent) {
		parent = (place - 1) / 2;
		if (!is_before(timer, timers->heap[parent]))
			break;
		put(timers, place, timers->heap[parent]);
	}
	put(timers, place, timer);
}

/* The place is empty: from there down. */
static void
sift_down(struct evbus__timers *timers, uint32_t place,
    struct evbus__timer *timer)
{
	uint32_t child;

	while ((child = 2 * place + 1) < timers->heaped) {
		if (child + 1 < timers->heaped && is_before(
		    timers->heap[child + 1], timers->heap[child]))
			child++;
		if (!is_before(timers->heap[child], timer))
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, timer);
}

static void
note_first(struct evbus__timers *timers)
{
	/* TIMER (arm): the nudge, or the lock, carries it to the runner. */
	EVBUS_STORE(&timers->due, timers->heaped == 0 ? EVBUS__TIMER_NEVER :
	    timers->heap[0]->due, RELAXED);
}

void
evbus__heap_insert(struct evbus__timers *timers, struct evbus__timer *timer)
{
	EVBUS_ASSERT(timers->heaped < timers->max);
	timer->state = EVBUS__TIMER_HEAP;
	sift_up(timers, timers->heaped++, timer);
	note_first(timers);
}

void
evbus__heap_remove(struct evbus__timers *timers, struct evbus__timer *timer)
{
	uint32_t place = timer->place;
	struct evbus__timer *last = timers->heap[--timers->heaped];

	EVBUS_ASSERT(timers->heap[place] == timer || last == timer);
	if (last != timer && place > 0 &&
	    is_before(last, timers->heap[(place - 1) / 2]))
		sift_up(timers, place, last);
	else if (last != timer)
		sift_down(timers, place, last);
	note_first(timers);
}
