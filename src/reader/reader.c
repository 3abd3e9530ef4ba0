/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.c - layer 4: open and close readers.
 *
 * A reader's memory stays until evbus_free(), and is used again in the order
 * in which readers were closed, so that a stale handle answers EVBUS_ECLOSED
 * for as long as can be had.
 */
#include <stdio.h>
#include <string.h>

#include "reader/reader.h"

#define SUBSCRIPTIONS_MAX (UINT32_C(1) << 30)

static size_t
places_size(const struct evbus__readers *readers)
{
	return readers->max_streams * sizeof(struct evbus__place *);
}

/* A slot for a reader: a fresh one, or the one that was closed longest ago. */
static int
take_slot(struct evbus__context *context, struct evbus_reader **result)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader, *last = NULL, **at;

	if (readers->opened < readers->limit) {
		reader = evbus__alloc(context, sizeof *reader);
		if (reader == NULL)
			return evbus__fail(EVBUS_ENOMEM,
			    "no memory for a reader");
		reader->place = evbus__alloc(context, places_size(readers));
		if (reader->place == NULL) {
			evbus__free(context, reader, sizeof *reader);
			return evbus__fail(EVBUS_ENOMEM,
			    "no memory for a reader");
		}
		reader->index = readers->opened;
		/* What who leaves late reads stays as it is for good. */
		reader->context = context;
		reader->fence_full = context->fence_full;
		reader->entry = evbus__map_entry(context->map,
		    EVBUS__TABLE_READERS, reader->index);
		reader->magic = EVBUS__READER_MAGIC;
		readers->reader[readers->opened++] = reader;
		*result = reader;
		return 0;
	}
	at = &readers->free_first;
	while ((reader = *at) != NULL && reader->worker != NULL &&
	    !readers->worker_done_with(reader)) {
		last = reader;
		at = &reader->next_free;
	}
	if (reader == NULL)
		return evbus__fail(EVBUS_ELIMIT, "%u readers are open, as many "
		    "as max_readers allows", readers->limit);
	*at = reader->next_free;
	if (readers->free_last == reader)
		readers->free_last = last;
	reader->next_free = NULL;
	*result = reader;
	return 0;
}

static void
give_slot(struct evbus_reader *reader)
{
	struct evbus__readers *readers = reader->context->readers;

	reader->next_free = NULL;
	if (readers->free_last == NULL)
		readers->free_first = reader;
	else
		readers->free_last->next_free = reader;
	readers->free_last = reader;
}

/* A clean reader of these options, not yet known to a worker. */
static void
set_up(struct evbus_reader *reader, const struct evbus_reader_options *options,
    const struct evbus_publisher *self)
{
	struct evbus__context *context = reader->context;
	struct evbus__reader_entry *entry = reader->entry;

	reader->park = evbus__map_entry(context->map, EVBUS__TABLE_PARKS,
	    reader->index);
	reader->lossy = options->lossy != 0;
	reader->max_lag = options->max_lag;
	reader->stall_ns = options->stall_ns;
	EVBUS_STORE(&reader->where.file, NULL, RELAXED);
	reader->copies = reader->lossy || reader->max_lag != 0 ||
	    reader->stall_ns != 0 || options->group != NULL;
	evbus__after_set(reader, options);
	reader->group = NULL;
	reader->member = EVBUS__MEMBER_NOT_YET;
	reader->inside = 0;
	reader->start = options->start;
	reader->start_sequence = options->sequence;
	reader->spin_ns = options->spin_ns == 0 ? EVBUS__SPIN_NS :
	    options->spin_ns;
	reader->worker = NULL;
	reader->run_by = EVBUS__RUN_CALLER;
	evbus__watch_show(&reader->watch, reader->park);
	evbus__places_free(reader);
	reader->places = 0;
	EVBUS_STORE(&reader->ending, 0, RELAXED);
	reader->closed_by = 0;
	reader->emptied = 0;
	reader->subscriptions = NULL;
	reader->ends = NULL;
	reader->kept = NULL;
	EVBUS_STORE(&reader->retained, 0, RELAXED);
	evbus__retained_forget(reader);
	reader->held = NULL;
	reader->turn = 0;
	entry->calls = 0;
	entry->polls = 0;
	entry->parks = 0;
	entry->verdicts = 0;
	entry->retained = 0;
	entry->lossy = (uint32_t)reader->lossy;
	entry->group = 0;
	entry->opener = options->worker == NULL ? self->id : 0;
	entry->worker = 0;
	EVBUS_STORE(&entry->polled, 0, RELAXED);
	EVBUS_STORE(&entry->owner, 0, RELAXED);
	if (options->name != NULL && options->name[0] != '\0')
		(void)snprintf(entry->name, sizeof entry->name, "%s",
		    options->name);
	else
		(void)snprintf(entry->name, sizeof entry->name, "reader-%u",
		    reader->index + 1);
	EVBUS_STORE(&entry->used, 1, RELEASE);
	evbus__map_used(context->map, EVBUS__TABLE_READERS, reader->index);
}

