/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.c - layer 6: open a bus, and give it back.
 */
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"

static void *
standard_alloc(size_t size, void *arg)
{
	(void)arg;
	return malloc(size);
}

static void
standard_free(void *p, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	free(p);
}

static int
open_map(struct evbus *bus)
{
	const struct evbus_options *options = &bus->options;
	struct evbus__map_shape shape[EVBUS__TABLES] = {
		[EVBUS__TABLE_PUBLISHERS] = { options->max_publishers + 1u,
		    sizeof(struct evbus_publisher) },
		[EVBUS__TABLE_STREAMS] = { options->max_streams,
		    sizeof(struct evbus__stream_entry) },
		[EVBUS__TABLE_CONTROLS] = { options->max_streams,
		    sizeof(struct evbus_ring_ctl) },
		[EVBUS__TABLE_READERS] = { options->max_readers,
		    sizeof(struct evbus__reader_entry) },
		[EVBUS__TABLE_CURSORS] = { (uint64_t)options->max_readers *
		    options->max_streams, sizeof(struct evbus__cursor) },
		[EVBUS__TABLE_PARKS] = { options->max_readers +
		    EVBUS__WORKERS_MAX, sizeof(struct evbus__park) },
		[EVBUS__TABLE_TOPICS] = { options->max_topics + UINT64_C(1),
		    sizeof(struct evbus__topic_entry) },
		[EVBUS__TABLE_NAMES] = { options->name_memory, 1 },
		[EVBUS__TABLE_SCHEMAS] = { 0, 64 },
		[EVBUS__TABLE_RINGS] = { options->ring_memory, 1 },
	};

	return evbus__map_open(&bus->context, options->name, shape);
}

/* What it claimed and has in hand goes to others. */
static void
thread_ended(struct evbus__context *context, struct evbus_publisher *publisher)
{
	evbus__thread_holes(context, publisher);
	evbus__groups_thread_ended(context, publisher);
}

static void
set_context(struct evbus *bus)
{
	const struct evbus_options *options = &bus->options;
	struct evbus__context *context = &bus->context;

	context->magic = EVBUS__BUS_MAGIC;
	context->alloc = options->allocator.alloc;
	context->free = options->allocator.free;
	context->alloc_arg = options->allocator.arg;
	context->clock = options->clock;
	context->clock_arg = options->clock_arg;
	context->log = options->log;
	context->log_arg = options->log_arg;
	context->max_publishers = options->max_publishers;
	context->thread_ended = thread_ended;
	context->fence_full = (uint8_t)evbus__fence_full();
	evbus__mutex_init(&context->lock);
	evbus__mutex_init(&context->wait_lock);
	evbus__mutex_init(&bus->default_lock);
	evbus__epoch_init(&context->epoch);
}

static size_t
threads_size(const struct evbus__context *context)
{
	return (context->max_publishers + 1) * sizeof context->threads[0];
}

static size_t
report_size(const struct evbus *bus)
{
	return bus->options.max_readers * sizeof bus->report[0];
}

/* Everything that was made so far; in any state of completeness. */
static void
destroy(struct evbus *bus)
{
	struct evbus__context *context = &bus->context;
	void (*release)(void *, size_t, void *) = context->free;
	uint32_t i;

	evbus__workers_free(bus);
	evbus__timers_destroy(context);
	evbus__groups_destroy(context);
	evbus__readers_destroy(context);
	evbus__topics_destroy(context);
	evbus__streams_destroy(context);
	for (i = 1; context->threads != NULL &&
	    i <= context->max_publishers; i++)
		evbus__free(context, context->threads[i],
		    sizeof *context->threads[i]);
	evbus__free(context, context->threads, threads_size(context));
	evbus__free(context, bus->report, report_size(bus));
	evbus__map_close(context);
	evbus__mutex_destroy(&bus->default_lock);
	evbus__mutex_destroy(&context->wait_lock);
	evbus__mutex_destroy(&context->lock);
	evbus__free_aligned(release, context->alloc_arg, bus, sizeof *bus);
}

