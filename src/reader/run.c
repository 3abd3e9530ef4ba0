/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - layer 4: who runs a reader enters and leaves (GRACE in reader.h).
 */
#include <limits.h>

#include "reader/run.h"

#define SLICE_NS 1000000	/* how long quiet is waited for in one piece */

int
evbus__run_refuse(const struct evbus_reader *reader,
    const struct evbus_publisher *self)
{
	/* A child of fork() may find any value in its blank pages. */
	int error = evbus__check_alive(reader->context);

	if (error != 0)
		return error;
	if (EVBUS_LOAD(&reader->entry->owner, RELAXED) == self->id)
		return evbus__fail(EVBUS_EDEADLK, "reader \"%s\" is run from "
		    "inside one of its own handlers", reader->entry->name);
	return evbus__fail(EVBUS_EBUSY, "reader \"%s\" is run by another "
	    "thread: a reader is run by one thread at a time",
	    reader->entry->name);
}

int
evbus__refuse_worker(const struct evbus_reader *reader)
{
	return evbus__fail(EVBUS_EOWNER, "reader \"%s\" is run by %s",
	    reader->entry->name, reader->run_by == EVBUS__RUN_LOOP ?
	    "evbus_run_once()" : "a worker");
}

/*
 * OWNER.  evbus_close() runs the readers that its thread runs, and nobody tells
 * a thread that comes to run one just then.  So who runs a reader changes under
 * the lock, and before he enters: either close finds the other thread there,
 * and leaves the reader to it, or that thread finds close there.
 */
int
evbus__run_adopt(struct evbus_reader *reader, struct evbus_publisher *self,
    int closes)
{
	struct evbus__reader_entry *entry = reader->entry;
	struct evbus__context *context = reader->context;
	int error = 0;

	evbus__call_enter(context, self);
	evbus__mutex_lock(&context->lock);
	EVBUS__DELAY(adopt);
	if (closes)
		error = !evbus__runs_reader(context, self, entry);
	else if (entry->closer != 0)
		error = EVBUS_ECLOSED;
	if (error == 0) {
		entry->closer = (uint32_t)closes;
		EVBUS_STORE(&entry->owner, self->id, RELAXED);
		EVBUS_STORE(&entry->polled, 1, RELAXED);
	}
	evbus__mutex_unlock(&context->lock);
	if (error == EVBUS_ECLOSED)
		error = evbus__fail(EVBUS_ECLOSED, "the bus is closing, and "
		    "evbus_close runs reader \"%s\"", entry->name);
	evbus__call_leave(self);
	return error;
}

int
evbus__run_check(struct evbus_reader *reader)
{
	int error = evbus__check_alive(reader->context);

	if (error == 0 &&
	    EVBUS_LOAD(&reader->state, RELAXED) != EVBUS__READER_OPEN)
		error = evbus__fail(EVBUS_ECLOSED, "the reader is closed");
	if (error != 0)
		evbus__run_end(reader);
	return error;
}

int
evbus__run_peek(struct evbus_reader *reader)
{
	struct evbus__reader_entry *entry = reader->entry;
	uint32_t running = EVBUS_LOAD(&entry->running, RELAXED);

	if (running & 1)
		return 0;
	EVBUS_STORE(&entry->running, running + 1, RELAXED);	/* GRACE */
	EVBUS__DELAY(run_peek);
	EVBUS_FENCE_LIGHT(reader->context->fence_full);		/* GRACE */
	if (EVBUS_LOAD(&reader->state, RELAXED) == EVBUS__READER_OPEN)
		return 1;
	evbus__run_end(reader);
	return 0;
}

int
evbus__somebody_runs(const struct evbus_reader *reader)
{
	evbus__fence_heavy();					/* GRACE */
	return (EVBUS_LOAD(&reader->entry->running, ACQUIRE) & 1) != 0;
}

