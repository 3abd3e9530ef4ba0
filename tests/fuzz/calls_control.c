/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_control.c - fuzz_calls: open, flush, close; see calls.h.
 */
#include "calls.h"

static const uint64_t firsts[] = {
	0, 5, (UINT64_C(1) << 32) - 8, (UINT64_C(1) << 47) - 8
};

static int64_t
fake_clock(void *arg)
{
	(void)arg;
	return ++world.clock;
}

/* The shape of the next stream, small enough to be filled often. */
static struct evbus_stream_options
choose_options(void)
{
	struct evbus_stream_options options = { 0 };
	unsigned shape = fuzz_byte(&world.input);

	options.capacity = 2u << (shape & 3);
	options.max_payload = 128;
	options.pool_blocks = 1 + (shape >> 2 & 1) * 2;
	options.max_references = 1 + (shape >> 3 & 1) * 2;
	options.on_full = shape & 0x10 ? EVBUS_ON_FULL_WAIT :
	    EVBUS_ON_FULL_FAIL;
	options.timeout_ns = 1;
	options.producers = shape & 0x20 ? EVBUS_PRODUCERS_ONE :
	    EVBUS_PRODUCERS_MANY;
	options.times = (enum evbus_times)(shape >> 6 & 1 ? 1 + (shape >> 7) :
	    0);
	options.first_sequence = firsts[pick(COUNT(firsts))];
	return options;
}

static void
add_stream(struct evbus_stream *handle, const char *pattern,
    const struct evbus_stream_options *options)
{
	struct stream *stream = &world.stream[world.streams++];

	memset(stream, 0, offsetof(struct stream, event));
	stream->handle = handle;
	stream->pattern = pattern;
	stream->first = options->first_sequence;
	stream->gate = stream->first;
	stream->capacity = options->capacity;
	stream->blocks = options->pool_blocks;
	stream->references = options->max_references;
	stream->fail = options->on_full == EVBUS_ON_FULL_FAIL;
	stream->timeless = options->times == EVBUS_TIMES_NONE;
}

void
open_world(const uint8_t *data, size_t size)
{
	struct evbus_options options = { 0 };

	memset(&world, 0, offsetof(struct world, stream));
	world.input.at = data;
	world.input.end = data + size;
	world.cause_known = 1;
	options.stream = choose_options();
	options.max_topics = TOPICS;
	options.max_readers = READERS;
	options.max_publishers = 2;
	options.max_streams = STREAMS;
	options.ring_memory = 65536;
	options.allocator.alloc = fuzz_alloc;
	options.allocator.free = fuzz_free;
	options.allocator.arg = &world.heap;
	options.clock = fake_clock;
	FUZZ_EQUAL(evbus_open(&world.bus, &options), 0);
	add_stream(evbus_stream_default(world.bus), ">", &options.stream);
}

/* The new topic is known to all who want it. */
static void
check_topic(const struct topic *topic)
{
	unsigned i;

	for (i = 0; i < SUBS; i++)
		if (world.sub[i].alive &&
		    naive_match(world.sub[i].pattern, topic->name))
			FUZZ_CHECK(world.reader[world.sub[i].reader].
			    place[topic->stream].joined);
}

void
open_topic(void)
{
	static const char *const names[] = {
		"a", "b", "a.b", "a.c", "b.c", "a.b.c", "a..b", "$x", "c"
	};
	const char *name = names[pick(COUNT(names))];
	struct topic *topic = &world.topic[world.topics];
	struct evbus_topic *handle = NULL;
	unsigned i;
	int result = evbus_topic_open(world.bus, name, NULL, &handle);

	for (i = 0; i < world.topics; i++)
		if (strcmp(world.topic[i].name, name) == 0) {
			FUZZ_EQUAL(result, 0);
			FUZZ_CHECK(handle == world.topic[i].handle);
			return;
		}
	FUZZ_EQUAL(result, !naive_valid(name, 0) ? EVBUS_ENAME :
	    *name == '$' ? EVBUS_EOWNER :
	    world.topics == TOPICS ? EVBUS_ELIMIT : 0);
	if (result != 0)
		return;
	for (i = 1; i < world.streams; i++)
		if (naive_match(world.stream[i].pattern, name))
			break;
	topic->stream = i < world.streams ? i : 0;
	topic->handle = handle;
	topic->name = name;
	world.topics++;
	for (i = 0; i < SUBS; i++)
		world.sub[i].start[world.topics - 1] = 0;
	FUZZ_CHECK(strcmp(evbus_topic_name(handle), name) == 0);
	FUZZ_CHECK(handle->stream == world.stream[topic->stream].handle);
	check_topic(topic);
}

