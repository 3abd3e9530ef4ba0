/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_read.c - fuzz_calls: poll, next, done, wait; see calls.h.
 */
#include "calls.h"

struct reader *
pick_reader(void)
{
	struct reader *reader = &world.reader[pick(READERS)];

	return reader->state == READER_OPEN ? reader : NULL;
}

/* Where the reader's cursor in a stream is now. */
static uint64_t
sync_place(struct reader *reader, unsigned i, int by_next)
{
	uint64_t position;

	FUZZ_EQUAL(evbus_reader_position(reader->handle,
	    world.stream[i].handle, &position), 0);
	advance(reader, i, position, by_next);
	return position;
}

/* Where its cursors are after it ran; how far they moved. */
static uint64_t
sync_places(struct reader *reader, const uint64_t *before, int by_next)
{
	uint64_t moved = 0;
	unsigned i;

	for (i = 0; i < world.streams; i++)
		if (reader->place[i].joined && before[i] != UINT64_MAX)
			moved += sync_place(reader, i, by_next) - before[i];
	return moved;
}

/*
 * Inside a handler of the reader: the streams that this poll is through with.
 * What they passed is judged by the subscriptions that there are now.
 */
void
sync_other_places(struct reader *reader)
{
	unsigned i;

	for (i = 0; i < world.streams; i++)
		if (reader->place[i].joined && i != reader->at_stream)
			(void)sync_place(reader, i, 0);
}

/* The cursors before a run; `until`: what the run must reach if it may. */
static void
note_places(const struct reader *reader, uint64_t *before, uint64_t *until)
{
	unsigned i;

	for (i = 0; i < STREAMS; i++) {
		before[i] = reader->place[i].joined ? reader->place[i].next :
		    UINT64_MAX;
		until[i] = i < world.streams ? frontier_of(&world.stream[i]) :
		    0;
	}
}

static void
check_reached(const struct reader *reader, const uint64_t *before,
    const uint64_t *until)
{
	unsigned i;

	for (i = 0; i < world.streams; i++)
		if (before[i] != UINT64_MAX &&
		    reader->place[i].next < until[i])
			FUZZ_FAIL("reader %u stands at %llu of stream %u, "
			    "with nothing in its way up to %llu",
			    (unsigned)(reader - world.reader),
			    (unsigned long long)reader->place[i].next, i + 1,
			    (unsigned long long)until[i]);
}

/* A run of the reader is over: what was left to its end is done. */
static void
end_run(struct reader *reader)
{
	FUZZ_EQUAL(reader->expected, 0);
	reader->running = 0;
	if (reader->state == READER_CLOSING)
		reader_gone(reader);
}

void
poll_reader(struct reader *reader)
{
	unsigned budget = pick(8);
	uint64_t before[STREAMS], until[STREAMS], moved, cause;
	int result, known;

	if (reader->running) {
		FUZZ_EQUAL(evbus_poll(reader->handle, budget), EVBUS_EDEADLK);
		return;
	}
	finish_held(reader);
	note_places(reader, before, until);
	cause = world.cause;
	known = world.cause_known;
	reader->polled = 1;
	reader->refused = 0;
	reader->running = 1;
	result = evbus_poll(reader->handle, budget);
	world.cause = cause;
	world.cause_known = known;
	if (reader->state == READER_OPEN) {
		moved = sync_places(reader, before, 0);
		FUZZ_EQUAL(result, reader->refused ? EVBUS_EVERDICT :
		    moved > INT32_MAX ? INT32_MAX : (int64_t)moved);
		if (!reader->refused && moved < budget)
			check_reached(reader, before, until);
	}
	end_run(reader);
}

void
next_event(struct reader *reader)
{
	uint64_t before[STREAMS], until[STREAMS];
	const struct evbus_event *seen = evbus_next(reader->handle);
	unsigned number;

	if (reader->running) {
		FUZZ_CHECK(seen == NULL);
		return;
	}
	finish_held(reader);
	reader->polled = 1;
	note_places(reader, before, until);
	if (seen == NULL) {
		(void)sync_places(reader, before, 1);
		check_reached(reader, before, until);
		return;
	}
	number = seen->stream - 1u;
	FUZZ_CHECK(number < world.streams && reader->place[number].joined);
	FUZZ_CHECK(seen->lost == 0 || !reader->lossless_all);
	advance(reader, number, seen->sequence, 1);
	(void)sync_places(reader, before, 1);
	FUZZ_EQUAL(reader->place[number].next, seen->sequence);
	FUZZ_CHECK(wanted_by(reader, number, seen->sequence, 1) != 0);
	check_event(seen);
	reader->held = 1;
	reader->at_stream = number;
	reader->at = seen->sequence;
	if (world.depth == 0) {
		world.cause = EVBUS_CAUSE(seen->stream, seen->sequence);
		world.cause_known = 1;
	}
}

void
done(struct reader *reader)
{
	evbus_done(reader->handle);
	if (reader->running)
		return;
	reader->polled = 1;
	finish_held(reader);
}

/* evbus_wait() without waiting: is there anything to look at? */
void
wait_reader(struct reader *reader)
{
	struct stream *stream;
	uint64_t next;
	unsigned i;
	int ready = 0;

	for (i = 0; i < world.streams; i++) {
		stream = &world.stream[i];
		next = reader->place[i].next;
		if (reader->place[i].joined && next < tail_of(stream) &&
		    event_at(stream, next)->state != EVENT_OPEN)
			ready = 1;
	}
	FUZZ_EQUAL(evbus_wait(reader->handle, 0), ready);
	reader->polled = 1;
}
