/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_choice.c - which of the stores that a load may return are tried.
 *
 * All that must not be left out (explore_memory.c): from the newest one down to
 * one that must be seen.
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
 */
#include "explore_memory.h"

#define OLD_MAX		8	/* values a load chooses from */

/* The newest store from index i on that wrote some of these bytes. */
uint32_t
explore__overlapping(uint32_t i, uint8_t bytes)
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

struct explore_reads *
explore__reads_of(const struct access *a)
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
uint32_t
explore__choose_old(const struct access *a, struct fiber *f, int order,
    const uint64_t *except, int *age)
{
	uint32_t old[OLD_MAX], i;
	int k, n = 0;

	*age = 0;
	i = explore__overlapping(a->place->newest, a->bytes);
	if (ex.options.model == EXPLORE_SC)
		return i;
	for (;;) {
		if (n == 0 || except == NULL ||
		    (mem.store[i].value & a->mask) >> a->shift != *except)
			old[n++] = i;
		if (n == OLD_MAX || must_be_seen(&mem.store[i], f, order))
			break;
		i = explore__overlapping(mem.store[i].older, a->bytes);
		if (!explore__may_reread(explore__reads_of(a), i, f))
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
