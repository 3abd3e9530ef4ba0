/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * close.c - layer 6: close a bus (L3).
 *
 * Argument (CLOSE).
 *  1. state = CLOSING, every limit = 0, heavy fence.  A publish that read the
 *     old limit is inside its section: wait until every section that was open
 *     has ended.  From then on only handlers publish, by the slow path.
 *  2. Drain.  The readers that the caller runs are run here.  Drained: in one
 *     look no claim is open, no reader runs, every lossless cursor stands at
 *     its tail, and the tails were the same before and after the look.
 *  3. state = ENDING: handlers are refused as well, but readers are run on;
 *     heavy fence, sections once more.  If a lossy reader's handler has
 *     published meanwhile, it was accepted: back to 2.
 *  4. state = CLOSED, heavy fence: no reader is run any more, but for those
 *     that are running now: wait for them too.
 *     So with who runs timers: from CLOSING on none of them is published, and
 *     those that were not are counted when nobody runs them.
 *  5. Everybody who sleeps is woken and finds ECLOSED; workers end; every
 *     subscription's on_closed runs, where its handler does not run any more.
 */
#include <string.h>

#include "bus/bus.h"
#include "reader/run.h"

#define SLICE_NS	1000000	/* how long to sleep between two looks */
#define GRACE_NS	100000000 /* how long the end of workers may take */
#define BUDGET		256u

/* Others have to do something: look again in a moment. */
static void
pause_a_moment(void)
{
	uint32_t never = 0;

	evbus__os_yield();
	(void)evbus__futex_wait(&never, 0, evbus__deadline(SLICE_NS));
}

/* Wait until every section that is open now has ended. */
static void
wait_for_sections(struct evbus__context *context)
{
	uint32_t i;

	/* CLOSE: partner evbus__enter(). */
	evbus__fence_heavy();
	for (i = 1; i <= context->max_publishers; i++)
		while (EVBUS_LOAD(&context->publishers[i].section, ACQUIRE) & 1)
			evbus__os_yield();
}

static void
set_state(struct evbus__context *context, enum evbus__state state)
{
	EVBUS_STORE(&context->state, (uint32_t)state, RELAXED);
	EVBUS_STORE(&context->map->header->state, (uint32_t)state, RELAXED);
}

static void
wake_publishers(struct evbus__context *context)
{
	struct evbus__streams *streams = context->streams;
	uint32_t i;

	for (i = 0; i < streams->count; i++)
		evbus__space_wake(streams->stream[i]->pub.ctl);
}

static void
shut_limits(struct evbus__context *context)
{
	struct evbus__streams *streams = context->streams;
	uint32_t i;

	for (i = 0; i < streams->count; i++)
		(void)EVBUS_XCHG(&streams->stream[i]->pub.ctl->limit,
		    EVBUS__LIMIT_CLOSED, RELAXED);
	wait_for_sections(context);
	wake_publishers(context);
}

static uint64_t
sum_of_tails(const struct evbus__context *context)
{
	const struct evbus__streams *streams = context->streams;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < streams->count; i++)
		sum += EVBUS_LOAD(&streams->stream[i]->pub.ctl->tail, RELAXED);
	return sum;
}

/* Does somebody hold an event whose payload lies outside of its slot? */
static int
holds_payload(const struct evbus_reader *reader)
{
	uint32_t i, places = reader->places;

	for (i = 0; i < places; i++)
		if (EVBUS_LOAD(&reader->place[i]->cursor->pin, RELAXED) != 0)
			return 1;
	return 0;
}

/* Is there nothing more to do for any reader, as seen now? */
static int
all_idle(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	const struct evbus__group *group;
	const struct evbus_reader *reader;
	uint32_t i;
	int idle = 1;

	evbus__mutex_lock(&context->lock);
	/* Groups first: what they have claimed is in a reader's hand then. */
	for (group = readers->group_first; group != NULL && idle;
	    group = group->next)
		idle = evbus__group_left(group) == 0;
	for (i = 0; i < readers->opened && idle; i++) {
		reader = readers->reader[i];
		if (!evbus__is_open(reader))
			continue;
		/* What is missed here is seen when it is looked for again,
		 * behind the fence that follows ENDING. */
		if (evbus__left_for(reader, 1) > 0 ||
		    holds_payload(reader) ||
		    (!reader->lossy &&
		    EVBUS_LOAD(&reader->retained, RELAXED) != 0) ||
		    (EVBUS_LOAD(&reader->entry->running, RELAXED) & 1) != 0)
			idle = 0;
	}
	evbus__mutex_unlock(&context->lock);
	return idle && evbus__open_claims(context, NULL) == 0;
}

