/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.h - layer 5: groups: readers of one name that share the work (D3).
 *
 * Readers join a group by their options `group` and `share`, and leave it when
 * they are closed.  What is here looks at a group as a whole.
 */
#ifndef EVBUS_GROUP_H
#define EVBUS_GROUP_H

#include <evbus/reader.h>

struct evbus_group_stats {
	uint64_t delivered;	/* by all members, with those that have left */
	uint64_t skipped;
	uint64_t holes;
	uint64_t lost;		/* payloads that were gone before it joined */
	uint64_t claimed;	/* sequences that members took: the four above
				 * and in_hand, while nobody polls */
	uint64_t in_hand;	/* of these, not yet passed */
	uint64_t waiting;	/* of these, handed over and not yet taken */
	uint64_t left;		/* sequences that nobody has claimed */
	uint64_t redelivered;	/* events that were handed over, in all */
	uint32_t members;	/* readers that have subscribed */
	uint32_t streams;
	uint32_t kept;		/* it stays without members */
	char name[32];
};

EVBUS_BEGIN_DECLS

/*
 * evbus_group_stats() - the counters of the group of that name.  Any thread,
 * also inside handlers; takes the bus's lock.  EVBUS_ENOENT: there is none.
 * evbus_group_stats(3)
 */
EVBUS_API int evbus_group_stats(struct evbus *, const char *name,
    struct evbus_group_stats *);

/*
 * evbus_group_end() - end a group that was kept when its last member left; the
 * last counters in *stats, which may be NULL: what is left or waiting there was
 * handled by nobody.  EVBUS_EBUSY: readers of it are open.  EVBUS_ENOENT.
 * evbus_group_stats(3)
 */
EVBUS_API int evbus_group_end(struct evbus *, const char *name,
    struct evbus_group_stats *);

EVBUS_END_DECLS

#endif /* EVBUS_GROUP_H */
