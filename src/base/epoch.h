/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoch.h - layer 0: epoch-based reclaiming, a thin wrapper of ck_epoch(3)
 * that the thread sanitizer understands.
 *
 * A section is held only around reading a set and storing what follows from
 * it, never across user code or sleep.  evbus__epoch_synchronize() returns
 * when every section that was open at the call has ended; sections that begin
 * later see what was written before the call.
 *
 * Under the explorer a stub with the same contract stands here.
 */
#ifndef EVBUS_SRC_EPOCH_H
#define EVBUS_SRC_EPOCH_H

#include <evbus/atomic.h>

#ifdef EVBUS_EXPLORE
#include "epoch_explore.h"
#else
#include <ck_epoch.h>

struct evbus__epoch {
	ck_epoch_t epoch;
};
struct evbus__epoch_record {
	ck_epoch_record_t record;
};
#endif

void evbus__epoch_init(struct evbus__epoch *);
void evbus__epoch_register(struct evbus__epoch *, struct evbus__epoch_record *);
void evbus__epoch_unregister(struct evbus__epoch *,
    struct evbus__epoch_record *);
void evbus__epoch_begin(struct evbus__epoch *, struct evbus__epoch_record *);
void evbus__epoch_end(struct evbus__epoch *, struct evbus__epoch_record *);
/* `own` is the caller's record; the caller must not be inside a section. */
void evbus__epoch_synchronize(struct evbus__epoch *,
    struct evbus__epoch_record *own);

#endif /* EVBUS_SRC_EPOCH_H */
