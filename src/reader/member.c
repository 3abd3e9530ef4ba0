/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member.c - layer 4: a member of a group hands what it has in hand to its
 * handler (D3).
 *
 * What it has in hand are copies that it alone may handle; they come by
 * place->refill (group/claim.c).  It claims no more than this call may hand on,
 * so that nothing waits for a member that is not run.  A member has one
 * subscription.  Once that is dead the member is being closed: what it did not
 * handle stays in its hand, and whoever finishes the close hands it over.
 */
#include "reader/run.h"

/* One event that the member's handler may want; 0: it stays in hand. */
static int
deliver(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, const struct evbus__matches *matches,
    uint32_t flags)
{
	const struct evbus__match *match = &matches->match[0];

	evbus__describe(reader, place, header, matches->topic, place->next);
	if (evbus__meta_flags(EVBUS_PLAIN_LOAD(&header->meta)) &
	    EVBUS_SLOT_OUTSIDE &&
	    !evbus__describe_outside(reader, place, header)) {
		place->gone++;
		place->lost++;
		return 1;
	}
	if (match->handler == NULL) {
		place->skipped++;
		return 1;
	}
	reader->event.flags |= flags;
	reader->self->cause = EVBUS_CAUSE(reader->event.stream, place->next);
	if (!evbus__call(reader, match))
		return 0;
	place->lost = 0;
	place->calls++;
	place->delivered++;
	return 1;
}

static int
handle(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, uint32_t flags)
{
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);
	const struct evbus__matches *matches;

	/* TABLE: acquire, partner replace() in dispatch.c. */
	matches = EVBUS_LOAD(&reader->table[evbus__meta_topic(meta)], ACQUIRE);
	EVBUS__DELAY(table_shared);
	if (matches != NULL) {
		if (!deliver(reader, place, header, matches, flags))
			return 0;
	} else if (evbus__meta_flags(meta) & EVBUS_SLOT_HOLE)
		place->holes++;
	else
		place->skipped++;
	evbus__unpin(place);
	return 1;
}

unsigned
evbus__run_shared(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget)
{
	const struct evbus_header *header;
	unsigned passed = 0;

	EVBUS_STORE(&reader->inside, reader->self->id, RELAXED);
	while (passed < budget && !reader->stop) {
		place->room = budget - passed;
		header = evbus__copy_next(place);
		if (header == NULL || !handle(reader, place, header,
		    passed + 1 == budget ? EVBUS_EVENT_END_OF_BATCH : 0))
			break;
		place->next++;
		passed++;
		/* A flush may wait for it. */
		if (place->batch_at == place->batch || EVBUS_LOAD(
		    &place->stream->pub.ctl->waiters, RELAXED) != 0)
			evbus__place_publish(place);
	}
	place->room = 1;
	EVBUS_STORE(&reader->inside, 0, RELAXED);
	/* Stopped with more in hand. */
	if (place->batch_at < place->batch)
		evbus__place_publish(place);
	return passed;
}
