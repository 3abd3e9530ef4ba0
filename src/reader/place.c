/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.c - layer 4: a reader's cursor in one stream.
 *
 * The private cursor runs ahead; the shared one, which gates producers, is
 * stored at the end of each stretch of events, and after each event while a
 * publisher waits (F3).
 */
#include "reader/reader.h"

void
evbus__place_publish(struct evbus__place *place)
{
	struct evbus_ring_ctl *ctl = place->stream->pub.ctl;

	EVBUS_ASSERT(place->next >= place->cursor->next);
	/*
	 * GATE: release, partner lowest() in stream/gate.c: what was read of
	 * the slots happens before they are written again.
	 */
	EVBUS_STORE(&place->cursor->next, place->next, RELEASE);
	if (place->cursor->lossy)
		return;
	/* SPACE: cursor, light fence, waiters; see stream/wake.c. */
	EVBUS_FENCE_LIGHT(place->stream->pub.fence_full);
	if (evbus_unlikely(EVBUS_LOAD(&ctl->waiters, RELAXED) != 0))
		evbus__space_wake(ctl);
}

/* Add to a counter that only this thread writes and others may read. */
static void
count(uint64_t *counter, uint64_t *n)
{
	if (*n == 0)
		return;
	EVBUS_STORE(counter, *counter + *n, RELAXED);
	*n = 0;
}

void
evbus__place_counters(struct evbus__place *place)
{
	struct evbus__cursor *cursor = place->cursor;

	count(&cursor->delivered, &place->delivered);
	count(&cursor->skipped, &place->skipped);
	count(&cursor->holes, &place->holes);
	count(&cursor->lost, &place->gone);
	count(&place->calls_of->calls, &place->calls);
	EVBUS_STORE(&cursor->seen, place->next, RELAXED);
	/* D2, at every batch end. */
	EVBUS_ASSERT(cursor->delivered + cursor->skipped + cursor->holes +
	    cursor->lost == place->next - cursor->start);
}

int
evbus__place_ready(const struct evbus__place *place)
{
	uint64_t stamp;

	if (place->batch_at < place->batch)
		return 1;
	stamp = EVBUS_LOAD(&evbus__slot(&place->stream->pub,
	    place->next)->stamp, ACQUIRE);
	/* A lossy reader that was lapped sees a later lap's stamp. */
	return stamp == place->next + 1 ||
	    (place->cursor->lossy && stamp > place->next + 1);
}
