/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_model.c - see calls.h.
 */
#include <dirent.h>

#include "calls.h"

struct world world;

/* Is this the process's only thread?  libFuzzer may have one of its own. */
static int
is_alone(void)
{
	static int alone = -1;
	const struct dirent *entry;
	DIR *dir;
	int n = 0;

	if (alone < 0) {
		dir = opendir("/proc/self/task");
		FUZZ_CHECK(dir != NULL);
		while ((entry = readdir(dir)) != NULL)
			n += entry->d_name[0] != '.';
		closedir(dir);
		alone = n == 1;
	}
	return alone;
}

uint64_t
frontier_of(struct stream *stream)
{
	unsigned i;

	for (i = 0; i < stream->count; i++)
		if (stream->event[i].state == EVENT_OPEN)
			break;
	return stream->first + i;
}

/* A lossless reader's cursor in the stream, as publishers see it; or 0. */
static int
gating(struct reader *reader, struct stream *stream, uint64_t *position)
{
	return reader->state != READER_FREE && !reader->lossy &&
	    evbus_reader_position(reader->handle, stream->handle, position) ==
	    0;
}

int
is_gated(struct stream *stream)
{
	uint64_t position;
	unsigned i;

	for (i = 0; i < READERS; i++)
		if (gating(&world.reader[i], stream, &position))
			return 1;
	return 0;
}

uint64_t
gate_of(struct stream *stream)
{
	uint64_t low = UINT64_MAX, position;
	unsigned i;

	for (i = 0; i < READERS; i++)
		if (gating(&world.reader[i], stream, &position) &&
		    position < low)
			low = position;
	return low != UINT64_MAX ? low : frontier_of(stream);
}

int
blocked_by_us(struct stream *stream, uint64_t gate)
{
	uint64_t position;
	unsigned i;

	for (i = 0; i < READERS; i++)
		if (gating(&world.reader[i], stream, &position) &&
		    position < gate && (world.reader[i].polled || is_alone()))
			return 1;
	return frontier_of(stream) < tail_of(stream) &&
	    frontier_of(stream) < gate;
}

int
is_pinned(const struct stream *stream, uint64_t sequence)
{
	unsigned number = (unsigned)(stream - world.stream), i;
	const struct reader *reader;

	for (i = 0; i < READERS; i++) {
		reader = &world.reader[i];
		if (reader->state != READER_FREE &&
		    (reader->held || reader->inside) &&
		    reader->at_stream == number && reader->at == sequence &&
		    (reader->lossy ||
		    sequence < reader->place[number].pin_below))
			return 1;
	}
	return 0;
}

struct event *
add_event(struct stream *stream, unsigned topic, uint32_t size,
    enum outside outside)
{
	struct event *event = &stream->event[stream->count];

	memset(event, 0, sizeof *event);
	event->state = EVENT_COMMITTED;
	event->outside = outside;
	event->topic = topic;
	event->size = size;
	event->id = world.ids++;
	event->cause = world.cause;
	event->cause_known = world.cause_known;
	event->sequence = tail_of(stream);
	event->stream = (unsigned)(stream - world.stream);
	stream->count++;
	return event;
}

unsigned char
payload_byte(uint32_t id, uint32_t i)
{
	return (unsigned char)(id * 7 + i * 13 + (i >> 4));
}

void
fill_payload(unsigned char *data, const struct event *event)
{
	uint32_t i;

	for (i = 0; i < event->size; i++)
		data[i] = payload_byte(event->id, i);
}

/* Invariant 1, and the counters. */
static void
check_stream(struct stream *stream)
{
	struct evbus_stream_stats stats;
	uint64_t holes = 0;
	unsigned i;

	FUZZ_EQUAL(evbus_stream_stats(stream->handle, &stats), 0);
	FUZZ_EQUAL(stats.tail, tail_of(stream));
	for (i = 0; i < stream->count; i++)
		holes += stream->event[i].state == EVENT_HOLE;
	FUZZ_EQUAL(stats.holes, holes);
	if (world.closing)
		return;
	FUZZ_CHECK(stats.gate >= stream->gate);
	FUZZ_CHECK(stats.gate <= gate_of(stream));
	FUZZ_CHECK(tail_of(stream) <= stats.gate + stream->capacity);
	stream->gate = stats.gate;
}

void
check_streams(void)
{
	unsigned i;

	for (i = 0; i < world.streams; i++)
		check_stream(&world.stream[i]);
}

/* Where a reader that has just joined must stand. */
static uint64_t
start_of(const struct reader *reader, struct stream *stream)
{
	uint64_t oldest = stream->gate, tail = tail_of(stream);

	if (reader->start == EVBUS_START_NOW)
		return frontier_of(stream);
	if (reader->start == EVBUS_START_OLDEST) {
		if (reader->lossy && tail > oldest + stream->capacity)
			oldest = tail - stream->capacity;
		return oldest;
	}
	FUZZ_CHECK(reader->sequence <= tail);
	if (reader->lossy && reader->sequence < stream->first)
		return stream->first;
	if (reader->lossy && reader->sequence < oldest)
		return reader->sequence;
	FUZZ_CHECK(reader->sequence >= oldest);
	return reader->sequence < frontier_of(stream) ? reader->sequence :
	    frontier_of(stream);
}

