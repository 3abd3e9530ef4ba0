/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flush.c - layer 6: wait until the lossless readers and groups have passed what
 * was committed before the call; a group has, when its members have handled
 * it.  Waits stream by stream: when the last has been
 * passed, all have been.
 */
#include "bus/bus.h"

/* Has the stream a lossless reader? */
static int
is_gated(struct evbus__stream *stream, struct evbus_publisher *self)
{
	struct evbus__context *context = stream->context;
	struct evbus__epoch_record *record =
	    &evbus__thread_of(context, self)->epoch;
	const struct evbus__set *set;
	int gated = 0;
	uint32_t i;

	evbus__epoch_begin(&context->epoch, record);
	set = EVBUS_LOAD(&stream->set, ACQUIRE);		/* SET */
	for (i = 0; i < set->gating && !gated; i++)
		gated = evbus__member_gates(&set->member[i]);
	evbus__epoch_end(&context->epoch, record);
	return gated;
}

static int
flush_stream(struct evbus__stream *stream, struct evbus_publisher *self,
    uint64_t tail, int64_t timeout_ns, int64_t deadline)
{
	char holder[EVBUS__HOLDER_MAX];
	int error = 0;

	while (error == 0 && is_gated(stream, self) &&
	    evbus__passed_now(stream, self) < tail)
		error = evbus__check_open(stream->context) != 0 ?
		    evbus__failed() :
		    evbus__gate_wait(stream, self, EVBUS__WAIT_FLUSH, tail,
		    deadline);
	if (error == EVBUS_ETIMEDOUT) {
		evbus__describe_holder(stream, self, tail, holder,
		    sizeof holder);
		return evbus__fail(EVBUS_ETIMEDOUT, "a reader of stream "
		    "\"%s\" is still behind after %lld ns: %s",
		    stream->pattern, (long long)timeout_ns, holder);
	}
	evbus__stream_reclaim(stream, self);
	return error;
}

int
evbus_flush(struct evbus *bus, int64_t timeout_ns)
{
	struct evbus__streams *streams;
	struct evbus_publisher *self;
	int64_t deadline = evbus__deadline(timeout_ns);
	uint32_t i;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_flush: bus is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	error = evbus__check_open(&bus->context);
	if (error != 0)
		return error;
	self = evbus__self(&bus->context);
	if (self == NULL)
		return evbus__failed();
	if (self->depth > 0)
		return evbus__fail(EVBUS_EDEADLK, "evbus_flush inside a "
		    "handler would wait for that handler");
	streams = bus->context.streams;
	evbus__call_enter(&bus->context, self);
	for (i = 0; i < EVBUS_LOAD(&streams->count, ACQUIRE) && error == 0; i++)
		error = flush_stream(streams->stream[i], self,
		    EVBUS_LOAD(&streams->stream[i]->pub.ctl->tail, RELAXED),
		    timeout_ns, deadline);
	evbus__call_leave(self);
	return error;
}
