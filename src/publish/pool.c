/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - layer 4: room for payloads outside the ring, before a slot is
 * claimed.
 *
 * An empty pool is a full stream: the publisher takes back what the gate has
 * passed, or waits until the oldest event that holds an entry has been passed.
 * A batch that cannot have all its blocks gives back those it has before it
 * waits, so that two batches never hold each other up.
 */
#include "publish/publish.h"

void
evbus__give_outside(struct evbus__stream *stream, uint32_t first)
{
	uint32_t at = first, next;

	for (; at != 0; at = next) {
		next = evbus__outside_next(&stream->outside, at - 1);
		evbus__outside_give_up(&stream->outside, at - 1);
	}
}

/* Entry + 1 of the chain's head; 0: not enough are free. */
static uint32_t
take_all(struct evbus__stream *stream, uint32_t n, const struct evbus__how *how,
    const void *data, size_t size)
{
	uint32_t head = 0;
	int64_t entry;

	for (; n > 0; n--) {
		if (how->release != NULL)
			entry = evbus__outside_take_reference(&stream->outside,
			    data, size, how->release, how->release_arg);
		else
			entry = evbus__outside_take_block(&stream->outside);
		if (entry < 0) {
			evbus__give_outside(stream, head);
			return 0;
		}
		evbus__outside_link(&stream->outside, (uint32_t)entry, head);
		head = (uint32_t)entry + 1;
	}
	return head;
}

/*
 * Do the caller's own open claims, and the events that its own readers hold,
 * leave fewer than n entries to everybody else? (S3)
 */
static int
holds_too_many(struct evbus__stream *stream, struct evbus_publisher *publisher,
    int references, uint32_t n)
{
	const struct evbus__open_claim *claim = publisher->claim;
	uint32_t held = evbus__stream_own_pins(stream, publisher, references);
	int i;

	for (i = 0; !references && i < EVBUS_CLAIMS_MAX; i++)
		held += EVBUS_LOAD(&claim[i].stream, RELAXED) ==
		    stream->pub.number && claim[i].entry != 0;
	return held + n > (references ? stream->outside.references :
	    stream->outside.blocks);
}

/* A reader may hold an entry for longer than its stall_ns. */
static void
demote_stalled(struct evbus__stream *stream, struct evbus_publisher *publisher,
    int references)
{
	uint64_t oldest = evbus__outside_oldest(&stream->outside, references);

	if (oldest != UINT64_MAX)
		(void)evbus__gate_due(stream, publisher, 0, oldest + 1);
}

/* 0: look again; or why not to wait any longer. */
static int
wait_for_entry(struct evbus__stream *stream, struct evbus_publisher *publisher,
    int references, uint32_t n, int64_t deadline)
{
	struct evbus__context *context = stream->context;
	uint64_t oldest = evbus__outside_oldest(&stream->outside, references);
	int error;

	error = publisher->depth > 0 ? evbus__check_alive(context) :
	    evbus__check_open(context);
	if (error != 0)
		return error;
	if (holds_too_many(stream, publisher, references, n)) {
		(void)EVBUS_FETCH_ADD(&stream->pub.ctl->deadlocks, 1, RELAXED);
		return evbus__fail(EVBUS_EDEADLK, "this thread's open claims "
		    "and held events leave too little of the pool of stream "
		    "\"%s\"", stream->pattern);
	}
	if (oldest != UINT64_MAX &&
	    evbus__gate_now(stream, publisher) <= oldest)
		return evbus__gate_wait(stream, publisher, EVBUS__WAIT_POOL,
		    oldest + 1, deadline);
	EVBUS__DELAY(pool_wait);
	/* Another publisher is about to use or free it, or a lossy reader
	 * still looks at it: neither waits for us. */
	evbus__os_yield();
	return evbus__has_passed(deadline) ? EVBUS_ETIMEDOUT : 0;
}

int
evbus__take_outside(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint32_t n,
    const struct evbus__how *how, const void *data, size_t size,
    uint32_t *first)
{
	struct evbus_ring_ctl *ctl = stream->pub.ctl;
	int64_t deadline;
	int result = 0;

	*first = take_all(stream, n, how, data, size);
	if (*first != 0)
		return 0;
	(void)EVBUS_FETCH_ADD(&ctl->outside_empty, 1, RELAXED);
	deadline = evbus__deadline(how->timeout_ns);
	do {
		demote_stalled(stream, publisher, how->release != NULL);
		evbus__stream_reclaim(stream, publisher);
		*first = take_all(stream, n, how, data, size);
		if (*first != 0)
			return 0;
		if (how->timeout_ns == 0) {
			(void)EVBUS_FETCH_ADD(&ctl->refused, 1, RELAXED);
			return EVBUS_EFULL;
		}
		result = wait_for_entry(stream, publisher,
		    how->release != NULL, n, deadline);
	} while (result == 0);
	if (result != EVBUS_ETIMEDOUT)
		return result;
	(void)EVBUS_FETCH_ADD(&ctl->timedout, 1, RELAXED);
	return evbus__fail(EVBUS_ETIMEDOUT, "stream \"%s\" had no room for a "
	    "payload outside its slots for %lld ns", stream->pattern,
	    (long long)how->timeout_ns);
}

void
evbus__fill_outside(struct evbus__stream *stream, struct evbus_header *header,
    uint32_t entry, size_t size, uint64_t sequence)
{
	struct evbus_outside outside;

	outside.entry = entry;
	outside.size = (uint32_t)size;
	outside.ticket = evbus__outside_hold(&stream->outside, entry, sequence);
	EVBUS_PLAIN_COPY_IN((unsigned char *)header + stream->pub.header_size,
	    &outside, sizeof outside);
}
