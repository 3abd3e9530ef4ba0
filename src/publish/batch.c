/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch.c - layer 4: several events by one claim, next to each other in the
 * stream, all or none.
 *
 * Each is stamped as soon as it is written: a reader follows while the rest is
 * still being filled.
 */
#include "publish/publish.h"

/* How many payloads do not fit a slot; or a refusal. */
static int64_t
check_payloads(const struct evbus_topic *topic, const struct iovec *payload,
    unsigned n)
{
	const struct evbus_stream *stream = topic->stream;
	int64_t outside = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (payload[i].iov_base == NULL && payload[i].iov_len > 0)
			return evbus__fail(EVBUS_EINVAL, "payload %u of %u is "
			    "NULL and its size is %zu", i, n,
			    payload[i].iov_len);
		if (payload[i].iov_len > stream->max_payload)
			return evbus__fail(EVBUS_EMSGSIZE, "payload %u of %u "
			    "has %zu bytes; the stream's max_payload is %u", i,
			    n, payload[i].iov_len, stream->max_payload);
		if (payload[i].iov_len > stream->inline_max)
			outside++;
	}
	return outside;
}

static int
check_batch(const struct evbus_topic *topic, const struct iovec *payload,
    unsigned n, uint32_t *outside)
{
	struct evbus__stream *stream = evbus__stream_of(topic->stream);
	int64_t count;

	if (payload == NULL || n == 0)
		return evbus__fail(EVBUS_EINVAL, "a batch of %u events at %p",
		    n, (const void *)payload);
	if (n > stream->pub.mask + 1)
		return evbus__fail(EVBUS_EINVAL, "a batch of %u events; the "
		    "stream's capacity is %llu", n,
		    (unsigned long long)stream->pub.mask + 1);
	count = check_payloads(topic, payload, n);
	if (count < 0)
		return (int)count;
	if (count > stream->outside.blocks)
		return evbus__fail(EVBUS_EINVAL, "%lld payloads of a batch do "
		    "not fit a slot; the stream's pool has %u blocks",
		    (long long)count, stream->outside.blocks);
	*outside = (uint32_t)count;
	return 0;
}

/* Copy large payloads to the chained blocks, in order. */
static void
fill_blocks(struct evbus__stream *stream, const struct iovec *payload,
    unsigned n, uint32_t chain)
{
	unsigned i;

	for (i = 0; i < n && chain != 0; i++) {
		if (payload[i].iov_len <= stream->pub.inline_max)
			continue;
		EVBUS_PLAIN_COPY_IN(evbus__outside_block(&stream->outside,
		    chain - 1), payload[i].iov_base, payload[i].iov_len);
		chain = evbus__outside_next(&stream->outside, chain - 1);
	}
}

static void
fill_slots(struct evbus_topic *topic, struct evbus_publisher *publisher,
    const struct iovec *payload, unsigned n, uint64_t sequence, uint32_t chain)
{
	struct evbus__stream *stream = evbus__stream_of(topic->stream);
	uint64_t time = evbus__event_time(&stream->pub, publisher);
	uint64_t meta = topic->meta | evbus__meta(0, 0, 0,
	    publisher->id & 0xffffu);
	struct evbus_header *header;
	uint32_t entry;
	size_t size;
	unsigned i;

	for (i = 0; i < n; i++, sequence++) {
		header = evbus__slot(&stream->pub, sequence);
		size = payload[i].iov_len;
		if (evbus_unlikely(size > stream->pub.inline_max)) {
			entry = chain - 1;
			chain = evbus__outside_next(&stream->outside, entry);
			evbus__fill_header(header, meta | evbus__meta(0,
			    EVBUS_SLOT_OUTSIDE, 0, 0), time, publisher->cause);
			evbus__fill_outside(stream, header, entry, size,
			    sequence);
			publisher->bytes += size;
		} else {
			evbus__fill_header(header, meta | evbus__meta(0, 0,
			    (uint32_t)size, 0), time, publisher->cause);
			if (size > 0)
				EVBUS_PLAIN_COPY_IN((unsigned char *)header +
				    stream->pub.header_size,
				    payload[i].iov_base, size);
		}
		evbus__stamp_event(topic, header, sequence,
		    payload[i].iov_base, size);
	}
}

static int
validate_all(struct evbus_topic *topic, struct evbus_publisher *publisher,
    const struct iovec *payload, unsigned n)
{
	unsigned i;
	int error = 0;

	for (i = 0; i < n && error == 0; i++)
		error = evbus__validate(topic, publisher, payload[i].iov_base,
		    payload[i].iov_len);
	return error;
}

static int
publish_all(struct evbus_topic *topic, struct evbus_publisher *publisher,
    const struct iovec *payload, unsigned n)
{
	struct evbus__stream *stream = evbus__stream_of(topic->stream);
	struct evbus__how how = { 0 };
	uint32_t outside = 0, chain = 0;
	uint64_t sequence;
	int error = check_batch(topic, payload, n, &outside);

	how.timeout_ns = evbus__publish_timeout(topic->stream, 1);
	if (error == 0 && topic->validate != NULL)
		error = validate_all(topic, publisher, payload, n);
	if (error == 0 && outside > 0)
		error = evbus__take_outside(stream, publisher, outside, &how,
		    NULL, 0, &chain);
	if (error != 0)
		return error;
	fill_blocks(stream, payload, n, chain);
	error = evbus__claim_slots(stream, publisher, n, how.timeout_ns,
	    &sequence);
	if (error != 0) {
		evbus__give_outside(stream, chain);
		return error;
	}
	fill_slots(topic, publisher, payload, n, sequence, chain);
	evbus__after_commit(&stream->pub, stream->pub.fence_full);
	evbus__leave(publisher, evbus__entered(publisher), n);
	return 0;
}

int
evbus_publish_batch(struct evbus_topic *topic, const struct iovec *payload,
    unsigned n)
{
	struct evbus_publisher *publisher;
	int error;

	error = evbus__publish_check("evbus_publish_batch", topic, "", 0,
	    &publisher);
	if (error != 0)
		return error;
	error = publish_all(topic, publisher, payload, n);
	evbus__call_leave(publisher);
	return error;
}
