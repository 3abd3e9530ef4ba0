/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - layer 5: a group's place in one stream: members join and leave, and
 * what they have in hand when they leave goes to others.
 *
 * The bus's lock is held, and nobody runs the member that leaves.
 *
 * Join: the group's cursor joins once, as that of a lossless reader does
 * (stream/set.c).  A member's own cursor gates nobody.  It is in the set so
 * that the member is woken, that its pin is seen, and that a flush sees what it
 * has in hand; the join waits for a grace period, so that a flush that looks at
 * the set without it has looked before it could claim.
 *
 * Hand-over (GROUP).  The copies are copied once more, into memory that every
 * member brought along, since whoever held the event may still look at it.  A
 * flush must not miss them on their way from the member's hand to the list, and
 * from there to the next member's: `moves` is odd meanwhile (a sequence lock),
 * and who waits is woken afterwards.
 *
 * A payload outside its slot was pinned by the member who leaves.  While it
 * waits for another hand its entry is one that is taken, as if somebody were
 * about to publish it: nobody takes it back.  Who takes the batch pins the
 * payload and makes the entry what it was.
 *
 * Memory: a batch for each member.  A member hands over what it claimed; before
 * it can claim again it has seen what was handed over (OWNER in reader/run.c),
 * and has taken some of that, or others have.  So no more batches
 * are ever in the list than there are members, and those that have left.
 */
#include <string.h>

#include "group/group.h"

static size_t
copy_size(const struct evbus__share *share)
{
	return (size_t)EVBUS__COPY_BATCH << share->stream->pub.shift;
}

static void
free_batch(struct evbus__share *share, struct evbus__batch *batch)
{
	struct evbus__context *context = share->stream->context;

	if (batch->copy != NULL)
		evbus__free(context, batch->copy, copy_size(share));
	evbus__free(context, batch, sizeof *batch);
}

static void
push_spare(struct evbus__share *share, struct evbus__batch *batch)
{
	batch->next = share->spare;
	share->spare = batch;
	share->spares++;
}

static struct evbus__batch *
pop_spare(struct evbus__share *share)
{
	struct evbus__batch *batch = share->spare;

	EVBUS_ASSERT(batch != NULL);
	share->spare = batch->next;
	share->spares--;
	return batch;
}

/* As many spares as there are members; 0 or EVBUS_ENOMEM. */
static int
fit_spares(struct evbus__share *share, uint32_t members)
{
	struct evbus__context *context = share->stream->context;
	struct evbus__batch *batch;

	while (share->spares > members)
		free_batch(share, pop_spare(share));
	while (share->spares < members) {
		batch = evbus__alloc(context, sizeof *batch);
		if (batch != NULL)
			batch->copy = evbus__alloc(context, copy_size(share));
		if (batch == NULL || batch->copy == NULL) {
			if (batch != NULL)
				free_batch(share, batch);
			return evbus__fail(EVBUS_ENOMEM,
			    "no memory for a member's copies");
		}
		push_spare(share, batch);
	}
	return 0;
}

/* The group itself joins the stream. */
static int
make_share(struct evbus__group *group, struct evbus_publisher *self,
    struct evbus__stream *stream, enum evbus_start start)
{
	struct evbus__context *context = stream->context;
	struct evbus_reader *stand = group->stand;
	uint64_t index = (uint64_t)stand->index *
	    context->readers->max_streams + stream->pub.number - 1;
	struct evbus__member member = {
		.reader = stand->entry, .park = stand->park,
		.where = &group->where, .group = group,
		.ahead = &stand->ahead,
	};
	struct evbus__share *share;
	int error;

	share = evbus__alloc(context, sizeof *share);
	if (share == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a group");
	share->group = group;
	share->stream = stream;
	share->cursor = evbus__map_entry(context->map, EVBUS__TABLE_CURSORS,
	    index);
	share->cursor->reader = stand->index;
	share->cursor->stream = stream->pub.number;
	EVBUS_STORE(&share->cursor->handed, EVBUS__CURSOR_GONE, RELAXED);
	member.cursor = share->cursor;
	error = evbus__stream_join(stream, self, &member, 0, (int)start,
	    group->start_sequence);
	if (error != 0) {
		evbus__free(context, share, sizeof *share);
		return error;
	}
	evbus__map_used(context->map, EVBUS__TABLE_CURSORS, index);
	group->share[stream->pub.number - 1] = share;
	group->shares++;
	return 0;
}

/* A cursor that gates nobody, with nothing in hand. */
static int
join_set(struct evbus_reader *reader, struct evbus_publisher *self,
    struct evbus__place *place, const struct evbus__share *share)
{
	struct evbus__cursor *cursor = place->cursor;
	struct evbus__member member = {
		.cursor = cursor, .reader = reader->entry,
		.park = reader->park, .where = &reader->where,
		.ahead = &reader->ahead, .group = reader->group,
	};
	uint64_t next;
	int error;

