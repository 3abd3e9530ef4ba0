/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_publish.c - fuzz_calls: publish, claim, commit, abort; see calls.h.
 */
#include <stdlib.h>

#include "calls.h"

static void
on_release(const void *data, size_t size, void *arg)
{
	struct event *event = arg;

	FUZZ_EQUAL(size, event->size);
	FUZZ_EQUAL(event->released, 0);
	if (!world.closing) {
		FUZZ_CHECK(event->sequence <
		    gate_of(&world.stream[event->stream]));
		FUZZ_CHECK(!is_pinned(&world.stream[event->stream],
		    event->sequence));
	}
	event->released = 1;
	free((void *)(uintptr_t)data);
}

/* The result of a publish is as the model says; 1: it was published. */
static int
is_published(int result, int wanted, int open, int waits)
{
	if (open && waits && result < 0) {
		FUZZ_CHECK(result == EVBUS_EDEADLK ||
		    result == EVBUS_ETIMEDOUT);
		return 0;
	}
	if (open && !waits && result == EVBUS_EFULL)
		return 0;
	FUZZ_EQUAL(result, wanted);
	return result == 0;
}

void
publish(int way)
{
	static const uint32_t sizes[] = { 0, 1, 8, 31, 32, 33, 100, 128, 129 };
	unsigned t = pick(TOPICS), kind = OUTSIDE_NO;
	uint32_t size = sizes[pick(COUNT(sizes))];
	unsigned char *data;
	struct evbus_publish_options options = { 0 };
	struct event *event;
	struct stream *stream;
	uint64_t sequence = 0;
	int wanted, result, waits, open = 0;

	if (t >= world.topics)
		return;
	stream = &world.stream[world.topic[t].stream];
	if (stream->count >= EVENTS)
		return;
	waits = way != 1 && !stream->fail;
	if (way == 2) {
		options.set_timeout = 1;
		options.timeout_ns = pick(2);
		options.set_cause = (int)pick(2);
		options.cause = options.set_cause ? EVBUS_CAUSE(7, 9) : 0;
		options.sequence = &sequence;
		options.release = pick(2) ? on_release : NULL;
		waits = options.timeout_ns > 0;
	}
	if (options.release != NULL)
		kind = OUTSIDE_REFERENCE;
	else if (size > 32)
		kind = OUTSIDE_BLOCK;
	wanted = size > 128 && kind != OUTSIDE_REFERENCE ? EVBUS_EMSGSIZE :
	    expect_room(stream, 1, kind != OUTSIDE_NO, kind, waits, &open);
	/* The event as it will be, so that its release finds it. */
	event = add_event(stream, t, size, kind);
	stream->count--;
	options.release_arg = event;
	data = malloc(size > 0 ? size : 1);
	FUZZ_CHECK(data != NULL);
	fill_payload(data, event);
	result = way == 0 ? evbus_publish(world.topic[t].handle, data, size) :
	    way == 1 ? evbus_try_publish(world.topic[t].handle, data, size) :
	    evbus_publish_with(world.topic[t].handle, data, size, &options);
	if (is_published(result, wanted, open, waits)) {
		stream->count++;
		if (options.set_cause) {
			event->cause = options.cause;
			event->cause_known = 1;
		}
		if (way == 2)
			FUZZ_EQUAL(sequence, event->sequence);
	} else {
		FUZZ_EQUAL(event->released, 0);
		kind = OUTSIDE_NO;
	}
	if (kind != OUTSIDE_REFERENCE)
		free(data);
}

void
publish_batch(void)
{
	static const uint32_t sizes[] = { 0, 8, 32, 40, 128, 129 };
	unsigned t = pick(TOPICS), n = pick(6), i, large = 0;
	unsigned char data[6][129];
	struct iovec payload[6];
	struct stream *stream;
	struct event *event;
	int wanted = 0, waits, open = 0, too_large = 0;

	if (t >= world.topics)
		return;
	stream = &world.stream[world.topic[t].stream];
	if (stream->count + n > EVENTS)
		return;
	waits = !stream->fail;
	for (i = 0; i < n; i++) {
		event = add_event(stream, t, sizes[pick(COUNT(sizes))],
		    OUTSIDE_NO);
		if (event->size > 32) {
			event->outside = OUTSIDE_BLOCK;
			large++;
		}
		too_large |= event->size > 128;
		fill_payload(data[i], event);
		payload[i].iov_base = data[i];
		payload[i].iov_len = event->size;
	}
	stream->count -= n;
	if (n == 0 || n > stream->capacity)
		wanted = EVBUS_EINVAL;
	else if (too_large)
		wanted = EVBUS_EMSGSIZE;
	else if (large > stream->blocks)
		wanted = EVBUS_EINVAL;
	else
		wanted = expect_room(stream, n, large, OUTSIDE_BLOCK, waits,
		    &open);
	if (is_published(evbus_publish_batch(world.topic[t].handle, payload,
	    n), wanted, open, waits))
		stream->count += n;
}

void
claim(void)
{
	static const uint32_t sizes[] = { 0, 32, 33, 128, 129 };
	unsigned t = pick(TOPICS), opened = 0, i, at = CLAIMS;
	uint32_t size = sizes[pick(COUNT(sizes))];
	struct stream *stream;
	struct event *event;
	int wanted, waits = (int)pick(2), open = 0, result;

	for (i = 0; i < CLAIMS; i++) {
		opened += (unsigned)world.claim[i].open;
		if (!world.claim[i].open)
			at = i;
	}
	if (t >= world.topics || at == CLAIMS)
		return;
	stream = &world.stream[world.topic[t].stream];
	if (stream->count >= EVENTS)
		return;
	if (size > 128)
		wanted = EVBUS_EMSGSIZE;
	else if (opened >= EVBUS_CLAIMS_MAX)
		wanted = EVBUS_ELIMIT;
	else
		wanted = expect_room(stream, 1, size > 32, OUTSIDE_BLOCK,
		    waits, &open);
	result = evbus_claim(world.topic[t].handle, size, waits,
	    &world.claim[at].claim);
	world.claim[at].made = 0;
	if (!is_published(result, wanted, open, waits))
		return;
	event = add_event(stream, t, size,
	    size > 32 ? OUTSIDE_BLOCK : OUTSIDE_NO);
	event->state = EVENT_OPEN;
	FUZZ_EQUAL(world.claim[at].claim.sequence, event->sequence);
	FUZZ_EQUAL(world.claim[at].claim.size, size);
	world.claim[at].open = 1;
	world.claim[at].made = 1;
	world.claim[at].event = event;
}

void
end_claim(struct claim *of, int commits, uint32_t size)
{
	struct event *event = of->event;

	if (!of->made)
		return;
	if (!of->open) {
		FUZZ_EQUAL(evbus_commit(&of->claim, 0), EVBUS_ENOENT);
		return;
	}
	if (commits && size > event->size) {
		FUZZ_EQUAL(evbus_commit(&of->claim, size), EVBUS_EMSGSIZE);
		return;
	}
	of->open = 0;
	if (!commits) {
		memset(of->claim.data, 0x5a, event->size);
		event->state = EVENT_HOLE;
		evbus_abort(&of->claim);
		return;
	}
	event->size = size;
	fill_payload(of->claim.data, event);
	event->state = EVENT_COMMITTED;
	event->cause = world.cause;
	event->cause_known = world.cause_known;
	FUZZ_EQUAL(evbus_commit(&of->claim, size), 0);
}
