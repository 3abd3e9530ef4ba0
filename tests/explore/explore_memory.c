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
 * Which of those that a load may return are tried: explore_choice.c.
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

EVBUS_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "bytes are numbered from the low end of a word");

struct explore_memory explore__memory;

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

static void
saw(const struct access *a, uint32_t i, struct fiber *f, int order)
{
	struct store *s = &mem.store[i];

	explore__note_read(explore__reads_of(a), i, f);
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
	i = explore__choose_old(&a, f, order, NULL, &age);
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
	    explore__choose_old(&a, f, __ATOMIC_RELAXED, NULL, &age) :
	    explore__overlapping(a.place->newest, a.bytes);
	s = &mem.store[i];
	if (s->seen[ex.current] == NEVER)
		s->seen[ex.current] = f->clock.hb[ex.current];
	explore__note_read(explore__reads_of(&a), i, f);
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
	i = explore__overlapping(a.place->newest, a.bytes);
	old = (mem.store[i].value & a.mask) >> a.shift;
	if (op == '?' && old != (expected & (a.mask >> a.shift))) {
		i = explore__choose_old(&a, f, failure, &expected, &age);
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
	i = explore__overlapping(a.place->newest, a.bytes);
	explore__note_read(explore__reads_of(&a), i, f);
	explore__event_read(a.place->word << 8 | a.bytes, mem.store[i].event);
	TRACE("plain load", p, size, v, -1, NULL, file, line);
	return v;
}