/* Run the readers that this thread runs; how many sequences they passed. */
static unsigned
run_own(struct evbus *bus, struct evbus_publisher *self)
{
	struct evbus__context *context = &bus->context;
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	unsigned passed = evbus__loop_drain(bus, self);
	uint32_t i, opened;
	int n;

	evbus__mutex_lock(&context->lock);
	opened = readers->opened;
	evbus__mutex_unlock(&context->lock);
	for (i = 0; i < opened; i++) {
		reader = readers->reader[i];
		if (EVBUS_LOAD(&reader->state, RELAXED) !=
		    EVBUS__READER_OPEN || reader->worker != NULL ||
		    evbus__run_adopt(reader, self, 1) != 0)
			continue;
		n = evbus_poll(reader, BUDGET);
		if (n > 0)
			passed += (unsigned)n;
	}
	return passed;
}

/* 1: drained up to these tails; 0: the deadline has passed. */
static int
drain(struct evbus *bus, struct evbus_publisher *self, int64_t deadline,
    uint64_t *tails)
{
	struct evbus__context *context = &bus->context;

	for (;;) {
		*tails = sum_of_tails(context);
		if (run_own(bus, self) > 0)
			continue;
		if (all_idle(context) && sum_of_tails(context) == *tails)
			return 1;
		if (evbus__has_passed(deadline))
			return 0;
		pause_a_moment();
	}
}

/*
 * Readers whose handlers do not run, and, if `ordered`, that stand after none
 * that is still there; how many ended.
 */
static unsigned
finish_readers(struct evbus__context *context, int ordered)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	unsigned ended = 0;
	uint32_t i;

	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (EVBUS_LOAD(&reader->state, RELAXED) !=
		    EVBUS__READER_CLOSING || (EVBUS_LOAD(
		    &reader->entry->running, RELAXED) & 1) != 0 ||
		    (ordered && evbus__after_any(reader)))
			continue;
		evbus__reader_finish(reader);
		/* Somebody who looks just now may keep it from ending. */
		ended += EVBUS_LOAD(&reader->state, RELAXED) ==
		    EVBUS__READER_CLOSED;
	}
	return ended;
}

/*
 * End every reader: now, or when the handler that still runs returns.  Those
 * that others stand after come first (L3).
 */
static void
close_readers(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	uint32_t i;

	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (EVBUS_LOAD(&reader->state, RELAXED) == EVBUS__READER_OPEN)
			(void)evbus__reader_start_closing(reader);
	}
	EVBUS__DELAY(close_readers);
	evbus__fence_heavy();					/* GRACE */
	for (i = 0; i < readers->opened; i++)
		evbus__park_nudge(readers->reader[i]->park);
	while (finish_readers(context, 1) > 0)
		;
	(void)finish_readers(context, 0);
}

static void
reclaim_all(struct evbus__context *context, struct evbus_publisher *self)
{
	struct evbus__streams *streams = context->streams;
	uint32_t i;

	for (i = 0; i < streams->count; i++)
		evbus__stream_reclaim(streams->stream[i], self);
}

/* Is there a reader that is running now? */
static int
somebody_runs(struct evbus__context *context)
{
	const struct evbus__readers *readers = context->readers;
	uint32_t i;

	for (i = 0; i < readers->opened; i++)
		if (EVBUS_LOAD(&readers->reader[i]->entry->running, ACQUIRE) &
		    1)
			return 1;
	return 0;
}

/* The bus is closed: wait until no handler runs; 1, or 0: timed out. */
static int
wait_for_handlers(struct evbus__context *context, int64_t deadline)
{
	/* CLOSE: partner evbus__run_begin(), which looks at the state after
	 * its fence. */
	evbus__fence_heavy();
	while (somebody_runs(context) || evbus__timers_runner(context) != 0) {
		if (evbus__has_passed(deadline))
			return 0;
		pause_a_moment();
	}
	return 1;
}

