/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retained.c - layer 4: a reader that starts with the newest event of each
 * topic that retains (D6).
 *
 * Who: a thread that subscribes, holding the bus's lock; threads that publish
 * to the topic; the one that runs the reader, maybe all at once.
 *
 * Argument (RETAIN).  For each matching topic the joiner fixes S under the
 * topic's lock: behind the newest event kept there, of which it takes a copy;
 * and still under it enters the topic in the reader's table, from S on.
 *  1. Nothing twice: the copy's sequence is below S.
 *  2. No gap: an event at S or above is stamped under that lock, so after the
 *     table was changed; who sees its stamp sees the new table (STAMP, TABLE).
 *     Its slot is held: the reader joined the stream before.
 *  3. The newest: of two publishers the later sequence stays, whoever comes
 *     first; the earlier one is below S then, and not handed over.
 *  4. The copy comes before any event from S on: the reader's word `retained`
 *     is stored under the topic's lock as well, so it is seen with the stamp;
 *     and who is about to hand over an event looks at that word.
 * S is fixed topic by topic: across topics retained events come in no order.
 *
 * Copies wait in a list of the reader, under the bus's lock.  One is retired
 * when it is taken out to be handled, and so freed when nobody runs the reader
 * any more (GRACE); what evbus_next() returned is retired by evbus_done().
 */
#include <string.h>

#include "reader/run.h"
#include "topic/retain.h"

struct evbus__snapshot {
	struct evbus__snapshot *next;
	struct evbus__subscription *subscription;
	struct evbus_topic *topic;
	uint64_t sequence;
	int64_t time;
	uint64_t cause;
	uint32_t size;
	uint16_t publisher;
	uint16_t flags;			/* of the event */
	uint64_t padding;
	unsigned char data[];
};
_Static_assert(offsetof(struct evbus__snapshot, data) % 32 == 0,
    "payloads are aligned");

static size_t
size_of(const struct evbus__snapshot *snapshot)
{
	return sizeof *snapshot + snapshot->size;
}

/* A copy of what is kept; the topic's lock is held. */
static struct evbus__snapshot *
copy_kept(struct evbus__subscription *subscription, struct evbus_topic *topic)
{
	const struct evbus__retained *kept = topic->retained;
	struct evbus__snapshot *snapshot = evbus__retirable(
	    subscription->reader, sizeof *snapshot + kept->size);

	if (snapshot == NULL)
		return NULL;
	snapshot->subscription = subscription;
	snapshot->topic = topic;
	snapshot->sequence = kept->after - 1;
	snapshot->time = kept->time;
	snapshot->cause = kept->cause;
	snapshot->size = kept->size;
	snapshot->publisher = kept->publisher;
	memcpy(snapshot->data, kept->data, kept->size);
	return snapshot;
}

/* The topic's lock is held. */
static int
enter(struct evbus__subscription *subscription, struct evbus_topic *topic)
{
	struct evbus_reader *reader = subscription->reader;
	const struct evbus__retained *kept = topic->retained;
	struct evbus__snapshot *snapshot = NULL;
	int error;

	if (kept->after != 0) {
		snapshot = copy_kept(subscription, topic);
		if (snapshot == NULL)
			return evbus__fail(EVBUS_ENOMEM, "no memory for what "
			    "topic \"%s\" retains", topic->name);
	}
	EVBUS__DELAY(retain_enter);
	error = evbus__dispatch_add(reader, topic, subscription, kept->after);
	if (snapshot == NULL)
		return error;
	if (error != 0) {
		evbus__retire(reader, snapshot, size_of(snapshot));
		return error;
	}
	snapshot->next = reader->snapshots;
	reader->snapshots = snapshot;
	/* RETAIN: seen with the stamp of any event from S on. */
	EVBUS_STORE(&reader->retained, 1, RELAXED);
	return 0;
}

int
evbus__retained_enter(struct evbus__subscription *subscription,
    struct evbus_topic *topic)
{
	int error;

	evbus__mutex_lock(&topic->retained->lock);
	error = enter(subscription, topic);
	evbus__mutex_unlock(&topic->retained->lock);
	return error;
}

void
evbus__retained_drop(struct evbus__subscription *subscription)
{
	struct evbus_reader *reader = subscription->reader;
	struct evbus__snapshot **at = &reader->snapshots, *snapshot;

	while ((snapshot = *at) != NULL) {
		if (snapshot->subscription != subscription) {
			at = &snapshot->next;
			continue;
		}
		*at = snapshot->next;
		evbus__retire(reader, snapshot, size_of(snapshot));
	}
	if (reader->snapshots == NULL)
		EVBUS_STORE(&reader->retained, 0, RELAXED);
}

/*
 * D4: are those that the reader stands after done with the event?  They are
 * before any that follows it is handed over, so this comes first all the same.
 */
