/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subscribe.c - layer 4: attach a pattern and a handler to a reader.
 *
 * Under the bus's lock: join the streams that may carry such topics, hang the
 * subscription in the trie for topics to come, and enter it in the reader's
 * table for those that exist.
 *
 * Where it starts (D1).  A topic to come: at its first event.  A topic that
 * exists, on a reader that starts now: at the stream's tail as of before it is
 * entered in the table, or at the first claim below that is still open; so
 * everything committed after the call returned is handed over, and nothing
 * that was committed before, but for what stands behind such a claim.  On a
 * reader that starts at a sequence: there.  On one that starts with retained
 * events, at a topic that retains: see retained.c.
 */
#include <string.h>

#include "reader/reader.h"

#define ROOM_FIRST 16u

struct evbus__subscription *
evbus__subscription_find(const struct evbus__readers *readers, int64_t id)
{
	uint32_t index = (uint32_t)((uint64_t)id & 0xffffffffu);
	struct evbus__subscription *subscription;

	if (id <= 0 || index == 0 || index > readers->subscriptions)
		return NULL;
	subscription = readers->subscription[index - 1];
	return subscription != NULL && subscription->id == id ? subscription :
	    NULL;
}

/* Twice the room for subscriptions. */
static int
grow(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	uint32_t room = readers->subscriptions == 0 ? ROOM_FIRST :
	    readers->subscriptions * 2;
	struct evbus__subscription **subscription;
	uint32_t *generation;

	subscription = evbus__alloc(context, room * sizeof *subscription);
	generation = evbus__alloc(context, room * sizeof *generation);
	if (subscription == NULL || generation == NULL) {
		evbus__free(context, subscription, room * sizeof *subscription);
		evbus__free(context, generation, room * sizeof *generation);
		return evbus__fail(EVBUS_ENOMEM,
		    "no memory for more than %u subscriptions",
		    readers->subscriptions);
	}
	if (readers->subscriptions > 0) {
		memcpy(subscription, readers->subscription,
		    readers->subscriptions * sizeof *subscription);
		memcpy(generation, readers->generation,
		    readers->subscriptions * sizeof *generation);
	}
	evbus__free(context, readers->subscription,
	    readers->subscriptions * sizeof *subscription);
	evbus__free(context, readers->generation,
	    readers->subscriptions * sizeof *generation);
	readers->subscription = subscription;
	readers->generation = generation;
	readers->subscription_free = readers->subscriptions;
	readers->subscriptions = room;
	return 0;
}

/* A free place in the table of subscriptions, or a refusal. */
static int64_t
free_index(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	uint32_t i, at;
	int error;

	for (i = 0; i < readers->subscriptions; i++) {
		at = (readers->subscription_free + i) % readers->subscriptions;
		if (readers->subscription[at] == NULL) {
			readers->subscription_free = at + 1;
			return at;
		}
	}
	if (readers->subscriptions >= readers->max_subscriptions)
		return evbus__fail(EVBUS_ELIMIT, "%u subscriptions exist, and "
		    "there can be no more", readers->subscriptions);
	error = grow(context);
	if (error != 0)
		return error;
	return readers->subscription_free++;
}

static int
make(struct evbus_reader *reader, const char *pattern, evbus_handler handler,
    void *arg, const struct evbus_subscribe_options *options,
    struct evbus__subscription **result)
{
	struct evbus__readers *readers = reader->context->readers;
	struct evbus__subscription *subscription;
	int64_t index = free_index(reader->context);

	if (index < 0)
		return (int)index;
	subscription = evbus__retirable(reader, sizeof *subscription);
	if (subscription == NULL)
		return evbus__fail(EVBUS_ENOMEM,
		    "no memory for a subscription");
	readers->generation[index] =
	    (readers->generation[index] + 1) & 0x7fffffffu;
	subscription->id = (int64_t)((uint64_t)readers->generation[index] <<
	    32 | (uint64_t)(index + 1));
	subscription->reader = reader;
	subscription->handler = handler;
	subscription->arg = arg;
	subscription->on_closed = options == NULL ? NULL : options->on_closed;
	strncpy(subscription->pattern, pattern,
	    sizeof subscription->pattern - 1);
	readers->subscription[index] = subscription;
	*result = subscription;
	return 0;
}

static void
unmake(struct evbus__subscription *subscription)
{
	struct evbus_reader *reader = subscription->reader;
	uint32_t index = (uint32_t)((uint64_t)subscription->id & 0xffffffffu);

	reader->context->readers->subscription[index - 1] = NULL;
	evbus__subscription_drop(subscription);
}

/* May this stream carry topics that the pattern matches? */
static int
may_carry(const struct evbus__streams *streams, uint32_t number,
    const char *pattern)
{
	uint32_t i;

	if (number > 1)
		return evbus__pattern_overlaps(
		    streams->stream[number - 1]->pattern, pattern);
	/* The default stream carries what no other does. */
	for (i = 1; i < streams->count; i++)
		if (evbus__pattern_covers(streams->stream[i]->pattern,
		    pattern))
			return 0;
	return 1;
}

static int
join_streams(struct evbus_reader *reader, struct evbus_publisher *self,
    const char *pattern)
{
	struct evbus__streams *streams = reader->context->streams;
	uint32_t number;
	int error;

	for (number = 1; number <= streams->count; number++) {
		if (!may_carry(streams, number, pattern) ||
		    evbus__reader_place(reader,
		    streams->stream[number - 1]) != NULL)
			continue;
		error = evbus__reader_join(reader, self,
		    streams->stream[number - 1], reader->start);
		if (error != 0)
			return error;
	}
	return 0;
}

