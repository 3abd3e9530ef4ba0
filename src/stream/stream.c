/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c - layer 2: options, memory and life of a stream.
 *
 * Streams are made under the bus's lock and live until evbus_free().
 */
#include <string.h>

#include "stream/stream.h"

#define CAPACITY_MAX	(1u << 28)
#define SLOT_MAX	4096u
#define PAYLOAD_MAX	(16u << 20)
#define POOL_MAX	(1u << 20)
#define SECOND_NS	INT64_C(1000000000)

/* Of a value that is not 0. */
static int
power_of_two(uint32_t value)
{
	return (value & (value - 1)) == 0;
}

static int
check_range(const char *what, uint32_t value, uint32_t low, uint32_t high)
{
	if (value >= low && value <= high)
		return 0;
	return evbus__fail(EVBUS_EINVAL, "%s is %u; it must be %u to %u",
	    what, value, low, high);
}

static int
check_shape(const struct evbus_stream_options *options)
{
	int error;

	error = check_range("capacity", options->capacity, 2, CAPACITY_MAX);
	if (error == 0)
		error = check_range("slot_size", options->slot_size, 64,
		    SLOT_MAX);
	if (error == 0)
		error = check_range("max_payload", options->max_payload, 1,
		    PAYLOAD_MAX);
	if (error == 0)
		error = check_range("pool_blocks", options->pool_blocks, 1,
		    POOL_MAX);
	if (error == 0)
		error = check_range("max_references", options->max_references,
		    1, POOL_MAX);
	if (error != 0)
		return error;
	if (!power_of_two(options->capacity))
		return evbus__fail(EVBUS_EINVAL,
		    "capacity is %u; it must be a power of two",
		    options->capacity);
	if (!power_of_two(options->slot_size))
		return evbus__fail(EVBUS_EINVAL,
		    "slot_size is %u; it must be a power of two",
		    options->slot_size);
	return 0;
}

static int
check_policy(const struct evbus_stream_options *options)
{
	if ((unsigned)options->producers > EVBUS_PRODUCERS_ONE)
		return evbus__fail(EVBUS_EINVAL,
		    "producers is %d; it must be EVBUS_PRODUCERS_MANY or _ONE",
		    (int)options->producers);
	if ((unsigned)options->on_full > EVBUS_ON_FULL_FAIL)
		return evbus__fail(EVBUS_EINVAL,
		    "on_full is %d; it must be EVBUS_ON_FULL_WAIT or _FAIL",
		    (int)options->on_full);
	if ((unsigned)options->times > EVBUS_TIMES_NONE)
		return evbus__fail(EVBUS_EINVAL, "times is %d; it must be "
		    "EVBUS_TIMES_SAMPLED, _PRECISE or _NONE",
		    (int)options->times);
	if (evbus__check_timeout(options->timeout_ns) != 0)
		return EVBUS_EINVAL;
	if (options->extensions != 0)
		return evbus__fail(EVBUS_ENOTSUP, "extensions is 0x%x; keys, "
		    "requests and traces are not supported yet",
		    options->extensions);
	if (options->first_sequence >= (UINT64_C(1) << 48) - (UINT64_C(1) << 32))
		return evbus__fail(EVBUS_EINVAL, "first_sequence is %llu; it "
		    "must be below 2^48 - 2^32",
		    (unsigned long long)options->first_sequence);
	return 0;
}

int
evbus__stream_options_check(struct evbus_stream_options *options)
{
	uint32_t quarter;
	int error;

	if (options->capacity == 0)
		options->capacity = 4096;
	if (options->slot_size == 0)
		options->slot_size = 64;
	if (options->max_payload == 0)
		options->max_payload = 4096;
	quarter = options->capacity / 4 < 2 ? 2 : options->capacity / 4;
	if (quarter > POOL_MAX)
		quarter = POOL_MAX;
	if (options->pool_blocks == 0)
		options->pool_blocks = quarter;
	if (options->max_references == 0)
		options->max_references = quarter;
	if (options->timeout_ns == 0)
		options->timeout_ns = SECOND_NS;
	error = check_shape(options);
	return error != 0 ? error : check_policy(options);
}

static unsigned
log2_of(uint32_t value)
{
	return 31u - (unsigned)__builtin_clz(value);
}

/* A block's size: whole cache lines. */
static uint32_t
block_size(const struct evbus_stream_options *options)
{
	return (options->max_payload + EVBUS_CACHELINE - 1) &
	    ~(uint32_t)(EVBUS_CACHELINE - 1);
}

/*
 * Take slots, states and blocks from the mapping: all, or nothing of it.  A
 * stream whose payloads all fit their slots has no blocks.
 */
