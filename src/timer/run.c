/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - layer 5: fire the timers that are due.
 *
 * Called by whoever runs the bus, as often as it likes; one at a time, others
 * find nothing to do.  A publish of a timer never waits: if its stream is full
 * it is late, and tried again at the next run, before the timers that come due
 * meanwhile; the other timers of that stream wait behind it, those of other
 * streams do not.
 *
 * Time.  A timer fires once the clock has shown its time, whatever the clock
 * did in between.  A periodic one then gets the first of its times that lies
 * ahead of the clock: a jump of many periods makes one event, and the rest are
 * counted as missed; a step back makes it wait, and none of its times comes
 * twice.
 */
#include "timer/timer.h"

#define RETRY_NS	1000000		/* from one try to the next */
#define LOOK_NS		10000000	/* at a clock that nobody can sleep by */
#define STREAMS		1024u		/* as many as a bus can have */

struct run {
	struct evbus__timers *timers;
	int64_t now;			/* on the bus's clock */
	unsigned fired;
	int over;			/* the bus is closing */
	struct evbus__timer todo;	/* ring: were late when it began */
	uint64_t full[STREAMS / 64];	/* streams, by number - 1 */
};

static void
add_waiting(struct evbus__timers *timers, uint32_t n)
{
	EVBUS_STORE(&timers->waiting, EVBUS_LOAD(&timers->waiting, RELAXED) +
	    n, RELAXED);
}

static int
is_full(const struct run *run, const struct evbus__timer *timer)
{
	uint32_t i = timer->topic->stream->number - 1u;

	return (run->full[i / 64] >> i % 64 & 1) != 0;
}

static void
put_late(struct evbus__timers *timers, struct evbus__timer *timer)
{
	timer->state = EVBUS__TIMER_LATE;
	evbus__ring_append(&timers->late, timer);
	add_waiting(timers, 1);
}

/* The first one that is due, in no list any more, or NULL; the lock is held. */
static struct evbus__timer *
take(struct run *run, int *was_late)
{
	struct evbus__timers *timers = run->timers;
	struct evbus__timer *timer;

	*was_late = !evbus__ring_empty(&run->todo);
	if (*was_late) {
		timer = run->todo.next;
		evbus__ring_remove(timer);
		add_waiting(timers, (uint32_t)-1);
		return timer;
	}
	if (timers->heaped == 0 || timers->heap[0]->due > run->now)
		return NULL;
	timer = timers->heap[0];
	evbus__heap_remove(timers, timer);
	return timer;
}

static int
publish(const struct evbus__timers *timers, const struct evbus__timer *timer)
{
	struct evbus_publish_options options = {
		.set_timeout = 1,
		.set_cause = 1,
		.cause = timer->cause,
	};
	int result;

	EVBUS__DELAY(timer_fire);
	result = evbus_publish_with(timer->topic,
	    evbus__timer_bytes(timers, timer), timer->size, &options);
	if (result != 0 && result != EVBUS_EFULL && result != EVBUS_ECLOSED)
		evbus__log(timers->context, result, "a timer on topic \"%s\" "
		    "was not published: %s", timer->topic->name,
		    evbus_errmsg());
	EVBUS__DELAY(timer_fired);
	return result;
}

/* Its next time, the first ahead of `now`; how many were missed. */
static uint64_t
advance(struct evbus__timer *timer, int64_t now)
{
	int64_t missed = now > timer->due ? (now - timer->due) /
	    timer->period : 0;
	int64_t last = timer->due + missed * timer->period;

	timer->due = timer->period > EVBUS__TIMER_NEVER - last ?
	    EVBUS__TIMER_NEVER : last + timer->period;
	return (uint64_t)missed;
}

/* It was fired, or could not be; the lock is held. */
static void
settle(struct run *run, struct evbus__timer *timer, int result, int was_late)
{
	struct evbus__timers *timers = run->timers;
	uint32_t i = timer->topic->stream->number - 1u;
	int again = result == EVBUS_EFULL || result == EVBUS_ECLOSED;

	if (result == EVBUS_EFULL)
		run->full[i / 64] |= UINT64_C(1) << i % 64;
	if (result == EVBUS_ECLOSED)
		run->over = 1;
	timers->stats.late += result == EVBUS_EFULL && !was_late;
	timers->stats.fired += result == 0;
	timers->stats.failed += !again && result != 0;
	run->fired += result == 0;
	if (timer->cancelled) {
		timers->stats.cancelled += again || timer->period != 0;
		evbus__timer_free(timers, timer);
	} else if (again) {
		put_late(timers, timer);
	} else if (timer->period != 0) {
		timers->stats.missed += advance(timer, run->now);
		evbus__heap_insert(timers, timer);
	} else {
		evbus__timer_free(timers, timer);
	}
}

