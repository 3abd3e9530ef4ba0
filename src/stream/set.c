/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.c - layer 2: cursors join and leave a stream while events flow.
 *
 * The bus's lock is held: one change at a time.  The set is swapped whole and
 * the old one freed after a grace period; producers read it inside short epoch
 * sections (gate.c, wake.c).
 *
 * Join of a lossless cursor (join x publish).
 *  1. The cursor is set to the cached gate G0: no producer can be hindered by
 *     it more than by what it knows already.
 *  2. The set with the cursor is published; one grace period.  Every limit
 *     stored from now on was computed with the cursor in it, so it is at most
 *     G0 + N or was stored before: the cached gate stands still at some
 *     G1 >= G0 until the cursor moves.
 *  3. The start is chosen at or above G1: no slot from G1 on can be claimed
 *     again before the cursor passes it.  Only now is the cursor moved up, and
 *     not above a claim that is still open: until now it was that claim which
 *     held the gate, from now on it is the cursor.
 * A start below G1 is EVBUS_EGONE: its slot may be claimed at any time.
 *
 * Leave: swap, grace period, wake publishers that wait for space: their second
 * look finds the new set, or the futex word has changed.
 */
#include "stream/stream.h"

static size_t
set_size(uint32_t count)
{
	return sizeof(struct evbus__set) +
	    count * sizeof(struct evbus__member);
}

/* Publish `next`, wait until nobody reads the old one, free that. */
static void
swap_set(struct evbus__stream *stream, struct evbus_publisher *self,
    struct evbus__set *next)
{
	struct evbus__context *context = stream->context;
	struct evbus__set *old = stream->set;

	EVBUS__DELAY(set_swap);
	/* SET: release, partner: acquire in gate.c and wake.c. */
	EVBUS_STORE(&stream->set, next, RELEASE);
	evbus__epoch_synchronize(&context->epoch,
	    &evbus__thread_of(context, self)->epoch);
	EVBUS__DELAY(set_free);
	evbus__free(context, old, set_size(old->count));
}

/* Members of the set whose cursor is another one. */
static uint32_t
count_others(const struct evbus__set *old, const struct evbus__cursor *cursor)
{
	uint32_t i, n = 0;

	for (i = 0; i < old->count; i++)
		n += old->member[i].cursor != cursor;
	return n;
}

static void
add_member(struct evbus__set *set, const struct evbus__member *member,
    int gating)
{
	set->member[set->count++] = *member;
	if (gating)
		set->gating++;
}

/* Members of the old set, gating ones or others, but not this cursor's. */
static void
add_others(struct evbus__set *set, const struct evbus__set *old,
    const struct evbus__cursor *cursor, int gating)
{
	uint32_t i = gating ? 0 : old->gating;
	uint32_t end = gating ? old->gating : old->count;

	for (; i < end; i++)
		if (old->member[i].cursor != cursor)
			add_member(set, &old->member[i], gating);
}

/*
 * The set with a member more; a cursor that could not leave earlier, for lack
 * of memory, is not in it twice.
 */
static struct evbus__set *
set_with(struct evbus__stream *stream, const struct evbus__member *member,
    int lossy)
{
	const struct evbus__set *old = stream->set;
	struct evbus__set *set;

	set = evbus__alloc(stream->context,
	    set_size(count_others(old, member->cursor) + 1));
	if (set == NULL)
		return NULL;
	add_others(set, old, member->cursor, 1);
	if (!lossy)
		add_member(set, member, 1);
	add_others(set, old, member->cursor, 0);
	if (lossy)
		add_member(set, member, 0);
	return set;
}

static struct evbus__set *
set_without(struct evbus__stream *stream, const struct evbus__cursor *cursor)
{
	const struct evbus__set *old = stream->set;
	struct evbus__set *set;

	set = evbus__alloc(stream->context,
	    set_size(count_others(old, cursor)));
	if (set == NULL)
		return NULL;
	add_others(set, old, cursor, 1);
	add_others(set, old, cursor, 0);
	return set;
}

/*
 * Where a cursor starts, given what is held; 0 or EVBUS_EGONE.  Never above an
 * open claim: the cursor would let the gate pass it, and another producer write
 * the slot that is still being written.
 */
