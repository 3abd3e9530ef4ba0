/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_seen.c - where a depth-first search has been before.
 *
 * At each scheduling point that it reaches for the first time the search asks
 * whether it has been in this state already; if so, the execution ends there,
 * since all that can follow has been looked at, or is a part of it.
 *
 * A state is not compared but named by its happens-before trace.  Each fiber
 * has a trace, the hash of its events in order; an event hashes what is done
 * (the word, the value), and what it has from others: a load the identity of
 * the store that it reads, a store that of the store before it in modification
 * order; and the identity of an event is the trace of its fiber after it, so
 * it stands for all that happens before.  What a fiber does next is determined
 * by what it has read; which stores there are, who has seen them, the clocks,
 * the store buffers and the race detector's times are determined by the events;
 * so two states with equal traces go on alike.  (CHESS does the same: Musuvathi
 * and Qadeer, Iterative context bounding, 2007.)
 *
 * What is not about a word: an SC fence (C11) comes after the one before it,
 * like a read-modify-write of one common place; a section of an epoch begins
 * after the last synchronize, which comes after all sections that have ended,
 * in whatever order, and knows those that are open; who is woken from a futex
 * knows by whom; the process-wide barrier befalls all fibers under C11, and
 * under TSO and PSO those whose buffers it empties; a free befalls all, since
 * memory may be read without a hook; the clock, and the allocations that may
 * still fail, are part of the state as they are; choices are events.  Who waits
 * for a mutex is as far as who comes to it.  An address is a function of the
 * trace too: each fiber allocates from memory of its own (explore_heap.c).  So
 * is how often an old value may be read, and whether there is something new to
 * look at after a pause (explore_memory.c).
 *
 * A turn of a spin that has only read, and ends where it began (the same stack
 * and registers), ends the execution too: whoever had waited instead would
 * stand there as well, know less, and so could do all that and more.  If nobody
 * else can run, and the turn has read all that is new, it does not end: this
 * may be a deadlock.
 *
 * Bounds.  A state that was reached with a preemptions left and is reached
 * again with b <= a left holds nothing new, if the same fiber may go on without
 * a preemption, and so it is with loads of old values.  So an entry keeps the
 * most that was left, and whoever has more goes on.  Entries of a pass with a
 * lower bound count in the next one.  An entry's state was looked at to the
 * end, or it is one that the execution itself has passed; but the trace grows
 * with each event, so it is not the same one again.
 *
 * Together with explore_preempt.c: who sleeps is part of a state, and what was
 * looked at when nobody slept counts for all.
 *
 * Together with explore_share.c: switches that are not made before words that
 * nobody shares are not made in either of two equal states.  When more words
 * are learnt, all is forgotten.  With a free the first point after each point
 * stays (explore_share.c); where it lies is a function of the trace as well.
 *
 * A hash can be wrong: of n states, two share 64 bits with a probability of
 * n^2 / 2^65, which is 3 in 10^6 for ten million.  A table that is full takes
 * no more entries: the search is longer then, and misses nothing.
 * Replays, random executions, PCT and sleep sets do without all this.
 */
#undef _FORTIFY_SOURCE

#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_memory.h"

#define ENTRIES		((size_t)1 << 23)	/* at most */
#define ENTRIES_FIRST	((size_t)1 << 12)	/* then as many as it takes */
#define PROBES		32
#define UNBOUNDED	UINT16_MAX
#define CALL_SAVED	5	/* registers, at most, below a frame */

struct entry {
	uint64_t state;		/* 0: no entry */
	uint16_t preemptions;	/* left, at most */
	uint16_t stales;
	uint8_t pass;		/* preemption bound */
	uint32_t check;		/* of what the state is */
};

static struct entry *table;
static size_t size;		/* of the table; a power of two */
static int on;
static uint64_t entries;
static uint64_t generation;	/* part of a state: older ones are forgotten */
static uint64_t last[OBJECTS];	/* event on an object that others follow */
static uint64_t before[OBJECTS];	/* sum of those they need not follow */

