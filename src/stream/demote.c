/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demote.c - layer 2: a reader that holds publishers up is made lossy (S1).
 *
 * A reader that was opened with max_lag or stall_ns gates publishers like any
 * lossless one, but reads copies and pins what lies outside the slots from its
 * first event on.  What it reads is whole whether it gates or not (LAP in
 * reader/copy.c, PIN in ring/outside.h), so that demotion asks nothing of it:
 * one word is set, and from then on gates are computed without its cursor.
 *
 * Argument (DEMOTE).
 *  - The word is set inside an epoch section, in a set that has the cursor.
 *    Who leaves waits for the grace period of that set, and who joins with the
 *    same cursor clears the word before anybody can find it: nobody is demoted
 *    for another.
 *  - A limit that was computed with the cursor is only lower.  A limit computed
 *    without it lets slots be claimed that the reader has not passed: then it
 *    is a lossy reader, whose copy is proven by the tail.
 *  - Who waits for the cursor is told by the space word, which is changed after
 *    the word was set: it looks again, or does not fall asleep.
 *
 * When.  max_lag: at once, when a publish would put the reader further behind.
 * stall_ns: when publishers have been held up at one place of its cursor for
 * that long; the first of them notes the time, by two words in the cursor.
 * stalled_at says for which place stalled_since holds; it is BUSY while that is
 * written, and whoever finds it so takes the episode for a new one.
 */
#include "stream/stream.h"

#define BUSY UINT64_MAX

static int
is_demotable(const struct evbus__member *member)
{
	return member->max_lag != 0 || member->stall_ns != 0;
}

int
evbus__member_gates(const struct evbus__member *member)
{
	return !is_demotable(member) ||
	    EVBUS_LOAD(&member->cursor->demoted, RELAXED) == 0;
}

void
evbus__demotion_reset(const struct evbus__member *member)
{
	struct evbus__cursor *cursor = member->cursor;

	EVBUS_STORE(&cursor->demoted, 0, RELAXED);
	EVBUS_STORE(&cursor->stalled_at, 0, RELAXED);
	EVBUS_STORE(&cursor->demotable, (uint32_t)is_demotable(member),
	    RELAXED);
}

/*
 * Since when has somebody been held up with the cursor at `next`?
 * DEMOTE: release and acquire of stalled_at: the time is not an older one.
 */
int64_t
evbus__stalled_since(struct evbus__cursor *cursor, uint64_t next, int64_t now)
{
	uint64_t at = EVBUS_LOAD(&cursor->stalled_at, ACQUIRE);

	if (at == next + 1)
		return EVBUS_LOAD(&cursor->stalled_since, RELAXED);
	if (at != BUSY && EVBUS_CAS(&cursor->stalled_at, &at, BUSY, RELAXED,
	    RELAXED)) {
		/* Seen early it only makes the episode before younger. */
		EVBUS_STORE(&cursor->stalled_since, now, RELAXED);
		EVBUS__DELAY(stalled);
		EVBUS_STORE(&cursor->stalled_at, next + 1, RELEASE);
	}
	return now;
}

/* Is it too far behind for a tail of `need`, or has it stalled? */
static int
is_late(const struct evbus__member *member, uint64_t need, uint64_t gate,
    int64_t *due)
{
	uint64_t next = EVBUS_LOAD(&member->cursor->next, RELAXED);
	int64_t now, until;

	if (member->max_lag != 0 && need > next + member->max_lag)
		return 1;
	if (member->stall_ns == 0 || next >= gate)
		return 0;
	now = evbus__os_now();
	until = evbus__stalled_since(member->cursor, next, now);
	until = until > INT64_MAX - member->stall_ns ? INT64_MAX :
	    until + member->stall_ns;
	if (now >= until)
		return 1;
	if (*due == EVBUS_FOREVER || until < *due)
		*due = until;
	return 0;
}

int64_t
evbus__demote_late(struct evbus__stream *stream, const struct evbus__set *set,
    uint64_t need, uint64_t gate)
{
	const struct evbus__member *member;
	int64_t due = EVBUS_FOREVER;
	uint32_t i;

	for (i = 0; i < set->gating; i++) {
		member = &set->member[i];
		if (!is_demotable(member) || !evbus__member_gates(member) ||
		    !is_late(member, need, gate, &due))
			continue;
		EVBUS__DELAY(demote);
		/* AFTER: release, partner look_at() in after.c. */
		EVBUS_STORE(&member->cursor->demoted, 1, RELEASE);
		evbus__space_wake(stream->pub.ctl);
		/* AFTER: demoted, light fence, waiters. */
		EVBUS_FENCE_LIGHT(stream->pub.fence_full);
		if (EVBUS_LOAD(&stream->pub.ctl->waiters, RELAXED) &
		    EVBUS__WAITS_AFTER)
			evbus__after_wake(stream, set);
	}
	return due;
}

uint64_t
evbus__lag_limit(const struct evbus__set *set)
{
	const struct evbus__member *member;
	uint64_t limit = UINT64_MAX, next;
	uint32_t i;

	for (i = 0; i < set->gating; i++) {
		member = &set->member[i];
		if (member->max_lag == 0 || !evbus__member_gates(member))
			continue;
		/* Relaxed: the gate is read after it, with acquire. */
		next = EVBUS_LOAD(&member->cursor->next, RELAXED);
		if (next + member->max_lag < limit)
			limit = next + member->max_lag;
	}
	return limit;
}
