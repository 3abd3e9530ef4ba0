/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_fiber.c - fibers and the scheduler.
 *
 * A fiber decides at its next operation who goes on, and jumps there directly;
 * there is no scheduler context in between.  Each fiber is entered once with
 * ucontext and then changed with _setjmp and _longjmp, which make no system
 * call.  A fiber that has ended stays at the head of its loop and runs the
 * body of the next execution.  After a failure the fibers are abandoned in the
 * middle of their bodies and made anew.
 *
 * Pauses: a fiber that spins is disabled until another fiber has stored to a
 * word that it has read since its last pause, at whatever moment after the read;
 * another turn would only read the same again.  If it is not where it was at its
 * last pause (it may count its turns), any change of memory since its first read
 * will do.  A fiber that has read an old value is not disabled at all; it makes
 * progress because it may not read the same old value for ever
 * (explore_memory.c).  What is read without a hook is not noticed: so when
 * nobody can run, all who spin take another turn if anything has changed.
 *
 * Time is virtual.  It stands still while any fiber can run; then it jumps to
 * the earliest deadline, or by a growing step for those who poll the clock.
 */
#undef _FORTIFY_SOURCE

#include <sys/mman.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_core.h"

#define STACK_SIZE	((size_t)256 * 1024)
#define IDLE_NS		1000

static void	fiber_main(void);
static void	reschedule(int voluntary);

static uint64_t
foreign_changes(const struct fiber *f)
{
	return ex.changes - f->changes;
}

/* At its next pause: is there something new to look at? */
int
explore__goes_on(const struct fiber *f)
{
	return f->stale || f->news ||
	    (!f->repeats && foreign_changes(f) > f->mark);
}

int
explore__is_enabled(int id)
{
	const struct fiber *f = &ex.fiber[id];

	switch (f->state) {
	case FIBER_READY:
		return 1;
	case FIBER_PAUSED:
		return explore__goes_on(f);
	case FIBER_MUTEX:
		return explore__peek(f->where, sizeof(int)) == 0;
	case FIBER_EPOCH:
		return f->sections == 0;
	case FIBER_FUTEX:	/* the waker and the clock make it ready */
	case FIBER_DONE:
		break;
	}
	return 0;
}

/* Make ready what the clock has reached. */
static void
fire_deadlines(void)
{
	struct fiber *f;
	int id;

	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f->state == FIBER_FUTEX && f->deadline_ns >= 0 &&
		    f->deadline_ns <= ex.now_ns) {
			f->state = FIBER_READY;
			f->timed_out = 1;
		}
	}
}

static const char *
state_name(enum fiber_state state)
{
	static const char *const names[] = { "ready", "spinning",
	    "in a futex wait", "waiting for a mutex",
	    "waiting for sections to end", "done" };

	return names[state];
}

static void
fail_deadlock(void)
{
	char text[400];
	size_t used = 0;
	int id;

	text[0] = '\0';
	for (id = 1; id <= ex.test->nthreads; id++) {
		const struct fiber *f = &ex.fiber[id];

		if (f->state == FIBER_DONE || used >= sizeof text)
			continue;
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "%s fiber %d %s near %s:%d", used != 0 ? "," : "", id,
		    state_name(f->state), explore__file(f->file), f->line);
	}
	explore_fail("deadlock:%s", text);
}

/* Nobody can run: those who spin may look again; 1: there are any. */
static int
look_again(void)
{
	struct fiber *f;
	int id, found = 0;

	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f->state != FIBER_PAUSED || foreign_changes(f) == f->idle)
			continue;
		f->state = FIBER_READY;
		f->idle = foreign_changes(f);
		found = 1;
	}
	return found;
}

/* Nor is there anything to look at: let time pass, or report a deadlock. */
static void
advance_idle(void)
{
	struct fiber *f;
	int64_t to_ns = INT64_MAX;
	int id, polls = 0;

	if (look_again())
		return;
	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f->state == FIBER_PAUSED && f->timed)
			polls = 1;
		if (f->state == FIBER_FUTEX && f->deadline_ns >= 0 &&
		    f->deadline_ns < to_ns)
			to_ns = f->deadline_ns;
	}
	if (polls && ex.now_ns + ex.idle_ns < to_ns) {
		to_ns = ex.now_ns + ex.idle_ns;
		ex.idle_ns *= 16;
	}
	if (to_ns == INT64_MAX)
		fail_deadlock();
	explore__touch_only(&ex.now_ns, EXPLORE_WRITES);
	if (to_ns > ex.now_ns)
		ex.now_ns = to_ns;
	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f->state == FIBER_PAUSED && f->timed)
			f->state = FIBER_READY;
	}
	fire_deadlines();
}