uint64_t
explore__hash(uint64_t h, uint64_t v)
{
	h = ((h << 23 | h >> 41) ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static int
forgets(enum explore_forget what)
{
	return ex.options.forget == (int)what;
}

uint64_t
explore__event(uint64_t what, uint64_t read)
{
	struct fiber *f = explore__me();

	f->trace = explore__hash(explore__hash(f->trace, what), read);
	f->acted = 1;
	return f->trace;
}

void
explore__event_read(uint64_t what, uint64_t read)
{
	struct fiber *f = explore__me();

	f->trace = explore__hash(explore__hash(f->trace, what), read);
}

uint64_t
explore__event_on(enum explore_object object, uint64_t read)
{
	explore__touch_only(&last[object], EXPLORE_WRITES);
	explore__touch_only(&before[object], EXPLORE_READS);
	last[object] = explore__event(last[object],
	    explore__hash(before[object], read));
	return last[object];
}

uint64_t
explore__event_following(enum explore_object object)
{
	explore__touch_only(&last[object], EXPLORE_READS);
	return explore__event(last[object], 0);
}

uint64_t
explore__event_before(enum explore_object object)
{
	uint64_t event = explore__event(object, 1);

	explore__touch_only(&before[object], EXPLORE_ADDS);
	before[object] += event;
	return event;
}

uint64_t
explore__event_woken(enum explore_object object)
{
	explore__touch_only(&before[object], EXPLORE_READS);
	return explore__event(object, explore__buffered() ?
	    before[object] : 2);
}

void
explore__event_of(struct fiber *f, uint64_t event)
{
	f->trace += explore__hash(event, 1);
}

void
explore__event_all(void)
{
	const struct fiber *me = explore__me();
	struct fiber *f;
	int id;

	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f != me && f->state != FIBER_DONE)
			f->trace = explore__hash(f->trace, me->trace);
	}
}

/* An empty table of n entries instead of the one that there is. */
static void
table_make(size_t n)
{
	if (table != NULL)
		(void)munmap(table, size * sizeof *table);
	size = n;
	table = mmap(NULL, size * sizeof *table, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED) {
		perror("explore: table of states");
		exit(2);
	}
}

void
explore__seen_forget(void)
{
	on = ex.options.strategy == EXPLORE_DFS && !ex.replaying &&
	    !ex.options.again;
	generation++;
	entries = 0;
	if (on)
		table_make(ENTRIES_FIRST);
}

void
explore__seen_reset(void)
{
	int i;

	for (i = 0; i < OBJECTS; i++)
		last[i] = before[i] = 0;
}

/* The running fiber's registers, which lie below the frame, and its stack. */
static uint64_t
local_state(const struct fiber *f, const void *frame)
{
	const uint64_t *word = (const uint64_t *)frame - CALL_SAVED;
	const uint64_t *end = explore__stack_end(f);
	uint64_t h = 1;

	for (; word < end; word++)
		h = explore__hash(h, *word);
	return h;
}

/*
 * At a pause: is the fiber where it was at its last one, and has only read?
 * Then it could as well have waited, and would know less, so there is nothing
 * new behind it; unless nobody else can run, and it has read all that is new.
 */
int
explore__seen_turn(const void *frame)
{
	struct fiber *f = explore__me();
	uint64_t then = f->local;
	int acted = f->acted, id;

	f->local = local_state(f, frame);
	f->repeats = f->local == then;
	f->acted = 0;
	if (!on || acted || !f->repeats)
		return 0;
	if (f->stale)
		return 1;
	for (id = 1; id <= ex.test->nthreads; id++)
		if (id != ex.current && explore__is_enabled(id))
			return 1;
	return 0;
}

/* What matters of a fiber beside its trace. */
static uint64_t
fiber_state(int id)
{
	const struct fiber *f = &ex.fiber[id];
	uint64_t state = explore__is_enabled(id) ? FIBER_READY : f->state;

	if (f->loaded)
		state |= explore__goes_on(f) ? 16 : 32;
	if (f->state == FIBER_FUTEX)
		state |= (uint64_t)f->deadline_ns << 8;
	return state | (f->timed_out ? 64 : 0);
}

