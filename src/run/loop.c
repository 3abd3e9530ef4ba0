/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - layer 6: the loop of a program runs the bus, without a thread of it.
 *
 * With own_loop the worker "evbus" has no thread: whoever calls
 * evbus_run_once() does what a worker's thread does between two waits, and
 * instead of the wait arms a descriptor (FD in ring/watch.h).
 *
 * Who may run with whom: one thread at a time runs it, or looks at its times;
 * any thread opens, closes, subscribes, publishes.  LOOP: `inside` is taken by
 * a compare-and-swap (acquire) and given back by a release, so that what one
 * thread has left of the copy of the list and of the watch is seen by the next.
 *
 * The descriptor must also be readable where there is no event, but something
 * to be told of: a reader that came or went, a stream that one has joined, the
 * end of the bus.  That is a nudge: seen by the second look, or it finds the
 * word (NUDGE).  What it tells of is looked at in the run that follows.
 */
#include <limits.h>

#include "run/worker.h"

/* How long until a timer is due, or EVBUS_FOREVER. */
static int64_t
loop_due(struct evbus *bus)
{
	int64_t due = evbus__timers_due(&bus->context), now;

	if (due == EVBUS_FOREVER)
		return due;
	now = evbus__os_now();
	return due > now ? due - now : 0;
}

int
evbus__loop_open(struct evbus *bus)
{
	struct evbus__worker *loop;
	int error = evbus__worker_make(bus, EVBUS__DEFAULT_WORKER, &loop);

	if (error != 0)
		return error;
	evbus__worker_add(loop);
	bus->loop = loop;
	return evbus__watch_open(&loop->watch);
}

static int
check(struct evbus *bus, const char *call)
{
	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL, "%s: bus is NULL", call);
	return evbus__check_alive(&bus->context);
}

static int
check_loop(const struct evbus *bus, const char *call)
{
	return bus->loop != NULL ? 0 : evbus__fail(EVBUS_EINVAL, "%s: the bus "
	    "was opened without own_loop: its worker runs it", call);
}

int
evbus_fd(struct evbus *bus)
{
	int error = check(bus, "evbus_fd");

	if (error == 0)
		error = check_loop(bus, "evbus_fd");
	return error != 0 ? error : bus->loop->watch.fd;
}

static int
enter(struct evbus__worker *loop)
{
	uint32_t nobody = 0;

	/* LOOP: acquire, partner leave(). */
	return EVBUS_CAS(&loop->inside, &nobody, 1, ACQUIRE, RELAXED);
}

static void
leave(struct evbus__worker *loop)
{
	/* LOOP: release, partner enter(). */
	EVBUS_STORE(&loop->inside, 0, RELEASE);
}

/* Another thread runs the loop than last time: it owns all of its readers. */
static void
take_over(struct evbus__worker *loop, const struct evbus_publisher *self)
{
	struct evbus__reader_entry *entry;
	uint32_t i;

	if (EVBUS_LOAD(&loop->runner, RELAXED) == self->id)
		return;
	evbus__mutex_lock(&loop->bus->context.lock);
	EVBUS_STORE(&loop->runner, self->id, RELAXED);
	for (i = 0; i < loop->readers; i++) {
		entry = loop->reader[i]->entry;
		EVBUS_STORE(&entry->owner, self->id, RELAXED);
		EVBUS_STORE(&entry->polled, 1, RELAXED);
	}
	evbus__mutex_unlock(&loop->bus->context.lock);
}

/* Inside: run, then arm the descriptor, or leave it as it is. */
static int
run(struct evbus__worker *loop, const struct evbus_publisher *self,
    unsigned budget)
{
	struct evbus__turns turns = { 0 };

	take_over(loop, self);
	evbus__worker_look(loop);
	turns.passed = evbus__timers_run(&loop->bus->context, budget);
	do
		evbus__worker_turn(loop, budget, &turns);
	while (turns.more && turns.passed < budget);
	/* What is left after the budget is told already: FD, 4. */
	if (!turns.more)
		evbus__wait_watched(&loop->watch, loop->park, loop->copy,
		    loop->copies);
	if (turns.verdict != 0)
		return turns.verdict;
	return turns.passed < INT_MAX ? (int)turns.passed : INT_MAX;
}

/* The caller is inside a call. */
static int
run_once(struct evbus *bus, const struct evbus_publisher *self,
    unsigned budget)
{
	int result;

	if (self->depth > 0)
		return evbus__fail(EVBUS_EDEADLK, "evbus_run_once inside a "
		    "handler would wait for that handler");
	result = check_loop(bus, "evbus_run_once");
	if (result != 0)
		return result;
	if (!enter(bus->loop))
		return evbus__fail(EVBUS_EBUSY, "another thread is inside "
		    "evbus_run_once: one runs the loop at a time");
	result = run(bus->loop, self, budget);
	leave(bus->loop);
	return result;
}

int
evbus_run_once(struct evbus *bus, unsigned budget)
{
	struct evbus_publisher *self;
	int result = check(bus, "evbus_run_once");

	if (result != 0)
		return result;
	if (budget == 0)
		return evbus__fail(EVBUS_EINVAL, "evbus_run_once: budget is 0; "
		    "it must be 1 or more");
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(&bus->context, self);
	result = run_once(bus, self, budget);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	return result;
}

/* Is there something to run, as seen now? */
static int
is_ready(const struct evbus__worker *loop)
{
	return EVBUS_LOAD(&loop->changed, RELAXED) !=
	    EVBUS_LOAD(&loop->seen, RELAXED) ||
	    evbus__wait_ready(loop->copy, loop->copies);
}

int64_t
evbus_timeout_ns(struct evbus *bus)
{
	struct evbus_publisher *self;
	int64_t due = 0;

	/* What evbus_run_once() refuses, it tells at once. */
	if (check(bus, "evbus_timeout_ns") != 0 ||
	    check_loop(bus, "evbus_timeout_ns") != 0)
		return 0;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return 0;
	evbus__call_enter(&bus->context, self);
	if (enter(bus->loop)) {
		if (!is_ready(bus->loop))
			due = loop_due(bus);
		leave(bus->loop);
	}
	evbus__call_leave(self);
	return due;
}

/* It was this thread that ran the loop last, or nobody who still lives. */
static int
is_own(struct evbus *bus, const struct evbus_publisher *self)
{
	uint32_t runner = EVBUS_LOAD(&bus->loop->runner, RELAXED);

	return runner == self->id ||
	    evbus__publisher_by_id(&bus->context, runner) == NULL;
}

unsigned
evbus__loop_drain(struct evbus *bus, struct evbus_publisher *self)
{
	struct evbus__turns turns = { 0 };

	if (bus->loop == NULL || !is_own(bus, self) || !enter(bus->loop))
		return 0;
	take_over(bus->loop, self);
	evbus__worker_look(bus->loop);
	evbus__worker_turn(bus->loop, UINT_MAX, &turns);
	leave(bus->loop);
	return turns.passed > 0;
}
