/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish.c - layer 4: every way to publish that is not the inline one.
 *
 * Any thread, also inside handlers.  The order is always: the topic's validator,
 * room outside the ring if the payload needs it, its bytes copied there, then
 * the slot, then the stamp; so a slow validator or copy holds up nobody, and a
 * refusal has used no sequence.
 */
#include "publish/publish.h"

uint64_t
evbus__read_clock(const struct evbus_stream *handle,
    struct evbus_publisher *publisher)
{
	if (handle->times == EVBUS_TIMES_NONE)
		return 0;
	publisher->time = (uint64_t)evbus__now(
	    evbus__stream_of(handle)->context);
	return publisher->time;
}

/* The time of the next event, as the stream's times say (F7). */
uint64_t
evbus__event_time(const struct evbus_stream *stream,
    struct evbus_publisher *publisher)
{
	return stream->times == EVBUS_TIMES_PRECISE ?
	    evbus__read_clock(stream, publisher) :
	    evbus__sampled_time(stream, publisher,
	    evbus__entered(publisher));
}

int64_t
evbus__publish_timeout(const struct evbus_stream *stream, int may_wait)
{
	if (!may_wait || stream->on_full == EVBUS_ON_FULL_FAIL)
		return 0;
	return stream->timeout_ns;
}

int
evbus__publish_check(const char *call, const struct evbus_topic *topic,
    const void *data, size_t size, struct evbus_publisher **publisher)
{
	struct evbus__context *context;
	int error;

	if (topic == NULL)
		return evbus__fail(EVBUS_EINVAL, "%s: topic is NULL", call);
	if (topic->magic != EVBUS__TOPIC_MAGIC)
		return evbus__fail(EVBUS_EINVAL, "%s: not a topic", call);
	context = evbus__stream_of(topic->stream)->context;
	error = evbus__check_alive(context);
	if (error != 0)
		return error;
	if (data == NULL && size > 0)
		return evbus__fail(EVBUS_EINVAL,
		    "%s: data is NULL and size is %zu", call, size);
	*publisher = evbus__self(context);
	if (*publisher == NULL)
		return evbus__failed();
	evbus__call_enter(context, *publisher);
	return 0;
}

static int
check_size(const struct evbus_topic *topic, size_t size)
{
	if (size <= topic->stream->max_payload)
		return 0;
	return evbus__fail(EVBUS_EMSGSIZE, "a payload of %zu bytes on topic "
	    "\"%s\"; the stream's max_payload is %u", size, topic->name,
	    topic->stream->max_payload);
}

int
evbus__claim_slots(struct evbus__stream *stream,
    struct evbus_publisher *publisher, uint64_t n, int64_t timeout_ns,
    uint64_t *sequence)
{
	uint64_t section = evbus__enter(publisher, stream->pub.fence_full);

	if (evbus__try_claim(&stream->pub, publisher, n, sequence))
		return 0;
	evbus__leave(publisher, section, 0);
	return evbus__claim_slow(stream, publisher, n, timeout_ns, sequence);
}

/* One event, all checks done. */
static int
publish_one(struct evbus_topic *topic, const void *data, size_t size,
    struct evbus_publisher *publisher, struct evbus__how *how)
{
	struct evbus__stream *stream = evbus__stream_of(topic->stream);
	int outside = how->release != NULL || size > stream->pub.inline_max;
	struct evbus_header *header;
	uint64_t sequence, time;
	uint32_t entry = 0;
	int error = evbus__validate(topic, publisher, data, size);

