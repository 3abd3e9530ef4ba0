/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - layer 4: hand events to handlers.
 *
 * A lossless reader reads in place.  It looks ahead: before a stretch of k
 * events it looks at the stamp of the k-th; if that is there, the whole stretch
 * streams in without touching lines that the producer still writes.  If not, it
 * waits, once and for about a microsecond, then halves k; k doubles while the
 * reader is fed.  Each stamp is still checked with acquire: the look is only a
 * hint.
 */
#include "reader/reader.h"

#define LOOK_SPINS	24u	/* about a microsecond of pauses */
#define LAG_STRETCH	64u	/* sequences in a poll that call for a look at
				 * the lag */

void
evbus__describe(struct evbus_reader *reader, const struct evbus__place *place,
    const struct evbus_header *header, struct evbus_topic *topic,
    uint64_t sequence)
{
	struct evbus_event *event = &reader->event;
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);

	event->data = (const unsigned char *)header +
	    place->stream->pub.header_size;
	event->topic = topic;
	event->sequence = sequence;
	event->time = (int64_t)EVBUS_PLAIN_LOAD(&header->time);
	event->cause = EVBUS_PLAIN_LOAD(&header->cause);
	event->lost = place->lost;
	event->size = evbus__meta_size(meta);
	event->publisher = evbus__meta_publisher(meta);
	event->stream = place->stream->pub.number;
	event->flags = 0;
}

int
evbus__describe_outside(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header)
{
	struct evbus_outside outside;
	const uint64_t *words = (const uint64_t *)(const void *)
	    ((const unsigned char *)header + place->stream->pub.header_size);
	uint64_t copy[2];

	copy[0] = EVBUS_PLAIN_LOAD(&words[0]);
	copy[1] = EVBUS_PLAIN_LOAD(&words[1]);
	memcpy(&outside, copy, sizeof outside);
	if (place->cursor->lossy && !evbus__pin(place, &outside))
		return 0;
	reader->event.data = evbus__outside_data(&place->stream->outside,
	    outside.entry);
	reader->event.size = outside.size;
	reader->event.flags |= EVBUS_EVENT_OUTSIDE;
	return 1;
}

/* A handler answered something else than EVBUS_DONE. */
static void
act_on(struct evbus_reader *reader, struct evbus__subscription *subscription,
    enum evbus_verdict verdict)
{
	struct evbus__reader_entry *entry = reader->entry;

	if (verdict == EVBUS_STOP) {
		evbus__subscription_stop(subscription);
		return;
	}
	EVBUS_STORE(&entry->verdicts, entry->verdicts + 1, RELAXED);
	reader->verdict = evbus__fail(EVBUS_EVERDICT, "the handler subscribed "
	    "at %s:%d answered %d, which this version cannot act on",
	    subscription->file, subscription->line, (int)verdict);
	reader->stop = 1;
}

/* Call the handlers that want the event that reader->event describes. */
static int
call_handlers(struct evbus_reader *reader, const struct evbus__matches *matches)
{
	struct evbus__reader_entry *entry = reader->entry;
	const struct evbus__match *match = matches->match;
	uint64_t sequence = reader->event.sequence;
	enum evbus_verdict verdict;
	uint32_t i;
	int called = 0;

	for (i = 0; i < matches->count; i++, match++) {
		if (match->handler == NULL || sequence < match->start)
			continue;
		/* UNSUB: current, light fence, dead; see reader.h. */
		EVBUS_STORE(&entry->current,
		    (uint64_t)match->subscription->id, RELEASE);
		EVBUS_FENCE_LIGHT(reader->context->fence_full);
		if (evbus_unlikely(EVBUS_LOAD(&match->subscription->dead,
		    ACQUIRE)))
			continue;
		called++;
		verdict = match->handler(&reader->event, match->arg);
		if (evbus_unlikely(verdict != EVBUS_DONE))
			act_on(reader, match->subscription, verdict);
	}
	if (called > 0)
		EVBUS_STORE(&entry->calls, entry->calls + (uint64_t)called,
		    RELAXED);
	if (evbus_unlikely(EVBUS_LOAD(&reader->state, RELAXED) !=
	    EVBUS__READER_OPEN))
		reader->stop = 1;
	return called > 0;
}