/* Which streams has the reader joined since?  Or one that was made now. */
void
sync_joins(struct reader *reader, int made)
{
	struct place *place;
	struct stream *stream;
	uint64_t position;
	unsigned i;

	for (i = 0; i < world.streams; i++) {
		place = &reader->place[i];
		stream = &world.stream[i];
		if (place->joined || evbus_reader_position(reader->handle,
		    stream->handle, &position) != 0)
			continue;
		FUZZ_EQUAL(position, made ? stream->first :
		    start_of(reader, stream));
		place->joined = 1;
		place->start = position;
		place->next = position;
		place->pin_below = reader->lossy ? UINT64_MAX :
		    tail_of(stream);
		if (position < place->pin_below)
			reader->lossless_all = 0;
	}
}

/* A subscription was refused: does a stream that was not joined say why? */
void
check_refused_join(const struct reader *reader, int code)
{
	unsigned i;

	FUZZ_EQUAL(reader->start, EVBUS_START_SEQUENCE);
	for (i = 0; i < world.streams; i++) {
		if (reader->place[i].joined)
			continue;
		if (code == EVBUS_EINVAL &&
		    reader->sequence > tail_of(&world.stream[i]))
			return;
		if (code == EVBUS_EGONE && !reader->lossy &&
		    reader->sequence < world.stream[i].gate)
			return;
	}
	FUZZ_FAIL("a subscription was refused: %s", evbus_errname(code));
}

/* The subscriptions that want the event, as bits. */
uint32_t
wanted_by(struct reader *reader, unsigned number, uint64_t sequence,
    int by_next)
{
	const struct event *event = event_at(&world.stream[number], sequence);
	unsigned index = (unsigned)(reader - world.reader), i;
	const struct sub *sub;
	uint32_t wanted = 0;

	if (event->state != EVENT_COMMITTED)
		return 0;
	for (i = 0; i < SUBS; i++) {
		sub = &world.sub[i];
		if (sub->alive && sub->reader == index &&
		    (sub->handles || by_next) &&
		    naive_match(sub->pattern,
		    world.topic[event->topic].name) &&
		    sequence >= sub->start[event->topic])
			wanted |= UINT32_C(1) << i;
	}
	return wanted;
}

/* May the reader go past an event that is wanted? */
static int
may_lose(const struct reader *reader, struct stream *stream, unsigned number,
    uint64_t sequence)
{
	const struct event *event = event_at(stream, sequence);

	if (reader->lossy && tail_of(stream) > sequence + stream->capacity)
		return 1;
	return event->maybe_gone && event->outside != OUTSIDE_NO &&
	    sequence < reader->place[number].pin_below;
}

/* Everything up to `to` went by without a handler being called. */
void
advance(struct reader *reader, unsigned number, uint64_t to, int by_next)
{
	struct place *place = &reader->place[number];
	struct stream *stream = &world.stream[number];

	FUZZ_CHECK(place->joined && to >= place->next &&
	    to <= tail_of(stream));
	for (; place->next < to; place->next++) {
		FUZZ_CHECK(event_at(stream, place->next)->state != EVENT_OPEN);
		if (wanted_by(reader, number, place->next, by_next) != 0 &&
		    !may_lose(reader, stream, number, place->next))
			FUZZ_FAIL("event %llu of stream %u was passed over",
			    (unsigned long long)place->next, number + 1);
	}
}

/* evbus_done() for what evbus_next() returned. */
void
finish_held(struct reader *reader)
{
	if (!reader->held)
		return;
	reader->held = 0;
	reader->delivered++;
	reader->place[reader->at_stream].next = reader->at + 1;
	if (world.depth == 0) {
		world.cause = 0;
		world.cause_known = 1;
	}
}

/* What is in the event, whoever reads it. */
void
check_event(const struct evbus_event *seen)
{
	struct stream *stream;
	const struct event *event;
	const unsigned char *data = seen->data;
	uint32_t i;

	FUZZ_CHECK(seen->stream >= 1 && seen->stream <= world.streams);
	stream = &world.stream[seen->stream - 1];
	event = event_at(stream, seen->sequence);
	FUZZ_EQUAL(event->state, EVENT_COMMITTED);
	FUZZ_CHECK(seen->topic == world.topic[event->topic].handle);
	FUZZ_EQUAL(seen->size, event->size);
	FUZZ_EQUAL(event->released, 0);
	FUZZ_EQUAL((seen->flags & EVBUS_EVENT_OUTSIDE) != 0,
	    event->outside != OUTSIDE_NO);
	if (event->cause_known)
		FUZZ_EQUAL(seen->cause, event->cause);
	FUZZ_CHECK(stream->timeless ? seen->time == 0 :
	    seen->time > 0 && seen->time <= world.clock);
	for (i = 0; i < seen->size; i++)
		if (data[i] != payload_byte(event->id, i))
			FUZZ_FAIL("byte %u of event %llu is wrong", i,
			    (unsigned long long)seen->sequence);
}

