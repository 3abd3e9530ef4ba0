/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate.c - layer 2: how far producers may go.
 *
 * limit = gate + N is cached in the control block and only ever raised.  A
 * producer that finds it used up reads the cursors and raises it: to the
 * smallest lossless cursor, but no further than an eighth of the ring beyond
 * what is asked for, so that what is behind stays readable for readers that
 * start at the oldest event held.
 *
 * Argument (GATE).  The cursors are read and the limit is stored inside one
 * epoch section.  A reader that joins swaps the set and waits for a grace
 * period: afterwards nobody can store a limit that was computed without its
 * cursor.  Each cursor is loaded with acquire, the limit is stored with release
 * and loaded with acquire by who claims: what readers read of a slot happens
 * before it is written again.
 *
 * Without a lossless reader nothing but other producers is in the way: the gate
 * is then the frontier, below which every sequence is committed or a hole.
 * It keeps two producers a lap apart out of the same slot, and a claim that
 * stays open holds the stream (S5).
 */
#include "stream/stream.h"

uint64_t
evbus__committed_from(const struct evbus__stream *stream, uint64_t from,
    uint64_t until)
{
	/*
	 * STAMP: acquire: the earlier writer is done with its slot.  A later
	 * lap's stamp says so as well.
	 */
	while (from < until &&
	    EVBUS_LOAD(&evbus__slot(&stream->pub, from)->stamp, ACQUIRE) >
	    from)
		from++;
	return from;
}

static uint64_t
raise_to(uint64_t *word, uint64_t value)
{
	uint64_t seen = EVBUS_LOAD(word, ACQUIRE);

	while (seen < value)
		if (EVBUS_CAS(word, &seen, value, RELEASE, ACQUIRE))
			return value;
	return seen;
}

/* The smallest gating cursor, or the frontier up to `until`; in a section. */
static uint64_t
lowest(struct evbus__stream *stream, const struct evbus__set *set,
    uint64_t until)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	uint64_t low = UINT64_MAX, next;
	uint32_t i;

	for (i = 0; i < set->gating; i++) {
		if (!evbus__member_gates(&set->member[i]))
			continue;
		/* GATE: acquire, partner: the reader's store of its cursor. */
		next = EVBUS_LOAD(&set->member[i].cursor->next, ACQUIRE);
		EVBUS__DELAY(gate_cursor);
		if (next < low)
			low = next;
	}
	if (low >= EVBUS__CURSOR_GONE) {
		/* Relaxed: raise_to() looks at the frontier again, and who
		 * claims at the limit. */
		low = EVBUS_LOAD(&ctl->frontier, RELAXED);
		next = EVBUS_LOAD(&ctl->limit, RELAXED);
		if (next != EVBUS__LIMIT_CLOSED &&
		    next - stream->pub.mask - 1 > low)
			low = next - stream->pub.mask - 1;
		low = raise_to(&ctl->frontier,
		    evbus__committed_from(stream, low, until));
	}
	return low;
}

uint64_t
evbus__gate_refresh(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint64_t need)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	uint64_t capacity = stream->pub.mask + 1;
	uint64_t limit, fresh, want, most;
	const struct evbus__set *set;

	want = need + capacity / 8;
	evbus__epoch_begin(&context->epoch, record);
	/* SET: acquire, partner evbus__stream_join() and _leave(). */
	set = EVBUS_LOAD(&stream->set, ACQUIRE);
	(void)evbus__demote_late(stream, set, need,
	    need > capacity ? need - capacity : 0);
	most = evbus__lag_limit(set);
	fresh = lowest(stream, set, want > capacity ? want - capacity : 0) +
	    capacity;
	if (fresh > most)
		fresh = most;
	if (fresh > want)
		fresh = want;
	limit = EVBUS_LOAD(&ctl->limit, ACQUIRE);
	EVBUS__DELAY(gate_limit);
	while (limit != EVBUS__LIMIT_CLOSED && limit < fresh)
		if (EVBUS_CAS(&ctl->limit, &limit, fresh, RELEASE, ACQUIRE))
			limit = fresh;
	evbus__epoch_end(&context->epoch, record);
	(void)EVBUS_FETCH_ADD(&ctl->gate_reads, 1, RELAXED);
	/*
	 * On a closed stream nothing is cached: handlers that may still
	 * publish claim under what was just computed.
	 */
	return limit == EVBUS__LIMIT_CLOSED ? fresh : limit;
}

uint64_t
evbus__gate_now(struct evbus__stream *stream, struct evbus_publisher *publisher)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	uint64_t low;

	evbus__epoch_begin(&context->epoch, record);
	low = lowest(stream, EVBUS_LOAD(&stream->set, ACQUIRE),	/* SET */
	    EVBUS_LOAD(&stream->pub.ctl->tail, RELAXED));
	evbus__epoch_end(&context->epoch, record);
	return low;
}

/* The smallest sequence that a member of a group has in hand; in a section. */
static uint64_t
in_hand(const struct evbus__set *set)
{
	const struct evbus__cursor *cursor;
	uint64_t low = UINT64_MAX, next;
	uint32_t i;

	for (i = 0; i < set->count; i++) {
		if (set->member[i].group == NULL)
			continue;
		cursor = set->member[i].cursor;
		if (i < set->gating)
			next = EVBUS_LOAD(&cursor->handed, RELAXED);
		else {
			next = EVBUS_LOAD(&cursor->next, RELAXED);
			if (next >= EVBUS_LOAD(&cursor->until, RELAXED))
				continue;
		}
		if (next < low)
			low = next;
	}
	return low;
}

/*
 * GROUP: the cursors of groups are read first, with acquire: who sees that a
 * claim has moved one sees what the member has had in hand since.  What goes
 * from one hand to another meanwhile could be missed in both: then the look is
 * for nothing, and whoever moved it wakes who waits.
 */
uint64_t
evbus__passed_now(struct evbus__stream *stream,
    struct evbus_publisher *publisher)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	const struct evbus__set *set;
	uint64_t low, hand;
	uint32_t moves;

	evbus__epoch_begin(&context->epoch, record);
	set = EVBUS_LOAD(&stream->set, ACQUIRE);		/* SET */
	moves = EVBUS_LOAD(&stream->moves, ACQUIRE);		/* GROUP */
	low = lowest(stream, set, EVBUS_LOAD(&stream->pub.ctl->tail, RELAXED));
	EVBUS__DELAY(passed_gate);
	hand = in_hand(set);
	/* GROUP: the moves again; GATE: what the handlers of members did is
	 * seen, partner evbus__place_publish() and move(). */
	EVBUS_FENCE(ACQUIRE);
	if ((moves & 1) != 0 ||
	    EVBUS_LOAD(&stream->moves, RELAXED) != moves)
		hand = 0;
	evbus__epoch_end(&context->epoch, record);
	return hand < low ? hand : low;
}

int64_t
evbus__gate_due(struct evbus__stream *stream, struct evbus_publisher *publisher,
    uint64_t need, uint64_t gate)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	int64_t due;

	evbus__epoch_begin(&context->epoch, record);
	due = evbus__demote_late(stream,
	    EVBUS_LOAD(&stream->set, ACQUIRE), need, gate);	/* SET */
	evbus__epoch_end(&context->epoch, record);
	return due;
}