/*
 * One event that somebody may want.  The cause of what its handlers publish is
 * this event.
 */
static inline void
deliver(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, const struct evbus__matches *matches,
    uint64_t sequence, uint32_t flags, struct evbus_publisher *self)
{
	evbus__describe(reader, place, header, matches->topic, sequence);
	if (evbus_unlikely(evbus__meta_flags(EVBUS_PLAIN_LOAD(&header->meta)) &
	    EVBUS_SLOT_OUTSIDE) &&
	    !evbus__describe_outside(reader, place, header)) {
		place->gone++;
		place->lost++;
		return;
	}
	reader->event.flags |= flags;
	self->cause = EVBUS_CAUSE(place->stream->pub.number, sequence);
	if (call_handlers(reader, matches)) {
		place->delivered++;
		place->lost = 0;
	} else
		place->skipped++;
	evbus__unpin(place);
}

/* What to do with one slot; `flags` is for the event, if it is one. */
static inline void
handle_slot(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, uint64_t sequence, uint32_t flags,
    struct evbus_publisher *self)
{
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);
	const struct evbus__matches *matches;

	if (evbus_unlikely(evbus__meta_flags(meta) & EVBUS_SLOT_HOLE)) {
		place->holes++;
		return;
	}
	/* TABLE: acquire, partner replace() in dispatch.c. */
	matches = EVBUS_LOAD(&reader->table[evbus__meta_topic(meta)], ACQUIRE);
	if (matches == NULL)
		place->skipped++;
	else
		deliver(reader, place, header, matches, sequence, flags, self);
}

static inline int
is_there(const struct evbus_stream *stream, uint64_t sequence)
{
	/* STAMP: acquire, partner evbus__stamp(). */
	return EVBUS_LOAD(&evbus__slot(stream, sequence)->stamp, ACQUIRE) ==
	    sequence + 1;
}

/* How many events to take in one stretch; see the head of this file. */
static uint32_t
look_ahead(struct evbus__place *place, unsigned room)
{
	const struct evbus_stream *stream = &place->stream->pub;
	uint32_t k = place->look, spins = LOOK_SPINS;

	if (k > room)
		k = room;
	while (k > 1 && !is_there(stream, place->next + k - 1)) {
		if (spins > 0) {
			spins--;
			EVBUS_SPIN();
			continue;
		}
		k /= 2;
		place->look = k;
	}
	return k;
}

static void
was_fed(struct evbus__place *place)
{
	uint32_t most = EVBUS__LOOK_MAX;

	if (most > (place->stream->pub.mask + 1) / 4)
		most = (uint32_t)((place->stream->pub.mask + 1) / 4);
	if (place->look * 2 <= most)
		place->look *= 2;
}

/* Up to `most` events in place; how many sequences were passed. */
static unsigned
run_stretch(struct evbus_reader *reader, struct evbus__place *place,
    unsigned most, int last, struct evbus_publisher *self)
{
	const struct evbus_stream *stream = &place->stream->pub;
	uint64_t sequence = place->next, end = sequence + most;
	int more = is_there(stream, sequence);

	while (more) {
		const struct evbus_header *header =
		    evbus__slot(stream, sequence);

		more = sequence + 1 < end ? is_there(stream, sequence + 1) : 0;
		handle_slot(reader, place, header, sequence,
		    !more && (last || !is_there(stream, sequence + 1)) ?
		    EVBUS_EVENT_END_OF_BATCH : 0, self);
		place->next = ++sequence;
		if (evbus_unlikely(EVBUS_LOAD(&stream->ctl->waiters,
		    RELAXED) != 0))
			evbus__place_publish(place);
		if (evbus_unlikely(reader->stop))
			break;
	}
	return (unsigned)(sequence + most - end);
}