	EVBUS_STORE(&cursor->until, 0, RELAXED);
	error = evbus__stream_join(share->stream, self, &member, 1,
	    EVBUS_START_NOW, 0);
	if (error != 0)
		return error;
	/* It tells its steps: a flush may wait for them. */
	cursor->lossy = 0;
	cursor->start = 0;
	EVBUS_STORE(&cursor->seen, 0, RELAXED);
	next = EVBUS_LOAD(&share->cursor->next, RELAXED);
	EVBUS_STORE(&cursor->next, next, RELAXED);
	place->next = next;
	place->others = next;
	return 0;
}

int
evbus__share_join(struct evbus_reader *reader, struct evbus_publisher *self,
    struct evbus__place *place, enum evbus_start start)
{
	struct evbus__group *group = reader->group;
	uint32_t number = place->stream->pub.number;
	struct evbus__share *share;
	int error = 0;

	if (group->share[number - 1] == NULL)
		error = make_share(group, self, place->stream, start);
	if (error != 0)
		return error;
	share = group->share[number - 1];
	place->copy = evbus__alloc(reader->context, copy_size(share));
	if (place->copy == NULL)
		return evbus__fail(EVBUS_ENOMEM,
		    "no memory for a member's copies");
	error = fit_spares(share, share->members + 1);
	if (error == 0)
		error = join_set(reader, self, place, share);
	if (error != 0)
		return error;
	EVBUS_STORE(&share->members, share->members + 1, RELAXED);
	place->share = share;
	place->shared = share->cursor;
	place->refill = evbus__share_claim;
	/* Seen with the place itself. */
	EVBUS_STORE(&place->armed, reader->member == EVBUS__MEMBER_IN, RELAXED);
	return 0;
}

/* What a flush looks at changes, until evbus__moved(). */
static void
begin_move(struct evbus__stream *stream)
{
	EVBUS_STORE(&stream->moves, stream->moves + 1, RELAXED);
	/* GROUP: who sees a part of the change sees that it is one. */
	EVBUS_FENCE(RELEASE);
	EVBUS__DELAY(move_begun);
}

static void
end_move(struct evbus__share *share)
{
	struct evbus__stream *stream = share->stream;
	const struct evbus__batch *batch;
	uint64_t low = EVBUS__CURSOR_GONE;

	for (batch = share->handed; batch != NULL; batch = batch->next)
		if (batch->at < low)
			low = batch->at;
	EVBUS_STORE(&share->cursor->handed, low, RELAXED);
	EVBUS__DELAY(move_ends);
	/* GROUP: release, partner evbus__passed_now(). */
	EVBUS_STORE(&stream->moves, stream->moves + 1, RELEASE);
	evbus__space_wake(stream->pub.ctl);
}

/* Who waits for work looks for it. */
static void
nudge_members(const struct evbus__group *group)
{
	struct evbus__readers *readers = group->stand->context->readers;
	uint32_t i;

	for (i = 0; i < readers->opened; i++)
		if (readers->reader[i]->group == group &&
		    EVBUS_LOAD(&readers->reader[i]->state, RELAXED) ==
		    EVBUS__READER_OPEN)
			evbus__park_nudge(readers->reader[i]->park);
}

static void
fill_batch(struct evbus__batch *batch, const struct evbus__place *place)
{
	struct evbus_outside outside;
	uint32_t last = place->batch - 1;

	batch->first = place->batch_first;
	batch->at = place->next;
	batch->end = place->batch_first + place->batch;
	batch->ticket = place->pinned;
	memcpy(batch->copy, place->copy,
	    (size_t)place->batch << place->stream->pub.shift);
	if (batch->ticket == 0)
		return;
	/* It is the last one that has a payload outside. */
	memcpy(&outside, (const unsigned char *)evbus__copied(place, last) +
	    place->stream->pub.header_size, sizeof outside);
	batch->entry = outside.entry;
	evbus__outside_keep(&place->stream->outside, batch->entry,
	    batch->ticket);
}

uint64_t
evbus__share_hand_over(struct evbus__place *place)
{
	struct evbus__share *share = place->share;
	uint64_t end = place->batch_first + place->batch;
	struct evbus__batch *batch, **at;

	if (place->batch == 0 || place->next >= end)
		return 0;
	batch = pop_spare(share);
	fill_batch(batch, place);
	begin_move(place->stream);
	batch->next = NULL;
	for (at = &share->handed; *at != NULL; at = &(*at)->next)
		continue;
	*at = batch;
	EVBUS_STORE(&place->cursor->next, end, RELAXED);
	end_move(share);
	place->batch = 0;
	place->batch_at = 0;
	evbus__unpin(place);
	share->group->redelivered += end - batch->at;
	nudge_members(share->group);
	return end - batch->at;
}

/* The member puts its own, empty memory in the place of what it takes. */
static void
take_batch(struct evbus__place *place, struct evbus__batch *batch)
{
	unsigned char *copy = place->copy;

	place->copy = batch->copy;
	batch->copy = copy;
	place->others += batch->at - place->next;
	place->next = batch->at;
	place->batch_first = batch->first;
	place->batch = (uint32_t)(batch->end - batch->first);
	place->batch_at = (uint32_t)(batch->at - batch->first);
	place->pin_below = batch->ticket != 0 ? 0 : UINT64_MAX;
	place->flags = EVBUS_EVENT_REDELIVERED;
	if (batch->ticket == 0)
		return;
	/* HOLD is a release: who sees the entry held sees the pin. */
	/* PIN: release, as in evbus__pin(): done with what it pinned before. */
	EVBUS_STORE(&place->cursor->pin, batch->ticket, RELEASE);
	place->pinned = batch->ticket;
	(void)evbus__outside_hold(&place->stream->outside, batch->entry,
	    batch->ticket >> EVBUS__OUTSIDE_BITS);
}

int
evbus__share_take(struct evbus__place *place)
{
	struct evbus__context *context = place->stream->context;
	struct evbus__share *share = place->share;
	struct evbus__batch *batch;

	evbus__mutex_lock(&context->lock);
	batch = share->handed;
	if (batch != NULL) {
		take_batch(place, batch);
		begin_move(place->stream);
		share->handed = batch->next;
		EVBUS_STORE(&place->cursor->next, batch->at, RELAXED);
		EVBUS_STORE(&place->cursor->until, batch->end, RELAXED);
		end_move(share);
		push_spare(share, batch);
	}
	evbus__mutex_unlock(&context->lock);
	return batch != NULL;
}

void
evbus__share_quit(struct evbus__place *place)
{
	const struct evbus__cursor *cursor = place->cursor;
	struct evbus__share *share = place->share;
	struct evbus__group *group;

	/* It has done so before, when it could not subscribe. */
	if (share == NULL)
		return;
	group = share->group;
	EVBUS_STORE(&place->armed, 0, RELAXED);
	(void)evbus__share_hand_over(place);
	place->share = NULL;
	EVBUS_STORE(&share->members, share->members - 1, RELAXED);
	/* Only ever fewer: that needs no memory. */
	(void)fit_spares(share, share->spares < share->members ?
	    share->spares : share->members);
	group->delivered += cursor->delivered;
	group->skipped += cursor->skipped;
	group->holes += cursor->holes;
	group->lost += cursor->lost;
}

uint64_t
evbus__share_waiting(const struct evbus__share *share)
{
	const struct evbus__batch *batch;
	uint64_t waiting = 0;

	for (batch = share->handed; batch != NULL; batch = batch->next)
		waiting += batch->end - batch->at;
	return waiting;
}

void
evbus__share_end(struct evbus__share *share, struct evbus_publisher *self)
{
	struct evbus__stream *stream = share->stream;
	struct evbus__batch *batch;

	while ((batch = share->handed) != NULL) {
		share->handed = batch->next;
		/* Its payload is nobody's: whoever reclaims may have it. */
		if (batch->ticket != 0 && self != NULL)
			(void)evbus__outside_hold(&stream->outside,
			    batch->entry, batch->ticket >>
			    EVBUS__OUTSIDE_BITS);
		free_batch(share, batch);
	}
	while (share->spare != NULL)
		free_batch(share, pop_spare(share));
	if (self != NULL) {
		EVBUS_STORE(&share->cursor->handed, EVBUS__CURSOR_GONE,
		    RELAXED);
		evbus__stream_leave(stream, self, share->cursor);
		/* STALL: it holds nobody up any more. */
		evbus__stall_over(stream, share->cursor, &share->group->where,
		    EVBUS_STALL_CLOSED);
	}
	evbus__free(stream->context, share, sizeof *share);
}
