/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish.h - layer 4: what the slow ways to publish share.
 */
#ifndef EVBUS_SRC_PUBLISH_H
#define EVBUS_SRC_PUBLISH_H

#include <evbus/publish.h>

#include "topic/retain.h"
#include "topic/topic.h"

/* How to publish one event. */
struct evbus__how {
	int64_t timeout_ns;
	uint64_t cause;
	int set_cause;
	evbus_release release;
	void *release_arg;
	uint64_t sequence;	/* result */
};

uint64_t evbus__event_time(const struct evbus_stream *,
    struct evbus_publisher *);
/* The time limit of a publish to this stream. */
int64_t evbus__publish_timeout(const struct evbus_stream *, int may_wait);

/* Check topic, payload and state, and find the caller's record. */
int evbus__publish_check(const char *call, const struct evbus_topic *,
    const void *data, size_t size, struct evbus_publisher **);

/* Claim n slots, fast or slow: 0, and inside the section; or a refusal. */
int evbus__claim_slots(struct evbus__stream *, struct evbus_publisher *,
    uint64_t n, int64_t timeout_ns, uint64_t *sequence);

/* validate.c: run the topic's validator; nothing is held, claimed or open. */
int evbus__validate_call(const struct evbus_topic *, struct evbus_publisher *,
    const void *data, size_t size);

static inline int
evbus__validate(const struct evbus_topic *topic,
    struct evbus_publisher *publisher, const void *data, size_t size)
{
	return evbus_likely(topic->validate == NULL) ? 0 :
	    evbus__validate_call(topic, publisher, data, size);
}

/* Stamp an event, and keep it where its topic retains. */
static inline void
evbus__stamp_event(const struct evbus_topic *topic, struct evbus_header *header,
    uint64_t sequence, const void *data, size_t size)
{
	if (evbus_likely(topic->retained == NULL))
		evbus__stamp(header, sequence);
	else
		evbus__stamp_retained(topic->retained, header, sequence, data,
		    size);
}

/*
 * pool.c: take n blocks, or one reference entry, waiting up to timeout_ns;
 * the first entry, the others chained behind it.  All or none.
 */
int evbus__take_outside(struct evbus__stream *, struct evbus_publisher *,
    uint32_t n, const struct evbus__how *, const void *data, size_t size,
    uint32_t *first);
void evbus__give_outside(struct evbus__stream *, uint32_t first);

/* Fill a slot whose payload lies in `entry`; not stamped yet. */
void evbus__fill_outside(struct evbus__stream *, struct evbus_header *,
    uint32_t entry, size_t size, uint64_t sequence);

#endif /* EVBUS_SRC_PUBLISH_H */
