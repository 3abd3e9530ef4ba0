/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake.c - layer 2: wake who sleeps on a stream.
 */
#include <limits.h>

#include <evbus/claim.h>

#include "stream/stream.h"

/*
 * A producer committed and saw attention: somebody sleeps, or is about to.
 * Called inside the publish's section, by its thread.
 */
void
evbus__wake_readers(const struct evbus_stream *handle)
{
	struct evbus__stream *stream = evbus__stream_of(handle);
	struct evbus__context *context = stream->context;
	struct evbus_publisher *publisher = evbus__self(context);
	struct evbus__epoch_record *record;
	const struct evbus__set *set;
	uint64_t woken = 0;
	uint32_t i;

	EVBUS_ASSERT(publisher != NULL);
	record = &evbus__thread_of(context, publisher)->epoch;
	/*
	 * WAKE: acquire: the words of all that set attention are seen.
	 * Partner: evbus__park_mark().
	 */
	(void)EVBUS_XCHG(&handle->ctl->attention, 0, ACQUIRE);
	EVBUS__DELAY(wake_taken);
	evbus__epoch_begin(&context->epoch, record);
	set = EVBUS_LOAD(&stream->set, ACQUIRE);		/* SET */
	for (i = 0; i < set->count; i++)
		woken += (uint64_t)evbus__park_wake(set->member[i].park);
	evbus__epoch_end(&context->epoch, record);
	if (woken > 0)
		(void)EVBUS_FETCH_ADD(&handle->ctl->wakes, woken, RELAXED);
	/* Publishers may wait for this commit (no lossless reader). */
	if (EVBUS_LOAD(&handle->ctl->waiters, RELAXED) & EVBUS__WAITS_SPACE)
		evbus__space_wake(handle->ctl);
}

/*
 * SPACE: who waits reads the futex word, sets waiters by a read-modify-write,
 * runs the heavy fence and looks at the cursors once more; who moved a cursor
 * runs the light fence, sees waiters, clears its bit and then changes the word.
 * Either the second look sees the cursor, or the sleep does not happen or ends.
 */
void
evbus__space_wake(struct evbus_ring_ctl *ctl)
{
	(void)EVBUS_FETCH_AND(&ctl->waiters, ~EVBUS__WAITS_SPACE, ACQ_REL);
	EVBUS__DELAY(space_wake);
	(void)EVBUS_FETCH_ADD(&ctl->space, 1, RELEASE);
	(void)EVBUS_FETCH_ADD(&ctl->space_wakes, 1, RELAXED);
	evbus__futex_wake(&ctl->space, INT_MAX);
}

/* SPACE, AFTER and STALL: whoever of them waits. */
void
evbus__cursor_wake(struct evbus__stream *stream, struct evbus__cursor *cursor,
    const struct evbus__where *where, uint32_t waiters)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record;
	struct evbus_publisher *publisher;

	if (waiters & EVBUS__WAITS_SPACE)
		evbus__space_wake(stream->pub.ctl);
	if (waiters >= EVBUS__WAITS_STALLED)
		evbus__stall_over(stream, cursor, where, 0);
	if ((waiters & EVBUS__WAITS_AFTER) == 0)
		return;
	publisher = evbus__self(context);
	/* Who runs a reader has a record. */
	EVBUS_ASSERT(publisher != NULL);
	record = &evbus__thread_of(context, publisher)->epoch;
	evbus__epoch_begin(&context->epoch, record);
	evbus__after_wake(stream, EVBUS_LOAD(&stream->set, ACQUIRE));	/* SET */
	evbus__epoch_end(&context->epoch, record);
}