/* The first handler of an event is called. */
void
begin_event(struct reader *reader, const struct evbus_event *seen)
{
	unsigned number = seen->stream - 1u;

	FUZZ_EQUAL(reader->expected, 0);
	FUZZ_CHECK(number < world.streams);
	FUZZ_CHECK(seen->lost == 0 || !reader->lossless_all);
	advance(reader, number, seen->sequence, 0);
	reader->expected = wanted_by(reader, number, seen->sequence, 0);
	reader->at_stream = number;
	reader->at = seen->sequence;
	reader->place[number].next = seen->sequence + 1;
	reader->delivered++;
}

void
end_sub(struct sub *sub)
{
	sub->alive = 0;
	world.stale = sub->id;
	world.reader[sub->reader].expected &=
	    ~(UINT32_C(1) << (sub - world.sub));
}

/* The reader's close is complete. */
void
reader_gone(struct reader *reader)
{
	reader->state = READER_FREE;
	if (reader->held) {
		reader->held = 0;
		world.cause_known = 0;
	}
}

/* on_closed: exactly once, last (L2). */
void
check_subs(void)
{
	struct sub *sub;
	unsigned i;

	for (i = 0; i < SUBS; i++) {
		sub = &world.sub[i];
		if (!sub->used)
			continue;
		if (sub->alive || world.reader[sub->reader].running)
			continue;
		FUZZ_EQUAL(sub->closed, 1);
		sub->used = 0;
	}
}

/* D2, and the counters of a reader that does not run. */
void
check_stats(struct reader *reader)
{
	struct evbus_reader_stats stats;
	uint64_t passed = 0, lag = 0, streams = 0;
	unsigned i;

	FUZZ_EQUAL(evbus_reader_stats(reader->handle, &stats), 0);
	for (i = 0; i < world.streams; i++) {
		if (!reader->place[i].joined)
			continue;
		streams++;
		passed += reader->place[i].next - reader->place[i].start;
		lag += tail_of(&world.stream[i]) - reader->place[i].next;
	}
	FUZZ_EQUAL(stats.streams, streams);
	FUZZ_EQUAL(stats.passed, passed);
	FUZZ_EQUAL(stats.lag, lag);
	FUZZ_EQUAL(stats.delivered, reader->delivered);
	FUZZ_EQUAL(stats.calls, reader->calls);
	FUZZ_EQUAL(stats.delivered + stats.skipped + stats.holes + stats.lost,
	    passed);
	FUZZ_CHECK(stats.lost == 0 || !reader->lossless_all);
}

/* Payloads outside the slots that cannot be taken back: at least, at most. */
static void
count_outside(struct stream *stream, enum outside kind, uint64_t gate,
    unsigned *least, unsigned *most)
{
	const struct event *event;
	unsigned i;

	*least = *most = 0;
	for (i = 0; i < stream->count; i++) {
		event = &stream->event[i];
		if (event->outside != kind || event->state == EVENT_HOLE ||
		    event->released)
			continue;
		if (event->state != EVENT_OPEN && event->sequence < gate &&
		    !is_pinned(stream, event->sequence))
			continue;
		*most += 1;
		*least += !event->maybe_gone;
	}
}

/* A publish that finds no room takes back what it may. */
static void
mark_gone(struct stream *stream, uint64_t gate)
{
	struct event *event;
	unsigned i;

	for (i = 0; i < stream->count; i++) {
		event = &stream->event[i];
		if (event->outside != OUTSIDE_NO && event->sequence < gate &&
		    event->state == EVENT_COMMITTED &&
		    !is_pinned(stream, event->sequence))
			event->maybe_gone = 1;
	}
}

int
expect_room(struct stream *stream, unsigned n, unsigned k, enum outside kind,
    int waits, int *open)
{
	uint64_t gate = gate_of(stream), need = tail_of(stream) + n;
	int fits = need <= gate + stream->capacity, result;
	unsigned total = kind == OUTSIDE_REFERENCE ? stream->references :
	    stream->blocks;
	unsigned least = 0, most = 0;

	*open = 0;
	result = fits ? 0 : !waits ? EVBUS_EFULL :
	    blocked_by_us(stream, need - stream->capacity) ? EVBUS_EDEADLK :
	    EVBUS_ETIMEDOUT;
	if (k > 0)
		count_outside(stream, kind, gate, &least, &most);
	if (k > 0 || !fits)
		mark_gone(stream, gate);
	if (least + k > total || most + k > total) {
		/* Who holds the pool, and whether it is ours alone, is not
		 * followed here. */
		*open = waits || least + k <= total;
		if (least + k > total)
			result = waits ? EVBUS_EDEADLK : EVBUS_EFULL;
	}
	return result;
}
