/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - layer 4: hand events to handlers.
 *
 * A lossless reader reads in place.  It looks ahead: before a stretch of k
 * events it looks at the stamp of the k-th; if that is there, the whole stretch
 * streams in without touching lines that the producer still writes.  If not,
 * it waits, once, for k pauses and at most about two microseconds, then halves k;
 * k doubles while the reader is fed.  Each stamp is still checked with acquire:
 * the look is only a hint.
 */
#include "reader/run.h"

#define PAUSES		80u	/* about two microseconds, at most */
#define LAG_STRETCH	64u	/* sequences in a poll that call for a look at
				 * the lag */

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
	if (place->next < place->pin_below && !evbus__pin(place, &outside))
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

/*
 * UNSUB: current, light fence, dead; see reader.h.  current stays as it is
 * between two calls of the same handler; a dead one is cleared, so that who
 * waits for it need not wait for the end of the batch.
 */
static inline int
may_call(struct evbus_reader *reader, const struct evbus__match *match)
{
	if (evbus_unlikely(reader->current != match->id)) {
		reader->current = match->id;
		EVBUS_STORE(&reader->entry->current, match->id, RELEASE);
	}
	EVBUS__DELAY(call);
	EVBUS_FENCE_LIGHT(reader->fence_full);
	if (evbus_likely(!EVBUS_LOAD(&match->subscription->dead, ACQUIRE)))
		return 1;
	reader->current = 0;
	EVBUS_STORE(&reader->entry->current, 0, RELEASE);
	return 0;
}

unsigned
evbus__call(struct evbus_reader *reader, const struct evbus__match *match)
{
	enum evbus_verdict verdict;

	if (!may_call(reader, match))
		return 0;
	verdict = match->handler(&reader->event, match->arg);
	if (evbus_unlikely(verdict != EVBUS_DONE))
		act_on(reader, match->subscription, verdict);
	return 1;
}

/* Call every handler that wants the event; how many. */
static unsigned
call_all(struct evbus_reader *reader, const struct evbus__matches *matches)
{
	const struct evbus__match *match = matches->match;
	unsigned called = 0;
	uint32_t i;

	for (i = 0; i < matches->count; i++, match++) {
		if (match->handler == NULL ||
		    reader->event.sequence < match->start)
			continue;
		called += evbus__call(reader, match);
	}
	return called;
}

/*
 * One event that somebody may want.  The cause of what its handlers publish is
 * this event.
 */
static void
deliver(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, const struct evbus__matches *matches,
    uint32_t flags)
{
	unsigned called;

	/* RETAIN: what was kept comes before what follows. */
	if (evbus_unlikely(EVBUS_LOAD(&reader->retained, RELAXED) != 0))
		(void)evbus__retained_deliver(reader);
	evbus__describe(reader, place, header, matches->topic, place->next);
	if (evbus__meta_flags(EVBUS_PLAIN_LOAD(&header->meta)) &
	    EVBUS_SLOT_OUTSIDE &&
	    !evbus__describe_outside(reader, place, header)) {
		evbus__place_lose(place, 1);
		return;
	}
	reader->event.flags |= flags;
	reader->self->cause = EVBUS_CAUSE(reader->event.stream, place->next);
	called = call_all(reader, matches);
	place->calls += called;
	if (called > 0) {
		place->delivered++;
		place->lost = 0;
	} else
		place->skipped++;
	evbus__unpin(place);
}

/* What to do with the slot at place->next; `flags` if it is an event. */
static EVBUS_NOINLINE void
handle_slot(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, uint32_t flags)
{
	uint64_t meta = EVBUS_PLAIN_LOAD(&header->meta);
	const struct evbus__matches *matches;

	/*
	 * A hole's topic is 0, which nobody can want.
	 * TABLE: acquire, partner replace() in dispatch.c.
	 */
	matches = EVBUS_LOAD(&reader->table[evbus__meta_topic(meta)], ACQUIRE);
	EVBUS__DELAY(table);
	if (matches != NULL)
		deliver(reader, place, header, matches, flags);
	else if (evbus__meta_flags(meta) & EVBUS_SLOT_HOLE)
		place->holes++;
	else
		place->skipped++;
}

static inline int
is_there(const struct evbus_stream *stream, uint64_t sequence)
{
	/* STAMP: acquire, partner evbus__stamp(). */
	return EVBUS_LOAD(&evbus__slot(stream, sequence)->stamp, ACQUIRE) ==
	    sequence + 1;
}

/*
 * How many events to take in one stretch, at most `room` and none beyond the
 * ring's end; see the head of this file.
 */
