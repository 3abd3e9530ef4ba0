/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * after.c - layer 4: a reader that stands after others (D4).
 *
 * How far it may go is looked up in stream/after.c (AFTER).  Here: whom it may
 * stand after, who is taken out of its list, and what a poll makes of the look.
 *
 * A reader names others when it is opened, and they are open then; the list is
 * not changed later, but for those that close.  So the readers that it stands
 * after, and those that they stand after, were all opened before it: there is
 * no cycle that could be refused.
 */
#include "reader/reader.h"

_Static_assert(EVBUS_AFTER_MAX == EVBUS__AHEAD_MAX, "one limit");

/* Is it a reader of this bus?  A pointer that is none is not followed. */
static int
is_known(const struct evbus__readers *readers,
    const struct evbus_reader *reader)
{
	uint32_t i;

	for (i = 0; i < readers->opened; i++)
		if (readers->reader[i] == reader)
			return 1;
	return 0;
}

static int
check_one(const struct evbus__readers *readers,
    const struct evbus_reader_options *options, uint32_t i)
{
	const struct evbus_reader *reader = options->after[i];

	if (reader == NULL)
		return evbus__fail(EVBUS_EINVAL, "after[%u] is NULL", i);
	if (!is_known(readers, reader))
		return evbus__fail(EVBUS_EINVAL, "after[%u] is no reader of "
		    "this bus", i);
	if (EVBUS_LOAD(&reader->state, RELAXED) != EVBUS__READER_OPEN)
		return evbus__fail(EVBUS_ECLOSED, "after[%u] is closed: a "
		    "reader can stand only after readers that are open", i);
	if (reader->group != NULL)
		return evbus__fail(EVBUS_EINVAL, "after[%u], reader \"%s\", is "
		    "a member of a group: what others of it have in hand is "
		    "not known", i, reader->entry->name);
	if (reader->copies && !options->allow_uncovered)
		return evbus__fail(EVBUS_EINVAL, "after[%u], reader \"%s\", "
		    "is lossy or has max_lag or stall_ns: it may miss events; "
		    "to stand after it all the same, set allow_uncovered", i,
		    reader->entry->name);
	return 0;
}

int
evbus__after_check(const struct evbus__readers *readers,
    const struct evbus_reader_options *options)
{
	uint32_t i;
	int error = 0;

	if ((options->after == NULL) != (options->after_count == 0))
		return evbus__fail(EVBUS_EINVAL, "after is %s, but after_count "
		    "is %u", options->after == NULL ? "NULL" : "given",
		    options->after_count);
	if (options->after_count > EVBUS_AFTER_MAX)
		return evbus__fail(EVBUS_EINVAL, "after_count is %u; a reader "
		    "can stand after %d others", options->after_count,
		    EVBUS_AFTER_MAX);
	for (i = 0; i < options->after_count && error == 0; i++)
		error = check_one(readers, options, i);
	return error;
}

void
evbus__after_set(struct evbus_reader *reader,
    const struct evbus_reader_options *options)
{
	struct evbus__ahead *ahead = &reader->ahead;
	uint32_t i;

	for (i = 0; i < options->after_count; i++)
		EVBUS_STORE(&ahead->reader[i], options->after[i]->index + 1,
		    RELAXED);
	EVBUS_STORE(&ahead->count, options->after_count, RELAXED);
}

/* Take one out of a reader's list; 1: it was in there. */
static int
forget(struct evbus__ahead *ahead, uint32_t index)
{
	uint32_t i, found = 0;

	for (i = 0; i < evbus__ahead_count(ahead); i++) {
		if (EVBUS_LOAD(&ahead->reader[i], RELAXED) != index + 1)
			continue;
		/* AFTER: before its cursors are used again, under the lock;
		 * partner look_at() in stream/after.c. */
		EVBUS_STORE(&ahead->reader[i], 0, RELAXED);
		found = 1;
	}
	return (int)found;
}

void
evbus__after_leave(struct evbus_reader *gone)
{
	struct evbus__readers *readers = gone->context->readers;
	struct evbus_reader *reader;
	uint32_t i;

	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (!forget(&reader->ahead, gone->index))
			continue;
		EVBUS__DELAY(after_leave);
		/* NUDGE: it looks again, and the list first. */
		evbus__park_nudge(reader->park);
	}
}

int
evbus__after_any(const struct evbus_reader *reader)
{
	uint32_t i;

	for (i = 0; i < evbus__ahead_count(&reader->ahead); i++)
		if (EVBUS_LOAD(&reader->ahead.reader[i], RELAXED) != 0)
			return 1;
	return 0;
}

/* How far it may go, at most to `until`. */
static uint64_t
look(const struct evbus__place *place, uint64_t until, uint64_t *uncovered)
{
	*uncovered = EVBUS_LOAD(&place->uncovered, RELAXED);
	return evbus__after_until(place->stream, place->ahead, place->next,
	    until, uncovered);
}

/* What may be passed without another look stays so: it was there, and those
 * ahead done with it. */
static unsigned
room_below(const struct evbus__place *place, unsigned most)
{
	if (place->until <= place->next)
		return 0;
	return place->until - place->next < most ?
	    (unsigned)(place->until - place->next) : most;
}

unsigned
evbus__place_room(struct evbus__place *place, unsigned most)
{
	uint64_t uncovered, until;

	until = look(place, place->next + most, &uncovered);
	EVBUS_STORE(&place->uncovered, uncovered, RELAXED);
	place->flags = place->next >= uncovered ? EVBUS_EVENT_UNCOVERED : 0;
	/* Where the flag changes a poll ends. */
	if (place->flags == 0 && uncovered < until)
		until = uncovered;
	place->until = until;
	return room_below(place, most);
}

unsigned
evbus__place_room_left(struct evbus__place *place)
{
	unsigned room = room_below(place, EVBUS__LOOK_MAX);

	return room > 0 ? room : evbus__place_room(place, EVBUS__LOOK_MAX);
}

int
evbus__place_may_go(const struct evbus__place *place)
{
	uint64_t uncovered;

	return look(place, place->next + 1, &uncovered) > place->next;
}
