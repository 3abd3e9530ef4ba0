/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unsubscribe.c - layer 4: a subscription ends (L2).
 *
 * First no new call may start (dead), then it leaves trie and tables, then it
 * waits in the reader's list of ends until its handler does not run.  Whoever
 * takes it out of that list runs on_closed, so that runs exactly once: the
 * caller where it may wait, else the thread that runs the reader, when it
 * leaves.
 */
#include <string.h>

#include "reader/reader.h"

void
evbus__subscription_unhook(struct evbus__subscription *subscription)
{
	struct evbus_reader *reader = subscription->reader;
	struct evbus__subscription **at;

	/* UNSUB: dead, heavy fence, current; see reader.h. */
	evbus__subscription_kill(subscription);
	(void)evbus__trie_remove(&reader->context->topics->patterns,
	    subscription->pattern, subscription);
	subscription->kept = (uint32_t)evbus__dispatch_remove(reader,
	    subscription);
	evbus__retained_drop(subscription);
	for (at = &reader->subscriptions; *at != subscription;
	    at = &(*at)->next)
		EVBUS_ASSERT(*at != NULL);
	*at = subscription->next;
	subscription->next = reader->ends;
	reader->ends = subscription;
	EVBUS_STORE(&reader->ending, 1, RELAXED);
	evbus__sweep(reader);
}

/*
 * Out of the list of ends: one, or (id 0) the first; NULL: not there.  `quiet`:
 * the caller knows that no handler of those that it takes runs.  Else the
 * reader may be inside one: then who runs it finds the end when it leaves.
 */
static struct evbus__subscription *
take_end(struct evbus_reader *reader, int64_t id, int quiet)
{
	struct evbus__subscription **at, *found = NULL;

	evbus__mutex_lock(&reader->context->lock);
	for (at = &reader->ends; *at != NULL; at = &(*at)->next)
		if (id == 0 || (*at)->id == id) {
			if (!quiet && evbus__somebody_runs(reader))
				break;
			found = *at;
			*at = found->next;
			reader->finishing++;
			break;
		}
	if (reader->ends == NULL &&
	    EVBUS_LOAD(&reader->state, RELAXED) == EVBUS__READER_OPEN)
		EVBUS_STORE(&reader->ending, 0, RELAXED);
	evbus__mutex_unlock(&reader->context->lock);
	return found;
}

void
evbus__subscription_drop(struct evbus__subscription *subscription)
{
	struct evbus_reader *reader = subscription->reader;

	if (subscription->kept) {
		subscription->next = reader->kept;
		reader->kept = subscription;
		return;
	}
	evbus__retire(reader, subscription, sizeof *subscription);
	evbus__sweep(reader);
}

static void
finish(struct evbus_reader *reader, struct evbus__subscription *subscription)
{
	struct evbus__context *context = reader->context;
	uint32_t index = (uint32_t)((uint64_t)subscription->id & 0xffffffffu);

	EVBUS__DELAY(on_closed);
	if (subscription->on_closed != NULL)
		subscription->on_closed(subscription->arg);
	evbus__mutex_lock(&context->lock);
	context->readers->subscription[index - 1] = NULL;
	evbus__subscription_drop(subscription);
	reader->finishing--;
	evbus__reader_closed(reader);
	evbus__mutex_unlock(&context->lock);
}

void
evbus__finish_end(struct evbus_reader *reader, int64_t id)
{
	struct evbus__subscription *subscription = take_end(reader, id, 1);

	if (subscription != NULL)
		finish(reader, subscription);
}

void
evbus__finish_ends(struct evbus_reader *reader, int quiet)
{
	struct evbus__subscription *subscription;

	while ((subscription = take_end(reader, 0, quiet)) != NULL)
		finish(reader, subscription);
}

void
evbus__subscription_stop(struct evbus__subscription *subscription)
{
	struct evbus__context *context = subscription->reader->context;

	if (subscription->reader->group != NULL) {
		/* It leaves its group: who runs it finishes that. */
		(void)evbus__reader_start_closing(subscription->reader);
		return;
	}
	evbus__mutex_lock(&context->lock);
	if (!EVBUS_LOAD(&subscription->dead, RELAXED))
		evbus__subscription_unhook(subscription);
	evbus__mutex_unlock(&context->lock);
}

static int
unhook_id(struct evbus__context *context, int64_t id,
    struct evbus_reader **reader)
{
	struct evbus__subscription *subscription;
	int error = 0;

	evbus__mutex_lock(&context->lock);
	subscription = evbus__subscription_find(context->readers, id);
	if (subscription == NULL ||
	    EVBUS_LOAD(&subscription->dead, RELAXED)) {
		error = evbus__fail(EVBUS_ENOENT, "there is no subscription "
		    "%lld, or it ended before", (long long)id);
	} else if (subscription->reader->group != NULL) {
		error = evbus__fail(EVBUS_EINVAL, "subscription %lld makes "
		    "reader \"%s\" a member of its group: close the reader",
		    (long long)id, subscription->reader->entry->name);
	} else {
		*reader = subscription->reader;
		evbus__subscription_unhook(subscription);
	}
	evbus__mutex_unlock(&context->lock);
	return error;
}

/* The caller is inside a call. */
static int
unsubscribe(struct evbus__context *context, struct evbus_publisher *self,
    int64_t id, int64_t timeout_ns)
{
	struct evbus_reader *reader = NULL;
	int64_t deadline;
	int error;

	error = unhook_id(context, id, &reader);
	if (error != 0)
		return error;
	evbus__fence_heavy();					/* UNSUB */
	EVBUS__DELAY(unsubscribed);
	if (self->depth > 0) {
		/* Never waits; who runs the reader finishes it. */
		if ((EVBUS_LOAD(&reader->entry->running, ACQUIRE) & 1) == 0)
			evbus__finish_end(reader, id);
		return 0;
	}
	deadline = evbus__deadline(timeout_ns);
	error = evbus__run_quiet(reader, self, id, deadline);
	if (error != 0)
		return error;
	evbus__finish_end(reader, id);
	/* Who ran the reader may have been faster, and be inside on_closed. */
	return evbus__run_finished(reader, self, id, 0, deadline);
}

int
evbus_unsubscribe(struct evbus *bus, int64_t id, int64_t timeout_ns)
{
	struct evbus__context *context = (struct evbus__context *)(void *)bus;
	struct evbus_publisher *self;
	int error;

	if (bus == NULL)
		return evbus__fail(EVBUS_EINVAL,
		    "evbus_unsubscribe: bus is NULL");
	if (evbus__check_timeout(timeout_ns) != 0)
		return EVBUS_EINVAL;
	error = evbus__check_alive(context);
	if (error != 0)
		return error;
	self = evbus__self(context);
	if (self == NULL)
		return evbus__failed();
	evbus__call_enter(context, self);
	error = unsubscribe(context, self, id, timeout_ns);
	/* The last touch: evbus_free() may follow. */
	evbus__call_leave(self);
	return error;
}
