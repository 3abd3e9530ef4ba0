/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_foot.c - footprints: what a transition reads and writes.
 *
 * A transition is what a fiber does from one scheduling point to the next, at
 * which there may be a switch (explore_share.c).  Two transitions of different
 * fibers depend on each other if one writes what the other touches.  Those that
 * do not can change places, and all goes on as before.  Sleep sets
 * (explore_sleep.c) and the depth-first search (explore_preempt.c) leave out
 * orders that differ only in this way.
 *
 * What counts: words, by bytes, through the hooks, plain ones too (a
 * compare-and-swap that fails counts as a write); the futex word, written by
 * who waits and who wakes; the mutex; the clock; the allocations that may still
 * fail; an epoch, which synchronize and registering write and sections read.
 * The process-wide barrier, a chosen time-out and freeing memory, which others
 * may read without a hook, depend on everything.  Not dependent: who got which
 * address from the allocator; and memory without hooks, which is private or
 * ordered by the rest.
 *
 * The depth-first search goes by traces (explore_seen.c) in all memory models,
 * so for it more counts: whole words, since the stores of a word are in one
 * order; all that is SC, which is in one order too; and a store that leaves its
 * buffer is written then, whoever made it leave: others read nothing older from
 * there on.  What a load may read depends on nothing else that others do: on
 * its own fiber's view, which others change by the process-wide barrier alone,
 * and on the stores of that word that are there, and that are seen.  The count
 * of changes by which a pause is measured is a word of its own, read where the
 * measuring begins; those who change it can change places.
 */
#include <string.h>

#include "explore_foot.h"

struct explore_foot explore__foot;	/* of the running transition */

static int
by_traces(void)
{
	return ex.options.strategy == EXPLORE_DFS;
}

static void
add(struct explore_foot *to, uintptr_t word, uint8_t bytes,
    enum explore_touch kind)
{
	unsigned i;

	for (i = 0; i < to->n; i++) {
		if (to->at[i].word != word || to->at[i].bytes != bytes)
			continue;
		if (to->at[i].kind != (uint8_t)kind)
			to->at[i].kind = EXPLORE_WRITES;
		return;
	}
	if (i == EXPLORE_TOUCHED_MAX) {
		to->all = 1;
		return;
	}
	to->at[i].word = word;
	to->at[i].bytes = bytes;
	to->at[i].kind = (uint8_t)kind;
	to->n++;
}

/* Not a word that fibers share, but what stands for it. */
void
explore__touch_only(const volatile void *p, enum explore_touch kind)
{
	if (by_traces())
		add(&explore__foot, (uintptr_t)p & ~(uintptr_t)7, 0xff, kind);
}

/* 1: the word is shared. */
int
explore__touch(const volatile void *p, unsigned size, enum explore_touch kind)
{
	uintptr_t address = (uintptr_t)p;
	uint8_t bytes = (uint8_t)(((1u << size) - 1) << (address & 7));

	if (!explore__share(p, kind))
		return 0;
	/* Their results differ, and so do the traces. */
	if (kind == EXPLORE_ADDS)
		kind = EXPLORE_WRITES;
	if (by_traces() || ex.options.strategy == EXPLORE_SLEEP)
		add(&explore__foot, address & ~(uintptr_t)7,
		    by_traces() ? 0xff : bytes, kind);
	return 1;
}

void
explore__touch_all(void)
{
	explore__foot.all = 1;
}

void
explore__foot_clear(struct explore_foot *foot)
{
	foot->n = 0;
	foot->all = 0;
}

int
explore__foot_depend(const struct explore_foot *a, const struct explore_foot *b)
{
	unsigned i, k;

	if (a->all || b->all)
		return 1;
	for (i = 0; i < a->n; i++)
		for (k = 0; k < b->n; k++)
			if (a->at[i].word == b->at[k].word &&
			    (a->at[i].bytes & b->at[k].bytes) != 0 &&
			    (a->at[i].kind != b->at[k].kind ||
			    a->at[i].kind == EXPLORE_WRITES) &&
			    !(ex.options.forget == EXPLORE_FORGET_CONFLICT &&
			    (a->at[i].kind == EXPLORE_READS ||
			    b->at[k].kind == EXPLORE_READS)))
				return 1;
	return 0;
}

void
explore__foot_merge(struct explore_foot *to, const struct explore_foot *from)
{
	unsigned i;

	to->all |= from->all;
	for (i = 0; i < from->n; i++)
		add(to, from->at[i].word, from->at[i].bytes,
		    (enum explore_touch)from->at[i].kind);
}
