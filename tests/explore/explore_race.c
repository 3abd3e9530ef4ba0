/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_race.c - data races on plain memory.
 *
 * Two accesses race if one stores, one is plain, and neither happens before
 * the other.  One pair is allowed: a plain store and an atomic load, the lossy
 * reader's optimistic copy, which it validates afterwards.
 *
 * Happens-before is the hb half of the clocks, so that a fence which orders
 * what is seen but synchronises with nothing hides no race; and the detector
 * works under SC as well, where a load returns the newest value anyway.
 *
 * Limit: accesses are told apart by halves of an 8-byte word.  Plain fields of
 * one and two bytes that different threads write must not share a half.
 */
#include "explore_core.h"

/* Which kinds conflict with which. */
static const unsigned char conflicts[ACCESS_KINDS][ACCESS_KINDS] = {
	[ACCESS_PLAIN_STORE] = { 1, 1, 1 },
	[ACCESS_PLAIN_LOAD] = { 1, 0, 1 },
	[ACCESS_STORE] = { 1, 1, 0 }
};

static const char *const names[ACCESS_KINDS] = { "plain store", "plain load",
    "atomic store" };

static void
check(const struct explore_race *r, enum access_kind mine, int other,
    const volatile void *p)
{
	const struct fiber *f = explore__me();
	int id;

	for (id = 1; id < CONTEXTS; id++)
		if (id != ex.current && r->time[other][id] > f->clock.hb[id])
			explore_fail("data race on %s: %s of fiber %d at "
			    "%s:%d, %s of fiber %d at %s:%d",
			    explore__place(p), names[mine], ex.current,
			    explore__file(f->file), f->line, names[other], id,
			    explore__file(r->file[other]), r->line[other]);
}

void
explore__race(struct explore_race halves[2], unsigned bytes,
    enum access_kind kind, const volatile void *p)
{
	const struct fiber *f = explore__me();
	struct explore_race *r;
	int half, other;

	for (half = 0; half < 2; half++) {
		if ((bytes & (half == 0 ? 0x0fu : 0xf0u)) == 0)
			continue;
		r = &halves[half];
		for (other = 0; other < ACCESS_KINDS; other++)
			if (conflicts[kind][other])
				check(r, kind, other, p);
		r->time[kind][ex.current] = f->clock.hb[ex.current];
		r->file[kind] = f->file;
		r->line[kind] = f->line;
	}
}
