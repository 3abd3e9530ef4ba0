/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retain.h - layer 3: the newest event of a topic, kept after the ring has
 * lapped it (D6).
 *
 * Who publishes to such a topic writes the event's copy and its stamp under the
 * topic's own lock; who joins looks at the copy, and enters the topic in a
 * reader's table, under it as well (RETAIN in reader/retained.c).  No user code
 * runs under that lock (S2); where both are taken, the bus's lock comes first.
 */
#ifndef EVBUS_SRC_RETAIN_H
#define EVBUS_SRC_RETAIN_H

#include <evbus/topic.h>

#include "base/context.h"

struct evbus__retained {
	struct evbus__mutex lock;
	uint64_t after;			/* its sequence + 1; 0: none yet */
	int64_t time;
	uint64_t cause;
	uint32_t size;			/* bytes of payload */
	uint32_t room;			/* bytes there can be */
	uint16_t publisher;
	unsigned char data[] EVBUS_ALIGNED(8);
};

/* Room for payloads of up to `room` bytes; 0 or EVBUS_ENOMEM. */
int evbus__retained_make(struct evbus__context *, uint32_t room,
    struct evbus__retained **);
/* NULL is fine. */
void evbus__retained_destroy(struct evbus__context *, struct evbus__retained *);

/*
 * Stamp an event whose header is filled and whose payload is `size` bytes at
 * `data`, and keep it if it is the topic's newest.
 */
void evbus__stamp_retained(struct evbus__retained *, struct evbus_header *,
    uint64_t sequence, const void *data, size_t size);

#endif /* EVBUS_SRC_RETAIN_H */
