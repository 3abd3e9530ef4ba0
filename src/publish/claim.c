/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim.c - layer 4: claim, commit, abort: write an event where it will lie.
 *
 * A claim belongs to the thread that made it (S5).  It is noted in the thread's
 * record before the thread leaves the publish's section, so that close, the
 * search for deadlocks and the thread's exit destructor all know of it.
 */
#include <string.h>

#include "publish/publish.h"

static int
free_place(const struct evbus_publisher *publisher)
{
	int i;

	for (i = 0; i < EVBUS_CLAIMS_MAX; i++)
		if (EVBUS_LOAD(&publisher->claim[i].stream, RELAXED) == 0)
			return i;
	return evbus__fail(EVBUS_ELIMIT, "this thread has %d open claims, as "
	    "many as EVBUS_CLAIMS_MAX", EVBUS_CLAIMS_MAX);
}

static int
check_claim(const struct evbus_topic *topic, size_t size, int64_t timeout_ns,
    const struct evbus_claim *claim)
{
	if (claim == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_claim: claim is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	if (size > topic->stream->max_payload)
		return evbus__fail(EVBUS_EMSGSIZE, "a claim of %zu bytes on "
		    "topic \"%s\"; the stream's max_payload is %u", size,
		    topic->name, topic->stream->max_payload);
	return 0;
}

/* All checks done; the claim's fields are filled at success. */
static int
claim_one(struct evbus_topic *topic, struct evbus_publisher *publisher,
    int64_t timeout_ns, struct evbus_claim *claim)
{
	struct evbus__stream *stream = evbus__stream_of(topic->stream);
	struct evbus__how how = { .timeout_ns = timeout_ns };
	struct evbus__open_claim *open;
	uint64_t sequence;
	uint32_t entry = 0;
	int error = 0, place = free_place(publisher);

	if (place < 0)
		return place;
	if (claim->size > stream->pub.inline_max)
		error = evbus__take_outside(stream, publisher, 1, &how, NULL,
		    0, &entry);
	if (error != 0)
		return error;
	error = evbus__claim_slots(stream, publisher, 1, timeout_ns, &sequence);
	if (error != 0) {
		evbus__give_outside(stream, entry);
		return error;
	}
	EVBUS__DELAY(claim_note);
	open = &publisher->claim[place];
	EVBUS_STORE(&open->sequence, sequence, RELAXED);
	open->entry = entry;
	EVBUS_STORE(&open->stream, stream->pub.number, RELEASE);
	publisher->claims++;
	evbus__leave(publisher, evbus__entered(publisher), 0);
	claim->data = entry != 0 ?
	    (void *)evbus__outside_block(&stream->outside, entry - 1) :
	    (void *)((unsigned char *)evbus__slot(&stream->pub, sequence) +
	    stream->pub.header_size);
	claim->sequence = sequence;
	claim->topic = topic;
	claim->publisher = publisher;
	claim->entry = entry;
	claim->index = (uint32_t)place;
	return 0;
}

int
evbus_claim(struct evbus_topic *topic, size_t size, int64_t timeout_ns,
    struct evbus_claim *claim)
{
	struct evbus_publisher *publisher;
	int error;

	error = evbus__publish_check("evbus_claim", topic, "", 0, &publisher);
	if (error != 0)
		return error;
	error = check_claim(topic, size, timeout_ns, claim);
	if (error == 0) {
		memset(claim, 0, sizeof *claim);
		claim->size = size;
		error = claim_one(topic, publisher, timeout_ns, claim);
	}
	evbus__call_leave(publisher);
	return error;
}

/* The open claim behind the handle, checked to be the caller's. */
static int
find_claim(const struct evbus_claim *claim, struct evbus__open_claim **open)
{
	struct evbus_publisher *self;
	struct evbus__stream *stream;
	int error;

	if (claim == NULL)
		return evbus__fail(EVBUS_EINVAL, "claim is NULL");
	if (claim->topic == NULL || claim->index >= EVBUS_CLAIMS_MAX)
		return evbus__fail(EVBUS_ENOENT, "the claim was never made");
	stream = evbus__stream_of(claim->topic->stream);
	error = evbus__check_fork(stream->context);
	if (error != 0)
		return error;
	self = evbus__self(stream->context);
	if (self != claim->publisher)
		return evbus__fail(EVBUS_EOWNER,
		    "the claim belongs to another thread");
	*open = &self->claim[claim->index];
	if (EVBUS_LOAD(&(*open)->stream, RELAXED) != stream->pub.number ||
	    EVBUS_LOAD(&(*open)->sequence, RELAXED) != claim->sequence)
		return evbus__fail(EVBUS_ENOENT, "the claim is not open: it "
		    "was committed or aborted before");
	return 0;
}

/*
 * The topic's validator looks at what was written.  It may do anything, also
 * commit or abort this claim and make another one in its place: so `claim` is
 * a copy of the caller's, and is looked for once more.
 */
static int
validate_claim(const struct evbus_claim *claim, size_t size,
    struct evbus__open_claim **open)
{
	struct evbus_publisher *publisher = claim->publisher;
	struct evbus__context *context =
	    evbus__stream_of(claim->topic->stream)->context;
	int error;

	if (claim->topic->validate == NULL ||
	    evbus__check_alive(context) != 0)
		return 0;
	evbus__call_enter(context, publisher);
	error = evbus__validate_call(claim->topic, publisher, claim->data,
	    size);
	evbus__call_leave(publisher);
	return error != 0 ? error : find_claim(claim, open);
}

static int
check_commit(const struct evbus_claim *claim, size_t size,
    struct evbus__open_claim **open)
{
	int error = find_claim(claim, open);

	if (error != 0)
		return error;
	if (size > claim->size)
		return evbus__fail(EVBUS_EMSGSIZE, "commit of %zu bytes; the "
		    "claim has %zu", size, claim->size);
	return validate_claim(claim, size, open);
}

/* All checks done. */
static void
commit_one(struct evbus_claim *claim, size_t size,
    struct evbus__open_claim *open)
{
	struct evbus__stream *stream = evbus__stream_of(claim->topic->stream);
	struct evbus_publisher *publisher = claim->publisher;
	struct evbus_header *header;
	uint64_t section;

	section = evbus__enter(publisher, stream->pub.fence_full);
	header = evbus__slot(&stream->pub, claim->sequence);
	evbus__fill_header(header, claim->topic->meta | evbus__meta(0,
	    claim->entry != 0 ? EVBUS_SLOT_OUTSIDE : 0,
	    claim->entry != 0 ? 0 : (uint32_t)size, publisher->id & 0xffffu),
	    evbus__event_time(&stream->pub, publisher), publisher->cause);
	if (claim->entry != 0) {
		evbus__fill_outside(stream, header, claim->entry - 1, size,
		    claim->sequence);
		publisher->bytes += size;
	}
	evbus__stamp_event(claim->topic, header, claim->sequence, claim->data,
	    size);
	EVBUS__DELAY(commit_note);
	EVBUS_STORE(&open->stream, 0, RELAXED);
	evbus__after_commit(&stream->pub, stream->pub.fence_full);
	evbus__leave(publisher, section, 1);
}

int
evbus_commit(struct evbus_claim *given, size_t size)
{
	struct evbus__open_claim *open;
	struct evbus_claim claim;
	int error;

	if (given == NULL)
		return evbus__fail(EVBUS_EINVAL, "claim is NULL");
	claim = *given;
	error = check_commit(&claim, size, &open);
	if (error != 0)
		return error;
	error = evbus__check_alive(
	    evbus__stream_of(claim.topic->stream)->context);
	if (error != 0)
		evbus_abort(&claim);
	else
		commit_one(&claim, size, open);
	return error;
}

void
evbus_abort(struct evbus_claim *claim)
{
	struct evbus__open_claim *open;
	struct evbus__stream *stream;

	if (find_claim(claim, &open) != 0)
		return;
	stream = evbus__stream_of(claim->topic->stream);
	if (claim->entry != 0)
		evbus__outside_give_up(&stream->outside, claim->entry - 1);
	EVBUS__DELAY(abort);
	evbus__make_hole(stream, claim->publisher, claim->sequence, 1);
	EVBUS_STORE(&open->stream, 0, RELAXED);
	claim->publisher->aborts++;
}
