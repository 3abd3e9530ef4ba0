/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * after.c - layer 2: readers that stand after others (D4).
 *
 * A reader that stands after others looks at their cursors in the stream before
 * it looks at slots, once in a poll, and goes no further than the least of
 * them.  Nothing is asked of those ahead: the cursor that gates producers says
 * what they are done with.  Who may run with whom: anybody.
 *
 * Argument (AFTER).
 *  - Done.  A cursor is stored with release when its reader is done with all
 *    below, and loaded here with acquire: what a handler ahead wrote is seen by
 *    the handlers behind.
 *  - Wake-up.  A reader that is about to sleep sets its park's word, then the
 *    bit AFTER of the stream's waiters by a read-modify-write, runs the heavy
 *    fence and looks once more, here as well as at the stamps.  Who moves a
 *    cursor stores it, runs the light fence and loads waiters (which it did
 *    for publishers anyhow: SPACE).  The fences make one of them see the
 *    other.  The bit is taken by a read-modify-write with acquire, which reads
 *    the end of a chain of them: so the words of all that set it are seen.
 *    Demotion is the same, with the word `demoted` in the cursor's place.
 *  - Not there yet.  One ahead that has no cursor in the stream restrains
 *    nobody.  It joins by storing its cursor, then `used` with release.  An
 *    event whose publish began after that has a stamp that carries it: so who
 *    finds no cursor goes no further than the stamps that it had seen before it
 *    looked, and no event published after a subscription was made is seen too
 *    early.
 *  - Closed.  One ahead that closes is taken out of everybody's list under the
 *    bus's lock, before its memory and its cursors can be used again; then
 *    those behind are nudged.  Who read the list before may look at the cursor
 *    of another reader by now: it looks at the list again, after the cursor,
 *    whose fields are stored with release.  Going less far than it may is all
 *    that can come of it, once, and the nudge makes it look again.
 *  - Gate.  A cursor stands at or below those ahead of it, so producers need
 *    not know.
 *
 * Uncovered.  One that was demoted is waited for no longer, or it would hold
 * producers back through those behind; what it had not passed by then is not
 * covered.  Nor is what it, or a lossy one, lost.
 */
#include "stream/stream.h"

struct look {
	uint64_t until;
	uint64_t uncovered;
	int absent;		/* one has no cursor in the stream yet */
};

static void
lower(uint64_t *word, uint64_t value)
{
	if (value < *word)
		*word = value;
}

static struct evbus__cursor *
cursor_of(const struct evbus__stream *stream, uint32_t reader)
{
	const struct evbus__context *context = stream->context;

	return evbus__map_entry(context->map, EVBUS__TABLE_CURSORS,
	    (uint64_t)reader * context->streams->limit +
	    stream->pub.number - 1);
}

static void
look_at(struct look *look, const struct evbus__stream *stream,
    const uint32_t *ahead)
{
	uint32_t reader = EVBUS_LOAD(ahead, RELAXED), demoted;
	const struct evbus__cursor *cursor;
	uint64_t next, lost_from;

	if (reader == 0)
		return;
	cursor = cursor_of(stream, reader - 1);
	/* AFTER: acquire, partner evbus__stream_join(): its start, not what the
	 * cursor was before. */
	if (EVBUS_LOAD(&cursor->used, ACQUIRE) == 0) {
		look->absent = 1;
		return;
	}
	/* AFTER: acquire, partner evbus__place_publish(): what it has done. */
	next = EVBUS_LOAD(&cursor->next, ACQUIRE);
	EVBUS__DELAY(after_look);
	/* AFTER: acquire, so that the list is looked at after them. */
	demoted = EVBUS_LOAD(&cursor->demoted, ACQUIRE);
	lost_from = EVBUS_LOAD(&cursor->lost_from, ACQUIRE);
	if (EVBUS_LOAD(ahead, RELAXED) != reader)
		return;
	lower(demoted ? &look->uncovered : &look->until, next);
	if (lost_from != 0)
		lower(&look->uncovered, lost_from - 1);
}

