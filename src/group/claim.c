/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim.c - layer 5: a member of a group takes the next events for itself (D3).
 *
 * It copies first, and claims then:
 *
 *	member					another member, a producer
 *	at = the group's cursor
 *	stamps of at .. at + n (acquire)
 *	copy their slots (relaxed)
 *	next = at, until = at + n		cursor: at -> b (release)
 *	cursor: at -> at + n (release)		limit (acquires the cursor),
 *						write slot at + N
 *
 * Argument (GROUP).
 *  1. One member: the cursor only rises, and by a compare-and-swap.  Who moves
 *     it from `at` is the only one who ever does, so each sequence is claimed by
 *     one member.
 *  2. Whole: the group's cursor gates.  Whoever writes a slot from `at` on again
 *     has acquired a value beyond `at` of it (GATE).  If our compare-and-swap
 *     succeeds, that value is ours, or came by read-modify-writes after ours,
 *     which carry our release on: our copy was made before.  If it fails, the
 *     copy is thrown away, torn or not.
 *  3. Flush and close: what a member has in hand is told before the cursor
 *     moves.  Who sees the cursor sees that (evbus__passed_now()).  Told and not
 *     claimed means that a flush waits for nothing: it is taken back and SPACE
 *     is told.  `until` needs no order of its own: until something is claimed it
 *     is never less than what was finished before, so that who sees it with an
 *     older `next` only waits for longer.
 *  4. A payload outside its slot is pinned before the claim.  If the claim
 *     succeeds, the gate was below the event when the pin was looked for, so
 *     that the payload was there, or had been given back before the group
 *     joined.  A claim ends with such an event: one pin is all that is needed.
 *  5. Sleep: a member sleeps after it looked at the slot where it saw the
 *     cursor, behind its mark and its heavy fence (WAKE).  If it saw an old
 *     cursor, and no event there, then that event's producer has yet to look
 *     at the mark: it wakes all members, since all of them are in the set.
 *
 * So that the work spreads, a member takes its share of what is there, at most
 * EVBUS__CLAIM_MAX, and no more than it was asked to handle now.
 */
#include <string.h>

#include "group/group.h"

static uint32_t
how_many(const struct evbus__place *place, uint64_t at)
{
	uint64_t tail = EVBUS_LOAD(&place->stream->pub.ctl->tail, RELAXED);
	uint32_t members = EVBUS_LOAD(&place->share->members, RELAXED);
	uint64_t n = tail > at ? (tail - at + members - 1) / members : 1;

	if (n > EVBUS__CLAIM_MAX)
		n = EVBUS__CLAIM_MAX;
	return n > place->room ? place->room : (uint32_t)n;
}

/* End the copies at the first payload outside its slot; what the copy says of
 * it, or NULL: there is none. */
static struct evbus_outside *
end_at_outside(const struct evbus__place *place, uint32_t *n)
{
	struct evbus_header *header;
	uint32_t i;

	for (i = 0; i < *n; i++) {
		header = evbus__copied(place, i);
		if (!(evbus__meta_flags(header->meta) & EVBUS_SLOT_OUTSIDE))
			continue;
		*n = i + 1;
		return (struct evbus_outside *)(void *)
		    ((unsigned char *)header + place->stream->pub.header_size);
	}
	return NULL;
}

/* SPACE and STALL: the group's cursor has moved, light fence, waiters; see
 * stream/wake.c. */
static void
tell(const struct evbus__place *place)
{
	uint32_t waiters;

	EVBUS__DELAY(claim_told);
	EVBUS_FENCE_LIGHT(place->stream->pub.fence_full);
	waiters = EVBUS_LOAD(&place->stream->pub.ctl->waiters, RELAXED);
	if (waiters != 0)
		evbus__cursor_wake(place->stream, place->shared,
		    &place->share->group->where,
		    waiters & ~EVBUS__WAITS_AFTER);
}

/* Move the group's cursor over the copies; 0: somebody else has moved it. */
static int
move(struct evbus__place *place, uint64_t at, uint32_t n)
{
	struct evbus__cursor *own = place->cursor;
	uint64_t expected = at;

	/* GATE: release: what its handlers did is seen by a flush. */
	EVBUS_STORE(&own->next, at, RELEASE);
	EVBUS_STORE(&own->until, at + n, RELAXED);
	EVBUS__DELAY(claim_shared);
	/* GROUP, GATE: release, partner lowest() and evbus__passed_now(). */
	if (EVBUS_CAS(&place->shared->next, &expected, at + n, RELEASE,
	    RELAXED)) {
		tell(place);
		return 1;
	}
	/* Nothing in hand, as before. */
	EVBUS_STORE(&own->until, place->next, RELAXED);
	EVBUS_STORE(&own->next, place->next, RELEASE);		/* GATE */
	tell(place);
	return 0;
}

/* 1: try again; 0: the place has a batch, or there is nothing. */
int
evbus__share_claim(struct evbus__place *place)
{
	struct evbus_outside *outside;
	uint64_t at;
	uint32_t n;

	/* Partner: release in evbus__share_arm(): the group is set up. */
	if (!EVBUS_LOAD(&place->armed, ACQUIRE))
		return 0;
	if (EVBUS_LOAD(&place->shared->handed, RELAXED) !=
	    EVBUS__CURSOR_GONE && evbus__share_take(place))
		return 0;
	at = EVBUS_LOAD(&place->shared->next, RELAXED);
	n = evbus__copy_slots(place, at, how_many(place, at));
	if (n == 0)
		return EVBUS_LOAD(&place->shared->next, RELAXED) != at;
	outside = end_at_outside(place, &n);
	if (outside != NULL && !evbus__pin(place, outside))
		outside->entry = UINT32_MAX;	/* gone, if it is ours */
	if (!move(place, at, n)) {
		evbus__unpin(place);
		return 1;
	}
	place->others += at - place->next;
	place->next = at;
	place->batch_first = at;
	place->batch = n;
	place->batch_at = 0;
	place->pin_below = place->pinned != 0 ? 0 : UINT64_MAX;
	place->flags = 0;
	return 0;
}