/* The lock is held, but not while a timer is published. */
static void
fire(struct run *run, struct evbus__timer *timer, int was_late)
{
	struct evbus__timers *timers = run->timers;
	int result;

	if (is_full(run, timer)) {
		timers->stats.late += !was_late;
		put_late(timers, timer);
		return;
	}
	timer->state = EVBUS__TIMER_FIRING;
	evbus__mutex_unlock(&timers->lock);
	result = publish(timers, timer);
	evbus__mutex_lock(&timers->lock);
	settle(run, timer, result, was_late);
}

/* All of one ring to the end of another. */
static void
move_all(struct evbus__timer *from, struct evbus__timer *to)
{
	struct evbus__timer *timer;

	while (!evbus__ring_empty(from)) {
		timer = from->next;
		evbus__ring_remove(timer);
		evbus__ring_append(to, timer);
	}
}

/* The lock is held; nobody else runs them. */
static unsigned
run_all(struct evbus__timers *timers, int64_t now, unsigned budget)
{
	struct run run = { .timers = timers, .now = now };
	struct evbus__timer *timer;
	int was_late;

	evbus__ring_init(&run.todo);
	move_all(&timers->late, &run.todo);
	while (run.fired < budget && !run.over &&
	    (timer = take(&run, &was_late)) != NULL)
		fire(&run, timer, was_late);
	move_all(&run.todo, &timers->late);
	return run.fired;
}

unsigned
evbus__timers_run(struct evbus__context *context, unsigned budget)
{
	struct evbus__timers *timers = context->timers;
	int64_t due = EVBUS_LOAD(&timers->due, RELAXED), now;
	struct evbus_publisher *self;
	int late = EVBUS_LOAD(&timers->waiting, RELAXED) != 0;
	unsigned fired = 0;

	if ((due == EVBUS__TIMER_NEVER && !late) ||
	    EVBUS_LOAD(&context->state, RELAXED) != EVBUS__OPEN)
		return 0;
	now = evbus__now(context);
	self = evbus__self(context);
	if ((now < due && !late) || self == NULL)
		return 0;
	evbus__call_enter(context, self);
	evbus__mutex_lock(&timers->lock);
	/* TIMER (close): who begins after close has looked sees the state. */
	if (EVBUS_LOAD(&timers->runner, RELAXED) == 0 &&
	    EVBUS_LOAD(&context->state, RELAXED) == EVBUS__OPEN) {
		EVBUS_STORE(&timers->runner, self->id, RELAXED);
		fired = run_all(timers, now, budget);
		EVBUS_STORE(&timers->runner, 0, RELAXED);
	}
	evbus__mutex_unlock(&timers->lock);
	evbus__call_leave(self);
	return fired;
}

int64_t
evbus__timers_due(struct evbus__context *context)
{
	struct evbus__timers *timers = context->timers;
	int64_t due = EVBUS_LOAD(&timers->due, RELAXED), now;

	if (EVBUS_LOAD(&context->state, RELAXED) != EVBUS__OPEN)
		return EVBUS_FOREVER;
	/* Late, or somebody else is at it. */
	if (EVBUS_LOAD(&timers->waiting, RELAXED) != 0 ||
	    EVBUS_LOAD(&timers->runner, RELAXED) != 0)
		return evbus__deadline(RETRY_NS);
	if (due == EVBUS__TIMER_NEVER)
		return EVBUS_FOREVER;
	if (context->clock == NULL)
		return due;
	/* Perhaps it goes as fast as the system's; perhaps not at all. */
	now = evbus__now(context);
	now = now < 0 ? 0 : now;
	return evbus__slice(LOOK_NS, evbus__deadline(due > now ? due - now :
	    0));
}

uint32_t
evbus__timers_runner(struct evbus__context *context)
{
	uint32_t runner;

	/* TIMER (close): behind the lock, none begins that was not seen. */
	evbus__mutex_lock(&context->timers->lock);
	runner = EVBUS_LOAD(&context->timers->runner, RELAXED);
	evbus__mutex_unlock(&context->timers->lock);
	return runner;
}

uint64_t
evbus__timers_left(struct evbus__context *context)
{
	uint64_t left;

	evbus__mutex_lock(&context->timers->lock);
	left = context->timers->stats.armed;
	evbus__mutex_unlock(&context->timers->lock);
	return left;
}