/*
 * Somebody waits for quiet, or left something to be finished here.  What
 * on_closed calls does not wait, as inside a handler: this may be a worker.
 */
void
evbus__run_end_slowly(struct evbus_reader *reader)
{
	struct evbus_publisher *self = evbus__self(reader->context);

	/* Who was inside has a record. */
	EVBUS_ASSERT(self != NULL);
	self->depth++;
	evbus__finish_ends(reader, 0);
	evbus__futex_wake(&reader->entry->running, INT_MAX);
	if (EVBUS_LOAD(&reader->state, RELAXED) == EVBUS__READER_CLOSING)
		evbus__reader_finish(reader);
	self->depth--;
}

/* What is waited for. */
struct quiet {
	uint32_t running;	/* as it was, odd; or the reader's closes */
	int64_t id;		/* of a subscription; 0: the whole reader */
};

/* Does the reader not run any more, or not this subscription's handler? */
static int
is_quiet(struct evbus_reader *reader, const struct quiet *quiet)
{
	const struct evbus__reader_entry *entry = reader->entry;

	/* GRACE: acquire: what was done while it ran is seen. */
	if (EVBUS_LOAD(&entry->running, ACQUIRE) != quiet->running)
		return 1;
	/* UNSUB: acquire: what the handler did is seen. */
	return quiet->id != 0 &&
	    EVBUS_LOAD(&entry->current, ACQUIRE) != (uint64_t)quiet->id;
}

/* Has whoever took it run on_closed and finished it? */
static int
is_finished(struct evbus_reader *reader, const struct quiet *quiet)
{
	struct evbus__context *context = reader->context;
	int finished;

	if (quiet->id == 0)
		return EVBUS_LOAD(&reader->closes, ACQUIRE) != quiet->running;
	evbus__mutex_lock(&context->lock);
	finished = evbus__subscription_find(context->readers, quiet->id) ==
	    NULL;
	evbus__mutex_unlock(&context->lock);
	return finished;
}

static int
await(struct evbus_reader *reader, struct evbus_publisher *self,
    int (*done)(struct evbus_reader *, const struct quiet *),
    const struct quiet *quiet, int64_t deadline)
{
	struct evbus__reader_entry *entry = reader->entry;
	int error = 0, i;

	evbus__call_enter(reader->context, self);
	for (i = 0; !done(reader, quiet); i++) {
		if (evbus__has_passed(deadline)) {
			error = evbus__fail(EVBUS_ETIMEDOUT, "a handler of "
			    "reader \"%s\" still runs", entry->name);
			break;
		}
		if (i < 16) {
			evbus__os_yield();
			continue;
		}
		error = evbus__wait_note(reader->context, self,
		    EVBUS__WAIT_READER, reader->index, 0);
		if (error != 0)
			break;
		EVBUS__DELAY(quiet_sleep);
		/* Another handler may follow ours within one run: look every
		 * millisecond, beside being woken at the end of the run. */
		(void)evbus__futex_wait(&entry->running, EVBUS_LOAD(
		    &entry->running, RELAXED),
		    evbus__slice(SLICE_NS, deadline));
		evbus__wait_forget(reader->context, self);
	}
	evbus__call_leave(self);
	return error;
}

/*
 * The caller has set a flag that lets no new call start, and `ending`, and has
 * run the heavy fence.  No lock is held.
 */
int
evbus__run_quiet(struct evbus_reader *reader, struct evbus_publisher *self,
    int64_t id, int64_t deadline)
{
	struct quiet quiet = {
		EVBUS_LOAD(&reader->entry->running, ACQUIRE), id
	};

	return (quiet.running & 1) == 0 ? 0 :
	    await(reader, self, is_quiet, &quiet, deadline);
}

int
evbus__run_finished(struct evbus_reader *reader, struct evbus_publisher *self,
    int64_t id, uint32_t closes, int64_t deadline)
{
	struct quiet quiet = { closes, id };

	return await(reader, self, is_finished, &quiet, deadline);
}