/* Leave the running context for fiber `to`; come back when chosen again. */
static void
jump(struct fiber *from, int to)
{
	struct fiber *f = &ex.fiber[to];

	if (from != NULL && _setjmp(from->jump) != 0)
		return;
	ex.current = to;
	if (f->entered)
		_longjmp(f->jump, 1);
	f->entered = 1;
	setcontext(&f->context);
	abort();
}

/*
 * The candidates, the running fiber first if it can go on, so that choice 0 is
 * always "no switch".  A switch away from a fiber that could go on counts
 * against the bound of the depth-first search, unless it is voluntary.
 */
static int
candidates(int *candidate, int enabled, int voluntary)
{
	const struct fiber *f;
	int id, n = 0, others = 1, add;

	if (enabled)
		candidate[n++] = ex.current;
	if (enabled && !voluntary && ex.options.strategy == EXPLORE_DFS)
		others = ex.preemptions < ex.bound;
	for (id = 1; id <= ex.test->nthreads; id++) {
		if (id == ex.current)
			continue;
		f = &ex.fiber[id];
		add = explore__is_enabled(id) || (ex.options.timeouts &&
		    f->state == FIBER_FUTEX && f->deadline_ns >= 0);
		if (add && others)
			candidate[n++] = id;
		else if (add && ex.switching)
			ex.withheld = 1;
	}
	return n;
}

static void
reschedule(int voluntary)
{
	int candidate[EXPLORE_FIBERS_MAX];
	int enabled, id, left, n, next, self;
	struct fiber *f;

	self = ex.current;
	for (;;) {
		enabled = self != 0 && explore__is_enabled(self);
		n = candidates(candidate, enabled, voluntary);
		if (n > 0)
			break;
		for (left = 0, id = 1; id <= ex.test->nthreads; id++)
			left += ex.fiber[id].state != FIBER_DONE;
		if (left == 0)
			explore__stop();
		advance_idle();
	}
	if (ex.switching) {
		explore__preempt_arrive(enabled && !voluntary ? self :
		    ex.options.forget == EXPLORE_FORGET_COST ?
		    candidate[0] : 0);
		if (explore__seen(enabled && !voluntary ? self : 0))
			ex.pruned = 1;
	}
	next = candidate[explore__choose_fiber(candidate, n, enabled)];
	if (ex.switching)
		explore__preempt_taken(next);
	if (enabled && !voluntary && next != self)
		ex.preemptions++;
	f = &ex.fiber[next];
	if (f->state == FIBER_FUTEX) {	/* chosen to time out now */
		explore__touch_all();
		f->timed_out = 1;
		if (f->deadline_ns > ex.now_ns)
			ex.now_ns = f->deadline_ns;
		fire_deadlines();
	}
	f->state = FIBER_READY;
	if (next != self)
		jump(self != 0 ? &ex.fiber[self] : NULL, next);
}

static void
step(const char *file, int line)
{
	struct fiber *f = explore__me();

	if (line != 0) {	/* calls without a line keep the last one */
		f->file = file;
		f->line = line;
	}
	if (evbus_unlikely(++ex.steps > ex.options.steps_max))
		explore_fail("livelock: %u steps, fiber %d near %s:%d",
		    ex.options.steps_max, ex.current, explore__file(f->file),
		    f->line);
}

void
explore__point(const char *file, int line)
{
	if (ex.current == 0)
		return;
	step(file, line);
	if (ex.pruned)
		return;
	reschedule(0);
	explore__me()->after = 1;
}

void
explore__point_at(const volatile void *p, size_t size, int drains,
    const char *file, int line)
{
	struct fiber *f = explore__me();
	int shared;

	if (ex.current == 0)
		return;
	if (ex.pruned) {
		step(file, line);
		return;
	}
	shared = explore__is_shared(p, size) || (drains && f->undrained);

	ex.switching = shared || (f->after && explore__is_after());
	explore__point(file, line);
	f->after = shared;
	ex.switching = 1;
}