static int
expect_stream(const char *pattern)
{
	unsigned i;

	if (!naive_valid(pattern, 1))
		return EVBUS_EPATTERN;
	if (*pattern == '$')
		return EVBUS_EOWNER;
	for (i = 1; i < world.streams; i++)
		if (naive_overlap(world.stream[i].pattern, pattern))
			return EVBUS_EEXIST;
	for (i = 0; i < world.topics; i++)
		if (naive_match(pattern, world.topic[i].name))
			return EVBUS_EBUSY;
	return world.streams == STREAMS ? EVBUS_ELIMIT : 0;
}

/* Readers whose subscriptions may match its topics have joined the stream. */
static void
check_joined(unsigned number)
{
	struct reader *reader;
	unsigned i, k;
	int wants;

	for (i = 0; i < READERS; i++) {
		reader = &world.reader[i];
		if (reader->state != READER_OPEN)
			continue;
		sync_joins(reader, 1);
		for (k = 0, wants = 0; k < SUBS; k++)
			wants |= world.sub[k].alive &&
			    world.sub[k].reader == i &&
			    naive_overlap(world.sub[k].pattern,
			    world.stream[number].pattern);
		FUZZ_EQUAL(reader->place[number].joined, wants);
	}
}

void
open_stream(void)
{
	static const char *const patterns[] = {
		"a", "a.>", "b.*", "*.c", "b", "a..", "$x", "a.b"
	};
	const char *pattern = patterns[pick(COUNT(patterns))];
	struct evbus_stream_options options = choose_options();
	struct evbus_stream *handle;
	int wanted = expect_stream(pattern);

	FUZZ_EQUAL(evbus_stream_open(world.bus, pattern, &options, &handle),
	    wanted);
	if (wanted != 0)
		return;
	add_stream(handle, pattern, &options);
	check_joined(world.streams - 1);
}

void
open_reader(void)
{
	static const char *const names[] = { "r0", "r1", "r2" };
	struct evbus_reader_options options = { 0 };
	struct evbus_reader *handle;
	struct reader *reader = world.reader;
	unsigned i = 0;
	int result;

	while (i < READERS && world.reader[i].state != READER_FREE)
		i++;
	options.name = i < READERS ? names[i] : NULL;
	options.lossy = pick(3) == 0;
	options.start = (enum evbus_start)pick(3);
	options.sequence = world.stream[0].first + pick(24);
	if (options.start == EVBUS_START_SEQUENCE && options.sequence > 4 &&
	    world.stream[0].first > 4)
		options.sequence -= 4;
	result = evbus_reader_open(world.bus, &options, &handle);
	FUZZ_EQUAL(result, i < READERS ? 0 : EVBUS_ELIMIT);
	if (result != 0)
		return;
	reader = &world.reader[i];
	memset(reader, 0, sizeof *reader);
	reader->state = READER_OPEN;
	reader->handle = handle;
	reader->lossy = options.lossy;
	reader->start = options.start;
	reader->sequence = options.sequence;
	reader->lossless_all = !options.lossy;
}

void
close_reader(void)
{
	struct reader *reader = pick_reader();
	struct evbus_reader_stats stats;
	unsigned i;

	if (reader == NULL || world.closing)
		return;
	for (i = 0; i < SUBS; i++)
		if (world.sub[i].alive &&
		    &world.reader[world.sub[i].reader] == reader)
			end_sub(&world.sub[i]);
	reader->state = READER_CLOSING;
	FUZZ_EQUAL(evbus_reader_close(reader->handle, 0), 0);
	FUZZ_EQUAL(evbus_reader_stats(reader->handle, &stats), EVBUS_ECLOSED);
	FUZZ_EQUAL(evbus_reader_close(reader->handle, 0), EVBUS_ECLOSED);
	if (!reader->running)
		reader_gone(reader);
}

