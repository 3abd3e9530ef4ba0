/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.c - layer 4: how a reader reads that is lossy or may be demoted (D2, D5,
 * L1).
 *
 * Producers need not wait for it, so a slot may be written while it is read.  It
 * copies a batch word by word, then proves by the tail that none of it was
 * claimed again meanwhile:
 *
 *	reader					producer of s + N
 *	stamp of s is there (acquire)		tail = s + N + 1
 *	copy the slot's words (relaxed)		release fence
 *	acquire fence				write the slot's words
 *	tail <= s + N: the copy is whole
 *
 * LAP: if any copied word was the later producer's, the two fences make its
 * tail visible to the second look.  The stamp alone would not do: it still
 * says s + 1 while the payload of s + N is being written.
 *
 * Payloads outside the slot are pinned (PIN in ring/outside.h).
 */
#include "reader/reader.h"

#if defined(__clang__)
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNSEEN __attribute__((__disable_sanitizer_instrumentation__, \
    __noinline__))
#else
#define UNSEEN __attribute__((__no_sanitize__("thread"), __noinline__))
#endif
#else
#define UNSEEN __attribute__((__no_sanitize_thread__, __noinline__))
#endif

/*
 * The one function that reads what may be written at the same time: hidden
 * from the thread sanitizer, and explored instead.  n is a multiple of 8.
 */
UNSEEN static void
copy_words(void *to, const void *from, size_t n)
{
	uint64_t *dst = to;
	const uint64_t *src = from;
	size_t i;

	for (i = 0; i < n / sizeof *src; i++)
		dst[i] = EVBUS_LOAD(&src[i], RELAXED);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of a slot that are worth copying, never more than the slot has. */
static size_t
bytes_of(const struct evbus_stream *stream, uint64_t meta)
{
	size_t size = evbus__meta_flags(meta) & EVBUS_SLOT_OUTSIDE ?
	    sizeof(struct evbus_outside) : evbus__meta_size(meta);

	size = (size_t)least(size, stream->inline_max);
	return (stream->header_size + size + 7) & ~(size_t)7;
}

struct evbus_header *
evbus__copied(const struct evbus__place *place, uint32_t i)
{
	return (struct evbus_header *)(void *)(place->copy +
	    ((size_t)i << place->stream->pub.shift));
}

uint32_t
evbus__copy_slots(const struct evbus__place *place, uint64_t sequence,
    uint32_t most)
{
	const struct evbus_stream *stream = &place->stream->pub;
	const struct evbus_header *slot;
	uint64_t meta;
	uint32_t n;

	for (n = 0; n < most && n <= stream->mask; n++, sequence++) {
		slot = evbus__slot(stream, sequence);
		/* STAMP: acquire, partner evbus__stamp(). */
		if (EVBUS_LOAD(&slot->stamp, ACQUIRE) != sequence + 1)
			break;
		EVBUS__DELAY(copy_slot);
		copy_words(&meta, &slot->meta, sizeof meta);
		copy_words(evbus__copied(place, n), slot,
		    bytes_of(stream, meta));
		/* The size that was copied by is the one to be believed. */
		evbus__copied(place, n)->meta = meta;
	}
	return n;
}

/* Everything below `oldest` went by unread. */
static void
lose_until(struct evbus__place *place, uint64_t oldest)
{
	if (oldest <= place->next)
		return;
	evbus__place_lose(place, oldest - place->next);
	place->next = oldest;
}

int
evbus__copy_refill(struct evbus__place *place)
{
	const struct evbus_stream *stream = &place->stream->pub;
	uint64_t capacity = stream->mask + 1, tail, oldest, first;
	uint32_t n;

	tail = EVBUS_LOAD(&stream->ctl->tail, RELAXED);
	if (tail > place->next + capacity)
		lose_until(place, tail - capacity + place->slack);
	first = place->next;
	/* What was lost may lie beyond what those ahead are done with. */
	n = place->until <= first ? 0 : evbus__copy_slots(place, first,
	    (uint32_t)least(place->until - first, EVBUS__COPY_BATCH));
	EVBUS__DELAY(copied);
	EVBUS_FENCE(ACQUIRE);					/* LAP */
	tail = EVBUS_LOAD(&stream->ctl->tail, RELAXED);		/* LAP */
	oldest = tail > capacity ? tail - capacity : 0;
	if (oldest >= first + n && oldest > first) {
		/*
		 * Lapped while copying: next time stay clear of the producers,
		 * more each time, up to half of the ring.
		 */
		place->slack = (uint32_t)least(EVBUS__COPY_BATCH +
		    (uint64_t)place->slack * 2, capacity / 2);
		lose_until(place, oldest);
		place->batch = 0;
		place->batch_at = 0;
		return n > 0;		/* look again at once */
	}
	place->slack = 0;
	lose_until(place, oldest);
	place->batch = n;
	place->batch_at = (uint32_t)(place->next - first);
	place->batch_first = first;
	return 0;
}

/*
 * The next slot's copy, whose sequence is place->next; NULL: nothing there.
 */
struct evbus_header *
evbus__copy_next(struct evbus__place *place)
{
	if (place->batch_at >= place->batch) {
		while (place->refill(place))
			;
		if (place->batch_at >= place->batch)
			return NULL;
	}
	return evbus__copied(place, place->batch_at++);
}

int
evbus__pin(struct evbus__place *place, const struct evbus_outside *outside)
{
	const struct evbus__outside_table *table = &place->stream->outside;

	if (outside->entry >= table->blocks + table->references)
		return 0;
	EVBUS_STORE(&place->cursor->pin, outside->ticket, RELEASE);
	EVBUS__DELAY(pin);
	/* PIN: pin, fence, look at the state; partner: outside_reclaim(). */
	EVBUS_FENCE(SEQ_CST);
	if (EVBUS_LOAD(&table->state[outside->entry], RELAXED) !=
	    outside->ticket) {
		EVBUS_STORE(&place->cursor->pin, 0, RELAXED);
		return 0;
	}
	place->pinned = outside->ticket;
	return 1;
}

void
evbus__unpin(struct evbus__place *place)
{
	if (place->pinned == 0)
		return;
	/* It is the last of what a member of a group has in hand. */
	if (place->shared != NULL && place->batch_at < place->batch)
		return;
	place->pinned = 0;
	/* PIN: release, partner is_pinned(): done with the payload. */
	EVBUS_STORE(&place->cursor->pin, 0, RELEASE);
}