void
explore__block(enum fiber_state state, const void *where, const char *file,
    int line)
{
	struct fiber *f = explore__me();

	step(file, line);
	f->state = state;
	f->where = where;
	reschedule(1);
}

/* The fiber has read memory or the clock. */
void
explore__loaded(struct fiber *f)
{
	if (f->loaded)
		return;
	f->loaded = 1;
	explore__touch_only(&ex.changes, EXPLORE_READS);
	f->mark = foreign_changes(f);
}

/* The fiber has changed what others could be waiting for. */
void
explore__changed(struct fiber *f)
{
	explore__touch_only(&ex.changes, EXPLORE_ADDS);
	f->changes++;
	ex.changes++;
	ex.idle_ns = IDLE_NS;
}

void
explore__pause(const char *file, int line)
{
	struct fiber *f = explore__me();

	/* A second pause in a row is the first one. */
	if (ex.current == 0 || !f->loaded)
		return;
	step(file, line);
	__builtin_unwind_init();
	if (!ex.pruned && explore__seen_turn(__builtin_frame_address(0)))
		ex.pruned = 1;
	explore__event_read(0, 0);
	TRACE("pause", NULL, 0, 0, -1, NULL, file, line);
	f->state = FIBER_PAUSED;
	reschedule(1);
	f->loaded = f->stale = f->news = f->timed = 0;
	f->pauses++;
}

void
explore_advance(int64_t ns)
{
	if (ex.current != 0) {
		explore__point("explore_advance", 0);
		explore__share_all();
	}
	explore__touch(&ex.now_ns, sizeof ex.now_ns, EXPLORE_WRITES);
	explore__event(0, (uint64_t)ns);
	ex.now_ns += ns;
	if (ex.current != 0) {
		explore__changed(explore__me());
		fire_deadlines();
	}
}

int
explore_self(void)
{
	return ex.current;
}

static void
fiber_main(void)
{
	struct fiber *f;
	int self = ex.current;

	for (;;) {
		explore__event(0, 1);
		ex.test->body[self - 1]();
		explore__thread_end();
		f = &ex.fiber[self];
		f->state = FIBER_DONE;
		/* Others may wait for no more than this end. */
		explore__changed(f);
		TRACE("end", NULL, 0, 0, -1, NULL, "", 0);
		/*
		 * The last one to end goes home without jump(); it too must
		 * come back to the head of the loop.
		 */
		if (_setjmp(f->jump) == 0)
			reschedule(1);
	}
}

const void *
explore__stack_end(const struct fiber *f)
{
	return (const char *)f->stack + STACK_SIZE;
}

static void
fiber_make(struct fiber *f)
{
	if (f->stack == NULL) {
		f->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (f->stack == MAP_FAILED ||
		    mprotect(f->stack, 4096, PROT_NONE) != 0) {
			perror("explore: fiber stack");
			exit(2);
		}
	}
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = f->stack;
	f->context.uc_stack.ss_size = STACK_SIZE;
	f->context.uc_link = NULL;
	makecontext(&f->context, fiber_main, 0);
}

/* Before each execution: everything but the stacks and jump buffers. */
void
explore__fibers_reset(void)
{
	struct fiber *f;
	int id;

	for (id = 0; id < CONTEXTS; id++) {
		f = &ex.fiber[id];
		memset(&f->clock, 0, sizeof f->clock);
		memset(&f->acquired, 0, sizeof f->acquired);
		memset(&f->released, 0, sizeof f->released);
		f->state = FIBER_READY;
		f->sections = 0;
		f->loaded = f->stale = f->news = f->timed = f->timed_out = 0;
		f->idle = 0;
		f->acted = 1;
		f->local = 0;
		f->repeats = 0;
		f->pauses = 0;
		f->changes = 0;
		f->trace = 0;
		f->after = 1;
		f->undrained = 0;
		f->spurious = 0;
		f->file = "the start";
		f->line = 0;
		if (id > 0 && id <= ex.test->nthreads && !f->entered)
			fiber_make(f);
	}
	ex.idle_ns = IDLE_NS;
}

/* After a failure: their stacks hold the middle of a body. */
void
explore__fibers_abandon(void)
{
	int id;

	for (id = 0; id < CONTEXTS; id++)
		ex.fiber[id].entered = 0;
}

void
explore__fibers_run(void)
{
	ex.current = 0;
	ex.scheduled = 1;
	if (ex.options.check)
		explore__heap_mark();
	reschedule(1);
}
