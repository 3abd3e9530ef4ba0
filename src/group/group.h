/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.h - layer 5: readers that share the work (D3).
 *
 *	ring	   . . . a a a b b . . . . . .
 *			       ^ the group's cursor, moved by who claims
 *	member a   copies of three events: next .. until
 *	member b   copies of two
 *	handed	   copies that a member left, until another takes them
 *
 * A group has one gating cursor in each of its streams.  A member copies what
 * lies there, then claims it by moving that cursor (claim.c); so a slow handler
 * holds no slot.  What a member has in hand when it is closed, or when its
 * thread ends, is handed over (share.c).  The name stands in the table of
 * readers, so that the cursor has its place among theirs.
 *
 * Who may run with whom: claims are made by who runs a member; all else here is
 * done under the bus's lock.
 */
#ifndef EVBUS_SRC_GROUP_H
#define EVBUS_SRC_GROUP_H

#include <evbus/group.h>

#include "reader/reader.h"

#define EVBUS__CLAIM_MAX	8u	/* events that a member claims at once */

/* What was handed over, or memory for that. */
struct evbus__batch {
	struct evbus__batch *next;
	uint64_t first;			/* sequence of the first copy */
	uint64_t at;			/* ... of the first not handled */
	uint64_t end;
	uint64_t ticket;		/* its payload outside the ring; or 0 */
	uint32_t entry;			/* where that lies */
	unsigned char *copy;		/* as place->copy */
};

/* A group's place in one stream. */
struct evbus__share {
	struct evbus__group *group;
	struct evbus__stream *stream;
	struct evbus__cursor *cursor;
	struct evbus__batch *handed;	/* the oldest first */
	struct evbus__batch *spare;	/* one for each member, or more */
	uint32_t spares;
	uint32_t members;		/* atomic: places of readers */
};

struct evbus__group {
	struct evbus__group *next;
	struct evbus_reader *stand;	/* its slot in the table of readers */
	enum evbus_share kind;
	int keep;
	enum evbus_start start;
	uint64_t start_sequence;
	uint32_t readers;		/* that are open */
	uint32_t members;		/* of them, that have subscribed */
	uint32_t shares;
	struct evbus__where where;
	char pattern[256];		/* empty: nobody has subscribed yet */
	/* Of members that have left. */
	uint64_t delivered;
	uint64_t skipped;
	uint64_t holes;
	uint64_t lost;
	uint64_t redelivered;		/* events handed over */
	struct evbus__share *share[];	/* by number of the stream - 1 */
};

/* What a member has claimed and not passed, as others see it. */
static inline uint64_t
evbus__in_hand(const struct evbus__cursor *cursor)
{
	uint64_t next = EVBUS_LOAD(&cursor->next, RELAXED);
	uint64_t until = EVBUS_LOAD(&cursor->until, RELAXED);

	return until > next ? until - next : 0;
}

/* share.c; the bus's lock is held. */
int evbus__share_join(struct evbus_reader *, struct evbus_publisher *self,
    struct evbus__place *, enum evbus_start);
void evbus__share_quit(struct evbus__place *);
/* Nobody runs the member: hand over what it has in hand; how many events. */
uint64_t evbus__share_hand_over(struct evbus__place *);
/* The group leaves the stream; what is left in it is counted and forgotten. */
void evbus__share_end(struct evbus__share *, struct evbus_publisher *self);
/* Events that were handed over and not taken. */
uint64_t evbus__share_waiting(const struct evbus__share *);
/* No lock is held: take what was handed over; 1: there was something. */
int evbus__share_take(struct evbus__place *);

/* claim.c: what place->refill of a member is. */
int evbus__share_claim(struct evbus__place *);

/* group.c */
extern const struct evbus__group_calls evbus__groups;
/* A thread ends: what its members have in hand is handed over. */
void evbus__groups_thread_ended(struct evbus__context *,
    struct evbus_publisher *);
/* Events that no member has handled or has in hand; the lock is held. */
uint64_t evbus__group_left(const struct evbus__group *);
void evbus__groups_destroy(struct evbus__context *);

#endif /* EVBUS_SRC_GROUP_H */
