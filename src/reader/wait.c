/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.c - layer 4: wait until there is something to read (F5).
 *
 * Spins for a while, then parks (WAKE in ring/park.h).  One thread waits for
 * any number of readers that share one park: a worker for all of its own.  A
 * program that waits in a loop of its own watches a descriptor instead (FD in
 * ring/watch.h).
 */
#include "reader/run.h"

/* Who looks is inside (GRACE): close does not free what is looked at. */
int
evbus__reader_ready(struct evbus_reader *reader)
{
	uint32_t places, i;
	int ready;

	if (!evbus__run_peek(reader))
		return 0;
	places = EVBUS_LOAD(&reader->places, ACQUIRE);
	ready = evbus__retained_ready(reader);
	for (i = 0; i < places && !ready; i++)
		ready = evbus__place_ready(reader->place[i]);
	evbus__run_end(reader);
	return ready;
}

static int
any_ready(struct evbus_reader *const *reader, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (evbus__reader_ready(reader[i]))
			return 1;
	return 0;
}

static void
mark_stream(const struct evbus_reader *reader, const struct evbus__place *place)
{
	evbus__park_mark(place->stream->pub.ctl);
	if (evbus__ahead_count(&reader->ahead) > 0)
		evbus__after_mark(place->stream->pub.ctl);
}

/* Tell all streams of the readers that somebody is about to sleep. */
static void
mark_streams(struct evbus_reader *const *reader, unsigned n)
{
	uint32_t places, p;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (!evbus__run_peek(reader[i]))
			continue;
		places = EVBUS_LOAD(&reader[i]->places, ACQUIRE);
		for (p = 0; p < places; p++)
			mark_stream(reader[i], reader[i]->place[p]);
		evbus__run_end(reader[i]);
	}
}

/* Until something is there, somebody nudges, or the time has passed. */
static int
spin(const struct evbus__park *park, struct evbus_reader *const *reader,
    unsigned n, int64_t until)
{
	unsigned i;

	do {
		for (i = 0; i < 32; i++) {
			if (any_ready(reader, n))
				return 1;
			EVBUS_SPIN();
		}
		evbus__os_yield();
	} while (EVBUS_LOAD(&park->nudged, RELAXED) == 0 &&
	    evbus__os_now() < until);
	return any_ready(reader, n);
}

/*
 * 1: something is there; 2: nudged; 0: the deadline has passed.
 */
int
evbus__wait_any(struct evbus__park *park, struct evbus_reader *const *reader,
    unsigned n, int64_t spin_ns, int64_t deadline)
{
	int timed;

	if (any_ready(reader, n))
		return 1;
	if (spin_ns > 0 &&
	    spin(park, reader, n, evbus__slice(spin_ns, deadline)))
		return 1;
	do {
		/* WAKE: word, attention, heavy fence, second look. */
		evbus__park_arm(park);
		EVBUS__DELAY(wait_arm);
		mark_streams(reader, n);
		EVBUS__DELAY(wait_mark);
		evbus__fence_heavy();
		if (any_ready(reader, n)) {
			evbus__park_disarm(park);
			return 1;
		}
		if (evbus__park_nudged(park)) {
			evbus__park_disarm(park);
			return 2;
		}
		if (n > 0)
			EVBUS_STORE(&reader[0]->entry->parks,
			    reader[0]->entry->parks + 1, RELAXED);
		EVBUS__DELAY(wait_sleep);
		timed = evbus__park_sleep(park, deadline);
		if (any_ready(reader, n))
			return 1;
		if (evbus__park_nudged(park))
			return 2;
	} while (timed != EVBUS_ETIMEDOUT && !evbus__has_passed(deadline));
	return 0;
}

/* A few looks, then let others run. */
int
evbus__wait_spinning(const struct evbus__park *park,
    struct evbus_reader *const *reader, unsigned n)
{
	return spin(park, reader, n, 0);
}

int
evbus__wait_ready(struct evbus_reader *const *reader, unsigned n)
{
	return any_ready(reader, n);
}

/*
 * All that was there has been looked at: from now on the descriptor tells.
 */
void
evbus__wait_watched(struct evbus__watch *watch, struct evbus__park *park,
    struct evbus_reader *const *reader, unsigned n)
{
	if (evbus__watch_stands(watch, park))
		return;
	/* FD, WAKE: count, word, attention, heavy fence, second look. */
	evbus__watch_arm(watch, park);
	EVBUS__DELAY(watch_arm);
	mark_streams(reader, n);
	EVBUS__DELAY(watch_mark);
	evbus__fence_heavy();
	if (any_ready(reader, n) || evbus__park_nudged(park))
		evbus__watch_show(watch, park);
}

static int
check_wait(const struct evbus_reader *reader, int64_t timeout_ns)
{
	if (reader == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_wait: reader is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	if (reader->worker != NULL)
		return evbus__refuse_worker(reader);
	if (reader->run_by == EVBUS__RUN_WATCHED)
		return evbus__fail(EVBUS_EBUSY, "a loop watches the descriptor "
		    "of reader \"%s\": it is there that one waits",
		    reader->entry->name);
	return 0;
}

/*
 * S3: in each of its streams it stands after a reader that this thread runs, and
 * that one has not gone beyond it: whatever comes, it does not come here before
 * this thread polls.
 */
static int
waits_for_own(const struct evbus_reader *reader,
    const struct evbus_publisher *self)
{
	const struct evbus__place *place;
	uint32_t places, i;

	if (evbus__ahead_count(&reader->ahead) == 0)
		return 0;
	places = EVBUS_LOAD(&reader->places, ACQUIRE);
	for (i = 0; i < places; i++) {
		place = reader->place[i];
		if (!evbus__after_own(place->stream, place->ahead, place->next,
		    self))
			return 0;
	}
	return places > 0;
}

/* Its thread is inside the reader. */
static int
check_own(const struct evbus_reader *reader, const struct evbus_publisher *self)
{
	return !waits_for_own(reader, self) ? 0 : evbus__fail(EVBUS_EDEADLK,
	    "reader \"%s\" stands after one that this thread runs, and that "
	    "is not ahead of it: poll that one first, or wait for it",
	    reader->entry->name);
}

/* As evbus__wait_any(), or a refusal. */
static int
wait_once(struct evbus_reader *reader, int64_t timeout_ns, int64_t deadline)
{
	struct evbus_publisher *self;
	int error;

	/* Entering tells who runs the reader, and whether it may. */
	error = evbus__run_begin(reader, &self);
	if (error != 0)
		return error;
	if (timeout_ns != 0)
		error = check_own(reader, self);
	evbus__run_leave(reader, self);
	if (error != 0)
		return error;
	return timeout_ns == 0 ? evbus__reader_ready(reader) :
	    evbus__wait_any(reader->park, &reader, 1, reader->spin_ns,
	    deadline);
}

int
evbus_wait(struct evbus_reader *reader, int64_t timeout_ns)
{
	int64_t deadline = evbus__deadline(timeout_ns);
	struct evbus_publisher *self;
	int result = check_wait(reader, timeout_ns);

	if (result != 0)
		return result;
	self = evbus__self(reader->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(reader->context, self);
	do
		result = wait_once(reader, timeout_ns, deadline);
	while (result == 2);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	return result;
}
