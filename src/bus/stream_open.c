/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_open.c - layer 6: open a stream for a pattern of topics.
 *
 * It needs all that lies below: the patterns of other streams, the topics that
 * exist, and the readers whose subscriptions the new stream may serve; these
 * join it before anybody can publish to it.
 */
#include "bus/bus.h"

static int
is_taken(void *topic, void *found)
{
	*(struct evbus_topic **)found = topic;
	return 1;
}

/* May a stream with this pattern be opened beside what there is? */
static int
check_room(struct evbus__context *context, const char *pattern)
{
	struct evbus__streams *streams = context->streams;
	struct evbus_topic *topic = NULL;
	uint32_t i;

	for (i = 1; i < streams->count; i++)
		if (evbus__pattern_overlaps(streams->stream[i]->pattern,
		    pattern))
			return evbus__fail(EVBUS_EEXIST, "a topic could belong "
			    "to stream \"%s\" and to stream \"%s\", which is "
			    "open", pattern, streams->stream[i]->pattern);
	(void)evbus__trie_select(&context->topics->names, pattern, is_taken,
	    &topic);
	if (topic != NULL)
		return evbus__fail(EVBUS_EBUSY, "topic \"%s\" exists already "
		    "in the default stream: open stream \"%s\" before it",
		    topic->name, pattern);
	return 0;
}

static int
wants(const struct evbus_reader *reader, const char *pattern)
{
	const struct evbus__subscription *subscription;

	for (subscription = reader->subscriptions; subscription != NULL;
	    subscription = subscription->next)
		if (evbus__pattern_overlaps(subscription->pattern, pattern))
			return 1;
	return 0;
}

/* The readers whose subscriptions may match topics of the stream join it. */
static int
join_readers(struct evbus__context *context, struct evbus_publisher *self,
    struct evbus__stream *stream)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader;
	uint32_t i;
	int error;

	for (i = 0; i < readers->opened; i++) {
		reader = readers->reader[i];
		if (EVBUS_LOAD(&reader->state, RELAXED) !=
		    EVBUS__READER_OPEN || !wants(reader, stream->pattern))
			continue;
		/* The stream is empty: its start is everybody's. */
		error = evbus__reader_join(reader, self, stream,
		    EVBUS_START_NOW);
		if (error != 0)
			return error;
	}
	return 0;
}

static int
open_locked(struct evbus__context *context, struct evbus_publisher *self,
    const char *pattern, const struct evbus_stream_options *options,
    struct evbus__stream **stream)
{
	int error = evbus__check_open(context);

	if (error == 0)
		error = check_room(context, pattern);
	if (error == 0)
		error = evbus__stream_make(context, pattern, options, stream);
	if (error != 0)
		return error;
	error = join_readers(context, self, *stream);
	if (error != 0) {
		/* Readers that have joined stay in it: it stays, but carries
		 * nothing, so that the pattern is free again. */
		(*stream)->pattern[0] = '\0';
		(*stream)->entry->pattern[0] = '\0';
	}
	return error;
}

int
evbus__stream_open(struct evbus *bus, const char *pattern,
    const struct evbus_stream_options *given, size_t options_size,
    unsigned layout, struct evbus_stream **result)
{
	struct evbus_stream_options options = { 0 };
	struct evbus__stream *stream = NULL;
	struct evbus_publisher *self;
	int error = evbus__check_layout(layout);

	if (error == 0)
		error = evbus__check_options("struct evbus_stream_options",
		    options_size, sizeof options);
	if (error != 0)
		return error;
	if (bus == NULL || result == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_stream_open: %s is "
		    "NULL", bus == NULL ? "bus" : "stream");
	*result = NULL;
	if (given != NULL)
		options = *given;
	error = evbus__check_open(&bus->context);
	if (error == 0)
		error = evbus__pattern_check(pattern, NULL);
	if (error == 0 && pattern[0] == '$')
		error = evbus__fail(EVBUS_EOWNER, "pattern \"%s\" begins with "
		    "'$': such names belong to the bus", pattern);
	if (error == 0)
		error = evbus__stream_options_check(&options);
	if (error != 0)
		return error;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(&bus->context, self);
	evbus__mutex_lock(&bus->context.lock);
	error = open_locked(&bus->context, self, pattern, &options, &stream);
	evbus__mutex_unlock(&bus->context.lock);
	evbus__call_leave(self);
	if (error == 0)
		*result = &stream->pub;
	return error;
}