int
evbus__reader_stand(struct evbus__context *context, const char *name,
    struct evbus_reader **reader)
{
	const struct evbus_reader_options options = { .name = name };
	const struct evbus_publisher nobody = { .id = 0 };
	int error = take_slot(context, reader);

	if (error != 0)
		return error;
	set_up(*reader, &options, &nobody);
	(*reader)->entry->group = 1;
	EVBUS_STORE(&(*reader)->state, EVBUS__READER_GROUP, RELAXED);
	return 0;
}

void
evbus__reader_fall(struct evbus_reader *reader)
{
	EVBUS_STORE(&reader->entry->used, 0, RELAXED);
	EVBUS_STORE(&reader->state, EVBUS__READER_CLOSED, RELAXED);
	give_slot(reader);
}

static int
make_locked(struct evbus__context *context, struct evbus_publisher *self,
    const struct evbus_reader_options *options, struct evbus_reader **result)
{
	struct evbus__readers *readers = context->readers;
	struct evbus_reader *reader = NULL;
	int error = evbus__check_open(context);

	if (error == 0)
		error = evbus__after_check(readers, options);
	if (error == 0)
		error = take_slot(context, &reader);
	if (error != 0)
		return error;
	set_up(reader, options, self);
	reader->table_size = ((size_t)context->topics->limit + 1) *
	    sizeof reader->table[0];
	reader->table = evbus__os_reserve(reader->table_size);
	if (reader->table == NULL)
		error = evbus__fail(EVBUS_ENOMEM,
		    "no address space for a reader's dispatch table");
	if (error == 0 && options->group != NULL)
		error = readers->groups->enter(reader, options);
	if (error == 0)
		EVBUS_STORE(&reader->state, EVBUS__READER_OPEN, RELAXED);
	if (error == 0 && options->worker != NULL)
		error = readers->worker_join(reader, options->worker);
	if (error != 0) {
		if (reader->group != NULL)
			readers->groups->leave(reader, self);
		EVBUS_STORE(&reader->state, EVBUS__READER_CLOSED, RELAXED);
		EVBUS_STORE(&reader->entry->used, 0, RELAXED);
		if (reader->table != NULL)
			evbus__os_release(reader->table, reader->table_size);
		reader->table = NULL;
		give_slot(reader);
		return error;
	}
	*result = reader;
	return 0;
}

int
evbus__reader_make(struct evbus__context *context,
    const struct evbus_reader_options *options, struct evbus_reader **reader)
{
	struct evbus_publisher *self = evbus__self(context);
	int error;

	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->lock);
	error = make_locked(context, self, options, reader);
	evbus__mutex_unlock(&context->lock);
	evbus__call_leave(self);
	return error;
}

