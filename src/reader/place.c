/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.c - layer 4: a reader's cursor in one stream.
 *
 * The private cursor runs ahead; the shared one, which gates producers, is
 * stored at the end of each stretch of events, and after each event while a
 * publisher waits (F3).
 */
#include "reader/reader.h"

struct evbus__place *
evbus__reader_place(const struct evbus_reader *reader,
    const struct evbus__stream *stream)
{
	uint32_t i, places = EVBUS_LOAD(&reader->places, ACQUIRE);

	for (i = 0; i < places; i++)
		if (reader->place[i]->stream == stream)
			return reader->place[i];
	return NULL;
}

static void
free_place(struct evbus__context *context, struct evbus__place *place)
{
	if (place->copy != NULL)
		evbus__free(context, place->copy, (size_t)EVBUS__COPY_BATCH <<
		    place->stream->pub.shift);
	evbus__free(context, place, sizeof *place);
}

void
evbus__places_free(struct evbus_reader *reader)
{
	for (; reader->left > 0; reader->left--)
		free_place(reader->context, reader->place[reader->left - 1]);
}

/* A cursor of its own in the place's stream. */
static int
join_alone(struct evbus_reader *reader, struct evbus_publisher *self,
    struct evbus__place *place, enum evbus_start start)
{
	struct evbus__stream *stream = place->stream;
	struct evbus__member member = {
		.cursor = place->cursor,
		.reader = reader->entry,
		.park = reader->park,
		.max_lag = reader->max_lag <= stream->pub.mask ?
		    reader->max_lag : stream->pub.mask + 1,
		.stall_ns = reader->stall_ns,
		.where = &reader->where,
		.ahead = &reader->ahead,
	};
	int error;

	if (reader->copies) {
		place->copy = evbus__alloc(reader->context,
		    (size_t)EVBUS__COPY_BATCH << stream->pub.shift);
		if (place->copy == NULL)
			return evbus__fail(EVBUS_ENOMEM,
			    "no memory for a reader's copies");
	}
	error = evbus__stream_join(stream, self, &member, reader->lossy,
	    (int)start, reader->start_sequence);
	if (error != 0)
		return error;
	place->next = place->cursor->start;
	if (evbus__ahead_count(place->ahead) > 0)
		place->until = place->next;
	/*
	 * A lossless cursor holds the gate from now on; what lies below the
	 * tail may have been taken back before it came, or is being so now.
	 */
	place->pin_below = reader->copies ? UINT64_MAX :
	    EVBUS_LOAD(&stream->pub.ctl->tail, RELAXED);
	return 0;
}

int
evbus__reader_join(struct evbus_reader *reader, struct evbus_publisher *self,
    struct evbus__stream *stream, enum evbus_start start)
{
	struct evbus__context *context = reader->context;
	struct evbus__readers *readers = context->readers;
	struct evbus__place *place;
	uint32_t places = reader->places;
	uint64_t index = (uint64_t)reader->index * readers->max_streams +
	    stream->pub.number - 1;
	int error;

	place = evbus__alloc(context, sizeof *place);
	if (place == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a cursor");
	place->stream = stream;
	place->look = 1;
	place->room = 1;
	place->refill = evbus__copy_refill;
	place->calls_of = reader->entry;
	place->ahead = &reader->ahead;
	place->where = &reader->where;
	place->uncovered = UINT64_MAX;
	place->until = UINT64_MAX;
	place->cursor = evbus__map_entry(context->map, EVBUS__TABLE_CURSORS,
	    index);
	place->cursor->reader = reader->index;
	place->cursor->stream = stream->pub.number;
	error = reader->group == NULL ?
	    join_alone(reader, self, place, start) :
	    readers->groups->join(reader, self, place, start);
	if (error != 0) {
		free_place(context, place);
		return error;
	}
	evbus__map_used(context->map, EVBUS__TABLE_CURSORS, index);
	reader->place[places] = place;
	/* Release, partner: acquire where places is read. */
	EVBUS_STORE(&reader->places, places + 1, RELEASE);
	/* Who sleeps has not marked this stream. */
	evbus__park_nudge(reader->park);
	return 0;
}

void
evbus__place_publish(struct evbus__place *place)
{
	uint32_t waiters;

	EVBUS_ASSERT(place->next >= place->cursor->next);
	EVBUS__DELAY(cursor);
	/*
	 * GATE: release, partner lowest() in stream/gate.c: what was read of
	 * the slots happens before they are written again.
	 * AFTER: partner look_at() in stream/after.c: what handlers did happens
	 * before those behind see the event.
	 */
	EVBUS_STORE(&place->cursor->next, place->next, RELEASE);
	EVBUS__DELAY(cursor_moved);
	/* SPACE, AFTER and STALL: cursor, light fence, waiters; see wake.c,
	 * after.c and stall.c in stream/. */
	EVBUS_FENCE_LIGHT(place->stream->pub.fence_full);
	waiters = EVBUS_LOAD(&place->stream->pub.ctl->waiters, RELAXED);
	/* Of a lossy reader only those behind it can have waited. */
	if (evbus_unlikely(waiters != 0) && (!place->cursor->lossy ||
	    (waiters & EVBUS__WAITS_AFTER) != 0))
		evbus__cursor_wake(place->stream, place->cursor, place->where,
		    place->cursor->lossy ? EVBUS__WAITS_AFTER : waiters);
}

/* Add to a counter that only this thread writes and others may read. */
static void
count(uint64_t *counter, uint64_t *n)
{
	if (*n == 0)
		return;
	EVBUS_STORE(counter, *counter + *n, RELAXED);
	*n = 0;
}

void
evbus__place_counters(struct evbus__place *place)
{
	struct evbus__cursor *cursor = place->cursor;

	count(&cursor->delivered, &place->delivered);
	count(&cursor->skipped, &place->skipped);
	count(&cursor->holes, &place->holes);
	count(&cursor->lost, &place->gone);
	count(&place->calls_of->calls, &place->calls);
	EVBUS_STORE(&cursor->seen, place->next - place->others, RELAXED);
	/* D2, at every batch end. */
	EVBUS_ASSERT(cursor->delivered + cursor->skipped + cursor->holes +
	    cursor->lost == place->next - place->others - cursor->start);
}

int
evbus__place_ready(const struct evbus__place *place)
{
	uint64_t stamp, next;

	if (evbus__ahead_count(place->ahead) > 0 && !evbus__place_may_go(place))
		return 0;
	if (place->batch_at < place->batch)
		return 1;
	if (place->shared != NULL) {
		if (!EVBUS_LOAD(&place->armed, RELAXED))
			return 0;
		/*
		 * A cursor that has moved since is as good: whoever commits the
		 * event that it was at wakes who sleeps (GROUP).
		 */
		next = EVBUS_LOAD(&place->shared->next, RELAXED);
		return EVBUS_LOAD(&evbus__slot(&place->stream->pub,
		    next)->stamp, RELAXED) > next || EVBUS_LOAD(
		    &place->shared->handed, RELAXED) != EVBUS__CURSOR_GONE;
	}
	stamp = EVBUS_LOAD(&evbus__slot(&place->stream->pub,
	    place->next)->stamp, RELAXED);
	/* A reader that was lapped sees a later lap's stamp. */
	return stamp == place->next + 1 ||
	    (place->copy != NULL && stamp > place->next + 1);
}