void
flush(void)
{
	struct stream *stream;
	uint64_t gate;
	int wanted = 0, opened;
	unsigned i;

	for (i = 0; i < world.streams && wanted == 0; i++) {
		stream = &world.stream[i];
		gate = gate_of(stream);
		if (is_gated(stream) && gate < tail_of(stream))
			wanted = blocked_by_us(stream, tail_of(stream)) ?
			    EVBUS_EDEADLK : EVBUS_ETIMEDOUT;
		/* What is behind the gate is taken back. */
		(void)expect_room(stream, UINT32_MAX / 2, 0, OUTSIDE_NO, 0,
		    &opened);
	}
	if (world.depth > 0)
		wanted = world.closing ? EVBUS_ECLOSED : EVBUS_EDEADLK;
	FUZZ_EQUAL(evbus_flush(world.bus, 0), wanted);
}

/* Every lossless and every lossy reader was run to the end. */
static void
check_drained(const struct evbus_report *report)
{
	uint64_t delivered = 0;
	unsigned i, k, readers = 0;

	for (i = 0; i < READERS; i++) {
		if (world.reader[i].state != READER_OPEN)
			continue;
		FUZZ_EQUAL(world.reader[i].expected, 0);
		for (k = 0; k < world.streams; k++)
			if (world.reader[i].place[k].joined)
				advance(&world.reader[i], k,
				    tail_of(&world.stream[k]), 0);
		delivered += world.reader[i].delivered;
		readers++;
	}
	FUZZ_EQUAL(report->readers, readers);
	FUZZ_EQUAL(report->delivered, delivered);
	FUZZ_EQUAL(report->left, 0);
	FUZZ_EQUAL(report->open_claims, 0);
	FUZZ_EQUAL(report->running, 0);
}

static void
check_closed(void)
{
	struct evbus_topic *topic;
	struct event *event;
	unsigned i, k;

	FUZZ_EQUAL(evbus_topic_open(world.bus, "z", NULL, &topic),
	    EVBUS_ECLOSED);
	if (world.topics > 0)
		FUZZ_EQUAL(evbus_publish(world.topic[0].handle, "", 0),
		    EVBUS_ECLOSED);
	FUZZ_EQUAL(evbus_flush(world.bus, 0), EVBUS_ECLOSED);
	FUZZ_EQUAL(evbus_close(world.bus, 0, NULL), EVBUS_ECLOSED);
	for (i = 0; i < SUBS; i++)
		if (world.sub[i].used)
			FUZZ_EQUAL(world.sub[i].closed, 1);
	for (i = 0; i < world.streams; i++)
		for (k = 0; k < world.stream[i].count; k++) {
			event = &world.stream[i].event[k];
			FUZZ_EQUAL(event->released,
			    event->outside == OUTSIDE_REFERENCE);
		}
}

void
close_world(void)
{
	struct evbus_report report;
	unsigned i;

	FUZZ_EQUAL(evbus_free(world.bus), EVBUS_EBUSY);
	for (i = 0; i < CLAIMS; i++)
		if (world.claim[i].open) {
			FUZZ_EQUAL(evbus_close(world.bus, 0, NULL),
			    EVBUS_EDEADLK);
			end_claim(&world.claim[i], (int)(i & 1), 0);
		}
	for (i = 0; i < READERS; i++) {
		finish_held(&world.reader[i]);
		world.reader[i].running = 1;
		world.reader[i].polled = 1;
	}
	world.closing = 1;
	FUZZ_EQUAL(evbus_close(world.bus, 0, &report), 0);
	check_drained(&report);
	check_closed();
	FUZZ_EQUAL(evbus_free(world.bus), 0);
	FUZZ_EQUAL(world.heap.bytes, 0);
}
