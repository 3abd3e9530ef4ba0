/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_sleep.c - sleep sets: depth first, each order that matters once.
 *
 * When all that follows transition t of a state (explore_foot.c) has been
 * explored, t goes to sleep for the other transitions of that state, and stays
 * asleep along them until one is executed that depends on t; a state whose
 * fibers all sleep has been seen in another order, and nothing is chosen any
 * more.  So of the orders
 * that differ only in neighbours which do not depend on each other one is
 * explored to its end, and no state at the end of an execution, deadlocks
 * among them, is missed.
 *
 * Sound only without a preemption bound: the one order that is explored may
 * need more preemptions than those that sleep for it, and then the bound would
 * take them all.  So this strategy has none.  And only under SC: in the other
 * models a load is more than one step (what it may read depends on buffers and
 * views), which the footprints here do not describe.
 *
 * They are compared by what they touched when they were executed
 * (explore_foot.c), which is known, because a transition sleeps after it was
 * executed.  The count of changes by which a pause is measured makes nothing
 * dependent here, since more turns of a spin reach no other state.
 */
#include <string.h>

#include "explore_foot.h"

#define NODES_MAX	4096	/* deeper ones do without */

struct node {
	unsigned asleep;	/* fibers, as bits, when it was reached */
	unsigned done;		/* and those explored since */
	int taken;		/* fiber */
	struct explore_foot foot[CONTEXTS];	/* of those */
};

static struct node node[NODES_MAX];
static uint32_t depth;		/* nodes passed in this execution */

/* The transition that began at the last node has ended. */
void
explore__sleep_end(void)
{
	struct node *last;

	if (depth > 0 && depth <= NODES_MAX) {
		last = &node[depth - 1];
		explore__foot_merge(&last->foot[last->taken], &explore__foot);
	}
}

void
explore__sleep_reset(void)
{
	depth = 0;
	explore__foot_clear(&explore__foot);
}

/* A state that is reached for the first time: who sleeps there? */
static void
node_make(struct node *to)
{
	const struct node *from = to - 1;
	unsigned could;
	int id;

	memset(to, 0, sizeof *to);
	if (to == node)
		return;
	could = (from->asleep | from->done) & ~(1u << from->taken);
	for (id = 1; id < CONTEXTS; id++) {
		if ((could & 1u << id) == 0 || explore__foot_depend(&from->foot[id],
		    &explore__foot))
			continue;
		to->asleep |= 1u << id;
		to->foot[id] = from->foot[id];
	}
}

/* In a state seen before, another transition: the one before it is done. */
static void
node_next(struct node *at, int taken)
{
	if (at->taken == taken)
		return;
	at->done |= 1u << at->taken;
	at->taken = taken;
	explore__foot_clear(&at->foot[taken]);
}

int
explore__sleep_choose(const int *candidate, int n)
{
	unsigned skip = 0;
	struct node *at;
	int again = ex.nchoices < ex.follow, first = 0, i, k;

	if (ex.pruned)
		return 0;
	explore__sleep_end();
	if (ex.replaying || depth >= NODES_MAX) {
		depth++;
		return explore__choose_but(n, 0, 0);
	}
	at = &node[depth++];
	if (!again)
		node_make(at);
	for (i = 0; i < n; i++)
		if (at->asleep & 1u << candidate[i])
			skip |= 1u << i;
	while (first < n && (skip & 1u << first) != 0)
		first++;
	explore__foot_clear(&explore__foot);
	if (first == n) {
		/* Go on to the end somehow; nothing more is recorded. */
		ex.pruned = 1;
		depth = 0;
		return 0;
	}
	k = explore__choose_but(n, first, skip);
	if (again)
		node_next(at, candidate[k]);
	at->taken = candidate[k];
	return k;
}
