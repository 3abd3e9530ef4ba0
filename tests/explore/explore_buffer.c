/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_buffer.c - the store buffers of TSO and PSO.
 *
 * A store of a fiber is hidden at first: only the fiber itself reads it.  It
 * is shown to all when somebody else reads it, when a fence drains the buffer,
 * or when a later store that must not overtake it is shown.  So the flushes,
 * which are actors of their own in a machine, happen here just before the
 * access that can tell whether they have happened: all that a load of another
 * fiber may return is tried, and no choice is made that nobody can see.
 *
 * What must not overtake what, of one fiber: under TSO nothing overtakes
 * anything.  Under PSO a store follows the older ones of the same bytes, of
 * its side of a release fence, and, if it is a release itself, all of them.
 * Full fences, SC stores, read-modify-writes and the futex call that wakes (of
 * its word) drain the fiber's own buffer; the process-wide barrier drains all.
 *
 * Limit: two stores of the same bytes are shown in the order in which they
 * were executed, whoever made them, so that real memory holds the newest one.
 * The weak outcomes of 2+2W (PSO), and of R with one fence, are not seen; C11
 * shows the second.  No load is early: what needs that is found by C11 alone.
 */
#include <string.h>

#include "explore_memory.h"

#define HIDDEN_MAX	4096

struct hidden {
	uint32_t store;
	uintptr_t word;
	uint32_t group;		/* release fences before it */
	uint8_t bytes;
	uint8_t fiber;
	uint8_t release;
	uint8_t ended;		/* a section that began before it has ended */
	uint8_t show;
};

static struct hidden hidden[HIDDEN_MAX];	/* in order of execution */
static int nhidden;
static uint32_t group[CONTEXTS];

int
explore__buffered(void)
{
	return ex.options.model == EXPLORE_TSO ||
	    ex.options.model == EXPLORE_PSO;
}

void
explore__buffer_reset(void)
{
	nhidden = 0;
	memset(group, 0, sizeof group);
}

/* Must the older of two be shown before the younger? */
static int
is_before(const struct hidden *older, const struct hidden *younger)
{
	if (older->word == younger->word &&
	    (older->bytes & younger->bytes) != 0)
		return 1;
	if (older->fiber != younger->fiber)
		return 0;
	return ex.options.model == EXPLORE_TSO || younger->release ||
	    older->group != younger->group;
}

/* Show the marked ones, and before them what they must not overtake. */
static void
show_marked(void)
{
	int i, k, left = 0;

	for (i = nhidden - 1; i >= 0; i--)
		for (k = i + 1; k < nhidden && !hidden[i].show; k++)
			hidden[i].show = hidden[k].show &&
			    is_before(&hidden[i], &hidden[k]);
	for (i = 0; i < nhidden; i++) {
		if (hidden[i].show) {
			explore__touch_only((void *)hidden[i].word,
			    EXPLORE_WRITES);
			explore__store_show(hidden[i].store);
		}
		else
			hidden[left++] = hidden[i];
	}
	nhidden = left;
}

void
explore__buffer_add(uint32_t store, uintptr_t word, uint8_t bytes, int order)
{
	struct hidden *h;

	if (nhidden == HIDDEN_MAX)
		explore__buffer_drain(hidden[0].fiber);
	h = &hidden[nhidden++];
	h->store = store;
	h->word = word;
	h->group = group[ex.current];
	h->bytes = bytes;
	h->fiber = (uint8_t)ex.current;
	h->release = order != __ATOMIC_RELAXED && order != __ATOMIC_ACQUIRE;
	h->ended = h->show = 0;
	if (explore__is_shared((const void *)word, 8))
		ex.fiber[ex.current].undrained = 1;
	if (order == __ATOMIC_SEQ_CST)
		explore__buffer_drain(ex.current);
}

/* All stores of a fiber; 1: there were any. */
int
explore__buffer_drain(int fiber)
{
	int i, n = 0;

	if (fiber == ex.current)
		ex.fiber[fiber].undrained = 0;
	for (i = 0; i < nhidden; i++) {
		hidden[i].show = hidden[i].fiber == fiber;
		n += hidden[i].show;
	}
	if (n > 0)
		show_marked();
	return n > 0;
}

/* This one, which somebody else reads. */
void
explore__buffer_show(uint32_t store)
{
	int i;

	for (i = 0; i < nhidden; i++)
		hidden[i].show = hidden[i].store == store;
	show_marked();
}

/* The running fiber's stores of a word that it has the kernel look at. */
void
explore__buffer_show_word(const volatile void *p)
{
	uintptr_t word = (uintptr_t)p & ~(uintptr_t)7;
	int i;

	for (i = 0; i < nhidden; i++)
		hidden[i].show = hidden[i].fiber == ex.current &&
		    hidden[i].word == word;
	show_marked();
}

/* What is stored from now on comes after what was stored till now. */
void
explore__buffer_fence(void)
{
	group[ex.current]++;
}

/* The running fiber's section has ended: who waited for it sees its stores. */
void
explore__buffer_section_end(void)
{
	int i;

	for (i = 0; i < nhidden; i++)
		if (hidden[i].fiber == ex.current)
			hidden[i].ended = 1;
}

void
explore__buffer_show_ended(void)
{
	int i;

	for (i = 0; i < nhidden; i++)
		hidden[i].show = hidden[i].ended;
	show_marked();
}
