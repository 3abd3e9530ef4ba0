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

/* Do readers that this thread runs pin the ticket (0: anything)? */
static int
is_own_pin(struct evbus__stream *stream, struct evbus_publisher *publisher,
    uint64_t ticket)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, publisher)->epoch;
	const struct evbus__member *member;
	const struct evbus__set *set;
	uint64_t pin;
	uint32_t i;
	int found = 0;

	evbus__epoch_begin(&context->epoch, record);
	set = EVBUS_LOAD(&stream->set, ACQUIRE);		/* SET */
	for (i = 0; i < set->count && !found; i++) {
		member = &set->member[i];
		pin = EVBUS_LOAD(&member->cursor->pin, RELAXED);
		found = pin != 0 && (ticket == 0 || pin == ticket) &&
		    evbus__runs_reader(context, publisher, member->reader);
	}
	evbus__epoch_end(&context->epoch, record);
	return found;
}

uint32_t
evbus__stream_own_pins(struct evbus__stream *stream,
    struct evbus_publisher *publisher, int references)
{
	const struct evbus__outside_table *table = &stream->outside;
	uint32_t i = references ? table->blocks : 0;
	uint32_t end = references ? table->blocks + table->references :
	    table->blocks;
	uint32_t pinned = 0;
	uint64_t state;

	if (!is_own_pin(stream, publisher, 0))
		return 0;
	for (; i < end; i++) {
		state = EVBUS_LOAD(&table->state[i], RELAXED);
		/* Who reclaims may look at it just now: it comes back. */
		if ((state & 3) == EVBUS__OUTSIDE_GOING)
			state = (state & ~(uint64_t)3) | EVBUS__OUTSIDE_HELD;
		if ((state & 3) == EVBUS__OUTSIDE_HELD)
			pinned += (uint32_t)is_own_pin(stream, publisher,
			    state);
	}
	return pinned;
}
