/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim.h - layer 2: claim, fill, stamp, wake: what a publish is made of.
 *
 * For the inlines of publish.h and for src/publish/, src/stream/; not for
 * users.  Labels in capitals name ordering edges; evbus_memory_model(7).
 */
#ifndef EVBUS_CLAIM_H
#define EVBUS_CLAIM_H

#include <evbus/publisher.h>
#include <evbus/stream.h>

#define EVBUS__PREFETCH (16 * EVBUS_CACHELINE)	/* bytes ahead of a slot */

EVBUS_BEGIN_DECLS
EVBUS_API void evbus__wake_readers(const struct evbus_stream *);
EVBUS_END_DECLS

/* The slot of a sequence. */
EVBUS__INLINE struct evbus_header *
evbus__slot(const struct evbus_stream *stream, uint64_t sequence)
{
	return (struct evbus_header *)(void *)(stream->slots +
	    ((sequence & stream->mask) << stream->shift));
}

/*
 * Mark the thread as being inside a publish; returns the section word of before.
 *
 * CLOSE: section odd, light fence, load limit.  Partner: src/bus/close.c, which
 * sets limit = 0, runs the heavy fence and then reads section.  Either this
 * publish sees the closed limit, or close sees this section and waits for it;
 * weaker, an event could be accepted after close has counted the rest.
 */
EVBUS__INLINE uint64_t
evbus__enter(struct evbus_publisher *publisher, int fence_full)
{
	uint64_t section = EVBUS_LOAD(&publisher->section, RELAXED);

	EVBUS_STORE(&publisher->section, section + 1, RELAXED);	/* CLOSE */
	EVBUS_FENCE_LIGHT(fence_full);				/* CLOSE */
	EVBUS__DELAY(enter);
	return section;
}

/* Outside again, with so many more events published; section: of before. */
EVBUS__INLINE void
evbus__leave(struct evbus_publisher *publisher, uint64_t section,
    uint64_t events)
{
	EVBUS__DELAY(leave);
	/* CLOSE: what was committed inside is seen by who sees it even. */
	EVBUS_STORE(&publisher->section, section + 2 * events, RELEASE);
}

/* The section word of before, for who is inside and has not kept it. */
EVBUS__INLINE uint64_t
evbus__entered(const struct evbus_publisher *publisher)
{
	return EVBUS_LOAD(&publisher->section, RELAXED) & ~UINT64_C(1);
}

/*
 * Claim n consecutive sequences, the first in *sequence: 1, or 0 and nothing
 * was claimed (full as far as the cached gate tells, closed, or another
 * thread's single-producer stream).
 *
 * GATE: the acquire load of limit pairs with the release in
 * src/stream/gate.c: what readers read of the slots' earlier events, and what
 * earlier producers wrote to them, happens before they are written again.
 *
 * LAP: the claim is visible before any byte of the payload: release fence
 * here; partner: acquire fence and load of tail in src/reader/copy.c.  Weaker, a
 * lossy reader could take a torn copy for whole.
 */
EVBUS__INLINE int
evbus__try_claim(const struct evbus_stream *stream,
    const struct evbus_publisher *publisher, uint64_t n, uint64_t *sequence)
{
	struct evbus_ring_ctl *ctl = stream->ctl;
	uint64_t tail = EVBUS_LOAD(&ctl->tail, RELAXED);

	if (stream->single) {
		if (evbus_unlikely(EVBUS_LOAD(&ctl->owner, RELAXED) !=
		    publisher->id ||
		    tail + n > EVBUS_LOAD(&ctl->limit, ACQUIRE)))
			return 0;
		EVBUS__DELAY(claim_single);
		EVBUS_STORE(&ctl->tail, tail + n, RELAXED);
	} else {
		do {
			if (evbus_unlikely(tail + n >
			    EVBUS_LOAD(&ctl->limit, ACQUIRE)))
				return 0;
			EVBUS__DELAY(claim);
		} while (evbus_unlikely(!EVBUS_CAS(&ctl->tail, &tail, tail + n,
		    RELAXED, RELAXED)));
	}
	EVBUS__DELAY(claimed);
	EVBUS_FENCE(RELEASE);					/* LAP */
	*sequence = tail;
	return 1;
}

/* The words of the header behind the stamp. */
EVBUS__INLINE void
evbus__fill_header(struct evbus_header *header, uint64_t meta, uint64_t time,
    uint64_t cause)
{
	EVBUS_PLAIN_STORE(&header->meta, meta);
	EVBUS_PLAIN_STORE2(&header->time, time, cause);
}

/*
 * STAMP: store-release of the value that only this lap's sequence can have.
 * Partner: load-acquire in src/reader/.  Publishes every byte of the event;
 * weaker, a reader would see an event that is not whole.
 */
EVBUS__INLINE void
evbus__stamp(struct evbus_header *header, uint64_t sequence)
{
	EVBUS__DELAY(stamp);
	EVBUS_STORE(&header->stamp, sequence + 1, RELEASE);
}

/*
 * Wake readers that sleep.
 * WAKE: stamp, light fence, load attention.  Partner: src/ring/park.c, which
 * sets attention, runs the heavy fence and looks at the stamps once more.
 * Weaker, both could miss the other: a lost wake-up.
 */
EVBUS__INLINE void
evbus__after_commit(const struct evbus_stream *stream, int fence_full)
{
	EVBUS__DELAY(stamped);
	EVBUS_FENCE_LIGHT(fence_full);				/* WAKE */
	if (evbus_unlikely(EVBUS_LOAD(&stream->ctl->attention, RELAXED) != 0))
		evbus__wake_readers(stream);
}

#endif /* EVBUS_CLAIM_H */