static unsigned
run_in_place(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget, struct evbus_publisher *self)
{
	unsigned passed = 0, most, n;

	if (!is_there(&place->stream->pub, place->next))
		return 0;
	do {
		most = look_ahead(place, budget - passed);
		n = run_stretch(reader, place, most, most == budget - passed,
		    self);
		passed += n;
		evbus__place_publish(place);
		if (n < most)
			break;
		was_fed(place);
	} while (passed < budget && !reader->stop);
	return passed;
}

/* The same for a lossy reader, from copies. */
static unsigned
run_copies(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget, struct evbus_publisher *self)
{
	uint64_t first = place->next;
	const struct evbus_header *header;
	unsigned passed = 0;

	while (passed < budget && !reader->stop) {
		header = evbus__copy_next(place);
		if (header == NULL)
			break;
		handle_slot(reader, place, header, place->next,
		    passed + 1 == budget ? EVBUS_EVENT_END_OF_BATCH : 0, self);
		place->next++;
		passed++;
	}
	if (place->next != first)
		evbus__place_publish(place);
	return place->next - first > INT32_MAX ? INT32_MAX :
	    (unsigned)(place->next - first);
}

/* The lag is looked at only when the reader is behind anyhow: the tail lies in
 * the producers' line. */
static void
note_lag(struct evbus__place *place)
{
	uint64_t tail = EVBUS_LOAD(&place->stream->pub.ctl->tail, RELAXED);
	uint64_t lag = tail > place->next ? tail - place->next : 0;

	if (lag > place->cursor->lag_max)
		EVBUS_STORE(&place->cursor->lag_max, lag, RELAXED);
}

static unsigned
run_place(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget, struct evbus_publisher *self)
{
	unsigned passed;

	passed = reader->lossy ? run_copies(reader, place, budget, self) :
	    run_in_place(reader, place, budget, self);
	if (passed == 0)
		return 0;
	if (passed >= budget || passed >= LAG_STRETCH)
		note_lag(place);
	evbus__place_counters(place);
	return passed;
}

static unsigned
run_places(struct evbus_reader *reader, unsigned budget,
    struct evbus_publisher *self)
{
	/* Partner: evbus__reader_join(). */
	uint32_t places = EVBUS_LOAD(&reader->places, ACQUIRE), i, at;
	unsigned passed = 0;

	at = reader->turn;
	for (i = 0; i < places && passed < budget && !reader->stop; i++, at++) {
		if (at >= places)
			at = 0;
		passed += run_place(reader, reader->place[at],
		    budget - passed, self);
	}
	reader->turn = places == 0 ? 0 : (reader->turn + 1) % places;
	return passed;
}

int
evbus__reader_poll(struct evbus_reader *reader, unsigned budget)
{
	struct evbus__reader_entry *entry = reader->entry;
	struct evbus_publisher *self;
	uint64_t cause;
	unsigned passed;
	int error, verdict;

	error = evbus__run_begin(reader, &self);
	if (evbus_unlikely(error != 0))
		return error;
	reader->stop = 0;
	reader->verdict = 0;
	cause = self->cause;
	self->depth++;
	passed = run_places(reader, budget > INT32_MAX ? INT32_MAX : budget,
	    self);
	self->depth--;
	self->cause = cause;
	if (passed > 0)
		EVBUS_STORE(&entry->polls, entry->polls + 1, RELAXED);
	verdict = reader->verdict;
	evbus__run_end(reader);
	return verdict != 0 ? verdict : (int)passed;
}

int
evbus_poll(struct evbus_reader *reader, unsigned budget)
{
	if (evbus_unlikely(reader == NULL))
		return evbus__fail(EVBUS_EINVAL, "evbus_poll: reader is NULL");
	if (evbus_unlikely(reader->held != NULL))
		evbus_done(reader);
	return evbus__reader_poll(reader, budget);
}
