/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_clock.c - vector clocks and fences.
 *
 * SC fences join and extend one global view; nothing else does.  They join
 * view and not hb: a fence makes older stores invisible to those who come
 * after it, but it orders no plain data unless a load in between has read
 * something, and then the clock of that store is joined anyway.
 */
#include "explore_memory.h"

void
explore__join(struct explore_clock *to, const struct explore_clock *from)
{
	int i;

	for (i = 0; i < CLOCKS; i++) {
		if (from->hb[i] > to->hb[i])
			to->hb[i] = from->hb[i];
		if (from->view[i] > to->view[i])
			to->view[i] = from->view[i];
	}
}

static void
join_view(struct explore_clock *to, const struct explore_clock *from)
{
	int i;

	for (i = 0; i < CLOCKS; i++)
		if (from->view[i] > to->view[i])
			to->view[i] = from->view[i];
}

static void
fence_sc(struct fiber *f)
{
	explore__join(&f->clock, &f->acquired);
	if (ex.options.model == EXPLORE_C11) {	/* no others have views */
		join_view(&f->clock, &ex.sc);
		f->clock.view[SC_SLOT] = ex.sc_stores;
		join_view(&ex.sc, &f->clock);
	}
	f->released = f->clock;
}

static void
fence_release(struct fiber *f)
{
	f->released = f->clock;
	if (explore__buffered())
		explore__buffer_fence();
}

void
explore__fence(int order)
{
	struct fiber *f = explore__me();

	explore__tick(f);
	if (order == __ATOMIC_SEQ_CST && ex.options.model == EXPLORE_C11)
		explore__event_on(OBJECT_SC, 0);
	else
		explore__event((uint64_t)order, 0);
	if (order == __ATOMIC_SEQ_CST) {
		if (explore__buffered())
			explore__buffer_drain(ex.current);
		fence_sc(f);
		return;
	}
	if (order != __ATOMIC_RELEASE)
		explore__join(&f->clock, &f->acquired);
	if (order != __ATOMIC_ACQUIRE && order != __ATOMIC_CONSUME)
		fence_release(f);
}

/*
 * The process-wide barrier: each other fiber executes an SC fence at a moment
 * that lies between two SC fences of the caller.  In which order they do is
 * not promised, so they learn from the caller, the caller learns from them,
 * and they learn nothing from one another.
 *
 * Only under C11: in the other models it empties the buffers, and what another
 * fiber has read without acquiring stays so, since that fiber cannot know.
 */
void
explore__fence_heavy(void)
{
	struct fiber *me = explore__me(), *f;
	struct explore_clock before;
	int id;

	explore__tick(me);
	if (ex.options.model != EXPLORE_C11) {
		explore__event(0, 2);
		for (id = 1; id <= ex.test->nthreads; id++)
			if (explore__buffered() && explore__buffer_drain(id) &&
			    id != ex.current)
				explore__event_of(&ex.fiber[id], me->trace);
		fence_sc(me);
		return;
	}
	explore__event_on(OBJECT_SC, 0);
	explore__event_all();
	fence_sc(me);
	before = ex.sc;
	for (id = 1; id <= ex.test->nthreads; id++) {
		f = &ex.fiber[id];
		if (f == me)
			continue;
		explore__join(&f->clock, &f->acquired);
		join_view(&f->clock, &before);
		join_view(&ex.sc, &f->clock);
		f->released = f->clock;
	}
	fence_sc(me);
}