static int
set_up(struct evbus *bus)
{
	struct evbus__context *context = &bus->context;
	struct evbus__stream *stream;
	int error = open_map(bus);

	if (error != 0)
		return error;
	context->publishers = evbus__map_entry(context->map,
	    EVBUS__TABLE_PUBLISHERS, 0);
	context->threads = evbus__alloc(context, threads_size(context));
	bus->report = evbus__alloc(context, report_size(bus));
	if (context->threads == NULL || bus->report == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a bus");
	error = evbus__streams_init(context, bus->options.max_streams);
	if (error == 0)
		error = evbus__topics_init(context, bus->options.max_topics);
	if (error == 0)
		error = evbus__readers_init(context, bus->options.max_readers,
		    bus->options.max_streams);
	if (error == 0)
		error = evbus__timers_init(context, bus->options.max_timers,
		    bus->options.timer_payload);
	if (error != 0)
		return error;
	context->streams->stall_report_ns = bus->options.stall_report_ns;
	context->timers->start = evbus__worker_time;
	context->timers->nudge = evbus__worker_hurry;
	context->topics->matched = evbus__dispatch_topic;
	context->topics->undo = evbus__dispatch_undo;
	context->readers->groups = &evbus__groups;
	context->readers->worker_join = evbus__worker_join;
	context->readers->worker_leave = evbus__worker_leave;
	context->readers->worker_done_with = evbus__worker_done_with;
	if (bus->options.own_loop)
		error = evbus__loop_open(bus);
	if (error == 0)
		error = evbus__process_add(context);
	if (error == 0) {
		error = evbus__stream_make(context, ">",
		    &bus->options.stream, &stream);
		if (error != 0)
			evbus__process_remove(context);
	}
	return error;
}

int
evbus__open(struct evbus **result, const struct evbus_options *given,
    size_t options_size, unsigned layout)
{
	struct evbus_options options = { 0 };
	struct evbus *bus;
	int error = evbus__check_layout(layout);

	if (error == 0)
		error = evbus__check_options("struct evbus_options",
		    options_size, sizeof options);
	if (error != 0)
		return error;
	if (result == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_open: bus is NULL");
	*result = NULL;
	if (given != NULL)
		options = *given;
	error = evbus__options_check(&options);
	if (error != 0)
		return error;
	if (options.allocator.alloc == NULL) {
		options.allocator.alloc = standard_alloc;
		options.allocator.free = standard_free;
	}
	bus = evbus__alloc_aligned(options.allocator.alloc,
	    options.allocator.arg, sizeof *bus);
	if (bus == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for a bus");
	bus->options = options;
	set_context(bus);
	error = set_up(bus);
	if (error != 0) {
		destroy(bus);
		return error;
	}
	/* The name was the caller's. */
	bus->options.name = bus->context.map->header->name;
	bus->context.map->header->state = EVBUS__OPEN;
	EVBUS_STORE(&bus->context.state, EVBUS__OPEN, RELAXED);
	*result = bus;
	return 0;
}

int
evbus_free(struct evbus *bus)
{
	int error;

	if (bus == NULL)
		return 0;
	error = evbus__check_fork(&bus->context);
	if (error != 0)
		return error;
	if (EVBUS_LOAD(&bus->context.state, RELAXED) != EVBUS__CLOSED)
		return evbus__fail(EVBUS_EBUSY,
		    "the bus is not closed: call evbus_close() first");
	if (evbus__workers_join(bus, 0) > 0 || evbus__somebody_inside(bus))
		return evbus__fail(EVBUS_EBUSY, "a thread is still inside a "
		    "call or a handler of the bus");
	evbus__process_remove(&bus->context);
	destroy(bus);
	return 0;
}

struct evbus_stream *
evbus_stream_default(struct evbus *bus)
{
	return bus == NULL ? NULL : &bus->context.streams->stream[0]->pub;
}

const char *
evbus_publisher_name(struct evbus *bus, uint16_t publisher)
{
	if (bus == NULL || publisher == 0 ||
	    publisher > bus->context.max_publishers ||
	    bus->context.publishers[publisher].name[0] == '\0')
		return "?";
	return bus->context.publishers[publisher].name;
}

int
evbus_publisher_set_name(struct evbus *bus, const char *name)
{
	struct evbus_publisher *self;
	int error;

	if (bus == NULL || name == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_publisher_set_name: "
		    "%s is NULL", bus == NULL ? "bus" : "name");
	if (name[0] == '\0' || strlen(name) >= EVBUS_NAME_MAX)
		return evbus__fail(EVBUS_EINVAL, "the thread's name has %zu "
		    "bytes; it must have 1 to %d", strlen(name),
		    EVBUS_NAME_MAX - 1);
	error = evbus__check_alive(&bus->context);
	if (error != 0)
		return error;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	memcpy(self->name, name, strlen(name) + 1);
	return 0;
}
