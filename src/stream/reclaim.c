/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim.c - layer 2: payloads outside the ring come back when the gate has
 * passed their event and no reader pins them: a lossy one, or a lossless one
 * that started behind the gate.  By whoever needs a block or a slot, by flush
 * and by close.
 */
#include "stream/stream.h"

struct pins {
	struct evbus__stream *stream;
	struct evbus__epoch_record *record;
};

static int
is_pinned(uint64_t ticket, void *arg)
{
	struct pins *pins = arg;
	struct evbus__context *context = pins->stream->context;
	const struct evbus__set *set;
	uint32_t i;
	int found = 0;

	evbus__epoch_begin(&context->epoch, pins->record);
	set = EVBUS_LOAD(&pins->stream->set, ACQUIRE);		/* SET */
	for (i = 0; i < set->count && !found; i++)
		/* PIN: acquire: the reader is done with what it unpinned. */
		found = EVBUS_LOAD(&set->member[i].cursor->pin, ACQUIRE) ==
		    ticket;
	evbus__epoch_end(&context->epoch, pins->record);
	return found;
}

void
evbus__stream_reclaim(struct evbus__stream *stream,
    struct evbus_publisher *publisher)
{
	struct pins pins = { stream,
	    &evbus__thread_of(stream->context, publisher)->epoch };

	if (EVBUS_LOAD(&stream->outside.in_use, RELAXED) == 0)
		return;
	(void)evbus__outside_reclaim(&stream->outside,
	    evbus__gate_now(stream, publisher), is_pinned, &pins);
}
