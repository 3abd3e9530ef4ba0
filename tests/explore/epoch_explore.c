/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoch_explore.c - the epoch reclaimer's contract, with clocks.
 *
 * Each call is one step.  synchronize parks its fiber; a section that it waits
 * for hands its clock over when it ends.
 */
#include <string.h>

#include "epoch_explore.h"
#include "explore_memory.h"

EVBUS_STATIC_ASSERT(sizeof(struct explore_clock) ==
    sizeof(struct evbus__epoch_clock), "one clock as the other");

static void
join_in(struct explore_clock *to, const struct evbus__epoch_clock *from)
{
	struct explore_clock c;

	memcpy(&c, from, sizeof c);
	explore__join(to, &c);
}

static void
join_out(struct evbus__epoch_clock *to, const struct explore_clock *from)
{
	struct explore_clock c;

	memcpy(&c, to, sizeof c);
	explore__join(&c, from);
	memcpy(to, &c, sizeof c);
}

void
evbus__epoch_init(struct evbus__epoch *e)
{
	memset(e, 0, sizeof *e);
}

void
evbus__epoch_register(struct evbus__epoch *e, struct evbus__epoch_record *r)
{
	explore__point("epoch_register", 0);
	explore__touch(e, 8, EXPLORE_WRITES);
	memset(r, 0, sizeof *r);
	r->fiber = ex.current;
	r->next = e->records;
	e->records = r;
	explore__event_on(OBJECT_EPOCH, 0);
	TRACE("register", r, 0, 0, -1, NULL, "", 0);
}

void
evbus__epoch_unregister(struct evbus__epoch *e, struct evbus__epoch_record *r)
{
	struct evbus__epoch_record **p;

	explore__point("epoch_unregister", 0);
	explore__touch(e, 8, EXPLORE_WRITES);
	EXPLORE_ASSERT(r->depth == 0);
	for (p = &e->records; *p != r; p = &(*p)->next)
		EXPLORE_ASSERT(*p != NULL);
	*p = r->next;
	explore__event_on(OBJECT_EPOCH, 0);
	TRACE("unregister", r, 0, 0, -1, NULL, "", 0);
}

void
evbus__epoch_begin(struct evbus__epoch *e, struct evbus__epoch_record *r)
{
	struct fiber *f = explore__me();

	explore__point("epoch_begin", 0);
	explore__touch(e, 8, EXPLORE_READS);
	if (explore__heap_freed(r))
		explore_fail("epoch_begin: the record has been freed");
	if (r->depth++ > 0)
		return;
	r->began = explore__event_following(OBJECT_EPOCH);
	if (ex.current != 0) {
		explore__tick(f);
		join_in(&f->clock, &e->called);
	}
	TRACE("begin", r, 0, 0, -1, NULL, "", 0);
}

void
evbus__epoch_end(struct evbus__epoch *e, struct evbus__epoch_record *r)
{
	struct fiber *f = explore__me();
	uint64_t event;
	int id;

	explore__point("epoch_end", 0);
	explore__touch(e, 8, EXPLORE_READS);
	EXPLORE_ASSERT(r->depth > 0);
	if (--r->depth > 0)
		return;
	event = explore__event_before(OBJECT_EPOCH);
	if (ex.current != 0) {
		explore__tick(f);
		join_out(&e->ended, &f->clock);
		if (explore__buffered())
			explore__buffer_section_end();
	}
	for (id = 1; id < CONTEXTS; id++) {
		if ((r->waiters & 1u << id) == 0)
			continue;
		explore__join(&ex.fiber[id].epoch, &f->clock);
		ex.fiber[id].sections--;
		explore__event_of(&ex.fiber[id], event);
	}
	r->waiters = 0;
	TRACE("end section", r, 0, 0, -1, NULL, "", 0);
}

void
evbus__epoch_synchronize(struct evbus__epoch *e,
    struct evbus__epoch_record *own)
{
	struct fiber *f = explore__me();
	struct evbus__epoch_record *r;
	uint64_t open = 0;

	explore__point("epoch_synchronize", 0);
	explore__touch(e, 8, EXPLORE_WRITES);
	if (own != NULL && own->depth > 0)
		explore_fail("synchronize inside a section of its own");
	if (ex.current == 0) {
		for (r = e->records; r != NULL; r = r->next)
			EXPLORE_ASSERT(r->depth == 0);
		return;
	}
	explore__tick(f);
	if (explore__buffered())
		explore__buffer_drain(ex.current);
	join_out(&e->called, &f->clock);
	memset(&f->epoch, 0, sizeof f->epoch);
	join_in(&f->epoch, &e->ended);
	f->sections = 0;
	for (r = e->records; r != NULL; r = r->next) {
		if (r->depth == 0 || r == own)
			continue;
		r->waiters |= 1u << ex.current;
		f->sections++;
		open += r->began;
	}
	explore__event_on(OBJECT_EPOCH, open);
	TRACE("synchronize", e, 0, 0, -1, f->sections ? "waits" : NULL, "", 0);
	if (f->sections > 0)
		explore__block(FIBER_EPOCH, e, "epoch_synchronize", 0);
	explore__tick(f);
	explore__event_woken(OBJECT_EPOCH);
	if (explore__buffered())
		explore__buffer_show_ended();
	explore__join(&f->clock, &f->epoch);
	TRACE("synchronized", e, 0, 0, -1, NULL, "", 0);
}