static uint32_t
look_ahead(struct evbus__place *place, unsigned room)
{
	const struct evbus_stream *stream = &place->stream->pub;
	uint64_t end = stream->mask + 1 - (place->next & stream->mask);
	uint32_t k = place->look, pauses;

	if (k > room)
		k = room;
	if (k > end)
		k = (uint32_t)end;
	pauses = k < PAUSES ? k : PAUSES;
	while (k > 1 && !is_there(stream, place->next + k - 1)) {
		if (pauses > 0) {
			pauses--;
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

#define NO_META UINT64_MAX	/* never the meta word of an event */

/*
 * The match whose handler gets the events that have this meta word the short
 * way: it alone wants them, and their payload lies in the slot; or NULL.  It is
 * made the current one, and what is the same for all these events described.
 */
static EVBUS_NOINLINE const struct evbus__match *
short_way(struct evbus_reader *reader, const struct evbus__place *place,
    uint64_t meta, uint64_t sequence)
{
	struct evbus_event *event = &reader->event;
	const struct evbus__matches *matches;

	/* RETAIN: as in deliver(). */
	if (EVBUS_LOAD(&reader->retained, RELAXED) != 0)
		(void)evbus__retained_deliver(reader);
	/* TABLE: acquire, partner replace() in dispatch.c. */
	matches = EVBUS_LOAD(&reader->table[evbus__meta_topic(meta)], ACQUIRE);
	if (matches == NULL || sequence < matches->one_from ||
	    evbus__meta_flags(meta) != 0 || place->lost != 0 ||
	    reader->fence_full || !may_call(reader, matches->match))
		return NULL;
	event->topic = matches->topic;
	event->size = evbus__meta_size(meta);
	event->publisher = evbus__meta_publisher(meta);
	return matches->match;
}

/* The short way: all but what is this event's own is described already. */
static inline enum evbus_verdict
deliver_one(struct evbus_reader *reader, const struct evbus_header *header,
    const struct evbus__match *match, uint64_t cause, uint64_t sequence)
{
	struct evbus_event *event = &reader->event;

	reader->self->cause = cause | sequence;
	event->data = header + 1;
	event->sequence = sequence;
	evbus__describe_time(event, header);
	return match->handler(event, match->arg);
}

/* The event is not of the common kind: counted as delivered, take that back. */
static EVBUS_NOINLINE void
deliver_other(struct evbus_reader *reader, struct evbus__place *place,
    const struct evbus_header *header, uint64_t sequence)
{
	uint32_t flags = reader->event.flags & EVBUS_EVENT_END_OF_BATCH;

	place->next = sequence;
	handle_slot(reader, place, header, flags);
	reader->event.flags = flags | place->flags;
	reader->event.lost = 0;
	place->delivered--;
	place->calls--;
}

/*
 * Up to `most` events in place, the first of which is there and none of which
 * lies beyond the ring's end; how many sequences were passed.  Every
 * instruction here is paid per event: what is the same as for the event before
 * is not looked at again while nothing of the reader changes (TABLE, UNSUB).
 */
static EVBUS_NOINLINE unsigned
run_stretch(struct evbus_reader *reader, struct evbus__place *place,
    unsigned most, uint32_t flags)
{
	const struct evbus_stream *stream = &place->stream->pub;
	const struct evbus_header *header = evbus__slot(stream, place->next);
	const struct evbus__match *match = NULL;
	uint64_t cause = EVBUS_CAUSE(stream->number, 0), meta, known = NO_META;
	uint64_t sequence = place->next, last = sequence + most;
	enum evbus_verdict verdict;
	uint32_t changes = 0;

	reader->event.lost = 0;
	reader->event.stream = stream->number;
	reader->event.flags = flags | place->flags;
	for (;;) {
		EVBUS_PREFETCH_READ((const unsigned char *)header +
		    EVBUS__AHEAD);
		meta = EVBUS_PLAIN_LOAD(&header->meta);
		EVBUS_FENCE_LIGHT(0);				/* UNSUB */
		if (evbus_unlikely(meta != known) ||
		    evbus_unlikely(changes !=
		    EVBUS_LOAD(&reader->changes, ACQUIRE))) {
			/* First: a change after it is seen next time. */
			changes = EVBUS_LOAD(&reader->changes, ACQUIRE);
			match = short_way(reader, place, meta, sequence);
			known = match == NULL ? NO_META : meta;
		}
		if (evbus_likely(known != NO_META)) {
			verdict = deliver_one(reader, header, match, cause,
			    sequence);
			if (evbus_unlikely(verdict != EVBUS_DONE))
				act_on(reader, match->subscription, verdict);
		} else {
			verdict = EVBUS_STOP;	/* look at reader->stop */
			deliver_other(reader, place, header, sequence);
		}
		header = (const struct evbus_header *)(const void *)
		    ((const unsigned char *)header + stream->slot_size);
		sequence++;
		if (evbus_unlikely(EVBUS_LOAD(&stream->ctl->waiters,
		    RELAXED) != 0)) {
			place->next = sequence;
			evbus__place_publish(place);
		}
		if (evbus_unlikely(verdict != EVBUS_DONE) && reader->stop)
			break;
		/* STAMP: acquire, partner evbus__stamp(). */
		if (evbus_unlikely(sequence == last) || evbus_unlikely(
		    EVBUS_LOAD(&header->stamp, ACQUIRE) != sequence + 1))
			break;
	}
	most -= (unsigned)(last - sequence);
	place->next = sequence;
	place->delivered += most;
	place->calls += most;
	return most;
}

/*
 * A stretch that is there; its last event apart, since that may be the batch's
 * last.
 */
static unsigned
run_ahead(struct evbus_reader *reader, struct evbus__place *place,
    unsigned most, int budget_ends)
{
	const struct evbus_stream *stream = &place->stream->pub;
	unsigned passed = 0;

	if (most > 1)
		passed = run_stretch(reader, place, most - 1, 0);
	if (passed < most - 1 || reader->stop)
		return passed;
	/* Its stamp was seen before the stretch, and stays. */
	EVBUS_ASSERT(is_there(stream, place->next));
	return passed + run_stretch(reader, place, 1, budget_ends ||
	    !is_there(stream, place->next + 1) ? EVBUS_EVENT_END_OF_BATCH : 0);
}

static unsigned
run_in_place(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget)
{
	unsigned passed = 0, most, n;

	while (passed < budget && !reader->stop &&
	    is_there(&place->stream->pub, place->next)) {
		most = look_ahead(place, budget - passed);
		n = run_ahead(reader, place, most, most == budget - passed);
		passed += n;
		evbus__place_publish(place);
		if (n < most)
			break;
		/* More behind a whole stretch: it may be longer. */
		if (is_there(&place->stream->pub, place->next))
			was_fed(place);
	}
	return passed;
}

/*
 * The same from copies.  Who still gates producers lets them have what it has
 * passed each time that it copies, and at once when one waits.
 */
static unsigned
run_copies(struct evbus_reader *reader, struct evbus__place *place,
    unsigned budget)
{
	uint64_t first = place->next;
	const struct evbus_header *header;
	unsigned passed = 0;

	while (passed < budget && !reader->stop) {
		header = evbus__copy_next(place);
		if (header == NULL)
			break;
		handle_slot(reader, place, header,
		    passed + 1 == budget ? EVBUS_EVENT_END_OF_BATCH : 0);
		place->next++;
		passed++;
		if (!reader->lossy && (place->batch_at == place->batch ||
		    EVBUS_LOAD(&place->stream->pub.ctl->waiters, RELAXED) !=
		    0))
			evbus__place_publish(place);
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
    unsigned budget)
{
	unsigned passed;

	if (evbus_unlikely(evbus__ahead_count(&reader->ahead) > 0))
		budget = evbus__place_room(place, budget);
	passed = !reader->copies ? run_in_place(reader, place, budget) :
	    place->shared == NULL ? run_copies(reader, place, budget) :
	    evbus__run_shared(reader, place, budget);
	if (passed == 0)
		return 0;
	if (passed >= budget || passed >= LAG_STRETCH)
		note_lag(place);
	evbus__place_counters(place);
	return passed;
}

static unsigned
run_places(struct evbus_reader *reader, unsigned budget)
{
	/* Partner: evbus__reader_join(). */
	uint32_t places = EVBUS_LOAD(&reader->places, ACQUIRE), i, at;
	unsigned passed = 0;

	at = reader->turn;
	for (i = 0; i < places && passed < budget && !reader->stop; i++, at++) {
		if (at >= places)
			at = 0;
		passed += run_place(reader, reader->place[at],
		    budget - passed);
	}
	reader->turn = places == 0 ? 0 : (reader->turn + 1) % places;
	/* What lossy places lost is more than the budget. */
	return passed > INT32_MAX ? INT32_MAX : passed;
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
	if (evbus_unlikely(reader->held != NULL ||
	    reader->held_snapshot != NULL))
		evbus__finish_held(reader, self);
	reader->stop = 0;
	reader->verdict = 0;
	reader->current = 0;
	cause = self->cause;
	self->depth++;
	reader->self = self;
	if (budget > INT32_MAX)
		budget = INT32_MAX;
	passed = evbus_unlikely(EVBUS_LOAD(&reader->retained, RELAXED) != 0) ?
	    evbus__retained_deliver(reader) : 0;
	if (passed < budget)
		passed += run_places(reader, budget - passed);
	self->depth--;
	self->cause = cause;
	if (passed > 0)
		EVBUS_STORE(&entry->polls, entry->polls + 1, RELAXED);
	verdict = reader->verdict;
	evbus__run_leave(reader, self);
	return verdict != 0 ? verdict : (int)passed;
}

int
evbus_poll(struct evbus_reader *reader, unsigned budget)
{
	if (evbus_unlikely(reader == NULL))
		return evbus__fail(EVBUS_EINVAL, "evbus_poll: reader is NULL");
	if (evbus_unlikely(reader->run_by != EVBUS__RUN_CALLER))
		return evbus__poll_other(reader, budget);
	return evbus__reader_poll(reader, budget);
}