static uint64_t
state_hash(int running, unsigned asleep)
{
	uint64_t h;
	int id;

	h = explore__hash(generation, (uint64_t)ex.now_ns);
	h = explore__hash(h, (uint64_t)ex.idle_ns);
	h = explore__hash(h, (uint64_t)explore__heap_left());
	for (id = 1; id <= ex.test->nthreads; id++) {
		h = explore__hash(h, ex.fiber[id].trace);
		h = explore__hash(h, fiber_state(id));
	}
	if (!forgets(EXPLORE_FORGET_RUNNING))
		h = explore__hash(h, (uint64_t)running);
	h = explore__hash(h, asleep);
	return h != 0 ? h : 1;
}

/* What is known of a state without its traces. */
static uint32_t
state_check(void)
{
	uint64_t h = explore__heap_hash();
	int id;

	for (id = 1; id <= ex.test->nthreads; id++) {
		h = explore__hash(h, (uintptr_t)ex.fiber[id].file);
		h = explore__hash(h, (uint64_t)ex.fiber[id].line);
		h = explore__hash(h, (uint64_t)explore__is_enabled(id));
	}
	return (uint32_t)h;
}

static int
is_less(const struct entry *e, unsigned preemptions, unsigned stales)
{
	return (e->preemptions < preemptions || e->stales < stales) &&
	    !forgets(EXPLORE_FORGET_BUDGET);
}

/* Where an entry for this state is, or could be; NULL: the table is full. */
static struct entry *
find(uint64_t state)
{
	struct entry *e;
	unsigned i;

	for (i = 0; i < PROBES; i++) {
		e = &table[(state + i) & (size - 1)];
		if (e->state == 0 || e->state == state)
			return e;
	}
	return NULL;
}

/* Half of the table is in use: one of twice the size. */
static void
grow(void)
{
	struct entry *old = table, *e;
	size_t n = size, i;

	table = NULL;
	table_make(2 * n);
	for (i = 0; i < n; i++)
		if (old[i].state != 0 && (e = find(old[i].state)) != NULL)
			*e = old[i];
	(void)munmap(old, n * sizeof *old);
}

/* Has this state been looked at, with no less left? */
static int
is_known(const struct entry *e, uint64_t state, unsigned preemptions,
    unsigned stales)
{
	if (e == NULL || e->state != state)
		return 0;
	if (ex.options.check && e->check != state_check())
		explore_fail("two states are taken for one");
	if (is_less(e, preemptions, stales))
		return 0;
	/* What was left out then is left out again. */
	if (e->pass != (uint8_t)ex.bound)
		ex.withheld = 1;
	return 1;
}

/*
 * At a scheduling point: 1 if there is nothing new behind it.  `running` may go
 * on without a preemption; 0: anybody may.
 */
int
explore__seen(int running)
{
	unsigned preemptions, stales = UNBOUNDED, asleep;
	struct entry *e;
	uint64_t state;

	if (!on || ex.pruned || ex.nchoices < ex.follow)
		return 0;
	preemptions = (unsigned)(ex.bound - ex.preemptions);
	if (ex.stale_bound >= 0)
		stales = (unsigned)(ex.stale_bound - ex.stales);
	if (entries > size / 2 && size < ENTRIES)
		grow();
	asleep = explore__preempt_asleep();
	state = state_hash(running, 0);
	e = find(state);
	if (is_known(e, state, preemptions, stales))
		return 1;
	if (asleep != 0) {
		state = state_hash(running, asleep);
		e = find(state);
		if (is_known(e, state, preemptions, stales))
			return 1;
	}
	if (e == NULL)
		return 0;
	if (e->state == 0) {
		entries++;
		e->state = state;
		e->check = ex.options.check ? state_check() : 0;
	} else if (e->preemptions > preemptions || e->stales > stales) {
		return 0;	/* more of one, less of the other */
	}
	e->preemptions = (uint16_t)preemptions;
	e->stales = (uint16_t)stales;
	e->pass = (uint8_t)ex.bound;
	return 0;
}

uint64_t
explore__states(void)
{
	return entries;
}
