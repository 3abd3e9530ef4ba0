/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registry.h - layer 3: from a topic's name to its handle.
 *
 * Any number of threads look names up without a lock, while one writer, who
 * holds the bus's lock, inserts.  Topics are never taken out, so that a handle
 * found once is good until the bus is freed.
 *
 * An open-addressing table of our own, through atomic.h, and not ck_hs: as
 * nothing is ever removed, linear probing needs one acquire load per probe and
 * no version counters; the same lines run in the explorer and under the thread
 * sanitizer, which see no edge of ck_hs; a want of memory is told apart from a
 * name that exists (ck_hs_put answers false to both); and the allocator hooks
 * get their argument (ck's have none).
 *
 * Invariants: at least a quarter of the tags is 0; tag[i] != 0 => topic[i] is
 * set and neither changes again; the table in place holds every topic.
 */
#ifndef EVBUS_SRC_REGISTRY_H
#define EVBUS_SRC_REGISTRY_H

#include "base/context.h"
#include "topic/name.h"

struct evbus__registry_table;

struct evbus__registry {
	/* Read by all; written when the table grows. */
	struct evbus__context *context;
	struct evbus__name_key key;
	struct evbus__registry_table *table;	/* atomic */
	char pad[EVBUS_LINE];

	/* Writer only. */
	uint32_t count;		/* topics */
};

/*
 * Room for `expected` topics (0: a few), so that no insert up to there
 * allocates.  0, EVBUS_EINVAL (more than EVBUS_TOPIC_LIMIT) or EVBUS_ENOMEM;
 * after a failure destroy is allowed and not needed.  Topics belong to the
 * caller, also after destroy; at destroy nobody looks names up any more.
 */
int evbus__registry_init(struct evbus__registry *, struct evbus__context *,
    size_t expected);
void evbus__registry_destroy(struct evbus__registry *);

/*
 * The topic whose name is the `length` bytes at `name`, or NULL.  The caller
 * is inside an epoch section of the context (evbus__epoch_begin) or holds the
 * bus's lock; the topic may be used after it.  Any thread; lock-free, the
 * number of probes is bounded by the table.
 */
struct evbus_topic *evbus__registry_find(const struct evbus__registry *,
    const char *name, size_t length);

/*
 * Make the topic findable; its `name` and `length` are set and never change.
 * The caller holds the bus's lock, is in no epoch section, and gives its own
 * epoch record: when the table has grown, all sections are waited for.  0,
 * EVBUS_EEXIST (without a sentence), EVBUS_ELIMIT (EVBUS_TOPIC_LIMIT) or
 * EVBUS_ENOMEM; then nothing has changed.
 */
int evbus__registry_insert(struct evbus__registry *, struct evbus_topic *,
    struct evbus__epoch_record *own);

#endif /* EVBUS_SRC_REGISTRY_H */