/*
 * Where a subscription starts in a stream whose topic exists: see the head of
 * this file.
 */
static uint64_t
start_in(const struct evbus_reader *reader, const struct evbus_stream *handle)
{
	const struct evbus__stream *stream = evbus__stream_of(handle);
	const struct evbus__place *place = evbus__reader_place(reader, stream);
	uint64_t from, held, tail;

	/* What a group claims is for its members, from its start on. */
	if (reader->start == EVBUS_START_OLDEST || reader->group != NULL)
		return 0;
	if (reader->start == EVBUS_START_SEQUENCE)
		return reader->start_sequence;
	from = EVBUS_LOAD(&place->cursor->next, RELAXED);
	held = EVBUS_LOAD(&handle->ctl->limit, RELAXED) - handle->mask - 1;
	/* JOIN: see evbus__stream_join(). */
	tail = EVBUS_LOAD(&handle->ctl->tail, RELAXED);
	return evbus__committed_from(stream, from > held ? from : held, tail);
}

/* The callback of the trie of names: a topic that exists. */
static int
enter(void *value, void *arg)
{
	struct evbus__subscription *subscription = arg;
	struct evbus_topic *topic = value;

	if (subscription->reader->start == EVBUS_START_RETAINED &&
	    topic->retained != NULL)
		return evbus__retained_enter(subscription, topic);
	return evbus__dispatch_add(subscription->reader, topic, subscription,
	    start_in(subscription->reader, topic->stream));
}

static int
hook(struct evbus__subscription *subscription, struct evbus_publisher *self)
{
	struct evbus_reader *reader = subscription->reader;
	struct evbus__topics *topics = reader->context->topics;
	int error;

	error = join_streams(reader, self, subscription->pattern);
	if (error == 0)
		error = evbus__trie_insert(&topics->patterns,
		    subscription->pattern, subscription);
	if (error != 0)
		return error;
	error = evbus__trie_select(&topics->names, subscription->pattern,
	    enter, subscription);
	if (error != 0) {
		evbus__subscription_kill(subscription);
		(void)evbus__trie_remove(&topics->patterns,
		    subscription->pattern, subscription);
		subscription->kept = (uint32_t)evbus__dispatch_remove(reader,
		    subscription);
		evbus__retained_drop(subscription);
	} else if (reader->snapshots != NULL)
		/* Who sleeps has not seen them. */
		evbus__park_nudge(reader->park);
	return error;
}

static int64_t
subscribe(struct evbus_reader *reader, struct evbus_publisher *self,
    const char *pattern, evbus_handler handler, void *arg,
    const struct evbus_subscribe_options *options, const char *file, int line)
{
	struct evbus__subscription *subscription = NULL;
	int error;

	if (EVBUS_LOAD(&reader->state, RELAXED) != EVBUS__READER_OPEN)
		return evbus__fail(EVBUS_ECLOSED, "the reader is closed");
	error = evbus__check_open(reader->context);
	if (error == 0 && reader->group != NULL)
		error = reader->context->readers->groups->check(reader,
		    pattern);
	if (error != 0)
		return error;
	if (evbus__reports_wanted(pattern)) {
		error = evbus__reports_open(reader->context, self);
		if (error != 0)
			return error;
	}
	error = make(reader, pattern, handler, arg, options, &subscription);
	if (error != 0)
		return error;
	subscription->file = file;
	subscription->line = line;
	error = hook(subscription, self);
	if (reader->group != NULL)
		reader->context->readers->groups->subscribed(reader, self,
		    error == 0 ? subscription : NULL);
	if (error != 0) {
		unmake(subscription);
		return error;
	}
	subscription->next = reader->subscriptions;
	reader->subscriptions = subscription;
	evbus__where_set(&reader->where, file, line);
	evbus__sweep(reader);
	return subscription->id;
}

int64_t
evbus__reader_subscribe_at(struct evbus_reader *reader, const char *pattern,
    evbus_handler handler, void *arg,
    const struct evbus_subscribe_options *options, const char *file, int line)
{
	struct evbus_publisher *self;
	size_t length;
	int64_t id;
	int error;

	if (reader == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_reader_subscribe: "
		    "reader is NULL");
	error = evbus__check_open(reader->context);
	if (error == 0)
		error = evbus__pattern_check(pattern, &length);
	if (error != 0)
		return error;
	self = evbus__self(reader->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(reader->context, self);
	evbus__mutex_lock(&reader->context->lock);
	id = subscribe(reader, self, pattern, handler, arg, options, file,
	    line);
	evbus__mutex_unlock(&reader->context->lock);
	evbus__call_leave(self);
	return id;
}

int64_t
evbus__reader_subscribe(struct evbus_reader *reader, const char *pattern,
    evbus_handler handler, void *arg,
    const struct evbus_subscribe_options *options, size_t options_size,
    const char *file, int line)
{
	int error = evbus__check_options("struct evbus_subscribe_options",
	    options_size, sizeof *options);

	return error != 0 ? error : evbus__reader_subscribe_at(reader, pattern,
	    handler, arg, options, file, line);
}

/* The real symbol behind the macro, for other languages. */
int64_t
(evbus_reader_subscribe)(struct evbus_reader *reader, const char *pattern,
    evbus_handler handler, void *arg,
    const struct evbus_subscribe_options *options)
{
	return evbus__reader_subscribe_at(reader, pattern, handler, arg,
	    options, "?", 0);
}