static int
take_memory(struct evbus__context *context, struct evbus__stream *stream,
    const struct evbus_stream_options *options)
{
	struct evbus__outside_table *outside = &stream->outside;
	struct evbus__table *rings =
	    &context->map->header->table[EVBUS__TABLE_RINGS];
	uint64_t slots, blocks, states, used = rings->used;

	outside->blocks = options->max_payload > stream->pub.inline_max ?
	    options->pool_blocks : 0;
	outside->references = options->max_references;
	outside->block_size = block_size(options);
	slots = (uint64_t)options->capacity * options->slot_size;
	blocks = (uint64_t)outside->blocks * outside->block_size;
	states = ((uint64_t)outside->blocks + outside->references) *
	    sizeof *outside->state;
	stream->pub.slots = evbus__map_take(context->map, EVBUS__TABLE_RINGS,
	    slots);
	outside->state = evbus__map_take(context->map, EVBUS__TABLE_RINGS,
	    states);
	if (blocks > 0)
		outside->block = evbus__map_take(context->map,
		    EVBUS__TABLE_RINGS, blocks);
	if (stream->pub.slots == NULL || outside->state == NULL ||
	    (blocks > 0 && outside->block == NULL)) {
		EVBUS_STORE(&rings->used, used, RELAXED);
		return evbus__fail(EVBUS_ELIMIT, "a ring of %u slots of %u "
		    "bytes and a pool of %u blocks of %u need %llu bytes; of "
		    "ring_memory, %llu bytes, %llu are left",
		    options->capacity, options->slot_size, outside->blocks,
		    outside->block_size,
		    (unsigned long long)(slots + blocks + states),
		    (unsigned long long)rings->count,
		    (unsigned long long)(rings->count - used));
	}
	outside->reference = evbus__alloc(context, outside->references *
	    sizeof *outside->reference);
	if (outside->reference == NULL) {
		EVBUS_STORE(&rings->used, used, RELAXED);
		return evbus__fail(EVBUS_ENOMEM, "no memory for %u references",
		    outside->references);
	}
	return 0;
}

static void
fill_handle(struct evbus__context *context, struct evbus_stream *handle,
    const struct evbus_stream_options *options, uint32_t number)
{
	handle->ctl = evbus__map_entry(context->map, EVBUS__TABLE_CONTROLS,
	    number - 1);
	handle->mask = options->capacity - 1;
	handle->serial = context->serial;
	handle->shift = log2_of(options->slot_size);
	handle->slot_size = options->slot_size;
	handle->header_size = sizeof(struct evbus_header);
	handle->inline_max = options->slot_size - handle->header_size;
	if (handle->inline_max > options->max_payload)
		handle->inline_max = options->max_payload;
	handle->number = (uint16_t)number;
	handle->single = options->producers == EVBUS_PRODUCERS_ONE;
	handle->times = (uint8_t)options->times;
	handle->fence_full = context->fence_full;
	handle->time_mask = options->times == EVBUS_TIMES_NONE ? 0 :
	    ~UINT64_C(0);
	handle->on_full = (uint8_t)options->on_full;
	handle->fast_size = handle->fence_full || options->times ==
	    EVBUS_TIMES_PRECISE ? 0 : handle->inline_max + 1;
	handle->magic = EVBUS__STREAM_MAGIC;
	handle->max_payload = options->max_payload;
	handle->timeout_ns = options->timeout_ns;
	handle->bus = (struct evbus *)(void *)context;
}

static void
fill_entry(struct evbus__context *context, struct evbus__stream *stream,
    const struct evbus_stream_options *options)
{
	struct evbus__stream_entry *entry = stream->entry;

	memcpy(entry->pattern, stream->pattern, sizeof entry->pattern);
	entry->slots = evbus__map_offset(context->map, stream->pub.slots);
	entry->states = evbus__map_offset(context->map, stream->outside.state);
	entry->blocks = stream->outside.blocks == 0 ? 0 :
	    evbus__map_offset(context->map, stream->outside.block);
	entry->capacity = options->capacity;
	entry->slot_size = options->slot_size;
	entry->header_size = stream->pub.header_size;
	entry->max_payload = options->max_payload;
	entry->pool_blocks = stream->outside.blocks;
	entry->max_references = stream->outside.references;
	entry->producers = (uint32_t)options->producers;
	entry->on_full = (uint32_t)options->on_full;
	entry->times = (uint32_t)options->times;
	entry->number = stream->pub.number;
}

static void
destroy(struct evbus__context *context, struct evbus__stream *stream)
{
	if (stream->set != NULL)
		evbus__free(context, stream->set, sizeof *stream->set +
		    stream->set->count * sizeof stream->set->member[0]);
	evbus__free(context, stream->outside.reference,
	    stream->outside.references * sizeof *stream->outside.reference);
	evbus__free(context, stream, sizeof *stream);
}

