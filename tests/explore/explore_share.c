/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_share.c - which words are worth a scheduling point?
 *
 * Before an access to a word that no other fiber touches, or that nobody
 * writes, a switch changes nothing: it can as well be made before the next
 * access.  So the depth-first strategies do not switch there.  Which words
 * these are is learnt: all, at first; and when an execution shows that a word
 * is written by one fiber and touched by another, the search begins anew with
 * what is known by then.
 *
 * Nothing is missed: up to a fiber's first access of a word its way does not
 * depend on the word, so if another fiber can come to it after the switch that
 * was not made, it comes to it without that switch as well, and it is learnt.
 * It needs no more preemptions either.  So this holds with a bound and
 * without, and in all memory models: a load of such a word has no choice.  But
 * where an access empties the store buffer (TSO, PSO: all that read and modify,
 * and SC stores) its point stays, as others read nothing older from there on;
 * unless the fiber has stored nothing since that others touch.
 *
 * Words that are only added to, by relaxed additions whose results nobody uses
 * (EVBUS_FETCH_ADD has none), are not shared either.  In whichever order they
 * are done, the sum is the same; and nobody sees another.  So such an addition
 * orders nothing: no clock goes from one to the next, and its trace says what
 * was added and not to what (explore_memory.c).  As soon as a fiber reads the
 * word, or stores to it, it is shared like others.
 *
 * Points that are not about a word stay (fences, futexes, mutexes, epochs).
 * What is read without a hook has no point of its own, and another may free it
 * meanwhile.  So where a fiber frees memory the first point stays that comes
 * after any of those which stay anyhow.  That is enough: if between two of
 * these a fiber reads what is freed while it stands at a point, it reads it as
 * well if it stands at the first point instead; for it is at the same place
 * for all others, and has read less.  Every point stays where the clock, which
 * is read without a point, can move while others run (-d, explore_advance).
 * Other memory without hooks has to be private or constant,
 * or to change hands by hooked accesses.  The choice that is not made is
 * recorded like any other, so a schedule can be replayed without this.
 */
#include "explore_core.h"

#define WORDS	(1u << 15)

static struct {
	uintptr_t word;
	uint64_t execution;	/* of the two masks: fibers as bits */
	uint8_t readers, writers, adders;
	uint8_t shared;
} table[WORDS];
static uint32_t used;
static int off;			/* every word counts as shared */
static int freed;		/* a fiber has freed memory */

static int
active(void)
{
	return ex.options.strategy == EXPLORE_DFS ||
	    ex.options.strategy == EXPLORE_SLEEP;
}

void
explore__share_reset(void)
{
	uint32_t i;

	for (i = 0; i < WORDS; i++)
		table[i].word = 0;
	used = 0;
	off = !active() || ex.options.timeouts || ex.options.all_points ||
	    ex.replaying;
	freed = 0;
	ex.learnt = 0;
}

void
explore__share_all(void)
{
	if (!off)
		ex.learnt = 1;
	off = 1;
}

/* A fiber has freed memory: see above. */
void
explore__share_freed(void)
{
	if (!off && !freed && active())
		ex.learnt = 1;
	freed = 1;
}

/* Does a point stay because it comes after another one? */
int
explore__is_after(void)
{
	return freed;
}

static uint32_t
find(uintptr_t word)
{
	uint32_t i;

	i = (uint32_t)((word >> 3) * 0x9e3779b97f4a7c15u >> 49);
	while (table[i].word != 0 && table[i].word != word)
		i = (i + 1) % WORDS;
	return i;
}

static int
is_shared(uintptr_t word)
{
	uint32_t i = find(word);

	return table[i].word != 0 && table[i].shared;
}

int
explore__is_shared(const volatile void *p, size_t size)
{
	uintptr_t at = (uintptr_t)p & ~(uintptr_t)7;

	if (off)
		return 1;
	for (; at < (uintptr_t)p + size; at += 8)
		if (is_shared(at))
			return 1;
	return 0;
}

/* The running fiber touches this word; 1: it is shared. */
int
explore__share(const volatile void *p, enum explore_touch kind)
{
	uintptr_t word = (uintptr_t)p & ~(uintptr_t)7;
	unsigned me = 1u << ex.current, all, changed;
	uint32_t i;

	if (off)
		return 1;
	if (ex.current == 0)	/* before the fibers, or after them */
		return 0;
	i = find(word);
	if (table[i].word == 0) {
		if (++used > WORDS / 2) {
			explore__share_all();
			return 1;
		}
		table[i].word = word;
		table[i].shared = 0;
		table[i].execution = 0;
	}
	if (table[i].execution != ex.executions) {
		table[i].execution = ex.executions;
		table[i].readers = table[i].writers = table[i].adders = 0;
	}
	if (kind == EXPLORE_READS)
		table[i].readers |= (uint8_t)me;
	else if (kind == EXPLORE_WRITES)
		table[i].writers |= (uint8_t)me;
	else
		table[i].adders |= (uint8_t)me;
	all = table[i].readers | table[i].writers;
	changed = table[i].writers | (all != 0 ? table[i].adders : 0);
	all |= table[i].adders;
	if (!table[i].shared && changed != 0 && (all & (all - 1)) != 0) {
		table[i].shared = 1;
		ex.learnt = 1;
	}
	return table[i].shared;
}
