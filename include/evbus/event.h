/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h - layer 4: an event as a handler sees it, and what it answers.
 */
#ifndef EVBUS_EVENT_H
#define EVBUS_EVENT_H

#include <evbus/ring.h>

struct evbus_topic;

/* Flags of an event. */
#define EVBUS_EVENT_END_OF_BATCH 0x0001u /* a hint: the last of this poll in its
					  * stream, as far as was seen */
#define EVBUS_EVENT_OUTSIDE	0x0002u	/* payload lies outside the ring */
#define EVBUS_EVENT_RETAINED	0x0010u	/* kept by its topic: see
					 * EVBUS_START_RETAINED */
#define EVBUS_EVENT_REDELIVERED	0x0020u	/* another member of the group had it
					 * in hand before, and may have begun */
#define EVBUS_EVENT_UNCOVERED	0x0040u	/* a reader that this one stands after
					 * may not have been done with it */

/*
 * Valid, with all it points to, until the handler returns, or until the next
 * evbus_next(), evbus_poll() or evbus_done() of its reader (L1).
 */
struct evbus_event {
	const void *data;		/* payload; 32-byte aligned unless it
					 * was passed by reference */
	struct evbus_topic *topic;
	uint64_t sequence;		/* in its stream */
	int64_t time;			/* monotonic ns; 0: stream keeps none */
	uint64_t cause;			/* EVBUS_CAUSE(stream, sequence), 0 */
	uint64_t key;			/* 0: streams carry no keys yet */
	uint64_t lost;			/* sequences of this stream lost just
					 * before this event (lossy readers) */
	uint32_t size;			/* bytes of payload */
	uint16_t publisher;		/* evbus_publisher_name() */
	uint16_t stream;		/* number of the stream, from 1 */
	uint32_t flags;			/* EVBUS_EVENT_* */
};

EVBUS_STATIC_ASSERT(offsetof(struct evbus_event, cause) ==
    offsetof(struct evbus_event, time) + 8, "copied together");

#define EVBUS_CAUSE(stream, sequence) \
	((uint64_t)(stream) << EVBUS_SEQUENCE_BITS | \
	    ((uint64_t)(sequence) & EVBUS_SEQUENCE_MASK))
#define EVBUS_CAUSE_STREAM(cause) ((uint16_t)((cause) >> EVBUS_SEQUENCE_BITS))
#define EVBUS_CAUSE_SEQUENCE(cause) ((cause) & EVBUS_SEQUENCE_MASK)

/*
 * What a handler answers.  EVBUS_DONE: handled.  EVBUS_STOP: handled, and this
 * subscription ends (as evbus_unsubscribe() inside the handler).  The others
 * have no meaning yet: the event counts as handled, and evbus_poll() returns
 * EVBUS_EVERDICT at once.
 */
enum evbus_verdict {
	EVBUS_DONE = 0,
	EVBUS_RETRY = 1,
	EVBUS_DEAD = 2,
	EVBUS_PAUSE = 3,
	EVBUS_STOP = 4
};

typedef enum evbus_verdict (*evbus_handler)(const struct evbus_event *, void *);

#endif /* EVBUS_EVENT_H */
