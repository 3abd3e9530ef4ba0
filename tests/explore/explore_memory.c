/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_memory.c - what a load may return.
 *
 * Each aligned 8-byte word that a fiber touches has a history of stores in
 * modification order, which is the order of execution.  A store knows which
 * of the 8 bytes it wrote; a load only sees the stores that wrote some of its
 * bytes.  So two 32-bit fields of one word are two locations, and a 64-bit
 * load of a word written in halves returns the word as it was after one of
 * those stores.  Real memory always holds the newest values.
 *
 * SC: a load returns the newest store.  C11: a load may return any store that
 * is not older than one that must be seen, i.e. one that some thread had seen
 * or made at a moment that lies within the reader's view.  An acquire load (or
 * a relaxed one followed by an acquire fence) joins the clock that the store
 * carries: the writer's for a release, the writer's at its last release fence
 * otherwise; a read-modify-write carries on the clock of what it replaced, a
 * plain store breaks the release sequence (C++20; even the same thread's).
 *
 * SC loads also see all SC stores and what SC fences have made visible
 * (explore_clock.c); nothing more.  An SC read-modify-write is no fence.
 *
 * TSO and PSO: a load returns the newest store, or an older one if all that
 * came later are still in the buffers of others: explore_buffer.c.  A
 * read-modify-write drains its fiber's own buffer first.
 *
 * Plain stores are recorded like relaxed ones, so that a racing relaxed load
 * (the lossy reader's deliberate one) sees old or new words, and fences work
 * through them as they do on hardware.  Everything else that races with a
 * plain access fails the execution: explore_race.c.
 *
 * Memory changed without a hook (memset, initialisation of fresh memory) is
 * noticed at the next access: the new value counts as known to everybody.
 *
 * Of two stores that have the same value the older one stands for the newer
 * one, if it carries nothing that the fiber would not learn from the newer one
 * or knows: whoever has read the older one can go on in all the ways of one who
 * has read the newer one.  For it has to see no more, so it may read whatever
 * the other may; all races of the other are races of it; and who learns from it
 * learns no more.  A futex is compared with the newest value anyway.  So the
 * depth-first search without a bound of old loads leaves the newer one out.  To
 * have read an old store whose value is the newest one is not to be late: a
 * spin that has read nothing older waits like others.
 *
 * Limits: no load sees a store that is executed later (load buffering, out of
 * thin air), and modification order never contradicts the order of execution
 * (the weak outcome of 2+2W).  A strong compare-and-swap fails on an old value
 * only when it would also fail on the newest one.  A load chooses among the
 * newest OLD_MAX stores; and a fiber that has read a value READS_MAX times in a
 * row, or in ROUNDS_MAX turns of a spin before, reads it again only while it is
 * the newest.
 */
#include <stdio.h>
#include <string.h>

#include "explore_memory.h"

#define PLACES_MAX	(1 << 15)
#define TABLE_SIZE	(1 << 16)
#define STORES_MAX	(1 << 16)
#define OLD_MAX		8	/* values a load chooses from */

EVBUS_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "bytes are numbered from the low end of a word");

struct store {
	uint64_t value;		/* of the whole word, after the store */
	uint64_t event;		/* its identity: explore_seen.c */
	struct explore_clock carries;
	uint32_t seen[CLOCKS];	/* first seen by fiber i at its time seen[i] */
	uint32_t older;		/* index; 0: none */
	uint8_t bytes;		/* which it wrote */
	uint8_t carrying;	/* carries is not empty */
	uint8_t hidden;		/* in the buffer of this fiber; 0: in none */
};

struct place {
	uintptr_t word;
	uint32_t newest;
	struct explore_reads reads[CONTEXTS][2];	/* by halves */
	struct explore_race race[2];
};

struct access {
	struct place *place;
	unsigned shift;		/* of its first byte, in bits */
	unsigned size;
	uint64_t mask;
	uint8_t bytes;
};

static struct {
	struct {
		uintptr_t word;
		uint32_t execution;
		uint32_t place;
	} table[TABLE_SIZE];
	struct place place[PLACES_MAX];
	struct store store[STORES_MAX];
	uint32_t execution, nplaces, nstores;
} mem;

void
explore__memory_reset(void)
{
	mem.execution++;
	mem.nplaces = 0;
	mem.nstores = 1;	/* 0 is "none" */
	memset(&ex.sc, 0, sizeof ex.sc);
	ex.sc_stores = 0;
	explore__buffer_reset();
}

void
explore__store_show(uint32_t store)
{
	mem.store[store].hidden = 0;
}

static struct store *
store_new(struct place *p, uint8_t bytes, uint64_t value)
{
	struct store *s;

	if (mem.nstores == STORES_MAX)
		explore_fail("livelock: more than %d stores", STORES_MAX);
	s = &mem.store[mem.nstores];
	s->value = value;
	s->bytes = bytes;
	s->older = p->newest;
	s->carrying = s->hidden = 0;
	p->newest = mem.nstores++;
	return s;
}

/* A store that everybody has seen: the initial one, or one without a hook. */
static void
store_known(struct place *p, uint64_t value)
{
	struct store *s = store_new(p, 0xff, value);

	memset(s->seen, 0, sizeof s->seen);
	s->event = explore__hash(explore__hash(p->word, value),
	    mem.store[s->older].event);
}

static struct place *
place_of(uintptr_t word)
{
	struct place *p;
	uint32_t i;

	i = (uint32_t)((word >> 3) * 0x9e3779b97f4a7c15u >> 48);
	while (mem.table[i].execution == mem.execution) {
		if (mem.table[i].word == word)
			return &mem.place[mem.table[i].place];
		i = (i + 1) % TABLE_SIZE;
	}
	if (mem.nplaces == PLACES_MAX)
		explore_fail("more than %d words are shared", PLACES_MAX);
	mem.table[i].execution = mem.execution;
	mem.table[i].word = word;
	mem.table[i].place = mem.nplaces;
	p = &mem.place[mem.nplaces++];
	memset(p, 0, sizeof *p);
	p->word = word;
	store_known(p, explore__peek((const void *)word, 8));
	return p;
}

/* Every access of a fiber begins here. */
static struct fiber *
begin(struct access *a, const volatile void *p, unsigned size)
{
	uintptr_t address = (uintptr_t)p;
	struct fiber *f = explore__me();
	uint64_t now;

	if (evbus_unlikely(explore__heap_freed(p)))
		explore_fail("use of freed memory %s", explore__place(p));
	if (evbus_unlikely((address & 7) + size > 8))
		explore_fail("%s: %u bytes across two words",
		    explore__place(p), size);
	explore__tick(f);
	a->place = place_of(address & ~(uintptr_t)7);
	a->shift = (unsigned)(address & 7) * 8;
	a->size = size;
	a->bytes = (uint8_t)(((1u << size) - 1) << (address & 7));
	a->mask = (size == 8 ? UINT64_MAX :
	    ((uint64_t)1 << size * 8) - 1) << a->shift;
	now = explore__peek(p, size) << a->shift;
	if ((mem.store[a->place->newest].value ^ now) & a->mask)
		store_known(a->place,
		    explore__peek((const void *)a->place->word, 8));
	return f;
}

/* The newest store from index i on that wrote some of these bytes. */
static uint32_t
overlapping(uint32_t i, uint8_t bytes)
{
	while ((mem.store[i].bytes & bytes) == 0)
		i = mem.store[i].older;
	return i;
}

static int
within(const uint32_t *seen, const uint32_t *view)
{
	int i;

	for (i = 0; i < CLOCKS; i++)
		if (seen[i] <= view[i])
			return 1;
	return 0;
}

static int
must_be_seen(const struct store *s, const struct fiber *f, int order)
{
	if (explore__buffered())
		return s->hidden == 0 || s->hidden == ex.current;
	if (within(s->seen, f->clock.view))
		return 1;
	return order == __ATOMIC_SEQ_CST && (s->seen[SC_SLOT] != NEVER ||
	    within(s->seen, ex.sc.view));
}

static struct explore_reads *
reads_of(const struct access *a)
{
	return &a->place->reads[ex.current][(a->bytes & 0x0f) == 0];
}

static uint64_t
value_of(const struct access *a, uint32_t i)
{
	return mem.store[i].value & a->mask;
}

/* Would the fiber learn nothing from store i that j would not tell it? */
static int
tells_less(uint32_t i, uint32_t j, const struct fiber *f)
{
	const struct explore_clock *less = &mem.store[i].carries;
	const struct explore_clock *more = &mem.store[j].carries;
	int k;

	if (!mem.store[i].carrying)
		return 1;
	for (k = 0; k < CLOCKS; k++)
		if ((less->hb[k] > f->clock.hb[k] && (!mem.store[j].carrying ||
		    less->hb[k] > more->hb[k])) ||
		    (less->view[k] > f->clock.view[k] &&
		    (!mem.store[j].carrying || less->view[k] > more->view[k])))
			return 0;
	return 1;
}

/*
 * Those that an older store of the same value stands for, as bits: see above.
 * Not with a bound of old loads, since the older one costs more.
 */
static unsigned
stood_for(const struct access *a, const struct fiber *f, const uint32_t *old,
    int n)
{
	unsigned skip = 0;
	int i, k;

	if (ex.options.strategy != EXPLORE_DFS || ex.stale_bound >= 0 ||
	    ex.replaying || ex.options.again)
		return 0;
	for (i = 0; i < n; i++)
		for (k = i + 1; k < n; k++)
			if (value_of(a, old[i]) == value_of(a, old[k]) &&
			    (ex.options.forget == EXPLORE_FORGET_TOLD ||
			    tells_less(old[k], old[i], f)))
				skip |= 1u << i;
	return skip;
}

/*
 * Choose the store that a load reads.  `except`, if not NULL, is a value that
 * must not be chosen among the old ones.
 */
static uint32_t
choose_store(const struct access *a, struct fiber *f, int order,
    const uint64_t *except, int *age)
{
	uint32_t old[OLD_MAX], i;
	int k, n = 0;

	*age = 0;
	i = overlapping(a->place->newest, a->bytes);
	if (ex.options.model == EXPLORE_SC)
		return i;
	for (;;) {
		if (n == 0 || except == NULL ||
		    (mem.store[i].value & a->mask) >> a->shift != *except)
			old[n++] = i;
		if (n == OLD_MAX || must_be_seen(&mem.store[i], f, order))
			break;
		i = overlapping(mem.store[i].older, a->bytes);
		if (!explore__may_reread(reads_of(a), i, f))
			break;
	}
	if (n > 1 && ex.options.strategy == EXPLORE_DFS &&
	    ex.stale_bound >= 0 && ex.stales >= ex.stale_bound) {
		ex.withheld = 1;
		n = 1;
	}
	k = n > 1 ? explore__choose_store(n, stood_for(a, f, old, n)) : 0;
	if (k > 0) {
		if (value_of(a, old[k]) != value_of(a, old[0]))
			f->stale = 1;
		ex.stales++;
	}
	i = mem.store[old[k]].hidden;
	if (i != 0 && i != (uint32_t)ex.current)
		explore__buffer_show(old[k]);
	*age = k;
	return old[k];
}

static void
saw(const struct access *a, uint32_t i, struct fiber *f, int order)
{
	struct store *s = &mem.store[i];

	explore__note_read(reads_of(a), i, f);
	if (order == __ATOMIC_SEQ_CST)
		explore__event_on(OBJECT_SC, 0);
	explore__event_read(a->place->word << 8 | a->bytes,
	    ex.options.forget == EXPLORE_FORGET_READ ? 0 : s->event);
	if (s->seen[ex.current] == NEVER)
		s->seen[ex.current] = f->clock.hb[ex.current];
	if (!s->carrying)
		return;
	if (order == __ATOMIC_RELAXED || order == __ATOMIC_RELEASE)
		explore__join(&f->acquired, &s->carries);
	else
		explore__join(&f->clock, &s->carries);
}

/* Others have read something older, and may want to look again. */
static void
tell_others(const struct access *a)
{
	const struct explore_reads *r;
	int id, half;

	for (id = 1; id <= ex.test->nthreads; id++) {
		if (id == ex.current)
			continue;
		for (half = 0; half < 2; half++) {
			r = &a->place->reads[id][half];
			if (r->store != 0 && r->pauses == ex.fiber[id].pauses)
				ex.fiber[id].news = 1;
		}
	}
}

/* Append a store by fiber f; `from`: what a read-modify-write replaced. */
static void
append(const struct access *a, struct fiber *f, volatile void *p, uint64_t v,
    int order, uint32_t from)
{
	uint64_t old = mem.store[a->place->newest].value;
	uint64_t now = (old & ~a->mask) | ((v << a->shift) & a->mask);
	struct store *s = store_new(a->place, a->bytes, now);

	if (order == __ATOMIC_SEQ_CST)
		explore__event_on(OBJECT_SC, 0);
	s->event = explore__event(a->place->word << 8 | a->bytes,
	    ex.options.forget == EXPLORE_FORGET_ORDER ? v :
	    explore__hash(v, mem.store[s->older].event));
	memset(s->seen, 0xff, sizeof s->seen);
	s->seen[ex.current] = f->clock.hb[ex.current];
	if (order == __ATOMIC_SEQ_CST)
		s->seen[SC_SLOT] = ++ex.sc_stores;
	if (order == __ATOMIC_RELAXED || order == __ATOMIC_ACQUIRE)
		s->carries = f->released;
	else
		s->carries = f->clock;
	if (from != 0 && mem.store[from].carrying)
		explore__join(&s->carries, &mem.store[from].carries);
	s->carrying = 1;
	if (explore__buffered() && from == 0) {
		s->hidden = (uint8_t)ex.current;
		explore__buffer_add(a->place->newest, a->place->word, a->bytes,
		    order);
	}
	explore__poke(p, a->size, v);
	tell_others(a);
	if (old != now)
		explore__changed(f);
}

static const char *
age_note(int age)
{
	static char text[16];

	snprintf(text, sizeof text, "old, by %d", age);
	return age == 0 ? NULL : text;
}

uint64_t
explore__load(const volatile void *p, unsigned size, int order,
    const char *file, int line)
{
	struct access a;
	struct fiber *f;
	uint64_t v;
	uint32_t i;
	int age;

	f = begin(&a, p, size);
	explore__loaded(f);
	explore__touch(p, size, EXPLORE_READS);
	i = choose_store(&a, f, order, NULL, &age);
	saw(&a, i, f, order);
	v = (mem.store[i].value & a.mask) >> a.shift;
	TRACE("load", p, size, v, order, age_note(age), file, line);
	return v;
}

/*
 * The kernel compares the word: it finds the newest store that has left the
 * buffers, and the fiber cannot see the word older again.
 */
uint64_t
explore__load_newest(const volatile void *p, unsigned size)
{
	struct access a;
	struct fiber *f;
	struct store *s;
	uint32_t i;
	int age;

	f = begin(&a, p, size);
	explore__loaded(f);
	explore__touch(p, size, EXPLORE_WRITES);
	i = explore__buffered() ?
	    choose_store(&a, f, __ATOMIC_RELAXED, NULL, &age) :
	    overlapping(a.place->newest, a.bytes);
	s = &mem.store[i];
	if (s->seen[ex.current] == NEVER)
		s->seen[ex.current] = f->clock.hb[ex.current];
	explore__note_read(reads_of(&a), i, f);
	explore__event(a.place->word << 8 | a.bytes, s->event);
	return (s->value & a.mask) >> a.shift;
}

void
explore__store(volatile void *p, unsigned size, uint64_t v, int order,
    const char *file, int line)
{
	struct access a;
	struct fiber *f;

	f = begin(&a, p, size);
	explore__touch(p, size, EXPLORE_WRITES);
	explore__race(a.place->race, a.bytes, ACCESS_STORE, p);
	append(&a, f, p, v, order, 0);
	TRACE("store", p, size, v, order, NULL, file, line);
}

/* To a word that is not shared, or only added to: explore_share.c. */
static void
add_alone(const struct access *a, struct fiber *f, volatile void *p, uint64_t v)
{
	struct store *s;
	uint64_t old = mem.store[a->place->newest].value;
	uint64_t now = (old & ~a->mask) | ((old + (v << a->shift)) & a->mask);

	s = store_new(a->place, a->bytes, now);
	s->event = explore__event(a->place->word << 8 | a->bytes, v);
	memset(s->seen, 0, sizeof s->seen);
	explore__poke(p, a->size, now >> a->shift);
	if (old != now)
		explore__changed(f);
}

uint64_t
explore__modify(volatile void *p, unsigned size, int op, uint64_t v,
    uint64_t expected, int success, int failure, int *done, const char *file,
    int line)
{
	struct access a;
	struct fiber *f;
	uint64_t old;
	uint32_t i;
	int age, shared;

	f = begin(&a, p, size);
	explore__loaded(f);
	shared = explore__touch(p, size, op == '+' &&
	    success == __ATOMIC_RELAXED ? EXPLORE_ADDS : EXPLORE_WRITES);
	if (explore__buffered())
		explore__buffer_drain(ex.current);
	if (op == '+' && success == __ATOMIC_RELAXED && !shared) {
		explore__race(a.place->race, a.bytes, ACCESS_STORE, p);
		add_alone(&a, f, p, v);
		TRACE("add", p, size, v, success, NULL, file, line);
		*done = 1;
		return 0;
	}
	i = overlapping(a.place->newest, a.bytes);
	old = (mem.store[i].value & a.mask) >> a.shift;
	if (op == '?' && old != (expected & (a.mask >> a.shift))) {
		i = choose_store(&a, f, failure, &expected, &age);
		saw(&a, i, f, failure);
		old = (mem.store[i].value & a.mask) >> a.shift;
		TRACE("cas fails", p, size, old, failure, age_note(age), file,
		    line);
		*done = 0;
		return old;
	}
	if (mem.store[i].hidden != 0)
		explore__buffer_show(i);
	saw(&a, i, f, success);
	switch (op) {
	case '+':
		v += old;
		break;
	case '|':
		v |= old;
		break;
	case '&':
		v &= old;
		break;
	}
	explore__race(a.place->race, a.bytes, ACCESS_STORE, p);
	append(&a, f, p, v, success, i);
	*done = 1;
	TRACE(op == '?' ? "cas" : op == '=' ? "exchange" : "modify", p, size,
	    v, success, NULL, file, line);
	return old;
}

void
explore__plain_store(volatile void *p, unsigned size, uint64_t v,
    const char *file, int line)
{
	struct access a;
	struct fiber *f;

	f = begin(&a, p, size);
	explore__touch(p, size, EXPLORE_WRITES);
	explore__race(a.place->race, a.bytes, ACCESS_PLAIN_STORE, p);
	append(&a, f, p, v, __ATOMIC_RELAXED, 0);
	TRACE("plain store", p, size, v, -1, NULL, file, line);
}

uint64_t
explore__plain_load(const volatile void *p, unsigned size, const char *file,
    int line)
{
	struct access a;
	struct fiber *f;
	uint32_t i;
	uint64_t v;

	f = begin(&a, p, size);
	explore__loaded(f);
	explore__touch(p, size, EXPLORE_READS);
	explore__race(a.place->race, a.bytes, ACCESS_PLAIN_LOAD, p);
	v = explore__peek(p, size);
	i = overlapping(a.place->newest, a.bytes);
	explore__note_read(reads_of(&a), i, f);
	explore__event_read(a.place->word << 8 | a.bytes, mem.store[i].event);
	TRACE("plain load", p, size, v, -1, NULL, file, line);
	return v;
}