static int
choose_start(const struct evbus__stream *stream, uint64_t held, uint64_t tail,
    int lossy, int start, uint64_t sequence, uint64_t *chosen)
{
	*chosen = held;
	if (start == EVBUS_START_OLDEST)
		return 0;
	if (start == EVBUS_START_SEQUENCE && sequence > tail)
		return evbus__fail(EVBUS_EINVAL, "sequence %llu of stream "
		    "\"%s\" does not exist yet: the next one is %llu",
		    (unsigned long long)sequence, stream->pattern,
		    (unsigned long long)tail);
	if (start == EVBUS_START_SEQUENCE && sequence < held) {
		/* What was never there is not lost either. */
		*chosen = sequence > stream->first ? sequence : stream->first;
		if (lossy)
			return 0;
		return evbus__fail(EVBUS_EGONE, "sequence %llu of stream "
		    "\"%s\" is no longer held: the oldest is %llu",
		    (unsigned long long)sequence, stream->pattern,
		    (unsigned long long)held);
	}
	if (start == EVBUS_START_SEQUENCE)
		tail = sequence;
	*chosen = evbus__committed_from(stream, held, tail);
	return 0;
}

static void
start_counters(struct evbus__cursor *cursor, uint64_t start)
{
	cursor->delivered = 0;
	cursor->skipped = 0;
	cursor->holes = 0;
	cursor->lost = 0;
	cursor->lag_max = 0;
	/* Relaxed: `used` is stored after it. */
	EVBUS_STORE(&cursor->lost_from, 0, RELAXED);
	/* Who had it before has ended his stall; `used` is stored after it. */
	EVBUS_STORE(&cursor->stall, 0, RELAXED);
	cursor->start = start;
	cursor->seen = start;
}

int
evbus__stream_join(struct evbus__stream *stream, struct evbus_publisher *self,
    const struct evbus__member *member, int lossy, int start, uint64_t sequence)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	struct evbus__cursor *cursor = member->cursor;
	struct evbus__set *set = set_with(stream, member, lossy);
	uint64_t capacity = stream->pub.mask + 1, held, tail, chosen;
	int error;

	if (set == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a cursor in "
		    "stream \"%s\"", stream->pattern);
	cursor->lossy = (uint32_t)lossy;
	evbus__demotion_reset(member);
	EVBUS_STORE(&cursor->pin, 0, RELAXED);
	held = EVBUS_LOAD(&ctl->limit, RELAXED) - capacity;
	EVBUS_STORE(&cursor->next, held, RELAXED);
	swap_set(stream, self, set);
	held = EVBUS_LOAD(&ctl->limit, RELAXED) - capacity;
	/* JOIN: what was published before the caller's last look at anything
	 * is below this tail. */
	tail = EVBUS_LOAD(&ctl->tail, RELAXED);
	EVBUS__DELAY(join_tail);
	if (lossy && start == EVBUS_START_OLDEST && tail > held + capacity)
		held = tail - capacity;
	error = choose_start(stream, held, tail, lossy, start, sequence,
	    &chosen);
	if (error != 0) {
		evbus__stream_leave(stream, self, cursor);
		return error;
	}
	start_counters(cursor, chosen);
	EVBUS__DELAY(join_start);
	EVBUS_STORE(&cursor->next, chosen, RELEASE);
	/* AFTER: release, partner look_at() in after.c. */
	EVBUS_STORE(&cursor->used, 1, RELEASE);
	/* The gate may have stood still for us. */
	evbus__space_wake(ctl);
	return 0;
}

void
evbus__stream_leave(struct evbus__stream *stream, struct evbus_publisher *self,
    struct evbus__cursor *cursor)
{
	struct evbus__set *set;

	EVBUS_STORE(&cursor->used, 0, RELAXED);
	EVBUS__DELAY(set_leave);
	EVBUS_STORE(&cursor->pin, 0, RELEASE);
	set = set_without(stream, cursor);
	if (set == NULL) {
		/* It stays in the set, where it holds nobody back. */
		EVBUS_STORE(&cursor->next, EVBUS__CURSOR_GONE, RELEASE);
		evbus__space_wake(stream->pub.ctl);
		return;
	}
	swap_set(stream, self, set);
	evbus__space_wake(stream->pub.ctl);
}