	if (error != 0)
		return error;
	if (outside) {
		error = evbus__take_outside(stream, publisher, 1, how, data,
		    size, &entry);
		if (error != 0)
			return error;
		if (how->release == NULL)
			EVBUS_PLAIN_COPY_IN(evbus__outside_block(
			    &stream->outside, entry - 1), data, size);
	}
	time = evbus__event_time(&stream->pub, publisher);
	error = evbus__claim_slots(stream, publisher, 1, how->timeout_ns,
	    &sequence);
	if (error != 0) {
		if (outside)
			evbus__give_outside(stream, entry);
		return error;
	}
	header = evbus__slot(&stream->pub, sequence);
	evbus__fill_header(header, topic->meta | evbus__meta(0,
	    outside ? EVBUS_SLOT_OUTSIDE : 0, outside ? 0 : (uint32_t)size,
	    publisher->id & 0xffffu), time,
	    how->set_cause ? how->cause : publisher->cause);
	if (outside)
		evbus__fill_outside(stream, header, entry - 1, size, sequence);
	else if (size > 0)
		EVBUS_PLAIN_COPY_IN((unsigned char *)header +
		    stream->pub.header_size, data, size);
	evbus__stamp_event(topic, header, sequence, data, size);
	if (outside)
		publisher->bytes += size;
	evbus__after_commit(&stream->pub, stream->pub.fence_full);
	evbus__leave(publisher, evbus__entered(publisher), 1);
	how->sequence = sequence;
	return 0;
}

int
evbus__publish_slow(struct evbus_topic *topic, const void *data, size_t size,
    int may_wait)
{
	struct evbus_publisher *publisher;
	struct evbus__how how = { 0 };
	int error;

	error = evbus__publish_check(may_wait ? "evbus_publish" :
	    "evbus_try_publish", topic, data, size, &publisher);
	if (error != 0)
		return error;
	how.timeout_ns = evbus__publish_timeout(topic->stream, may_wait);
	error = check_size(topic, size);
	if (error == 0)
		error = publish_one(topic, data, size, publisher, &how);
	evbus__call_leave(publisher);
	return error;
}

static int
check_with(const struct evbus_publish_options *options, const void *data)
{
	if (options->key != 0 || options->trace != NULL)
		return evbus__fail(EVBUS_ENOTSUP,
		    "%s: keys and traces are not supported yet",
		    options->key != 0 ? "key is not 0" : "trace is not NULL");
	if (options->set_timeout &&
	    evbus__check_timeout(options->timeout_ns) != 0)
		return EVBUS_EINVAL;
	if (options->release != NULL && data == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "a payload by reference must not be NULL");
	return 0;
}

/* What is passed by reference is not copied: any size that fits the event. */
static int
check_with_size(const struct evbus_topic *topic, size_t size,
    const struct evbus_publish_options *options)
{
	if (options->release == NULL)
		return check_size(topic, size);
	if (topic->retained != NULL && size > topic->retained->room)
		return evbus__fail(EVBUS_EMSGSIZE, "a payload of %zu bytes by "
		    "reference on topic \"%s\", which retains up to %u bytes, "
		    "the stream's max_payload", size, topic->name,
		    topic->retained->room);
	if (size > UINT32_MAX)
		return evbus__fail(EVBUS_EMSGSIZE, "a payload of %zu bytes by "
		    "reference; the limit is %u", size, UINT32_MAX);
	return 0;
}

int
evbus__publish_with(struct evbus_topic *topic, const void *data, size_t size,
    const struct evbus_publish_options *options, size_t options_size)
{
	static const struct evbus_publish_options defaults;
	struct evbus_publisher *publisher;
	struct evbus__how how = { 0 };
	int error;

	error = evbus__check_options("struct evbus_publish_options",
	    options_size, sizeof *options);
	if (error == 0)
		error = evbus__publish_check("evbus_publish_with", topic, data,
		    size, &publisher);
	if (error != 0)
		return error;
	if (options == NULL)
		options = &defaults;
	how.timeout_ns = options->set_timeout ? options->timeout_ns :
	    evbus__publish_timeout(topic->stream, 1);
	how.set_cause = options->set_cause;
	how.cause = options->cause;
	how.release = options->release;
	how.release_arg = options->release_arg;
	error = check_with(options, data);
	if (error == 0)
		error = check_with_size(topic, size, options);
	if (error == 0)
		error = publish_one(topic, data, size, publisher, &how);
	if (error == 0 && options->sequence != NULL)
		*options->sequence = how.sequence;
	evbus__call_leave(publisher);
	return error;
}

int
evbus_publish_name(struct evbus *bus, const char *name, const void *data,
    size_t size)
{
	struct evbus_topic *topic;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_publish_name: bus is NULL");
	error = evbus_topic_open(bus, name, NULL, &topic);
	return error != 0 ? error : evbus_publish(topic, data, size);
}