/* Drain until nothing that was accepted is left out; 1, or 0: timed out. */
static int
drain_and_shut(struct evbus *bus, struct evbus_publisher *self,
    int64_t deadline)
{
	struct evbus__context *context = &bus->context;
	uint64_t tails;
	int drained;

	for (;;) {
		drained = drain(bus, self, deadline, &tails);
		EVBUS__DELAY(close_ending);
		set_state(context, EVBUS__ENDING);
		wait_for_sections(context);
		if (!drained || sum_of_tails(context) == tails)
			break;
		set_state(context, EVBUS__CLOSING);
	}
	EVBUS__DELAY(close_closed);
	set_state(context, EVBUS__CLOSED);
	return wait_for_handlers(context, deadline) && drained;
}

static int
begin_close(struct evbus__context *context, const struct evbus_publisher *self)
{
	uint32_t state = EVBUS__OPEN;

	if (self->depth > 0)
		return evbus__fail(EVBUS_EDEADLK, "evbus_close inside a "
		    "handler would wait for that handler");
	if (evbus__timers_runner(context) == self->id)
		return evbus__fail(EVBUS_EDEADLK, "evbus_close inside a "
		    "validator would wait for the timer that is being fired");
	if (evbus__open_claims(context, self) > 0)
		return evbus__fail(EVBUS_EDEADLK, "this thread has open "
		    "claims: commit or abort them before evbus_close");
	if (!EVBUS_CAS(&context->state, &state, EVBUS__CLOSING, RELAXED,
	    RELAXED))
		return evbus__fail(EVBUS_ECLOSED, state == EVBUS__CLOSED ?
		    "the bus is closed" :
		    "another thread is closing the bus");
	return 0;
}

/* Workers have nothing left to do; but an on_closed may stand still on one. */
static int64_t
join_until(int64_t deadline)
{
	int64_t least = evbus__deadline(GRACE_NS);

	return deadline == EVBUS_FOREVER || deadline > least ? deadline : least;
}

int
evbus_close(struct evbus *bus, int64_t timeout_ns, struct evbus_report *report)
{
	struct evbus__context *context;
	struct evbus_report unwanted;
	struct evbus_publisher *self;
	int64_t deadline = evbus__deadline(timeout_ns);
	int error, drained;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_close: bus is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	context = &bus->context;
	error = evbus__check_alive(context);
	if (error != 0)
		return error;
	self = evbus__self(context);
	error = self == NULL ? evbus__failed() : begin_close(context, self);
	if (error != 0)
		return error;
	/* Release functions and on_closed run here: no evbus_free() in them. */
	evbus__call_enter(context, self);
	/* Whoever opens something under the lock has done so, or sees. */
	evbus__mutex_lock(&context->lock);
	evbus__mutex_unlock(&context->lock);
	set_state(context, EVBUS__CLOSING);
	EVBUS__DELAY(close_shut);
	shut_limits(context);
	drained = drain_and_shut(bus, self, deadline);
	reclaim_all(context, self);
	if (report == NULL)
		report = &unwanted;
	evbus__report_fill(bus, report);
	wake_publishers(context);
	evbus__workers_stop(bus);
	close_readers(context);
	reclaim_all(context, self);
	/* A worker that runs no handler is about to end. */
	(void)evbus__workers_join(bus,
	    report->running == 0 ? join_until(deadline) : 0);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	if (drained || (report->left == 0 && report->open_claims == 0 &&
	    report->running == 0))
		return 0;
	return evbus__fail(EVBUS_ETIMEDOUT, "closed with %llu events left, "
	    "%llu open claims and %u handlers still running",
	    (unsigned long long)report->left,
	    (unsigned long long)report->open_claims, report->running);
}

int
evbus__somebody_inside(struct evbus *bus)
{
	struct evbus__context *context = &bus->context;
	struct evbus__readers *readers = context->readers;
	uint32_t i;

	evbus__fence_heavy();
	for (i = 1; i <= context->max_publishers; i++)
		if ((EVBUS_LOAD(&context->publishers[i].section, ACQUIRE) &
		    1) != 0 ||
		    EVBUS_LOAD(&context->publishers[i].calls, ACQUIRE) != 0)
			return 1;
	for (i = 0; i < readers->opened; i++)
		if (evbus__is_open(readers->reader[i]) || (EVBUS_LOAD(
		    &readers->reader[i]->entry->running, ACQUIRE) & 1) != 0)
			return 1;
	return 0;
}
