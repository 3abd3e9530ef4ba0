/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ck.h - Concurrency Kit's ck_ring by value, against its public interface.
 *
 * CK_CALL(operation) picks the producer and consumer class at compile time, so
 * that the ring is not charged for a choice of the bench.  A ring feeds one
 * consumer: one_to_three is three rings, fed in turn.
 */
#ifndef BENCH_CK_H
#define BENCH_CK_H

#include "bench.h"

#include <ck_ring.h>

CK_RING_PROTOTYPE(event, bench_event)

struct channel {
	ck_ring_t ring EVBUS_ALIGNED(EVBUS_LINE);
	struct bench_event *events;
};

struct sender {
	struct channel *channel;
};

struct receiver {
	struct channel *channel;
	struct bench_check check;
};

EVBUS__INLINE int
system_send(struct sender *sender, const struct bench_event *event)
{
	struct channel *c = sender->channel;
	struct bench_event copy = *event;	/* the ring wants it writable */

	return CK_CALL(enqueue)(&c->ring, c->events, &copy);
}

EVBUS__INLINE unsigned
system_receive(struct receiver *receiver)
{
	struct channel *c = receiver->channel;
	struct bench_event event;

	if (!CK_CALL(dequeue)(&c->ring, c->events, &event))
		return 0;
	bench_check_event(&receiver->check, &event);
	return 1;
}

#include "workload.h"

static struct channel channels[BENCH_THREADS];

static struct channel *
channel_open(unsigned number, unsigned capacity)
{
	struct channel *c = &channels[number];

	ck_ring_init(&c->ring, capacity);
	c->events = bench_alloc(capacity * sizeof *c->events);
	return c;
}

static void
system_open(const struct bench_order *order, struct worker *producers,
    struct worker *consumers)
{
	struct channel *c;
	unsigned i;

	for (i = 0; i < run.consumers; i++) {
		c = channel_open(i, order->capacity);
		consumers[i].in.channel = c;
		producers[0].out[i].channel = c;
		producers[0].outs = i + 1;
	}
	for (i = 1; i < run.producers; i++) {
		producers[i].out[0].channel = &channels[0];
		producers[i].outs = 1;
	}
	if (order->topology == PING_PONG) {
		c = channel_open(1, order->capacity);
		consumers[0].out[0].channel = c;
		consumers[0].outs = 1;
		producers[0].in.channel = c;
	}
}

static void
system_close(void)
{
	unsigned i;

	for (i = 0; i < BENCH_THREADS; i++) {
		if (channels[i].events != NULL &&
		    ck_ring_size(&channels[i].ring) != 0)
			bench_die("ck_ring: %u events are left",
			    ck_ring_size(&channels[i].ring));
		free(channels[i].events);
	}
}

#endif /* BENCH_CK_H */
