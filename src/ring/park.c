/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * park.c - layer 1: see park.h.
 */
#include <evbus/ring.h>

#include "ring/park.h"

void
evbus__park_arm(struct evbus__park *park)
{
	EVBUS_STORE(&park->word, EVBUS__PARK_SLEEPS, RELAXED);
}

void
evbus__park_mark(struct evbus_ring_ctl *ctl)
{
	/*
	 * WAKE: release, so that who takes attention sees word == 1.  Partner:
	 * the exchange in evbus__wake_readers() (stream/wake.c).  Weaker, it
	 * would clear attention and find nobody to wake.
	 */
	(void)EVBUS_FETCH_OR(&ctl->attention, 1, RELEASE);
}

int
evbus__park_sleep(struct evbus__park *park, int64_t deadline_ns)
{
	int result = evbus__futex_wait(&park->word, EVBUS__PARK_SLEEPS,
	    deadline_ns);

	evbus__park_disarm(park);
	return result;
}

void
evbus__park_disarm(struct evbus__park *park)
{
	EVBUS_STORE(&park->word, EVBUS__PARK_AWAKE, RELAXED);
}

int
evbus__park_nudged(struct evbus__park *park)
{
	if (EVBUS_LOAD(&park->nudged, RELAXED) == 0)
		return 0;
	/* NUDGE: acquire: what the nudger wrote before is seen after. */
	return (int)EVBUS_XCHG(&park->nudged, 0, ACQUIRE);
}

int
evbus__park_wake(struct evbus__park *park)
{
	uint32_t was;

	if (EVBUS_LOAD(&park->word, RELAXED) == EVBUS__PARK_AWAKE)
		return 0;
	was = EVBUS_XCHG(&park->word, EVBUS__PARK_AWAKE, RELAXED);
	if (was == EVBUS__PARK_AWAKE)
		return 0;
	EVBUS__DELAY(park_wake);
	if (was == EVBUS__PARK_SLEEPS)
		evbus__futex_wake(&park->word, 1);
	else
		evbus__os_event_signal((int)(was - EVBUS__PARK_EVENT));
	return 1;
}

void
evbus__park_nudge(struct evbus__park *park)
{
	/* NUDGE: release, partner evbus__park_nudged(); the heavy fence makes
	 * the sleeper's second look see it, or this wake see the sleeper. */
	(void)EVBUS_XCHG(&park->nudged, 1, RELEASE);
	EVBUS__DELAY(park_nudge);
	evbus__fence_heavy();
	(void)evbus__park_wake(park);
}