int
evbus__reader_open(struct evbus *bus,
    const struct evbus_reader_options *options, size_t options_size,
    unsigned layout, struct evbus_reader **reader)
{
	static const struct evbus_reader_options defaults;
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	int error = evbus__check_layout(layout);

	if (error == 0)
		error = evbus__check_options("struct evbus_reader_options",
		    options_size, sizeof *options);
	if (error != 0)
		return error;
	if (bus == NULL || reader == NULL)
		return evbus__fail(EVBUS_EINVAL, "evbus_reader_open: %s is "
		    "NULL", bus == NULL ? "bus" : "reader");
	*reader = NULL;
	if (options == NULL)
		options = &defaults;
	error = evbus__check_open(context);
	if (error == 0)
		error = evbus__reader_options_check(options);
	return error != 0 ? error : evbus__reader_make(context, options,
	    reader);
}

/* Leave all streams; the lock is held and nobody runs the reader. */
static void
leave_streams(struct evbus_reader *reader, struct evbus_publisher *self)
{
	uint32_t i, places = reader->places;

	EVBUS_STORE(&reader->places, 0, RELAXED);
	for (i = 0; i < places; i++) {
		if (reader->group != NULL)
			reader->context->readers->groups->quit(
			    reader->place[i]);
		evbus__stream_leave(reader->place[i]->stream, self,
		    reader->place[i]->cursor);
	}
	if (reader->group != NULL)
		reader->context->readers->groups->leave(reader, self);
	/* Who ran it may still look at the event it holds, in a copy; others
	 * at its counters: their memory stays until it is used again. */
	reader->left = places;
}

/* It holds nobody up any more. */
static void
tell_closed(const struct evbus_reader *reader)
{
	uint32_t i;

	for (i = 0; i < reader->left; i++)
		evbus__stall_over(reader->place[i]->stream,
		    reader->place[i]->cursor, &reader->where,
		    EVBUS_STALL_CLOSED);
}

static void
free_kept(struct evbus_reader *reader)
{
	struct evbus__subscription *subscription;

	while ((subscription = reader->kept) != NULL) {
		reader->kept = subscription->next;
		evbus__retire(reader, subscription, sizeof *subscription);
	}
	evbus__sweep(reader);
}

/* Another thread may have taken an end, and be inside on_closed: then it is the
 * one that comes here last. */
void
evbus__reader_closed(struct evbus_reader *reader)
{
	if (!reader->emptied || reader->finishing > 0)
		return;
	reader->emptied = 0;
	free_kept(reader);
	EVBUS_STORE(&reader->entry->used, 0, RELAXED);
	EVBUS_STORE(&reader->state, EVBUS__READER_CLOSED, RELAXED);
	EVBUS_STORE(&reader->closes, reader->closes + 1, RELEASE);
	give_slot(reader);
}

void
evbus__reader_finish(struct evbus_reader *reader)
{
	struct evbus__context *context = reader->context;
	struct evbus_publisher *self = evbus__self(context);

	/* Who closes it, or was inside, has a record. */
	EVBUS_ASSERT(self != NULL);
	evbus__mutex_lock(&context->lock);
	/* Who comes late may find another reader that uses the same memory. */
	if (EVBUS_LOAD(&reader->state, RELAXED) != EVBUS__READER_CLOSING ||
	    reader->closed_by || evbus__somebody_runs(reader)) {
		evbus__mutex_unlock(&context->lock);
		return;
	}
	reader->closed_by = 1;
	if (reader->worker != NULL)
		context->readers->worker_leave(reader);
	EVBUS__DELAY(reader_leave);
	leave_streams(reader, self);
	evbus__after_leave(reader);
	/* The table first: then no subscription has to be looked for in it. */
	evbus__dispatch_destroy(reader);
	while (reader->subscriptions != NULL)
		evbus__subscription_unhook(reader->subscriptions);
	evbus__mutex_unlock(&context->lock);
	tell_closed(reader);
	evbus__finish_ends(reader, 1);
	evbus__mutex_lock(&context->lock);
	reader->emptied = 1;
	evbus__reader_closed(reader);
	evbus__mutex_unlock(&context->lock);
}