static void
look_at_all(struct look *look, const struct evbus__stream *stream,
    const struct evbus__ahead *ahead)
{
	uint32_t i;

	look->absent = 0;
	for (i = 0; i < evbus__ahead_count(ahead); i++)
		look_at(look, stream, &ahead->reader[i]);
}

uint64_t
evbus__after_until(const struct evbus__stream *stream,
    const struct evbus__ahead *ahead, uint64_t next, uint64_t until,
    uint64_t *uncovered)
{
	struct look look = { until, *uncovered, 0 };
	uint64_t there;

	look_at_all(&look, stream, ahead);
	if (look.absent) {
		/* AFTER: the stamps first; see the head of this file. */
		there = next + stream->pub.mask + 1;
		lower(&there, until);
		there = evbus__committed_from(stream, next, there);
		EVBUS__DELAY(after_there);
		look_at_all(&look, stream, ahead);
		if (look.absent)
			lower(&look.until, there);
	}
	*uncovered = look.uncovered;
	return look.until;
}

int
evbus__member_waits(const struct evbus__stream *stream,
    const struct evbus__member *member, uint64_t next)
{
	uint64_t uncovered = UINT64_MAX;

	/* With no cursor there nobody waits for it. */
	return evbus__ahead_count(member->ahead) > 0 && evbus__after_until(stream,
	    member->ahead, next, next + 1, &uncovered) <= next;
}

/* Does it keep who stands at `next` from going on, until this thread runs it?
 * Not where time ends that as well (stall_ns). */
static int
is_own(const struct evbus__stream *stream, const uint32_t *ahead, uint64_t next,
    const struct evbus_publisher *self)
{
	struct look look = { UINT64_MAX, UINT64_MAX, 0 };
	uint32_t reader = EVBUS_LOAD(ahead, RELAXED);
	const struct evbus__reader_entry *entry;

	look_at(&look, stream, ahead);
	if (look.until > next || EVBUS_LOAD(&cursor_of(stream,
	    reader - 1)->demotable, RELAXED) != 0)
		return 0;
	entry = evbus__map_entry(stream->context->map, EVBUS__TABLE_READERS,
	    reader - 1);
	return EVBUS_LOAD(&entry->polled, RELAXED) != 0 &&
	    EVBUS_LOAD(&entry->owner, RELAXED) == self->id;
}

int
evbus__after_own(const struct evbus__stream *stream,
    const struct evbus__ahead *ahead, uint64_t next,
    const struct evbus_publisher *self)
{
	uint32_t i;

	for (i = 0; i < evbus__ahead_count(ahead); i++)
		if (is_own(stream, &ahead->reader[i], next, self))
			return 1;
	return 0;
}

int
evbus__stands_after(const struct evbus__ahead *ahead, uint32_t reader)
{
	uint32_t i;

	for (i = 0; i < evbus__ahead_count(ahead); i++)
		if (EVBUS_LOAD(&ahead->reader[i], RELAXED) == reader + 1)
			return 1;
	return 0;
}

void
evbus__after_mark(struct evbus_ring_ctl *ctl)
{
	/* AFTER: release, so that who takes the bit sees word == 1.  Partner:
	 * evbus__after_wake(). */
	(void)EVBUS_FETCH_OR(&ctl->waiters, EVBUS__WAITS_AFTER, RELEASE);
}

void
evbus__after_wake(struct evbus__stream *stream, const struct evbus__set *set)
{
	uint64_t woken = 0;
	uint32_t i;

	/* AFTER: acquire, partner evbus__after_mark(). */
	(void)EVBUS_FETCH_AND(&stream->pub.ctl->waiters, ~EVBUS__WAITS_AFTER,
	    ACQUIRE);
	EVBUS__DELAY(after_wake);
	for (i = 0; i < set->count; i++)
		if (evbus__ahead_count(set->member[i].ahead) > 0)
			woken += (uint64_t)evbus__park_wake(
			    set->member[i].park);
	if (woken > 0)
		(void)EVBUS_FETCH_ADD(&stream->pub.ctl->wakes, woken, RELAXED);
}