static int
may_see(const struct evbus_reader *reader, struct evbus__snapshot *snapshot)
{
	const struct evbus__place *place;
	uint64_t uncovered;

	snapshot->flags = EVBUS_EVENT_RETAINED;
	if (evbus_likely(evbus__ahead_count(&reader->ahead) == 0))
		return 1;
	place = evbus__reader_place(reader,
	    evbus__stream_of(snapshot->topic->stream));
	/* It joined the stream before it entered the topic. */
	EVBUS_ASSERT(place != NULL);
	uncovered = EVBUS_LOAD(&place->uncovered, RELAXED);
	if (evbus__after_until(place->stream, place->ahead, snapshot->sequence,
	    snapshot->sequence + 1, &uncovered) <= snapshot->sequence)
		return 0;
	if (snapshot->sequence >= uncovered)
		snapshot->flags |= EVBUS_EVENT_UNCOVERED;
	return 1;
}

/* Where in the list the next is that may be seen; NULL there: none. */
static struct evbus__snapshot **
first_of(struct evbus_reader *reader)
{
	struct evbus__snapshot **at = &reader->snapshots;

	while (*at != NULL && !may_see(reader, *at))
		at = &(*at)->next;
	return at;
}

int
evbus__retained_ready(struct evbus_reader *reader)
{
	int ready;

	if (EVBUS_LOAD(&reader->retained, RELAXED) == 0)
		return 0;
	if (evbus_likely(evbus__ahead_count(&reader->ahead) == 0))
		return 1;
	evbus__mutex_lock(&reader->context->lock);
	ready = *first_of(reader) != NULL;
	evbus__mutex_unlock(&reader->context->lock);
	return ready;
}

/* The next copy, to be used while this thread runs the reader (retired), or
 * until it is given back; NULL: none is left. */
static struct evbus__snapshot *
take(struct evbus_reader *reader, int retired)
{
	struct evbus__snapshot *snapshot, **at;

	evbus__mutex_lock(&reader->context->lock);
	EVBUS__DELAY(retain_take);
	at = first_of(reader);
	snapshot = *at;
	if (snapshot != NULL) {
		*at = snapshot->next;
		if (retired)
			evbus__retire(reader, snapshot, size_of(snapshot));
	}
	if (reader->snapshots == NULL)
		EVBUS_STORE(&reader->retained, 0, RELAXED);
	evbus__mutex_unlock(&reader->context->lock);
	return snapshot;
}

static void
describe(struct evbus_reader *reader, const struct evbus__snapshot *snapshot)
{
	struct evbus_event *event = &reader->event;

	event->data = snapshot->data;
	event->topic = snapshot->topic;
	event->sequence = snapshot->sequence;
	event->time = snapshot->time;
	event->cause = snapshot->cause;
	event->lost = 0;
	event->size = snapshot->size;
	event->publisher = snapshot->publisher;
	event->stream = snapshot->topic->stream->number;
	event->flags = snapshot->flags;
	EVBUS_STORE(&reader->entry->retained, reader->entry->retained + 1,
	    RELAXED);
}

unsigned
evbus__retained_deliver(struct evbus_reader *reader)
{
	/* What the caller has described of the event that is to follow. */
	struct evbus_event event = reader->event;
	uint64_t cause = reader->self->cause;
	const struct evbus__snapshot *snapshot;
	unsigned called = 0;

	while ((snapshot = take(reader, 1)) != NULL) {
		struct evbus__match match = {
			.handler = snapshot->subscription->handler,
			.arg = snapshot->subscription->arg,
			.subscription = snapshot->subscription,
			.id = (uint64_t)snapshot->subscription->id
		};

		if (match.handler == NULL)
			continue;
		describe(reader, snapshot);
		reader->self->cause = EVBUS_CAUSE(reader->event.stream,
		    reader->event.sequence);
		called += evbus__call(reader, &match);
	}
	reader->event = event;
	reader->self->cause = cause;
	return called;
}

int
evbus__retained_hold(struct evbus_reader *reader)
{
	struct evbus__snapshot *snapshot = take(reader, 0);

	if (snapshot == NULL)
		return 0;
	describe(reader, snapshot);
	reader->held_snapshot = snapshot;
	return 1;
}

void
evbus__retained_done(struct evbus_reader *reader)
{
	evbus__mutex_lock(&reader->context->lock);
	evbus__retained_forget(reader);
	evbus__sweep(reader);
	evbus__mutex_unlock(&reader->context->lock);
}

void
evbus__retained_forget(struct evbus_reader *reader)
{
	struct evbus__snapshot *snapshot = reader->held_snapshot;

	if (snapshot == NULL)
		return;
	reader->held_snapshot = NULL;
	evbus__retire(reader, snapshot, size_of(snapshot));
}
