/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * next.c - layer 4: events one by one, without handlers being called.
 *
 * The event lies in its slot (or in a copy of it), and the cursor
 * stands before it until evbus_done().
 */
#include "reader/run.h"

/* Does any subscription want the event? */
static int
is_wanted(const struct evbus__matches *matches, uint64_t sequence)
{
	uint32_t i;

	for (i = 0; i < matches->count; i++)
		if (sequence >= matches->match[i].start &&
		    !EVBUS_LOAD(&matches->match[i].subscription->dead, RELAXED))
			return 1;
	return 0;
}

/* Describe the event in the slot; 0: a hole, unwanted, or gone; -1: it stays in
 * the hand of a member of a group that is being closed. */
static int
take_slot(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header)
{
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);
	const struct evbus__matches *matches;

	if (evbus__meta_flags(meta) & EVBUS_SLOT_HOLE) {
		place->holes++;
		return 0;
	}
	/* TABLE: acquire, partner replace() in dispatch.c. */
	matches = EVBUS_LOAD(&reader->table[evbus__meta_topic(meta)], ACQUIRE);
	EVBUS__DELAY(next_table);
	if (matches == NULL || !is_wanted(matches, place->next)) {
		if (matches != NULL && place->shared != NULL)
			return -1;
		evbus__unpin(place);
		place->skipped++;
		return 0;
	}
	evbus__describe(reader, place, header, matches->topic, place->next);
	if ((evbus__meta_flags(meta) & EVBUS_SLOT_OUTSIDE) &&
	    !evbus__describe_outside(reader, place, header)) {
		evbus__place_lose(place, 1);
		return 0;
	}
	return 1;
}

static const struct evbus_header *
slot_there(struct evbus__place *place)
{
	const struct evbus_header *header;

	if (place->copy != NULL)
		return evbus__copy_next(place);
	header = evbus__slot(&place->stream->pub, place->next);
	/* STAMP: acquire, partner evbus__stamp(). */
	if (EVBUS_LOAD(&header->stamp, ACQUIRE) != place->next + 1)
		return NULL;
	/* Have the line of an event to come before it is written. */
	EVBUS_PREFETCH_READ((const unsigned char *)header + EVBUS__AHEAD);
	return header;
}

/* The next wanted event of one stream, or nothing; if `ordered`, of `room`
 * sequences. */
static inline int
next_of(struct evbus_reader *reader, struct evbus__place *place, int ordered,
    uint64_t room)
{
	uint64_t first = place->next;
	const struct evbus_header *header;
	int found = 0;

	for (;;) {
		/* A lossy one may jump over some. */
		if (ordered && place->next - first >= room)
			break;
		header = slot_there(place);
		if (header == NULL)
			break;
		found = take_slot(reader, place, header);
		if (found)
			break;
		place->next++;
	}
	if (place->next != first) {
		evbus__place_publish(place);
		evbus__place_counters(place);
	}
	return found > 0;
}

static int
next_in(struct evbus_reader *reader, struct evbus__place *place)
{
	unsigned room;
	int found;

	if (evbus_likely(evbus__ahead_count(&reader->ahead) == 0))
		return next_of(reader, place, 0, 0);
	do {
		room = evbus__place_room_left(place);
		found = next_of(reader, place, 1, room);
	} while (!found && room > 0);
	return found;
}

/* The held event is done with; the caller runs the reader. */
void
evbus__finish_held(struct evbus_reader *reader, struct evbus_publisher *self)
{
	struct evbus__place *place = reader->held;

	if (place == NULL && reader->held_snapshot == NULL)
		return;
	if (self->depth == 0)
		self->cause = 0;
	if (reader->held_snapshot != NULL) {
		evbus__retained_done(reader);
		return;
	}
	reader->held = NULL;
	evbus__unpin(place);
	place->delivered++;
	place->lost = 0;
	place->next++;
	evbus__place_publish(place);
	evbus__place_counters(place);
}

/* Hold the next wanted event of any stream, if there is one. */
static int
hold_next(struct evbus_reader *reader)
{
	uint32_t places = EVBUS_LOAD(&reader->places, ACQUIRE), i;

	for (i = 0; i < places && reader->held == NULL; i++) {
		if (reader->turn >= places)
			reader->turn = 0;
		if (next_in(reader, reader->place[reader->turn]))
			reader->held = reader->place[reader->turn];
		reader->turn++;
	}
	return reader->held != NULL;
}

/*
 * What was kept comes before what follows (RETAIN), also before an event that
 * was found already: that one is found again.
 */
static int
hold_retained(struct evbus_reader *reader)
{
	struct evbus__place *place = reader->held;

	if (evbus_likely(EVBUS_LOAD(&reader->retained, RELAXED) == 0) ||
	    !evbus__retained_hold(reader))
		return 0;
	if (place != NULL) {
		evbus__unpin(place);
		if (place->copy != NULL)
			place->batch_at--;
		reader->held = NULL;
	}
	return 1;
}

const struct evbus_event *
evbus_next(struct evbus_reader *reader)
{
	struct evbus_publisher *self;
	int held;

	if (reader == NULL) {
		(void)evbus__fail(EVBUS_EINVAL, "evbus_next: reader is NULL");
		return NULL;
	}
	if (reader->worker != NULL) {
		(void)evbus__refuse_worker(reader);
		return NULL;
	}
	if (evbus__run_begin(reader, &self) != 0)
		return NULL;
	evbus__finish_held(reader, self);
	held = hold_retained(reader);
	if (!held) {
		held = hold_next(reader);
		if (held)
			(void)hold_retained(reader);
	}
	/* In a handler, the cause is the handler's event. */
	if (held && self->depth == 0)
		self->cause = EVBUS_CAUSE(reader->event.stream,
		    reader->event.sequence);
	evbus__run_leave(reader, self);
	if (held)
		return &reader->event;
	if (reader->run_by == EVBUS__RUN_WATCHED)
		evbus__wait_watched(&reader->watch, reader->park, &reader, 1);
	return NULL;
}

void
evbus_done(struct evbus_reader *reader)
{
	struct evbus_publisher *self;

	if (reader == NULL || reader->worker != NULL ||
	    evbus__run_begin(reader, &self) != 0)
		return;
	evbus__finish_held(reader, self);
	evbus__run_leave(reader, self);
}
