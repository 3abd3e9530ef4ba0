/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoch_explore.h - the epoch reclaimer's contract, for the explorer.
 *
 * Stands for src/base/epoch.h when the library is compiled with
 * -DEVBUS_EXPLORE.  It gives what ck_epoch(3) promises and nothing beyond:
 * synchronize returns when each section that was open at the call has ended;
 * sections that begin after the call see what was written before it; what
 * happened in sections that began before the call and ended happens before the
 * return.  begin and end are no fences and order nothing else.
 */
#ifndef EVBUS_EPOCH_EXPLORE_H
#define EVBUS_EPOCH_EXPLORE_H

#include <stdint.h>

/* Two vector clocks: struct explore_clock. */
struct evbus__epoch_clock {
	uint32_t time[16];
};

struct evbus__epoch {
	struct evbus__epoch_record *records;
	struct evbus__epoch_clock called;	/* by synchronize */
	struct evbus__epoch_clock ended;	/* by sections */
};

struct evbus__epoch_record {
	struct evbus__epoch_record *next;
	unsigned depth;		/* sections nest */
	unsigned waiters;	/* fibers that wait for this section: bits */
	uint64_t began;		/* the event that began this section */
	int fiber;
};

void evbus__epoch_init(struct evbus__epoch *);
void evbus__epoch_register(struct evbus__epoch *,
    struct evbus__epoch_record *);
void evbus__epoch_unregister(struct evbus__epoch *,
    struct evbus__epoch_record *);
void evbus__epoch_begin(struct evbus__epoch *, struct evbus__epoch_record *);
void evbus__epoch_end(struct evbus__epoch *, struct evbus__epoch_record *);
void evbus__epoch_synchronize(struct evbus__epoch *,
    struct evbus__epoch_record *own);

#endif /* EVBUS_EPOCH_EXPLORE_H */