/* No new call may start; 0 or EVBUS_ECLOSED. */
int
evbus__reader_start_closing(struct evbus_reader *reader)
{
	struct evbus__context *context = reader->context;
	struct evbus__subscription *subscription;
	int error = 0;

	evbus__mutex_lock(&context->lock);
	if (EVBUS_LOAD(&reader->state, RELAXED) != EVBUS__READER_OPEN)
		error = evbus__fail(EVBUS_ECLOSED, "the reader is closed");
	else {
		for (subscription = reader->subscriptions;
		    subscription != NULL; subscription = subscription->next)
			evbus__subscription_kill(subscription);
		EVBUS_STORE(&reader->ending, 1, RELAXED);
		EVBUS_STORE(&reader->state, EVBUS__READER_CLOSING, RELAXED);
	}
	evbus__mutex_unlock(&context->lock);
	return error;
}

/* The caller is inside a call. */
static int
close_reader(struct evbus_reader *reader, struct evbus_publisher *self,
    int64_t timeout_ns)
{
	uint32_t closes = EVBUS_LOAD(&reader->closes, RELAXED);
	int64_t deadline;
	int error;

	error = evbus__reader_start_closing(reader);
	if (error != 0)
		return error;
	EVBUS__DELAY(reader_close);
	evbus__fence_heavy();					/* GRACE */
	evbus__park_nudge(reader->park);
	if (self->depth > 0) {
		/* A hint: it looks itself. */
		if ((EVBUS_LOAD(&reader->entry->running, RELAXED) & 1) == 0)
			evbus__reader_finish(reader);
		return 0;
	}
	deadline = evbus__deadline(timeout_ns);
	error = evbus__run_quiet(reader, self, 0, deadline);
	if (error != 0)
		return error;
	evbus__reader_finish(reader);
	/* Who ran it may have been faster, and be inside on_closed. */
	return evbus__run_finished(reader, self, 0, closes, deadline);
}

int
evbus_reader_close(struct evbus_reader *reader, int64_t timeout_ns)
{
	struct evbus_publisher *self;
	int error;

	if (reader == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_reader_close: reader is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	error = evbus__check_alive(reader->context);
	if (error != 0)
		return error;
	self = evbus__self(reader->context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(reader->context, self);
	error = close_reader(reader, self, timeout_ns);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	return error;
}

static size_t
pointers(uint32_t count)
{
	return count * sizeof(void *);
}

int
evbus__readers_init(struct evbus__context *context, uint32_t limit,
    uint32_t max_streams)
{
	struct evbus__readers *readers;

	readers = evbus__alloc(context, sizeof *readers);
	if (readers == NULL)
		return evbus__fail(EVBUS_ENOMEM, "no memory for readers");
	readers->limit = limit;
	readers->max_streams = max_streams;
	readers->max_subscriptions = SUBSCRIPTIONS_MAX;
	readers->reader = evbus__alloc(context, pointers(limit));
	context->readers = readers;
	if (readers->reader == NULL) {
		evbus__readers_destroy(context);
		return evbus__fail(EVBUS_ENOMEM, "no memory for readers");
	}
	return 0;
}

void
evbus__readers_destroy(struct evbus__context *context)
{
	struct evbus__readers *readers = context->readers;
	uint32_t i;

	if (readers == NULL)
		return;
	for (i = 0; i < readers->opened; i++) {
		evbus__retained_forget(readers->reader[i]);
		evbus__retired_free(readers->reader[i]);
		evbus__places_free(readers->reader[i]);
		evbus__watch_close(&readers->reader[i]->watch);
		evbus__free(context, readers->reader[i]->place,
		    places_size(readers));
		evbus__free(context, readers->reader[i],
		    sizeof *readers->reader[i]);
	}
	evbus__free(context, readers->reader, pointers(readers->limit));
	evbus__free(context, readers->subscription,
	    pointers(readers->subscriptions));
	evbus__free(context, readers->generation,
	    readers->subscriptions * sizeof *readers->generation);
	evbus__free(context, readers, sizeof *readers);
	context->readers = NULL;
}
