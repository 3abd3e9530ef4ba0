/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hole.c - layer 2: sequences that were claimed and will never hold an event.
 * Readers pass and count them.  Called by the thread that holds the claim; at
 * its end by its exit destructor (S5).
 */
#include <evbus/claim.h>

#include "stream/stream.h"

void
evbus__make_hole(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint64_t sequence, uint64_t n)
{
	struct evbus_header *header;
	uint64_t i;

	for (i = 0; i < n; i++) {
		EVBUS__DELAY(hole);
		header = evbus__slot(&stream->pub, sequence + i);
		evbus__fill_header(header, evbus__meta(0, EVBUS_SLOT_HOLE, 0,
		    publisher->id & 0xffffu), 0, 0);
		evbus__stamp(header, sequence + i);
	}
	(void)EVBUS_FETCH_ADD(&stream->pub.ctl->holes, n, RELAXED);
	evbus__after_commit(&stream->pub, stream->pub.fence_full);
}

void
evbus__thread_holes(struct evbus__context *context,
    struct evbus_publisher *publisher)
{
	struct evbus__open_claim *claim;
	struct evbus__stream *stream;
	uint32_t i;

	for (i = 0; i < EVBUS_CLAIMS_MAX; i++) {
		claim = &publisher->claim[i];
		if (EVBUS_LOAD(&claim->stream, RELAXED) == 0)
			continue;
		stream = evbus__stream_number(context, claim->stream);
		if (claim->entry != 0)
			evbus__outside_give_up(&stream->outside,
			    claim->entry - 1);
		evbus__make_hole(stream, publisher, claim->sequence, 1);
		EVBUS_STORE(&claim->stream, 0, RELAXED);
		publisher->aborts++;
	}
}