int
evbus__stream_make(struct evbus__context *context, const char *pattern,
    const struct evbus_stream_options *options, struct evbus__stream **result)
{
	struct evbus__streams *streams = context->streams;
	struct evbus__stream *stream;
	struct evbus_ring_ctl *ctl;
	uint32_t number = streams->count + 1;
	int error;

	if (number > streams->limit)
		return evbus__fail(EVBUS_ELIMIT, "%u streams are open, as many "
		    "as max_streams allows", streams->limit);
	stream = evbus__alloc(context, sizeof *stream);
	if (stream == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a stream");
	stream->context = context;
	strncpy(stream->pattern, pattern, sizeof stream->pattern - 1);
	fill_handle(context, &stream->pub, options, number);
	ctl = stream->pub.ctl;
	stream->outside.ctl = ctl;
	stream->set = evbus__alloc(context, sizeof *stream->set);
	if (stream->set == NULL)
		error = evbus__fail(EVBUS_ENOMEM, "no memory for a stream");
	else
		error = take_memory(context, stream, options);
	if (error != 0) {
		destroy(context, stream);
		return error;
	}
	stream->first = options->first_sequence;
	ctl->tail = options->first_sequence;
	ctl->frontier = options->first_sequence;
	ctl->limit = options->first_sequence + options->capacity;
	stream->entry = evbus__map_entry(context->map, EVBUS__TABLE_STREAMS,
	    number - 1);
	fill_entry(context, stream, options);
	streams->stream[number - 1] = stream;
	EVBUS_STORE(&streams->count, number, RELEASE);
	evbus__map_used(context->map, EVBUS__TABLE_STREAMS, number - 1);
	*result = stream;
	return 0;
}

static size_t
streams_size(uint32_t limit)
{
	return sizeof(struct evbus__streams) +
	    limit * sizeof(struct evbus__stream *);
}

int
evbus__streams_init(struct evbus__context *context, uint32_t limit)
{
	uint32_t threads = context->max_publishers + 1;
	struct evbus__streams *streams;

	streams = evbus__alloc(context, streams_size(limit));
	if (streams == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for streams");
	streams->limit = limit;
	context->streams = streams;
	streams->visited = evbus__alloc(context, threads);
	streams->queue = evbus__alloc(context,
	    threads * sizeof *streams->queue);
	if (streams->visited == NULL || streams->queue == NULL) {
		evbus__streams_destroy(context);
		return evbus__fail(EVBUS_ENOMEM, "no memory for streams");
	}
	return 0;
}

void
evbus__streams_destroy(struct evbus__context *context)
{
	struct evbus__streams *streams = context->streams;
	uint32_t i, threads = context->max_publishers + 1;

	if (streams == NULL)
		return;
	for (i = 0; i < streams->count; i++)
		destroy(context, streams->stream[i]);
	evbus__free(context, streams->visited, threads);
	evbus__free(context, streams->queue,
	    threads * sizeof *streams->queue);
	evbus__free(context, streams, streams_size(streams->limit));
	context->streams = NULL;
}

struct evbus__stream *
evbus__stream_number(const struct evbus__context *context, uint32_t number)
{
	EVBUS_ASSERT(number >= 1 && number <= context->streams->count);
	return context->streams->stream[number - 1];
}

int
evbus_stream_stats(const struct evbus_stream *handle,
    struct evbus_stream_stats *stats)
{
	const struct evbus_ring_ctl *ctl;
	int error;

	if (handle == NULL || stats == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_stream_stats: %s is "
		    "NULL", handle == NULL ? "stream" : "stats");
	memset(stats, 0, sizeof *stats);
	error = evbus__check_fork(evbus__stream_of(handle)->context);
	if (error != 0)
		return error;
	ctl = handle->ctl;
	stats->capacity = handle->mask + 1;
	stats->tail = EVBUS_LOAD(&ctl->tail, RELAXED);
	stats->gate = EVBUS_LOAD(&ctl->limit, RELAXED);
	if (stats->gate != EVBUS__LIMIT_CLOSED)
		stats->gate -= stats->capacity;
	stats->holes = EVBUS_LOAD(&ctl->holes, RELAXED);
	stats->refused = EVBUS_LOAD(&ctl->refused, RELAXED);
	stats->timedout = EVBUS_LOAD(&ctl->timedout, RELAXED);
	stats->deadlocks = EVBUS_LOAD(&ctl->deadlocks, RELAXED);
	stats->waits = EVBUS_LOAD(&ctl->waits, RELAXED);
	stats->wait_ns = EVBUS_LOAD(&ctl->wait_ns, RELAXED);
	stats->waiting = EVBUS_LOAD(&ctl->waiting, RELAXED);
	stats->gate_reads = EVBUS_LOAD(&ctl->gate_reads, RELAXED);
	stats->wakes = EVBUS_LOAD(&ctl->wakes, RELAXED);
	stats->space_wakes = EVBUS_LOAD(&ctl->space_wakes, RELAXED);
	stats->outside_taken = EVBUS_LOAD(&ctl->outside_taken, RELAXED);
	stats->outside_given = EVBUS_LOAD(&ctl->outside_given, RELAXED);
	stats->outside_empty = EVBUS_LOAD(&ctl->outside_empty, RELAXED);
	stats->rejected = EVBUS_LOAD(&ctl->rejected, RELAXED);
	return 0;
}
