/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_options.c - options structs filled from the input.
 *
 * Why: an options struct comes from a program's own configuration, with any
 * value in any field, and the sizes in it are multiplied and rounded before
 * memory is taken.  Each call must succeed or give a code that its manual page
 * names, with a sentence; and afterwards the bus must carry events as before,
 * close, and give all of its memory back.
 *
 * The first byte says which struct the input is.  Most fields are drawn from
 * values at the limits.  What would succeed and be large is made small: this
 * looks for wrong answers, not for big ones.
 */
#include <stdlib.h>

#include <evbus.h>

#include "fuzz.h"

struct world {
	struct fuzz_heap heap;
	struct fuzz_input input;
	struct evbus *bus;
	unsigned released;
	int64_t clock;
};
static struct world world;

#ifdef FUZZ_CONTROL
/* Room for the name, but not for its end. */
static int
broken_reader_open(struct evbus *bus,
    const struct evbus_reader_options *options, struct evbus_reader **reader)
{
	char *copy;

	if (options->name != NULL && strlen(options->name) == 31) {
		copy = fuzz_text((const uint8_t *)options->name, 30);
		strcpy(copy, options->name);
		FUZZ_EQUAL(strlen(copy), 31);
		free(copy);
	}
	return evbus_reader_open(bus, options, reader);
}
#define evbus_reader_open broken_reader_open
#endif

static uint32_t
draw32(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 3, 4, 16, 63, 64, 65, 128, 255, 256, 4096, 8192,
		65535, 65536, 1u << 20, (1u << 20) + 1, 16u << 20,
		(16u << 20) + 1, (1u << 24) - 1, 1u << 28, (1u << 28) + 1,
		1u << 31, UINT32_MAX
	};
	unsigned way = fuzz_byte(&world.input);

	return way < COUNT(edges) ? edges[way] : way < 128 ? 0 :
	    way < 192 ? way - 127u : (uint32_t)fuzz_word(&world.input, 4);
}

static int64_t
draw_time(void)
{
	static const int64_t edges[] = {
		0, 1, -1, -2, 1000, INT64_MAX, INT64_MIN, INT64_MAX - 1
	};

	return edges[fuzz_byte(&world.input) % COUNT(edges)];
}

static uint64_t
draw64(void)
{
	unsigned way = fuzz_byte(&world.input);

	return way < 128 ? 0 : way < 192 ? UINT64_C(1) << (way & 63) :
	    fuzz_word(&world.input, 8);
}

/* NULL, or a name of its own block of up to 40 bytes. */
static char *
draw_name(void)
{
	unsigned length = fuzz_byte(&world.input) % 64;
	char *name;

	if (length > 40)
		return NULL;
	name = malloc(length + 1);
	FUZZ_CHECK(name != NULL);
	memset(name, 'n', length);
	name[length] = '\0';
	return name;
}

static int64_t
fake_clock(void *arg)
{
	(void)arg;
	return ++world.clock;
}

static struct evbus_stream_options
draw_stream(void)
{
	struct evbus_stream_options options = {
		.capacity = draw32(), .slot_size = draw32(),
		.max_payload = draw32(), .pool_blocks = draw32(),
		.max_references = draw32()
	};

	options.producers = (enum evbus_producers)(fuzz_byte(&world.input) %
	    4);
	options.on_full = (enum evbus_on_full)(fuzz_byte(&world.input) % 4);
	options.times = (enum evbus_times)(fuzz_byte(&world.input) % 5);
	options.timeout_ns = draw_time();
	options.extensions = fuzz_byte(&world.input) < 250 ? 0 : draw32();
	options.first_sequence = draw64();
	/* A table of references is the one thing that is not sparse. */
	if (options.max_references > 4096 && options.max_references <= 1u << 20)
		options.max_references = 4096;
	if (options.max_references == 0 && options.capacity > 16384)
		options.max_references = 2;
	return options;
}

/* A result is a success or a code, with its name, text and sentence. */
static void
check_result(int64_t result, const char *allowed)
{
	const char *name;

	if (result >= 0)
		return;
	FUZZ_CHECK(result > EVBUS__ERROR_LAST);
	name = evbus_errname((int)result);
	if (strstr(allowed, name + strlen("EVBUS_")) == NULL)
		FUZZ_FAIL("%s is not among: %s", name, allowed);
	if (result != EVBUS_EFULL)
		FUZZ_CHECK(*evbus_errmsg() != '\0');
}

static enum evbus_verdict
count_event(const struct evbus_event *event, void *arg)
{
	(void)event;
	++*(unsigned *)arg;
	return EVBUS_DONE;
}

