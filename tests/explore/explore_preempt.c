/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_preempt.c - a fiber that is preempted sleeps until it matters.
 *
 * The depth-first search lets the running fiber r go on first, by a transition
 * t, and then preempts it instead.  From there on r sleeps: it is not chosen
 * again before another fiber has done something that depends on t
 * (explore_foot.c); if none does, the execution ends when nobody else can run.
 *
 * Argument.  Let r be preempted at s, let the others do G, and then r do t:
 * s G t rest.  If nothing in G depends on t, then s t G rest has the same trace
 * (explore_seen.c), so it ends alike.  It needs no more preemptions: t goes on
 * for nothing; r is preempted behind t instead of before it, or not at all if t
 * ends where a switch is voluntary; within G nothing changes, since whether a
 * switch costs depends on the place where it is made alone; and from the last
 * of G it goes on with r for the same price as before, or with another fiber,
 * then without r in between.  It reads as many old values: t reads no word that
 * G writes, and G none that t writes.  So the search comes to it, or to one that
 * stands for it in the same way, by the branch that it has gone before: by
 * induction over what is left to do, since t is done.
 *
 * That is why sleep sets are not sound with a bound in general, but these are:
 * who is not preempted, because it waits or because its switch is voluntary, or
 * who was another candidate, does not sleep, as the other order may cost more.
 *
 * Who sleeps along a transition goes on sleeping behind it if that does not
 * depend on what it sleeps for.  A transition has more than one form if it
 * chooses, by loads of old values or otherwise: who is preempted sleeps for all
 * of them, so their footprints are one.  All forms are known, because they do
 * not depend on G, and were executed before.
 *
 * Together with explore_seen.c: who sleeps is part of a state; but what was
 * looked at when nobody slept holds for all (Godefroid, Partial-order methods,
 * 1996).  A turn of a spin that ends an execution there could be left out with
 * its preemptions, and all that follows be done without it.
 *
 * A fiber that sleeps can run, so the clock does not jump meanwhile.
 */
#include <string.h>

#include "explore_foot.h"

#define NODES_MAX	4096	/* who is deeper does not sleep */

struct node {
	unsigned asleep;	/* fibers, as bits, when it was reached */
	int running;		/* who is preempted by another choice; or 0 */
	int taken;
	struct explore_foot own;	/* of what the running one does next */
	struct explore_foot foot[CONTEXTS];	/* of those that sleep */
};

static struct node node[NODES_MAX];
static uint32_t depth;		/* nodes passed in this execution */
static int ended;		/* nothing is recorded any more */

static int
is_on(void)
{
	return ex.options.strategy == EXPLORE_DFS && !ex.replaying &&
	    !ex.options.again;
}

void
explore__preempt_reset(void)
{
	depth = 0;
	ended = 0;
	explore__foot_clear(&explore__foot);
}

/* The transition that began at the last node has ended. */
void
explore__preempt_end(void)
{
	struct node *last;

	if (!is_on() || ended)
		return;
	ended = ex.pruned;
	if (depth == 0 || depth > NODES_MAX)
		return;
	last = &node[depth - 1];
	if (last->taken == last->running)
		explore__foot_merge(&last->own, &explore__foot);
}

static void
sleep_for(struct node *at, int id, const struct explore_foot *foot)
{
	if (explore__foot_depend(foot, &explore__foot))
		return;
	at->asleep |= 1u << id;
	at->foot[id] = *foot;
}

/* A state that is reached for the first time: who sleeps there? */
static void
node_make(struct node *to, int running)
{
	const struct node *from = to - 1;
	int id;

	to->asleep = 0;
	to->running = running;
	to->taken = -1;
	explore__foot_clear(&to->own);
	if (to == node)
		return;
	for (id = 1; from->asleep != 0 && id < CONTEXTS; id++)
		if ((from->asleep & 1u << id) != 0)
			sleep_for(to, id, &from->foot[id]);
	id = from->running;
	if (id != 0 && id != from->taken)
		sleep_for(to, id, &from->own);
}

/*
 * At a scheduling point, before the choice: `running` can go on, and a switch
 * away from it is a preemption; or it is 0.
 */
void
explore__preempt_arrive(int running)
{
	if (!is_on() || ended)
		return;
	explore__preempt_end();
	if (ended)
		return;
	if (++depth <= NODES_MAX && ex.nchoices >= ex.follow)
		node_make(&node[depth - 1], running);
	explore__foot_clear(&explore__foot);
}

/* The fibers that sleep at this point, as bits. */
unsigned
explore__preempt_asleep(void)
{
	return is_on() && !ended && depth > 0 && depth <= NODES_MAX ?
	    node[depth - 1].asleep : 0;
}

void
explore__preempt_taken(int id)
{
	if (is_on() && !ex.pruned && depth > 0 && depth <= NODES_MAX)
		node[depth - 1].taken = id;
}
