/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c - layer 1: see watch.h.
 */
#include "ring/watch.h"

int
evbus__watch_open(struct evbus__watch *watch)
{
	int error;

	if (watch->open)
		return 0;
	error = evbus__os_event_open(&watch->fd);
	if (error != 0)
		return error;
	watch->open = 1;
	evbus__os_event_signal(watch->fd);
	watch->owed = 1;
	return 0;
}

void
evbus__watch_close(struct evbus__watch *watch)
{
	if (watch->open)
		evbus__os_event_close(watch->fd);
	watch->open = 0;
}

int
evbus__watch_stands(struct evbus__watch *watch, struct evbus__park *park)
{
	/* FD: a read-modify-write, see 5. */
	return watch->armed && watch->owed == 0 &&
	    EVBUS_FETCH_OR(&park->word, 0, RELAXED) != EVBUS__PARK_AWAKE;
}

/* FD: whoever takes the word adds to the count; 1: a waker has taken it. */
static int
is_taken(struct evbus__watch *watch, struct evbus__park *park)
{
	watch->armed = 0;
	if (EVBUS_XCHG(&park->word, EVBUS__PARK_AWAKE, RELAXED) !=
	    EVBUS__PARK_AWAKE)
		return 0;
	watch->owed++;
	return 1;
}

void
evbus__watch_arm(struct evbus__watch *watch, struct evbus__park *park)
{
	if (watch->armed)
		(void)is_taken(watch, park);
	watch->owed -= evbus__os_event_clear(watch->fd);
	EVBUS__DELAY(watch_cleared);
	watch->armed = 1;
	EVBUS_STORE(&park->word, (uint32_t)watch->fd + EVBUS__PARK_EVENT,
	    RELAXED);
}

void
evbus__watch_show(struct evbus__watch *watch, struct evbus__park *park)
{
	/* One that is not armed is readable, or about to be. */
	if (!watch->armed || is_taken(watch, park))
		return;
	evbus__os_event_signal(watch->fd);
	watch->owed++;
}