/* An event goes through, where the limits let one have a topic and reader. */
static void
check_usable(void)
{
	struct evbus_reader *reader = NULL;
	struct evbus_topic *topic = NULL;
	unsigned seen = 0;
	int64_t id;

	FUZZ_EQUAL(evbus_topic_open(world.bus, "u.v", NULL, &topic), 0);
	check_result(evbus_reader_open(world.bus,
	    &(struct evbus_reader_options){ .spin_ns = -1 }, &reader),
	    "ELIMIT");
	if (reader == NULL)
		return;
	id = evbus_reader_subscribe(reader, "u.*", count_event, &seen, NULL);
	FUZZ_CHECK(id > 0);
	FUZZ_EQUAL(evbus_publish(topic, "x", 1), 0);
	FUZZ_EQUAL(evbus_poll(reader, 8), 1);
	FUZZ_EQUAL(seen, 1);
	FUZZ_EQUAL(evbus_unsubscribe(world.bus, id, 0), 0);
	FUZZ_EQUAL(evbus_reader_close(reader, 0), 0);
}

static void
close_bus(void)
{
	FUZZ_EQUAL(evbus_close(world.bus, 0, NULL), 0);
	FUZZ_EQUAL(evbus_free(world.bus), 0);
	FUZZ_EQUAL(world.heap.bytes, 0);
}

static void
open_small(void)
{
	struct evbus_options options = {
		.stream = { .capacity = 4, .max_payload = 64 },
		.max_topics = 8, .max_readers = 3, .max_publishers = 2,
		.max_streams = 2, .ring_memory = 1u << 22,
		.allocator = { fuzz_alloc, fuzz_free, &world.heap }
	};

	FUZZ_EQUAL(evbus_open(&world.bus, &options), 0);
}

/* What would be large and succeed is made small. */
static uint32_t
tame(uint32_t value, uint32_t limit, uint32_t small)
{
	return value > small && value <= limit ? small : value;
}

static void
try_open(void)
{
	struct evbus_options options = { .stream = draw_stream() };
	char *name = draw_name();
	int result;

	options.name = name;
	options.max_topics = tame(draw32(), (1u << 24) - 2, 512);
	options.max_readers = tame(draw32(), 65535, 64);
	options.max_publishers = tame(draw32(), 65535, 64);
	options.max_streams = tame(draw32(), 1024, 16);
	options.ring_memory = draw64();
	options.name_memory = tame(draw32(), UINT32_MAX, 1u << 16);
	options.allocator.arg = &world.heap;
	options.allocator.alloc = fuzz_byte(&world.input) < 250 ? fuzz_alloc :
	    NULL;
	options.allocator.free = fuzz_byte(&world.input) < 250 ? fuzz_free :
	    NULL;
	options.clock = fuzz_byte(&world.input) & 1 ? fake_clock : NULL;
	options.max_timers = draw32();
	options.timer_payload = draw32();
	result = evbus_open(&world.bus, &options);
	check_result(result, "EINVAL ELIMIT ENOTSUP ENOMEM ESYSTEM");
	FUZZ_EQUAL(world.bus != NULL, result == 0);
	FUZZ_CHECK(result == 0 || world.heap.bytes == 0);
	free(name);
	if (result != 0)
		return;
	/* Names of 4 bytes need as much room. */
	if (options.name_memory == 0 || options.name_memory >= 4)
		check_usable();
	close_bus();
}

static void
try_stream(void)
{
	struct evbus_stream_options options = draw_stream();
	struct evbus_stream *stream = NULL;
	struct evbus_topic *topic;
	int result;

	open_small();
	result = evbus_stream_open(world.bus, "s.>", &options, &stream);
	check_result(result, "EINVAL ELIMIT ENOTSUP");
	FUZZ_EQUAL(stream != NULL, result == 0);
	FUZZ_EQUAL(evbus_topic_open(world.bus, "s.t", NULL, &topic), 0);
	if (result == 0) {
		FUZZ_CHECK(topic->stream == stream);
		FUZZ_EQUAL(evbus_publish(topic, "y", 1), 0);
	}
	check_usable();
	close_bus();
}

static void
try_reader(void)
{
	struct evbus_reader_options options = { 0 };
	struct evbus_reader *reader = NULL;
	char *name = draw_name();
	unsigned seen = 0;
	int result;

	options.name = name;
	options.worker = fuzz_byte(&world.input) == 255 ? "" : NULL;
	options.lossy = (int)draw32();
	options.start = (enum evbus_start)(fuzz_byte(&world.input) % 6);
	options.sequence = draw64();
	options.spin_ns = draw_time();
	options.max_lag = fuzz_byte(&world.input) < 128 ? 0 : draw64();
	options.stall_ns = fuzz_byte(&world.input) < 128 ? 0 : draw_time();
	open_small();
	result = evbus_reader_open(world.bus, &options, &reader);
	check_result(result, "EINVAL");
	FUZZ_EQUAL(reader != NULL, result == 0);
	free(name);
	if (result == 0) {
		check_result(evbus_reader_subscribe(reader, "r.>", count_event,
		    &seen, NULL), "EINVAL EGONE");
		FUZZ_EQUAL(evbus_reader_close(reader, 0), 0);
	}
	check_usable();
	close_bus();
}

static void
on_release(const void *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	FUZZ_CHECK(arg == &world);
	world.released++;
}

static void
try_publish(void)
{
	struct evbus_publish_options options = { 0 };
	unsigned char *data = NULL;
	struct evbus_topic *topic;
	size_t size = fuzz_byte(&world.input) % 80;
	uint64_t sequence = UINT64_MAX;
	int result, by_reference;

	options.timeout_ns = draw_time();
	options.set_timeout = (int)draw32();
	options.set_cause = (int)draw32();
	options.cause = draw64();
	by_reference = fuzz_byte(&world.input) & 1;
	options.release = by_reference ? on_release : NULL;
	options.release_arg = &world;
	options.key = fuzz_byte(&world.input) < 240 ? 0 : draw64();
	options.trace = fuzz_byte(&world.input) < 250 ? NULL : &world;
	options.sequence = fuzz_byte(&world.input) & 1 ? &sequence : NULL;
	if (fuzz_byte(&world.input) < 240) {
		data = malloc(size + 1);
		FUZZ_CHECK(data != NULL);
		memset(data, 1, size);
	}
	open_small();
	FUZZ_EQUAL(evbus_topic_open(world.bus, "p", NULL, &topic), 0);
	result = evbus_publish_with(topic, data, size, &options);
	check_result(result, "EINVAL EMSGSIZE ENOTSUP");
	if (options.sequence != NULL)
		FUZZ_EQUAL(sequence == 0, result == 0);
	check_usable();
	close_bus();
	FUZZ_EQUAL(world.released, result == 0 && by_reference);
	free(data);
}

static int
validate(const void *data, size_t size, void *arg)
{
	(void)data;
	FUZZ_CHECK(arg == &world);
	return size == 1;
}

static void
try_topic(void)
{
	struct evbus_topic_options options = { 0 };
	struct evbus_reader_options retained = {
		.start = EVBUS_START_RETAINED
	};
	struct evbus_reader *reader;
	struct evbus_topic *topic;
	unsigned seen = 0;
	int result, rejects;

	options.retain = draw32();
	options.reserved = fuzz_byte(&world.input) < 240 ? 0 : draw32();
	rejects = fuzz_byte(&world.input) & 1;
	options.validate = rejects ? validate : NULL;
	options.validate_arg = &world;
	open_small();
	result = evbus_topic_open(world.bus, "t.u", &options, &topic);
	check_result(result, "EINVAL");
	FUZZ_EQUAL(topic != NULL, result == 0);
	FUZZ_EQUAL(result == 0, options.retain <= 1 && options.reserved == 0);
	if (result == 0) {
		FUZZ_EQUAL(evbus_publish(topic, "xy", 2), 0);
		FUZZ_EQUAL(evbus_publish(topic, "z", 1), rejects ?
		    EVBUS_EREJECTED : 0);
		FUZZ_EQUAL(evbus_reader_open(world.bus, &retained, &reader),
		    0);
		FUZZ_CHECK(evbus_reader_subscribe(reader, "t.*", count_event,
		    &seen, NULL) > 0);
		FUZZ_EQUAL(evbus_poll(reader, 8), options.retain);
		FUZZ_EQUAL(seen, options.retain);
		FUZZ_EQUAL(evbus_reader_close(reader, 0), 0);
	}
	check_usable();
	close_bus();
}

void
fuzz_one(const uint8_t *data, size_t size)
{
	memset(&world, 0, sizeof world);
	world.input.at = data;
	world.input.end = data + size;
	switch (fuzz_byte(&world.input) % 5) {
	case 0:
		try_open();
		break;
	case 1:
		try_stream();
		break;
	case 2:
		try_reader();
		break;
	case 3:
		try_topic();
		break;
	default:
		try_publish();
		break;
	}
}
